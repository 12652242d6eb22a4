"""Finds what points to what and what is missing."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="link", log_prints=False)
def link(project: str = ".") -> dict[str, Any]:
    """Finds what points to what and what is missing."""
    return observed("link", project)
