"""What coded attributes may hold: enumerated values and defined terms of PS3.3 that a machine can decide.

A maintained extract: no library carries these lists. `section` is where the standard lists the values.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pydicom.datadict import tag_for_keyword

from fonds.dicom import terms


class Allowed(NamedTuple):
    """The values of one attribute, at `position` (None: every value of it); other terms are allowed unless `closed`."""

    values: frozenset[str]
    closed: bool
    section: str
    position: int | None = None


# values are split at "|", or at spaces where there is none
_ENUMERATED = """
PatientSex: M F O: C.7.1.1
PatientIdentityRemoved: YES NO: C.7.1.1
QualityControlSubject: YES NO: C.7.1.1
PatientSexNeutered: ALTERED UNALTERED: C.7.2.2
SmokingStatus: YES NO UNKNOWN: C.7.2.2
Laterality: R L: C.7.3.1
ImageLaterality: R L U B: C.8.11.2
FrameLaterality: R L U B: C.7.6.16.2.8
MeasurementLaterality: R L B: C.8.25
PixelRepresentation: 0 1: C.7.6.3
PlanarConfiguration: 0 1: C.7.6.3
QualityControlImage: YES NO BOTH: C.7.6.1
BurnedInAnnotation: YES NO: C.7.6.1
RecognizableVisualFeatures: YES NO: C.7.6.1
LossyImageCompression: 00 01: C.7.6.1.1.5
PresentationLUTShape: IDENTITY INVERSE: C.11.6
PresentationIntentType: FOR PRESENTATION|FOR PROCESSING: C.8.11.1
PixelIntensityRelationshipSign: 1 -1: C.8.11.3
LongitudinalTemporalInformationModified: UNMODIFIED MODIFIED REMOVED: C.12.1
SOPInstanceStatus: NS OR AO AC: C.12.1
SyntheticData: YES NO: C.12.1
ContentQualification: PRODUCT RESEARCH SERVICE: C.8.13.2
CompletionFlag: PARTIAL COMPLETE: C.17.2
VerificationFlag: UNVERIFIED VERIFIED: C.17.2
PreliminaryFlag: PRELIMINARY FINAL: C.17.2
ContinuityOfContent: SEPARATE CONTINUOUS: C.17.3
RelationshipType: CONTAINS|HAS OBS CONTEXT|HAS ACQ CONTEXT|HAS CONCEPT MOD|HAS PROPERTIES|INFERRED FROM|SELECTED FROM: C.17.3
MRAcquisitionType: 2D 3D: C.8.3.1
AngioFlag: Y N: C.8.3.1
SegmentationType: BINARY FRACTIONAL LABELMAP: C.8.20.2
SegmentationFractionalType: PROBABILITY OCCUPANCY: C.8.20.2
DoseUnits: GY RELATIVE: C.8.8.3
TypeOfPatientID@: TEXT RFID BARCODE: C.7.1.1
ConversionType@: DV DI DF WSD SD SI DRW SYN: C.8.6.1
DoseType@: PHYSICAL EFFECTIVE ERROR: C.8.8.3
DoseSummationType@: PLAN MULTI_PLAN PLAN_OVERVIEW FRACTION BEAM BRACHY FRACTION_SESSION BEAM_SESSION BRACHY_SESSION CONTROL_POINT RECORD: C.8.8.3
PatientPosition@: HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP LFS RFP RFS AFP AFS AFDR AFDL PFP PFS PFDR PFDL: C.7.3.1.1.2
UniversalEntityIDType@: DNS EUI64 ISO URI UUID X400 X500: 10.14
PhotometricInterpretation@: MONOCHROME1|MONOCHROME2|PALETTE COLOR|RGB|YBR_FULL|YBR_FULL_422|YBR_PARTIAL_420|YBR_ICT|YBR_RCT|XYB: C.7.6.3.1.2
RescaleType@: OD HU US MGML Z_EFF ED EDW HU_MOD PCT: C.11.1.1.2
SegmentAlgorithmType@: AUTOMATIC SEMIAUTOMATIC MANUAL: C.8.20.2
"""  # noqa: E501  a line is an attribute
# by IOD: its Modality where the standard fixes it (many image IODs leave it open), and how its pixels may be
_BY_IOD = """
ct-image: SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME1|MONOCHROME2 BitsAllocated=16: C.8.2.1
mr-image: SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME1|MONOCHROME2 BitsAllocated=16: C.8.3.1
positron-emission-tomography-image: SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME2 BitsAllocated=16: C.8.9.4
nuclear-medicine-image: SamplesPerPixel=1: C.8.4
computed-radiography-image: SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME1|MONOCHROME2: C.8.1
x-ray-angiographic-image: SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME2 PixelRepresentation=0: C.8.7.1
x-ray-radiofluoroscopic-image: SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME2 PixelRepresentation=0: C.8.7.1
ultrasound-image: PixelRepresentation=0: C.8.5.6
ultrasound-multi-frame-image: PixelRepresentation=0: C.8.5.6
digital-x-ray-image: Modality=DX SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME1|MONOCHROME2: C.8.11.1
digital-mammography-x-ray-image: Modality=MG SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME1|MONOCHROME2: C.8.11.7
digital-intra-oral-x-ray-image: Modality=IO SamplesPerPixel=1: C.8.11.8
vl-endoscopic-image: Modality=ES PixelRepresentation=0: A.32.1
video-endoscopic-image: Modality=ES: A.32.5
vl-microscopic-image: Modality=GM PixelRepresentation=0: A.32.2
vl-slide-coordinates-microscopic-image: Modality=SM PixelRepresentation=0: A.32.3
vl-whole-slide-microscopy-image: Modality=SM PixelRepresentation=0: C.8.12.3
vl-photographic-image: Modality=XC PixelRepresentation=0: A.32.4
12-lead-ecg: Modality=ECG: A.34.3
general-ecg: Modality=ECG: A.34.4
grayscale-softcopy-presentation-state: Modality=PR: C.11.9
key-object-selection-document: Modality=KO: C.17.6.1
segmentation: Modality=SEG SamplesPerPixel=1: C.8.20.1
basic-text-sr: Modality=SR: C.17.1
enhanced-sr: Modality=SR: C.17.1
comprehensive-sr: Modality=SR: C.17.1
comprehensive-3d-sr: Modality=SR: C.17.1
x-ray-radiation-dose-sr: Modality=SR: C.17.1
rt-structure-set: Modality=RTSTRUCT: C.8.8.1
rt-plan: Modality=RTPLAN: C.8.8.1
rt-dose: Modality=RTDOSE SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME2: C.8.8.3
rt-image: Modality=RTIMAGE SamplesPerPixel=1 PhotometricInterpretation=MONOCHROME2: C.8.8.2
"""  # noqa: E501  a line is an IOD


@cache
def general() -> dict[int, tuple[Allowed, ...]]:
    """By tag, for objects of every SOP class."""
    allowed: dict[int, tuple[Allowed, ...]] = {}
    for line in _ENUMERATED.strip().splitlines():
        name, values, section = line.split(": ")
        keyword = name.rstrip("@")
        allowed[_tag(keyword)] = (Allowed(_split(values), name == keyword, f"PS3.3 {section}"),)
    allowed[_tag("ImageType")] = (
        Allowed(_split("ORIGINAL DERIVED"), True, "PS3.3 C.7.6.1.1.2", 0),
        Allowed(_split("PRIMARY SECONDARY"), True, "PS3.3 C.7.6.1.1.2", 1),
    )
    modalities = frozenset((*terms.MODALITIES, *terms.RETIRED_MODALITIES))
    allowed[_tag("Modality")] = (Allowed(modalities, False, "PS3.3 C.7.3.1.1.1"),)
    charsets = frozenset(("", "ISO_IR 6", *terms.CHARACTER_SETS, *terms.EXTENDED_CHARACTER_SETS))
    allowed[_tag("SpecificCharacterSet")] = (Allowed(charsets, False, "PS3.3 C.12.1.1.2"),)
    parts = frozenset(part.term for part in terms.body_parts())
    allowed[_tag("BodyPartExamined")] = (Allowed(parts, False, "PS3.16 Annex L"),)
    return allowed


@cache
def of_iod(iod: str) -> dict[int, Allowed]:
    """By tag, what one IOD narrows top-level attributes to; empty when nothing is kept of it."""
    for line in _BY_IOD.strip().splitlines():
        name, rules, section = line.split(": ")
        if name == iod:
            pairs = (rule.split("=") for rule in rules.split(" "))
            return {
                _tag(keyword): Allowed(frozenset(values.split("|")), True, f"PS3.3 {section}")
                for keyword, values in pairs
            }
    return {}


def _split(values: str) -> frozenset[str]:
    return frozenset(values.split("|") if "|" in values else values.split())


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)
