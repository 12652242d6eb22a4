"""Digests of encapsulated pixels packed again in every way the standard knows, of damaged ends, and of huge objects."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from fonds.dicom.headers import Header
from fonds.dicom.pixels import Digests
from tests.dicom.made import encoded, read, wheel_file

MULTIFRAME = {"SC_rgb_rle_2frame.dcm": 2, "examples_ybr_color.dcm": 30, "rtdose_rle.dcm": 15}
PIXELS, END = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff", b"\xfe\xff\xdd\xe0\0\0\0\0"
# what `FONDS_HUGE=1 pytest tests/dicom/test_digests.py` takes instead: the most a native element can hold
HUGE = (4 * 1024**3 if os.environ.get("FONDS_HUGE") else 512 * 1024**2) - 2


def digests(header: Header) -> Digests:
    assert header.digests is not None
    return header.digests


def stored(name: str) -> tuple[Dataset, list[bytes]]:
    ds = pydicom.dcmread(wheel_file(name))
    return ds, list(generate_frames(ds.PixelData, number_of_frames=MULTIFRAME[name]))


@pytest.mark.parametrize("name", MULTIFRAME)
def test_packed_again_it_is_the_same_header_and_the_same_pixels(name: str) -> None:
    ds, frames = stored(name)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    first = digests(read(encoded(ds, syntax)))
    assert first.pixels == hashlib.sha256(b"".join(frames)).hexdigest()
    objects = {first.object}
    for fragments, table in ((1, True), (2, False), (3, True), (7, False)):
        ds.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table)
        again = read(encoded(ds, syntax))
        assert (digests(again).header, digests(again).pixels) == (first.header, first.pixels)
        assert again.pixel_length == sum(map(len, frames))
        objects.add(digests(again).object)
    assert len(objects) >= 4


@pytest.mark.parametrize("total_length", [False, True])
@pytest.mark.parametrize("name", MULTIFRAME)
def test_an_extended_offset_table_belongs_to_the_packing(name: str, total_length: bool) -> None:
    ds, frames = stored(name)
    syntax = str(ds.file_meta.TransferSyntaxUID)
    plain = digests(read(encoded(ds, syntax)))
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    data = encoded(ds, syntax)
    if total_length:  # (7FE0,0003), younger than pydicom's dictionary
        length = struct.pack("<Q", sum(map(len, frames)))
        at = data.index(b"\xe0\x7f\x10\0O")
        data = data[:at] + b"\xe0\x7f\x03\0UV\0\0\x08\0\0\0" + length + data[at:]
    extended = digests(read(data))
    assert (extended.header, extended.pixels) == (plain.header, plain.pixels)
    ds.PatientName = "Another^One"
    assert digests(read(encoded(ds, syntax))).header != plain.header


def test_a_frame_may_span_fragments_of_any_even_length() -> None:
    data = wheel_file("JPEG2000.dcm").read_bytes()
    whole = read(data)
    at = data.index(PIXELS)
    frame = bytes(next(generate_frames(pydicom.dcmread(wheel_file("JPEG2000.dcm")).PixelData, number_of_frames=1)))
    pieces = [frame[:2], frame[2:2], frame[2:1000], frame[1000:]]
    items = b"".join(b"\xfe\xff\0\xe0" + struct.pack("<I", len(piece)) + piece for piece in (b"", *pieces))
    again = read(data[:at] + PIXELS + items + END)
    assert (digests(again).pixels, digests(again).header) == (digests(whole).pixels, digests(whole).header)
    assert again.read_status == "ok"


def test_what_follows_the_pixels_counts_unless_it_is_padding(ct: Dataset) -> None:
    data = encoded(ct)
    plain = digests(read(data))
    for padding in (b"\0", bytes(5000), b"\xfc\xff\xfc\xffOB\0\0\x04\0\0\0\1\2\3\4"):
        padded = read(data + padding)
        assert padded.read_status == "ok"
        assert (digests(padded).header, digests(padded).pixels) == (plain.header, plain.pixels)
        assert digests(padded).object != plain.object
    signed = digests(read(data + b"\xfa\xff\xfa\xffSQ\0\0\0\0\0\0"))
    assert signed.header != plain.header
    assert signed.pixels == plain.pixels


def test_ends_that_are_missing(ct: Dataset) -> None:
    data = wheel_file("SC_rgb_rle_2frame.dcm").read_bytes()
    whole, bare = read(data), read(data[: data.rindex(END)])
    assert (digests(bare).pixels, digests(bare).header) == (digests(whole).pixels, digests(whole).header)
    assert bare.read_note == "no_sequence_delimiter"
    for cut in (1, 9, 300):
        short = read(data[: data.rindex(END) - cut])
        assert short.read_status == "partial"
        assert digests(short).header == digests(whole).header
        assert digests(short).pixels != digests(whole).pixels
    empty = read(data[: data.index(PIXELS)] + PIXELS + b"\xfe\xff\0\xe0\0\0\0\0" + END)
    assert (empty.pixel_length, digests(empty).pixels) == (0, hashlib.sha256(b"").hexdigest())
    native = encoded(ct)
    assert digests(read(native[:-20])).pixels == hashlib.sha256(ct.PixelData[:-20]).hexdigest()


PROGRAM = """
import re, sys
from fonds.dicom.headers import read_header
with open(sys.argv[1], "rb") as stream:
    header = read_header(stream, ("PatientID",))
