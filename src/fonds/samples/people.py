"""The sample persons, and how each department wrote them down: IDs, spellings, mistakes of registration."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random
from typing import Any

from fonds.samples.sources import DEPARTMENTS, SOURCES

BLOCK = 40
"""Persons in a block. Everything that relates persons to each other stays inside one block, so that blocks can be
written one by one, in any order and by several processes, in bounded memory."""

_FAMILIES = (
    *(
        "Müller",
        "Weiß",
        "Jäger",
        "Böhm",
        "Größl",
        "Køhler",
        "Lindström",
        "Åberg",
        "Núñez",
        "Lefèvre",
        "Gómez",
        "Østergård",
    ),
    *(
        "Schneider",
        "Weber",
        "Hoffmann",
        "Klein",
        "Wolf",
        "Neumann",
        "Braun",
        "Zimmermann",
        "Hartmann",
        "Lange",
        "Werner",
    ),
    *(
        "Krause",
        "Lehmann",
        "Schmid",
        "Kowalski",
        "Novak",
        "Rossi",
        "Martin",
        "Dubois",
        "Smith",
        "O'Brien",
        "van der Berg",
    ),
)
_HEADS = (
    *("Alt", "Berg", "Brand", "Eich", "Feld", "Gold", "Hag", "Hart", "Kalt", "Licht", "Moos", "Neu", "Ober", "Rot"),
    *("Ahorn", "Birk", "Buch", "Dorn", "Eber", "Erl", "Fisch", "Frei", "Grau", "Grün", "Haber", "Hirsch", "Hoch"),
    *("Kirch", "Korn", "Lang", "Linden", "Mitter", "Nieder", "Ross", "Sand", "Schön", "Stein", "Tann", "Unter", "Wald"),
)
_TAILS = (
    *("auer", "bach", "berger", "dorfer", "eder", "felder", "hauser", "hofer", "huber", "mann", "meier", "stätter"),
    *("acker", "bauer", "brunner", "egger", "furter", "gruber", "kamp", "leitner", "lohe", "rieder", "reuter", "wirth"),
)
_WOMEN = (
    *("Anna", "Maria", "Sofía", "Renée", "Katharina", "Elisabeth", "Margarete", "Ursula", "Lena", "Björk", "Inês"),
    *("Eva", "Agnes", "Birgit", "Claudia", "Doris", "Erika", "Franziska", "Gisela", "Hannelore", "Ingrid", "Johanna"),
    *("Karin", "Lieselotte", "Monika", "Natascha", "Olga", "Petra", "Rosa", "Sabine", "Tamara", "Veronika"),
)
_MEN = (
    *("Hans", "Jürgen", "Peter", "Andreas", "Robert", "Wilhelm", "José", "André", "Friedrich", "Łukasz", "Karl"),
    *("Björn", "Albert", "Bernhard", "Christian", "Dieter", "Emil", "Felix", "Georg", "Horst", "Ivan", "Joachim"),
    *("Konrad", "Ludwig", "Matthias", "Norbert", "Otto", "Paul", "Rainer", "Stefan", "Thomas", "Ulrich"),
)
_MIDDLE = {"F": ("", "", "Luise", "Marie"), "M": ("", "", "Josef", "Paul")}
_NICK = {
    "Katharina": "Käthe",
    "Elisabeth": "Lisa",
    "Margarete": "Greta",
    "Robert": "Bob",
    "Wilhelm": "Willi",
    "Friedrich": "Fritz",
    "Andreas": "Andi",
    "Maria": "Mia",
}
_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})
_PLAIN = str.maketrans({"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "å": "a", "Å": "A"})


def seeded(*parts: object) -> Random:
    """A generator of its own for the named purpose: adding a draw in one place changes nothing in another."""
    return Random(hashlib.sha256("|".join(map(str, parts)).encode()).digest())  # noqa: S311 - sample data, no secret


def transliterate(text: str) -> str:
    """German way: ue for ü; other marks fall away."""
    return strip_marks(text.translate(_GERMAN))


def strip_marks(text: str) -> str:
    """ASCII by dropping diacritics: Muller for Müller."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    return decomposed.encode("ascii", "ignore").decode()


