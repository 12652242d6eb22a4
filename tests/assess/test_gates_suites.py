"""Suites of rules/gates: what they take, how much must pass, at which stage, what is kept, which mistakes are told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import fonds.assess.gates
from fonds.assess import assess
from fonds.assess.definition import load_with_files
from fonds.assess.suites import load_suites
from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.project.settings import Project, load
from tests.handmade import instance
from tests.parts import require
from tests.report.test_report_page import CHROMIUM_FLAGS

SETTINGS = """name: x
sources:
  rad: {path: rad, department: radiology}
  card: {path: card, department: cardiology}
"""
CHECKS = """theme: Two checks
checks:
  - id: ZZ-01
    name: sex-odd
    level: instance
    kahn: conformance
    severity: critical
    message: m
    attributes: [PatientSex]
    fails: "PatientSex NOT IN ('F', 'M', 'O')"
    fix: sex.terms
    threshold: 0.1
    examples:
      passes: [{name: a, rows: [{PatientSex: F}]}]
      fails: [{name: b, rows: [{PatientSex: W}], attribute: PatientSex}]
  - id: ZZ-02
    name: study-date-missing
    level: study
    kahn: completeness
    severity: minor
    message: m
    attributes: [StudyDate]
    fails: "bool_and(empty(StudyDate))"
    examples:
      passes: [{name: a, rows: [{StudyInstanceUID: "1", StudyDate: "20200101"}]}]
      fails: [{name: b, rows: [{StudyInstanceUID: "1"}], attribute: StudyDate}]
"""
HIDING = """theme: Nothing
checks:
  - id: YY-00
    name: nothing-00
    level: instance
    kahn: conformance
    severity: minor
    message: m
    attributes: [PatientSex]
    applies: "false"
    fails: "false"
    examples:
      passes: [{name: a, rows: [{PatientSex: F}], applies: false}]
      fails: [{name: b, rows: [{PatientSex: W}], attribute: PatientSex}]
"""
STRICT = """
  - {name: strict, title: t, stage: assess, checks: {severities: [critical]}, mostly: 0.5, stops: wave}
"""
LATER = """
  - {name: later, title: t, stage: normalize, departments: [radiology], mostly_of: {ZZ-01: 1}, stops: wave}
