from __future__ import annotations

from datetime import date
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest
from anyascii import anyascii
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from fonds.match.candidates import compare_pairs
from fonds.match.definition import Comparison, Level, Matcher, Names
from fonds.match.patterns import pack, radixes, unpack
from fonds.match.prepare import prepare
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from tests.match.columns import columns

MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
NAMES = load_yaml(shipped() / "matchers/tables/names.yaml", Names)


def _model(column: str, **levels: dict[str, Any]) -> Matcher:
    """A model of one comparison with these levels, and one of sex, which is missing."""
    share = 1 / (len(levels) + 1)
    made = [Level(name=name, m=share, u=share, **what) for name, what in levels.items()]  # type: ignore[arg-type]
    made.append(Level(name="other", when="other", m=share, u=share))
    sex = [Level(name="equal", when="equal", m=0.9, u=0.1), Level(name="other", when="other", m=0.1, u=0.9)]
    comparisons = (
        Comparison(name="asked", column=column, levels=tuple(made)),  # type: ignore[arg-type]
        Comparison(name="sex", column="sex", levels=tuple(sex)),
    )
    return MODEL.model_copy(update={"comparisons": comparisons})


def _every(frame: pl.DataFrame, matcher: Matcher) -> dict[tuple[int, int], tuple[bool, list[str]]]:
    """Swap and the level names of every pair."""
    pairs = pl.DataFrame(list(combinations(range(frame.height), 2)), schema=["a", "b"], orient="row")
    digits = unpack(matcher, compare_pairs(frame, matcher, pairs)["pattern"])
    names = [["missing", *(level.name for level in comparison.levels)] for comparison in matcher.comparisons]
    return {
        pair: (row[0], [of[level] for of, level in zip(names, row[1:], strict=True)])
        for pair, row in zip(pairs.rows(), digits.rows(), strict=True)
    }


