"""How a matching fares against known pairs, by recordlinkage's measures."""

from __future__ import annotations

import warnings

import polars as pl


def measures(found: pl.DataFrame, true: pl.DataFrame) -> dict[str, float]:
    """Precision, recall and F1 of the pairs `found` against the pairs that are `true`.

    Both frames have the columns record_a and record_b, in either order; a pair may stand twice. The true pairs are all
    there are: one that was never compared counts as missed. Without found (or true) pairs precision (or recall) is 1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # recordlinkage 0.16 on pandas 2.3
        import pandas as pd
        import recordlinkage

    def index(pairs: pl.DataFrame) -> pd.MultiIndex:
        ordered = pairs.select(
            pl.min_horizontal("record_a", "record_b").alias("a"), pl.max_horizontal("record_a", "record_b").alias("b")
        ).unique()
        return pd.MultiIndex.from_arrays([ordered["a"].to_list(), ordered["b"].to_list()])

    links, matches = index(found), index(true)
    precision = float(recordlinkage.precision(matches, links)) if len(links) else 1.0
    recall = float(recordlinkage.recall(matches, links)) if len(matches) else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
