"""What a correct reader would say about each written file: the raw values the truth is computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from fonds.samples.objects import Planned

STUDY_CLASSES = ("1.2.840.10008.3.1.2.3.1", "1.2.840.10008.3.1.2.3.2")
_META = ("MediaStorage", "Implementation", "FileMeta", "TransferSyntax")
_NO_TEXT = ("SQ", "OB", "OW", "OF", "OD", "OL", "UN")


@dataclass(slots=True)
class Seen:
    """One written file as the truth sees it. `values` holds raw text by keyword; a missing key is an absent element."""

    planned: Planned
    values: dict[str, str]
    references: list[str] = field(default_factory=list)
    stored_pixels: str | None = None
    decoded_pixels: str | None = None
    pixel_length: int | None = None
    file_digest: str = ""

    @property
    def source(self) -> str:
        """The archive it lies in."""
        return self.planned.source

    @property
    def location(self) -> str:
        """Its path below the archive."""
        return self.planned.location

    def get(self, keyword: str) -> str:
        """Raw text, '' when absent."""
        return self.values.get(keyword, "")

    def own_values(self) -> dict[str, str]:
        """Values of the data set, without the file meta information."""
        return {word: text for word, text in self.values.items() if not word.startswith(_META)}

    @property
    def readable(self) -> bool:
        """Whether it becomes a row of instances."""
        return self.planned.status in ("ok", "forced", "partial")


def see(planned: Planned, ds: Dataset) -> Seen:
    """Values of the data set before it is encoded; what byte edits do is told by `planned.values`."""
    values = {
        element.keyword: text
        for element in [*ds.file_meta, *ds]
        if element.keyword and element.VR not in _NO_TEXT and (text := raw_text(element)) is not None
    }
    for keyword, path in _NESTED.items():
        text = _nested(ds, path)
        if text is not None:
            values[keyword] = text
    for word, told in planned.values.items():
        if told is None:
            values.pop(word, None)
        else:
            values[word] = told
    references = sorted({uid for uid in _references(ds) if uid})
    found = Seen(planned, values, references)
    if "PixelData" in ds:
        found.decoded_pixels = hashlib.sha256(ds.PixelData).hexdigest()
    return found


def stored(seen: Seen, ds: Dataset, data: bytes) -> None:
    """Note what encoding made of it: the file's digest, and length and digest of the pixel data as stored."""
    seen.file_digest = hashlib.sha256(data).hexdigest()
    if "PixelData" in ds and seen.planned.status != "partial":
        seen.stored_pixels, seen.pixel_length = hashlib.sha256(ds.PixelData).hexdigest(), len(ds.PixelData)


_NESTED = {
    "RequestAccessionNumbers": (("RequestAttributesSequence", "AccessionNumber"),),
    "IssuerQualifiersEntityID": (("IssuerOfPatientIDQualifiersSequence", "UniversalEntityID"),),
    "IssuerOfAccessionNumberEntityID": (
        ("IssuerOfAccessionNumberSequence", "LocalNamespaceEntityID"),
        ("IssuerOfAccessionNumberSequence", "UniversalEntityID"),
    ),
}


def _nested(ds: Dataset, paths: tuple[tuple[str, str], ...]) -> str | None:
    for sequence, keyword in paths:
        for item in ds.get(sequence) or ():
            if keyword in item:
                return str(item[keyword].value)
    return None


def raw_text(element: DataElement) -> str | None:
    """Raw text of an element as the catalog defines it: values joined by backslash, padding at the end stripped."""
    value = element.value
    if value is None:
        return ""
    if element.VR == "AT":
        many = value if isinstance(value, (list, tuple)) else [value]
        return "\\".join(f"{int(tag):08X}" for tag in many)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return value.rstrip(" \0")
    if hasattr(value, "__iter__") and not hasattr(value, "components"):
        return "\\".join(str(part) for part in value).rstrip(" \0")
    return str(value).rstrip(" \0")


def _references(ds: Dataset) -> Iterator[str]:
    for element in ds:
        if element.VR != "SQ":
            continue
        for item in element.value:
            if "ReferencedSOPInstanceUID" in item and item.get("ReferencedSOPClassUID") not in STUDY_CLASSES:
                yield str(item.ReferencedSOPInstanceUID)
            yield from _references(item)
