"""The frame every stage runs in: what it read, whether anything changed since, what it wrote, and its record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from fonds.catalog import provenance
from fonds.catalog.publish import newest_run, publish
from fonds.catalog.store import Catalog
from fonds.operations import decisions
from fonds.operations.models import Run, now, session
from fonds.project.settings import Project

Status = Literal["done", "unchanged", "partial", "stopped"]


@dataclass(frozen=True, slots=True)
class Event:
    """One step of progress: `done` of `total` units of a stage."""

    stage: str
    done: int
    total: int | None
    unit: str
    note: str = ""
    bytes: int = 0
    """read so far, where the stage counts them"""
    errors: int = 0
    """of what is done"""


Progress = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage did: counts, tables written, seconds, and what is left for a person (one line each)."""

    stage: str
    status: Status
    counts: dict[str, int]
    tables: tuple[str, ...]
    seconds: float
    left: tuple[str, ...]
    run: int


@dataclass(slots=True)
class StageRun:
    """The open run of one stage; the stage reports to it."""

    project: Project
    stage: str
    catalog: Catalog
    unchanged: bool
    listener: Progress | None
    started: float
    counts: dict[str, int] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    status: Status = "done"
    number: int = 0

    def progress(
        self, done: int, total: int | None, unit: str, note: str = "", *, bytes: int = 0, errors: int = 0
    ) -> None:
        """Tell whoever listens how far the stage is."""
        if self.listener is not None:
            self.listener(Event(self.stage, done, total, unit, note, bytes, errors))

    def count(self, name: str, value: int) -> None:
        """Keep a figure for the run's record and the summary."""
        self.counts[name] = int(value)

    def replace(self, table: str, frame: pl.DataFrame) -> None:
        """Write a whole catalog table and note it."""
        self.catalog.replace(table, frame)
        self.tables.append(table)

    def replace_by(self, table: str, connection: duckdb.DuckDBPyConnection, rows: str) -> None:
        """Write a whole catalog table from an SQL relation, and note it."""
        self.catalog.replace_by(table, connection, rows)
        self.tables.append(table)

    def result(self) -> StageResult:
        """The stage's answer."""
        seconds = time.monotonic() - self.started
        return StageResult(
            self.stage,
            self.status,
            dict(self.counts),
            tuple(self.tables),
            seconds,
            tuple(self.left),
            self.number,
        )


@contextmanager
def stage_run(
    project: Project,
    stage: str,
    *,
    inputs: Iterable[str] | None,
    outputs: Iterable[str],
    definitions: Iterable[Path] = (),
    heeds_decisions: bool = False,
    outside: str = "",
    progress: Progress | None = None,
    force: bool = False,
) -> Iterator[StageRun]:
    """Open a run. `inputs=None` means the stage itself finds out what is new (crawl, migrate).

    With inputs, `run.unchanged` is True when the last finished run read the very same table versions, definitions,
    settings and decisions, and its outputs are still there: the stage then returns at once. `outside` names what else
    the answer depends on, such as the sizes and times of files that no table tells of.
    """
    catalog = Catalog(project)
    named = provenance.definition_hashes(project, definitions)
    versions = catalog.versions()
    read = {name: versions.get(name, -1) for name in inputs} if inputs is not None else {}
    decided = decisions.all_decisions(project).write_csv() if heeds_decisions else ""
    print_ = provenance.fingerprint(project, stage, read, named, decided + outside)
    last = _last_finished(project, stage)
    written = {name: versions.get(name, -1) for name in outputs}
    unchanged = (
        inputs is not None
        and not force
        and last is not None
        and last["fingerprint"] == print_
        and json.loads(last["versions"]).get("written") == written
    )
    run = StageRun(project, stage, catalog, unchanged, progress, time.monotonic())
    if unchanged and last is not None:
        run.status = "unchanged"
        run.counts = json.loads(last["counts"])
        run.number = int(last["run"])
        yield run
        _publish_again(catalog, run)
        return
    with session(project) as opened:
        row = Run(stage=stage, status="running", started=now(), fingerprint=print_, definitions=json.dumps(named))
        opened.add(row)
        opened.flush()
        run.number = row.run
    try:
        yield run
    except BaseException as error:
        try:
            _close(project, run.number, "failed", run, {})
        except SQLAlchemyError as second:
            # the first error is the cause (a full disk breaks both): it is told, and this with it
            error.add_note(f"nor could the run be recorded as failed ({type(second).__name__})")
        raise
    after = catalog.versions()
    written = {name: after.get(name, -1) for name in outputs}
    _close(project, run.number, run.status, run, {"read": read, "written": written})
    if run.status == "unchanged":
        _publish_again(catalog, run)
    else:
        publish(catalog, mirrored(project))


def _publish_again(catalog: Catalog, run: StageRun) -> None:
    """Publish after a run without news where the published file is missing, damaged, or older than a killed run."""
    with session(catalog.project) as opened:
        told = select(func.max(Run.run)).where(Run.status != "unchanged", Run.run != run.number)
        newest = opened.scalar(told) or 0
    known = newest_run(catalog.project)
    if known is None or known < newest:
        publish(catalog, mirrored(catalog.project))


def mirrored(project: Project) -> dict[str, pl.DataFrame]:
    """The operations tables that are copied into the published catalog."""
    return {"decisions": decisions.all_decisions(project), "runs": runs(project)}


def runs(project: Project) -> pl.DataFrame:
    """Every run so far, oldest first."""
    names = ("run", "stage", "status", "started", "ended", "fingerprint", "counts", "versions", "definitions")
    with session(project) as opened:
        rows = [
            {name: str(value) if (value := getattr(row, name)) is not None else None for name in names}
            for row in opened.scalars(select(Run).order_by(Run.run))
        ]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String())).with_columns(pl.col("run").cast(pl.Int64))


def _last_finished(project: Project, stage: str) -> dict[str, str] | None:
    with session(project) as opened:
        query = select(Run).where(Run.stage == stage, Run.ended.is_not(None), Run.status != "failed")
        row = opened.scalars(query.order_by(Run.run.desc()).limit(1)).first()
        if row is None:
            return None
        return {
            "run": str(row.run),
            "fingerprint": row.fingerprint,
            "versions": row.versions,
            "counts": row.counts,
        }


def _close(project: Project, number: int, status: str, run: StageRun, versions: dict[str, dict[str, int]]) -> None:
    with session(project) as opened:
        row = opened.get_one(Run, number)
        row.status, row.ended = status, now()
        row.counts, row.versions = json.dumps(run.counts), json.dumps(versions)
