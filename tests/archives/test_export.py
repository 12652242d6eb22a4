"""Exports of a legacy archive's database: every row is an entry, or a line that is named."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.archives.base import Batch
from fonds.archives.export import ExportIndex
from fonds.archives.export_mapping import Mapped, Mapping
from fonds.errors import ArchiveUnreachable, DefinitionInvalid, FondsError
from fonds.project.definitions import load_yaml

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "rules" / "sites" / "oldpacs-export.yaml"
FLAT = """files: {all: "*.csv"}
study:
  file: all
  columns: {StudyInstanceUID: uid, PatientID: pid, StudyDescription: text}
"""
SECRET = "Geheim"


class Nothing:
    """No crawl went before."""

    known = pl.DataFrame()

    def finished(self, key: str) -> pl.DataFrame | None:
        return None


def index(folder: Path, mapping: str | Path = FLAT, path: Path | None = None) -> ExportIndex:
    if isinstance(mapping, str):
        file = folder / "mapping.yaml"
        file.write_text(mapping, encoding="utf-8")
    else:
        file = mapping
    return ExportIndex("db", path or folder, Mapped(file, load_yaml(file, Mapping)))


def read(opened: ExportIndex) -> tuple[list[dict[str, Any]], list[str]]:
    """All entries, their attributes as dictionaries, and all problems."""
    batches: list[Batch] = list(opened.batches(Nothing()))
    assert len({batch.key for batch in batches}) == len(batches)
    rows = [row for batch in batches for row in batch.rows.to_dicts()]
    places = [(row["location"], row["record"]) for row in rows]
    assert len(set(places)) == len(places)
    for row in rows:
        row["attributes"] = json.loads(row["attributes"])
    return rows, [batch.problem for batch in batches if batch.problem]


def test_three_tables_of_a_windows_database(tmp_path: Path) -> None:
    (tmp_path / "PATIENT.csv").write_bytes(
        "PAT_KEY;PAT_ID;LAST_NAME;FIRST_NAME;BORN;SEX\r\n1;P1;Müller;Hans;03.02.1950;M\r\n"
        "2;P2;Doe;NULL;31.02.1960;W\r\n".encode("windows-1252")
    )
    (tmp_path / "STUDY.csv").write_bytes(
        b"STUDY_KEY;PAT_KEY;STUDY_UID;STUDY_DATE;STUDY_TIME;ACC_NO;STUDY_TEXT;IMAGES\r\n"
        b'10;1;1.2.3;01.05.2019;10:11:12;A1;CT Sch\xe4del;3\r\n11;2;1.2.4;02.05.2019;;A2;"a ""b""\r\nnext";4\r\n'
        b"12;9;1.2.5;20190503;25:00:00;A3;x;4\r\n"
    )
    (tmp_path / "SERIES.csv").write_text(
        "SERIES_UID;STUDY_KEY;MODALITY;SERIES_TEXT;BODY_PART;IMAGES\r\n1.2.3.1;10;CT;t;HEAD;3\r\n1.9;99;CT;;;\r\n"
    )
    opened = index(tmp_path, SHIPPED)
    opened.check()
    rows, problems = read(opened)
    assert problems == []
    assert [(row["location"], row["level"], row["study_uid"], row["series_uid"], row["note"]) for row in rows] == [
        ("1.2.3", "STUDY", "1.2.3", None, None),
        ("1.2.4", "STUDY", "1.2.4", None, "not-readable: PatientBirthDate"),
        ("1.2.5", "STUDY", "1.2.5", None, "not-readable: StudyTime"),
        ("1.2.3/1.2.3.1", "SERIES", "1.2.3", "1.2.3.1", None),
        ("SERIES.csv row 2", "SERIES", None, "1.9", "uid-missing"),
    ]
    assert rows[0]["attributes"] == {
        "AccessionNumber": "A1", "NumberOfStudyRelatedInstances": "3", "PatientBirthDate": "19500203",
        "PatientID": "P1", "PatientName": "Müller^Hans", "PatientSex": "M", "StudyDate": "20190501",
        "StudyDescription": "CT Schädel", "StudyTime": "101112",
    }  # fmt: skip
    second = rows[1]["attributes"]
    assert (second["PatientName"], second["PatientSex"], second["StudyTime"]) == ("Doe", "F", "")
    assert second["StudyDescription"] == 'a "b" next'
    assert "PatientBirthDate" not in second
    assert rows[2]["attributes"]["PatientID"] == ""
    assert (rows[0]["origin"], rows[0]["size"]) == ("export", (tmp_path / "STUDY.csv").stat().st_size)


def test_one_flat_table_of_instances_gives_all_levels(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {
            "study": ["1.1", "1.1", "1.1", "1.5"],
            "series": ["1.2", "1.2", "1.3", "1.6"],
            "sop": ["1.9", "1.10", "1.11", "1.12"],
            "who": ["P1", "P1", "P1", "P2"],
            "day": [18000, 18000, 18000, None],
            "file": ["D:\\IMG\\a\\1", "d:\\img\\a\\2", "D:\\IMG\\b", "E:\\c"],
        }
    ).with_columns(pl.col("day").cast(pl.Date))
    table.write_parquet(tmp_path / "all.parquet")
    opened = index(
        tmp_path,
        """files: {all: all.parquet}
