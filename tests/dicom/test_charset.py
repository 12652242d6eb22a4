"""Character set terms repaired, text decoded, and bytes that don't fit noticed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from fonds.dicom.charset import codec, repair
from fonds.dicom.terms import CHARACTER_SETS, EXTENDED_CHARACTER_SETS
from tests.dicom.made import encoded, read


@pytest.mark.parametrize(
    ("declared", "repaired"),
    [
        ("ISO IR 100", "ISO_IR 100"),
        ("ISO-IR 100", "ISO_IR 100"),
        ("ISO_IR_192", "ISO_IR 192"),
        ("ISO_IR-144", "ISO_IR 144"),
        ("ISO_2022_IR_6", ""),
        ("ISO-2022-IR-100", "ISO_IR 100"),
        ("ISO 2022 IR 100", "ISO_IR 100"),
        ("ISO 2022 IR 87", "ISO 2022 IR 87"),
        ("ISO_2022_IR_100\\ISO_2022_IR_87", "ISO 2022 IR 100\\ISO 2022 IR 87"),
        ("\\ISO-2022-IR-149", "\\ISO 2022 IR 149"),
        ("UTF-8", "ISO_IR 192"),
        ("UTF8", "ISO_IR 192"),
        ("Not Supplied", ""),
        ("KLINGON", "KLINGON"),
        ("", ""),
    ],
)
def test_known_misspellings_are_repaired(declared: str, repaired: str) -> None:
    assert repair(declared) == repaired
    assert repair(repaired) == repaired


@given(st.lists(st.sampled_from(CHARACTER_SETS + EXTENDED_CHARACTER_SETS), min_size=2, max_size=4))
def test_defined_terms_stay(terms: list[str]) -> None:
    assert repair("\\".join(terms)) == "\\".join(terms)


@pytest.mark.parametrize(
    ("term", "text", "encoding"),
    [
        ("ISO_IR 100", "Müller^Jürgen", "latin_1"),
        ("ISO_IR 101", "Wałęsa^Lech", "iso8859_2"),
        ("ISO_IR 144", "Люкceмбypг", "iso8859_5"),
        ("ISO_IR 126", "Διονυσιος", "iso8859_7"),
        ("ISO_IR 127", "قباني^لنزار", "iso8859_6"),
        ("ISO_IR 138", "שרון^דבורה", "iso8859_8"),
        ("ISO_IR 148", "Çavuşoğlu", "iso8859_9"),
        ("ISO_IR 203", "Œuvre €", "iso8859_15"),
        ("ISO_IR 166", "นามสกุล", "tis_620"),
        ("ISO_IR 192", "Wang^XiaoDong=王^小东", "utf_8"),
        ("GB18030", "王^小东", "gb18030"),
        ("GBK", "王^小东", "gbk"),
    ],
)
def test_text_of_every_single_set(term: str, text: str, encoding: str) -> None:
    assert codec(term).decode(text.encode(encoding)) == (text, False)


def test_code_extensions_switch_inside_a_value() -> None:
    japanese = codec("\\ISO 2022 IR 87")
    raw = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"
    assert japanese.decode(raw) == ("Yamada^Tarou=山田^太郎", False)
    assert japanese.decode(b"Plain^Ascii") == ("Plain^Ascii", False)


def test_bytes_that_do_not_fit_are_doubtful() -> None:
    assert codec("ISO_IR 192").decode(b"L\xe4sion") == ("L\ufffdsion", True)
    assert codec("").decode("Иванов".encode("cp1251"))[1]
    assert codec("ISO_IR 100").decode(b"na\x9fve")[1]
    assert codec("KLINGON").decode(b"M\xfcller") == ("Müller", True)
    assert codec("ISO 2022 IR 6\\ISO 2022 IR 87").decode(b"M\xfcller")[1]


@given(st.text(max_size=20), st.binary(max_size=20))
def test_any_term_decodes_any_bytes(term: str, raw: bytes) -> None:
    for declared in (term, f"{term}\\ISO 2022 IR 87", "hex", "ISO_IR 1\x0000"):
        assert isinstance(codec(repair(declared)).decode(raw)[0], str)


def test_the_sources_character_set_serves_only_who_declares_none(ct: Dataset) -> None:
    data = encoded(ct).replace(b"\x08\0\x05\0CS\x0a\0ISO_IR 100", b"")
    own = read(data, default_charset="ISO_IR 100")
    assert (own.values["PatientName"], own.charset_used, own.doubtful) == ("Müller^Jürgen", "ISO_IR 100", [])
    none = read(data)
    assert (none.values["SpecificCharacterSet"], none.charset_used) == (None, "ISO_IR 6")
    assert none.doubtful == ["PatientName"]
    declared = read(encoded(ct), default_charset="ISO_IR 144")
    assert (declared.values["PatientName"], declared.charset_used) == ("Müller^Jürgen", "ISO_IR 100")
    ct.PatientName = "Miller^Jim"
    ascii_only = read(encoded(ct).replace(b"\x08\0\x05\0CS\x0a\0ISO_IR 100", b""), default_charset="ISO_IR 100")
    assert ascii_only.charset_used == "ISO_IR 6"


def test_a_misspelt_set_is_used_repaired_and_kept_raw(ct: Dataset) -> None:
    header = read(encoded(ct).replace(b"ISO_IR 100", b"ISO-IR 100"))
    assert header.values["SpecificCharacterSet"] == "ISO-IR 100"
    assert (header.charset_used, header.values["PatientName"]) == ("ISO_IR 100", "Müller^Jürgen")
