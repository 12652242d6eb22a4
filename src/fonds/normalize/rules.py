"""The typed model of a rule pack: pack.yaml, theme files with rules, table files; nothing else can be in a pack."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

import duckdb
from pydantic import Field, StringConstraints, field_validator, model_validator

from fonds.project.definitions import Definition
from fonds.project.expressions import MAX_LENGTH
from fonds.project.settings import Department

LONGEST_VALUE = 1024
LONGEST_PATTERN = 400
LONGEST_TABLE = 50_000

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
RuleId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+$", max_length=80)]
PackReference = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}@[0-9]{1,4}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][a-z0-9_-]*/){0,3}[a-z0-9][a-z0-9_-]*\.yaml$")]
Keyword = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
# A value goes into a DICOM element: no control characters, and no backslash, which would split it in two (PS3.5 6.2)
Value = Annotated[str, StringConstraints(max_length=LONGEST_VALUE, pattern=r"^[^\x00-\x1f\x7f\\]*$")]
Spellings = dict[Value, tuple[Value, ...]]
Setting = Literal["issuer", "accession_issuer", "institution", "charset"]
DateOrder = Literal["iso", "us", "european", "source"]


class Scope(Definition):
    """Where a rule applies; everywhere its pack is used when nothing is said."""

    source: tuple[Name, ...] = Field(default=(), description="only these sources of fonds.yaml")
    department: tuple[Department, ...] = Field(default=(), description="only sources of these departments")
    modality: tuple[Value, ...] = Field(
        default=(), description="only objects whose Modality, once normalised, is one of these"
    )
    condition: str = Field(
        default="", max_length=MAX_LENGTH, description="only objects for which this expression is true"
    )


class Example(Definition):
    """One object before and after: run as a test by `fonds doctor`, printed as documentation."""

    name: str = Field(min_length=1, max_length=120)
    before: str | None = Field(max_length=LONGEST_VALUE, description="the value found; null when absent")
    after: str | None = Field(max_length=LONGEST_VALUE, description="the value proposed; same as before: left alone")
    given: dict[str, str] = Field(default={}, description="other attributes of the object, and settings of its source")


class _Rule(Definition):
    id: RuleId = Field(description="stable name, such as names.comma; a decision may name it")
    version: int = Field(1, ge=1, description="raised when the rule changes what it does")
    title: str = Field(min_length=1, max_length=200, description="one line for the steward")
    attributes: tuple[Keyword, ...] = Field(
        min_length=1, description="keywords of the catalogued attributes it changes"
    )
    scope: Scope = Scope()
    reason: Literal["COERCE", "CORRECT"] = Field("CORRECT", description="PS3.3 C.12.1.1.9")
    confidence: float = Field(1.0, gt=0, le=1)
    needs: Literal["none", "steward"] = Field("none", description="steward: proposed until a person approves it")
    examples: tuple[Example, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> _Rule:
        names = [example.name for example in self.examples]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two examples have the name {', '.join(doubles)}")
        return self


class Map(_Rule):
    """Known spellings become one term; spellings are compared without case and without spaces at the ends."""

    action: Literal["map"]
    table: Spellings | FileName = Field(description="term: [spellings]; or the name of a table file in the pack")

    @field_validator("table")
    @classmethod
    def _unambiguous(cls, table: Spellings | str) -> Spellings | str:
        if not isinstance(table, str):
            checked_table(table)
        return table


class Trim(_Rule):
    """Spaces go: at both ends of the value, or at both ends of every component and doubled ones inside."""

    action: Literal["trim"]
    what: Literal["ends", "components"] = "ends"


class Date(_Rule):
    """A date written with separators becomes YYYYMMDD, when it is a calendar date."""

    action: Literal["date"]
    order: DateOrder = Field("source", description="order of the parts; `source` takes date_order from fonds.yaml")


class Time(_Rule):
    """A time written with colons becomes HHMM or HHMMSS[.F], when it is a time of day."""

    action: Literal["time"]


class SplitName(_Rule):
    """The first group of an unstructured person name becomes FAMILY^GIVEN."""

    action: Literal["split-name"]
    form: Literal["comma", "two-words"] = Field(description="`A, B` or `A B`")


class Fill(_Rule):
    """A value that is absent or empty gets a literal, or a setting of its source when that is configured."""

    action: Literal["fill"]
    value: Value | None = Field(None, min_length=1)
    setting: Setting | None = None

    @model_validator(mode="after")
    def _one(self) -> Fill:
        if (self.value is None) == (self.setting is None):
            raise ValueError("fill needs exactly one of: value, setting")
        return self


class Replacement(Definition):
    """One RE2 pattern and what takes the place of its match."""

    pattern: str = Field(min_length=1, max_length=LONGEST_PATTERN, description="RE2: no look-around, no back-reference")
    replace: str = Field(max_length=LONGEST_VALUE, description=r"text; \1 to \9 are the pattern's groups")

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, pattern: str) -> str:
        return checked_pattern(pattern)

    @field_validator("replace")
    @classmethod
    def _replace(cls, text: str) -> str:
        rest = text
        for digit in "0123456789":
            rest = rest.replace(f"\\{digit}", "")
        if "\\" in rest or any(ord(sign) < 32 or ord(sign) == 127 for sign in rest):
            raise ValueError(r"may hold text and \0 to \9, no other backslash and no control character")
        return text


class Regex(_Rule):
    """Patterns are replaced one after the other, each once, in the whole value or in each of its `\\` values."""

    action: Literal["regex"]
    each: bool = Field(False, description="treat the values of a multi-valued attribute one by one")
    replacements: tuple[Replacement, ...] = Field(min_length=1, max_length=50)


Rule = Annotated[Map | Trim | Date | Time | SplitName | Fill | Regex, Field(discriminator="action")]


class RuleFile(Definition):
    """A theme: rules in the order in which they act."""

    rules: tuple[Rule, ...] = Field(min_length=1)


class TableFile(Definition):
    """A table of terms: each with the spellings that become it; the term itself, in any case, is one of them."""

    description: str = ""
    terms: Spellings

    @field_validator("terms")
    @classmethod
    def _unambiguous(cls, terms: Spellings) -> Spellings:
        return checked_table(terms)


class PackFile(Definition):
    """pack.yaml: who the pack is, what must come before it, and its theme files in order."""

    name: Name
    version: str = Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}$", description="major.minor.patch")
    description: str = ""
    extends: tuple[PackReference, ...] = Field(
        default=(), description="packs whose rules act before this one's: name@major"
    )
    files: tuple[FileName, ...] = Field(description="theme files, in the order in which they act")

    @property
    def major(self) -> int:
        """The part of the version that a reference names."""
        return int(self.version.partition(".")[0])


@cache
def checked_pattern(pattern: str) -> str:
    """The pattern when RE2 takes it; raises ValueError with RE2's reason."""
    if not pattern.isprintable():
        raise ValueError("holds a control character; write it as \\t or \\x09")
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute("SELECT regexp_replace('', ?, '')", [pattern])
    except duckdb.Error as error:
        raise ValueError(f"is no RE2 pattern: {str(error).splitlines()[0]}") from None
    return pattern


def spelled(terms: Spellings) -> dict[str, str]:
    """{spelling without case and outer spaces: term}; a term other than '' is a spelling of itself."""
    return {
        fold(spelling): term
        for term, spellings in terms.items()
        for spelling in (*([term] if term else []), *spellings)
    }


def fold(text: str) -> str:
    """How spellings are compared; the same as lower(trim(x, ' ')) in SQL."""
    return text.strip(" ").lower()


def checked_table(terms: Spellings) -> Spellings:
    """The table when it isn't too long and no spelling leads to two terms; raises ValueError."""
    seen: dict[str, str] = {}
    if sum(1 + len(spellings) for spellings in terms.values()) > LONGEST_TABLE:
        raise ValueError(f"holds more than {LONGEST_TABLE} spellings")
    for term, spellings in terms.items():
        for spelling in (*([term] if term else []), *spellings):
            other = seen.setdefault(fold(spelling), term)
            if other != term:
                raise ValueError(f"'{spelling}' leads to both '{other}' and '{term}'")
    return terms
