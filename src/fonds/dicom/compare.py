"""Compares an object read back from a target with its source: every difference must be an approved change."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from typing import BinaryIO

from pydicom.datadict import tag_for_keyword

from fonds.dicom.changes import (
    BOOKKEEPING,
    CHARACTER_SET,
    ISSUER_OF_ACCESSION,
    LOCAL_ENTITY,
    NESTED,
    ORIGINAL,
    OWN_UIDS,
    REFERENCES,
    UTF_8,
    Change,
    Nested,
)
from fonds.dicom.charset import DEFAULT, codec, repair
from fonds.dicom.differences import differing_attributes
from fonds.dicom.elements import Element, Encoding, Walker
from fonds.dicom.framing import BIG_ENDIAN, EXPLICIT, IMPLICIT, Frame, open_frame
from fonds.dicom.headers import read_header
from fonds.dicom.history import told
from fonds.dicom.redirect import redirected, renamed
from fonds.dicom.values import as_text, uid_text


def unexplained(source: BinaryIO, target: BinaryIO, changes: Sequence[Change], *, exact: bool) -> list[str]:
    """Tags in which `target` differs from `source` without an approved change that says so, sorted.

    A changed attribute must hold its new value, and the Original Attributes its old bytes. What carries references must
    hold the old items with the new UIDs in their places, and nothing else. With `exact` all other elements must have
    the same bytes; without, a target that encodes them anew (lengths, padding) is heard too.
    Raises UnreadableHeader or CoercionRefused when either can't be walked.
    """
    if not changes and exact and _same_data_set(source, target):
        return []
    one, other = _Object(source), _Object(target)
    wanted = {change.tag: change for change in changes if change.path != REFERENCES}
    redirections = _redirections(one, changes)
    bookkeeping = BOOKKEEPING if changes else frozenset[int]()
    tags = {tag for tag in one.elements.keys() | other.elements.keys() if tag & 0xFFFF}
    unchanged = tags - wanted.keys() - redirections.keys() - bookkeeping
    bad = {tag for tag in unchanged if not _same_bytes(one.raw(tag), other.raw(tag))}
    if CHARACTER_SET in bad and changes and other.charset == UTF_8 and one.is_ascii():
        bad.discard(CHARACTER_SET)
    if bad and not exact:
        bad &= _differing(source, target)
    bad |= {tag for tag, change in wanted.items() if not _as_approved(one, other, change, exact=exact)}
    bad |= _not_redirected(one, other, redirections, target, exact=exact)
    if changes:
        history = other.history()
        bad |= {tag for tag in wanted.keys() | redirections.keys() if one.value(tag) not in history.get(tag, [])}
    return [f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in sorted(bad)]


def _differing(source: BinaryIO, target: BinaryIO) -> set[int]:
    """Tags that differ in value, however they are encoded."""
    source.seek(0)
    target.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they quote values
        words = differing_attributes(source, target)
    return {tag_for_keyword(word) or int(word[1:5] + word[6:10], 16) for word in words}


def _redirections(source: _Object, changes: Sequence[Change]) -> dict[int, bytes]:
    """The elements that carry references, whole, as they must be."""
    told = next((change for change in changes if change.path == REFERENCES), None)
    if told is None:
        return {}
    own = [change for change in changes if change is not told and change.tag in OWN_UIDS]
    return redirected(source.walker, source.elements, renamed(told), own)


def _not_redirected(
    source: _Object, target: _Object, wanted: dict[int, bytes], stream: BinaryIO, *, exact: bool
) -> set[int]:
    """Tags of `wanted` that `target` doesn't hold so; without `exact` in whatever encoding."""
    bad = {tag for tag, whole in wanted.items() if whole != target.whole(tag)}
    if not bad or exact:
        return bad
    # what must be there, as an object of its own, in the character set the target says
    frame = source.frame
    write = Encoding(frame.implicit, frame.little)
    charset = target.raw(CHARACTER_SET)
    syntax = IMPLICIT if frame.implicit else EXPLICIT if frame.little else BIG_ENDIAN
    meta = Encoding(implicit=False, little=True).element(0x00020010, "UI", syntax.encode("ascii"))
    head = b"" if charset is None else write.element(CHARACTER_SET, "CS", charset)
    expected = b"\0" * 128 + b"DICM" + meta + head + b"".join(wanted[tag] for tag in sorted(bad))
    return bad & _differing(io.BytesIO(expected), stream)


def pixel_digest(stream: BinaryIO) -> str | None:
    """SHA-256 of the pixel data as stored, by the reader's own rule; None when there is none."""
    stream.seek(0)
    digests = read_header(stream, (), digest=True).digests
    return digests.pixels if digests is not None else None


