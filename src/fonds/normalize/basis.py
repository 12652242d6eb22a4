"""What every rule has, whatever its action: names, scope, examples; and the texts and patterns a pack may hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Literal

import duckdb
from pydantic import Field, StringConstraints, model_validator

from fonds.catalog.store import literal
from fonds.project.definitions import Definition
from fonds.project.expressions import MAX_LENGTH
from fonds.project.settings import Department

Column = Callable[[str], str]

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
    of: Keyword | None = Field(default=None, description="which of the rule's attributes; the first when left out")


class BaseRule(Definition):
    """What all rules share; an action adds its keys and says what it looks at beside its own attribute."""

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
    late: bool = Field(False, description="acts after all rules of all packs: for one that looks at what these correct")
    examples: tuple[Example, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_differ(self) -> BaseRule:
        names = [example.name for example in self.examples]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two examples have the name {', '.join(doubles)}")
        if strangers := [example.of for example in self.examples if example.of not in (None, *self.attributes)]:
            raise ValueError(f"an example is of {strangers[0]}, which the rule doesn't change")
        return self

    def looks_at(self) -> tuple[str, ...]:
        """Attributes and columns other than its own that the action reads, besides those of the scope."""
        return ()

    def fills_or_empties(self) -> bool:
        """Whether the action can make an absent or empty value full, or a full one empty."""
        return False


@dataclass(frozen=True)
class At:
    """Where an action is compiled: the attribute, SQL of its value and of other columns, the name of its table."""

    word: str
    value: str
    column: Column
    key: str


class Action(BaseRule):
    """A rule that knows its own SQL."""

    def sql(self, at: At) -> str:
        """The value after the action as DuckDB SQL; NULL where it leaves the value alone is not allowed."""
        raise NotImplementedError

    def choices(self, at: At) -> str | None:
        """SQL of a JSON list of {value, score, why} to choose from; None: the action knows one way only."""
        return None


class StewardAction(Action):
    """An action whose answer is a guess: a rule that has it must need a steward."""

    @model_validator(mode="after")
    def _asks(self) -> StewardAction:
        if self.needs != "steward":
            raise ValueError("this action proposes only: write needs: steward")
        return self


def let(value: str, name: str, body: str) -> str:
    """`body` with the value under a short name, computed once."""
    return f"list_transform([{value}], lambda {name}: {body})[1]"


def tabled(key: str, value: str) -> str:
    """SQL of the term which the rule's table has for a value; NULL when it has none."""
    return f"(SELECT t.term FROM spellings t WHERE t.rule = {literal(key)} AND t.spelling = lower(trim({value}, ' ')))"


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
