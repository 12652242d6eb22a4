"""Walks the stages of a project directly, without Prefect."""

from __future__ import annotations

from importlib import import_module

from fonds.cli.stages import STAGES
from fonds.operations.runs import StageResult
from fonds.project.settings import Project


def walk(project: Project) -> dict[str, StageResult]:
    """Every stage in order, feeds read before all that reads them."""
    return {name: getattr(import_module(f"fonds.{name}"), name)(project) for name in ("feed", *STAGES)}
