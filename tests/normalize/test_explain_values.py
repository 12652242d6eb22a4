"""`fonds explain STUDY_UID`: every value that differs or could, who says it, what made it, who decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.normalize import normalize
from fonds.normalize.explain import explain
from fonds.operations import decisions
from fonds.project.settings import Project, load
from tests.normalize.conftest import Make
from tests.normalize.packs import site_pack
from tests.normalize.test_drift_changes import OBJECT, RULES, SOURCES, name, told

STUDY = "1.1"


@pytest.fixture
def project(make: Make, tmp_path: Path) -> Project:
    site_pack(tmp_path, "site", RULES.replace("form: comma", "form: comma\n    needs: steward"))
    rows = [
        OBJECT,
        {**OBJECT, "PatientName": "Doe, Ann "},
        {**OBJECT, "PatientName": "Doe, Ann "},
        {**OBJECT, "StudyInstanceUID": "9.9", "PatientName": "Else, Body "},
    ]
    return make(rows, **SOURCES)


def value(project: Project, raw: str, attribute: str = "PatientName") -> dict[str, Any]:
    found = explain(project, STUDY)
    assert found is not None
    (one,) = [part for part in found["attributes"] if part["attribute"] == attribute]
    (said,) = [part for part in one["values"] if part["raw"] == raw]
    return dict(said)


def test_objects_are_grouped_and_each_rule_of_the_chain_tells_its_step(project: Project) -> None:
    normalize(project)
    said = value(project, "Doe, Ann ")
    assert (said["source"], said["objects"], said["unchanged"]) == ("radiology", 2, 0)
    (change,) = said["changes"]
    assert [(step["rule"], step["before"], step["after"]) for step in change["steps"]] == [
        ("names.trim", "Doe, Ann ", "Doe, Ann"),
        ("names.comma", "Doe, Ann", "Doe^Ann"),
    ]
    assert (change["steps"][1]["pack"], change["steps"][1]["pack_version"]) == ("site", "1.0.0")
    assert (change["state"], change["needs"], change["target"]) == ("proposed", "steward", "Doe, Ann ")


def test_a_decision_is_told_with_who_when_and_why_and_the_target_says_the_new_value(project: Project) -> None:
    normalize(project)
    change = value(project, "Doe, Ann ")["changes"][0]["change_id"]
    decisions.record(project, "change", change, "", verdict="approve", who="A. Steward", comment="asked the ward")
    normalize(project)
    (change,) = value(project, "Doe, Ann ")["changes"]
    (made,) = change["decisions"]
    assert (made["verdict"], made["who"], made["comment"]) == ("approve", "A. Steward", "asked the ward")
    assert made["at"]
    assert (change["state"], change["target"]) == ("approved", "Doe^Ann")


def test_the_word_of_the_index_is_the_first_step(project: Project) -> None:
    told(project, name("Doe^Ann", "Roe, Ann", index_value="Roe, Ann", instances=1))
    normalize(project)
    said = value(project, "Doe^Ann")
    assert [(one["index_source"], one["index_value"], one["winner"]) for one in said["index"]] == [
        ("db", "Roe, Ann", "index")
    ]
    (change,) = said["changes"]
    assert [(step["rule"], step["after"]) for step in change["steps"]] == [
        ("drift.PatientName", "Roe, Ann"),
        ("names.comma", "Roe^Ann"),
    ]


def test_findings_stand_with_their_attribute_and_remedy(project: Project) -> None:
    normalize(project)
    finding = {"check_id": "PT-02", "name": "n", "severity": "major", "source": "radiology", "entity": "e",
               "study_uid": STUDY, "attribute": "PatientName", "value": "Doe, Ann ", "message": "Say so."}  # fmt: skip
    _put(
        project, "findings", {**finding}, {**finding, "entity": "f"}, {**finding, "check_id": "ST-1", "attribute": None}
    )
    _put(project, "checks", {"check_id": "PT-02", "fix": "names.comma", "standard": "PS3.5 6.2"})
    found = explain(project, STUDY)
    assert found is not None
    (names,) = [one for one in found["attributes"] if one["attribute"] == "PatientName"]
    assert [(one["check_id"], one["entities"], one["fix"]) for one in names["findings"]] == [
        ("PT-02", 2, "names.comma")
    ]
    assert [one["check_id"] for one in found["findings"]] == ["ST-1"]


def test_a_changed_pack_is_not_held_responsible_for_what_another_made(project: Project) -> None:
    normalize(project)
    theme = project.root / "rules" / "site" / "theme.yaml"
    theme.write_text(theme.read_text(encoding="utf-8").replace("names.trim", "names.spaces"), encoding="utf-8")
    found = explain(load(project.root), STUDY)
    assert found is not None
    changes = [change for one in found["attributes"] for said in one["values"] for change in said["changes"]]
    assert [one["steps"] for one in changes if one["rule"].startswith("names.trim")] == [[]]


def test_the_short_form_one_attribute_json_and_an_unknown_study(project: Project) -> None:
    normalize(project)
    root = str(project.root)
    shown = CliRunner().invoke(app, ["explain", STUDY, "-a", "PatientName", "-p", root], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert "names.comma" in shown.stdout
    assert "IssuerOfPatientID" not in shown.stdout
    assert "Else" not in shown.stdout
    assert all(len(line.rstrip()) <= 80 for line in shown.stdout.splitlines())
    for words in (["explain", STUDY], ["explain", "study", STUDY]):
        found = json.loads(CliRunner().invoke(app, [*words, "--json", "-p", root]).stdout)
        assert {one["attribute"] for one in found["attributes"]} == {"PatientName", "IssuerOfPatientID"}
    for wrong in (["explain", "7.7.7"], ["explain", STUDY, "-a", "NoSuchWord"], ["explain"]):
        assert CliRunner().invoke(app, [*wrong, "-p", root]).exit_code != 0


def _put(project: Project, table: str, *rows: dict[str, Any]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    Catalog(project).replace(
        table, pl.DataFrame(list(rows), schema={name: schema.TABLES[table].schema[name] for name in names})
    )
