"""What a change of one attribute says, and which attributes may be changed how (PS3.3 C.12.1.1.9)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydicom.datadict import tag_for_keyword

from fonds.errors import CoercionRefused

Reason = Literal["COERCE", "CORRECT"]
REASONS: tuple[Reason, ...] = ("COERCE", "CORRECT")
Nested: TypeAlias = "list[dict[int, str | Nested]]"
"""Items of a sequence: text, or items again, by tag."""

CHARACTER_SET, COERCION_TIME, EQUIPMENT = 0x00080005, 0x00080015, 0x0018A001
ORIGINAL, MODIFIED, NONCONFORMING = 0x04000561, 0x04000550, 0x04000551
PATIENT_ID, ISSUER, ISSUER_QUALIFIERS = 0x00100020, 0x00100021, 0x00100024
ISSUER_OF_ACCESSION, LOCAL_ENTITY = 0x00080051, 0x00400031
BOOKKEEPING = frozenset((COERCION_TIME, EQUIPMENT, ORIGINAL))
UTF_8 = "ISO_IR 192"

# Sequences whose items a change gives as JSON: Procedure Code, Issuer of Patient ID Qualifiers, Other Patient IDs
NESTED = frozenset((0x00081032, ISSUER_QUALIFIERS, 0x00101002))
SOP_UID = 0x00080018
OWN_UIDS = frozenset((0x0020000D, 0x0020000E, SOP_UID))
"""Study, Series and SOP Instance UID: they change only together with all that points to them (docs/remap.md)."""
REFERENCES = "references"
"""Path of the one change that is about no attribute: what an object points to, before and after."""
# SOP class and frame of reference: no rule and no decision gives an object another one
_FIXED_UIDS = frozenset((0x00080016, 0x00200052))
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
# of type 1 or 2 in the Patient, General Study and General Series modules (PS3.3 C.7.1.1, C.7.2.1, C.7.3.1)
_REQUIRED = frozenset(
    (0x00080020, 0x00080030, 0x00080050, 0x00080060, 0x00080090, 0x00100010, 0x00100020, 0x00100030, 0x00100040)
) | {0x00200010, 0x00200011}
_TYPE_1 = frozenset((0x00080060,))
# of type 1C everywhere: with a value or not at all (PS3.3 C.12.1.1.2)
_NEVER_EMPTY = frozenset((CHARACTER_SET,))
_PATH = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class Change:
    """One approved change: raw text before and after (None absent), and why (PS3.3 C.12.1.1.9).

    Path `references` is about no attribute: before and after are JSON lists of [study, series, object, frame of
    reference], what references name, one for one; null is what a reference doesn't name.
    """

    path: str
    before: str | None
    after: str | None
    reason: Reason
    rule: str = ""

    @property
    def tag(self) -> int:
        """The top-level attribute's tag; raises CoercionRefused when the path isn't one."""
        found = _PATH.fullmatch(self.path)
        if found is None:
            raise CoercionRefused(f"{self.path} is not a top-level attribute", reason="path")
        return int(found[1] + found[2], 16)

    @property
    def removes(self) -> bool:
        """Whether the attribute goes: nothing comes after it, or an empty value where none may be empty."""
        return self.after is None or (self.after == "" and self.tag in _NEVER_EMPTY)

    @property
    def items_before(self) -> Nested:
        """The items a sequence of NESTED had, as the catalog knows them."""
        return self._items(self.before)

    @property
    def items_after(self) -> Nested:
        """All items it shall have: those it had come first, unchanged. Raises CoercionRefused."""
        after, before = self._items(self.after), self.items_before
        if after[: len(before)] != before:
            raise CoercionRefused(f"{self.path}: items that are there are kept, new ones come after", reason="nested")
        return after

    def check(self) -> None:
        """Raise CoercionRefused when no rule may make this change, whatever the object."""
        tag = self.tag
        if tag in _FIXED_UIDS:
            raise CoercionRefused(f"{self.path} is a UID that stays as it is", reason="uid")
        if tag in OWN_UIDS and not is_uid(self.after):
            raise CoercionRefused(f"{self.path} can only become another UID", reason="uid")
        if tag >> 16 & 1:
            raise CoercionRefused(f"{self.path} is a private attribute", reason="private")
        if self.after is None and tag in _REQUIRED:
            raise CoercionRefused(f"{self.path} must be there (type 1 or 2); it can't be removed", reason="required")
        if self.after == "" and tag in _TYPE_1:
            raise CoercionRefused(f"{self.path} must have a value (type 1)", reason="required")
        if tag in NESTED:
            self.items_after  # noqa: B018 - raises

    def _items(self, text: str | None) -> Nested:
        try:
            return _nested(json.loads(text)) if text is not None else []
        except (ValueError, TypeError, RecursionError):
            raise CoercionRefused(f"{self.path}: the change gives no list of items", reason="nested") from None


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes, whose values were there before, and when, as a DICOM DT: the same three give the same bytes."""

    system: str
    source: str
    when: str


def is_uid(text: str | None) -> bool:
    """Whether a new UID is one (PS3.5 9.1)."""
    return text is not None and len(text) <= 64 and _UID.fullmatch(text) is not None


def _nested(given: Any, depth: int = 0) -> Nested:
    """Items by tag, from objects by keyword; raises ValueError for anything else."""
    if not isinstance(given, list) or depth > _DEEPEST:
        raise ValueError
    items: Nested = []
    for one in given:
        if not isinstance(one, dict) or not one:
            raise ValueError
        item: dict[int, str | Nested] = {}
        for keyword, value in one.items():
            tag = tag_for_keyword(keyword)
            if tag is None or value == "":
                raise ValueError
            item[tag] = value if isinstance(value, str) else _nested(value, depth + 1)
        items.append(item)
    return items
