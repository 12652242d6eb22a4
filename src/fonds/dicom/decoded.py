"""What an image shows, however it is encoded: its values frame by frame, their digest, and whether it is blank."""

from __future__ import annotations

import hashlib
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.pixels import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.tag import BaseTag

from fonds.dicom.framing import BIG_ENDIAN, EXPLICIT, Frame, open_frame
from fonds.dicom.parsed import PIXEL_TAGS
from fonds.dicom.pixels import CHUNK, Pixels, locate
from fonds.errors import UnreadableHeader

# Encodings that may lose something (PS3.5 A.4): what they decode to depends on the decoder, so it proves nothing.
LOSSY_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{code}"
    for code in (
        *("50", "51", "81", "91", "93", "94", "95", "100", "100.1", "101", "101.1", "102", "102.1", "103", "103.1"),
        *("104", "104.1", "105", "105.1", "106", "106.1", "107", "108", "111", "112", "203", "204", "205"),
    )
)
# What a codec says of data it can't decode is as varied as codecs are.
_UNDECODABLE = (
    ValueError, RuntimeError, AttributeError, NotImplementedError, KeyError, TypeError, EOFError, struct.error,
    IndexError, MemoryError, OverflowError, UnreadableHeader,
)  # fmt: skip
_KEYWORDS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_AS_STORED = dict.fromkeys(("correct_unused_bits", "apply_jls_sign_correction", "apply_j2k_sign_correction"), False)
_GE_PRIVATE = "1.2.840.113619.5.2"  # little endian, its pixels big endian
Values = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Image:
    frame: Frame
    pixels: Pixels
    options: dict[str, Any]
    high_bit: int | None
    overlaid: bool

    def __getattr__(self, name: str) -> Any:
        return self.options.get(name)


def decoded_digest(stream: BinaryIO) -> str | None:
    """SHA-256 over the shape and the stored values of all frames; None when they can't be decoded or aren't all there.

    It doesn't depend on transfer syntax, byte order, planar configuration, bits that are allocated but not used
    (PS3.5 8.1.1), or filler behind the last frame. A frame, or 256 KiB of native data, is in memory at a time.
    """
    found = hashlib.sha256()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _open(stream)
            found.update(f"{image.rows}|{image.columns}|{image.samples_per_pixel}|".encode())
            for values in _parts(image):
                found.update(np.ascontiguousarray(values).data)
            tail = _tail(image)
            if tail is not None:
                found.update(b"|more|" + tail)
    except _UNDECODABLE:
        return None
    return found.hexdigest()


def is_blank(stream: BinaryIO) -> bool:
    """Whether all frames show one value (or colour) only; False also when they can't be decoded."""
    first: Values | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = _open(stream)
            for values in _parts(image):
                pixels = values.reshape(-1, image.samples_per_pixel or 1)
                first = pixels[:1].copy() if first is None else first
                if (pixels != first).any():
                    return False
    except _UNDECODABLE:
        return False
    return first is not None


def _open(stream: BinaryIO) -> _Image:
    frame = open_frame(stream)
    frame.stream.seek(frame.start)
    # group 0028 and the offset tables come with any wanted tag
    wanted: list[BaseTag | int] = [0x7FE00001, 0x7FE00002, *range(0x00280002, 0x00280104)]
    wanted += [0x60000102 + (plane << 16) for plane in range(0, 0x20, 2)]
    dataset = read_dataset(
        frame.stream,
        frame.implicit,
        frame.little,
        stop_when=lambda tag, vr, length: tag in PIXEL_TAGS,
        specific_tags=wanted,
    )
    start = frame.stream.tell()
    head = frame.stream.read(8)
    order = "<" if frame.little else ">"
    group, element = struct.unpack(f"{order}HH", head[:4])
    keyword = _KEYWORDS[group << 16 | element]
    pixels = locate(frame, start)
    if not pixels.complete:
        raise ValueError("less pixel data than declared")
    # bits that aren't used are cleared here, signs among them, so pydicom need not
    options = as_pixel_options(dataset, pixel_keyword=keyword, **_AS_STORED)
    options.setdefault("samples_per_pixel", 1)
    options["pixel_vr"] = "OW" if frame.implicit else head[4:6].decode("latin-1")
    return _Image(frame, pixels, options, _number(dataset, "HighBit"), _overlaid(dataset))


def _number(dataset: Dataset, keyword: str) -> int | None:
    value = dataset.get(keyword)
    return value if isinstance(value, int) else None


def _overlaid(dataset: Dataset) -> bool:
    """Whether unused bits of the pixels hold overlay planes (retired, PS3.3 C.9.2 of 2004)."""
    return any(element.value for element in dataset if element.tag.group >> 8 == 0x60 and element.tag.element == 0x0102)


