"""Objects held against their IOD: each fault is put into a sound object, and must be told with its place."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000, JPEGBaseline8Bit

from fonds.dicom.iod import Problem, judge, problems
from fonds.dicom.iod_forms import fits
from fonds.dicom.iod_read import MAX_ITEMS, read_tree
from fonds.dicom.iod_table import iod
from fonds.errors import UnreadableHeader
from scripts.iod_table import table
from tests.dicom.test_fuzz import damaged, seeds

SAMPLES = Path(__file__).parents[2] / "data_samples/small"


def sound(name: str = "CT_small.dcm") -> Dataset:
    return dcmread(get_testdata_file(name))


def found(ds: Dataset) -> list[Problem]:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=False)
    return problems(buffer)


def told(ds: Dataset) -> set[tuple[str, str | None]]:
    return {(one.problem, one.keyword) for one in found(ds)}


def test_a_sound_object_has_no_problem() -> None:
    assert found(sound()) == []


@pytest.mark.parametrize(
    ("change", "problem", "keyword"),
    [
        (lambda ds: ds.pop("StudyInstanceUID"), "missing", "StudyInstanceUID"),
        (lambda ds: setattr(ds, "Rows", None), "empty", "Rows"),
        (lambda ds: setattr(ds, "Modality", ""), "empty", "Modality"),
        (lambda ds: ds.pop("ReferringPhysicianName"), "missing", "ReferringPhysicianName"),
        (lambda ds: ds.pop("PixelData"), "missing", "PixelData"),
        (lambda ds: ds.update({"SamplesPerPixel": 3}), "missing", "PlanarConfiguration"),
        (lambda ds: ds.pop("PatientPosition"), "missing", "PatientPosition"),
        (lambda ds: (setattr(ds, "BodyPartExamined", "KNEE"), ds.pop("Laterality", None)), "missing", "Laterality"),
        (lambda ds: setattr(ds, "PatientIdentityRemoved", "YES"), "missing", "DeidentificationMethod"),
        (lambda ds: setattr(ds, "ResponsiblePerson", "ROE^JANE"), "missing", "ResponsiblePersonRole"),
        (lambda ds: setattr(ds, "PatientSex", "MALE"), "value", "PatientSex"),
        (lambda ds: setattr(ds, "ImageType", ["SYNTHETIC", "PRIMARY", "AXIAL"]), "value", "ImageType"),
        (lambda ds: setattr(ds, "PixelRepresentation", 2), "value", "PixelRepresentation"),
        (lambda ds: setattr(ds, "PhotometricInterpretation", "RGB"), "value", "SamplesPerPixel"),
        (lambda ds: setattr(ds, "NumberOfFrames", 2), "value", "NumberOfFrames"),
        (lambda ds: setattr(ds, "BodyPartExamined", "BECKEN"), "term", "BodyPartExamined"),
        (lambda ds: setattr(ds, "PixelSpacing", [1, 1, 1]), "multiplicity", "PixelSpacing"),
        (lambda ds: setattr(ds, "PatientID", "A\\B"), "multiplicity", "PatientID"),
        (lambda ds: ds.add_new("KVP", "LO", "120"), "vr", "KVP"),
        (lambda ds: setattr(ds, "StudyDate", "2004-01-19"), "vr", "StudyDate"),
        (lambda ds: setattr(ds, "InstanceNumber", "99999999999"), "vr", "InstanceNumber"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_fault_is_told(change: Callable[[Dataset], object], problem: str, keyword: str) -> None:
    ds = sound()
    change(ds)
    assert (problem, keyword) in told(ds)


@pytest.mark.parametrize(
    "change",
    [
        lambda ds: setattr(ds, "BodyPartExamined", "HEAD"),  # not paired
        lambda ds: setattr(ds, "BodyPartExamined", ""),  # paired or not, nobody knows
        lambda ds: ds.update({"BodyPartExamined": "KNEE", "ImageLaterality": "L"}),
        lambda ds: setattr(ds, "PositionReferenceIndicator", None),  # type 2 may be empty
        lambda ds: setattr(ds, "ContrastBolusIngredient", ""),  # an empty optional attribute makes no module
        lambda ds: ds.add_new((0x0099, 0x1001), "UN", b"\xff\xfe"),  # private, and not told what
    ],
)
def test_what_the_standard_allows_or_the_object_cannot_tell_is_no_problem(change: Callable[[Dataset], object]) -> None:
    ds = sound()
    change(ds)
    assert found(ds) == []


def test_a_user_optional_module_counts_once_an_attribute_of_its_own_is_there() -> None:
    ds = sound()
    assert "ClinicalTrialProtocolID" not in {keyword for _, keyword in told(ds)}
    ds.ClinicalTrialSubjectID = "7"
    missing = {one.keyword: one for one in found(ds)}
    assert missing["ClinicalTrialProtocolID"].module == "Clinical Trial Subject"
    assert (missing["ClinicalTrialProtocolID"].type, missing["ClinicalTrialProtocolID"].problem) == ("1", "missing")


def test_lossy_compression_is_proven_by_the_transfer_syntax_alone() -> None:
    ds = dcmread(next((SAMPLES / "cardiology").rglob("*-US1-*.dcm")))
    ds.pop("LossyImageCompression", None)
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert ("missing", "LossyImageCompression") in told(ds)
    ds.file_meta.TransferSyntaxUID = JPEG2000  # may be lossless
    assert ("missing", "LossyImageCompression") not in told(ds)


def test_items_are_judged_with_their_path() -> None:
    ds = sound()
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "T-D1100", "SRT"
    ds.AnatomicRegionSequence = Sequence([Dataset(), code])
    paths = {(one.path, one.keyword) for one in found(ds) if one.problem == "missing"}
    assert paths == {
        ("(0008,2218)[1](0008,0100)", "CodeValue"),
        ("(0008,2218)[1](0008,0104)", "CodeMeaning"),
        ("(0008,2218)[2](0008,0104)", "CodeMeaning"),
    }


def test_a_functional_group_may_stand_shared_or_in_every_frame() -> None:
    path = next(path for path in sorted((SAMPLES / "oncology").rglob("*.dcm")) if "SEG" in path.name)
    ds = dcmread(path)
    assert not {one.keyword for one in problems(path)} & {"FrameContentSequence", "SegmentIdentificationSequence"}
    frames = ds.PerFrameFunctionalGroupsSequence
    group = frames[0].SegmentIdentificationSequence
    for frame in frames:
        del frame.SegmentIdentificationSequence
    assert ("missing", "SegmentIdentificationSequence") in told(ds)
    ds.SharedFunctionalGroupsSequence[0].SegmentIdentificationSequence = group
    assert ("missing", "SegmentIdentificationSequence") not in told(ds)


def test_a_content_item_is_asked_by_its_value_type() -> None:
    ds = sound("test-SR.dcm")
    before = told(ds)
    assert not {keyword for _, keyword in before} & {"MeasuredValueSequence", "GraphicData", "ConceptCodeSequence"}
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "CODE"
    ds.ContentSequence.append(item)
    assert told(ds) - before == {("missing", "ConceptCodeSequence")}


@pytest.mark.filterwarnings("ignore")
def test_values_that_may_tell_the_patient_are_withheld() -> None:
    ds = sound()
    ds.PatientSex, ds.StudyDate = "SMITHERS", "20209999"
    ds.AccessionNumber = "SMITHERS" * 4
    ds.BodyPartExamined = "BECKEN"
    shown = {one.keyword: one.value for one in found(ds)}
    assert shown == {"PatientSex": None, "StudyDate": None, "AccessionNumber": None, "BodyPartExamined": "BECKEN"}
    assert "SMITHERS" not in repr(found(ds))


@pytest.mark.filterwarnings("ignore")
def test_a_class_without_iod_is_judged_by_its_elements_only() -> None:
    ds = sound()
    ds.SOPClassUID, ds.StudyDate = "1.2.3.4", "20209999"
    del ds.StudyInstanceUID
    buffer = io.BytesIO()
    ds.save_as(buffer)
    judged = judge(buffer)
    assert judged.iod is None
    assert [(one.problem, one.keyword) for one in judged.problems] == [("vr", "StudyDate")]


@pytest.mark.parametrize(
    ("count", "multiplicity", "fitting"),
    [(1, "1", True), (2, "1", False), (0, "1-n", False), (7, "1-n", True), (4, "2-2n", True), (5, "2-2n", False),
     (3, "1-3", True), (4, "1-3", False), (6, "3-3n", True), (1, "1-n or 1", True), (9, "no VM", True)],
)  # fmt: skip
def test_multiplicities(count: int, multiplicity: str, fitting: bool) -> None:
    assert fits(count, multiplicity) is fitting


def test_pixels_are_never_read_and_long_sequences_are_cut() -> None:
    ds = sound()
    ds.PixelData = bytes(8_000_000)
    ds.ReferencedImageSequence = Sequence([Dataset() for _ in range(MAX_ITEMS + 9)])
    buffer = io.BytesIO()
    ds.save_as(buffer)

    class Counting(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            Counting.read_bytes += len(data)
            return data

    tree = read_tree(Counting(buffer.getvalue()))
    sequence = tree.elements[0x00081140]
    assert tree.pixels is not None
    assert tree.pixels.length == 8_000_000
    assert Counting.read_bytes < 200_000
    assert (sequence.count, len(sequence.items or ())) == (MAX_ITEMS + 9, MAX_ITEMS)


def test_the_table_is_the_installed_librarys() -> None:
    fresh = table()
    known = iod("1.2.840.10008.5.1.4.1.1.2")
    assert known is not None
    from fonds.dicom.iod_table import _table

    assert _table() == fresh, "highdicom changed: run scripts/iod_table.py and look at the difference"


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30))
def test_a_damaged_object_is_judged_or_refused_with_its_place(seed: int, number: int) -> None:
    whole = _SEEDS[number % len(_SEEDS)]
    refused: UnreadableHeader | None = None
    answer: list[Problem] = []
    try:
        answer = problems(io.BytesIO(damaged(whole, random.Random(seed))))
    except UnreadableHeader as error:
        refused = error
    assert refused is None or (refused.reason and refused.byte_offset is not None)
    assert all(one.path and one.expected for one in answer)
    assert len(answer) <= 500


_SEEDS = seeds()
