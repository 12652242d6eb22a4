from __future__ import annotations

from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.normalize import normalize
from fonds.project.settings import Project
from tests.normalize.packs import configured

LATIN = {"charset_used": "ISO_IR 100"}
# attribute, raw value, proposed value (the same: no row), what else the object has, what its source is configured as
CASES: list[tuple[str, str | None, str | None, dict[str, Any], dict[str, Any]]] = [
    ("SpecificCharacterSet", "ISO IR 100", "ISO_IR 100", {}, {}),
    ("SpecificCharacterSet", "ISO-IR 100", "ISO_IR 100", {}, {}),
    ("SpecificCharacterSet", "ISO_IR_100", "ISO_IR 100", {}, {}),
    ("SpecificCharacterSet", "ISO_IR-100", "ISO_IR 100", {}, {}),
    ("SpecificCharacterSet", "ISO_2022_IR_6\\ISO-2022-IR-87", "ISO 2022 IR 6\\ISO 2022 IR 87", {}, {}),
    ("SpecificCharacterSet", "UTF8", "ISO_IR 192", {}, {}),
    ("SpecificCharacterSet", "Not Supplied", "", {}, {}),
    ("SpecificCharacterSet", "Not Supplied", "ISO_IR 100", LATIN, {}),
    ("SpecificCharacterSet", "ISO 2022 IR 100", "ISO_IR 100", {}, {}),
    ("SpecificCharacterSet", "ISO_2022_IR_100", "ISO_IR 100", {}, {}),
    ("SpecificCharacterSet", "ISO 2022 IR 6", "", {}, {}),
    ("SpecificCharacterSet", "ISO 2022 IR 87", "ISO 2022 IR 87", {}, {}),
    ("SpecificCharacterSet", None, "ISO_IR 100", LATIN, {}),
    ("SpecificCharacterSet", "", "ISO_IR 100", LATIN, {}),
    ("SpecificCharacterSet", None, None, {}, {}),
    ("SpecificCharacterSet", None, None, LATIN, {"charset": "ISO_IR 192"}),
    ("PatientName", " MUELLER ^ HANS  PETER", "MUELLER^HANS PETER", {}, {}),
    ("PatientName", "Mueller, Hans", "Mueller^Hans", {}, {}),
    ("PatientName", "Mueller, Hans, Dr.", "Mueller, Hans, Dr.", {}, {}),
    ("PatientName", "MUELLER  HANS", "MUELLER^HANS", {}, {}),
    ("PatientName", "VAN BERG ANNA", "VAN BERG ANNA", {}, {}),
    ("PatientName", "MUELLER^HANS", "MUELLER^HANS", {}, {}),
    ("ReferringPhysicianName", "Arzt,Anna", "Arzt^Anna", {}, {}),
    ("ReferringPhysicianName", "ARZT ANNA", "ARZT ANNA", {}, {}),
    ("StudyDate", "2019.03.07", "20190307", {}, {}),
    ("SeriesDate", "2019-03-07", "20190307", {}, {}),
    ("PatientBirthDate", "1960/03/07", "19600307", {}, {}),
    ("AcquisitionDate", "03/07/2019", "03/07/2019", {}, {}),
    ("AcquisitionDate", "03/07/2019", "20190307", {}, {"date_order": "us"}),
    ("ContentDate", "03.07.2019", "20190703", {}, {"date_order": "european"}),
    ("ContentDate", "2019-02-29", "2019-02-29", {}, {}),
    ("ContentDate", "2019-3-7", "2019-3-7", {}, {}),
    ("StudyTime", "14:05:09.123456", "140509.123456", {}, {}),
    ("ContentTime", "14:05", "1405", {}, {}),
    ("SeriesTime", "24:05:00", "24:05:00", {}, {}),
    ("PatientSex", "weiblich", "F", {}, {}),
    ("PatientSex", "MÄNNLICH", "M", {}, {}),
    ("PatientSex", "?", "", {}, {}),
    ("PatientSex", "X", "X", {}, {}),
    ("Modality", "mr", "MR", {}, {}),
    ("Modality", "OPR", "OP", {}, {}),
    ("Modality", "MRI", "MR", {}, {}),
    ("Modality", "ECHO", "ECHO", {}, {}),
    ("Modality", "ECHO", "US", {}, {"packs": ["base@1", "cardiology@1"]}),
    ("Modality", "RTSS", "RTSTRUCT", {}, {"packs": ["base@1", "oncology@1"]}),
    ("Modality", "WSI", "SM", {}, {"packs": ["base@1", "pathology@1"]}),
    ("Modality", "ENDO", "ES", {}, {"packs": ["base@1", "surgery@1"]}),
    ("BodyPartExamined", "Schaedel", "HEAD", {}, {}),
    ("BodyPartExamined", "knie", "KNEE", {}, {}),
    ("BodyPartExamined", "PROTOCOL 7", "PROTOCOL 7", {}, {}),
    ("InstitutionName", "KLINIK NORD GMBH", "Klinikum Nord", {}, {}),
    ("InstitutionName", None, "Klinikum Nord", {}, {}),
    ("InstitutionName", "Praxis West", "Praxis West", {}, {}),
    ("InstitutionName", "", "", {}, {"institution": None}),
    ("PatientID", " 4711", "4711", {}, {}),
    ("AccessionNumber", " A17", "A17", {}, {}),
    ("IssuerOfPatientID", None, "RAD-NORD", {"PatientID": "4711"}, {}),
    ("IssuerOfPatientID", None, None, {"PatientID": " "}, {}),
    ("IssuerOfPatientID", None, None, {"PatientID": "4711"}, {"issuer": None}),
    ("IssuerOfPatientID", "MPI", "MPI", {"PatientID": "4711"}, {}),
]


