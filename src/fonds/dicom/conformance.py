"""Whether a value's bytes are what its value representation allows (PS3.5 6.2), so that they may be kept as a value."""

from __future__ import annotations

import re

from fonds.dicom.charset import Codec
from fonds.dicom.values import CODED_VRS

_TIME = rb"([01]\d|2[0-3])([0-5]\d([0-5]\d|60)?)?(\.\d{1,6})?"
_FORMS = {
    "AE": rb"[\x20-\x5b\x5d-\x7e]{0,16}",
    "AS": rb"(\d{3}[DWMY])?",
    "CS": rb"[A-Z0-9 _]{0,16}",
    "DA": rb"(\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01]))?",
    "DS": rb" *([+-]?(\d+(\.\d*)?|\.\d+)([Ee][+-]?\d+)?)? *",
    "DT": rb"(\d{4}((0[1-9]|1[0-2])((0[1-9]|[12]\d|3[01])(" + _TIME + rb")?)?)?([+-]\d{4})?)?",
    "IS": rb" *([+-]?\d{1,12})? *",
    "TM": rb"(" + _TIME + rb")?",
    "UI": rb"(0|[1-9]\d*)(\.(0|[1-9]\d*))*|",
}
_PATTERNS = {vr: re.compile(form) for vr, form in _FORMS.items()}
_LIMITS = {"LO": 64, "SH": 16, "ST": 1024, "LT": 10240}
_SINGLE = frozenset(("LT", "ST", "UT", "UR"))
_CONTROLS = re.compile("[\x00-\x09\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_LINES = re.compile("[\n\x0c\r]")


def conforms(vr: str, raw: bytes, codec: Codec) -> bool:
    """Whether `raw` (a value as stored) is a value of `vr`, decoded in `codec` where that governs it."""
    plain = raw.rstrip(b" \0")
    if vr in _PATTERNS:
        longest = {"DS": 16, "UI": 64}.get(vr, 64)
        parts = (part.rstrip(b" ") if vr in ("DA", "TM", "DT", "CS", "AE") else part for part in plain.split(b"\\"))
        return all(len(part) <= longest and _PATTERNS[vr].fullmatch(part) for part in parts)
    if vr not in CODED_VRS:
        return True
    text, doubtful = codec.decode(plain)
    if doubtful or _CONTROLS.search(text) or (vr not in _SINGLE and _LINES.search(text)):
        return False
    values = [text] if vr in _SINGLE else text.split("\\")
    if vr == "PN":
        return all(_is_name(value) for value in values)
    return all(len(value) <= _LIMITS.get(vr, 1 << 32) for value in values)


def _is_name(value: str) -> bool:
    groups = value.split("=")
    return len(groups) <= 3 and all(len(group) <= 64 and group.count("^") <= 4 for group in groups)
