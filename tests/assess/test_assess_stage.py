from __future__ import annotations

import re
from pathlib import Path

import duckdb
import polars as pl
import pytest

from fonds.assess import assess
from fonds.assess.definition import load_with_files
from fonds.assess.judge import judge
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog.store import Catalog
from fonds.operations.runs import StageResult
from fonds.project.settings import Project, load

SETTINGS = """name: x
sources:
  rad: {path: rad, department: radiology, institution: Klinikum Nord}
  empty: {path: empty, department: surgery}
"""
WHOLE = {
    "source": "rad",
    "read_status": "ok",
    "transfer_syntax": "1.2.840.10008.1.2.1",
    "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
    "StudyInstanceUID": "1.1",
    "SeriesInstanceUID": "1.2",
    "StudyDate": "20240101",
    "StudyDescription": "CT",
    "SeriesDescription": "ax",
    "AccessionNumber": "A1",
    "Modality": "CT",
    "InstitutionName": "Klinikum Nord",
    "PatientID": "P1",
    "IssuerOfPatientID": "RAD",
    "PatientName": "ROE^JANE",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "SeriesNumber": "1",
    "BodyPartExamined": "CHEST",
    "ProtocolName": "Chest",
    "PatientPosition": "HFS",
    "Manufacturer": "Maker",
    "ManufacturerModelName": "Model",
    "DeviceSerialNumber": "1",
    "FrameOfReferenceUID": "1.4",
    "ImageType": r"ORIGINAL\PRIMARY\AXIAL",
    "ImagePositionPatient": r"0\0\0",
    "ImageOrientationPatient": r"1\0\0\0\1\0",
    "PixelSpacing": r"0.5\0.5",
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

UNSOUND = """theme: x
checks:
  - id: ZZ-01
    name: zz
    level: instance
    kahn: conformance
    severity: minor
    message: m
    attributes: [PatientID]
    fails: "regexp_matches(PatientID, '(' || Modality)"
    examples:
      passes: [{name: a, rows: [{PatientID: A}]}]
      fails: [{name: b, rows: [{PatientID: A}], attribute: PatientID}]
"""


def _fill(project: Project) -> None:
    rows = [
        {**WHOLE, "location": "a", "SOPInstanceUID": "1.3.1"},
        {**WHOLE, "location": "b", "SOPInstanceUID": "1.3.x", "Modality": "PT"},
        {**WHOLE, "location": "c", "SOPInstanceUID": "1.3.3", "StudyInstanceUID": "1.9", "SeriesInstanceUID": "1.8"},
    ]
    catalog = Catalog(project)
    catalog.replace("instances", pl.DataFrame(rows))
    broken = {"source": "rad", "location": "x", "reason": "truncated_header"}
    text = {"source": "rad", "location": "y", "reason": "not_dicom"}
    catalog.replace("unreadable", pl.DataFrame([broken, text]))
    entry = {"source": "rad", "location": "cd/DICOMDIR", "record": 9, "level": "INSTANCE", "referenced_file": "GONE"}
    catalog.replace("entries", pl.DataFrame([entry]))


@pytest.fixture(scope="module")
def assessed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, StageResult]:
    folder = tmp_path_factory.mktemp("assess")
    (folder / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    project = load(folder)
    _fill(project)
    return project, assess(project)


def test_exactly_what_is_wrong_is_found(assessed: tuple[Project, StageResult]) -> None:
    project, result = assessed
    every = Catalog(project).read("findings")
    findings = every.filter(pl.col("check_id").is_in(["AR-01", "IN-01", "IN-03", "SE-03", "SE-04"]))
    assert findings.select("check_id", "entity", "attribute", "value", "study_uid").rows() == [
        ("AR-01", "cd/DICOMDIR#9", "ReferencedFileID", "GONE", None),
        ("IN-01", "x", "PixelData", "truncated_header", None),
        ("IN-03", "b", "SOPInstanceUID", "1.3.x", "1.1"),
        ("SE-03", "1.2", "Modality", "PT", "1.1"),
        ("SE-04", "1.2", "Modality", "CT … PT", "1.1"),
    ]
    assert set(findings["department"]) == {"radiology"}
    assert findings["pack"][0] == "rules/checks/archive.yaml"
    checks = len(load_with_files(project))
    told = {"findings": every.height, "blocking": every.filter(severity="block").height, "checks": checks}
    assert result.counts.items() >= {**told, "failed": every["check_id"].n_unique()}.items()
    assert any("IN-03 (1 of 3)" in line for line in result.left)


def test_the_scorecard_counts_and_an_empty_source_never_passes(assessed: tuple[Project, StageResult]) -> None:
    project, _ = assessed
    card = Catalog(project).read("scorecard")
    assert card.height == 2 * len(load_with_files(project))
    assert set(card.filter(source="empty")["status"]) == {"not applicable"}
    uid = card.filter(source="rad", check_id="IN-03").row(0, named=True)
    assert (uid["numerator"], uid["denominator"], uid["status"]) == (1, 3, "failed")
    unreadable = card.filter(source="rad", check_id="IN-01").row(0, named=True)
    assert (unreadable["numerator"], unreadable["denominator"]) == (1, 4)


def test_every_drilldown_runs_on_the_published_file_and_lists_the_numerator(
    assessed: tuple[Project, StageResult],
) -> None:
    project, _ = assessed
    card = Catalog(project).read("scorecard")
    with duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True) as connection:
        for query, numerator in card.select("drilldown", "numerator").rows():
            assert len(connection.sql(query).fetchall()) == numerator


