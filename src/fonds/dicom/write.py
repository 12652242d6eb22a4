"""Changes a copy of one stored object: new values in, old ones kept in it, every other byte as it was stored."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

from fonds.dicom.changes import Author, Change, Reason
from fonds.dicom.elements import Encoding
from fonds.dicom.framing import LONG, SHORT, Frame, open_frame
from fonds.dicom.history import Original, originals
from fonds.dicom.splice import Span, spliced
from fonds.errors import CoercionRefused, UnreadableHeader

__all__ = ["Author", "Change", "Identity", "Original", "Prepared", "Reason", "originals", "prepare"]

CHUNK = 1 << 20
MAX_DEFLATED = 512 * 1024 * 1024
IMPLEMENTATION_UID = "2.25.219571884650237915643820514739042815276"
_META_LENGTH, _MEDIA_SOP_UID = 0x00020000, 0x00020003
_SOP_UID = "(0008,0018)"


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
    are padded (PS3.5 7.1.1). A change of path `references` redirects what it points to; with another SOP Instance UID
    the file meta names it too. Pixel data is not read.
    Raises CoercionRefused (attribute `reason`) or UnreadableHeader.
    """
    frame = open_frame(stream)
    size = stream.seek(0, 2)
    named = next((change.after for change in changes if change.path == _SOP_UID), None)
    if named:
        identity = replace(identity, sop_uid=named)
    prefix, verbatim = _prefix(stream, frame, identity, renamed=named is not None)
    if not changes:
        return Prepared(prefix, ((frame.stored_start, size),), False, verbatim)
    if author is None:
        raise ValueError("changes need an author")
    if "syntax_mismatch" in frame.notes:
        raise CoercionRefused("the data set isn't in the transfer syntax its meta claims", reason="syntax-mismatch")
    if frame.deflated and frame.size > MAX_DEFLATED:
        raise CoercionRefused("a deflated data set is too large to be changed in memory", reason="too-large")
    parts = spliced(frame, changes, author)
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


def _prefix(stream: BinaryIO, frame: Frame, identity: Identity, *, renamed: bool) -> tuple[bytes, bool]:
    """Preamble and meta, and whether they are the stored ones."""
    stream.seek(0)
    stored = stream.read(frame.stored_start)
    marked = stored[128:132] == b"DICM"
    if 0x00020010 in frame.meta:
        if renamed:
            start = 132 if marked else 0
            stored = stored[:start] + _renamed(stored[start:], identity.sop_uid)
        return (stored, True) if marked else (b"\0" * 128 + b"DICM" + stored, False)
    write = Encoding(implicit=False, little=True).element
    group = b"".join(
        (
            write(0x00020001, "OB", b"\0\1"),
            write(0x00020002, "UI", identity.sop_class_uid.encode("ascii", "replace")),
            write(_MEDIA_SOP_UID, "UI", identity.sop_uid.encode("ascii", "replace")),
            write(0x00020010, "UI", identity.transfer_syntax.encode("ascii")),
            write(0x00020012, "UI", IMPLEMENTATION_UID.encode("ascii")),
            write(0x00020013, "SH", b"FONDS"),
        )
    )
    return b"\0" * 128 + b"DICM" + write(_META_LENGTH, "UL", struct.pack("<I", len(group))) + group, False


def _renamed(meta: bytes, sop_uid: str) -> bytes:
    """The file meta with another Media Storage SOP Instance UID and the length it then has; all else as stored."""
    parts: list[tuple[int, bytes]] = []
    at, implicit = 0, False
    while at < len(meta):
        group, number = struct.unpack_from("<HH", meta, at)
        vr = meta[at + 4 : at + 6]
        implicit = vr not in LONG and vr not in SHORT  # against PS3.10 7.1, but read
        if implicit:
            end = at + 8 + struct.unpack_from("<I", meta, at + 4)[0]
        elif vr in LONG:
            end = at + 12 + struct.unpack_from("<I", meta, at + 8)[0]
        else:
            end = at + 8 + struct.unpack_from("<H", meta, at + 6)[0]
        parts.append((group << 16 | number, meta[at:end]))
        at = end
    write = Encoding(implicit, little=True).element
    kept = [(tag, raw) for tag, raw in parts if tag not in (_MEDIA_SOP_UID, _META_LENGTH)]
    kept.append((_MEDIA_SOP_UID, write(_MEDIA_SOP_UID, "UI", sop_uid.encode("ascii"))))
    content = b"".join(raw for _, raw in sorted(kept, key=lambda part: part[0]))
    return write(_META_LENGTH, "UL", struct.pack("<I", len(content))) + content
