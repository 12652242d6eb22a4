"""What a correct reader would say about each written file: the raw values the truth is computed from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from fonds.samples.objects import Planned

STUDY_CLASSES = ("1.2.840.10008.3.1.2.3.1", "1.2.840.10008.3.1.2.3.2")
_META = ("MediaStorage", "Implementation", "FileMeta", "TransferSyntax", "SourceApplicationEntityTitle")
_NO_TEXT = ("SQ", "OB", "OW", "OF", "OD", "OL", "UN")


class Pointer(NamedTuple):
    """One reference of an object: the attribute it stands below, the study it names ('' when none), class and UID."""

    carrier: str
    study: str
    sop_class: str
    sop: str


@dataclass(slots=True)
class Seen:
    """One written file as the truth sees it. `values` holds raw text by keyword; a missing key is an absent element.

    `pointers` are the objects it points to, `frames` the frames of reference, `studies` the studies, `originals` the
    objects that it says it is a copy of, `title` the code of a document's title.
    """

    planned: Planned
    values: dict[str, str]
    pointers: list[Pointer] = field(default_factory=list)
    studies: set[str] = field(default_factory=set)
    frames: list[str] = field(default_factory=list)
    originals: list[str] = field(default_factory=list)
    title: str = ""
    stored_pixels: str | None = None
    decoded_pixels: str | None = None
    pixel_length: int | None = None
    levels: int = 0
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
    def references(self) -> list[str]:
        """UIDs of the objects it points to."""
        return sorted({pointer.sop for pointer in self.pointers})

    @property
    def shows(self) -> bool:
        """Whether its pixels can tell it from other pictures: 64 bytes or more, not all of one value."""
        return (self.pixel_length or 0) >= 64 and self.levels > 1

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
    found = Seen(
        planned,
        values,
        pointers=[pointer for pointer in _pointers(ds, "", "") if pointer.sop],
        studies=_studies(ds),
        frames=sorted(set(_frames(ds, nested=False))),
        originals=_originals(ds),
        title=next((str(item.CodeValue) for item in ds.get("ConceptNameCodeSequence") or ()), ""),
    )
    if "PixelData" in ds:
        found.decoded_pixels, found.levels = hashlib.sha256(ds.PixelData).hexdigest(), len(set(ds.PixelData[:4096]))
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


def _pointers(ds: Dataset, carrier: str, study: str) -> Iterator[Pointer]:
    for element in ds:
        if element.VR != "SQ" or element.keyword == "OriginalAttributesSequence":
            continue
        top = carrier or element.keyword
        for item in element.value:
            named = str(item.get("StudyInstanceUID", study))
            sop_class = str(item.get("ReferencedSOPClassUID", ""))
            if "ReferencedSOPInstanceUID" in item and sop_class not in STUDY_CLASSES:
                yield Pointer(top, named, sop_class, str(item.ReferencedSOPInstanceUID))
            yield from _pointers(item, top, named)


def _studies(ds: Dataset) -> set[str]:
    found: set[str] = set()
    for element in ds:
        if element.VR == "SQ" and element.keyword != "OriginalAttributesSequence":
            for item in element.value:
                found |= {str(item.StudyInstanceUID)} if "StudyInstanceUID" in item else set()
                if item.get("ReferencedSOPClassUID") in STUDY_CLASSES:
                    found.add(str(item.ReferencedSOPInstanceUID))
                found |= _studies(item)
    return found


def _frames(ds: Dataset, *, nested: bool) -> Iterator[str]:
    for element in ds:
        if nested and element.keyword in ("FrameOfReferenceUID", "ReferencedFrameOfReferenceUID"):
            yield str(element.value)
        if element.VR == "SQ":
            for item in element.value:
                yield from _frames(item, nested=True)


def _originals(ds: Dataset) -> list[str]:
    images = [str(item.ReferencedSOPInstanceUID) for item in ds.get("SourceImageSequence") or ()]
    for changed in ds.get("OriginalAttributesSequence") or ():
        for before in changed.get("ModifiedAttributesSequence") or ():
            images += [str(before.SOPInstanceUID)] if "SOPInstanceUID" in before else []
    return images
