"""From two archives to a target and back: after new UIDs every reference resolves, what can't follow stays."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import polars as pl
import pydicom
import pytest

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.deduplicate import deduplicate
from fonds.link import link
from fonds.migrate import migrate
from fonds.operations.decisions import record
from fonds.operations.runs import StageResult
from fonds.plan import plan
from fonds.project.settings import Project, load
from fonds.reconcile import reconcile
from tests.link.pointing import archive

VERDICTS = {"d": "remap", "g": "remap", "h": "unite"}
# every reference of an object that reached the target, with the pixels it leads to
LED = """
    SELECT {place} AS place, l.relation, coalesce(t.digest_pixels, l.resolved_location) AS pixels
    FROM links l JOIN instances t ON t.source = l.resolved_source AND t.location = l.resolved_location {joined}
    WHERE l.to_sop_uid IS NOT NULL
"""


class Moved:
    """What became of the archive."""

    def __init__(self, folder: Path) -> None:
        archive(folder)
        self.before = digests(folder)
        sources = "\n".join(f"  {name}: {{path: {name}, issuer: NORD}}" for name in ("rad", "card"))
        (folder / "fonds.yaml").write_text(f"name: remapped\nsources:\n{sources}\n", encoding="utf-8")
        self.project = load(folder)
        crawl(self.project)
        _told_by_id(self.project)
        deduplicate(self.project)
        groups = Catalog(self.project).read("duplicates").filter(pl.col("class").is_in(list(VERDICTS)))
        for group, letter in sorted(set(groups.select("group_id", "class").rows())):
            record(self.project, "duplicate", group, "", verdict=VERDICTS[letter], who="ada")
        deduplicate(self.project)
        self.linked: StageResult = link(self.project)
        plan(self.project)
        self.sent = migrate(self.project)
        self.proved = reconcile(self.project)
        self.after = digests(folder)
        there = folder / "there"
        there.mkdir()
        about = f"name: target\nsources:\n  new: {{path: {self.project.target_root()}, issuer: NORD}}\n"
        (there / "fonds.yaml").write_text(about, encoding="utf-8")
        self.target = load(there)
        crawl(self.target)
        link(self.target)

    def ask(self, project: Project, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query of one of the two catalogs."""
        with Catalog(project).connect() as connection:
            return connection.sql(query).fetchall()


def _told_by_id(project: Project) -> None:
    """What matching and a steward would say: a patient is who has the ID, in whatever archive."""
    with Catalog(project).connect() as connection:
        rows = connection.sql(
            "SELECT record_id, concat('N', trim(PatientID)) AS person_id, true AS settled FROM patient_records"
        ).pl()
    Catalog(project).replace("persons", rows)


def digests(folder: Path) -> dict[str, str]:
    """Every file of the sources."""
    files = [path for name in ("rad", "card") for path in sorted((folder / name).rglob("*.dcm"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    return Moved(tmp_path_factory.mktemp("moved"))


def test_everything_goes_but_the_studies_whose_references_cannot_follow(moved: Moved) -> None:
    states = moved.ask(moved.project, "SELECT DISTINCT state, reason, study_uid FROM plan ORDER BY ALL")
    assert [row for row in states if row[0] == "held"] == [
        ("held", "remap-refused", "1.2.3.5"),
        ("held", "remap-refused", "1.2.3.7"),
    ]
    assert {study for state, _, study in states if state == "planned"} == {f"1.2.3.{n}" for n in (1, 2, 3, 4, 6)}
    assert {reason for state, reason, _ in states if state == "excluded"} == {"duplicate-copy"}
    dangling, unwritable = sorted(line for line in moved.linked.left if line.startswith("new UIDs refused"))
    assert "(dangling): 1 group(s)" in dangling
    assert "the object 1.2.3.5.1.9, which no archive holds; crawl the archive that holds" in dangling
    assert "(unwritable): 1 group(s)" in unwritable
    assert "the object in card (s7/ko.dcm) can't be changed so: uid-elsewhere" in unwritable
    assert (moved.proved.counts["failed"], moved.proved.counts["held"]) == (0, 8)


def test_in_the_target_every_reference_leads_to_the_pixels_it_led_to(moved: Moved) -> None:
    assert moved.ask(moved.target, "SELECT count(*) FROM links WHERE state = 'dangling' OR candidates <> 1") == [(0,)]
    was = moved.ask(
        moved.project,
        LED.format(
            place="target_key",
            joined="JOIN ledger g ON g.source = l.source AND g.location = l.location AND g.state = 'verified'",
        ),
    )
    now = moved.ask(moved.target, LED.format(place="l.location", joined=""))
    assert len(now) > 20
    assert sorted(now) == sorted(was)


def test_no_pixels_are_lost_and_no_source_is_touched(moved: Moved) -> None:
    planned = (
        "SELECT DISTINCT digest_pixels FROM instances WHERE StudyInstanceUID NOT IN ('1.2.3.5', '1.2.3.7') "
        "ORDER BY 1 NULLS FIRST"
    )
    assert moved.ask(moved.project, planned) == moved.ask(moved.target, planned)
    assert moved.before == moved.after
    there = moved.ask(moved.target, "SELECT count(*), count(DISTINCT SOPInstanceUID) FROM instances")
    assert there == [(moved.sent.counts["sent"],) * 2]


def test_each_patient_has_one_study_and_the_examination_is_one(moved: Moved) -> None:
    persons = moved.ask(moved.target, "SELECT count(DISTINCT PatientID) FROM instances GROUP BY StudyInstanceUID")
    assert set(persons) == {(1,)}
    united = moved.ask(moved.target, "SELECT count(*) FROM instances WHERE StudyInstanceUID IN ('1.2.3.3', '1.2.3.4')")
    studies = moved.ask(moved.target, "SELECT count(DISTINCT StudyInstanceUID) FROM instances")
    # six images of the one, and of the other the one it has alone, with its key object
    assert (united, studies) == ([(8,)], [(5,)])


def test_what_changed_says_what_it_was(moved: Moved) -> None:
    rows = moved.ask(
        moved.project,
        'SELECT target_key, list("before") FROM ledger JOIN remaps r USING (source, location) '
        "WHERE r.state = 'planned' GROUP BY ALL",
    )
    assert len(rows) > 4
    for key, old in rows:
        ds = pydicom.dcmread(moved.project.target_root() / key)
        told = [item.ModifiedAttributesSequence[0] for item in ds.OriginalAttributesSequence]
        assert set(old) <= {str(one.value) for item in told for one in item if one.VR == "UI"}
    pointing = moved.ask(
        moved.project,
        "SELECT DISTINCT target_key FROM ledger JOIN rewrites r USING (source, location) WHERE r.state = 'planned'",
    )
    assert len(pointing) > 7
    there = moved.ask(moved.target, "SELECT location FROM instances WHERE HasOriginalAttributes")
    assert set(pointing) <= set(there)


def test_a_second_run_changes_nothing_and_refuses_nothing_that_went(moved: Moved) -> None:
    tables = ("remaps", "rewrites", "links", "gaps")
    before = [Catalog(moved.project).read(name) for name in tables]
    link(moved.project, force=True)
    assert all(Catalog(moved.project).read(name).equals(frame) for name, frame in zip(tables, before, strict=True))
