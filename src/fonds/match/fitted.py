"""What was fitted: how often each class of pairs reaches each level, and how many pairs each class has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.match.definition import Matcher
from fonds.match.patterns import unpack

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
# From these on a value is another one: what hangs on agreement of a comparison doesn't hang on them.
_APART = ("similar", "sound", "both_known", "apart", "other")


@dataclass(frozen=True, slots=True)
class Levels:
    """Patterns taken apart: a row a pattern, the level by comparison (0 missing), and whether names are swapped."""

    numbers: Whole
    swapped: Flags

    @classmethod
    def of(cls, matcher: Matcher, patterns: pl.Series) -> Levels:
        """The levels of pattern codes."""
        frame = unpack(matcher, patterns)
        return cls(frame.drop("swap").to_numpy().astype(np.int64), frame["swap"].to_numpy())

    def agree(self, matcher: Matcher, number: int) -> Flags:
        """Rows where this comparison names one value, however it is written."""
        return agreeing(matcher, number)[self.numbers[:, number]]


def agreeing(matcher: Matcher, number: int) -> Flags:
    """Which levels of a comparison (0, missing, first) are one value, however it is written."""
    return np.array([False, *(level.when not in _APART for level in matcher.comparisons[number].levels)])


def followed(matcher: Matcher) -> dict[int, int]:
    """By number: comparisons that follow another one, and which."""
    places = {comparison.name: number for number, comparison in enumerate(matcher.comparisons)}
    return {n: places[c.follows] for n, c in enumerate(matcher.comparisons) if c.follows}


@dataclass(frozen=True, slots=True)
class Fitted:
    """Shares by comparison and level, level 0 (missing) being 1: a missing value says nothing.

    `m`: pairs of records of one person. `u`: pairs of two people met at random; `along`: those of them that agree on
    what the comparison follows (equal to `u` where it follows none). `kin`: by kind of relatives. `share`: of pairs of
    one person among all pairs; `kin_shares`: of each kind of relatives; `swapped`: of the pairs of one person, those
    with family and given name in each other's place.
    """

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    along: tuple[Floats, ...]
    kin: tuple[tuple[Floats, ...], ...]
    share: float
    kin_shares: tuple[float, ...]
    swapped: float
    rounds: int

    @property
    def prior(self) -> float:
        """log2 of the odds that two random records are one person."""
        return float(np.log2(self.share / (1 - self.share)))

    def weights(self) -> list[Floats]:
        """log2(m/u) by comparison and level: what a level weighs for itself."""
        return [np.log2(matched / random) for matched, random in zip(self.m, self.u, strict=True)]

    def base(self, swapped: Flags) -> Floats:
        """log2 of the classes' shares before any comparison: rows one person, random, kinds; a column a pair."""
        same = self.share * np.where(swapped, self.swapped, 1.0)
        others = [1 - self.share - sum(self.kin_shares), *self.kin_shares]
        rows = [same, *(np.full(len(swapped), max(share, 1e-300)) for share in others)]
        return np.asarray(np.log2(np.stack(rows)))

    def step(self, matcher: Matcher, number: int, levels: Levels) -> Floats:
        """log2 of what one comparison multiplies to each class, in the rows of `base`."""
        classes = [self.m[number], self.u[number], *(kind[number] for kind in self.kin)]
        found: Floats = np.log2(np.stack(classes))[:, levels.numbers[:, number]]
        if (before := followed(matcher).get(number)) is not None:
            along = np.log2(self.along[number])[levels.numbers[:, number]]
            found[1] = np.where(levels.agree(matcher, before), along, found[1])
        return found

    def classes(self, matcher: Matcher, levels: Levels) -> Floats:
        """log2 of how many of all pairs are of each class and have these levels."""
        total: Floats = self.base(levels.swapped)
        for number in range(len(self.m)):
            total += self.step(matcher, number, levels)
        return total

    def as_json(self, matcher: Matcher) -> dict[str, Any]:
        """Everything, with names, for a JSON file; `from_json` gives the same weights to the last bit."""
        comparisons = {}
        for n, comparison in enumerate(matcher.comparisons):
            columns = {"m": self.m[n], "u": self.u[n], "along": self.along[n], "weight": self.weights()[n]}
            columns |= {kind.name: self.kin[k][n] for k, kind in enumerate(matcher.relatives.kinds)}
            comparisons[comparison.name] = [
                {"level": level.name, **{name: float(column[place]) for name, column in columns.items()}}
                for place, level in enumerate(comparison.levels, 1)
            ]
        kinds = {kind.name: share for kind, share in zip(matcher.relatives.kinds, self.kin_shares, strict=True)}
        return {
            "prior": self.prior,
            "share": self.share,
            "relatives": kinds,
            "swapped": self.swapped,
            "rounds": self.rounds,
            "comparisons": comparisons,
        }

    @classmethod
    def from_json(cls, matcher: Matcher, kept: dict[str, Any]) -> Fitted:
        """The inverse of `as_json`. Raises KeyError where the model has other comparisons or kinds than were fitted."""

        def column(name: str) -> tuple[Floats, ...]:
            found = [kept["comparisons"][comparison.name] for comparison in matcher.comparisons]
            return tuple(np.array([1.0, *(level[name] for level in levels)]) for levels in found)

        names = [kind.name for kind in matcher.relatives.kinds]
        shares = tuple(kept["relatives"][name] for name in names)
        kin = tuple(column(name) for name in names)
        return cls(
            column("m"), column("u"), column("along"), kin, kept["share"], shares, kept["swapped"], kept["rounds"]
        )
