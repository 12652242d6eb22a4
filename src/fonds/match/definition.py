"""The typed matchers/*.yaml: blocking rules, comparisons with their levels, prior, bands and constraints."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from fonds.errors import DefinitionInvalid
from fonds.project.definitions import Definition, content_hash, load_yaml
from fonds.project.settings import Project

# What preparation makes of a record; comparisons, blocking keys and frequencies may name these and no others.
COLUMNS = (
    *("family", "given", "middle", "native", "birth_date", "sex", "issuer", "patient_id"),
    *("family_code", "given_code", "given_first", "birth_year", "birth_day"),
    *("phone", "street", "postcode", "city", "mother", "national_id"),
)
LISTS = {"family": "family_parts", "given": "given_tokens"}
Column = Literal[
    "family", "given", "middle", "native", "birth_date", "sex", "issuer", "patient_id",
    "family_code", "given_code", "given_first", "birth_year", "birth_day",
    "phone", "street", "postcode", "city", "mother", "national_id",
]  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Share = Annotated[float, Field(gt=0, lt=1)]


class Level(Definition):
    """One degree of agreement. `m` and `u`: how often it is seen in true pairs and in random pairs, before fitting.

    `when` names the measure: equal; part (a double-barrelled or maiden name shares a word); nickname (forms of one
    name that differ by more than a letter); spelling (one name in the spelling of two languages); sound (the same
    consonants and at least `at_least` Jaro-Winkler); edits (at most `at_most` slips); similar (Jaro-Winkler at least
    `at_least`); initial; contained (all given names of one are among the other's); both_known (two known, different
    names); day_month (swapped); digits (one digit or two neighbouring digits, less than `years` apart); year_only (one
    date is 1 January of the same year); apart (at least `years` years); ending (the last `shortest` characters are
    one); other (whatever is left).
    """

    name: Name
    when: Literal[
        "equal", "part", "nickname", "spelling", "sound", "edits", "similar", "initial", "contained", "both_known",
        "day_month", "digits", "year_only", "apart", "ending", "other",
    ]  # fmt: skip
    m: Share
    u: Share
    at_most: int = Field(default=1, ge=1, le=3)
    shortest: int = Field(default=4, ge=1)
    at_least: float = Field(default=0.9, gt=0.5, lt=1)
    years: int = Field(default=10, ge=1)
    known: bool = True


class Comparison(Definition):
    """One column compared: its levels from full agreement to none, the last being `other`; missing values say nothing.

    `frequency` weighs agreement by how common the value is, counted over distinct values of that other column (a
    person met four times counts once). `within`: only records that share this column can be compared. `follows`: an
    earlier comparison that this one hangs on in random pairs too (a family name tells the culture, a given name the
    sex, a postcode the place), so that its agreement adds less where that one agrees.
    """

    name: Name
    column: Column
    levels: tuple[Level, ...] = Field(min_length=2)
    frequency: Column | None = None
    within: Column | None = None
    follows: Name | None = None

    @model_validator(mode="after")
    def _complete(self) -> Comparison:
        if self.levels[-1].when != "other":
            raise ValueError(f"the last level of {self.name} must be `when: other`")
        spoken = {level.when for level in self.levels} & {"spelling", "sound", "nickname"}
        if spoken and self.column not in LISTS:
            raise ValueError(f"{self.name}: {', '.join(sorted(spoken))} can be asked of family and given only")
        names = [level.name for level in self.levels]
        if len(set(names)) < len(names):
            raise ValueError(f"two levels of {self.name} have one name")
        for what in ("m", "u"):
            total = sum(getattr(level, what) for level in self.levels)
            if abs(total - 1) > 0.02:
                raise ValueError(f"the {what} of {self.name}'s levels add up to {total:.3f}, not 1")
        return self


class Block(Definition):
    """Records that agree on `keys` are compared; `crossed`: and one's family name is the other's given name; `shared`:
    or those that have a study or an identifier (own or other) in common.

    A block of more than `largest` records is split by each of the `split` columns in turn, and a part that is still too
    large by the columns after it. What stays too large is not compared by this rule, and the run says so.
    """

    name: Name
    keys: tuple[Column, ...] = ()
    crossed: bool = False
    shared: Literal["studies", "ids"] | None = None
    split: tuple[Column, ...] = ()
    largest: int = Field(default=60, ge=2)

    @model_validator(mode="after")
    def _keyed(self) -> Block:
        if bool(self.keys or self.crossed) == bool(self.shared):
            raise ValueError(f"blocking rule {self.name} needs either `shared`, or `keys`, `crossed` or both")
        return self


class Constraint(Definition):
    """What overrules the weight: when every comparison named is at one of the levels given, the outcome holds."""

    name: str = Field(min_length=1, max_length=80)
    when: dict[str, tuple[str, ...]] = Field(min_length=1)
    outcome: Literal["link", "review", "reject", "overlay"]


Shares = dict[Name, Annotated[float, Field(ge=0, le=1)]]


def _whole(levels: dict[str, Shares]) -> dict[str, Shares]:
    for name, shares in levels.items():
        if abs(sum(shares.values()) - 1) > 0.02:
            raise ValueError(f"the levels of {name} add up to {sum(shares.values()):.3f}, not 1")
    return levels


class Kind(Definition):
    """One kind of relatives and its share of them all: by comparison, how often each level is seen. What it doesn't
    name is shared in the family (`shared`) or as in random pairs."""

    name: Name
    share: Share
    levels: Annotated[dict[str, Shares], AfterValidator(_whole)] = Field(default_factory=dict)


class Relatives(Definition):
    """Pairs of two people of one family or home: so many `per_record` (a guess worth `prior_records` records), of some
    `kinds`; what they have in common (`shared`, by comparison and level, a guess worth `shared_pairs` pairs)."""

    per_record: float = Field(default=0.02, gt=0)
    prior_records: float = Field(default=5_000, gt=0)
    shared_pairs: float = Field(default=100, gt=0)
    shared: Annotated[dict[str, Shares], AfterValidator(_whole)] = Field(default_factory=dict)
    kinds: tuple[Kind, ...] = ()


class Training(Definition):
    """How strongly the model's own m, u and prior count against what the data say, in pairs (records for the prior).
    `along_pairs`: the same for u among pairs that agree on what a comparison follows; `label_pairs`: how many pairs of
    a pattern that people answered outweigh the model's opinion of it."""

    m_pairs: float = Field(default=400, gt=0)
    u_pairs: float = Field(default=2_000, gt=0)
    along_pairs: float = Field(default=50, gt=0)
    label_pairs: float = Field(default=5, gt=0)
    frequency_shape: float = Field(default=0.5, gt=0)
    matches_per_record: float = Field(default=0.7, gt=0)
    prior_records: float = Field(default=30, gt=0)
    largest_sample: int = Field(default=100_000, ge=10_000)
    seed: int = 1


