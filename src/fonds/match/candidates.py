"""Candidate pairs of prepared records with the pattern of levels each reaches, shard by shard and in bounded memory."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from fonds.match.definition import Matcher
from fonds.match.keys import Oversized, blocking
from fonds.match.levels import Comparer
from fonds.match.patterns import unpack
from fonds.match.shards import Maker, frame
from fonds.match.vocabulary import Flags, Ints, Vocabulary

IN_MEMORY = 24_000_000  # pairs; more of them go to files


@dataclass
class Compared:
    """Every candidate pair of a run, once. Pairs are in shards, in memory or in files that go with this object."""

    total: int
    by_rule: dict[str, int]
    """pairs each blocking rule finds; a pair may be found by several"""
    oversized: tuple[Oversized, ...]
    found_by: pl.DataFrame
    """rules (bit k: blocking rule k finds it), pairs: how many pairs just this set of rules finds"""
    _patterns: pl.DataFrame
    _shards: list[pl.DataFrame | Path]
    _folder: tempfile.TemporaryDirectory[str] | None = field(default=None, repr=False)

    def patterns(self) -> pl.DataFrame:
        """pattern (Int64), pairs (Int64): how many pairs have it."""
        return self._patterns

    def shards(self) -> Iterator[pl.DataFrame]:
        """Frames a, b (Int32, record numbers, a < b), rules (Int64, bit k: blocking rule k finds it), pattern."""
        for shard in self._shards:
            yield shard if isinstance(shard, pl.DataFrame) else pl.read_parquet(shard)

    def close(self) -> None:
        """Remove the files, if there are any; otherwise they go when the object does."""
        self._shards = []
        if self._folder:
            self._folder.cleanup()


def compare(
    prepared: pl.DataFrame,
    matcher: Matcher,
    *,
    fresh: pl.Series | None = None,
    runner: str = "processes",
    scratch: Path | None = None,
) -> Compared:
    """Compare all pairs of prepared records that some blocking rule finds.

    `fresh` (Boolean by n): only pairs with at least one fresh record; blocks are as large as all records make them.
    `scratch`: where files go when pairs are too many for memory; a folder of the system's when None.
    """
    maker = _maker(prepared, matcher, None if fresh is None else fresh.to_numpy())
    shards = list(maker.shards())
    with _connection() as connection, ThreadPoolExecutor(max(len(os.sched_getaffinity(0)), 1)) as pool:
        local = threading.local()

        def work(shard):  # type: ignore[no-untyped-def]
            if not hasattr(local, "cursor"):
                local.cursor = connection.cursor()
            return maker.make(shard, local.cursor)

        made = [pairs for pairs in pool.map(work, shards) if pairs.height]
    return _compared(maker, matcher, made)


def _compared(maker: Maker, matcher: Matcher, made: list[pl.DataFrame]) -> Compared:
    counted = [shard.group_by("pattern").len("pairs") for shard in made]
    ruled = [shard.group_by("rules").len("pairs") for shard in made]
    patterns = _summed(counted, "pattern")
    found_by = _summed(ruled, "rules")
    by_rule = {
        rule.name: int(found_by.filter(pl.col("rules") & (1 << number) != 0)["pairs"].sum())
        for number, rule in enumerate(matcher.blocking)
    }
    total = sum(shard.height for shard in made)
    return Compared(total, by_rule, maker.blocking.oversized, found_by, patterns, list(made))


def _summed(parts: list[pl.DataFrame], column: str) -> pl.DataFrame:
    empty = pl.DataFrame(schema={column: pl.Int64, "pairs": pl.Int64})
    together = pl.concat([empty, *(part.cast(pl.Int64) for part in parts)])
    return together.group_by(column).agg(pl.col("pairs").sum()).sort(column)


def compare_pairs(prepared: pl.DataFrame, matcher: Matcher, pairs: pl.DataFrame) -> pl.DataFrame:
    """These pairs (a, b: record numbers, a < b) as rows of a shard; `rules` is 0 where no rule finds a pair."""
    maker = _maker(prepared, matcher, None)
    a, b = (pairs[name].cast(pl.Int32).to_numpy() for name in ("a", "b"))
    with _connection() as connection:
        return frame(a, b, maker.rules(maker.found(a, b)), maker.comparer.patterns(a, b, connection))


def draw(prepared: pl.DataFrame, matcher: Matcher) -> tuple[pl.DataFrame, int]:
    """Patterns (pattern, pairs) of pairs drawn at random, and how many were drawn: all pairs when there are few, else a
    seeded sample that grows while a level of full agreement is hardly seen."""
    comparer = Comparer(Vocabulary(prepared), matcher)
    records = prepared.height
    total = records * (records - 1) // 2
    most = matcher.training.largest_sample
    size = min(_FIRST_DRAW, most)
    with _connection() as connection:
        if total <= size:
            a, b = (side.astype(np.int32) for side in np.triu_indices(records, 1))
            return _counted(comparer, a, b, connection), total
        rng = np.random.default_rng(matcher.training.seed)
        drawn, found = 0, pl.DataFrame(schema={"pattern": pl.Int64, "pairs": pl.Int64})
        while drawn < most and (not drawn or _rarest(matcher, found) < _ENOUGH):
            x, y = rng.integers(0, records, (2, size), dtype=np.int32)
            x, y = x[x != y], y[x != y]
            more = _counted(comparer, np.minimum(x, y), np.maximum(x, y), connection)
            found = _summed([found, more], "pattern")
            drawn += len(x)
            size = min(3 * drawn, most - drawn)
    return found, drawn


_FIRST_DRAW, _ENOUGH = 25_000, 100


def _counted(comparer: Comparer, a: Ints, b: Ints, connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    pattern, pairs = np.unique(comparer.patterns(a, b, connection), return_counts=True)
    return pl.DataFrame({"pattern": pattern, "pairs": pairs}, schema={"pattern": pl.Int64, "pairs": pl.Int64})


def _rarest(matcher: Matcher, found: pl.DataFrame) -> int:
    """Drawn pairs that agree in full on the comparison that random pairs agree on least; dates, which next to none do,
    are left to the model's own figure."""
    levels = unpack(matcher, found["pattern"]).with_columns(found["pairs"])
    asked = [n for n, comparison in enumerate(matcher.comparisons) if comparison.levels[0].u >= 1e-3]
    return min((int(levels.filter(pl.col(f"l{n}") == 1)["pairs"].sum()) for n in asked), default=_ENOUGH)


def _maker(prepared: pl.DataFrame, matcher: Matcher, fresh: Flags | None) -> Maker:
    vocabulary = Vocabulary(prepared)
    return Maker(blocking(vocabulary, matcher), Comparer(vocabulary, matcher), fresh)


def _connection() -> duckdb.DuckDBPyConnection:
    # shards are compared side by side already: one thread for each
    return duckdb.connect(":memory:", config={"threads": "1"})
