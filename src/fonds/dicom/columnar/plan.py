"""What the kernels look for, as plain arrays: tags in order with what becomes of each, VRs, transfer syntaxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import tag_for_keyword

from fonds.dicom.framing import (
    BIG_ENDIAN,
    DEFLATED_SYNTAXES,
    IMPLICIT_SYNTAXES,
    claims_encapsulation,
)
from fonds.dicom.parsed import CHARACTER_SET, PIXEL_TAGS, Wanted
from fonds.dicom.relations import (
    CODE,
    CONCATENATION,
    CONCEPT,
    CONTAINERS,
    EVIDENCE,
    FRAMES,
    FRAMEWISE,
    LEAVES,
    POINTING,
    PRESENTATION,
    RELATIONS,
    SEGMENTATIONS,
    SEQUENCES,
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
from fonds.dicom.terms import LONG_VRS, SHORT_VRS, transfer_syntaxes
from fonds.dicom.values import CODED_VRS, PLAIN_VRS, TEXTUAL

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
UNDEFINED = 0xFFFFFFFF

VRS: tuple[str, ...] = ("", *sorted(LONG_VRS | SHORT_VRS))
"""VRs by the number the kernels know them by; 0 is none."""
SQ, UN = VRS.index("SQ"), VRS.index("UN")
NO_TEXT, CODED, PLAIN, NUMBER = 0, 1, 2, 3
"""Classes of VRs."""

# roles of tags: a column's or leaf's number from 0 on, a sequence's number counted down from FIRST_SEQUENCE, or these
NONE, PIXELS, NEVER, FIRST_SEQUENCE = -1, -2, -3, -10
SEGMENTATION_CLASSES = len(SEGMENTATIONS)
# flags of transfer syntaxes
IMPLICIT, BIG, DEFLATED, NATIVE, ENCAPSULATED = 1, 2, 4, 8, 16
# what an object is, as far as it decides what its references mean
ANY, SEGMENTED, PRESENTATIONS = 0, 1, 2
# facts by the sequence they stand in
REQUEST, OTHER_ID, QUALIFIERS, ACCESSION_ISSUER, TITLE = 1, 2, 3, 4, 5
_FACTS = {
    "RequestAttributesSequence": REQUEST,
    "ReferencedRequestSequence": REQUEST,
    "OtherPatientIDsSequence": OTHER_ID,
    "IssuerOfPatientIDQualifiersSequence": QUALIFIERS,
    "IssuerOfAccessionNumberSequence": ACCESSION_ISSUER,
    "ConceptNameCodeSequence": TITLE,
}

SEQUENCE_TAGS: tuple[int, ...] = tuple(sorted(SEQUENCES | WALKED))
RELATION_NAMES: tuple[str, ...] = tuple(
    dict.fromkeys(("concatenation-source", *RELATIONS.values(), *CONTAINERS.values()))
)
_NO_TAG = 1 << 32
_OWN_CLASS, _ORIGINAL = 0x00080016, 0x04000561
_FACT_LEAVES = (
    ("", 0),
    ("AccessionNumber", 0),
    ("PatientID IssuerOfPatientID TypeOfPatientID", 0),
    ("UniversalEntityID UniversalEntityIDType", 0),
    ("LocalNamespaceEntityID UniversalEntityID", 2),
    ("CodeValue LongCodeValue URNCodeValue", 4),
)
_REFERENCE_LEAVES = (STUDY, SERIES, SOP_CLASS, UID_VALUE, CODE, *SOPS, *FRAMES)


# columns of the plan's tables
TAG, ROLE, DICTIONARY = range(3)
HEAD, CLASS = range(2)
IS_CODED, IS_META = range(2)
FACT, OF_STUDY, POINTS, LISTS, OTHERWISE, RELATION = range(6)
FIRST_PLACE = 3
# places in `Plan.reference_leaves`; the elements that name an object stand before those that name a frame of reference
STUDY_LEAF, SERIES_LEAF, CLASS_LEAF, UID_LEAF, CODE_LEAF, SOP_LEAVES = range(6)
FRAME_LEAVES = SOP_LEAVES + len(SOPS)
# places in `Plan.special`
CHARSET_SLOT, CLASS_SLOT, SOURCE_SLOT, COLUMNS, CONCEPT_SEQUENCE, ORIGINAL_SEQUENCE = range(6)
SYNTAXES, CONCEPTS, CREATORS = range(6, 9)


class Plan(NamedTuple):
    """Arrays that tell the kernels what to look for; few, as each costs compiling time where it is handed on."""

    tags: Ints
    """wanted tags in order: tag, role, number of the dictionary's VR; the last is a tag no element has"""
    meta: Ints
    """the same for group 2"""
    nested: Ints
    """the same for items"""
    vr_numbers: Ints
    """number of the VR by its two letters, each counted from A"""
    vrs: Ints
    """bytes of the element's head and class, by VR"""
    columns: Ints
    """1 for a column that Specific Character Set governs, 1 for one of group 2, which is always little endian"""
    texts: Bytes
    """transfer syntaxes, the beginning of the SOP classes of presentation states, SOP classes whose frames name sources
    (segmentations first), concept names of UIDs, private creators"""
    places: Ints
    """where each of them begins"""
    flags: Ints
    """of each text before the creators: of transfer syntaxes, and the level of which a concept's UID is"""
    sequences: Ints
    """kind of fact (0 none); 1 when its items name a study by instance, when it holds references, when it lists what
    frames name; the relation of what has none in it; the relation it states, by what the object is (-1 none)"""
    facts: Ints
    """leaves an item tells by the kind of fact (-1 none), and the place of the first of them in a row"""
    reference_leaves: Ints
    """leaves a reference is made of, see `STUDY_LEAF` and following"""
    private: Ints
    """a row for each private attribute: group, number in its block, number of its creator, column, VR"""
    special: Ints
    """slots of Specific Character Set, SOP Class UID (-1 not wanted) and the source of a concatenation, number of
    columns, sequences of concept names and of original attributes, where in the texts syntaxes end, and concepts and
    creators begin"""


