"""What every sample object is made of: exams, series, the modules all objects share, and encoding to bytes."""

from __future__ import annotations

import hashlib
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from fonds.samples.people import BLOCK, Person, Record
from fonds.samples.sources import SOURCES

IMPLEMENTATION = "2.25.196714587356109364711836812309571142017"


def uid(*parts: object) -> str:
    """A UID of the 2.25 root that follows from the parts, seed first."""
    return "2.25." + str(int(hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:32], 16))


def noise(sop_uid: str, shape: tuple[int, ...], high: int, dtype: str = "<u2") -> bytes:
    """Pixel bytes no other object has: a gradient under noise, drawn from the object's UID."""
    rng = np.random.default_rng(int(hashlib.sha256(sop_uid.encode()).hexdigest()[:16], 16))
    ramp = np.linspace(0, high // 2, num=shape[-1], dtype=np.int64)
    values = rng.integers(0, high // 2, size=shape, dtype=np.int64) + ramp
    return values.astype(dtype).tobytes()


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """An item of a code sequence."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


@dataclass(slots=True)
class Exam:
    """One examination of one person in one department: what all its objects share."""

    seed: int
    source: str
    kind: str
    person: Person
    record: Record
    number: int
    day: date
    time: str
    study_uid: str
    accession: str | None
    description: str | None
    institution: str
    charset: str | list[str]
    objects: list[Planned] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    syntax: str = str(ExplicitVRLittleEndian)
    touched: bool = False

    @property
    def name(self) -> str:
        """What tells it from all other examinations."""
        return f"{self.source}-{self.person.index:07d}-{self.number}"

    @property
    def folder(self) -> str:
        """Where its files lie below the department's archive."""
        return f"{self.person.index // BLOCK:05d}"

    def location(self, series: str, number: int) -> str:
        """Where the file of an object lies: few folders, each of one block of persons."""
        return f"{self.folder}/{self.person.index:07d}-{self.number}-{series}-{number:04d}.dcm"

    def uid(self, *parts: object) -> str:
        """A UID inside this exam."""
        return uid(self.seed, self.source, self.person.index, self.number, *parts)


@dataclass(slots=True)
class Planned:
    """A file to be written: how its data set is built and what is done to it before and after encoding.

    `values` overrides what the truth believes the file says, where bytes were changed behind pydicom's back;
    `status` is what a reader must answer: ok, forced, partial or unreadable. `doubtful` names the attributes whose
    bytes do not decode; `default_charset` says that only the source's configured character set makes it readable.
    `sop_uid` and `number` are what an image of a series was built with; documents have number 0. `examination` names
    the true examination it is of, whatever study it is filed under.
    """

    exam: Exam
    location: str
    build: Callable[[], Dataset]
    series: str
    syntax: str = str(ExplicitVRLittleEndian)
    source: str = ""
    claimed_syntax: str | None = None
    edits: list[Callable[[Dataset], None]] = field(default_factory=list)
    bytes_edits: list[Callable[[bytes], bytes]] = field(default_factory=list)
    values: dict[str, str | None] = field(default_factory=dict)
    status: str = "ok"
    person: str = ""
    sop_uid: str = ""
    number: int = 0
    doubtful: tuple[str, ...] = ()
    default_charset: bool = False
    examination: str = ""

    def __post_init__(self) -> None:
        self.source = self.source or self.exam.source
        self.examination = self.examination or self.exam.name
        self.person = self.person or self.exam.person.key

    def copy(self, location: str) -> Planned:
        """The same object once more at another place, to be edited on its own."""
        return replace(
            self,
            location=location,
            edits=list(self.edits),
            bytes_edits=list(self.bytes_edits),
            values=dict(self.values),
        )

    def dataset(self) -> Dataset:
        """The data set as it will be written, edits applied."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the point of many edits is to break the rules pydicom warns about
            ds = self.build()
            for edit in self.edits:
                edit(ds)
        return ds


@dataclass(slots=True)
class Extra:
    """A file that is no object. `build` gives its bytes and, of an index, the offsets of records without their file."""

    source: str
    location: str
    build: Callable[[], tuple[bytes, list[int]]]
    status: str


def element(ds: Dataset, keyword: str, vr: str, value: Any) -> None:
    """Put a value in without pydicom's conversion and checks."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    assert tag is not None
    ds[tag] = DataElement(tag, vr, value, already_converted=True)


def encode(planned: Planned, ds: Dataset) -> bytes:
    """The file's bytes: preamble, meta and data set in the planned syntax, then the byte edits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if planned.syntax in (RLELossless, JPEGLSLossless):
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            ds.compress(planned.syntax, generate_instance_uid=False)
        else:
            ds.file_meta.TransferSyntaxUID = planned.syntax
        if planned.syntax == ExplicitVRBigEndian and "PixelData" in ds and ds.BitsAllocated == 16:
            ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        out = BytesIO()
        implicit, little = planned.syntax == ImplicitVRLittleEndian, planned.syntax != ExplicitVRBigEndian
        meta = ds.file_meta
        if planned.claimed_syntax:
            meta.TransferSyntaxUID = planned.claimed_syntax
        # preamble and meta by hand: dcmwrite would refuse exactly the contradictions some faults consist of
        meta_bytes = BytesIO()
        ds.file_meta = FileMetaDataset()
        _write_meta(meta_bytes, meta)
        dcmwrite(out, ds, implicit_vr=implicit, little_endian=little, enforce_file_format=False, force_encoding=True)
        ds.file_meta = meta
    body = out.getvalue()
    if planned.syntax == DeflatedExplicitVRLittleEndian:
        body = deflate(body)
    data = b"\0" * 128 + b"DICM" + meta_bytes.getvalue() + body
    for edit in planned.bytes_edits:
        data = edit(data)
    return data


def deflate(body: bytes) -> bytes:
    """A data set as Deflated Explicit VR Little Endian stores it: a bare RFC 1951 stream of even length."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = stream.compress(body) + stream.flush()
    return data + b"\0" * (len(data) % 2)


def _write_meta(out: BytesIO, meta: FileMetaDataset) -> None:
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_file_meta_info

    write_file_meta_info(DicomIO(out), meta, enforce_standard=True)


def splice(data: bytes, group: int, number: int, value: bytes, vr: bytes | None = None) -> bytes:
    """Replace the value (and VR) of one top-level element of an explicit VR little endian file, unpadded."""
    start, end = find(data, group, number)
    head = data[start : start + 4] + (vr or data[start + 4 : start + 6]) + len(value).to_bytes(2, "little")
    return data[:start] + head + value + data[end:]


def drop(data: bytes, group: int, number: int) -> bytes:
    """Take one top-level element out of an explicit VR little endian file."""
    start, end = find(data, group, number)
    return data[:start] + data[end:]


_LONG = (b"OB", b"OW", b"SQ", b"UN", b"UT", b"OF", b"UC", b"UR", b"OD", b"OL")


def find(data: bytes, group: int, number: int, *, explicit: bool = True, at: int = 132) -> tuple[int, int]:
    """Start and end of a top-level element, searched from offset `at`, in a little endian file; raises KeyError."""
    tag = group.to_bytes(2, "little") + number.to_bytes(2, "little")
    while at < len(data):
        long = explicit and data[at + 4 : at + 6] in _LONG
        if long:
            length = int.from_bytes(data[at + 8 : at + 12], "little")
        else:
            length = int.from_bytes(data[at + 6 : at + 8] if explicit else data[at + 4 : at + 8], "little")
        end = at + (12 if long else 8) + length
        if data[at : at + 4] == tag:
            return at, end
        at = end
    raise KeyError(f"({group:04x},{number:04x}) is not in the object")


def base(exam: Exam, sop_class: str, sop_uid: str, series: tuple[str, int, str, str | None], number: int) -> Dataset:
    """Patient, Study, Series, Equipment and SOP Common modules. `series` is (uid, number, modality, description)."""
    ds = Dataset()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, sop_uid
    meta.ImplementationClassUID, meta.ImplementationVersionName = IMPLEMENTATION, "FONDS_SAMPLES"
    ds.file_meta = meta
    day = f"{exam.day:%Y%m%d}"
    ds.SpecificCharacterSet = exam.charset
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, sop_uid
    ds.StudyDate = ds.SeriesDate = ds.ContentDate = day
    ds.StudyTime = ds.SeriesTime = ds.ContentTime = exam.time
    if exam.accession is not None:
        ds.AccessionNumber = exam.accession
    else:
        ds.AccessionNumber = ""
    if exam.source == "radiology":  # the only department whose machines know who gives out its accession numbers
        issuer = Dataset()
        issuer.LocalNamespaceEntityID = str(SOURCES[exam.source]["accession_issuer"])
        ds.IssuerOfAccessionNumberSequence = Sequence([issuer])
    ds.Modality = series[2]
    ds.Manufacturer = "Fonds Sample Devices"
    ds.ManufacturerModelName = f"Sample {series[2]}"
    ds.DeviceSerialNumber = "1000"
    ds.SoftwareVersions = "1.0"
    ds.InstitutionName = exam.institution
    ds.StationName = f"{exam.source[:4].upper()}01"
    ds.ReferringPhysicianName = "Referrer^Rita"
    if exam.description is not None:
        ds.StudyDescription = exam.description
    if series[3] is not None:
        ds.SeriesDescription = series[3]
    record = exam.record
    ds.PatientName, ds.PatientID = record.name, record.patient_id
    if record.issuer is not None:
        ds.IssuerOfPatientID = record.issuer
    ds.PatientBirthDate, ds.PatientSex = record.birth, record.sex
    ds.StudyInstanceUID, ds.SeriesInstanceUID = exam.study_uid, series[0]
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = str(exam.number + 1), str(series[1]), str(number)
    return ds


def exam_day(person: Person, draw: float) -> date:
    """A day between 2005 and 2024, after the person's first birthday."""
    first = max(date(2005, 1, 3), person.birth + timedelta(days=400))
    last = date(2024, 12, 20)
    return first + timedelta(days=int(draw * max(1, (last - first).days)))
