"""Reads one stored object's header into the row of the `instances` table; never stops at what is odd."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, BinaryIO

from fonds.dicom.charset import DEFAULT, ESC, Codec, codec, repair
from fonds.dicom.framing import Frame, open_frame
from fonds.dicom.parsed import CHARACTER_SET, Parsed, Wanted, wanted, with_lengthy
from fonds.dicom.pixels import Digests, Pixels, digest, locate, state_of
from fonds.dicom.references import Reference, needs_lengthy, references
from fonds.dicom.relations import FACTS
from fonds.dicom.strict import read_strictly
from fonds.dicom.tolerant import read_tolerantly
from fonds.dicom.values import CODED_VRS, TEXT_VRS, Elements, as_text, uid_text

__all__ = ["READER_VERSION", "Header", "read_header", "wanted"]

READER_VERSION = 5
"""Raised whenever the same bytes would give another row, so that the next crawl reads everything once more."""


@dataclass(slots=True)
class Header:
    """What one object says. `row()` is its row of `instances` without source, location, size and mtime_ns."""

    header_length: int
    read_status: str
    read_note: str | None
    transfer_syntax: str | None
    charset_used: str
    doubtful: list[str]
    doubtful_bytes: list[str]
    values: dict[str, str | None]
    nested: dict[str, Any]
    references: list[Reference]
    pixel_length: int | None = None
    digests: Digests | None = None
    pixels: Pixels | None = field(default=None, repr=False)

    def row(self) -> dict[str, Any]:
        """All columns by name."""
        return {
            "header_length": self.header_length,
            "read_status": self.read_status,
            "read_note": self.read_note,
            "transfer_syntax": self.transfer_syntax,
            "charset_used": self.charset_used,
            "doubtful": self.doubtful,
            "doubtful_bytes": self.doubtful_bytes,
            "digest_object": self.digests.object if self.digests else None,
            "digest_header": self.digests.header if self.digests else None,
            "digest_pixels": self.digests.pixels if self.digests else None,
            "pixel_length": self.pixel_length,
            **self.values,
            **self.nested,
            "references": [reference._asdict() for reference in self.references],
        }


def read_header(
    stream: BinaryIO, attributes: tuple[str, ...], *, digest: bool = True, default_charset: str | None = None
) -> Header:
    """Read a seekable stream of one stored object: `attributes` (keywords) as raw text, and what it points to.

    `default_charset` decodes the text of objects that declare no character set. Pixel data is read only for digests.
    Raises UnreadableHeader with a reason code and the byte offset where reading ended; OSError passes through.
    """
    want = wanted(attributes)
    frame = open_frame(stream)
    parsed = _parse(frame, want)
    if needs_lengthy(parsed.elements):
        parsed = _parse(frame, with_lengthy(want))
    pixels = locate(frame, parsed.header_end) if parsed.pixels else None
    header = _header(frame, want, parsed, pixels, default_charset)
    if digest:
        header.digests = _digests(stream, frame, pixels)
    return header


_digests = digest


def _parse(frame: Frame, want: Wanted) -> Parsed:
    return read_strictly(frame, want) or read_tolerantly(frame, want)


def _header(frame: Frame, want: Wanted, parsed: Parsed, pixels: Pixels | None, default: str | None) -> Header:
    elements = {**parsed.elements, **frame.meta}
    text = _Text(elements, want, frame.little, default)
    notes = list(frame.notes)
    status = "forced" if frame.forced else "ok"
    if pixels is not None:
        complete, seen = state_of(pixels, frame.transfer_syntax)
        status = status if complete else "partial"
        notes += seen
    if frame.deflated:
        notes.append("deflated")
    return Header(
        header_length=parsed.header_end,
        read_status=status,
        read_note="; ".join(dict.fromkeys(notes)) or None,
        transfer_syntax=frame.transfer_syntax,
        charset_used=text.codec.term,
        doubtful=list(text.doubtful),
        doubtful_bytes=list(text.doubtful.values()),
        values=text.values,
        nested=text.nested(),
        references=references(elements),
        pixel_length=pixels.length if pixels else None,
        pixels=pixels,
    )


class _Text:
    """The texts of one object, decoded in the character set it declares or its source is known to use."""

    def __init__(self, elements: Elements, want: Wanted, little: bool, default: str | None) -> None:
        self.elements, self.little = elements, little
        declared = repair(uid_text(_bytes(elements, CHARACTER_SET)))
        if not declared and default and _coded_beyond_ascii(elements, want):
            declared = default
        self.codec = codec(declared or DEFAULT)
        self.values: dict[str, str | None] = dict.fromkeys(want.by_tag.values())
        self.doubtful: dict[str, str] = {}
        by_tag, values = want.by_tag, self.values
        for tag, (vr, raw) in elements.items():
            keyword = by_tag.get(tag)
            if keyword is None or not isinstance(raw, bytes):
                continue
            if vr in TEXT_VRS and raw.isascii() and ESC not in raw:  # most values of most objects
                values[keyword] = raw.rstrip(b" \0").decode("ascii")
            else:
                values[keyword] = self._decoded(keyword, vr, raw, want.vrs.get(tag, vr), little or tag >> 16 == 2)
        if len(self.doubtful) > 1:
            self.doubtful = {word: self.doubtful[word] for word in values if word in self.doubtful}

    def _decoded(self, keyword: str, vr: str, raw: bytes, dictionary_vr: str, little: bool) -> str | None:
        text, doubtful = as_text(vr, raw, little, self.codec)
        if text is None:  # an unknown or a wrong VR
            text, doubtful = as_text(dictionary_vr, raw, little, self.codec)
        if doubtful:
            self.doubtful[keyword] = raw.rstrip(b" \0").hex()
        return text

    def nested(self) -> dict[str, Any]:
        """The columns that come from inside sequences."""
        if FACTS.isdisjoint(self.elements):
            return {**_NO_FACTS, "RequestAccessionNumbers": [], "OtherPatientIDsItems": []}
        issuer = next(iter(_items(self.elements, _ISSUER_QUALIFIERS)), {})
        accession_issuer = next(iter(_items(self.elements, _ISSUER_OF_ACCESSION)), {})
        title = next(iter(_items(self.elements, _CONCEPT_NAME)), {})
        requests = [self._item_text(item, _ACCESSION) for tag in _REQUESTS for item in _items(self.elements, tag)]
        return {
            "RequestAccessionNumbers": list(dict.fromkeys(text for text in requests if text)),
            "OtherPatientIDsItems": [
                {
                    "id": self._item_text(item, _PATIENT_ID),
                    "issuer": self._item_text(item, _ISSUER),
                    "type": self._item_text(item, _TYPE_OF_ID),
                }
                for item in _items(self.elements, _OTHER_IDS)
            ],
            "IssuerQualifiersEntityID": self._item_text(issuer, _UNIVERSAL_ID),
            "IssuerQualifiersEntityType": self._item_text(issuer, _UNIVERSAL_TYPE),
            "IssuerOfAccessionNumberEntityID": self._item_text(accession_issuer, _LOCAL_ID)
            or self._item_text(accession_issuer, _UNIVERSAL_ID),
            "HasOriginalAttributes": _ORIGINAL_ATTRIBUTES in self.elements,
            "DocumentTitleCode": self._item_text(title, _CODE)
            or self._item_text(title, _LONG_CODE)
            or self._item_text(title, _URN_CODE),
        }

    def _item_text(self, item: Elements, tag: int) -> str | None:
        element = item.get(tag)
        if element is None or not isinstance(element[1], bytes):
            return None
        own = repair(uid_text(_bytes(item, CHARACTER_SET)))  # PS3.5 7.5.3: an item may have its own
        chosen: Codec = codec(own) if own else self.codec
        return as_text(element[0], element[1], self.little, chosen)[0]


_ISSUER_QUALIFIERS, _ISSUER_OF_ACCESSION, _CONCEPT_NAME = 0x00100024, 0x00080051, 0x0040A043
_OTHER_IDS, _ORIGINAL_ATTRIBUTES = 0x00101002, 0x04000561
_REQUESTS = (0x00400275, 0x0040A370)
_ACCESSION, _PATIENT_ID, _ISSUER, _TYPE_OF_ID = 0x00080050, 0x00100020, 0x00100021, 0x00100022
_LOCAL_ID, _UNIVERSAL_ID, _UNIVERSAL_TYPE = 0x00400031, 0x00400032, 0x00400033
_CODE, _LONG_CODE, _URN_CODE = 0x00080100, 0x00080119, 0x00080120


_NO_FACTS: dict[str, Any] = {
    "RequestAccessionNumbers": None,
    "OtherPatientIDsItems": None,
    "IssuerQualifiersEntityID": None,
    "IssuerQualifiersEntityType": None,
    "IssuerOfAccessionNumberEntityID": None,
    "HasOriginalAttributes": False,
    "DocumentTitleCode": None,
}


def _coded_beyond_ascii(elements: Elements, want: Wanted) -> bool:
    found = ((want.vrs.get(tag), raw) for tag, (_, raw) in elements.items() if tag in want.by_tag)
    return any(vr in CODED_VRS and isinstance(raw, bytes) and not raw.isascii() for vr, raw in found)


def _items(elements: Elements, tag: int) -> list[Elements]:
    value = elements.get(tag, ("SQ", b""))[1]
    return value if isinstance(value, list) else []


def _bytes(elements: Elements, tag: int) -> bytes:
    value = elements.get(tag, ("CS", b""))[1]
    return value if isinstance(value, bytes) else b""
