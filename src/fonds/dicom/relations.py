"""Which sequences point to other objects, what each relation is called, and what of an object has to be read for it.

Source: PS3.3, section by section below. Which paths there are was checked against highdicom's extract of PS3.3
(tests/dicom/test_references_carriers.py); docs/links-carriers.md has the table by kind of object.
"""

from __future__ import annotations

from functools import cache

from pydicom.datadict import keyword_for_tag, tag_for_keyword


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


def _tags(words: str) -> tuple[int, ...]:
    return tuple(_tag(word) for word in words.split())


@cache
def keyword_of(tag: int) -> str:
    """The keyword PS3.6 has for a tag."""
    return str(keyword_for_tag(tag))


_BY_RELATION: dict[str, str] = {
    # SR and KOS documents, encapsulated documents (PS3.3 C.17.2, C.17.6, C.24.2) and content items (C.17.3, 10.2)
    "evidence": "CurrentRequestedProcedureEvidenceSequence",
    "other-evidence": "PertinentOtherEvidenceSequence",
    "predecessor": "PredecessorDocumentsSequence PredecessorStructureSetSequence RTPhysicianIntentPredecessorSequence",
    "identical-document": "IdenticalDocumentsSequence",
    "content": "ContentSequence ReferencedSOPSequence",
    "request": "RequestAttributesSequence ReferencedRequestSequence",
    "document-source": "SourceInstanceSequence",
    "pertinent-document": "PertinentDocumentsSequence",
    "assessed": "AssessedSOPInstanceSequence",
    # presentation states and structured displays (C.11)
    "presentation": (
        "BlendingSequence AdvancedBlendingSequence GraphicAnnotationSequence DisplayedAreaSelectionSequence "
        "SoftcopyVOILUTSequence VariableModalityLUTSequence MaskSubtractionSequence FrameDisplayShutterSequence "
        "MultiFramePresentationSequence VolumetricPresentationInputSetSequence VolumeCroppingSequence "
        "VolumetricAnnotationSequence VolumetricPresentationInputAnnotationSequence StructuredDisplayImageBoxSequence"
    ),
    "presentation-state": "ReferencedPresentationStateSequence",
    "rendered-image": "RenderedImageReferenceSequence",
    # common instance reference (C.12.2), general reference (C.12.4), standalone curves and overlays (retired)
    "referenced-instance": (
        "ReferencedSeriesSequence StudiesContainingOtherReferencedInstancesSequence ReferencedInstanceSequence "
        "ReferencedSurfaceDataSequence ReferencedOverlaySequence ReferencedCurveSequence"
    ),
    "referenced-image": (
        "ReferencedImageSequence ReferencedImageEvidenceSequence OphthalmicFrameLocationSequence "
        "ReferencedOphthalmicAxialLengthMeasurementQCImageSequence"
    ),
    "source-image": "SourceImageSequence SourceImageEvidenceSequence ContributingSourcesSequence",
    # whole series and studies (C.7.2.1, C.7.3.1), photographs (C.7.1.1)
    "referenced-study": "ReferencedStudySequence",
    "related-series": "RelatedSeriesSequence",
    "patient-photo": "ReferencedPatientPhotoSequence",
    # images made of other objects, or taken together with them (C.7.6.16, C.8.13, C.8.19, C.12.3, C.12.1.4)
    "raw-data": "ReferencedRawDataSequence",
    "referenced-waveform": "ReferencedWaveformSequence",
    "source-waveform": "SourceWaveformSequence",
    "frame-source": "FrameExtractionSequence",
    "conversion-source": "ConversionSourceAttributesSequence",
    "other-plane": "ReferencedOtherPlaneSequence",
    "stereo-pair": "StereoPairsSequence ReferencedStereometricInstanceSequence",
    "texture": "ReferencedTextureSequence",
    "segmentation-source": "SegmentSurfaceSourceInstanceSequence",
    # eye measurements (C.8.25)
    "measurement-source": (
        "ReferencedRefractiveMeasurementsSequence IntraocularLensCalculationsRightEyeSequence "
        "IntraocularLensCalculationsLeftEyeSequence"
    ),
    # registrations and fiducials (C.20.2, C.20.3, C.21)
    "registration": "RegistrationSequence DeformableRegistrationSequence ReferencedSpatialRegistrationSequence",
    "fiducial": "FiducialSetSequence",
    # radiotherapy, first generation (C.8.8)
    "rt-image": "ReferencedFrameOfReferenceSequence ROIContourSequence SourceSeriesInformationSequence",
    "rt-structure": "ReferencedStructureSetSequence",
    "rt-plan": "ReferencedRTPlanSequence",
    "rt-dose": "ReferencedDoseSequence",
    "rt-record": (
        "ReferencedTreatmentRecordSequence ReferencedRTRadiationRecordSequence "
        "AdditionalParameterRecordingInstanceSequence"
    ),
    "rt-reference-image": (
        "ReferencedReferenceImageSequence ReferencedSetupImageSequence RelatedReferenceRTImageSequence "
        "ReferencedPatientSetupPhotoSequence ReferencedPositionReferenceInstanceSequence"
    ),
    "rt-verification-image": "ReferencedVerificationImageSequence",
    "definition-source": "DefinitionSourceSequence",
    # radiotherapy, second generation (C.36)
    "rt-radiation": (
        "RTRadiationSequence ReferencedRTRadiationSequence ReferencedRTRadiationSetSequence OmittedRadiationSequence "
        "ReferencedBaselineParametersRTRadiationInstanceSequence"
    ),
    "rt-intent": "ReferencedRTPhysicianIntentSequence",
    "rt-instance": "ReferencedRTInstanceSequence",
    "rt-preparation": "ReferencedRTTreatmentPreparationSequence",
    "rt-input": "RTPhysicianIntentInputInstanceSequence PlanningInputInformationSequence",
    "prior-treatment": "PriorTreatmentReferenceSequence",
    "conceptual-volume": (
        "OriginatingSOPInstanceReferenceSequence EquivalentConceptualVolumeInstanceReferenceSequence "
        "ReferencedDirectSegmentInstanceSequence DirectSegmentReferenceSequence"
    ),
}
RELATIONS: dict[int, str] = {tag: relation for relation, words in _BY_RELATION.items() for tag in _tags(words)}
"""Sequences that say by themselves what they point to, wherever they stand; the outermost of a path decides."""

