"""Expected gaps of references: what points to nothing, to somebody else, to the wrong class or to one of several."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fonds.samples import chains, documents
from fonds.samples.seen import Seen

Gap = tuple[str, str, str, str]
"""Kind, source, study UID, entity."""
_PLACED = (documents.SEG, documents.RTSTRUCT, chains.REG, chains.RTDOSE)


def is_image(row: Seen) -> bool:
    """Pixels of a patient, or a waveform: no mask and no dose."""
    drawn = row.get("SOPClassUID") in _PLACED
    return (
        row.pixel_length is not None or row.planned.status == "partial" or row.get("Modality") == "ECG"
    ) and not drawn


def link_gaps(rows: list[Seen]) -> set[Gap]:
    """All gaps that references make, but those of rejection notes."""
    holders: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        holders[row.get("SOPInstanceUID")].append(row)
    frames = {row.get("FrameOfReferenceUID") for row in rows if is_image(row)}
    studies: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        studies[row.get("StudyInstanceUID")].add(row.source)
    found = {
        (kind, row.source, row.get("StudyInstanceUID"), entity) for row in rows for kind, entity in _of(row, holders)
    }
    for row in rows:
        place = (row.source, row.get("StudyInstanceUID"))
        lost = [uid for uid in row.frames if uid not in frames and not _named(row, uid)]
        found |= {("dangling-reference", *place, uid) for uid in lost}
        found |= {("referenced-study-missing", *place, study) for study in row.studies if study not in studies}
        own = row.get("FrameOfReferenceUID")
        dangles = lost or any(pointer.sop not in holders for pointer in row.pointers)
        if row.get("SOPClassUID") in _PLACED and own and own not in frames and not dangles:
            found.add(("frame-of-reference-unknown", *place, own))
    return found | _into(rows, holders, studies, found)


def _named(row: Seen, frame: str) -> bool:
    """Whether the images the object names by a frame are told one by one: then those are what is missing."""
    return frame == row.get("FrameOfReferenceUID") and bool(row.pointers)


def _of(row: Seen, holders: dict[str, list[Seen]]) -> Iterator[tuple[str, str]]:
    for pointer in row.pointers:
        held = holders.get(pointer.sop, [])
        if not held:
            yield "dangling-reference", pointer.sop
            continue
        if all(other.planned.person != row.planned.person for other in held):
            yield "other-patient", pointer.sop
        if len({other.decoded_pixels for other in held}) > 1:
            yield "ambiguous-reference", pointer.sop
        elif pointer.sop_class and pointer.sop_class not in {
            other.get("SOPClassUID") or pointer.sop_class for other in held
        }:
            yield "class-differs", pointer.sop
    if row.get("Modality") == "SR":
        listed = {pointer.sop for pointer in row.pointers if pointer.carrier != "ContentSequence"}
        if any(pointer.sop not in listed for pointer in row.pointers):
            yield "evidence-incomplete", row.get("SOPInstanceUID")


def _into(rows: list[Seen], holders: dict[str, list[Seen]], studies: dict[str, set[str]], told: set[Gap]) -> set[Gap]:
    """What objects elsewhere say is in a study that an archive holds, and is not."""
    return {
        ("dangling-in", source, pointer.study, pointer.sop)
        for row in rows
        for pointer in row.pointers
        if pointer.sop not in holders and pointer.study
        for source in studies.get(pointer.study, ())
        if ("dangling-reference", source, pointer.study, pointer.sop) not in told
    }


def rejected(rows: list[Seen]) -> set[tuple[str, str, str]]:
    """Files that a rejection note of their patient takes back, with the note's title: (source, location, title).

    Where files of several contents have the UID that a note names, nobody knows which is meant: none is rejected.
    """
    found = set()
    for note in rows:
        title = note.title
        if title not in documents.REJECTED:
            continue
        for uid in note.references:
            held = [row for row in rows if row.get("SOPInstanceUID") == uid]
            if len({row.decoded_pixels for row in held}) == 1:
                found |= {
                    (row.source, row.location, title) for row in held if row.planned.person == note.planned.person
                }
    return found
