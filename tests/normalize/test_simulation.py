"""`fonds normalize --dry-run`: what the rules would do, in figures that can be counted by hand, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.errors import QueryRefused
from fonds.normalize import normalize
from fonds.normalize.simulate import simulate
from fonds.operations import decisions
from fonds.operations.runs import runs
from fonds.project.settings import Project, load
from tests.normalize.conftest import Make
from tests.normalize.packs import RADIOLOGY, site_pack

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
    needs: steward
    examples: [{name: one, before: "a, b", after: a^b}]
  - id: sex.words
    title: Words become letters
    attributes: [PatientSex]
    action: map
    table: {M: [male], F: [female]}
    examples: [{name: one, before: male, after: M}]
"""
NAMES = ["Doe, Ann ", "Doe, Ann ", "Doe, Ann ", "Roe, Ben", "Poe^Cid ", "Poe^Cid", "Low^Dan", None]
SEXES = ["male", "male", "female", "M", "M", "M", "F", ""]


@pytest.fixture
def project(make: Make, tmp_path: Path) -> Project:
    site_pack(tmp_path, "site", RULES)
    rows = [
        {"PatientName": name, "PatientSex": sex, "StudyInstanceUID": f"1.{number // 2}"}
        for number, (name, sex) in enumerate(zip(NAMES, SEXES, strict=True))
    ]
    return make(rows, radiology=RADIOLOGY | {"packs": ["site@1"]})


def of_rule(found: Any, rule: str) -> dict[str, Any]:
    (row,) = found.rules.filter(rule=rule).to_dicts()
    return dict(row)


def test_it_says_what_normalize_then_does_and_writes_nothing(project: Project) -> None:
    before = Catalog(project).versions(), runs(project).height, sorted(project.catalog_dir.rglob("*"))
    found = simulate(project)
    assert (Catalog(project).versions(), runs(project).height, sorted(project.catalog_dir.rglob("*"))) == before
    assert found.counts == {
        "changes": 8, "objects": 5, "studies": 3, "new": 8, "gone": 0, "different": 0, "same": 0,
    }  # fmt: skip
    normalize(project)
    assert Catalog(project).read("changes").height == found.counts["changes"]
    again = simulate(project)
    assert (again.counts["new"], again.counts["same"]) == (0, 8)


def test_each_rule_counts_what_it_takes_part_in_with_its_own_steps_as_examples(project: Project) -> None:
    found = simulate(project)
    trim, comma = of_rule(found, "names.trim"), of_rule(found, "names.comma")
    assert [trim[name] for name in ("objects", "studies", "values", "proposed", "approved")] == [4, 3, 2, 3, 1]
    assert [comma[name] for name in ("objects", "values", "proposed", "approved")] == [4, 2, 4, 0]
    examples = found.examples.filter(rule="names.comma").select("before", "after", "objects").rows()
    assert examples == [("Doe, Ann", "Doe^Ann", 3), ("Roe, Ben", "Roe^Ben", 1)]
    assert ("Doe, Ann ", "Doe, Ann", 3) in found.examples.filter(rule="names.trim").select(
        "before", "after", "objects"
    ).rows()


def test_the_shift_of_an_attribute_is_exact(project: Project) -> None:
    found = simulate(project)
    (sex,) = found.shifts.filter(attribute="PatientSex").to_dicts()
    # 3 M, 2 male, 1 F, 1 female, 1 empty become 5 M, 2 F, 1 empty: three of eight objects move
    assert sex == {
        "attribute": "PatientSex", "values_before": 5, "values_after": 3,
        "empty_before": 0.125, "empty_after": 0.125, "distance": 0.375,
    }  # fmt: skip
    tops = found.tops.filter(attribute="PatientSex").select("value", "share_before", "share_after").rows()
    assert tops[0] == ("M", 0.375, 0.625)
    assert ("male", 0.25, 0.0) in tops


def test_rejected_changes_shift_nothing_and_stand_as_rejected(project: Project) -> None:
    decisions.record(project, "change", "sex.words", "", verdict="reject", who="A. Steward")
    found = simulate(project)
    assert of_rule(found, "sex.words")["rejected"] == 3
    assert found.shifts.filter(attribute="PatientSex")["distance"].to_list() == [0.0]


def test_an_edited_pack_shows_what_is_new_gone_and_different(project: Project) -> None:
    normalize(project)
    theme = project.root / "rules" / "site" / "theme.yaml"
    edited = RULES.replace("{M: [male], F: [female]}", "{MALE: [male], F: [femme]}").replace(
        "before: male, after: M", "before: femme, after: F"
    )
    theme.write_text(edited, encoding="utf-8")
    found = simulate(load(project.root), rule="sex.words")
    assert [found.counts[name] for name in ("new", "gone", "different", "same")] == [0, 1, 2, 0]
    assert found.rules["rule"].to_list() == ["sex.words"]
    assert found.shifts["attribute"].to_list() == ["PatientSex"]


@pytest.mark.parametrize("chosen", [{"rule": "sex.none"}, {"sources": ["nowhere"]}])
def test_names_that_are_not_there_are_refused_with_those_that_are(project: Project, chosen: dict[str, Any]) -> None:
    with pytest.raises(QueryRefused, match=r"sex\.words|radiology"):
        simulate(project, **chosen)


def test_the_command_prints_it_on_eighty_columns_and_as_json(project: Project) -> None:
    root = str(project.root)
    shown = CliRunner().invoke(app, ["normalize", "--dry-run", "-p", root], env={"COLUMNS": "80"})
    assert shown.exit_code == 0
    assert "Nothing was written" in shown.stdout
    assert "Doe, Ann → Doe^Ann" in shown.stdout
    assert "'Doe, Ann ' → Doe, Ann" in shown.stdout
    assert "Doe" not in shown.stderr
    told = CliRunner().invoke(app, ["normalize", "--dry-run", "--json", "--rule", "sex.words", "-p", root])
    assert json.loads(told.stdout)["counts"]["changes"] == 3
    assert CliRunner().invoke(app, ["normalize", "--rule", "sex.words", "-p", root]).exit_code == 2
    assert not Catalog(project).read("changes").height
