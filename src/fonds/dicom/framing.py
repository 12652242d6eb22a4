"""Where a stored object's data set begins and how it is encoded: preamble, file meta, deflation, or a guess."""

from __future__ import annotations

import struct
import tempfile
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import BinaryIO

from pydicom.datadict import DicomDictionary

from fonds.dicom.terms import LONG_VRS, NATIVE_SYNTAXES, SHORT_VRS, transfer_syntaxes
from fonds.dicom.values import Elements, uid_text
from fonds.errors import UnreadableHeader

HEAD = 16 * 1024
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
# Papyrus 3 is implicit VR; GE's private syntax is implicit VR little endian with big-endian pixels
IMPLICIT_SYNTAXES = frozenset((IMPLICIT, "1.2.840.10008.1.20", "1.2.840.113619.5.2"))
DEFLATED_SYNTAXES = frozenset(
    ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205")
)  # the last two are JPIP with a deflated data set (PS3.5 A.6, A.7)
_ENCAPSULATED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98")
LONG, SHORT = ({vr.encode() for vr in vrs} for vrs in (LONG_VRS, SHORT_VRS))
UNDEFINED = 0xFFFFFFFF
MAX_INFLATED = 4 * 1024**3
_SPOOL = 32 * 1024 * 1024
_TRANSFER_SYNTAX = 0x00020010


@dataclass(slots=True)
class Frame:
    """How an object is to be read. Offsets are in `stream`, which is the inflated data set when it was deflated."""

    stream: BinaryIO
    size: int
    start: int
    implicit: bool
    little: bool
    transfer_syntax: str | None
    forced: bool = False
    deflated: bool = False
    meta: Elements = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    head: bytes = b""
    """bytes of `stream` from `head_at` on"""
    head_at: int = 0
    stored_start: int = 0
    """where the data set begins in the object as stored, deflated or not"""