_OTHERWISE = "referenced-instance"
CONTAINERS: dict[int, str] = {
    **dict.fromkeys(
        _tags(
            "BeamSequence IonBeamSequence FractionGroupSequence PatientSetupSequence ApplicationSetupSequence "
            "TreatmentSessionBeamSequence TreatmentSessionIonBeamSequence TreatmentSessionApplicationSetupSequence "
            "BeamTaskSequence PlanOverviewSequence SegmentSequence XRay3DAcquisitionSequence UVMappingSequence "
            "ReferencedImageRealWorldValueMappingSequence AcquisitionContextSequence SpecimenDescriptionSequence "
            "OphthalmicAxialMeasurementsRightEyeSequence OphthalmicAxialMeasurementsLeftEyeSequence "
            "SoundSpeedCorrectionMechanismCodeSequence PatientTreatmentPreparationSequence ConfirmationSequence "
            "BolusDefinitionSequence PatientSupportDevicesSequence SegmentReferenceSequence RTRadiationTaskSequence "
            "RTPhysicianIntentSequence RTPrescriptionSequence RTPatientPositionScopeSequence "
            "RTTreatmentPreparationPatientPositionSequence TreatmentPositionGroupSequence RadiationDoseSequence "
            "RadiationDoseIdentificationSequence DosimetricObjectiveSequence AcquisitionTaskSequence"
        ),
        _OTHERWISE,
    ),
    _tag("StructureSetROISequence"): "rt-image",
}
"""Top-level sequences that hold others of `RELATIONS`, and the relation of what stands in them without one."""

