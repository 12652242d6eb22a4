"""Builders of the sample images and waveforms: CT, MR, CR, PT, US, XA, 12-lead ECG, whole slide, endoscopy, capture."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from fonds.samples.objects import Exam, base, code, noise
from fonds.samples.sources import BODY_PARTS

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
CR = "1.2.840.10008.5.1.4.1.1.1"
PT = "1.2.840.10008.5.1.4.1.1.128"
US = "1.2.840.10008.5.1.4.1.1.3.1"
XA = "1.2.840.10008.5.1.4.1.1.12.1"
ECG = "1.2.840.10008.5.1.4.1.1.9.1.1"
WSI = "1.2.840.10008.5.1.4.1.1.77.1.6"
ES = "1.2.840.10008.5.1.4.1.1.77.1.1"
SC = "1.2.840.10008.5.1.4.1.1.7"

Series = tuple[str, int, str, str | None]


def pixels(ds: Dataset, sop_uid: str, shape: tuple[int, ...], bits: int, colour: bool = False) -> None:
    """Image Pixel module; `shape` is (rows, columns), (frames, rows, columns) with 3 samples appended for colour."""
    allocated = 16 if bits > 8 else 8
    rows, columns = (shape[-3], shape[-2]) if colour else (shape[-2], shape[-1])
    ds.SamplesPerPixel = 3 if colour else 1
    ds.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        ds.PlanarConfiguration = 0
    ds.Rows, ds.Columns = rows, columns
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = allocated, bits, bits - 1, 0
    ds.add_new(0x7FE00010, "OW" if allocated == 16 else "OB", pixel_bytes(sop_uid, shape, bits))


def pixel_bytes(sop_uid: str, shape: tuple[int, ...], bits: int) -> bytes:
    """Pixel data of an object, of even length."""
    data = noise(sop_uid, shape, 1 << bits, "<u2" if bits > 8 else "u1")
    return data + b"\0" * (len(data) % 2)


def position(number: int, spacing: float) -> list[str]:
    """Image Position (Patient) of the n-th slice."""
    return ["-80", "-80", f"{number * spacing:.1f}"]


def _plane(ds: Dataset, exam: Exam, number: int, spacing: float = 3.0) -> None:
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("frame"), ""
    ds.ImagePositionPatient = position(number, spacing)
    ds.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing, ds.SliceThickness = ["5", "5"], f"{spacing:.1f}"


def ct(exam: Exam, series: Series, sop_uid: str, number: int, body: str | None = "CHEST") -> Dataset:
    """One axial CT slice."""
    ds = base(exam, CT, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.AcquisitionDate, ds.AcquisitionTime, ds.AcquisitionNumber = ds.StudyDate, exam.time, "1"
    _body(ds, body)
    ds.KVP, ds.PatientPosition, ds.ProtocolName = "120", "HFS", "Standard"
    _plane(ds, exam, number)
    ds.RescaleIntercept, ds.RescaleSlope, ds.RescaleType = "-1024", "1", "HU"
    ds.WindowCenter, ds.WindowWidth = "40", "400"
    pixels(ds, sop_uid, (24, 24), 12)
    return ds


def mr(exam: Exam, series: Series, sop_uid: str, number: int, body: str | None = "HEAD") -> Dataset:
    """One MR slice."""
    ds = base(exam, MR, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "SE"]
    ds.AcquisitionDate, ds.AcquisitionTime, ds.AcquisitionNumber = ds.StudyDate, exam.time, "1"
    _body(ds, body)
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions, ds.MRAcquisitionType = "SE", "NONE", "", "2D"
    ds.RepetitionTime, ds.EchoTime, ds.EchoTrainLength, ds.MagneticFieldStrength = "500", "15", "1", "1.5"
    ds.PatientPosition, ds.ProtocolName = "HFS", "T1"
    _plane(ds, exam, number, 5.0)
    pixels(ds, sop_uid, (24, 24), 12)
    return ds


def cr(exam: Exam, series: Series, sop_uid: str, number: int, body: str | None = "CHEST") -> Dataset:
    """A computed radiograph."""
    ds = base(exam, CR, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AcquisitionDate, ds.AcquisitionTime, ds.AcquisitionNumber = ds.StudyDate, exam.time, "1"
    _body(ds, body)
    ds.ViewPosition, ds.PatientOrientation = "AP", ["L", "F"]
    if body and body.upper() in ("KNEE", "KNIE"):
        ds.Laterality = "L" if exam.person.index % 2 else "R"
    ds.ImagerPixelSpacing, ds.KVP = ["5", "5"], "90"
    pixels(ds, sop_uid, (40, 40), 10)
    return ds


def pt(exam: Exam, series: Series, sop_uid: str, number: int, slices: int) -> Dataset:
    """One PET slice."""
    ds = base(exam, PT, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, exam.time
    _body(ds, "CHEST")
    _plane(ds, exam, number)
    ds.RescaleIntercept, ds.RescaleSlope = "0", "1"
    ds.Units, ds.CountsSource, ds.SeriesType = "BQML", "EMISSION", ["WHOLE BODY", "IMAGE"]
    ds.NumberOfSlices, ds.CorrectedImage, ds.DecayCorrection = slices, ["DECY", "ATTN"], "START"
    ds.CollimatorType, ds.ActualFrameDuration = "NONE", "180000"
    ds.FrameReferenceTime, ds.ImageIndex, ds.DecayFactor = "1000", number, "1.01"
    ds.AttenuationCorrectionMethod, ds.ReconstructionMethod = "measured", "OSEM"
    drug = Dataset()
    drug.Radiopharmaceutical, drug.RadiopharmaceuticalStartTime = "FDG", exam.time
    drug.RadionuclideTotalDose, drug.RadionuclideHalfLife = "300000000", "6586.2"
    drug.RadionuclidePositronFraction = "0.97"
    drug.RadionuclideCodeSequence = Sequence([code("C-111A1", "SRT", "^18^Fluorine")])
    drug.RadiopharmaceuticalCodeSequence = Sequence([code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")])
    ds.RadiopharmaceuticalInformationSequence = Sequence([drug])
    ds.PatientOrientationCodeSequence = Sequence([code("F-10450", "SRT", "recumbent")])
    ds.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = Sequence(
        [code("F-10340", "SRT", "supine")]
    )
    ds.PatientGantryRelationshipCodeSequence = Sequence([code("F-10470", "SRT", "headfirst")])
    pixels(ds, sop_uid, (16, 16), 16)
    return ds


def us(exam: Exam, series: Series, sop_uid: str, number: int) -> Dataset:
    """An ultrasound cine loop."""
    ds = base(exam, US, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "", "0001"]
    ds.PatientOrientation = ""
    _body(ds, "HEART")
    ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = "4", "33.3", 0x00181063
    ds.LossyImageCompression = "00"
    pixels(ds, sop_uid, (4, 24, 24), 8)
    return ds


def xa(exam: Exam, series: Series, sop_uid: str, number: int) -> Dataset:
    """An angiographic run."""
    ds = base(exam, XA, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "SINGLE PLANE"]
    ds.AcquisitionDate, ds.AcquisitionTime = ds.StudyDate, exam.time
    ds.PatientOrientation = ""
    _body(ds, "HEART")
    ds.KVP, ds.ExposureTime, ds.XRayTubeCurrent, ds.RadiationSetting = "80", "10", "300", "GR"
    ds.PositionerMotion, ds.PositionerPrimaryAngle, ds.PositionerSecondaryAngle = "STATIC", "30", "0"
    ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = "3", "66.7", 0x00181063
    ds.PixelIntensityRelationship, ds.ImagerPixelSpacing, ds.LossyImageCompression = "LIN", ["0.3", "0.3"], "00"
    pixels(ds, sop_uid, (3, 32, 32), 8)
    return ds


def ecg(exam: Exam, series: Series, sop_uid: str, number: int) -> Dataset:
    """A 12-lead resting ECG of half a second."""
    ds = base(exam, ECG, sop_uid, series, number)
    ds.AcquisitionDateTime = f"{exam.day:%Y%m%d}{exam.time}"
    ds.AcquisitionContextSequence = Sequence()
    group, samples = Dataset(), 250
    group.WaveformOriginality, group.NumberOfWaveformChannels = "ORIGINAL", 12
    group.NumberOfWaveformSamples, group.SamplingFrequency = samples, "500"
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
    numbers = (1, 2, 61, 62, 63, 64, 3, 4, 5, 6, 7, 8)
    channels = []
    for lead, number_of_lead in zip(leads, numbers, strict=True):
        channel = Dataset()
        channel.ChannelSourceSequence = Sequence([code(f"5.6.3-9-{number_of_lead}", "SCPECG", f"Lead {lead}")])
        channel.ChannelSourceSequence[0].CodingSchemeVersion = "1.3"
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = "1.0", "1.0"
        channel.ChannelSensitivityUnitsSequence = Sequence([code("uV", "UCUM", "microvolt")])
        channel.ChannelBaseline, channel.ChannelTimeSkew = "0", "0"
        channel.WaveformBitsStored, channel.FilterLowFrequency, channel.FilterHighFrequency = 16, "0.05", "150"
        channels.append(channel)
    group.ChannelDefinitionSequence = Sequence(channels)
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    beat = np.frombuffer(noise(sop_uid, (samples, 12), 1 << 9), "<u2").astype("<i2")
    group.add_new(0x54001010, "OW", beat.tobytes())
    ds.WaveformSequence = Sequence([group])
    return ds


def wsi(exam: Exam, series: Series, sop_uid: str, number: int) -> Dataset:
    """A small tiled whole-slide level (2x2 tiles of 16 pixels) with specimen and container."""
    ds = base(exam, WSI, sop_uid, series, number)
    frame = exam.uid("slide-frame")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    ds.AcquisitionDateTime = f"{exam.day:%Y%m%d}{exam.time}"
    ds.AcquisitionDuration = 12.5
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = frame, "SLIDE_CORNER"
    ds.DimensionOrganizationType = "TILED_FULL"
    ds.ImagedVolumeWidth, ds.ImagedVolumeHeight, ds.ImagedVolumeDepth = 0.32, 0.32, 1.0
    ds.TotalPixelMatrixColumns, ds.TotalPixelMatrixRows, ds.TotalPixelMatrixFocalPlanes = 32, 32, 1
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = "20", "40"
    ds.TotalPixelMatrixOriginSequence = Sequence([origin])
    ds.ImageOrientationSlide = ["0", "-1", "0", "-1", "0", "0"]
    ds.SpecimenLabelInImage, ds.FocusMethod, ds.ExtendedDepthOfField = "NO", "AUTO", "NO"
    ds.VolumetricProperties, ds.LossyImageCompression, ds.BurnedInAnnotation = "VOLUME", "00", "NO"
    ds.NumberOfFrames, ds.NumberOfOpticalPaths, ds.InstanceNumber = "4", 1, str(number)
    ds.ContainerIdentifier, ds.IssuerOfTheContainerIdentifierSequence = (
        f"S{exam.person.index}-{exam.number}",
        Sequence(),
    )
    ds.ContainerTypeCodeSequence = Sequence([code("433466003", "SCT", "Microscope slide")])
    specimen = Dataset()
    specimen.SpecimenIdentifier, specimen.SpecimenUID = f"{ds.ContainerIdentifier}-A", exam.uid("specimen")
    specimen.IssuerOfTheSpecimenIdentifierSequence = Sequence()
    specimen.SpecimenPreparationSequence = Sequence()
    ds.SpecimenDescriptionSequence = Sequence([specimen])
    ds.AcquisitionContextSequence = Sequence()
    organization = Dataset()
    organization.DimensionOrganizationUID = exam.uid("dimensions")
    ds.DimensionOrganizationSequence = Sequence([organization])
    path = Dataset()
    path.OpticalPathIdentifier, path.OpticalPathDescription = "1", "Brightfield"
    path.IlluminationTypeCodeSequence = Sequence([code("111744", "DCM", "Brightfield illumination")])
    path.IlluminationColorCodeSequence = Sequence([code("414298005", "SCT", "Full Spectrum")])
    path.ICCProfile = _icc()
    ds.OpticalPathSequence = Sequence([path])
    shared = Dataset()
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.01", "0.01"], "1"
    shared.PixelMeasuresSequence = Sequence([measures])
    frame_type = Dataset()
    frame_type.FrameType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    shared.WholeSlideMicroscopyImageFrameTypeSequence = Sequence([frame_type])
    optical = Dataset()
    optical.OpticalPathIdentifier = "1"
    shared.OpticalPathIdentificationSequence = Sequence([optical])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    pixels(ds, sop_uid, (4, 16, 16, 3), 8, colour=True)
    return ds


def _icc() -> bytes:
    # A header-only stand-in of an sRGB profile: viewers need the element, no one here renders with it.
    head = bytearray(132)
    head[0:4], head[8:12] = (132).to_bytes(4, "big"), b"\x02\x10\x00\x00"
    head[12:24], head[36:40] = b"mntrRGB XYZ ", b"acsp"
    return bytes(head)


def es(exam: Exam, series: Series, sop_uid: str, number: int) -> Dataset:
    """An endoscopic still."""
    ds = base(exam, ES, sop_uid, series, number)
    ds.ImageType = ["ORIGINAL", "PRIMARY"]
    ds.AcquisitionDateTime = f"{exam.day:%Y%m%d}{exam.time}"
    ds.PatientOrientation, ds.LossyImageCompression, ds.BurnedInAnnotation = "", "00", "NO"
    ds.AcquisitionContextSequence = Sequence()
    _body(ds, "STOMACH")
    pixels(ds, sop_uid, (24, 24, 3), 8, colour=True)
    return ds


def sc(exam: Exam, series: Series, sop_uid: str, number: int) -> Dataset:
    """A secondary capture."""
    ds = base(exam, SC, sop_uid, series, number)
    ds.ImageType, ds.ConversionType, ds.PatientOrientation = ["DERIVED", "SECONDARY"], "WSD", ""
    ds.DateOfSecondaryCapture, ds.TimeOfSecondaryCapture = f"{exam.day:%Y%m%d}", exam.time
    ds.SecondaryCaptureDeviceManufacturer = "Fonds Sample Devices"
    _body(ds, "ABDOMEN")
    pixels(ds, sop_uid, (32, 32), 8)
    return ds


def _body(ds: Dataset, body: str | None) -> None:
    if body is not None:
        ds.BodyPartExamined = body
    if body not in BODY_PARTS:
        ds.Laterality = ""
