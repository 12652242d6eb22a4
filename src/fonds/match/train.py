"""Fellegi-Sunter by EM over counts of comparison patterns: m, u and the prior, held by the model's own figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fonds.match.definition import Matcher

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
_FEW = 1e-12


@dataclass(frozen=True, slots=True)
class Fitted:
    """m and u by comparison and level (level 0, missing, has 1 and 1), and the share of true pairs among all pairs."""

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    share: float
    rounds: int

    @property
    def prior(self) -> float:
        """log2 of the odds that two random records are one person."""
        return float(np.log2(self.share / (1 - self.share)))

    def weights(self, matcher: Matcher) -> list[Floats]:
        """log2(m/u) by comparison and level; a comparison that only counts `against` never helps a pair."""
        return level_weights(matcher, self.m, self.u)


@dataclass(frozen=True, slots=True)
class Patterns:
    """Rows of level numbers, how many pairs have each, log2 to add to its weight (names swapped), and which of them a
    constraint keeps apart: those are no match, whatever they weigh, and teach nothing about pairs that are weighed."""

    levels: Codes
    counts: Floats
    penalty: Floats
    apart: npt.NDArray[np.bool_]


def level_weights(matcher: Matcher, m: Sequence[Floats], u: Sequence[Floats]) -> list[Floats]:
    """log2(m/u) by comparison and level; a comparison that only counts `against` never helps a pair."""
    found = []
    for comparison, matched, random in zip(matcher.comparisons, m, u, strict=True):
        weight = np.log2(matched / random)
        found.append(np.minimum(weight, 0) if comparison.against else weight)
    return found


def expectation(patterns: Patterns, weights: list[Floats], share: float) -> Floats:
    """Probability that a pair of each pattern is a match."""
    total = np.log2(share / (1 - share)) + patterns.penalty
    for number, weight in enumerate(weights):
        total = total + weight[patterns.levels[:, number]]
    return np.where(patterns.apart, 0.0, 1 / (1 + np.exp2(-total)))


def fit(matcher: Matcher, compared: Patterns, drawn: Patterns, records: int, rounds: int = 200) -> Fitted:
    """EM until no probability moves by more than 1e-6.

    m comes from the pairs `compared`; u from pairs `drawn` at random, those that look like true pairs taken out. The
    prior is over all pairs of records, compared or not, since u is too. The model's own m and u count as so many pairs
    seen before (`training`): twenty records stay sound, and millions speak for themselves.
    """
    training = matcher.training
    m0, u0 = starting(matcher)
    m, u = [x.copy() for x in m0], [x.copy() for x in u0]
    total = max(records * (records - 1) / 2, 1.0)
    expected = training.matches_per_record * records
    share = min(max(expected / total, _FEW), 0.3)  # no record, no pair: the logarithm of nothing is none
    done, moved = 0, 1.0
    while done < rounds and moved > 1e-6:
        done += 1
        before = np.concatenate([*m, *u, [share]])
        weights = level_weights(matcher, m, u)
        likely = compared.counts * expectation(compared, weights, share)
        unlike = drawn.counts * (1 - expectation(drawn, weights, share)) * ~drawn.apart
        mixed = (likely.sum() * records + expected * training.prior_records) / (records + training.prior_records)
        share = float(np.clip(mixed / total, _FEW, 0.3))
        for number in range(len(m)):
            fixed = np.array([False, *(level.fixed for level in matcher.comparisons[number].levels)])
            m[number] = _shares(compared.levels[:, number], likely, m0[number], training.m_pairs, fixed)
            u[number] = _shares(drawn.levels[:, number], unlike, u0[number], training.u_pairs, fixed & False)
        moved = float(np.abs(np.concatenate([*m, *u, [share]]) - before).max())
    return Fitted(tuple(m), tuple(u), share, done)


def starting(matcher: Matcher) -> tuple[list[Floats], list[Floats]]:
    """The model's own m and u, level 0 (missing) first, each adding up to 1 over the other levels."""
    return (
        [_with_missing([level.m for level in c.levels]) for c in matcher.comparisons],
        [_with_missing([level.u for level in c.levels]) for c in matcher.comparisons],
    )


def _with_missing(values: list[float]) -> Floats:
    shares = np.array(values)
    return np.concatenate([[1.0], shares / shares.sum()])


def _shares(codes: Codes, weights: Floats, before: Floats, strength: float, fixed: npt.NDArray[np.bool_]) -> Floats:
    seen = np.bincount(codes, weights=weights, minlength=len(before))
    shares = seen + strength * before
    shares[0] = 0
    free = ~fixed
    shares[free] *= (1 - before[1:][fixed[1:]].sum()) / shares[free].sum()
    shares[fixed] = before[fixed]
    shares[0] = 1
    return shares
