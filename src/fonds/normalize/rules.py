"""The typed model of a rule pack: pack.yaml, theme files with rules, table files; nothing else can be in a pack."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from fonds.normalize.basis import (
    LONGEST_PATTERN,
    LONGEST_VALUE,
    BaseRule,
    FileName,
    Name,
    PackReference,
    Setting,
    Spellings,
    Value,
    checked_pattern,
    checked_table,
)
from fonds.normalize.charsets import CharsetCandidates, Misread
from fonds.normalize.codes import Code, Uid
from fonds.normalize.identifiers import IssuerQualifiers, IssuerSplit, OtherIds, Zeros
from fonds.normalize.lookup_model import Lookup
from fonds.normalize.moments import Date, DateTime, ShortDate, Time
from fonds.normalize.names import Flag, NameCase, NameComponents, NameGroups, NameSwap, NameTitles
from fonds.project.definitions import Definition

# how often a replacement may name a group: with the longest answer, what a vector of values can grow to
MOST_GROUPS = 20


class Map(BaseRule):
    """Known spellings become one term.

    Each term stands with the spellings that become it. Spellings are compared without case and without spaces at the
    ends; the term itself, in any case, is a spelling too. What isn't in the table is left alone. A long table has its
    own file in the pack (`table: tables/stations.yaml`), with the terms below the key `terms`.
    """

    action: Literal["map"]
    table: Spellings | FileName = Field(description="term: [spellings]; or the name of a table file in the pack")

    @field_validator("table")
    @classmethod
    def _unambiguous(cls, table: Spellings | str) -> Spellings | str:
        if not isinstance(table, str):
            checked_table(table)
        return table


class Trim(BaseRule):
    """Spaces go.

    `what: ends` takes the spaces at both ends of the value; `what: inside` makes doubled ones single, too; `what:
    components` does so in a name, and takes those around every component.
    """

    action: Literal["trim"]
    what: Literal["ends", "inside", "components"] = Field(
        "ends", description="ends of the value; doubled ones inside, too; or those of a name's components"
    )


class SplitName(BaseRule):
    """One text becomes family and given name.

    `form: comma` reads `Family, Given`. `form: two-words` reads `Family Given`, and should need a steward: nobody can
    see which of two words is the family name. Only the first group of a name is looked at; a name with `^` is left
    alone.
    """

    action: Literal["split-name"]
    form: Literal["comma", "two-words"] = Field(description="`A, B` or `A B`")


class Fill(BaseRule):
    """What is missing gets a value.

    When the attribute is absent or empty: a text, or a setting of its source in fonds.yaml; nothing when the source has
    none. Any other value is kept.
    """

    action: Literal["fill"]
    value: Value | None = Field(None, min_length=1, description="the text it gets; this or `setting`")
    setting: Setting | None = Field(None, description="the setting of its source it gets; this or `value`")

    @model_validator(mode="after")
    def _one(self) -> Fill:
        if (self.value is None) == (self.setting is None):
            raise ValueError("fill needs exactly one of: value, setting")
        return self

    def fills_or_empties(self) -> bool:
        """It fills."""
        return True


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
        if text.count("\\") > MOST_GROUPS:
            raise ValueError(f"names groups more than {MOST_GROUPS} times")
        return text


class Regex(BaseRule):
    """Patterns are replaced.

    Patterns are RE2's (no look-around, no back-reference, at most 400 signs) and run in linear time. They are tried
    one after the other, the first match of each is replaced; `\\1` to `\\9` are groups. Anchor them with `^` and `$`.
    An answer longer than 10 240 signs, the longest text a value may have, is none: the value is left alone.
    """

    action: Literal["regex"]
    each: bool = Field(False, description="treat the values of a multi-valued attribute one by one")
    replacements: tuple[Replacement, ...] = Field(
        min_length=1, max_length=50, description="each a `pattern` and what takes the place of its match, `replace`"
    )

    def fills_or_empties(self) -> bool:
        """It empties when a match is replaced by nothing."""
        return any(one.replace == "" for one in self.replacements)


Rule = Annotated[
    Map
    | Lookup
    | Trim
    | Fill
    | Regex
    | Code
    | Flag
    | SplitName
    | NameTitles
    | NameSwap
    | NameCase
    | NameGroups
    | NameComponents
    | Date
    | ShortDate
    | Time
    | DateTime
    | IssuerSplit
    | Zeros
    | OtherIds
    | IssuerQualifiers
    | CharsetCandidates
    | Misread
    | Uid,
    Field(discriminator="action"),
]


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