@pytest.mark.parametrize("batch", [True, False], ids=["as configured", "configured otherwise"])
def test_every_case_of_the_table(make, batch: bool) -> None:  # type: ignore[no-untyped-def]
    """All cases at once, one source for each configuration: rules don't disturb one another."""
    chosen = [case for case in CASES if (not case[4]) == batch]
    sources = {f"s{number}": configured(case[4]) for number, case in enumerate(chosen)}
    rows = [
        {"source": f"s{number}", **given, attribute: before}
        for number, (attribute, before, _, given, _) in enumerate(chosen)
    ]
    project = make(rows, **sources)
    normalize(project)
    found = {(row["source"], row["attribute"]): row["after"] for row in _changes(project)}
    wrong = [
        (attribute, before, after, found.get((f"s{number}", attribute), before))
        for number, (attribute, before, after, _, _) in enumerate(chosen)
        if found.get((f"s{number}", attribute), before) != after
        or (before == after and (f"s{number}", attribute) in found)
    ]
    assert wrong == []


def test_an_accession_number_gets_its_issuer_in_the_sequence(make) -> None:  # type: ignore[no-untyped-def]
    project = make(
        [
            {"AccessionNumber": "A1"},
            {"AccessionNumber": "A2", "IssuerOfAccessionNumberEntityID": "RIS-WEST"},
            {"AccessionNumber": " "},
        ]
    )
    normalize(project)
    rows = [row for row in _changes(project) if row["attribute"] == "IssuerOfAccessionNumberSequence"]
    assert [(row["location"], row["path"], row["before"], row["after"], row["reason"]) for row in rows] == [
        ("o0", "(0008,0051)", None, "RIS-NORD", "COERCE")
    ]


def test_a_row_names_the_rules_that_took_part_their_pack_and_the_tag(make) -> None:  # type: ignore[no-untyped-def]
    project = make([{"PatientName": " Mueller,  Hans", "Modality": "MRI"}])
    normalize(project)
    rows = {row["attribute"]: row for row in _changes(project)}
    assert rows["PatientName"]["rule"] == "names.trim > names.comma"
    assert rows["PatientName"]["path"] == "(0010,0010)"
    assert (rows["PatientName"]["pack"], rows["PatientName"]["pack_version"]) == ("base", "1.0.0")
    assert rows["Modality"]["pack"] == "radiology"
    assert len(rows["Modality"]["pack_hash"]) == 64
    assert rows["Modality"]["pack_hash"] != rows["PatientName"]["pack_hash"]


def _changes(project: Project) -> list[dict[str, Any]]:
    return Catalog(project).read("changes").to_dicts()
