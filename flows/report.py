"""Writes the HTML report."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="report", log_prints=False)
def report(project: str = ".") -> dict[str, Any]:
    """Writes the HTML report."""
    return observed("report", project)
