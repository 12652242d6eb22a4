"""Shards of pairs in other processes: what they need lies in a scratch folder once, and so do the pairs they make."""

from __future__ import annotations

import mmap
import os
import pickle
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import duckdb
import polars as pl

from fonds.match.shards import Maker, Shard

_STATE, _ARRAYS = "maker.pickle", "maker.arrays"
_own = threading.local()


@dataclass(frozen=True, slots=True)
class Made:
    """A shard's pairs, or the file they are in, and how many have each pattern (pattern, pairs) and are found by each
    set of rules (rules, pairs)."""

    number: int
    pairs: pl.DataFrame | Path
    patterns: pl.DataFrame
    found_by: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Job:
    """One shard for a worker: small, because it is pickled."""

    folder: Path
    number: int
    shard: Shard


def lay_out(maker: Maker, folder: Path) -> None:
    """Leave all that workers need in the folder: arrays as they are in memory, so that the workers of one machine map
    the same pages."""
    arrays: list[pickle.PickleBuffer] = []
    state = pickle.dumps(maker, protocol=5, buffer_callback=arrays.append)
    sizes = []
    with (folder / _ARRAYS).open("wb") as file:
        for array in arrays:
            with array.raw() as raw:
                file.write(raw)
                file.write(bytes(-raw.nbytes % 64))
                sizes.append(raw.nbytes)
    (folder / _STATE).write_bytes(pickle.dumps((sizes, state)))


@lru_cache(maxsize=1)
def _maker(folder: Path) -> Maker:
    sizes, state = pickle.loads((folder / _STATE).read_bytes())  # noqa: S301 - this run wrote it
    buffers, start = [], 0
    if any(sizes):
        with (folder / _ARRAYS).open("rb") as file:
            mapped = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    for size in sizes:
        buffers.append(mapped[start : start + size] if size else b"")
        start += size + -size % 64
    maker: Maker = pickle.loads(state, buffers=buffers)  # noqa: S301
    return maker


def work(job: Job) -> Made:
    """Make one shard in a worker process; its pairs are a file of the folder."""
    return make(_maker(job.folder), job.number, job.shard, job.folder)


def make(maker: Maker, number: int, shard: Shard, folder: Path | None) -> Made:
    """Make one shard; with a folder, its pairs are left there, complete or not at all."""
    pairs = maker.make(shard, connection())
    counted = [pairs.group_by(name).len("pairs").cast(pl.Int64) for name in ("pattern", "rules")]
    if folder is None:
        return Made(number, pairs, *counted)
    target = folder / f"{number}.parquet"
    aside = folder / f".{number}.{os.getpid()}"
    pairs.write_parquet(aside, compression="zstd", compression_level=1)
    os.replace(aside, target)
    return Made(number, target, *counted)


def connection() -> duckdb.DuckDBPyConnection:
    """DuckDB of this thread, which measures texts."""
    if not hasattr(_own, "connection"):
        # shards are compared side by side already: one thread for each
        _own.connection = duckdb.connect(":memory:", config={"threads": "1"})
    found: duckdb.DuckDBPyConnection = _own.connection
    return found
