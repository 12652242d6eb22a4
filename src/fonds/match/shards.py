"""One shard of candidate pairs: a range of a blocking rule's blocks, turned into pairs with their patterns."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl

from fonds.match.keys import Blocking, Finder, Listed, expand, packed
from fonds.match.levels import Comparer
from fonds.match.vocabulary import Flags, Ints, Longs, at, distinct

SHARD = 500_000  # pairs that are made and compared at a time by each worker
_STEP = 1 << 16  # rows of codes that fit a processor's cache
SCHEMA = {"a": pl.Int32, "b": pl.Int32, "rules": pl.Int64, "pattern": pl.Int64}


@dataclass(frozen=True, slots=True)
class Shard:
    """Members [first, last) of a finder's blocks, or pairs of a listed rule, whose pairs are made together; and how
    many these are before those that an earlier finder has are left out."""

    finder: int
    first: int
    last: int
    pairs: int


class Maker:
    """Makes the pairs of shards; everything it holds is read only, so that threads and processes may share it."""

    def __init__(self, blocking: Blocking, comparer: Comparer) -> None:
        self.blocking = blocking
        self.comparer = comparer
        self.fresh: Flags | None = None
        finders = blocking.finders
        codes = [finder.component if isinstance(finder, Listed) else finder.left for finder in finders]
        self._second = {}
        for number, finder in enumerate(finders):
            if isinstance(finder, Finder) and finder.lefts is not None:
                self._second[number] = len(codes)
                codes.append(finder.right)
        # side by side: all codes of a record lie in one or two cache lines
        self._codes = np.column_stack(codes)

    def only(self, fresh: Flags | None) -> Maker:
        """One that makes only pairs with at least one fresh record."""
        other = copy(self)
        other.fresh = fresh
        return other

    def shards(self, size: int) -> Iterator[Shard]:
        """Ranges of about so many pairs each, that together make every pair."""
        for number, finder in enumerate(self.blocking.finders):
            if isinstance(finder, Listed):
                counts = np.ones(len(finder.pairs), dtype=np.int64)
            else:
                counts = self._partners(finder, 0, len(finder.members))[2]
            made = np.cumsum(counts)
            total = int(made[-1]) if len(made) else 0
            cuts = np.searchsorted(made, np.arange(size, total, size)) + 1
            edges = distinct(np.concatenate([[0], cuts, [len(made)]]))
            for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
                yield Shard(number, first, last, int(made[last - 1] - (made[first - 1] if first else 0)))

    def make(self, shard: Shard, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
        """The shard's pairs (a, b, rules, pattern) that no earlier finder has."""
        a, b = self._pairs(shard)
        bits = self.found(a, b)
        mine = np.flatnonzero((bits & ((1 << shard.finder) - 1)) == 0)
        a, b, bits = a[mine], b[mine], bits[mine]
        return frame(a, b, self.rules(bits), self.comparer.patterns(a, b, connection))

    def found(self, a: Ints, b: Ints) -> Longs:
        """Which finders have each pair: bit k for finder k."""
        count = len(self.blocking.finders)
        total = np.zeros(len(a), dtype=np.int64)
        octets = total.view(np.uint8).reshape(-1, 8)
        for start in range(0, len(a), _STEP):
            step = slice(start, start + _STEP)
            x, y = at(self._codes, a[step]), at(self._codes, b[step])
            same = x == y
            for number, finder in enumerate(self.blocking.finders):
                if isinstance(finder, Listed):
                    maybe = np.flatnonzero(same[:, number])
                    same[maybe, number] = _among(packed(a[step][maybe], b[step][maybe]), finder.pairs)
                elif second := self._second.get(number):
                    same[:, number] = (x[:, number] == y[:, second]) | (x[:, second] == y[:, number])
            bits = np.packbits(same[:, :count], axis=1, bitorder="little")
            octets[step, : bits.shape[1]] = bits
        return total

    def rules(self, bits: Longs) -> Longs:
        """Bits of finders as bits of rules."""
        total = np.zeros(len(bits), dtype=np.int64)
        shifts: dict[int, int] = {}
        for number, finder in enumerate(self.blocking.finders):
            shifts[number - finder.rule] = shifts.get(number - finder.rule, 0) | 1 << number
        for shift, mask in shifts.items():  # finders in a row that stand equally far from their rules move together
            total |= (bits & mask) >> shift
        return total

    def _pairs(self, shard: Shard) -> tuple[Ints, Ints]:
        finder = self.blocking.finders[shard.finder]
        if isinstance(finder, Listed):
            pairs = finder.pairs[shard.first : shard.last]
            a, b = (pairs >> 32).astype(np.int32), (pairs & 0xFFFFFFFF).astype(np.int32)
            if self.fresh is None:
                return a, b
            either = self.fresh[a] | self.fresh[b]
            return a[either], b[either]
        where, first, counts = self._partners(finder, shard.first, shard.last)
        x = np.repeat(finder.members[where], counts)
        y = at(finder.members, expand(first, counts))
        keep = self._once(finder, x, y)
        if keep is not None:
            x, y = x[keep], y[keep]
        return np.minimum(x, y), np.maximum(x, y)

    def _partners(self, finder: Finder, first: int, last: int) -> tuple[Longs, Longs, Longs]:
        """For members [first, last): where they are, where the members they meet begin, and how many these are."""
        starts = finder.starts
        blocks = np.arange(np.searchsorted(starts, first, "right") - 1, np.searchsorted(starts, last, "left"))
        inside = np.clip(starts[blocks[0] : blocks[-1] + 2], first, last) if len(blocks) else starts[:1]
        block = np.repeat(blocks, np.diff(inside))
        where = np.arange(first, last)
        start, end = starts[block], starts[block + 1]
        if finder.lefts is not None:
            middle = start + finder.lefts[block]
            return where, middle, np.where(where < middle, end - middle, 0)
        if self.fresh is None:
            return where, where + 1, end - where - 1
        return where, start, np.where(self.fresh[finder.members[where]], end - start, 0)

    def _once(self, finder: Finder, x: Ints, y: Ints) -> Flags | None:
        """Which pairs to keep: none of a record with itself, none a second time from its other side, and only those
        with a fresh record."""
        if finder.lefts is not None:
            both = (finder.left[x] == finder.right[y]) & (finder.left[y] == finder.right[x])
            keep: Flags = (x != y) & (~both | (x < y))
            return keep if self.fresh is None else keep & (self.fresh[x] | self.fresh[y])
        if self.fresh is None:
            return None
        keep = (x != y) & (~self.fresh[y] | (x < y))
        return keep


def frame(a: Ints, b: Ints, rules: Longs, pattern: Longs) -> pl.DataFrame:
    """Pairs as they are handed on."""
    return pl.DataFrame({"a": a, "b": b, "rules": rules, "pattern": pattern}, schema=SCHEMA)


def _among(pairs: Longs, listed: Longs) -> Flags:
    if not len(listed):
        return np.zeros(len(pairs), dtype=np.bool_)
    place = np.minimum(np.searchsorted(listed, pairs), len(listed) - 1)
    found: Flags = listed[place] == pairs
    return found
