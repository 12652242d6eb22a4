"""Files for the crawl's benchmark: headers of about 250 elements, as CT and MR scanners of three makers write them."""

from __future__ import annotations

import os
import random
from io import BytesIO
from pathlib import Path

from pydicom.datadict import private_dictionaries
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

PIXELS = 512 * 512 * 2
SERIES = 50
"""objects of a series"""
# replaced in the bytes of the series' template: as long as what replaces them
_SOP, _NUMBER, _PLACE = "1.2.826.0.1.3680043.8.498.9.11111111", "888888", "77777.77"
_NAMES = (
    ("ISO_IR 100", "Müller^Jürgen^^Dr."),
    ("ISO_IR 192", "Łódź^Žofie"),
    ("ISO_IR 144", "Люкceмбypг^Анна"),
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (None, "Smith^John"),
    ("ISO_IR 100", "Lefèvre^Chloé"),
)
# creators of pydicom's private dictionary, and how many of the elements they define
_PRIVATE = {
    "GE": {"GEMS_IDEN_01": 12, "GEMS_ACQU_01": 60, "GEMS_RELA_01": 12, "GEMS_IMAG_01": 16, "GEMS_PARM_01": 40},
    "Siemens": {"SIEMENS MR HEADER": 30, "SIEMENS MR VA0  GEN": 70, "SIEMENS MR VA0  COAD": 40},
    "Philips": {"Philips Imaging DD 001": 70, "Philips MR Imaging DD 001": 70},
}
_TEXTS = {
    "AccessionNumber": "A{0:08d}", "InstitutionName": "Klinikum Nord", "InstitutionAddress": "Weg 1, Stadt",
    "ReferringPhysicianName": "Referrer^Rita", "PerformingPhysicianName": "Performer^Paul", "OperatorsName": "op^7",
    "InstitutionalDepartmentName": "Radiologie", "StationName": "SCAN01", "PatientID": "P{0:07d}",
    "IssuerOfPatientID": "RAD-NORD", "PatientBirthDate": "19560315", "PatientSex": "M", "PatientAge": "058Y",
    "PatientSize": "1.78", "PatientWeight": "81.5", "PatientComments": "none", "DeviceSerialNumber": "12345",
    "SoftwareVersions": "V 2012B", "StudyID": "1", "SeriesNumber": "2", "AcquisitionNumber": "3",
    "PhotometricInterpretation": "MONOCHROME2", "PixelSpacing": [0.78125, 0.78125], "RescaleIntercept": "-1024",
    "RescaleSlope": "1", "WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1200"], "SliceThickness": "5",
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PositionReferenceIndicator": "SN", "PatientPosition": "HFS",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.{0}.1", "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.{0}.2",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.{0}.3", "LossyImageCompression": "00", "AdmissionID": "F{0:06d}",
    "PerformedProcedureStepDescription": "Thorax nativ", "PerformedProcedureStepID": "PPS{0}", "PatientName": "",
    "PerformedProcedureStepStartDate": "20190102", "PerformedProcedureStepStartTime": "101500", "SliceLocation": _PLACE,
    "RequestedProcedureDescription": "Thorax", "InstanceNumber": _NUMBER, "SOPInstanceUID": _SOP,
    "ImagePositionPatient": ["-200", "-180.5", _PLACE], "BurnedInAnnotation": "NO",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "ConversionType": "WSD", "TimezoneOffsetFromUTC": "+0100",
}  # fmt: skip
_KINDS = {
    "CT": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "StudyDescription": "CT Thorax/Abdomen", "KVP": "120",
           "SeriesDescription": "Thorax 5.0 B40f", "BodyPartExamined": "CHEST", "ProtocolName": "ThoraxRoutine",
           "ConvolutionKernel": "B40f", "ExposureTime": "500", "XRayTubeCurrent": "215", "Exposure": "107",
           "FilterType": "BODY", "GantryDetectorTilt": "0", "TableHeight": "152", "DataCollectionDiameter": "500",
           "ReconstructionDiameter": "400", "DistanceSourceToDetector": "949", "GeneratorPower": "24"},
    "MR": {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4", "StudyDescription": "MR Kopf", "RepetitionTime": "2500",
           "SeriesDescription": "t2_tse_tra", "BodyPartExamined": "HEAD", "ProtocolName": "t2_tse_tra",
           "EchoTime": "92", "ScanningSequence": "SE", "SequenceVariant": "SK", "ScanOptions": "PFP",
           "MRAcquisitionType": "2D", "MagneticFieldStrength": "1.5", "FlipAngle": "150",
           "EchoTrainLength": "11", "ImagingFrequency": "63.68",
           "NumberOfAverages": "2", "PercentSampling": "100", "PixelBandwidth": "190"},
}  # fmt: skip


