"""Runs the compiled checks over the catalog: what fails, and of how many; no judgement yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from fonds.assess.compile import Vocabularies, drilldown, measure
from fonds.assess.definition import Check
from fonds.assess.vocabulary import LEVELS
from fonds.catalog.schema import TABLES
from fonds.catalog.store import literal

_COUNTS = {"check_id": pl.String(), "source": pl.String(), "numerator": pl.Int64(), "denominator": pl.Int64()}
_FAILURES = {name: pl.String() for name in ("check_id", "source", "entity", "study_uid", "attribute", "value")}


@dataclass(frozen=True, slots=True)
class Measured:
    """The outcome of all checks."""

    findings: pl.DataFrame
    """the columns of the table `findings`"""
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
    """Judge every row of every level once; `packs` names the file of each check, `done` hears of finished checks."""
    counts, failures = [pl.DataFrame(schema=_COUNTS)], [pl.DataFrame(schema=_FAILURES)]
    broken: list[str] = []
    finished = 0
    for level in LEVELS:
        ours = [check for check in checks if check.level == level]
        if not ours:
            continue
        for group in _runnable(connection, level, ours, vocabularies, broken):
            counted, failed = _level(connection, level, group, vocabularies)
            counts.append(counted)
            failures.append(failed)
        finished += len(ours)
        done(finished)
    sources = connection.sql("SELECT source, department FROM sources").pl()
    return Measured(
        findings=_findings(pl.concat(failures), checks, packs, sources),
        counts=_every_source(pl.concat(counts), checks, sources, broken),
        broken=tuple(broken),
    )


def scorecard(
    measured: Measured, checks: Sequence[Check], vocabularies: Vocabularies, departments: pl.DataFrame
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
        for check_id, source in measured.counts.select("check_id", "source").rows()
    ]
    return (
        measured.counts.with_columns(pl.Series("drilldown", texts, dtype=pl.String()))
        .join(meta, on="check_id")
        .join(departments, on="source", how="left")
    )


def _runnable(
    connection: duckdb.DuckDBPyConnection,
    level: str,
    checks: list[Check],
    vocabularies: Vocabularies,
    broken: list[str],
) -> list[list[Check]]:
    """The checks as one group; when their statement fails on these rows, those that run alone, in one group."""
    try:
        _store(connection, level, checks, vocabularies)
    except duckdb.Error:
        # A condition passed the parser but not the data or the types: find which, so that it costs only itself
        sound = []
        for check in checks:
            try:
                _store(connection, level, [check], vocabularies)
            except duckdb.Error:
                broken.append(check.id)
            else:
                sound.append(check)
        if not sound:
            return []
        _store(connection, level, sound, vocabularies)
        return [sound]
    return [checks]


def _store(connection: duckdb.DuckDBPyConnection, level: str, checks: list[Check], vocabularies: Vocabularies) -> None:
    connection.execute(f"CREATE OR REPLACE TEMP TABLE measured AS {measure(level, checks, vocabularies)}")


def _level(
    connection: duckdb.DuckDBPyConnection, level: str, checks: list[Check], vocabularies: Vocabularies
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Counts and failures out of the stored answer of a level."""
    names = pl.DataFrame({"number": range(len(checks)), "check_id": [check.id for check in checks]})
    counts = connection.sql(
        "SELECT source, unnest(range(length(denominators))) AS number, unnest(numerators) AS numerator, "
        "unnest(denominators) AS denominator FROM measured"
    ).pl()
    failures = connection.sql(
        "SELECT source, entity, study_uid, unnest(failures, recursive := true) FROM "
        "(SELECT source, unnest(failing, recursive := true) FROM measured)"
    ).pl()
    return _named(counts, names, _COUNTS), _named(failures, names, _FAILURES)


def _named(frame: pl.DataFrame, names: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    joined = frame.with_columns(pl.col("number").cast(pl.Int64())).join(names, on="number")
    return joined.select(pl.col(name).cast(kind) for name, kind in schema.items())


def _findings(
    failures: pl.DataFrame, checks: Sequence[Check], packs: Sequence[str], sources: pl.DataFrame
) -> pl.DataFrame:
    meta = pl.DataFrame(
        [
            (check.id, check.name, check.level, check.kahn, check.severity, check.message, check.version, pack)
            for check, pack in zip(checks, packs, strict=True)
        ],
        schema=["check_id", "name", "level", "kahn", "severity", "message", "check_version", "pack"],
        orient="row",
    )
    joined = failures.join(meta, on="check_id").join(sources, on="source", how="left")
    return joined.select(list(TABLES["findings"].schema))


def _every_source(
    counts: pl.DataFrame, checks: Sequence[Check], sources: pl.DataFrame, broken: Sequence[str]
) -> pl.DataFrame:
    """A row also where a source has nothing to count: not applicable is an answer, silence is none."""
    names = pl.concat([sources.select("source"), counts.select("source")]).unique()
    every = pl.DataFrame({"check_id": [check.id for check in checks]}).join(names, how="cross")
    zero = pl.when(pl.col("check_id").is_in(list(broken))).then(None).otherwise(0)
    return (
        every.join(counts, on=["check_id", "source"], how="left")
        .with_columns(pl.col(name).fill_null(zero).cast(pl.Int64()) for name in ("numerator", "denominator"))
        .select(list(_COUNTS))
    )
