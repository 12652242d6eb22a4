"""Files beside the images: the directory of a medium (DICOMDIR), and what is no DICOM object at all."""

from __future__ import annotations

from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from fonds.samples.inject import Block
from fonds.samples.objects import IMPLEMENTATION, Exam, Extra, Planned
from fonds.samples.recipe import Fault

MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"


def directory(block: Block, exam: Exam, fault: Fault) -> list[Planned | Extra]:
    """Lay the exam's files out as a medium; its DICOMDIR lists one file more than there is."""
    folder = f"CD{block.number:05d}"
    for number, planned in enumerate(exam.objects, start=1):
        planned.location = f"{folder}/DICOM/IM{number:06d}"
    index = Extra(exam.source, f"{folder}/DICOMDIR", lambda: dicomdir(exam), "index")
    block.extras.append(index)
    return [index]


def strangers(block: Block, exam: Exam, fault: Fault) -> list[Planned | Extra]:
    """A thumbnail database and a note beside the images."""
    note = f"Aufnahme wiederholt, Block {block.number}\n".encode()
    found = [
        Extra(exam.source, f"{exam.folder}/Thumbs.db", lambda: (b"\xd0\xcf\x11\xe0" * 150, []), "not_dicom"),
        Extra(exam.source, f"{exam.folder}/notiz.txt", lambda: (note * 4, []), "not_dicom"),
    ]
    block.extras += found
    return [*found]


def dicomdir(exam: Exam) -> tuple[bytes, list[int]]:
    """The directory's bytes, and the offsets of the records whose file is not there (PS3.3 F.3)."""
    records = _records(exam)
    ds = Dataset()
    ds.FileSetID = "FONDS"
    ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = 0
    ds.FileSetConsistencyFlag = 0
    ds.DirectoryRecordSequence = Sequence(records)
    # Offsets are four bytes whatever they say, so a first writing tells where the records will lie.
    places = [int(item.seq_item_tell) for item in pydicom.dcmread(BytesIO(_write(ds, exam))).DirectoryRecordSequence]
    ds.OffsetOfTheFirstDirectoryRecordOfTheRootDirectoryEntity = places[0]
    ds.OffsetOfTheLastDirectoryRecordOfTheRootDirectoryEntity = places[0]
    last_series = None
    for place, record in zip(places, records, strict=True):
        kind = record.DirectoryRecordType
        if kind == "PATIENT":
            records[0].OffsetOfReferencedLowerLevelDirectoryEntity = places[1]
        elif kind == "SERIES":
            if last_series is None:
                records[1].OffsetOfReferencedLowerLevelDirectoryEntity = place
            else:
                last_series.OffsetOfTheNextDirectoryRecord = place
            last_series, previous = record, None
        elif kind != "STUDY" and last_series is not None:
            if previous is None:
                last_series.OffsetOfReferencedLowerLevelDirectoryEntity = place
            else:
                previous.OffsetOfTheNextDirectoryRecord = place
            previous = record
    missing = [place for place, record in zip(places, records, strict=True) if record.get("ReferencedFileID") == _GONE]
    return _write(ds, exam), missing


_GONE = ["DICOM", "IM009999"]


def _records(exam: Exam) -> list[Dataset]:
    first = exam.objects[0].dataset()
    records = [_record("PATIENT", first, "PatientID", "PatientName")]
    records.append(
        _record("STUDY", first, "StudyDate", "StudyTime", "StudyDescription", "StudyInstanceUID", "StudyID",
                "AccessionNumber")
    )  # fmt: skip
    series = ""
    for planned in exam.objects:
        ds = planned.dataset()
        if ds.SeriesInstanceUID != series:
            records.append(_record("SERIES", ds, "Modality", "SeriesInstanceUID", "SeriesNumber"))
            series = ds.SeriesInstanceUID
        image = _record("IMAGE" if "Rows" in ds else "ENCAP DOC", ds, "InstanceNumber")
        _referenced(image, ds, planned.location.split("/")[1:], str(ds.SOPInstanceUID))
        records.append(image)
        if planned is exam.objects[0]:
            gone = _record("IMAGE", ds, "InstanceNumber")
            _referenced(gone, ds, _GONE, exam.uid("gone"))
            records.append(gone)
    return records


def _record(kind: str, ds: Dataset, *keywords: str) -> Dataset:
    record = Dataset()
    record.OffsetOfTheNextDirectoryRecord, record.RecordInUseFlag = 0, 0xFFFF
    record.OffsetOfReferencedLowerLevelDirectoryEntity, record.DirectoryRecordType = 0, kind
    record.SpecificCharacterSet = ds.SpecificCharacterSet
    for keyword in keywords:
        record[keyword] = ds[keyword]
    return record


def _referenced(record: Dataset, ds: Dataset, file: list[str], sop_uid: str) -> None:
    record.ReferencedFileID = file
    record.ReferencedSOPClassUIDInFile, record.ReferencedSOPInstanceUIDInFile = ds.SOPClassUID, sop_uid
    record.ReferencedTransferSyntaxUIDInFile = ExplicitVRLittleEndian


def _write(ds: Dataset, exam: Exam) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MEDIA_STORAGE_DIRECTORY, exam.uid("directory")
    meta.TransferSyntaxUID, meta.ImplementationClassUID = ExplicitVRLittleEndian, IMPLEMENTATION
    ds.file_meta = meta
    out = BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()
