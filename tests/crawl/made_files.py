"""Objects written byte by byte, in every encoding and with every fault: pydicom's own writer mends too much."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from fonds.dicom.terms import LONG_VRS

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
CT = "1.2.840.10008.5.1.4.1.1.2"

Value: TypeAlias = "bytes | tuple[float, ...] | list[list[Element]]"
"""Bytes as stored, binary numbers, or the items of a sequence."""
Element: TypeAlias = tuple[int, str, Value]

NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
UNDEFINED = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Encoding:
    """How elements become bytes; `undefined` sequences and items end by delimiters, the others say their length."""

    implicit: bool = False
    little: bool = True
    undefined: bool = True

    @property
    def order(self) -> str:
        return "<" if self.little else ">"

    @property
    def syntax(self) -> str:
        """The native transfer syntax of this encoding; there is none for implicit VR big endian."""
        return IMPLICIT if self.implicit else EXPLICIT if self.little else BIG_ENDIAN

    def data_set(self, elements: Iterable[Element]) -> bytes:
        """Elements in the order given."""
        return b"".join(self.element(*element) for element in elements)

    def element(self, tag: int, vr: str, value: Value, length: int | None = None) -> bytes:
        """One element; `length` is what it claims to be long when that isn't the truth."""
        if isinstance(value, list):
            # UN of undefined length holds items in implicit VR (PS3.5 6.2.2)
            inside = Encoding(True, self.little) if vr == "UN" else self
            content, endless = inside.items(value), inside.undefined
        else:
            content, endless = self.numbers(vr, value), False
        claimed = length if length is not None else UNDEFINED if endless else len(content)
        return self.head(tag, vr, claimed) + content

    def head(self, tag: int, vr: str, length: int) -> bytes:
        """Tag, VR and length."""
        start = struct.pack(self.order + "HH", tag >> 16, tag & 0xFFFF)
        if self.implicit or tag >> 16 == 0xFFFE:
            return start + struct.pack(self.order + "I", length)
        if vr in LONG_VRS:
            return start + vr.encode() + bytes(2) + struct.pack(self.order + "I", length)
        return start + vr.encode("latin-1") + struct.pack(self.order + "H", length & 0xFFFF)

    def numbers(self, vr: str, value: bytes | tuple[float, ...]) -> bytes:
        """Binary numbers in this byte order; AT is two words each."""
        if isinstance(value, bytes):
            return value
        if vr == "AT":
            return b"".join(struct.pack(self.order + "HH", int(tag) >> 16, int(tag) & 0xFFFF) for tag in value)
        return struct.pack(f"{self.order}{len(value)}{NUMBERS[vr]}", *value)

    def items(self, items: Sequence[Sequence[Element]]) -> bytes:
        """The items of a sequence, its delimiter behind them."""
        parts = []
        for item in items:
            content = self.data_set(item)
            parts.append(self.head(0xFFFEE000, "", UNDEFINED if self.undefined else len(content)) + content)
            if self.undefined:
                parts.append(self.head(0xFFFEE00D, "", 0))
        return b"".join(parts) + (self.head(0xFFFEE0DD, "", 0) if self.undefined else b"")


def meta(syntax: str | None, *more: Element, sop_class: str = CT, sop_uid: str = "1.2.3.4.5") -> bytes:
    """Preamble and file meta information (PS3.10 7.1), `syntax` as claimed."""
    explicit = Encoding()
    elements: list[Element] = [(0x00020001, "OB", b"\0\1"), (0x00020002, "UI", uid(sop_class)),
                               (0x00020003, "UI", uid(sop_uid))]  # fmt: skip
    if syntax is not None:
        elements.append((0x00020010, "UI", uid(syntax)))
    content = explicit.data_set([*elements, (0x00020012, "UI", uid("1.2.3")), *more])
    return bytes(128) + b"DICM" + explicit.element(0x00020000, "UL", (len(content),)) + content


def uid(text: str) -> bytes:
    """A UID, padded."""
    return even(text.encode(), b"\0")


def even(raw: bytes, padding: bytes = b" ") -> bytes:
    """A value of even length."""
    return raw + padding * (len(raw) % 2)


def part10(elements: Iterable[Element], encoding: Encoding = Encoding(), claimed: str | None = None) -> bytes:
    """A whole file; `claimed` is the transfer syntax in its meta when that isn't how it is encoded."""
    return meta(claimed or encoding.syntax) + encoding.data_set(elements)


def deflated(elements: Iterable[Element]) -> bytes:
    """A whole file in Deflated Explicit VR Little Endian (PS3.5 A.5)."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return meta(DEFLATED) + even(packer.compress(Encoding().data_set(elements)) + packer.flush(), b"\0")


def image(**changed: Value | None) -> list[Element]:
    """A plain CT slice by keyword, its elements in order; None takes one away."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    values: dict[str, Value | None] = {
        "SpecificCharacterSet": b"ISO_IR 100", "SOPClassUID": uid(CT), "SOPInstanceUID": uid("1.2.3.4.5"),
        "StudyDate": b"20210304", "StudyTime": b"101530", "AccessionNumber": b"A1", "Modality": b"CT",
        "StudyDescription": b"Thorax", "PatientName": b"Sample^Sam", "PatientID": b"P1", "PatientSex": b"M ",
        "StudyInstanceUID": uid("1.2.3.4"), "SeriesInstanceUID": uid("1.2.3.4.1"), "SeriesNumber": b"2 ",
        "InstanceNumber": b"7 ", "SamplesPerPixel": (1,), "PhotometricInterpretation": b"MONOCHROME2 ", "Rows": (8,),
        "Columns": (8,), "BitsAllocated": (16,), "BitsStored": (12,), "HighBit": (11,), "PixelRepresentation": (0,),
        "PixelData": bytes(range(128)),
    } | changed  # fmt: skip
    found: list[Element] = []
    for word, value in values.items():
        tag = tag_for_keyword(word)
        assert tag is not None, word
        if value is not None:
            found.append((tag, "OW" if word == "PixelData" else dictionary_VR(tag)[:2], value))
    return sorted(found, key=lambda element: element[0])
