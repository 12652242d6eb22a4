"""The typed flows/waves.yaml: waves with their selection in the shared expression language, their order and holds."""

from __future__ import annotations

from typing import Annotated

import sqlglot
from pydantic import Field, field_validator, model_validator
from sqlglot.errors import SqlglotError

from fonds.project import expressions
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

# The study row a wave selects from; compile.STUDIES makes exactly these columns.
STUDY_COLUMNS = (
    "source",
    "department",
    "study_uid",
    "StudyDate",
    "StudyTime",
    "StudyDescription",
    "AccessionNumber",
    "InstitutionName",
    "modalities",
    "series",
    "instances",
    "bytes",
    "person_id",
)
VOCABULARY = expressions.Vocabulary("a study", frozenset(STUDY_COLUMNS))


class Holds(Definition):
    """Which open questions keep a study of the wave back; `on` unless said otherwise."""

    identity_question: bool = Field(True, alias="identity-question")
    overlay: bool = True
    orphan: bool = True
    drift: bool = True
    study_on_two_patients: bool = Field(True, alias="study-on-two-patients")
    critical_finding: bool = Field(True, alias="critical-finding")
    collision: bool = True
    study_twice: bool = Field(True, alias="study-twice")
    gate: bool = True
    open_change: bool = Field(False, alias="open-change")
    dangling_reference: bool = Field(False, alias="dangling-reference")

    def switched_off(self) -> list[str]:
        """Codes of the holds this wave doesn't heed."""
        return [name for name, on in self.model_dump(by_alias=True).items() if not on]


class Wave(Definition):
    """One wave: the studies it takes (of those no earlier wave took) and their order.

    With `rejected_objects` what rejection notes take back goes too, and the notes with it.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
    title: str = ""
    select: str = "true"
    order_by: str = "StudyDate DESC"
    rejected_objects: bool = False
    holds: Holds = Field(default_factory=lambda: Holds.model_validate({}))

    @field_validator("select")
    @classmethod
    def _boolean(cls, text: str) -> str:
        expression(text)
        return text

    @field_validator("order_by")
    @classmethod
    def _order(cls, text: str) -> str:
        ordering(text)
        return text


class Waves(Definition):
    """All of waves.yaml, in the order in which waves take studies."""

    version: int = Field(1, ge=1, le=1)
    waves: tuple[Wave, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> Waves:
        names = [wave.name for wave in self.waves]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two waves have the name {', '.join(doubles)}")
        return self


def load_all(project: Project) -> Waves:
    """The project's waves; raises DefinitionInvalid with all mistakes, ContentNotFound when there is no such file."""
    return load_yaml(project.find(project.settings.waves), Waves)


def expression(text: str) -> str:
    """A selection as DuckDB SQL, rebuilt from its parse tree; raises ValueError on anything but columns and tests."""
    return expressions.sql(expressions.parse(text, VOCABULARY))


def ordering(text: str) -> str:
    """An ORDER BY list as DuckDB SQL, missing values last; raises ValueError like `expression`."""
    try:
        select = sqlglot.parse_one(f"SELECT 1 ORDER BY {text}", dialect="duckdb")
    except (SqlglotError, RecursionError):
        raise ValueError("is not a list of columns to order by") from None
    order = select.args.get("order")
    rest = {name for name, value in select.args.items() if value} - {"expressions", "order", "kind"}
    if order is None or rest:
        raise ValueError("is not a list of columns to order by")
    keys = []
    for key in order.expressions:
        expressions.check(key, VOCABULARY)
        direction = "DESC" if key.args.get("desc") else "ASC"
        keys.append(f"{expressions.sql(key.this)} {direction} NULLS LAST")
    return ", ".join(keys)
