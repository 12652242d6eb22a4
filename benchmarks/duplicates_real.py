"""The duplicates among pydicom's own test files, as pydicom alone tells them: the truth on real objects.

Nothing of Fonds is used but the answer to one question: which file of a SOP Instance UID the others are compared with.
"""

from __future__ import annotations

import hashlib
import shutil
import warnings
from collections import defaultdict
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

TEST_FILES = Path(pydicom.__file__).parent / "data"
PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
# how content is written, not what it is: character set, offset tables, trailing padding; of pixels that are the same
# also how they are laid out, and RGB as JPEG 2000 holds it
_ENCODING = {0x00080005, 0x7FE00001, 0x7FE00002, 0xFFFCFFFC}
_LAYOUT = {"PlanarConfiguration", "PhotometricInterpretation"}
_PLAIN = {"1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"}
_LOSSLESS = {
    *_PLAIN,
    *(f"1.2.840.10008.1.2.{end}" for end in ("2", "5", "4.57", "4.70", "4.80", "4.90", "4.92", "4.110")),
    *(f"1.2.840.10008.1.2.4.{end}" for end in ("201", "202")),
}


def copied(folder: Path) -> None:
    """The plain files (archives aside) as an archive's folder."""
    for path in sorted(TEST_FILES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".zip", ".gz", ".tar", ".py"):
            place = folder / path.relative_to(TEST_FILES)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def truth(files: Iterable[Path], kept: dict[str, Path]) -> set[tuple[str, Path]]:
    """Class and file for a, b, c, d and f, and `e` for whatever shows the same, or names itself, under another UID.

    `kept` names the file of each SOP Instance UID that the others are compared with.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        held: dict[str, list[Path]] = defaultdict(list)
        shown: dict[str, dict[Path, str]] = defaultdict(dict)
        called: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            ds = pydicom.dcmread(path, force=True)
            uid = str(ds.get("SOPInstanceUID", "")).strip()
            if not uid:
                continue
            held[uid].append(path)
            in_meta = str(ds.file_meta.get("MediaStorageSOPInstanceUID", uid))
            if in_meta != uid:
                called[in_meta].append(path)
            picture = _picture(ds)
            if picture is not None:
                shown[picture][path] = uid
        found = {("e", path) for paths in shown.values() if len(set(paths.values())) > 1 for path in paths}
        for uid, copies in called.items():
            found |= {("e", path) for path in (*copies, *held[uid])} if uid in held else set()
        for uid, paths in held.items():
            if len(paths) > 1:
                found |= _of_uid(paths, kept.get(uid, paths[0]))
    return found


def _of_uid(paths: list[Path], kept: Path) -> set[tuple[str, Path]]:
    found = set()
    for copy in paths:
        if copy != kept:
            name = relation(kept, copy)
            found |= {(name, kept), (name, copy)}
    places = {tuple(str(pydicom.dcmread(path, force=True).get(word, "")) for word in _PLACE) for path in paths}
    return found | ({("f", path) for path in paths} if len(places) > 1 else set())


_PLACE = ("StudyInstanceUID", "SeriesInstanceUID")


def relation(kept: Path, copy: Path) -> str:
    """Class a, b, c or d of two files of one SOP Instance UID."""
    if kept.read_bytes() == copy.read_bytes():
        return "a"
    one, other = pydicom.dcmread(kept, force=True), pydicom.dcmread(copy, force=True)
    differing = _differing(one, other)
    if not _same_pixels(one, other):
        return "d"
    return "c" if differing else "b"


def _same_pixels(one: Dataset, other: Dataset) -> bool:
    words = [[word for word in PIXELS if word in ds] for ds in (one, other)]
    if words[0] != words[1]:
        return False
    if not words[0]:
        return True
    syntaxes = {str(ds.file_meta.get("TransferSyntaxUID", "")) for ds in (one, other)}
    alike = all(a is None or b is None or a == b for a, b in zip(_shape(one), _shape(other), strict=True))
    if (len(syntaxes) == 1 or syntaxes <= _PLAIN) and alike and one[words[0][0]].value == other[words[0][0]].value:
        return True
    if not syntaxes <= _LOSSLESS:
        return False
    arrays = [_array(ds) for ds in (one, other)]
    return arrays[0] is not None and arrays[1] is not None and bool(np.array_equal(*arrays))


def _shape(ds: Dataset) -> list[int | None]:
    """What tells the shape of pixel data; a number that can't be read tells nothing."""
    found: list[int | None] = []
    for word in ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit"):
        try:
            found.append(int(ds.get(word, 0)))
        except (ValueError, TypeError):
            found.append(None)
    return found


