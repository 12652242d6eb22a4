"""Tables of orders: which rows are one order, what later ones change, and how HL7 v2 fields become ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.errors import DefinitionInvalid
from tests.feeds.telling import SECRET, examined

EVENTS = "MSH-7,MSH-9,ORC-1,ORC-2,ORC-3,ORC-5,ORC-9,PID-3,OBR-4,OBR-18,OBR-24,ZDS-1\n"


def column(orders: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return {key: row.get(name) for key, row in orders.items()}


def test_columns_called_as_our_fields_need_no_mapping(tmp_path: Path) -> None:
    orders, notes = examined(
        tmp_path,
        "orders",
        {
            "o.csv": "accession,accession_issuer,patient_id,filler_order,status,scheduled,modality\n"
            "A1,,E1,,done,20240101,ct\n"
            "A1,,E2,,Scheduled,2024-01-02 10:00,\n"  # two patients, one number: a collision
            "A1,SITE2,E1,,on hold,2024-02,\n"
            "A2,,E1,F2,performed,2024-01-02T10:00:00+0200,\n"
            "A2,,,F2,,,\n"  # says nothing of the patient: the same order
            "A3^X^1.2.3^ISO,,E3,F3,in progress,202401021030,\n"
            f"A4,,E4,,{SECRET},,\n"
        },
        accession_issuer="RIS",
    )
    assert column(orders, "status") == {
        **{"A1": "performed", "A1#2": "open", "A1#3": "open", "A2": "performed", "A3": "open", "A4": "unknown"}
    }
    assert [(orders[key]["patient_id"], orders[key]["accession_issuer"]) for key in ("A1", "A1#2", "A1#3", "A3")] == [
        *(("E1", "RIS"), ("E2", "RIS"), ("E1", "SITE2"), ("E3", "X"))
    ]
    # the clock of the house stays; a day is no midnight
    assert column(orders, "scheduled") == {
        **{"A1": "2024-01-01", "A1#2": "2024-01-02T10:00:00", "A1#3": None},
        **{"A2": "2024-01-02T10:00:00+02:00", "A3": "2024-01-02T10:30:00", "A4": None},
    }
    assert orders["A1"] == {
        **{"issuer": "MPI", "patient_id": "E1", "accession": "A1", "accession_issuer": "RIS", "modality": "CT"},
        **{"scheduled": "2024-01-01", "status": "performed"},
    }
    assert notes.broken == []
    assert notes.doubtful == [
        "o.csv: 1 row(s) name no patient",
        "o.csv: 1 row(s) have a status that isn't known and counts as not told; see `values` of a column",
        "o.csv: 1 row(s) have a time that can't be read and counts as not told; see `times` of the mapping",
    ]


def test_messages_of_one_order_are_one_order(tmp_path: Path) -> None:
    orders, notes = examined(
        tmp_path,
        "orders",
        {
            "o.csv": EVENTS
            # the accession number comes last, the cancellation names the placer order alone, and it fails
            + "20240105,ORM^O01,UC,P1^HIS,F1,,,E1^^^MPI,,,,\n"
            "20240104,ORM^O01,CA,P1^HIS,,,,E1^^^MPI,,,,\n"
            "20240101,ORM^O01,NW,P1^HIS,,,20240101080000,E1^^^MPI~7^^^RAD,CT^CT Kopf,,NMR,\n"
            "20240102,ORM^O01,SN,P1^HIS,F1^RIS,,,E1^^^MPI,,,,\n"
            "20240103,ORM^O01,XO,P1,F1,IP,,E1^^^MPI,MR^MR Kopf,A1^RIS,,1.2.3^^Application^DICOM\n"
            # one of two procedures of an accession number is cancelled, and then the other one
            "20240101,ORM,NW,P2,F2,,,E2,CT^CT,A2,CT,\n20240101,ORM,NW,P3,F3,,,E2,MR^MR,A2,,\n20240102,ORM,CA,P3,F3,,,E2,,,,\n"
            "20240101,OMI,NW,P4,F4,,,E2,,A4,,\n20240101,OMI,NW,P5,F5,,,E2,,A4,,\n20240102,OMI,CA,,F4,,,E2,,,,\n"
            "20240102,OMI,SC,,F5,DC,,E2,,,,\n"
            # performed stays so; what is deleted goes
            'x,ORM,NW,P6,F6,CM,,E3,X^X,A6,RAD,9.9.x\nx,ORM,NW,P6,F6,,,E3,"""""",,,\n'
            # the number was wrong, and so was the patient
            "20240101,ORM,NW,P7,F7,,,E5,,A7,,\n20240102,ORM,XO,P7,F7,,,E6,,A77,,\n"
            # cancelled, and ordered again; without a time by place
            ",ORM,NW,P8,,,,E5,,,,\n,ORM,OC,P8,,,,E5,,,,\n,ORM,NW,P8,,,,E5,,,,\n,ORM,NW,P9,,,,E5,,,,\n,ORM,DC,P9,,,,E5,,,,\n"
            # told by the placer order alone
            "20240101,ORM,NW,P10,F10,SC,,E5,,A10,,\n20240102,ORM,CA,P10,,,,E5,,,,\n"
            "20240101,ORM,NW,P11,,,,E5,,,,\n20240102,ORM,SC,P11,,CM,,E5,,A11,,\n"
            f"20240101,ADT^A08,,,,,,E5,,,,\n20240101,ORM,NW,P0,,,,E5,{SECRET},,LAB,\n20240101,ORM,NW,,,,,{SECRET},,,,\n"
        },
        accession_issuer="RIS",
    )
    assert column(orders, "status") == {
        **{"A1": "open", "A2": "open", "A4": "cancelled", "A6": "performed", "A77": "open"},
        **{"P8": "open", "P9": "cancelled", "A10": "cancelled", "A11": "performed"},
    }
    assert orders["A1"] == {
        **{"issuer": "MPI", "patient_id": "E1", "accession": "A1", "accession_issuer": "RIS", "placer_order": "P1"},
        **{"filler_order": "F1", "study_uid": "1.2.3", "code": "MR", "description": "MR Kopf", "modality": "MR"},
        **{"ordered": "2024-01-01T08:00:00", "status": "open", "changed": "2024-01-05T00:00:00"},
    }
    # the procedure that is left says what the order is
    assert (orders["A2"]["code"], orders["A2"]["filler_order"]) == ("CT", "F2")
    assert (orders["A77"]["patient_id"], orders["P8"].get("accession_issuer")) == ("E6", None)
    assert (orders["A6"].get("code"), orders["A6"].get("study_uid")) == (None, None)
    assert notes.broken == ["o.csv: 1 row(s) name no order and are left out (row 28)"]
    assert notes.doubtful == [
        "o.csv: 1 row(s) are other messages (MSH-9) and are not read",
        "o.csv: 1 row(s) are of a laboratory (OBR-24) and are not read",
        "o.csv: 2 row(s) have a time that can't be read and counts as not told; see `times` of the mapping",
        "o.csv: 1 row(s) have a Study Instance UID that is none and counts as not told",
    ]


def test_the_shipped_mapping_reads_a_windows_export(tmp_path: Path) -> None:
    rows = (
        "UNTERS_NR;ANF_NR;PAT_NR;LEISTUNG;LEISTUNG_TEXT;GERAET;ANGEFORDERT;TERMIN_TAG;TERMIN_ZEIT;STATUS;GEAENDERT\n"
        "17;A9;4711;MRK;Schädel;MRT;01.05.2024 10:30;02.05.2024;11:00;geplant;01.05.2024 10:31\n"
        "17;NULL;4711;NULL;;;;NULL;;erbracht;02.05.2024 12:00\n"
    )
    mapping = "rules/sites/ris-feed.yaml"
    orders, notes = examined(tmp_path, "orders", {"o.csv": rows.encode("windows-1252")}, mapping=mapping)
    assert (notes.broken, notes.doubtful) == ([], [])
    assert orders == {
        "17": {
            **{"issuer": "MPI", "patient_id": "4711", "accession": "17", "placer_order": "A9", "code": "MRK"},
            **{"description": "Schädel", "modality": "MR", "ordered": "2024-05-01T10:30:00"},
            **{"scheduled": "2024-05-02T11:00:00", "status": "performed", "changed": "2024-05-02T12:00:00"},
        }
    }


@pytest.mark.parametrize(
    ("mapping", "lines", "texts"),
    [
        (
            "orders: {acession: A}\nreports: {accession: A, OBR-18: A}\n",
            {1, 2},
            ("did you mean accession", "accession is given twice"),
        ),
        ("\norders:\n  accession: ACCESION\n", {3}, ("has no column ACCESION (nearest: accession)",)),
        ("orders: {status: accession}\n", {None}, ("`orders` of the mapping has no accession or filler_order",)),
    ],
)
def test_mistakes_of_a_mapping_are_told_together(
    tmp_path: Path, mapping: str, lines: set[int | None], texts: tuple[str, ...]
) -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        examined(tmp_path, "orders", {"o.csv": f"accession\n{SECRET}\n", "m.yaml": mapping}, mapping="m.yaml")
    assert all(text in str(caught.value) for text in texts)
    assert SECRET not in str(caught.value)
    assert {line for line, _ in caught.value.mistakes} == lines
