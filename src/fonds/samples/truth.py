"""The truth of a block: who is who, what each file must raise, what is there twice, what points where."""

from __future__ import annotations

from fonds.samples import expect_objects, expect_people, expect_quality
from fonds.samples.expect_changes import changes
from fonds.samples.expect_context import feed_links, gaps
from fonds.samples.expect_duplicates import again, duplicates
from fonds.samples.expect_links import rejected
from fonds.samples.expect_objects import OBJECT_CHECKS, series_findings
from fonds.samples.expect_people import Finding, record_findings, record_id, study_findings
from fonds.samples.expect_quality import quality_findings
from fonds.samples.objects import Extra, Planned
from fonds.samples.orders import Told
from fonds.samples.recipe import Recipe
from fonds.samples.seen import Seen

COLUMNS: dict[str, tuple[str, ...]] = {
    "findings": ("check_id", "source", "entity", "attribute", "fault"),
    "duplicates": ("class", "source", "member"),
    "study_pairs": ("study_a", "study_b", "band", "fault"),
    "changes": ("source", "location", "attribute", "before", "after"),
    "links": ("source", "location", "to_sop_uid", "resolved"),
    "context": ("kind", "source", "study_uid", "entity"),
    "feed_links": ("feed", "kind", "id", "study_uid"),
    "rejected": ("source", "location", "title"),
    "persons": ("source", "location", "person"),
    "faults": ("fault", "source", "location", "note"),
}
JUDGED = frozenset(
    {"AR-01", "IN-01", "SE-01", "ST-06", "PT-06", *OBJECT_CHECKS, *expect_objects.SERIES_CHECKS}
    | {*expect_people.STUDY_CHECKS, *expect_people.RECORD_CHECKS, *expect_quality.CHECKS}
)
"""Checks the truth judges every file by; of others it knows nothing."""
HABIT = "habit"
"""Cause of findings that follow from how a department works, not from an injected fault."""
Missing = tuple[str, str, int]
Label = tuple[str, str, Planned | Extra]
Truth = dict[str, list[tuple[str, ...]]]


def block_truth(
    files: list[Seen], missing: list[Missing], labels: list[Label], recipe: Recipe, told: list[Told]
) -> Truth:
    """All truth tables of a block, each sorted."""
    rows = [file for file in files if file.readable]
    _one_person_a_record(rows)
    held = {file.get("SOPInstanceUID") for file in rows}
    tables: dict[str, set[tuple[str, ...]]] = {
        "duplicates": set(duplicates(rows)),
        "study_pairs": _study_pairs(rows, labels, recipe),
        "changes": {(file.source, file.location, *change) for file in rows for change in changes(file)},
        "links": {
            (file.source, file.location, uid, "true" if uid in held else "false")
            for file in rows
            for uid in file.references
        },
        "context": {*gaps(rows, told)},
        "feed_links": {*feed_links(rows, told)},
        "rejected": {*rejected(rows)},
        "persons": {(file.source, file.location, file.planned.person) for file in rows},
        "faults": {(fault, file.source, file.location, title) for fault, title, file in labels},
    }
    found = _findings(files, rows, missing)
    causes = _causes(rows, labels, recipe)
    tables["findings"] = {
        (check, source, entity, word, causes.get((check, source, entity.partition("#")[0]), HABIT))
        for check, source, entity, word in found
    }
    return {name: sorted(tables[name]) for name in COLUMNS}


def _study_pairs(rows: list[Seen], labels: list[Label], recipe: Recipe) -> set[tuple[str, ...]]:
    """Studies that are one examination, or look like it; where no fault made them so, none is expected."""
    bands = {fault.id: fault.band for fault in recipe.faults}
    studies = {(row.source, row.location): row.get("StudyInstanceUID") for row in rows}
    pairs: dict[tuple[str, str], tuple[str, str]] = {}
    for fault, _, file in labels:
        band, study = bands[fault], studies.get((file.source, file.location))
        if band is not None and isinstance(file, Planned) and study not in (None, file.exam.study_uid):
            a, b = sorted((str(study), file.exam.study_uid))
            pairs[a, b] = (band, fault)
    alike = {pair for pair, (band, _) in pairs.items() if band != "no"}
    assert alike == again(rows), "which studies are one examination is told in two ways"
    return {(*pair, *told) for pair, told in pairs.items()}


def _one_person_a_record(rows: list[Seen]) -> None:
    # records are what the matcher joins: one of two persons would make every answer about it wrong
    owners = {(row.source, record_id(row), row.planned.person) for row in rows}
    assert len(owners) == len({owner[:2] for owner in owners}), "a patient record belongs to two persons"


def _findings(files: list[Seen], rows: list[Seen], missing: list[Missing]) -> list[Finding]:
    found = [("IN-01", file.source, file.location, "") for file in files if file.planned.status == "unreadable"]
    for file in rows:
        for check, judge in OBJECT_CHECKS.items():
            attribute = judge(file)
            if attribute is not None:
                found.append((check, file.source, file.location, attribute))
    found += series_findings(rows) + study_findings(rows) + record_findings(rows) + quality_findings(rows)
    return found + [
        ("AR-01", source, f"{location}#{offset}", "ReferencedFileID") for source, location, offset in missing
    ]


def _causes(rows: list[Seen], labels: list[Label], recipe: Recipe) -> dict[tuple[str, ...], str]:
    """Which fault a finding is due to: one of those the recipe says must raise it, on a file of the entity."""
    seen = {(row.source, row.location): row for row in rows}
    checks = {fault.id: fault.checks for fault in recipe.faults}
    causes: dict[tuple[str, ...], str] = {}
    for fault, _, file in labels:
        row = seen.get((file.source, file.location))
        entities = [file.location] if row is None else [file.location, *entities_of(row)]
        for check in checks[fault]:
            for entity in entities:
                causes.setdefault((check, file.source, entity), fault)
    return causes


def entities_of(row: Seen) -> tuple[str, str, str]:
    """Series, study and record a file belongs to."""
    return row.get("SeriesInstanceUID"), row.get("StudyInstanceUID"), record_id(row)
