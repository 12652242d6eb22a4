"""The sample of objects that assess holds against their IODs."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from fonds.archives.folder import FolderSource
from fonds.assess.conform import conform, sample
from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.operations.runs import StageRun
from fonds.project.settings import Project, load


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "ct").mkdir()
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "ct/clean.dcm")
    ds = dcmread(get_testdata_file("CT_small.dcm"))
    ds.SOPInstanceUID, ds.Manufacturer, ds.PatientSex = "1.2.3", "Other", "X"
    del ds.StudyID
    ds.save_as(tmp_path / "ct/faulty.dcm")
    (tmp_path / "fonds.yaml").write_text("name: x\nsources:\n  ct: {path: ct}\n", encoding="utf-8")
    project = load(tmp_path)
    crawl(project)
    return project


def _run(project: Project) -> StageRun:
    run = StageRun(project, "assess", Catalog(project), False, None, 0.0)
    conform(run)
    return run


def _rows(project: Project) -> list[tuple[str, ...]]:
    table = Catalog(project).read("conformance").sort("location", "path")
    return table.select("location", "path", "problem", "type", "value").rows()


FAULTS = [
    ("clean.dcm", "", "none", None, None),
    ("faulty.dcm", "(0010,0040)", "value", None, None),
    ("faulty.dcm", "(0020,0010)", "missing", "2", None),
]


def test_each_object_says_what_is_wrong_or_that_nothing_is(project: Project) -> None:
    run = _run(project)
    assert _rows(project) == FAULTS
    assert run.counts["compared"] == 2


def test_an_object_is_opened_once_until_it_changes(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    original = FolderSource.open
    monkeypatch.setattr(FolderSource, "open", lambda self, at: opened.append(at) or original(self, at))
    _run(project)
    version = Catalog(project).versions()["conformance"]
    _run(project)
    assert sorted(opened) == ["clean.dcm", "faulty.dcm"]
    assert Catalog(project).versions()["conformance"] == version, "nothing changed, so nothing is written"

    shutil.copy(project.root / "ct/clean.dcm", project.root / "ct/faulty.dcm")
    crawl(project)
    opened.clear()
    _run(project)
    assert opened == ["faulty.dcm"]
    assert {problem for _, _, problem, *_ in _rows(project)} == {"none"}


def test_a_source_that_does_not_answer_is_told_and_keeps_what_was_known(project: Project) -> None:
    _run(project)
    shutil.move(project.root / "ct", project.root / "gone")
    assert _run(project).left == [], "nothing had to be opened"
    (project.catalog_dir / "assess/conformance.json").unlink()
    run = _run(project)
    assert run.left == ["ct: doesn't answer, so no object of it was compared with its IOD"]


def test_none_are_opened_when_the_sample_is_zero(project: Project) -> None:
    path = project.root / "fonds.yaml"
    path.write_text(path.read_text() + "assess: {conformance_sample: 0}\n", encoding="utf-8")
    run = _run(load(project.root))
    assert (_rows(project), run.counts["compared"]) == ([], 0)


def test_the_sample_holds_so_many_of_each_kind(project: Project) -> None:
    made = pl.DataFrame(
        [
            {"source": source, "location": f"{number}.dcm", "size": 1, "mtime_ns": 1, "Manufacturer": maker,
             "SOPClassUID": "1.2", "StudyInstanceUID": "1"}
            for source in ("a", "b") for maker in ("x", "y", None) for number in range(5)
        ]
    )  # fmt: skip
    with Catalog(project).connect() as connection:
        connection.register("made", made.with_columns(transfer_syntax=pl.lit("1"), ManufacturerModelName=pl.lit("m")))
        connection.execute("CREATE OR REPLACE TEMP VIEW instances AS SELECT * FROM made")
        twice = [sample(connection, 2, ["a"]) for _ in range(2)]
        every = sample(connection, "all", ["a", "b"])
    assert twice[0].equals(twice[1])
    assert (twice[0].height, set(twice[0]["source"])) == (6, {"a"})
    assert every.height == 30
