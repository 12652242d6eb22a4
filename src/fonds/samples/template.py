"""A shortcut for long series: the first image is built and encoded, the others are that one with a few values replaced.

Building an object with pydicom takes milliseconds, and a large population has millions of them. A test holds the
shortcut to the same bytes and the same truth as the long way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from fonds.samples.images import pixel_bytes, position
from fonds.samples.inject import set_texts
from fonds.samples.objects import Planned, find
from fonds.samples.seen import Seen

_PIXELS = (0x7FE0, 0x0010)
_MEDIA_UID, _SOP_UID, _NUMBER = (0x0002, 0x0003), (0x0008, 0x0018), (0x0020, 0x0013)
_OWN = {"SOPInstanceUID", "InstanceNumber", "ImagePositionPatient", "ImageIndex"}
"""what a template writes anew into each object, so that no fault may have written it"""
_POSITION, _IMAGE_INDEX = (0x0020, 0x0032), (0x0054, 0x1330)


def repeatable(planned: Planned) -> bool:
    """Whether nothing but its number makes this object differ from others of its series with the same edits."""
    return (
        planned.number > 0
        and planned.syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
        and planned.claimed_syntax is None
        and planned.status == "ok"
        and not (planned.bytes_edits or planned.values)
        and all(
            isinstance(edit, partial) and edit.func is set_texts and not _OWN & set(edit.keywords["texts"])
            for edit in planned.edits
        )
    )


def template_key(planned: Planned) -> tuple[str, str, tuple[int, ...]]:
    """What objects must have in common to be made from one template; edits of a series are one function."""
    return planned.series, planned.syntax, tuple(map(id, planned.edits))


@dataclass(slots=True)
class Template:
    """An encoded image of a series, cut into the stretches between the values that differ."""

    data: bytes
    seen: Seen
    shape: tuple[int, ...]
    bits: int
    spacing: float | None
    indexed: bool

    @classmethod
    def of(cls, ds: Dataset, data: bytes, seen: Seen) -> Template | None:
        """The template an image makes; None when it has no pixel data."""
        if "PixelData" not in ds:
            return None
        frames = (int(ds.NumberOfFrames),) if "NumberOfFrames" in ds else ()
        samples = (3,) if ds.SamplesPerPixel == 3 else ()
        return cls(
            data,
            seen,
            (*frames, ds.Rows, ds.Columns, *samples),
            ds.BitsStored,
            float(ds.SliceThickness) if "ImagePositionPatient" in ds else None,
            "ImageIndex" in ds,
        )

    def make(self, planned: Planned) -> tuple[bytes, Seen]:
        """The file of another image of the series, and what a reader would see in it."""
        texts = {
            "MediaStorageSOPInstanceUID": planned.sop_uid,
            "SOPInstanceUID": planned.sop_uid,
            "InstanceNumber": str(planned.number),
        }
        uid = _even(planned.sop_uid.encode(), b"\0")
        values = {_SOP_UID: uid, _NUMBER: _even(str(planned.number).encode(), b" ")}
        if self.spacing is not None:
            texts["ImagePositionPatient"] = "\\".join(position(planned.number, self.spacing))
            values[_POSITION] = _even(texts["ImagePositionPatient"].encode(), b" ")
        if self.indexed:
            texts["ImageIndex"] = str(planned.number)
            values[_IMAGE_INDEX] = planned.number.to_bytes(2, "little")
        pixels = pixel_bytes(planned.sop_uid, self.shape, self.bits)
        values[_PIXELS] = pixels
        data = self._meta(uid)
        explicit, at = planned.syntax == ExplicitVRLittleEndian, 144 + int.from_bytes(self.data[140:144], "little")
        for (group, number), value in sorted(values.items()):
            start, end = find(self.data, group, number, explicit=explicit, at=at)
            data += self.data[at:start] + self._head(start, len(value), explicit) + value
            at = end
        data += self.data[at:]
        digest = hashlib.sha256(pixels).hexdigest()
        seen = replace(
            self.seen,
            planned=planned,
            values={**self.seen.values, **texts},
            stored_pixels=digest,
            decoded_pixels=digest,
            file_digest=hashlib.sha256(data).hexdigest(),
        )
        return data, seen

    def _meta(self, uid: bytes) -> bytes:
        start, end = find(self.data, *_MEDIA_UID)
        stop = 144 + int.from_bytes(self.data[140:144], "little")
        group = self.data[144:start] + self._head(start, len(uid), True) + uid + self.data[end:stop]
        return self.data[:140] + len(group).to_bytes(4, "little") + group

    def _head(self, start: int, length: int, explicit: bool) -> bytes:
        if not explicit:
            return self.data[start : start + 4] + length.to_bytes(4, "little")
        if self.data[start + 4 : start + 6] in (b"OB", b"OW"):
            return self.data[start : start + 8] + length.to_bytes(4, "little")
        return self.data[start : start + 6] + length.to_bytes(2, "little")


def _even(value: bytes, padding: bytes) -> bytes:
    return value + padding * (len(value) % 2)