class Layout(NamedTuple):
    """A plan and the texts behind its numbers."""

    plan: Plan
    columns: tuple[str, ...]
    syntaxes: tuple[str, ...]


_layouts: dict[int, tuple[Wanted, Layout]] = {}


def layout(want: Wanted) -> Layout:
    """The kernels' tables for what is wanted; made once for each."""
    known = _layouts.get(id(want))
    if known is None:
        known = _layouts[id(want)] = want, _layout(want)
    return known[1]


def _layout(want: Wanted) -> Layout:
    columns = tuple(want.by_tag.values())
    number = {tag: column for column, tag in enumerate(want.by_tag)}
    charset, source = number.get(CHARACTER_SET, len(columns)), number.get(CONCATENATION, len(columns) + 1)
    sequence = {tag: FIRST_SEQUENCE - index for index, tag in enumerate(SEQUENCE_TAGS)}
    never = dict.fromkeys((ITEM, ITEM_END, SEQUENCE_END), NEVER)
    top = {
        **{tag: sequence[tag] for tag in want.top if tag in sequence},
        **{tag: column for tag, column in number.items() if tag >> 16 > 2},
        CHARACTER_SET: charset,
        CONCATENATION: source,
        **dict.fromkeys(PIXEL_TAGS, PIXELS),
        **never,
    }
    nested = {**{tag: sequence[tag] for tag in want.nested if tag in sequence}}
    nested |= {tag: leaf for leaf, tag in enumerate(LEAVES)}
    meta = {tag: column for tag, column in number.items() if tag >> 16 == 2}
    syntaxes = _syntaxes()
    private = [
        (word.group, word.number, index, number[key], VRS.index(word.vr))
        for index, (key, word) in enumerate(want.private)
    ]
    creators = [word.creator.strip(" \0") for _, word in want.private]
    kinds = (ANY, SEGMENTED, PRESENTATIONS)
    sequences = (SEQUENCE_TAGS.index(tag) for tag in (CONCEPT, _ORIGINAL))
    concepts = len(syntaxes) + 1 + len(FRAMEWISE)
    plan = Plan(
        _table(top, want.vrs),
        _table(meta, want.vrs),
        _table(nested, want.vrs),
        _vr_numbers(),
        _ints((8 if vr in SHORT_VRS else 12, _vr_class(vr)) for vr in VRS),
        _ints((want.vrs.get(tag, "") in CODED_VRS, tag >> 16 == 2) for tag in want.by_tag),
        *_joined((*syntaxes, PRESENTATION, *FRAMEWISE, *UID_CONCEPTS, *creators)),
        _ints((*(_flags(uid) for uid in syntaxes), *(0 for _ in (PRESENTATION, *FRAMEWISE)), *UID_CONCEPTS.values())),
        _ints(
            (
                _FACTS.get(keyword_of(tag), 0),
                tag in STUDY_REFERENCES,
                tag in POINTING,
                tag in EVIDENCE,
                RELATION_NAMES.index(otherwise(tag)),
                *(_relation(tag, kind) for kind in kinds),
            )
            for tag in SEQUENCE_TAGS
        ),
        _ints((*_leaves(words), place) for words, place in _FACT_LEAVES),
        _ints(LEAVES.index(tag) for tag in _REFERENCE_LEAVES),
        _ints(private).reshape(-1, 5),
        _ints(
            (
                *(charset, number.get(_OWN_CLASS, -1), source, len(columns), *sequences),
                *(len(syntaxes), concepts, concepts + len(UID_CONCEPTS)),
            )
        ),
    )
    return Layout(plan, columns, syntaxes)


