"""Conditions of type 1C and 2C attributes that an object itself decides (PS3.3, section beside each).

Each answers True (required), False (not required) or None (the object can't tell). What isn't here can't be decided and
is never reported as missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydicom.datadict import tag_for_keyword

from fonds.dicom import terms
from fonds.dicom.charset import DEFAULT, codec
from fonds.dicom.iod_read import Item, Tree
from fonds.dicom.values import CODED_VRS, as_text, uid_text


@dataclass(frozen=True, slots=True)
class Place:
    """A data set or item whose attributes are judged, inside the object it belongs to."""

    item: Item
    tree: Tree
    required: frozenset[int]
    """top-level tags of type 1 or 2 in the modules that hold for the object"""

    def has(self, keyword: str) -> bool:
        """Whether the attribute stands here with a value."""
        value = self.item.get(tag(keyword))
        return value is not None and not value.empty

    def values(self, keyword: str) -> list[str]:
        """Its values here as text; none when it is absent."""
        value = self.item.get(tag(keyword))
        if value is None or value.items is not None:
            return []
        if value.vr in ("US", "UL", "SS", "SL", "AT"):
            text = as_text(value.vr, value.raw, self.tree.little, _CODEC)[0] or ""
        else:
            text = uid_text(value.raw)
        return [part.strip(" \0") for part in text.split("\\")] if text else []

    def first(self, keyword: str) -> str:
        """Its first value here; empty when there is none."""
        return next(iter(self.values(keyword)), "")


Condition = Callable[[Place], bool | None]


def tag(keyword: str) -> int:
    """Tag of a keyword of the dictionary."""
    found = tag_for_keyword(keyword)
    if found is None:
        raise KeyError(keyword)
    return int(found)


_CODEC = codec(DEFAULT)
_LOSSY = frozenset((
    *("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81"),
    *(f"1.2.840.10008.1.2.4.{n}" for n in (100, 101, 102, 103, 104, 105, 106, 107, 108)),
))  # fmt: skip
# PS3.3 C.7.3.1: SOP classes whose images need Patient Position
_POSITIONED = frozenset(f"1.2.840.10008.5.1.4.1.1.{tail}" for tail in ("2", "2.1", "4", "4.1", "4.2", "4.3"))


def _orientation(here: Place) -> bool | None:
    """C.7.6.1: Patient Orientation, unless plane or slide coordinates are there or asked for."""
    planes = ("ImageOrientationPatient", "ImageOrientationSlide", "SharedFunctionalGroupsSequence")
    return not any(here.has(word) or tag(word) in here.required for word in planes)


def _side(here: Place) -> bool | None:
    """C.7.3.1: Laterality of a paired body part, unless images or frames tell it."""
    if here.has("ImageLaterality") or tag("ImageLaterality") in here.required:
        return False
    if here.has("MeasurementLaterality") or here.has("SharedFunctionalGroupsSequence"):
        return False
    part = next((part for part in terms.body_parts() if part.term == here.first("BodyPartExamined")), None)
    return part.paired if part is not None else None


def _position(here: Place) -> bool | None:
    """C.7.3.1: Patient Position."""
    if here.has("PatientOrientationCodeSequence"):
        return False
    return here.tree.text(tag("SOPClassUID")) in _POSITIONED


def _beyond_ascii(here: Place) -> bool | None:
    """C.12.1: Specific Character Set."""
    texts = (value.raw for value in here.item.values() if value.vr in CODED_VRS)
    return any(not raw.isascii() or b"\x1b" in raw for raw in texts)


def _pixels(here: Place) -> bool | None:
    """C.7.6.3: Pixel Data, unless it is fetched from elsewhere."""
    return not here.has("PixelDataProviderURL")


def _has_pixels(here: Place) -> bool | None:
    return here.tree.pixels is not None


def _lossy(here: Place) -> bool | None:
    """C.7.6.1.1.5: required once compression lost something, which a transfer syntax proves."""
    return True if here.tree.transfer_syntax in _LOSSY else None


def _steps(keyword: str) -> Condition:
    """C.7.6.5, C.7.6.6: the attribute Frame Increment Pointer points to."""
    pointed = f"{tag(keyword):08X}"
    return lambda here: pointed in here.values("FrameIncrementPointer")


def _when(keyword: str, *values: str) -> Condition:
    """Required when one of the attribute's values is one of these; not decided when it has none."""
    return lambda here: None if not here.values(keyword) else bool({*values} & {*here.values(keyword)})


def _with(keyword: str) -> Condition:
    return lambda here: here.has(keyword)


def _without(*keywords: str) -> Condition:
    return lambda here: not any(here.has(keyword) for keyword in keywords)


def _more_than_one(keyword: str) -> Condition:
    def condition(here: Place) -> bool | None:
        value = here.first(keyword)
        return int(value) > 1 if value.isdecimal() else None

    return condition


def _repetition(here: Place) -> bool | None:
    """C.8.3.1: Repetition Time, except EP without SK."""
    if not here.values("ScanningSequence"):
        return None
    return not ("EP" in here.values("ScanningSequence") and "SK" not in here.values("SequenceVariant"))


def _deidentified(other: str) -> Condition:
    """C.7.1.1: how identity was removed, in words or in codes."""
    return lambda here: here.first("PatientIdentityRemoved") == "YES" and not here.has(other)


def _palette(here: Place) -> bool | None:
    return here.first("PhotometricInterpretation") == "PALETTE COLOR" or None


