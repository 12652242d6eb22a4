"""Writes what a run decided: person numbers into operations first, then the catalog's tables, each in one commit."""

from __future__ import annotations

import shutil

import polars as pl

from fonds.catalog import schema
from fonds.match.cluster import Clustered
from fonds.match.definition import Matcher
from fonds.match.kept import Kept, scratch
from fonds.match.persons import allocate, events, settled
from fonds.match.score import evidence
from fonds.match.teach import teaches
from fonds.operations.runs import StageRun

_PART = 250_000  # rows of `pairs` with their evidence that are in memory at a time


def write(
    run: StageRun,
    found: pl.DataFrame,
    prepared: pl.DataFrame,
    matcher: Matcher,
    *,
    fit: Kept,
    clustered: Clustered,
) -> None:
    """Write match_records, pairs, persons and person_events.

    `found` is prepare.records's frame, with raw_record_id. What is new to person_events follows from its own history:
    a run that is killed between two of these commits writes, when it is started again, what it would have written.
    """
    members = found.select("record_id", "raw_record_id").join(
        prepared.select("record_id", pl.Series("cluster", clustered.labels, dtype=pl.Int64)), on="record_id"
    )
    named = allocate(run.project, members)
    _records(run, found, prepared)
    _pairs(run, prepared, matcher, fit, pairs=clustered.pairs)
    # what tells why a record is where it is, or is open
    spoken = clustered.pairs.filter((pl.col("band") != "reject") | pl.col("note").is_not_null())
    persons = settled(named, spoken)
    run.replace("persons", persons)
    history = run.catalog.read("person_events")
    fresh = events(history, persons, members, spoken).with_columns(pl.lit(run.number, dtype=pl.Int64).alias("run"))
    _append(run, "person_events", fresh)
    run.count("records", prepared.height)
    run.count("persons", persons["person_id"].n_unique())
    run.count("unsettled", persons.filter(~pl.col("settled")).height)
    for kind, count in fresh.group_by("kind").len().sort("kind").rows():
        run.count(f"persons {kind}", count)


def _records(run: StageRun, found: pl.DataFrame, prepared: pl.DataFrame) -> None:
    wanted = schema.table(run.project, "match_records").schema
    told = found.with_columns(pl.col("studies").list.len().cast(pl.Int64))
    told = told.join(prepared.select("record_id", "missing"), on="record_id")
    run.replace("match_records", told.select(name for name in told.columns if name in wanted))


def _pairs(
    run: StageRun,
    prepared: pl.DataFrame,
    matcher: Matcher,
    fit: Kept,
    *,
    pairs: pl.DataFrame,
) -> None:
    """Pairs and evidence go into files part by part: the text of millions of waterfalls never is in memory at once."""
    folder = scratch(run.project)
    held = prepared["studies"].list.len().cast(pl.Int64)
    definition = schema.table(run.project, "pairs")
    asks = _asks(matcher, pairs)
    files = []
    for number, part in enumerate(pairs.iter_slices(_PART)):
        told = part.with_columns(
            (held.gather(part["na"]) + held.gather(part["nb"])).alias("studies"),
            pl.concat_list(
                pl.when(pl.col("rules") & (1 << bit) != 0).then(pl.lit(rule.name))
                for bit, rule in enumerate(matcher.blocking)
            ).list.drop_nulls().alias("blocked_by"),
        )  # fmt: skip
        spoken = (pl.col("band") != "reject") | pl.col("note").is_not_null()
        why = evidence(prepared, matcher, fit.fitted, fit.frequencies, told.filter(spoken)).select(
            "na", "nb", "evidence"
        )
        told = told.join(why, on=["na", "nb"], how="left").join(asks, on=["band", "pattern"], how="left")
        files.append(folder / f"{number}.parquet")
        shaped = schema.conform(definition, told.select(name for name in definition.schema if name in told.columns))
        shaped.write_parquet(files[-1])
    run.catalog.commit("pairs", add=files, remove=run.catalog.files("pairs"))
    run.tables.append("pairs")
    shutil.rmtree(folder)


def _asks(matcher: Matcher, pairs: pl.DataFrame) -> pl.DataFrame:
    """band (review), pattern, teaches: what an answer about a pair of the queue would teach about others in it."""
    said = pairs.filter(pl.col("decided").is_not_null()).select("pattern", (pl.col("decided") == "link").alias("same"))
    labels = said.group_by("pattern", "same").agg(pl.len().cast(pl.Int64).alias("pairs"))
    waiting = pairs.filter(pl.col("band") == "review").select("pattern", "probability")
    return teaches(matcher, waiting, labels).with_columns(pl.lit("review").alias("band"))


def _append(run: StageRun, name: str, rows: pl.DataFrame) -> None:
    if rows.height:
        folder = scratch(run.project)
        schema.conform(schema.table(run.project, name), rows).write_parquet(folder / "rows.parquet")
        run.catalog.commit(name, add=[folder / "rows.parquet"], remove=[])
        shutil.rmtree(folder)
    run.tables.append(name)
