"""Names the attributes in which two objects differ however each is encoded, and tells content that is no pixels."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.values import convert_SQ

from fonds.dicom.framing import Frame, open_frame
from fonds.dicom.parsed import PIXEL_TAGS
from fonds.dicom.pixels import CHUNK, locate

LARGE = 1 << 20
"""Values of more bytes are compared by their digest, read a block at a time."""
_TRAILING_PADDING = 0xFFFCFFFC
_PADDING = b"\0 "
# How the rest is written: the character set (texts are compared decoded) and where frames begin (PS3.3 C.7.6.3.1.8)
_ENCODING = frozenset((0x00080005, 0x7FE00001, 0x7FE00002, _TRAILING_PADDING))
_PLANAR, _PHOTOMETRIC = 0x00280006, 0x00280004
# What JPEG 2000 and its decoders make of RGB (PS3.5 8.2.4): the same colours, converted without loss and back
_SAME_COLOURS = frozenset(("RGB", "YBR_RCT"))
# Bytes of a number, by VR, where the order of bytes depends on the transfer syntax (PS3.5 7.3)
_WIDTHS = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}
# Content that is no attribute: documents, waveforms, spectra, surfaces; overlays, curves and audio have many groups
_BULK = frozenset((0x00420011, 0x54001010, 0x56000020, 0x00660016, 0x00660023, 0x00660040))
_BULK_PLANES = {0x60: (0x3000,), 0x50: (0x3000, 0x200C)}


@dataclass(slots=True)
class _Opened:
    frame: Frame
    dataset: Dataset
    large: dict[BaseTag, tuple[int, int, str | None]] = field(default_factory=dict)
    """offset, length and VR of values that aren't read"""


