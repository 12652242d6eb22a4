from __future__ import annotations

import shutil
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ImplicitVRLittleEndian

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.deduplicate import deduplicate
from fonds.dicom.differences import differing_attributes
from fonds.project.settings import Project
from tests.handmade import make_project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, "real")


def place(project: Project, *names: str) -> None:
    for name in names:
        found = get_testdata_file(name)
        assert found is not None
        shutil.copy(found, project.source_root("real") / name)


def classes(project: Project) -> dict[str, tuple[str, str, str]]:
    """{location: (class, disposition, evidence)}, kept copies left out."""
    deduplicate(project)
    rows = Catalog(project).read("duplicates").to_dicts()
    return {
        row["member"]: (row["class"], row["disposition"], row["evidence"])
        for row in rows
        if row["member"] != row["kept_location"]
    }


def test_one_image_in_seven_encodings_is_b_and_a_torn_one_is_d(project: Project) -> None:
    coded = ("RLE", "bigendian", "implicit", "jp2klossless", "jpeg_ls_lossless")
    place(project, "MR_small.dcm", *(f"MR_small_{name}.dcm" for name in coded), "MR_truncated.dcm")
    crawl(project)
    found = classes(project)
    for name in coded:
        assert found[f"MR_small_{name}.dcm"][:2] == ("b", "drop-copy")
        assert "differs: transfer syntax 1.2.840.10008.1.2.1 / " in found[f"MR_small_{name}.dcm"][2]
    assert found["MR_truncated.dcm"][:2] == ("d", "hold")


def test_what_an_encoder_writes_of_itself_makes_no_other_object(project: Project) -> None:
    place(project, "MR_small.dcm")
    for name, syntax in (("MR_small_RLE.dcm", "coded"), ("MR_small_implicit.dcm", "plain")):
        coded = pydicom.dcmread(str(get_testdata_file(name)))
        coded.DerivationDescription = "Lossless compression, told by the encoder"
        coded.save_as(project.source_root("real") / f"{syntax}.dcm")
    said = pydicom.dcmread(project.source_root("real") / "MR_small.dcm")
    said.DerivationDescription = "Subtracted by hand"
    said.save_as(project.source_root("real") / "said.dcm")
    crawl(project)
    found = classes(project)
    assert {name: row[0] for name, row in found.items()} == {"coded.dcm": "b", "plain.dcm": "b", "said.dcm": "c"}
    assert "DerivationDescription" in found["said.dcm"][2]


def test_what_is_lossy_is_never_compared_by_what_it_decodes_to(project: Project) -> None:
    place(project, "SC_rgb_jpeg.dcm", "SC_rgb_jpeg_dcmd.dcm")
    crawl(project)
    said = "LossyImageCompression, LossyImageCompressionMethod, LossyImageCompressionRatio"
    # the lossless one is kept though the other one comes first
    evidence = f"one is lossy, not comparable by decoding; differs: {said}"
    assert classes(project) == {"SC_rgb_jpeg.dcm": ("d", "hold", evidence)}


def test_documents_are_told_apart_by_what_no_column_holds(project: Project) -> None:
    root = project.source_root("real")
    place(project, "reportsi.dcm")
    report = pydicom.dcmread(root / "reportsi.dcm")
    report.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    report.save_as(root / "z-implicit.dcm", implicit_vr=True, little_endian=True)
    report.ContentSequence[0].RelationshipType = (
        "HAS OBS CONTEXT" if report.ContentSequence[0].RelationshipType != ("HAS OBS CONTEXT") else "CONTAINS"
    )
    report.save_as(root / "z-other.dcm", implicit_vr=True, little_endian=True)
    crawl(project)
    found = classes(project)
    assert found["z-implicit.dcm"][:2] == ("b", "drop-copy")
    assert found["z-other.dcm"][:2] == ("c", "hold")
    assert found["z-other.dcm"][2].startswith("no pixels; differs: ContentSequence; newer by time of the file: ")


def test_a_copy_that_cannot_be_opened_waits_instead_of_being_dropped(project: Project) -> None:
    place(project, "MR_small.dcm", "MR_small_RLE.dcm")
    crawl(project)
    (project.source_root("real") / "MR_small_RLE.dcm").unlink()
    result = deduplicate(project)
    assert any("could not be opened" in line for line in result.left)
    assert classes(project)["MR_small_RLE.dcm"][:2] == ("d", "hold")


def test_padding_and_group_lengths_are_no_difference_but_a_private_value_is(tmp_path: Path) -> None:
    one = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    one.add_new(0x00111001, "LO", "x")
    one.add_new(0x00110010, "LO", "MAKER")
    one.save_as(tmp_path / "one")
    one[0x00111001].value = "y"
    one.StudyDescription = one.get("StudyDescription", "") + " "
    one.save_as(tmp_path / "other")
    with (tmp_path / "one").open("rb") as left, (tmp_path / "other").open("rb") as right:
        assert differing_attributes(left, right) == ["(0011,1001)"]
