"""The columnar reader: thousands of headers at once, from bytes side by side in one buffer to Arrow columns.

`read_columns` gives exactly the rows `read_header` gives, for the objects it takes; the others it names, to be read
with more bytes (`short`) or one by one (`odd`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fonds.dicom.columnar.frames import frame
from fonds.dicom.columnar.kernel import read_heads
from fonds.dicom.columnar.plan import SEQUENCE_TAGS, layout
from fonds.dicom.columnar.sheet import LOOK, ROWS, growing, grown, sheet
from fonds.dicom.columnar.walk import DONE, SHORT, scratch
from fonds.dicom.framing import BIG_ENDIAN, IMPLICIT_SYNTAXES, Frame
from fonds.dicom.parsed import wanted
from fonds.dicom.pixels import locate, state_of
from fonds.dicom.relations import LEAVES

STRIDES = (8 * 1024, 32 * 1024, 256 * 1024)
"""Bytes of each header to read: first, and for those that go on."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What became of a batch. All indices count in the batch."""

    frame: pl.DataFrame
    """a row for each object taken: the columns of `Header.row()`, without digests"""
    taken: NDArray[np.intp]
    short: NDArray[np.intp]
    """their headers go on: to be given again with the next stride"""
    odd: NDArray[np.intp]
    """to be read by `read_header`"""
    look: NDArray[np.intp]
    """among those taken: their encapsulated pixel data has to be measured by `located`"""


def read_columns(
    heads: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    sizes: NDArray[np.int64],
    attributes: tuple[str, ...],
    *,
    default_charset: str | None = None,
) -> Columns:
    """Read the headers of objects whose first bytes lie in the rows of `heads`.

    `lengths` says how many bytes of each row are the object's, `sizes` how many it has in all. `default_charset` as
    for `read_header`.
    """
    tables = layout(wanted(attributes))
    count, stride = heads.shape
    room = scratch(len(tables.columns), len(SEQUENCE_TAGS), len(LEAVES), len(tables.plan.private))
    found, out = sheet(len(tables.columns), count), growing(count, stride)
    outcomes = np.empty(count, dtype=np.uint8)
    start = 0
    while (start := read_heads(heads, lengths, sizes, outcomes, start, tables.plan, room, found, out)) < count:
        out = grown(out)
    taken = np.flatnonzero(outcomes == DONE)
    more = outcomes == SHORT if stride < STRIDES[-1] else np.zeros(count, dtype=bool)
    return Columns(
        frame(tables, found, out, default_charset),
        taken,
        np.flatnonzero(more),
        np.flatnonzero((outcomes != DONE) & ~more),
        taken[found.rows[: int(out.used[ROWS]), LOOK] != 0],
    )


def located(stream: BinaryIO, header_length: int, transfer_syntax: str) -> tuple[int, str, str | None]:
    """Pixel length, read status and read note of an object in `look`, from the object itself."""
    size = stream.seek(0, 2)
    implicit, little = transfer_syntax in IMPLICIT_SYNTAXES, transfer_syntax != BIG_ENDIAN
    found = locate(Frame(stream, size, header_length, implicit, little, transfer_syntax), header_length)
    complete, notes = state_of(found, transfer_syntax)
    return found.length, "ok" if complete else "partial", "; ".join(notes) or None
