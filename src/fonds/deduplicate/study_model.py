"""The typed matchers/study.yaml: candidate rules, comparisons with their levels, constraints, bands, vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

# What is measured of two studies: numbers are compared with `at_least` or `at_most`, words with `is`.
NUMBERS = ("day", "minutes", "description", "series", "pixels")
WORDS = {
    "accession": ("equal", "padding", "prefix", "other-issuer", "differs"),
    "hours": ("whole",),
    "words": ("agree", "opposed"),
    "series_uid": ("shared",),
    "instants": ("same", "few-same", "some", "hours", "few-hours", "shifted", "none"),
    "device": ("equal", "other"),
    "side": ("equal", "other"),
    "body_part": ("equal", "other"),
    "modality": ("equal", "overlap", "other"),
    "study_id": ("equal", "other"),
    "kind": ("pictures", "results", "report", "papers"),
    "place": ("same", "other"),
}
MISSING = "missing"
Measure = Literal[
    "accession", "day", "minutes", "hours", "description", "words", "series", "series_uid", "pixels", "instants",
    "device", "side", "body_part", "modality", "study_id", "kind", "place",
]  # fmt: skip
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Phrase = Annotated[str, Field(pattern=r"^[A-Z0-9]+( [A-Z0-9]+)*$")]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9_ ]{1,16}$")]
Share = Annotated[float, Field(gt=0, lt=1)]


class Level(Definition):
    """One degree of agreement and its weight, log2 of how much more often it is seen in one examination than in two.

    The first level that fits counts. `is` names words of the measure, `at_least` and `at_most` bound a number; a
    number's last level has no bound. What isn't known on both sides is `missing` and weighs nothing.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: Name
    weight: float
    words: tuple[str, ...] = Field((), alias="is")
    at_least: float | None = None
    at_most: float | None = None


class Comparison(Definition):
    """One thing that is measured of two studies, and its levels from full agreement to none.

    accession, day (days apart), minutes (between the study times), hours (`whole`: that many hours apart, as by time
    zone or summer time), description (likeness, 0 to 100), words (both name a side, region, contrast or load), series
    (share of the smaller study's series that the other has, by modality, description, number, objects and geometry),
    series_uid, pixels (share of the smaller study's pictures the other has; `none` only where the stored pixels can be
    compared), instants (acquisition or content times of the objects), device, side, body_part, modality, study_id,
    kind, place.
    """

    name: Measure
    levels: tuple[Level, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Comparison:
        names = [level.name for level in self.levels]
        if len(set(names)) < len(names) or MISSING in names:
            raise ValueError(f"the levels of {self.name} need names of their own, and none is `{MISSING}`")
        if self.name in NUMBERS:
            bounds = [(level.at_least is None) + (level.at_most is None) for level in self.levels]
            if any(level.words for level in self.levels) or bounds[-1] != 2 or any(b != 1 for b in bounds[:-1]):
                raise ValueError(f"each level of {self.name} needs one of at_least and at_most, the last one none")
            return self
        known = WORDS[self.name]
        for level in self.levels:
            if not level.words or level.at_least is not None or level.at_most is not None:
                raise ValueError(f"level {level.name} of {self.name} needs `is` and no bound")
            if strange := [word for word in level.words if word not in known]:
                raise ValueError(f"{self.name} is never {', '.join(strange)}; it is one of {', '.join(known)}")
        return self


class Candidates(Definition):
    """Studies of one person are compared when they share an accession number (`accession`: padding and punctuation
    aside; `accession_core`: leading letters aside too), a day and a modality (`day`; also over midnight when at most
    `minutes` from it), or pixel data (`pixels`). A key of more than `largest` studies isn't used; the run says so."""

    name: Name
    same: Literal["accession", "accession_core", "day", "pixels"]
    minutes: int = Field(default=0, ge=0, le=720)
    largest: int = Field(default=40, ge=2, le=500)


class Instants(Definition):
    """Shares of the times in common that count as `same` and as `some`; of fewer than `few` different times they are
    `few-same`, or `few-hours` when whole hours apart: that may be chance. Of more they are `hours` apart, or `shifted`
    by at most `shift_minutes` all alike."""

    same: Share = 0.9
    some: Share = 0.2
    few: int = Field(default=3, ge=2)
    shift_minutes: int = Field(default=15, ge=1, le=59)


class Bands(Definition):
    """Scores: at or above `certain` two studies are one examination, below `possible` they aren't; between, a person is
    asked. Pairs below `keep` aren't kept in the table."""

    certain: Share = 0.99
    possible: Share = 0.3
    keep: Share = 0.005

    @model_validator(mode="after")
    def _ordered(self) -> Bands:
        if not self.keep <= self.possible < self.certain:
            raise ValueError("bands need keep <= possible < certain")
        return self


When = Annotated[dict[Measure, tuple[str, ...]], Field(min_length=1)]


class Constraint(Definition):
    """What overrules the score: when every comparison named is at one of the levels given, the outcome holds."""

    name: str = Field(min_length=1, max_length=80)
    when: When
    outcome: Literal["certain", "possible", "no"]


class StudyMatcher(Definition):
    """Which studies of one person are one examination under two Study Instance UIDs (class h)."""

    title: str
    documents: tuple[Code, ...]
    derived: tuple[Code, ...]
    candidates: tuple[Candidates, ...] = Field(min_length=1)
    placeholder_persons: int = Field(default=4, ge=2)
    placeholder_days: int = Field(default=4, ge=2)
    instants: Instants = Instants()
    comparisons: tuple[Comparison, ...] = Field(min_length=1)
    prior: float
    bands: Bands = Bands()
    constraints: tuple[Constraint, ...] = ()
    certain_needs: tuple[When, ...] = ()
    vocabulary: dict[Name, dict[Name, tuple[Phrase, ...]]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _named(self) -> StudyMatcher:
        levels = {one.name: {MISSING, *(level.name for level in one.levels)} for one in self.comparisons}
        if len(levels) < len(self.comparisons):
            raise ValueError("a comparison stands twice")
        for name, when in (
            *((one.name, one.when) for one in self.constraints),
            *(("certain_needs", one) for one in self.certain_needs),
        ):
            for comparison, wanted in when.items():
                if comparison not in levels:
                    raise ValueError(f"{name}: {comparison} isn't compared")
                if strange := sorted(set(wanted) - levels[comparison]):
                    raise ValueError(f"{name}: {comparison} has no level {', '.join(strange)}")
        for kind, meanings in self.vocabulary.items():
            phrases = [phrase for several in meanings.values() for phrase in several]
            if len(set(phrases)) < len(phrases):
                raise ValueError(f"a word of the {kind} vocabulary has two meanings")
        return self


def load(project: Project) -> tuple[StudyMatcher, Path]:
    """The project's study matcher, and the file it came from."""
    path = project.find("matchers/study.yaml")
    return load_yaml(path, StudyMatcher), path
