"""Reads what other systems know of patients, and which identifiers they merged."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="feed", log_prints=False)
def feed(project: str = ".") -> dict[str, Any]:
    """Reads what other systems know of patients, and which identifiers they merged."""
    return observed("feed", project)
