"""Expected findings on geometry, spacing, sides, times and requests, which the later faults of the recipe show."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date

from fonds.samples.expect import calendar, components, empty
from fonds.samples.expect_people import Record, record_id
from fonds.samples.people import strip_marks
from fonds.samples.seen import Seen

Finding = tuple[str, str, str, str]
_ROOT = "1.2.840.10008.5.1.4.1.1."
_SLICES = tuple(_ROOT + tail for tail in ("2", "4", "128"))
_SLIDE, _PDF = _ROOT + "77.1.6", _ROOT + "104.1"
_PICTURED = tuple(_ROOT + tail for tail in ("2", "4", "1", "12.1"))
_BY_X_RAYS = tuple(_ROOT + tail for tail in ("2", "1", "12.1"))
_TYPED = tuple(_ROOT + tail for tail in ("1", "2", "4", "128", "6.1", "3.1", "12.1", "77.1.6"))
_SAMPLES = {"MONOCHROME1": 1, "MONOCHROME2": 1, "PALETTE COLOR": 1}
_FUTURE = date(2026, 1, 1)
_MADE_LATER = ("SR", "KO", "PR", "SEG", "RTSTRUCT", "DOC", "OT")


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in components(text)]
    except ValueError:
        return []


def _spacing(seen: Seen) -> str | None:
    if seen.get("SOPClassUID") in _SLICES and empty(seen.get("PixelSpacing")):
        return "PixelSpacing"
    for word in ("PixelSpacing", "ImagerPixelSpacing"):
        text = seen.get(word)
        if not empty(text) and (len(components(text)) != 2 or any(size <= 0 for size in _numbers(text))):
            return word
    return None


def _plane(seen: Seen) -> str | None:
    if seen.get("SOPClassUID") not in _SLICES:
        return None
    for word in ("ImagePositionPatient", "ImageOrientationPatient"):
        if empty(seen.get(word)):
            return word
    way = _numbers(seen.get("ImageOrientationPatient"))
    row, column = way[:3], way[3:]
    lengths = [sum(part * part for part in vector) for vector in (row, column)]
    across = sum(a * b for a, b in zip(row, column, strict=True))
    if len(way) != 6 or any(abs(length - 1) > 0.01 for length in lengths) or abs(across) > 0.01:
        return "ImageOrientationPatient"
    return None if len(_numbers(seen.get("ImagePositionPatient"))) == 3 else "ImagePositionPatient"


def _colour(seen: Seen) -> str | None:
    said = seen.get("PhotometricInterpretation")
    if seen.pixel_length is None or empty(said):
        return None
    return None if _SAMPLES.get(said, 3) == int(seen.get("SamplesPerPixel")) else "PhotometricInterpretation"


def _lossy(seen: Seen) -> str | None:
    if seen.get("LossyImageCompression") != "01":
        return None
    words = ("LossyImageCompressionRatio", "LossyImageCompressionMethod")
    return next((word for word in words if empty(seen.get(word))), None)


def _future(seen: Seen) -> str | None:
    born, study = calendar(seen.get("PatientBirthDate")), calendar(seen.get("StudyDate"))
    for word in ("AcquisitionDateTime", "AcquisitionDate", "ContentDate"):
        day = calendar(seen.get(word)[:8])
        if day is None:
            continue
        before = born is not None and born.year > 1900 and day < born and (study is None or study >= born)
        if day > _FUTURE or before:
            return word
    return None


def _kilovolts(seen: Seen) -> list[float]:
    return _numbers(seen.get("KVP")) if seen.get("SOPClassUID") in _BY_X_RAYS else []


def _image_type(seen: Seen) -> str | None:
    if seen.pixel_length is None or seen.get("SOPClassUID") not in _TYPED or empty(seen.get("ImageType")):
        return None
    first, second, *_ = [*components(seen.get("ImageType")), "", ""]
    right = first in ("ORIGINAL", "DERIVED") and second in ("PRIMARY", "SECONDARY")
    return None if right else "ImageType"


def _one_uid(seen: Seen) -> str | None:
    study, series, sop = (seen.get(f"{word}InstanceUID") for word in ("Study", "Series", "SOP"))
    if sop and sop in (series, study):
        return "SOPInstanceUID"
    return "SeriesInstanceUID" if series and series == study else None


OBJECT_CHECKS: dict[str, Callable[[Seen], str | None]] = {
    "IN-19": _spacing,
    "IN-20": _plane,
    "IN-22": lambda seen: "WindowWidth" if any(width < 1 for width in _numbers(seen.get("WindowWidth"))) else None,
    "IN-24": _colour,
    "IN-26": _future,
    "IN-27": lambda seen: (
        "ContainerIdentifier" if seen.get("SOPClassUID") == _SLIDE and empty(seen.get("ContainerIdentifier")) else None
    ),
    "IN-34": lambda seen: (
        "MIMETypeOfEncapsulatedDocument"
        if seen.get("SOPClassUID") == _PDF and seen.get("MIMETypeOfEncapsulatedDocument") != "application/pdf"
        else None
    ),
    "IN-43": _lossy,
    "IN-47": lambda seen: "KVP" if any(not 10 <= kv <= 200 for kv in _kilovolts(seen)) else None,
    "IN-50": lambda seen: "Laterality" if seen.get("Laterality") not in ("", "L", "R") else None,
    "IN-51": lambda seen: "SliceThickness" if any(size <= 0 for size in _numbers(seen.get("SliceThickness"))) else None,
    "IN-53": _image_type,
    "IN-58": _one_uid,
    "IN-60": lambda seen: (
        "TimezoneOffsetFromUTC" if not re.fullmatch(r"|[+-]\d{4}", seen.get("TimezoneOffsetFromUTC")) else None
    ),
}


def _no_part(rows: list[Seen]) -> bool:
    wanted = any(row.get("SOPClassUID") in _PICTURED for row in rows)
    return wanted and all(empty(row.get("BodyPartExamined")) for row in rows)


def _other_side(rows: list[Seen]) -> bool:
    words = {"L": ("links", "left"), "R": ("rechts", "right")}
    sides = {row.get("Laterality") for row in rows} & set(words)
    text = " ".join(row.get(word) for row in rows for word in ("StudyDescription", "SeriesDescription")).lower()
    named = {side for side, said in words.items() if any(word in text for word in said)}
    return len(named) == 1 and bool(sides) and not sides & named


def _twice(rows: list[Seen]) -> bool:
    numbered = [row for row in rows if not empty(row.get("InstanceNumber"))]
    if not any(row.get("SOPClassUID") in _SLICES for row in numbered):
        return False
    places = {(row.get("AcquisitionNumber").strip(), row.get("InstanceNumber").strip()) for row in numbered}
    return len({row.get("SOPInstanceUID") for row in numbered}) > len(places)


def _other_request(rows: list[Seen]) -> bool:
    return any(
        not empty(row.get("RequestAccessionNumbers"))
        and not empty(row.get("AccessionNumber"))
        and row.get("RequestAccessionNumbers") != row.get("AccessionNumber").strip()
        for row in rows
    )


def _no_frame(rows: list[Seen]) -> bool:
    framed = (*_SLICES, _SLIDE)
    return any(row.get("SOPClassUID") in framed and empty(row.get("FrameOfReferenceUID")) for row in rows)


_MACHINE = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "StationName")


def _several(rows: list[Seen], word: str) -> bool:
    return len({row.get(word).strip() for row in rows} - {""}) > 1


def _no_posture(rows: list[Seen]) -> bool:
    scans = any(row.get("SOPClassUID") in _SLICES[:2] for row in rows)
    return scans and all(empty(row.get("PatientPosition")) for row in rows)


_SERIES: dict[str, tuple[str, Callable[[list[Seen]], bool]]] = {
    "SE-05": ("BodyPartExamined", _no_part),
    "SE-09": ("Laterality", _other_side),
    "SE-14": ("FrameOfReferenceUID", _no_frame),
    "SE-22": ("AccessionNumber", _other_request),
    "SE-25": ("InstanceNumber", _twice),
    "SE-12": ("SeriesNumber", lambda rows: all(empty(row.get("SeriesNumber")) for row in rows)),
    "SE-17": ("StationName", lambda rows: any(_several(rows, word) for word in _MACHINE)),
    "SE-20": ("PatientPosition", _no_posture),
    "SE-28": ("PatientPosition", lambda rows: any(row.get("PatientPosition") not in ("", "HFS") for row in rows)),
}


def _years_apart(rows: list[Seen]) -> bool:
    days = [calendar(row.get("SeriesDate")) for row in rows if row.get("Modality") not in _MADE_LATER]
    known = sorted(day for day in days if day is not None)
    return bool(known) and (known[-1] - known[0]).days > 366


def _wrong_age(rows: list[Seen]) -> bool:
    for row in rows:
        born, day = calendar(row.get("PatientBirthDate")), calendar(row.get("StudyDate"))
        age = row.get("PatientAge")
        if born is None or day is None or born.year <= 1900 or born > day or not age.endswith("Y"):
            continue
        if not -1.01 <= (day - born).days / 365.25 - int(age[:3]) <= 2.01:
            return True
    return False


def _no_time(text: str) -> bool:
    return not empty(text) and not re.fullmatch(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d+)?)?)?", text)


def _stands_in(text: str) -> bool:
    plain = text.strip()
    return plain == "UNKNOWN" or (len(plain) > 2 and len(set(plain)) == 1)


_STUDY: dict[str, tuple[str, Callable[[list[Seen]], bool]]] = {
    "PT-19": ("PatientAge", _wrong_age),
    "ST-27": ("SeriesDate", _years_apart),
    "IN-48": ("PatientWeight", lambda rows: any(kg > 400 for row in rows for kg in _numbers(row.get("PatientWeight")))),
    "ST-12": ("StudyTime", lambda rows: any(_no_time(row.get("StudyTime")) for row in rows)),
    "ST-18": ("ReferringPhysicianName", lambda rows: any("," in row.get("ReferringPhysicianName") for row in rows)),
    "ST-30": ("StudyTime", lambda rows: all(empty(row.get("StudyTime")) for row in rows)),
    "ST-32": ("AccessionNumber", lambda rows: any(_stands_in(row.get("AccessionNumber")) for row in rows)),
}


CHECKS = (*OBJECT_CHECKS, *_SERIES, *_STUDY, "PT-03", "PT-11", "PT-22", "PT-28")


def quality_findings(rows: Iterable[Seen]) -> list[Finding]:
    """Findings of this module's checks on objects, series, studies and records: (check, source, entity, attribute)."""
    rows = list(rows)
    found: list[Finding] = []
    for row in rows:
        for check, judge in OBJECT_CHECKS.items():
            attribute = judge(row)
            if attribute is not None:
                found.append((check, row.source, row.location, attribute))
    for level, checks in (("SeriesInstanceUID", _SERIES), ("StudyInstanceUID", _STUDY)):
        groups: dict[tuple[str, str], list[Seen]] = defaultdict(list)
        for row in rows:
            groups[row.source, row.get(level)].append(row)
        for (source, entity), members in groups.items():
            found += [(check, source, entity, word) for check, (word, fails) in checks.items() if fails(members)]
    return found + _record_findings(rows)


