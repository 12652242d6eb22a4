"""Report definitions: what ships is valid, a project's own copy counts, mistakes are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from fonds.errors import DefinitionInvalid
from fonds.project.folders import shipped
from fonds.project.settings import Project, load
from fonds.report import report
from fonds.report.definition import load_all, load_remedies
from fonds.report.tables import table_html

SMALL = """\
version: 1
title: Small
sections:
  - id: one
    title: One
    blocks:
      - {kind: table, query: own, columns: [{name: a, label: A}, {name: b, label: B, format: whole}]}
"""


@pytest.fixture
def own(tmp_path: Path) -> Project:
    """A project with a report and a query of its own."""
    (tmp_path / "fonds.yaml").write_text("name: own\nsources: {}\nreport: small\n", encoding="utf-8")
    (tmp_path / "reports" / "sql").mkdir(parents=True)
    (tmp_path / "reports" / "small.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "reports" / "sql" / "own.sql").write_text("SELECT '<i>x' AS a, 12345 AS b", encoding="utf-8")
    return load(tmp_path)


def test_what_ships_is_valid_and_every_query_is_used() -> None:
    project = load(shipped())
    used = {name for one in load_all(project) for name in one.queries()}
    assert used == {path.stem for path in (shipped() / "reports" / "sql").glob("*.sql")}


def test_every_check_and_every_hold_has_a_remedy() -> None:
    project = load(shipped())
    remedies = load_remedies(project)
    assert set(remedies.duplicates) == set("abcdefghij")
    checks = {
        line.split(":")[1].strip()
        for path in project.list_content("rules/checks")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("  - id:")
    }
    assert checks - set(remedies.checks) == set()


def test_a_project_shows_what_it_wants(own: Project) -> None:
    report(own)
    page = (own.reports_dir / "report.html").read_text(encoding="utf-8")
    assert "&lt;i&gt;x" in page
    assert "12,345" in page
    assert "<title>Small · own</title>" in page


def test_a_query_of_the_project_hides_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "fonds.yaml").write_text("name: x\nsources: {}\n", encoding="utf-8")
    (tmp_path / "reports" / "sql").mkdir(parents=True)
    query = "SELECT 'Own figure' AS label, 7.0 AS value, 'whole' AS format, NULL AS note"
    (tmp_path / "reports" / "sql" / "figures.sql").write_text(query, encoding="utf-8")
    project = load(tmp_path)
    report(project)
    assert "Own figure" in (project.reports_dir / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1 AS a", "section one: the query own has no column b"),
        ("SELECT nothing FROM instances", "nothing"),
        ("SELECT", "the query fails"),
    ],
)
def test_a_query_that_does_not_fit_is_told(own: Project, sql: str, told: str) -> None:
    (own.root / "reports" / "sql" / "own.sql").write_text(sql, encoding="utf-8")
    with pytest.raises(DefinitionInvalid, match=told):
        report(own)


def test_a_value_that_breaks_a_query_is_not_quoted(own: Project) -> None:
    query = "SELECT CAST('Muster^Max' AS INTEGER) AS a, 1 AS b"
    (own.root / "reports" / "sql" / "own.sql").write_text(query, encoding="utf-8")
    with pytest.raises(DefinitionInvalid) as caught:
        report(own)
    assert "Muster" not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("query: own", "query: other", "there is no reports/sql/other.sql"),
        ("kind: table", "kind: tabel", "table"),
        ("title: Small", "titel: Small", "titel"),
        ("id: one", "id: One", "id"),
    ],
)
def test_mistakes_in_a_definition_are_told(own: Project, before: str, after: str, told: str) -> None:
    path = own.root / "reports" / "small.yaml"
    path.write_text(SMALL.replace(before, after), encoding="utf-8")
    with pytest.raises(DefinitionInvalid, match=told):
        load_all(own)


def test_a_table_says_how_much_it_leaves_out(own: Project) -> None:
    (own.root / "reports" / "small.yaml").write_text(SMALL.replace("query: own,", "query: own, limit: 2,"), "utf-8")
    (own.root / "reports" / "sql" / "own.sql").write_text("SELECT 'v' AS a, range AS b FROM range(5)", "utf-8")
    report(own)
    assert "3 more rows are in the catalog" in (own.reports_dir / "report.html").read_text(encoding="utf-8")


def test_statuses_are_marked_only_when_they_are_plain_words() -> None:
    import polars as pl

    from fonds.report.definition import Table

    block = Table(kind="table", query="q", columns=({"name": "s", "label": "S", "format": "status"},))
    html = table_html(block, pl.DataFrame({"s": ["held", '"><b>']}), "t-0")
    assert 'data-status="held"' in html
    assert "<b>" not in html
