"""One object's changes worked into its elements: new elements between spans that stay as stored."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from pydicom.charset import encode_string

from fonds.dicom.changes import (
    BOOKKEEPING,
    CHARACTER_SET,
    COERCION_TIME,
    EQUIPMENT,
    ISSUER,
    ISSUER_OF_ACCESSION,
    ISSUER_QUALIFIERS,
    LOCAL_ENTITY,
    NESTED,
    ORIGINAL,
    OWN_UIDS,
    PATIENT_ID,
    REASONS,
    REFERENCES,
    UTF_8,
    Author,
    Change,
    Nested,
    Reason,
)
from fonds.dicom.charset import DEFAULT, codec, repair
from fonds.dicom.elements import Element, Encoding, Walker, vr_of
from fonds.dicom.framing import Frame
from fonds.dicom.history import Prior, equipment_item, original_items
from fonds.dicom.redirect import redirected, renamed
from fonds.dicom.values import CODED_VRS, PLAIN_VRS, as_text, uid_text
from fonds.errors import CoercionRefused

Span: TypeAlias = "tuple[int, int]"
_DELIMITERS = {"PN": re.compile(r"([\\=^])")}
_BREAKS = re.compile(r"([\\\r\n\t\f])")


def spliced(frame: Frame, changes: Sequence[Change], author: Author) -> tuple[bytes | Span, ...]:
    """The changed data set as literal bytes and spans of the frame's stream; raises CoercionRefused."""
    return _Splice(frame, changes, author).parts()


