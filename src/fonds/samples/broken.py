"""Faults that no data set can hold: they are cut into the encoded bytes, and the truth is told what a reader sees."""

from __future__ import annotations

from functools import partial

from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from fonds.samples.inject import Block, Maker, last_image
from fonds.samples.objects import Exam, Extra, Planned, drop, splice
from fonds.samples.recipe import Fault

Touched = list[Planned | Extra]
_META = (
    "MediaStorageSOPClassUID",
    "MediaStorageSOPInstanceUID",
    "ImplementationClassUID",
    "ImplementationVersionName",
)


def _explicit(planned: Planned) -> Planned:
    planned.syntax = str(ExplicitVRLittleEndian)
    return planned


def wrong_bytes(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Latin-1 under a declared UTF-8 in the series description."""
    image = _explicit(last_image(exam))
    image.bytes_edits.append(lambda data: splice(data, 0x0008, 0x103E, b"L\xe4sion "))
    image.values["SeriesDescription"], image.doubtful = "L\ufffdsion", ("SeriesDescription",)
    return [image]


def no_charset(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Specific Character Set taken away; the text stays as it was encoded."""
    for planned in exam.objects:
        _explicit(planned).bytes_edits.append(lambda data: drop(data, 0x0008, 0x0005))
        planned.values["SpecificCharacterSet"], planned.default_charset = None, True
    return list(exam.objects)


def charset_term(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Another spelling of the character set's name; the text stays as it was encoded."""
    term = str(fault.options["term"])
    value = term.encode() + b" " * (len(term) % 2)
    for planned in exam.objects:
        _explicit(planned).bytes_edits.append(partial(splice, group=0x0008, number=0x0005, value=value))
        planned.values["SpecificCharacterSet"] = term
    return list(exam.objects)


def odd_length(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A station name of seven bytes without padding."""
    image = _explicit(last_image(exam))
    image.bytes_edits.append(lambda data: splice(data, 0x0008, 0x1010, b"STATION"))
    image.values["StationName"] = "STATION"
    return [image]


def broken_vr(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Two question marks where the value representation should be."""
    image = _explicit(last_image(exam))
    image.bytes_edits.append(lambda data: splice(data, 0x0008, 0x1030, b"Gastroskopie", vr=b"??"))
    image.status = "unreadable"
    return [image]


def no_meta(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Only the data set: no preamble, no prefix, no file meta."""
    image = last_image(exam)
    image.syntax = str(ImplicitVRLittleEndian if fault.options["implicit"] else ExplicitVRLittleEndian)
    image.bytes_edits.append(lambda data: data[144 + int.from_bytes(data[140:144], "little") :])
    image.values |= dict.fromkeys(_META)
    image.status = "forced"
    return [image]


def wrong_syntax(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Explicit VR under a meta that says implicit."""
    image = _explicit(last_image(exam))
    image.claimed_syntax = str(ImplicitVRLittleEndian)
    return [image]


def maker_syntax(block: Block, exam: Exam, fault: Fault) -> Touched:
    """A transfer syntax PS3.6 does not know."""
    image = _explicit(last_image(exam))
    image.claimed_syntax = "2.16.840.1.113709.1.2.2"
    return [image]


def cut_pixels(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The last 200 bytes are missing."""
    image = _explicit(last_image(exam))
    image.bytes_edits.append(lambda data: data[:-200])
    image.status = "partial"
    return [image]


def cut_header(block: Block, exam: Exam, fault: Fault) -> Touched:
    """The file ends inside the Study Instance UID."""
    image = _explicit(last_image(exam))
    image.bytes_edits.append(lambda data: data[: data.rindex(exam.study_uid.encode()) + 10])
    image.status = "unreadable"
    return [image]


def empty_file(block: Block, exam: Exam, fault: Fault) -> Touched:
    """Zero bytes."""
    image = last_image(exam)
    image.bytes_edits.append(lambda data: b"")
    image.status = "unreadable"
    return [image]


BROKEN: dict[str, Maker] = {
    maker.__name__: maker
    for maker in (
        wrong_bytes,
        no_charset,
        charset_term,
        odd_length,
        broken_vr,
        no_meta,
        wrong_syntax,
        maker_syntax,
        cut_pixels,
        cut_header,
        empty_file,
    )
}
