"""From files to rows: heads of a batch through the columnar reader, what it doesn't take one by one, then digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fonds.archives.base import Source
from fonds.archives.dicomdir import MEDIA_STORAGE_DIRECTORY, is_dicomdir, read_dicomdir
from fonds.archives.members import HEAD, kind_of, members, problem_of
from fonds.catalog.schema import TABLES, instances
from fonds.dicom.framing import open_frame
from fonds.dicom.headers import read_header
from fonds.dicom.pixels import digest, locate
from fonds.errors import UnreadableHeader

BUFFER = 32 * 1024 * 1024
"""bytes of heads at once; a buffer that is reused"""
_CLASS = "MediaStorageSOPClassUID"  # which tells a directory from all else
Rows = list[dict[str, Any]]
Found = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]
"""rows of unreadable, entries, instances"""


@dataclass(slots=True)
class _Heads:
    """The first bytes of some files, side by side."""

    bytes: NDArray[np.uint8]
    lengths: NDArray[np.int64]
    errors: dict[int, OSError]


@dataclass(slots=True)
class _Seen:
    """What is known of a batch besides the rows of those taken."""

    heads: _Heads
    look: NDArray[np.intp]
    pile: _Pile


@dataclass(slots=True)
class _Pile:
    """Rows found one by one."""

    unreadable: Rows = field(default_factory=list)
    entries: Rows = field(default_factory=list)
    instances: Rows = field(default_factory=list)


class Reader:
    """Reads the files of one source."""

    def __init__(
        self, name: str, source: Source, attributes: tuple[str, ...], digest: bool, charset: str | None
    ) -> None:
        self.name, self.source, self.attributes, self.digest, self.charset = name, source, attributes, digest, charset
        self.schema = instances(attributes).schema
        self.asked = attributes if _CLASS in attributes else (*attributes, _CLASS)
        self.buffer = np.empty(BUFFER, dtype=np.uint8)  # takes memory only where it is written

    def batches(self, files: pl.DataFrame, *, columnar: bool) -> Iterator[Found]:
        """The rows of files listed (location, size, mtime_ns, problem, message); each file ends in one table.

        `columnar` reads many times as fast, and takes seconds to load; the rows are the same.
        """
        refused = files.filter(pl.col("problem").is_not_null())
        if refused.height:
            rows = refused.select(
                pl.lit(self.name).alias("source"), "location", "size", "mtime_ns", pl.col("problem").alias("reason"),
                pl.lit(None, pl.Int64()).alias("byte_offset"), "message",
            )  # fmt: skip
            yield rows, _frame([], TABLES["entries"].schema), _frame([], self.schema)
        there = files.filter(pl.col("problem").is_null())
        yield from self._by_columns(there, 0) if columnar else self._singly(there)

    def _singly(self, files: pl.DataFrame) -> Iterator[Found]:
        for batch in files.iter_slices(1000):
            pile = _Pile()
            # a file to open each: this loop is the I/O itself
            for row in batch.iter_rows(named=True):
                self._one(row, pile, None)
            yield (
                _frame(pile.unreadable, TABLES["unreadable"].schema),
                _frame(pile.entries, TABLES["entries"].schema),
                _frame(pile.instances, self.schema),
            )

    def _by_columns(self, files: pl.DataFrame, step: int) -> Iterator[Found]:
        from fonds.dicom.columnar import STRIDES, read_columns

        for batch in files.iter_slices(BUFFER // STRIDES[step]):
            heads = self._heads(batch, STRIDES[step])
            # writable, although nothing writes: numba compiles another kernel for arrays that aren't
            sizes = batch["size"].to_numpy(writable=True)
            columns = read_columns(heads.bytes, heads.lengths, sizes, self.asked, default_charset=self.charset)
            directory = columns.frame[_CLASS].eq_missing(MEDIA_STORAGE_DIRECTORY.decode()).to_numpy()
            taken = columns.taken[~directory]
            frame = columns.frame.filter(pl.Series(~directory)) if directory.any() else columns.frame
            pile = _Pile()
            frame, again = self._looked_at(batch, frame, taken, _Seen(heads, columns.look, pile))
            # containers, and heads that couldn't be read, are odd to the kernel
            one_by_one = np.unique(np.concatenate([columns.odd, columns.taken[directory], again]))
            # what isn't as most files are: each a file to open
            for index in one_by_one:
                self._one(batch.row(int(index), named=True), pile, heads.errors.get(int(index)))
            yield (
                _frame(pile.unreadable, TABLES["unreadable"].schema),
                _frame(pile.entries, TABLES["entries"].schema),
                pl.concat([frame, _frame(pile.instances, self.schema)]) if pile.instances else frame,
            )
            if len(columns.short):
                yield from self._by_columns(batch[columns.short.tolist()], step + 1)

    def _heads(self, files: pl.DataFrame, stride: int) -> _Heads:
        count = files.height
        given = self.source.heads(files["location"].to_list(), self.buffer[: count * stride].data)
        errors = {index: got for index, got in enumerate(given) if isinstance(got, OSError)}
        lengths = np.array([0 if isinstance(got, OSError) else got for got in given], dtype=np.int64)
        return _Heads(self.buffer[: count * stride].reshape(count, stride), lengths, errors)

    def _looked_at(
        self, files: pl.DataFrame, frame: pl.DataFrame, taken: NDArray[np.intp], seen: _Seen
    ) -> tuple[pl.DataFrame, NDArray[np.intp]]:
        """The rows of those taken with what needs more of the object than its head, and those to be read one by one.

        An object that isn't as long as it was listed shows in a head that ends early, or in pixel data that isn't all
        there: such are read again as they are now.
        """
        listed = files.select(pl.lit(self.name).alias("source"), "location", "size", "mtime_ns")[taken.tolist()]
        frame = pl.concat([listed, frame], how="horizontal").select(list(self.schema))
        measured = np.isin(taken, seen.look)
        expected = np.minimum(files["size"].to_numpy(), seen.heads.bytes.shape[1])
        doubtful = (seen.heads.lengths != expected)[taken] | (frame["read_status"] == "partial").to_numpy()
        changes: Rows = []
        lost: list[int] = []
        wanted = np.flatnonzero(~doubtful & (measured | self.digest))
        # each object is opened: this loop is the I/O itself
        for place in wanted.tolist():
            row = frame.row(place, named=True)
            try:
                with self.source.open(row["location"]) as stream:
                    changes.append({"place": place, **self._more(stream, row, bool(measured[place]))})
            except OSError as error:
                reason, message = problem_of(error)
                listed_as = {name: row[name] for name in ("source", "location", "size", "mtime_ns")}
                seen.pile.unreadable.append({**listed_as, "reason": reason, "byte_offset": None, "message": message})
                lost.append(place)
        if changes:
            names = [name for name in changes[0] if name != "place"]
            update = pl.DataFrame(changes, schema={"place": pl.UInt32(), **{name: self.schema[name] for name in names}})
            frame = (
                frame.with_row_index("place").join(update, on="place", how="left", suffix=" new")
                .with_columns(
                    pl.when(pl.col("place").is_in(update["place"].implode())).then(f"{name} new").otherwise(name)
                    .alias(name) for name in names
                ).select(list(self.schema))
            )  # fmt: skip
        gone = np.concatenate([np.flatnonzero(doubtful), np.array(lost, dtype=np.intp)])
        kept = np.setdiff1d(np.arange(frame.height), gone)
        return (frame if len(kept) == frame.height else frame[kept.tolist()]), taken[doubtful]

    def _more(self, stream: BinaryIO, row: dict[str, Any], measure: bool) -> dict[str, Any]:
        from fonds.dicom.columnar import located

        length, status, note = row["pixel_length"], row["read_status"], row["read_note"]
        if measure:
            length, status, note = located(stream, row["header_length"], row["transfer_syntax"])
        if stream.seek(0, 2) != row["size"]:
            note = "; ".join(filter(None, [note, "changed_while_read"]))
        found = {"pixel_length": length, "read_status": status, "read_note": note}
        if self.digest:
            frame = open_frame(stream)
            sums = digest(stream, frame, locate(frame, row["header_length"]) if length is not None else None)
            found |= {"digest_object": sums.object, "digest_header": sums.header, "digest_pixels": sums.pixels}
        return found

    def _one(self, file: dict[str, Any], pile: _Pile, error: OSError | None) -> None:
        place = {"source": self.name, **{name: file[name] for name in ("location", "size", "mtime_ns")}}
        try:
            if error is not None:
                raise error
            with self.source.open(file["location"]) as stream:
                if kind_of(_first(stream, HEAD)) is not None:
                    self._container(stream, place, pile)
                else:
                    self._object(stream, place, pile)
        except OSError as raised:
            reason, message = problem_of(raised)
            pile.unreadable.append({**place, "reason": reason, "byte_offset": None, "message": message})

    def _container(self, stream: BinaryIO, place: dict[str, Any], pile: _Pile) -> None:
        for member in members(stream, place["location"]):
            here = {**place, "location": member.location}
            if member.location != place["location"]:
                here["size"] = member.size
            if member.container is not None:
                pile.entries.append({**here, "record": 0, "origin": member.container, "level": "MEDIA"})
            elif member.problem is not None:
                pile.unreadable.append(
                    {**here, "reason": member.problem, "byte_offset": None, "message": member.message}
                )
            else:
                try:
                    self._object(cast(BinaryIO, member.stream), here, pile)
                except OSError as raised:
                    reason, message = problem_of(raised)
                    pile.unreadable.append({**here, "reason": reason, "byte_offset": None, "message": message})

    def _object(self, stream: BinaryIO, place: dict[str, Any], pile: _Pile) -> None:
        try:
            stream.seek(0)
            if is_dicomdir(stream):
                pile.entries += read_dicomdir(
                    stream,
                    source=self.name,
                    location=place["location"],
                    size=place["size"],
                    mtime_ns=place["mtime_ns"],
                )
                return
            read = read_header(stream, self.attributes, digest=self.digest, default_charset=self.charset)
            row = {**place, **read.row()}
            if stream.seek(0, 2) != place["size"]:  # its time differs from what was listed: the next crawl reads it
                row["read_note"] = "; ".join(filter(None, [read.read_note, "changed_while_read"]))
            pile.instances.append(row)
        except UnreadableHeader as error:
            pile.unreadable.append(
                {**place, "reason": error.reason, "byte_offset": error.byte_offset, "message": error.message}
            )


def _first(stream: BinaryIO, count: int) -> bytes:
    stream.seek(0)
    return stream.read(count)


def _frame(rows: Sequence[dict[str, Any]], schema: dict[str, pl.DataType]) -> pl.DataFrame:
    # a hundred columns take a while to make, and most batches have no row that was read alone
    return pl.DataFrame(rows, schema=schema, orient="row") if rows else _nothing(tuple(schema.items()))


@lru_cache(maxsize=8)
def _nothing(schema: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(schema))
