from __future__ import annotations

from pathlib import Path

import polars as pl

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.migrate import migrate
from fonds.project.settings import Project
from fonds.reconcile import reconcile
from tests.migrate.moving import approve, collide, ct, ledger, plan_all, project, save


def final(made: Project) -> dict[str, tuple[str, str | None]]:
    rows = Catalog(made).read("reconciliation").select("location", "state", "reason").iter_rows()
    return {location: (state, reason) for location, state, reason in rows}


def file_of(made: Project, number: int) -> Path:
    return made.target_root() / f"1.2.3.1/1.2.3.1.1/1.2.3.1.1.{number}.dcm"


def test_every_file_has_one_state_and_the_sum_is_the_inventory(tmp_path: Path) -> None:
    made = project(tmp_path)
    (tmp_path / "pacs" / "notes.txt").write_text("not an image")
    crawl(made)
    plan = Catalog(made).read("plan")
    held = pl.col("location") == "s1/i1.dcm"
    plan = plan.with_columns(
        state=pl.when(held).then(pl.lit("held")).otherwise("state"),
        reason=pl.when(held).then(pl.lit("overlay")).otherwise("reason"),
    )
    Catalog(made).replace("plan", plan)
    migrate(made)
    result = reconcile(made)
    assert result.counts == {"verified": 14, "held": 2, "excluded": 0, "failed": 0, "files": 16}
    assert final(made)["s1/i1.dcm"] == ("held", "overlay")
    assert final(made)["notes.txt"] == ("held", "not-planned")
    assert reconcile(made).status == "unchanged"


def test_an_object_deleted_behind_our_back_is_noticed_and_sent_again(tmp_path: Path) -> None:
    made = project(tmp_path)
    migrate(made)
    assert reconcile(made).counts["verified"] == 15
    before = file_of(made, 2).read_bytes()
    file_of(made, 2).unlink()
    assert reconcile(made).status == "partial"
    assert final(made)["s1/i2.dcm"] == ("failed", "missing-at-target")
    assert ledger(made)["s1/i2.dcm"] == ("failed", "missing-at-target")
    assert migrate(made).counts["sent"] == 1
    assert reconcile(made).counts["verified"] == 15
    assert file_of(made, 2).read_bytes() == before


def test_a_changed_pixel_or_header_at_the_target_is_found_when_all_is_read_again(tmp_path: Path) -> None:
    made = project(tmp_path)
    approve(made, ("PatientID", "P1", "P001", "CORRECT"))
    migrate(made)
    reconcile(made)
    pixels = bytearray(file_of(made, 1).read_bytes())
    pixels[-1] ^= 1
    file_of(made, 1).write_bytes(pixels)
    file_of(made, 2).write_bytes(file_of(made, 2).read_bytes().replace(b"19700101", b"19700102"))
    file_of(made, 3).write_bytes(file_of(made, 3).read_bytes().replace(b"P001", b"P002"))
    file_of(made, 4).write_bytes(b"nothing like it")
    assert reconcile(made).status == "unchanged"
    assert reconcile(made, force=True).counts["failed"] == 4
    found = final(made)
    assert found["s1/i1.dcm"] == ("failed", "pixels-differ")
    assert found["s1/i2.dcm"] == found["s1/i3.dcm"] == ("failed", "unexplained-difference")
    assert found["s1/i4.dcm"] == ("failed", "unreadable-at-target")
    for number in (1, 2, 3, 4):
        file_of(made, number).unlink()
    assert migrate(made).counts["sent"] == 0  # nothing is sent over what the target was last seen to hold
    reconcile(made)
    assert migrate(made).counts["sent"] == 4
    assert reconcile(made).counts["verified"] == 15


def test_a_change_made_without_its_old_value_is_found(tmp_path: Path) -> None:
    made = project(tmp_path)
    migrate(made)
    # approved after it was sent, then put in by another hand
    approve(made, ("PatientID", "P1", "P001", "CORRECT"))
    save(ct(1, PatientID="P001"), file_of(made, 1))
    reconcile(made)
    assert final(made)["s1/i1.dcm"] == ("failed", "unexplained-difference")


def test_a_wave_not_run_yet_is_waiting_not_lost(tmp_path: Path) -> None:
    made = project(tmp_path)
    reconcile(made)
    assert set(final(made).values()) == {("held", "not-sent")}


def test_an_object_under_new_uids_and_what_points_to_it_are_proven(tmp_path: Path) -> None:
    made = project(tmp_path, studies=1, images=2)
    collide(made)
    assert migrate(made).counts["sent"] == 4
    rows = {row["location"]: row for row in Catalog(made).read("ledger").to_dicts()}
    other = rows["s1/other.dcm"]
    assert (other["sop_uid"], other["study_uid"]) == ("2.25.7", "2.25.9")
    assert other["target_key"] == "2.25.9/2.25.8/2.25.7.dcm"
    assert (rows["s1/i1.dcm"]["sop_uid"], rows["s1/i1.dcm"]["study_uid"]) == ("1.2.3.1.1.1", "1.2.3.1")
    assert reconcile(made).counts["verified"] == 4
    # a reference that doesn't follow any more, and a UID nobody planned, are found
    key = made.target_root() / rows["s1/key.dcm"]["target_key"]
    whole = key.read_bytes()
    key.write_bytes(whole.replace(b"2.25.8", b"2.25.6"))
    moved = made.target_root() / other["target_key"]
    moved.write_bytes(moved.read_bytes().replace(b"2.25.9", b"2.25.5"))
    assert reconcile(made, force=True).counts["failed"] == 2
    told = {row["location"]: row["evidence"] for row in Catalog(made).read("reconciliation").to_dicts()}
    assert "(0040,A375)" in told["s1/key.dcm"]
    assert "(0020,000D)" in told["s1/other.dcm"]


def test_two_files_never_go_under_one_uid(tmp_path: Path) -> None:
    made = project(tmp_path, studies=1, images=1)
    collide(made)
    remaps = Catalog(made).read("remaps")
    Catalog(made).replace("remaps", remaps.clear())
    Catalog(made).replace("rewrites", Catalog(made).read("rewrites").clear())
    assert migrate(made).counts["sent"] == 1  # the key objects
    assert ledger(made)["s1/i1.dcm"] == ledger(made)["s1/other.dcm"] == ("failed", "uid-taken")
    Catalog(made).replace("remaps", remaps)
    assert migrate(made).counts["sent"] == 2
    # what lies there under a UID keeps it, whatever is decided later
    swapped = remaps.with_columns(location=pl.lit("s1/i1.dcm"))
    Catalog(made).replace("remaps", swapped)
    save(ct(7, SOPInstanceUID="1.2.3.1.1.1"), tmp_path / "pacs" / "s1" / "late.dcm")
    crawl(made)
    plan_all(made)
    assert migrate(made).counts["sent"] == 0
    assert ledger(made)["s1/late.dcm"] == ("failed", "uid-taken")
