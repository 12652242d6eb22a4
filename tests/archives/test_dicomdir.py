"""Directories of media: told from images by content, and every record of them an entry."""

from __future__ import annotations

import json
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.archives.dicomdir import is_dicomdir, read_dicomdir
from fonds.errors import UnreadableHeader

MEDIA = Path(pydicom.__file__).parent / "data" / "test_files" / "dicomdirtests"
WHOLE = ("DICOMDIR", "DICOMDIR-bigEnd", "DICOMDIR-implicit", "DICOMDIR-nooffset", "DICOMDIR-reordered")


def entries(data: bytes) -> list[dict[str, Any]]:
    return read_dicomdir(BytesIO(data), source="s", location="DICOMDIR", size=len(data), mtime_ns=1)


@pytest.mark.parametrize("name", WHOLE)
def test_every_record_of_every_encoding(name: str) -> None:
    data = (MEDIA / name).read_bytes()
    assert is_dicomdir(BytesIO(data))
    rows = entries(data)
    listed = pydicom.dcmread(BytesIO(data)).DirectoryRecordSequence
    assert len(rows) == len(listed) + 1
    assert Counter(row["level"] for row in rows)["MEDIA"] == 1
    files = {row["referenced_file"] for row in rows if row["level"] == "INSTANCE"}
    assert files == {"/".join(record.ReferencedFileID) for record in listed if "ReferencedFileID" in record}
    assert len({row["record"] for row in rows}) == len(rows)


def test_records_know_their_study_and_series() -> None:
    rows = entries((MEDIA / "DICOMDIR").read_bytes())
    image = next(row for row in rows if row["referenced_file"] == "77654033/CR1/6154")
    file = pydicom.dcmread(MEDIA / image["referenced_file"], stop_before_pixels=True)
    assert (image["study_uid"], image["series_uid"]) == (file.StudyInstanceUID, file.SeriesInstanceUID)
    assert image["sop_uid"] == file.SOPInstanceUID
    patient = next(row for row in rows if row["level"] == "PATIENT")
    assert json.loads(patient["attributes"])["PatientID"] == "77654033"


def test_an_image_called_dicomdir_is_an_image_and_a_directory_called_image_is_not() -> None:
    image = (MEDIA / "77654033" / "CR1" / "6154").read_bytes()
    assert not is_dicomdir(BytesIO(image))
    assert not is_dicomdir(BytesIO(b""))
    bare = (MEDIA / "DICOMDIR-implicit").read_bytes()
    start = bare.index(b"\x04\0\x30\x11")
    assert is_dicomdir(BytesIO(bare[start:]))


def test_damage_ends_in_a_reason() -> None:
    data = (MEDIA / "DICOMDIR").read_bytes()
    with pytest.raises(UnreadableHeader) as caught:
        entries(data[: len(data) // 2])
    assert caught.value.reason in ("truncated_header", "bad_vr")


SMALL = (MEDIA / "DICOMDIR-nopatient").read_bytes()


@settings(max_examples=40, deadline=None)
@given(st.integers(132, len(SMALL) - 8), st.binary(min_size=1, max_size=8))
def test_any_damage_ends_in_rows_or_a_reason(place: int, damage: bytes) -> None:
    try:
        levels = [row["level"] for row in entries(SMALL[:place] + damage + SMALL[place + len(damage) :])]
    except UnreadableHeader as error:
        levels = [error.reason]
    assert levels[0] in ("MEDIA", "truncated_header", "bad_vr")


def test_circles_end() -> None:
    data = (MEDIA / "DICOMDIR").read_bytes()
    directory = pydicom.dcmread(BytesIO(data))
    first = directory.DirectoryRecordSequence[0]
    here = first.seq_item_tell
    field = data.index(b"\x04\0\x00\x14UL", here) + 8
    circular = data[:field] + here.to_bytes(4, "little") + data[field + 4 :]
    assert len(entries(circular)) == len(entries(data))


def _with_wrong_offsets(data: bytes, by: int) -> bytes:
    """The directory as a writer leaves it that forgot bytes of a name: pointers behind the first study are off."""
    directory = pydicom.dcmread(BytesIO(data))
    changed = bytearray(data)
    for record in directory.DirectoryRecordSequence[4:]:
        for tag in (b"\x04\0\x00\x14UL", b"\x04\0\x20\x14UL"):
            field = data.index(tag, record.seq_item_tell) + 8
            offset = int.from_bytes(data[field : field + 4], "little")
            changed[field : field + 4] = (offset + by if offset else 0).to_bytes(4, "little")
    return bytes(changed)


def test_offsets_that_are_wrong_are_told_and_not_believed() -> None:
    data = (MEDIA / "DICOMDIR").read_bytes()
    right, wrong = entries(data), entries(_with_wrong_offsets(data, 22))
    assert (right[0]["note"], wrong[0]["note"]) == (None, "offsets_wrong")
    assert wrong[1:] == right[1:]


def test_records_out_of_order_are_believed_by_offsets_that_lead_everywhere() -> None:
    def placed(name: str) -> set[tuple[str, str, str]]:
        rows = entries((MEDIA / name).read_bytes())
        assert rows[0]["note"] is None
        return {(row["study_uid"], row["series_uid"], row["sop_uid"]) for row in rows if row["level"] == "INSTANCE"}

    assert placed("DICOMDIR-reordered") == placed("DICOMDIR")


def test_a_record_that_is_not_in_use_is_noted_and_a_study_says_whose_it_is() -> None:
    data = (MEDIA / "DICOMDIR").read_bytes()
    directory = pydicom.dcmread(BytesIO(data))
    last = directory.DirectoryRecordSequence[-1].seq_item_tell
    field = data.index(b"\x04\0\x10\x14US", last) + 8
    rows = entries(data[:field] + b"\0\0" + data[field + 2 :])
    assert [row["record"] for row in rows if row["note"]] == [last]
    patients = {json.loads(row["attributes"])["PatientID"] for row in rows if row["level"] == "PATIENT"}
    studies = [json.loads(row["attributes"]) for row in rows if row["level"] == "STUDY"]
    assert {study["PatientID"] for study in studies} == patients
    assert all(study["PatientName"] and study["StudyID"] for study in studies)


def test_private_records_and_file_ids_with_hyphens_and_letters_beyond_ascii() -> None:
    directory = pydicom.dcmread(MEDIA / "DICOMDIR")
    records = directory.DirectoryRecordSequence
    with pydicom.config.disable_value_validation():
        records[3].DirectoryRecordType = "PRIVATE"
        records[3].PrivateRecordUID = "1.2.3"
        records[4].ReferencedFileID = ["DIR-1", "im-ä"]
        out = BytesIO()
        directory.save_as(out)
    rows = entries(out.getvalue())
    assert len(rows) == len(records) + 1
    assert {row["record"] for row in rows[1:]} == {
        int(record.seq_item_tell) for record in pydicom.dcmread(BytesIO(out.getvalue())).DirectoryRecordSequence
    }
    assert any((row["referenced_file"] or "").startswith("DIR-1/im-") for row in rows)
