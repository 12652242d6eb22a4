"""A long journal is read once: what is kept of it gives the same answers as all of it, and never hides a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.errors import CatalogInvalid
from fonds.operations.journal import Journal
from fonds.operations.ledger import receipts
from fonds.project.settings import Project, load

OBJECTS = 12_000


def receipt(number: int, state: str, **more: Any) -> dict[str, Any]:
    digest = f"{number:064x}"
    uids = {"sop_uid": f"1.2.840.113619.2.55.3.{number}", "study_uid": f"1.2.840.113619.2.55.3.{number // 100}"}
    place = {"source": "pacs", "location": f"s{number // 100}/i{number}.dcm", "wave": "rest", "basis": digest}
    return {**place, **uids, "state": state, "attempt": 1, "digest_pixels_before": digest, **more}


@pytest.fixture
def long(tmp_path: Path) -> Project:
    (tmp_path / "fonds.yaml").write_text("name: x\nsources: {}\n", encoding="utf-8")
    project = load(tmp_path)
    Journal(project).append(receipt(n, state) for n in range(OBJECTS) for state in ("sending", "sent"))
    assert receipts(project).height == OBJECTS
    assert (project.catalog_dir / "journal.parquet").is_file()
    return project


def answer(project: Project) -> dict[str, tuple[str, str | None]]:
    rows = receipts(project).select("location", "state", "reason").iter_rows()
    return {location: (state, reason) for location, state, reason in rows}


def test_what_is_written_since_counts_and_what_is_kept_equals_the_journal(long: Project) -> None:
    Journal(long).append([receipt(5, "failed", reason="missing-at-target"), receipt(OBJECTS, "sending")])
    assert receipts(long).equals(Journal(long).latest().sort("source", "location"))
    found = answer(long)
    assert found["s0/i5.dcm"] == ("failed", "missing-at-target")
    assert found[f"s{OBJECTS // 100}/i{OBJECTS}.dcm"] == ("sending", None)


def test_a_transition_is_checked_against_what_is_kept(long: Project) -> None:
    Journal(long).append([receipt(5, "sending")])
    with pytest.raises(CatalogInvalid, match="sent to sending: 1 object"):
        receipts(long)


def test_another_journal_or_a_damaged_keep_is_read_from_the_beginning(long: Project) -> None:
    segment = next(Journal(long).folder.glob("*.jsonl"))
    (long.catalog_dir / "journal.parquet").write_bytes(b"cut off")
    assert receipts(long).height == OBJECTS
    lines = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines[:10]))  # an older journal came back from a backup
    assert answer(long) == {f"s0/i{n}.dcm": ("sent", None) for n in range(5)}


def test_a_receipt_in_a_segment_before_the_last_is_put_in_its_place(long: Project) -> None:
    Journal(long).append([receipt(1, "failed", reason="missing-at-target")])
    first = next(Journal(long).folder.glob("*.jsonl"))
    later = first.with_name("00000001-1.jsonl")
    later.write_bytes(first.read_bytes().replace(b"pacs", b"card"))
    assert receipts(long).height == 2 * OBJECTS
    Journal(long).append([receipt(2, "verified")])
    assert receipts(long).equals(Journal(long).latest().sort("source", "location"))
