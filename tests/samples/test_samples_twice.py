"""What the sample hospitals hold twice, and what belongs together: read with pydicom, the files are what is said."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset
from ruamel.yaml import YAML

from fonds.project.folders import shipped
from fonds.project.settings import Settings
from fonds.samples.documents import REJECTED
from fonds.samples.orders import SETTINGS
from fonds.samples.recipe import load_recipe

SMALL = shipped() / "data_samples" / "small"
GAPS = {
    *("dangling-reference", "dangling-in", "referenced-study-missing", "other-patient", "class-differs"),
    *("ambiguous-reference", "evidence-incomplete", "annotation-without-image", "rejected-object"),
    *("images-without-report", "report-without-images", "only-preliminary-report", "report-on-other-patient"),
    *("order-without-study", "study-without-order", "cancelled-order-with-images"),
    *("accession-on-two-patients", "accession-collision"),
}


def table(name: str) -> list[dict[str, str]]:
    with (SMALL / "truth" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def groups() -> dict[str, list[list[Dataset]]]:
    """Data sets of each instance class, those of one SOP Instance UID together."""
    found: dict[str, dict[str, list[Dataset]]] = defaultdict(lambda: defaultdict(list))
    for row in table("duplicates"):
        if row["class"] in "abcdfj":
            ds = pydicom.dcmread(SMALL / row["source"] / row["member"])
            found[row["class"]][ds.SOPInstanceUID].append(ds)
    return {name: list(members.values()) for name, members in found.items()}


def shown(ds: Dataset) -> bytes | None:
    return ds.pixel_array.astype("<i4").tobytes() if "PixelData" in ds else None


def texts(ds: Dataset) -> dict[str, Any]:
    """Values whose encoding doesn't matter: padding, character set and pixels aside."""
    return {
        element.keyword: str(element.value).rstrip()
        for element in ds
        if element.keyword not in ("PixelData", "SpecificCharacterSet", "DataSetTrailingPadding")
        and element.tag.element
    }


def test_copies_differ_in_what_their_class_says(groups: dict[str, list[list[Dataset]]]) -> None:
    for members in groups["b"]:
        assert len({shown(ds) for ds in members}) == 1
        assert all(texts(ds) == texts(members[0]) for ds in members)
    syntaxes = {ds.file_meta.TransferSyntaxUID.name for members in groups["b"] for ds in members}
    assert len(syntaxes) == 5
    assert max(len(members) for members in groups["b"]) == 6
    for members in groups["c"]:
        assert len({shown(ds) for ds in members}) == 1
        assert any(texts(ds) != texts(members[0]) for ds in members)
    for members in groups["d"]:
        assert len({shown(ds) for ds in members}) == len(members) == 2
    for members in groups["f"]:
        assert len({ds.SeriesInstanceUID for ds in members}) == 2
    assert {len({ds.StudyInstanceUID for ds in members}) for members in groups["f"]} == {1, 2}


def test_a_retrieved_copy_says_whose_copy_it_is(groups: dict[str, list[list[Dataset]]]) -> None:
    images = {ds.SOPInstanceUID: ds for members in groups["j"] for ds in members}
    named = {uid: original for uid, ds in images.items() for original in originals(ds)}
    assert len({ds.file_meta.TransferSyntaxUID for ds in images.values()}) > 1
    assert {("SourceImageSequence" in images[uid], "OriginalAttributesSequence" in images[uid]) for uid in named} == {
        (True, False),
        (False, True),
    }
    for uid, original in named.items():
        assert shown(images[uid]) == shown(images[original])


def originals(ds: Dataset) -> Iterator[str]:
    for item in ds.get("SourceImageSequence", ()):
        yield item.ReferencedSOPInstanceUID
    for item in ds.get("OriginalAttributesSequence", ()):
        yield item.ModifiedAttributesSequence[0].SOPInstanceUID


def test_studies_that_look_alike_are_told_apart() -> None:
    pairs = table("study_pairs")
    again = {row["member"] for row in table("duplicates") if row["class"] == "h"}
    assert {row["band"] for row in pairs} == {"certain", "possible", "no"}
    assert again == {row[side] for row in pairs for side in ("study_a", "study_b") if row["band"] != "no"}
    bands = {fault.id: fault.band for fault in load_recipe().faults}
    assert {row["fault"]: row["band"] for row in pairs} == {name: band for name, band in bands.items() if band}


def test_every_title_rejects_and_a_collision_is_left_to_a_person() -> None:
    notes = [
        ds
        for path in sorted(SMALL.rglob("*KO93*.dcm"))
        if (ds := pydicom.dcmread(path)).ConceptNameCodeSequence[0].CodeValue in REJECTED
    ]
    assert sorted(note.ConceptNameCodeSequence[0].CodeValue for note in notes) == sorted(REJECTED)
    taken = {row["title"] for row in table("rejected")}
    assert taken == set(REJECTED) - {"113039"}
    assert any(row["kind"] == "ambiguous-reference" for row in table("context"))


def test_everything_that_can_be_missing_is_missing_somewhere() -> None:
    assert {row["kind"] for row in table("context")} == GAPS


def test_the_demo_reads_the_orders_and_reports_the_truth_speaks_of() -> None:
    demo = Settings.model_validate(
        YAML(typ="safe").load((shipped() / "data_samples" / "demo.yaml").read_text(encoding="utf-8"))
    )
    for name, settings in SETTINGS.items():
        want = {
            key: f"${{samples}}/{value}" if key in ("orders", "reports") else value for key, value in settings.items()
        }
        assert demo.feeds[name].model_dump(exclude_none=True) == want
    links = table("feed_links")
    assert {(row["feed"], row["kind"]) for row in links} == {
        (feed, kind) for feed in SETTINGS for kind in ("order", "report")
    }
    with (SMALL / "feeds" / "ris-reports.csv").open(encoding="utf-8", newline="") as file:
        reports = {row["report_id"] for row in csv.DictReader(file)}
    assert reports == {row["id"] for row in links if (row["feed"], row["kind"]) == ("ris", "report")}
    resources = [json.loads(line) for line in Path(SMALL / "feeds" / "cvis.ndjson").read_text("utf-8").splitlines()]
    kinds = {"ServiceRequest": "order", "DiagnosticReport": "report"}
    assert {(kinds[one["resourceType"]], one["id"]) for one in resources if one["resourceType"] in kinds} == {
        (row["kind"], row["id"]) for row in links if row["feed"] == "cvis"
    }
