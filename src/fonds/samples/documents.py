"""Builders of the sample objects that point to others: SR, KOS, GSPS, SEG, RTSTRUCT, and the encapsulated PDF."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from fonds.samples.images import Series
from fonds.samples.objects import Exam, base, code, noise

SR = "1.2.840.10008.5.1.4.1.1.88.33"
KOS = "1.2.840.10008.5.1.4.1.1.88.59"
PR = "1.2.840.10008.5.1.4.1.1.11.1"
SEG = "1.2.840.10008.5.1.4.1.1.66.4"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"


@dataclass(frozen=True, slots=True)
class Target:
    """An object pointed to."""

    sop_class: str
    sop_uid: str
    series_uid: str


def reference(target: Target) -> Dataset:
    """An item that points to an object (PS3.3 10.8)."""
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = target.sop_class, target.sop_uid
    return item


def by_series(targets: Iterable[Target], keyword: str) -> Sequence:
    """Items of series, each with the objects pointed to in it (PS3.3 10.4)."""
    series = []
    for series_uid, members in groupby(targets, key=lambda target: target.series_uid):
        item = Dataset()
        item.SeriesInstanceUID = series_uid
        item.add_new(keyword, "SQ", [reference(target) for target in members])
        series.append(item)
    return Sequence(series)


def evidence(study_uid: str, targets: list[Target]) -> Sequence:
    """The item of Current Requested Procedure Evidence Sequence for a study (PS3.3 C.17.2)."""
    study = Dataset()
    study.ReferencedSeriesSequence = by_series(targets, "ReferencedSOPSequence")
    study.StudyInstanceUID = study_uid
    return Sequence([study])


def _image_item(target: Target, name: Dataset | None, relation: str = "CONTAINS") -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = relation, "IMAGE"
    if name is not None:
        item.ConceptNameCodeSequence = Sequence([name])
    item.ReferencedSOPSequence = Sequence([reference(target)])
    return item


def sr(exam: Exam, series: Series, sop_uid: str, targets: list[Target]) -> Dataset:
    """A Comprehensive SR: an ejection fraction inferred from the loops it names."""
    ds = base(exam, SR, sop_uid, series, 1)
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.PerformedProcedureCodeSequence = Sequence()
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(exam.study_uid, targets)
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code("125200", "DCM", "Adult Echocardiography Procedure Report")])
    number = Dataset()
    number.RelationshipType, number.ValueType = "CONTAINS", "NUM"
    number.ConceptNameCodeSequence = Sequence([code("10230-1", "LN", "Left Ventricular Ejection Fraction")])
    measured = Dataset()
    measured.NumericValue = str(45 + exam.person.index % 20)
    measured.MeasurementUnitsCodeSequence = Sequence([code("%", "UCUM", "Percent")])
    number.MeasuredValueSequence = Sequence([measured])
    number.ContentSequence = Sequence([_image_item(target, None, "INFERRED FROM") for target in targets])
    ds.ContentSequence = Sequence([number])
    return ds


OF_INTEREST = ("113000", "Of Interest")
REJECTED = {
    "113001": "Rejected for Quality Reasons",
    "113037": "Rejected for Patient Safety Reasons",
    "113038": "Incorrect Modality Worklist Entry",
    "113039": "Data Retention Policy Expired",
}
"""Titles of rejection notes (PS3.16 CID 7011)."""


def kos(
    exam: Exam,
    series: Series,
    sop_uid: str,
    targets: list[Target],
    *,
    title: tuple[str, str] = OF_INTEREST,
    study_uid: str | None = None,
) -> Dataset:
    """A Key Object Selection on this study, or another one; with a title of REJECTED it is a rejection note (IOCM)."""
    ds = base(exam, KOS, sop_uid, series, 1)
    del ds.ManufacturerModelName, ds.DeviceSerialNumber, ds.SoftwareVersions
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(study_uid or exam.study_uid, targets)
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code(title[0], "DCM", title[1])])
    template = Dataset()
    template.MappingResource, template.TemplateIdentifier = "DCMR", "2010"
    ds.ContentTemplateSequence = Sequence([template])
    ds.ContentSequence = Sequence([_image_item(target, None) for target in targets])
    return ds


def pr(exam: Exam, series: Series, sop_uid: str, targets: list[Target]) -> Dataset:
    """A grayscale softcopy presentation state: window, displayed area and one text annotation."""
    ds = base(exam, PR, sop_uid, series, 1)
    ds.PresentationCreationDate, ds.PresentationCreationTime = f"{exam.day:%Y%m%d}", exam.time
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "LESION", "", "Reader^Rolf"
    ds.ReferencedSeriesSequence = by_series(targets, "ReferencedImageSequence")
    window = Dataset()
    window.WindowCenter, window.WindowWidth = "40", "400"
    ds.SoftcopyVOILUTSequence = Sequence([window])
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner, area.DisplayedAreaBottomRightHandCorner = [1, 1], [24, 24]
    area.PresentationSizeMode, area.PresentationPixelAspectRatio = "SCALE TO FIT", ["1", "1"]
    ds.DisplayedAreaSelectionSequence = Sequence([area])
    text = Dataset()
    text.AnchorPointAnnotationUnits, text.UnformattedTextValue = "PIXEL", "lesion"
    text.AnchorPoint, text.AnchorPointVisibility = [12.0, 12.0], "Y"
    note = Dataset()
    note.GraphicLayer, note.TextObjectSequence = "LAYER1", Sequence([text])
    ds.GraphicAnnotationSequence = Sequence([note])
    layer = Dataset()
    layer.GraphicLayer, layer.GraphicLayerOrder = "LAYER1", 1
    ds.GraphicLayerSequence = Sequence([layer])
    ds.PresentationLUTShape, ds.Laterality = "IDENTITY", ""
    return ds


def seg(exam: Exam, series: Series, sop_uid: str, targets: list[Target]) -> Dataset:
    """A binary segmentation with one frame for each CT slice it was drawn on."""
    ds = base(exam, SEG, sop_uid, series, 1)
    ds.ImageType, ds.ContentLabel, ds.ContentDescription = ["DERIVED", "PRIMARY"], "LESION", ""
    ds.ContentCreatorName, ds.LossyImageCompression = "Reader^Rolf", "00"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("frame"), ""
    ds.SegmentationType, ds.SegmentsOverlap = "BINARY", "NO"
    segment = Dataset()
    segment.SegmentNumber, segment.SegmentLabel, segment.SegmentAlgorithmType = 1, "Lesion", "MANUAL"
    segment.SegmentedPropertyCategoryCodeSequence = Sequence(
        [code("49755003", "SCT", "Morphologically Abnormal Structure")]
    )
    segment.SegmentedPropertyTypeCodeSequence = Sequence([code("4147007", "SCT", "Mass")])
    ds.SegmentSequence = Sequence([segment])
    ds.ReferencedSeriesSequence = by_series(targets, "ReferencedInstanceSequence")
    organization = Dataset()
    organization.DimensionOrganizationUID = exam.uid("dimensions")
    ds.DimensionOrganizationSequence = Sequence([organization])
    index = Dataset()
    index.DimensionOrganizationUID = exam.uid("dimensions")
    index.DimensionIndexPointer, index.FunctionalGroupPointer = 0x00200032, 0x00209113
    ds.DimensionIndexSequence = Sequence([index])
    shared = Dataset()
    orientation, measures = Dataset(), Dataset()
    orientation.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = ["5", "5"], "3", "3"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    ds.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for place, target in enumerate(targets, start=1):
        frame, content, position, identity, source, derivation = (Dataset() for _ in range(6))
        content.DimensionIndexValues = [place]
        position.ImagePositionPatient = ["-80", "-80", f"{place * 3.0:.1f}"]
        identity.ReferencedSegmentNumber = 1
        source = reference(target)
        source.PurposeOfReferenceCodeSequence = Sequence(
            [code("121322", "DCM", "Source image for image processing operation")]
        )
        source.SpatialLocationsPreserved = "YES"
        derivation.SourceImageSequence = Sequence([source])
        derivation.DerivationCodeSequence = Sequence([code("113076", "DCM", "Segmentation")])
        frame.FrameContentSequence, frame.PlanePositionSequence = Sequence([content]), Sequence([position])
        frame.SegmentIdentificationSequence = Sequence([identity])
        frame.DerivationImageSequence = Sequence([derivation])
        frames.append(frame)
    ds.PerFrameFunctionalGroupsSequence = Sequence(frames)
    ds.NumberOfFrames, ds.Rows, ds.Columns = str(len(targets)), 24, 24
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 1
    ds.HighBit, ds.PixelRepresentation = 0, 0
    mask = np.frombuffer(noise(sop_uid, (len(targets) * 72,), 1 << 9, "u1"), "u1").tobytes()
    ds.add_new(0x7FE00010, "OB", mask)
    return ds


def rtstruct(exam: Exam, series: Series, sop_uid: str, targets: list[Target]) -> Dataset:
    """A structure set with one region drawn on every slice."""
    ds = base(exam, RTSTRUCT, sop_uid, series, 1)
    del ds.ContentDate, ds.ContentTime
    ds.OperatorsName = "Planner^Petra"
    ds.StructureSetLabel, ds.StructureSetDate, ds.StructureSetTime = "PLAN", f"{exam.day:%Y%m%d}", exam.time
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("frame"), ""
    study, used, frame = Dataset(), Dataset(), Dataset()
    used.SeriesInstanceUID = targets[0].series_uid
    used.ContourImageSequence = Sequence([reference(target) for target in targets])
    study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", exam.study_uid
    study.RTReferencedSeriesSequence = Sequence([used])
    frame.FrameOfReferenceUID, frame.RTReferencedStudySequence = exam.uid("frame"), Sequence([study])
    ds.ReferencedFrameOfReferenceSequence = Sequence([frame])
    region = Dataset()
    region.ROINumber, region.ROIName, region.ROIGenerationAlgorithm = "1", "GTV", "MANUAL"
    region.ReferencedFrameOfReferenceUID = exam.uid("frame")
    ds.StructureSetROISequence = Sequence([region])
    contours = []
    for place, target in enumerate(targets, start=1):
        contour = Dataset()
        contour.ContourImageSequence = Sequence([reference(target)])
        contour.ContourGeometricType, contour.NumberOfContourPoints = "CLOSED_PLANAR", "3"
        z = f"{place * 3.0:.1f}"
        contour.ContourData = ["0", "0", z, "10", "0", z, "0", "10", z]
        contours.append(contour)
    drawn, observed = Dataset(), Dataset()
    drawn.ReferencedROINumber, drawn.ROIDisplayColor, drawn.ContourSequence = "1", ["255", "0", "0"], Sequence(contours)
    ds.ROIContourSequence = Sequence([drawn])
    observed.ObservationNumber, observed.ReferencedROINumber = "1", "1"
    observed.RTROIInterpretedType, observed.ROIInterpreter = "GTV", ""
    ds.RTROIObservationsSequence = Sequence([observed])
    ds.ApprovalStatus = "UNAPPROVED"
    return ds


def pdf(exam: Exam, series: Series, sop_uid: str, targets: list[Target]) -> Dataset:
    """An operation report as encapsulated PDF that names the images it was written from."""
    ds = base(exam, PDF, sop_uid, series, 1)
    ds.ConversionType = "WSD"
    ds.AcquisitionDateTime = f"{exam.day:%Y%m%d}{exam.time}"
    ds.BurnedInAnnotation, ds.DocumentTitle = "YES", "Operation report"
    ds.ConceptNameCodeSequence = Sequence([code("28570-0", "LN", "Procedure Note")])
    if targets:
        ds.SourceInstanceSequence = Sequence([reference(target) for target in targets])
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    text = f"BT /F1 12 Tf 72 720 Td (Report {sop_uid[-12:]}) Tj ET"
    document = (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1<</Type/Font"
        "/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n"
        f"4 0 obj<</Length {len(text)}>>stream\n{text}\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    ).encode()
    ds.EncapsulatedDocumentLength = len(document)
    ds.EncapsulatedDocument = document + b"\0" * (len(document) % 2)
    return ds