def write_files(folder: Path, count: int) -> list[Path]:
    """`count` objects in series of 50; a fifth is implicit VR. Pixel data is a hole in the file."""
    draw = random.Random(7)
    paths = []
    for first in range(0, count, SERIES):
        series = first // SERIES
        content = _template(draw, series)
        below = folder / f"{series:04d}"
        below.mkdir(parents=True)
        for index in range(first, min(first + SERIES, count)):
            path = below / f"{index:06d}"
            sop, place = f"{_SOP[:-8]}{index + 10_000_000}", f"{index % SERIES * 5:8.2f}".replace(" ", "0")
            head = content.replace(_SOP.encode(), sop.encode()).replace(_NUMBER.encode(), f"{index:06d}".encode())
            with path.open("wb") as file:
                file.write(head.replace(_PLACE.encode(), place.encode()))
                file.truncate(len(head) + PIXELS)
            paths.append(path)
    return paths


def elements(path: Path) -> int:
    """Data elements of a header, those inside sequences included."""
    import pydicom

    ds = pydicom.dcmread(path, stop_before_pixels=True)
    return len(ds.file_meta) + sum(1 for _ in ds.iterall())


def link_copies(files: list[Path], folder: Path, count: int) -> None:
    """`count` hard links to the files, a thousand in a folder."""
    for start in range(0, count, 1000):
        below = folder / f"{start // 1000:05d}"
        below.mkdir(parents=True)
        for index in range(start, min(start + 1000, count)):
            os.link(files[index % len(files)], below / f"{index:07d}")


def _template(draw: random.Random, series: int) -> bytes:
    """The header of a series' objects, ending with the head of its pixel data element."""
    kind, maker = ("CT", "MR")[series % 2], ("GE", "Siemens", "Philips")[series % 3]
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if series % 5 == 4 else ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = _KINDS[kind]["SOPClassUID"], _SOP
    ds.file_meta.ImplementationVersionName, ds.file_meta.SourceApplicationEntityTitle = "BENCH_1", "SCAN01"
    charset, name = _NAMES[series % len(_NAMES)]
    if charset is not None:
        ds.SpecificCharacterSet = charset
    for word, value in (_TEXTS | _KINDS[kind]).items():
        setattr(ds, word, value.format(series) if isinstance(value, str) else value)
    ds.Modality, ds.Manufacturer, ds.ManufacturerModelName = kind, f"{maker} Sample Devices", f"{maker} 64"
    ds.PatientName = name
    day = f"20{draw.randrange(10, 24):02d}{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}"
    for event in ("Study", "Series", "Acquisition", "Content", "InstanceCreation"):
        setattr(ds, f"{event}Date", day)
        setattr(ds, f"{event}Time", f"1{draw.randrange(10)}1530.250000")
    ds.SamplesPerPixel, ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 1, 512, 512, 16, 12, 11
    ds.PixelRepresentation, ds.SmallestImagePixelValue, ds.LargestImagePixelValue = 0, 0, 4095
    _sequences(ds, series)
    for creator, count in _PRIVATE[maker].items():
        _private(ds, creator, count)
    out = BytesIO()
    ds.PixelData = b""
    ds["PixelData"].VR = "OW"
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()[:-4] + PIXELS.to_bytes(4, "little")


def _sequences(ds: Dataset, series: int) -> None:
    def code(value: str) -> Dataset:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99LOCAL", "CT Thorax"
        return item

    def reference(number: int) -> Dataset:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, f"1.2.3.{series}.{number}"
        return item

    request = Dataset()
    request.RequestedProcedureID, request.AccessionNumber = "1", ds.AccessionNumber
    request.RequestedProcedureDescription, request.ScheduledProcedureStepID = "Thorax", "SPS1"
    request.ScheduledProtocolCodeSequence = [code("CTTH")]
    ds.RequestAttributesSequence, ds.ProcedureCodeSequence = [request], [code("CTTH")]
    ds.ReferencedImageSequence = [reference(number) for number in range(3)]
    ds.ReferencedStudySequence = [reference(9)]


def _private(ds: Dataset, creator: str, count: int) -> None:
    values = {"LO": "private text", "DS": "12.5", "SS": 7, "UL": 70000, "FL": 0.5, "IS": "42", "SH": "short", "US": 3,
              "UN": bytes(12), "OB": bytes(64), "CS": "MIXED", "FD": 1.25, "SL": -3, "ST": "some text",
              "UI": "1.2.3"}  # fmt: skip
    left = count
    for place, (vr, *_) in private_dictionaries[creator].items():
        if vr in values and left and place[4:6] == "xx":
            ds.private_block(int(place[:4], 16), creator, create=True).add_new(int(place[-2:], 16), vr, values[vr])
            left -= 1
    assert not left, (creator, left)
