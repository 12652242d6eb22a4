"""How much pixel data an object has, as far as its first bytes tell. Compiled by numba."""

# Kernels are loops over bytes with many ways out, and numba wants plain arguments; it has one type of integers.
# ruff: noqa: PLR0917
# mypy: disable-error-code="no-any-return,return-value"

from __future__ import annotations

from fonds.dicom.columnar.compiling import inner
from fonds.dicom.columnar.plan import (
    ENCAPSULATED,
    HEAD,
    ITEM,
    NATIVE,
    SEQUENCE_END,
    UNDEFINED,
    Bytes,
    Ints,
    Plan,
)
from fonds.dicom.columnar.sheet import LOOK, NOTES, PARTIAL, PIXEL_LENGTH
from fonds.dicom.columnar.walk import HEADER_END, IS_IMPLICIT, IS_LITTLE, SYNTAX, u16, u32, vr_number

NO_DELIMITER, BROKEN, MISMATCH = 1, 2, 4
"""Notes: no sequence delimiter, something that is no fragment, another form than the transfer syntax has."""


@inner
def locate_pixels(data: Bytes, avail: int, size: int, plan: Plan, state: Ints, numbers: Ints) -> None:
    """Pixel length, status and notes of a row; `look` where fragments (PS3.5 A.4) go on beyond the bytes at hand."""
    implicit, little = state[IS_IMPLICIT] != 0, state[IS_LITTLE] != 0
    at = state[HEADER_END]
    if implicit:
        length, value = u32(data, at + 4, little), at + 8
    elif plan.vrs[vr_number(data, at + 4, plan.vr_numbers), HEAD] == 12:
        length, value = u32(data, at + 8, little), at + 12
    else:
        length, value = u16(data, at + 6, little), at + 8
    flags = plan.flags[state[SYNTAX]]
    if length != UNDEFINED:
        end = min(value + length, size)
        numbers[PIXEL_LENGTH] = end - min(value, end)
        numbers[PARTIAL] = value + length > size
        numbers[NOTES] = MISMATCH if flags & ENCAPSULATED else 0
        return
    mismatch = MISMATCH if flags & NATIVE else 0
    at, first, found, total, note, partial = value, True, False, 0, 0, 0
    while True:
        if at + 8 > avail:
            if avail < size:
                numbers[LOOK], numbers[PIXEL_LENGTH] = 1, -1
                return
            partial = 1 if size > at or not found else 0
            note = 0 if partial else NO_DELIMITER
            break
        tag = u16(data, at, little) << 16 | u16(data, at + 2, little)
        length = u32(data, at + 4, little)
        if tag == SEQUENCE_END:
            break
        if tag != ITEM or length == UNDEFINED:
            note, partial = BROKEN, 1
            break
        end = at + 8 + length
        if not first:
            total += min(end, size) - (at + 8)
            found = True
        if end > size:
            partial = 1
            break
        at, first = end, False
    numbers[PIXEL_LENGTH], numbers[PARTIAL], numbers[NOTES] = total, partial, note | mismatch
