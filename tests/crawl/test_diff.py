"""What two crawls found differently, and the catalog as it was: rows by content, read from two versions of Delta."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from typer.testing import CliRunner

from fonds.catalog.difference import differences
from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.crawl import crawl
from fonds.errors import QueryRefused
from fonds.operations.snapshots import last_crawls, open_as_of, versions_after
from fonds.project.settings import Project
from tests.crawl.archive import fill, project

CHANGED = "000/00001"


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, int, int]:
    """A project crawled, then crawled again after its archive had changed; the numbers of both runs."""
    root = tmp_path_factory.mktemp("diff")
    archive = root / "archive"
    fill(archive, 5)
    of = project(root / "p", archive)
    first = crawl(of).run
    assert crawl(of).status == "unchanged"
    data = (archive / CHANGED).read_bytes()
    assert b"1CT1" in data
    (archive / CHANGED).write_bytes(data.replace(b"1CT1", b"2CT2"))
    shutil.copyfile(archive / "000/00002", archive / "000/new")
    (archive / "000/00003").unlink()
    (archive / "000/00004").write_bytes(b"no object any more")
    os.utime(archive / "000/00002", ns=(1, 1))
    return of, first, crawl(of).run


def test_added_removed_and_changed_objects_with_their_attributes(crawled: tuple[Project, int, int]) -> None:
    of, first, second = crawled
    rows = differences(Catalog(of), versions_after(of, first), versions_after(of, second))
    told = {row["location"]: (row["change"], row["before"], row["after"]) for row in rows.to_dicts()}
    assert told == {
        CHANGED: ("changed", "instances", "instances"),
        "000/00002": ("changed", "instances", "instances"),
        "000/00003": ("removed", "instances", None),
        "000/00004": ("changed", "instances", "unreadable"),
        "000/new": ("added", None, "instances"),
    }
    which = {row["location"]: row["attributes"] for row in rows.to_dicts()}
    assert set(which[CHANGED]) == {"PatientID", "StudyID", "mtime_ns", "digest_object", "digest_header"}
    assert which["000/00002"] == ["mtime_ns"]
    back = differences(Catalog(of), versions_after(of, second), versions_after(of, first))
    assert back.filter(location="000/new")["change"].to_list() == ["removed"]
    assert differences(Catalog(of), versions_after(of, second), versions_after(of, second)).is_empty()
    assert differences(Catalog(of), {}, versions_after(of, first), "archive")["change"].unique().to_list() == ["added"]
    assert differences(Catalog(of), {}, versions_after(of, first), "other").is_empty()


def test_the_catalog_as_it_was(crawled: tuple[Project, int, int]) -> None:
    of, first, _ = crawled
    with open_as_of(of, first) as connection:
        assert connection.sql(f"SELECT PatientID FROM instances WHERE location = '{CHANGED}'").fetchall() == [("1CT1",)]
        assert connection.sql("SELECT count(*) FROM inventory").fetchall() == [(8,)]
        assert connection.sql("SELECT max(run) FROM runs").fetchall() == [(first,)]
        with pytest.raises(Exception, match="disabled by configuration"):
            connection.sql("FROM read_csv('/etc/passwd')")
    with pytest.raises(QueryRefused, match="no run 99"):
        open_as_of(of, 99)


def test_the_last_two_crawls_that_differ_are_found(crawled: tuple[Project, int, int]) -> None:
    of, first, second = crawled
    assert last_crawls(of) == (first, second)


def test_the_commands(crawled: tuple[Project, int, int]) -> None:
    of, first, second = crawled
    run = CliRunner()
    told = run.invoke(app, ["diff", "-p", str(of.root), "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    assert answer["runs"] == [first, second]
    assert {row["change"]: row["objects"] for row in answer["counts"]} == {"added": 1, "changed": 3, "removed": 1}
    told = run.invoke(app, ["diff", str(first), str(second), "--source", "archive", "-p", str(of.root)])
    assert "000/new" in told.stdout
    query = "select count(*) as n from instances"
    told = run.invoke(app, ["sql", query, "--as-of", str(first), "--json", "-p", str(of.root)])
    assert json.loads(told.stdout) == [{"n": 5}]
    assert isinstance(run.invoke(app, ["diff", str(first), "-p", str(of.root)]).exception, QueryRefused)
