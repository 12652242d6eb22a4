"""Where the kernels put what they find: views of each column's texts, rows of numbers, and tables that grow."""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0917, SIM110
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fonds.dicom.columnar.compiling import inner
from fonds.dicom.columnar.plan import Bytes, Ints

# places in `Growing.used`
ROWS, ARENA, ENTRIES, CELLS, REFERENCES, REQUESTS, OTHER_IDS, PATHS = range(8)
# columns of `Growing.entries`
OFFSET, LENGTH, KIND, HASH = range(4)
TEXT = -1
"""Kind of an entry: ASCII text as it will be; other kinds are bytes with what it takes to make a text of them."""
CONTEXT = 1 << 48
"""Kind of an entry: a value of Specific Character Set; 1 more when the object has coded text beyond ASCII."""
MAX_PATHS = 512


# columns of `Sheet.rows`
HEADER_LENGTH, PIXEL_LENGTH, PARTIAL, NOTES, LOOK, SYNTAX_NUMBER, CONTEXT_ENTRY, ORIGINAL, FACTS = range(9)
FACT_COUNT = 7


class Sheet(NamedTuple):
    """One row for each object taken."""

    views: Bytes
    """Arrow string views: columns by rows by 16 bytes"""
    valid: Bytes
    rows: Ints
    """numbers; from FACTS on the entries of the issuer's ID and type, the accession issuer's local and universal ID,
    three forms of a code"""
    last: Ints
    """place and length in the arena of each column's last text"""


class Growing(NamedTuple):
    """Tables without a bound of their own: the kernel stops where one may become too small."""

    arena: Bytes
    """texts longer than 12 bytes, and all entries' bytes"""
    entries: Ints
    """distinct texts: place, length, kind, hash"""
    slots: Ints
    """hash table of entries"""
    cells: Ints
    """row, column and entry of values that aren't plain ASCII text"""
    references: Ints
    """row, path, relation, and entries of study, series, frame of reference, object and class"""
    requests: Ints
    """row and entry of accession numbers"""
    other_ids: Ints
    """row and entries of ID, issuer and type"""
    paths: Ints
    """path around each path of sequences, -1 none, and its sequence; -1 is the source of a concatenation"""
    used: Ints


def sheet(columns: int, rows: int) -> Sheet:
    """Room for so many objects."""
    return Sheet(
        np.zeros((columns, rows, 16), dtype=np.uint8),
        np.zeros((columns, rows), dtype=np.uint8),
        np.zeros((rows, FACTS + FACT_COUNT), dtype=np.int64),
        np.zeros((columns, 2), dtype=np.int64),
    )


def growing(rows: int, stride: int) -> Growing:
    """Room to begin with."""
    count = 1 << max(10, (8 * rows).bit_length())
    return Growing(
        np.empty(max(512 * rows, 4 * stride), dtype=np.uint8),
        *_tables(count),
        np.zeros((MAX_PATHS, 2), dtype=np.int64),
        np.zeros(8, dtype=np.int64),
    )


def _tables(count: int) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    widths = (4, 3, 8, 2, 4)
    entries, cells, references, requests, other_ids = (np.empty((count, width), dtype=np.int64) for width in widths)
    return entries, np.full(4 * count, -1, dtype=np.int64), cells, references, requests, other_ids


def grown(old: Growing) -> Growing:
    """The same with twice the room."""
    count = 2 * old.entries.shape[0]
    new = Growing(np.empty(2 * old.arena.size, dtype=np.uint8), *_tables(count), old.paths, old.used)
    new.arena[: old.arena.size] = old.arena
    for name in ("entries", "cells", "references", "requests", "other_ids"):
        table = getattr(old, name)
        getattr(new, name)[: table.shape[0]] = table
    size = new.slots.size
    for number in range(int(old.used[ENTRIES])):
        slot = int(new.entries[number, HASH]) & (size - 1)
        while new.slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        new.slots[slot] = number
    return new


@inner
def equal(one: Bytes, at: int, other: Bytes, there: int, length: int) -> bool:
    """Whether two runs of bytes are the same; compared from the end, where those of one archive differ."""
    for i in range(length - 1, -1, -1):
        if one[at + i] != other[there + i]:
            return False
    return True


@inner
def entry(data: Bytes, at: int, length: int, kind: int, arena: Bytes, entries: Ints, slots: Ints, used: Ints) -> int:
    """Number of the entry of these bytes and this kind, made when it is new."""
    code = np.uint64(14695981039346656037) ^ np.uint64(kind & 0xFFFFFFFFFFFF)
    for i in range(at, at + length):
        code = (code ^ np.uint64(data[i])) * np.uint64(1099511628211)
    hashed = np.int64(code >> np.uint64(1)) ^ np.int64(code >> np.uint64(40))
    mask = slots.size - 1
    slot = hashed & mask
    while slots[slot] >= 0:
        number = slots[slot]
        known = entries[number]
        if (
            known[HASH] == hashed
            and known[KIND] == kind
            and known[LENGTH] == length
            and equal(arena, known[OFFSET], data, at, length)
        ):
            return number
        slot = (slot + 1) & mask
    number = used[ENTRIES]
    used[ENTRIES] = number + 1
    place = used[ARENA]
    for i in range(length):
        arena[place + i] = data[at + i]
    used[ARENA] = place + length
    row = entries[number]
    row[OFFSET], row[LENGTH], row[KIND], row[HASH] = place, length, kind, hashed
    slots[slot] = number
    return number


@inner
def put_view(view: Bytes, arena: Bytes, place: int, length: int) -> None:
    """An Arrow string view (16 bytes) of a text of the arena: short ones stand in the view itself."""
    view[0], view[1], view[2], view[3] = length & 255, length >> 8 & 255, length >> 16 & 255, length >> 24
    inside = length if length <= 12 else 4
    for i in range(inside):
        view[4 + i] = arena[place + i]
    if length > 12:
        view[12], view[13], view[14], view[15] = place & 255, place >> 8 & 255, place >> 16 & 255, place >> 24


@inner
def put_text(data: Bytes, at: int, length: int, view: Bytes, last: Ints, arena: Bytes, used: Ints) -> None:
    """Plain text into a column. A long one that equals the row before stands in the arena once: series share most."""
    if length <= 12:
        view[0] = length
        for i in range(length):
            view[4 + i] = data[at + i]
        return
    place = last[0]
    if last[1] != length or not equal(arena, place, data, at, length):
        place = used[ARENA]
        for i in range(length):
            arena[place + i] = data[at + i]
        used[ARENA] = place + length
        last[0], last[1] = place, length
    put_view(view, arena, place, length)
