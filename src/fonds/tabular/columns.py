"""Where a value of ours comes from in a table of another system, and how that table's text is written."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated

import duckdb
from pydantic import Field, StringConstraints, field_validator, model_validator

from fonds.catalog.store import literal
from fonds.project.definitions import Definition

Text = Annotated[str, StringConstraints(max_length=400)]
Formats = Annotated[tuple[str, ...], Field(min_length=1, max_length=20)]
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


class Csv(Definition):
    """How text files are written; Parquet needs none of it."""

    delimiter: str = Field(",", min_length=1, max_length=1, description='sign between values; a tab is "\\t"')
    quote: str = Field('"', min_length=1, max_length=1, description="sign around values; doubled inside them")
    encoding: str = Field("utf-8", description="name of the text encoding, such as windows-1252")

    @field_validator("encoding")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            codecs.lookup(name)
        except LookupError:
            raise ValueError(f"there is no encoding '{name}'; examples: utf-8, windows-1252, iso-8859-1") from None
        return name


class Column(Definition):
    """Where a value comes from: a column, a text with {columns} in it, or a constant."""

    column: Text | None = None
    text: Text | None = Field(None, description="such as {LAST}^{FIRST}; carets and equals signs left at its end go")
    constant: Text | None = None
    formats: Formats | None = Field(None, description="how a date or time is written here (strptime), tried in order")
    values: dict[Text, Text] = Field(default={}, description="value in the export: value in DICOM, such as {W: F}")

    @model_validator(mode="after")
    def _one(self) -> Column:
        if sum(part is not None for part in (self.column, self.text, self.constant)) != 1:
            raise ValueError("needs exactly one of: column, text, constant")
        if self.text is not None and not PLACEHOLDER.search(self.text):
            raise ValueError("text names no {column}; write it as `constant`")
        return self

    @field_validator("formats")
    @classmethod
    def _formats(cls, formats: Formats | None) -> Formats | None:
        return checked_formats(formats) if formats is not None else None

    def references(self) -> list[str]:
        """The columns it takes, as written."""
        if self.column is not None:
            return [self.column]
        return PLACEHOLDER.findall(self.text or "")

    def sql(self, value: Callable[[str], str]) -> str:
        """SQL of the value, `value` giving that of a column; their values are translated, nothing else is read yet."""
        if self.column is not None:
            found = value(self.column)
        elif self.constant is not None:
            found = literal(self.constant)
        else:
            # odd places of the split are the names between braces
            parts = PLACEHOLDER.split(self.text or "")
            joined = " || ".join(
                value(part) if number % 2 else literal(part) for number, part in enumerate(parts) if part
            )
            found = f"rtrim({joined}, ' ^=')"
        return translated(found, self.values)


def translated(sql: str, values: Mapping[str, str]) -> str:
    """SQL of a value with theirs replaced by ours; what isn't named stays."""
    if not values:
        return sql
    whens = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in values.items())
    return f"CASE {sql} {whens} ELSE {sql} END"


def plain(sql: str, nulls: Iterable[str]) -> str:
    """SQL of a column's text in one line, '' where it says nothing (`nulls` are the table's words for that)."""
    # a control character has no place in an element of one line (PS3.5 6.1.3)
    text = f"trim(regexp_replace(coalesce({sql}, ''), '[\\x00-\\x1f\\x7f]+', ' ', 'g'))"
    return f"CASE WHEN {text} IN ({', '.join(literal(one) for one in ('', *nulls))}) THEN '' ELSE {text} END"


def checked_formats(formats: Formats) -> Formats:
    """The formats when DuckDB's strptime takes each; raises ValueError."""
    with duckdb.connect(":memory:") as connection:
        for one in formats:
            try:
                connection.execute(f"SELECT try_strptime('', {literal(one)})").fetchall()
            except duckdb.Error:
                raise ValueError(f"'{one}' is no format of a date or time; an example: %d.%m.%Y") from None
    return formats
