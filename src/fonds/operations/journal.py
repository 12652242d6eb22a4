"""The append-only journal of single instances: fsynced segments of JSON lines that become ledger rows."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from fonds.project.settings import Project

SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "location": pl.String(),
    "sop_uid": pl.String(),
    "study_uid": pl.String(),
    "wave": pl.String(),
    "state": pl.String(),
    "reason": pl.String(),
    "target_key": pl.String(),
    "status_code": pl.String(),
    "bytes": pl.Int64(),
    "digest_pixels_before": pl.String(),
    "digest_pixels_after": pl.String(),
    "digest_object_sent": pl.String(),
    "attempt": pl.Int64(),
    "basis": pl.String(),  # digest of what the attempt depended on: the source file, its changes, the target
    "coerced_at": pl.String(),  # the time written into a changed object, so that sending it again gives the same bytes
    "uids": pl.List(pl.String()),  # marks (view uid_marks) of the new UIDs it was sent with; none: those it had
}

BLOCK = 1 << 26  # bytes parsed at once: memory stays the same however long a journal is


class Journal:
    """One project's receipts. A line is on disk before `append` returns; a torn last line is ignored on reading."""

    def __init__(self, project: Project) -> None:
        self.folder = project.root / "journal"

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows (keys of SCHEMA) in one fsynced append to this process's segment."""
        lines = [json.dumps({name: row.get(name) for name in SCHEMA}, separators=(",", ":")) for row in rows]
        if not lines:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / self._segment()).open("ab") as segment:
            segment.write(("\n".join(lines) + "\n").encode())
            segment.flush()
            os.fsync(segment.fileno())

    def read(self) -> pl.DataFrame:
        """All receipts in the order they were written (columns of SCHEMA)."""
        return pl.concat([pl.DataFrame(schema=SCHEMA), *(block for _, block in self.since({}))])

    def latest(self) -> pl.DataFrame:
        """The last receipt of each object (columns of SCHEMA)."""
        return self.read().unique(["source", "location"], keep="last", maintain_order=True)

    def since(self, read: Mapping[str, int]) -> Iterator[tuple[dict[str, int], pl.DataFrame]]:
        """Receipts behind the first `read` bytes of each segment, in order, in blocks; with the bytes read by then."""
        done = dict(read)
        for path in self._segments():
            for end, block in _blocks(path, done.get(path.name, 0)):
                done[path.name] = end
                yield dict(done), block

    def continues(self, read: Mapping[str, int]) -> bool:
        """Whether everything read is still there, and what was written since comes after it."""
        sizes = {path.name: path.stat().st_size for path in self._segments()}
        if any(sizes.get(name, -1) < size for name, size in read.items()):
            return False
        before = [path for path in self._segments() if read and path.name < max(read)]
        return not any(True for path in before for _ in _blocks(path, read.get(path.name, 0)))

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    def _segment(self) -> str:
        # A killed writer may leave a torn line, so nobody appends to another process's segment.
        mine = sorted(self.folder.glob(f"*-{os.getpid()}.jsonl"))
        if mine and mine[-1] == self._segments()[-1] and _ends_whole(mine[-1]):
            return mine[-1].name
        return f"{len(self._segments()):08d}-{os.getpid()}.jsonl"


def _blocks(path: Path, start: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """Whole lines from byte `start`, with the byte behind them; a torn last line is no line."""
    with path.open("rb") as segment:
        segment.seek(start)
        rest = b""
        while content := segment.read(BLOCK):
            whole, end, torn = (rest + content).rpartition(b"\n")
            rest = torn
            if end:
                start += len(whole) + 1
                yield start, pl.read_ndjson(io.BytesIO(whole + end), schema=SCHEMA)


def _ends_whole(path: Path) -> bool:
    with path.open("rb") as segment:
        segment.seek(0, os.SEEK_END)
        if segment.tell() == 0:
            return True
        segment.seek(-1, os.SEEK_END)
        return segment.read(1) == b"\n"
