"""The ledger: what the journal and the plan say of every planned object now, and the transitions that are allowed."""

from __future__ import annotations

import json
import os

import duckdb
import polars as pl
from polars.exceptions import PolarsError

from fonds.catalog.schema import TABLES
from fonds.catalog.store import Catalog
from fonds.errors import CatalogInvalid
from fonds.operations.journal import SCHEMA, Journal
from fonds.project.settings import Project

OBJECT = ["source", "location"]
WORTH_KEEPING = 1 << 23  # bytes of new receipts; fewer are parsed in a tenth of a second
# An object begins as `planned`; held and excluded come from the plan as long as nothing was sent.
TRANSITIONS: tuple[tuple[str, str], ...] = (
    ("planned", "sending"),
    ("planned", "failed"),
    ("sending", "sending"),
    ("sending", "sent"),
    ("sending", "failed"),
    ("sent", "verified"),
    ("sent", "failed"),
    ("sent", "undone"),
    ("verified", "failed"),
    ("verified", "undone"),
    ("failed", "sending"),
    ("failed", "failed"),
    ("failed", "verified"),
    ("undone", "sending"),
)
_GUARD = """
SELECT previous, state, count(*) AS objects
FROM (SELECT r.state, coalesce(lag(r.state) OVER (PARTITION BY source, location ORDER BY "order"), l.state, 'planned')
          AS previous
      FROM receipts r LEFT JOIN latest l USING (source, location)) ANTI JOIN transitions USING (previous, state)
GROUP BY ALL ORDER BY ALL
"""
# A failure gives way to a hold or exclusion decided since; what reached the target stays what it is. The UIDs are those
# at the target: what was sent under them, else what the object is to get.
_LEDGER = """
WITH renamed AS (
    SELECT source, location, max(after) FILTER (attribute = 'SOPInstanceUID') AS sop_uid,
        max(after) FILTER (attribute = 'StudyInstanceUID') AS study_uid
    FROM remaps WHERE state = 'planned' GROUP BY ALL)
SELECT p.source, p.location,
    CASE WHEN j.state IN ('sending', 'sent', 'verified') THEN j.sop_uid
        ELSE coalesce(m.sop_uid, p.sop_uid) END AS sop_uid,
    CASE WHEN j.state IN ('sending', 'sent', 'verified') THEN j.study_uid
        ELSE coalesce(m.study_uid, p.study_uid) END AS study_uid,
    coalesce(j.wave, p.wave) AS wave,
    CASE WHEN j.state IS NULL OR (j.state = 'failed' AND p.state <> 'planned') THEN p.state ELSE j.state END AS state,
    CASE WHEN j.state IS NULL OR (j.state = 'failed' AND p.state <> 'planned') THEN p.reason
        ELSE j.reason END AS reason,
    j.target_key, j.status_code, j.bytes, j.digest_pixels_before, j.digest_pixels_after, j.digest_object_sent, j.attempt
FROM plan p LEFT JOIN latest j USING (source, location) LEFT JOIN renamed m USING (source, location)
"""


def receipts(project: Project) -> pl.DataFrame:
    """The latest receipt of every object; raises CatalogInvalid on a transition that isn't allowed.

    What was read once is kept beside the catalog, so that a journal of millions of receipts isn't read again by every
    run: only what was written since is.
    """
    journal = Journal(project)
    latest, read = _kept(project, journal)
    known, begun = read, sum(read.values())
    for known, block in journal.since(read):  # noqa: B007 - the last position is needed
        latest = _follow(latest, block)
    if sum(known.values()) - begun >= WORTH_KEEPING:
        _keep(project, latest, known)
    return latest.sort("source", "location")


def _follow(latest: pl.DataFrame, block: pl.DataFrame) -> pl.DataFrame:
    """The latest receipts after one more block of them."""
    transitions = pl.DataFrame(TRANSITIONS, schema=["previous", "state"], orient="row")
    with duckdb.connect(":memory:") as connection:
        connection.register("receipts", block.with_row_index("order").to_arrow())
        connection.register("latest", latest.to_arrow())
        connection.register("transitions", transitions.to_arrow())
        broken = connection.sql(_GUARD).fetchall()
    if broken:
        listed = "; ".join(f"{previous} to {state}: {count} object(s)" for previous, state, count in broken)
        raise CatalogInvalid(f"the journal holds transitions that aren't allowed: {listed}")
    last = block.unique(OBJECT, keep="last")
    return pl.concat([latest.join(last, on=OBJECT, how="anti"), last])


def _kept(project: Project, journal: Journal) -> tuple[pl.DataFrame, dict[str, int]]:
    """What an earlier run kept, and how far it had read; nothing where the journal doesn't continue it."""
    path = project.catalog_dir / "journal.parquet"
    nothing = pl.DataFrame(schema=SCHEMA), dict[str, int]()
    try:
        read = {str(name): int(size) for name, size in json.loads(pl.read_parquet_metadata(path)["read"]).items()}
        frame = pl.read_parquet(path)
    except (FileNotFoundError, PolarsError, KeyError, ValueError):
        return nothing  # it is only kept to save time: the journal has it all
    return (frame, read) if dict(frame.schema) == SCHEMA and journal.continues(read) else nothing


def _keep(project: Project, latest: pl.DataFrame, read: dict[str, int]) -> None:
    path = project.catalog_dir / "journal.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".journal.{os.getpid()}.parquet")
    latest.write_parquet(aside, metadata={"read": json.dumps(read)})
    os.replace(aside, path)


def ledger(project: Project) -> pl.DataFrame:
    """The `ledger` table as it should be now: one row for every row of the plan."""
    with Catalog(project).connect() as connection:
        connection.register("latest", receipts(project).to_arrow())
        frame = connection.sql(_LEDGER).pl()
    return frame.select(list(TABLES["ledger"].schema)).sort("source", "location")
