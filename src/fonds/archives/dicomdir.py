"""Reads a DICOMDIR (PS3.3 F.3) into rows of `entries`: what the medium says it holds, not what is there."""

from __future__ import annotations

import json
import struct
import warnings
from typing import Any, BinaryIO

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError

from fonds.errors import UnreadableHeader

MEDIA_STORAGE_DIRECTORY = b"1.2.840.10008.1.3.10"
DEPTHS = {"PATIENT": 0, "STUDY": 1, "SERIES": 2}
"""records that others stand under; all others are taken for objects"""
_OF_PATIENT = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "SpecificCharacterSet")
MAX_BYTES = 512 * 1024 * 1024
_SKIPPED_GROUP = 0x0004
_HEAD = 132 + 1024


def is_dicomdir(stream: BinaryIO) -> bool:
    """Whether a seekable stream is a directory by its file meta, or by its first element when it has no meta.

    The stream is left at its start. The name says nothing: an image may be called DICOMDIR, and a DICOMDIR anything.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    if head[128:132] == b"DICM":
        place = head.find(b"\x02\x00\x02\x00UI", 132)
        if place < 0:
            return False
        length = struct.unpack_from("<H", head, place + 6)[0] if place + 8 <= len(head) else 0
        return head[place + 8 : place + 8 + length].rstrip(b"\0 ") == MEDIA_STORAGE_DIRECTORY
    return head[:4] in (b"\x04\x00\x30\x11", b"\x04\x00\x00\x12")


def read_dicomdir(stream: BinaryIO, *, source: str, location: str, size: int, mtime_ns: int) -> list[dict[str, Any]]:
    """Rows of `entries`: one for the directory itself (level MEDIA) and one a directory record.

    Records are read one after the other. What stands under what is told by their offsets (PS3.3 F.2.2) when these lead
    to every record in use exactly once; else by the order of the records, and the MEDIA row's note is `offsets_wrong`.
    A study's attributes have its patient's beside its own; a record that isn't in use is noted `not-in-use`.
    Raises UnreadableHeader when the directory can't be parsed.
    """
    base = {
        "source": source,
        "origin": "dicomdir",
        "location": location,
        "size": size,
        "mtime_ns": mtime_ns,
        "study_uid": None,
        "series_uid": None,
        "sop_uid": None,
        "referenced_file": None,
        "note": None,
    }
    if size > MAX_BYTES:
        raise UnreadableHeader("too_deep", 0, f"directory larger than {MAX_BYTES} bytes")
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")  # they may quote values
            return _rows(stream, base)
    except (InvalidDicomError, EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not pydicom's, which has no number
        raise UnreadableHeader("truncated_header", None, f"directory ends early ({type(error).__name__})") from None
    except (
        BytesLengthException,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        NotImplementedError,
        RecursionError,
        struct.error,
    ) as error:
        raise UnreadableHeader("bad_vr", None, f"directory can't be parsed ({type(error).__name__})") from None


def _rows(stream: BinaryIO, base: dict[str, Any]) -> list[dict[str, Any]]:
    directory = pydicom.dcmread(stream, force=True)
    sequence: Any = directory.get_item("DirectoryRecordSequence")
    if isinstance(sequence, RawDataElement) and len(sequence.value or b"") < sequence.length:
        raise EOFError  # pydicom would hand out the records that are left
    records = {int(record.seq_item_tell): record for record in directory.get("DirectoryRecordSequence") or ()}
    first = int(directory.get("OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity") or 0)
    parents = _by_offsets(records, first)
    note = None if parents is not None else "offsets_wrong"
    rows = [{**base, "level": "MEDIA", "record": 0, "note": note, "attributes": _attributes(directory)}]
    # one step a directory record: each takes from the one it stands under
    made: dict[int, dict[str, Any]] = {}
    for offset, parent in (_by_order(records) if parents is None else parents).items():
        made[offset] = _row(records[offset], offset, base, made.get(parent or 0))
    rows += [made[offset] for offset in records]
    return [{**row, "attributes": json.dumps(row["attributes"], ensure_ascii=False, sort_keys=True)} for row in rows]


def _by_offsets(records: dict[int, Dataset], first: int) -> dict[int, int | None] | None:
    """The record each stands under, parents first; None when offsets lead elsewhere, in circles or not everywhere."""
    parents: dict[int, int | None] = {}
    pending: list[tuple[int, int | None]] = [(first, None)]
    while pending:
        offset, parent = pending.pop()
        if not offset:
            continue
        if offset not in records or offset in parents:
            return None
        parents[offset] = parent
        pending.append((int(records[offset].get("OffsetOfTheNextDirectoryRecord") or 0), parent))
        pending.append((int(records[offset].get("OffsetOfReferencedLowerLevelDirectoryEntity") or 0), offset))
    unreached = records.keys() - parents.keys()
    if any(_in_use(records[offset]) for offset in unreached):
        return None
    return {**parents, **{offset: None for offset in records if offset in unreached}}


def _by_order(records: dict[int, Dataset]) -> dict[int, int | None]:
    """The record each stands under when they lie as they are to be read: a patient, a study of it, its series, …"""
    parents: dict[int, int | None] = {}
    above: list[int] = []
    for offset, record in records.items():
        depth = DEPTHS.get(str(record.get("DirectoryRecordType") or ""), len(DEPTHS))
        while above and DEPTHS[str(records[above[-1]].DirectoryRecordType)] >= depth:
            above.pop()
        parents[offset] = above[-1] if above else None
        if depth < len(DEPTHS):
            above.append(offset)
    return parents


def _row(record: Dataset, offset: int, base: dict[str, Any], parent: dict[str, Any] | None) -> dict[str, Any]:
    kind = str(record.get("DirectoryRecordType") or "")
    level = kind if kind in DEPTHS else "INSTANCE"
    attributes = _attributes(record)
    if level == "STUDY" and parent is not None:
        attributes = {
            **{word: parent["attributes"][word] for word in _OF_PATIENT if word in parent["attributes"]},
            **attributes,
        }
    return {
        **base,
        "level": level,
        "record": offset,
        "study_uid": _text(record, "StudyInstanceUID") if level == "STUDY" else parent and parent["study_uid"],
        "series_uid": _text(record, "SeriesInstanceUID") if level == "SERIES" else parent and parent["series_uid"],
        "sop_uid": _text(record, "ReferencedSOPInstanceUIDInFile"),
        "referenced_file": _joined(record.get("ReferencedFileID")),
        "note": None if _in_use(record) else "not-in-use",
        "attributes": attributes,
    }


def _in_use(record: Dataset) -> bool:
    # PS3.3 F.3.2.2: only 0000H says it isn't; some writers leave the flag away
    return bool(record.get("RecordInUseFlag") != 0)


def _text(record: Dataset, keyword: str) -> str | None:
    value = record.get(keyword)
    return str(value) if value else None


def _joined(value: Any) -> str | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else "/".join(str(part) for part in value)


def _attributes(record: Dataset) -> dict[str, str]:
    """The record's plain attributes by keyword; sequences, binary values and the directory's own pointers left out."""
    return {
        element.keyword: str(element.value)
        for element in record
        if element.keyword
        and element.VR not in ("SQ", "OB", "OW", "UN")
        and (element.tag.group != _SKIPPED_GROUP or element.keyword in ("DirectoryRecordType", "FileSetID"))
    }
