"""The department packs over the sample hospitals: what is wrong there is known, and nothing else may change."""

from __future__ import annotations

import csv
from typing import Any

import polars as pl
import pydicom
import pytest
from pydicom.errors import InvalidDicomError

from fonds.catalog.store import Catalog
from fonds.normalize import normalize
from fonds.normalize.definition import load_all
from fonds.project.folders import shipped
from tests.normalize.packs import configured

SMALL = shipped() / "data_samples" / "small"
DEPARTMENTS = ("radiology", "cardiology", "oncology", "pathology", "surgery")
WORDS = (
    *("StudyInstanceUID", "Modality", "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined"),
    *("ViewPosition", "StationName", "PatientPosition", "ConversionType", "DoseUnits", "ContainerIdentifier"),
    *("DocumentTitle", "MIMETypeOfEncapsulatedDocument", "ContentLabel", "PresentationIntentType"),
)


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    """What the sample objects say in the attributes the department packs look at."""
    found = []
    for department in DEPARTMENTS:
        for path in sorted((SMALL / department).rglob("*")):
            try:
                read = (
                    pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(WORDS))
                    if path.is_file()
                    else None
                )
            except (InvalidDicomError, OSError, EOFError):
                continue
            if read is not None and all(isinstance(one.value, str | None) for one in read):
                said = {word: str(read[word].value) if word in read and read[word].value else None for word in WORDS}
                found.append({"source": department, "location": str(path.relative_to(SMALL / department))} | said)
    return found


def test_clean_samples_stay_as_they_are(make: Any, objects: list[dict[str, Any]]) -> None:
    assert len(objects) > 600
    with (SMALL / "truth" / "changes.csv").open(encoding="utf-8", newline="") as file:
        truth = {(row["source"], row["location"], row["attribute"]): row["after"] for row in csv.DictReader(file)}
    sources = {
        name: configured({"path": name, "department": name, "packs": ["base@1", f"{name}@1"]}) for name in DEPARTMENTS
    }
    project = make(objects, **sources)
    normalize(project)
    made = Catalog(project).read("changes").filter(pl.col("attribute").is_in(WORDS)).to_dicts()
    unlike = {
        (row["attribute"], row["before"], row["after"], row["rule"])
        for row in made
        if truth.get((row["source"], row["location"], row["attribute"])) != row["after"]
    }
    assert not unlike
    assert {row["attribute"] for row in made} >= {"Modality", "BodyPartExamined"}, "what is wrong is found"


def test_each_department_has_rules_of_its_own_that_say_why_and_how_sure(make: Any) -> None:
    packs = load_all(make())
    for name in DEPARTMENTS:
        rules = [placed.rule for placed in packs[name].rules]
        assert len(rules) >= 8, name
        kept = [rule.id for rule in rules if all(example.before != example.after for example in rule.examples)]
        assert not kept, "each shows a value that is left alone"


def test_descriptions_never_give_a_side_or_a_body_part(make: Any) -> None:
    """The only source of Laterality, Body Part Examined and View Position is what they say themselves."""
    for pack in load_all(make()).values():
        for placed in pack.rules:
            if {"Laterality", "ImageLaterality", "BodyPartExamined", "ViewPosition"} & set(placed.rule.attributes):
                assert set(placed.reads()) <= {"Modality"}, placed.rule.id


@pytest.mark.parametrize(
    ("department", "given", "attribute", "after"),
    [
        ("radiology", {"Modality": "DX", "ViewPosition": "SEITLICH"}, "ViewPosition", None),
        ("radiology", {"Modality": "DX", "ViewPosition": "a.p."}, "ViewPosition", "AP"),
        ("radiology", {"BodyPartExamined": "Thorax/Abdomen"}, "BodyPartExamined", "CHESTABDOMEN"),
        ("radiology", {"Modality": "MG", "ViewPosition": "Mediolateral"}, "ViewPosition", "ML"),
        ("radiology", {"BodyPartExamined": "Rachis lombaire"}, "BodyPartExamined", "LSPINE"),
        ("radiology", {"BodyPartExamined": "Kniegelenk"}, "BodyPartExamined", "KNEE"),
        (
            "cardiology",
            {"Modality": "ECHO", "SeriesDescription": "Vierkammerblick"},
            "SeriesDescription",
            "Apical 4 chamber",
        ),
        ("cardiology", {"Modality": "MR", "SeriesDescription": "4CH"}, "SeriesDescription", None),
        ("oncology", {"Modality": "RTDOSE", "DoseUnits": "cGy"}, "DoseUnits", None),
        ("oncology", {"Modality": "RTSS", "SeriesDescription": "Konturen"}, "SeriesDescription", "Structures"),
        ("pathology", {"Modality": "SM", "SeriesDescription": "HES"}, "SeriesDescription", None),
        ("surgery", {"Modality": "VIDEO", "StudyDescription": "ögd"}, "StudyDescription", "Gastroskopie"),
    ],
)
def test_the_words_of_a_department(
    make: Any, department: str, given: dict[str, str], attribute: str, after: Any
) -> None:
    packs = ["base@1", f"{department}@1"]
    project = make([given], radiology=configured({"department": department, "packs": packs}))
    normalize(project)
    made = {row["attribute"]: row["after"] for row in Catalog(project).read("changes").to_dicts()}
    assert made.get(attribute) == after
