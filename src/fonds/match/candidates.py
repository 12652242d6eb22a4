"""Candidate pairs of prepared records with the pattern of levels each reaches, shard by shard and in bounded memory."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from fonds.errors import Transient
from fonds.match.definition import Matcher
from fonds.match.elsewhere import Job, Made, connection, lay_out, make, work
from fonds.match.fitted import followed
from fonds.match.keys import Oversized, blocking
from fonds.match.levels import Comparer
from fonds.match.patterns import unpack
from fonds.match.shards import SHARD, Maker, Shard, frame
from fonds.match.vocabulary import MISSING, Ints, Vocabulary
from fonds.operations.pool import ADDRESS, on_dask, processors

IN_MEMORY = 24_000_000  # pairs; more of them go to files
_FIRST_DRAW, _ENOUGH, _ALONG = 25_000, 100, 100_000


@dataclass
class Compared:
    """Every candidate pair of a run, once. Pairs are in shards, in memory or in files that go with this object."""

    total: int
    by_rule: dict[str, int]
    """pairs each blocking rule finds; a pair may be found by several"""
    oversized: tuple[Oversized, ...]
    found_by: pl.DataFrame
    """rules (Int64, bit k: blocking rule k finds it), pairs: how many pairs just this set of rules finds"""
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
    """Compare all pairs of prepared records that some blocking rule finds; the result depends on nothing else.

    `fresh` (Boolean by n): only pairs with at least one fresh record; blocks are as large as all records make them.
    `runner`: threads of this machine, which NumPy and DuckDB keep busy, or `dask://…`. `scratch`: where files go when
    pairs are too many for memory, and always with Dask, whose workers must see it under this path; a folder of the
    system's when None. Raises Transient when a cluster doesn't answer or its workers die; no files are left then.
    """
    maker = _maker(prepared, matcher).only(None if fresh is None else fresh.to_numpy())
    shards = list(maker.shards(SHARD))
    elsewhere = runner.startswith(ADDRESS)
    folder = None
    if elsewhere or sum(shard.pairs for shard in shards) > IN_MEMORY:
        folder = tempfile.TemporaryDirectory(prefix="pairs-", dir=scratch)
    try:
        made = list(_elsewhere(maker, shards, runner, folder) if folder and elsewhere else _here(maker, shards, folder))
    except BaseException:
        if folder:
            folder.cleanup()
        raise
    made.sort(key=lambda shard: shard.number)
    patterns = _summed([shard.patterns for shard in made], "pattern")
    found_by = _summed([shard.found_by for shard in made], "rules")
    by_rule = {
        rule.name: int(found_by.filter(pl.col("rules") & (1 << number) != 0)["pairs"].sum())
        for number, rule in enumerate(matcher.blocking)
    }
    total = int(found_by["pairs"].sum())
    pairs = [shard.pairs for shard in made if shard.patterns.height]
    return Compared(total, by_rule, maker.blocking.oversized, found_by, patterns, pairs, folder)


def compare_pairs(prepared: pl.DataFrame, matcher: Matcher, pairs: pl.DataFrame) -> pl.DataFrame:
    """These pairs (a, b: record numbers, a < b) as rows of a shard; `rules` is 0 where no rule finds a pair."""
    maker = _maker(prepared, matcher)
    a, b = (pairs[name].cast(pl.Int32).to_numpy() for name in ("a", "b"))
    return frame(a, b, maker.rules(maker.found(a, b)), maker.comparer.patterns(a, b, connection()))


def draw(prepared: pl.DataFrame, matcher: Matcher) -> tuple[pl.DataFrame, int]:
    """Patterns (pattern, pairs) of pairs drawn at random, and how many were drawn: all pairs when there are few, else a
    seeded sample that grows while a level of full agreement is hardly seen."""
    comparer = _maker(prepared, matcher).comparer
    records = prepared.height
    total, most = records * (records - 1) // 2, matcher.training.largest_sample
    size = min(_FIRST_DRAW, most)
    if total <= size:
        a, b = (side.astype(np.int32) for side in np.triu_indices(records, 1))
        return _counted(comparer, a, b), total
    rng = np.random.default_rng(matcher.training.seed)
    drawn, found = 0, _summed([], "pattern")
    while drawn < most and (not drawn or _rarest(matcher, found) < _ENOUGH):
        x, y = rng.integers(0, records, (2, size), dtype=np.int32)
        x, y = x[x != y], y[x != y]
        found = _summed([found, _counted(comparer, np.minimum(x, y), np.maximum(x, y))], "pattern")
        drawn += size
        size = min(3 * drawn, most - drawn)
    return found, int(found["pairs"].sum())


def draw_along(prepared: pl.DataFrame, matcher: Matcher) -> dict[str, pl.DataFrame]:
    """By name of each comparison that others follow: patterns (pattern, pairs) of pairs drawn at random among those of
    one value in it. Among pairs drawn from all there would be next to none."""
    comparer = _maker(prepared, matcher).comparer
    found = {}
    for number in sorted(set(followed(matcher).values())):
        codes = comparer.vocabulary.codes(matcher.comparisons[number].column)
        a, b = _within(codes, np.random.default_rng(matcher.training.seed))
        found[matcher.comparisons[number].name] = _counted(comparer, a, b)
    return found


def _within(codes: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Pairs (a, b: record numbers, a < b) of records of one code, each as likely as any other."""
    order = np.argsort(codes, kind="stable").astype(np.int32)
    order = order[codes[order] != MISSING]
    starts = np.flatnonzero(np.diff(codes[order], prepend=MISSING))
    sizes = np.diff(starts, append=len(order))
    until = np.cumsum(sizes * (sizes - 1))
    total = int(until[-1]) if len(until) else 0
    chosen = rng.integers(0, total, min(_ALONG, total // 2)) if total else np.empty(0, dtype=np.int64)
    block = np.searchsorted(until, chosen, side="right")
    x = rng.integers(0, sizes[block])
    y = (x + rng.integers(1, sizes[block])) % sizes[block]
    x, y = order[starts[block] + x], order[starts[block] + y]
    return np.minimum(x, y), np.maximum(x, y)


def _counted(comparer: Comparer, a: Ints, b: Ints) -> pl.DataFrame:
    return pl.DataFrame({"pattern": comparer.patterns(a, b, connection())}).group_by("pattern").len("pairs")


def _rarest(matcher: Matcher, found: pl.DataFrame) -> int:
    """Drawn pairs that agree in full on the comparison that random pairs agree on least; dates, which next to none do,
    are left to the model's own figure."""
    levels = unpack(matcher, found["pattern"]).with_columns(found["pairs"])
    asked = [n for n, comparison in enumerate(matcher.comparisons) if comparison.levels[0].u >= 1e-3]
    return min((int(levels.filter(pl.col(f"l{n}") == 1)["pairs"].sum()) for n in asked), default=_ENOUGH)


def _summed(parts: list[pl.DataFrame], column: str) -> pl.DataFrame:
    empty = pl.DataFrame(schema={column: pl.Int64, "pairs": pl.Int64})
    together = pl.concat([empty, *(part.cast(pl.Int64) for part in parts)])
    return together.group_by(column).agg(pl.col("pairs").sum()).sort(column)


def _here(maker: Maker, shards: list[Shard], folder: tempfile.TemporaryDirectory[str] | None) -> Iterator[Made]:
    where = Path(folder.name) if folder else None
    if len(shards) <= 1:
        yield from (make(maker, number, shard, where) for number, shard in enumerate(shards))
        return
    with ThreadPoolExecutor(processors()) as pool:
        try:
            yield from pool.map(lambda number: make(maker, number, shards[number], where), range(len(shards)))
        finally:
            pool.shutdown(cancel_futures=True)


def _elsewhere(
    maker: Maker, shards: list[Shard], runner: str, folder: tempfile.TemporaryDirectory[str]
) -> Iterator[Made]:
    where = Path(folder.name)
    lay_out(maker, where)
    died = Transient("a worker died while comparing records (out of memory?); run `fonds match` again")
    yield from on_dask(runner, work, [Job(where, number, shard) for number, shard in enumerate(shards)], died)


_last: list[tuple[weakref.ref[pl.DataFrame], Matcher, Maker]] = []


def _forget(_: object, last: list[tuple[weakref.ref[pl.DataFrame], Matcher, Maker]] = _last) -> None:
    last.clear()  # an argument: when the interpreter ends, the module's own name may be gone before the records are


def _maker(prepared: pl.DataFrame, matcher: Matcher) -> Maker:
    """Codes and blocks of these records: of the last ones they are kept as long as the records are, since a run asks
    for pairs of them several times."""
    if _last and _last[0][0]() is prepared and _last[0][1] is matcher:
        return _last[0][2]
    vocabulary = Vocabulary(prepared)
    maker = Maker(blocking(vocabulary, matcher), Comparer(vocabulary, matcher))
    _last[:] = [(weakref.ref(prepared, _forget), matcher, maker)]
    return maker
