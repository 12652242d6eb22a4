"""The typed rules/gates/*.yaml: which checks make a suite, for which sources, how much must pass, and what it stops."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from fonds.assess.definition import Check, Kahn, LevelName, Severity
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

FOLDER = "rules/gates"
Stage = Literal["assess", "normalize"]
Share = Annotated[float, Field(gt=0, le=1)]


class Choice(Definition):
    """Which checks: those that every given list names; without any list, all."""

    ids: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    levels: tuple[LevelName, ...] = ()
    kahn: tuple[Kahn, ...] = ()

    @field_validator("ids")
    @classmethod
    def _known(cls, ids: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _all_known(ids, info, "check")

    def takes(self, check: Check) -> bool:
        """Whether the check is one of these."""
        return all(
            not wanted or value in wanted
            for wanted, value in (
                (self.ids, check.id),
                (self.severities, check.severity),
                (self.levels, check.level),
                (self.kahn, check.kahn),
            )
        )


class Suite(Definition):
    """One suite: its checks become expectations, for each of its sources.

    `mostly` is the share of the entities that must pass; `thresholds` leaves it to the check and rules/thresholds.yaml.
    `mostly_of` says otherwise for single checks.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
    title: str
    stage: Stage
    sources: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    checks: Choice = Field(default_factory=Choice)
    mostly: Literal["thresholds"] | Share = "thresholds"
    mostly_of: dict[str, Share] = Field(default={})
    stops: Literal["wave", "nothing"] = "nothing"

    @field_validator("sources")
    @classmethod
    def _sources(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _all_known(names, info, "source")

    @field_validator("departments")
    @classmethod
    def _departments(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        return _all_known(names, info, "department")

    @field_validator("mostly_of")
    @classmethod
    def _checks(cls, shares: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        _all_known(tuple(shares), info, "check")
        return shares

    @model_validator(mode="after")
    def _takes_some(self, info: ValidationInfo) -> Suite:
        checks: Sequence[Check] = (info.context or {}).get("checks", ())
        if checks and not any(self.checks.takes(check) for check in checks):
            raise ValueError("takes no check: nothing has all of these at once")
        return self

    def judges(self, source: str, department: str) -> bool:
        """Whether the source is one of the suite's."""
        return (not self.sources or source in self.sources) and (not self.departments or department in self.departments)

    def share(self, check: Check, threshold: float) -> float:
        """The share of the check's entities that must pass; `threshold` is the judged share that may fail."""
        if check.id in self.mostly_of:
            return self.mostly_of[check.id]
        return round(1 - threshold, 12) if self.mostly == "thresholds" else self.mostly


class Gates(Definition):
    """One file of suites."""

    theme: str
    suites: tuple[Suite, ...] = Field(min_length=1)


def load_suites(project: Project, checks: Sequence[Check]) -> list[Suite]:
    """Every suite of the project; raises DefinitionInvalid with file, line and the nearest name."""
    context = {
        "checks": tuple(checks),
        "check": [check.id for check in checks],
        "source": list(project.sources),
        "department": sorted({source.department for source in project.sources.values()}),
    }
    found: dict[str, Path] = {}
    suites: list[Suite] = []
    for path in files(project):
        for suite in load_yaml(path, Gates, context).suites:
            if suite.name in found:
                text = f"the suite {suite.name} is there twice; the other is in {found[suite.name]}"
                raise DefinitionInvalid(str(path), [(None, text)])
            found[suite.name] = path
            suites.append(suite)
    return suites


def files(project: Project) -> list[Path]:
    """The files of suites, a project's own hiding the shipped one of the same name."""
    return project.list_content(FOLDER)


def _all_known(names: tuple[str, ...], info: ValidationInfo, kind: str) -> tuple[str, ...]:
    known: list[str] | None = (info.context or {}).get(kind)
    if known is None:
        return names
    if strange := [name for name in names if name not in known]:
        near = difflib.get_close_matches(strange[0], known, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; there is: {', '.join(known) or 'none'}"
        raise ValueError(f"there is no {kind} '{strange[0]}'{hint}")
    return names


SCHEMAS = {"gates": Gates}
