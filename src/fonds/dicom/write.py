"""Changes a copy of one stored object: new values in, old ones kept in it, every other byte as it was stored."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, TypeAlias

from pydicom.charset import encode_string

import fonds
from fonds.dicom.charset import DEFAULT, Codec, codec, repair
from fonds.dicom.conformance import conforms
from fonds.dicom.elements import Element, Encoding, Walker, vr_of
from fonds.dicom.framing import Frame, open_frame
from fonds.dicom.values import CODED_VRS, PLAIN_VRS, as_text, uid_text
from fonds.errors import CoercionRefused, UnreadableHeader

Reason = Literal["COERCE", "CORRECT"]
Span: TypeAlias = "tuple[int, int]"
CHUNK = 1 << 20
MAX_DEFLATED = 512 * 1024 * 1024
IMPLEMENTATION_UID = "2.25.219571884650237915643820514739042815276"
CHARACTER_SET, COERCION_TIME, EQUIPMENT = 0x00080005, 0x00080015, 0x0018A001
ORIGINAL, MODIFIED, NONCONFORMING = 0x04000561, 0x04000550, 0x04000551
PATIENT_ID, ISSUER, ISSUER_OF_ACCESSION, LOCAL_ENTITY = 0x00100020, 0x00100021, 0x00080051, 0x00400031
BOOKKEEPING = frozenset((COERCION_TIME, EQUIPMENT, ORIGINAL))
UTF_8 = "ISO_IR 192"
_PATH = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")
_DELIMITERS = {"PN": re.compile(r"([\\=^])")}
_BREAKS = re.compile(r"([\\\r\n\t\f])")
_REASONS: tuple[Reason, ...] = ("COERCE", "CORRECT")


@dataclass(frozen=True, slots=True)
class Change:
    """One approved change: raw text before and after (None absent), and why (PS3.3 C.12.1.1.9)."""

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


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes, whose values were there before, and when, as a DICOM DT: the same three give the same bytes."""

    system: str
    source: str
    when: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What the file meta must say, for objects that came without one."""

    sop_class_uid: str
    sop_uid: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """An object ready to go: preamble and file meta, and the data set as literal bytes and spans of the source."""

    prefix: bytes
    parts: tuple[bytes | Span, ...]
    changed: bool
    verbatim: bool
    """the whole object is byte for byte the stored one"""

    @property
    def length(self) -> int:
        """Bytes of the data set."""
        return sum(len(part) if isinstance(part, bytes) else part[1] - part[0] for part in self.parts)

    def data_set(self, stream: BinaryIO) -> Iterator[bytes]:
        """The data set in blocks of at most a MiB; raises UnreadableHeader when the source can't be read."""
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                yield from _span(stream, part)


def prepare(
    stream: BinaryIO, identity: Identity, changes: Sequence[Change] = (), author: Author | None = None
) -> Prepared:
    """What to send of the object in `stream`: byte for byte without changes, else spliced.

    The changed object carries Original Attributes Sequence items with the values it had (PS3.3 C.12.1.1.9), Instance
    Coercion DateTime and a Contributing Equipment item (109103, DCM, "Modifying Equipment"); its values of odd length
    are padded (PS3.5 7.1.1). Pixel data is not read.
    Raises CoercionRefused (attribute `reason`) or UnreadableHeader.
    """
    frame = open_frame(stream)
    size = stream.seek(0, 2)
    prefix, verbatim = _prefix(stream, frame, identity)
    if not changes:
        return Prepared(prefix, ((frame.stored_start, size),), False, verbatim)
    if author is None:
        raise ValueError("changes need an author")
    if "syntax_mismatch" in frame.notes:
        raise CoercionRefused("the data set isn't in the transfer syntax its meta claims", reason="syntax-mismatch")
    if frame.deflated and frame.size > MAX_DEFLATED:
        raise CoercionRefused("a deflated data set is too large to be changed in memory", reason="too-large")
    parts = _Splice(frame, changes, author).parts()
    if not frame.deflated:
        return Prepared(prefix, parts, True, False)
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    inflated = Prepared(prefix, parts, True, False).data_set(frame.stream)
    content = b"".join([*(deflater.compress(block) for block in inflated), deflater.flush()])
    return Prepared(prefix, (content + b"\0" * (len(content) % 2),), True, False)


