"""What a tool's pairs and clusters are worth against the truth. Shares are of ALL true pairs: blocking misses count."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

DEFAULT = 0.95
"""The fixed match probability at which pairs are taken when nobody tunes anything."""
THRESHOLDS = (0.5, DEFAULT, 0.999)
PRECISE = 0.999
STATED = ((0.9, 0.99), (0.99, 0.999), (0.999, 1.01))

Figures = dict[str, Any]


def scored(pairs: pl.DataFrame, persons: pl.Series) -> Figures:
    """F1 at the best threshold and at fixed ones, recall where precision is at least 0.999, and calibration.

    The best threshold and the precise one are read where the weight changes: pairs of one weight are taken together.
    """
    total = true_pairs(persons)
    same = (persons.gather(pairs["na"]) == persons.gather(pairs["nb"])).to_numpy()
    weight, probability = pairs["weight"].clip(-1e4, 1e4).to_numpy(), pairs["probability"].to_numpy()
    order = np.argsort(-weight, kind="stable")
    ends = np.flatnonzero(np.diff(weight[order], append=-np.inf) != 0)
    hits, taken = np.cumsum(same[order])[ends], ends + 1
    found: Figures = {"true_pairs": total, "best": float((2 * hits / (taken + total)).max(initial=0))}
    for threshold in THRESHOLDS:
        over = probability >= threshold
        right = int(same[over].sum())
        found[f"f1_{threshold}"] = 2 * right / (int(over.sum()) + total)
        found[f"precision_{threshold}"] = right / max(int(over.sum()), 1)
        found[f"recall_{threshold}"] = right / total
    precise = hits[hits / taken >= PRECISE]
    found["recall_at_999"] = float(precise.max(initial=0) / total)
    for low, high in STATED:
        inside = (probability >= low) & (probability < high)
        found[f"stated_{low}"] = float(same[inside].mean()) if inside.any() else None
        found[f"stated_{low}_pairs"] = int(inside.sum())
    return found


def merged(labels: pl.DataFrame, persons: pl.Series) -> Figures:
    """The clusters' pairs: how many are right and wrong, precision, recall and F1; counted by group sizes."""
    if labels.is_empty():
        return {}
    frame = labels.sort("n").with_columns(persons.gather(labels.sort("n")["n"]).alias("person"))
    together = _pairs(frame.group_by("cluster").len()["len"])
    right = _pairs(frame.group_by("cluster", "person").len()["len"])
    total = true_pairs(persons)
    return {
        "merged_right": right,
        "merged_wrong": together - right,
        "merged_precision": right / max(together, 1),
        "merged_recall": right / total,
        "merged_f1": 2 * right / (together + total),
    }


def true_pairs(persons: pl.Series) -> int:
    """Pairs of records of one person."""
    return _pairs(persons.value_counts()["count"])


def _pairs(sizes: pl.Series) -> int:
    counts: npt.NDArray[np.int64] = sizes.to_numpy().astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def calibration(pairs: pl.DataFrame, persons: pl.Series) -> pl.DataFrame:
    """Stated probability against the true share, in bins of equal log odds: stated, share, pairs."""
    same = persons.gather(pairs["na"]) == persons.gather(pairs["nb"])
    inside = pl.col("probability").clip(1e-4, 1 - 1e-5)
    odds = (inside / (1 - inside)).log10()
    return (
        pairs.select("probability", ((odds * 2).round() / 2).alias("bin"), same.alias("same"))
        .filter(pl.col("probability") >= 1e-3)
        .group_by("bin")
        .agg(
            pl.col("probability").mean().alias("stated"), pl.col("same").mean().alias("share"), pl.len().alias("pairs")
        )
        .filter(pl.col("pairs") >= 20)
        .sort("bin")
    )
