"""Keeps what is measured: the tables `findings` and `measures`, anew or by what changed since."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from fonds.assess import findings, passes
from fonds.assess.compile import Vocabularies
from fonds.assess.definition import Check
from fonds.assess.measure import every_source
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


def keep(
    run: StageRun,
    connection: duckdb.DuckDBPyConnection,
    checks: Sequence[Check],
    packs: Sequence[str],
    vocabularies: Vocabularies,
    *,
    done: Callable[[int], None] = lambda number: None,
) -> Kept:
    """Measure and write `findings` and `measures`."""
    folder = run.project.catalog_dir / "assess"
    scratch = folder / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    passes.lean(connection, scratch)
    named = dict(zip((check.id for check in checks), packs, strict=True))
    outcome = passes.run(connection, checks, vocabularies, scratch / "parts", done=done)
    measures = passes.count(connection, outcome.parts)
    files = findings.write(connection, findings.select(connection, outcome.parts, named), scratch / "findings")
    findings.replace_all(run.catalog, files)
    run.tables.append("findings")
    run.replace("measures", measures)
    sources = connection.sql("SELECT source FROM sources").pl()
    shutil.rmtree(scratch)
    return Kept(measures, every_source(measures, checks, sources, outcome.broken), outcome.broken)
