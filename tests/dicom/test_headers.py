"""The reader against pydicom on every file of its wheel, and against files in every state of disrepair."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from fonds.dicom.framing import open_frame
from fonds.dicom.headers import Header
from fonds.dicom.parsed import wanted, with_lengthy
from fonds.dicom.strict import read_strictly
from fonds.dicom.tolerant import read_tolerantly
from fonds.errors import DefinitionInvalid, UnreadableHeader
from tests.dicom.made import WORDS, encoded, read, wheel_file, wheel_files

OTHER = (".txt", ".py", ".json", ".md", ".dump", ".icc", ".gz")
DICOM = [path for path in wheel_files() if path.suffix not in OTHER and path.name != "README"]


def failure(data: bytes | Path) -> UnreadableHeader:
    with pytest.raises(UnreadableHeader) as caught:
        read(data)
    return caught.value


def test_the_two_ways_of_reading_agree_on_every_file() -> None:
    want = with_lengthy(wanted(WORDS))
    ways: Counter[str] = Counter()
    for path in wheel_files():
        try:
            frame = open_frame(BytesIO(path.read_bytes()))
            slow = read_tolerantly(frame, want)
        except UnreadableHeader as error:
            ways[error.reason] += 1
            continue
        fast = read_strictly(frame, want)
        ways["fast" if fast else "slow only"] += 1
        assert fast is None or fast == slow, path.name
    assert ways["fast"] >= 170
    assert ways["slow only"] <= 20


NUMBERS = re.compile(r"^[0-9eE.+\\ -]*$")


def as_pydicom_says(value: Any, vr: str) -> str | None:
    if value is None or value == "":
        return ""
    if isinstance(value, (MultiValue, list)):
        return "\\".join(str(as_pydicom_says(item, vr)) for item in value)
    if vr == "AT":
        return f"{int(value):08X}"
    original = getattr(value, "original_string", None)
    return original if isinstance(original, str) else str(value).rstrip("=")


def comparable(text: str | None, vr: str) -> Any:
    if not text:
        return text
    if vr in ("IS", "DS", "FL", "FD") and NUMBERS.match(text):
        return [float(part) if part.strip() else None for part in text.split("\\")]
    return [part.rstrip(" \0").rstrip("=") for part in text.split("\\")]


@pytest.mark.filterwarnings("ignore")
def test_values_are_pydicoms_own_for_every_file_and_character_set() -> None:
    compared = 0
    for path in DICOM:
        try:
            header = read(path, digest=False)
        except UnreadableHeader:
            continue
        ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        for word, tag, vr in wanted(WORDS).attributes:
            holder = ds.file_meta if tag >> 16 == 2 else ds
            theirs = as_pydicom_says(holder[tag].value, vr) if tag in holder else None
            assert comparable(header.values[word], vr) == comparable(theirs, vr), (path.name, word)
            compared += theirs is not None
    assert compared > 5000


def test_real_oddities_are_named() -> None:
    states = {}
    for name in ("no_meta_group_length", "rtstruct", "MR_truncated", "image_dfl", "SC_rgb_jpeg", "ExplVR_BigEndNoMeta"):
        header = read(wheel_file(f"{name}.dcm"), digest=False)
        states[name] = (header.read_status, header.read_note, header.transfer_syntax)
    assert states == {
        "no_meta_group_length": ("ok", None, "1.2.840.10008.1.2"),
        "rtstruct": ("forced", "no_meta", "1.2.840.10008.1.2"),
        "MR_truncated": ("partial", None, "1.2.840.10008.1.2.1"),
        "image_dfl": ("ok", "deflated", "1.2.840.10008.1.2.1.99"),
        "SC_rgb_jpeg": ("ok", "syntax_mismatch", "1.2.840.10008.1.2.4.50"),
        "ExplVR_BigEndNoMeta": ("forced", "no_meta", "1.2.840.10008.1.2.2"),
    }


def test_what_is_no_dicom_is_said_to_be_none() -> None:
    reasons = Counter(failure(path).reason for path in wheel_files() if path not in DICOM)
    assert set(reasons) == {"not_dicom"}
    assert failure(b"").reason == "empty"
    assert failure(b"PK\x03\x04" + bytes(400)).reason == "not_dicom"
    assert failure(bytes(4000)).reason == "not_dicom"
    # raw pixels of other formats, here of a Philips REC: no group length, no private group 0003
    words = struct.pack("<12H", 0, 0, 0, 0, 3, 6, 8, 17, 1, 1, 5, 2)
    assert failure(words + bytes(400)).reason == "not_dicom"
    assert failure(bytes(128) + b"DICM").reason == "no_data"
    assert failure(bytes(128) + b"DICM\x08\0").reason == "truncated_header"


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_native_syntax_gives_the_same_row(ct: Dataset, syntax: str) -> None:
    explicit = read(encoded(ct)).row()
    if syntax == ExplicitVRBigEndian:
        pixels = bytes(byte for pair in range(0, 128, 2) for byte in (ct.PixelData[pair + 1], ct.PixelData[pair]))
        ct.PixelData = pixels
    other = read(encoded(ct, syntax)).row()
    for column in WORDS:
        assert other[column] == explicit[column], column
    assert other["transfer_syntax"] == syntax
    assert other["pixel_length"] == explicit["pixel_length"] == 128


def test_empty_is_not_absent(ct: Dataset) -> None:
    values = read(encoded(ct)).values
    assert values["AccessionNumber"] == ""
    assert values["StudyDescription"] is None
    assert values["PatientName"] == "Müller^Jürgen"
    assert values["Rows"] == "8"


def test_a_cut_in_the_header_tells_where(ct: Dataset) -> None:
    data = encoded(ct)
    place = data.index(b"1.2.3.4.1")
    error = failure(data[: place + 4])
    assert (error.reason, error.byte_offset) == ("truncated_header", place - 8)


def test_a_cut_in_the_pixels_is_partial_with_what_is_left(ct: Dataset) -> None:
    header = read(encoded(ct)[:-28])
    assert (header.read_status, header.pixel_length) == ("partial", 100)
    assert header.values["PatientID"] == "P1"


def test_the_bare_data_set_is_forced(ct: Dataset) -> None:
    data = encoded(ct)
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    header = read(data[start:])
    assert (header.read_status, header.read_note) == ("forced", "no_meta")
    assert header.values["SOPInstanceUID"] == "1.2.3.4.5"
    assert header.values["MediaStorageSOPInstanceUID"] is None
    marked = read(bytes(128) + b"DICM" + data[start:])
    assert (marked.read_status, marked.read_note) == ("forced", "no_meta")
    unmarked = read(data[132:])
    assert (unmarked.read_status, unmarked.read_note) == ("forced", "no_preamble")
    assert unmarked.values["MediaStorageSOPInstanceUID"] == "1.2.3.4.5"


def test_a_wrong_claim_is_noted_and_the_object_read_as_it_is(ct: Dataset) -> None:
    right = encoded(ct)
    wrong = right.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0", 1)
    header = read(wrong)
    assert header.read_note == "syntax_mismatch"
    assert header.values == read(right).values
    jpeg = right.replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x16\x001.2.840.10008.1.2.4.90", 1)
    assert read(jpeg).read_note == "syntax_mismatch"
    proprietary = right.replace(b"UI\x14\x001.2.840.10008.1.2.1\0", b"UI\x1a\x002.16.840.1.113709.1.2.2\0\0\0", 1)
    assert read(proprietary).transfer_syntax == "2.16.840.1.113709.1.2.2"
    garbage = proprietary[: proprietary.index(b"\x08\0\x05\0CS")] + bytes([7, 200, 3, 99]) * 200
    assert failure(garbage).reason in ("unsupported_syntax", "bad_vr")


def test_a_deflated_object_reads_as_its_plain_twin(ct: Dataset) -> None:
    plain, deflated = read(encoded(ct)), read(encoded(ct, DeflatedExplicitVRLittleEndian))
    assert deflated.values == plain.values
    assert deflated.digests is not None
    assert plain.digests is not None
    assert (deflated.digests.header, deflated.digests.pixels) == (plain.digests.header, plain.digests.pixels)
    assert deflated.digests.object != plain.digests.object
    data = encoded(ct, DeflatedExplicitVRLittleEndian)
    start = 132 + 12 + int.from_bytes(data[140:144], "little")
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    content = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    cut = compressor.compress(content[:-20]) + compressor.flush()
    assert read(data[:start] + cut).read_status == "partial"


def test_deep_nesting_ends_in_a_reason_not_in_the_interpreter(ct: Dataset) -> None:
    # the private creator's sequence holds itself 20,000 times, by undefined lengths
    sequence, item = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\0\xe0\xff\xff\xff\xff"
    data = encoded(ct)
    place = data.index(b"\xe0\x7f\x10\0")
    assert failure(data[:place] + (sequence + item) * 20_000).reason in ("too_deep", "truncated_header")


def test_a_broken_value_representation_is_a_reason(ct: Dataset) -> None:
    ct.StudyDescription = "Thorax and more"
    data = encoded(ct)
    place = data.index(b"\x08\0\x30\x10LO")
    error = failure(data[: place + 4] + b"??" + data[place + 6 :])
    assert (error.reason, error.byte_offset) == ("bad_vr", place)


def test_unpadded_odd_lengths_and_nul_padding(ct: Dataset) -> None:
    ct.StationName, ct.StudyDescription = "CT1", " Thorax "
    data = encoded(ct)
    data = data.replace(b"SH\x04\x00CT1 ", b"SH\x03\x00CT1").replace(b"LO\x02\x00P1", b"LO\x04\x00P1\0\0")
    header = read(data)
    assert (header.values["StationName"], header.values["PatientID"]) == ("CT1", "P1")
    assert header.values["StudyDescription"] == " Thorax"


class Counting(BytesIO):
    """Counts the bytes that are read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def test_huge_private_values_and_pixels_are_skipped_not_read(ct: Dataset) -> None:
    from fonds.dicom.headers import read_header

    block = ct.private_block(0x0019, "BIG", create=True)
    block.add_new(1, "OB", bytes(3_000_000))
    ct.PixelData = bytes(2_000_000)
    stream = Counting(encoded(ct))
    header = read_header(stream, WORDS, digest=False)
    assert header.values["Rows"] == "8"
    assert header.pixel_length == 2_000_000
    assert stream.taken < 100_000


