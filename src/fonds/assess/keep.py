"""Keeps what is measured: the tables `findings` and `measures`, anew or by what changed since."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import polars as pl

from fonds.assess import changed, findings, memory, passes
from fonds.assess.compile import Vocabularies
from fonds.assess.definition import Check
from fonds.assess.measure import every_source
from fonds.assess.memory import Memory
from fonds.assess.passes import STRATA
from fonds.assess.rerun import Again, rerun
from fonds.assess.vocabulary import LEVELS
from fonds.operations.runs import StageRun


@dataclass(frozen=True, slots=True)
class Kept:
    """What the tables hold now."""

    measures: pl.DataFrame
    """the table `measures`"""
    counts: pl.DataFrame
    """check_id, source, numerator, denominator: a row for every check and source; NULL where the SQL failed"""
    broken: tuple[str, ...]
    """ids of checks whose SQL failed"""
    rows: int | None
    """rows that changed since the last assessment; None when all were judged"""


def keep(
    run: StageRun,
    connection: duckdb.DuckDBPyConnection,
    checks: Sequence[Check],
    packs: Sequence[str],
    vocabularies: Vocabularies,
    *,
    read: Mapping[str, int],
    force: bool = False,
    done: Callable[[int], None] = lambda number: None,
) -> Kept:
    """Measure and write `findings` and `measures`; with `force` all rows of all checks, whatever is known of them.

    `read` are the versions of the tables that the connection's views show.
    """
    folder = run.project.catalog_dir / "assess"
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    passes.lean(connection, scratch)
    named = dict(zip((check.id for check in checks), packs, strict=True))
    now = Memory(
        memory.ground(connection),
        memory.prints(checks, named, vocabularies),
        {name: read[name] for name in memory.READ if name in read},
        memory.versions(run.catalog, memory.WRITTEN),
    )
    last = None if force else memory.load(folder)
    again = None
    if last is not None and last.ground == now.ground and last.written == now.written:
        again = rerun(connection, run.catalog, checks, vocabularies, last=last, now=now, folder=scratch)
    if again is None:
        outcome = passes.run(connection, checks, vocabularies, scratch / "parts", done=done)
        again = Again((), after=list(outcome.parts), broken=outcome.broken)
        measures = passes.count(connection, again.after)
        files = findings.write(connection, findings.select(connection, again.after, named), scratch / "findings")
        run.catalog.commit("findings", add=files, remove=run.catalog.files("findings"))
        _keys(connection, outcome.folded, folder / "touched")
        rows, counted = None, 0
    else:
        measures = _summed(run, connection, checks, again)
        findings.exchange(connection, run.catalog, again, named, scratch)
        rows, counted = again.rows, (last.changed if last is not None else 0) + again.rows
    run.tables.append("findings")
    run.replace("measures", measures)
    sources = connection.sql("SELECT source FROM sources").pl()
    kept = Kept(measures, every_source(measures, checks, sources, again.broken), again.broken, rows)
    if again.broken:
        (folder / "state.json").unlink(missing_ok=True)
    else:
        replace(now, written=memory.versions(run.catalog, memory.WRITTEN), changed=counted).save(folder)
    shutil.rmtree(scratch)
    return kept


def _keys(connection: duckdb.DuckDBPyConnection, folded: frozenset[str], folder: Path) -> None:
    """Write anew by what the entities of each level reach each other."""
    shutil.rmtree(folder, ignore_errors=True)
    every = {name for name, *_ in connection.execute("DESCRIBE instances").fetchall()}
    for level, place in LEVELS.items():
        if place.touches and (place.keys or len(place.touches) > 1):
            used = set(re.findall(r"\w+", changed.keys(place))) & every
            rows = "folded.instances" if used <= folded else "instances"
            changed.write_keys(connection, level, rows, folder / level / "0.parquet")


def _summed(
    run: StageRun, connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], again: Again
) -> pl.DataFrame:
    """The table `measures`: what stood there, less what was counted before, and what is now."""
    stays = {check.id for check in checks} - set(again.anew)
    stood = run.catalog.read("measures").filter(pl.col("check_id").is_in(list(stays)))
    less = passes.count(connection, again.before).with_columns(-pl.col("numerator"), -pl.col("denominator"))
    every = pl.concat([stood.select(less.columns), less, passes.count(connection, again.after)])
    return every.group_by(STRATA).agg(pl.col("numerator", "denominator").sum()).filter(pl.col("denominator") > 0)
