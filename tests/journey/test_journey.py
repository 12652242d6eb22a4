"""The whole journey on the sample hospitals and on pydicom's real files: everything is accounted for."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from fonds.archives.opening import open_sources
from fonds.catalog.store import Catalog
from fonds.operations.runs import StageResult
from fonds.project.settings import Project
from tests.journey.walking import walk

ROOT = Path(__file__).parents[2]
Walked = tuple[Project, dict[str, StageResult]]


def test_every_file_of_every_source_ends_in_exactly_one_final_state(walked: Walked) -> None:
    project, results = walked
    with Catalog(project).connect() as connection:
        states = dict(connection.sql("SELECT state, count(*) FROM reconciliation GROUP BY 1").fetchall())
        doubles = connection.sql(
            "SELECT source, location FROM reconciliation GROUP BY ALL HAVING count(*) > 1"
        ).fetchall()
        by_source = dict(connection.sql("SELECT source, count(*) FROM reconciliation GROUP BY 1").fetchall())
        unexplained = connection.sql(
            "SELECT count(*) FROM reconciliation WHERE state <> 'verified' AND reason IS NULL"
        ).fetchall()
    assert doubles == []
    assert unexplained == [(0,)]
    assert set(states) <= {"verified", "held", "excluded", "failed"}
    assert states["verified"] > states["held"]
    assert "failed" not in states
    with Catalog(project).connect() as connection:
        # what is in a zip, tar or compressed file is accounted for beside it
        inside = dict(
            connection.sql("SELECT source, count(*) FROM inventory WHERE contains(location, '!') GROUP BY 1").fetchall()
        )
    assert sum(states.values()) == results["crawl"].counts["files"] + sum(inside.values())
    assert set(by_source) == set(open_sources(project)), "an index holds no files"
    for name, files in by_source.items():
        root = project.source_root(name)
        there = [p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
        assert files == len(there) + inside.get(name, 0), name


def test_nothing_is_changed_in_a_source(walked: Walked) -> None:
    project, _ = walked
    tracked = subprocess.run(
        ["git", "status", "--porcelain", "--", "data_samples/small"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert tracked.stdout == ""
    with Catalog(project).connect() as connection:
        rows = connection.sql("SELECT source, location, digest_object FROM instances USING SAMPLE 60").fetchall()
    for source, location, digest in rows:
        path = project.source_root(source) / location
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


def test_a_coerced_object_says_what_it_was(walked: Walked) -> None:
    project, _ = walked
    with Catalog(project).connect() as connection:
        rows = connection.sql(
            """
            SELECT l.target_key, c.before, c.after, i.PatientID
            FROM changes c JOIN ledger l USING (source, location) JOIN instances i USING (source, location)
            WHERE c.attribute = 'IssuerOfPatientID' AND c.state = 'approved' AND l.state IN ('sent', 'verified')
            ORDER BY ALL LIMIT 5
            """
        ).fetchall()
    assert rows
    for key, before, after, patient_id in rows:
        ds = pydicom.dcmread(project.target_root() / key)
        assert (ds.IssuerOfPatientID, ds.PatientID) == (after, patient_id)
        kept = [item.ModifiedAttributesSequence[0] for item in ds.OriginalAttributesSequence]
        assert any("IssuerOfPatientID" in item and (item.IssuerOfPatientID or None) == before for item in kept)


def test_the_second_walk_does_nothing(walked: Walked) -> None:
    project, _ = walked
    again = walk(project)
    assert {name: result.status for name, result in again.items()} == dict.fromkeys(again, "unchanged")


def test_the_report_opens_without_network(walked: Walked) -> None:
    project, _ = walked
    html = (project.reports_dir / "report.html").read_text(encoding="utf-8")
    assert "<svg" in html
    for needle in ('src="http', "src='http", '<link rel="stylesheet" href="http', "@import", "url(http"):
        assert needle not in html


def test_the_truth_is_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/truth.py", "--quick"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["wrong_merges"] == 0
    assert figures["finding_recall"] >= 0.95
    assert figures["finding_precision"] >= 0.95
    assert figures["duplicate_recall"] >= 0.98
    assert figures["class_precision_min"] >= 0.98
    assert (figures["band_recall"], figures["band_precision"]) == (1.0, 1.0)
    assert (figures["rejected_recall"], figures["rejected_precision"]) == (1.0, 1.0)
    assert min(figures["gap_recall"], figures["gap_precision"]) >= 0.95
    assert min(figures["feed_link_recall"], figures["feed_link_precision"]) >= 0.98
    assert figures["change_exact"] == 1.0
    assert figures["link_recall"] == 1.0
    assert figures["missed_merges"] <= 0.1 * figures["true_pairs"]


@pytest.mark.parametrize("table", ["findings", "changes", "pairs", "duplicates", "links", "plan", "ledger"])
def test_every_stage_left_something_to_see(walked: Walked, table: str) -> None:
    assert Catalog(walked[0]).read(table).height > 0
