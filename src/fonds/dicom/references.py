"""What an object points to, as flat rows, and where in it each UID of a reference stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from fonds.dicom.relations import (
    CODE,
    CONCATENATION,
    CONCEPT,
    EVIDENCE,
    FRAMES,
    FRAMEWISE,
    POINTING,
    PRESENTATION,
    SEGMENTATIONS,
    SERIES,
    SOP_CLASS,
    SOPS,
    STUDY,
    STUDY_REFERENCES,
    UID_CONCEPTS,
    UID_VALUE,
    WALKED,
    keyword_of,
    otherwise,
    relation_of,
)
from fonds.dicom.values import Elements, uid_text

_OWN_CLASS = 0x00080016


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
    otherwise: str
    study: Slot | None = None
    series: Slot | None = None
    frame: Slot | None = None


class _Kind(NamedTuple):
    presentation: bool
    segmentation: bool


def needs_lengthy(elements: Elements) -> bool:
    """Whether only an object's functional groups or contours can tell which objects it was made of.

    Enhanced images, segmentations and structure sets repeat the objects their frames and contours name in a short
    list (`EVIDENCE`); where that names none, the long sequences have to be read.
    """
    if _uid(elements, _OWN_CLASS) not in FRAMEWISE:
        return False
    listed = {tag: elements[tag] for tag in EVIDENCE.intersection(elements)}
    return all(pointer.sop is None for pointer in pointers(listed))


def references(elements: Elements) -> list[Reference]:
    """Every distinct reference of an object, in the order of its attributes."""
    found: dict[tuple[str | None, ...], Reference] = {}
    for pointer in pointers(elements):
        found.setdefault(pointer.reference[1:], pointer.reference)
    return list(found.values())


def pointers(elements: Elements) -> Iterator[Pointer]:
    """Every reference of an object, also those made twice, in the order of its attributes, with its places.

    The one definition of which item says the study, the series, the frame of reference and the object: what is
    catalogued and what is rewritten when a UID changes both come from here. `elements` hold at least `SEQUENCES` of
    `relations`, their items at least `NESTED`. Where they hold `LENGTHY` too, those are walked like the others.
    """
    concatenation = _slot(elements, (CONCATENATION,))
    if concatenation is not None:
        at = _Context(keyword_of(CONCATENATION), "concatenation-source", "")
        yield _pointer(at, concatenation)
    own = _uid(elements, _OWN_CLASS) or ""
    kind = _Kind(own.startswith(PRESENTATION), own in SEGMENTATIONS)
    # per-object by nature: the tree of one object
    for tag in sorted(POINTING.intersection(elements)):
        yield from _below(tag, elements[tag][1], _Context("", "", otherwise(tag)), kind)


def _below(tag: int, value: bytes | list[Elements], outer: _Context, kind: _Kind) -> Iterator[Pointer]:
    if isinstance(value, bytes):
        return
    carrier = f"{outer.carrier}.{keyword_of(tag)}".lstrip(".")
    relation = outer.relation or relation_of(tag, **kind._asdict())
    of_study = tag in STUDY_REFERENCES
    for item in value:
        sop, series, frame = _slot(item, SOPS), _slot(item, (SERIES,)), _slot(item, FRAMES)
        study = (sop if of_study else None) or _slot(item, (STUDY,))
        inner = _Context(
            carrier,
            relation,
            outer.otherwise,
            study or outer.study,
            series or outer.series,
            frame or outer.frame,
        )
        if sop is not None and not of_study:
            yield _pointer(inner, sop)
        below = False
        named = _named_by_content(item, carrier, relation or outer.otherwise)
        if named is not None:
            yield named
        for child in sorted(item):
            if item[child][0] == "SQ" and child in WALKED:
                for pointer in _below(child, item[child][1], inner, kind):
                    below = True
                    yield pointer
        # nothing below and no object of its own: the study, series or frame of reference itself is what is meant
        names_one = study is not None or series is not None or said(inner.frame) != said(outer.frame)
        if names_one and not below and (sop is None or of_study):
            yield _pointer(inner, None)


def _named_by_content(item: Elements, carrier: str, relation: str) -> Pointer | None:
    """What a content item of type UIDREF names (PS3.3 C.18.9): its concept name says of which level the UID is."""
    uid = _slot(item, (UID_VALUE,))
    concept = item.get(CONCEPT, ("SQ", b""))[1]
    if uid is None or not concept or isinstance(concept, bytes):
        return None
    level = UID_CONCEPTS.get(_uid(concept[0], CODE) or "")
    if level is None:
        return None
    slots: list[Slot | None] = [uid if place == level else None for place in range(4)]
    study, series, frame, sop = slots
    return _pointer(_Context(carrier, relation, "", study, series, frame), sop)


def _pointer(at: _Context, sop: Slot | None) -> Pointer:
    reference = Reference(
        at.carrier,
        at.relation or at.otherwise,
        said(at.study),
        said(at.series),
        _uid(sop.item, SOP_CLASS) if sop is not None and sop.tag in SOPS else None,
        said(sop),
        said(at.frame),
    )
    return Pointer(reference, at.study, at.series, sop, at.frame)


def said(slot: Slot | None) -> str | None:
    """The UID in a slot."""
    return None if slot is None else _uid(slot.item, slot.tag)


def _slot(item: Elements, tags: tuple[int, ...]) -> Slot | None:
    return next((Slot(item, tag) for tag in tags if _uid(item, tag) is not None), None)


def _uid(elements: Elements, tag: int) -> str | None:
    element = elements.get(tag)
    if element is None or not isinstance(element[1], bytes):
        return None
    return uid_text(element[1]) or None
