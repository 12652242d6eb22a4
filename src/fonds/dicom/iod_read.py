"""Reads a whole data set but its pixels as a tree of raw values, for comparison with what the standard asks.

Memory is bounded: long values are cut, and of long sequences the first items are kept.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from pydicom.datadict import dictionary_VR

from fonds.dicom.framing import UNDEFINED, open_frame
from fonds.dicom.parsed import PIXEL_TAGS
from fonds.dicom.strict import MAX_DEPTH
from fonds.dicom.terms import LONG_VRS, SHORT_VRS
from fonds.dicom.values import Elements, uid_text
from fonds.errors import UnreadableHeader

MAX_VALUE = 64 * 1024
MAX_ITEMS = 32
MAX_ELEMENTS = 200_000
_LONG = {vr.encode(): vr for vr in LONG_VRS}
_SHORT = {vr.encode(): vr for vr in SHORT_VRS}
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass(slots=True)
class Value:
    """One element: `raw` are its first bytes (at most MAX_VALUE) of `length`; `items` are those kept of `count`."""

    vr: str
    stated: bool
    raw: bytes = b""
    length: int = 0
    items: list[Item] | None = None
    count: int = 0

    @property
    def empty(self) -> bool:
        """No value, or nothing but padding."""
        if self.items is not None:
            return self.count == 0
        return not self.length or (self.length <= len(self.raw) and not self.raw.strip(b" \0") and self.vr in _PADDED)


Item = dict[int, Value]
_PADDED = frozenset(
    ("AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT")
)


@dataclass(slots=True)
class Tree:
    """One object: its elements by tag, the file meta, and whether everything before the pixels was read."""

    elements: Item
    meta: Elements
    little: bool
    transfer_syntax: str | None
    pixels: Value | None = None
    whole: bool = True

    def text(self, tag: int) -> str:
        """ASCII text of a top-level value; empty when absent."""
        value = self.elements.get(tag)
        return uid_text(value.raw) if value is not None else ""


@dataclass(slots=True)
class _Reader:
    stream: BinaryIO
    size: int
    implicit: bool
    little: bool
    count: int = 0
    pixels: Value | None = None
    top: Item = field(default_factory=dict)
    order: str = field(init=False)

    def __post_init__(self) -> None:
        self.order = "<" if self.little else ">"

    def take(self, count: int, at: int) -> bytes:
        data = self.stream.read(count)
        if len(data) < count:
            raise UnreadableHeader("truncated_header", at, "an element goes past the end of the object")
        return data

    def head(self, at: int, implicit: bool) -> tuple[int, str | None, int, int]:
        """Tag, stated VR, length and place of the value of the element at `at`."""
        data = self.take(8, at)
        group, number = struct.unpack_from(f"{self.order}HH", data)
        tag = group << 16 | number
        if implicit or group == 0xFFFE:
            return tag, None, struct.unpack_from(f"{self.order}I", data, 4)[0], at + 8
        code = data[4:6]
        if code in _LONG:
            return tag, _LONG[code], struct.unpack(f"{self.order}I", self.take(4, at))[0], at + 12
        if code in _SHORT:
            return tag, _SHORT[code], struct.unpack_from(f"{self.order}H", data, 6)[0], at + 8
        raise UnreadableHeader("bad_vr", at, "an element without a value representation")

    def elements(self, at: int, end: int | None, implicit: bool, depth: int, *, keep: bool) -> tuple[Item, int]:
        """The elements from `at` to `end` (None: to the item's delimiter), and where they end."""
        if depth > MAX_DEPTH:
            raise UnreadableHeader("too_deep", at, "sequences nested too deeply")
        found: Item = {} if depth else self.top
        while end is None or at < end:
            tag, stated, length, value = self.head(at, implicit)
            if tag == _ITEM_END and end is None:
                return found, value
            if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
                raise UnreadableHeader("bad_vr", at, "a delimiter where an element should be")
            if depth == 0 and tag in PIXEL_TAGS:
                self.pixels = Value(stated or "OW", stated is not None, length=length)
                return found, at
            if length != UNDEFINED and value + length > self.size:
                raise UnreadableHeader("truncated_header", at, "an element goes past the end of the object")
            self.count += 1
            if self.count > MAX_ELEMENTS:
                raise _Enough
            one, at = self.value(tag, stated, length, value, implicit=implicit, depth=depth, keep=keep)
            if end is not None and at > end:
                raise UnreadableHeader("bad_vr", value, "an element goes past the end of its item")
            if keep:
                found[tag] = one
            self.stream.seek(at)
        return found, at

    def value(
        self, tag: int, stated: str | None, length: int, at: int, *, implicit: bool, depth: int, keep: bool
    ) -> tuple[Value, int]:
        """The element whose value begins at `at`, and where it ends."""
        vr = vr_of(tag) if stated in (None, "UN") else str(stated)
        if length == UNDEFINED or (vr == "SQ" and stated == "UN"):  # PS3.5 6.2.2: what is inside is implicit
            vr, implicit = "SQ", implicit or stated == "UN"
        if vr != "SQ":
            raw = self.stream.read(min(length, MAX_VALUE)) if keep else b""
            return Value(vr.split(" ")[0], stated not in (None, "UN"), raw, length), at + length
        try:
            return self.sequence(length, at, implicit=implicit, depth=depth, keep=keep)
        except UnreadableHeader:
            if stated != "UN" or length == UNDEFINED:
                raise
            return Value("UN", False, b"", length), at + length

    def sequence(self, length: int, at: int, *, implicit: bool, depth: int, keep: bool) -> tuple[Value, int]:
        """The first items of the sequence whose value begins at `at`, and where it ends."""
        one = Value("SQ", True, items=[])
        end = None if length == UNDEFINED else at + length
        while end is None or at < end:
            inner, _, extent, value = self.head(at, True)
            if inner == _SEQUENCE_END and end is None:
                return one, value
            if inner != _ITEM or (extent != UNDEFINED and value + extent > self.size):
                raise UnreadableHeader("bad_vr", at, "no item where one should be")
            one.count += 1
            kept = keep and one.count <= MAX_ITEMS
            if kept or extent == UNDEFINED:
                inside = None if extent == UNDEFINED else value + extent
                item, at = self.elements(value, inside, implicit, depth + 1, keep=kept)
                if kept and one.items is not None:
                    one.items.append(item)
            else:
                at = value + extent
            self.stream.seek(at)
        return one, at


class _Enough(Exception):
    """No error: an object of very many elements is judged by its first ones."""


def read_tree(stream: BinaryIO) -> Tree:
    """The data set of a seekable stream of one stored object, pixels left out.

    Raises UnreadableHeader with a reason code and the byte offset where reading ended; OSError passes through.
    """
    frame = open_frame(stream)
    tree = Tree({}, frame.meta, frame.little, frame.transfer_syntax)
    reader = _Reader(frame.stream, frame.size, frame.implicit, frame.little)
    frame.stream.seek(frame.start)
    try:
        reader.elements(frame.start, frame.size, frame.implicit, 0, keep=True)
    except _Enough:
        tree.whole = False
    tree.elements, tree.pixels = reader.top, reader.pixels
    if not tree.elements:
        raise UnreadableHeader("no_data", frame.start, "no element")
    return tree


def vr_of(tag: int) -> str:
    """VR of the dictionary, alternatives joined by " or "; UN where it has none."""
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return "UL" if tag & 0xFFFF == 0 else "LO" if tag >> 16 & 1 and 0x10 <= tag & 0xFFFF <= 0xFF else "UN"
