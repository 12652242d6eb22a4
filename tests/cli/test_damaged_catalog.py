"""A damaged or moved catalog and a project that can't be written: told with the remedy, mended where a stage can."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pydicom.data
import pytest
from sqlalchemy import update

from fonds.catalog.publish import newest_run
from fonds.catalog.store import Catalog
from fonds.cli.examine import examine
from fonds.cli.reading import sql, status
from fonds.crawl import crawl
from fonds.errors import GateClosed, StorageFailed
from fonds.operations.models import Run, session
from fonds.operations.runs import stage_run
from fonds.project.scaffold import init
from fonds.project.settings import Project, load
from tests.parts import require

FONDS = str(Path(sys.executable).with_name("fonds"))
MEDIA = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "77654033"
COUNT = "select count(*) as objects from instances"


def fonds(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # root may write everywhere, unless it lacks just this right
    root = os.geteuid() == 0
    without = [require("setpriv", "util-linux"), "--bounding-set", "-dac_override"] if root else []
    return subprocess.run([*without, FONDS, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("damaged") / "h"
    init(home, sources={"media": MEDIA})
    crawl(load(home))
    return home


@pytest.fixture
def project(crawled: Path, tmp_path: Path) -> Project:
    made = load(shutil.copytree(crawled, tmp_path / "h"))
    crawl(made)  # published anew: the copy's views named the files of the first
    return made


def test_doctor_names_the_damaged_tables_and_goes_on(project: Project) -> None:
    for part in (project.catalog_dir / "tables" / "instances").glob("*.parquet"):
        os.truncate(part, 900)
    looks = {what: (ok, fix) for ok, what, fix in examine(project.root)}
    ok, fix = looks["catalog table instances: 1 of 1 file(s) missing or damaged"]
    assert not ok
    assert "catalog folder away" in fix
    assert any("GB free" in what for what in looks), "the looks after it were made"
    shutil.rmtree(project.catalog_dir / "tables" / "instances" / "_delta_log")
    assert "catalog table instances: its log is missing" in [what for _, what, _ in examine(project.root)]


@pytest.mark.parametrize("left", [0, 5_000, 300_000])
def test_a_damaged_published_file_is_told_and_made_anew_by_an_unchanged_crawl(
    project: Project, left: int, capsys: pytest.CaptureFixture[str]
) -> None:
    os.truncate(project.catalog_dir / "catalog.duckdb", left)
    with pytest.raises(StorageFailed, match="`fonds crawl`"):
        sql("select * from runs", project.root)
    status(project.root, json=True)
    told = capsys.readouterr()
    assert json.loads(told.out)["sources"][0]["instances"] == 7
    assert "`fonds crawl`" in told.err
    assert crawl(project).status == "unchanged"
    sql(COUNT, project.root, json=True)
    assert json.loads(capsys.readouterr().out) == [{"objects": 7}]


def test_a_damaged_table_is_not_blamed_on_the_query(project: Project) -> None:
    for part in (project.catalog_dir / "tables" / "instances").glob("*.parquet"):
        part.unlink()
    with pytest.raises(StorageFailed, match=r"damaged: instances\. Move .* catalog folder away"):
        sql(COUNT, project.root)


def test_a_moved_project_is_published_where_it_lies_now(crawled: Path, tmp_path: Path) -> None:
    moved = load(shutil.copytree(crawled, tmp_path / "moved to Zürich"))
    assert newest_run(moved) is None
    assert crawl(moved).status == "unchanged"
    assert newest_run(moved) is not None
    assert Catalog(moved).read("instances").height == 7
    assert all(ok for ok, what, _ in examine(moved.root) if "catalog" in what)


def test_what_a_killed_run_wrote_is_published_by_the_next_run_without_news(project: Project) -> None:
    """Killed after its tables were written and before they were published: the crawl then finds nothing new."""
    instances = Catalog(project).read("instances")
    Catalog(project).replace("instances", instances.head(0))
    with session(project) as opened:
        opened.add(Run(stage="crawl", status="running", started=opened.get_one(Run, 1).started))
    Catalog(project).replace("instances", instances)
    before = newest_run(project)
    assert crawl(project).status == "unchanged"
    assert newest_run(project) != before
    stamp = (project.catalog_dir / "catalog.duckdb").stat().st_mtime_ns
    crawl(project)
    assert (project.catalog_dir / "catalog.duckdb").stat().st_mtime_ns == stamp, "nothing new, nothing published"


def test_the_first_error_is_told_when_the_run_cant_be_closed_either(project: Project) -> None:
    def fails() -> None:
        with stage_run(project, "crawl", inputs=None, outputs=("instances",)):
            (project.root / "operations.db").write_text("no database, but long enough to be looked at as one")
            raise GateClosed("the first")

    with pytest.raises(GateClosed, match="the first") as told:
        fails()
    assert any("recorded as failed" in note for note in told.value.__notes__)


@pytest.mark.parametrize("logged", [False, True])
def test_reading_verbs_need_no_right_to_write(project: Project, logged: bool) -> None:
    database = project.root / "operations.db"
    if logged:  # the log of a writer that was killed: what it holds counts
        import sqlite3

        writer = sqlite3.connect(database)
        writer.execute("UPDATE runs SET status = 'partial'")
        writer.commit()
        for kind in ("-wal", "-shm"):
            shutil.copy(f"{database}{kind}", f"{database}{kind}.kept")
        writer.close()
        for kind in ("-wal", "-shm"):
            Path(f"{database}{kind}.kept").rename(f"{database}{kind}")
    else:
        with session(project) as opened:
            opened.execute(update(Run).values(status="partial"))
    everything = (project.root, *project.root.rglob("*"))
    for path in everything:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        read = fonds(project.root, "status")
        assert read.returncode == 0, read.stderr
        assert "partial" in read.stdout
        if logged:
            return  # what follows has nothing to do with the log
        assert "7" in fonds(project.root, "sql", COUNT, "--csv").stdout
        refused = fonds(project.root, "crawl")
        assert refused.returncode == 3
        assert "can't be written" in refused.stderr
    finally:
        for path in everything:
            path.chmod(path.stat().st_mode | 0o200)
