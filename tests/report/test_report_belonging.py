"""The chapters on what is there twice and what belongs together: numbers, remedies, and no patient's value."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.project.folders import shipped
from fonds.project.settings import Project
from fonds.project.settings import load as opened
from fonds.report import report
from fonds.report.compile import connect
from fonds.report.definition import load, load_remedies, query_path
from tests.report.belonging import with_belonging
from tests.report.handmade import make_project
from tests.report.test_report_matching import figure, small
from tests.report.test_report_page import Tags


def chapters() -> list[dict]:
    """The two chapters as they are shipped."""
    sections = YAML(typ="safe").load(shipped() / "reports" / "evidence.yaml")["sections"]
    return [one for one in sections if one["id"] in {"duplicates", "context"}]


def both(project: Project) -> Project:
    """The project with a report of the two chapters."""
    small(project, {})
    with (project.root / "reports" / "evidence.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"version": 1, "title": "Belonging", "sections": chapters()}, file)
    return project


@pytest.fixture(scope="module")
def project(reported: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    copy = opened(shutil.copytree(reported.root, tmp_path_factory.mktemp("belonging") / "copy"))
    made = both(with_belonging(copy))
    report(made)
    return made


@pytest.fixture(scope="module")
def text(project: Project) -> str:
    return (project.reports_dir / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(text: str) -> list[list[str]]:
    return Tags(text).rows


def rows_of(project: Project, name: str) -> list[tuple]:
    with connect(project, load_remedies(project)) as connection:
        return connection.sql(query_path(project, name).read_text(encoding="utf-8")).fetchall()


def test_the_figures_tell_groups_copies_and_new_uids(text: str) -> None:
    assert figure(text, "Groups of duplicates") == "7 / 12 files and studies in them"
    assert figure(text, "Wait for a person").startswith("3 / groups, about")
    assert figure(text, "Copies that stay behind") == "1 / 53.0 kB not sent twice", "told in two classes, one file"
    assert figure(text, "Objects that get new UIDs") == "1 / 2 groups or rules are refused"
    assert figure(text, "References that follow") == "3 / in 2 objects"
    assert figure(text, "References that find their object") == "75.0 % / of 4; 1 in another archive"
    assert figure(text, "Gaps") == "4 / 1 are critical"
    assert figure(text, "Orders that found their study") == "2 / of 4; 1 more are suggested"


@pytest.mark.parametrize(
    "row",
    [
        ["hold", "1", "2", "first by location (2)",
         "Decide at the desk: one stays, or the others get new UIDs. None is sent before."],
        ["unite", "1", "1", "decided: unite (1)", "Nothing; all go under one Study UID."],
        ["radiology", "6", "1", "2", "1", "53 kB", "1", "2", "1"],
        ["oncology", "1", "0", "1", "0", "0 B", "0", "0", "0"],
        ["G2", "c, d", "3", "1", "radiology", "PatientName, Rows"],
        ["S3", "g", "1", "1", "oncology"],
        ["certain", "1", "1", "0", "1", "0", "1", "hold"],
        ["possible", "1", "0", "1", "0", "1", "1", "unite"],
        ["d: Same UID, other pixels", "planned", "1", "1", "0", "0", "1", "2"],
        ["A copy that stays behind", "planned", "0", "0", "0", "0", "0", "1"],
        ["An approved change of a rule", "planned", "1", "1", "1"],
        ["G4", "A reference names a UID that changes, and its object isn't found", "2", "1", "oncology, radiology",
         "Crawl the archive that holds it, or decide the group otherwise."],
        ["G5", "odd-reason", "1", "0", "radiology", "–"],
        ["dangling-reference", "An object points to one that was not found", "1", "1", "radiology", "critical"],
        ["ris", "order", "4", "50.0%", "Study UID 1, accession number 1", "1", "1", "1", "2009-01-10", "2009-01-13"],
        ["ris", "report", "1", "100.0%", "order 1", "0", "0", "0", "2009-01-11"],
        ["radiology", "Rejected for quality reasons", "2", "1", "1", "1"],
    ],
)  # fmt: skip
def test_the_tables_tell_what_happens_why_and_what_to_do(rows: list[list[str]], row: list[str]) -> None:
    assert any(found[: len(row)] == row for found in rows), [found for found in rows if found[:1] == row[:1]]


def test_a_disposition_has_its_colour_in_a_grouped_table(text: str) -> None:
    assert re.search(r'<td headers="[^"]*-disposition" data-status="hold"', text)


def test_gaps_stand_in_the_order_of_their_severity(rows: list[list[str]]) -> None:
    told = [row[5] for row in rows if row[0] in {"dangling-reference", "images-without-report"}]
    assert told == ["critical", "major", "minor"]


def test_completeness_counts_only_studies_of_which_something_is_expected(project: Project) -> None:
    cells = {(what, years): share for what, years, share in rows_of(project, "context_by_year")}
    of_reports = [share for (what, _), share in cells.items() if what == "radiology: report" and share is not None]
    assert sorted(of_reports) == [0.0, 1.0], "one study has a report, one lacks it; of the others none is expected"
    assert not any(what.startswith("cardiology: report") for what, _ in cells)


def test_histories_show_lanes_and_kinds_but_no_patient(text: str) -> None:
    lanes = text[text.index("Three histories") :]
    lanes = lanes[: lanes.index("</figure>")]
    assert lanes.count("<path") > 20
    for word in ("radiology", "ris", "study", "order", "report"):
        assert word in lanes
    for value in ("Müller", "Mueller", "SECRET", "Thorax", "4711", "19570310"):
        assert value not in text


def test_what_waits_and_what_is_refused_is_a_short_list(project: Project) -> None:
    catalog = Catalog(project)
    before = {name: catalog.read(name) for name in ("duplicates", "remaps")}
    many = pl.DataFrame({"n": range(300)}).select(number=pl.col("n").cast(pl.String))
    held = many.select(
        pl.lit("d").alias("class"), group_id="G" + pl.col("number"), source=pl.lit("radiology"), member="number",
        disposition=pl.lit("hold"), level=pl.lit("instance"),
    )  # fmt: skip
    refused = many.select(
        source=pl.lit("radiology"), location="number", attribute=pl.lit("SOPInstanceUID"), cause="G" + pl.col("number"),
        state=pl.lit("refused"), reason=pl.lit("dangling"),
    )  # fmt: skip
    try:
        catalog.replace("duplicates", held)
        catalog.replace("remaps", refused)
        assert len(rows_of(project, "duplicates_waiting")) == 25
        assert len(rows_of(project, "remaps_refused")) == 25
    finally:
        for name, frame in before.items():
            catalog.replace(name, frame)


def test_before_any_stage_has_run_the_chapters_say_so(bare: Project) -> None:
    report(both(bare))
    text = (bare.reports_dir / "report.html").read_text(encoding="utf-8")
    assert figure(text, "Groups of duplicates") == "–"
    assert figure(text, "References that find their object") == "–"
    assert "<svg" not in text
    for words in ("No group waits.", "No gap was found.", "No feed tells of orders or reports.", "None is refused."):
        assert words in text


def test_remedies_tell_of_every_kind_the_pages_name(bare: Project) -> None:
    """docs/links.md, docs/context.md and docs/remap.md list the codes; the report says what to do about each."""
    remedies = load_remedies(bare)
    codes = re.compile(r"^\| `([a-z-]+)`", re.MULTILINE)
    docs = Path(__file__).parents[2] / "docs"
    links = (docs / "links.md").read_text(encoding="utf-8")
    named = set(codes.findall(links[links.index("## gaps") : links.index("## Rejection")]))
    context = (docs / "context.md").read_text(encoding="utf-8")
    context = context[context.index("## What is missing") : context.index("## How an order")]
    named |= set(re.findall(r"`([a-z]+-[a-z-]+)`", " ".join(re.findall(r"^\| (`.*?) \|", context, re.MULTILINE))))
    assert named - set(remedies.gaps) == set()
    refusals = (docs / "remap.md").read_text(encoding="utf-8")
    refusals = refusals[refusals.index("## What is refused") : refusals.index("## What the object")]
    assert set(codes.findall(refusals)) - set(remedies.remaps) == set()


def test_lanes_without_their_columns_are_a_mistake_with_its_name(tmp_path: Path) -> None:
    block = {
        "kind": "chart",
        "chart": "lanes",
        "query": "context_histories",
        "x": "day",
        "y": "source",
        "color": "kind",
    }
    project = small(make_project(tmp_path), {"id": "one", "title": "One", "blocks": [block]})
    with pytest.raises(DefinitionInvalid, match="group"):
        load(project)