study:
  file: all
  columns: {StudyInstanceUID: study, PatientID: who, StudyDate: day, InstitutionName: {constant: Nord}}
series:
  file: all
  columns: {StudyInstanceUID: study, SeriesInstanceUID: series}
instance:
  file: all
  columns: {StudyInstanceUID: study, SeriesInstanceUID: series, SOPInstanceUID: sop}
  path: {column: file, remove: 'D:\\IMG\\'}
""",
        tmp_path / "all.parquet",
    )
    rows, problems = read(opened)
    assert problems == []
    assert [row["location"] for row in rows if row["level"] != "INSTANCE"] == [
        "1.1",
        "1.5",
        "1.1/1.2",
        "1.1/1.3",
        "1.5/1.6",
    ]
    assert rows[0]["attributes"] == {"PatientID": "P1", "StudyDate": "20190414", "InstitutionName": "Nord"}
    assert rows[1]["attributes"]["StudyDate"] == ""
    files = {row["sop_uid"]: row["referenced_file"] for row in rows if row["level"] == "INSTANCE"}
    assert files == {"1.9": "a/1", "1.10": "a/2", "1.11": "b", "1.12": "E:/c"}


def test_lines_that_cannot_be_read_are_named_without_their_values(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(
        b'uid,pid,text\n1.1,P1,"two\nlines"\n1.2,Geheim\n1.3,P3,x,Geheim\n1.4,Geheim\xff,x\n1.5,P5,"x"Geheim\n1.6,P6,ok\n'
    )
    rows, problems = read(index(tmp_path))
    assert [row["location"] for row in rows] == ["1.1", "1.6"]
    assert problems == [
        "a.csv: 4 place(s) can't be read and are left out (line 4: too few values, line 5: too many values, "
        "line 6: bytes that aren't in the encoding, line 7: a quote that isn't closed, or text behind one)"
    ]


def test_an_unclosed_quote_costs_no_more_than_it_swallows_and_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('uid,pid,text\n1.1,P1,x\n1.2,"Geheim,x\n' + "1.3,P3,x\n" * 5000)
    rows, problems = read(index(tmp_path))
    assert [row["location"] for row in rows] == ["1.1"]
    assert len(problems) == 1
    assert "line 3: a quote" in problems[0]
    assert SECRET not in problems[0]


def test_equal_rows_are_one_answer_and_different_ones_are_two(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,pid,text\n1.1,P1,x\n1.1,P1,x\n1.2,P1,x\n1.2,P2,x\n1.x,P3,x\n")
    rows, _ = read(index(tmp_path))
    assert [(row["location"], row["record"], row["attributes"]["PatientID"], row["note"]) for row in rows] == [
        ("1.1", 0, "P1", None),
        ("1.2", 0, "P1", "answered-twice"),
        ("1.2", 1, "P2", "answered-twice"),
        ("1.x", 0, "P3", "uid-invalid"),
    ]


def test_several_files_other_encodings_and_gzip(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("uid,pid,text\n1.1,P1,Ä\n".encode("utf-16"))
    (tmp_path / "b.csv").write_bytes("uid,pid,text\n1.2,P2,日本\n,P3,x\n".encode("utf-16"))
    rows, _ = read(index(tmp_path, FLAT + "csv: {encoding: utf-16}\n"))
    told = [(row["location"], row["attributes"]["StudyDescription"]) for row in rows]
    assert told == [("*.csv row 3", "x"), ("1.1", "Ä"), ("1.2", "日本")]
    packed = tmp_path / "c.tsv.gz"
    packed.write_bytes(gzip.compress(b"\xef\xbb\xbfuid\tpid\ttext\n1.3\tP3\ta,b\n"))
    rows, _ = read(index(tmp_path, FLAT + 'csv: {delimiter: "\\t"}\n', packed))
    assert [(row["location"], row["attributes"]["StudyDescription"]) for row in rows] == [("1.3", "a,b")]
    packed.write_bytes(packed.read_bytes()[:-12])
    with pytest.raises(ArchiveUnreachable, match="can't be read"):
        read(index(tmp_path, FLAT + 'csv: {delimiter: "\\t"}\n', packed))


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("uid;pid;text", "has no column"),
        ("uid,pid", "has no column text; it has: uid, pid"),
        ("uid,pid,PID,text", "name every column once"),
        ("uid,,text,pid", "name every column once"),
        ("", "name every column once"),
    ],
)
def test_headings_that_do_not_fit_the_mapping(tmp_path: Path, heading: str, text: str) -> None:
    (tmp_path / "a.csv").write_text(heading + "\n")
    opened = index(tmp_path)
    for ask in (opened.check, lambda: read(opened)):
        with pytest.raises(FondsError, match=text) as caught:
            ask()
    if isinstance(caught.value, DefinitionInvalid):
        assert {line for line, _ in caught.value.mistakes} == {4}


def test_an_export_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArchiveUnreachable, match="the export isn't there"):
        index(tmp_path, FLAT, tmp_path / "gone").check()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArchiveUnreachable, match=r"no file \*.csv"):
        index(tmp_path, FLAT, tmp_path / "empty").check()
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(ArchiveUnreachable, match="can't be read as Parquet"):
        index(tmp_path, FLAT, tmp_path / "a.parquet").check()


@pytest.mark.parametrize(
    ("mapping", "line", "text"),
    [
        (FLAT.replace("PatientID", "PatientNumber"), 4, "no keyword of PS3.6: PatientNumber"),
        (FLAT.replace("file: all", "file: other"), None, "study names the file 'other'"),
        (FLAT.replace("StudyInstanceUID: uid, ", ""), None, "study.columns has no StudyInstanceUID"),
        (FLAT + "dates: ['%Q']\n", 5, "'%Q' is no format"),
        (FLAT + "csv: {encoding: windows}\n", 5, "no encoding 'windows'"),
        (FLAT + "csv: {delimitr: ';'}\n", 5, "did you mean 'delimiter'"),
        (FLAT.replace("*.csv", "../a.csv"), 1, "below the source's path"),
        (FLAT.replace("pid,", "{text: x},"), 4, "names no {column}"),
        (FLAT.replace("pid,", "{column: a, constant: b},"), 4, "exactly one of"),
    ],
)
def test_mistakes_of_a_mapping_are_told_with_their_line(
    tmp_path: Path, mapping: str, line: int | None, text: str
) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        index(tmp_path, mapping)
    assert text in str(caught.value)
    assert line is None or line in {one for one, _ in caught.value.mistakes}


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200))
def test_whatever_stands_in_a_table_every_line_is_a_row_or_a_problem(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "a.csv").write_bytes(b"uid,pid,text\n1.1,P1,x\n" + content)
        try:
            rows, problems = read(index(folder))
        except ArchiveUnreachable:
            return
    lines = [line for line in content.replace(b"\r", b"\n").split(b"\n") if line.strip(b"\n")]
    assert len(rows) > 1 or problems or not lines or set(lines) <= {b"1.1,P1,x"}