def _span(stream: BinaryIO, span: Span) -> Iterator[bytes]:
    at, end = span
    while at < end:
        try:
            stream.seek(at)
            block = stream.read(min(CHUNK, end - at))
        except OSError as error:
            raise UnreadableHeader("io_error", at, f"the source can't be read ({type(error).__name__})") from error
        if not block:
            raise UnreadableHeader("changed", at, "the source is shorter than when it was opened")
        at += len(block)
        yield block


def _prefix(stream: BinaryIO, frame: Frame, identity: Identity) -> tuple[bytes, bool]:
    """Preamble and meta, and whether they are the stored ones."""
    stream.seek(0)
    stored = stream.read(frame.stored_start)
    marked = stored[128:132] == b"DICM"
    if 0x00020010 in frame.meta:
        return (stored, True) if marked else (b"\0" * 128 + b"DICM" + stored, False)
    write = Encoding(implicit=False, little=True).element
    group = b"".join(
        (
            write(0x00020001, "OB", b"\0\1"),
            write(0x00020002, "UI", identity.sop_class_uid.encode("ascii", "replace")),
            write(0x00020003, "UI", identity.sop_uid.encode("ascii", "replace")),
            write(0x00020010, "UI", identity.transfer_syntax.encode("ascii")),
            write(0x00020012, "UI", IMPLEMENTATION_UID.encode("ascii")),
            write(0x00020013, "SH", b"FONDS"),
        )
    )
    return b"\0" * 128 + b"DICM" + write(0x00020000, "UL", struct.pack("<I", len(group))) + group, False


