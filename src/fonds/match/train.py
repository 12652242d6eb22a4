"""Fellegi-Sunter by EM over counts of comparison patterns, with relatives as classes of their own.

Three kinds of pairs: records of one person (m), of two people met at random (u), and of two people of one family or
home, whose names and addresses agree although nothing else does. The last have their distribution from the model, but
for what a family shares, which is learned: so they can't pass for one person's records with mistakes in them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from fonds.match.definition import Column, Matcher
from fonds.match.fitted import Fitted, Flags, Floats, Levels, followed

_FEW = 1e-12
_PRECISION, _ROUNDS = 1e-5, 500
# A level with less than this log2 weight, before fitting, tells two people apart.
_APART = -4.0
# Kinds of which blocking finds less than this share say nothing of how many there are.
_SELDOM = 0.01
# Blocking keys made of a compared column: they agree about as often as it does.
_OF: dict[Column, Column] = {
    "family_code": "family", "given_code": "given", "given_first": "given", "birth_year": "birth_date",
    "birth_day": "birth_date",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Patterns with how many pairs have each, and of how many a person said that they are one (two) people."""

    levels: Levels
    counts: Floats
    same: Floats
    apart: Floats

    @classmethod
    def of(cls, matcher: Matcher, frame: pl.DataFrame, labels: pl.DataFrame | None = None) -> _Pairs:
        both = frame.select("pattern", pl.col("pairs").cast(pl.Float64)).sort("pattern")
        if labels is not None and labels.height:
            said = labels.group_by("pattern").agg(
                *(pl.col("pairs").filter(pl.col("same") == same).sum().cast(pl.Float64).alias(name)
                  for same, name in ((True, "same"), (False, "apart")))
            )  # fmt: skip
            both = both.join(said, on="pattern", how="full", coalesce=True).fill_null(0.0).sort("pattern")
        else:
            both = both.with_columns(pl.lit(0.0).alias("same"), pl.lit(0.0).alias("apart"))
        same, apart = both["same"].to_numpy(), both["apart"].to_numpy()
        counts = np.maximum(both["pairs"].to_numpy(), same + apart)
        return cls(Levels.of(matcher, both["pattern"]), counts, same, apart)

    def of_level(self, number: int, weights: Floats, like: Floats) -> Floats:
        """Sum of the weights by level of a comparison, missing first."""
        return np.bincount(self.levels.numbers[:, number], weights, len(like)).astype(np.float64)


def fit(
    matcher: Matcher,
    compared: pl.DataFrame,
    drawn: pl.DataFrame,
    records: int,
    *,
    labels: pl.DataFrame | None = None,
    along: dict[str, pl.DataFrame] | None = None,
) -> Fitted:
    """EM until no share moves by more than 1e-5.

    `compared`: pattern and pairs of the blocked pairs, of which m is learned; `drawn`: of pairs at random, of which u
    is; `along`: of pairs at random among those of one value, by name of the comparison that others follow. `labels`
    (pattern, same, pairs): what people said of pairs of a pattern; it counts for the pattern's other pairs too, as so
    many answers against `training.label_pairs`. Shares are of all pairs of records, compared or not. The
    model's own figures count as so many pairs seen before: twenty records stay sound, millions speak for themselves.
    """
    em = _Em(matcher, _Pairs.of(matcher, compared, labels), _Pairs.of(matcher, drawn), records, along or {})
    fitted, moved, rounds = em.started, 1.0, 0
    while moved > _PRECISION and rounds < _ROUNDS:
        before, rounds = fitted, rounds + 1
        fitted = em.round(before)
        moved = _moved(before, fitted, em.total / max(records, 1))
    return replace(fitted, rounds=rounds)


def expectation(matcher: Matcher, fitted: Fitted, levels: Levels) -> Floats:
    """Probability of each class (rows: one person, random, kinds of relatives) for each pattern."""
    found = fitted.classes(matcher, levels)
    found = np.exp2(found - found.max(axis=0, initial=-np.inf))
    return np.asarray(found / found.sum(axis=0))