class _Object:
    """One object's elements by tag."""

    def __init__(self, stream: BinaryIO) -> None:
        self.frame: Frame = open_frame(stream)
        self.walker = Walker(self.frame)
        found, _ = self.walker.top()
        self.elements: dict[int, Element] = {element.tag: element for element in found}
        self.charset = repair(uid_text(self.raw(CHARACTER_SET) or b""))

    def raw(self, tag: int) -> bytes | None:
        element = self.elements.get(tag)
        return self.walker.raw(element) if element is not None else None

    def whole(self, tag: int) -> bytes | None:
        """The element with its head."""
        element = self.elements.get(tag)
        return self.walker.bytes_at(element.start, element.end - element.start) if element is not None else None

    def is_ascii(self) -> bool:
        coded = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
        return all(raw.isascii() for raw in self.walker.coded_values(list(self.elements.values()), coded))

    def text(self, tag: int) -> str | None:
        element = self.elements.get(tag)
        if element is None:
            return None
        return as_text(element.vr, self.walker.raw(element), self.frame.little, codec(self.charset or DEFAULT))[0]

    def history(self) -> dict[int, list[bytes]]:
        """Old values as `plain` has them by tag, from all Original Attributes."""
        found: dict[int, list[bytes]] = {}
        original = self.elements.get(ORIGINAL)
        for old in told(self.walker, original) if original is not None else ():
            known = self.plain(old.element) if old.element is not None else old.raw.rstrip(b" \0")
            found.setdefault(old.tag, []).append(known)
        return found

    def value(self, tag: int) -> bytes:
        """The value as `plain` has it; empty when it is absent."""
        element = self.elements.get(tag)
        return self.plain(element) if element is not None else b""

    def plain(self, element: Element) -> bytes:
        """A value's bytes without padding; of a sequence all values inside by tag, however its lengths are written."""
        if element.vr != "SQ":
            return self.walker.raw(element).rstrip(b" \0")
        return b"".join(map(self.item, self.walker.inside(element)))

    def item(self, elements: list[Element]) -> bytes:
        """An item's values as `plain` has them, with tags and lengths."""
        parts = [b"item"]
        for element in elements:
            value = self.plain(element)
            parts += [element.tag.to_bytes(4, "big"), len(value).to_bytes(8, "big"), value]
        return b"".join(parts)

    def items(self, tag: int) -> list[tuple[bytes, list[Element]]]:
        """Bytes and elements of each item of a sequence; none when it is absent."""
        element = self.elements.get(tag)
        if element is None:
            return []
        spans = self.walker.items(element)
        inside = self.walker.inside(element)
        return [
            (self.walker.bytes_at(start, end - start), parts) for (start, end), parts in zip(spans, inside, strict=True)
        ]

    def says(self, elements: list[Element], item: dict[int, str | Nested]) -> bool:
        """Whether an item holds these values, whatever else it holds."""
        there = {element.tag: element for element in elements}
        decoder = codec(self.charset or DEFAULT)
        for tag, value in item.items():
            element = there.get(tag)
            if element is None:
                return False
            if isinstance(value, str):
                if as_text(element.vr, self.walker.raw(element), self.frame.little, decoder)[0] != value.rstrip(" "):
                    return False
                continue
            inner = list(self.walker.inside(element))
            if len(inner) != len(value) or not all(map(self.says, inner, value)):
                return False
        return True


def _same_bytes(source: bytes | None, target: bytes | None) -> bool:
    """Equal, or equal but for the padding that an odd length lacked."""
    if source is not None and target is not None and len(source) % 2 and len(target) == len(source) + 1:
        return target[:-1] == source and target[-1:] in (b" ", b"\0")
    return source == target


def _as_approved(source: _Object, target: _Object, change: Change, *, exact: bool) -> bool:
    if change.tag in NESTED and change.after is not None:
        return _items_as_approved(source, target, change, exact=exact)
    if change.tag != ISSUER_OF_ACCESSION:
        found = target.text(change.tag)
        if change.removes:
            return found is None
        return found == change.after or (change.after is not None and found == change.after.rstrip(" "))
    wanted: Nested = [{LOCAL_ENTITY: change.after}] if change.after is not None else []
    items = target.items(change.tag)
    return len(items) == len(wanted) and all(
        target.says(item[1], want) for item, want in zip(items, wanted, strict=True)
    )


def _items_as_approved(source: _Object, target: _Object, change: Change, *, exact: bool) -> bool:
    """Whether the items that were there are the same still, and those after them say what was approved."""
    before, after = source.items(change.tag), target.items(change.tag)
    if len(before) != len(change.items_before) or len(after) != len(change.items_after):
        return False
    if exact:
        kept = all(old[0] == new[0] for old, new in zip(before, after, strict=False))
    else:
        kept = all(source.item(old[1]) == target.item(new[1]) for old, new in zip(before, after, strict=False))
    return kept and all(target.says(item[1], want) for item, want in zip(after, change.items_after, strict=True))


def _same_data_set(source: BinaryIO, target: BinaryIO) -> bool:
    starts = [open_frame(stream).stored_start for stream in (source, target)]
    source.seek(starts[0])
    target.seek(starts[1])
    while block := source.read(1 << 20):
        if block != target.read(len(block)):
            return False
    return not target.read(1)
