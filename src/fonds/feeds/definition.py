"""The typed mapping of a feed: which column is which field, what its codes and its names of issuers mean."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from fonds.feeds.fields import FIELDS, Fields
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import FeedSettings, Project
from fonds.tabular.columns import Column, Csv, Formats, Text, checked_formats

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
    orders: Columns = Field(default={}, description="the same for the table of orders")
    reports: Columns = Field(default={}, description="the same for the table of reports")
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

    @field_validator("patients", "merges", "orders", "reports")
    @classmethod
    def _fields(cls, columns: Columns, info: ValidationInfo) -> Columns:
        fields = FIELDS[str(info.field_name)]
        known = fields.known()
        wrong = []
        for name in columns:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                wrong.append(f"'{name}' is no field{f'; did you mean {near[0]}?' if near else ''}")
        given = [fields.field(name) for name in columns]
        wrong += [f"{name} is given twice" for name in sorted({name for name in given if given.count(name) > 1})]
        if wrong:
            raise ValueError(
                "; ".join([*wrong, *([f"fields: {', '.join(known)}"] if "is no field" in wrong[0] else [])])
            )
        return columns

    def columns(self, kind: str) -> Columns:
        """What the mapping says of one kind of table: patients, merges, orders or reports."""
        return {"patients": self.patients, "merges": self.merges, "orders": self.orders, "reports": self.reports}[kind]


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


def taken(columns: Columns, fields: Fields) -> dict[str, Column]:
    """{field: where it comes from}, aliases and plain column names written out."""
    return {
        fields.field(name): Column(column=given, text=None, constant=None, formats=None)
        if isinstance(given, str)
        else given
        for name, given in columns.items()
    }


def by_name(headings: tuple[str, ...], fields: Fields) -> dict[str, Column]:
    """Columns that are called as a field is, in any case; of several for one field the first counts."""
    known = {name.casefold(): name for name in fields.known()}
    found: Columns = {}
    for heading in headings:
        name = known.get(heading.casefold())
        if name is not None and fields.field(name) not in {fields.field(one) for one in found}:
            found[name] = heading
    return taken(found, fields)