def test_thresholds_move_the_status_only(assessed: tuple[Project, StageResult]) -> None:
    project, _ = assessed
    card = Catalog(project).read("scorecard")
    checks = [check for _, check in load_with_files(project)]
    lenient = [check.model_copy(update={"threshold": 0.5}) if check.id == "IN-03" else check for check in checks]
    again = judge(card, lenient).sort("check_id", "source")
    before = card.sort("check_id", "source")
    assert again.filter(check_id="IN-03", source="rad")["status"].item() == "passed"
    assert again.select("numerator", "denominator").equals(before.select("numerator", "denominator"))


def test_the_gates_agree_with_the_scorecard(assessed: tuple[Project, StageResult]) -> None:
    project, _ = assessed
    catalog = Catalog(project)
    gates = catalog.read("gates").filter(suite="as-found", source="rad")
    card = catalog.read("scorecard").filter(pl.col("source") == "rad", pl.col("denominator") > 0)
    both = gates.join(card, on="check_id", how="full")
    assert both.height == gates.height == card.height
    assert both.filter(pl.col("unexpected") != pl.col("numerator")).is_empty()
    assert both.filter(pl.col("evaluated") != pl.col("denominator")).is_empty()
    assert both.filter(pl.col("success") != (pl.col("status") == "passed")).is_empty()


def test_data_docs_need_no_network(assessed: tuple[Project, StageResult]) -> None:
    folder = assessed[0].reports_dir / "data_docs"
    pages = sorted(folder.rglob("*.html"))
    assert {"index.html", "rad.html"} <= {page.name for page in pages}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"https?://|<script|src=", text)
        for address in re.findall(r'href="([^"#]+)"', text):
            assert (page.parent / address.replace("%20", " ")).exists(), address
    assert not [path for path in folder.rglob("*") if path.is_file() and path.suffix not in {".html"}]


def test_the_second_run_does_nothing_and_a_forced_one_finds_the_same(assessed: tuple[Project, StageResult]) -> None:
    project, _ = assessed
    catalog = Catalog(project)
    before = {name: catalog.read(name) for name in ("findings", "scorecard", "gates")}
    again = assess(project)
    assert again.status == "unchanged"
    assert again.tables == ()
    assert assess(project, force=True).status == "done"
    assert {name: frame.equals(catalog.read(name)) for name, frame in before.items()} == dict.fromkeys(before, True)


def test_a_check_whose_sql_fails_on_the_data_costs_only_itself(tmp_path: Path) -> None:
    (tmp_path / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    project = load(tmp_path)
    _fill(project)
    own = tmp_path / "rules" / "checks" / "own.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(UNSOUND, encoding="utf-8")
    checks = [check for _, check in load_with_files(project)]
    with Catalog(project).connect() as connection:
        measured = measure_all(connection, checks, [""] * len(checks), project_vocabularies(project))
    assert measured.broken == ("ZZ-01",)
    assert {"IN-03", "SE-03"} <= set(measured.findings["check_id"])
    card = judge(measured.counts, checks)
    assert set(card.filter(check_id="ZZ-01", source="rad")["status"]) == {"error"}
