"""Strategies for objects of every encoding, character set and shape that pydicom can read, oddities included."""

from __future__ import annotations

import warnings
from functools import cache

from hypothesis import strategies as st
from pydicom.charset import convert_encodings, decode_bytes, encode_string
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.valuerep import TEXT_VR_DELIMS

from fonds.dicom.values import CODED_VRS
from tests.crawl.made_files import CT, NUMBERS, Element, Encoding, Value, deflated, meta, part10, uid
from tests.dicom.made import WORDS

SAMPLES = (
    "Müller Ångström Łódź Čapek Ġorġ Āboltiņš Люкceмбypг Διονυσιος قباني"
    " שרון Çavuş สมชาย ﾔﾏﾀﾞ ｱｲｳ 山田太郎 やまだ 김희중 王小东 王小東"
)
CHARSETS = (
    "", "ISO_IR 100", "ISO_IR 101", "ISO_IR 109", "ISO_IR 110", "ISO_IR 144", "ISO_IR 127", "ISO_IR 126",
    "ISO_IR 138", "ISO_IR 148", "ISO_IR 166", "ISO_IR 13", "ISO_IR 192", "GB18030", "GBK", "ISO 2022 IR 6",
    "\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "\\ISO 2022 IR 58",
    "ISO 2022 IR 100\\ISO 2022 IR 144", "\\ISO 2022 IR 87\\ISO 2022 IR 159",
)  # fmt: skip
PLAIN = {"AE": "STATION1 ", "AS": "0358YMWD", "CS": "ORIGNAL_ 1", "DA": "0123456789", "TM": "0123456789.",
         "DT": "0123456789.+", "DS": "0123456789.-+eE ", "IS": "0123456789-+ ", "UI": "012345.",
         "UR": "htp:/x.?"}  # fmt: skip
TAGS = {word: tag_for_keyword(word) or 0 for word in WORDS if (tag_for_keyword(word) or 0) >> 16 != 2}
FIXED = ("SpecificCharacterSet", "SOPClassUID")
CODES = ("ProcedureCodeSequence", "ConceptNameCodeSequence", "AnatomicRegionSequence")


@cache
def alphabet(charset: str) -> tuple[str, ...]:
    """Words that pydicom itself encodes and decodes again in this character set."""
    encodings = convert_encodings(charset.split("\\"))
    words = ["Smith", "1", "x y", *(SAMPLES.split() if charset not in ("", "ISO 2022 IR 6") else [])]
    kept = []
    for word in words:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the words this set doesn't have
            raw = encode_string(word, encodings)
        # pydicom splits values at any byte 5C, also where it is the half of a GBK character: not to be held against us
        if b"\\" not in raw and b"?" not in raw and decode_bytes(raw, encodings, TEXT_VR_DELIMS) == word:
            kept.append(word)
    return tuple(kept)


def encoded_text(charset: str, text: str, vr: str) -> bytes:
    """Text as bytes; delimiters stand in the initial set (PS3.5 6.1.2.5.3)."""
    encodings = convert_encodings(charset.split("\\"))
    delimiter = "^" if vr == "PN" else "\\"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # JIS X 0201 has no ^ of its own, pydicom puts a question mark
        parts = [[encode_string(part, encodings) for part in value.split(delimiter)] for value in text.split("\\")]
    return b"\\".join(delimiter.encode().join(part) for part in parts)


@st.composite
def values(draw: st.DrawFn, vr: str, charset: str) -> Value:
    """A value of this VR: empty, single or several, padded by space, NUL or not at all."""
    if vr in NUMBERS:
        number = (
            st.floats(width=32, allow_nan=False, allow_infinity=False) if vr in ("FL", "FD") else st.integers(0, 99)
        )
        return tuple(draw(st.lists(number, max_size=3)))
    if vr in CODED_VRS:
        joined = st.lists(st.sampled_from(alphabet(charset)), max_size=3)
        text = draw(joined.map("^".join if vr == "PN" or draw(st.booleans()) else "\\".join))
        raw = encoded_text(charset, text, vr)
    else:
        one = st.text(PLAIN.get(vr, "A1"), max_size=10).map(lambda text: text.strip() if vr in ("DS", "IS") else text)
        raw = "\\".join(draw(st.lists(one, max_size=3))).encode()
    return raw + draw(st.sampled_from([b"", b" ", b"\0"])) if len(raw) % 2 else raw


@st.composite
def items(draw: st.DrawFn, charset: str, depth: int = 0) -> list[list[Element]]:
    """Items of a sequence with references, codes and identifiers, some of them with a character set of their own."""
    made = []
    for _ in range(draw(st.integers(0, 2))):
        own = draw(st.sampled_from([charset, charset, "ISO_IR 192"]))
        words = draw(st.sets(st.sampled_from(["ReferencedSOPClassUID", "ReferencedSOPInstanceUID", "AccessionNumber",
                                              "PatientID", "IssuerOfPatientID", "TypeOfPatientID", "CodeValue",
                                              "CodeMeaning", "UniversalEntityID", "LocalNamespaceEntityID",
                                              "StudyInstanceUID", "SeriesInstanceUID"]), max_size=6))  # fmt: skip
        item: dict[int, Element] = {}
        for word in words:
            tag = tag_for_keyword(word) or 0
            vr = dictionary_VR(tag)
            value = draw(values(vr, own))
            item[tag] = (tag, vr, value)
        if own != charset:
            item[0x00080005] = (0x00080005, "CS", own.encode())
        if depth < 3 and draw(st.booleans()):
            tag = tag_for_keyword(draw(st.sampled_from(["ReferencedSOPSequence", "ReferencedSeriesSequence",
                                                        "ContentSequence", *CODES]))) or 0  # fmt: skip
            item[tag] = (tag, "SQ", draw(items(own, depth + 1)))
        made.append([item[tag] for tag in sorted(item)])
    return made