_WORDS = st.lists(
    st.one_of(st.none(), st.text(alphabet="ABCÄÖß12", min_size=1, max_size=9), st.text(min_size=1, max_size=6)),
    min_size=2, max_size=12,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(_WORDS)
def test_texts_reach_the_levels_that_rapidfuzz_says(words: list[str | None]) -> None:
    matcher = _model(
        "street", equal={"when": "equal"}, near={"when": "edits", "at_most": 2, "shortest": 3},
        ending={"when": "ending", "shortest": 4}, similar={"when": "similar", "at_least": 0.8},
    )  # fmt: skip
    for (a, b), (_, (level, _)) in _every(columns(street=words), matcher).items():
        x, y = words[a], words[b]
        if x is None or y is None:
            assert level == "missing"
            continue
        plain_x, plain_y = (word if word.isascii() else anyascii(word) for word in (x, y))
        likeness = JaroWinkler.similarity(plain_x, plain_y)
        if abs(likeness - 0.8) < 1e-6:
            continue
        short = min(len(plain_x), len(plain_y))
        near = DamerauLevenshtein.distance(plain_x, plain_y) <= 2 and short >= 3
        end = short >= 4 and plain_x[-4:] == plain_y[-4:]
        expected = (
            "equal" if x == y else "near" if near else "ending" if end else "similar" if likeness >= 0.8 else "other"
        )
        assert level == expected, (x, y)


_DAYS = st.dates(date(1890, 1, 1), date(2025, 12, 31)).map(lambda day: day.strftime("%Y%m%d"))


@st.composite
def _slips(draw: st.DrawFn) -> list[str]:
    """Days, most of them made of the first by a slip; some are no days any more."""
    first = draw(_DAYS)
    found = [first, draw(_DAYS), first[:4] + first[6:] + first[4:6], first[:4] + "0101"]
    for _ in range(6):
        place, digit = draw(st.integers(0, 7)), draw(st.sampled_from("0123456789"))
        turned = list(first)
        turned[place : place + 2] = turned[place : place + 2][::-1]
        found += [first[:place] + digit + first[place + 1 :], "".join(turned)]
    return found


@settings(max_examples=25, deadline=None)
@given(_slips())
def test_dates_reach_the_levels_that_their_digits_say(days: list[str]) -> None:
    matcher = _model(
        "birth_date", equal={"when": "equal"}, swapped={"when": "day_month"}, digit={"when": "digits", "years": 10},
        year={"when": "year_only"}, apart={"when": "apart", "years": 15},
    )  # fmt: skip
    for (a, b), (_, (level, _)) in _every(columns(birth_date=days), matcher).items():
        x, y = days[a], days[b]
        years = abs(int(x[:4]) - int(y[:4]))
        expected = (
            "equal" if x == y
            else "swapped" if x == y[:4] + y[6:] + y[4:6]
            else "digit" if years < 10 and DamerauLevenshtein.distance(x, y) == 1
            else "year" if years == 0 and "0101" in (x[4:], y[4:])
            else "apart" if years >= 15 else "other"
        )  # fmt: skip
        assert level == expected, (x, y)


def _people(*names: str) -> pl.DataFrame:
    rows = [
        {"record_id": f"R{n:02d}", "source": "a", "issuer": f"i{n}", "PatientID": f"{n}", "PatientName": name,
         "PatientBirthName": None, "PatientBirthDate": "19610409", "PatientSex": "F", "last_study": "20200101",
         "studies": [f"1.{n}"]}
        for n, name in enumerate(names)
    ]  # fmt: skip
    return prepare(pl.DataFrame(rows, schema_overrides={"PatientBirthName": pl.String}), MODEL, NAMES)


NAMED = {
    "umlauts": ("Müller^Jürgen", "MUELLER^JUERGEN", False, "equal", "equal"),
    "one letter": ("Weidinger^Ursula", "Wiedinger^Ursual", False, "near", "near"),
    "languages": ("Schewtschenko^Olga", "Shevchenko^Olga", False, "spelling", "equal"),
    "a part": ("Weidinger-Eich^Ursula", "Eich^Ursula", False, "part", "equal"),
    "maiden name": ("Weidinger geb. Eichinger^Ursula", "Eichinger^Ursula", False, "part", "equal"),
    "form": ("Weidinger^Katharina", "Weidinger^Käthe", False, "equal", "form"),
    "form a letter apart": ("Weidinger^Maria", "Weidinger^Marie", False, "equal", "sound"),
    "initial": ("Weidinger^Ursula", "Weidinger^U", False, "equal", "initial"),
    "contained": ("Weidinger^Jan-Erik", "Weidinger^Erik", False, "equal", "contained"),
    "two known names": ("Weidinger^Lena", "Weidinger^Eva", False, "equal", "another"),
    "swapped": ("Weidinger^Ursula", "Ursula^Weidinger", True, "equal", "equal"),
    "swapped, a slip": ("Weidinger^Ursula", "Ursula^Wiedinger", True, "near", "equal"),
    "swapped, languages": ("Schukow^Sergej", "Sergey^Zhukov", True, "spelling", "form"),
    "ideographic": ("Yamada^Tarou=山田^太郎", "Jamada^Taro=山田^太郎", False, "equal", "equal"),
    "nothing": ("Weidinger^Ursula", "Brandt^Otto", False, "differs", "another"),
    "no given name": ("Weidinger^Ursula", "Weidinger", False, "equal", "missing"),
}


@pytest.mark.parametrize("case", NAMED)
def test_names_reach_their_level_from_both_sides(case: str) -> None:
    one, other, *expected = NAMED[case]
    for pair in ((one, other), (other, one)):
        swap, (family, given_name, *_) = _every(_people(*pair), MODEL)[0, 1]
        assert [swap, family, given_name] == expected


_PARTS = st.sampled_from(
    ["Ada", "Adam", "Eva", "Evi", "Ewa", "Anna Eva", "Weidinger", "Wiedinger", "Sergej", "Sergey", ""]
)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(_PARTS, _PARTS), min_size=2, max_size=8))
def test_a_pattern_is_the_same_from_both_sides(parts: list[tuple[str, str]]) -> None:
    names = [f"{family}^{first}" for family, first in parts]
    straight, turned = _every(_people(*names), MODEL), _every(_people(*names[::-1]), MODEL)
    last = len(names) - 1
    assert {(last - b, last - a): levels for (a, b), levels in turned.items()} == straight


def test_identifiers_agree_when_any_is_shared_and_differ_within_one_issuer() -> None:
    own = [("H", "1"), ("H", "2"), ("K", "1"), ("K", "7"), (None, None)]
    others = [[], ["K\x1f7"], [], ["M\x1f5"], ["M\x1f5"]]
    frame = columns(
        issuer=[issuer for issuer, _ in own], patient_id=[number for _, number in own],
        ids=[other + [f"{i}\x1f{number}"] * bool(i) for (i, number), other in zip(own, others, strict=True)],
    )  # fmt: skip
    number = [comparison.name for comparison in MODEL.comparisons].index("patient_id")
    levels = {pair: levels[number] for pair, (_, levels) in _every(frame, MODEL).items()}
    assert levels[0, 1] == "differs"  # one issuer, two numbers
    assert levels[0, 2] == "missing"  # one number, two issuers
    assert levels[1, 3] == "equal"  # the own number of one is another number of the other
    assert levels[2, 3] == "differs"
    assert levels[3, 4] == "equal"  # another number of both, though one has no own
    assert levels[0, 4] == "missing"


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_pattern_is_read_without_a_table(data: st.DataObject) -> None:
    digits = [data.draw(st.lists(st.integers(0, radix - 1), min_size=3, max_size=3)) for radix in radixes(MODEL)]
    names = ("swap", *(f"l{number}" for number in range(len(MODEL.comparisons))))
    rows = pl.DataFrame(dict(zip(names, digits, strict=True))).with_columns(pl.col("swap").cast(pl.Boolean))
    codes = pack(MODEL, rows)
    assert unpack(MODEL, codes).equals(rows.cast({name: pl.UInt8 for name in names[1:]}))
    assert codes.max() < int(np.prod(radixes(MODEL)))  # type: ignore[operator]
