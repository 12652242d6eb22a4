"""Raw text by value representation."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonds.dicom.charset import codec
from fonds.dicom.terms import LONG_VRS, SHORT_VRS
from fonds.dicom.values import TEXTUAL, as_text

PLAIN = codec("ISO_IR 100")


@pytest.mark.parametrize(
    ("vr", "raw", "text"),
    [
        ("LO", b"  two  spaces  ", "  two  spaces"),
        ("LO", b"a \\b \0", "a \\b"),
        ("PN", b"Doe^Ann=\xc4\xe4=  ", "Doe^Ann=Ää="),
        ("UI", b"1.2.3\0", "1.2.3"),
        ("DS", b" 1.50\\2 ", " 1.50\\2"),
        ("DA", b"", ""),
        ("US", struct.pack("<2H", 512, 65535), "512\\65535"),
        ("SL", struct.pack("<i", -7), "-7"),
        ("FD", struct.pack("<d", 0.1), "0.1"),
        ("FL", struct.pack("<f", 0.5), "0.5"),
        ("AT", b"\x08\0\x18\0\x10\0\x20\0", "00080018\\00100020"),
        ("US", b"\x01", ""),
        ("OB", b"\x01\x02", None),
        ("SQ", b"", None),
    ],
)
def test_text_of_each_kind(vr: str, raw: bytes, text: str | None) -> None:
    assert as_text(vr, raw, True, PLAIN) == (text, False)


def test_big_endian_numbers() -> None:
    assert as_text("US", b"\x02\x00", False, PLAIN)[0] == "512"
    assert as_text("AT", b"\x00\x08\x00\x18", False, PLAIN)[0] == "00080018"


def test_beyond_ascii_in_a_code_string_is_read_as_the_rest_is() -> None:
    assert as_text("CS", "MÄNNLICH".encode(), True, codec("ISO_IR 192")) == ("MÄNNLICH", False)
    assert as_text("CS", "MÄNNLICH".encode("latin-1"), True, codec("ISO_IR 192")) == ("MÄNNLICH", True)


@given(st.sampled_from(sorted(LONG_VRS | SHORT_VRS)), st.binary(max_size=40), st.booleans())
def test_any_bytes_of_any_kind_have_a_text_or_none(vr: str, raw: bytes, little: bool) -> None:
    text, _ = as_text(vr, raw, little, PLAIN)
    assert (text is None) == (vr not in TEXTUAL)
    assert text is None or not text.endswith((" ", "\0"))
