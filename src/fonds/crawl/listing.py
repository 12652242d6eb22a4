"""Writes what a source lists into Parquet files, some ten thousand rows at a time: never all of it in memory."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import polars as pl

from fonds.archives.base import Source

CHUNK = 50_000
_SCHEMA = {
    "location": pl.String(),
    "size": pl.Int64(),
    "mtime_ns": pl.Int64(),
    "problem": pl.String(),
    "message": pl.String(),
}


def write_listing(source: Source, folder: Path, told: Callable[[int], None]) -> int:
    """List into ``<folder>/<number>.parquet``, with a running `number`; `told` hears how many so far.

    Returns how many there are; raises ArchiveUnreachable as the source does.
    """
    folder.mkdir(parents=True)
    files = source.list()
    count = 0
    while chunk := list(islice(files, CHUNK)):
        # one object a file comes out of the listing: this is where they become columns
        rows = [(file.location, file.size, file.mtime_ns, file.problem, file.message) for file in chunk]
        frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row").with_row_index("number", offset=count)
        frame.write_parquet(folder / f"{count:012d}.parquet", compression="lz4")
        count += len(chunk)
        told(count)
    if not count:
        pl.DataFrame(schema={"number": pl.UInt32(), **_SCHEMA}).write_parquet(folder / "0.parquet")
    return count