class _Em:
    """The data and the model's own figures, and what one round makes of them."""

    def __init__(
        self, matcher: Matcher, seen: _Pairs, random: _Pairs, records: int, along: dict[str, pl.DataFrame]
    ) -> None:
        self.matcher, self.training = matcher, matcher.training
        self.seen, self.random, self.records = seen, random, records
        self.total = max(records * (records - 1) / 2, 1.0)
        self.shared = {name: _stated(matcher, name, levels) for name, levels in matcher.relatives.shared.items()}
        self.known = [self._known(number) for number in range(len(matcher.comparisons))]
        self.started = self._starting()
        self.of_one_value = {name: _Pairs.of(matcher, frame) for name, frame in along.items()}

    def _known(self, number: int) -> float:
        """The share of random pairs in which both values are known."""
        unknown = self.random.counts[self.random.levels.numbers[:, number] == 0].sum()
        return 1 - float(unknown) / max(float(self.random.counts.sum()), 1.0)

    def _starting(self) -> Fitted:
        m = tuple(_shares([level.m for level in c.levels]) for c in self.matcher.comparisons)
        u = tuple(_shares([level.u for level in c.levels]) for c in self.matcher.comparisons)
        # no record, no pair: the logarithm of nothing is none
        share = min(max(self.training.matches_per_record * self.records / self.total, _FEW), 0.3)
        kin = min(max(self.matcher.relatives.per_record * self.records / self.total, _FEW), 0.3)
        shares = tuple(kin * kind.share for kind in self.matcher.relatives.kinds)
        return Fitted(m, u, u, self._kin(u, self.shared), share, shares, 2.0**self.matcher.swapped, 0)

    def _kin(self, u: tuple[Floats, ...], shared: dict[str, Floats]) -> tuple[tuple[Floats, ...], ...]:
        """By kind and comparison: as stated, else as families share it, else as random pairs."""
        comparisons = self.matcher.comparisons
        return tuple(
            tuple(
                _stated(self.matcher, c.name, kind.levels[c.name])
                if c.name in kind.levels
                else shared.get(c.name, u[n])
                for n, c in enumerate(comparisons)
            )
            for kind in self.matcher.relatives.kinds
        )

    def round(self, fitted: Fitted) -> Fitted:
        """One expectation and one maximisation."""
        seen, training, started = self.seen, self.training, self.started
        likely = _labelled(expectation(self.matcher, fitted, seen.levels), seen, training.label_pairs) * seen.counts
        unlike = expectation(self.matcher, fitted, self.random.levels)[1] * self.random.counts
        matches, kin = float(likely[0].sum()), likely[2:].sum(axis=0)
        expected = training.matches_per_record * self.records
        mixed = (matches * self.records + expected * training.prior_records) / (self.records + training.prior_records)
        swapped = float(likely[0][seen.levels.swapped].sum()) + training.m_pairs * started.swapped
        m, u, shared = [], [], {}
        for number, comparison in enumerate(self.matcher.comparisons):
            m.append(_mixed(seen.of_level(number, likely[0], started.m[number]), started.m[number], training.m_pairs))
            drawn = self.random.of_level(number, unlike, started.u[number])
            least = seen.of_level(number, likely[1], drawn) / (self.total * max(self.known[number], _FEW))
            u.append(_at_least(_mixed(drawn, started.u[number], training.u_pairs), least))
            if (before := self.shared.get(comparison.name)) is not None:
                counted = seen.of_level(number, kin, before)
                shared[comparison.name] = _mixed(counted, before, self.matcher.relatives.shared_pairs)
        return Fitted(
            tuple(m), tuple(u), self._along(tuple(u), fitted), self._kin(tuple(u), shared),
            float(np.clip(mixed / self.total, _FEW, 0.3)), self._kin_shares(fitted, float(kin.sum())),
            swapped / (matches + training.m_pairs), 0,
        )  # fmt: skip

    def _along(self, u: tuple[Floats, ...], fitted: Fitted) -> tuple[Floats, ...]:
        """u among the pairs that agree on what a comparison follows: of pairs of one value there, those that another
        comparison tells apart, since the others may be one person's."""
        found = list(u)
        for number, before in followed(self.matcher).items():
            drawn = self.of_one_value.get(self.matcher.comparisons[before].name, self.random)
            agree = drawn.levels.agree(self.matcher, before)
            unlike = drawn.counts * agree * expectation(self.matcher, fitted, drawn.levels)[1]
            told = unlike * self._told_apart(drawn.levels, (number, before))
            counted = told if told.any() else unlike
            found[number] = _mixed(drawn.of_level(number, counted, u[number]), u[number], self.training.along_pairs)
        return tuple(found)

    def _told_apart(self, levels: Levels, but: tuple[int, int]) -> Flags:
        """Rows in which some other comparison, by the model's own figures, all but excludes one person."""
        found = np.zeros(len(levels.swapped), dtype=bool)
        for number, weights in enumerate(self.started.weights()):
            if number not in but:
                found |= (weights < _APART)[levels.numbers[:, number]]
        return found

    def _kin_shares(self, fitted: Fitted, seen: float) -> tuple[float, ...]:
        """Relatives among all pairs: those seen, by how many of their kind blocking finds, and the model's figure."""
        relatives = self.matcher.relatives
        covered = sum(
            kind.share * self._covered(levels) for kind, levels in zip(relatives.kinds, fitted.kin, strict=True)
        )
        rate = (seen / max(covered, _SELDOM) + relatives.per_record * relatives.prior_records) / (
            self.records + relatives.prior_records
        )
        together = float(np.clip(rate * self.records / self.total, _FEW, 0.3))
        return tuple(together * kind.share for kind in relatives.kinds)

    def _covered(self, kin: tuple[Floats, ...]) -> float:
        """The share of such pairs that some blocking rule finds, as if its keys agreed independently."""
        columns = {comparison.column: n for n, comparison in enumerate(self.matcher.comparisons)}
        missed = 1.0
        for rule in self.matcher.blocking:
            found = float(bool(rule.keys) and not rule.crossed)
            for key in rule.keys:
                number = columns.get(_OF.get(key, key))
                found *= kin[number][1] * self.known[number] if number is not None else 0.0
            missed *= 1 - found
        return 1 - missed