"""


def _project(folder: Path, suites: str) -> Project:
    """Two checks and the suites given, in place of all that is shipped; six of ten objects of rad have an odd sex."""
    (folder / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    project = load(folder)
    checks, gates = folder / "rules" / "checks", folder / "rules" / "gates"
    checks.mkdir(parents=True)
    gates.mkdir()
    # a project's file hides the shipped one of its name: what is shipped gives way to what applies to nothing
    for number, path in enumerate(project.list_content("rules/checks")):
        (checks / path.name).write_text(HIDING.replace("00", f"{number:02}"), encoding="utf-8")
    (checks / "own.yaml").write_text(CHECKS, encoding="utf-8")
    for path in project.list_content("rules/gates"):
        stage = "assess" if path.stem == "as-found" else "normalize"
        text = f"theme: t\nsuites: [{{name: {path.stem}, title: t, stage: {stage}}}]\n"
        (gates / path.name).write_text(text, encoding="utf-8")
    (gates / "own.yaml").write_text(f"theme: t\nsuites:{suites}", encoding="utf-8")
    rows = [
        instance(
            "rad", f"{n}", SOPInstanceUID=f"1.3.{n}", PatientSex="W" if n < 6 else "F", Modality="CT" if n else "MR"
        )
        for n in range(10)
    ]
    rows.append(instance("card", "c", SOPInstanceUID="1.4", StudyInstanceUID="2.1", StudyDate=""))
    Catalog(project).replace("instances", pl.DataFrame(rows))
    return project


def _gates(project: Project, **wanted: Any) -> list[tuple[Any, ...]]:
    found = Catalog(project).read("gates").filter(**wanted)
    return found.select("source", "check_id", "unexpected", "evaluated", "mostly", "success").rows()


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = _project(tmp_path_factory.mktemp("gates"), STRICT + LATER)
    assess(project)
    return project


def test_thresholds_are_the_checks_own_unless_a_suite_says_otherwise(judged: Project) -> None:
    assert _gates(judged, suite="as-found") == [
        ("card", "ZZ-01", 0, 1, 0.9, True),
        ("card", "ZZ-02", 1, 1, 1.0, False),
        ("rad", "ZZ-01", 6, 10, 0.9, False),
        ("rad", "ZZ-02", 0, 1, 1.0, True),
    ]
    assert _gates(judged, suite="strict") == [
        ("card", "ZZ-01", 0, 1, 0.5, True),
        ("rad", "ZZ-01", 6, 10, 0.5, False),
    ]
    assert set(Catalog(judged).read("gates")["check_id"]) == {"ZZ-01", "ZZ-02"}, (
        "what applies to nothing is in no suite"
    )


def test_a_closed_gate_is_told_with_expectation_and_rows(tmp_path: Path) -> None:
    result = assess(_project(tmp_path, STRICT))
    assert result.counts["gates_closed"] == 1
    assert "gate closed for rad: suite strict, ZZ-01 sex-odd fails for 6 of 10 rows" in result.left


def test_a_large_source_is_judged_by_counts_and_alike(tmp_path: Path, judged: Project, monkeypatch: Any) -> None:
    monkeypatch.setattr(fonds.assess.gates, "MAX_ENTITIES", 5)
    project = _project(tmp_path, STRICT)
    assess(project)
    large = Catalog(project).read("gates").filter(source="rad", stage="assess")
    assert set(large["expectation"]) == {"expect_column_sum_to_be_between"}
    small = Catalog(judged).read("gates").filter(source="rad", stage="assess")
    assert set(small["expectation"]) == {"expect_column_values_to_be_in_set"}
    assert large.drop("expectation").equals(small.drop("expectation"))


def test_after_the_rules_effective_values_are_judged_and_raw_findings_stay(judged: Project) -> None:
    catalog = Catalog(judged)
    findings, card = catalog.read("findings"), catalog.read("scorecard")
    changed = [
        {"change_id": f"c{n}", "source": "rad", "location": f"{n}", "attribute": "PatientSex", "path": "(0010,0040)",
         "before": "W", "after": "F", "state": "approved" if n < 5 else "proposed", "rule": "sex.terms"}
        for n in range(6)
    ]  # fmt: skip
    catalog.replace("changes", pl.DataFrame(changed))
    result = assess(judged, effective=True)
    assert _gates(judged, suite="later") == [("rad", "ZZ-01", 1, 10, 1.0, False), ("rad", "ZZ-02", 0, 1, 1.0, True)]
    assert result.counts["gates_closed"] == 1
    assert _gates(judged, suite="strict", source="rad") == [("rad", "ZZ-01", 6, 10, 0.5, False)], (
        "the other stage stays"
    )
    assert catalog.read("findings").equals(findings)
    assert catalog.read("scorecard").equals(card)
    assert assess(judged, effective=True).status == "unchanged"
    assert assess(judged).status == "unchanged", "what the other stage wrote is no news"
    catalog.replace("changes", pl.DataFrame([{**row, "state": "approved"} for row in changed]))
    assert assess(judged, effective=True).counts["gates_closed"] == 0


def test_results_of_each_run_are_kept_and_name_what_failed(tmp_path: Path) -> None:
    project = _project(tmp_path, STRICT)
    runs = [assess(project, force=True).run for _ in range(2)]
    kept = sorted((project.reports_dir / "gates").glob("assess-*.json"))
    assert [path.name for path in kept] == [f"assess-{run:06}.json" for run in runs]
    told = {(one["suite"], one["source"]): one for one in json.loads(kept[0].read_text(encoding="utf-8"))}
    strict = told["strict", "rad"]
    assert (strict["success"], strict["statistics"]["unsuccessful_expectations"], strict["stops"]) == (False, 1, "wave")
    assert strict["results"] == [
        {"check_id": "ZZ-01", "severity": "critical", "expectation": "expect_column_values_to_be_in_set", "mostly": 0.5,
         "evaluated": 10, "unexpected": 6, "success": False}
    ]  # fmt: skip


def test_data_docs_of_both_stages_open_without_network(judged: Project) -> None:
    assess(judged, effective=True, force=True)
    chromium = require("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    index = judged.reports_dir / "data_docs" / "index.html"
    asked: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_context(viewport={"width": 390, "height": 800}, offline=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(index.as_uri())
        rows = page.locator("tbody tr").all_inner_texts()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        page.get_by_role("link", name="strict: rad").click()
        assert page.get_by_text("sex-odd").count() >= 1
        page.get_by_role("link", name="Data Docs").first.click()
        page.get_by_role("link", name="later: rad").click()
        assert page.url.startswith((judged.reports_dir / "data_docs" / "normalize").as_uri())
        browser.close()
    assert any(row.split() == ["strict:", "rad", "assess", "1", "1", "6", "closed"] for row in rows)
    assert {url.split(":")[0] for url in asked} == {"file"}


@pytest.mark.parametrize(
    ("suite", "line", "told"),
    [
        ("{name: a, title: t, stage: assess, checks: {ids: [ZZ-1]}}", 3, "no check 'ZZ-1'; did you mean 'ZZ-01'?"),
        ("{name: a, title: t, stage: assess, sources: [rat]}", 3, "there is no source 'rat'; did you mean 'rad'?"),
        ("{name: a, title: t, stage: assess, departments: [x]}", 3, "there is: cardiology, radiology"),
        ("{name: a, title: t, stage: later}", 3, "'assess' or 'normalize'"),
        ("{name: a, title: t, stage: assess, mostley: 0.5}", 3, "did you mean 'mostly'?"),
        ("{name: a, title: t, stage: assess, mostly: 2}", 3, "less than or equal to 1"),
        ("{name: a, title: t, stage: assess, mostly_of: {ZZ-09: 1}}", 3, "there is no check 'ZZ-09'"),
        ("{name: a, title: t, stage: assess, stops: everything}", 3, "'wave' or 'nothing'"),
        ("{name: a, title: t, stage: assess, checks: {levels: [study], severities: [critical]}}", 3, "takes no check"),
        ("{name: as-found, title: t, stage: assess}", None, "the suite as-found is there twice"),
    ],
)  # fmt: skip
def test_a_mistake_names_file_line_and_what_is_allowed(
    made: Callable[[str], Project], suite: str, line: int | None, told: str
) -> None:
    project = made(f"\n  - {suite}\n")
    checks = [check for path, check in load_with_files(project) if path.name == "own.yaml"]
    with pytest.raises(DefinitionInvalid) as raised:
        load_suites(project, checks)
    assert raised.value.path.endswith("rules/gates/own.yaml")
    assert any(told in text and at == line for at, text in raised.value.mistakes), raised.value.mistakes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Project]:
    """The same project with other suites of its own."""
    project = _project(tmp_path_factory.mktemp("mistakes"), STRICT)

    def with_suites(text: str) -> Project:
        (project.root / "rules" / "gates" / "own.yaml").write_text(f"theme: t\nsuites:{text}", encoding="utf-8")
        return project

    return with_suites


def test_the_shipped_suites_stop_only_what_is_intolerable(tmp_path: Path) -> None:
    (tmp_path / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    project = load(tmp_path)
    suites = load_suites(project, [check for _, check in load_with_files(project)])
    stopping = {suite.name: suite.mostly for suite in suites if suite.stops == "wave"}
    assert stopping == {"fit-to-move": 0.5}
    assert {suite.stage for suite in suites} == {"assess", "normalize"}