def _parts(image: _Image) -> Iterator[Values]:
    """The values in order, as arrays of whole pixels."""
    if image.pixels.encapsulated:
        yield from _encapsulated(image)
    elif _is_plain(image):
        yield from _plain(image)
    else:
        yield from _native(image)


def _is_plain(image: _Image) -> bool:
    # what stands in the file in the order in which it is wanted
    interleaved = image.samples_per_pixel == 1 or not image.planar_configuration
    return (
        interleaved
        and image.bits_allocated in (8, 16, 32, 64)
        and image.photometric_interpretation != "YBR_FULL_422"
        and not (_swapped(image) and image.bits_allocated == 8)
    )


def _swapped(image: _Image) -> bool:
    return not image.frame.little or image.frame.transfer_syntax == _GE_PRIVATE


def _length(image: _Image) -> int:
    """Bytes the frames take, native."""
    values = int(image.number_of_frames * image.rows * image.columns * image.samples_per_pixel)
    if image.photometric_interpretation == "YBR_FULL_422" and image.samples_per_pixel == 3:
        values = values // 3 * 2
    return -(-values * int(image.bits_allocated) // 8)


def _plain(image: _Image) -> Iterator[Values]:
    length, size = _length(image), image.bits_allocated // 8
    if length > image.pixels.length or not length:
        raise ValueError("less pixel data than the frames need")
    kind = "f" if "Float" in image.pixel_keyword else "u"
    number = np.dtype(f"{'>' if _swapped(image) else '<'}{kind}{size}")
    # a multiple of any pixel's size
    block = CHUNK // (size * image.samples_per_pixel) * size * image.samples_per_pixel
    [at], end = image.pixels.starts, image.pixels.starts[0] + length
    while at < end:
        image.frame.stream.seek(at)
        data = image.frame.stream.read(min(block, end - at))
        if not data:
            raise EOFError
        yield _canonical(np.frombuffer(data, number), image)
        at += len(data)


def _native(image: _Image) -> Iterator[Values]:
    """Bits, planes, or 8-bit values in words of the other byte order: a frame at a time, by pydicom."""
    if _length(image) > image.pixels.length:
        raise ValueError("less pixel data than the frames need")
    decoder = get_decoder(BIG_ENDIAN if _swapped(image) else EXPLICIT)
    image.frame.stream.seek(image.pixels.starts[0])
    for values, _ in decoder.iter_array(image.frame.stream, raw=True, **image.options):
        yield _canonical(values, image)


def _encapsulated(image: _Image) -> Iterator[Values]:
    decoder = get_decoder(image.frame.transfer_syntax or "")
    if decoder.is_native:
        raise ValueError("encapsulated pixel data in a native transfer syntax")
    # pydicom wants the place of the value: the items follow the element's head
    image.frame.stream.seek(image.pixels.start + (8 if image.frame.implicit else 12))
    frames = 0
    for values, _ in decoder.iter_array(image.frame.stream, raw=True, **image.options):
        frames += 1
        yield _canonical(values, image)
    if frames < image.number_of_frames:
        raise ValueError("fewer frames than declared")


def _canonical(values: Values, image: _Image) -> Values:
    """Unsigned little-endian numbers of as many bytes as the stored bits need; unused bits are cleared."""
    if values.dtype.kind == "f":
        return values.astype(values.dtype.newbyteorder("<"), copy=False)
    size = values.dtype.itemsize
    numbers: Values = values.astype(values.dtype.newbyteorder("<"), copy=False).view(f"<u{size}")
    bits = image.bits_stored or 8 * size
    if image.overlaid or image.high_bit not in (None, bits - 1) or bits >= 8 * size:
        return numbers
    used: Values = numbers & np.array((1 << bits) - 1, dtype=numbers.dtype)
    return used.astype("<u1" if bits <= 8 else "<u2" if bits <= 16 else f"<u{size}", copy=False)


def _tail(image: _Image) -> bytes | None:
    """Digest of native data behind the last frame, unless it is filler: one byte, or one value throughout."""
    if image.pixels.encapsulated:
        return None
    at, end = image.pixels.starts[0] + _length(image), image.pixels.ends[0]
    if end - at <= 1:
        return None
    found, values = hashlib.sha256(), set[int]()
    while at < end:
        image.frame.stream.seek(at)
        data = image.frame.stream.read(min(CHUNK, end - at))
        if not data:
            break
        found.update(data)
        values |= set(data)
        at += len(data)
    return found.digest() if len(values) > 1 else None
