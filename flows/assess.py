"""Judges the metadata: findings, scorecard and Data Docs."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="assess", log_prints=False)
def assess(project: str = ".") -> dict[str, Any]:
    """Judges the metadata: findings, scorecard and Data Docs."""
    return observed("assess", project)
