"""Expected changes: what normalisation must make of each written value, rule after rule."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache

from fonds.project.definitions import read_yaml
from fonds.project.folders import shipped
from fonds.samples.expect import calendar, empty
from fonds.samples.expect_objects import annex_l
from fonds.samples.seen import Seen
from fonds.samples.sources import (
    BODY_PART_SYNONYMS,
    INSTITUTIONS,
    MODALITIES,
    MODALITY_HABITS,
    RETIRED_MODALITIES,
    SOURCES,
)

Values = dict[str, str | None]
Rule = Callable[[Seen, Values], None]


def changes(seen: Seen) -> list[tuple[str, str, str]]:
    """Attribute, before and after of every value of an object that has to change; '' stands for an absent value."""
    values: Values = {word: seen.values.get(word) for word in _ATTRIBUTES}
    for rule in _RULES:
        rule(seen, values)
    return [
        (word, seen.values.get(word) or "", value or "")
        for word, value in values.items()
        if value != seen.values.get(word)
    ]


def _charset_spelling(seen: Seen, values: Values) -> None:
    text = values["SpecificCharacterSet"]
    if text is None:
        return
    parts = [_term(part) for part in text.split("\\")]
    if len(parts) == 1 and parts[0].startswith("ISO 2022 IR "):
        number = parts[0].removeprefix("ISO 2022 IR ")
        parts = [""] if number == "6" else [f"ISO_IR {number}"]
    values["SpecificCharacterSet"] = "\\".join(parts)


def _term(part: str) -> str:
    if part in ("UTF-8", "UTF8"):
        return "ISO_IR 192"
    if part == "Not Supplied":
        return ""
    part = re.sub(r"^ISO[ _-]IR[ _-](\d+)$", r"ISO_IR \1", part)
    return re.sub(r"^ISO([_-])2022[_-]IR[_-](\d+)$", r"ISO 2022 IR \2", part)


def _charset_candidates(seen: Seen, values: Values) -> None:
    # what the samples declare as UTF-8 and can't be is the Latin-1 of E1
    if seen.planned.doubtful and values["SpecificCharacterSet"] == "ISO_IR 192":
        values["SpecificCharacterSet"] = "ISO_IR 100"


def _charset_declare(seen: Seen, values: Values) -> None:
    if empty(values["SpecificCharacterSet"] or "") and seen.planned.default_charset:
        values["SpecificCharacterSet"] = str(SOURCES[seen.source]["charset"])


def _names(seen: Seen, values: Values) -> None:
    for word in ("PatientName", "ReferringPhysicianName"):
        text = values[word]
        if text is None:
            continue
        groups = [
            "^".join(re.sub(" +", " ", part.strip(" ")) for part in group.split("^")) for group in text.split("=")
        ]
        if groups[0].count(",") == 1 and "^" not in groups[0]:
            family, given = groups[0].split(",")
            groups[0] = f"{family.strip(' ')}^{given.strip(' ')}"
        titled = re.fullmatch(r"(Dr\.) ([^^]+)\^([^^]+)", groups[0])
        if titled:
            groups[0] = f"{titled[2]}^{titled[3]}^^{titled[1]}"
        words = groups[0].split(" ")
        if (
            word == "PatientName"
            and len(words) == 2
            and all(re.fullmatch(r"[^\W\d_]+(['.-][^\W\d_]*)*", w) for w in words)
        ):
            groups[0] = "^".join(words)
        if any(group.count("^") > 4 for group in groups):
            groups = [group.rstrip("^") for group in groups]
        values[word] = "=".join(groups)


def _swapped(seen: Seen, values: Values) -> None:
    family, caret, given = (values["PatientName"] or "").partition("^")
    if caret and family.upper() in given_names() and given.upper() not in given_names():
        values["PatientName"] = f"{given}^{family}"


@cache
def given_names() -> frozenset[str]:
    """The list of the rule itself: which names are on it is not what the truth is about."""
    path = shipped() / "rules" / "base" / "tables" / "given-names.yaml"
    return frozenset(read_yaml(path)["terms"])


def _quality_control(seen: Seen, values: Values) -> None:
    if re.search(r"\bPHANTOM\b", seen.get("PatientName")):
        values["QualityControlSubject"] = "YES"


def _uids(seen: Seen, values: Values) -> None:
    for word in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        if values[word]:
            values[word] = re.sub(r"(?<=\.)0+(?=\d)", "", str(values[word]))


def _side_and_zone(seen: Seen, values: Values) -> None:
    if values["Laterality"] in ("LINKS", "RECHTS"):
        values["Laterality"] = values["Laterality"][0]
    if values["TimezoneOffsetFromUTC"]:
        values["TimezoneOffsetFromUTC"] = values["TimezoneOffsetFromUTC"].replace(":", "")


def _other_ids(seen: Seen, values: Values) -> None:
    other = seen.get("OtherPatientIDs")
    if not empty(other):
        items = [{"PatientID": part, "TypeOfPatientID": "TEXT"} for part in other.split("\\")]
        values["OtherPatientIDsSequence"] = json.dumps(items, separators=(",", ":"))


def _dates(seen: Seen, values: Values) -> None:
    forms = {r"(\d{4})([./-])(\d{2})\2(\d{2})": (1, 3, 4)}
    if SOURCES[seen.source]["date_order"] == "us":
        forms[r"(\d{2})([./-])(\d{2})\2(\d{4})"] = (4, 1, 3)
    for word in ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "PatientBirthDate"):
        for form, order in forms.items():
            found = re.fullmatch(form, values[word] or "")
            if found:
                text = "".join(found[place] for place in order)
                if calendar(text):
                    values[word] = text


def _times(seen: Seen, values: Values) -> None:
    for word in ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime"):
        text = values[word] or ""
        if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:([0-5]\d|60)(\.\d{1,6})?)?", text):
            values[word] = text.replace(":", "")


_SEXES = {
    **dict.fromkeys(("m", "male", "man", "maennlich", "männlich"), "M"),
    **dict.fromkeys(("f", "female", "woman", "w", "weiblich"), "F"),
    **dict.fromkeys(("o", "other", "d", "divers"), "O"),
    **dict.fromkeys(("u", "unknown", "unbekannt", "n", "?"), ""),
}


def _sex(seen: Seen, values: Values) -> None:
    text = values["PatientSex"]
    if text is not None:
        values["PatientSex"] = _SEXES.get(text.strip(" ").lower(), text)


def _modality(seen: Seen, values: Values) -> None:
    text = values["Modality"]
    if not text:
        return
    plain = text.strip(" ").upper()
    if plain in MODALITIES:
        values["Modality"] = plain
    else:
        values["Modality"] = RETIRED_MODALITIES.get(plain) or MODALITY_HABITS[seen.source].get(plain, text)


def _body_part(seen: Seen, values: Values) -> None:
    text = values["BodyPartExamined"]
    if text:
        plain = text.strip(" ").upper()
        synonyms = {habit.upper(): term for habit, term in BODY_PART_SYNONYMS.items()}
        values["BodyPartExamined"] = plain if plain in annex_l() else synonyms.get(plain, text)


def _institution(seen: Seen, values: Values) -> None:
    text = (values["InstitutionName"] or "").strip(" ")
    if not text:
        values["InstitutionName"] = str(SOURCES[seen.source]["institution"])
        return
    for institution, spellings in INSTITUTIONS.items():
        if text.lower() in {spelling.lower() for spelling in (institution, *spellings)}:
            values["InstitutionName"] = institution


def _identifiers(seen: Seen, values: Values) -> None:
    for word in ("PatientID", "AccessionNumber"):
        values[word] = None if values[word] is None else str(values[word]).strip(" ")
    if values["PatientID"] and empty(values["IssuerOfPatientID"] or ""):
        values["IssuerOfPatientID"] = str(SOURCES[seen.source]["issuer"])
    if values["AccessionNumber"] and empty(seen.get("IssuerOfAccessionNumberEntityID")):
        values["IssuerOfAccessionNumberSequence"] = str(SOURCES[seen.source]["accession_issuer"])


_RULES: tuple[Rule, ...] = (
    _charset_spelling,
    _charset_declare,
    _charset_candidates,
    _names,
    _swapped,
    _quality_control,
    _uids,
    _other_ids,
    _side_and_zone,
    _dates,
    _times,
    _sex,
    _modality,
    _body_part,
    _institution,
    _identifiers,
)
_ATTRIBUTES = (
    "SpecificCharacterSet",
    "PatientName",
    "ReferringPhysicianName",
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "PatientBirthDate",
    "StudyTime",
    "SeriesTime",
    "AcquisitionTime",
    "ContentTime",
    "PatientSex",
    "Modality",
    "BodyPartExamined",
    "InstitutionName",
    "PatientID",
    "AccessionNumber",
    "IssuerOfPatientID",
    "IssuerOfAccessionNumberSequence",
    "QualityControlSubject",
    "Laterality",
    "TimezoneOffsetFromUTC",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "OtherPatientIDsSequence",
)
