"""What pydicom says of an object, by its public interface alone: the answer the reader's rows are held against."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any

import pydicom
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def said(data: bytes, words: tuple[str, ...]) -> dict[str, Any]:
    """Texts by keyword, and what else of the row pydicom can tell; raises whatever pydicom raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(BytesIO(data), force=True)
        row: dict[str, Any] = {word: _text(ds, word) for word in words}
        claimed = ds.file_meta.get("TransferSyntaxUID")
        if claimed is not None:
            row["transfer_syntax"] = str(claimed)
        row |= _nested(ds)
    return row


def _text(ds: Dataset, word: str) -> str | None:
    tag = BaseTag(tag_for_keyword(word) or 0)
    holder = ds.file_meta if tag.group == 2 else ds
    if tag not in holder:
        return None
    stored = holder.get_item(tag)
    vr = dictionary_VR(tag)[:2]
    try:
        return written(holder[tag].value, vr)
    except (ValueError, TypeError, OverflowError, pydicom.errors.BytesLengthException):
        # a value pydicom's own types refuse (57.6 as IS): its bytes are what is there
        assert isinstance(stored, RawDataElement)
        return (stored.value or b"").decode("latin-1")


def written(value: Any, vr: str) -> str:
    r"""A value as text: several joined by ``\``, decimal strings as they were written, tags as eight digits."""
    if value is None or value == "":
        return ""
    if isinstance(value, (MultiValue, list)):
        return "\\".join(written(item, vr) for item in value)
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if vr == "AT":
        return f"{int(value):08X}"
    original = getattr(value, "original_string", None)
    return original if isinstance(original, str) else str(value)


def comparable(text: str | None, vr: str) -> Any:
    """A text without the differences that are explained.

    pydicom takes spaces (and NULs) off the end of every value, we off the end of the last; off both ends of AE, DS and
    IS, where blanks say nothing (PS3.5 6.2); and the '=' that ends a name.
    """
    if text is None:
        return None
    parts = [part.rstrip(" \0") for part in text.split("\\")]
    if vr in ("AE", "DS", "IS"):
        return [part.strip(" \0") for part in parts]
    return [part.rstrip("=") for part in parts] if vr == "PN" else parts


def _nested(ds: Dataset) -> dict[str, Any]:
    requests = [_or_none(item, "AccessionNumber") for word in ("RequestAttributesSequence", "ReferencedRequestSequence")
                for item in _items(ds, word)]  # fmt: skip
    issuer = next(iter(_items(ds, "IssuerOfPatientIDQualifiersSequence")), Dataset())
    accession = next(iter(_items(ds, "IssuerOfAccessionNumberSequence")), Dataset())
    title = next(iter(_items(ds, "ConceptNameCodeSequence")), Dataset())
    return {
        "RequestAccessionNumbers": list(dict.fromkeys(number for number in requests if number)),
        "OtherPatientIDsItems": [
            {"id": _or_none(item, "PatientID"), "issuer": _or_none(item, "IssuerOfPatientID"),
             "type": _or_none(item, "TypeOfPatientID")}
            for item in _items(ds, "OtherPatientIDsSequence")
        ],
        "IssuerQualifiersEntityID": _or_none(issuer, "UniversalEntityID"),
        "IssuerQualifiersEntityType": _or_none(issuer, "UniversalEntityIDType"),
        "IssuerOfAccessionNumberEntityID": _first(accession, "LocalNamespaceEntityID", "UniversalEntityID"),
        "HasOriginalAttributes": "OriginalAttributesSequence" in ds,
        "DocumentTitleCode": _first(title, "CodeValue", "LongCodeValue", "URNCodeValue"),
    }  # fmt: skip


def _items(ds: Dataset, word: str) -> list[Dataset]:
    value = ds.get(word)
    return list(value) if isinstance(value, pydicom.sequence.Sequence) else []


def _or_none(item: Dataset, word: str) -> str | None:
    return written(item[word].value, item[word].VR) if word in item else None


def _first(item: Dataset, *words: str) -> str | None:
    return next((text for word in words if (text := _or_none(item, word))), None)


def pointed_at(data: bytes) -> set[str]:
    """Every Referenced SOP Instance UID of the object, at any depth."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(BytesIO(data), force=True, stop_before_pixels=True)
        found = (element.value for element in ds.iterall() if element.keyword == "ReferencedSOPInstanceUID")
        return {str(value) for value in found if value}
