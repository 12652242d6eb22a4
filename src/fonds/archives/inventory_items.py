"""What a study record of an Inventory (PS3.3 Table C.38.1-1) says, as rows of `entries`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from fonds.archives.inventory_file import MISTAKES
from fonds.archives.naming import MARK
from fonds.dicom.charset import codec, repair
from fonds.dicom.values import TEXTUAL, as_text
from fonds.errors import UnreadableHeader

FEWER = "fewer-listed"
"""note of a study whose record lists fewer objects than it counts, or some without a UID"""
_Row = dict[str, str | int | None]
_BELOW = {"STUDY": "InventoriedSeriesSequence", "SERIES": "InventoriedInstancesSequence"}
_UID = {"STUDY": "StudyInstanceUID", "SERIES": "SeriesInstanceUID", "INSTANCE": "SOPInstanceUID"}
_NEXT = {"STUDY": "SERIES", "SERIES": "INSTANCE"}


def rows_of(study: Dataset, head: Dataset, base: str) -> list[_Row]:
    """Rows of a study, its series and its objects; raises UnreadableHeader where an item can't be parsed."""
    try:
        rows = list(_rows(study, "STUDY", (), _charset(head, ""), base, removed=False))
    except MISTAKES as error:
        raise UnreadableHeader("bad_vr", None, type(error).__name__) from None
    named = [row for row in rows if "" not in str(row["location"]).split("/")]
    counted = json.loads(str(rows[0]["attributes"])).get("NumberOfStudyRelatedInstances", "")
    listed = sum(row["level"] == "INSTANCE" for row in named)
    short = head.get("InventoryLevel") == "INSTANCE" and counted.isdecimal() and listed < int(counted)
    # pydicom reads on where a nested item's length is wrong: what it then finds has no UID, or isn't there
    if named and (short or len(named) < len(rows)):
        named[0]["note"] = ", ".join(str(note) for note in (named[0]["note"], FEWER) if note)
    return named


def texts(item: Dataset, charset: str = "") -> dict[str, str]:
    """Raw text by keyword of an item's own attributes; sequences and private ones have none."""
    decoder = codec(repair(_charset(item, charset)))
    found = {}
    for tag in item.keys():  # noqa: SIM118 - iterating a Dataset converts its values
        keyword = keyword_for_tag(tag)
        if not keyword or dictionary_VR(tag) not in TEXTUAL:
            continue
        element: Any = item.get_item(tag)
        if isinstance(element, RawDataElement):
            text, _ = as_text(dictionary_VR(tag), element.value or b"", True, decoder)
        else:
            text = "\\".join(map(str, element.value)) if element.VM > 1 else str(element.value or "")
        if text is not None:
            found[keyword] = text
    return found


def _charset(item: Dataset, above: str) -> str:
    element: Any = item.get_item("SpecificCharacterSet")
    if element is None:
        return above
    value = element.value or b""
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").strip(" \0")
    return value if isinstance(value, str) else "\\".join(value)


def _rows(
    item: Dataset, level: str, above: tuple[str, ...], charset: str, base: str, *, removed: bool
) -> Iterator[_Row]:
    charset = _charset(item, charset)
    said = texts(item, charset)
    place = (*above, said.get(_UID[level], "").strip())
    base = str(said.get("StoredInstanceBaseURI") or base)
    removed = removed or said.get("RemovedFromOperationalUse", "") == "Y"
    if reasons := item.get("ReasonForRemovalCodeSequence"):
        code = reasons[0]
        said["ReasonForRemovalCodeSequence"] = "^".join(
            str(code.get(word) or "") for word in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")
        )
    files = [_located(access, base) for access in item.get("FileAccessSequence") or ()]
    files += [_located(access, base) for access in item.get("FileSetAccessSequence") or ()]
    if len(files) > 1:
        said["FileAccessSequence"] = "\\".join(files)
    for access in item.get("FileAccessSequence") or ():
        said.setdefault("StoredInstanceTransferSyntaxUID", str(access.get("StoredInstanceTransferSyntaxUID") or ""))
    uids = (*place, None, None)[:3]
    yield {
        "location": "/".join(place),
        "record": 0,
        "origin": "inventory",
        "level": level,
        "study_uid": uids[0],
        "series_uid": uids[1],
        "sop_uid": uids[2],
        "referenced_file": files[0] if files else None,
        "attributes": json.dumps(said, ensure_ascii=False, sort_keys=True),
        "note": "removed" if removed else None,
    }
    if level in _BELOW:
        for below in item.get(_BELOW[level]) or ():
            yield from _rows(below, _NEXT[level], place, charset, base, removed=removed)


def _located(access: Dataset, base: str) -> str:
    """A file's address; of a member of a container, the container's and the member's name (PS3.3 Table C.38.2-2)."""
    given = str(access.get("FileAccessURI") or access.get("FolderAccessURI") or "")
    address = resolved(given, base)
    member = str(access.get("FilenameInContainer") or "")
    return address + MARK + member if member else address


def resolved(address: str, base: str) -> str:
    """An address, relative ones (which begin with ``./``) to the last segment border of the base (PS3.3 P.2.1)."""
    return base.rpartition("/")[0] + address[1:] if address.startswith("./") and base else address


def base_uri(item: Dataset, sequence: str, above: str) -> str:
    """Stored Instance Base URI of an end point sequence, or what holds above."""
    points = item.get(sequence) or ()
    return str((points[0].get("StoredInstanceBaseURI") if points else None) or above)


def references(item: Dataset) -> Iterator[str]:
    """SOP Instance UIDs of Inventories that are incorporated, at any depth."""
    pending = [item]
    while pending:
        for one in pending.pop().get("IncorporatedInventoryInstanceSequence") or ():
            yield str(one.get("ReferencedSOPInstanceUID") or "")
            pending.append(one)
