"""Judges what was measured against thresholds: apart from measuring, so that it can be done anew without a run."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fonds.assess.definition import Check
from fonds.assess.thresholds import Thresholds


def judge(scorecard: pl.DataFrame, checks: Sequence[Check], thresholds: Thresholds | None = None) -> pl.DataFrame:
    """`threshold` and `status` of every row by the present thresholds.

    passed: at most that share fails · failed: more does · not applicable: nothing to judge, which is never a pass ·
    skipped: by policy, neither pass nor fail · error: the check's SQL failed (no counts). Takes and returns the columns
    of the table `scorecard`.
    """
    shares = (thresholds or Thresholds()).table(checks, scorecard["source"].unique(maintain_order=True))
    status = (
        pl.when(pl.col("denominator").is_null())
        .then(pl.lit("error"))
        .when(pl.col("skipped").is_not_null())
        .then(pl.lit("skipped"))
        .when(pl.col("denominator") == 0)
        .then(pl.lit("not applicable"))
        .when(pl.col("numerator") > pl.col("threshold") * pl.col("denominator"))
        .then(pl.lit("failed"))
        .otherwise(pl.lit("passed"))
    )
    measured = scorecard.drop("threshold", "status", strict=False)
    return (
        measured.join(shares, on=["check_id", "source"], how="inner")
        .with_columns(status.alias("status"))
        .drop("skipped")
    )


def moved(before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """One line for every check and source whose status is another now."""
    both = after.join(before, on=["check_id", "source"], suffix="_before").sort("source", "check_id")
    differ = both.filter(pl.col("status") != pl.col("status_before"))
    names = ("source", "check_id", "status_before", "status", "numerator", "denominator", "threshold")
    return [
        f"{source}: {check_id} is {now}, was {then} ({failing} of {of}; {share:.4g} may fail)"
        for source, check_id, then, now, failing, of, share in differ.select(names).rows()
    ]