class _Splice:
    """The elements of one object, the changes that were asked for, and those that follow from them."""

    def __init__(self, frame: Frame, changes: Sequence[Change], author: Author) -> None:
        self.frame, self.author = frame, author
        self.walker, self.write = Walker(frame), Encoding(frame.implicit, frame.little)
        elements, self.tail = self.walker.top()
        self.elements = {element.tag: element for element in elements}
        self.order = elements
        told = [change for change in changes if change.path == REFERENCES]
        changes = [change for change in changes if change.path != REFERENCES]
        self.changes = {change.tag: change for change in changes}
        if len(self.changes) < len(changes) or len(told) > 1:
            raise CoercionRefused("two changes of one attribute", reason="path")
        self.declared = repair(self._text(CHARACTER_SET) or "")
        for change in changes:
            change.check()
            self._compare(change)
        self.redirection: Reason = told[0].reason if told else "COERCE"
        self.redirected: dict[int, bytes] = {}
        if told or not OWN_UIDS.isdisjoint(self.changes):
            own = [change for change in changes if change.tag in OWN_UIDS]
            self.redirected = redirected(self.walker, self.elements, renamed(told[0]) if told else {}, own)
        touched = {*self.changes, *self.redirected, *BOOKKEEPING}
        if len([element for element in elements if element.tag in touched]) > len(touched & self.elements.keys()):
            raise CoercionRefused("an attribute to be changed is there twice", reason="unparseable")
        self.charset = self._charset()
        self.codec = codec(self.charset or DEFAULT)

    def parts(self) -> tuple[bytes | Span, ...]:
        """The data set: stored spans around new elements."""
        new: dict[int, bytes | None] = {tag: self._new(change) for tag, change in self.changes.items()}
        new |= self.redirected
        new[ORIGINAL] = self._appended(ORIGINAL, self._history())
        new[COERCION_TIME] = self.write.element(COERCION_TIME, "DT", self.author.when.encode("ascii"))
        new[EQUIPMENT] = self._appended(EQUIPMENT, [equipment_item(self.write, self.author)])
        for element in self.order:
            # a value of odd length breaks PS3.5 7.1.1, and whoever takes objects from the network aborts at it; a
            # sequence can't be padded behind its last item
            if element.length % 2 and element.vr != "SQ" and not element.undefined and element.tag not in new:
                new[element.tag] = self.write.element(element.tag, element.vr, self.walker.raw(element))
        return self._around(new)

    def _around(self, new: dict[int, bytes | None]) -> tuple[bytes | Span, ...]:
        parts: list[bytes | Span] = []
        grown: dict[int, int] = {}
        for tag, content in new.items():
            old = self.elements.get(tag)
            grown[tag >> 16] = grown.get(tag >> 16, 0) + len(content or b"") - (old.end - old.start if old else 0)
        waiting = sorted((tag, content) for tag, content in new.items() if tag not in self.elements and content)
        for element in self.order:
            while waiting and waiting[0][0] < element.tag:
                parts.append(waiting.pop(0)[1])
            if element.tag in new:
                parts.append(new[element.tag] or b"")
            elif not element.tag & 0xFFFF and element.tag >> 16 in grown and element.length == 4:
                # Group Length (gggg,0000), retired, counts the bytes of its group
                count = struct.unpack(self.walker.order + "I", self.walker.raw(element))[0] + grown[element.tag >> 16]
                parts.append(self.write.element(element.tag, "UL", struct.pack(self.walker.order + "I", count)))
            elif parts and not isinstance(parts[-1], bytes) and parts[-1][1] == element.start:
                parts[-1] = (parts[-1][0], element.end)
            else:
                parts.append((element.start, element.end))
        parts += [content for _, content in waiting]
        return (*parts, (self.tail, self.frame.size))

    def _compare(self, change: Change) -> None:
        """The object must say what the change was approved for."""
        if change.tag == ISSUER_OF_ACCESSION:
            return  # nested: what is catalogued is inside its items
        if change.tag in NESTED:
            element = self.elements.get(change.tag)
            same = (len(self.walker.items(element)) if element is not None else 0) == len(change.items_before)
        else:
            found, before = self._text(change.tag), change.before
            if found is None or before is None:
                same = found is before
            else:
                # text beyond ASCII was catalogued by the reader's own decoding; size and time of the file vouch for it
                same = found == before or not (found.isascii() and before.isascii())
        if not same:
            raise CoercionRefused(
                f"{change.path} isn't what it was when the change was approved; crawl again", reason="before-differs"
            )

    def _text(self, tag: int) -> str | None:
        element = self.elements.get(tag)
        if element is None:
            return None
        vr = self._vr(tag)
        raw = self.walker.raw(element)
        return (
            raw.rstrip(b" \0").decode("latin-1")
            if vr in CODED_VRS
            else as_text(vr, raw, self.frame.little, codec(DEFAULT))[0]
        )

    def _vr(self, tag: int) -> str:
        element = self.elements.get(tag)
        return element.vr if element is not None and element.vr != "UN" else vr_of(tag)

    def _charset(self) -> str:
        """The character set of the changed object: UTF-8 when the declared one lacks a sign and all else is ASCII."""
        own = self.changes.get(CHARACTER_SET)
        term = repair(own.after or "") if own else self.declared
        lacking = [
            change
            for change in self.changes.values()
            if any(vr in CODED_VRS and encoded(text, vr, term) is None for vr, text in self._texts(change))
        ]
        if not lacking:
            return term
        if own is not None or any(
            not raw.isascii() or b"\x1b" in raw for raw in self.walker.coded_values(self.order, CODED_VRS)
        ):
            raise CoercionRefused(
                "the object's character set lacks a sign of a new value, and its other text isn't plain ASCII",
                reason="charset",
            )
        before = uid_text(self.walker.raw(self.elements[CHARACTER_SET])) if CHARACTER_SET in self.elements else None
        self.changes[CHARACTER_SET] = Change("(0008,0005)", before, UTF_8, lacking[0].reason, "charset.needed")
        return UTF_8

    def _texts(self, change: Change) -> Iterator[tuple[str, str]]:
        """VR and text of every new value of a change."""
        if change.tag in NESTED:
            yield from _leaves(change.items_after[len(change.items_before) :])
        elif change.after:
            yield "UT" if change.tag == ISSUER_OF_ACCESSION else self._vr(change.tag), change.after

    def _new(self, change: Change) -> bytes | None:
        if change.after is None or change.removes:
            return None
        if change.tag == ISSUER_OF_ACCESSION:
            entity = self.write.element(LOCAL_ENTITY, "UT", self._bytes(change, "UT", change.after))
            return self.write.element(change.tag, "SQ", self.write.item(entity))
        if change.tag in NESTED:
            added = change.items_after[len(change.items_before) :]
            return self._appended(change.tag, [self._item(change, item) for item in added])
        vr = self._vr(change.tag)
        return self.write.element(change.tag, vr, self._bytes(change, vr, change.after))

    def _item(self, change: Change, item: dict[int, str | Nested]) -> bytes:
        elements = []
        for tag, value in sorted(item.items(), key=lambda one: one[0]):
            if isinstance(value, str):
                vr = vr_of(tag)
                elements.append(self.write.element(tag, vr, self._bytes(change, vr, value)))
            else:
                inner = b"".join(self._item(change, one) for one in value)
                elements.append(self.write.element(tag, "SQ", inner))
        return self.write.item(*elements)

    def _bytes(self, change: Change, vr: str, text: str) -> bytes:
        if vr not in CODED_VRS | PLAIN_VRS:
            raise CoercionRefused(f"{change.path} has VR {vr}, which no rule may change", reason="vr")
        found = encoded(text, vr, self.charset)
        if found is None:
            raise CoercionRefused(f"the new value of {change.path} isn't possible in VR {vr}", reason="charset")
        return found

    def _history(self) -> list[bytes]:
        """Items of Original Attributes Sequence for each reason there is, with the time of an earlier change."""
        items: list[bytes] = []
        for reason in REASONS:
            tags = {tag for tag, change in self.changes.items() if change.reason == reason}
            if reason == self.redirection:
                tags |= self.redirected.keys()
            if PATIENT_ID in tags:
                # PS3.3 C.12.1.1.9: even if they are unchanged or absent, they say whose number it was
                tags |= {ISSUER, ISSUER_QUALIFIERS}
            if tags and not items and COERCION_TIME in self.elements:
                tags.add(COERCION_TIME)
            if tags:
                priors = [self._prior(tag) for tag in sorted(tags)]
                items += original_items(self.write, reason, priors, self.author)
        return items

    def _prior(self, tag: int) -> Prior:
        element, vr = self.elements.get(tag), self._vr(tag)
        raw = self.walker.raw(element) if element is not None else b""
        whole = None
        if vr == "SQ":
            # the whole prior sequence, as stored
            whole = (
                self.walker.bytes_at(element.start, element.end - element.start)
                if element is not None
                else self.write.element(tag, vr, b"")
            )
        # old bytes are read in the set the object declares now: a declaration mended names the set they are in
        return Prior(tag, vr, raw, whole, self.codec if not raw.isascii() else codec(DEFAULT))

    def _appended(self, tag: int, items: list[bytes]) -> bytes:
        """The sequence with the items it had, as stored, and ours after them."""
        element = self.elements.get(tag)
        stored = b""
        if element is not None:
            if element.vr != "SQ":
                raise CoercionRefused(f"{tag:08X} is there, but not as a sequence", reason="unparseable")
            self.walker.items(element)
            stored = _without_delimiter(self.walker.raw(element), element)
        return self.write.element(tag, "SQ", stored + b"".join(items))


def encoded(text: str, vr: str, term: str) -> bytes | None:
    """`text` as bytes in the character set `term`; None when that lacks a sign of it, or the VR allows only ASCII."""
    if text.isascii():
        return text.encode("ascii")
    chosen = codec(term or DEFAULT)
    if vr not in CODED_VRS:
        return None
    if len(chosen.encodings) == 1:
        if chosen.only_ascii:
            return None
        try:
            return text.encode(chosen.encodings[0])
        except UnicodeEncodeError:
            return None
    # code extensions: each part between delimiters begins in the first set (PS3.5 6.1.2.5.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sign that is lacking is found by decoding again
        pieces = _DELIMITERS.get(vr, _BREAKS).split(text)
        raw = b"".join(encode_string(piece, chosen.encodings) for piece in pieces)
    return raw if chosen.decode(raw)[0] == text else None


def _leaves(items: Nested) -> Iterator[tuple[str, str]]:
    for item in items:
        for tag, value in item.items():
            if isinstance(value, str):
                yield vr_of(tag), value
            else:
                yield from _leaves(value)


def _without_delimiter(raw: bytes, element: Element) -> bytes:
    return raw[:-8] if element.undefined else raw
