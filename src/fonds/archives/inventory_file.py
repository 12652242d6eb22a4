"""One Inventory SOP Instance (PS3.3 C.38), read study by study, so that its size doesn't matter."""

from __future__ import annotations

import struct
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.charset import convert_encodings
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import data_element_generator, read_dataset, read_preamble, read_sequence_item
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from fonds.errors import UnreadableHeader

INVENTORY_STORAGE = "1.2.840.10008.5.1.4.1.1.201.1"
STUDIES = 0x00080423
_HEAD = 132 + 1024
_UNDEFINED = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_INFLATED_IN_MEMORY = 64 * 1024 * 1024
MISTAKES = (
    *(InvalidDicomError, BytesLengthException, EOFError, ValueError, KeyError, TypeError, AttributeError),
    *(NotImplementedError, RecursionError, struct.error, OverflowError, zlib.error),
)
"""what pydicom raises for what it can't parse"""


@contextmanager
def quiet() -> Iterator[None]:
    """Without pydicom's warnings and errors about values: they quote them."""
    with warnings.catch_warnings(), pydicom.config.disable_value_validation():
        warnings.simplefilter("ignore")
        yield


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study's item stands, what study it is and when its record was taken."""

    start: int
    length: int
    study_uid: str
    taken: str


@dataclass
class Inventory:
    """An opened Inventory: its own attributes, and where its studies are."""

    stream: BinaryIO
    implicit: bool
    little: bool
    head: Dataset
    places: list[Place] = field(default_factory=list)
    problem: str | None = None

    @property
    def encodings(self) -> list[str]:
        """Python's names of its character sets."""
        with quiet():
            return list(convert_encodings(self.head.get("SpecificCharacterSet") or "ISO_IR 6"))

    def study(self, place: Place) -> Dataset:
        """One study's item, with all below it; raises UnreadableHeader."""
        self.stream.seek(place.start)
        try:
            with quiet():
                item = read_sequence_item(self.stream, self.implicit, self.little, self.encodings)
        except MISTAKES as error:
            raise UnreadableHeader("bad_vr", place.start, type(error).__name__) from None
        if item is None:
            raise UnreadableHeader("bad_vr", place.start, "no item")
        return item


def is_inventory(path: Path) -> bool:
    """Whether a file's meta says Inventory Storage."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    place = head.find(b"\x02\x00\x02\x00UI", 132)
    if head[128:132] != b"DICM" or place < 0:
        return False
    length = struct.unpack_from("<H", head, place + 6)[0] if place + 8 <= len(head) else 0
    return head[place + 8 : place + 8 + length].rstrip(b"\0 ") == INVENTORY_STORAGE.encode()


def open_inventory(path: Path) -> Inventory:
    """Its own attributes and the places of its studies; the caller closes `stream`.

    One that ends early, or can't be parsed further, holds what comes before, and says so in `problem`. Raises
    UnreadableHeader where not even its own attributes can be read.
    """
    stream: BinaryIO = path.open("rb")
    try:
        with quiet():
            read_preamble(stream, force=True)
            meta = read_dataset(stream, False, True, stop_when=lambda tag, *_: tag.group != 2)
            syntax = str(meta.get("TransferSyntaxUID", ImplicitVRLittleEndian))
            if syntax == DeflatedExplicitVRLittleEndian:
                stream = _inflated(stream)
            implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
            if not little:
                raise UnreadableHeader("unsupported_syntax", None, "big endian")
            head = read_dataset(stream, implicit, little, stop_when=lambda tag, *_: tag >= STUDIES)
            opened = Inventory(stream, implicit, little, head)
    except MISTAKES as error:
        stream.close()
        raise UnreadableHeader("truncated_header", None, type(error).__name__) from None
    except UnreadableHeader:
        stream.close()
        raise
    try:
        with quiet():
            opened.places.extend(_places(opened))
            head.update(read_dataset(stream, implicit, little))
    except MISTAKES as error:
        opened.problem = f"can't be read beyond byte {stream.tell()} ({type(error).__name__})"
    return opened


def _places(opened: Inventory) -> Iterator[Place]:
    """Walk the items of the studies' sequence; leaves the stream behind it."""
    stream = opened.stream
    start = stream.tell()
    header = stream.read(8 if opened.implicit else 12)
    if header[:4] != b"\x08\x00\x23\x04":
        stream.seek(start)
        return
    if len(header) < 8 or (not opened.implicit and len(header) < 12):
        raise EOFError
    length = struct.unpack("<L", header[-4:])[0]
    end = None if length == _UNDEFINED else stream.tell() + length
    while end is None or stream.tell() < end:
        place = stream.tell()
        mark = stream.read(8)
        if len(mark) < 8:
            raise EOFError
        if mark[:4] == _SEQUENCE_END:
            return
        if mark[:4] != _ITEM:
            raise ValueError("no item")
        size = struct.unpack("<L", mark[4:])[0]
        uid, taken = _identity(opened, None if size == _UNDEFINED else stream.tell() + size)
        yield Place(place, stream.tell() - place, uid, taken)


def _identity(opened: Inventory, end: int | None) -> tuple[str, str]:
    """Study Instance UID and Item Inventory DateTime of an item; sequences of defined length are passed over."""
    stream = opened.stream
    found = {0x0020000D: "", 0x00080404: ""}
    delimited = False

    def stop(tag: BaseTag, _vr: str | None, _length: int) -> bool:
        nonlocal delimited
        # the generator stops before an element: the item's own delimiter, or the first one behind it
        delimited = tag == 0xFFFEE00D
        return delimited or (end is not None and stream.tell() > end)

    start = stream.tell()
    if end is not None:
        stream.seek(0, 2)
        if stream.tell() < end:
            raise EOFError
        stream.seek(start)
    for element in data_element_generator(stream, opened.implicit, opened.little, stop, defer_size=256):
        tag = int(element.tag)
        if tag in found and element.value:
            value = element.value
            found[tag] = (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip(" \0")
        if end is not None and stream.tell() >= end:
            break
    if end is not None:
        stream.seek(end)
    elif delimited:
        stream.seek(8, 1)
    return found[0x0020000D], found[0x00080404]


def _inflated(stream: BinaryIO) -> BinaryIO:
    """The data set of a deflated object (PS3.5 A.5), in a file of its own when it is large."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    plain = tempfile.SpooledTemporaryFile(max_size=_INFLATED_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    with stream:
        while block := stream.read(1 << 20):
            while block:
                plain.write(inflater.decompress(block, 1 << 24))
                block = inflater.unconsumed_tail
    plain.write(inflater.flush())
    plain.seek(0)
    return plain  # type: ignore[return-value]