_COLOURS = ("Red", "Green", "Blue")
_PIXEL_DESCRIPTION = (
    "SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit PixelRepresentation"
)
CONDITIONS: Mapping[int, Condition] = {
    tag(keyword): condition
    for keyword, condition in {
        "PatientOrientation": _orientation,
        "Laterality": _side,
        "PatientPosition": _position,
        "SpecificCharacterSet": _beyond_ascii,
        "PixelData": _pixels,
        "LossyImageCompression": _lossy,
        "LossyImageCompressionRatio": _when("LossyImageCompression", "01"),  # C.7.6.1
        "LossyImageCompressionMethod": _when("LossyImageCompression", "01"),
        "PlanarConfiguration": _more_than_one("SamplesPerPixel"),  # C.7.6.3
        "FrameTime": _steps("FrameTime"),
        "FrameTimeVector": _steps("FrameTimeVector"),
        "ResponsiblePersonRole": _with("ResponsiblePerson"),  # C.7.1.1
        "PatientAlternativeCalendar": lambda here: (
            here.has("PatientBirthDateInAlternativeCalendar") or here.has("PatientDeathDateInAlternativeCalendar")
        ),
        "DeidentificationMethod": _deidentified("DeidentificationMethodCodeSequence"),
        "DeidentificationMethodCodeSequence": _deidentified("DeidentificationMethod"),
        "CodeValue": _without("LongCodeValue", "URNCodeValue"),  # 8.8
        "CodingSchemeDesignator": lambda here: here.has("CodeValue") or here.has("LongCodeValue"),
        "RepetitionTime": _repetition,
        "InversionTime": _when("ScanningSequence", "IR"),  # C.8.3.1
        "WindowCenter": _without("VOILUTSequence"),  # C.11.2
        "WindowWidth": _with("WindowCenter"),
        "RescaleIntercept": _without("ModalityLUTSequence"),  # C.11.1
        "RescaleSlope": _with("RescaleIntercept"),
        "RescaleType": _with("RescaleIntercept"),
        "VerifyingObserverSequence": _when("VerificationFlag", "VERIFIED"),  # C.17.2
        "PixelPaddingValue": _with("PixelPaddingRangeLimit"),  # C.7.5.1
        "ReferencedStructureSetSequence": _when("RTPlanGeometry", "PATIENT"),  # C.8.8.9
        "NumberOfRRIntervals": _when("SeriesType", "GATED"),  # C.8.9.1
        "NumberOfTimeSlots": _when("SeriesType", "GATED"),
        "NumberOfTimeSlices": _when("SeriesType", "DYNAMIC"),
        "SegmentationFractionalType": _when("SegmentationType", "FRACTIONAL"),  # C.8.20.2
        "MaximumFractionalValue": _when("SegmentationType", "FRACTIONAL"),
        "GridFrameOffsetVector": _more_than_one("NumberOfFrames"),  # C.8.8.3
        **{f"{colour}PaletteColorLookupTableDescriptor": _palette for colour in _COLOURS},  # C.7.6.3
        **dict.fromkeys(_PIXEL_DESCRIPTION.split(), _has_pixels),  # C.8.8.3: 1C in RT Dose only
    }.items()
}
_ONLY_IN = {tag("RescaleType"): "modality-lut", tag("RescaleIntercept"): "modality-lut", tag("WindowCenter"): "voi-lut"}
"""top-level attributes whose condition is another one in other modules"""

MODULES: Mapping[str, Condition] = {
    "image-pixel": _has_pixels,
    "cine": _steps("FrameTime"),
    "multi-frame": _more_than_one("NumberOfFrames"),
}
"""Conditions of modules; all others that aren't mandatory hold when one of their own attributes is there."""


_ANYWHERE = frozenset(
    tag(keyword)
    for keyword in ("CodeValue", "CodingSchemeDesignator", "WindowCenter", "WindowWidth", "SegmentationFractionalType")
)
"""attributes whose condition is the same inside items; all others are decided at the top only"""
# C.17.3.2: macros of a content item by its value type; the table lists what they ask as if all were included
_VALUE_TYPES: Mapping[int, frozenset[str]] = {
    tag(keyword): frozenset(types.split())
    for keyword, types in {
        "TextValue": "TEXT",
        "DateTime": "DATETIME",
        "Date": "DATE",
        "Time": "TIME",
        "PersonName": "PNAME",
        "UID": "UIDREF",
        "ConceptCodeSequence": "CODE",
        "MeasuredValueSequence": "NUM",
        "ReferencedSOPSequence": "IMAGE COMPOSITE WAVEFORM",
        "ContinuityOfContent": "CONTAINER",
        "GraphicData": "SCOORD SCOORD3D",
        "GraphicType": "SCOORD SCOORD3D",
        "ReferencedFrameOfReferenceUID": "SCOORD3D",
        "TemporalRangeType": "TCOORD",
        "TabulatedValuesSequence": "TABLE",
    }.items()
}


def required(module: str, attribute: int, kind: str, here: Place) -> bool | None:
    """Whether an attribute of a type is required here; None when the object doesn't tell."""
    if attribute in _VALUE_TYPES and (module == "sr-document-content" or here.has("ValueType")):
        return here.first("ValueType") in _VALUE_TYPES[attribute] if here.has("ValueType") else None
    if kind in ("1", "2"):
        return True
    condition = CONDITIONS.get(attribute) if kind in ("1C", "2C") else None
    nested = here.item is not here.tree.elements
    if condition is None or _ONLY_IN.get(attribute, module) != module or (nested and attribute not in _ANYWHERE):
        return None
    return condition(here)
