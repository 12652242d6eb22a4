"""Digests of pixel data: the same for the same pixels, whatever carries them; bounded memory."""

from __future__ import annotations

import hashlib
from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from fonds.dicom import pixels
from fonds.dicom.decoded import decoded_digest
from tests.dicom.made import WORDS, encoded, read, wheel_file


def digests(data: bytes) -> pixels.Digests:
    found = read(data).digests
    assert found is not None
    return found


def test_native_pixels_header_and_object(ct: Dataset) -> None:
    data = encoded(ct)
    header = read(data)
    found = digests(data)
    start = data.index(b"\x08\0\x05\0CS")
    assert found.pixels == hashlib.sha256(ct.PixelData).hexdigest()
    assert found.object == hashlib.sha256(data).hexdigest()
    assert found.header == hashlib.sha256(data[start : header.header_length]).hexdigest()
    assert header.pixel_length == len(ct.PixelData)
    assert data[header.header_length :][:4] == b"\xe0\x7f\x10\0"


def test_a_changed_attribute_or_meta_leaves_the_pixels_digest(ct: Dataset) -> None:
    before = digests(encoded(ct))
    ct.PatientID = "P2"
    after = digests(encoded(ct))
    assert after.pixels == before.pixels
    assert after.header != before.header
    assert after.object != before.object


def test_encapsulated_again_is_the_same_pixels() -> None:
    ds = pydicom.dcmread(wheel_file("SC_rgb_rle_2frame.dcm"))
    before = digests(encoded(ds, RLELossless))
    frames = list(generate_frames(ds.PixelData, number_of_frames=2))
    ds.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=False)
    again = digests(encoded(ds, RLELossless))
    assert again.pixels == before.pixels == hashlib.sha256(b"".join(frames)).hexdigest()
    assert read(encoded(ds, RLELossless)).pixel_length == sum(map(len, frames))


def test_without_pixels_there_is_no_pixel_digest(ct: Dataset) -> None:
    del ct.PixelData
    header = read(encoded(ct))
    assert header.digests is not None
    assert (header.digests.pixels, header.pixel_length) == (None, None)
    assert header.header_length == len(encoded(ct))


def test_no_digest_when_none_is_asked_for(ct: Dataset) -> None:
    row = read(encoded(ct), digest=False).row()
    assert (row["digest_object"], row["digest_header"], row["digest_pixels"]) == (None, None, None)
    assert row["pixel_length"] == 128


def test_fragments_cut_short_and_a_missing_delimiter() -> None:
    data = wheel_file("MR_small_RLE.dcm").read_bytes()
    whole = read(data)
    assert whole.read_status == "ok"
    assert read(data[:-500]).read_status == "partial"
    delimiter = data.rindex(b"\xfe\xff\xdd\xe0")
    bare = read(data[:delimiter])
    assert (bare.read_status, bare.read_note) == ("ok", "no_sequence_delimiter")
    assert bare.digests is not None
    assert whole.digests is not None
    assert bare.digests.pixels == whole.digests.pixels


class Blocks(BytesIO):
    """Remembers the largest block that was asked for."""

    largest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.largest = max(self.largest, len(data))
        return data


def test_memory_is_bounded(ct: Dataset) -> None:
    from fonds.dicom.headers import read_header

    ct.PixelData = bytes(5_000_000)
    stream = Blocks(encoded(ct))
    assert read_header(stream, WORDS).digests is not None
    assert stream.largest <= pixels.CHUNK


@pytest.mark.filterwarnings("ignore")
def test_decoded_pixels_agree_between_transfer_syntaxes() -> None:
    plain, rle = wheel_file("MR_small.dcm").read_bytes(), wheel_file("MR_small_RLE.dcm").read_bytes()
    big = wheel_file("MR_small_bigendian.dcm").read_bytes()
    assert digests(plain).pixels != digests(rle).pixels
    same = {decoded_digest(BytesIO(data)) for data in (plain, rle, big)}
    assert len(same) == 1
    assert None not in same
    ds = pydicom.dcmread(BytesIO(plain))
    ds.PixelData = b"\x01" + ds.PixelData[1:]
    assert decoded_digest(BytesIO(encoded(ds, ExplicitVRLittleEndian))) not in same
    assert decoded_digest(BytesIO(b"no DICOM at all")) is None
    assert decoded_digest(BytesIO(wheel_file("rtplan.dcm").read_bytes())) is None