def differing_attributes(one: BinaryIO, other: BinaryIO, *, same_content: bool = False) -> list[str]:
    """Keywords of top-level attributes but the pixel data that differ in value, sorted.

    Transfer syntax, VR, padding, lengths, group 2, and the character set a text is written in don't count (PS3.5
    section 7, PS3.10 section 7.1). `same_content`: their decoded pixels agree, so that planar configuration and RGB as
    YBR_RCT are encoding, too. A private attribute is named as ``(gggg,eeee)``. Values that can't be read are compared
    as stored. Raises UnreadableHeader when one is no DICOM.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        left, right = _open(one), _open(other)
        found = [
            tag
            for tag in _differing(left.dataset, right.dataset, left, right)
            if not (same_content and _is_encoding(tag, left.dataset, right.dataset))
        ]
    return sorted(keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})" for tag in found)


def bulk_digest(stream: BinaryIO) -> str:
    """SHA-256 of what an object holds beside attributes and pixel data: documents, waveforms, spectra, overlays, …

    Byte order and padding don't count. Raises UnreadableHeader when it is no DICOM.
    """
    found = hashlib.sha256()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = _open(stream)
        for tag in sorted({*opened.dataset.keys(), *opened.large}):
            if _is_bulk(tag):
                found.update(f"|{tag:08X}|{_large_digest(opened, tag)}".encode())
            elif tag not in opened.large and isinstance(opened.dataset[tag].value, Sequence):
                for value in _bulk_of(opened.dataset[tag].value):
                    found.update(
                        b"|" + hashlib.sha256(value if isinstance(value, bytes) else repr(value).encode()).digest()
                    )
    return found.hexdigest()


def _open(stream: BinaryIO) -> _Opened:
    frame = open_frame(stream)
    opened = _Opened(frame, Dataset())
    frame.stream.seek(frame.start)
    _read(opened)
    start = frame.stream.tell()
    if start < frame.size:
        # what follows the pixel data: digital signatures, private groups above 7FE0
        pixels = locate(frame, start)
        if pixels.complete and _stored(frame, pixels.end, 8).strip(b"\0"):
            frame.stream.seek(pixels.end)
            _read(opened)
    return opened


def _read(opened: _Opened) -> None:
    frame = opened.frame
    dataset = read_dataset(
        frame.stream,
        frame.implicit,
        frame.little,
        stop_when=lambda tag, vr, length: tag in PIXEL_TAGS,
        defer_size=LARGE,
        parent_encoding=opened.dataset.original_character_set or "iso8859",
    )
    for tag in list(dataset.keys()):
        element = dataset.get_item(tag, keep_deferred=True)
        if isinstance(element, RawDataElement) and element.value is None and element.length:
            del dataset[tag]
            place = element.value_tell, element.length
            if element.VR == "SQ" or _vr(tag) == "SQ":
                # items must be read to be compared
                value = _stored(frame, *place, limit=element.length)
                dataset[tag] = element._replace(value=value)
            else:
                opened.large[tag] = (*place, element.VR)
    if not len(opened.dataset):
        opened.dataset = dataset
    else:
        opened.dataset.update(dict(dataset.items()))


def _stored(frame: Frame, at: int, length: int, *, limit: int = CHUNK) -> bytes:
    frame.stream.seek(at)
    return frame.stream.read(min(length, limit))


def _differing(
    one: Dataset, other: Dataset, left: _Opened | None = None, right: _Opened | None = None
) -> Iterator[BaseTag]:
    far, near = (left.large if left else {}), (right.large if right else {})
    for tag in sorted({*one.keys(), *other.keys(), *far, *near}):
        if tag.element == 0 or tag in _ENCODING:
            continue
        if left is not None and right is not None and (tag in far or tag in near):
            if _large_digest(left, tag) != _large_digest(right, tag):
                yield tag
        elif tag not in one or tag not in other or not _equal(one, other, tag):
            yield tag


def _large_digest(opened: _Opened, tag: BaseTag) -> str | None:
    """Of a value as little endian, padding at its end left out; None when there is none."""
    found = hashlib.sha256()
    if tag not in opened.large:
        if tag not in opened.dataset:
            return None
        element = opened.dataset.get_item(tag)
        value = element.value if isinstance(element.value, bytes) else b""
        found.update(_little(value, element.VR or _vr(tag), opened.frame.little).rstrip(_PADDING))
        return found.hexdigest()
    at, length, stated = opened.large[tag]
    end = _without_padding(opened.frame, at, at + length)
    while at < end:
        block = _stored(opened.frame, at, end - at)
        if not block:
            break
        at += len(block)
        swapped = _little(block, stated or _vr(tag), opened.frame.little)
        found.update(swapped.rstrip(_PADDING) if at >= end else swapped)
    return found.hexdigest()


def _without_padding(frame: Frame, at: int, end: int) -> int:
    """Where a value ends, up to seven bytes of padding still with it so that no number is cut."""
    last = end
    while end > at:
        begin = max(at, end - CHUNK)
        kept = len(_stored(frame, begin, end - begin).rstrip(_PADDING))
        if kept:
            return min(last, at - (at - begin - kept) // 8 * 8)
        end = begin
    return at


def _little(value: bytes, vr: str | None, little: bool) -> bytes:
    width = _WIDTHS.get(vr or "", 1)
    if little or width == 1 or len(value) % width:
        return value
    swapped = bytearray(len(value))
    for place in range(width):
        swapped[place::width] = value[width - 1 - place :: width]
    return bytes(swapped)


def _vr(tag: BaseTag) -> str | None:
    try:
        return str(dictionary_VR(tag))
    except KeyError:
        return None


def _equal(one: Dataset, other: Dataset, tag: BaseTag) -> bool:
    raw = one.get_item(tag), other.get_item(tag)
    if _same_bytes(one, other, *raw):
        return True
    try:
        left, right = one[tag], other[tag]
        if "UN" in (left.VR, right.VR) and left.VR != right.VR:
            left, right = (_known(a, b.VR, dataset) for a, b, dataset in ((left, right, one), (right, left, other)))
    except (ValueError, TypeError, NotImplementedError, KeyError, OverflowError, EOFError, AttributeError):
        return bool(raw[0].value == raw[1].value)
    if isinstance(left.value, Sequence) and isinstance(right.value, Sequence):
        return len(left.value) == len(right.value) and all(
            next(_differing(a, b), None) is None for a, b in zip(left.value, right.value, strict=True)
        )
    return bool(_plain(left, one) == _plain(right, other))


def _same_bytes(one: Dataset, other: Dataset, left: Any, right: Any) -> bool:
    # the common case, and the cheap one
    return (
        isinstance(left, RawDataElement)
        and isinstance(right, RawDataElement)
        and left.value == right.value
        and (left.VR, left.is_implicit_VR, left.is_little_endian)
        == (right.VR, right.is_implicit_VR, right.is_little_endian)
        and one.original_character_set == other.original_character_set
    )


def _known(element: DataElement, vr: str, dataset: Dataset) -> DataElement:
    """An element of unknown VR read as one of a known: its bytes are implicit VR little endian (PS3.5 6.2.2)."""
    if element.VR != "UN" or not isinstance(element.value, bytes):
        return element
    encoding = dataset.original_character_set or "iso8859"
    if vr == "SQ":
        return DataElement(element.tag, vr, convert_SQ(element.value, True, True, encoding))
    raw = RawDataElement(element.tag, vr, len(element.value), element.value, 0, True, True)
    return convert_raw_data_element(raw, encoding=encoding)


def _plain(element: DataElement, dataset: Dataset) -> Any:
    # absent content has several forms; a private element read with implicit VR is bytes with their padding
    value = element.value
    if value is None or value == "":
        return b""
    if isinstance(value, bytes):
        little = dataset.original_encoding[1] is not False
        return _little(value, element.VR, little).rstrip(_PADDING)
    if isinstance(value, str):
        return value.strip(" \0")
    return value


def _is_encoding(tag: BaseTag, one: Dataset, other: Dataset) -> bool:
    if tag == _PLANAR:
        return True
    return tag == _PHOTOMETRIC and {str(one[tag].value), str(other[tag].value)} <= _SAME_COLOURS


def _is_bulk(tag: BaseTag) -> bool:
    return tag in _BULK or tag.element in _BULK_PLANES.get(tag.group >> 8, ())


def _bulk_of(items: Sequence) -> list[Any]:
    return [_plain(element, item) for item in items for element in item.iterall() if _is_bulk(element.tag)]
