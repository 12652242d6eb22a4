"""Opens the few files that the catalog alone can't tell apart, and tells what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO

import duckdb
import polars as pl

from fonds.archives.base import Source
from fonds.archives.opening import open_sources
from fonds.dicom.decoded import decoded_digest, is_blank
from fonds.dicom.differences import bulk_digest, differing_attributes
from fonds.dicom.former import former_sop_uids
from fonds.dicom.headers import read_header
from fonds.errors import Transient, UnreadableHeader
from fonds.operations.pool import in_processes
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

BATCH = 32

Place = tuple[str, ...]
"""Source and location of a file; of two when they are compared."""
Told = tuple[str | None, ...]
Work = Callable[..., Told]
Row = tuple[str | bool | None, ...]
_DIED = Transient("a worker process died while files were compared (out of memory?); run the stage again")
_Job = tuple[dict[str, Source], Sequence[Place], Work, int]


def digests(stream: BinaryIO) -> Told:
    """Digests the crawl didn't make: of the object, its data set and its pixel data."""
    found = read_header(stream, (), digest=True).digests
    return (found.object, found.header, found.pixels) if found else (None, None, None)


def decoded(stream: BinaryIO) -> Told:
    """Digest of the decoded pixels, or why there is none."""
    found = decoded_digest(stream)
    return found, None if found else "undecodable"


def documents(stream: BinaryIO) -> Told:
    """Digest of the content of an object without pixel data."""
    return bulk_digest(stream), None


def blank(stream: BinaryIO) -> Told:
    """`yes` when the image shows nothing."""
    return ("yes" if is_blank(stream) else "no",)


def former(stream: BinaryIO) -> Told:
    """SOP Instance UIDs the object had before, joined by a blank."""
    return (" ".join(former_sop_uids(stream)),)


def compared(stream: BinaryIO, kept: BinaryIO) -> Told:
    """Keywords in which two objects with the same content differ, joined by a blank."""
    return (" ".join(differing_attributes(kept, stream, same_content=True)),)


class Opener:
    """Opens files of the project's sources and leaves what they tell as tables of a connection."""

    def __init__(self, project: Project, connection: duckdb.DuckDBPyConnection, run: StageRun) -> None:
        self.sources, self.connection, self.run = open_sources(project), connection, run
        self.closed: set[Place] = set()
        """files that couldn't be opened"""

    def tell(self, name: str, work: Work, columns: tuple[str, ...], which: str) -> None:
        """Table `name` (source, location, *columns, opened): what `work` tells of each place that the SQL names.

        A file that can't be opened tells nothing, and `opened` is false: it waits for a person.
        """
        places: list[Place] = self.connection.sql(which).fetchall()
        schema = {"source": pl.String(), "location": pl.String(), **dict.fromkeys(columns, pl.String())}
        rows: list[Row] = []
        jobs = [(self.sources, places[at : at + BATCH], work, len(columns)) for at in range(0, len(places), BATCH)]
        for batch in in_processes(_batch, jobs, _DIED):
            rows += batch
            self.run.progress(len(rows), len(places), f"files opened ({work.__name__})")
        self.closed |= {(str(row[0]), str(row[1])) for row in rows if not row[-1]}
        frame = pl.DataFrame(rows, schema={**schema, "opened": pl.Boolean()}, orient="row")
        self.connection.register(f"{name}_rows", frame.to_arrow())
        self.connection.execute(f"CREATE TEMP TABLE {name} AS FROM {name}_rows")
        self.connection.unregister(f"{name}_rows")


def _batch(job: _Job) -> list[Row]:
    sources, places, work, width = job
    return [_one(sources, place, work, width) for place in places]


def _one(sources: dict[str, Source], place: Place, work: Work, width: int) -> Row:
    nothing: Told = (None,) * width
    streams: list[BinaryIO] = []
    try:
        for at in range(0, len(place), 2):
            streams.append(sources[place[at]].open(place[at + 1]))
        return (*place[:2], *work(*streams), True)
    except (OSError, KeyError, UnreadableHeader):
        # gone or changed since the crawl, or of a source that fonds.yaml has no more
        return (*place[:2], *nothing, False)
    finally:
        for stream in streams:
            stream.close()
