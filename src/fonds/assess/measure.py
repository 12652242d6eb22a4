"""Runs the compiled checks over the catalog: what fails, and of how many; no judgement yet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from fonds.assess import findings, passes
from fonds.assess.compile import Vocabularies, drilldown
from fonds.assess.definition import Check
from fonds.catalog.schema import TABLES
from fonds.catalog.store import literal


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome of all checks."""

    findings: pl.DataFrame
    """the columns of the table `findings`"""
    measures: pl.DataFrame
    """the table `measures`"""
    counts: pl.DataFrame
    """check_id, source, numerator, denominator: one row for every check and source"""
    broken: tuple[str, ...]
    """ids of checks whose SQL failed on these rows; they have no counts"""


def measure_all(
    connection: duckdb.DuckDBPyConnection,
    checks: Sequence[Check],
    packs: Sequence[str],
    vocabularies: Vocabularies,
    done: Callable[[int], None] = lambda number: None,
) -> Measured:
    """Judge every row of every level once; `packs` names the file of each check, `done` hears of finished checks.

    For as many rows as fit into memory: the stage streams its findings (see run.py).
    """
    with tempfile.TemporaryDirectory(prefix="fonds-assess-") as scratch:
        outcome = passes.run(connection, checks, vocabularies, Path(scratch), done=done)
        measures = passes.count(connection, outcome.parts)
        named = dict(zip((check.id for check in checks), packs, strict=True))
        found = connection.sql(findings.select(connection, outcome.parts, named)).pl()
    wanted = TABLES["findings"].schema
    return Measured(
        findings=found.select(pl.col(name).cast(kind) for name, kind in wanted.items()),
        measures=measures,
        counts=every_source(measures, checks, connection.sql("SELECT source FROM sources").pl(), outcome.broken),
        broken=outcome.broken,
    )


def scorecard(
    counts: pl.DataFrame, checks: Sequence[Check], vocabularies: Vocabularies, departments: pl.DataFrame
) -> pl.DataFrame:
    """The measured part of the table `scorecard`, with the SQL that lists what fails; `judge` adds the rest."""
    meta = pl.DataFrame(
        [(check.id, check.level, check.kahn, check.severity) for check in checks],
        schema=["check_id", "level", "kahn", "severity"],
        orient="row",
    )
    # one text for each check and source (dozens by a handful), not for each row
    listing = {check.id: drilldown(check, vocabularies) for check in checks}
    texts = [
        f"{listing[check_id]} AND source = {literal(source)} ORDER BY entity"
        for check_id, source in counts.select("check_id", "source").rows()
    ]
    return (
        counts.with_columns(pl.Series("drilldown", texts, dtype=pl.String()))
        .join(meta, on="check_id")
        .join(departments, on="source", how="left")
    )


def every_source(
    measures: pl.DataFrame, checks: Sequence[Check], sources: pl.DataFrame, broken: Sequence[str]
) -> pl.DataFrame:
    """check_id, source, numerator, denominator: also where a source has nothing to count; NULL where SQL failed."""
    counts = measures.group_by("check_id", "source").agg(pl.col("numerator", "denominator").sum())
    names = pl.concat([sources.select("source"), counts.select("source")]).unique()
    every = pl.DataFrame({"check_id": [check.id for check in checks]}, schema={"check_id": pl.String()})
    zero = pl.when(pl.col("check_id").is_in(list(broken))).then(None).otherwise(0)
    return (
        every.join(names, how="cross")
        .join(counts, on=["check_id", "source"], how="left")
        .with_columns(pl.col(name).fill_null(zero).cast(pl.Int64()) for name in ("numerator", "denominator"))
    )
