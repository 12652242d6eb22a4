"""rules/thresholds.yaml: how much may fail, where that is another share than the check's own, and what isn't judged."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field, ValidationInfo, field_validator

from fonds.assess.definition import Check, Severity
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

FILE = "rules/thresholds.yaml"
Share = Annotated[float, Field(ge=0, lt=1)]
SCHEMA = {"check_id": pl.String(), "source": pl.String(), "threshold": pl.Float64(), "skipped": pl.String()}


class Skip(Definition):
    """A check that isn't judged in a source, by whose policy: it is counted all the same."""

    check: str
    reason: str = Field(min_length=10, description="why, for whoever reads the scorecard")

    @field_validator("check")
    @classmethod
    def _known(cls, check: str, info: ValidationInfo) -> str:
        _all_known((check,), info, "check")
        return check


class OfSource(Definition):
    """What counts in one source only."""

    severities: dict[Severity, Share] = Field(default={})
    checks: dict[str, Share] = Field(default={}, description="share of the entities that may fail, by check")
    skip: tuple[Skip, ...] = ()

    @field_validator("checks")
    @classmethod
    def _known(cls, checks: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        _all_known(checks, info, "check")
        return checks


class Thresholds(Definition):
    """Shares that may fail; the nearest counts: source and check, check, source and severity, severity, the check's."""

    severities: dict[Severity, Share] = Field(default={}, description="share that may fail, by severity")
    checks: dict[str, Share] = Field(default={}, description="share that may fail, by check")
    sources: dict[str, OfSource] = Field(default={})

    @field_validator("checks")
    @classmethod
    def _checks_known(cls, checks: dict[str, float], info: ValidationInfo) -> dict[str, float]:
        _all_known(checks, info, "check")
        return checks

    @field_validator("sources")
    @classmethod
    def _sources_known(cls, sources: dict[str, OfSource], info: ValidationInfo) -> dict[str, OfSource]:
        _all_known(sources, info, "source")
        return sources

    def share(self, check: Check, source: str) -> float:
        """The share of the check's entities in a source that may fail."""
        own = self.sources.get(source, OfSource())
        for share in (own.checks.get(check.id), self.checks.get(check.id), own.severities.get(check.severity)):
            if share is not None:
                return share
        return self.severities.get(check.severity, check.threshold)

    def skipped(self, check: Check, source: str) -> str | None:
        """Why the check isn't judged in a source; None when it is."""
        skips = self.sources.get(source, OfSource()).skip
        return next((skip.reason for skip in skips if skip.check == check.id), None)

    def table(self, checks: Sequence[Check], sources: Iterable[str]) -> pl.DataFrame:
        """One row for each check and source: check_id, source, threshold, skipped (the reason, or NULL)."""
        rows = [
            (check.id, source, self.share(check, source), self.skipped(check, source))
            for source in sources
            for check in checks
        ]
        return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def load(project: Project, checks: Sequence[Check]) -> Thresholds:
    """The project's thresholds; raises DefinitionInvalid with file, line and the nearest name."""
    context = {"check": [check.id for check in checks], "source": list(project.sources)}
    return load_yaml(path(project), Thresholds, context)


def path(project: Project) -> Path:
    """The file, a project's own hiding the shipped one."""
    return project.find(FILE)


def _all_known(names: Iterable[str], info: ValidationInfo, kind: str) -> None:
    known: list[str] | None = (info.context or {}).get(kind)
    for name in names:
        if known is not None and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there is: {', '.join(known) or 'none'}"
            raise ValueError(f"there is no {kind} '{name}'; {hint}")


SCHEMAS = {"thresholds": Thresholds}
