"""A closed gate holds the studies of its source and says why, and the verbs exit with 1."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.migrate import migrate
from fonds.plan import plan
from fonds.project.settings import Project
from tests.handmade import instance, make_project, settle, write

STUDY_2 = {"StudyInstanceUID": "1.5", "SeriesInstanceUID": "1.6", "AccessionNumber": "A5"}
SHARED = {"StudyInstanceUID": "1.7", "SeriesInstanceUID": "1.8", "AccessionNumber": "A7"}


def gate(**values: Any) -> dict[str, Any]:
    return {
        "stage": "normalize", "suite": "fit-to-move", "source": "rad", "check_id": "IN-03", "name": "sop-uid-invalid",
        "severity": "block", "expectation": "expect_column_sum_to_be_between", "mostly": 0.5, "evaluated": 40,
        "unexpected": 31, "stops": "wave", "success": False,
    } | values  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_project(tmp_path, "rad", "card")
    rows = [
        instance("rad", "a"),
        instance("card", "b", **STUDY_2),
        instance("rad", "c", **SHARED),
        instance("card", "d", **SHARED),
    ]
    write(made, "instances", rows)
    settle(made)
    return made


def outcome(project: Project) -> dict[str, tuple[str, str | None]]:
    return {row["location"]: (row["state"], row["reason"]) for row in Catalog(project).read("plan").to_dicts()}


def test_a_closed_gate_holds_its_source_and_whatever_shares_a_study_with_it(project: Project) -> None:
    write(project, "gates", [gate(), gate(source="card", success=True, unexpected=0)])
    result = plan(project)
    held = ("held", "gate")
    assert outcome(project) == {"a": held, "b": ("planned", None), "c": held, "d": held}
    (detail,) = set(Catalog(project).read("plan").filter(state="held")["detail"])
    assert "IN-03 sop-uid-invalid in suite fit-to-move: 31 of 40 rows of rad fail" in detail
    assert "fonds gates" in detail
    assert result.counts["gates_closed"] == 1
    assert any("31 of 40 rows of rad fail; studies that wait: 2" in line for line in result.left)


@pytest.mark.parametrize(
    "row", [gate(success=True), gate(stops="nothing")], ids=["an open gate", "a suite that stops nothing"]
)
def test_nothing_else_is_held(project: Project, row: dict[str, Any]) -> None:
    write(project, "gates", [row])
    result = plan(project)
    assert {state for state, _ in outcome(project).values()} == {"planned"}
    assert result.counts["gates_closed"] == 0


def test_a_wave_may_pass_a_closed_gate(project: Project) -> None:
    (project.root / "flows").mkdir()
    (project.root / "flows" / "waves.yaml").write_text(
        "waves:\n- {name: all, holds: {gate: false}}\n", encoding="utf-8"
    )
    write(project, "gates", [gate()])
    assert plan(project).counts["gates_closed"] == 0
    assert {state for state, _ in outcome(project).values()} == {"planned"}


def test_a_particular_reason_is_told_before_the_gate(project: Project) -> None:
    write(project, "gates", [gate()])
    write(
        project,
        "findings",
        [{"check_id": "IN-07", "name": "n", "level": "instance", "entity": "a", "severity": "block", "source": "rad"}],
    )
    plan(project)
    assert outcome(project)["a"] == ("held", "critical-finding")
    detail = Catalog(project).read("plan").filter(location="a")["detail"].item()
    assert "a gate of its source is closed" in detail


def test_the_plan_is_made_anew_when_the_gate_opens(project: Project) -> None:
    write(project, "gates", [gate()])
    plan(project)
    write(project, "gates", [gate(success=True, unexpected=3)])
    assert plan(project).status == "done"
    assert outcome(project)["a"] == ("planned", None)


def test_migrate_says_so_too(project: Project) -> None:
    write(project, "gates", [gate(), gate(source="card")])
    plan(project)
    result = migrate(project)
    assert result.counts["gates_closed"] == 2
    assert any("studies a closed gate holds: 3" in line for line in result.left)


def test_the_verbs_exit_with_one_while_it_is_closed(project: Project) -> None:
    write(project, "gates", [gate()])
    for verb in ("plan", "gates"):
        done = _fonds(verb, "-p", str(project.root), "--json")
        assert done.returncode == 1, done.stderr
        told = json.loads(done.stdout)
    assert told["suites"][0]["state"] == "closed"
    assert [told["failed"][0][name] for name in ("expectation", "rows", "of")] == ["IN-03 sop-uid-invalid", 31, 40]
    write(project, "gates", [gate(success=True)])
    assert _fonds("plan", "-p", str(project.root)).returncode == 0


def _fonds(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from fonds.cli import main; main()", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)