class Bands(Definition):
    """Probabilities: at or above `link` a pair may link by itself, below `review` it is rejected; rejected pairs are
    kept in the table from `keep` (log2 weight) up. A cluster of more than `largest_cluster` records goes to people."""

    link: Share = 0.999
    review: Share = 0.05
    keep: float = -20.0
    largest_cluster: int = Field(default=100, ge=2)


def _expression(pattern: str) -> str:
    """A pattern as Rust's engine takes it, which answers in linear time; none that every value has."""
    try:
        finds_nothing = pl.Series([""]).str.contains(pattern)[0]
    except pl.exceptions.ComputeError as error:
        lines = str(error).splitlines()
        reason = next((line for line in lines if line.startswith("error: ")), lines[0]).partition(": ")[2]
        raise ValueError(f"{pattern} is no regular expression: {reason}") from None
    if finds_nothing:
        raise ValueError(f"{pattern} is found in every value, also an empty one")
    return pattern


Expression = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_expression)]


class Heaped(Definition):
    """When 1 January of a source means "in that year": on at least `least` patients and this share of all."""

    least: int = Field(default=10, ge=1)
    share: Share = 0.011


class Missing(Definition):
    """Values that stand for 'not known': they are no evidence, neither for nor against. What is no name is in the names
    table. `patient_ids`: found in the ID in capitals; `birth_dates`: YYYYMMDD."""

    birth_dates: tuple[Annotated[str, Field(pattern=r"^[0-9]{8}$")], ...] = ()
    patient_ids: tuple[Expression, ...] = ()
    heaped: Heaped = Heaped()


