"""The columnar reader gives the rows of `read_header`, for every object it takes, and reads no byte it wasn't given."""

from __future__ import annotations

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLossless

from benchmarks.crawl_files import write_files
from fonds.catalog.schema import instances
from fonds.dicom.columnar import STRIDES, Columns, located, read_columns
from fonds.dicom.framing import open_frame
from fonds.dicom.headers import read_header
from fonds.dicom.parsed import wanted
from fonds.dicom.private import PrivateAttribute
from fonds.dicom.strict import read_strictly
from fonds.dicom.tolerant import read_tolerantly
from fonds.project.folders import shipped
from tests.dicom.made import WORDS, encoded, wheel_file, wheel_files

SMALL = shipped() / "data_samples" / "small"


def columns(contents: list[bytes], stride: int, words: tuple[str, ...] = WORDS, **options: Any) -> Columns:
    """A batch of objects with the first bytes of each side by side."""
    heads = np.zeros((len(contents), stride), dtype=np.uint8)
    for number, content in enumerate(contents):
        head = content[:stride]
        heads[number, : len(head)] = np.frombuffer(head, dtype=np.uint8)
    sizes = np.array([len(content) for content in contents], dtype=np.int64)
    return read_columns(heads, np.minimum(sizes, stride), sizes, words, **options)


def rows(contents: list[bytes], words: tuple[str, ...] = WORDS, **options: Any) -> dict[int, dict[str, Any]]:
    """The rows of all objects that are taken, by their number, with each stride as a crawl uses them."""
    found: dict[int, dict[str, Any]] = {}
    todo = list(range(len(contents)))
    for stride in STRIDES:
        batch = columns([contents[number] for number in todo], stride, words, **options)
        assert sorted([*batch.taken, *batch.short, *batch.odd]) == list(range(len(todo)))
        for place, row in zip(batch.taken.tolist(), batch.frame.to_dicts(), strict=True):
            if place in batch.look:
                stream = BytesIO(contents[todo[place]])
                said = located(stream, row["header_length"], row["transfer_syntax"])
                row["pixel_length"], row["read_status"], row["read_note"] = said
            found[todo[place]] = row
        todo = [todo[place] for place in batch.short]
    assert not todo
    return found


def agreeing(contents: list[bytes], words: tuple[str, ...] = WORDS, **options: Any) -> int:
    """How many are taken; each row is what `read_header` says, and nothing it refuses is taken."""
    found = rows(contents, words, **options)
    for number, row in found.items():
        assert row == read_header(BytesIO(contents[number]), words, digest=False, **options).row(), number
    return len(found)


def test_every_file_of_the_wheel_has_the_row_of_read_header() -> None:
    contents = [path.read_bytes() for path in wheel_files()]
    assert agreeing(contents) >= 165
    assert agreeing(contents, default_charset="ISO_IR 192") >= 165


def test_the_sample_hospitals_are_taken_but_for_what_is_broken_on_purpose() -> None:
    paths = [path for path in SMALL.rglob("*.dcm") if path.is_file()]
    assert agreeing([path.read_bytes() for path in paths]) >= 0.95 * len(paths)


def test_a_usual_archive_is_taken_whole(tmp_path: Path) -> None:
    # files with pixel data as holes: only the header is handed on, and the size
    contents = [path.read_bytes() for path in write_files(tmp_path / "archive", 60)]
    assert agreeing(contents) == 60


def test_the_frame_has_the_columns_and_types_of_the_table() -> None:
    schema = instances(WORDS).schema
    for contents in ([], [wheel_file("CT_small.dcm").read_bytes()]):
        frame = columns(contents, STRIDES[0]).frame
        assert frame.schema == pl.Schema({name: kind for name, kind in schema.items() if name in frame.columns})
        assert set(schema) - set(frame.columns) == {"source", "location", "size", "mtime_ns"}


def test_headers_that_go_on_are_short_and_then_taken(ct: Dataset) -> None:
    ct.private_block(0x0009, "LONG", create=True).add_new(1, "OB", bytes(100_000))
    whole = encoded(ct)
    first = columns([whole], STRIDES[0])
    assert (first.taken.size, first.short.tolist(), first.odd.size) == (0, [0], 0)
    assert agreeing([whole]) == 1
    ct.private_block(0x0011, "LONGER", create=True).add_new(1, "OB", bytes(400_000))
    last = columns([encoded(ct)], STRIDES[-1])
    assert (last.short.size, last.odd.tolist()) == (0, [0])


