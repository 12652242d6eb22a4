"""Functional groups that every frame must have, in the shared or in the per-frame sequence (PS3.3 C.7.6.16).

The table of attributes doesn't tell which groups an IOD demands; these are the mandatory ones of Annex A.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pydicom.datadict import tag_for_keyword

from fonds.dicom.iod_read import Item, Tree

SHARED, PER_FRAME = 0x52009229, 0x52009230
SHARED_OR_PER_FRAME = frozenset((SHARED, PER_FRAME))
_ENHANCED = "PixelMeasuresSequence FrameContentSequence FrameAnatomySequence"
_MANDATORY = {
    "enhanced-ct-image": f"{_ENHANCED} PlanePositionSequence PlaneOrientationSequence CTImageFrameTypeSequence "
    "PixelValueTransformationSequence",  # A.38.1.4
    "enhanced-mr-image": f"{_ENHANCED} MRImageFrameTypeSequence",  # A.36.2.4
    "enhanced-pet-image": f"{_ENHANCED} PlanePositionSequence PlaneOrientationSequence PETFrameTypeSequence "
    "PixelValueTransformationSequence",  # A.56.1.4
    "segmentation": "FrameContentSequence SegmentIdentificationSequence",  # A.51.5
}


class GroupFault(NamedTuple):
    """A functional group some frame lacks."""

    tag: int
    module: str
    expected: str


def faults_of_groups(tree: Tree, iod: str) -> Iterator[GroupFault]:
    """The mandatory groups of an IOD that stand neither shared nor in every frame (of the first ones)."""
    shared = _items(tree, SHARED)
    frames = _items(tree, PER_FRAME)
    if not shared and not frames:
        return  # that these sequences are missing is told already
    for keyword in _MANDATORY.get(iod, "").split():
        number = tag_for_keyword(keyword)
        if number is None or any(number in item for item in shared):
            continue
        if not frames or any(number not in item for item in frames):
            yield GroupFault(number, "Multi-frame Functional Groups", "shared, or in every frame")


def _items(tree: Tree, tag: int) -> list[Item]:
    value = tree.elements.get(tag)
    return list(value.items or ()) if value is not None else []
