"""Finds what is there twice and what collides."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="deduplicate", log_prints=False)
def deduplicate(project: str = ".") -> dict[str, Any]:
    """Finds what is there twice and what collides."""
    return observed("deduplicate", project)