class Matcher(Definition):
    """A whole match model."""

    title: str
    names: str = "names"
    swapped: float = Field(
        default=-3.0, description="log2 weight of family and given name standing in each other's place"
    )
    missing: Missing = Missing()
    blocking: tuple[Block, ...] = Field(min_length=1)
    comparisons: tuple[Comparison, ...] = Field(min_length=2)
    relatives: Relatives = Relatives()
    training: Training = Training()
    bands: Bands = Bands()
    constraints: tuple[Constraint, ...] = ()
    link_needs: tuple[dict[str, tuple[str, ...]], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _levels_exist(self) -> Matcher:
        levels = {c.name: {level.name for level in c.levels} | {"missing"} for c in self.comparisons}
        conditions = [(f"constraint {c.name}", c.when) for c in self.constraints]
        conditions += [("link_needs", need) for need in self.link_needs]
        for where, stated in (("shared", self.relatives.shared), *((k.name, k.levels) for k in self.relatives.kinds)):
            conditions += [(f"relatives, {where}", {name: tuple(shares)}) for name, shares in stated.items()]
        for place, when in conditions:
            for comparison, wanted in when.items():
                if comparison not in levels:
                    raise ValueError(f"{place}: there is no comparison {comparison}; there are: {', '.join(levels)}")
                if unknown := set(wanted) - levels[comparison]:
                    raise ValueError(f"{place}: {comparison} has no level {', '.join(sorted(unknown))}")
        for number, compared in enumerate(self.comparisons):
            if compared.follows and compared.follows not in [c.name for c in self.comparisons[:number]]:
                raise ValueError(f"{compared.name} follows {compared.follows}, which is no comparison before it")
        return self


class NotNames(Definition):
    """Names that name nobody, by kind, in capitals without accents (Müller is MUELLER), components parted by `^`.

    `component`: a whole component (family, or all given names) that says nothing; the other one stays evidence.
    `anywhere`: the whole name says nothing. `doubtful`: a whole family name that some people do have: with a given name
    of the table and a real birth date it counts. `newborn`: words in place of a given name; the family name is left.
    """

    component: dict[Name, tuple[Expression, ...]] = Field(default_factory=dict)
    anywhere: dict[Name, tuple[Expression, ...]] = Field(default_factory=dict)
    doubtful: dict[Name, tuple[Expression, ...]] = Field(default_factory=dict)
    newborn: tuple[Expression, ...] = ()

    @model_validator(mode="after")
    def _together(self) -> NotNames:
        # the patterns of a kind are asked as one, which has a size of its own
        for kinds in (self.component, self.anywhere, self.doubtful, {"newborn": self.newborn}):
            for patterns in kinds.values():
                if patterns:
                    _expression("|".join(f"(?:{pattern})" for pattern in patterns))
        return self


def _lines(text: object) -> tuple[str, ...]:
    """The lines of a text without remarks; thousands of items of a YAML list would take seconds to read."""
    if not isinstance(text, str):
        raise ValueError("is to be one text of many lines, after `|`")
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    for number, line in lines:
        if not line.startswith("#") and any(mark in line for mark in ',;:/()[]"'):
            raise ValueError(f"line {number} of this text has a mark in it: names are parted by blanks only")
    return tuple(line for _, line in lines if line and not line.startswith("#"))


Lines = Annotated[tuple[str, ...], BeforeValidator(_lines, json_schema_input_type=str)]


def _once(lines: tuple[str, ...]) -> tuple[str, ...]:
    seen: set[str] = set()
    for line in lines:
        if twice := seen & set(line.split()):
            raise ValueError(f"{', '.join(sorted(twice))} stands in two lines")
        seen |= set(line.split())
    return lines


class Names(Definition):
    """What is known of names: words that are no name, names that name nobody, words of street names (a line each: one
    way to write it, then the others), forms of one given name (a text with a line each, parted by blanks)."""

    titles: tuple[str, ...]
    particles: tuple[str, ...]
    born: tuple[str, ...]
    streets: Annotated[tuple[str, ...], AfterValidator(_once)] = ()
    not_names: NotNames = NotNames()
    given: Lines


def load(project: Project) -> tuple[Matcher, Names, tuple[Path, Path]]:
    """The project's match model, its names table, and the files they came from."""
    path = project.find(f"matchers/{project.settings.matcher}.yaml")
    matcher = _model(path, content_hash(path))
    names = project.find(f"matchers/tables/{matcher.names}.yaml")
    return matcher, _names(names, content_hash(names)), (path, names)


# Parsing keeps line numbers and is slow on long files: a process that matches again parses the same bytes once.
@lru_cache(maxsize=4)
def _model(path: Path, digest: str) -> Matcher:
    return load_yaml(path, Matcher)


@lru_cache(maxsize=4)
def _names(path: Path, digest: str) -> Names:
    return load_yaml(path, Names)


def load_all(project: Project) -> list[Matcher]:
    """Every match model of the project with its names; raises DefinitionInvalid with the mistakes found."""
    mistakes: list[tuple[int | None, str]] = []
    models = []
    for path in project.list_content("matchers"):
        if path.name == "study.yaml":
            continue  # of studies, read by the deduplicate stage
        try:
            models.append(load_yaml(path, Matcher))
            load_yaml(project.find(f"matchers/tables/{models[-1].names}.yaml"), Names)
        except DefinitionInvalid as error:
            mistakes += [(line, f"{path.name}: {text}") for line, text in error.mistakes]
    if mistakes:
        raise DefinitionInvalid("matchers", mistakes)
    return models
