"""Tries whether each object can be changed as planned, so that no group breaks off while it moves."""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb
import polars as pl

from fonds.archives.base import Source
from fonds.archives.opening import open_sources
from fonds.dicom.write import Author, Change, Identity, prepare
from fonds.errors import CoercionRefused, Transient, UnreadableHeader
from fonds.operations.pool import in_processes
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

BATCH = 64
_AUTHOR = Author("FONDS", "trial", "20000101000000")
_DIED = Transient("a worker process died while changes were tried (out of memory?); run the stage again")
Row = tuple[str | None, ...]
"""Source, location, SOP class, SOP Instance UID, transfer syntax, and the changes as JSON."""
_Job = tuple[dict[str, Source], Sequence[Row]]


def find(connection: duckdb.DuckDBPyConnection, project: Project, run: StageRun) -> None:
    """The relation `tried` (units, detail): objects of table `trials` that can't be changed as it says.

    Only headers are read, and nothing is written anywhere. What can't be opened isn't refused: it can't be sent either.
    """
    rows: list[Row] = connection.sql(
        "SELECT source, location, sop_class_uid, sop_uid, transfer_syntax, changes FROM trials ORDER BY ALL"
    ).fetchall()
    sources = open_sources(project)
    jobs = [(sources, rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]
    found: list[tuple[str, str, str]] = []
    closed = 0
    for done, (refused, unopened) in enumerate(in_processes(_try, jobs, _DIED), 1):
        found += refused
        closed += unopened
        run.progress(min(done * BATCH, len(rows)), len(rows), "objects tried")
    schema = {"source": pl.String(), "location": pl.String(), "why": pl.String()}
    connection.register("tried_rows", pl.DataFrame(found, schema=schema, orient="row").to_arrow())
    connection.execute(
        "CREATE TEMP TABLE tried AS SELECT t.units, concat('the object in ', source, ' (', location, ') can''t be "
        "changed so: ', r.why) AS detail FROM tried_rows r JOIN trials t USING (source, location)"
    )
    if closed:
        run.left.append(
            f"{closed} object(s) whose UIDs or references change could not be opened to try it; make their source "
            "reachable and run `fonds link --force`"
        )


def _try(job: _Job) -> tuple[list[tuple[str, str, str]], int]:
    sources, rows = job
    found, closed = [], 0
    for row in rows:
        try:
            why = _why(sources, row)
        except (OSError, KeyError, UnreadableHeader):
            # gone or changed since the crawl, or of a source that fonds.yaml has no more
            closed += 1
            continue
        if why is not None:
            found.append((str(row[0]), str(row[1]), why))
    return found, closed


def _why(sources: dict[str, Source], row: Row) -> str | None:
    source, location, sop_class_uid, sop_uid, syntax, changes = (value or "" for value in row)
    asked = [
        Change(one["path"], one["before"], one["after"], one["reason"], one["rule"]) for one in json.loads(changes)
    ]
    with sources[source].open(location) as stream:
        try:
            prepare(stream, Identity(sop_class_uid, sop_uid, syntax), asked, _AUTHOR)
        except CoercionRefused as error:
            return str(error.attributes.get("reason", "unknown"))
    return None
