"""The failure catalogue of legacy archives, a file a fault, crawled together: each has its row, and the rest goes on.

Numbers are those of `field/migration.md`, sections 2.3 and 2.4. Tests of values stand here for what the row says; what
a check makes of it is its own test (`tests/assess`, examples in `rules/checks`).

| fault | here | judged by |
|---|---|---|
| E1 declared character set wrong | test_character_sets | IN-10 text-undecodable |
| E2 none declared, 8-bit text | test_character_sets (a source with `charset`, one without) | IN-10 |
| E3, E4 illegal terms, lone code extension | test_character_sets | IN-09 charset-term-illegal |
| E5 index in another character set than the files | tests/crawl: drift | |
| E6 dates of ACR-NEMA | test_values_stay_as_they_are | IN-14 date-form |
| E7 float as IS, long DS, junk | test_values_stay_as_they_are | IN-11 number-malformed |
| E8 too long, lower case | test_values_stay_as_they_are | IN-12 value-too-long, SE-06 |
| E9 odd lengths | test_values_stay_as_they_are | |
| E10 unknown and wrong VR | test_value_representations | IN-01 object-unreadable |
| E11 no preamble, meta, transfer syntax | test_what_is_missing_in_front | IN-02 meta-missing |
| E12 other syntax than claimed | test_transfer_syntaxes | IN-05 transfer-syntax-wrong |
| E13 cut, padded | test_cut_and_padded | IN-01, IN-07 pixel-length-differs |
| E14, E15 private LO over 64 KB, private and public as UN | test_long_private_values, test_value_representations | |
| E16 proprietary, E17 retired syntaxes | test_transfer_syntaxes | IN-05 |
| E18 time zones | test_values_stay_as_they_are (nothing is converted) | |
| E19 deep nesting | test_deep_nesting | IN-01 |
| E20 body part wrong | test_values_stay_as_they_are | SE-06 body-part-undefined |
| E21 script in a name | test_values_stay_as_they_are | tests/desk (escaped there) |
| N16 DICOMDIR wrong | tests/archives/test_dicomdir.py, tests/crawl | AR checks |
| N17 compared by UID, never by date | tests/crawl: drift | |
| N20 proprietary annotations | test_proprietary_annotations_are_no_secret | |
| N1 to N15, N18, N19 | no files: tests of PACS sources, migrate, plan | |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.crawl import crawl, objects
from fonds.project.settings import Project
from tests.crawl.archive import WHEEL, project
from tests.crawl.made_files import BIG_ENDIAN, IMPLICIT, Element, Encoding, deflated, image, meta, part10

J2K, JPEG_RETIRED, PAPYRUS, GE_CENTRICITY = (
    "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.52", "1.2.840.10008.1.20", "2.16.840.1.113709.1.2.2",
)  # fmt: skip
EXPLICIT_VR = Encoding()
PLAIN = part10(image())
START = len(meta(EXPLICIT_VR.syntax))
LONG_TEXT = b"x" * 70_000
SCRIPT = b"<script>alert(1)</script>^O'Neil & Co"
SEQUENCE, ITEM = b"\x40\0\x75\x02SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\0\xe0\xff\xff\xff\xff"
ITEM_END, SEQUENCE_END = b"\xfe\xff\x0d\xe0\0\0\0\0", b"\xfe\xff\xdd\xe0\0\0\0\0"
FRAMES = (
    b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"  # pixel data without an offset table, one frame
    + b"\xfe\xff\0\xe0\0\0\0\0"
    + b"\xfe\xff\0\xe0\4\0\0\0\1\2\3\4"
    + SEQUENCE_END
)


def with_element(element: Element, encoding: Encoding = EXPLICIT_VR) -> bytes:
    return part10(sorted([*image(), element]), encoding)


def place(data: bytes, element: bytes) -> int:
    return data.index(element)


def nested(levels: int, *, closed: bool = True) -> bytes:
    """The plain object with a sequence in a sequence in a sequence before its pixel data."""
    at = place(PLAIN, b"\xe0\x7f\x10\0")
    ends = (ITEM_END + SEQUENCE_END) * levels + PLAIN[at:] if closed else b""
    return PLAIN[:at] + (SEQUENCE + ITEM) * levels + ends


STUDY_DESCRIPTION = b"\x08\0\x30\x10LO\x06\0Thorax"
TEXTUAL_DS = (0x00180050, "DS", b"1.23456789012345678901 ")
FILES: dict[str, bytes] = {
    "plain": PLAIN,
    # E1 to E4: character sets
    "cp1251": part10(image(SpecificCharacterSet=b"ISO 2022 IR 6 ", PatientName="Иванов^Пётр".encode("cp1251"))),
    "not utf-8": part10(image(SpecificCharacterSet=b"ISO_IR 192", PatientName="Müller".encode("latin-1"))),
    "none declared": part10(image(SpecificCharacterSet=None, PatientName="王^小东".encode("gbk"))),
    "Not Supplied": part10(image(SpecificCharacterSet=b"Not Supplied")),
    "ISO_2022_IR_6": part10(image(SpecificCharacterSet=b"ISO_2022_IR_6 ")),
    "ISO IR 192": part10(image(SpecificCharacterSet=b"ISO IR 192", PatientName="Ångström^Åsa ".encode())),
    "ISO-IR 100": part10(image(SpecificCharacterSet=b"ISO-IR 100", PatientName="Müller".encode("latin-1"))),
    "ISO 2022 IR 100": part10(image(SpecificCharacterSet=b"ISO 2022 IR 100 ", PatientName="Müller".encode("latin-1"))),
    # E6 to E9, E18, E20, E21: values
    "acr dates": part10(image(StudyDate=b"2000.01.01", StudyTime=b"10:15:30")),
    "numbers": part10(sorted([*image(SeriesNumber=b"57.6", InstanceNumber=b"1A"), TEXTUAL_DS])),
    "long": part10(image(StudyDescription=b"D" * 300, Modality=b"computed tomography ")),
    "odd": part10(image(AccessionNumber=b"A12", StudyDescription=b"Kopf \0\0", PatientID=b"P1\0")),
    "zone": part10(image(TimezoneOffsetFromUTC=b"+0200 ", StudyDate=b"20210328", StudyTime=b"023000")),
    "body part": part10(image(BodyPartExamined=b"chest ", StudyDescription=b"Knie links")),
    "script": part10(image(PatientName=SCRIPT, StudyDescription=b'"><img src=x onerror=alert(1)>')),
    # E10, E15: value representations
    "unknown vr": PLAIN.replace(STUDY_DESCRIPTION, STUDY_DESCRIPTION.replace(b"LO", b"??")),
    "wrong vr": part10(
        sorted([*image(StudyDate=None, Rows=None), (0x00080020, "LO", b"20210304"), (0x00280010, "SS", (8,))])
    ),
    "as un": part10(
        sorted(
            [
                *image(PatientID=None, Rows=None),
                (0x00100020, "UN", b"P1"),
                (0x00280010, "UN", b"\x08\0"),
                (0x00090010, "LO", b"MAKER "),
                (0x00091001, "UN", b"\1\2\3\4"),
            ]
        )
    ),
    "ox": PLAIN.replace(b"\x08\0\x30\x10LO\x06\0", b"\x08\0\x30\x10OX\x06\0"),
    # E11: nothing in front
    "no preamble": PLAIN[132:],
    "no meta": PLAIN[START:],
    "no meta implicit": part10(image(), Encoding(implicit=True))[len(meta(IMPLICIT)) :],
    "no meta big endian": part10(image(), Encoding(little=False))[len(meta(BIG_ENDIAN)) :],
    "prefix only": bytes(128) + b"DICM" + PLAIN[START:],
    "no syntax": meta(None) + PLAIN[START:],
    "wrong guess": meta(None) + part10(image(), Encoding(little=False))[len(meta(BIG_ENDIAN)) :],
    # E12, E16, E17: transfer syntaxes
    "claims implicit": part10(image(), claimed=IMPLICIT),
    "claims big endian": part10(image(), claimed=BIG_ENDIAN),
    "claims explicit": part10(image(), Encoding(implicit=True), claimed=EXPLICIT_VR.syntax),
    "claims deflated": part10(image(), claimed="1.2.840.10008.1.2.1.99"),
    "document as j2k": part10(image(PixelData=None), claimed=J2K),
    "native as j2k": part10(image(), claimed=J2K),
    "frames as native": part10(image(PixelData=None)) + FRAMES,
    "proprietary": part10(image(), claimed=GE_CENTRICITY),
    "proprietary coded": meta(GE_CENTRICITY) + bytes(range(7, 200)) * 9,
    "big endian": part10(image(), Encoding(little=False)),
    "retired jpeg": part10(image(PixelData=None), claimed=JPEG_RETIRED) + FRAMES,
    "papyrus": part10(image(), Encoding(implicit=True), claimed=PAPYRUS),
    "deflated": deflated(image()),
    # E13: ends
    "cut in header": PLAIN[: place(PLAIN, b"\x20\0\x0d\0UI") + 10],
    "cut in pixels": PLAIN[:-28],
    "cut in fragments": part10(image(PixelData=None), claimed=JPEG_RETIRED) + FRAMES[:-10],
    "padded": PLAIN + bytes(513),
    "empty": b"",
    "meta only": meta(EXPLICIT_VR.syntax),
    # E14: private LO over 64 KB
    "long private": with_element((0x00190010, "LO", LONG_TEXT), Encoding(implicit=True)),
    "long private cut": with_element((0x00190010, "LO", LONG_TEXT)),
    "long private un": with_element((0x00191001, "UN", LONG_TEXT)),
    # E19: nesting
    "nested 20": nested(20),
    "nested 100": nested(100),
    "nested 20000": nested(20_000),
    "nested without an end": nested(20_000, closed=False),
    # N20: proprietary overlays
    "annotations": with_element((0x00290010, "LO", b"CAMTRONICS ")),
    # no faults of DICOM, and none of ours
    "note.txt": b"nothing to see here, but long enough to be something" * 9,
    "picture.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(400),
}


class Crawled:
    """What a crawl left of each file."""

    def __init__(self, of: Project) -> None:
        tables = {name: Catalog(of).read(name) for name in ("instances", "unreadable")}
        self.instances, self.unreadable = (
            {(row["source"], row["location"]): row for row in tables[name].rows(named=True)} for name in tables
        )

    def row(self, name: str, source: str = "archive") -> dict[str, Any]:
        return self.instances[source, name]

    def values(self, name: str, *columns: str, source: str = "archive") -> tuple[Any, ...]:
        row = self.row(name, source)
        return tuple(row[column] for column in columns)

    def problem(self, name: str) -> tuple[str, int]:
        row = self.unreadable["archive", name]
        assert row["message"]
        return row["reason"], row["byte_offset"]


@pytest.fixture(scope="module", params=[10**9, 0], ids=["one by one", "by columns"])
def crawled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Crawled:
    folder = tmp_path_factory.mktemp("bad")
    for source in ("archive", "chinese"):
        (folder / source).mkdir()
        for name, content in FILES.items():
            if source == "archive" or name == "none declared":
                (folder / source / name).write_bytes(content)
    of = project(folder / "p", folder / "archive", f"  chinese:\n    path: {folder / 'chinese'}\n    charset: GBK\n")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(objects, "COLUMNAR_FILES", request.param)
        result = crawl(of)
    assert result.status == "done"
    assert result.counts["files"] == len(FILES) + 1
    assert result.counts["instances"] + result.counts["unreadable"] == len(FILES) + 1
    return Crawled(of)


def test_character_sets(crawled: Crawled) -> None:
    columns = ("SpecificCharacterSet", "charset_used", "PatientName", "doubtful")
    said = {name: crawled.values(name, *columns) for name in FILES if crawled.instances.get(("archive", name))}
    guess = "Иванов^Пётр".encode("cp1251").decode("latin-1")
    assert said["cp1251"] == ("ISO 2022 IR 6", "ISO_IR 6", guess, ["PatientName"])
    assert crawled.values("cp1251", "doubtful_bytes") == (["Иванов^Пётр".encode("cp1251").hex()],)
    assert said["not utf-8"][3] == ["PatientName"]
    assert said["none declared"][1:] == ("ISO_IR 6", "王^小东".encode("gbk").decode("latin-1"), ["PatientName"])
    assert crawled.values("none declared", *columns, source="chinese") == (None, "GBK", "王^小东", [])
    assert said["Not Supplied"] == ("Not Supplied", "ISO_IR 6", "Sample^Sam", [])
    assert said["ISO_2022_IR_6"] == ("ISO_2022_IR_6", "ISO_IR 6", "Sample^Sam", [])
    assert said["ISO IR 192"] == ("ISO IR 192", "ISO_IR 192", "Ångström^Åsa", [])
    assert said["ISO-IR 100"] == ("ISO-IR 100", "ISO_IR 100", "Müller", [])
    assert said["ISO 2022 IR 100"] == ("ISO 2022 IR 100", "ISO_IR 100", "Müller", [])


def test_values_stay_as_they_are(crawled: Crawled) -> None:
    assert crawled.values("acr dates", "StudyDate", "StudyTime") == ("2000.01.01", "10:15:30")
    numbers = ("57.6", "1A", "1.23456789012345678901")
    assert crawled.values("numbers", "SeriesNumber", "InstanceNumber", "SliceThickness") == numbers
    assert crawled.values("long", "StudyDescription", "Modality") == ("D" * 300, "computed tomography")
    assert crawled.values("odd", "AccessionNumber", "StudyDescription", "PatientID") == ("A12", "Kopf", "P1")
    zone = ("+0200", "20210328", "023000")
    assert crawled.values("zone", "TimezoneOffsetFromUTC", "StudyDate", "StudyTime") == zone
    assert crawled.values("plain", "TimezoneOffsetFromUTC") == (None,)
    assert crawled.values("body part", "BodyPartExamined", "StudyDescription") == ("chest", "Knie links")
    script = (SCRIPT.decode(), '"><img src=x onerror=alert(1)>')
    assert crawled.values("script", "PatientName", "StudyDescription") == script


def test_value_representations(crawled: Crawled) -> None:
    assert crawled.problem("unknown vr") == ("bad_vr", place(PLAIN, STUDY_DESCRIPTION))
    # two letters the standard doesn't know, and a length that leads on: a VR younger than we are
    assert crawled.values("ox", "StudyDescription") == ("Thorax",)
    assert same_content(crawled, "ox")
    assert crawled.values("wrong vr", "StudyDate", "Rows", "PatientID") == ("20210304", "8", "P1")
    assert crawled.values("as un", "PatientID", "Rows", "Columns") == ("P1", "8", "8")


def test_what_is_missing_in_front(crawled: Crawled) -> None:
    columns = ("read_status", "read_note", "transfer_syntax")
    explicit, big = EXPLICIT_VR.syntax, BIG_ENDIAN
    assert {name: crawled.values(name, *columns) for name in (
        "no preamble", "no meta", "no meta implicit", "no meta big endian", "prefix only", "no syntax", "wrong guess"
    )} == {
        "no preamble": ("forced", "no_preamble", explicit),
        "no meta": ("forced", "no_meta", explicit),
        "no meta implicit": ("forced", "no_meta", IMPLICIT),
        "no meta big endian": ("forced", "no_meta", big),
        "prefix only": ("forced", "no_meta", explicit),
        "no syntax": ("ok", "no_transfer_syntax", explicit),
        "wrong guess": ("ok", "no_transfer_syntax", big),
    }  # fmt: skip
    for name in ("no preamble", "no meta", "no meta implicit", "no meta big endian", "prefix only", "no syntax"):
        assert same_content(crawled, name)


def same_content(crawled: Crawled, name: str) -> bool:
    """Whether the row says what the row of the plain object says, file meta left out."""
    words = ("SOPInstanceUID", "PatientName", "PatientID", "StudyDate", "Rows", "BitsStored", "pixel_length")
    return crawled.values(name, *words) == crawled.values("plain", *words)


def test_transfer_syntaxes(crawled: Crawled) -> None:
    notes = {
        "claims implicit": (IMPLICIT, "syntax_mismatch"),
        "claims big endian": (BIG_ENDIAN, "syntax_mismatch"),
        "claims explicit": (EXPLICIT_VR.syntax, "syntax_mismatch"),
        "claims deflated": ("1.2.840.10008.1.2.1.99", "syntax_mismatch"),
        "document as j2k": (J2K, None),
        "native as j2k": (J2K, "syntax_mismatch"),
        "frames as native": (EXPLICIT_VR.syntax, "syntax_mismatch"),
        "proprietary": (GE_CENTRICITY, None),
        "big endian": (BIG_ENDIAN, None),
        "retired jpeg": (JPEG_RETIRED, None),
        "papyrus": (PAPYRUS, None),
        "deflated": ("1.2.840.10008.1.2.1.99", "deflated"),
    }
    assert {name: crawled.values(name, "transfer_syntax", "read_note") for name in notes} == notes
    without_pixels = {"document as j2k": None, "frames as native": 4, "retired jpeg": 4}
    for name in notes:
        if name in without_pixels:
            assert crawled.values(name, "PatientID", "pixel_length") == ("P1", without_pixels[name])
        else:
            assert same_content(crawled, name), name
    assert crawled.problem("proprietary coded") == ("unsupported_syntax", len(meta(GE_CENTRICITY)))


def test_cut_and_padded(crawled: Crawled) -> None:
    assert crawled.problem("cut in header") == ("truncated_header", place(PLAIN, b"\x20\0\x0d\0UI"))
    assert crawled.values("cut in pixels", "read_status", "pixel_length", "PatientID") == ("partial", 100, "P1")
    assert crawled.values("cut in fragments", "read_status", "PatientID") == ("partial", "P1")
    assert crawled.values("padded", "read_status", "read_note", "pixel_length") == ("ok", None, 128)
    padded, plain = crawled.row("padded"), crawled.row("plain")
    assert (padded["digest_header"], padded["digest_pixels"]) == (plain["digest_header"], plain["digest_pixels"])
    assert padded["digest_object"] != plain["digest_object"]
    assert crawled.problem("empty") == ("empty", 0)
    assert crawled.problem("meta only") == ("no_data", len(FILES["meta only"]))


def test_long_private_values(crawled: Crawled) -> None:
    for name in ("long private", "long private un"):
        assert same_content(crawled, name)
        assert crawled.values(name, "header_length")[0] > 70_000
    # re-encoded by a tool that kept 16 bits of the length: what follows is text where elements should be
    cut = FILES["long private cut"]
    at = place(cut, b"\x19\0\x10\0LO")
    reason, offset = crawled.problem("long private cut")
    assert reason == "bad_vr"
    assert offset == at + 8 + len(LONG_TEXT) % 65_536


def test_deep_nesting(crawled: Crawled) -> None:
    for name in ("nested 20", "nested 100"):
        assert same_content(crawled, name)
    for name in ("nested 20000", "nested without an end"):
        assert crawled.problem(name) == ("too_deep", place(PLAIN, b"\xe0\x7f\x10\0"))


def test_proprietary_annotations_are_no_secret(crawled: Crawled) -> None:
    assert same_content(crawled, "annotations")


def test_what_is_no_dicom(crawled: Crawled) -> None:
    assert crawled.problem("note.txt")[0] == crawled.problem("picture.jpg")[0] == "not_dicom"


def test_real_broken_files_of_pydicom(tmp_path: Path) -> None:
    names = ("badVR.dcm", "MR_truncated.dcm", "rtplan_truncated.dcm", "no_meta_group_length.dcm",
             "meta_missing_tsyntax.dcm", "UN_sequence.dcm", "nested_priv_SQ.dcm", "no_meta.dcm")  # fmt: skip
    for name in names:
        (tmp_path / "archive").mkdir(exist_ok=True)
        (tmp_path / "archive" / name).write_bytes((WHEEL / name).read_bytes())
    of = project(tmp_path / "p", tmp_path / "archive")
    crawl(of)
    found = Crawled(of)
    assert found.values("badVR.dcm", "PatientID", "read_status")[1] == "ok"
    assert found.values("MR_truncated.dcm", "read_status") == ("partial",)
    assert found.values("meta_missing_tsyntax.dcm", "read_note") == ("no_transfer_syntax",)
    assert {name: row["reason"] for (_, name), row in found.unreadable.items()} == {
        "rtplan_truncated.dcm": "truncated_header",
        "no_meta.dcm": "not_dicom",
    }
