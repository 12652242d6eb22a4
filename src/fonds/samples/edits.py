"""What makers of faults do again and again: another value, another UID, other pixels, a copy beside the file."""

from __future__ import annotations

from pydicom.dataset import Dataset

from fonds.samples.images import pixel_bytes
from fonds.samples.inject import put
from fonds.samples.objects import Exam, Extra, Planned

Touched = list[Planned | Extra]


def aside(planned: Planned, word: str) -> str:
    """A place beside a file."""
    return planned.location.replace(".dcm", f"-{word}.dcm")


def copied(exam: Exam, planned: Planned, word: str) -> Planned:
    """The same object once more in a file beside it, to be edited on its own."""
    copy = planned.copy(aside(planned, word))
    exam.objects.append(copy)
    return copy


def set_values(ds: Dataset, **texts: str) -> None:
    """Write texts into attributes."""
    for keyword, text in texts.items():
        put(ds, keyword, text)


def new_sop(ds: Dataset, uid: str) -> None:
    """Another SOP Instance UID, in the file meta too."""
    put(ds, "SOPInstanceUID", uid)
    put(ds.file_meta, "MediaStorageSOPInstanceUID", uid)


def paint(ds: Dataset, word: str) -> None:
    """Pixels nothing else has, which follow from the word."""
    frames = (int(ds.NumberOfFrames),) if "NumberOfFrames" in ds else ()
    samples = (int(ds.SamplesPerPixel),) if ds.SamplesPerPixel > 1 else ()
    ds.PixelData = pixel_bytes(word, (*frames, ds.Rows, ds.Columns, *samples), ds.BitsStored)