# not ru_maxrss: a process begins with the peak of the one that started it
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
print(header.pixel_length, header.digests.pixels, peak // 1024)
"""


def measured(path: Path) -> tuple[int, str, int]:
    """Pixel bytes, their digest and the most memory (MiB) of a process that reads this object and nothing else."""
    ended = subprocess.run([sys.executable, "-c", PROGRAM, path], capture_output=True, text=True, check=True)
    length, digest, peak = ended.stdout.split()
    return int(length), digest, int(peak)


def test_a_huge_object_takes_no_more_memory(ct: Dataset, tmp_path: Path) -> None:
    data = encoded(ct)
    at = data.index(b"\xe0\x7f\x10\0")
    with (tmp_path / "huge").open("wb") as file:  # a hole: on disk it is nothing
        file.write(data[:at] + b"\xe0\x7f\x10\0OW\0\0" + struct.pack("<I", HUGE))
        file.truncate(file.tell() + HUGE)
    zeros = hashlib.sha256()
    for left in range(HUGE, 0, -(1 << 20)):
        zeros.update(bytes(min(left, 1 << 20)))
    length, digest, peak = measured(tmp_path / "huge")
    assert (length, digest) == (HUGE, zeros.hexdigest())
    assert peak < 300


def test_a_million_fragments_take_no_more_memory(ct: Dataset, tmp_path: Path) -> None:
    count = 1_000_000 if os.environ.get("FONDS_HUGE") else 200_000
    data = encoded(ct, ExplicitVRLittleEndian)
    fragment = b"\xfe\xff\0\xe0" + struct.pack("<I", 8) + b"fragment"
    with (tmp_path / "slide").open("wb") as file:
        file.write(data[: data.index(b"\xe0\x7f\x10\0")] + PIXELS + fragment[:4] + bytes(4) + fragment * count + END)
    length, digest, peak = measured(tmp_path / "slide")
    assert (length, digest) == (8 * count, hashlib.sha256(b"fragment" * count).hexdigest())
    assert peak < 300


def test_the_stream_is_read_from_beginning_to_end_once(ct: Dataset) -> None:
    ct.PixelData = bytes(3_000_000)
    data = encoded(ct)
    backwards: list[tuple[int, int]] = []

    class Tape(BytesIO):
        def seek(self, place: int, whence: int = 0) -> int:
            before = self.tell()
            after = super().seek(place, whence)
            backwards.extend([(before, after)] if after < before and before < len(data) else [])
            return after

    assert digests(read_tape(Tape(data))).object == hashlib.sha256(data).hexdigest()
    # to its beginning, after the header and what is behind the pixels were looked at
    assert len(backwards) <= 2


def read_tape(stream: BytesIO) -> Header:
    from fonds.dicom.headers import read_header

    return read_header(stream, ("PatientID",))
