"""The typed rules/checks/*.yaml: each check with its conditions, its severity and the examples that prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fonds.assess.vocabulary import project_vocabularies
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import Definition, load_yaml
from fonds.project.expressions import Vocabulary, parse
from fonds.project.settings import Project

FOLDER = "rules/checks"
LevelName = Literal["instance", "series", "study", "patient", "across", "archive", "index"]
Severity = Literal["block", "critical", "major", "minor", "info"]
Kahn = Literal["conformance", "completeness", "plausibility"]
Words = Annotated[tuple[str, ...], Field(min_length=1)]
Cell = str | int | float | bool | None | list[str] | list[dict[str, str]]
ID = r"^[A-Z][A-Z0-9]{1,7}-[0-9]{2,4}$"


class Test(Definition):
    """One way to fail: the attributes blamed, in order, and the condition (`it` is the attribute)."""

    attributes: Words
    when: str
    value: str | None = None


class Example(Definition):
    """Rows of one source that the check judges as said; `table` of a row is `instances` unless it says otherwise.

    `source` of a row names another source beside it, which isn't judged.
    """

    name: str
    rows: tuple[dict[str, Cell], ...] = Field(min_length=1)
    settings: dict[str, str] = Field(default={})
    applies: bool = True


class FailingExample(Example):
    """Rows of which `entities` fail; the first finding must name this attribute, value and (when given) entity."""

    attribute: str
    value: str | None = None
    entity: str | None = None
    entities: int = Field(default=1, ge=1)


class Examples(Definition):
    """What passes and what fails."""

    passes: tuple[Example, ...] = Field(min_length=1)
    fails: tuple[FailingExample, ...] = Field(min_length=1)


class Check(Definition):
    """One check of one level.

    `applies` and `fails` are SQL conditions over the level's columns (docs/checks.md); without `applies` every entity
    counts. `value` is what the finding shows, the attribute as found unless given. `threshold` is the share of the
    entities that may fail before the scorecard says so.
    """

    id: Annotated[str, Field(pattern=ID)]
    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] = "1.0.0"
    level: LevelName
    kahn: Kahn
    severity: Severity
    message: str
    attributes: tuple[str, ...] = ()
    unreadable: bool = False
    applies: str | None = None
    fails: str | tuple[Test, ...]
    value: str | None = None
    standard: Annotated[str, Field(pattern=r"^PS3\.[0-9]+ [A-Z0-9][A-Za-z0-9.-]*$")] | None = None
    fix: str | None = None
    threshold: float = Field(default=0.0, ge=0, lt=1)
    examples: Examples

    @field_validator("applies", "value")
    @classmethod
    def _allowed(cls, text: str | None, info: ValidationInfo) -> str | None:
        vocabulary = _vocabulary(info)
        if text is not None and vocabulary is not None:
            about = info.data.get("attributes") if info.field_name == "value" else None
            for attribute in about or (None,):
                parse(text, vocabulary, it=attribute)
        return text

    @field_validator("fails")
    @classmethod
    def _tests(cls, fails: str | tuple[Test, ...], info: ValidationInfo) -> str | tuple[Test, ...]:
        attributes = info.data.get("attributes", ())
        if isinstance(fails, str) != bool(attributes):
            raise ValueError("give `attributes` beside one condition, or a list of {attributes, when}")
        vocabulary = _vocabulary(info)
        tests = (Test(attributes=attributes, when=fails),) if isinstance(fails, str) else fails
        if vocabulary is not None:
            for text, attribute in ((text, word) for t in tests for word in t.attributes for text in (t.when, t.value)):
                if text is not None:
                    parse(text, vocabulary, it=attribute)
        return fails

    @model_validator(mode="after")
    def _has_value(self, info: ValidationInfo) -> Check:
        vocabulary = (info.context or {}).get(self.level)
        if vocabulary is not None:
            for test in self.tests:
                strange = [word for word in test.attributes if word not in vocabulary.columns]
                if strange and test.value is None:
                    raise ValueError(
                        f"{strange[0]} is no column of {vocabulary.subject}: say with `value` what to show"
                    )
        return self

    @property
    def tests(self) -> tuple[Test, ...]:
        """The ways to fail, in order; the first that is true names the attribute."""
        if isinstance(self.fails, str):
            return (Test(attributes=self.attributes, when=self.fails, value=self.value),)
        return tuple(test.model_copy(update={"value": test.value or self.value}) for test in self.fails)

    @property
    def link(self) -> str | None:
        """Address of the section of the standard."""
        if self.standard is None:
            return None
        part, section = self.standard.removeprefix("PS3.").split(" ", 1)
        page = f"part{int(part):02}.html"
        return f"https://dicom.nema.org/medical/dicom/current/output/html/{page}#sect_{section}"


class Checks(Definition):
    """One file of checks."""

    theme: str
    checks: tuple[Check, ...] = Field(min_length=1)


def load_all(project: Project) -> list[Check]:
    """Every check of the project, its examples run, the suites made from them read; raises DefinitionInvalid."""
    from fonds.assess.examples import wrong_examples  # it measures, and measuring needs this module
    from fonds.assess.suites import load_suites

    found = load_with_files(project)
    checks = [check for _, check in found]
    if wrong := wrong_examples(project, checks):
        raise DefinitionInvalid(FOLDER, [(None, text) for text in wrong])
    load_suites(project, checks)
    return checks


def load_with_files(project: Project) -> list[tuple[Path, Check]]:
    """Every check with the file it stands in."""
    context = project_vocabularies(project)
    found: list[tuple[Path, Check]] = []
    for path in files(project):
        found += [(path, check) for check in load_yaml(path, Checks, context).checks]
    _ids_differ(found)
    return found


def files(project: Project) -> list[Path]:
    """The files of checks, a project's own hiding the shipped one of the same name."""
    return project.list_content(FOLDER)


def _ids_differ(found: list[tuple[Path, Check]]) -> None:
    seen: dict[str, Path] = {}
    for path, check in found:
        for name in (check.id, check.name):
            if name in seen:
                raise DefinitionInvalid(str(path), [(None, f"{name} is used twice; the other is in {seen[name]}")])
            seen[name] = path


def _vocabulary(info: ValidationInfo) -> Vocabulary | None:
    """What the level's conditions may name; None when the level itself is a mistake or nothing is known of columns."""
    vocabulary: Vocabulary | None = (info.context or {}).get(info.data.get("level"))
    return vocabulary


SCHEMAS = {"checks": Checks}
