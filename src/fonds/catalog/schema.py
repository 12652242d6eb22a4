"""Every table of the catalog: its columns with one line each, its key, and the guard before a frame is written."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from pathlib import Path

import polars as pl
from pydantic import Field, model_validator

from fonds.catalog.belonging import BELONGING
from fonds.catalog.columns import FLAG, OTHER_IDS, PLACE, REAL, REFERENCES, SOURCE, TEXT, TEXTS, WHOLE, Table
from fonds.catalog.people import PEOPLE
from fonds.dicom.private import PrivateAttribute
from fonds.errors import CatalogInvalid
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project


class PrivateTag(Definition):
    """A private attribute by its creator (PS3.5 7.8.1), such as GE's gantry period."""

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9]*$", description="column of `instances`")
    tag: str = Field(pattern=r"^\([0-9A-Fa-f]{3}[13579BDFbdf],xx[0-9A-Fa-f]{2}\)$", description="such as (0019,xx27)")
    creator: str = Field(min_length=1, description="the private creator that reserves the block")
    vr: str = Field(description="VR where the object doesn't state one")


class Attributes(Definition):
    """rules/base/attributes.yaml: the DICOM keywords and private tags that become columns of `instances`."""

    attributes: tuple[str | PrivateTag, ...]

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Attributes:
        counts = Counter(self.names)
        twice = [str(name) for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"named twice: {', '.join(twice)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names; those of private tags know what the crawl looks for."""
        return tuple(
            one if isinstance(one, str) else PrivateAttribute(one.name, one.tag, one.creator, one.vr)
            for one in self.attributes
        )


def attributes(project: Project) -> tuple[str, ...]:
    """The keywords the crawl catalogues, in the order of the definition."""
    path = project.find("rules/base/attributes.yaml")
    state = path.stat()
    return _attributes(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=16)
def _attributes(path: Path, _mtime_ns: int, _size: int) -> tuple[str, ...]:
    # asked for with every view of every connection, and reading the YAML takes 50 ms: once for each state of the file
    return load_yaml(path, Attributes).names


_OBJECT = {
    **PLACE,
    "size": (WHOLE, "bytes"),
    "mtime_ns": (WHOLE, "modification time, nanoseconds since 1970 UTC"),
}

_INSTANCES_HEAD: dict[str, tuple[pl.DataType, str]] = {
    **_OBJECT,
    "header_length": (WHOLE, "bytes before the pixel data element (the whole object when there is none)"),
    "read_status": (TEXT, "ok | forced (no preamble or meta) | partial (less pixel data than declared)"),
    "read_note": (TEXT, "what was unusual while reading"),
    "transfer_syntax": (TEXT, "UID from the file meta, or the one guessed when forced"),
    "charset_used": (TEXT, "character set the text was decoded with"),
    "doubtful": (TEXTS, "keywords whose bytes don't decode in the declared character set"),
    "doubtful_bytes": (TEXTS, "their bytes, hexadecimal, padding at the end left out; in the order of `doubtful`"),
    "digest_object": (TEXT, "SHA-256 of the object's bytes"),
    "digest_header": (TEXT, "SHA-256 of the data set without group 2 and pixel data, as stored"),
    "digest_pixels": (TEXT, "SHA-256 of the pixel data as stored, by frame when encapsulated"),
    "pixel_length": (WHOLE, "bytes of pixel data as stored"),
}

_INSTANCES_NESTED: dict[str, tuple[pl.DataType, str]] = {
    "RequestAccessionNumbers": (TEXTS, "accession numbers inside Request Attributes Sequence"),
    "OtherPatientIDsItems": (OTHER_IDS, "items of Other Patient IDs Sequence (0010,1002)"),
    "IssuerQualifiersEntityID": (TEXT, "Universal Entity ID of Issuer of Patient ID Qualifiers Sequence"),
    "IssuerQualifiersEntityType": (TEXT, "Universal Entity ID Type of the same item"),
    "IssuerOfAccessionNumberEntityID": (TEXT, "local or universal entity of (0008,0051)"),
    "HasOriginalAttributes": (FLAG, "the object already carries an Original Attributes Sequence"),
    "DocumentTitleCode": (TEXT, "code value of the root Concept Name Code Sequence (SR, KOS, PDF)"),
    "references": (REFERENCES, "what the object points to"),
}


def instances(keywords: tuple[str, ...]) -> Table:
    """The `instances` table: fixed columns around one raw-text column for each catalogued keyword."""
    raw = {str(word): (TEXT, "raw text; NULL absent, '' present and empty") for word in keywords}
    columns = {**_INSTANCES_HEAD, **raw, **_INSTANCES_NESTED}
    return Table("instances", "one stored object as found", ("source", "location"), columns)


_FIXED = (
    Table(
        "unreadable",
        "a file that could not be catalogued",
        ("source", "location"),
        {
            **_OBJECT,
            "reason": (TEXT, "reason code, such as not_dicom or truncated_header"),
            "byte_offset": (WHOLE, "where reading ended"),
            "message": (TEXT, "what was seen there"),
        },
    ),
    Table(
        "entries",
        "what an index (DICOMDIR, PACS, DICOMweb, export, Inventory) says about a study, series or instance",
        ("source", "location", "record"),
        {
            **PLACE,
            "record": (WHOLE, "byte offset in an index file (0 for the file itself); else a count of equal answers"),
            "origin": (TEXT, "dicomdir | zip | tar | gzip | dimse | dicomweb | export | inventory"),
            "level": (TEXT, "MEDIA | PATIENT | STUDY | SERIES | INSTANCE"),
            "study_uid": (TEXT, "Study Instance UID the record stands under"),
            "series_uid": (TEXT, "Series Instance UID the record stands under"),
            "sop_uid": (TEXT, "Referenced SOP Instance UID in File"),
            "referenced_file": (TEXT, "Referenced File ID, joined by /"),
            "attributes": (TEXT, "the record's other attributes as JSON"),
            "note": (TEXT, "what is unusual: order-shell, answered-twice, empty-date, found-by-patient, …"),
            "size": (WHOLE, "bytes of the index file; NULL for answers of a server"),
            "mtime_ns": (WHOLE, "modification time of the index file"),
        },
    ),
    Table(
        "drift",
        "what the files of a source and its index say differently of one study or series",
        ("source", "index_source", "level", "study_uid", "series_uid", "sop_uid", "attribute", "file_value"),
        {
            **SOURCE,
            "index_source": (TEXT, "source whose setting `of` names the files' source"),
            "level": (TEXT, "STUDY | SERIES | INSTANCE"),
            "study_uid": (TEXT, "Study Instance UID"),
            "series_uid": (TEXT, "Series Instance UID, at series and instance level"),
            "sop_uid": (TEXT, "SOP Instance UID, at instance level"),
            "attribute": (TEXT, "keyword; the level's UID when one side lacks the whole entity"),
            "kind": (TEXT, "differs | count-differs | index-disagrees (with itself) | only-in-files | only-in-index"),
            "file_value": (TEXT, "what the files say; NULL absent"),
            "index_value": (TEXT, "what the index says; NULL absent"),
            "instances": (WHOLE, "objects that carry the files' value"),
            "winner": (TEXT, "files | index | none (nothing to choose, a person looks)"),
            "winning_value": (TEXT, "the value of the side that wins"),
            "reason": (TEXT, "COERCE | CORRECT (PS3.3 C.12.1.1.9), of a change that follows"),
            "needs": (TEXT, "none | steward"),
            "rule": (TEXT, "precedence that decided, such as drift.PatientName"),
            "pack": (TEXT, "file the precedence is defined in"),
            "pack_version": (TEXT, "its version"),
            "pack_hash": (TEXT, "its content hash"),
        },
    ),
    Table(
        "findings",
        "one entity that fails one check",
        ("check_id", "source", "entity"),
        {
            "check_id": (TEXT, "check, such as PT-09"),
            "name": (TEXT, "the check's readable name"),
            "level": (TEXT, "instance | series | study | patient | across | archive | index"),
            "kahn": (TEXT, "conformance | completeness | plausibility"),
            "severity": (TEXT, "block | critical | major | minor | info"),
            **SOURCE,
            "department": (TEXT, "department of the source"),
            "entity": (TEXT, "location, series UID, study UID or record id, by level"),
            "study_uid": (TEXT, "study concerned, where it is one"),
            "attribute": (TEXT, "keyword the finding is about"),
            "value": (TEXT, "offending value as found"),
            "message": (TEXT, "what a person should know"),
            "check_version": (TEXT, "version of the check"),
            "pack": (TEXT, "file the check is defined in"),
        },
    ),
    Table(
        "scorecard",
        "one check judged for one source",
        ("check_id", "source"),
        {
            "check_id": (TEXT, "check"),
            **SOURCE,
            "department": (TEXT, "department of the source"),
            "level": (TEXT, "level of the entities counted"),
            "kahn": (TEXT, "Kahn category"),
            "severity": (TEXT, "severity"),
            "numerator": (WHOLE, "entities that fail"),
            "denominator": (WHOLE, "entities the check applies to"),
            "threshold": (REAL, "highest share that may fail"),
            "status": (TEXT, "passed | failed | not applicable | skipped (by policy: neither) | error"),
            "drilldown": (TEXT, "SQL that lists the failing rows"),
        },
    ),
    Table(
        "gates",
        "one expectation of one Great Expectations suite for one source, in the last run of its stage",
        ("stage", "suite", "source", "check_id"),
        {
            "stage": (TEXT, "assess: judged as the sources say it; normalize: with approved changes applied"),
            "suite": (TEXT, "suite of rules/gates"),
            **SOURCE,
            "check_id": (TEXT, "check the expectation is made from"),
            "name": (TEXT, "its readable name"),
            "severity": (TEXT, "severity of the check"),
            "expectation": (TEXT, "type of the expectation"),
            "mostly": (REAL, "share that must pass"),
            "evaluated": (WHOLE, "entities the check applies to"),
            "unexpected": (WHOLE, "entities that fail"),
            "stops": (TEXT, "wave: the plan holds the source's studies while it fails | nothing"),
            "success": (FLAG, "whether the gate is open"),
        },
    ),
    Table(
        "checks",
        "one check as it was in the last assessment",
        ("check_id",),
        {
            "check_id": (TEXT, "check, such as PT-09"),
            "name": (TEXT, "its readable name"),
            "check_version": (TEXT, "its version"),
            "level": (TEXT, "instance | series | study | patient | across | archive | index"),
            "kahn": (TEXT, "conformance | completeness | plausibility"),
            "severity": (TEXT, "block | critical | major | minor | info"),
            "message": (TEXT, "what a person should know"),
            "standard": (TEXT, "section of the standard, such as PS3.3 C.7.1.1"),
            "fix": (TEXT, "rule that mends it, or what a person does; NULL when nothing is known"),
            "pack": (TEXT, "file it is defined in"),
        },
    ),
    Table(
        "measures",
        "one check counted for one source, modality and year: what the scorecard adds up",
        ("check_id", "source", "modality", "study_year"),
        {
            "check_id": (TEXT, "check"),
            **SOURCE,
            "modality": (TEXT, "Modality of the entities; '' none, 'several' when they hold more than one"),
            "study_year": (TEXT, "year of their earliest Study Date; '' when that is none"),
            "numerator": (WHOLE, "entities that fail"),
            "denominator": (WHOLE, "entities the check applies to"),
        },
    ),
    Table(
        "assessments",
        "what an earlier or the present assessment counted: the scorecard over the runs",
        ("run", "check_id", "source"),
        {
            "run": (WHOLE, "run of assess"),
            "at": (TEXT, "when it was, UTC, ISO 8601"),
            "check_id": (TEXT, "check"),
            "check_version": (TEXT, "version of the check"),
            **SOURCE,
            "numerator": (WHOLE, "entities that failed"),
            "denominator": (WHOLE, "entities the check applied to"),
        },
    ),
    Table(
        "conformance",
        "one attribute of an object of the sample that isn't as its IOD wants it, or one row that says there is none",
        ("source", "location", "path", "problem"),
        {
            **PLACE,
            "study_uid": (TEXT, "study of the object"),
            "sop_class_uid": (TEXT, "SOP class that names the IOD"),
            "path": (TEXT, "tags down to the attribute, [n] after a sequence: its item; '' in a row about the object"),
            "keyword": (TEXT, "keyword of the attribute; NULL when the dictionary has none"),
            "problem": (
                TEXT,
                "missing | empty | vr | multiplicity | value | term; of the object: none (compared, nothing wrong) | "
                "no-iod (SOP class without IOD: only its elements were judged) | unreadable (not judged)",
            ),
            "type": (TEXT, "1 | 1C | 2 | 2C | 3 (PS3.5 7.4)"),
            "module": (TEXT, "module that asks for it, such as General Series"),
            "value": (TEXT, "what was found, shortened; NULL for patient data and what is missing"),
            "expected": (TEXT, "what the standard wants"),
        },
    ),
    Table(
        "changes",
        "one proposed or approved change of one attribute of one object",
        ("source", "location", "path"),
        {
            "change_id": (TEXT, "stable identifier"),
            **PLACE,
            "study_uid": (TEXT, "study of the object"),
            "attribute": (TEXT, "keyword"),
            "path": (TEXT, "tag, such as (0010,0010)"),
            "before": (TEXT, "raw value; NULL when absent"),
            "after": (TEXT, "proposed value; NULL removes"),
            "rule": (TEXT, "rules that made it, in order, joined by ' > '"),
            "pack": (TEXT, "pack of the last of these rules"),
            "pack_version": (TEXT, "its version"),
            "pack_hash": (TEXT, "content hash of the pack"),
            "reason": (TEXT, "COERCE | CORRECT (PS3.3 C.12.1.1.9)"),
            "confidence": (REAL, "0 to 1"),
            "needs": (TEXT, "none | steward"),
            "state": (TEXT, "approved | proposed | rejected"),
            "candidates": (TEXT, "JSON list of {value, score, why} to choose from; NULL where there is one way"),
        },
    ),
    *PEOPLE,
    *BELONGING,
    Table(
        "plan",
        "where one catalogued file goes",
        ("source", "location"),
        {
            **PLACE,
            "sop_uid": (TEXT, "SOP Instance UID"),
            "study_uid": (TEXT, "Study Instance UID"),
            "person_id": (TEXT, "person"),
            "wave": (TEXT, "wave it moves in; NULL when held or excluded"),
            "sequence": (WHOLE, "order of the study in its wave"),
            "state": (TEXT, "planned | held | excluded"),
            "reason": (TEXT, "reason code of a hold or exclusion"),
            "detail": (TEXT, "what a person should know or do"),
        },
    ),
    Table(
        "ledger",
        "the latest state of one planned object's transfer",
        ("source", "location"),
        {
            **PLACE,
            "sop_uid": (TEXT, "SOP Instance UID at the target"),
            "study_uid": (TEXT, "Study Instance UID at the target"),
            "wave": (TEXT, "wave"),
            "state": (TEXT, "planned | sending | sent | verified | held | excluded | failed | undone"),
            "reason": (TEXT, "class and cause of a failure"),
            "target_key": (TEXT, "where it lies at the target"),
            "status_code": (TEXT, "DIMSE status of the answer, hexadecimal"),
            "bytes": (WHOLE, "bytes sent"),
            "digest_pixels_before": (TEXT, "SHA-256 of the source's pixel data"),
            "digest_pixels_after": (TEXT, "SHA-256 of the pixel data read back from the target"),
            "digest_object_sent": (TEXT, "SHA-256 of the object as sent"),
            "attempt": (WHOLE, "number of the attempt"),
        },
    ),
    Table(
        "reconciliation",
        "the final state of one catalogued file",
        ("source", "location"),
        {
            **PLACE,
            "sop_uid": (TEXT, "SOP Instance UID"),
            "study_uid": (TEXT, "Study Instance UID"),
            "department": (TEXT, "department of the source"),
            "wave": (TEXT, "wave"),
            "state": (TEXT, "verified | held | excluded | failed"),
            "reason": (TEXT, "reason code; NULL when verified"),
            "evidence": (TEXT, "what proves the state"),
        },
    ),
)
TABLES: dict[str, Table] = {table.name: table for table in _FIXED}


def table(project: Project, name: str) -> Table:
    """A table of this project; `instances` takes its attribute columns from the definition."""
    return instances(attributes(project)) if name == "instances" else TABLES[name]


NAMES = ("instances", *TABLES)


def conform(definition: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Order, cast and sort a frame as its table wants it; raises CatalogInvalid on unknown columns or double keys."""
    schema = definition.schema
    unknown = set(frame.columns) - set(schema)
    if unknown:
        raise CatalogInvalid(f"table {definition.name} has no column {', '.join(sorted(unknown))}")
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in frame.columns]
    try:
        shaped = frame.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in schema.items())
    except pl.exceptions.PolarsError as error:
        # Polars' text quotes values, which may be patient data: only its kind is passed on
        raise CatalogInvalid(f"table {definition.name}: {type(error).__name__} while casting") from None
    doubles = shaped.height - shaped.select(definition.key).n_unique() if shaped.height else 0
    if doubles:
        raise CatalogInvalid(f"table {definition.name}: {doubles} row(s) repeat the key {definition.key}")
    return shaped.sort(definition.key, nulls_last=True)
