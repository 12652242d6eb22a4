"""Inventories as a source: trees of instances, latest records, removed studies, broken files."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import polars as pl
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from fonds.archives.base import Batch
from fonds.archives.inventory import InventoryIndex
from fonds.archives.inventory_items import resolved
from fonds.archives.inventory_write import About, Instance, InventoryWriter, Series, StoredFile, Study
from fonds.catalog.schema import TABLES, conform
from fonds.errors import ArchiveUnreachable

ENTRIES = TABLES["entries"]
EMPTY = pl.DataFrame(schema=ENTRIES.schema).drop("source")


class Memory:
    """What an interrupted crawl finished."""

    def __init__(self, done: dict[str, pl.DataFrame] | None = None) -> None:
        self.known, self.done, self.hits = EMPTY, done or {}, 0

    def finished(self, key: str) -> pl.DataFrame | None:
        """A finished batch."""
        self.hits += key in self.done
        return self.done.get(key)


def crawl(path: Path, memory: Memory | None = None) -> tuple[pl.DataFrame, list[str], list[Batch]]:
    """All rows, problems and batches."""
    index = InventoryIndex("vna", path)
    index.check()
    batches = list(index.batches(memory or Memory()))
    rows = pl.concat([EMPTY, *(batch.rows for batch in batches)])
    conform(ENTRIES, rows.with_columns(source=pl.lit("vna")))
    return rows, [batch.problem for batch in batches if batch.problem], batches


def study(number: int, objects: int = 2, **said: str) -> Study:
    """A study with one series."""
    uid = f"1.2.3.{number}"
    instances = [
        Instance(
            f"{uid}.1.{o}",
            "1.2.840.10008.5.1.4.1.1.7",
            {"InstanceNumber": str(o), "Rows": "512"},
            [StoredFile(f"./{number}/{o}.dcm", "1.2.840.10008.1.2.1")],
        )
        for o in range(objects)
    ]
    values = {"PatientName": "Grün^Björn=山田^太郎", "PatientID": f"P{number}", "StudyDate": "20200102"} | said
    values["NumberOfStudyRelatedInstances"] = str(objects)
    return Study(uid, values, [Series(f"{uid}.1", "CT", {"SeriesNumber": "1"}, instances)], "file:///mnt/pacs/")


def written(out: Path, studies: list[Study], moment: str = "20240102030405", parts: int = 0) -> Path:
    """An Inventory, `parts` studies split off one by one."""
    writer = InventoryWriter(out, About("test", "instance", moment))
    for one in studies[:parts]:
        writer.part([one])
    writer.finish(studies[parts:])
    return out


def changed(path: Path, change: object = None, syntax: str | None = None) -> Dataset:
    """The file read whole, to be changed and saved again."""
    data = pydicom.dcmread(path)
    for element in data.InventoriedStudiesSequence:
        _ = element.StudyInstanceUID
    if syntax:
        data.file_meta.TransferSyntaxUID = syntax
    return data


def test_every_level_is_read(tmp_path: Path) -> None:
    rows, problems, _ = crawl(written(tmp_path / "a.dcm", [study(1), study(2)]))
    assert not problems
    assert dict(rows.group_by("level").len().iter_rows()) == {"MEDIA": 1, "STUDY": 2, "SERIES": 2, "INSTANCE": 4}
    one = rows.filter(location="1.2.3.2/1.2.3.2.1/1.2.3.2.1.1").row(0, named=True)
    assert (one["study_uid"], one["series_uid"], one["sop_uid"]) == ("1.2.3.2", "1.2.3.2.1", "1.2.3.2.1.1")
    assert one["referenced_file"] == "file:///mnt/pacs/2/1.dcm"
    said = json.loads(one["attributes"])
    assert (said["Rows"], said["StoredInstanceTransferSyntaxUID"]) == ("512", "1.2.840.10008.1.2.1")
    told = json.loads(rows.filter(location="1.2.3.1")["attributes"][0])
    assert told["PatientName"] == "Grün^Björn=山田^太郎"
    assert told["ItemInventoryDateTime"] == "20240102030405+0000"


def test_a_tree_is_read_from_its_root_and_names_what_is_absent(tmp_path: Path) -> None:
    root = written(tmp_path / "root.dcm", [study(n) for n in range(4)], parts=3)
    written(tmp_path / "other.dcm", [study(9)])
    assert sorted(path.name for path in tmp_path.glob("root-*")) == [f"root-000{n}.dcm" for n in (1, 2, 3)]
    rows, problems, _ = crawl(root)
    assert set(rows.filter(level="STUDY")["study_uid"]) == {f"1.2.3.{n}" for n in range(4)}
    assert not problems
    (tmp_path / "root-0002.dcm").unlink()
    rows, problems, _ = crawl(root)
    assert rows.filter(level="STUDY").height == 3
    assert problems == ["1 Inventory instance(s) that are incorporated by reference aren't there"]


def test_a_smaller_export_takes_its_old_parts_away(tmp_path: Path) -> None:
    written(tmp_path / "root.dcm", [study(n) for n in range(4)], parts=3)
    written(tmp_path / "root.dcm", [study(n) for n in range(2)], parts=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root-0001.dcm", "root.dcm"]


def test_of_a_baseline_and_its_increment_the_latest_record_counts(tmp_path: Path) -> None:
    written(tmp_path / "a.dcm", [study(1, StudyDescription="new"), study(3)], "20240601000000")
    written(tmp_path / "b.dcm", [study(1, StudyDescription="old"), study(2)], "20240101000000")
    rows, problems, _ = crawl(tmp_path)
    assert not problems
    assert set(rows.filter(level="STUDY")["study_uid"]) == {"1.2.3.1", "1.2.3.2", "1.2.3.3"}
    assert json.loads(rows.filter(location="1.2.3.1")["attributes"][0])["StudyDescription"] == "new"


def test_what_is_removed_from_use_says_so_below_too(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", [study(1), study(2)])
    data = changed(path)
    item = data.InventoriedStudiesSequence[0]
    item.RemovedFromOperationalUse = "Y"
    reason = Dataset()
    reason.CodeValue, reason.CodingSchemeDesignator, reason.CodeMeaning = "113001", "DCM", "Rejected for Quality"
    item.ReasonForRemovalCodeSequence = [reason]
    data.save_as(path)
    rows, _, _ = crawl(path)
    assert set(rows.filter(note="removed")["level"]) == {"STUDY", "SERIES", "INSTANCE"}
    assert set(rows.filter(note="removed")["study_uid"]) == {"1.2.3.1"}
    said = json.loads(rows.filter(location="1.2.3.1")["attributes"][0])
    assert said["ReasonForRemovalCodeSequence"] == "113001^DCM^Rejected for Quality"


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
@pytest.mark.parametrize("undefined", [False, True])
def test_encodings_say_the_same(tmp_path: Path, syntax: str | None, undefined: bool) -> None:
    path = written(tmp_path / "a.dcm", [study(1), study(2)])
    plain, _, _ = crawl(path)
    data = changed(path, syntax=syntax)
    if undefined:
        for item in (data, *data.InventoriedStudiesSequence):
            for element in item:
                element.is_undefined_length = element.VR == "SQ"
        for item in data.InventoriedStudiesSequence:
            item.is_undefined_length_sequence_item = True
    data.save_as(path)
    rows, problems, _ = crawl(path)
    assert not problems
    assert rows.filter(pl.col("level") != "MEDIA").equals(plain.filter(pl.col("level") != "MEDIA"))


def test_a_file_cut_off_gives_what_is_before_the_cut(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", [study(n) for n in range(5)])
    path.write_bytes(path.read_bytes()[:-900])
    rows, problems, _ = crawl(path)
    assert 0 < rows.filter(level="STUDY").height < 5
    assert problems == ["an Inventory isn't complete; its row says why"]
    assert rows.filter(level="MEDIA")["note"][0].startswith("can't be read beyond byte ")


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({"InventoryCompletionStatus": "PARTIAL"}, "Inventory Completion Status is PARTIAL"),
        ({"InventoryCompletionStatus": None}, "Inventory Completion Status is missing"),
        ({"NumberOfStudyRecordsInInstance": 7}, "7 study records declared, 1 there"),
    ],
)
def test_an_incomplete_inventory_says_why(tmp_path: Path, change: dict[str, object], note: str) -> None:
    path = written(tmp_path / "a.dcm", [study(1)])
    data = changed(path)
    for word, value in change.items():
        setattr(data, word, value)
    data.save_as(path)
    rows, problems, _ = crawl(path)
    assert rows.filter(level="MEDIA")["note"].to_list() == [note]
    assert problems == ["an Inventory isn't complete; its row says why"]


def test_a_study_that_cannot_be_parsed_leaves_the_others(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", [study(1), study(2)])
    data = bytearray(path.read_bytes())
    place = data.find(b"\x08\x00\x25\x04SQ")
    data[place + 8 : place + 12] = b"\xff\xff\xff\x7f"  # longer than its series
    path.write_bytes(data)
    rows, problems, _ = crawl(path)
    assert rows.filter(study_uid="1.2.3.2").height == 4
    assert rows.filter(location="1.2.3.1")["note"].to_list() == ["fewer-listed"]
    assert len(problems) == 1


def test_a_record_that_lists_fewer_objects_than_it_counts_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", [study(1, objects=3)])
    data = changed(path)
    del data.InventoriedStudiesSequence[0].InventoriedSeriesSequence[0].InventoriedInstancesSequence[0]
    data.save_as(path)
    rows, problems, _ = crawl(path)
    assert rows.filter(level="STUDY")["note"].to_list() == ["fewer-listed"]
    assert problems == [
        "study records list fewer objects than they count, or some without a UID; their rows say fewer-listed"
    ]


def test_files_that_are_no_inventories(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing")
    with pytest.raises(ArchiveUnreachable, match="no Inventory"):
        InventoryIndex("vna", tmp_path).check()
    with pytest.raises(ArchiveUnreachable, match="isn't there"):
        InventoryIndex("vna", tmp_path / "b").check()
    path = written(tmp_path / "a.dcm", [study(1)])
    path.write_bytes(path.read_bytes()[:400])
    rows, problems, _ = crawl(path)
    assert rows["level"].to_list() == ["MEDIA"]
    assert problems


def test_an_interrupted_crawl_reads_no_study_again(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", [study(n) for n in range(3)])
    rows, _, batches = crawl(path)
    memory = Memory({batch.key: batch.rows for batch in batches})
    again, _, _ = crawl(path, memory)
    assert again.equals(rows)
    assert memory.hits == len(batches) - 1


def test_relative_addresses_are_merged_at_the_border_of_a_segment() -> None:
    assert resolved("./x/1.dcm", "smb://server/share/") == "smb://server/share/x/1.dcm"
    assert resolved("./x/1.dcm", "nfs://server/share") == "nfs://server/x/1.dcm"
    assert resolved("https://pacs/1", "nfs://server/share") == "https://pacs/1"


def test_a_damaged_deflated_one_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", [study(1)])
    data = changed(path, syntax=DeflatedExplicitVRLittleEndian)
    data.save_as(path)
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) - len(zlib.compress(b"x")) - 120])
    rows, problems, _ = crawl(path)
    assert problems
    assert rows.filter(level="MEDIA").height == 1
