"""A sequence as a tree that gives back its bytes: every head, delimiter and odd byte as stored, lengths as they are."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from fonds.dicom.elements import MAX_DEPTH, vr_of
from fonds.dicom.framing import LONG, SHORT, UNDEFINED
from fonds.dicom.values import Elements
from fonds.errors import CoercionRefused

_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


class Coding(NamedTuple):
    """How the elements of a level are encoded."""

    implicit: bool
    little: bool


_UN_CONTENT = Coding(implicit=True, little=True)  # PS3.5 6.2.2, whatever is around it


@dataclass(slots=True, eq=False)
class Part:
    """One element: its head, and its value's bytes or its items.

    `tail` is the delimiter, or odd bytes behind the last item. `vr` is SQ where items are, whatever the head says.
    """

    tag: int
    vr: str
    coding: Coding
    head: bytes
    value: bytes
    undefined: bool = False
    items: list[Item] | None = None
    tail: bytes = b""

    def written(self, content: bytes) -> bytes:
        """The element with other content of its value; its length is made right where it states one."""
        if self.undefined:
            return self.head + content + self.tail
        content += self.tail
        order = "<" if self.coding.little else ">"
        short = not self.coding.implicit and self.head[4:6] in SHORT
        if short and len(content) > 0xFFFE:
            raise CoercionRefused(f"a value of VR {self.vr} is longer than 65,534 bytes", reason="too-long")
        length = struct.pack(order + ("H" if short else "I"), len(content))
        return self.head[: -len(length)] + length + content

    def stored(self) -> bytes:
        """The element as it was read."""
        content = self.value if self.items is None else b"".join(item.stored() for item in self.items)
        return self.head + content + self.tail

    def below(self) -> Iterator[Part]:
        """Every element at every level inside."""
        for item in self.items or ():
            for part in item.parts:
                yield part
                yield from part.below()


@dataclass(slots=True, eq=False)
class Item:
    """One item: its head, its elements, and its delimiter or odd bytes behind the last of them."""

    head: bytes
    little: bool
    undefined: bool
    parts: list[Part]
    tail: bytes = b""
    elements: Elements = field(default_factory=dict)
    """the same elements by tag, as the reader of references takes them"""

    def written(self, parts: list[tuple[Part, bytes]]) -> bytes:
        """The item with these elements, in order; its length and the group lengths in it are made right."""
        order = "<" if self.little else ">"
        grown: Counter[int] = Counter()
        if any(not part.tag & 0xFFFF for part in self.parts):  # group lengths (PS3.5 7.2) are rare
            for part, encoded in parts:
                grown[part.tag >> 16] += len(encoded)
            for part in self.parts:
                grown[part.tag >> 16] -= len(part.stored())
        pieces = []
        for part, encoded in parts:
            more = grown[part.tag >> 16] if not part.tag & 0xFFFF and len(part.value) == 4 else 0
            if more:
                count = struct.unpack(order + "I", part.value)[0] + more
                pieces.append(part.written(struct.pack(order + "I", count)))
            else:
                pieces.append(encoded)
        content = b"".join(pieces)
        content += self.tail
        if self.undefined:
            return self.head + content
        return self.head[:4] + struct.pack(order + "I", len(content)) + content

    def stored(self) -> bytes:
        """The item as it was read."""
        return self.head + b"".join(part.stored() for part in self.parts) + self.tail


class _Broken(Exception):
    """The bytes are no plain elements; carries where."""

    def __init__(self, place: int) -> None:
        self.place = place


def read(data: bytes, coding: Coding) -> Part:
    """The tree of one element that is `data`; raises CoercionRefused (``unparseable``) where it can't be walked."""
    try:
        part, at = _part(data, 0, len(data), coding, 0)
        if at != len(data):
            raise _Broken(at)
    except _Broken as broken:
        raise CoercionRefused(
            f"a sequence can't be walked (its byte {broken.place})", reason="unparseable", byte_offset=broken.place
        ) from None
    return part


def _numbers(data: bytes, at: int, end: int, coding: Coding) -> tuple[int, int]:
    """Tag, and the four bytes after it as a number."""
    if at + 8 > end:
        raise _Broken(at)
    group, number, length = struct.unpack_from("<HHI" if coding.little else ">HHI", data, at)
    return group << 16 | number, length