@pytest.mark.parametrize("syntax", ["explicit", ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_nested_values_and_references(ct: Dataset, syntax: str) -> None:
    def item(**values: Any) -> Dataset:
        made = Dataset()
        for word, value in values.items():
            setattr(made, word, value)
        return made

    image = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.2.3.9")
    series = item(SeriesInstanceUID="1.2.3.8", ReferencedSOPSequence=[image, image])
    ct.ReferencedSeriesSequence = [series, item(SeriesInstanceUID="1.2.3.7")]
    ct.ReferencedStudySequence = [item(ReferencedSOPClassUID="1.2.3", ReferencedSOPInstanceUID="1.2.3.4")]
    ct.RequestAttributesSequence = [item(AccessionNumber=number) for number in ("A1", "", "Ä2", "A1")]
    ct.OtherPatientIDsSequence = [item(PatientID="X1", IssuerOfPatientID="RÖ"), item(TypeOfPatientID="TEXT")]
    ct.IssuerOfPatientIDQualifiersSequence = [item(UniversalEntityID="1.2.7", UniversalEntityIDType="ISO")]
    ct.IssuerOfAccessionNumberSequence = [item(LocalNamespaceEntityID="", UniversalEntityID="1.2.8")]
    ct.ConceptNameCodeSequence = [item(CodeValue="", LongCodeValue="a long code of one's own")]
    ct.OriginalAttributesSequence = [item(SourceOfPreviousValues="x")]
    content = encoded(ct, *([] if syntax == "explicit" else [syntax]))
    (row,) = rows([content]).values()
    assert agreeing([content]) == 1
    assert row["RequestAccessionNumbers"] == ["A1", "Ä2"]
    assert row["OtherPatientIDsItems"][0] == {"id": "X1", "issuer": "RÖ", "type": None}
    assert (row["IssuerOfAccessionNumberEntityID"], row["HasOriginalAttributes"]) == ("1.2.8", True)
    assert row["DocumentTitleCode"] == "a long code of one's own"
    assert [one["relation"] for one in row["references"]] == [
        "referenced-study",
        "referenced-instance",
        "referenced-instance",
    ]
    assert row["references"][1]["carrier"] == "ReferencedSeriesSequence.ReferencedSOPSequence"


def test_text_of_every_character_set_is_decoded_by_distinct_value(ct: Dataset) -> None:
    contents = []
    for term, name in (("ISO_IR 144", "Люкceмбypг"), ("ISO_IR 192", "山田^太郎"), ("ISO_IR 100", "Müller")):
        ct.SpecificCharacterSet, ct.PatientName = term, name
        contents += [encoded(ct)] * 3
    contents.append(contents[-1].replace(b"ISO_IR 100", b"ISO_IR 192"))  # doubtful
    undeclared = contents[-1].replace(b"ISO_IR 192", b"          ")
    found = rows([*contents, undeclared], default_charset="ISO_IR 100")
    assert [found[number]["PatientName"] for number in (0, 3, 6, 10)] == ["Люкceмбypг", "山田^太郎", "Müller", "Müller"]
    assert [found[number]["doubtful"] for number in (8, 9)] == [[], ["PatientName"]]
    assert (found[10]["charset_used"], found[9]["charset_used"]) == ("ISO_IR 100", "ISO_IR 192")
    assert agreeing([*contents, undeclared], default_charset="ISO_IR 100") == 11


def test_fragments_beyond_the_bytes_at_hand_are_looked_for(ct: Dataset) -> None:
    ct.PixelData = encapsulate([bytes(30_000), bytes(50)])
    ct["PixelData"].VR, ct["PixelData"].is_undefined_length = "OB", True
    whole = encoded(ct, JPEGLossless)
    assert columns([whole], STRIDES[0]).look.tolist() == [0]
    assert agreeing([whole, whole[:-8], whole[:-20], whole[:20_000]]) == 4


PRIVATE = PrivateAttribute("GantryPeriod", "(0019,xx27)", "GEMS_ACQU_01", "DS")


@pytest.mark.parametrize("syntax", ["explicit", ImplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("block", [0x10, 0x42])
def test_a_private_attribute_is_found_by_its_creator_in_whatever_block(ct: Dataset, syntax: str, block: int) -> None:
    words = (*WORDS, PRIVATE)
    ct.add_new(0x00190000 | block, "LO", "GEMS_ACQU_01")
    ct.add_new(0x00190000 | 0x60, "LO", "OTHER")
    ct.add_new(0x00190000 | block << 8 | 0x27, "DS", "0.5")
    ct.add_new(0x00196027, "DS", "7")
    content = encoded(ct, *([] if syntax == "explicit" else [syntax]))
    (row,) = rows([content], words).values()
    assert row["GantryPeriod"] == "0.5"
    assert agreeing([content], words) == 1
    want = wanted(words)
    slow = read_tolerantly(open_frame(BytesIO(content)), want)
    assert read_strictly(open_frame(BytesIO(content)), want) == slow


WHOLE = [
    wheel_file(name).read_bytes()[:6000]
    for name in ("MR_small_implicit.dcm", "test-SR.dcm", "CT_small.dcm", "MR_small_bigendian.dcm", "rtplan.dcm")
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A real object with some bytes replaced, cut anywhere."""
    whole = bytearray(draw(st.sampled_from(WHOLE)))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(whole) - 1))
        harm = draw(
            st.one_of(st.binary(min_size=1, max_size=8), st.sampled_from([b"\xff\xff\xff\xff", b"\xfe\xff\0\xe0"]))
        )
        whole[place : place + len(harm)] = harm
    return bytes(whole[: draw(st.integers(0, len(whole)))])


@settings(max_examples=60, deadline=None)
@given(st.lists(damaged(), min_size=1, max_size=12))
def test_damaged_objects_are_taken_only_with_the_right_row(contents: list[bytes]) -> None:
    agreeing(contents)


def test_no_byte_is_read_that_isnt_there() -> None:
    # as plain Python, where reading outside of an array raises; each object's array ends where its bytes do
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.dicom.test_columnar"], env=environment, check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr[-2000:]


def read_every_length() -> None:
    """Objects cut at many places, and with lengths that point beyond."""
    for whole in WHOLE:
        for end in range(0, len(whole), 997):
            for content in (whole[:end], whole[: end - 4] + b"\xff\xff\xff\x7f", whole[: end - 2] + b"\xff\xff"):
                columns([content], len(content), (*WORDS, PRIVATE))
                sizes = np.array([len(content) + 10_000], dtype=np.int64)
                heads = np.frombuffer(content, dtype=np.uint8).reshape(1, -1)
                read_columns(heads, np.array([len(content)], dtype=np.int64), sizes, (*WORDS, PRIVATE))


if __name__ == "__main__":
    read_every_length()
