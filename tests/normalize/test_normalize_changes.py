from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fonds.catalog.store import Catalog
from fonds.normalize import normalize
from fonds.operations import decisions
from fonds.project.settings import Project, load
from tests.normalize.packs import a_map, configured, site_pack

TWO_WORDS = [
    {"location": "a", "PatientID": "1", "PatientName": "MUELLER HANS", "StudyDate": "2019.03.07"},
    {"location": "b", "PatientID": "1", "PatientName": "MUELLER HANS"},
    {"location": "c", "PatientID": "2", "PatientName": "MUELLER HANS"},
]


def test_only_approved_changes_are_effective(make: Any) -> None:
    project = make(TWO_WORDS)
    result = normalize(project)
    assert result.counts["proposed"] == 3
    assert any("names.two-words" in line for line in result.left)
    with Catalog(project).connect() as connection:
        rows = connection.sql("SELECT location, PatientName, StudyDate, IssuerOfPatientID FROM effective ORDER BY 1")
        assert rows.fetchall()[0] == ("a", "MUELLER HANS", "20190307", "RAD-NORD")


def test_a_decision_on_a_change_covers_the_patients_objects_and_nobody_elses(make: Any) -> None:
    project = make(TWO_WORDS)
    normalize(project)
    change = _name_rows(project)["a"]["change_id"]
    decisions.record(project, "change", change, "", verdict="approve", who="A. Steward")
    assert normalize(project).status == "done"
    assert {place: row["state"] for place, row in _name_rows(project).items()} == {
        "a": "approved",
        "b": "approved",
        "c": "proposed",
    }
    assert _name_rows(project)["a"]["change_id"] == change


def test_a_whole_rule_is_approved_and_one_change_of_it_rejected(make: Any) -> None:
    project = make(TWO_WORDS)
    normalize(project)
    decisions.record(project, "change", "names.two-words", "", verdict="approve", who="A. Steward")
    rejected = decisions.record(
        project, "change", _name_rows(project)["c"]["change_id"], "", verdict="reject", who="A. Steward"
    )
    normalize(project)
    assert [row["state"] for row in _name_rows(project).values()] == ["approved", "approved", "rejected"]
    decisions.undo(project, rejected, "A. Steward")
    normalize(project)
    assert [row["state"] for row in _name_rows(project).values()] == ["approved"] * 3


def test_a_rejected_rule_changes_nothing_though_it_needs_no_steward(make: Any) -> None:
    project = make([{"PatientSex": "male"}])
    normalize(project)
    decisions.record(project, "change", "sex.terms", "", verdict="reject", who="A. Steward")
    normalize(project)
    with Catalog(project).connect() as connection:
        assert connection.sql("SELECT PatientSex FROM effective").fetchall() == [("male",)]
        assert connection.sql("SELECT state FROM changes WHERE attribute = 'PatientSex'").fetchall() == [("rejected",)]


def test_a_second_run_does_nothing_until_a_pack_changes(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "site", a_map("StationName", "A", "a1"))
    project = make([{"StationName": "a1"}], radiology=configured({"packs": ["base@1", "site@1"]}))
    assert normalize(project).status == "done"
    assert normalize(project).status == "unchanged"
    before = Catalog(project).read("changes")
    assert normalize(project, force=True).status == "done"
    assert Catalog(project).read("changes").equals(before)
    site_pack(tmp_path, "site", a_map("StationName", "B", "a1"))
    assert normalize(load(tmp_path)).status == "done"
    assert Catalog(project).read("changes").filter(attribute="StationName")["after"].to_list() == ["B"]


def test_a_project_without_objects_has_no_changes(make: Any) -> None:
    assert normalize(make()).counts["changes"] == 0


