"""The crawl of objects at any size: members, digests on request, two ways to read, kills between commits, a cluster."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pydicom
import pytest

from fonds.catalog.store import Catalog
from fonds.crawl import crawl, replacing
from fonds.crawl import objects as crawl_objects
from fonds.crawl.delta import Difference
from fonds.crawl.pool import run_shards
from fonds.crawl.shard import Kind
from fonds.errors import DefinitionInvalid, Transient
from fonds.operations.pace import Pace
from fonds.operations.runs import Event
from fonds.project.settings import Project
from tests.crawl.archive import WHEEL, fill, project, tables


def same(one: Project, other: Project) -> bool:
    """Whether two projects have the same catalog."""
    return all(frame.equals(tables(other)[name]) for name, frame in tables(one).items())


def zipped(path: Path, names: dict[str, Path]) -> None:
    """A zip file of these files."""
    with zipfile.ZipFile(path, "w") as file:
        for name, source in names.items():
            file.write(source, name)


def test_members_stay_and_go_with_their_container(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    fill(archive, 2)
    zipped(archive / "a.zip", {"one": archive / "000/00000", "two": archive / "000/00001", "x": archive / "note.txt"})
    of = project(tmp_path / "p", archive)
    assert crawl(of).counts["files"] == 6
    found = tables(of)
    assert found["instances"]["location"].to_list() == ["000/00000", "000/00001", "a.zip!one", "a.zip!two"]
    assert "a.zip!x" in found["unreadable"]["location"]
    assert found["entries"].filter(location="a.zip").select("origin", "level").rows() == [("zip", "MEDIA")]
    assert crawl(of).status == "unchanged"
    zipped(archive / "a.zip", {"two": archive / "000/00001"})
    result = crawl(of)
    assert (result.counts["read"], result.counts["vanished"]) == (1, 0)
    assert tables(of)["instances"]["location"].to_list() == ["000/00000", "000/00001", "a.zip!two"]
    (archive / "a.zip").unlink()
    assert crawl(of).counts["vanished"] == 1
    assert not [name for frame in tables(of).values() for name in frame["location"] if name.startswith("a.zip")]


def test_digests_are_added_when_they_are_wanted(tmp_path: Path) -> None:
    fill(tmp_path / "archive", 3)
    of = project(tmp_path / "p", tmp_path / "archive", "    digest: false\n")
    crawl(of)
    assert crawl(of).counts["read"] == 0
    result = crawl(of, digest=True)
    assert (result.counts["read"], result.counts["unchanged"]) == (3, 3)
    digested = tables(of)["instances"]
    assert digested["digest_object"].null_count() == 0
    assert crawl(of).counts["read"] == 0
    assert tables(of)["instances"].equals(digested)


def test_both_ways_to_read_leave_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "archive"
    shutil.copytree(WHEEL, archive, ignore=shutil.ignore_patterns("__pycache__"))
    zipped(archive / "a.zip", {"one": WHEEL / "CT_small.dcm"})
    (archive / "empty").touch()
    ct = pydicom.dcmread(WHEEL / "CT_small.dcm")
    ct.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"  # a directory by its meta, an image to the kernel
    ct.save_as(archive / "claims to be a directory")
    one, many = project(tmp_path / "one", archive), project(tmp_path / "many", archive)
    crawl(one, workers=1)
    monkeypatch.setattr(crawl_objects, "COLUMNAR_FILES", 1)
    crawl(many, workers=1)
    for name, frame in tables(one).items():
        other = tables(many)[name]
        assert frame["location"].to_list() == other["location"].to_list()
        differing = [column for column in frame.columns if not frame[column].equals(other[column], null_equal=True)]
        assert not differing


def test_a_crawl_killed_between_its_commits_is_put_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "archive"
    fill(archive, 6)
    zipped(archive / "a.zip", {"one": archive / "000/00000"})
    undisturbed, of = project(tmp_path / "a", archive), project(tmp_path / "b", archive)
    crawl(undisturbed)
    plain = Difference.replacement

    def killed(self: Difference, kind: Kind) -> bool:
        if kind == "instances":
            raise KeyboardInterrupt
        return plain(self, kind)

    with monkeypatch.context() as patched:
        patched.setattr(Difference, "replacement", killed)
        with pytest.raises(KeyboardInterrupt):
            crawl(of)
    assert tables(of)["entries"].height
    assert tables(of)["instances"].is_empty()
    result = crawl(of)
    assert result.counts["read"] == 0
    assert same(of, undisturbed)
    with monkeypatch.context() as patched:
        patched.setattr(Difference, "replacement", killed)
        (archive / "000/00001").unlink()
        (archive / "000/00000").write_bytes(b"no object any more")
        with pytest.raises(KeyboardInterrupt):
            crawl(of)
    shutil.rmtree(of.catalog_dir / "staging")
    crawl(of)
    crawl(undisturbed)
    assert same(of, undisturbed)


def test_small_files_are_written_together_and_no_version_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replacing, "MANY_SMALL", 3)
    archive = tmp_path / "archive"
    fill(archive, 12)
    of = project(tmp_path / "p", archive)
    crawl(of, shard_files=2)
    assert len(Catalog(of).files("instances")) == 1
    version = Catalog(of).versions()["instances"]
    before = tables(of)["instances"]
    for number in range(4):
        shutil.copyfile(archive / "000/00000", archive / f"new{number}")
        crawl(of)
    assert len(Catalog(of).files("instances")) <= 4
    assert tables(of)["instances"].height == 16
    assert Catalog(of).read("instances", version=version).equals(before)


PROGRAM = """
import sys
from pathlib import Path
from fonds.crawl import crawl
from fonds.project.settings import load
crawl(load(Path(sys.argv[1])), workers=2, shard_files=10)
"""


def test_what_a_crawl_killed_behind_its_last_commit_left_goes_with_the_next(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    fill(archive, 3)
    of = project(tmp_path / "a", archive)
    crawl(of)
    left = of.catalog_dir / "staging" / "crawl" / "archive" / "0123456789abcdef"
    left.mkdir(parents=True)
    (left / "instances-0.parquet").write_bytes(b"shard of a crawl that was killed")
    assert crawl(of).counts["read"] == 0
    assert not left.parent.exists()


def test_killed_at_any_moment_the_next_crawl_says_the_same(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    fill(archive, 60)
    undisturbed, of = project(tmp_path / "a", archive), project(tmp_path / "b", archive)
    crawl(undisturbed)
    for seconds in (0.2, 1.5):
        with subprocess.Popen([sys.executable, "-c", PROGRAM, of.root], start_new_session=True) as process:
            staging = of.catalog_dir / "staging"
            deadline = time.monotonic() + 60
            while not staging.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(seconds)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    crawl(of)
    assert same(of, undisturbed)
    assert not list((of.catalog_dir / "staging" / "crawl").glob("*"))


def test_shards_are_read_on_a_dask_cluster(tmp_path: Path) -> None:
    from distributed import LocalCluster

    archive = tmp_path / "archive"
    fill(archive, 20)
    undisturbed = project(tmp_path / "a", archive)
    crawl(undisturbed)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        of = project(tmp_path / "b", archive, f"runner: dask://{address}\n")
        assert crawl(of, shard_files=5).status == "done"
    assert same(of, undisturbed)


def test_a_missing_cluster_or_library_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonds.operations.pool.PATIENCE", 1)
    fill(tmp_path / "archive", 1)
    of = project(tmp_path / "p", tmp_path / "archive", "runner: dask://127.0.0.1:9\n")
    with pytest.raises(Transient, match=r"127\.0\.0\.1:9"):
        crawl(of)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(DefinitionInvalid, match="pip install"):
        next(run_shards("dask://127.0.0.1:9", [], 1))


def test_progress_says_how_fast_and_how_long() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.hear(Event("crawl", 0, 1000, "files")) == ""
    now[0] = 10.0
    told = pace.hear(Event("crawl", 200, 1000, "files", bytes=50_000_000, errors=3))
    assert told == "20 files/s · 5.0 MB/s · 0:40 left · 3 unreadable"
    assert pace.hear(Event("crawl", 0, 3, "tables written")) == ""


def test_events_count_bytes_and_errors(tmp_path: Path) -> None:
    fill(tmp_path / "archive", 3)
    heard: list[Event] = []
    crawl(project(tmp_path / "p", tmp_path / "archive"), progress=heard.append)
    last = [event for event in heard if event.unit == "files"][-1]
    sizes = sum(path.stat().st_size for path in (tmp_path / "archive").rglob("*") if path.is_file())
    assert (last.done, last.total, last.errors, last.bytes) == (6, 6, 2, sizes)
