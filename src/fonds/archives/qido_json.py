"""What a server's DICOM JSON (PS3.18 F.2) says, as raw text by keyword; servers take liberties with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword

from fonds.dicom.values import TEXTUAL

_GROUPS = ("Alphabetic", "Ideographic", "Phonetic")


def attributes(row: object) -> dict[str, str] | None:
    r"""Raw text by keyword of one answer; empty is '', sequences, binary and private values have none.

    Values are joined by ``\``, groups of a name by ``=``. None for what is no answer at all.
    """
    if not isinstance(row, Mapping):
        return None
    found: dict[str, str] = {}
    for name, element in row.items():
        keyword = _keyword(str(name))
        if keyword is not None and (text := _text(element)) is not None:
            found[keyword] = text
    return found


@cache
def _keyword(name: str) -> str | None:
    """Keyword of a tag of eight digits, or of a keyword where a server writes that; of text and numbers only."""
    tag = tag_for_keyword(name)
    if tag is None:
        try:
            tag = int(name, 16)
        except ValueError:
            return None
    keyword = keyword_for_tag(tag)
    # by the dictionary, not by the `vr` of the answer, which is missing or wrong with some
    return keyword if keyword and dictionary_VR(tag) in TEXTUAL else None


def _text(element: object) -> str | None:
    if not isinstance(element, Mapping):
        return None if isinstance(element, list) else _value(element)
    if "BulkDataURI" in element or "InlineBinary" in element:
        return None
    values = element.get("Value")
    if values is None:
        return ""
    parts = [_value(value) for value in (values if isinstance(values, list) else [values])]
    return "\\".join(part for part in parts if part is not None).rstrip(" \0")


def _value(value: object) -> str | None:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        if not any(group in value for group in _GROUPS):
            return None
        return "=".join(str(value.get(group) or "") for group in _GROUPS).rstrip("=")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if isinstance(value, list) else str(value)
