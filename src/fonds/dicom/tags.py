"""Tags of attributes as text, by keyword (PS3.6)."""

from __future__ import annotations

from functools import cache

from pydicom.datadict import tag_for_keyword


@cache
def tag_number(keyword: str) -> int:
    """The attribute's tag; raises KeyError for a keyword the standard's dictionary doesn't hold."""
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


@cache
def tag_path(keyword: str) -> str:
    """The attribute's tag as ``(0010,0010)``; raises KeyError for a keyword the standard's dictionary doesn't hold."""
    tag = tag_number(keyword)
    return f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
