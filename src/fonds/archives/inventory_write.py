"""Writes DICOM Inventories (PS3.3 C.38): a tree of SOP Instances, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset, write_file_meta_info, write_sequence_item
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom.sop_class import InventoryStorage

from fonds import __version__
from fonds.archives.inventory_file import STUDIES
from fonds.dicom.charset import codec
from fonds.dicom.conformance import conforms

Level = Literal["study", "series", "instance"]
CHARSET = "ISO_IR 192"
# keywords of Table C.38.1-1 that the catalog has, and whether they may be left out (type 3) or must be there (type 2)
STUDY_WORDS: dict[str, int] = {
    **dict.fromkeys(("StudyDate", "StudyTime", "AccessionNumber", "ModalitiesInStudy", "StudyDescription"), 2),
    **dict.fromkeys(
        ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "StudyUpdateDateTime"), 2
    ),
    **dict.fromkeys(("NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances"), 2),
    **dict.fromkeys(("ReferringPhysicianName", "IssuerOfPatientID", "OtherPatientNames"), 3),
}
SERIES_WORDS: dict[str, int] = {
    "SeriesNumber": 2,
    **dict.fromkeys(("SeriesDate", "SeriesTime", "SeriesDescription", "BodyPartExamined", "Laterality"), 3),
}
INSTANCE_WORDS: dict[str, int] = {
    "InstanceNumber": 2,
    **dict.fromkeys(("ContentDate", "ContentTime", "TimezoneOffsetFromUTC", "NumberOfFrames"), 3),
    **dict.fromkeys(("Rows", "Columns", "BitsAllocated", "ContentLabel"), 3),
}
_CODEC = codec(CHARSET)
_NUMBERS = {"US": 0xFFFF}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Where an object lies: an address (``./…`` is below the study's base), and the member of a container."""

    address: str
    syntax: str | None = None
    container: str | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """An object: raw text by keyword, and its copies."""

    uid: str
    sop_class: str
    said: Mapping[str, str | None]
    files: Sequence[StoredFile]


@dataclass(frozen=True, slots=True)
class Series:
    """A series: raw text by keyword."""

    uid: str
    modality: str
    said: Mapping[str, str | None]
    instances: Sequence[Instance]


