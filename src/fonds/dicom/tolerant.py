"""The way for every object the strict walker doesn't take: pydicom's reader, element by element, same answer."""

from __future__ import annotations

import struct
import warnings
from typing import Any, NoReturn

import pydicom
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException
from pydicom.filereader import read_dataset

from fonds.dicom.framing import UNDEFINED, Frame
from fonds.dicom.parsed import PIXEL_TAGS, Parsed, Wanted
from fonds.dicom.values import Elements
from fonds.errors import UnreadableHeader

_BROKEN = (
    BytesLengthException,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    NotImplementedError,
    struct.error,
)


class _Truncated(Exception):
    """A value that ends after the object does; carries the element's offset."""

    def __init__(self, offset: int) -> None:
        self.offset = offset


def read_tolerantly(frame: Frame, wanted: Wanted) -> Parsed:
    """The wanted elements of a data set by pydicom's reader.

    Raises UnreadableHeader (``truncated_header``, ``bad_vr``, ``too_deep``, ``no_data``) with the offset of the
    element where reading ended.
    """
    stream, place = frame.stream, _Place(frame)
    stream.seek(frame.start)
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")  # oddities of values are what the checks report, and may hold values
            found = read_dataset(
                stream, frame.implicit, frame.little, stop_when=place.at_element, specific_tags=_asked_for(wanted)
            )
            elements = _neutral(found, wanted.top, wanted.nested) | _private(found, wanted)
    except _Truncated as cut:
        raise UnreadableHeader("truncated_header", cut.offset, "an element goes past the end of the object") from None
    except (EOFError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not pydicom's, which has no number
        raise UnreadableHeader("truncated_header", place.offset, "a sequence goes past the end of the object") from None
    except (RecursionError, MemoryError):
        raise UnreadableHeader("too_deep", place.offset, "sequences nested too deeply") from None
    except _BROKEN as error:
        _refuse(place, error)
    if not place.count:
        raise UnreadableHeader("no_data", frame.start, "no element")
    if place.pixels is None and place.breaks_off():
        raise UnreadableHeader("truncated_header", place.end, "the object ends inside the head of an element")
    return Parsed(elements, place.pixels if place.pixels is not None else frame.size, place.pixels is not None)


def _asked_for(wanted: Wanted) -> list[int]:
    # pydicom can't be asked by creator: every block a private attribute may stand in
    private = (
        tag
        for _, word in wanted.private
        for block in _BLOCKS
        for tag in (word.group << 16 | block, word.group << 16 | block << 8 | word.number)
    )
    return sorted({*wanted.top, *private})


def _private(found: Dataset, wanted: Wanted) -> Elements:
    elements: Elements = {}
    for key, word in wanted.private:
        reserved = (
            block for block in _BLOCKS if _raw(found, word.group << 16 | block).strip(b" \0") == word.creator.encode()
        )
        block = next(reserved, 0)
        tag = word.group << 16 | block << 8 | word.number
        if block and tag in found:
            vr, value = _neutral(found, frozenset((tag,)), wanted.nested)[tag]
            elements[key] = (word.vr if vr == "UN" else vr, value)
    return elements


def _raw(dataset: Dataset, tag: int) -> bytes:
    element: Any = dataset.get_item(tag) if tag in dataset else None
    return element.value if isinstance(getattr(element, "value", None), bytes) else b""


class _Place:
    """Where the reader stands; also ends it before pixel data, and at values that aren't all there."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.offset = frame.start
        self.end: int | None = None
        self.pixels: int | None = None
        self.count = 0

    def at_element(self, tag: int, vr: str | None, length: int) -> bool:
        """Called by pydicom at each top-level element, positioned at its value."""
        at = self.frame.stream.tell()
        head = 12 if vr in _LONG else 8
        self.offset = at - head
        if self.offset < self.frame.start:  # pydicom's look at the first element, before it reads it
            return False
        self.count += 1
        if tag in PIXEL_TAGS:
            self.pixels = self.offset
            return True
        if vr is None and not self.frame.implicit and not self._goes_on(tag, at + length):
            raise UnreadableHeader("bad_vr", self.offset, "an element without a value representation")
        if length != UNDEFINED and at + length > self.frame.size:
            raise _Truncated(self.offset)
        self.end = at + length if length != UNDEFINED else None
        return False

    def breaks_off(self) -> bool:
        """Whether bytes that are no element follow the last one; pydicom ends there in silence. Padding isn't meant."""
        if self.end is None:
            return False
        self.frame.stream.seek(self.end)
        return bool(self.frame.stream.read(8).strip(b"\0"))

    def _goes_on(self, tag: int, place: int) -> bool:
        # Some writers switch to implicit VR midway, which pydicom follows; a broken VR looks the same to it, but then
        # what it takes for the length leads nowhere.
        stream, order = self.frame.stream, "<" if self.frame.little else ">"
        here = stream.tell()
        stream.seek(place)
        following = stream.read(4)
        stream.seek(here)
        if len(following) < 4:
            return place == self.frame.size
        group, number = struct.unpack(f"{order}HH", following)
        return bool(tag < (group << 16 | number) <= max(PIXEL_TAGS))


_BLOCKS = range(0x10, 0x100)
_LONG = frozenset(pydicom.valuerep.EXPLICIT_VR_LENGTH_32)


def _refuse(place: _Place, error: Exception) -> NoReturn:
    raise UnreadableHeader("bad_vr", place.offset, f"can't be parsed ({type(error).__name__})") from None


def _neutral(dataset: Dataset, wanted: frozenset[int], nested: frozenset[int]) -> Elements:
    elements: Elements = {}
    # all are taken before any is converted: pydicom converts Pixel Representation too when it hands out a sequence
    stored: dict[int, Any] = {tag: dataset.get_item(tag) for tag in dataset.keys() & wanted}
    # per-object by nature: this is the slow way for single odd files
    for tag, raw in stored.items():
        vr = str(raw.VR) if raw.VR is not None else _dictionary(tag)
        if vr == "UN":
            vr = _dictionary(tag)
        if vr == "SQ":
            elements[int(tag)] = ("SQ", [_neutral(item, nested, nested) for item in dataset[tag].value or ()])
        else:
            # pydicom hands out elements of no length converted; all others are still bytes
            value = raw.value if isinstance(raw, RawDataElement) else b""
            elements[int(tag)] = (vr, value if isinstance(value, bytes) else b"")
    return elements


def _dictionary(tag: int) -> str:
    try:
        return str(dictionary_VR(tag))[:2]
    except KeyError:
        return "UN"
