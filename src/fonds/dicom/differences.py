"""Names the attributes in which two objects differ, however each of them is encoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import pydicom
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

_TRAILING_PADDING = 0xFFFCFFFC


def differing_attributes(one: BinaryIO, other: BinaryIO) -> list[str]:
    """Top-level attributes before the pixel data that differ in value, sorted.

    Transfer syntax, VR, padding, lengths and group 2 don't count (PS3.5 section 7, PS3.10 section 7.1). A private
    attribute is named as ``(gggg,eeee)``. Values that can't be read are compared as stored.
    """
    left, right = (pydicom.dcmread(stream, force=True, stop_before_pixels=True) for stream in (one, other))
    return sorted(keyword_for_tag(tag) or f"({tag.group:04X},{tag.element:04X})" for tag in _differing(left, right))


def _differing(one: Dataset, other: Dataset) -> Iterator[BaseTag]:
    for tag in sorted({*one.keys(), *other.keys()}):
        if tag.element == 0 or tag == _TRAILING_PADDING:
            continue
        if tag not in one or tag not in other or not _equal(one, other, tag):
            yield tag


def _equal(one: Dataset, other: Dataset, tag: BaseTag) -> bool:
    try:
        left, right = one[tag], other[tag]
    except (ValueError, TypeError, NotImplementedError, KeyError, OverflowError):
        return bool(one.get_item(tag).value == other.get_item(tag).value)
    if left.VR == "SQ" and right.VR == "SQ":
        return len(left.value) == len(right.value) and all(
            next(_differing(a, b), None) is None for a, b in zip(left.value, right.value, strict=True)
        )
    return bool(_plain(left.value) == _plain(right.value))


def _plain(value: Any) -> Any:
    # absent content has several forms; a private element read with implicit VR is bytes with their padding
    if value is None or value == "":
        return b""
    if isinstance(value, bytes):
        return value.rstrip(b"\0 ")
    return value
