"""What both ways of reading a data set agree on: which elements are wanted, and what was found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword

from fonds.dicom.private import PrivateAttribute
from fonds.dicom.relations import CONCATENATION, LENGTHY, NESTED, SEQUENCES
from fonds.dicom.values import TEXTUAL, Elements
from fonds.errors import DefinitionInvalid

PIXEL_TAGS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
"""Float, Double Float and (integer) Pixel Data (PS3.3 C.7.6.3, C.7.6.24): the header ends at the first of them."""
CHARACTER_SET = 0x00080005


@dataclass(frozen=True, slots=True)
class Wanted:
    """The elements to be read: catalogued attributes by keyword with tag and dictionary VR, and what is nested."""

    attributes: tuple[tuple[str, int, str], ...]
    top: frozenset[int]
    nested: frozenset[int]
    vrs: dict[int, str]
    """the dictionary's VR of each, the first where it allows several"""
    by_tag: dict[int, str]
    """keyword of each catalogued attribute, in the order of the definition; private ones have keys below 0"""
    private: tuple[tuple[int, PrivateAttribute], ...] = ()
    """private attributes with their keys"""
    walks: dict[tuple[bool, bool], Any] = field(default_factory=dict, compare=False, repr=False)
    """the strict walker's tables by (implicit, little), made once"""


@dataclass(slots=True)
class Parsed:
    """Wanted elements of a data set, and where its header ends (at the pixel data element, or with the object)."""

    elements: Elements
    header_end: int
    pixels: bool


@lru_cache(maxsize=8)
def wanted(keywords: tuple[str, ...]) -> Wanted:
    """What to read for these attributes; raises DefinitionInvalid for keywords that have no raw text."""
    attributes: list[tuple[str, int, str]] = []
    mistakes: list[tuple[int | None, str]] = []
    for word in keywords:
        if isinstance(word, PrivateAttribute):
            if word.vr in TEXTUAL:
                attributes.append((word, -1 - len(attributes), word.vr))
            else:
                mistakes.append((None, f"'{word}' can't be catalogued: its VR {word.vr} has no text"))
            continue
        tag = tag_for_keyword(word)
        vr = "" if tag is None else str(dictionary_VR(tag))[:2]
        if tag is None:
            mistakes.append((None, f"'{word}' is no keyword of PS3.6"))
        elif vr not in TEXTUAL:
            mistakes.append((None, f"'{word}' can't be catalogued: its VR {vr} has no text"))
        else:
            attributes.append((word, tag, vr))
    if mistakes:
        raise DefinitionInvalid("rules/base/attributes.yaml", mistakes)
    top = frozenset(tag for _, tag, _ in attributes if tag > 0 and tag >> 16 != 2)
    return _wanted(tuple(attributes), top | SEQUENCES | {CHARACTER_SET, CONCATENATION})


def with_lengthy(want: Wanted) -> Wanted:
    """The same and what is read only for objects that have no shorter list of their sources."""
    return _wanted(want.attributes, want.top | LENGTHY)


@lru_cache(maxsize=8)
def _wanted(attributes: tuple[tuple[str, int, str], ...], top: frozenset[int]) -> Wanted:
    private = tuple((tag, word) for word, tag, _ in attributes if isinstance(word, PrivateAttribute))
    vrs = {tag: str(dictionary_VR(tag))[:2] for tag in top | NESTED} | {tag: word.vr for tag, word in private}
    return Wanted(attributes, top, NESTED, vrs, {tag: word for word, tag, _ in attributes}, private)
