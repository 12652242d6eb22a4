from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from fonds.errors import DecisionRefused
from fonds.operations import audit, decisions
from fonds.operations.journal import Journal
from fonds.operations.models import session
from fonds.project.settings import Project, load


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "fonds.yaml").write_text("name: x\nsources: {}\n", encoding="utf-8")
    return load(tmp_path)


def test_a_decision_stands_until_it_is_undone(project: Project) -> None:
    first = decisions.record(project, "pair", "R2", "R1", verdict="link", who="ann")
    decisions.record(project, "pair", "R3", "R4", verdict="not_same", who="ann")
    standing = decisions.standing(project, "pair")
    assert standing.select("subject_a", "subject_b", "verdict").rows() == [
        ("R1", "R2", "link"),
        ("R3", "R4", "not_same"),
    ]
    decisions.undo(project, first, "ben")
    assert decisions.standing(project, "pair")["subject_a"].to_list() == ["R3"]
    assert decisions.all_decisions(project).height == 3
    with pytest.raises(DecisionRefused, match="undone already"):
        decisions.undo(project, first, "ben")


def test_the_latest_decision_on_a_pair_counts(project: Project) -> None:
    decisions.record(project, "pair", "R1", "R2", verdict="link", who="ann")
    decisions.record(project, "pair", "R1", "R2", verdict="not_same", who="ben")
    assert decisions.standing(project, "pair")["verdict"].to_list() == ["not_same"]


@pytest.mark.parametrize(("verdict", "who"), [("maybe", "ann"), ("link", " ")])
def test_a_decision_needs_a_known_verdict_and_a_name(project: Project, verdict: str, who: str) -> None:
    with pytest.raises(DecisionRefused):
        decisions.record(project, "pair", "R1", "R2", verdict=verdict, who=who)


@pytest.mark.parametrize(
    "tampering", ["UPDATE audit SET detail = 'x' WHERE number = 2", "DELETE FROM audit WHERE number = 2"]
)
def test_a_changed_or_missing_audit_row_shows(project: Project, tampering: str) -> None:
    for number in range(4):
        decisions.record(project, "pair", f"R{number}", "S", verdict="link", who="ann")
    assert audit.verify(project) == []
    with session(project) as opened:
        opened.execute(text(tampering))
    assert audit.verify(project)


def test_a_torn_journal_line_is_ignored_and_later_lines_are_kept(project: Project) -> None:
    journal = Journal(project)
    journal.append([{"source": "s", "location": "a", "state": "sending"}])
    segment = next(journal.folder.glob("*.jsonl"))
    with segment.open("ab") as torn:
        torn.write(b'{"source":"s","loc')
    journal.append(
        [{"source": "s", "location": "a", "state": "sent"}, {"source": "s", "location": "b", "state": "sent"}]
    )
    assert journal.latest().select("location", "state").rows() == [("a", "sent"), ("b", "sent")]