def outcome(content: bytes) -> Header | UnreadableHeader:
    """What becomes of a file: a row, or a reason. Anything else raises."""
    try:
        return read(content)
    except UnreadableHeader as error:
        return error


def accounted_for(content: bytes) -> bool:
    found = outcome(content)
    if isinstance(found, UnreadableHeader):
        inside = found.byte_offset is None or 0 <= found.byte_offset <= len(content)
        return bool(found.reason) and inside
    return found.row()["read_status"] in ("ok", "forced", "partial")


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600))
def test_no_bytes_get_past_the_reader_unnamed(data: bytes) -> None:
    assert accounted_for(data)
    assert accounted_for(bytes(128) + b"DICM" + data)


MR = wheel_file("MR_small_implicit.dcm").read_bytes()[:1800]
SR = wheel_file("test-SR.dcm").read_bytes()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([MR, SR]), st.data())
def test_damaged_files_end_in_a_row_or_a_reason(whole: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.binary(min_size=1, max_size=8))
    content = whole[:place] + damage + whole[place + len(damage) :]
    assert accounted_for(content[: data.draw(st.integers(0, len(content)))])


@pytest.mark.parametrize("name", ["test-SR.dcm", "rtplan.dcm", "nested_priv_SQ.dcm", "MR_small_bigendian.dcm"])
def test_a_file_cut_anywhere_is_accounted_for(name: str) -> None:
    data = wheel_file(name).read_bytes()[:6000]
    assert all(accounted_for(data[:end]) for end in range(0, len(data), 7))


def test_attributes_without_a_text_are_refused_by_name() -> None:
    with pytest.raises(DefinitionInvalid) as caught:
        wanted(("PatientID", "PatienID", "PixelData", "RequestAttributesSequence"))
    assert [text for _, text in caught.value.mistakes] == [
        "'PatienID' is no keyword of PS3.6",
        "'PixelData' can't be catalogued: its VR OB has no text",
        "'RequestAttributesSequence' can't be catalogued: its VR SQ has no text",
    ]