def _ints(values: Iterable[int | tuple[int, ...]]) -> Ints:
    return np.array(list(values), dtype=np.int64)


def _table(roles: dict[int, int], vrs: dict[int, str]) -> Ints:
    rows = [(tag, roles[tag], VRS.index(vrs[tag]) if tag in vrs else 0) for tag in sorted(roles)]
    return _ints((*rows, (_NO_TAG, NONE, 0)))


def _joined(texts: Iterable[str]) -> tuple[Bytes, Ints]:
    encoded = [text.encode("utf-8") for text in texts]
    places = np.cumsum([0, *(len(text) for text in encoded)], dtype=np.int64)
    return np.frombuffer(b"".join(encoded) or b"\0", dtype=np.uint8).copy(), places


def _leaves(words: str) -> tuple[int, ...]:
    leaves = [LEAVES.index(tag_for_keyword(word) or 0) for word in words.split()]
    return (*leaves, *(-1 for _ in range(3 - len(leaves))))


def _vr_numbers() -> Ints:
    numbers = np.zeros(26 * 26, dtype=np.int64)
    for index, vr in enumerate(VRS[1:], start=1):
        numbers[(ord(vr[0]) - 65) * 26 + ord(vr[1]) - 65] = index
    return numbers


def _vr_class(vr: str) -> int:
    if vr in CODED_VRS:
        return CODED
    if vr in PLAIN_VRS:
        return PLAIN
    return NUMBER if vr in TEXTUAL else NO_TEXT


def _relation(tag: int, kind: int) -> int:
    name = relation_of(tag, presentation=kind == PRESENTATIONS, segmentation=kind == SEGMENTED)
    return RELATION_NAMES.index(name) if name else -1


def _syntaxes() -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(syntax.uid for syntax in transfer_syntaxes()), *sorted(IMPLICIT_SYNTAXES))))


def _flags(uid: str) -> int:
    claims = claims_encapsulation(uid)
    flags = NATIVE if claims is False else ENCAPSULATED if claims else 0
    flags |= IMPLICIT if uid in IMPLICIT_SYNTAXES else 0
    flags |= BIG if uid == BIG_ENDIAN else 0
    return flags | (DEFLATED if uid in DEFLATED_SYNTAXES else 0)
