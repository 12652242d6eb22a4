"""Tables of reports: of preliminary, final and corrected ones the last final counts, and nothing of a text is kept."""

from __future__ import annotations

from pathlib import Path

from tests.feeds.telling import SECRET, examined

MESSAGES = "MSH-7,PID-3,OBR-3,OBR-4,OBR-18,OBR-22,OBR-25,OBX-2,OBX-3,OBX-5,OBX-11\n"


def test_the_last_final_counts(tmp_path: Path) -> None:
    states = {
        "F1": ("C5", "F3", "P2", "F6", "P7"),
        "F2": ("F3", "X4"),
        "F3": ("X3", "P4"),
        "F4": ("S3",),
        "F5": ("F3", "P4", "R5"),
        "F6": ("P1", "A2"),
        "F7": ("C2", "X3", "F4"),
        "F8": ("S1", "F2"),
        "F9": ("4",),
    }
    rows = "".join(
        f"2024010{event[-1]},E1,{filler},CT^CT,A,2024010{event[-1]},{event[:-1]},TX,R,{SECRET},\n"
        for filler, events in states.items()
        for event in events
    )
    reports, notes = examined(tmp_path, "reports", {"r.csv": MESSAGES + rows}, accession_issuer="RIS")
    assert {key: (row["status"], row["issued"][-1:]) for key, row in reports.items()} == {
        **{"F1^CT": ("amended", "6"), "F2^CT": ("cancelled", "4"), "F3^CT": ("preliminary", "4")},
        **{"F5^CT": ("final", "3"), "F6^CT": ("preliminary", "2"), "F7^CT": ("final", "4"), "F8^CT": ("final", "2")},
        "F9^CT": ("unknown", "4"),
    }
    assert reports["F1^CT"] == {
        **{"issuer": "MPI", "patient_id": "E1", "accession": "A", "accession_issuer": "RIS", "filler_order": "F1"},
        **{"code": "CT", "description": "CT", "issued": "2024-01-06", "status": "amended", "form": "text"},
        "changed": "2024-01-07T00:00:00",
    }
    assert notes.doubtful == ["1 report(s) are announced only and are no reports yet"]
    assert SECRET not in str(reports)


def test_what_the_observations_of_a_report_tell(tmp_path: Path) -> None:
    reports, notes = examined(
        tmp_path,
        "reports",
        {
            "r.csv": MESSAGES
            + "1,E1,F1,CT^CT,,20240103,F,ED,R,^application^pdf^Base64^JVBERi0xLjQ,\n"
            + f"1,E1,F1,CT^CT,,20240103,F,TX,R,{SECRET},\n"
            "1,E1,F2,MR,,20240103,,HD,^Study Instance UID,^1.2.3^ISO,F\n1,E1,F2,MR,,20240103,,NM,size,12,F\n"
            "1,E1,F3,MR,,20240103,F,ST,110180^Study^DCM,1.2.4,\n1,E1,F3,MR,,,,RP,R,\\\\server\\x,\n1,E1,F3,,,,,,,,W\n"
            f"1,E1,F4,MR,,20240103,F,TX,R,{SECRET},\n1,E1,F4,MR,,20240104,F,TX,R^Addendum,{SECRET},\n"
            "1,E1,,,A8,20240103,F,,,,\n1,E2,,,A8,20240103,F,,,,\n1,,,,A8,20240104,C,,,,\n1,E1,,,,20240103,F,,,,\n"
            f"1,E1,F5,MR,,20240103,F,ED,R,^TEXT^HTML^A^{SECRET},\n1,E1,F6,MR,,20240103,F,FT,R,https://x/y,\n"
        },
    )
    assert {key: (row["status"], row["form"], row.get("study_uid")) for key, row in reports.items()} == {
        **{
            "F1^CT": ("final", "pdf", None),
            "F2^MR": ("final", "none", "1.2.3"),
            "F3^MR": ("cancelled", "link", "1.2.4"),
        },
        **{"F4^MR": ("amended", "text", None), "F5^MR": ("final", "text", None), "F6^MR": ("final", "link", None)},
        **{"A8": ("final", "none", None), "A8#2": ("final", "none", None), "A8#3": ("amended", "none", None)},
    }
    assert [reports[key].get("patient_id") for key in ("A8", "A8#2", "A8#3")] == ["E1", "E2", None]
    assert notes.broken == ["r.csv: 1 row(s) name no report and are left out (row 13)"]
    assert SECRET not in str((reports, notes))


def test_words_of_a_table_and_a_number_of_its_own(tmp_path: Path) -> None:
    reports, notes = examined(
        tmp_path,
        "reports",
        {
            "r.csv": "report_id,accession,patient_id,issued,status,form\n"
            "R1,A1,E1,2024-05-02T12:10,final,text\nR1,,,2024-05-03T08:00,Corrected,pdf\n"
            "R2,A2,E2,2024-05-02T11:40,entered-in-error,application/pdf\nR3,A1,E1,,,\nR4,A4,E4,,addended,x\n"
        },
    )
    assert {key: (row["accession"], row["status"], row["form"]) for key, row in reports.items()} == {
        **{"R1": ("A1", "amended", "pdf"), "R2": ("A2", "cancelled", "pdf"), "R3": ("A1", "unknown", "none")},
        "R4": ("A4", "amended", "none"),
    }
    assert reports["R1"]["issued"] == "2024-05-03T08:00:00"
    assert notes.doubtful == [
        "r.csv: 1 row(s) name no patient",
        "r.csv: 1 row(s) have a status that isn't known and counts as not told; see `values` of a column",
    ]