@dataclass(frozen=True, slots=True)
class Study:
    """A study: raw text by keyword, and the base of its files' addresses."""

    uid: str
    said: Mapping[str, str | None]
    series: Sequence[Series]
    base: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What all instances of one Inventory say: its purpose, its level, and the moment it is true for (UTC)."""

    purpose: str
    level: Level
    moment: str
    """YYYYMMDDHHMMSS"""


@dataclass
class _Part:
    """Studies of one SOP Instance, encoded."""

    items: BinaryIO
    records: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


class InventoryWriter:
    """Writes one Inventory: `out` is the root's file; the instances it incorporates lie beside it, numbered."""

    def __init__(self, out: Path, about: About) -> None:
        self.out, self.about = out, about
        self.written: list[Path] = []
        self._leaves: list[tuple[str, int]] = []

    def part(self, studies: Iterable[Study]) -> None:
        """One incorporated instance with these studies, written and renamed."""
        with tempfile.TemporaryFile(dir=self.out.parent) as items:
            part = self._encoded(studies, items)
            if part.records:
                place = self.out.with_name(f"{self.out.stem}-{len(self._leaves) + 1:04d}.dcm")
                uid = self._write(place, part, part.records, ())
                self._leaves.append((uid, part.records))

    def finish(self, studies: Iterable[Study] = ()) -> int:
        """The root, which is all where nothing was split off; takes away parts an earlier export left.

        Returns the study records of the whole tree.
        """
        with tempfile.TemporaryFile(dir=self.out.parent) as items:
            part = self._encoded(studies, items)
            total = part.records + sum(records for _, records in self._leaves)
            self._write(self.out, part, total, self._leaves)
        numbered = re.compile(re.escape(self.out.stem) + r"-\d{4,}\.dcm")
        for old in self.out.parent.iterdir():
            if numbered.fullmatch(old.name) and old not in self.written:
                old.unlink()
        return total

    def _encoded(self, studies: Iterable[Study], items: BinaryIO) -> _Part:
        part = _Part(items)
        # a study's record is a tree, which pydicom encodes; only one is in memory
        for study in studies:
            block = io.BytesIO()
            write_sequence_item(_explicit(block), self._study(study), [_CODEC.encodings[0]])
            encoded = block.getvalue()
            items.write(encoded)
            part.digest.update(encoded)
            part.records += 1
        return part

    def _write(self, place: Path, part: _Part, total: int, leaves: Sequence[tuple[str, int]]) -> str:
        for uid, _ in leaves:
            part.digest.update(uid.encode())
        part.digest.update(f"{self.about.purpose} {self.about.level} {self.about.moment}".encode())
        # the same content is the same instance (PS3.5 B.2)
        own = f"2.25.{int.from_bytes(part.digest.digest()[:16], 'big')}"
        said = self._own(own, leaves, part.records, total)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = InventoryStorage, own
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.ImplementationClassUID = pydicom.uid.PYDICOM_IMPLEMENTATION_UID
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        with aside.open("wb") as stream:
            stream.write(bytes(128) + b"DICM")
            explicit = _explicit(stream)
            write_file_meta_info(explicit, meta)
            write_dataset(explicit, said[:STUDIES])
            stream.write(struct.pack("<HH2sHL", STUDIES >> 16, STUDIES & 0xFFFF, b"SQ", 0, part.items.tell()))
            part.items.seek(0)
            shutil.copyfileobj(part.items, stream)
            write_dataset(explicit, said[STUDIES:])
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, place)
        self.written.append(place)
        return own

    def _own(self, uid: str, leaves: Sequence[tuple[str, int]], records: int, total: int) -> Dataset:
        """Everything but the studies."""
        data = Dataset()
        data.SpecificCharacterSet = CHARSET
        data.SOPClassUID, data.SOPInstanceUID = InventoryStorage, uid
        data.ContentDate, data.ContentTime = self.about.moment[:8], self.about.moment[8:]
        data.Manufacturer, data.ManufacturerModelName = "Fonds", "Fonds"
        data.SoftwareVersions = __version__
        data.TimezoneOffsetFromUTC = "+0000"
        data.ScopeOfInventorySequence = []
        data.InventoryPurpose = self.about.purpose
        data.InventoryLevel = self.about.level.upper()
        data.IncorporatedInventoryInstanceSequence = [_reference(leaf) for leaf, _ in leaves]
        data.InventoryCompletionStatus = "COMPLETE"
        data.NumberOfStudyRecordsInInstance = records
        data.TotalNumberOfStudyRecords = total
        return data

    def _study(self, study: Study) -> Dataset:
        item = _filled(study.said, STUDY_WORDS)
        item.StudyInstanceUID = study.uid
        item.ItemInventoryDateTime = self.about.moment + "+0000"
        if study.base is not None and self.about.level == "instance":
            item.StoredInstanceBaseURI = study.base
        if self.about.level != "study":
            item.InventoriedSeriesSequence = [self._series(one) for one in study.series]
        return item

    def _series(self, series: Series) -> Dataset:
        item = _filled(series.said, SERIES_WORDS)
        item.SeriesInstanceUID = series.uid
        item.Modality = series.modality if _valid("CS", series.modality) and series.modality else "OT"
        if self.about.level == "instance":
            item.InventoriedInstancesSequence = [_instance(one) for one in series.instances]
        return item


def _instance(instance: Instance) -> Dataset:
    item = _filled(instance.said, INSTANCE_WORDS)
    item.SOPClassUID, item.SOPInstanceUID = instance.sop_class, instance.uid
    if instance.files:
        item.FileAccessSequence = [_access(one) for one in instance.files]
    return item


def _access(file: StoredFile) -> Dataset:
    item = Dataset()
    item.FileAccessURI = file.address
    if file.container is not None:
        item.ContainerFileType = file.container
    if file.member is not None:
        item.FilenameInContainer = file.member
    if file.syntax:
        item.StoredInstanceTransferSyntaxUID = file.syntax
    return item


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = InventoryStorage, uid
    return item


def _filled(said: Mapping[str, str | None], words: Mapping[str, int]) -> Dataset:
    """The values that conform; what doesn't is left out, or empty where it must be there (type 2)."""
    item = Dataset()
    for word, kind in words.items():
        vr, text = dictionary_VR(word), said.get(word)
        if text is not None and _valid(vr, text):
            value = int(text) if vr in _NUMBERS and text else text or None
            item[word] = DataElement(word, vr, value, validation_mode=pydicom.config.IGNORE)
        elif kind == 2:
            item[word] = DataElement(word, vr, None)
    return item


def _valid(vr: str, text: str) -> bool:
    if vr in _NUMBERS:
        return not text or (text.isdecimal() and int(text) <= _NUMBERS[vr])
    return conforms(vr, text.encode("utf-8", "surrogateescape"), _CODEC)


def _explicit(stream: BinaryIO) -> DicomFileLike:
    explicit = DicomFileLike(stream)
    explicit.is_little_endian, explicit.is_implicit_VR = True, False
    return explicit
