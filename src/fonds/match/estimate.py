"""Precision, recall and calibration of a matching from a stratified sample of labelled pairs, with 95 % intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.special import betaincinv

Floats = npt.NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Share:
    """A share (0 to 1) with the ends of its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """Of the interval."""
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class Strata:
    """By stratum: pairs, those labelled, those of them that are true, and the mean probability the model states."""

    pairs: Floats
    labelled: Floats
    true: Floats
    stated: Floats

    def shares(self) -> Floats:
        """True share by stratum as labelled; where nobody labelled yet, what the model states."""
        return np.where(self.labelled > 0, self.true / np.maximum(self.labelled, 1), self.stated)

    def limits(self) -> tuple[Floats, Floats]:
        """95 % ends by stratum, drawn in by the finite population correction; 0 and 1 without a label."""
        low, high = interval(self.true, self.labelled)
        low, high = np.where(self.labelled > 0, low, 0.0), np.where(self.labelled > 0, high, 1.0)
        share = self.shares()
        left = np.sqrt(1 - self.labelled / np.maximum(self.pairs, 1))
        return share - (share - low) * left, share + (high - share) * left


def interval(true: Floats, of: Floats) -> tuple[Floats, Floats]:
    """Jeffreys' 95 % ends of binomial shares, 0 and 1 where all or none is true (Brown, Cai and DasGupta, Statistical
    Science 16, 2001); `of` may be an effective sample size."""
    tail = (1 - LEVEL) / 2
    low = betaincinv(true + 0.5, of - true + 0.5, tail)
    high = betaincinv(true + 0.5, of - true + 0.5, 1 - tail)
    return np.where(true > 0, low, 0.0), np.where(true < of, high, 1.0)


def allot(pairs: Floats, shares: Floats, size: float, least: Floats) -> Floats:
    """How many of `size` pairs to draw from each stratum: in proportion to pairs times spread (Neyman's optimum), at
    least `least`, never more than there are. Shares are taken as 1 to 99 %: nobody has checked them yet."""
    likely = np.clip(shares, 0.01, 0.99)
    spread = pairs * np.sqrt(likely * (1 - likely))
    drawn = np.minimum(pairs, least)
    full = np.zeros(len(pairs), dtype=bool)
    for _ in pairs:  # each round fills at least one stratum or is the last
        left = size - drawn[full].sum()
        part = np.where(full, 0.0, spread)
        wanted = part * max(left, 0.0) / max(part.sum(), 1e-300)
        fixed = ~full & ((wanted <= np.minimum(pairs, least)) | (wanted >= pairs))
        drawn = np.where(full, drawn, np.clip(np.round(wanted), np.minimum(pairs, least), pairs))
        if not fixed.any():
            break
        full |= fixed
    return drawn


def total(strata: Strata, part: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """True pairs in a part of the strata with 95 % ends: each stratum's distance to its ends is squared and added
    (MOVER: Zou and Donner, Statistics in Medicine 27, 2008), so the ends fit shares at 0 and 1 too."""
    share = strata.shares()
    low, high = strata.limits()
    count = strata.pairs * part
    estimate = float((count * share).sum())
    below = float(np.sqrt(((count * (share - low)) ** 2).sum()))
    above = float(np.sqrt(((count * (high - share)) ** 2).sum()))
    return estimate, max(estimate - below, 0.0), min(estimate + above, float(count.sum()))


def precision(strata: Strata, linked: npt.NDArray[np.bool_]) -> Share | None:
    """True share of the pairs linked; None when none is."""
    count = float((strata.pairs * linked).sum())
    if not count:
        return None
    value, low, high = total(strata, linked)
    return Share(value / count, low / count, high / count)


def recall(strata: Strata, linked: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_]) -> Share | None:
    """Share of the true pairs in the strata `counted` that are linked; None when there seems to be no true pair.

    The ends are those of the ratio of missed to found (Donner and Zou, Statistical Methods in Medical Research 21,
    2012, equation 6).
    """
    found, missed = total(strata, linked & counted), total(strata, ~linked & counted)
    if not found[0] + missed[0]:
        return None
    if not found[0]:
        return Share(0.0, 0.0, found[2] / (found[2] + missed[1]) if missed[1] else 1.0)
    least, most = _ratio(missed, found)
    return Share(found[0] / (found[0] + missed[0]), 1 / (1 + most), 1 / (1 + least))


