"""Whether the elements of an object are written as PS3.5 and PS3.6 want them: value representation and multiplicity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from pydicom.datadict import dictionary_VM

from fonds.dicom.charset import Codec
from fonds.dicom.conformance import conforms
from fonds.dicom.iod_read import Value, vr_of
from fonds.dicom.values import CODED_VRS, PLAIN_VRS

_SIZES = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "FD": 8, "SV": 8, "UV": 8, "AT": 4}
_MANY = (CODED_VRS | PLAIN_VRS) - {"LT", "ST", "UT", "UR"}
_BITS = 31


class Fault(NamedTuple):
    """vr or multiplicity, and what the standard wants."""

    problem: str
    expected: str


def faults(tag: int, value: Value, codec: Codec) -> Iterator[Fault]:
    """What is wrong with one element; of private ones only that it doesn't fit the VR it states."""
    private = bool(tag >> 16 & 1)
    wanted = vr_of(tag)
    if value.stated and not private and value.vr != "UN" and wanted != "UN" and value.vr not in wanted.split(" or "):
        yield Fault("vr", f"VR {wanted}")
        return
    if value.items is not None or not value.length or value.length > len(value.raw):
        return
    size = _SIZES.get(value.vr)
    if size is not None and value.length % size:
        yield Fault("vr", f"{value.vr}: a multiple of {size} bytes")
        return
    if size is None and not _conforms(value, codec):
        yield Fault("vr", f"{value.vr} (PS3.5 6.2)")
    if private or value.vr == "UN":
        return
    multiplicity = _multiplicity(tag)
    count = number(value, codec)
    if count is not None and not fits(count, multiplicity):
        yield Fault("multiplicity", f"VM {multiplicity}")


def number(value: Value, codec: Codec) -> int | None:
    """How many values there are; None where that can't be told."""
    size = _SIZES.get(value.vr)
    if size is not None:
        return value.length // size
    if value.vr in CODED_VRS & _MANY:
        text, doubtful = codec.decode(value.raw.rstrip(b" \0"))
        return None if doubtful or not text else text.count("\\") + 1
    if value.vr in _MANY:
        plain = value.raw.rstrip(b" \0")
        return plain.count(b"\\") + 1 if plain else None
    return None


@cache
def fits(count: int, multiplicity: str) -> bool:
    """Whether so many values are one of the alternatives of a VM, such as ``1-3``, ``2-2n`` or ``1-n or 1``."""
    return any(_fits(count, one) for one in multiplicity.split(" or "))


def _fits(count: int, one: str) -> bool:
    found = re.fullmatch(r"(\d+)(?:-(?:(\d*)n|(\d+)))?", one)
    if found is None:
        return True
    least, step, most = int(found[1]), found[2], found[3]
    if step is not None:
        return count >= least and count % int(step or 1) == 0
    return least <= count <= int(most or least)


def _conforms(value: Value, codec: Codec) -> bool:
    if not conforms(value.vr, value.raw, codec):
        return False
    if value.vr == "IS":
        numbers = (int(part) for part in value.raw.decode("ascii").strip(" \0").split("\\") if part.strip(" \0"))
        return all(-(2**_BITS) <= one < 2**_BITS for one in numbers)
    return True


def _multiplicity(tag: int) -> str:
    try:
        return str(dictionary_VM(tag))
    except KeyError:
        return "1-n"
