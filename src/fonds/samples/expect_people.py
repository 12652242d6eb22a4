"""Expected findings on studies and on patient records, from the values that were written."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from rapidfuzz.distance import JaroWinkler

from fonds.samples.expect import apart, calendar, empty, is_uid
from fonds.samples.seen import Seen
from fonds.samples.sources import SOURCES

Finding = tuple[str, str, str, str]
_DEFAULTS = ("19000101", "18991231", "18991230", "11111111")
_TODAY = date(2026, 1, 1)
"""Any day after the last one a clean object carries: no check depends on the day the truth is written."""


def record_id(row: Seen) -> str:
    """The patient record a file belongs to, as the catalog names it."""
    parts = (row.source, *(row.get(word) for word in _RECORD))
    return "R" + hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]


_RECORD = ("IssuerOfPatientID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex")


def _ids(rows: Iterable[Seen]) -> set[str]:
    return {row.get("PatientID").strip(" ") for row in rows} - {""}


def _bad_accession(text: str) -> bool:
    if empty(text):
        return False
    return len(text) > 16 or text.startswith(" ") or "\\" in text or any(unicodedata.category(c) == "Cc" for c in text)


def _odd_date(text: str) -> bool:
    if not re.fullmatch(r"\d{8}", text):
        return False
    day = calendar(text)
    return day is None or day < date(1980, 1, 1) or day > _TODAY


def _vary(rows: list[Seen]) -> bool:
    demographics = {tuple(row.get(word) for word in _RECORD[2:]) for row in rows}
    return len(_ids(rows)) == 1 and len(demographics) > 1


def _institution(rows: list[Seen]) -> bool:
    return any(row.get("InstitutionName") != SOURCES[row.source]["institution"] for row in rows)


STUDY_CHECKS: dict[str, tuple[str, Callable[[list[Seen]], bool]]] = {
    "ST-01": ("StudyInstanceUID", lambda rows: not is_uid(rows[0].get("StudyInstanceUID"))),
    "ST-02": ("PatientID", lambda rows: len(_ids(rows)) > 1),
    "ST-04": ("AccessionNumber", lambda rows: all(empty(row.get("AccessionNumber")) for row in rows)),
    "ST-05": ("AccessionNumber", lambda rows: any(_bad_accession(row.get("AccessionNumber")) for row in rows)),
    "ST-09": ("StudyDate", lambda rows: all(empty(row.get("StudyDate")) for row in rows)),
    "ST-10": ("StudyDate", lambda rows: any(_odd_date(row.get("StudyDate")) for row in rows)),
    "ST-11": ("AcquisitionDate", lambda rows: any(apart(row, "StudyDate", "AcquisitionDate") for row in rows)),
    "ST-14": ("StudyDescription", lambda rows: all(empty(row.get("StudyDescription")) for row in rows)),
    "ST-19": ("InstitutionName", _institution),
    "PT-20": ("PatientName", _vary),
}


def study_findings(rows: Iterable[Seen]) -> list[Finding]:
    """Findings on the studies of all sources as (check, source, entity, attribute)."""
    studies: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    holders: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        studies[row.source, row.get("StudyInstanceUID")].append(row)
        holders[row.source, row.get("AccessionNumber").strip(" ")] |= _ids([row])
    found = []
    for (source, uid), members in studies.items():
        found += [(check, source, uid, word) for check, (word, fails) in STUDY_CHECKS.items() if fails(members)]
        numbers = {row.get("AccessionNumber").strip(" ") for row in members} - {""}
        if any(len(holders[source, number]) > 1 for number in numbers):
            found.append(("ST-06", source, uid, "AccessionNumber"))
    return found


@dataclass(slots=True)
class Record:
    """A patient record: a source's files of one issuer, identifier, name, birth date and sex."""

    rows: list[Seen]

    def get(self, word: str) -> str:
        """Raw text, '' when absent."""
        return self.rows[0].get(word)

    @property
    def family(self) -> str:
        """Upper-case family name without accents."""
        text = re.split(r"[\^,]", self.get("PatientName"), maxsplit=1)[0]
        return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c)).upper()

    @property
    def known_birth(self) -> date | None:
        """The birth date when it is a day and no default."""
        text = self.get("PatientBirthDate")
        return None if text in _DEFAULTS else calendar(text)


def _placeholder(record: Record) -> bool:
    text = record.get("PatientID").strip(" ").upper()
    if text in ("UNKNOWN", "UNBEKANNT", "NONE", "N/A", "NA", "TEST", "ANONYMOUS"):
        return True
    return bool(text) and len(set(text)) == 1 and (text[0] == "0" or len(text) >= 3)