def _ratio(upper: tuple[float, float, float], lower: tuple[float, float, float]) -> tuple[float, float]:
    """Ends of upper/lower, each a value with its ends."""
    (a, a_low, a_high), (b, b_low, b_high) = upper, lower
    product = (a * b) ** 2
    from_high, from_low = b_high * (2 * b - b_high), b_low * (2 * b - b_low)
    least, most = a_low * (2 * a - a_low), a_high * (2 * a - a_high)
    # an end further off than the value itself leaves no finite (or no positive) end
    low = (a * b - np.sqrt(max(product - least * from_high, 0))) / from_high if from_high > 0 else 0.0
    high = (a * b + np.sqrt(max(product - most * from_low, 0))) / from_low if from_low > 0 else np.inf
    return max(float(low), 0.0), float(high)


def needed(strata: Strata, linked: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_], width: float) -> int:
    """The smallest sample whose intervals of precision and recall are no wider than `width`, when it is allotted as
    `allot` does and its shares come out as those labelled so far (or stated, where none is)."""
    share = strata.shares()
    judged = linked | counted
    pairs = strata.pairs * judged

    def wide(size: float) -> bool:
        drawn = allot(pairs, share, size, np.full(len(pairs), 2.0))
        fancied = Strata(pairs, drawn, drawn * share, strata.stated)
        both = precision(fancied, linked), recall(fancied, linked, counted)
        return any(one is not None and one.width > width for one in both)

    few, many = 0, int(pairs.sum())
    while few < many:  # a bisection: some twenty rounds
        size = (few + many) // 2
        few, many = (size + 1, many) if wide(size) else (few, size)
    return few


def calibration(labelled: pl.DataFrame, edges: tuple[float, ...]) -> pl.DataFrame:
    """Labelled pairs (probability, same, weight: pairs each stands for) → by stated band its share of true pairs.

    Columns: low, high (edges of the band), labelled, stated (mean), share, share_low, share_high (95 %, for the
    effective number of labels: Franco, Little, Louis and Slud, Journal of Survey Statistics and Methodology 7, 2019)
    and fits (the interval meets the band).
    """
    ends = np.array(edges)
    number = pl.Series("number", np.searchsorted(ends[1:-1], labelled["probability"].to_numpy(), side="right"))
    weight, same = pl.col("weight"), pl.col("same").cast(pl.Float64)
    bands = (
        labelled.with_columns(number)
        .group_by("number")
        .agg(
            pl.len().alias("labelled"),
            ((weight * pl.col("probability")).sum() / weight.sum()).alias("stated"),
            ((weight * same).sum() / weight.sum()).alias("share"),
            (weight.sum() ** 2 / (weight**2).sum()).alias("effective"),
        )
        .sort("number")
    )
    size = bands["effective"].to_numpy()
    low, high = interval(bands["share"].to_numpy() * size, size)
    numbers = bands["number"].to_numpy()
    return bands.select(
        pl.Series("low", ends[numbers], dtype=pl.Float64),
        pl.Series("high", ends[numbers + 1], dtype=pl.Float64),
        "labelled",
        "stated",
        "share",
        pl.Series("share_low", low, dtype=pl.Float64),
        pl.Series("share_high", high, dtype=pl.Float64),
    ).with_columns(((pl.col("share_low") <= pl.col("high")) & (pl.col("share_high") >= pl.col("low"))).alias("fits"))