class _Splice:
    """One object's changes worked into its elements."""

    def __init__(self, frame: Frame, changes: Sequence[Change], author: Author) -> None:
        self.frame, self.author = frame, author
        self.walker, self.write = Walker(frame), Encoding(frame.implicit, frame.little)
        elements, self.tail = self.walker.top()
        self.elements = {element.tag: element for element in elements}
        self.order = elements
        self.changes = {change.tag: change for change in changes}
        touched = {*self.changes, *BOOKKEEPING}
        if len(self.changes) < len(changes):
            raise CoercionRefused("two changes of one attribute", reason="path")
        if len([element for element in elements if element.tag in touched]) > len(touched & self.elements.keys()):
            raise CoercionRefused("an attribute to be changed is there twice", reason="unparseable")
        self.declared = repair(self._text(CHARACTER_SET) or "")
        for change in changes:
            self._check(change)
        self.charset = self._charset()
        self.codec = codec(self.charset or DEFAULT)

    def parts(self) -> tuple[bytes | Span, ...]:
        """The data set: stored spans around new elements."""
        new: dict[int, bytes | None] = {tag: self._new(change) for tag, change in self.changes.items()}
        new[ORIGINAL] = self._appended(ORIGINAL, self._history())
        new[COERCION_TIME] = self.write.element(COERCION_TIME, "DT", self.author.when.encode("ascii"))
        new[EQUIPMENT] = self._appended(EQUIPMENT, [self._equipment()])
        for element in self.order:
            # a value of odd length breaks PS3.5 7.1.1, and whoever takes objects from the network aborts at it; a
            # sequence can't be padded behind its last item
            if element.length % 2 and element.vr != "SQ" and not element.undefined and element.tag not in new:
                new[element.tag] = self.write.element(element.tag, element.vr, self.walker.raw(element))
        return self._spliced(new)

    def _spliced(self, new: dict[int, bytes | None]) -> tuple[bytes | Span, ...]:
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

    def _check(self, change: Change) -> None:
        """The object must say what the change was approved for."""
        if change.tag == ISSUER_OF_ACCESSION:
            return  # nested: what is catalogued is inside its items
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
            for tag, change in self.changes.items()
            if change.after
            and self._vr(tag) in {*CODED_VRS, "SQ"}
            and _encoded(change.after, self._vr(tag), term) is None
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

    def _new(self, change: Change) -> bytes | None:
        if change.after is None:
            return None
        if change.tag == ISSUER_OF_ACCESSION:
            entity = self.write.element(LOCAL_ENTITY, "UT", self._bytes(change, "UT"))
            return self.write.element(change.tag, "SQ", self.write.item(entity))
        vr = self._vr(change.tag)
        return self.write.element(change.tag, vr, self._bytes(change, vr))

    def _bytes(self, change: Change, vr: str) -> bytes:
        assert change.after is not None
        if vr not in CODED_VRS | PLAIN_VRS:
            raise CoercionRefused(f"{change.path} has VR {vr}, which no rule may change", reason="vr")
        found = _encoded(change.after, vr, self.charset)
        if found is None:
            raise CoercionRefused(f"the new value of {change.path} isn't possible in VR {vr}", reason="charset")
        return found

    def _history(self) -> list[bytes]:
        """Items of Original Attributes Sequence: one for each reason there is."""
        items = []
        for reason in _REASONS:
            tags = {tag for tag, change in self.changes.items() if change.reason == reason}
            if PATIENT_ID in tags:
                tags.add(ISSUER)  # PS3.3 C.12.1.1.9: even if it is unchanged or absent
            if tags:
                items.append(self._history_item(reason, sorted(tags)))
        return items

    def _history_item(self, reason: Reason, tags: list[int]) -> bytes:
        values, broken = [], []
        for tag in tags:
            element, vr = self.elements.get(tag), self._vr(tag)
            raw = self.walker.raw(element) if element is not None else b""
            if element is not None and vr == "SQ":
                # the whole prior sequence, as stored
                values.append(self.walker.bytes_at(element.start, element.end - element.start))
            elif conforms(vr, raw, self._old_codec(raw)):
                values.append(self.write.element(tag, vr, raw))
            else:
                values.append(self.write.element(tag, vr, b""))
                selector = self.write.element(0x00720026, "AT", self.write.tag(tag))
                broken.append(self.write.item(selector, self.write.element(0x04000552, "OB", raw)))
        ascii_ = {0x04000562: self.author.when, 0x04000563: self.author.system, 0x04000564: self.author.source}
        return self.write.item(
            self.write.element(MODIFIED, "SQ", self.write.item(*values)),
            *([self.write.element(NONCONFORMING, "SQ", b"".join(broken))] if broken else []),
            *(
                self.write.element(tag, "DT" if tag == 0x04000562 else "LO", text.encode("ascii", "replace"))
                for tag, text in ascii_.items()
            ),
            self.write.element(0x04000565, "CS", reason.encode("ascii")),
        )

    def _old_codec(self, raw: bytes) -> Codec:
        # old bytes are read in the set the object declares now: a declaration mended names the set they are in
        return self.codec if not raw.isascii() else codec(DEFAULT)

    def _equipment(self) -> bytes:
        write = self.write.element
        purpose = self.write.item(
            write(0x00080100, "SH", b"109103"),
            write(0x00080102, "SH", b"DCM"),
            write(0x00080104, "LO", b"Modifying Equipment"),
        )
        return self.write.item(
            write(0x00080070, "LO", b"Fonds"),
            write(0x00081010, "SH", self.author.system.encode("ascii", "replace")),
            write(0x00081090, "LO", b"Fonds"),
            write(0x00181020, "LO", fonds.__version__.encode("ascii")),
            write(0x0018A002, "DT", self.author.when.encode("ascii")),
            write(0x0018A003, "ST", b"Attributes changed by approved rules; see Original Attributes Sequence"),
            write(0x0040A170, "SQ", purpose),
        )

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


def _without_delimiter(raw: bytes, element: Element) -> bytes:
    return raw[:-8] if element.undefined else raw


def _encoded(text: str, vr: str, term: str) -> bytes | None:
    """`text` as bytes in the character set `term`; None when that lacks a sign of it, or the VR allows only ASCII."""
    if text.isascii():
        return text.encode("ascii")
    chosen = codec(term or DEFAULT)
    if vr not in {*CODED_VRS, "SQ"} or chosen.only_ascii:
        return None
    if len(chosen.encodings) == 1:
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
