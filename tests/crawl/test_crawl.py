"""The crawl by its tables: everything accounted for, nothing read twice, nothing lost when it is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
from ruamel.yaml import YAML

from fonds.archives.base import FoundFile
from fonds.archives.folder import FolderSource
from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.crawl import run as crawl_run
from fonds.errors import DefinitionInvalid, Transient
from fonds.project.folders import shipped
from fonds.project.settings import Project, load
from tests.crawl.archive import DyingSource, fill, project, tables

FILES = 120
ALL = FILES + 3


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    fill(folder, FILES)
    return folder


@pytest.fixture
def own(tmp_path: Path) -> tuple[Project, Path]:
    """A project over an archive that a test may change."""
    fill(tmp_path / "archive", 5)
    return project(tmp_path / "p", tmp_path / "archive"), tmp_path / "archive"


@pytest.fixture
def unopened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The locations that are opened from here on."""
    opened: list[str] = []
    plain = FolderSource.open

    def watched(self: FolderSource, location: str) -> BinaryIO:
        opened.append(location)
        return plain(self, location)

    monkeypatch.setattr(FolderSource, "open", watched)
    return opened


def test_every_file_is_in_exactly_one_place(archive: Path, tmp_path: Path) -> None:
    of = project(tmp_path / "p", archive)
    result = crawl(of)
    assert (result.status, result.counts["files"], result.counts["instances"]) == ("done", ALL, FILES)
    with Catalog(of).connect() as connection:
        kinds = connection.sql("SELECT kind, count(*), count(DISTINCT location) FROM inventory GROUP BY 1 ORDER BY 1")
        assert kinds.fetchall() == [("index", 1, 1), ("instance", FILES, FILES), ("unreadable", 2, 2)]
        reasons = connection.sql("SELECT location, reason FROM unreadable ORDER BY 1").fetchall()
        assert reasons == [("broken.dcm", "truncated_header"), ("note.txt", "not_dicom")]
        levels = connection.sql("SELECT level, count(*) FROM entries GROUP BY 1 ORDER BY 1").fetchall()
        assert dict(levels)["MEDIA"] == 1
        one = connection.sql(
            "SELECT PatientID, Modality, Rows, transfer_syntax, digest_pixels IS NOT NULL FROM instances LIMIT 1"
        ).fetchone()
        assert one == ("1CT1", "CT", "128", "1.2.840.10008.1.2.1", True)


def test_a_second_crawl_opens_nothing_and_writes_nothing(own: tuple[Project, Path], unopened: list[str]) -> None:
    of, _ = own
    crawl(of)
    before, versions = tables(of), Catalog(of).versions()
    unopened.clear()
    again = crawl(of)
    assert (again.status, again.tables, unopened) == ("unchanged", (), [])
    assert again.counts["unchanged"] == again.counts["files"] == 8
    assert Catalog(of).versions() == versions
    assert all(frame.equals(before[name]) for name, frame in tables(of).items())


def test_only_what_changed_is_read_and_what_went_is_gone(own: tuple[Project, Path], unopened: list[str]) -> None:
    of, archive = own
    crawl(of)
    unopened.clear()
    shutil.copyfile(archive / "000/00001", archive / "000/new")
    (archive / "000/00000").write_bytes((archive / "broken.dcm").read_bytes())
    (archive / "000/00004").unlink()
    result = crawl(of)
    assert sorted(unopened) == ["000/00000", "000/new"]
    assert {name: result.counts[name] for name in ("read", "unchanged", "vanished", "instances", "unreadable")} == {
        "read": 2,
        "unchanged": 6,
        "vanished": 1,
        "instances": 4,
        "unreadable": 3,
    }
    assert "000/00004" not in tables(of)["instances"]["location"]


def test_force_reads_all_again_and_says_the_same(own: tuple[Project, Path], unopened: list[str]) -> None:
    of, _ = own
    crawl(of)
    before = tables(of)
    unopened.clear()
    crawl(of, force=True)
    assert len(unopened) == 8
    assert all(frame.equals(before[name]) for name, frame in tables(of).items())


def test_what_is_to_be_read_is_part_of_what_was_read(own: tuple[Project, Path], unopened: list[str]) -> None:
    of, _ = own
    crawl(of)
    unopened.clear()
    words = YAML(typ="safe").load((shipped() / "rules/base/attributes.yaml").read_text())["attributes"]
    path = of.root / "rules/base/attributes.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("attributes: [" + ", ".join([*words, "ConvolutionKernel"]) + "]\n")
    crawl(of)
    assert len(unopened) == 8
    assert tables(of)["instances"]["ConvolutionKernel"].unique().to_list() == ["STANDARD"]
    path.write_text("attributes: [" + ", ".join([*words, "PixelData"]) + "]\n")
    with pytest.raises(DefinitionInvalid, match="PixelData"):
        crawl(of)


def test_without_digests_no_digests(tmp_path: Path) -> None:
    fill(tmp_path / "archive", 2)
    of = project(tmp_path / "p", tmp_path / "archive", "    digest: false\n")
    crawl(of)
    assert tables(of)["instances"]["digest_object"].null_count() == 2
    assert tables(of)["instances"]["pixel_length"].to_list() == [32768, 32768]


