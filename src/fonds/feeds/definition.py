"""The typed mapping of a feed: which column is which field, what its codes and its names of issuers mean."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import FeedSettings, Project
from fonds.tabular.columns import Column, Csv, Formats, Text, checked_formats

FIELDS: dict[str, str] = {
    "patient_id": "identifier of the patient",
    "issuer": "its assigning authority",
    "other_ids": "further identifiers, written as PID-3 is",
    "PatientName": "name as a PN value (PS3.5 6.2.1)",
    "PatientBirthName": "name at birth as a PN value",
    "PatientBirthDate": "birth date",
    "PatientSex": "sex",
    "phone": "telephone",
    "street": "street and number",
    "postcode": "postal code",
    "city": "place",
    "mother": "mother's maiden name",
    "national_id": "insurance or national number",
    "status": "active | inactive",
    "deceased": "date of death, or true",
    "multiple_birth": "born with brothers or sisters",
    "changed": "when the row was changed, or the event happened",
    "event": "HL7 event code, such as A08 or A40",
    "retired_id": "identifier that was merged into the patient's",
    "retired_issuer": "its assigning authority",
    "PID-3": "identifiers (CX, repetitions by ~)",
    "PID-5": "names (XPN, repetitions by ~)",
    "PID-5.1": "family name",
    "PID-5.2": "given name",
    "PID-5.3": "further given names",
    "PID-5.4": "suffix",
    "PID-5.5": "prefix",
    "PID-5.6": "degree",
    "PID-6": "mother's maiden name (XPN)",
    "PID-11": "address (XAD)",
    "PID-13": "telephone (XTN)",
    "MRG-1": "identifiers that were merged (CX)",
}
"""What a column can be: our own names, and HL7 v2 fields whose text has parts."""
ALIASES: dict[str, str] = {
    "PID-3.1": "patient_id", "PID-3.4": "issuer", "PID-7": "PatientBirthDate", "PID-8": "PatientSex",
    "PID-11.1": "street", "PID-11.3": "city", "PID-11.5": "postcode", "PID-13.1": "phone", "PID-19": "national_id",
    "PID-24": "multiple_birth", "PID-29": "deceased", "PID-30": "deceased",
    "PID-33": "changed", "EVN-1": "event", "EVN-2": "changed", "EVN-6": "changed", "MSH-7": "changed", "MSH-9": "event",
    "MSH-9.2": "event", "MRG-1.1": "retired_id", "MRG-1.4": "retired_issuer", "at": "changed",
}  # fmt: skip
"""HL7 v2 fields that are one of our own."""
IDENTIFIERS = ("patient_id", "PID-3")
RETIRED = ("retired_id", "MRG-1")
NATIONAL = (
    *("SS", "NI", "NH", "HC", "GKV", "KVZ10"),
    *("http://hl7.org/fhir/sid/us-ssn", "https://fhir.nhs.uk/Id/nhs-number", "http://fhir.de/sid/gkv/kvid-10"),
)
Columns = dict[str, Text | Column]


class FeedMapping(Definition):
    """What the columns of a feed's tables are, and what its codes and names of issuers mean."""

    title: str = ""
    csv: Csv = Csv(delimiter=",", quote='"', encoding="utf-8")
    nulls: tuple[Text, ...] = Field(default=(), description='texts that mean "no value", such as NULL')
    dates: Formats = Field(
        default=("%Y%m%d", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y%m%d%H%M"),
        description="how birth dates are written",
    )
    times: tuple[Text, ...] = Field(
        default=(), max_length=20, description="how times of changes are written, besides HL7 and ISO 8601"
    )
    patients: Columns = Field(default={}, description="field: column; without it, columns are called as fields are")
    merges: Columns = Field(default={}, description="the same for the table of merges")
    sex: dict[Text, Literal["M", "F", "O", ""]] = Field(
        default={}, description="code: sex, besides those of HL7 and FHIR; '' is unknown"
    )
    issuers: dict[Text, Text] = Field(
        default={}, description="issuer as the feed names it (name space, OID, FHIR system): as archives do"
    )
    national: tuple[Text, ...] = Field(
        default=NATIONAL, max_length=100, description="types and issuers of identifiers that are a national number"
    )

    @field_validator("dates", "times")
    @classmethod
    def _formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        return checked_formats(formats)

    @field_validator("patients", "merges")
    @classmethod
    def _fields(cls, columns: Columns) -> Columns:
        known = [*FIELDS, *ALIASES]
        wrong = []
        for name in columns:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                wrong.append(f"'{name}' is no field{f'; did you mean {near[0]}?' if near else ''}")
        given = [ALIASES.get(name, name) for name in columns]
        wrong += [f"{name} is given twice" for name in sorted({name for name in given if given.count(name) > 1})]
        if wrong:
            raise ValueError(
                "; ".join([*wrong, *([f"fields: {', '.join(known)}"] if "is no field" in wrong[0] else [])])
            )
        return columns


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed of fonds.yaml with its mapping, and the file that stands in, None for the default."""

    name: str
    settings: FeedSettings
    mapping: FeedMapping
    file: Path | None


def load_feed(project: Project, name: str) -> Feed:
    """The feed of this name; raises ContentNotFound, or DefinitionInvalid with all mistakes of its mapping."""
    settings = project.settings.feeds[name]
    if settings.mapping is None:
        return Feed(name, settings, FeedMapping(), None)
    file = project.find(settings.mapping)
    return Feed(name, settings, load_yaml(file, FeedMapping), file)


def taken(columns: Columns) -> dict[str, Column]:
    """{field: where it comes from}, aliases and plain column names written out."""
    return {
        ALIASES.get(field, field): Column(column=given, text=None, constant=None, formats=None)
        if isinstance(given, str)
        else given
        for field, given in columns.items()
    }


def by_name(headings: tuple[str, ...]) -> dict[str, Column]:
    """Columns that are called as a field is, in any case; of several for one field the first counts."""
    known = {name.casefold(): name for name in (*FIELDS, *ALIASES)}
    found: Columns = {}
    for heading in headings:
        field = known.get(heading.casefold())
        if field is not None and ALIASES.get(field, field) not in {ALIASES.get(one, one) for one in found}:
            found[field] = heading
    return taken(found)
