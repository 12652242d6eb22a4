"""Expected duplicates: the classes a to j of the design's section 4, from what was written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

from fonds.samples.expect import empty
from fonds.samples.seen import Seen
from fonds.samples.sources import DEPARTMENTS

Row = tuple[str, str, str]


def duplicates(files: list[Seen]) -> set[Row]:
    """Rows of class, source and member (location, or study UID for g, h and i)."""
    rows = [file for file in files if not empty(file.get("SOPInstanceUID"))]
    renamed = _renamed_studies(rows)
    return _same_uid(rows) | _same_picture(rows, renamed) | _studies(rows, renamed)


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
    return "b" if kept.own_values() == copy.own_values() else "c"


def _same_picture(rows: list[Seen], renamed: dict[str, Hashable]) -> set[Row]:
    found: set[Row] = set()
    pictures: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        if row.stored_pixels is not None and (row.pixel_length or 0) >= 64:
            pictures[row.stored_pixels].append(row)
        if row.stored_pixels is not None and row.get("StudyInstanceUID") in renamed:
            found.add(("j", row.source, row.location))
    for members in pictures.values():
        if len({row.get("SOPInstanceUID") for row in members}) > 1:
            found |= {
                ("e", row.source, row.location) for row in members if ("j", row.source, row.location) not in found
            }
    return found


def _renamed_studies(rows: list[Seen]) -> dict[str, Hashable]:
    """Studies all of whose pictures are those of another study under other UIDs, with the pictures."""
    pictures: dict[tuple[str, ...], set[str]] = defaultdict(set)
    objects: dict[str, dict[str, str]] = {}
    for study, members in _groups(rows, "StudyInstanceUID").items():
        held = {row.get("SOPInstanceUID"): row.stored_pixels for row in members if row.stored_pixels is not None}
        if study and held:
            objects[study] = held
            pictures[tuple(sorted(held.values()))].add(study)
    return {
        study: content
        for content, studies in pictures.items()
        for study in studies
        if any(other != study and not objects[other].keys() & objects[study].keys() for other in studies)
    }


def _studies(rows: list[Seen], renamed: dict[str, Hashable]) -> set[Row]:
    found: set[Row] = set()
    examinations: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for study, members in _groups(rows, "StudyInstanceUID").items():
        if not study:
            continue
        held: dict[str, set[str]] = defaultdict(set)
        ids: dict[str, set[str]] = defaultdict(set)
        for row in members:
            held[row.source].add(row.get("SOPInstanceUID"))
            ids[row.source] |= {row.get("PatientID").strip(" ")} - {""}
            key = (row.get("PatientID").strip(" "), row.get("AccessionNumber").strip(" "), row.get("StudyDate"))
            if all(key[:2]) and study not in renamed:
                examinations[row.source, *key].add(study)
        persons = {row.planned.person for row in members}
        if len(persons) > 1 or any(len(found_ids) > 1 for found_ids in ids.values()):
            found |= {("g", source, study) for source in held}
        if len({frozenset(objects) for objects in held.values()}) > 1:
            found |= {("i", source, study) for source in held}
    for (source, *_), studies in examinations.items():
        if len(studies) > 1:
            found |= {("h", source, study) for study in studies}
    return found
