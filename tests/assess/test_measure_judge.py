from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy import update
from typer.testing import CliRunner

from fonds.assess import assess
from fonds.assess.definition import load_with_files
from fonds.assess.judge import judge
from fonds.assess.thresholds import Thresholds
from fonds.assess.thresholds import load as load_thresholds
from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.errors import DefinitionInvalid
from fonds.operations.models import Run, session
from fonds.project.settings import Project, load

SETTINGS = (
    "name: x\nsources:\n  rad: {path: rad, department: radiology}\n  card: {path: card, department: cardiology}\n"
)
ONE = """theme: x
checks:
  - id: ZZ-01
    name: zz
    level: instance
    kahn: conformance
    severity: minor
    message: m
    attributes: [PatientID]
    fails: "PatientID = 'B'"
    examples:
      passes: [{name: a, rows: [{PatientID: A}]}]
      fails: [{name: b, rows: [{PatientID: B}], attribute: PatientID, value: B}]
"""


def _project(folder: Path) -> Project:
    """Three objects of `rad` of which one fails ZZ-01, none of `card`."""
    (folder / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    checks = folder / "rules" / "checks"
    checks.mkdir(parents=True)
    (checks / "own.yaml").write_text(ONE, encoding="utf-8")
    project = load(folder)
    rows = [
        {"source": "rad", "location": name, "PatientID": name, "Modality": kind, "StudyDate": day, "read_status": "ok"}
        for name, kind, day in (("A", "CT", "20240101"), ("B", "CT", "2023.01.01"), ("C", "MR", ""))
    ]
    Catalog(project).replace("instances", pl.DataFrame(rows))
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = _project(tmp_path_factory.mktemp("judge"))
    assess(made)
    return made


def _thresholds(project: Project, text: str) -> None:
    (project.root / "rules" / "thresholds.yaml").write_text(text, encoding="utf-8")


def _status(project: Project, source: str = "rad") -> tuple[str, float]:
    row = Catalog(project).read("scorecard").filter(check_id="ZZ-01", source=source).row(0, named=True)
    return row["status"], row["threshold"]


def test_counts_are_kept_by_modality_and_year_and_the_scorecard_is_their_sum(project: Project) -> None:
    catalog = Catalog(project)
    measures = catalog.read("measures")
    ours = measures.filter(check_id="ZZ-01").select("source", "modality", "study_year", "numerator", "denominator")
    assert sorted(ours.rows()) == [("rad", "CT", "2023", 1, 1), ("rad", "CT", "2024", 0, 1), ("rad", "MR", "", 0, 1)]
    summed = measures.group_by("check_id", "source").agg(pl.col("numerator", "denominator").sum())
    card = catalog.read("scorecard").filter(pl.col("denominator") > 0)
    columns = ["check_id", "source", "numerator", "denominator"]
    assert set(card.select(columns).rows()) == set(summed.select(columns).rows())


def test_counts_are_judged_anew_and_it_is_said_what_moved(project: Project) -> None:
    assert _status(project) == ("failed", 0.0)
    findings = Catalog(project).versions()["findings"]
    _thresholds(project, "checks: {ZZ-01: 0.5}\nsources: {rad: {checks: {ZZ-01: 0.4}}}\n")
    told = CliRunner().invoke(app, ["assess", "--judge", "--json", "-p", str(project.root)])
    result = json.loads(told.stdout)
    assert "rad: ZZ-01 is passed, was failed (1 of 3; 0.4 may fail)" in result["left"]
    assert result["counts"]["moved"] == 1
    assert (_status(project), _status(project, "card")) == (("passed", 0.4), ("not applicable", 0.5))
    assert Catalog(project).versions()["findings"] == findings


def test_what_policy_skips_neither_passes_nor_fails_and_says_why(project: Project) -> None:
    skip = "{check: ZZ-01, reason: the ward has no other identifier}"
    _thresholds(project, f"sources: {{rad: {{skip: [{skip}]}}}}\n")
    result = assess(project, judge_only=True)
    assert _status(project)[0] == "skipped"
    assert "rad: ZZ-01 is skipped (the ward has no other identifier); 1 of 3 fail" in result.left


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("checks:\n  ZZ-02: 0.1\n", 1, "did you mean 'ZZ-01'?"),
        ("sources:\n  rod: {}\n", 1, "did you mean 'rad'?"),
        ("severities:\n  mild: 0.1\n", 2, "'block', 'critical', 'major', 'minor' or 'info'"),
        ("checks:\n  ZZ-01: 1.5\n", 2, "less than 1"),
        ("sources:\n  rad:\n    skip:\n      - {check: ZZ-01, reason: no}\n", 4, "at least 10 characters"),
        ("check: {}\n", 1, "did you mean 'checks'?"),
    ],
)
def test_a_mistake_names_line_and_what_is_allowed(project: Project, text: str, line: int, reason: str) -> None:
    _thresholds(project, text)
    with pytest.raises(DefinitionInvalid) as caught:
        load_thresholds(project, [check for _, check in load_with_files(project)])
    assert [(at, reason in said) for at, said in caught.value.mistakes] == [(line, True)]


def test_the_nearest_threshold_counts() -> None:
    checks = [check for _, check in load_with_files(load(Path(__file__).parents[2]))]
    one = next(check for check in checks if check.severity == "minor").model_copy(update={"threshold": 0.3})
    counts = pl.DataFrame({"check_id": [one.id], "source": ["a"], "numerator": [1], "denominator": [10]})
    steps = [
        ({}, 0.3),
        ({"severities": {"minor": 0.2}}, 0.2),
        ({"severities": {"minor": 0.2}, "sources": {"a": {"severities": {"minor": 0.05}}}}, 0.05),
        ({"checks": {one.id: 0.15}, "sources": {"a": {"severities": {"minor": 0.05}}}}, 0.15),
        ({"checks": {one.id: 0.15}, "sources": {"a": {"checks": {one.id: 0.01}}}}, 0.01),
    ]
    found = [judge(counts, [one], Thresholds.model_validate(text))["threshold"].item() for text, _ in steps]
    assert found == [share for _, share in steps]


def test_history_grows_by_one_run_and_forgets_a_killed_one(tmp_path: Path) -> None:
    project = _project(tmp_path)
    first = assess(project).run
    assert assess(project).status == "unchanged"
    assert set(Catalog(project).read("assessments")["run"]) == {first}
    with session(project) as opened:  # as if it had been killed before its end was recorded
        opened.execute(update(Run).where(Run.run == first).values(ended=None, status="running"))
    second = assess(project).run
    history = Catalog(project).read("assessments")
    assert set(history["run"]) == {second}
    assert history.filter(check_id="ZZ-01", source="rad").select("numerator", "denominator").rows() == [(1, 3)]