SPACED = st.sampled_from(["", " ", "  ", "^", ",", ", ", "=", "-", "."])
WORDS = st.sampled_from(
    ["MUELLER", "hans", "Ö'Neill", "17", "山田", "DR", "Dr.", "Jr", "Anna", "TEST", "たろう", "MÃ¼ller"]
)
TEXTS = {
    "PatientName": st.lists(st.one_of(SPACED, WORDS), max_size=6).map("".join),
    "ReferringPhysicianName": st.lists(st.one_of(SPACED, WORDS), max_size=6).map("".join),
    "StudyDate": st.from_regex(r"(19|20)?[0-9]{2}[-./]?[0-3][0-9][-./]?[0-3][0-9]", fullmatch=True),
    "PatientBirthDate": st.from_regex(r"[0-3][0-9][-./][0-3][0-9][-./](19|20)?[0-9]{2}", fullmatch=True),
    "StudyTime": st.from_regex(r"[0-2][0-9]:?[0-6][0-9](:?[0-6][0-9](\.[0-9]{1,7})?)?", fullmatch=True),
    "SpecificCharacterSet": st.from_regex(
        r"(ISO[ _-](2022[ _-])?IR[ _-](6|87|100|192)|UTF-8|Not Supplied)?(\\ISO 2022 IR 87)?", fullmatch=True
    ),
    "PatientSex": st.sampled_from(["m", "W", "Unknown", "M ", " f", "9", "", "O"]),
    "Modality": st.sampled_from(["mri", "CT", "DS", "ECHO", " us", ""]),
    "BodyPartExamined": st.sampled_from(["Kopf", "chest", "KNEE", "Thorax", ""]),
    "InstitutionName": st.sampled_from(["klinik nord gmbh", "Praxis", "", " "]),
    "PatientID": st.sampled_from([" 1", "1", "", " ", "RAD-NORD^1", "1@RAD-NORD", "MPI^1"]),
    "IssuerOfPatientID": st.sampled_from(["", "RAD-NORD", "MPI"]),
    "OtherPatientIDs": st.sampled_from(["", "1", "1\\2", "2\\2\\"]),
    "AcquisitionDateTime": st.sampled_from(["2019-03-07T14:05:09Z", "20190307", "2019-03-07 14:05+01:00"]),
    "ImageType": st.sampled_from(["ORIGINAL\\Primary", "ORIGINAL\\PRIMARY\\M-3", "\\"]),
    "Laterality": st.sampled_from(["left", "R", "BOTH", ""]),
    "SOPInstanceUID": st.sampled_from(["1.2.03", "1.2. 3", "1.2.3", "x"]),
    "StudyDescription": st.sampled_from(["SchÃ¤del", "Schädel", ""]),
    "AccessionNumber": st.sampled_from([" A", "A", ""]),
    "charset_used": st.sampled_from(["ISO_IR 100", "ISO_IR 6"]),
}
OBJECT = st.fixed_dictionaries({name: st.one_of(st.none(), values) for name, values in TEXTS.items()})


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(rows=st.lists(OBJECT, min_size=1, max_size=80), order=st.sampled_from(["iso", "us", "european"]))
def test_fixing_twice_is_fixing_once(make: Any, rows: list[dict[str, Any]], order: str) -> None:
    project = make(rows, radiology=configured({"date_order": order}))
    normalize(project, force=True)
    catalog = Catalog(project)
    fixed = catalog.read("instances").to_dicts()
    at = {row["location"]: row for row in fixed}
    nested = {
        "IssuerOfAccessionNumberSequence": "IssuerOfAccessionNumberEntityID",
        "OtherPatientIDsSequence": "OtherPatientIDsItems",
    }
    for change in catalog.read("changes").to_dicts():
        assert change["before"] != change["after"]
        value = change["after"]
        if change["attribute"] == "OtherPatientIDsSequence":
            value = [{"id": item["PatientID"], "issuer": None, "type": "TEXT"} for item in json.loads(value)]
        at[change["location"]][nested.get(change["attribute"], change["attribute"])] = value
    catalog.replace("instances", pl.DataFrame(fixed, schema=catalog.read("instances").schema))
    normalize(project, force=True)
    assert catalog.read("changes").to_dicts() == []


def test_two_hundred_thousand_objects_take_seconds(make: Any) -> None:
    project = make()
    number = pl.int_range(200_000, eager=True).alias("n")
    patient = pl.col("n") // 400
    frame = pl.DataFrame(number).select(
        source=pl.lit("radiology"),
        location=pl.format("o{}", "n"),
        StudyInstanceUID=pl.format("1.2.{}", pl.col("n") // 40),
        PatientID=pl.format("P{}", patient),
        IssuerOfPatientID=pl.lit("RAD-NORD"),
        InstitutionName=pl.lit("Klinikum Nord"),
        PatientName=pl.when(patient % 5 == 0).then(pl.format("MUELLER, HANS{}", patient)).otherwise(pl.lit("A^B")),
        StudyDate=pl.when(pl.col("n") // 40 % 3 == 0).then(pl.lit("2019-01-02")).otherwise(pl.lit("20190102")),
        Modality=pl.lit("MR"),
    )
    Catalog(project).replace("instances", frame)
    started = time.monotonic()
    result = normalize(project)
    assert time.monotonic() - started < 30
    names = sum(400 for patient_number in range(500) if patient_number % 5 == 0)
    dates = sum(40 for study in range(5000) if study % 3 == 0)
    assert result.counts["changes"] == names + dates


def _name_rows(project: Project) -> dict[str, dict[str, Any]]:
    rows = Catalog(project).read("changes").filter(attribute="PatientName").sort("location")
    return {row["location"]: row for row in rows.to_dicts()}
