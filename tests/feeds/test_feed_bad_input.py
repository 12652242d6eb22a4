"""Feeds that are broken: what can't be read is left out, counted and named, and nothing of it is said."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.errors import ArchiveUnreachable, FondsError
from fonds.tabular import lines
from tests.feeds.telling import SECRET, ndjson, told

FHIR = {"format": "fhir", "path": "p.ndjson"}
GOOD = ndjson({"identifier": [{"value": "1"}], "name": [{"family": "A"}]}).encode()
TABLE = "patient_id,PatientName,PatientBirthDate,PatientSex,event,retired_id\n"


def test_rows_of_a_table_that_say_nothing_are_named_by_number(tmp_path: Path) -> None:
    rows = (
        *(f"1,{SECRET},31.12.99,x,,\n", f",{SECRET},,,,\n", f"2,{SECRET},,,A99,\n", f"3,{SECRET},,,A40,\n"),
        *(f"4,{SECRET}\n", f'5,"{SECRET}\nx",,,A04,\n', f'6,"a"{SECRET},,,,\n', "7,ok,,,,\n"),
    )
    patients, _, notes = told(tmp_path, TABLE + "".join(rows))
    # a merge without the identifier that goes still tells of the one that stays
    assert set(patients) == {"1", "3", "5", "7"}
    assert notes.broken == [
        "feed.csv: 1 row(s) name no patient and are left out (row 2)",
        "feed.csv: 1 row(s) name no identifier that was merged (row 4)",
        "feed.csv: 1 row(s) are of an event that isn't known and are left out (row 3)",
        "feed.csv: 2 place(s) can't be read and are left out (line 6: too few values, "
        "line 9: a quote that isn't closed, or text behind one)",
    ]
    assert notes.doubtful == [
        "1 birth date(s) can't be read and are kept as told; see `dates` of the mapping",
        "1 code(s) of sex aren't known and count as not told; see `sex` of the mapping",
    ]
    assert patients["1"]["PatientSex"] is None


def test_columns_called_nearly_as_a_field_are_pointed_out(tmp_path: Path) -> None:
    _, _, notes = told(tmp_path, "patient_id,PatientNam,pid5,other\n1,A,B,C\n")
    assert notes.doubtful == [
        f"feed.csv: column {name} isn't taken; is it {field}?"
        for name, field in (("PatientNam", "PatientName"), ("pid5", "PID-5"))
    ]


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("patientid,PatientName\n1,Geheim\n", r"feed.csv has no patient_id or PID-3 \(nearest: patientid\)"),
        ("a,b\n1,Geheim\n", "it has: a, b"),
        ("patient_id,patient_id\n1,Geheim\n", "name every column once"),
        ("", "name every column once"),
    ],
)
def test_tables_without_what_a_feed_needs(tmp_path: Path, table: str, text: str) -> None:
    with pytest.raises(FondsError, match=text) as caught:
        told(tmp_path, table)
    assert SECRET not in str(caught.value)


def test_a_table_in_another_encoding_is_counted_by_line(tmp_path: Path) -> None:
    table = "patient_id,PatientName\n1,Müller\n2,Mueller\n".encode("latin-1")
    patients, _, notes = told(tmp_path, table)
    assert set(patients) == {"2"}
    assert "line 2: bytes that aren't in the encoding" in notes.broken[0]


def test_lines_that_are_no_json_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", 4096)
    long = ndjson({"identifier": [{"value": "9"}], "name": [{"family": SECRET * 1000}]}).encode()
    content = (
        b"\xef\xbb\xbf" + GOOD + b"\n" + SECRET.encode() + b"\n" + b'{"a":"\xff"}\n' + long
        + GOOD.replace(b'"1"', b'"2"')[:-2] + b"\n" + b"[" * 3000 + b"\n" + b'"x"\n{\x01\n'
        + GOOD.replace(b'"1"', b'"3"').rstrip()
    )  # fmt: skip
    patients, _, notes = told(tmp_path, content, **FHIR)
    assert set(patients) == {"1", "3"}
    assert notes.broken == ["p.ndjson: 6 line(s) are no JSON in UTF-8 and are left out (line 3, 4, 5, 6, 7, …)"]
    assert notes.doubtful == ["1 resource(s) are no Patient and are not read"]
    assert notes.unreadable == 6


def test_a_pretty_printed_file_is_told_how_to_become_lines(tmp_path: Path) -> None:
    patients, _, notes = told(tmp_path, '{\n  "resourceType": "Patient",\n  "id": "a"\n}\n', **FHIR)
    assert patients == {}
    assert notes.broken[0].endswith("NDJSON has one resource on each line, as `jq -c . FILE` writes it")


def test_a_file_that_breaks_off_is_not_taken_at_all(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnreachable, match=r"p.ndjson.gz can't be read to its end"):
        told(tmp_path, gzip.compress(GOOD * 1000)[:-9], format="fhir", path="p.ndjson.gz")
    with pytest.raises(ArchiveUnreachable, match="can't be read as Parquet"):
        told(tmp_path, b"PAR1", format="parquet", path="p.parquet")


@settings(max_examples=6, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text('{}[]",:1aé\n\r\\ \x00', max_size=200).map(str.encode)))
def test_whatever_stands_in_a_file_the_good_lines_are_read(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        patients, _, notes = told(Path(folder), GOOD + content + b"\n" + GOOD.replace(b'"1"', b'"2"'), **FHIR)
    assert {"1", "2"} <= set(patients)
    blank = not content.replace(b"\r", b"").strip(b"\n ")
    assert notes.broken or notes.doubtful or blank or len(patients) > 2


@settings(max_examples=3, deadline=None)
@given(content=st.text(',";1aé\n\r^~&\\ \x00', max_size=100).map(str.encode))
def test_whatever_stands_in_a_table_its_first_row_is_read_or_none(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            patients, _, _ = told(Path(folder), b"patient_id,PatientName\n1,A\n" + content)
        except ArchiveUnreachable:
            return
    assert "1" in patients
