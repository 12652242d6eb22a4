"""fonds export inventory: it conforms, is the same each time, and read again says what the catalog does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
import pydicom
import pydicom.data
import pynetdicom.sop_class
import pytest
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from fonds.archives.inventory import InventoryIndex
from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.crawl import crawl
from fonds.project.settings import Project, load
from fonds.report.inventory import export_inventory
from tests.archives.test_inventory import Memory

MEDIA = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
UID_COLUMNS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A crawled project with two sources: a medium with awkward names, and a zip with one study of it."""
    home = tmp_path_factory.mktemp("export")
    for patient in ("77654033", "98892001"):
        shutil.copytree(MEDIA / patient, home / "media" / patient)
    odd = home / "media" / "a folder" / "ä#1%.dcm"
    odd.parent.mkdir()
    shutil.move(home / "media" / "77654033" / "CR1" / "6154", odd)
    shutil.make_archive(str(home / "zipped" / "one"), "zip", home / "media" / "98892001")
    (home / "fonds.yaml").write_text("name: t\nsources:\n  media: {path: media}\n  zipped: {path: zipped}\n")
    project = load(home)
    crawl(project)
    return project


def objects(project: Project, source: str | None = None) -> pl.DataFrame:
    """What the catalog holds."""
    rows = Catalog(project).read("instances")
    return rows if source is None else rows.filter(source=source)


def read(path: Path) -> tuple[pl.DataFrame, list[str]]:
    """What an Inventory says as a source."""
    batches = list(InventoryIndex("back", path).batches(Memory()))
    return pl.concat([batch.rows for batch in batches]), [batch.problem for batch in batches if batch.problem]


def test_read_again_it_says_what_the_catalog_says(hospital: Project, tmp_path: Path) -> None:
    done = export_inventory(hospital, tmp_path / "a.dcm", source="media")
    known = objects(hospital, "media")
    rows, problems = read(done.root)
    assert not problems
    assert (done.studies, done.left_out) == (known["StudyInstanceUID"].n_unique(), 0)
    told = rows.filter(level="INSTANCE").select("study_uid", "series_uid", "sop_uid", file="referenced_file")
    base = (hospital.root / "media").as_uri() + "/"
    expected = known.select(*UID_COLUMNS, file="location")
    assert sorted((*row[:3], unquote(row[3]).removeprefix(base)) for row in told.iter_rows()) == sorted(expected.rows())
    assert set(rows.filter(level="SERIES")["series_uid"]) == set(known["SeriesInstanceUID"])
    for one in known.iter_rows(named=True):
        study = json.loads(rows.filter(location=one["StudyInstanceUID"])["attributes"][0])
        assert study["PatientName"] == one["PatientName"]
        assert study["PatientID"] == one["PatientID"]
        assert study["StudyDate"] == one["StudyDate"]
        assert study["NumberOfStudyRelatedInstances"] == str(
            known.filter(StudyInstanceUID=one["StudyInstanceUID"]).height
        )


def test_copies_in_several_sources_are_one_object_with_two_files(hospital: Project, tmp_path: Path) -> None:
    done = export_inventory(hospital, tmp_path / "a.dcm")
    rows, _ = read(done.root)
    assert rows.filter(level="INSTANCE").height == objects(hospital)["SOPInstanceUID"].n_unique()
    twice = [json.loads(text) for text in rows.filter(level="INSTANCE")["attributes"]]
    files = [said["FileAccessSequence"].split("\\") for said in twice if "FileAccessSequence" in said]
    assert len(files) == objects(hospital, "zipped").height
    assert all("/media/98892001/" in first and "/zipped/one.zip!" in second for first, second in files)


def test_the_same_catalog_gives_the_same_bytes(hospital: Project, tmp_path: Path) -> None:
    first = export_inventory(hospital, tmp_path / "a", largest=1)
    second = export_inventory(hospital, tmp_path / "b", largest=1)
    assert [one.name for one in first.files] == [one.name for one in second.files]
    assert len(first.files) > 2
    for one, other in zip(first.files, second.files, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_tree_says_what_one_instance_does(hospital: Project, tmp_path: Path) -> None:
    whole, _ = read(export_inventory(hospital, tmp_path / "one.dcm").root)
    done = export_inventory(hospital, tmp_path / "many", largest=1)
    tree, problems = read(done.root)
    assert not problems
    below = [rows.filter(pl.col("level") != "MEDIA").sort("location") for rows in (whole, tree)]
    assert below[0].equals(below[1])
    assert pydicom.dcmread(done.root).TotalNumberOfStudyRecords == done.studies


@pytest.mark.parametrize(("level", "depth"), [("study", 1), ("series", 2), ("instance", 3)])
def test_records_go_as_deep_as_asked(hospital: Project, tmp_path: Path, level: Any, depth: int) -> None:
    rows, problems = read(export_inventory(hospital, tmp_path / "a.dcm", level=level).root)
    assert set(rows["level"]) - {"MEDIA"} == set(("STUDY", "SERIES", "INSTANCE")[:depth])
    assert not problems


def walk(data: Dataset, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Dataset]]:
    """Every item with the sequences above it."""
    yield path, data
    for element in data:
        if element.VR == "SQ":
            for item in element.value:
                yield from walk(item, (*path, element.keyword))


def test_it_conforms_to_the_iod(hospital: Project, tmp_path: Path) -> None:
    spec = find_spec("highdicom")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(next(iter(spec.submodule_search_locations))) / "_standard"
    iod = json.loads((folder / "sop_class_iod_map.json").read_text())[pynetdicom.sop_class.InventoryStorage]
    modules = [one["key"] for one in json.loads((folder / "iod_module_map.json").read_text())[iod]]
    table = json.loads((folder / "module_attribute_map.json").read_text())
    kinds = {(*one["path"], one["keyword"]): one["type"] for module in modules for one in table[module]}
    for path in export_inventory(hospital, tmp_path / "a", largest=1).files:
        data = pydicom.dcmread(path)
        assert data.file_meta.MediaStorageSOPClassUID == pynetdicom.sop_class.InventoryStorage
        assert data.SpecificCharacterSet == "ISO_IR 192"
        for place, item in walk(data):
            for element in item:
                assert keyword_for_tag(element.tag)
                assert dictionary_VR(element.tag) == element.VR
                assert (*place, element.keyword) in kinds, (place, element.keyword)
            wanted = {words[-1]: kind for words, kind in kinds.items() if words[:-1] == place and kind in ("1", "2")}
            assert not wanted.keys() - {element.keyword for element in item}, place
            assert all(item[word].value not in (None, "") for word, kind in wanted.items() if kind == "1")


def test_the_command_says_what_it_wrote(hospital: Project, tmp_path: Path) -> None:
    words = ["export", "inventory", "--out", str(tmp_path), "--project", str(hospital.root)]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert told == {
        "file": str(tmp_path / "inventory.dcm"),
        "files": 1,
        "studies": objects(hospital)["StudyInstanceUID"].n_unique(),
        "left_out": 0,
    }
    assert CliRunner().invoke(app, [*words, "--source", "nowhere"]).exit_code != 0
