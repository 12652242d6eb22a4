"""The database's word as a change: before the rules, once for an object and attribute, only with a steward's leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.normalize import normalize
from fonds.operations import decisions
from fonds.project.settings import Project
from tests.normalize.conftest import Make
from tests.normalize.packs import RADIOLOGY, site_pack

INDEX = {"kind": "export", "path": "db.csv", "mapping": "rules/sites/oldpacs-export.yaml", "of": "radiology"}
SOURCES: dict[str, Any] = {"radiology": RADIOLOGY | {"packs": ["site@1"]}, "db": INDEX, "pacs": INDEX}
# three rules instead of all that ship: reading those takes longer than the tests
RULES = """rules:
  - id: names.trim
    title: Spaces go
    attributes: [PatientName]
    action: trim
    what: components
    examples: [{name: at the end, before: "a ", after: a}]
  - id: names.comma
    title: A comma parts family and given name
    attributes: [PatientName]
    action: split-name
    form: comma
    examples: [{name: one, before: "a, b", after: a^b}]
  - id: issuer.fill
    title: An identifier has an issuer
    attributes: [IssuerOfPatientID]
    action: fill
    setting: issuer
    scope: {condition: NOT empty(PatientID)}
    examples: [{name: none, before: null, after: X, given: {PatientID: P, issuer: X}}]
