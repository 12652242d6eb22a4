"""The typed rules/context.yaml: what counts as a report, who needs none, how accession numbers are spelled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from fonds.project import expressions
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

FILE = "rules/context.yaml"
# The row of a study in one archive a waiver selects from; sql/context_parts.sql makes exactly these columns.
STUDY_COLUMNS = (
    *("source", "department", "study_uid", "StudyDate", "StudyDescription", "SeriesDescription", "AccessionNumber"),
    *("InstitutionName", "InstitutionalDepartmentName", "Manufacturer", "ManufacturerModelName", "StationName"),
    *("PatientID", "PatientName", "QualityControlSubject", "modalities", "classes", "objects"),
)
VOCABULARY = expressions.Vocabulary("a study", frozenset(STUDY_COLUMNS))
Kind = Literal["report", "measurement", "document", "key-images"]
Affix = Annotated[str, Field(min_length=1, max_length=16)]
Days = Annotated[int, Field(ge=0, le=3650)]


class Reports(Definition):
    """Which objects are a report to a reader: rejection notes and radiation dose never are."""

    kinds: tuple[Kind, ...] = Field(description="kinds of docs/context.md that count")
    not_classes: tuple[str, ...] = Field(default=(), description="SOP classes among them that don't")


class Waiver(Definition):
    """Studies no report, or no order, is expected for."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    title: str = Field(min_length=5, description="why, for whoever reads what is missing")
    waives: tuple[Literal["report", "order"], ...] = Field(default=("report",), min_length=1)
    select: str = Field(description="SQL over one row a study and archive; docs/context.md tells its columns")

    @field_validator("select")
    @classmethod
    def _boolean(cls, text: str) -> str:
        condition(text)
        return text


class Windows(Definition):
    """How many days may lie between an order or report and a study that nothing else joins: those are suggestions."""

    order: Days = Field(default=3, description="between the day it was to be done and the study, either way")
    report: Days = Field(default=7, description="from the study to the report")


class Learning(Definition):
    """When a prefix that nobody declared counts: the number without it meets the same person, again and again."""

    meets: int = Field(default=3, ge=2, description="accession numbers of different persons that must meet")
    share: float = Field(default=0.8, gt=0.5, le=1, description="of those that meet anybody")
    days: Days = Field(default=3, description="between both")


class Accessions(Definition):
    """How spellings of one accession number are told from different ones."""

    placeholders: tuple[str, ...] = Field(default=(), description="texts that are no accession number")
    crowd: int = Field(default=20, ge=2, description="on more persons than this it is none either")
    one_issuer: tuple[tuple[str, ...], ...] = Field(default=(), description="names of one and the same issuer")
    learn: Learning = Learning()


class OfSource(Definition):
    """What holds for one archive or feed."""

    prefixes: tuple[Affix, ...] = Field(default=(), description="written before its accession numbers, such as RAD-")
    suffix: str | None = Field(
        default=None, min_length=1, max_length=100, description="RE2 pattern written behind them, such as -[0-9]"
    )
    reports: bool = Field(default=True, description="whether its studies are expected to have a report")
    orders: bool = Field(default=True, description="whether its studies are expected to have an order")

    @field_validator("suffix")
    @classmethod
    def _is_re2(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            import duckdb  # only few name one

            try:
                with duckdb.connect(":memory:") as connection:
                    connection.execute("SELECT regexp_replace('', ?, '')", [f"(?:{pattern})$"])
            except duckdb.Error as error:
                raise ValueError(f"is no RE2 pattern: {str(error).splitlines()[0]}") from None
        return pattern


class Context(Definition):
    """All of context.yaml."""

    version: int = Field(1, ge=1, le=1)
    reports: Reports
    waivers: tuple[Waiver, ...] = ()
    windows: Windows = Windows()
    coverage: float = Field(
        default=0.2, gt=0, le=1, description="share of an archive's studies that have orders before the others lack one"
    )
    accessions: Accessions = Accessions()
    sources: dict[str, OfSource] = Field(default={}, description="archive or feed: what holds for it alone")

    @field_validator("waivers")
    @classmethod
    def _names_differ(cls, waivers: tuple[Waiver, ...]) -> tuple[Waiver, ...]:
        names = [one.name for one in waivers]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two waivers have the name {', '.join(doubles)}")
        return waivers

    @field_validator("sources")
    @classmethod
    def _are_there(cls, sources: dict[str, OfSource], info: ValidationInfo) -> dict[str, OfSource]:
        known = info.context
        if known is not None and (unknown := sorted(set(sources) - set(known))):
            raise ValueError(f"no source or feed of fonds.yaml is called {', '.join(unknown)}")
        return sources


def path(project: Project) -> Path:
    """Where the project's rules of context lie."""
    return project.find(FILE)


def load(project: Project) -> Context:
    """The project's rules of context; raises DefinitionInvalid with all mistakes."""
    return load_yaml(path(project), Context, {*project.sources, *project.settings.feeds})


def condition(text: str) -> str:
    """A waiver's selection as DuckDB SQL; raises ValueError on anything but columns and tests."""
    return expressions.sql(expressions.parse(text, VOCABULARY))
