"""Where each element of a data set lies, byte by byte, and how new elements are encoded beside them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_VR

from fonds.dicom.framing import LONG, SHORT, UNDEFINED, Frame
from fonds.errors import CoercionRefused

WINDOW = 64 * 1024
MAX_DEPTH = 50
PIXEL_GROUP = 0x7FE0
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its VR (the dictionary's when implicit) and the places of its head, its value and its end."""

    tag: int
    vr: str
    start: int
    value: int
    end: int
    undefined: bool = False

    @property
    def length(self) -> int:
        """Bytes of the value, delimiters included."""
        return self.end - self.value


class Walker:
    """Walks the elements of one data set without reading their values; memory is one window.

    Raises CoercionRefused with reason ``unparseable`` where a plain walk is impossible (PS3.5 section 7).
    """

    def __init__(self, frame: Frame) -> None:
        self.frame, self.order = frame, "<" if frame.little else ">"
        self._buffer, self._base = frame.head, frame.head_at
        self._uint = struct.Struct(self.order + "I").unpack
        self._ushort = struct.Struct(self.order + "H").unpack
        self._pair = struct.Struct(self.order + "HH").unpack

    def bytes_at(self, place: int, count: int) -> bytes:
        """Exactly `count` bytes at `place`."""
        at = place - self._base
        if at < 0 or at + count > len(self._buffer):
            self.frame.stream.seek(place)
            self._buffer, self._base, at = self.frame.stream.read(max(count, WINDOW)), place, 0
            if len(self._buffer) < count:
                raise _unparseable(place, "the data set ends inside an element")
        return self._buffer[at : at + count]

    def raw(self, element: Element) -> bytes:
        """The value's bytes as stored (items and delimiters of a sequence included)."""
        return self.bytes_at(element.value, element.length)

    def top(self) -> tuple[list[Element], int]:
        """All elements before group 7FE0, and where that group (or what no walk can enter, or the end) begins."""
        found: list[Element] = []
        at, end = self.frame.start, self.frame.size
        while end - at >= 8:
            if self._pair(self.bytes_at(at, 4))[0] == PIXEL_GROUP:
                break
            element = self._element(at, end, self.frame.implicit, 0)
            found.append(element)
            at = element.end
        return found, at

    def items(self, element: Element) -> list[tuple[int, int]]:
        """Start and end of the content of each item of a sequence."""
        return self._items(element.value, element.end, element.undefined, self._implicit_inside(element), 0)[0]

    def inside(self, element: Element) -> Iterator[list[Element]]:
        """The elements of each item of a sequence."""
        implicit = self._implicit_inside(element)
        for start, end in self.items(element):
            yield self._level(start, end, implicit, 1)

    def coded_values(self, elements: list[Element], coded: frozenset[str]) -> Iterator[bytes]:
        """Values of the VRs in `coded`, at every level."""
        for element in elements:
            if element.vr in coded:
                yield self.raw(element)
            elif element.vr == "SQ":
                for item in self.inside(element):
                    yield from self.coded_values(item, coded)

    def _implicit_inside(self, element: Element) -> bool:
        # UN of undefined length holds items in implicit VR (PS3.5 6.2.2)
        return self.frame.implicit or element.vr == "UN"

    def _level(self, at: int, end: int, implicit: bool, depth: int) -> list[Element]:
        found = []
        while end - at >= 8:
            element = self._element(at, end, implicit, depth)
            found.append(element)
            at = element.end
        return found

    def _element(self, at: int, end: int, implicit: bool, depth: int) -> Element:
        group, number = self._pair(self.bytes_at(at, 4))
        tag = group << 16 | number
        if implicit:
            vr, length, value = vr_of(tag), self._uint(self.bytes_at(at + 4, 4))[0], at + 8
        else:
            code = self.bytes_at(at + 4, 2)
            if code in SHORT:
                length, value = self._ushort(self.bytes_at(at + 6, 2))[0], at + 8
            elif code in LONG:
                length, value = self._uint(self.bytes_at(at + 8, 4))[0], at + 12
            else:
                raise _unparseable(at, "an element has no VR of PS3.5")
            vr = code.decode("ascii")
        if length != UNDEFINED:
            if value + length > end:
                raise _unparseable(at, "an element goes past its end")
            return Element(tag, vr, at, value, value + length)
        inner = implicit or vr == "UN"
        stop = self._items(value, end, True, inner, depth + 1)[1]
        return Element(tag, "SQ" if implicit and vr == "UN" else vr, at, value, stop, True)

    def _items(
        self, at: int, end: int, undefined: bool, implicit: bool, depth: int
    ) -> tuple[list[tuple[int, int]], int]:
        if depth > MAX_DEPTH:
            raise _unparseable(at, f"sequences nest deeper than {MAX_DEPTH}")
        found: list[tuple[int, int]] = []
        while undefined or end - at >= 8:
            group, number = self._pair(self.bytes_at(at, 4))
            tag, length = group << 16 | number, self._uint(self.bytes_at(at + 4, 4))[0]
            at += 8
            if tag == _SEQUENCE_END:
                return found, at
            if tag != _ITEM:
                raise _unparseable(at - 8, "a sequence holds something that is no item")
            start = at
            if length != UNDEFINED:
                at = stop = start + length
                if at > end:
                    raise _unparseable(start, "an item goes past its end")
            else:
                stop = self._item_end(start, end, implicit, depth)
                at = stop + 8
            found.append((start, stop))
        return found, at

    def _item_end(self, at: int, end: int, implicit: bool, depth: int) -> int:
        while True:
            group, number = self._pair(self.bytes_at(at, 4))
            if group << 16 | number == _ITEM_END:
                return at
            at = self._element(at, end, implicit, depth).end


@dataclass(frozen=True, slots=True)
class Encoding:
    """Encodes elements as the data set around them is encoded."""

    implicit: bool
    little: bool

    def element(self, tag: int, vr: str, value: bytes) -> bytes:
        """One element; an odd value is padded. Raises CoercionRefused when it is too long for its VR's length field."""
        order = "<" if self.little else ">"
        if len(value) % 2:
            value += b"\0" if vr in ("UI", "OB", "UN") else b" "
        head = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return head + struct.pack(f"{order}I", len(value)) + value
        code = vr.encode("ascii")
        if code in LONG:
            return head + code + b"\0\0" + struct.pack(f"{order}I", len(value)) + value
        if len(value) > 0xFFFE:
            raise CoercionRefused(f"a value of VR {vr} is longer than 65,534 bytes", reason="too-long")
        return head + code + struct.pack(f"{order}H", len(value)) + value

    def item(self, *elements: bytes) -> bytes:
        """One item of defined length."""
        order = "<" if self.little else ">"
        content = b"".join(elements)
        return struct.pack(f"{order}HHI", _ITEM >> 16, _ITEM & 0xFFFF, len(content)) + content

    def tag(self, tag: int) -> bytes:
        """The value of an element of VR AT."""
        return struct.pack("<HH" if self.little else ">HH", tag >> 16, tag & 0xFFFF)


def vr_of(tag: int) -> str:
    """The dictionary's VR, the first where it allows several; UN for what it doesn't hold, UL for group lengths."""
    if not tag & 0xFFFF:
        return "UL"
    try:
        return str(dictionary_VR(tag))[:2]
    except KeyError:
        return "LO" if (tag >> 16) % 2 and 0x10 <= tag & 0xFFFF <= 0xFF else "UN"


def _unparseable(place: int, what: str) -> CoercionRefused:
    return CoercionRefused(f"{what} (byte {place})", reason="unparseable", byte_offset=place)
