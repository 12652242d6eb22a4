"""The committed sample hospitals: every fault raises what the recipe says, and every check, class and rule occurs."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from fonds.project.folders import shipped
from fonds.samples.inject import Block, inject
from fonds.samples.makers import MAKERS
from fonds.samples.people import BLOCK
from fonds.samples.recipe import Recipe, fault_table, load_recipe
from fonds.samples.studies import block_exams
from fonds.samples.truth import COLUMNS, HABIT

SMALL = shipped() / "data_samples" / "small"
CHECKS = {
    *(f"IN-{number:02d}" for number in range(1, 16)),
    *(f"ST-{number:02d}" for number in (1, 2, 4, 5, 6, 9, 10, 11, 14, 19)),
    *(f"SE-{number:02d}" for number in (1, 2, 3, 4, 6, 8, 10, 18)),
    *(f"PT-{number:02d}" for number in (1, 2, 5, 6, 8, 9, 10, 13, 14, 15, 16, 17, 20, 21, 23, 27)),
    "AR-01",
    *("IN-19", "IN-20", "IN-22", "IN-24", "IN-26", "IN-27", "IN-34", "IN-43"),
    *("SE-05", "SE-09", "SE-14", "SE-22", "SE-25", "ST-27", "PT-03", "PT-11", "PT-19", "PT-22"),
    *("IN-47", "IN-48", "IN-50", "IN-51", "IN-53", "IN-58", "IN-60", "SE-12", "SE-17", "SE-20", "SE-28"),
    *("ST-12", "ST-18", "ST-30", "ST-32", "PT-28"),
}
CATALOGUE = [
    *(f"I{number}" for number in range(1, 13)),
    *(f"U{number}" for number in range(1, 16)),
    *(f"E{number}" for number in range(1, 22)),
]

Rows = list[dict[str, str]]


def table(name: str, folder: Path = SMALL) -> Rows:
    with (folder / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        assert tuple(reader.fieldnames or ()) == COLUMNS[name]
    return rows


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe()


@pytest.fixture(scope="module")
def labelled() -> dict[str, set[tuple[str, str]]]:
    found = defaultdict(set)
    for row in table("faults"):
        found[row["fault"]].add((row["source"], row["location"]))
    return found


def test_every_fault_is_there(recipe: Recipe, labelled: dict[str, set[tuple[str, str]]]) -> None:
    assert set(labelled) == {fault.id for fault in recipe.faults}
    for fault in recipe.faults:
        exams = {(source, location.rsplit("-", 2)[0]) for source, location in labelled[fault.id]}
        assert len(exams) >= len(fault.modality)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_whole_block_has_every_fault(recipe: Recipe, seed: int) -> None:
    for number in (0, 7):
        block = Block(seed, number, block_exams(seed, number, BLOCK, 3))
        inject(block, recipe, MAKERS)
        for fault in recipe.faults:
            wanted = 0 if fault.case else max(len(fault.modality), fault.per_block)
            assert len(block.chosen.get(fault.id, [])) == wanted, fault.id
        assert {fault for fault, _, _ in block.labels} == {fault.id for fault in recipe.faults}


def test_every_fault_raises_its_checks(recipe: Recipe) -> None:
    raised = {(row["fault"], row["check_id"]) for row in table("findings")}
    assert raised - {(HABIT, check) for check in CHECKS} == {
        (fault.id, check) for fault in recipe.faults for check in fault.checks
    }


def test_every_fault_asks_for_its_changes(recipe: Recipe, labelled: dict[str, set[tuple[str, str]]]) -> None:
    changed = {((row["source"], row["location"]), row["attribute"]) for row in table("changes")}
    for fault in recipe.faults:
        for attribute in fault.changes:
            missing = {place for place in labelled[fault.id] if (place, attribute) not in changed}
            assert len(missing) < len(labelled[fault.id]), (fault.id, attribute)


def test_every_fault_makes_its_duplicates_and_dangling_links(
    recipe: Recipe, labelled: dict[str, set[tuple[str, str]]]
) -> None:
    twice = defaultdict(set)
    for row in table("duplicates"):
        twice[row["class"]].add((row["source"], row["member"]))
    dangling = {(row["source"], row["location"]) for row in table("links") if row["resolved"] == "false"}
    assert set(twice) == set("abcdefghij")
    for fault in recipe.faults:
        for name in set(fault.duplicates) & set("abcdefj"):
            assert labelled[fault.id] & twice[name], (fault.id, name)
        assert not fault.links or labelled[fault.id] & dangling, fault.id


def test_every_check_and_every_rule_occurs() -> None:
    assert {row["check_id"] for row in table("findings")} == CHECKS
    assert {row["attribute"] for row in table("changes")} == {
        *("SpecificCharacterSet", "PatientName", "StudyDate", "SeriesDate", "PatientBirthDate", "StudyTime"),
        *("SeriesTime", "PatientSex", "Modality", "BodyPartExamined", "InstitutionName", "PatientID"),
        *("AccessionNumber", "IssuerOfPatientID", "IssuerOfAccessionNumberSequence"),
        *("SOPInstanceUID", "OtherPatientIDsSequence", "QualityControlSubject", "Laterality"),
        *("TimezoneOffsetFromUTC", "ReferringPhysicianName"),
    }
    spellings = {(row["source"], row["before"]) for row in table("changes") if row["attribute"] == "Modality"}
    assert spellings >= {
        *(("radiology", text) for text in ("MRI", "CAT", "XRAY")),
        *(("cardiology", text) for text in ("ECHO", "CATH", "EKG")),
        *(("oncology", text) for text in ("RTSS", "PET")),
        *(("pathology", text) for text in ("WSI", "MICRO")),
        *(("surgery", text) for text in ("ENDO", "VIDEO")),
    }
    assert {before for _, before in spellings} & {"DS", "EC", "MS"} == {"DS", "EC", "MS"}


def test_the_failure_catalogue_is_answered_for(recipe: Recipe) -> None:
    named = {fault.id.partition("-")[0] for fault in recipe.faults} | set(recipe.not_shown)
    assert named >= set(CATALOGUE)


def test_each_readable_file_has_one_person() -> None:
    files = {
        (path.relative_to(SMALL).parts[0], "/".join(path.relative_to(SMALL).parts[1:]))
        for path in SMALL.rglob("*")
        if path.is_file() and path.parent.name not in ("truth", "feeds")
    }
    persons = table("persons")
    places = {(row["source"], row["location"]) for row in persons}
    assert len(places) == len(persons)
    assert places < files
    unreadable = {(row["source"], row["entity"]) for row in table("findings") if row["check_id"] == "IN-01"}
    names = {location.rpartition("/")[2] for _, location in files - places - unreadable}
    assert names == {"DICOMDIR", "Thumbs.db", "notiz.txt", "STUDY.csv"}


def test_many_examinations_are_untouched_and_few_are_blocked() -> None:
    # what holds a study: a finding of severity block on it, its series, objects or record, and a collision
    studies = {row["entity"] for row in table("findings") if row["check_id"] in ("ST-01", "ST-02", "ST-06", "SE-01")}
    exams = {(row["source"], *row["location"].split("-")[:2]) for row in table("persons")}
    faulty = {(row["source"], *row["location"].split("-")[:2]) for row in table("faults")}
    assert len(faulty) < 0.6 * len(exams)
    assert len(studies) < 0.05 * len(exams)


def test_the_docs_show_the_recipe(recipe: Recipe) -> None:
    docs = Path(__file__).parents[2] / "docs" / "samples.md"
    assert fault_table(recipe) in docs.read_text(encoding="utf-8")


def test_small_is_small() -> None:
    assert sum(path.stat().st_size for path in SMALL.rglob("*") if path.is_file()) < 5_000_000
