"""Classes e and j, and contents of class d, on files: what is the same picture, and what only looks so."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.deduplicate import deduplicate
from fonds.project.settings import load
from tests.dicom.made import encoded, wheel_file
from tests.handmade import make_project

Rows = dict[tuple[str, str], list[dict[str, Any]]]


def image(number: int, study: int, seed: int | None = None, patient: str = "P1") -> Dataset:
    """A CT slice 1.3.NUMBER in study 1.1.STUDY; equal seeds, equal pixels; 0: black."""
    ds = pydicom.dcmread(wheel_file("CT_small.dcm"))
    for tag in [element.tag for element in ds if element.tag.is_private]:
        del ds[tag]
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.3.{number}", f"1.1.{study}", f"1.2.{study}"
    ds.PatientID, ds.InstanceNumber, ds.AccessionNumber = patient, str(number), f"A{study}"
    seed = number if seed is None else seed
    values = np.random.default_rng(seed).integers(0, 4096, (16, 16)) * (seed != 0)
    ds.Rows = ds.Columns = 16
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 12, 11, 0
    ds.PixelData = values.astype("<u2").tobytes()
    return ds


def copied(number: int, study: int, of: Dataset, **values: Any) -> Dataset:
    """The same image under new UIDs."""
    ds = deepcopy(of)
    ds.SOPInstanceUID, ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.3.{number}", f"1.1.{study}", f"1.2.{study}"
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def source_of(ds: Dataset) -> Sequence:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    return Sequence([item])


def formerly(uid: str) -> Sequence:
    item, modified = Dataset(), Dataset()
    modified.SOPInstanceUID = uid
    item.ModifiedAttributesSequence, item.SourceOfPreviousValues = Sequence([modified]), ""
    item.AttributeModificationDateTime, item.ModifyingSystem = "20240101", "PACS"
    item.ReasonForTheAttributeModification = "COERCE"
    return Sequence([item])


@pytest.fixture(scope="module")
def answer(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """{(source, file): its rows}: each case in studies of its own, each study with an image of its own, too."""
    root = tmp_path_factory.mktemp("pictures")
    project = make_project(root, "old", "new")
    settings = root / "fonds.yaml"
    settings.write_text(settings.read_text().replace("issuer: NEW", "issuer: OLD, digest: false"), encoding="utf-8")
    project = load(root)

    def put(source: str, name: str, ds: Dataset, encode: Callable[[Dataset], bytes] = encoded) -> None:
        (project.source_root(source) / name).write_bytes(encode(ds))

    def rle(ds: Dataset) -> bytes:
        packed = deepcopy(ds)
        packed.compress(RLELossless, generate_instance_uid=False)
        return encoded(packed, RLELossless)

    def big(ds: Dataset) -> bytes:
        turned = Dataset()
        turned.update(deepcopy(ds))
        turned.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        return encoded(turned, ExplicitVRBigEndian)

    first = image(1, 1)
    put("old", "first", first)
    put("old", "packed", copied(2, 2, first), rle)
    put("new", "turned", copied(3, 3, first), big)
    put("old", "own", image(12, 1))
    put("old", "else", image(4, 2))
    put("new", "more", image(11, 3))
    put("old", "stranger", copied(20, 20, first, PatientID="P9"))
    for number, study in ((6, 4), (7, 5), (8, 6)):
        put("old", f"black{number}", image(number, study, 0))
        put("old", f"seen{number}", image(number + 100, study))
    base = image(30, 30)
    put("old", "base", base)
    put("old", "base-more", image(31, 30))
    put(
        "old", "derived", copied(32, 31, base, SourceImageSequence=source_of(base), PixelData=image(0, 0, 77).PixelData)
    )
    put("old", "sent", copied(33, 32, base, SourceImageSequence=source_of(base)))
    put("old", "sent-more", image(34, 32))
    kept = image(40, 40)
    put("old", "kept", kept)
    put("old", "kept-more", image(41, 40))
    put("new", "pulled", copied(42, 41, kept, OriginalAttributesSequence=formerly("1.3.40")))
    put("new", "pulled-more", image(43, 41))
    put("old", "wave", image(60, 60, 61))
    put("old", "wave-b", image(60, 60, 62), rle)
    put("old", "wave-c", image(60, 60, 62), big)
    padded = image(60, 60, 61)
    padded.PixelData += bytes(6)
    put("old", "wave-d", padded)
    longer = image(60, 60, 61)
    longer.PixelData += bytes(range(6))
    put("old", "wave-e", longer)
    crawl(project)
    deduplicate(project)
    rows: Rows = {}
    for row in Catalog(project).read("duplicates").to_dicts():
        if row["level"] == "instance":
            rows.setdefault((row["source"], row["member"]), []).append(row)
    return rows


def the(answer: Rows, source: str, name: str) -> dict[str, Any]:
    [row] = answer[source, name]
    return row


def test_the_same_picture_under_another_uid_is_found_in_any_lossless_encoding(answer: Rows) -> None:
    rows = [the(answer, *place) for place in (("old", "first"), ("old", "packed"), ("new", "turned"))]
    assert [row["class"] for row in rows] == ["e", "e", "e"]
    assert {row["group_id"] for row in rows} == {rows[0]["group_id"]}
    assert rows[0]["evidence"].startswith("same pixels under 4 SOP Instance UIDs")
    assert {(row["kept_source"], row["kept_location"]) for row in rows} == {("old", "first")}


def test_the_same_picture_of_another_person_is_told_and_held(answer: Rows) -> None:
    assert the(answer, "old", "stranger")["disposition"] == "hold"
    assert the(answer, "old", "stranger")["evidence"].endswith("; of 2 persons")


def test_a_black_image_is_no_duplicate_of_another_black_image(answer: Rows) -> None:
    assert not [place for place in answer if place[1].startswith(("black", "seen"))]


def test_a_derived_image_is_no_copy_but_one_with_the_pixels_of_its_source_is(answer: Rows) -> None:
    assert ("old", "derived") not in answer
    sent = the(answer, "old", "sent")
    assert (sent["class"], sent["disposition"], sent["kept_location"]) == ("j", "inform", "base")
    assert sent["evidence"] == "names the UID it had in SourceImageSequence; same pixels"
    assert sent["differs"] == ["SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"]
    assert the(answer, "old", "base")["evidence"] == "the object that 1 other names"


def test_a_copy_that_keeps_its_uid_in_original_attributes_is_j(answer: Rows) -> None:
    pulled = the(answer, "new", "pulled")
    assert (pulled["class"], pulled["kept_source"], pulled["kept_location"]) == ("j", "old", "kept")
    assert pulled["evidence"] == "names the UID it had in OriginalAttributesSequence; same pixels"
    assert pulled["why"] == "original"


def test_copies_share_a_content_by_what_they_show_whoever_is_kept(answer: Rows) -> None:
    told = {
        name: (the(answer, "old", name)["class"], the(answer, "old", name)["content"]) for name in ("wave-b", "wave-c")
    }
    assert told == {"wave-b": ("d", 2), "wave-c": ("d", 2)}
    assert the(answer, "old", "wave-d")["class"] == "b"
    # what lies behind the last frame counts unless it is filler
    assert the(answer, "old", "wave-e")["class"] == "d"
    assert {row["content"] for row in answer["old", "wave"]} == {1}
