"""Runs the report's queries over the catalog, the runs and the remedies: one frame a query."""

from __future__ import annotations

import duckdb
import polars as pl

from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.operations.decisions import all_decisions
from fonds.operations.runs import runs
from fonds.project.settings import Project
from fonds.report.definition import Chart, Check, Figures, Remedies, Report, Section, Table, query_path

REMEDY_SCHEMA = {"kind": pl.String(), "code": pl.String(), "title": pl.String(), "text": pl.String()}
FIGURE_COLUMNS = ("label", "value", "format", "note")
CHECK_COLUMNS = ("statement", "expected", "found", "passed")


def connect(project: Project, remedies: Remedies) -> duckdb.DuckDBPyConnection:
    """The catalog with three tables beside it: `runs`, `decisions` and `remedies` (kind, code, title, text)."""
    connection = Catalog(project).connect()
    connection.register("runs", runs(project).to_arrow())
    connection.register("decisions", all_decisions(project).to_arrow())
    connection.register("remedies", remedy_frame(remedies).to_arrow())
    return connection


def remedy_frame(remedies: Remedies) -> pl.DataFrame:
    """The remedies as rows."""
    rows = [
        {"kind": kind, "code": code, "title": one.title, "text": one.text}
        for kind in ("checks", "holds", "duplicates", "remaps", "gaps")
        for code, one in getattr(remedies, kind).items()
    ]
    return pl.DataFrame(rows, schema=REMEDY_SCHEMA)


def answers(project: Project, report: Report, connection: duckdb.DuckDBPyConnection) -> dict[str, pl.DataFrame]:
    """The frame of every query, by name; raises DefinitionInvalid where a query fails or lacks a column."""
    found: dict[str, pl.DataFrame] = {}
    for name in report.queries():
        path = query_path(project, name)
        try:
            found[name] = connection.sql(path.read_text(encoding="utf-8")).pl()
        except duckdb.Error as error:
            # errors of the SQL itself are told in full; errors over values may quote a patient's
            about_sql = isinstance(error, (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException))
            what = str(error) if about_sql else type(error).__name__
            raise DefinitionInvalid(str(path), [(None, f"the query fails: {what}")]) from None
    mistakes = [mistake for section in report.sections for mistake in _lacking(section, found)]
    if mistakes:
        raise DefinitionInvalid(f"reports/{project.settings.report}.yaml", mistakes)
    return found


def _lacking(section: Section, found: dict[str, pl.DataFrame]) -> list[tuple[int | None, str]]:
    mistakes: list[tuple[int | None, str]] = []
    for block in section.blocks:
        wanted: tuple[str, ...]
        match block:
            case Figures():
                wanted = FIGURE_COLUMNS
            case Check():
                wanted = CHECK_COLUMNS
            case Chart():
                named = (block.x, block.y, block.color, block.mark, *(block.span or ()), block.group)
                wanted = tuple(name for name in named if name)
            case Table():
                wanted = tuple(column.name for column in block.columns) + ((block.group,) if block.group else ())
            case _:
                continue
        lost = [name for name in wanted if name not in found[block.query].columns]
        if lost:
            text = f"section {section.id}: the query {block.query} has no column {', '.join(lost)}"
            mistakes.append((None, text))
    return mistakes