LENGTHY: frozenset[int] = frozenset(
    _tags("SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence ROIContourSequence WaveformSequence")
)
"""As long as the object has frames, contours or samples. Read for the catalog only where `needs_lengthy` says so; who
rewrites references reads them always, they repeat what the short lists say."""
EVIDENCE: frozenset[int] = frozenset(
    _tags(
        "ReferencedSeriesSequence StudiesContainingOtherReferencedInstancesSequence SourceImageEvidenceSequence "
        "ReferencedImageEvidenceSequence ReferencedFrameOfReferenceSequence"
    )
)
"""The short lists: of what frames and contours name, required since PS3.3 C.12.2, C.8.13 and C.8.8.5 have them."""

_BETWEEN = (
    "RTReferencedStudySequence RTReferencedSeriesSequence ContourImageSequence DerivationImageSequence "
    "ReferencedRealWorldValueMappingInstanceSequence ContributingSOPInstancesReferenceSequence "
    "ReferencedComparisonSOPInstanceSequence ControlPointSequence DeliveryVerificationImageSequence "
    "FiducialSequence GraphicCoordinatesDataSequence UsedFiducialsSequence UsedSegmentsSequence "
    "UsedRTStructureSetROISequence ReferencedStructuredContextSequence ReferencedFirstFrameSequence "
    "LeftImageSequence RightImageSequence ReferencedSurfaceSequence SourceSeriesSequence ContourSequence "
    "ChannelDefinitionSequence SpecimenLocalizationContentItemSequence SpecimenPreparationSequence "
    "SpecimenPreparationStepContentItemSequence AnteriorChamberDepthSequence CorneaMeasurementsSequence "
    "CornealSizeSequence LensThicknessSequence OphthalmicAxialLengthSequence RefractiveStateSequence "
    "SourceOfRefractiveMeasurementsSequence OphthalmicAxialLengthMeasurementsSequence "
    "OphthalmicAxialLengthMeasurementsLengthSummationSequence OphthalmicAxialLengthMeasurementsTotalLengthSequence "
    "OpticalSelectedOphthalmicAxialLengthSequence SelectedSegmentalOphthalmicAxialLengthSequence "
    "SelectedTotalOphthalmicAxialLengthSequence UltrasoundSelectedOphthalmicAxialLengthSequence "
    "ConceptualVolumeSequence ConceptualVolumeConstituentSequence ConceptualVolumeIdentificationSequence "
    "ConceptualVolumeSegmentationReferenceSequence ConceptualVolumeConstituentSegmentationReferenceSequence "
    "DerivationConceptualVolumeSequence SourceConceptualVolumeSequence EquivalentConceptualVolumesSequence "
    "CombinationSegmentReferenceSequence RTAnatomicPrescriptionSequence RTPatientPositionDisplacementSequence "
    "RTDeliveryStartPatientPositionSequence PrescriptionNotesSequence RTImageFrameContextSequence RTImageScopeSequence "
    "AcquisitionSubtaskSequence AcquisitionTaskApplicabilitySequence RTAcquisitionPatientPositionSequence "
    "ContentItemModifierSequence"
)
WALKED: frozenset[int] = frozenset((*RELATIONS, *CONTAINERS, *LENGTHY, *_tags(_BETWEEN)))
"""Sequences inside of items that are looked into."""
POINTING: frozenset[int] = frozenset((*RELATIONS, *CONTAINERS)) | LENGTHY
"""Top-level sequences that hold references."""

