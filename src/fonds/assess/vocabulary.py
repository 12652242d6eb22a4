"""What a check's condition may name: the columns of each level and the named tests on them.

A level is a relation (`sql/<level>.sql`, one row a file or directory record) and, above the instance, the columns that
group its rows into the entities judged: conditions on a series, study or patient are aggregates over the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fonds.assess.iod_tests import IOD_COLUMNS, IOD_EXTRA
from fonds.assess.object_tests import KIND_COLUMN, KIND_MEANING, OF_A_PATIENT, object_tests
from fonds.assess.people_tests import ACROSS_EXTRA, DERIVED, PATIENT_EXTRA, STUDY_EXTRA, among, people_tests
from fonds.catalog import schema
from fonds.catalog.store import literal
from fonds.dicom import terms
from fonds.project.expressions import Template, Vocabulary, expand, parse, sql
from fonds.project.settings import Project

SETTINGS = {
    "department": "department of the source",
    "issuer": "issuer of patient IDs configured for the source, or ''",
    "accession_issuer": "issuer of accession numbers configured for the source, or ''",
    "institution": "institution configured for the source, or ''",
    "date_order": "date order configured for the source",
    "patient_id_pattern": "what a patient ID must look like as a whole (RE2), or '': nothing configured",
}


@dataclass(frozen=True, slots=True)
class Level:
    """One level: what an entity is, which columns make it, and what its relation adds to the catalog table."""

    name: str
    subject: str
    entity: str
    study_uid: str
    keys: tuple[str, ...] = ()
    """columns that make the group; none where a row is the entity"""
    table: str = "instances"
    extra: Mapping[str, str] = field(default_factory=dict)
    touches: tuple[tuple[str, ...], ...] = ()
    """What makes entities depend on rows, as tuples of SQL expressions over a row of the level's table: an entity is
    judged anew when one of its rows shares the values of such a tuple (none NULL) with a row that was added, removed or
    changed, and whatever it looks up elsewhere is found by the same tuples. None: the whole level is judged anew."""
    told_by: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=dict)
    """other tables a verdict depends on: {table: (expressions over its rows, those over a row that must be equal)}"""


def _uid(column: str) -> str:
    return f"CASE WHEN trim(coalesce({column}, '')) = '' THEN '' ELSE {column} END"


_RECORD = ("IssuerOfPatientID", "PatientID", "PatientName", "PatientBirthDate", "PatientSex")

LEVELS: dict[str, Level] = {
    level.name: level
    for level in (
        Level(
            "instance",
            "an instance",
            "location",
            "StudyInstanceUID",
            extra={
                "reason": "why the file couldn't be read; NULL for one that could",
                "kind": KIND_MEANING,
                **IOD_EXTRA,
            },
            touches=(("source", "location"),),
            told_by={"conformance": (("source", "location"), ("source", "location"))},
        ),
        Level(
            "series",
            "a series",
            "SeriesInstanceUID",
            "CASE WHEN min(StudyInstanceUID) = max(StudyInstanceUID) THEN min(StudyInstanceUID) END",
            ("SeriesInstanceUID",),
            extra={"kind": KIND_MEANING},
            touches=(("source", _uid("SeriesInstanceUID")),),
        ),
        Level(
            "study",
            "a study",
            "StudyInstanceUID",
            "StudyInstanceUID",
            ("StudyInstanceUID",),
            extra={
                "accession_patients": "patient IDs of the source with the same accession number; NULL when it is one",
                "index_differs": "attributes in which an index says otherwise than the files, joined by spaces, or ''; "
                "NULL where no index of the source says anything otherwise",
                **STUDY_EXTRA,
            },
            touches=(
                ("source", _uid("StudyInstanceUID")),
                ("source", "nullif(trim(AccessionNumber), '')"),
                ("source", "nullif(trim(PatientID), '')", "nullif(trim(StudyDate), '')"),
            ),
            told_by={"drift": (("source", "study_uid"), ("source", "trim(StudyInstanceUID)"))},
        ),
        Level(
            "patient",
            "a patient record",
            "record_id(source, IssuerOfPatientID, PatientID, PatientName, PatientBirthDate, PatientSex)",
            "CASE WHEN min(StudyInstanceUID) = max(StudyInstanceUID) THEN min(StudyInstanceUID) END",
            _RECORD,
            extra={
                "least_similar_family": "lowest Jaro-Winkler similarity of the family name to that of another record "
                "of the source with the same Patient ID and another valid birth date; NULL when there is none",
                **PATIENT_EXTRA,
            },
            touches=(
                ("source", *(f"coalesce({column}, '')" for column in _RECORD)),
                ("source", "nullif(trim(PatientID), '')"),
                ("source", "plain_id(PatientID)"),
                ("source", "plain_name(PatientName)", "nullif(PatientBirthDate, '')"),
                ("source", "name_pair(PatientName)", "nullif(PatientBirthDate, '')"),
            ),
        ),
        Level(
            "across",
            "a study of one archive, beside the other archives",
            "StudyInstanceUID",
            "StudyInstanceUID",
            ("StudyInstanceUID",),
            extra=ACROSS_EXTRA,
            touches=(
                ("source", _uid("StudyInstanceUID")),
                ("nullif(trim(StudyInstanceUID), '')",),
                ("nullif(trim(SOPInstanceUID), '')",),
                ("CASE WHEN pixel_length >= 64 THEN digest_pixels END",),
                ("plain_id(PatientID)",),
                ("nullif(trim(AccessionNumber), '')",),
            ),
        ),
        Level(
            "archive",
            "a record of a medium's directory, or an object beside one",
            "location || coalesce('#' || record, '')",
            "study_uid",
            table="entries",
            extra={
                "file_found": "whether the inventory of the source holds the file the record names",
                "file_sop_uid": "SOP Instance UID in that file's header; NULL when it is no readable object",
                "file_series_uid": "its Series Instance UID",
                "file_study_uid": "its Study Instance UID",
                "file_patient_id": "its Patient ID",
                "patient_id": "Patient ID of the patient the directory's record stands under",
                "named": "of an object (level FILE) in a directory's folder or below: whether a record names it",
            },
        ),
        Level(
            "index",
            "an entry of an index with `of`",
            "location || '#' || record",
            "study_uid",
            table="entries",
            extra={"files_missing": "whether the files' source holds nothing of what the index tells of"},
        ),
    )
}

_DATE = "regexp_full_match(x, '[0-9]{8}') AND x >= '0001' AND try_strptime(x, '%Y%m%d') IS NOT NULL"
# SOP classes that leave no choice of modality (their IODs in PS3.3 Annex A fix it), below 1.2.840.10008.5.1.4.1.1
_CLASS = "1.2.840.10008.5.1.4.1.1"
CLASS_MODALITY = {
    ".2": "CT",
    ".4": "MR",
    ".1": "CR",
    ".6.1": "US",
    ".3.1": "US",
    ".12.1": "XA",
    ".128": "PT",
    ".9.1.1": "ECG",
    ".481.3": "RTSTRUCT",
    ".66.4": "SEG",
    ".88.59": "KO",
    ".11.1": "PR",
    ".88.11": "SR",
    ".88.22": "SR",
    ".88.33": "SR",
    ".77.1.6": "SM",
    ".77.1.1": "ES",
}
_DEFAULT_DATES = ("19000101", "18991231", "18991230", "11111111")


@cache
def templates() -> Mapping[str, Template]:
    """The named tests, in the order the documentation lists them."""
    by_class = " ".join(f"WHEN {literal(_CLASS + uid)} THEN {literal(term)}" for uid, term in CLASS_MODALITY.items())
    charsets = {*terms.CHARACTER_SETS, *terms.EXTENDED_CHARACTER_SETS}
    return {
        "empty": Template(("x",), "x IS NULL OR trim(x) = ''", "absent, or nothing but spaces"),
        "is_uid": Template(
            ("x",),
            "length(x) <= 64 AND regexp_full_match(x, '[0-9]+(\\.[0-9]+)*')",
            "digits and dots, at most 64 characters (PS3.5 9.1)",
        ),
        "is_date": Template(("x",), _DATE, "8 digits that are a calendar date"),
        "is_default_date": Template(("x",), f"x IN {among(_DEFAULT_DATES)}", "a date systems write for 'unknown'"),
        "days_between": Template(
            ("x", "y"),
            "abs(date_diff('day', try_strptime(x, '%Y%m%d'), try_strptime(y, '%Y%m%d')))",
            "days between two valid dates",
        ),
        "today_text": Template((), "strftime(current_date, '%Y%m%d')", "today as YYYYMMDD"),
        "any_part": Template(
            ("x", "condition"),
            "length(list_filter(string_split(x, '\\'), lambda part: condition)) > 0",
            "whether a backslash-separated value, called `part`, meets the condition",
            binds="part",
        ),
        "one_character": Template(
            ("x",), "x <> '' AND replace(x, left(x, 1), '') = ''", "one character, however often it is repeated"
        ),
        "native_length": Template((), _NATIVE_LENGTH, "bytes that native pixel data must have; NULL when undecidable"),
        "is_transfer_syntax": Template(
            ("x",),
            f"x IN {among(syntax.uid for syntax in terms.transfer_syntaxes())}",
            "a registered transfer syntax, retired ones included",
        ),
        "is_charset_term": Template(
            ("x",), f"x IN {among(charsets)}", "a defined term of Specific Character Set (PS3.3 C.12.1.1.2)"
        ),
        "is_modality": Template(
            ("x",), f"x IN {among(terms.MODALITIES)}", "a current defined term of Modality (PS3.3 C.7.3.1.1.1)"
        ),
        "class_modality": Template(
            ("x",), f"CASE x {by_class} END", "the modality a SOP class stands for; NULL when it may be several"
        ),
        "is_body_part": Template(
            ("x",),
            f"x IN {among(part.term for part in terms.body_parts())}",
            "a defined term of Body Part Examined (PS3.16 Annex L)",
        ),
        "is_paired": Template(
            ("x",),
            f"x IN {among(part.term for part in terms.body_parts() if part.paired)}",
            "a body part there are two of (PS3.16 Annex L)",
        ),
        "several": Template(
            ("x",), "min(x) <> max(x)", "whether the group holds more than one value, NULL not counted", groups=True
        ),
        "span": Template(
            ("x",),
            "CASE WHEN min(x) <> max(x) THEN concat(min(x), ' … ', max(x)) ELSE min(x) END",
            "the group's only value, or its first and last",
            groups=True,
        ),
        **people_tests(),
        **object_tests(),
    }


_NATIVE_LENGTH = (
    "ceil(try_cast(Rows AS DOUBLE) * try_cast(Columns AS DOUBLE) * try_cast(BitsAllocated AS DOUBLE) "
    "* CASE WHEN PhotometricInterpretation = 'YBR_FULL_422' THEN 2 ELSE try_cast(SamplesPerPixel AS DOUBLE) END "
    # a number of frames that is none decides nothing here; it is a finding of its own
    "* CASE WHEN trim(coalesce(NumberOfFrames, '')) = '' THEN 1 WHEN try_cast(NumberOfFrames AS DOUBLE) < 1 THEN 1 "
    "ELSE try_cast(NumberOfFrames AS DOUBLE) END / 8)"
)


def vocabularies(attributes: tuple[str, ...]) -> dict[str, Vocabulary]:
    """What conditions of each level may name, with these catalogued attributes."""
    return {
        level.name: Vocabulary(
            subject=level.subject,
            columns=frozenset({*_columns(level, attributes), *level.extra, *SETTINGS}),
            templates=templates(),
            grouped=bool(level.keys),
            keys=frozenset(level.keys),
        )
        for level in LEVELS.values()
    }


def project_vocabularies(project: Project) -> dict[str, Vocabulary]:
    """The same for a project's own list of attributes."""
    return vocabularies(schema.attributes(project))


def relation(level: str) -> str:
    """The level's rows as one DuckDB SELECT."""
    text = (Path(__file__).parent / "sql" / f"{level}.sql").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    birth = Vocabulary("a record", frozenset({"PatientBirthDate"}), templates=templates())
    valid = sql(expand(parse("is_date(PatientBirthDate)", birth), templates()))
    settings = ", ".join(f"coalesce(s.{name}, '') AS {name}" for name in SETTINGS)
    return (
        text.replace("$settings", settings)
        .replace("$kind", KIND_COLUMN)
        .replace("$iod", IOD_COLUMNS)
        .replace("$of_a_patient", OF_A_PATIENT)
        .replace("$valid_birth_date", valid)
        .replace("$default_birth_dates", among(_DEFAULT_DATES))
        .replace("$derived", among(DERIVED))
    )


def _columns(level: Level, attributes: tuple[str, ...]) -> Iterable[str]:
    if level.table == "instances":
        return schema.instances(attributes).columns
    return schema.TABLES[level.table].columns
