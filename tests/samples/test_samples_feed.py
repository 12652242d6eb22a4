"""The sample hospitals' patient index: read as it is written, with the merges and the truth that belong to it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from fonds.catalog.store import Catalog
from fonds.feed import feed
from fonds.feeds.merges import merges
from fonds.project.folders import shipped
from fonds.project.scaffold import demo_project
from fonds.project.settings import load
from fonds.samples.feeds import FEED, ISSUER, SETTINGS
from fonds.samples.people import BLOCK, block_persons, record

SMALL = shipped() / "data_samples" / "small"


def test_the_demo_reads_the_index_and_every_row_is_whose_the_truth_says(tmp_path: Path) -> None:
    assert demo_project(tmp_path / "demo")
    project = load(tmp_path / "demo")
    settings = project.settings.feeds[FEED]
    assert (settings.format, settings.issuer) == (SETTINGS["format"], ISSUER)
    assert [Path(str(path)) for path in (settings.path, settings.merges)] == [
        SMALL / SETTINGS[key] for key in ("path", "merges")
    ]
    result = feed(project)
    assert (result.status, result.left) == ("done", ())
    with (SMALL / "truth" / "registered.csv").open(encoding="utf-8", newline="") as file:
        whose = {row["patient_id"]: row["person"] for row in csv.DictReader(file)}
    rows = {row["patient_id"]: row for row in Catalog(project).read("feed_patients").to_dicts()}
    assert set(rows) == set(whose)
    people = {person.key: person for block in (0, 1) for person in block_persons(1, block, BLOCK)}
    for number, row in rows.items():
        person = people[whose[number]]
        assert row["PatientBirthDate"] == person.birth.strftime("%Y%m%d")
        assert row["multiple_birth"] == (True if person.case == "twin" else None)
        known = {record(1, person, source).patient_id for source in person.departments if source != "surgery"}
        assert {other["id"] for other in row["other_ids"]} <= known
    with Catalog(project).connect() as connection:
        merged = merges(connection)
    assert merged["chained"].sum() == 1
    assert all(whose[row["retired_id"]] == whose[row["patient_id"]] for row in merged.to_dicts())
    assert {number for number, row in rows.items() if row["status"] == "merged"} == set(merged["retired_id"])
    # who was registered twice has one row that stays
    alive = Counter(whose[number] for number, row in rows.items() if row["status"] == "active")
    assert set(alive.values()) == {1}
