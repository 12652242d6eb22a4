"""Tables of patients and of ADT events: what a row says, in which order events count, and what a mapping changes."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from fonds.errors import DefinitionInvalid
from tests.feeds.telling import SECRET, pairs, project, read_feed, told

EVENTS = "EVN-1,EVN-2,PID-3,PID-5,PID-7,PID-8,PID-11,PID-13,MRG-1\n"
MAPPING = Path(__file__).parents[2] / "rules" / "sites" / "mpi-feed.yaml"


def test_columns_called_as_our_fields_need_no_mapping(tmp_path: Path) -> None:
    patients, merges, notes = told(
        tmp_path,
        "Patient_ID,issuer,PatientName,PatientBirthDate,PatientSex,other_ids,status,phone,more\n"
        "E1,,Müller^Hans,1950-02-03,M,4711^^^RAD^MR~C-99^^^CARD,,,x\n"
        "E2,KIS,Yamada^Tarou=山田^太郎,19690216,u,,inactive,0431 1,x\n"
        'E3,,"Weiß ^ Anna^^^",1970,f,,,"a ""b""\nc",x\n',
    )
    assert (merges, notes.broken, notes.doubtful, notes.rows) == ([], [], [], 3)
    first = patients["E1"]
    assert (first["feed"], first["issuer"], first["PatientName"], first["PatientBirthDate"], first["PatientSex"]) == (
        *("mpi", "MPI", "Müller^Hans", "19500203", "M"),
    )
    assert first["other_ids"] == [
        {"id": "4711", "issuer": "RAD", "type": "MR"},
        {"id": "C-99", "issuer": "CARD", "type": None},
    ]
    second = patients["E2"]
    assert (second["issuer"], second["PatientName"], second["PatientSex"], second["status"]) == (
        *("KIS", "Yamada^Tarou=山田^太郎", None, "inactive"),
    )
    assert (patients["E3"]["PatientBirthDate"], patients["E3"]["phone"]) == ("1970", 'a "b" c')


def test_of_two_rows_for_one_identifier_the_later_is_the_whole_patient(tmp_path: Path) -> None:
    rows = "E1,New,,2024-03-01\nE1,Old,123,2024-02-28T23:00:00-01:00\nE2,A,,\nE2,B,,\n"
    patients, _, _ = told(tmp_path, f"patient_id,PatientName,phone,changed\n{rows}")
    assert {name: (row["PatientName"], row["phone"]) for name, row in patients.items()} == {
        "E1": ("New", None),
        "E2": ("B", None),
    }


def test_events_change_what_they_tell_and_nothing_else(tmp_path: Path) -> None:
    patients, merges, notes = told(
        tmp_path,
        EVENTS + 'ADT^A08^ADT_A01,20240102,E1^^^MPI~10^^^RAD^MR~1234^^^AOK^SS,Meier^Eva,,,,"""""",\n'
        "A04,20240101,E1^^^MPI~10^^^RAD^MR,Meyer^Eva^Maria^Jr.^Dr.^MD~Alt^^^^^^M,19700101,F,"
        "Weg 1&Weg^^Ort^^12345,^PRN^PH^^49^30^123,\n"
        "A23,20240103,E2^^^MPI,,,,,,\nA01,20240101,E2^^^MPI,Gone^A,,,,,\nA23,20240101,E3,,,,,,\nA28,20240102,E3,Back^A,,,,,\n",
    )
    assert (merges, notes.broken) == ([], [])
    assert set(patients) == {"E1", "E3"}
    first = patients["E1"]
    assert (first["PatientName"], first["PatientBirthName"], first["PatientBirthDate"]) == (
        "Meier^Eva",
        "Alt",
        "19700101",
    )
    assert (first["phone"], first["street"], first["postcode"], first["city"]) == (None, "Weg 1", "12345", "Ort")
    assert (first["national_id"], first["changed"]) == ("1234", "2024-01-02T00:00:00")
    assert first["other_ids"] == [{"id": "10", "issuer": "RAD", "type": "MR"}]


def test_merges_by_time_links_and_what_takes_a_merge_back(tmp_path: Path) -> None:
    patients, merges, notes = told(
        tmp_path,
        "event,changed,PID-3,PID-5,MRG-1\n"
        "A01,20240101,E1,A^A,\nA01,20240101,E2,A^B,\n"
        "A40,20240103,E1^^^MPI~10^^^RAD,A^Survivor,E2^^^MPI~11^^^RAD\n"  # each into that of its issuer
        "A40,20240102,E9^^^MPI,,E2^^^MPI\n"  # earlier, so it doesn't count
        "A24,20240104,E1,,E3\nA37,20240105,E1,,E3\n"  # linked and parted: never merged
        "A40,20240104,E4,,E5\nA37,20240105,E5,,E4\n"  # merged and parted, named the other way round
        "A37,20240103,E6,,E7\nA40,20240104,E6,,E7\n"  # parted before it was merged
        "A47,20240104,E8,,E0\n"
        "unmerge,20240106,E6,,E2\n",  # of a merge that isn't so
    )
    assert notes.broken == []
    assert pairs(merges) == [("E0", "E8"), ("E2", "E1"), ("E7", "E6"), ("11", "10")]
    assert {row["event"] for row in merges} == {"A40", "A47"}
    assert (patients["E1"]["status"], patients["E1"]["PatientName"], patients["E2"]["status"]) == (
        *("active", "A^Survivor", "merged"),
    )


def test_a_table_of_merges_beside_the_patients(tmp_path: Path) -> None:
    given = {"format": "csv", "path": "patients/*.csv", "merges": "merges.parquet", "issuer": "MPI"}
    opened = project(
        tmp_path,
        {"mpi": given},
        {"patients/a.csv": "patient_id,PatientName\n1,A\n", "patients/b.csv": "patient_id,PatientName\n2,B\n3,C\n"},
    )
    table = {
        "retired_id": ["2", "3", "7", "8", None],
        "patient_id": ["1", "1", "8", None, "1"],
        "event": ["A40", None, "merge", "unmerge", None],
        "at": ["2024-05-01T10:00:00Z"] * 5,
    }
    pl.DataFrame(table).write_parquet(tmp_path / "merges.parquet")
    patients, merges, notes = read_feed(opened)
    assert pairs(merges) == [("2", "1"), ("3", "1"), ("7", "8")]
    assert [(row["event"], row["at"]) for row in merges] == [
        (event, "2024-05-01T10:00:00Z") for event in ("A40", "merge", "merge")
    ]
    assert {name: (row["PatientName"], row["status"]) for name, row in patients.items()} == {
        **{"1": ("A", "active"), "2": ("B", "merged"), "3": ("C", "merged")},
    }
    assert notes.broken == ["merges.parquet: 1 row(s) name no identifier that was merged (row 5)"]


def test_the_shipped_mapping_reads_a_windows_export(tmp_path: Path) -> None:
    heading = "PAT_NR;RAD_NR;NAME;VORNAME;GEB_NAME;GEB_DAT;GESCHL;STRASSE;PLZ;ORT;TELEFON;GEAENDERT\n"
    row = "17;4711;Müller;Jürgen;NULL;03.02.1950;W;Weg 1;24103;Kiel;NULL;01.05.2024 10:30\n18;;Ä;;;31.02.1950;D;;;;;\n"
    given = {
        "format": "csv",
        "path": "p.csv.gz",
        "merges": "m.csv",
        "issuer": "X",
        "mapping": "rules/sites/mpi-feed.yaml",
    }
    content = gzip.compress((heading + row).encode("windows-1252"))
    merged = "PAT_NR_ALT;PAT_NR;ZEIT\n16;17;02.05.2024 00:00\n"
    patients, merges, notes = read_feed(project(tmp_path, {"mpi": given}, {"p.csv.gz": content, "m.csv": merged}))
    first = patients["17"]
    assert (first["issuer"], first["PatientName"], first["PatientBirthName"]) == ("MPI", "Müller^Jürgen", None)
    assert (first["PatientBirthDate"], first["PatientSex"], first["phone"], first["changed"]) == (
        *("19500203", "F", None, "2024-05-01T10:30:00"),
    )
    assert first["other_ids"] == [{"id": "4711", "issuer": "RAD", "type": None}]
    assert (patients["18"]["PatientBirthDate"], patients["18"]["PatientSex"], patients["18"]["other_ids"]) == (
        *("31.02.1950", "O", []),
    )
    assert [(row["retired_issuer"], *pairs([row])[0], row["at"]) for row in merges] == [
        ("MPI", "16", "17", "2024-05-02T00:00:00")
    ]
    assert notes.doubtful == ["1 birth date(s) can't be read and are kept as told; see `dates` of the mapping"]


def test_issuers_are_called_as_the_archives_call_them(tmp_path: Path) -> None:
    mapping = 'issuers: {"1.2.3": RAD, KIS1: KIS}\nnational: [VNR]\n'
    table = "PID-3\n1^^^&1.2.3&ISO~2^^^NS&1.2.3&ISO~3^^^KIS1&9.9&ISO~4^^^&9.9&ISO~5^^^OTHER^VNR~6^^^X^NNDEU\n"
    (tmp_path / "m.yaml").write_text(mapping)
    patients, _, _ = told(tmp_path, table, mapping="m.yaml")
    row = patients["1"]
    assert (row["issuer"], row["national_id"]) == ("RAD", "5")
    assert [(other["id"], other["issuer"]) for other in row["other_ids"]] == [("2", "RAD"), ("3", "KIS"), ("4", "9.9")]


@pytest.mark.parametrize(
    ("mapping", "line", "text"),
    [
        ("patients: {patientid: A}\n", 1, "did you mean patient_id"),
        ("csv: {delimiter: ','}\npatients: {PatientName: patient_id}\n", None, "has no patient_id or PID-3"),
        ("\npatients:\n  patient_id: PATID\n", 3, "has no column PATID (nearest: patient_id)"),
        ("patients: {PID-3.1: patient_id, patient_id: patient_id}\n", 1, "patient_id is given twice"),
        ("sex: {W: X}\n", 1, "'sex.W'"),
        ("dates: ['%Q']\n", 1, "'%Q' is no format"),
        ("nationall: []\n", 1, "did you mean 'national'"),
    ],
)
def test_mistakes_of_a_mapping_are_told_with_their_line(
    tmp_path: Path, mapping: str, line: int | None, text: str
) -> None:
    (tmp_path / "m.yaml").write_text(mapping)
    with pytest.raises(DefinitionInvalid) as caught:
        told(tmp_path, f"patient_id,PatientName\n1,{SECRET}\n", mapping="m.yaml")
    assert text in str(caught.value)
    assert SECRET not in str(caught.value)
    assert line in {one for one, _ in caught.value.mistakes}
