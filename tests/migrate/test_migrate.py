from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pydicom
import pytest

from fonds.catalog.store import Catalog
from fonds.errors import ArchiveUnreachable, CatalogInvalid, DefinitionInvalid
from fonds.migrate import migrate
from fonds.operations.journal import Journal
from fonds.operations.ledger import receipts
from fonds.project.settings import load
from tests.archives.nodes import free_port, target_yaml
from tests.migrate.moving import approve, ledger, plan_all, project, save, scp, tree

FONDS = str(Path(sys.executable).with_name("fonds"))


def test_what_is_sent_is_sent_once_and_the_second_run_does_nothing(tmp_path: Path) -> None:
    made = project(tmp_path)
    approve(made, ("PatientID", "P1", "P001", "CORRECT"))
    first = migrate(made)
    assert (first.status, first.counts["sent"]) == ("done", 15)
    before, version = tree(made.target_root()), Catalog(made).versions()["ledger"]
    again = migrate(made)
    assert (again.status, again.counts["sent"]) == ("unchanged", 0)
    assert tree(made.target_root()) == before
    assert Catalog(made).versions()["ledger"] == version
    assert len(before) == 15
    assert pydicom.dcmread(made.target_root() / "1.2.3.1/1.2.3.1.1/1.2.3.1.1.1.dcm").PatientID == "P001"


def test_only_planned_objects_go(tmp_path: Path) -> None:
    made = project(tmp_path)
    plan = Catalog(made).read("plan").to_dicts()
    plan[0] |= {"state": "held", "reason": "overlay", "wave": None}
    plan[1] |= {"state": "excluded", "reason": "duplicate-copy", "wave": None}
    import polars as pl

    Catalog(made).replace("plan", pl.DataFrame(plan))
    assert migrate(made).counts["sent"] == 13
    assert ledger(made)["s1/i1.dcm"] == ("held", "overlay")
    assert ledger(made)["s1/i2.dcm"] == ("excluded", "duplicate-copy")
    with pytest.raises(DefinitionInvalid, match="no wave nowhere"):
        migrate(made, waves=["nowhere"])
    assert migrate(made, waves=["recent"]).counts["sent"] == 0


def test_killed_in_the_middle_and_run_again_gives_the_same_target(tmp_path: Path) -> None:
    made = project(tmp_path / "calm", studies=12, images=15)
    approve(made, ("PatientID", "P1", "P001", "CORRECT"))
    migrate_time = {**os.environ, "SOURCE_DATE_EPOCH": "1790000000"}
    shutil.copytree(tmp_path / "calm", tmp_path / "killed")
    command = [FONDS, "migrate", "-p"]
    subprocess.run([*command, str(tmp_path / "calm")], check=True, env=migrate_time, capture_output=True)
    target = tmp_path / "killed" / "target"
    process = subprocess.Popen(
        [*command, str(tmp_path / "killed")], env=migrate_time, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while process.poll() is None and len(list(target.rglob("*.dcm"))) < 40:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 40 <= len(list(target.rglob("*.dcm"))) < 180
    subprocess.run([*command, str(tmp_path / "killed")], check=True, env=migrate_time, capture_output=True)
    assert tree(target) == tree(tmp_path / "calm" / "target")
    assert {state for state, _ in ledger(load(tmp_path / "killed")).values()} == {"sent"}


def test_refused_objects_fail_and_the_rest_goes_on(tmp_path: Path) -> None:
    port = free_port()
    made = project(tmp_path, target=target_yaml(port, "TARGET"))
    calls: dict[str, int] = {}

    def handler(event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        calls[uid] = calls.get(uid, 0) + 1
        return {"5": 0xA700, "4": 0xC001}.get(uid[-1], 0x0000)

    with scp(handler, port):
        result = migrate(made)
    assert (result.status, result.counts["sent"], result.counts["failed"]) == ("partial", 9, 6)
    rows = Catalog(made).read("ledger")
    failed = {row["location"][-5:-4]: (row["reason"], row["status_code"]) for row in rows.to_dicts() if row["reason"]}
    assert failed == {"5": ("target-busy", "A700"), "4": ("target-refused", "C001")}
    assert {uid[-1]: count for uid, count in calls.items()}["5"] == 3  # for now is tried again
    assert {uid[-1]: count for uid, count in calls.items()}["4"] == 1


def test_a_dead_target_is_named_and_the_next_run_goes_on(tmp_path: Path) -> None:
    port = free_port()
    made = project(tmp_path, target=target_yaml(port, "TARGET"))
    with pytest.raises(ArchiveUnreachable, match=str(port)):
        migrate(made)
    with scp(lambda event: 0x0000, port):
        assert migrate(made).counts["sent"] == 15


def test_a_target_that_keeps_breaking_leaves_only_sent_open_and_unanswered_objects(tmp_path: Path) -> None:
    port = free_port()
    made = project(tmp_path, target=target_yaml(port, "TARGET", timeout=3))
    seen: list[str] = []

    def dies(event: Any) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        if len(seen) >= 4:
            event.assoc.abort()
        return 0x0000

    with scp(dies, port):
        result = migrate(made, workers=1)
    assert result.status == "partial"
    states = [state for state, _ in ledger(made).values()]
    assert states.count("sent") >= 3
    assert set(ledger(made).values()) <= {("sent", None), ("sending", None), ("failed", "no-answer")}
    assert len(states) > states.count("sent")


def test_a_source_file_that_changed_since_the_crawl_is_not_sent(tmp_path: Path) -> None:
    made = project(tmp_path)
    path = tmp_path / "pacs" / "s1" / "i1.dcm"
    ds = pydicom.dcmread(path)
    ds.PatientName = "Other^Person^Altogether"
    save(ds, path)
    (tmp_path / "pacs" / "s1" / "i2.dcm").unlink()
    assert migrate(made).counts["failed"] == 2
    assert ledger(made)["s1/i1.dcm"] == ledger(made)["s1/i2.dcm"] == ("failed", "source-changed")
    # nothing changed since: not tried again, but still said
    again = migrate(made)
    assert (again.status, again.counts["failed"], len(again.left)) == ("partial", 0, 1)


def test_what_was_sent_and_is_held_later_stays_and_is_reported(tmp_path: Path) -> None:
    import polars as pl

    made = project(tmp_path)
    migrate(made)
    Catalog(made).replace(
        "plan", Catalog(made).read("plan").with_columns(state=pl.lit("held"), reason=pl.lit("overlay"))
    )
    assert any("held or excluded now" in line for line in migrate(made).left)
    assert len(tree(made.target_root())) == 15
    plan_all(made)
    assert migrate(made).counts["sent"] == 0


def test_a_transition_that_isnt_allowed_is_found(tmp_path: Path) -> None:
    made = project(tmp_path)
    Journal(made).append([{"source": "pacs", "location": "s1/i1.dcm", "state": "verified"}])
    with pytest.raises(CatalogInvalid, match="planned to verified"):
        receipts(made)


def test_an_answer_lost_once_is_settled_in_the_same_run(tmp_path: Path) -> None:
    port = free_port()
    made = project(tmp_path, target=target_yaml(port, "TARGET", timeout=3))
    seen: list[str] = []

    def breaks_once(event: Any) -> int:
        seen.append(str(event.request.AffectedSOPInstanceUID))
        if len(seen) == 4:
            event.assoc.abort()
        return 0x0000

    with scp(breaks_once, port):
        result = migrate(made, workers=1)
    assert (result.status, result.counts["sent"], result.counts["unknown"]) == ("done", 15, 0)
    assert len(seen) == 16
