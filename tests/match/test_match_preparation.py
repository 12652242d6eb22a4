from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.match.definition import Matcher, Names
from fonds.match.prepare import SEPARATOR, missing_summary, prepare
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped

MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
NAMES = load_yaml(shipped() / "matchers/tables/names.yaml", Names)


def record(number: int = 0, **values: Any) -> dict[str, Any]:
    """One record as `records` gives it; what isn't said is not known."""
    plain = {"source": "rad", "issuer": "RAD", "PatientID": f"{4700 + number}", "PatientName": "Kern^Ada"}
    return {"record_id": f"R{number:04}", "PatientBirthDate": "19610409", "PatientSex": "F", **plain, **values}


def prepared(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return prepare(pl.DataFrame(rows, infer_schema_length=None), MODEL, NAMES).to_dicts()


def one(**values: Any) -> dict[str, Any]:
    return prepared(record(**values))[0]


COMPONENTS = {
    "Weidinger^Hans-Peter^Otto^Dr.^MD": ("WEIDINGER", "HANSPETER", "OTTO", None),
    "Prof. Dr. Weidinger, Ursula": ("WEIDINGER", "URSULA", None, None),
    "DR WEIDINGER URSULA": ("WEIDINGER", "URSULA", None, None),
    "WEIDINGER URSULA^^^": ("WEIDINGER", "URSULA", None, None),
    "van der Berg Jan": ("VANDERBERG", "JAN", None, None),
    "Yamada^Tarou=山田^太郎=やまだ^たろう": ("YAMADA", "TAROU", None, "山田太郎"),
    "山田^太郎==やまだ^たろう": ("YAMADA", "TAROU", None, "山田太郎"),
    "Παπαδοπούλου^Ελένη": ("PAPADOPOULOU", "ELENI", None, None),
    "Łukasiewicz_Zoë": ("LUKASIEWICZ", "ZO", None, None),
    "^Cher": (None, "CHER", None, None),
}


def test_components_of_a_name() -> None:
    made = prepared(*(record(n, PatientName=name) for n, name in enumerate(COMPONENTS)))
    parts = [tuple(row[column] for column in ("family", "given", "middle", "native")) for row in made]
    assert dict(zip(COMPONENTS, parts, strict=True)) == COMPONENTS
    assert [row["missing"] for row in made] == [[]] * len(made)


def test_a_maiden_name_is_a_part_of_the_family_name_wherever_it_is_told() -> None:
    told = [
        one(PatientName="Weidinger geb. Eich^Eva"),
        one(PatientName="Weidinger^Eva", PatientBirthName="Eich^Eva"),
        one(PatientName="Weidinger née Eich^Eva"),
        one(PatientName="Weidinger-Eich^Eva"),
    ]
    assert [("EICH" in row["family_parts"], "WEIDINGER" in row["family_parts"]) for row in told] == [(True, True)] * 4


DATES: list[tuple[str, dict[str, str], tuple[str | None, ...]]] = [
    ("09.04.1961", {}, ("19610409", "1961", None)),
    ("04/09/1961", {"date_order": "us"}, ("19610409", "1961", None)),
    ("09/04/1961", {"date_order": "european"}, ("19610409", "1961", None)),
    ("09/04/1961", {"date_order": "iso"}, (None, "1961", "order unknown")),
    ("04/13/1961", {"date_order": "iso"}, ("19610413", "1961", None)),
    ("1961-4-9", {}, ("19610409", "1961", None)),
    ("09041961", {"date_order": "european"}, ("19610409", "1961", None)),
    ("610409", {"last_study": "20210304"}, ("19610409", "1961", None)),
    ("09.04.15", {"last_study": "20210304"}, ("20150409", "2015", None)),
    ("610409", {}, (None, None, "two-digit year")),
    ("196100", {}, (None, "1961", "year only")),
    ("19610000", {}, (None, "1961", "year only")),
    ("01.01.1900", {}, (None, None, "default")),
    ("19610230", {}, (None, None, "impossible")),
    ("20220101", {"last_study": "20210304"}, (None, None, "impossible")),
    ("18990304", {"last_study": "20210304"}, (None, None, "impossible")),
    ("yesterday", {}, (None, None, "not a date")),
    ("", {}, (None, None, "absent")),
    ("19610304", {"aged_at": "20210304", "age": "060Y"}, (None, "1961", "derived from age")),
    ("19610101", {"aged_at": "20210304", "age": "060Y"}, (None, "1961", "derived from age")),
    ("19610304", {"aged_at": "20210304", "age": "059Y"}, ("19610304", "1961", None)),
    ("19610409", {"aged_at": "20210304", "age": "060Y"}, ("19610409", "1961", None)),
]


def test_a_birth_date_is_taken_for_what_it_is() -> None:
    made = prepared(*(record(n, PatientBirthDate=told, **more) for n, (told, more, _) in enumerate(DATES)))
    for row, (told, more, expected) in zip(made, DATES, strict=True):
        why = next(
            (text.removeprefix("birth_date: ") for text in row["missing"] if text.startswith("birth_date")), None
        )
        assert (row["birth_date"], row["birth_year"], why) == expected, (told, more)
        assert row["birth_day"] == (expected[0][4:] if expected[0] else None)


def test_a_heap_on_the_first_of_january_means_the_year_where_the_heap_is() -> None:
    rows = [record(n, PatientBirthDate=f"{1930 + n}0101") for n in range(12)]
    rows += [record(n, PatientBirthDate=f"19{30 + n % 60}0{1 + n % 9}1{n % 9}", source="rad") for n in range(20, 400)]
    rows += [record(n, PatientBirthDate="19550101", source="card") for n in range(400, 402)]
    made = pl.DataFrame(prepared(*rows))
    heaped = made.filter(pl.col("missing").list.contains("birth_date: heaped on 1 January"))
    assert heaped["record_id"].to_list() == [f"R{n:04}" for n in range(12)]
    assert heaped["birth_date"].null_count() == 12
    assert heaped["birth_year"].to_list() == [f"{1930 + n}" for n in range(12)]
    assert made.filter(pl.col("source") == "card")["birth_day"].to_list() == ["0101", "0101"]


def test_a_family_name_that_may_be_a_placeholder_counts_with_a_real_birth_date() -> None:
    assert (one(PatientName="Test^Otto")["family"], one(PatientName="Test^Otto")["missing"]) == (
        "TEST", ["name: perhaps test"],
    )  # fmt: skip
    without = one(PatientName="Test^Otto", PatientBirthDate="19000101")
    assert (without["family"], without["given"], without["missing"]) == (
        None, None, ["name: test", "birth_date: default"],
    )  # fmt: skip


def test_what_is_missing_is_said_and_counted_by_source() -> None:
    frame = pl.DataFrame(
        [
            record(1, PatientName="BABY GIRL KERN", PatientID="UNKNOWN", PatientSex="O"),
            record(2, PatientName="KERN^BABY B", PatientSex=None, source="card"),
            record(3, PatientName="TEST^PATIENT", PatientBirthDate="19000101"),
            record(4),
        ]
    )
    made = prepare(frame, MODEL, NAMES)
    assert made["missing"].to_list() == [
        ["given name: newborn", "patient_id: placeholder", "sex: unknown"], ["given name: newborn", "sex: absent"],
        ["name: test", "birth_date: default"], [],
    ]  # fmt: skip
    assert made["middle"].to_list() == [None, "2", None, None]
    counted = missing_summary(made)
    assert counted.filter(pl.col("source") == "card").rows() == [
        ("card", "given name: newborn", 1), ("card", "sex: absent", 1),
    ]  # fmt: skip
    assert counted["records"].sum() == 7


def test_identifiers_of_a_record_in_comparable_form() -> None:
    other = [{"id": "0012-A", "issuer": "mpi", "type": "TEXT"}, {"id": "17", "issuer": None, "type": None}]
    made = one(PatientID="000815", issuer="Klinik Nord", other_ids=other)
    assert made["ids"] == [f"KLINIKNORD{SEPARATOR}815", f"MPI{SEPARATOR}12A"]
    assert (made["issuer"], made["patient_id"]) == ("KLINIKNORD", "815")
    assert one(PatientID="UNKNOWN")["ids"] == []


ADDRESSES = [
    ("phone", ["+49 (0)89 1234567", "089/1234567", "0049 89 1234567"]),
    ("phone", ["+1 (555) 123-4567", "555.123.4567"]),
    ("street", ["Hauptstr. 12 a", "Hauptstraße 12A", "12A, Haupt Str", "HAUPTSTRASSE 12a"]),
    ("street", ["5 St. Georges Rd", "5 Saint Georges Road"]),
    ("street", ["3, av. de la Paix", "Avenue de la Paix 3"]),
    ("street", ["C/ Mayor, 5", "Calle Mayor 5"]),
    ("postcode", ["D-80331", "80331"]),
    ("postcode", ["12345-6789", "12345"]),
    ("postcode", ["SW1A 1AA", "sw1a1aa"]),
    ("city", ["St. Pölten", "Sankt Poelten"]),
    ("city", ["Frankfurt (Main)", "FRANKFURT"]),
    ("mother", ["Müller^Eva", "MUELLER"]),
    ("national_id", ["A 123-45", "a12345"]),
]


def test_one_address_in_several_spellings() -> None:
    asked = [(column, text) for column, spellings in ADDRESSES for text in spellings]
    made = prepared(*(record(n, **{column: text}) for n, (column, text) in enumerate(asked)))
    found = {(column, text): row[column] for row, (column, text) in zip(made, asked, strict=True)}
    for column, spellings in ADDRESSES:
        values = {found[column, text] for text in spellings}
        assert len(values) == 1
        assert None not in values


def test_an_address_that_says_nothing_is_missing() -> None:
    made = one(phone="999999", postcode="00000", city="-", national_id="0000", street="?")
    assert {made[column] for column in ("phone", "postcode", "city", "national_id", "street")} == {None}
    assert one(phone="12")["phone"] is None


TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = ("PatientName", "PatientBirthName", "PatientBirthDate", "PatientSex", "PatientID", "issuer", "phone", "street")
WORDS += ("postcode", "city", "mother", "national_id", "last_study", "aged_at", "age", "date_order")


@settings(max_examples=8, deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(WORDS, TEXT)), min_size=1, max_size=8), st.randoms())
def test_any_records_are_prepared_and_their_order_changes_nothing(rows: list[dict[str, Any]], random: Any) -> None:
    schema = dict.fromkeys(("record_id", "source", *WORDS), pl.String)
    frame = pl.DataFrame([{"record_id": f"R{n}", "source": "a", **row} for n, row in enumerate(rows)], schema=schema)
    made = prepare(frame, MODEL, NAMES)
    assert made["n"].to_list() == list(range(len(rows)))
    assert made["record_id"].to_list() == sorted(frame["record_id"])
    shuffled = frame[random.sample(range(len(rows)), len(rows))]
    assert prepare(shuffled, MODEL, NAMES).equals(made)
    for column in ("family", "given", "family_code", "given_code", "birth_date", "street"):
        assert all(value.isascii() and value for value in made[column].drop_nulls())