def _record_findings(rows: list[Seen]) -> list[Finding]:
    records: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    for row in rows:
        records[row.source, record_id(row)].append(row)
    found: list[Finding] = []
    bare: dict[tuple[str, str, str], list[tuple[str, Record]]] = defaultdict(list)
    words: dict[tuple[str, frozenset[str]], list[tuple[str, Record]]] = defaultdict(list)
    for (source, entity), members in records.items():
        record = Record(members)
        if any(row.get("PatientIdentityRemoved") == "YES" for row in members):
            found.append(("PT-22", source, entity, "PatientIdentityRemoved"))
        if re.match(r"(Dr|Prof|Herr|Frau)\b", record.get("PatientName")):
            found.append(("PT-28", source, entity, "PatientName"))
        digits = record.get("PatientID").strip().lstrip("0")
        name = " ".join(re.findall(r"\w+", strip_marks(record.get("PatientName")).upper()))
        for known in (name, record.get("PatientBirthDate") if record.known_birth else ""):
            if digits and known:
                bare[source, digits, known].append((entity, record))
        parts = record.get("PatientName").partition("=")[0].upper().split("^")[:2]
        if len(parts) == 2 and all(parts):
            words[source, frozenset(parts)].append((entity, record))
    for (source, *_), group in bare.items():
        if len({record.get("PatientID").strip() for _, record in group}) > 1:
            found += [("PT-03", source, entity, "PatientID") for entity, _ in group]
    for (source, _), group in words.items():
        found += [("PT-11", source, entity, "PatientName") for entity, one in group if _swapped(one, group)]
    return found


def _swapped(one: Record, group: list[tuple[str, Record]]) -> bool:
    return any(
        other.family != one.family
        and (other.get("PatientID").strip() == one.get("PatientID").strip() or other.known_birth == one.known_birth)
        for _, other in group
    )
