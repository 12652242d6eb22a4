"""The true persons of a generated population: households with spouses, children, twins, sons of their father's name."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.samples import population_errors as errors
from fonds.samples.population_draws import Draws, Numbers
from fonds.samples.population_names import CITIES, STREETS, Culture, cultures
from fonds.samples.population_profiles import Profile

Objects = npt.NDArray[np.object_]
_EPOCH = np.datetime64("1970-01-01", "D")
_TODAY = int((np.datetime64("2026-06-30", "D") - _EPOCH).astype(int))


def persons(count: int, seed: int, profile: Profile) -> pl.DataFrame:
    """`count` persons, members of a household one after the other.

    Columns: person and household (numbers), culture, role (0 head, 1 spouse, 2 and more children), family, maiden (of
    those who took a spouse's name), given, middle, suffix, sex, birth (days since 1970), phone, own_phone, street,
    postcode, city, old_street, old_postcode, old_city (NULL: never moved), mother, national_id.
    """
    houses = Draws(seed, "household", count)  # never more households than persons
    kinds = houses.kind("kind", profile.kinds)  # 0 ordinary, 1 with twins, 2 father and son of one name
    sizes = 1 + houses.kind("size", profile.sizes)
    sizes = np.where(
        kinds == 1, np.where(sizes < 3, 2, np.maximum(sizes, 4)), np.where(kinds == 2, np.maximum(sizes, 3), sizes)
    )
    ends = np.cumsum(sizes)
    used = int(np.searchsorted(ends, count)) + 1
    house = np.repeat(np.arange(used), sizes[:used])[:count]
    role = np.arange(count) - np.repeat(ends[:used] - sizes[:used], sizes[:used])[:count]
    me, home = Draws(seed, "person", count), Draws(seed, "household", house)
    people, size, kind = cultures(), sizes[house], kinds[house]
    culture = home.kind("culture", tuple(c.share for c in people))
    twin = (kind == 1) & (role == size - 1)  # the last of the household was born with the last but one
    # two twins alone are of one generation
    generation = np.where((role >= 2) | (twin & (size > 2)), 1, 0)
    born = -16_000 + home.below("head born", 28_000)
    spouse = (role == 1) & ~twin
    spread = (me.share("age") + me.share("age again") - 1) * 2_500
    child = born + 7_000 + me.below("child born", 7_500)
    birth = np.where(role == 0, born, np.where(generation == 1, child, born + spread.astype(np.int64)))
    birth = np.minimum(birth, _TODAY - me.below("age now", 900))
    birth[twin] = birth[np.flatnonzero(twin) - 1]
    head_sex = home.below("head sex", 2)
    sex = np.where(role == 0, head_sex, np.where(role == 1, 1 - head_sex, me.below("sex", 2)))
    sex = np.where(spouse & (kind != 2) & me.happens("same sex", 0.04), head_sex, sex)
    namesake = (kind == 2) & (role == 2)
    father = np.arange(count) - np.where(head_sex == 1, 2, 1)  # sex 1 is male
    sex = np.where(namesake | twin & me.happens("twins of one sex", 0.65), sex[np.arange(count) - 1], sex)
    sex = np.where(namesake, 1, sex)
    names = _names(me, home, culture, sex, birth)
    _told_apart(names["given"], me, culture, sex, twin)
    given, middle = names["given"], names["middle"]
    named = np.flatnonzero(namesake & (father >= 0))
    given[named] = given[father[named]]
    middle[named] = np.where(me.happens("junior's second name", 0.3)[named], middle[named], middle[father[named]])
    family, maiden = _married(me, names, culture, spouse)
    elsewhere = (generation == 1) & ~twin & ~namesake & me.happens("another family", 0.08)
    family = np.where(elsewhere, names["own"], family)
    alike = np.flatnonzero(twin | namesake)
    family[alike] = family[np.where(namesake, father, np.arange(count) - 1)[alike]]
    lives = _address(home, "home")
    lived = _address(me, "before")
    apart = (generation == 1) & me.happens("moved out", 0.3)
    own = _address(me, "own")
    moved = me.happens("moved", profile.moved)
    first = {name: np.where(apart, own[name], lives[name]) for name in lives}
    mother = _mothers(me, home, names, culture, generation == 1)
    mother[twin] = mother[np.flatnonzero(twin) - 1]
    junior = namesake & me.happens("says junior", 0.25)
    none = np.array([None], dtype=object)
    return pl.DataFrame(
        {
            "person": np.arange(count),
            "household": house,
            "culture": culture,
            "role": role,
            "family": family.astype(str),
            "maiden": pl.Series(maiden.tolist(), dtype=pl.String),
            "given": given.astype(str),
            "middle": middle.astype(str),
            "suffix": np.where(junior, "JR", ""),
            "sex": np.where(sex == 1, "M", "F"),
            "birth": birth,
            "phone": home.below("phone", 10**8) + 2 * 10**8,
            "own_phone": me.below("phone", 10**8) + 15 * 10**8,
            **first,
            **{f"old_{name}": np.where(moved, lived[name], none).tolist() for name in lived},
            "mother": mother.astype(str),
            "national_id": 10**9 + _permuted(seed, count),
        },
        strict=False,
    )


def _married(
    me: Draws, names: dict[str, Objects], culture: Numbers, spouse: npt.NDArray[np.bool_]
) -> tuple[Objects, Objects]:
    """Family names of today, and by birth where a spouse changed it (else None)."""
    keeps = np.array([c.wife_keeps for c in cultures()])[culture]
    wed = spouse & (me.share("keeps name") >= keeps)
    double = wed & me.happens("double name", 0.12)
    family: Objects = np.where(spouse & ~wed, names["own"], names["family"])
    family = np.where(double, family + "-" + names["own"], family)
    return family, np.where(wed & ~double, names["own"], np.array([None], dtype=object))


def _mothers(
    me: Draws, home: Draws, names: dict[str, Objects], culture: Numbers, child: npt.NDArray[np.bool_]
) -> Objects:
    """Their names by birth (family^given); the children of a household have one mother."""
    common = np.array([c.women[n % min(len(c.women), 60)] for c in cultures() for n in range(60)], dtype=object)
    which = np.where(child, home.below("mother", 60), me.below("mother", 60))
    mother: Objects = np.where(child, names["mother"], names["own mother"]) + "^" + common[culture * 60 + which]
    return mother


def _permuted(seed: int, count: int) -> Numbers:
    """Numbers of up to ten digits, each once: a permutation of the person's place."""
    offset = int(Draws(seed, "national", 1).below("offset", 10**9)[0])
    return (np.arange(count, dtype=np.int64) * 387_420_489 + offset) % (9 * 10**9 - 1)


def _names(me: Draws, home: Draws, culture: Numbers, sex: Numbers, birth: Numbers) -> dict[str, Objects]:
    """family (the household's), own (the person's by birth where another), given, middle, mother (her
    family, one a household) and own mother."""
    count = len(culture)
    found = {
        name: np.empty(count, dtype=object) for name in ("family", "own", "given", "middle", "mother", "own mother")
    }
    for number, one in enumerate(cultures()):
        at = np.flatnonzero(culture == number)
        mine, house = Draws(me.seed, me.what, at), Draws(home.seed, home.what, home.places[at])  # type: ignore[index]
        found["family"][at] = _family(house, one, "family")
        found["own"][at] = _family(mine, one, "own family")
        found["mother"][at] = _family(house, one, "mother")
        found["own mother"][at] = _family(mine, one, "mother")
        for label, wanted in (("men", 1), ("women", 0)):
            stock = np.array(getattr(one, label), dtype=object)
            chosen = sex[at] == wanted
            here = at[chosen]
            draws = Draws(me.seed, me.what, here)
            # names go with the times: the younger half of the stock is given more after 1975
            rank = draws.rank("given", len(stock), 0.75, 3)
            late = (birth[here] > 1_900) & draws.happens("modern", 0.7)
            rank = np.where(late, (rank + len(stock) // 2) % len(stock), rank)
            found["given"][here] = stock[rank]
            second = stock[draws.rank("middle", len(stock), 0.8, 3)]
            found["middle"][here] = np.where(draws.happens("has middle", one.middle), second, "")
    return found


def _told_apart(given: Objects, me: Draws, culture: Numbers, sex: Numbers, twin: npt.NDArray[np.bool_]) -> None:
    """Twins' given names: never forms of one name nor of one first word, and a third begin with one letter, as
    parents like them.

    A loop in Python: each twin draws from a stock of its own, and twins are few.
    """
    alike, which = twin & me.happens("alike", 0.33), me.share("alike name")
    for here in np.flatnonzero(twin).tolist():
        stock = cultures()[culture[here]].men if sex[here] else cultures()[culture[here]].women
        other, kin = given[here - 1], errors.given_forms(given[here - 1])
        if alike[here]:
            same = [name for name in stock if name[0] == other[0] and _apart(name, other, kin)]
            given[here] = same[int(which[here] * len(same))] if same else given[here]
        if not _apart(given[here], other, kin):
            free = [name for name in stock if _apart(name, other, kin)]
            given[here] = free[int(which[here] * len(free))]


def _apart(name: str, other: str, forms: list[str]) -> bool:
    return name.split(" ", 1)[0] != other.split(" ", 1)[0] and name not in forms


def _family(draws: Draws, culture: Culture, purpose: str) -> Objects:
    stock = np.array(culture.families, dtype=object)
    steep = 1.0 if len(stock) < 200 else 0.82
    first = stock[draws.rank(purpose, len(stock), steep)]
    if not culture.two_surnames:
        return first
    both: Objects = first + " " + stock[draws.rank(f"{purpose} second", len(stock), steep)]
    return both


def _address(draws: Draws, purpose: str) -> dict[str, Objects]:
    cities, streets = np.array(CITIES[:800], dtype=object), np.array(STREETS, dtype=object)
    city = draws.rank(f"{purpose} city", len(cities), 0.9)
    number = (1 + draws.rank(f"{purpose} number", 180, 0.6)).astype(str).astype(object)
    code = 10_000 + city * 97 + draws.below(f"{purpose} quarter", 8)
    street = streets[draws.rank(f"{purpose} street", len(streets), 0.6)]
    return {"street": street + " " + number, "postcode": code.astype(str).astype(object), "city": cities[city]}
