"""What a steward's answer would teach: the queue asks first what tells most about the pairs that wait."""

from __future__ import annotations

import numpy as np
import polars as pl
from scipy.special import digamma, entr

from fonds.match.definition import Matcher


def teaches(matcher: Matcher, waiting: pl.DataFrame, labels: pl.DataFrame | None = None) -> pl.DataFrame:
    """Pattern and `teaches`: bits that one more answer about a pair of the pattern tells of all that wait with it.

    `waiting`: pattern and probability of each pair in the queue; `labels`: pattern, same, pairs as for the fit. The
    share of true pairs of a pattern is uncertain, a Beta distribution worth `training.label_pairs` answers around what
    the model states, and the answers there are; an answer's information about it (Houlsby et al., "Bayesian active
    learning", arXiv 1112.5745) counts for each pair that waits.
    """
    asked = waiting.group_by("pattern").agg(pl.len().alias("pairs"), pl.col("probability").mean()).sort("pattern")
    if labels is not None and labels.height:
        said = labels.group_by("pattern").agg(
            pl.col("pairs").filter("same").sum().alias("yes"), pl.col("pairs").filter(~pl.col("same")).sum().alias("no")
        )
        asked = asked.join(said, on="pattern", how="left", maintain_order="left").fill_null(0)
    else:
        asked = asked.with_columns(pl.lit(0).alias("yes"), pl.lit(0).alias("no"))
    strength = matcher.training.label_pairs
    stated = asked["probability"].to_numpy().clip(1e-6, 1 - 1e-6)
    yes, no = strength * stated + asked["yes"].to_numpy(), strength * (1 - stated) + asked["no"].to_numpy()
    both = yes + no
    share = yes / both
    uncertain = entr(share) + entr(1 - share)
    expected = digamma(both + 1) - share * digamma(yes + 1) - (1 - share) * digamma(no + 1)
    bits = (uncertain - expected) / np.log(2) * asked["pairs"].to_numpy()
    return asked.select("pattern", pl.Series("teaches", np.maximum(bits, 0.0)))