def _unstructured(record: Record) -> bool:
    name = record.get("PatientName")
    if empty(name):
        return False
    groups = name.split("=")
    in_words = "^" not in groups[0] and " " in groups[0].strip(" ")
    return "," in groups[0] or in_words or len(groups) > 3 or any(group.count("^") > 4 for group in groups)


_ALIAS = re.compile(
    r"\b(BABY|NEWBORN|NEUGEBORENES|TRAUMA|JOHN DOE|JANE DOE|DOE\^J(OHN|ANE)|DO NOT USE|UNKNOWN|UNBEKANNT|NN)\b"
    r"|\b(DR|PROF|DIPL)\.|[0-9]"
)


def _impossible_birth(record: Record) -> bool:
    text = record.get("PatientBirthDate")
    if re.fullmatch(r"\d{8}", text) and calendar(text) is None:
        return True
    born = record.known_birth
    if born is None:
        return False
    days = sorted(day for row in record.rows if (day := calendar(row.get("StudyDate"))) is not None)
    if born > _TODAY:
        return True
    return bool(days) and (born > days[0] or _years_after(born, 120) < days[-1])


def _years_after(day: date, years: int) -> date:
    return date(day.year + years, day.month, min(day.day, 28) if day.month == 2 else day.day)


def _conflict(record: Record) -> bool:
    return any(
        not empty(row.get("IssuerQualifiersEntityID"))
        and not empty(row.get("IssuerOfPatientID"))
        and row.get("IssuerQualifiersEntityID") != row.get("IssuerOfPatientID")
        for row in record.rows
    )


def _has(word: str, pattern: str) -> Callable[[Record], bool]:
    compiled = re.compile(pattern)
    return lambda record: compiled.search(record.get(word)) is not None


RECORD_CHECKS: dict[str, tuple[str, Callable[[Record], bool]]] = {
    "PT-01": ("PatientID", lambda record: empty(record.get("PatientID"))),
    "PT-02": ("PatientID", _placeholder),
    "PT-05": (
        "IssuerOfPatientID",
        lambda record: not empty(record.get("PatientID")) and empty(record.get("IssuerOfPatientID")),
    ),
    "PT-08": ("PatientName", lambda record: empty(record.get("PatientName"))),
    "PT-09": ("PatientName", _unstructured),
    "PT-10": ("PatientName", lambda record: _ALIAS.search(record.get("PatientName").upper()) is not None),
    "PT-13": ("PatientBirthDate", lambda record: empty(record.get("PatientBirthDate"))),
    "PT-14": ("PatientBirthDate", _impossible_birth),
    "PT-15": ("PatientBirthDate", lambda record: record.get("PatientBirthDate") in _DEFAULTS),
    "PT-16": (
        "PatientBirthDate",
        lambda record: (
            not empty(record.get("PatientBirthDate")) and not re.fullmatch(r"\d{8}", record.get("PatientBirthDate"))
        ),
    ),
    "PT-17": (
        "PatientSex",
        lambda record: not empty(record.get("PatientSex")) and record.get("PatientSex") not in ("M", "F", "O"),
    ),
    "PT-21": (
        "PatientName",
        lambda record: any(
            re.search(r"PHANTOM|\bQA\b|\bQC\b|\bTEST\b", record.get(word).upper())
            for word in ("PatientName", "PatientID")
        ),
    ),
    "PT-23": ("IssuerOfPatientID", _conflict),
    "PT-27": ("PatientName", _has("PatientName", r"^ |  | [\^=]|[\^=] ")),
}


def record_findings(rows: Iterable[Seen]) -> list[Finding]:
    """Findings on patient records as (check, source, record id, attribute)."""
    records: dict[tuple[str, str], list[Seen]] = defaultdict(list)
    same_id: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for row in rows:
        records[row.source, record_id(row)].append(row)
    found: list[Finding] = []
    for (source, entity), members in records.items():
        record = Record(members)
        found += [(check, source, entity, word) for check, (word, fails) in RECORD_CHECKS.items() if fails(record)]
        if not empty(record.get("PatientID")):
            same_id[source, record.get("PatientID").strip(" ")].append(record)
    for (source, _), group in same_id.items():
        found += [
            ("PT-06", source, record_id(record.rows[0]), "PatientID")
            for record in group
            if any(_other_person(record, other) for other in group)
        ]
    return found


def _other_person(one: Record, other: Record) -> bool:
    a, b = one.known_birth, other.known_birth
    if a is None or b is None or a == b:
        return False
    return JaroWinkler.similarity(one.family, other.family) < 0.8
