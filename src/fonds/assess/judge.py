"""Judges what was measured against thresholds: apart from measuring, so that it can be done anew without a run."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fonds.assess.definition import Check


def judge(scorecard: pl.DataFrame, checks: Sequence[Check]) -> pl.DataFrame:
    """`threshold` and `status` of every row by the checks' present thresholds.

    passed: at most that share fails · failed: more does · not applicable: nothing to judge, which is never a pass ·
    error: the check's SQL failed (no counts). Takes and returns the columns of the table `scorecard`.
    """
    thresholds = pl.DataFrame(
        {"check_id": [check.id for check in checks], "threshold": [check.threshold for check in checks]},
        schema={"check_id": pl.String(), "threshold": pl.Float64()},
    )
    status = (
        pl.when(pl.col("denominator").is_null())
        .then(pl.lit("error"))
        .when(pl.col("denominator") == 0)
        .then(pl.lit("not applicable"))
        .when(pl.col("numerator") > pl.col("threshold") * pl.col("denominator"))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("passed"))
    )
    measured = scorecard.drop("threshold", "status", strict=False)
    return measured.join(thresholds, on="check_id", how="inner").with_columns(status.alias("status"))
