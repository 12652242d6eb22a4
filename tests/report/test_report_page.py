"""What the report says, and that it is one file that asks nothing of anyone."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.project.settings import Project
from fonds.report import report
from fonds.report.certificate import verify
from tests.parts import require
from tests.report.handmade import XSS, fill, make_project

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class Tags(HTMLParser):
    """Every tag with its attributes, and the texts of table cells by row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"} and self.rows:
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in {"td", "th"}:
            self.in_cell = False

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.rows[-1][-1] += data


@pytest.fixture(scope="session")
def parsed(page: str) -> Tags:
    return Tags(page)


def test_it_is_one_file_without_script_or_request(page: str, parsed: Tags) -> None:
    names = {name for name, _ in parsed.tags}
    assert not names & {"script", "link", "iframe", "img", "object", "embed", "base"}
    loads = [value for _, attributes in parsed.tags for name, value in attributes.items() if name in {"src", "href"}]
    assert all((value or "").startswith("#") for value in loads)
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page


def test_a_name_that_is_a_script_is_text(page: str, parsed: Tags) -> None:
    assert "<script" not in page.lower()
    assert any(XSS in cell for row in parsed.rows for cell in row)
    assert "&lt;b&gt;OT" in page, "the modality in the chart"


@pytest.mark.parametrize(
    "row",
    [
        ["radiology", "34", "34", "0", "0", "10", "5", "1.8 MB", "2009-01-10", "2018-07-11"],
        ["collision", "Objects with one UID but different content", "1", "5", "cardiology"],
        ["hold", "1", "2", "–", "Decide at the desk: one stays, or the others get new UIDs. None is sent before."],
        ["All departments", "88", "10", "2", "1", "101", "101"],
        ["names.comma", "PatientName", "CORRECT", "approved", "8", "“Jansen-Wolf, Britta” → “Jansen-Wolf^Britta”"],
        ["institution.site", "InstitutionName", "COERCE", "approved", "34", "absent → “Klinikum Nord”"],
        ["ST-04", "Accession number is missing", "critical", "2", "37.5%", "cardiology, surgery"],
        ["dangling-reference", "An object points to one that was not found", "1", "1", "radiology"],
        ["radiology", "MR/0/1/2.dcm", "refused: A700", "digest"],
    ],
)
def test_the_tables_hold_the_numbers_of_the_catalog(parsed: Tags, row: list[str]) -> None:
    assert any(found[: len(row)] == row for found in parsed.rows)


def test_every_chapter_is_in_the_table_of_contents(page: str, parsed: Tags) -> None:
    chapters = [attributes["id"] for name, attributes in parsed.tags if name == "section"]
    linked = [(attributes["href"] or "")[1:] for name, attributes in parsed.tags if name == "a"]
    assert chapters == linked
    assert len(chapters) == 14
    assert page.count("<svg ") == 17


def test_the_sum_is_the_inventory_or_the_check_fails(tmp_path: Path, page: str) -> None:
    assert page.count('<li class="pass">') == 7
    project = fill(make_project(tmp_path))
    catalog = Catalog(project)
    catalog.replace("reconciliation", catalog.read("reconciliation").slice(1))
    result = report(project)
    text = (project.reports_dir / "report.html").read_text(encoding="utf-8")
    assert result.counts["checks failed"] == 3
    assert result.left
    assert "expected 101, found 100" in text
    assert '<li class="fail">' in text


def test_a_report_before_anything_ran_says_so(bare: Project) -> None:
    result = report(bare)
    text = (bare.reports_dir / "report.html").read_text(encoding="utf-8")
    assert result.counts["checks failed"] == 0
    assert "Not yet" in text
    assert "has not run" in text


def test_the_same_catalog_gives_the_same_report(tmp_path: Path, page: str, reported: Project) -> None:
    other = fill(make_project(tmp_path))
    report(other)
    report(other, force=True)
    assert (other.reports_dir / "report.html").read_text(encoding="utf-8") == page
    assert _certificate(other) == _certificate(reported)


def test_nothing_new_is_no_work_and_a_lost_file_is_written_again(reported: Project) -> None:
    assert report(reported).status == "unchanged"
    (reported.reports_dir / "certificate.json").unlink()
    assert report(reported).status == "done"
    assert verify(_certificate(reported))


def test_the_certificate_shows_a_changed_copy(reported: Project) -> None:
    written = _certificate(reported)
    counts = {row["name"]: row["value"] for row in written["facts"]["counts"]}
    assert counts["files in the inventory"] == 101
    assert {row["state"]: row["files"] for row in written["facts"]["states"]} == {
        "excluded": 2,
        "failed": 1,
        "held": 10,
        "verified": 88,
    }
    assert verify(written)
    written["facts"]["states"][0]["files"] = 1
    assert not verify(written)


def test_the_digest_of_a_source_follows_its_files(tmp_path: Path, reported: Project) -> None:
    project = fill(make_project(tmp_path))
    catalog = Catalog(project)
    instances = catalog.read("instances")
    changed = pl.when(pl.col("source") == "oncology").then(pl.lit("0" * 64)).otherwise(pl.col("digest_object"))
    catalog.replace("instances", instances.with_columns(changed.alias("digest_object")))
    report(project)
    before, after = (
        {row["source"]: row["inventory_sha256"] for row in _certificate(one)["facts"]["digests"]}
        for one in (reported, project)
    )
    assert {source for source in before if before[source] != after[source]} == {"oncology"}


def test_data_docs_are_linked_when_they_are_there(bare: Project) -> None:
    (bare.reports_dir / "data_docs").mkdir(parents=True)
    (bare.reports_dir / "data_docs" / "index.html").write_text("docs", encoding="utf-8")
    report(bare)
    assert 'href="data_docs/index.html"' in (bare.reports_dir / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_browser_shows_it_without_network(reported: Project, page: str, width: int, scheme: str) -> None:
    chromium = require("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
        opened = context.new_page()
        told: list[str] = []
        opened.on("console", lambda message: told.append(message.text))
        opened.on("dialog", lambda dialog: told.append(dialog.message))
        opened.goto((reported.reports_dir / "report.html").as_uri())
        assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        assert opened.locator("section").count() == 14
        colours = opened.evaluate(
            "['body', '.chart .role-axis-label text'].map(s => getComputedStyle(document.querySelector(s)))"
            ".map((c, i) => i ? c.fill : c.backgroundColor)"
        )
        assert _light(colours[0]) == (scheme == "light")
        assert _light(colours[1]) == (scheme == "dark"), "labels of charts follow the scheme"
        assert told == []
        browser.close()


def _light(colour: str) -> bool:
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) > 3 * 128


def _certificate(project: Project) -> dict:
    return json.loads((project.reports_dir / "certificate.json").read_text(encoding="utf-8"))