@dataclass(frozen=True, slots=True)
class Person:
    """A true person. `case` names the hard case it plays, '' for an ordinary one."""

    index: int
    family: str
    given: str
    middle: str
    sex: str
    birth: date
    maiden: str = ""
    case: str = ""
    native: str = ""
    departments: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The true person key of the truth files."""
        return f"person-{self.index:07d}"


@dataclass(frozen=True, slots=True)
class Record:
    """How one department wrote a person down (raw values; issuer None = attribute absent)."""

    source: str
    person: str
    patient_id: str
    issuer: str | None
    name: str
    birth: str
    sex: str


def _ordinary(seed: int, index: int) -> Person:
    rng = seeded(seed, "person", index)
    sex = rng.choice("FM")
    family = rng.choice(_FAMILIES) if rng.random() < 0.25 else rng.choice(_HEADS) + rng.choice(_TAILS)
    given = rng.choice(_WOMEN if sex == "F" else _MEN)
    birth = date(1925, 1, 2) + timedelta(days=rng.randrange(75 * 365))
    if (birth.day, birth.month) == (1, 1):
        birth += timedelta(days=9)  # 1 January is what registration types when it does not know
    count = rng.choice((1, 2, 2, 2, 3, 3, 4))
    departments = tuple(sorted(rng.sample(DEPARTMENTS, count), key=DEPARTMENTS.index))
    return Person(index, family, given, rng.choice(_MIDDLE[sex]), sex, birth, departments=departments)


def block_persons(seed: int, block: int, size: int) -> list[Person]:
    """The `size` persons of a block; the first two dozen places of each block are cast with the hard cases."""
    people = [_ordinary(seed, block * BLOCK + place) for place in range(size)]

    def cast(place: int, case: str, departments: tuple[str, ...], **changes: Any) -> None:
        if place < size:
            people[place] = replace(people[place], case=case, departments=departments, **changes)

    if size > 4:
        cast(3, "twin", ("radiology", "cardiology", "oncology"), sex="F", given="Lena", middle="")
        cast(
            4, "twin", ("radiology", "cardiology", "surgery"), sex="F", given="Eva", middle="", family=people[3].family
        )
        people[4] = replace(people[4], birth=people[3].birth)
    if size > 6:
        cast(
            5,
            "father",
            ("radiology", "surgery"),
            sex="M",
            given="Karl",
            middle="",
            birth=date(1940 + block % 20, 3, 14),
        )
        son = people[5].birth + timedelta(days=29 * 365 + people[5].index % 200)
        cast(
            6, "son", ("radiology", "cardiology"), sex="M", given="Karl", middle="", family=people[5].family, birth=son
        )
    for place in (7, 8, 9):
        cast(place, "household", ("radiology", "oncology"), family=people[min(7, size - 1)].family)
    cast(10, "default birth date", ("radiology", "surgery"))
    cast(11, "default birth date", ("oncology", "cardiology"))
    cast(12, "overlay", ("surgery", "radiology"), family="Østergård")
    cast(13, "overlay", ("surgery", "cardiology"), family="Lindtmeier")
    cast(14, "ideographic name", ("radiology", "oncology"), family="Yamada", given="Tarou", middle="", sex="M",
         native="山田^太郎")  # fmt: skip
    cast(15, "other script", ("radiology", "oncology"), family="Papadopoulos", given="Eleni", middle="", sex="F",
         native="Παπαδοπούλου^Ελένη")  # fmt: skip
    cast(16, "maiden name", ("radiology", "oncology", "pathology"), sex="F", given="Ursula", maiden="Eichinger")
    cast(17, "nickname", ("radiology", "cardiology"), sex="M", given="Robert")
    cast(18, "typing error", ("radiology", "surgery"))
    cast(19, "name parts swapped", ("radiology", "surgery"), sex="F", given="Inês")
    cast(20, "day and month swapped", ("radiology", "cardiology"), birth=date(1961, 4, 9))
    cast(21, "all departments", DEPARTMENTS)
    return people


def _patient_id(source: str, index: int) -> str:
    # A permutation of the index (odd multiplier, power-of-two modulus) keeps IDs unique without looking like a count.
    number = (index * 48271 + 10007) % (1 << 24) + 10_000_000
    match source:
        case "radiology":
            return f"{number}"
        case "cardiology":
            return f"C-{number}"
        case "oncology":
            return f"ONK{number}"
        case "pathology":
            return f"P{number % 100:02d}.{number}"
        case _:
            return f"{number:010d}"


def _mistype(text: str, rng: Random) -> str:
    at = rng.randrange(1, len(text) - 1)
    return (
        text[:at] + text[at + 1] + text[at] + text[at + 2 :] if text[at] != text[at + 1] else text[:at] + text[at + 1 :]
    )


def record(seed: int, person: Person, source: str) -> Record:  # noqa: PLR0912 - one branch a habit
    """The person as this department knows it. Habits first, then the mistake the person's case asks for."""
    rng = seeded(seed, "record", person.index, source)
    odd = rng.random()
    family, given, birth, case = person.family, person.given, person.birth.strftime("%Y%m%d"), person.case
    if person.maiden and source == "radiology":
        family = person.maiden
    if source != "radiology" and given in _NICK and (case == "nickname" or (not case and odd < 0.06)):
        given = _NICK[given]
    if source == "surgery" and (case == "typing error" or (not case and odd > 0.95)):
        family = _mistype(family, rng)
    if source == "surgery" and (case == "name parts swapped" or (not case and 0.92 < odd < 0.95)):
        family, given = given, family
    if source == "cardiology" and (
        case == "day and month swapped" or (not case and odd > 0.985 and person.birth.day < 13)
    ):
        birth = person.birth.strftime("%Y%d%m")
    if case == "default birth date" and source in ("surgery", "cardiology"):
        birth = "19000101"
    middle = person.middle if source in ("radiology", "oncology") else ""
    match source:
        case "cardiology":
            name = f"{transliterate(family)}^{transliterate(given)}".upper()
        case "pathology":
            name = f"{family}, {given}"
        case "surgery":
            name = f"{strip_marks(family)}^{strip_marks(given)}".upper()
        case "oncology" if person.native and person.case == "other script":
            name = person.native
        case _:
            name = f"{family}^{given}^{middle}".rstrip("^")
            if person.case == "ideographic name":
                name = f"{name}={person.native}"
    if source == "radiology":
        name = "".join(c if c.encode("latin-1", "ignore") or ord(c) > 0x3000 else strip_marks(c) for c in name)
    identifier = _patient_id(source, person.index)
    if case == "overlay" and source == "surgery":
        identifier = _patient_id(source, person.index - person.index % BLOCK + 12)
    issuer = None if source == "surgery" else str(SOURCES[source]["issuer"])
    return Record(source, person.key, identifier, issuer, name, birth, person.sex)
