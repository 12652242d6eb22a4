"""SOP Instance UIDs an object had before, as its Original Attributes Sequence keeps them."""

from __future__ import annotations

import warnings
from typing import BinaryIO

from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from fonds.dicom.framing import open_frame

_ORIGINAL_ATTRIBUTES = Tag(0x0400, 0x0561)


def former_sop_uids(stream: BinaryIO) -> list[str]:
    """UIDs in the items of Modified Attributes Sequence (PS3.3 C.12.1.1.9), in order; raises UnreadableHeader."""
    frame = open_frame(stream)
    frame.stream.seek(frame.start)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = read_dataset(
            frame.stream,
            frame.implicit,
            frame.little,
            stop_when=lambda tag, vr, length: tag > _ORIGINAL_ATTRIBUTES,
            specific_tags=[_ORIGINAL_ATTRIBUTES],
        )
        found = [
            str(modified.get("SOPInstanceUID", "")).strip(" \0")
            for item in dataset.get("OriginalAttributesSequence") or ()
            for modified in item.get("ModifiedAttributesSequence") or ()
        ]
    return [uid for uid in found if uid]