def _shares(values: list[float]) -> Floats:
    shares = np.maximum(np.array(values), _FEW)
    return np.concatenate([[1.0], shares / shares.sum()])


def _stated(matcher: Matcher, name: str, levels: dict[str, float]) -> Floats:
    comparison = next(c for c in matcher.comparisons if c.name == name)
    return _shares([levels.get(level.name, 0.0) for level in comparison.levels])


def _labelled(likely: Floats, seen: _Pairs, strength: float) -> Floats:
    """Where people answered, the share of one person's pairs is drawn to what they said."""
    same = (seen.same + strength * likely[0]) / (seen.same + seen.apart + strength)
    others = np.where(likely[0] < 1, (1 - same) / np.maximum(1 - likely[0], _FEW), 0.0)
    return np.asarray(np.concatenate([[same], likely[1:] * others]))


def _mixed(seen: Floats, before: Floats, strength: float) -> Floats:
    """Shares of what was seen and of `strength` pairs seen before."""
    shares = seen + strength * before
    shares = np.maximum(shares / shares[1:].sum(), _FEW)
    shares[0] = 1
    return np.asarray(shares)


def _at_least(shares: Floats, least: Floats) -> Floats:
    """What all compared pairs show of a level is the least that all pairs have of it, however few were drawn."""
    found = np.maximum(shares[1:], least[1:])
    return np.concatenate([[1.0], found / found.sum()])


def _moved(before: Fitted, after: Fitted, scale: float) -> float:
    """The largest change of any share; shares of all pairs are told per record."""

    def flat(fitted: Fitted) -> Floats:
        of_all = np.array([fitted.share, *fitted.kin_shares]) * scale
        kin = [levels for kind in fitted.kin for levels in kind]
        return np.concatenate([*fitted.m, *fitted.u, *fitted.along, *kin, of_all, [fitted.swapped]])

    return float(np.abs(flat(before) - flat(after)).max())
