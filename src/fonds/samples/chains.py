"""Builders of objects that live by what they point to: RT plan, dose, registration, slide annotations, ECG report."""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from fonds.samples.documents import SR, Target, by_series, evidence, reference
from fonds.samples.images import Series
from fonds.samples.objects import Exam, base, code, noise

RTPLAN = "1.2.840.10008.5.1.4.1.1.481.5"
RTDOSE = "1.2.840.10008.5.1.4.1.1.481.2"
REG = "1.2.840.10008.5.1.4.1.1.66.1"
ANN = "1.2.840.10008.5.1.4.1.1.91.1"


def rtplan(exam: Exam, series: Series, sop_uid: str, structures: Target, dose: Target) -> Dataset:
    """A radiotherapy plan made on a structure set, with the dose it gives (PS3.3 C.8.8.9)."""
    ds = base(exam, RTPLAN, sop_uid, series, 1)
    del ds.ContentDate, ds.ContentTime
    ds.OperatorsName = "Planner^Petra"
    ds.RTPlanLabel, ds.RTPlanDate, ds.RTPlanTime = "PLAN", f"{exam.day:%Y%m%d}", exam.time
    ds.RTPlanGeometry, ds.ApprovalStatus = "PATIENT", "UNAPPROVED"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("frame"), ""
    ds.ReferencedStructureSetSequence = Sequence([reference(structures)])
    ds.ReferencedDoseSequence = Sequence([reference(dose)])
    return ds


def rtdose(exam: Exam, series: Series, sop_uid: str, plan: Target) -> Dataset:
    """The dose a plan gives, in three planes (PS3.3 C.8.8.3)."""
    ds = base(exam, RTDOSE, sop_uid, series, 1)
    ds.OperatorsName = "Planner^Petra"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("frame"), ""
    ds.ImagePositionPatient, ds.ImageOrientationPatient = ["-80", "-80", "3"], ["1", "0", "0", "0", "1", "0"]
    ds.PixelSpacing, ds.SliceThickness = ["10", "10"], "3"
    ds.DoseUnits, ds.DoseType, ds.DoseSummationType = "GY", "PHYSICAL", "PLAN"
    ds.DoseGridScaling, ds.GridFrameOffsetVector = "0.001", ["0", "3", "6"]
    ds.ReferencedRTPlanSequence = Sequence([reference(plan)])
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.NumberOfFrames, ds.FrameIncrementPointer = "3", 0x3004000C
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 16, 16, 15, 0
    ds.add_new(0x7FE00010, "OW", noise(sop_uid, (3, 8, 8), 1 << 16))
    return ds


def registration(exam: Exam, series: Series, sop_uid: str, targets: list[Target], frame: str) -> Dataset:
    """How this examination's frame of reference lies in another one (PS3.3 C.20.2)."""
    ds = base(exam, REG, sop_uid, series, 1)
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("frame"), ""
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "FUSION", "", "Reader^Rolf"
    ds.ReferencedSeriesSequence = by_series(targets, "ReferencedInstanceSequence")
    items = []
    for uid, images in ((exam.uid("frame"), targets), (frame, [])):
        item, matrix, step = Dataset(), Dataset(), Dataset()
        item.FrameOfReferenceUID = uid
        if images:
            item.ReferencedImageSequence = Sequence([reference(image) for image in images])
        matrix.FrameOfReferenceTransformationMatrixType = "RIGID"
        matrix.FrameOfReferenceTransformationMatrix = [float(place % 5 == 0) for place in range(16)]
        step.MatrixSequence = Sequence([matrix])
        item.MatrixRegistrationSequence = Sequence([step])
        items.append(item)
    ds.RegistrationSequence = Sequence(items)
    return ds


def slide_annotations(exam: Exam, series: Series, sop_uid: str, slide: Target) -> Dataset:
    """Three nuclei marked on a slide: microscopy bulk simple annotations (PS3.3 C.37.1)."""
    ds = base(exam, ANN, sop_uid, series, 1)
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = exam.uid("slide-frame"), "SLIDE_CORNER"
    ds.ContentLabel, ds.ContentDescription, ds.ContentCreatorName = "NUCLEI", "", "Reader^Rolf"
    ds.AnnotationCoordinateType, ds.PixelOriginInterpretation = "2D", "VOLUME"
    ds.ReferencedImageSequence = Sequence([reference(slide)])
    ds.ReferencedSeriesSequence = by_series([slide], "ReferencedInstanceSequence")
    group = Dataset()
    group.AnnotationGroupNumber, group.AnnotationGroupLabel, group.AnnotationGroupGenerationType = 1, "Nuclei", "MANUAL"
    group.AnnotationGroupUID = exam.uid("annotation group")
    group.AnnotationPropertyCategoryCodeSequence = Sequence([code("91723000", "SCT", "Anatomical structure")])
    group.AnnotationPropertyTypeCodeSequence = Sequence([code("84640000", "SCT", "Nucleus")])
    group.NumberOfAnnotations, group.GraphicType = 3, "POINT"
    group.PointCoordinatesData = np.array([4, 5, 12, 9, 20, 21], dtype="<f4").tobytes()
    group.AnnotationAppliesToAllOpticalPaths = "YES"
    ds.AnnotationGroupSequence = Sequence([group])
    return ds


def ecg_report(exam: Exam, series: Series, sop_uid: str, trace: Target) -> Dataset:
    """A Comprehensive SR that shows two leads of the waveform it was read from (PS3.3 C.18.5)."""
    ds = base(exam, SR, sop_uid, series, 1)
    ds.ReferencedPerformedProcedureStepSequence = Sequence()
    ds.PerformedProcedureCodeSequence = Sequence()
    ds.CompletionFlag, ds.VerificationFlag = "COMPLETE", "UNVERIFIED"
    ds.CurrentRequestedProcedureEvidenceSequence = evidence(exam.study_uid, [trace])
    ds.ValueType, ds.ContinuityOfContent = "CONTAINER", "SEPARATE"
    ds.ConceptNameCodeSequence = Sequence([code("28010-7", "LN", "ECG Report")])
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "WAVEFORM"
    shown = reference(trace)
    shown.ReferencedWaveformChannels = [1, 1, 1, 2]
    item.ReferencedSOPSequence = Sequence([shown])
    ds.ContentSequence = Sequence([item])
    return ds
