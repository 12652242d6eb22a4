"""What an object points to: evidence, content, presentation, segmentation, RT and source references as flat rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from pydicom.datadict import keyword_for_tag, tag_for_keyword

from fonds.dicom.values import Elements, uid_text


class Reference(NamedTuple):
    """One struct of the `references` column; what the object doesn't say is None."""

    carrier: str
    relation: str
    study_uid: str | None
    series_uid: str | None
    sop_class_uid: str | None
    sop_uid: str | None
    frame_of_reference_uid: str | None


class Slot(NamedTuple):
    """Where a UID of a reference stands: the item (the very object of the tree) and the element in it."""

    item: Elements
    tag: int


class Pointer(NamedTuple):
    """A reference, and where each UID it is made of stands; outer items may be shared with other references."""

    reference: Reference
    study: Slot | None
    series: Slot | None
    sop: Slot | None
    frame: Slot | None


class _Context(NamedTuple):
    """What the items around say, with the slots that say it."""

    carrier: str
    relation: str
    study: Slot | None
    series: Slot | None
    frame: Slot | None


def _tag(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return int(tag)


RELATIONS: dict[int, str] = {
    _tag(keyword): relation
    for keyword, relation in {
        # SR and KOS documents (PS3.3 C.17.2), and what their content tree shows (C.17.3, C.18)
        "CurrentRequestedProcedureEvidenceSequence": "evidence",
        "PertinentOtherEvidenceSequence": "other-evidence",
        "PredecessorDocumentsSequence": "predecessor",
        "IdenticalDocumentsSequence": "identical-document",
        "ContentSequence": "content",
        # presentation states (C.11.11, C.11.14), common instance reference (C.12.2)
        "ReferencedSeriesSequence": "referenced-instance",
        "StudiesContainingOtherReferencedInstancesSequence": "referenced-instance",
        "BlendingSequence": "presentation",
        # radiotherapy (C.8.8.5, C.8.8.9 and following)
        "ReferencedFrameOfReferenceSequence": "rt-image",
        "ReferencedStructureSetSequence": "rt-structure",
        "ReferencedRTPlanSequence": "rt-plan",
        "ReferencedDoseSequence": "rt-dose",
        "ReferencedTreatmentRecordSequence": "rt-record",
        # encapsulated documents (C.24.2)
        "SourceInstanceSequence": "document-source",
        # images and waveforms (C.7.6.1, C.7.6.16, C.8.13.2), registrations (C.20.2)
        "SourceImageSequence": "source-image",
        "SourceImageEvidenceSequence": "source-image",
        "ReferencedImageSequence": "referenced-image",
        "ReferencedImageEvidenceSequence": "referenced-image",
        "ReferencedInstanceSequence": "referenced-instance",
        "ReferencedWaveformSequence": "referenced-waveform",
        "RegistrationSequence": "registration",
        "ReferencedStudySequence": "referenced-study",
    }.items()
}
_SHARED, _PER_FRAME = _tag("SharedFunctionalGroupsSequence"), _tag("PerFrameFunctionalGroupsSequence")
FUNCTIONAL_GROUPS = frozenset((_SHARED, _PER_FRAME))
"""Read only where nothing else says what a segmentation was drawn on: they are as long as the object has frames."""
_POINTING = frozenset(RELATIONS) | FUNCTIONAL_GROUPS
SERIES_REFERENCES = _tag("ReferencedSeriesSequence")
STUDY_REFERENCES = frozenset((_tag("ReferencedStudySequence"), _tag("RTReferencedStudySequence")))
"""Sequences whose items name a study by its SOP instance, which has the study's UID."""
_SOP_CLASS, _SOP = _tag("ReferencedSOPClassUID"), _tag("ReferencedSOPInstanceUID")
_STUDY, _SERIES, _FRAME = _tag("StudyInstanceUID"), _tag("SeriesInstanceUID"), _tag("FrameOfReferenceUID")
_OWN_CLASS = _tag("SOPClassUID")
PRESENTATION, SEGMENTATIONS = "1.2.840.10008.5.1.4.1.1.11.", "1.2.840.10008.5.1.4.1.1.66."

_FACTS = (
    "RequestAttributesSequence ReferencedRequestSequence OtherPatientIDsSequence IssuerOfPatientIDQualifiersSequence "
    "IssuerOfAccessionNumberSequence ConceptNameCodeSequence OriginalAttributesSequence"
)
FACTS: frozenset[int] = frozenset(_tag(word) for word in _FACTS.split())
"""Top-level sequences that hold facts rather than references."""
SEQUENCES: frozenset[int] = frozenset(RELATIONS) | FACTS
"""Top-level sequences that are read."""
_CARRIERS = (
    "ReferencedSOPSequence RTReferencedStudySequence RTReferencedSeriesSequence ContourImageSequence "
    "DerivationImageSequence"
)
BETWEEN: frozenset[int] = frozenset(_tag(word) for word in _CARRIERS.split())
"""Sequences that lead to references but are no kind of reference by themselves."""
_INSIDE = (
    "SpecificCharacterSet ReferencedSOPClassUID ReferencedSOPInstanceUID StudyInstanceUID SeriesInstanceUID "
    "FrameOfReferenceUID AccessionNumber PatientID IssuerOfPatientID TypeOfPatientID LocalNamespaceEntityID "
    "UniversalEntityID UniversalEntityIDType CodeValue LongCodeValue URNCodeValue"
)
LEAVES: tuple[int, ...] = tuple(_tag(word) for word in _INSIDE.split())
"""Elements of items that are read for their values."""
NESTED: frozenset[int] = frozenset(RELATIONS) | BETWEEN | frozenset(LEAVES)
"""Elements of items that are read."""


def needs_functional_groups(elements: Elements) -> bool:
    """Whether an object is a segmentation or map whose sources only its functional groups can tell."""
    own = _uid(elements, _OWN_CLASS) or ""
    return own.startswith(SEGMENTATIONS) and SERIES_REFERENCES not in elements


def relation_of(tag: int, *, presentation: bool, segmentation: bool) -> str:
    """What a top-level sequence points to, in a presentation state, a segmentation (or map), or any other object."""
    relation = RELATIONS.get(tag, "segmentation-source")
    if tag == SERIES_REFERENCES and presentation:
        relation = "presentation"
    if relation in ("referenced-instance", "source-image") and segmentation:
        relation = "segmentation-source"
    return relation


def references(elements: Elements) -> list[Reference]:
    """Every distinct reference of an object, in the order of its attributes."""
    found: dict[tuple[str | None, ...], Reference] = {}
    for pointer in pointers(elements):
        found.setdefault(pointer.reference[1:], pointer.reference)
    return list(found.values())


def pointers(elements: Elements) -> Iterator[Pointer]:
    """Every reference of an object, also those made twice, in the order of its attributes, with its places.

    The one definition of which item says the study, the series, the frame of reference and the object: what is
    catalogued and what is rewritten when a UID changes both come from here. `elements` hold at least `SEQUENCES` (and
    `FUNCTIONAL_GROUPS` where `needs_functional_groups`), their items at least `NESTED`.
    """
    own = _uid(elements, _OWN_CLASS) or ""
    presentation, segmentation = own.startswith(PRESENTATION), own.startswith(SEGMENTATIONS)
    # per-object by nature: the tree of one object
    for tag in sorted(_POINTING.intersection(elements)):
        relation = relation_of(tag, presentation=presentation, segmentation=segmentation)
        yield from _below(tag, elements[tag][1], _Context("", relation, None, None, None))


def _below(tag: int, value: bytes | list[Elements], outer: _Context) -> Iterator[Pointer]:
    if isinstance(value, bytes):
        return
    carrier = f"{outer.carrier}.{keyword_of(tag)}".lstrip(".")
    for item in value:
        of_study = tag in STUDY_REFERENCES
        sop, series, frame = _slot(item, _SOP), _slot(item, _SERIES), _slot(item, _FRAME)
        study = sop if of_study else _slot(item, _STUDY)
        inner = _Context(carrier, outer.relation, study or outer.study, series or outer.series, frame or outer.frame)
        if sop is not None and not of_study:
            yield _pointer(inner, sop)
        below = False
        for child in sorted(item):
            if item[child][0] == "SQ" and (child in RELATIONS or child in BETWEEN):
                for pointer in _below(child, item[child][1], inner):
                    below = True
                    yield pointer
        # nothing below and no object of its own: the series, study or frame of reference itself is what is meant
        names_one = series is not None or said(inner.frame) != said(outer.frame) or (of_study and sop is not None)
        if names_one and not below and (sop is None or of_study):
            yield _pointer(inner, None)


def _pointer(at: _Context, sop: Slot | None) -> Pointer:
    reference = Reference(
        at.carrier,
        at.relation,
        said(at.study),
        said(at.series),
        None if sop is None else _uid(sop.item, _SOP_CLASS),
        said(sop),
        said(at.frame),
    )
    return Pointer(reference, at.study, at.series, sop, at.frame)


def said(slot: Slot | None) -> str | None:
    """The UID in a slot."""
    return None if slot is None else _uid(slot.item, slot.tag)


def _slot(item: Elements, tag: int) -> Slot | None:
    return Slot(item, tag) if _uid(item, tag) is not None else None


def _uid(elements: Elements, tag: int) -> str | None:
    element = elements.get(tag)
    if element is None or not isinstance(element[1], bytes):
        return None
    return uid_text(element[1]) or None


@cache
def keyword_of(tag: int) -> str:
    """The keyword PS3.6 has for a tag."""
    return str(keyword_for_tag(tag))