def test_workers_and_shards_make_no_difference(archive: Path, tmp_path: Path) -> None:
    one, many = project(tmp_path / "one", archive), project(tmp_path / "many", archive)
    crawl(one, workers=1)
    crawl(many, workers=2, shard_files=13)
    assert all(frame.equals(tables(one)[name]) for name, frame in tables(many).items())


def test_a_source_that_is_not_there_keeps_its_rows(own: tuple[Project, Path]) -> None:
    of, archive = own
    crawl(of)
    before = tables(of)
    archive.rename(archive.with_name("unmounted"))
    result = crawl(of)
    assert result.status == "partial"
    assert "is kept" in " ".join(result.left) or "are kept" in " ".join(result.left)
    assert all(frame.equals(before[name]) for name, frame in tables(of).items())
    with pytest.raises(DefinitionInvalid, match="archive"):
        crawl(of, sources=["archiv"])


def test_rows_of_a_source_that_left_the_settings_go(own: tuple[Project, Path]) -> None:
    of, archive = own
    crawl(of)
    fill(archive.with_name("second"), 1)
    (of.root / "fonds.yaml").write_text("name: t\nsources:\n  second:\n    path: ../second\n", encoding="utf-8")
    crawl(load(of.root))
    assert {name: frame["source"].unique().to_list() for name, frame in tables(of).items()} == {
        name: ["second"] for name in tables(of)
    }


def test_places_without_permission_are_rows_and_tried_again(
    own: tuple[Project, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    of, archive = own
    (archive / "closed").mkdir()
    shutil.copyfile(archive / "000/00001", archive / "closed/inside")
    plain_scan, plain_open = os.scandir, FolderSource.open

    def scan(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return plain_scan(path)  # type: ignore[return-value]

    def opened(self: FolderSource, location: str) -> BinaryIO:
        if location == "000/00002":
            raise PermissionError(13, "Permission denied")
        if location == "000/00003":
            raise OSError(5, "Input/output error")
        return plain_open(self, location)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", scan)
        patched.setattr(FolderSource, "open", opened)
        crawl(of)
    rows = tables(of)["unreadable"].select("location", "reason").rows()
    assert set(rows) >= {("closed/", "permission"), ("000/00002", "permission"), ("000/00003", "io_error")}
    assert crawl(of).counts["instances"] == 6
    assert "permission" not in tables(of)["unreadable"]["reason"]


def test_a_file_that_changes_under_the_crawl_is_noted_and_read_anew(
    own: tuple[Project, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    of, _ = own
    plain = FolderSource.list

    def stale(self: FolderSource) -> Iterator[FoundFile]:
        for file in plain(self):
            if file.location == "000/00001":
                yield FoundFile(file.location, file.size - 2, file.mtime_ns - 1)
            else:
                yield file

    with monkeypatch.context() as patched:
        patched.setattr(FolderSource, "list", stale)
        crawl(of)
    noted = tables(of)["instances"].filter(read_note="changed_while_read")
    assert noted["location"].to_list() == ["000/00001"]
    assert crawl(of).counts["read"] == 1
    assert tables(of)["instances"]["read_note"].null_count() == 5


def test_a_killed_worker_is_an_error_that_can_be_tried_again(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed, of = project(tmp_path / "a", archive), project(tmp_path / "b", archive)
    crawl(undisturbed)
    marker = tmp_path / "marker"
    marker.touch()
    source = DyingSource(FolderSource("archive", archive), "005/00105", marker)
    with monkeypatch.context() as patched:
        patched.setattr(crawl_run, "open_source", lambda project, name: source)
        with pytest.raises(Transient, match="run the crawl again"):
            crawl(of, workers=2, shard_files=10)
        assert not marker.exists()
    result = crawl(of, shard_files=10)
    assert result.counts["resumed"] > 0
    assert all(frame.equals(tables(undisturbed)[name]) for name, frame in tables(of).items())


def test_a_crawl_killed_midway_resumes_to_the_same_catalog(archive: Path, tmp_path: Path) -> None:
    undisturbed, of = project(tmp_path / "a", archive), project(tmp_path / "b", archive)
    crawl(undisturbed)
    program = (
        "import time\nfrom fonds.project.settings import load\nfrom fonds.crawl import crawl\n"
        "from fonds.archives.folder import FolderSource\nplain = FolderSource.open\n"
        "def slow(self, location):\n    time.sleep(0.02)\n    return plain(self, location)\n"
        f"FolderSource.open = slow\ncrawl(load({str(of.root)!r}), workers=1, shard_files=10)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], start_new_session=True) as process:
        staging = crawl_run.staging_dir(of)
        deadline = time.monotonic() + 60
        while len(list(staging.glob("*/*/[!.]*/instances.parquet"))) < 3:
            assert process.poll() is None, "ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    assert tables(of)["instances"].is_empty()
    result = crawl(of, shard_files=10)
    assert result.counts["resumed"] >= 30
    assert result.counts["read"] + result.counts["resumed"] == ALL
    assert all(frame.equals(tables(undisturbed)[name]) for name, frame in tables(of).items())
    assert not list(staging.glob("*"))