def open_frame(stream: BinaryIO) -> Frame:
    """Find the data set of a seekable stream of one stored object.

    Raises UnreadableHeader: ``empty``, ``not_dicom``, ``truncated_header``, ``no_data``, ``unsupported_syntax``.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(HEAD)
    if not size:
        raise UnreadableHeader("empty", 0, "zero bytes")
    marked = head[128:132] == b"DICM"
    frame = Frame(stream, size, 132 if marked else 0, False, True, None, forced=not marked, head=head)
    _read_meta(frame)
    frame.stored_start = frame.start
    if not frame.meta and marked:
        frame.forced = True
        frame.notes.append("no_meta")
    elif not marked:
        frame.notes.append("no_preamble" if frame.meta else "no_meta")
    if frame.start >= size and (frame.meta or marked):
        raise UnreadableHeader("no_data", size, "nothing follows the file meta information")
    claimed = uid_text(_plain(frame.meta, _TRANSFER_SYNTAX)) or None
    if claimed in DEFLATED_SYNTAXES:
        _inflate(frame)
    _decide(frame, claimed, marked)
    return frame


def _plain(elements: Elements, tag: int) -> bytes:
    value = elements.get(tag, ("UI", b""))[1]
    return value if isinstance(value, bytes) else b""


def _read_meta(frame: Frame) -> None:
    # The group length is often wrong, so the group ends where another group begins (as pydicom does it).
    head, at = frame.head, frame.start
    while head[at : at + 2] == b"\x02\x00" and at + 8 <= len(head):
        vr = head[at + 4 : at + 6]
        if vr in LONG and at + 12 <= len(head):
            length, value_at = struct.unpack_from("<I", head, at + 8)[0], at + 12
        elif vr in SHORT:
            length, value_at = struct.unpack_from("<H", head, at + 6)[0], at + 8
        else:  # a meta in implicit VR, against PS3.10 7.1
            length, value_at = struct.unpack_from("<I", head, at + 4)[0], at + 8
            vr = b"UI"
        if value_at + length > frame.size:
            raise UnreadableHeader("truncated_header", at, "an element of the file meta goes past the end")
        if value_at + length > len(head):
            head = frame.head = _longer(frame, value_at + length)
        group, number = struct.unpack_from("<HH", head, at)
        frame.meta[group << 16 | number] = (vr.decode(), head[value_at : value_at + length])
        at = value_at + length
    frame.start = at


def _longer(frame: Frame, end: int) -> bytes:
    # private information in a meta may be large
    frame.stream.seek(0)
    return frame.stream.read(end + HEAD)


def _inflate(frame: Frame) -> None:
    # Offsets from here on are in the inflated data set; the spool keeps memory bounded.
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL)  # noqa: SIM115  closed with the frame's stream
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    frame.stream.seek(frame.start)
    size = 0
    try:
        while (block := inflater.unconsumed_tail or frame.stream.read(1 << 18)) and not inflater.eof:
            size += spool.write(inflater.decompress(block, 1 << 22))
            if size > MAX_INFLATED:
                raise UnreadableHeader("too_large", frame.start, f"inflates to more than {MAX_INFLATED} bytes")
        size += spool.write(inflater.flush())
    except zlib.error:
        frame.notes.append("syntax_mismatch")  # says deflated, isn't: read as it stands
        return
    if not inflater.eof:
        frame.notes.append("deflate_incomplete")
    spool.seek(0)
    frame.stream, frame.size, frame.start, frame.deflated = spool, size, 0, True  # type: ignore[assignment]
    frame.head, frame.head_at = spool.read(HEAD), 0


def _decide(frame: Frame, claimed: str | None, marked: bool) -> None:
    at = frame.start
    if at + 8 > len(frame.head):
        frame.stream.seek(at)
        frame.head, frame.head_at = frame.stream.read(HEAD), at
    first = frame.head[at - frame.head_at : at - frame.head_at + 8]
    if len(first) < 8:
        reason = "truncated_header" if marked or frame.meta else "not_dicom"
        raise UnreadableHeader(reason, at, "the data set ends inside its first element")
    implicit, little = claimed in IMPLICIT_SYNTAXES, claimed != BIG_ENDIAN
    seen_implicit = not all(0x41 <= byte <= 0x5A for byte in first[4:6])
    seen_little = (first[1] == 0) if (first[0] == 0) != (first[1] == 0) else little
    frame.implicit, frame.little, frame.transfer_syntax = seen_implicit, seen_little, claimed
    if claimed is None:
        if not marked and not frame.meta and not plausible(frame):
            raise UnreadableHeader("not_dicom", 0, "neither a DICOM prefix nor anything like a data set")
        if frame.meta:
            frame.notes.append("no_transfer_syntax")
        guessed = IMPLICIT if seen_implicit else EXPLICIT
        frame.transfer_syntax = guessed if seen_little else BIG_ENDIAN
    elif (seen_implicit, seen_little) != (implicit, little):
        if not plausible(frame):
            known = any(syntax.uid == claimed for syntax in transfer_syntaxes())
            reason = "bad_vr" if known else "unsupported_syntax"
            raise UnreadableHeader(reason, at, "the data set isn't in the transfer syntax the meta claims, nor another")
        if "syntax_mismatch" not in frame.notes:
            frame.notes.append("syntax_mismatch")


def claims_encapsulation(transfer_syntax: str | None) -> bool | None:
    """Whether pixel data in this transfer syntax is encapsulated (PS3.5 A.4); None when that isn't known."""
    if transfer_syntax in NATIVE_SYNTAXES | IMPLICIT_SYNTAXES:
        return False
    return True if (transfer_syntax or "").startswith(_ENCAPSULATED) else None


def plausible(frame: Frame) -> bool:
    """Whether the first elements look like a data set in the frame's encoding: tags that rise, known or private."""
    order = "<" if frame.little else ">"
    data, at, previous = frame.head, frame.start - frame.head_at, -1
    left = frame.size - frame.start
    for _ in range(4):
        if at + 8 > len(data):
            return previous >= 0
        group, number = struct.unpack_from(f"{order}HH", data, at)
        tag, vr = group << 16 | number, data[at + 4 : at + 6]
        # PS3.5 7.8: no private element is in the odd groups below 0009
        known = tag in _dictionary() or number == 0 or (group % 2 == 1 and group > 8 and previous >= 0)
        if tag <= previous or not known:
            return False
        if frame.implicit:
            length, head = struct.unpack_from(f"{order}I", data, at + 4)[0], 8
        elif vr in SHORT:
            length, head = struct.unpack_from(f"{order}H", data, at + 6)[0], 8
        elif vr in LONG and at + 12 <= len(data):
            length, head = struct.unpack_from(f"{order}I", data, at + 8)[0], 12
        else:
            return False
        if length == UNDEFINED:
            return True
        if length + head > left or (number == 0 and length != 4):  # a group length is one number (PS3.5 7.2)
            return number != 0 and previous >= 0
        previous, at, left = tag, at + head + length, left - head - length
    return True


@cache
def _dictionary() -> frozenset[int]:
    return frozenset(DicomDictionary)