def _array(ds: Dataset) -> Any:
    if _shape(ds)[2] is None:  # as many frames as there is data for
        bits = ds.Rows * ds.Columns * ds.BitsAllocated * ds.get("SamplesPerPixel", 1)
        ds.NumberOfFrames = len(ds.PixelData) * 8 // bits
    try:
        return ds.pixel_array
    except Exception:  # noqa: BLE001 - codecs raise whatever they like; what can't be decoded isn't equal
        return None


def _picture(ds: Dataset) -> str | None:
    """Digest of what an image shows, decoded where that loses nothing, else as stored; None when it shows nothing."""
    word = next((word for word in PIXELS if word in ds), None)
    if word is None or not isinstance(ds[word].value, bytes) or len(ds[word].value) < 64:
        return None
    syntax = str(ds.file_meta.get("TransferSyntaxUID", "1.2.840.10008.1.2"))
    array = _array(ds)
    if array is not None and array.size and (array == array.flat[0]).all():
        return None
    if syntax in _LOSSLESS and array is not None:
        return hashlib.sha256(repr(array.shape).encode() + array.astype(np.float64).tobytes()).hexdigest()
    return hashlib.sha256(syntax.encode() + ds[word].value).hexdigest()


def _differing(one: Dataset, other: Dataset) -> list[str]:
    without = {*_ENCODING, *(pydicom.datadict.tag_for_keyword(word) for word in PIXELS)}
    tags = sorted({tag for tag in (*one.keys(), *other.keys()) if tag not in without and tag.element != 0})
    return [str(tag) for tag in tags if not _equal(one, other, tag) and not _is_layout(one, other, tag)]


def _is_layout(one: Dataset, other: Dataset, tag: Any) -> bool:
    word = pydicom.datadict.keyword_for_tag(tag)
    if word == "PhotometricInterpretation":
        return {str(ds.get(word)) for ds in (one, other)} <= {"RGB", "YBR_RCT"}
    return word in _LAYOUT


def _equal(one: Dataset, other: Dataset, tag: Any) -> bool:
    if tag not in one or tag not in other:
        return False
    left, right = one[tag], other[tag]
    if isinstance(left.value, Sequence) and isinstance(right.value, Sequence):
        return len(left.value) == len(right.value) and not any(
            _differing(a, b) for a, b in zip(left.value, right.value, strict=True)
        )
    if left.VR != right.VR and "UN" in (left.VR, right.VR):
        return _stored(left) == _stored(right)
    return _plain(left.value) == _plain(right.value)


def _plain(value: Any) -> Any:
    if value is None or value == "":
        return b""
    if isinstance(value, bytes):
        return value.rstrip(b"\0 ")
    return value.strip(" \0") if isinstance(value, str) else value


def _stored(element: DataElement) -> bytes:
    """A value as little endian bytes, as an element of unknown VR holds it (PS3.5 section 6.2.2)."""
    if isinstance(element.value, bytes):
        return element.value.rstrip(b"\0 ")
    ds, out = Dataset(), BytesIO()
    ds.add(element)
    ds.save_as(out, implicit_vr=True, little_endian=True)
    return out.getvalue()[8:].rstrip(b"\0 ")
