"""The chapter on matching: persons without those only a patient index knows, why pairs wait, what labels say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.operations import decisions
from fonds.operations.models import Run, now, session
from fonds.project.folders import shipped
from fonds.project.settings import Project
from fonds.project.settings import load as opened
from fonds.report import report
from fonds.report.definition import load
from tests.report.handmade import make_project, record_of
from tests.report.matched import EVIL, with_feed
from tests.report.test_report_page import Tags

OVERLAY = sorted((record_of(6, "radiology"), record_of(7, "oncology")))


def small(project: Project, chapter: dict) -> Project:
    """The project with a report of one chapter."""
    (project.root / "reports").mkdir(exist_ok=True)
    with (project.root / "reports" / "evidence.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"version": 1, "title": "Matching", "sections": [chapter]}, file)
    return project


@pytest.fixture(scope="module")
def chapter(reported: Project, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The chapter after matching with a feed; three pairs of the sample are labelled, a fourth label was taken back."""
    project = with_feed(opened(shutil.copytree(reported.root, tmp_path_factory.mktemp("matched") / "copy")))
    catalog = Catalog(project)
    drawn = catalog.read("match_sample").to_dicts()
    for row in drawn[:3]:
        verdict = "not_same" if row["band"] == "reject" else "link"
        decisions.record(project, "pair", row["record_a"], row["record_b"], verdict=verdict, who="Ann")
    decisions.record(project, "pair", drawn[3]["record_a"], drawn[3]["record_b"], verdict="link", who="Ann")
    decisions.undo(project, 4, "Ann")
    pairs = catalog.read("pairs")
    first = (pl.col("record_a") == OVERLAY[0]) & (pl.col("record_b") == OVERLAY[1])
    catalog.replace(
        "pairs", pairs.with_columns(pl.when(first).then(pl.lit("overlay")).otherwise("outcome").alias("outcome"))
    )
    with session(project) as operations:
        for number, fresh in enumerate(
            (13, 1)
        ):  # of the second run, which compared one record, no rule's pairs are told
            counts = {"records": 13, "fresh": fresh, "pairs by birth date and sex": 20 - 10 * number}
            operations.add(Run(stage="match", status="done", started=now(), ended=now(), counts=json.dumps(counts)))
    shipped_report = YAML(typ="safe").load(shipped() / "reports" / "evidence.yaml")
    small(project, next(one for one in shipped_report["sections"] if one["id"] == "identity"))
    report(project)
    return (project.reports_dir / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(chapter: str) -> list[list[str]]:
    return Tags(chapter).rows


def figure(chapter: str, label: str) -> str:
    found = re.search(rf"<dt>{label}</dt>\s*<dd>([^<]*)</dd>(?:\s*<dd class=\"note\">([^<]*)</dd>)?", chapter)
    assert found, label
    return " / ".join(part for part in found.groups() if part)


def test_persons_are_those_of_the_archives(chapter: str) -> None:
    assert figure(chapter, "Patient records") == "13 / matched with 3 of a patient index"
    assert figure(chapter, "Persons") == "10 / 1 of them in a patient index"
    assert figure(chapter, "Persons with several records") == "3"
    assert figure(chapter, "Pairs waiting at the desk") == "7 / the studies of 5 records wait with them"


@pytest.mark.parametrize(
    "row",
    [
        ["radiology", "archive", "5", "5", "4", "1", "0", "0"],
        ["mpi", "patient index", "3", "3", "1", "–"],
        ["too likely to part, too unlikely to join", "5", "2", "8"],
        ["cluster doesn't hold together", "2", "1", "3"],
        ["mpi", "given name", "newborn", "1", "33.3%"],
        ["cardiology", "birth date", "derived from age", "1", "50.0%"],
        ["birth date and sex", "20", "2", "2", "4"],
    ],
)
def test_the_tables_say_what_is_open_and_why(rows: list[list[str]], row: list[str]) -> None:
    assert any(found[: len(row)] == row for found in rows), rows


def test_overlays_are_named_by_their_identifier(rows: list[list[str]]) -> None:
    assert ["oncology, radiology", "oncology", "K21", "birth date: different", "4"] in rows


def test_waterfalls_show_levels_and_weights_but_no_values(chapter: str) -> None:
    fall = chapter[chapter.index("Three pairs in question") :]
    fall = fall[: fall.index("</figure>")]
    assert "<svg" in fall
    assert "birth date: different" in fall
    assert "sum" in fall
    assert "Nowak" not in fall
    assert "19350224" not in fall
    assert "+1.4" in fall, "the sum is the pair's weight"


def test_what_people_found_stands_beside_what_was_stated(chapter: str) -> None:
    calibration = chapter[chapter.index("What the matching states") :]
    calibration = calibration[: calibration.index("</figure>")]
    assert "from 0.001 (2)" in calibration or "from 0 (2)" in calibration
    assert "No sample was labelled" not in chapter


def test_what_a_feed_tells_is_text(chapter: str) -> None:
    assert EVIL not in chapter
    assert "<script" not in chapter


def test_a_waterfall_without_its_columns_is_a_mistake_with_its_name(tmp_path: Path) -> None:
    block = {"kind": "chart", "chart": "waterfall", "query": "match_bands", "x": "pairs", "y": "band"}
    project = small(make_project(tmp_path), {"id": "one", "title": "One", "blocks": [block]})
    with pytest.raises(DefinitionInvalid, match="span"):
        load(project)
    block["span"] = ["begins", "ends"]
    with pytest.raises(DefinitionInvalid, match="group"):
        load(small(project, {"id": "one", "title": "One", "blocks": [block]}))