def _head(data: bytes, at: int, end: int, coding: Coding) -> tuple[int, str, int, int]:
    """Tag, VR, length and place of the value of the element at `at`."""
    tag, length = _numbers(data, at, end, coding)
    if tag >> 16 == 0xFFFE:
        raise _Broken(at)
    if coding.implicit:
        return tag, vr_of(tag), length, at + 8
    code, order = data[at + 4 : at + 6], "<" if coding.little else ">"
    if code in SHORT:
        return tag, code.decode("ascii"), struct.unpack_from(order + "H", data, at + 6)[0], at + 8
    if code not in LONG or at + 12 > end:
        raise _Broken(at)
    return tag, code.decode("ascii"), struct.unpack_from(order + "I", data, at + 8)[0], at + 12


def _part(data: bytes, at: int, end: int, coding: Coding, depth: int) -> tuple[Part, int]:
    tag, vr, length, value = _head(data, at, end, coding)
    head = data[at:value]
    if length == UNDEFINED:
        return _undefined(data, Part(tag, vr, coding, head, b"", True), value, end, depth)
    stop = value + length
    if stop > end:
        raise _Broken(at)
    part = Part(tag, vr, coding, head, data[value:stop])
    inner: tuple[Coding, ...] = (coding,) if vr == "SQ" else ()
    if vr == "UN" and not coding.implicit and vr_of(tag) == "SQ":
        inner = (_UN_CONTENT, coding)  # the standard's form, then what some write
    for number, inside in enumerate(inner, start=1):
        try:
            items, after = _items(data, value, stop, inside, depth + 1, undefined=False)
        except _Broken:
            # a private sequence that is none stays bytes; what the standard knows may hold references
            if number == len(inner) and vr_of(tag) == "SQ":
                raise
        else:
            part.vr, part.value, part.items, part.tail = "SQ", b"", items, data[after:stop]
            break
    return part, stop


def _undefined(data: bytes, part: Part, value: int, end: int, depth: int) -> tuple[Part, int]:
    if part.vr not in ("SQ", "UN"):
        # encapsulated pixel data of an icon: fragments, no elements
        at = value
        while True:
            tag, length = _numbers(data, at, end, part.coding)
            at += 8
            if tag == _SEQUENCE_END:
                break
            if tag != _ITEM or length == UNDEFINED or at + length > end:
                raise _Broken(at)
            at += length
        part.value, part.tail = data[value : at - 8], data[at - 8 : at]
        return part, at
    inner = _UN_CONTENT if part.vr == "UN" and not part.coding.implicit else part.coding
    items, at = _items(data, value, end, inner, depth + 1, undefined=True)
    part.vr, part.items, part.tail = "SQ", items, data[at : at + 8]
    return part, at + 8


def _items(data: bytes, at: int, end: int, coding: Coding, depth: int, *, undefined: bool) -> tuple[list[Item], int]:
    """The items from `at` on, and where the delimiter or the odd bytes behind them begin."""
    if depth > MAX_DEPTH:
        raise _Broken(at)
    found: list[Item] = []
    while undefined or end - at >= 8:
        tag, length = _numbers(data, at, end, coding)
        if tag == _SEQUENCE_END and undefined:
            break
        if tag != _ITEM:
            raise _Broken(at)
        item = Item(data[at : at + 8], coding.little, length == UNDEFINED, [])
        at += 8
        stop = end if item.undefined else at + length
        if stop > end:
            raise _Broken(at)
        while item.undefined or stop - at >= 8:
            if item.undefined and _numbers(data, at, stop, coding)[0] == _ITEM_END:
                item.tail = data[at : at + 8]
                stop = at + 8
                break
            part, at = _part(data, at, stop, coding, depth)
            item.parts.append(part)
        if not item.undefined:
            item.tail = data[at:stop]
        at = stop
        item.elements = {
            part.tag: (part.vr, part.value if part.items is None else [one.elements for one in part.items])
            for part in item.parts
        }
        found.append(item)
    return found, at
