"""Digests of an object and of its pixel data as stored, streamed, and how much pixel data there is."""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

from fonds.dicom.framing import LONG, UNDEFINED, Frame, claims_encapsulation

CHUNK = 1 << 18
"""Bytes that are read and hashed at a time: enough for the disk, little enough for the processor's cache."""
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_TRAILING_PADDING = b"\xfc\xff\xfc\xff"
# the same in either byte order; no element has these tags, so zeros here are filler
_FILLER = bytes(8)


def _places() -> array[int]:
    return array("q")


@dataclass(frozen=True, slots=True)
class Pixels:
    """The pixel data element: where it begins, its spans of pixel bytes, where it ends, and whether all is there."""

    start: int
    end: int
    complete: bool
    note: str | None = None
    encapsulated: bool = True
    starts: array[int] = field(default_factory=_places)
    ends: array[int] = field(default_factory=_places)
    """a place for each fragment; a slide has a million, so they are kept as plain numbers"""
    bare: bool = False
    """encapsulated without a Basic Offset Table"""

    @property
    def length(self) -> int:
        """Bytes of pixel data that are there, items' headers and offset table not counted."""
        return sum(self.ends) - sum(self.starts)


@dataclass(frozen=True, slots=True)
class Digests:
    """SHA-256 of the object's bytes, of its data set without pixel data, and of its pixel data."""

    object: str
    header: str
    pixels: str | None


def locate(frame: Frame, start: int) -> Pixels:
    """Find the extent of the pixel data element that begins at `start`.

    Encapsulated data (PS3.5 A.4) is the bytes of its fragments without the Basic Offset Table. Only headers are read.
    """
    order = "<" if frame.little else ">"
    head = _at(frame.stream, start, 12)
    if frame.implicit or head[4:6] not in LONG:
        value, form = start + 8, "I" if frame.implicit else "H"
        declared = struct.unpack_from(order + form, head, 4 if frame.implicit else 6) if len(head) >= 8 else (0,)
    else:
        value, declared = start + 12, struct.unpack_from(f"{order}I", head, 8) if len(head) == 12 else (0,)
    length = declared[0]
    if length == UNDEFINED:
        return _fragments(frame, start, value, order)
    end = min(value + length, frame.size)
    here = array("q", [min(value, end)]), array("q", [end])
    return Pixels(start, end, value + length <= frame.size, None, False, *here)


def _fragments(frame: Frame, start: int, value: int, order: str) -> Pixels:
    starts, ends = _places(), _places()
    unpack = struct.Struct(f"{order}HHI").unpack
    at, first, bare = value, True, False

    def found(end: int, complete: bool, note: str | None = None) -> Pixels:
        return Pixels(start, end, complete, note, True, starts, ends, bare)

    # one step a fragment: each says where the next one is
    while True:
        head = _at(frame.stream, at, 8)
        if len(head) < 8:
            cut = len(head) > 0 or not starts
            return found(frame.size, not cut, None if cut else "no_sequence_delimiter")
        group, number, length = unpack(head)
        if (group, number) == _SEQUENCE_END:
            return found(at + 8, True)
        if (group, number) != _ITEM or length == UNDEFINED:
            return found(at, False, "fragments_broken")
        end = at + 8 + length
        if first:
            bare = length == 0
        else:
            starts.append(at + 8)
            ends.append(min(end, frame.size))
        if end > frame.size:
            return found(frame.size, False)
        at, first = end, False


def state_of(pixels: Pixels, transfer_syntax: str | None) -> tuple[bool, list[str]]:
    """Whether all of the pixel data is there, and what is to be noted about it."""
    notes = [pixels.note] if pixels.note else []
    if claims_encapsulation(transfer_syntax) == (not pixels.encapsulated):
        notes.append("syntax_mismatch")
    return pixels.complete, notes


def digest(original: BinaryIO, frame: Frame, pixels: Pixels | None) -> Digests:
    """All digests in one pass over the object (two when it is deflated), a block at a time.

    What only says how pixel data is packed is in none but the first: offset tables (basic and extended, PS3.5 A.4 and
    PS3.3 C.7.6.3.1.8), items' heads, delimiters, and padding behind the data set (PS3.10 7.2).
    """
    whole, header, stored = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    if frame.deflated:
        for block in _blocks(original):
            whole.update(block)
    spans = _spans(frame, pixels)
    base = 0
    start, stop, in_pixels = next(spans)
    for block in _blocks(frame.stream):
        if not frame.deflated:
            whole.update(block)
        end, view = base + len(block), memoryview(block)
        while start < end:
            (stored if in_pixels else header).update(view[max(start - base, 0) : max(min(stop, end) - base, 0)])
            if stop > end:
                break
            start, stop, in_pixels = next(spans, _NO_SPAN)
        base = end
    return Digests(whole.hexdigest(), header.hexdigest(), stored.hexdigest() if pixels is not None else None)


_NO_SPAN = (1 << 63, 1 << 63, False)


def _spans(frame: Frame, pixels: Pixels | None) -> Iterator[tuple[int, int, bool]]:
    """Start and stop of what is hashed as header (False) or as pixel data (True), in the order of the object."""
    if pixels is None:
        return iter([(frame.start, frame.size, False)])
    # looked at before the pass begins: going back is dear in a stream that is unpacked while it is read
    before, following = _before_tables(frame, pixels), _at(frame.stream, pixels.end, 8)
    padding = following[:4] == _TRAILING_PADDING or _FILLER.startswith(following)
    inside = ((start, stop, True) for start, stop in zip(pixels.starts, pixels.ends, strict=True))
    return chain(
        [(frame.start, before, False)], inside, [] if padding else [(pixels.end, max(pixels.end, frame.size), False)]
    )


def _before_tables(frame: Frame, pixels: Pixels) -> int:
    """Where the Extended Offset Table of the pixel data begins, or the pixel data itself when there is none.

    Such data holds a frame in each fragment, and no Basic Offset Table (PS3.3 C.7.6.3.1.8): the table's size is known.
    """
    if not pixels.bare or not pixels.starts:
        return pixels.start
    size, at = 8 * len(pixels.starts), pixels.start
    for number, code, length in ((3, b"UV", 8), (2, b"OV", size), (1, b"OV", size)):
        before = at - 12 - length
        head = b"\xe0\x7f" + struct.pack("<H", number) + code + b"\0\0" + struct.pack("<I", length)
        if before >= frame.start and _at(frame.stream, before, 12) == head:
            at = before
    return at


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    stream.seek(0)
    while block := stream.read(CHUNK):
        yield block


def _at(stream: BinaryIO, place: int, count: int) -> bytes:
    stream.seek(place)
    return stream.read(count)
