"""Runs the examples that stand beside the checks: each is a small source of its own, all are measured in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import polars as pl

from fonds.assess.definition import Check, Example, FailingExample
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import SETTINGS, project_vocabularies
from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.project.settings import Project

TABLES = ("instances", "unreadable", "entries", "drift", "conformance")


def wrong_examples(project: Project, checks: Sequence[Check]) -> list[str]:
    """One line for every example that the checks judge otherwise than it says."""
    cases = list(_cases(checks))
    with Catalog(project).connect() as connection:
        _put(connection, project, [(source, example) for source, _, example in cases])
        measured = measure_all(connection, checks, [""] * len(checks), project_vocabularies(project))
    wrong = [f"{check_id}: its SQL fails on the examples" for check_id in measured.broken]
    counts = {(row["check_id"], row["source"]): row["denominator"] for row in measured.counts.to_dicts()}
    for source, check, example in cases:
        if check.id in measured.broken:
            continue
        found = measured.findings.filter(check_id=check.id, source=source).sort("entity")
        problem = _problem(example, found, bool(counts[check.id, source]))
        if problem:
            wrong.append(f"{check.id}, example '{example.name}': {problem}")
    return wrong


def _cases(checks: Sequence[Check]) -> Iterator[tuple[str, Check, Example]]:
    for check in checks:
        for number, example in enumerate((*check.examples.passes, *check.examples.fails)):
            yield f"{check.id}/{number}", check, example


def _problem(example: Example, found: pl.DataFrame, applies: bool) -> str:
    wanted = example.entities if isinstance(example, FailingExample) else 0
    if found.height != wanted:
        names = ", ".join(found["attribute"].unique().sort())
        return f"{wanted} entities should fail, {found.height} do" + (f" ({names})" if names else "")
    if not isinstance(example, FailingExample):
        return "" if applies == example.applies else f"should {'' if example.applies else 'not '}be applicable"
    row = found.row(0, named=True)
    expected = {"attribute": example.attribute, "value": example.value}
    if example.entity is not None:
        expected["entity"] = example.entity
    differing = [f"the {name} {row[name]!r}, not {text!r}" for name, text in expected.items() if row[name] != text]
    return f"names {' and '.join(differing)}" if differing else ""


def _put(connection: duckdb.DuckDBPyConnection, project: Project, cases: list[tuple[str, Example]]) -> None:
    """Replace the connection's table views by the examples' rows, and `sources` by their settings."""
    rows: dict[str, list[dict[str, object]]] = {table: [] for table in TABLES}
    settings = []
    for source, example in cases:
        settings.append({**dict.fromkeys(SETTINGS, ""), **example.settings, "source": source})
        for number, row in enumerate(example.rows):
            given = {key: value for key, value in row.items() if key not in ("table", "source")}
            place = f"{source}+{row['source']}" if "source" in row else source
            rows[str(row.get("table", "instances"))].append(
                {"source": place, "location": f"{number}.dcm", "read_status": "ok", **given}
            )
    for table in TABLES:
        columns = schema.table(project, table).schema
        kept = [{key: value for key, value in row.items() if key in columns} for row in rows[table]]
        frame = pl.DataFrame(kept, schema=columns)
        connection.register(f"example_{table}", frame.to_arrow())
        connection.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM example_{table}")
    connection.register("example_sources", pl.DataFrame(settings).to_arrow())
    connection.execute("CREATE OR REPLACE VIEW sources AS SELECT * FROM example_sources")