"""
OBJECT = {"StudyInstanceUID": "1.1", "SeriesInstanceUID": "1.2", "PatientID": "P1", "PatientName": "Doe^Ann"}


def told(project: Project, *rows: dict[str, Any]) -> None:
    """Put these rows into `drift`: the index wins and needs a steward unless they say otherwise."""
    plain = {
        "source": "radiology", "index_source": "db", "level": "STUDY", "study_uid": "1.1", "kind": "differs",
        "winner": "index", "needs": "steward", "reason": "CORRECT", "pack": "precedence", "pack_version": "1.0.0",
        "pack_hash": "h",
    }  # fmt: skip
    full = [{**plain, "rule": f"drift.{row['attribute']}", **row} for row in rows]
    kinds = schema.TABLES["drift"].schema
    Catalog(project).replace("drift", pl.DataFrame(full, schema={name: kinds[name] for name in full[0]}))


def name(value: str | None, after: str, **more: Any) -> dict[str, Any]:
    return {"attribute": "PatientName", "file_value": value, "winning_value": after, **more}


def changed(project: Project, *columns: str) -> list[tuple[Any, ...]]:
    normalize(project)
    frame = Catalog(project).read("changes")
    assert frame.select("source", "location", "path").is_unique().all()
    return frame.sort("location", "attribute").select(columns).rows()


PLAIN = ("location", "before", "after", "rule", "state")


@pytest.fixture
def project(make: Make, tmp_path: Path) -> Project:
    site_pack(tmp_path, "site", RULES)
    rows = [
        OBJECT,
        {**OBJECT, "PatientName": "DOE^ANN "},
        {**OBJECT, "SeriesInstanceUID": "1.3"},
        {**OBJECT, "StudyInstanceUID": "2.1"},
    ]
    return make([{"InstitutionName": "Klinikum Nord", **row} for row in rows], **SOURCES)


def names(project: Project, *columns: str) -> list[tuple[Any, ...]]:
    rows = changed(project, *columns, "attribute")
    return [row[:-1] for row in rows if row[-1] == "PatientName"]


def test_a_studys_value_goes_to_all_its_objects_that_say_otherwise(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe^Ann"))
    mine = ("precedence/db", "1.0.0", "h", "CORRECT", "steward")
    rows = names(project, *PLAIN, "pack", "pack_version", "pack_hash", "reason", "needs")
    assert rows[0] == ("o0", "Doe^Ann", "Roe^Ann", "drift.PatientName", "proposed", *mine)
    assert rows[1][:6] == ("o1", "DOE^ANN ", "DOE^ANN", "names.trim", "approved", "site")
    assert rows[2:] == [("o2", *rows[0][1:])]


def test_a_series_value_goes_to_its_objects_only(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe^Ann", level="SERIES", series_uid="1.3", needs="none"))
    assert ("o2", "Roe^Ann", "approved") in names(project, "location", "after", "state")
    assert "o0" not in {location for (location,) in names(project, "location")}


def test_rules_act_on_the_databases_value_and_one_change_explains_it(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe,  Ann ", needs="none"), name("DOE^ANN ", "Roe,  Ann ", needs="none"))
    rows = names(project, "location", "before", "after", "rule", "state", "pack")
    assert [row[:3] for row in rows] == [
        ("o0", "Doe^Ann", "Roe^Ann"), ("o1", "DOE^ANN ", "Roe^Ann"), ("o2", "Doe^Ann", "Roe^Ann"),
    ]  # fmt: skip
    for *_, rule, state, pack in rows:
        assert rule.startswith("drift.PatientName > names.")
        assert (state, pack) == ("approved", "site")
    with Catalog(project).connect() as connection:
        shown = connection.sql("SELECT PatientName FROM effective ORDER BY location").fetchall()
    assert [value for (value,) in shown] == ["Roe^Ann", "Roe^Ann", "Roe^Ann", "Doe^Ann"]


def test_what_the_rules_make_of_it_may_be_what_the_files_say(project: Project) -> None:
    told(project, name("Doe^Ann", "Doe, Ann", needs="none"))
    assert [row for row in names(project, "location", "rule") if "drift" in row[1]] == []


def test_other_attributes_rules_see_the_databases_value(make: Make, tmp_path: Path) -> None:
    site_pack(tmp_path, "site", RULES)
    project = make([{**OBJECT, "PatientID": None, "IssuerOfPatientID": None}], **SOURCES)
    told(project, {"attribute": "PatientID", "file_value": None, "winning_value": "P7", "needs": "none"})
    rows = {attribute: (after, rule) for attribute, after, rule in changed(project, "attribute", "after", "rule")}
    assert rows["PatientID"] == ("P7", "drift.PatientID")
    # an issuer is filled in where there is an identifier
    assert rows["IssuerOfPatientID"][0] == "RAD-NORD"


def test_a_steward_approves_the_rule_or_one_value(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe^Ann"), name("DOE^ANN ", "ROE^ANN"))
    ids = dict(names(project, "location", "change_id"))
    assert ids["o0"] == ids["o2"] != ids["o1"]
    decisions.record(project, "change", ids["o0"], "", verdict="approve", who="ann")
    assert dict(names(project, "location", "state")) == {"o0": "approved", "o1": "proposed", "o2": "approved"}
    decisions.record(project, "change", "drift.PatientName", "", verdict="approve", who="ann")
    assert set(dict(names(project, "location", "state")).values()) == {"approved"}


def test_a_rejected_value_leaves_the_rules_to_what_the_files_say(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe^Ann"), name("DOE^ANN ", "Roe^Ann"))
    number = decisions.record(project, "change", "drift.PatientName", "", verdict="reject", who="ann")
    rows = {location: rest for location, *rest in names(project, "location", "after", "rule", "state")}
    # seen where nothing else is proposed, so that it can be taken back
    assert rows["o0"] == ["Roe^Ann", "drift.PatientName", "rejected"]
    assert rows["o1"] == ["DOE^ANN", "names.trim", "approved"]
    decisions.undo(project, number, "ann")
    assert {location: state for location, state in names(project, "location", "state")}["o1"] == "proposed"


def test_the_index_named_first_has_the_word_and_files_that_win_keep_theirs(project: Project) -> None:
    told(
        project,
        name("Doe^Ann", "Poe^Ann", index_source="pacs"),
        name("Doe^Ann", "Roe^Ann"),
        {"attribute": "StudyID", "file_value": None, "winner": "none", "winning_value": None},
        {"attribute": "PatientID", "file_value": "P1", "winner": "files", "winning_value": "P1"},
    )
    rows = changed(project, "location", "after", "pack", "rule")
    assert [row[:3] for row in rows if row[3].startswith("drift.")] == [
        ("o0", "Roe^Ann", "precedence/db"),
        ("o2", "Roe^Ann", "precedence/db"),
    ]


def test_it_runs_again_only_when_the_drift_is_another(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe^Ann"))
    assert normalize(project).status == "done"
    assert normalize(project).status == "unchanged"
    told(project, name("Doe^Ann", "Poe^Ann"))
    assert normalize(project).status == "done"
