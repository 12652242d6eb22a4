"""Expected duplicates: the classes a to j of the design's section 4, from what was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import combinations

from fonds.samples.expect import empty
from fonds.samples.seen import Seen
from fonds.samples.sources import DEPARTMENTS

Row = tuple[str, str, str]


def duplicates(files: list[Seen]) -> set[Row]:
    """Rows of class, source and member (location, or study UID for g, h and i)."""
    rows = [file for file in files if not empty(file.get("SOPInstanceUID"))]
    return _same_uid(rows) | _same_picture(rows) | _studies(rows)


def _groups(rows: Iterable[Seen], key: str) -> dict[str, list[Seen]]:
    found: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        found[row.get(key)].append(row)
    return found


def _order(row: Seen) -> tuple[int, str]:
    return DEPARTMENTS.index(row.source), row.location


def _same_uid(rows: list[Seen]) -> set[Row]:
    found: set[Row] = set()
    for members in _groups(rows, "SOPInstanceUID").values():
        kept, *copies = sorted(members, key=_order)
        for copy in copies:
            relation = _relation(kept, copy)
            found |= {(relation, row.source, row.location) for row in (kept, copy)}
        if len({(row.get("StudyInstanceUID"), row.get("SeriesInstanceUID")) for row in members}) > 1:
            found |= {("f", row.source, row.location) for row in members}
    return found


def _relation(kept: Seen, copy: Seen) -> str:
    if kept.file_digest == copy.file_digest:
        return "a"
    if kept.decoded_pixels != copy.decoded_pixels:
        return "d"
    return "b" if _content(kept) == _content(copy) else "c"


def _content(row: Seen) -> dict[str, str]:
    """What it says, whatever the character set it says it in."""
    return {word: text for word, text in row.own_values().items() if word != "SpecificCharacterSet"}


def _same_picture(rows: list[Seen]) -> set[Row]:
    found = {("j", row.source, row.location) for row in retrieved(rows)}
    pictures: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        if row.stored_pixels is not None and row.decoded_pixels and row.shows:
            pictures[row.decoded_pixels].append(row)
    for members in pictures.values():
        # of retrieved copies it is known already
        others = [row for row in members if ("j", row.source, row.location) not in found]
        if len({row.get("SOPInstanceUID") for row in others}) > 1:
            found |= {("e", row.source, row.location) for row in others}
    return found


def retrieved(rows: list[Seen]) -> list[Seen]:
    """Images of studies that are another study's under new UIDs, one for one, or say whose copies they are."""
    renamed = _renamed_studies(rows)
    images = {row.get("SOPInstanceUID"): row for row in rows if row.stored_pixels is not None}
    copies = [
        (row, images[uid])
        for row in rows
        for uid in row.originals
        if uid in images and uid != row.get("SOPInstanceUID") and images[uid].decoded_pixels == row.decoded_pixels
    ]
    traced = {row.get("SOPInstanceUID") for pair in copies for row in pair}
    return [
        row
        for row in rows
        if row.stored_pixels is not None
        and (row.get("StudyInstanceUID") in renamed or row.get("SOPInstanceUID") in traced)
    ]


def _renamed_studies(rows: list[Seen]) -> dict[str, Hashable]:
    """Studies all of whose pictures are those of another study under other UIDs, with the pictures."""
    pictures: dict[tuple[str, ...], set[str]] = defaultdict(set)
    objects: dict[str, dict[str, str]] = {}
    for study, members in _groups(rows, "StudyInstanceUID").items():
        held = {
            row.get("SOPInstanceUID"): row.decoded_pixels
            for row in members
            if row.stored_pixels is not None and row.decoded_pixels and row.shows
        }
        if study and held:
            objects[study] = held
            pictures[tuple(sorted(held.values()))].add(study)
    return {
        study: content
        for content, studies in pictures.items()
        for study in studies
        if any(other != study and not objects[other].keys() & objects[study].keys() for other in studies)
    }


def _studies(rows: list[Seen]) -> set[Row]:
    found: set[Row] = set()
    sources: dict[str, set[str]] = defaultdict(set)
    for study, members in _groups(rows, "StudyInstanceUID").items():
        if not study:
            continue
        held: dict[str, set[str]] = defaultdict(set)
        ids: dict[str, set[str]] = defaultdict(set)
        for row in members:
            sources[study].add(row.source)
            held[row.source].add(row.get("SOPInstanceUID"))
            ids[row.source] |= {row.get("PatientID").strip(" ")} - {""}
        persons = {row.planned.person for row in members}
        if len(persons) > 1 or any(len(found_ids) > 1 for found_ids in ids.values()):
            found |= {("g", source, study) for source in held}
        if len({frozenset(objects) for objects in held.values()}) > 1:
            found |= {("i", source, study) for source in held}
    for a, b in again(rows):
        found |= {("h", source, study) for study in (a, b) for source in sources[study]}
    return found


def again(rows: list[Seen]) -> set[tuple[str, str]]:
    """Pairs of Study Instance UIDs, the smaller one first, under which one examination was filed.

    What an object was made in is known here, whatever it says; an image filed under another patient's study counts,
    too. Retrieved copies are another question.
    """
    copies = {row.get("StudyInstanceUID") for row in retrieved(rows)}
    filed: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        filed[row.planned.examination].add(row.get("StudyInstanceUID"))
    return {pair for studies in filed.values() for pair in combinations(sorted(studies - {""} - copies), 2)}
