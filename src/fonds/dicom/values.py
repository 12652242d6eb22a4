"""Raw text of a data element's bytes: what the catalog's attribute columns hold, by value representation."""

from __future__ import annotations

import struct
from typing import TypeAlias

from fonds.dicom.charset import Codec

Elements: TypeAlias = "dict[int, tuple[str, bytes | list[Elements]]]"
"""Elements of a data set or item by tag number: VR and the bytes as stored, or the items of a sequence."""

CODED_VRS = frozenset(("LO", "LT", "PN", "SH", "ST", "UC", "UT"))
"""VRs that Specific Character Set governs (PS3.5 6.1.2.3)."""
PLAIN_VRS = frozenset(("AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"))
TEXT_VRS = CODED_VRS | PLAIN_VRS
_NUMBERS = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
TEXTUAL = TEXT_VRS | frozenset(_NUMBERS) | {"AT"}
"""VRs that have a raw text; the others (sequences, bytes, words) have none."""


def as_text(vr: str, raw: bytes, little: bool, codec: Codec) -> tuple[str | None, bool]:
    r"""Raw text of a value, and whether it is doubtful.

    Trailing spaces and NULs of the whole value go, everything else stays; values are joined by ``\``, binary numbers
    are decimal text (floats by repr), AT is eight hexadecimal digits. None for VRs without a text.
    """
    if vr in CODED_VRS:
        return codec.decode(raw.rstrip(b" \0"))
    if vr in PLAIN_VRS:
        plain = raw.rstrip(b" \0")
        if plain.isascii():
            return plain.decode("ascii"), False
        # these VRs are ASCII; whoever writes more than that most likely writes all text the same way
        text, doubtful = codec.decode(plain)
        return (plain.decode("latin-1"), True) if doubtful else (text, False)
    order = "<" if little else ">"
    if vr == "AT":
        words = [f"{word:04X}" for (word,) in struct.iter_unpack(f"{order}H", raw[: len(raw) // 4 * 4])]
        return "\\".join(map("".join, zip(words[::2], words[1::2], strict=True))), False
    code = _NUMBERS.get(vr)
    if code is None:
        return None, False
    size = struct.calcsize(code)
    numbers = struct.iter_unpack(order + code, raw[: len(raw) // size * size])
    return "\\".join(repr(number) for (number,) in numbers), False


def uid_text(raw: bytes) -> str:
    """Text of a UID or another ASCII value; other bytes become the replacement sign."""
    return raw.strip(b" \0").decode("ascii", errors="replace")