SEQUENCES = ("RequestAttributesSequence", "ReferencedRequestSequence", "OtherPatientIDsSequence",
             "IssuerOfPatientIDQualifiersSequence", "IssuerOfAccessionNumberSequence", "OriginalAttributesSequence",
             "CurrentRequestedProcedureEvidenceSequence", "ReferencedImageSequence", "SourceImageSequence",
             "ReferencedStudySequence", "ContentSequence", *CODES)  # fmt: skip


@st.composite
def elements(draw: st.DrawFn) -> list[Element]:
    """A data set, in order: wanted attributes, sequences, private blocks, group lengths, retired elements."""
    charset = draw(st.sampled_from(CHARSETS))
    found: dict[int, Element] = {0x00080016: (0x00080016, "UI", uid(CT))}
    if charset:
        found[0x00080005] = (0x00080005, "CS", charset.encode() + b" " * (len(charset) % 2))
    for word in draw(st.sets(st.sampled_from([word for word in TAGS if word not in FIXED]), max_size=12)):
        vr = dictionary_VR(TAGS[word])[:2]
        found[TAGS[word]] = (TAGS[word], vr, draw(values(vr, charset)))
    for word in draw(st.sets(st.sampled_from(SEQUENCES), max_size=4)):
        tag = tag_for_keyword(word) or 0
        found[tag] = (tag, "SQ", draw(items(charset)))
    for group in draw(st.sets(st.sampled_from([0x0009, 0x0019, 0x0029, 0x0051]), max_size=2)):
        found[group << 16 | 0x10] = (group << 16 | 0x10, "LO", b"MAKER 1 ")
        length = draw(st.sampled_from([0, 3, 200, 9000, 70_000]))
        kind = draw(st.sampled_from(["OB", "UN", "LT", "SQ"]))
        blob: Value = draw(items(charset)) if kind == "SQ" else bytes(length if kind != "LT" else min(length, 9000))
        found[group << 16 | 0x1001] = (group << 16 | 0x1001, kind, blob)
        found[group << 16 | 0x1002] = (group << 16 | 0x1002, "DS", b"1.5 ")
    for tag, vr, value in draw(st.sets(st.sampled_from(_UNUSUAL), max_size=3)):
        found[tag] = (tag, vr, list(map(list, value)) if isinstance(value, tuple) and vr == "UN" else value)
    return [found[tag] for tag in sorted(found)]


_UNUSUAL: list[tuple[int, str, Value]] = [
    (0x00080000, "UL", (4000,)),
    (0x00100000, "UL", (12,)),
    (0x00080001, "UL", (70_000,)),  # Length to End, retired
    (0x00080010, "SH", b"ACR-NEMA 2.0"),  # Recognition Code, retired
    (0x00280005, "SS", (2,)),  # Image Dimensions, retired
    (0x00200070, "LO", b"1.2 "),  # Other Study Numbers, retired
    (0x60000010, "US", (8,)),
    (0x60003000, "OW", bytes(64)),
    (0x00420011, "OB", bytes(3)),
    (0x00091101, "UN", b"\1\2\3\4"),
    (0x00190099, "UN", (((0x00190010, "LO", b"MAKER 1 "),),)),  # type: ignore[list-item]  items, as UN
    (0x40080200, "SH", b"gone"),
]


PIXELS: tuple[Element, ...] = ((0x00280010, "US", (2,)), (0x00280011, "US", (2,)), (0x7FE00010, "OW", bytes(8)))


@st.composite
def objects(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An object as an archive may hold it, and as it should be: the one pydicom is asked about."""
    found = draw(elements())
    if draw(st.booleans()):
        found = sorted({tag: (tag, vr, value) for tag, vr, value in [*found, *PIXELS]}.values(), key=lambda e: e[0])
    way = draw(st.sampled_from(["explicit", "explicit", "implicit", "implicit", "big", "deflated"]))
    encoding = Encoding(way == "implicit", way != "big", draw(st.booleans()))
    right = part10(found, encoding)
    shape = draw(st.sampled_from(["plain", "plain", "plain", "bare", "no preamble", "no syntax", "wrong syntax"]))
    if way == "deflated":
        return deflated(found), right
    content = encoding.data_set(found)
    if shape == "bare":
        return content, right
    if shape == "no preamble":
        return right[132:], right
    if shape == "no syntax":
        return meta(None) + content, right
    if shape == "wrong syntax":
        claimed = draw(st.sampled_from(["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90"]))
        return part10(found, encoding, claimed), right
    return right, right
