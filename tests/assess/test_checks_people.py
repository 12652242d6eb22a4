from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pydicom
import pytest
from pydicom.uid import generate_uid

from fonds.assess import assess
from fonds.assess.definition import Check, Example, Examples, load_with_files
from fonds.assess.examples import wrong_examples
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.errors import DefinitionInvalid
from fonds.project.settings import Project, load

ROOT = Path(__file__).parents[2]
SLICE = sorted((ROOT / "data_samples" / "small" / "radiology").rglob("*-CT1-*.dcm"))
# an object of which no check complains, of a patient and a study that no example knows
SOUND = {
    "location": "elsewhere/sound",
    "read_status": "ok",
    "transfer_syntax": "1.2.840.10008.1.2.1",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "SOPInstanceUID": "8.7.6.5.3",
    "StudyInstanceUID": "8.7.6.5",
    "SeriesInstanceUID": "8.7.6.5.4",
    "FrameOfReferenceUID": "8.7.6.5.9",
    "StudyDate": "20240101",
    "StudyTime": "120000",
    "SeriesDate": "20240101",
    "StudyID": "S1",
    "StudyDescription": "CT Thorax Kontrolle",
    "SeriesDescription": "ax soft tissue",
    "PerformedProcedureStepDescription": "CT Thorax",
    "AccessionNumber": "ZZ987654",
    "IssuerOfAccessionNumberEntityID": "SOUND-RIS",
    "InstitutionalDepartmentName": "Radiology",
    "InstitutionName": "Klinikum Nord",
    "Modality": "CT",
    "PatientID": "ZZ4567",
    "IssuerOfPatientID": "SOUND",
    "PatientName": "SOUNDER^SIGRID",
    "PatientBirthDate": "19680229",
    "PatientSex": "F",
    "SeriesNumber": "1",
    "InstanceNumber": "1",
    "BodyPartExamined": "CHEST",
    "ProtocolName": "Chest",
    "PatientPosition": "HFS",
    "Manufacturer": "Maker",
    "ManufacturerModelName": "Model",
    "DeviceSerialNumber": "1",
    "StationName": "CT9",
    "ImageType": "ORIGINAL\\PRIMARY\\AXIAL",
    "ImagePositionPatient": "0\\0\\0",
    "ImageOrientationPatient": "1\\0\\0\\0\\1\\0",
    "PixelSpacing": "0.5\\0.5",
    "SliceThickness": "1",
    "KVP": "120",
    "pixel_length": 2,
    "Rows": "1",
    "Columns": "1",
    "SamplesPerPixel": "1",
    "PhotometricInterpretation": "MONOCHROME2",
    "BitsAllocated": "16",
    "BitsStored": "12",
    "HighBit": "11",
    "PixelRepresentation": "0",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("people")
    (folder / "fonds.yaml").write_text("name: x\nsources:\n  a: {path: a}\n  b: {path: b}\n", encoding="utf-8")
    return load(folder)


@pytest.fixture(scope="module")
def checks(project: Project) -> list[Check]:
    return [check for _, check in load_with_files(project)]


def _blamed(wrong: list[str]) -> set[str]:
    return {line.split(",")[0] for line in wrong}


# ---- laws of all checks


def test_rows_of_others_change_no_verdict(project: Project, checks: list[Check]) -> None:
    def beside(example: Example) -> Example:
        return example.model_copy(update={"rows": (*example.rows, SOUND)}) if example.applies else example

    crowded = [
        check.model_copy(
            update={
                "examples": Examples.model_construct(
                    passes=tuple(beside(example) for example in check.examples.passes),
                    fails=tuple(beside(example) for example in check.examples.fails),
                )
            }
        )
        # a directory is answerable for every object below it, so there are no others for it
        for check in checks
        if check.level not in ("archive", "index") and not check.unreadable
    ]
    wrong = wrong_examples(project, crowded)
    assert wrong == []


@pytest.mark.parametrize(
    ("mutate", "blamed"),
    [
        (lambda check: _always(check, "false"), lambda check: True),
        (lambda check: _always(check, "true"), lambda check: True),
        (
            lambda check: check.model_copy(update={"applies": None}),
            lambda check: check.applies is not None and any(not one.applies for one in check.examples.passes),
        ),
    ],
    ids=["never fails", "always fails", "always applies"],
)
def test_the_examples_notice_a_check_that_went_wrong(
    project: Project, checks: list[Check], mutate: Callable[[Check], Check], blamed: Callable[[Check], bool]
) -> None:
    wrong = _blamed(wrong_examples(project, [mutate(check) for check in checks]))
    assert {check.id for check in checks if blamed(check)} - wrong == set()


def _always(check: Check, when: str) -> Check:
    return check.model_copy(update={"fails": tuple(test.model_copy(update={"when": when}) for test in check.tests)})


def test_there_are_as_many_checks_as_promised_on_every_level_and_of_every_kind(checks: list[Check]) -> None:
    assert len(checks) >= 95
    assert {check.level for check in checks} >= {"instance", "series", "study", "patient", "across", "archive", "index"}
    assert {check.kahn for check in checks} == {"conformance", "completeness", "plausibility"}


# ---- across archives, through the stages


def _copy(place: Path, name: str, study: str, **values: str) -> None:
    """One object of the sample radiology under a study of its own; `values` by keyword, `pixels` the first byte."""
    data = pydicom.dcmread(SLICE[0])
    data.StudyInstanceUID = f"1.2.3.{study}"
    data.SeriesInstanceUID = f"1.2.3.{study}.1"
    data.SOPInstanceUID = values.pop("sop", f"1.2.3.{study}.1.1")
    data.AccessionNumber = f"A{study}"
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    # otherwise every copy would be a picture that stands under many UIDs
    own = values.pop("pixels", study).encode().ljust(8)
    data.PixelData = own + data.PixelData[8:]
    for keyword, value in values.items():
        setattr(data, keyword, value)
    place.mkdir(exist_ok=True)
    data.save_as(place / f"{name}.dcm")


@pytest.fixture(scope="module")
def two_archives(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("two archives")
    old, new = folder / "old", folder / "new"
    person = {"IssuerOfPatientID": "MPI", "PatientID": "P1", "PatientName": "ROE^ANNA", "PatientBirthDate": "19700101"}
    _copy(old, "alike", "11", **person)
    new.mkdir()
    shutil.copy(old / "alike.dcm", new / "alike.dcm")
    _copy(old, "header", "12", **person)
    _copy(new, "header", "12", **person, SeriesDescription="corrected")
    _copy(old, "pixels", "13", **person)
    _copy(new, "pixels", "13", **person, pixels="other")
    _copy(old, "again", "14", **person, pixels="twin")
    _copy(new, "again", "15", **person, pixels="twin")
    _copy(old, "part", "16", **person, sop="1.2.3.16.1.1")
    _copy(new, "part", "16", **person, sop="1.2.3.16.1.2", pixels="second")
    _copy(old, "person", "17", **{**person, "PatientID": "P7"})
    _copy(
        new,
        "person",
        "18",
        **{**person, "PatientID": "P7", "PatientName": "YILMAZ^KEMAL", "PatientBirthDate": "19521130"},
    )
    _copy(old, "whose", "19", **{**person, "PatientID": "P8"})
    _copy(new, "whose", "19", **{**person, "PatientID": "P9"})
    _copy(old, "alone", "20", **person)
    (folder / "fonds.yaml").write_text(
        "name: x\nsources:\n  old: {path: old}\n  new: {path: new}\n  neither: {path: neither}\n", encoding="utf-8"
    )
    (folder / "neither").mkdir()
    project = load(folder)
    crawl(project)
    assess(project)
    return project


def test_what_two_archives_hold_is_compared(two_archives: Project) -> None:
    findings = Catalog(two_archives).read("findings").filter(pl.col("level") == "across")
    found = {(row["check_id"], row["source"], row["entity"].removeprefix("1.2.3.")) for row in findings.to_dicts()}
    both = {
        *(("XA-01", study) for study in ("11",)),
        ("XA-02", "13"),
        ("XA-03", "12"),
        ("XA-05", "16"),
        ("XA-03", "19"),
        ("XA-19", "19"),
    }
    wanted = {(check, source, study) for check, study in both for source in ("old", "new")}
    wanted |= {("XA-04", "old", "14"), ("XA-04", "new", "15"), ("XA-17", "old", "17"), ("XA-17", "new", "18")}
    assert found == wanted


def test_a_study_that_no_other_archive_holds_is_not_judged_across(two_archives: Project) -> None:
    card = Catalog(two_archives).read("scorecard").filter(pl.col("level") == "across")
    assert set(card.filter(source="neither")["status"]) == {"not applicable"}
    held = card.filter(check_id="XA-05").select("source", "numerator", "denominator").sort("source").rows()
    # alike, header, pixels, part and whose; not those under a UID of their own
    assert held == [("neither", 0, 0), ("new", 1, 5), ("old", 1, 5)]


def test_without_digests_copies_are_not_judged(project: Project, checks: list[Check]) -> None:
    rows = [{**SOUND, "source": source, "SOPInstanceUID": generate_uid(entropy_srcs=["one"])} for source in ("a", "b")]
    ours = [check for check in checks if check.id in ("XA-01", "XA-02", "XA-03", "XA-05", "XA-21", "PT-08")]
    catalog = Catalog(project)
    catalog.replace("instances", pl.DataFrame(rows))
    with catalog.connect() as connection:
        counts = measure_all(connection, ours, [""] * len(ours), project_vocabularies(project)).counts
    judged = {row["check_id"]: row["denominator"] for row in counts.filter(source="a").to_dicts()}
    assert judged == {"XA-01": 0, "XA-02": 0, "XA-03": 0, "XA-05": 1, "XA-21": 1, "PT-08": 1}


# ---- patients


def test_an_identifier_with_very_many_records_is_compared_all_the_same(project: Project, checks: list[Check]) -> None:
    people = [
        {
            **SOUND,
            "source": "a",
            "location": str(n),
            "PatientID": "4711",
            "PatientName": f"{'ABCDEFGHIJ'[n % 10] * 3}{'KLMNOPQRST'[n // 10 % 10] * 3}^X",
            "PatientBirthDate": f"19{n // 12 % 100:02}{n % 12 + 1:02}15",
        }
        for n in range(1200)
    ]
    catalog = Catalog(project)
    catalog.replace("instances", pl.DataFrame(people))
    ours = [check for check in checks if check.id == "PT-06"]
    with catalog.connect() as connection:
        counts = measure_all(connection, ours, [""], project_vocabularies(project)).counts
    assert counts.filter(source="a").select("numerator", "denominator").rows() == [(1200, 1200)]


def test_what_patient_ids_look_like_is_a_setting_of_the_source(tmp_path: Path) -> None:
    settings = "name: x\nsources:\n  a: {path: a, issuer: RAD, patient_id_pattern: '[0-9]{6}'}\n  b: {path: b}\n"
    (tmp_path / "fonds.yaml").write_text(settings, encoding="utf-8")
    project = load(tmp_path)
    rows = [
        {**SOUND, "source": source, "location": number, "IssuerOfPatientID": "RAD", "PatientID": number}
        for source in ("a", "b")
        for number in ("123456", "12345", "1234567")
    ]
    Catalog(project).replace("instances", pl.DataFrame(rows))
    ours = [check for _, check in load_with_files(project) if check.id == "PT-04"]
    with Catalog(project).connect() as connection:
        measured = measure_all(connection, ours, [""], project_vocabularies(project))
    assert sorted(measured.findings.select("source", "value").rows()) == [("a", "12345"), ("a", "1234567")]
    assert measured.counts.filter(source="b")["denominator"].to_list() == [0]


@pytest.mark.parametrize("pattern", ["[0-9", "(?=x)", r"(a)\\1"])
def test_a_pattern_re2_does_not_take_is_refused(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "fonds.yaml").write_text(
        f'name: x\nsources:\n  a:\n    path: a\n    patient_id_pattern: "{pattern}"\n', encoding="utf-8"
    )
    with pytest.raises(DefinitionInvalid) as caught:
        load(tmp_path)
    [(line, reason)] = caught.value.mistakes
    assert line == 5
    assert "no RE2 pattern" in reason
