"""What a changed object says of itself: Original Attributes items, written and read (PS3.3 C.12.1.1.9)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pydicom.datadict import dictionary_VM, keyword_for_tag

import fonds
from fonds.dicom.changes import CHARACTER_SET, MODIFIED, NONCONFORMING, ORIGINAL, Author, Reason
from fonds.dicom.charset import DEFAULT, Codec, codec, repair
from fonds.dicom.conformance import conforms
from fonds.dicom.elements import Element, Encoding, Walker, vr_of
from fonds.dicom.framing import open_frame
from fonds.dicom.values import TEXTUAL, as_text, uid_text

MODIFIED_WHEN, SYSTEM, PREVIOUS, REASON = 0x04000562, 0x04000563, 0x04000564, 0x04000565
NONCONFORMING_VALUE, SELECTOR, VALUE_NUMBER = 0x04000552, 0x00720026, 0x00720028
_WHOLE_VALUE = 0  # PS3.3 table 10-21
_SINGLE = frozenset(("LT", "ST", "UT", "UR"))


@dataclass(frozen=True, slots=True)
class Prior:
    """An attribute as it was: its VR, the value's bytes (empty when absent), a sequence's whole element as stored."""

    tag: int
    vr: str
    raw: bytes
    whole: bytes | None
    codec: Codec


@dataclass(frozen=True, slots=True)
class Original:
    """What an object says it said before: an attribute's old text, who replaced it, when and why.

    `text` is None for what was absent or empty, which the standard doesn't tell apart, and "" never. A sequence's text
    is the number of its items, such as `2 items`. `nonconforming` says that the old value broke its VR or VM.
    """

    path: str
    keyword: str
    text: str | None
    nonconforming: bool
    when: str
    system: str
    source: str
    reason: str


def original_items(write: Encoding, reason: Reason, priors: list[Prior], author: Author) -> list[bytes]:
    """Items of Original Attributes Sequence: the old values in order of tag, and who changed them, when and why.

    A value that breaks its VR or VM is listed empty, and its bytes in Nonconforming Modified Attributes Sequence. That
    sequence may have several items (PS3.3 C.12.1.1.9.2), but dciodvfy takes one: each further such value gets an item
    of Original Attributes of its own.
    """
    values: list[bytes] = []
    broken: list[tuple[Prior, list[bytes]]] = []
    for prior in priors:
        if prior.whole is not None:
            values.append(prior.whole)
        elif conforms(prior.vr, prior.raw, prior.codec) and _multiplicity_fits(prior):
            values.append(write.element(prior.tag, prior.vr, prior.raw))
        elif broken:
            broken.append((prior, [write.element(prior.tag, prior.vr, b"")]))
        else:
            values.append(write.element(prior.tag, prior.vr, b""))
            broken.append((prior, values))
    if not broken:
        return [_original_item(write, reason, values, None, author)]
    return [_original_item(write, reason, listed, prior, author) for prior, listed in broken]


def _original_item(write: Encoding, reason: Reason, values: list[bytes], broken: Prior | None, author: Author) -> bytes:
    bytes_kept = []
    if broken is not None:
        number = struct.pack("<H" if write.little else ">H", _WHOLE_VALUE)
        kept = write.item(
            write.element(SELECTOR, "AT", write.tag(broken.tag)),
            write.element(VALUE_NUMBER, "US", number),
            write.element(NONCONFORMING_VALUE, "OB", broken.raw),
        )
        bytes_kept.append(write.element(NONCONFORMING, "SQ", kept))
    return write.item(
        write.element(MODIFIED, "SQ", write.item(*values)),
        *bytes_kept,
        write.element(MODIFIED_WHEN, "DT", author.when.encode("ascii")),
        write.element(SYSTEM, "LO", _plain(author.system)),
        write.element(PREVIOUS, "LO", _plain(author.source)),
        write.element(REASON, "CS", reason.encode("ascii")),
    )


def equipment_item(write: Encoding, author: Author) -> bytes:
    """One item of Contributing Equipment Sequence: Fonds, as the modifying equipment (109103, DCM)."""
    purpose = write.item(
        write.element(0x00080100, "SH", b"109103"),
        write.element(0x00080102, "SH", b"DCM"),
        write.element(0x00080104, "LO", b"Modifying Equipment"),
    )
    return write.item(
        write.element(0x00080070, "LO", b"Fonds"),
        write.element(0x00081010, "SH", _plain(author.system)),
        write.element(0x00081090, "LO", b"Fonds"),
        write.element(0x00181020, "LO", fonds.__version__.encode("ascii")),
        write.element(0x0018A002, "DT", author.when.encode("ascii")),
        write.element(0x0018A003, "ST", b"Attributes changed by approved rules; see Original Attributes Sequence"),
        write.element(0x0040A170, "SQ", purpose),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """One old value as an object tells it: its bytes, the element that holds them, and the facts beside it by tag."""

    tag: int
    vr: str
    raw: bytes
    element: Element | None
    nonconforming: bool
    facts: dict[int, bytes]


def told(walker: Walker, original: Element) -> Iterator[Told]:
    """All old values in an Original Attributes Sequence, the first item's first; of nonconforming ones the bytes kept.

    Raises CoercionRefused where it can't be walked.
    """
    for item in walker.inside(original):
        facts = {part.tag: walker.raw(part) for part in item if part.vr != "SQ"}
        kept = dict(_kept(walker, item))
        for element in item:
            if element.tag != MODIFIED:
                continue
            for old in (old for values in walker.inside(element) for old in values):
                if old.tag in kept:
                    yield Told(old.tag, old.vr, kept.pop(old.tag), None, True, facts)
                else:
                    yield Told(old.tag, old.vr, walker.raw(old), old, False, facts)
        for tag, raw in kept.items():
            yield Told(tag, vr_of(tag), raw, None, True, facts)


def originals(stream: BinaryIO) -> list[Original]:
    """What the object in `stream` said before it was changed, the oldest change first; empty when it wasn't.

    Raises UnreadableHeader, or CoercionRefused where the object can't be walked.
    """
    frame = open_frame(stream)
    walker = Walker(frame)
    elements = {element.tag: element for element in walker.top()[0]}
    if ORIGINAL not in elements:
        return []
    declared = walker.raw(elements[CHARACTER_SET]) if CHARACTER_SET in elements else b""
    reader = codec(repair(uid_text(declared)) or DEFAULT)

    def text(vr: str, raw: bytes) -> str | None:
        if vr not in TEXTUAL:
            return f"{len(raw)} bytes" if raw else None
        return as_text(vr, raw, frame.little, reader)[0] or None

    def counted(sequence: Element) -> str | None:
        items = len(walker.items(sequence))
        return f"{items} item{'s' * (items > 1)}" if items else None

    return [
        Original(
            path=f"({one.tag >> 16:04X},{one.tag & 0xFFFF:04X})",
            keyword=keyword_for_tag(one.tag),
            text=counted(one.element) if one.vr == "SQ" and one.element is not None else text(one.vr, one.raw),
            nonconforming=one.nonconforming,
            when=text("DT", one.facts.get(MODIFIED_WHEN, b"")) or "",
            system=text("LO", one.facts.get(SYSTEM, b"")) or "",
            source=text("LO", one.facts.get(PREVIOUS, b"")) or "",
            reason=text("CS", one.facts.get(REASON, b"")) or "",
        )
        for one in told(walker, elements[ORIGINAL])
    ]


def _kept(walker: Walker, item: list[Element]) -> Iterator[tuple[int, bytes]]:
    for element in item:
        if element.tag == NONCONFORMING:
            for parts in walker.inside(element):
                raw = {part.tag: walker.raw(part) for part in parts}
                if SELECTOR in raw and NONCONFORMING_VALUE in raw:
                    group, number = struct.unpack(walker.order + "HH", raw[SELECTOR][:4].ljust(4, b"\0"))
                    yield group << 16 | number, raw[NONCONFORMING_VALUE]


def _multiplicity_fits(prior: Prior) -> bool:
    """Whether there are as many values as the dictionary allows; bytes 5C inside a sign are taken for none."""
    try:
        least, _, most = dictionary_VM(prior.tag).partition("-")
    except KeyError:
        return True
    if prior.vr in _SINGLE or b"\\" not in prior.raw:
        return True
    count = (prior.codec.decode(prior.raw)[0]).count("\\") + 1
    if not most:
        return count == int(least)
    return count >= int(least) and (not most.isdigit() or count <= int(most))


def _plain(text: str) -> bytes:
    return text.encode("ascii", "replace")
