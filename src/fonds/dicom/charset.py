"""Specific Character Set (0008,0005): known misspellings repaired, text decoded, doubtful bytes noticed."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from fonds.dicom.terms import CHARACTER_SETS, EXTENDED_CHARACTER_SETS

DEFAULT = "ISO_IR 6"
ESC = 0x1B
_PLAIN = re.compile(r"^ISO[ _-]IR[ _-](\d+)$")
_EXTENDED = re.compile(r"^ISO[ _-]2022[ _-]IR[ _-](\d+)$")
_KNOWN = {"UTF-8": "ISO_IR 192", "UTF8": "ISO_IR 192", "Not Supplied": ""}
# what pydicom's table lacks
_ENCODINGS = {"ISO_IR 203": "iso8859_15", "ISO 2022 IR 203": "iso8859_15"}
_ASCII_TERMS = ("", DEFAULT, "ISO 2022 IR 6")
# C1 controls have no place in DICOM text (PS3.5 6.1.3): they show bytes of another character set
_IMPLAUSIBLE = re.compile("[\x80-\x9f\ufffd]")


def repair(declared: str) -> str:
    r"""The value with known misspellings corrected, components still joined by ``\``; others are left as they are."""
    parts = [_repaired(part.strip()) for part in declared.split("\\")]
    if len(parts) == 1 and (single := _EXTENDED.match(parts[0])):
        # a single value can't be a code extension; the multi-byte sets have no form without one
        plain = f"ISO_IR {single[1]}"
        return "" if plain == DEFAULT else plain if plain in CHARACTER_SETS else parts[0]
    return "\\".join(parts)


def _repaired(part: str) -> str:
    if part in CHARACTER_SETS or part in EXTENDED_CHARACTER_SETS:
        return part
    if found := _PLAIN.match(part):
        return f"ISO_IR {found[1]}"
    if found := _EXTENDED.match(part):
        return f"ISO 2022 IR {found[1]}"
    return _KNOWN.get(part, part)


class Codec:
    """Decodes the text of a data set in one value of Specific Character Set."""

    def __init__(self, term: str) -> None:
        self.term = term
        parts = term.split("\\")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is wrong with the term is a check's business
            found = convert_encodings([part if part in python_encoding else "" for part in parts])
        self.encodings = [_ENCODINGS.get(part, encoding) for part, encoding in zip(parts, found, strict=False)]
        known = parts[0] in CHARACTER_SETS or parts[0] in EXTENDED_CHARACTER_SETS
        self.only_ascii = parts[0] in _ASCII_TERMS or not known

    def decode(self, raw: bytes) -> tuple[str, bool]:
        """Text and whether it is doubtful: bytes the character set doesn't have, or controls no text holds."""
        if raw.isascii() and ESC not in raw:
            return raw.decode("ascii"), False
        before = raw.partition(b"\x1b")[0]
        doubtful = self.only_ascii and not before.isascii()
        if ESC in raw:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom's answer to bytes it can't decode is the replacement sign
                text = str(decode_bytes(raw, self.encodings, TEXT_VR_DELIMS))
            return text, doubtful or ESC in text.encode(errors="ignore") or bool(_IMPLAUSIBLE.search(text))
        text = raw.decode(self.encodings[0], errors="replace")
        return text, doubtful or bool(_IMPLAUSIBLE.search(text))


@lru_cache(maxsize=256)
def codec(term: str) -> Codec:
    """The decoder of a (repaired) value of Specific Character Set; unknown terms decode as pydicom's default does."""
    return Codec(term or DEFAULT)
