"""The table `assessments`: what every run of assess counted, appended run by run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from fonds.assess.definition import Check
from fonds.catalog.schema import TABLES
from fonds.operations.runs import StageRun, runs


def appended(run: StageRun, counts: pl.DataFrame, checks: Sequence[Check]) -> pl.DataFrame:
    """The table with this run's counts (check_id, source, numerator, denominator) after those of finished runs.

    What a run left that was killed before its end is taken out: the run after it counts the same.
    """
    finished = runs(run.project).filter(
        pl.col("stage") == "assess", pl.col("ended").is_not_null(), pl.col("status") != "failed"
    )
    stood = run.catalog.read("assessments").filter(pl.col("run").is_in(finished["run"].to_list()))
    versions = pl.DataFrame(
        [(check.id, check.version) for check in checks], schema=["check_id", "check_version"], orient="row"
    )
    now = counts.join(versions, on="check_id").with_columns(
        pl.lit(run.number, dtype=pl.Int64()).alias("run"),
        pl.lit(datetime.now(UTC).isoformat(timespec="seconds")).alias("at"),
    )
    return pl.concat([stood, now.select(list(TABLES["assessments"].schema))])