SERIES_REFERENCES = _tag("ReferencedSeriesSequence")
STUDY_REFERENCES: frozenset[int] = frozenset(_tags("ReferencedStudySequence RTReferencedStudySequence"))
"""Sequences whose items name a study by its SOP instance, which has the study's UID (PS3.4, retired classes)."""
STUDY, SERIES = _tag("StudyInstanceUID"), _tag("SeriesInstanceUID")
SOP_CLASS = _tag("ReferencedSOPClassUID")
SOPS = _tags("ReferencedSOPInstanceUID MultiFrameSourceSOPInstanceUID")
"""Elements that name an object; the first that is there counts."""
FRAMES = _tags("FrameOfReferenceUID SourceFrameOfReferenceUID ReferencedFrameOfReferenceUID")
"""Elements of items that name a frame of reference (C.20.2, C.20.3, C.21, C.8.8.5, C.18.9)."""
CONCATENATION = _tag("SOPInstanceUIDOfConcatenationSource")
"""At top level: the object that was cut into a concatenation (C.7.6.16.2.2.4)."""
CONCEPT, CODE, UID_VALUE = _tags("ConceptNameCodeSequence CodeValue UID")
UID_CONCEPTS: dict[str, int] = {
    "110180": 0,  # Study Instance UID
    "121018": 0,  # Procedure Study Instance UID
    "112002": 1,  # Series Instance UID
    "121232": 1,  # Source series for segmentation
    "121323": 1,  # Source series for image processing operation
    "112227": 2,  # Frame of Reference UID
    "128416": 3,  # SR Instance Used
}
"""Concept names (DCM, PS3.16) of content items of type UIDREF whose UID names a study (0), series (1), frame of
reference (2) or object (3); all other UIDs of content items name nothing that is stored."""

_STORAGE = "1.2.840.10008.5.1.4.1.1."
PRESENTATION = f"{_STORAGE}11."
SEGMENTATIONS: tuple[str, ...] = tuple(_STORAGE + end for end in ("66.4", "66.5", "66.7", "66.8"))
"""Segmentation, surface, label map and height map segmentation."""
_FRAMEWISE = (
    "2.1 2.2 4.1 4.2 4.3 4.4 6.2 12.1.1 12.2.1 13.1.1 13.1.2 14.1 14.2 30 77.1.5.4 128.1 130 481.3 481.23 481.24"
)
FRAMEWISE: tuple[str, ...] = (*SEGMENTATIONS, *(_STORAGE + end for end in _FRAMEWISE.split()))
"""SOP classes whose frames or contours name sources of their own: segmentations, enhanced CT, MR and PET (spectroscopy
and legacy converted ones too), enhanced ultrasound, XA and XRF, 3D X-ray (but tomosynthesis, which lists its sources
at top level), intravascular and ophthalmic tomography, parametric maps, structure sets, enhanced RT images."""

FACTS: frozenset[int] = frozenset(
    _tags(
        "RequestAttributesSequence ReferencedRequestSequence OtherPatientIDsSequence "
        "IssuerOfPatientIDQualifiersSequence IssuerOfAccessionNumberSequence ConceptNameCodeSequence "
        "OriginalAttributesSequence"
    )
)
"""Top-level sequences that hold facts."""
SEQUENCES: frozenset[int] = (POINTING - LENGTHY) | FACTS
"""Top-level sequences that are read."""
_INSIDE = (
    "SpecificCharacterSet ReferencedSOPClassUID StudyInstanceUID SeriesInstanceUID AccessionNumber PatientID "
    "IssuerOfPatientID TypeOfPatientID LocalNamespaceEntityID UniversalEntityID UniversalEntityIDType CodeValue "
    "LongCodeValue URNCodeValue"
)
LEAVES: tuple[int, ...] = (*_tags(_INSIDE), *SOPS, *FRAMES, UID_VALUE)
"""Elements of items that are read for their values."""
NESTED: frozenset[int] = WALKED | {CONCEPT} | frozenset(LEAVES)
"""Elements of items that are read."""


def relation_of(tag: int, *, presentation: bool, segmentation: bool) -> str:
    """What a sequence of a presentation state, a segmentation, or any other object says it points to; '' nothing."""
    relation = RELATIONS.get(tag, "")
    if tag == SERIES_REFERENCES and presentation:
        return "presentation"
    if relation in ("referenced-instance", "source-image") and segmentation:
        return "segmentation-source"
    return relation


def otherwise(tag: int) -> str:
    """The relation of what stands in a top-level sequence without a relation of its own."""
    return CONTAINERS.get(tag, _OTHERWISE)
