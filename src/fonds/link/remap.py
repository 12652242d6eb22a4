"""New UIDs and the references that follow them: what the plan of them rests on, and what it tells."""

from __future__ import annotations

import duckdb
import polars as pl

from fonds.catalog.store import Catalog
from fonds.operations.journal import Journal
from fonds.operations.ledger import receipts
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

# Whether any object may get another UID, or another object's place.
_ASKED = """
    SELECT EXISTS (FROM duplicates WHERE disposition = 'remap' OR (class = 'h' AND disposition = 'unite')
            OR (class IN ('e', 'f', 'h', 'j') AND disposition = 'drop-copy'))
        OR EXISTS (FROM changes WHERE state = 'approved'
            AND attribute IN ('StudyInstanceUID', 'SeriesInstanceUID', 'SOPInstanceUID'))
"""
# What a receipt of these states is of lies, or may lie, at the target.
_THERE = ("sending", "sent", "verified")
ADVICE = {
    "dangling": "crawl the archive that holds what is pointed to, or decide the group otherwise",
    "ambiguous": "decide the group otherwise, or mend the references at the source",
    "already-sent": "decide the group otherwise, or undo the wave and link again",
    "collision": "give one of the objects another UID",
    "incoherent": "approve the change for all objects of the UID, or for none",
    "invalid": "mend the rule that makes the UID",
    "unwritable": "see docs/coercion.md for the reason; decide the group otherwise, or mend the object at the source",
    "unreadable": "mend the file at the source and crawl again, or decide the group otherwise",
}


def outside(project: Project) -> str:
    """What the plan depends on beside tables: where UIDs change, how far the journal is."""
    with Catalog(project).connect() as connection:
        if not connection.sql(_ASKED).fetchall()[0][0]:
            return ""
    return repr(sorted((path.name, path.stat().st_size) for path in Journal(project).folder.glob("*.jsonl")))


def register_sent(connection: duckdb.DuckDBPyConnection, project: Project) -> None:
    """The relation `sent` (source, location, marks): what the target has of an inventory whose UIDs change."""
    latest = pl.DataFrame(schema={"source": pl.String(), "location": pl.String(), "marks": pl.List(pl.String())})
    if connection.sql("SELECT count(*) FROM identities").fetchall()[0][0]:
        found = receipts(project).filter(pl.col("state").is_in(_THERE))
        latest = found.select("source", "location", pl.col("uids").fill_null([]).alias("marks"))
    connection.register("sent", latest.to_arrow())


def tell(connection: duckdb.DuckDBPyConnection, run: StageRun) -> None:
    """Count what is planned, and say how much is refused, why, and what to do."""
    for name, rows in (("remaps", "remap_rows"), ("rewrites", "rewrite_rows")):
        planned = connection.sql(f"SELECT count(*) FROM {rows} WHERE state = 'planned'").fetchall()[0][0]
        run.count(f"{name}_planned", planned)
    refused = connection.sql(
        "SELECT why.reason, count(DISTINCT cause), min(why.detail) FROM refused JOIN causes USING (unit) "
        "GROUP BY why.reason ORDER BY 2 DESC, 1"
    ).fetchall()
    run.count("remaps_refused", sum(count for _, count, _ in refused))
    run.left += [
        f"new UIDs refused ({reason}): {count} group(s), such as: {detail}; {ADVICE[reason]}"
        for reason, count, detail in refused
    ]
