"""Reads one shard of a listing in a worker process and leaves its rows as Parquet files, complete or not at all."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from fonds.archives.base import Source
from fonds.catalog.schema import TABLES, instances
from fonds.crawl.reading import Reader

Kind = Literal["unreadable", "entries", "instances"]
KINDS: tuple[Kind, ...] = ("unreadable", "entries", "instances")


@dataclass(frozen=True, slots=True)
class ShardJob:
    """What a worker needs to know; small, because it is pickled."""

    source_name: str
    source: Source
    listing: Path
    """Parquet file of what is to be read: location, size, mtime_ns, problem, message"""
    first: int
    count: int
    """rows of the listing that are this shard"""
    attributes: tuple[str, ...]
    digest: bool
    charset: str | None
    columnar: bool
    staging: Path


@dataclass(frozen=True, slots=True)
class ShardDone:
    """What a shard was: files, their bytes, and how many of them can't be read."""

    files: int
    bytes: int
    errors: int


def read_shard(job: ShardJob) -> ShardDone:
    """Read the files and write ``<staging>/<listing>.<first row>/<table>.parquet``.

    The folder appears by one rename after everything in it is on disk, so a killed worker leaves nothing that a
    later crawl could take for finished.
    """
    files = pl.scan_parquet(job.listing).slice(job.first, job.count).collect()
    reader = Reader(job.source_name, job.source, job.attributes, job.digest, job.charset)
    frames: dict[Kind, list[pl.DataFrame]] = {kind: [] for kind in KINDS}
    for found in reader.batches(files, columnar=job.columnar):
        for kind, frame in zip(KINDS, found, strict=True):
            frames[kind].append(frame)
    name = f"{job.listing.stem}.{job.first}"
    aside = job.staging / f".{name}.{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    errors = 0
    for kind in KINDS:
        empty = pl.DataFrame(schema=schema_of(kind, job.attributes))
        rows = pl.concat([empty, *(part for part in frames[kind] if part.height)])
        errors += rows.height if kind == "unreadable" else 0
        if rows.height:
            rows.write_parquet(aside / f"{kind}.parquet", compression="zstd", compression_level=1)
    shutil.rmtree(job.staging / name, ignore_errors=True)
    os.replace(aside, job.staging / name)
    return ShardDone(files.height, int(files["size"].sum()), errors)


def schema_of(kind: Kind, attributes: tuple[str, ...]) -> dict[str, pl.DataType]:
    """The columns of a table with these attributes."""
    return instances(attributes).schema if kind == "instances" else TABLES[kind].schema


def leave_interrupts_to_parent() -> None:
    """What a worker process begins with: Ctrl-C reaches the whole group, and the crawl ends its workers itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
