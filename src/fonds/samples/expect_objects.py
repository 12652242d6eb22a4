"""Expected findings on single objects and on series, from the values that were written."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fonds.samples.expect import apart, components, empty, first_failing, is_uid
from fonds.samples.seen import Seen
from fonds.samples.sources import MODALITIES

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
DATES = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate")
TIMES = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime")
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d(([0-5]\d|60)(\.\d{1,6})?)?)?")
_LONG = {
    **dict.fromkeys(("StudyDescription", "SeriesDescription", "InstitutionName", "PatientID"), 64),
    **dict.fromkeys(("IssuerOfPatientID", "ProtocolName", "Manufacturer", "ManufacturerModelName"), 64),
    **dict.fromkeys(("StudyID", "StationName", "BodyPartExamined", "Modality", "PatientSex"), 16),
}
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
_SINGLE = "100 101 109 110 144 127 126 138 148 203 13 166"
_CHARSETS = {
    *(f"ISO_IR {number}" for number in f"{_SINGLE} 192".split()),
    *(f"ISO 2022 IR {number}" for number in f"6 {_SINGLE} 87 159 149 58".split()),
    "GB18030",
    "GBK",
}
_CLASS_MODALITY = {
    "1.2.840.10008.5.1.4.1.1." + tail: modality
    for tail, modality in {
        "2": "CT",
        "4": "MR",
        "1": "CR",
        "6.1": "US",
        "3.1": "US",
        "12.1": "XA",
        "128": "PT",
        "9.1.1": "ECG",
        "481.3": "RTSTRUCT",
        "66.4": "SEG",
        "88.59": "KO",
        "11.1": "PR",
        "88.11": "SR",
        "88.22": "SR",
        "88.33": "SR",
        "77.1.6": "SM",
        "77.1.1": "ES",
    }.items()
}


@cache
def annex_l() -> dict[str, bool]:
    """Body Part Examined terms of PS3.16 Annex L and whether the part is paired."""
    spec = find_spec("highdicom")
    assert spec is not None
    path = Path(str(spec.origin)).parent / "_standard" / "anatomic_regions.json"
    return {term: bool(row[3]) for term, row in json.loads(path.read_text(encoding="utf-8")).items()}


def _meta_differs(seen: Seen) -> str | None:
    for meta, own in (
        ("MediaStorageSOPInstanceUID", "SOPInstanceUID"),
        ("MediaStorageSOPClassUID", "SOPClassUID"),
    ):
        if not empty(seen.get(meta)) and seen.get(meta) != seen.get(own):
            return meta
    return None


def _wrong_length(seen: Seen) -> str | None:
    if seen.planned.status == "partial":
        return "PixelData"
    if seen.pixel_length is None or seen.planned.syntax not in _NATIVE or seen.planned.claimed_syntax:
        return None
    rows, columns, bits, samples = (
        int(seen.get(word)) for word in ("Rows", "Columns", "BitsAllocated", "SamplesPerPixel")
    )
    frames = max(int(seen.get("NumberOfFrames") or 1), 1)
    need = math.ceil(rows * columns * samples * bits * frames / 8)
    return "PixelData" if seen.pixel_length not in (need, need + need % 2) else None


def _leading_zero(text: str) -> bool:
    return any(re.fullmatch(r"0\d+", part) for part in text.split("."))


def _bad_charset(seen: Seen) -> str | None:
    text = seen.get("SpecificCharacterSet")
    if empty(text):
        return None
    parts = text.split("\\")
    alone = len(parts) == 1 and parts[0].startswith("ISO 2022")
    return "SpecificCharacterSet" if alone or any(part and part not in _CHARSETS for part in parts) else None


def _bad_number(seen: Seen) -> str | None:
    for word in ("SeriesNumber", "InstanceNumber", "AcquisitionNumber", "NumberOfFrames"):
        text = seen.get(word).strip(" ")
        if text and not re.fullmatch(r"[+-]?\d{1,12}", text):
            return word
    for word in ("SliceThickness", "KVP", "PatientWeight", "PixelSpacing"):
        for part in components(seen.get(word)):
            text = part.strip(" ")
            if text and (len(text) > 16 or not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", text)):
                return word
    return None


def _not(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: not empty(text) and not pattern.fullmatch(text)


OBJECT_CHECKS: dict[str, Callable[[Seen], str | None]] = {
    "IN-02": lambda seen: "TransferSyntaxUID" if seen.planned.status == "forced" else None,
    "IN-03": lambda seen: None if is_uid(seen.get("SOPInstanceUID")) else "SOPInstanceUID",
    "IN-04": _meta_differs,
    "IN-05": lambda seen: "TransferSyntaxUID" if seen.planned.claimed_syntax else None,
    "IN-06": lambda seen: "SOPClassUID" if empty(seen.get("SOPClassUID")) else None,
    "IN-07": _wrong_length,
    "IN-08": lambda seen: first_failing(seen, UIDS, _leading_zero),
    "IN-09": _bad_charset,
    "IN-10": lambda seen: seen.planned.doubtful[0] if seen.planned.doubtful else None,
    "IN-11": _bad_number,
    "IN-12": lambda seen: next(
        (word for word, most in _LONG.items() if any(len(part) > most for part in components(seen.get(word)))), None
    ),
    "IN-13": lambda seen: None if empty(seen.get("OtherPatientIDs")) else "OtherPatientIDs",
    "IN-14": lambda seen: first_failing(seen, DATES, _not(re.compile(r"\d{8}"))),
    "IN-15": lambda seen: first_failing(seen, TIMES, _not(_TIME)),
}


def _mixed(rows: list[Seen]) -> str | None:
    return "Modality" if len({row.get("Modality") for row in rows if not empty(row.get("Modality"))}) > 1 else None


def _contradicts(rows: list[Seen]) -> str | None:
    for row in rows:
        expected = _CLASS_MODALITY.get(row.get("SOPClassUID"))
        if expected and row.get("Modality") in MODALITIES and row.get("Modality") != expected:
            return "Modality"
    return None


def _no_side(rows: list[Seen]) -> str | None:
    paired = any(annex_l().get(row.get("BodyPartExamined")) for row in rows)
    sided = any(not empty(row.get(word)) for row in rows for word in ("Laterality", "ImageLaterality"))
    return "Laterality" if paired and not sided else None


def _series_date(rows: list[Seen]) -> str | None:
    return "SeriesDate" if any(apart(row, "SeriesDate", "StudyDate") for row in rows) else None


SERIES_CHECKS: dict[str, Callable[[list[Seen]], str | None]] = {
    "SE-02": lambda rows: "Modality" if any(row.get("Modality") not in MODALITIES for row in rows) else None,
    "SE-03": _contradicts,
    "SE-04": _mixed,
    "SE-06": lambda rows: (
        "BodyPartExamined"
        if any(not empty(row.get("BodyPartExamined")) and row.get("BodyPartExamined") not in annex_l() for row in rows)
        else None
    ),
    "SE-08": _no_side,
    "SE-10": lambda rows: "SeriesDescription" if all(empty(row.get("SeriesDescription")) for row in rows) else None,
    "SE-18": _series_date,
}


def series_findings(rows: Iterable[Seen]) -> list[tuple[str, str, str, str]]:
    """Findings on the series of all sources as (check, source, entity, attribute)."""
    series: dict[tuple[str, str], list[Seen]] = {}
    for row in rows:
        series.setdefault((row.source, row.get("SeriesInstanceUID")), []).append(row)
    found = []
    for (source, uid), members in series.items():
        if not is_uid(uid) or len({row.get("StudyInstanceUID") for row in members}) > 1:
            found.append(("SE-01", source, uid, "SeriesInstanceUID"))
        for check, judge in SERIES_CHECKS.items():
            attribute = judge(members)
            if attribute:
                found.append((check, source, uid, attribute))
    return found
