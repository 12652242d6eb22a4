"""The database of the sample radiology: an export whose corrections never reached the files, and what must differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from fonds.samples.expect import calendar, is_uid
from fonds.samples.inject import Block
from fonds.samples.people import seeded
from fonds.samples.seen import Seen

SOURCE, INDEX = "radiology", "radiology-db"
COLUMNS = ("STUDY_UID", "PAT_ID", "PAT_NAME", "BORN", "SEX", "STUDY_DATE", "ACC_NO", "STUDY_TEXT", "IMAGES")
DRIFT = ("index_source", "study_uid", "attribute", "kind", "file_value", "index_value")
MAPPING = "rules/sites/sample-radiology-db.yaml"
SETTINGS = {"kind": "export", "path": INDEX, "mapping": MAPPING, "of": SOURCE, "department": "radiology"}
_WORDS = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "AccessionNumber",
    "StudyDescription",
)
_CORRECTIONS = 8


@dataclass(slots=True)
class _Study:
    """A study as the database has it: texts by keyword, None where it has nothing to say, and how many images."""

    uid: str
    texts: dict[str, str]
    images: int
    files: list[Seen]

    def row(self) -> tuple[str, ...]:
        return (self.uid, *(self.texts[word] for word in _WORDS), str(self.images))


def export(block: Block, rows: list[Seen], *, faults: bool) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Rows of the export (COLUMNS) and of the truth (DRIFT) for a block's radiology files.

    With `faults`, two names, a birth date, an accession number and a description were corrected in the database only,
    one study was deleted there, one was never written to the disk, and one has fewer images on the disk than it says.
    """
    by_uid: dict[str, list[Seen]] = defaultdict(list)
    for row in rows:
        if row.source == SOURCE and is_uid(row.get("StudyInstanceUID")):
            by_uid[row.get("StudyInstanceUID")].append(row)
    studies = {uid: _as_filed(uid, files) for uid, files in sorted(by_uid.items())}
    truth: list[tuple[str, ...]] = []
    if faults:
        plain = [
            exam for exam in block.exams if exam.source == SOURCE and not exam.touched and exam.study_uid in studies
        ]
        untouched = sorted({exam.study_uid for exam in plain})
        if len(untouched) >= _CORRECTIONS:  # else the block has too few examinations left
            chosen = seeded(block.seed, "database", block.number).sample(untouched, _CORRECTIONS)
            truth += _corrected(studies, chosen)
    for study in studies.values():
        truth += _differing(study)
    return sorted(study.row() for study in studies.values()), sorted(set(truth))


def _as_filed(uid: str, files: list[Seen]) -> _Study:
    # of files that name several patients, the database has most of them right
    (patient, _), *_ = Counter(file.get("PatientID") for file in files).most_common(1)
    filed = next(file for file in files if file.get("PatientID") == patient)
    texts = {word: filed.get(word).strip(" ") for word in _WORDS}
    for word in ("PatientBirthDate", "StudyDate"):
        day = calendar(texts[word])  # a column of dates holds no other
        texts[word] = day.strftime("%d.%m.%Y") if day else ""
    return _Study(uid, texts, len({file.get("SOPInstanceUID") for file in files}), files)


def _corrected(studies: dict[str, _Study], chosen: list[str]) -> list[tuple[str, ...]]:
    """Correct, delete and add in the database; returns the truth of studies only one side knows."""
    for uid in chosen[:2]:
        family, _, given = studies[uid].texts["PatientName"].partition("^")
        studies[uid].texts["PatientName"] = f"{family}-Nordmann^{given}"
    born = studies[chosen[2]].texts
    day, month, year = map(int, born["PatientBirthDate"].split("."))
    born["PatientBirthDate"] = (date(year, month, day) + timedelta(days=1)).strftime("%d.%m.%Y")
    studies[chosen[3]].texts["AccessionNumber"] += "K"
    studies[chosen[4]].texts["StudyDescription"] = "Korrigiert im PACS"
    del studies[chosen[5]]
    studies[chosen[6]].images += 1
    lost = f"{chosen[7]}.1"[-64:]
    studies[lost] = _Study(lost, dict(studies[chosen[7]].texts), 2, [])
    return [
        (INDEX, chosen[5], "StudyInstanceUID", "only-in-files", chosen[5], ""),
        (INDEX, lost, "StudyInstanceUID", "only-in-index", "", lost),
    ]


def _differing(study: _Study) -> list[tuple[str, ...]]:
    """What the files of a study say otherwise, one row a value of theirs; an empty answer contradicts nothing."""
    found: list[tuple[str, ...]] = []
    for word in _WORDS:
        told = _plain(word, study.texts[word])
        shown = told if "Date" in word else study.texts[word]
        values = {file.get(word).strip(" ") for file in study.files}
        differing = [value for value in values if told and _plain(word, value) != told]
        found += [(INDEX, study.uid, word, "differs", value, shown) for value in differing]
    held = len({file.get("SOPInstanceUID") for file in study.files})
    if study.files and held != study.images:
        found.append((INDEX, study.uid, "NumberOfStudyRelatedInstances", "count-differs", str(held), str(study.images)))
    return found


def _plain(word: str, text: str) -> str:
    if word == "PatientName":
        return "=".join(
            "^".join(p.strip() for p in group.split("^")).rstrip("^") for group in text.split("=")
        ).casefold()
    if word == "PatientSex":
        return text.casefold()
    if "Date" in word and len(text) == 10 and text[2] == text[5] == ".":
        return text[6:] + text[3:5] + text[:2]
    return text
