"""Puts every catalogued file into a wave, or holds it with its reason."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="plan", log_prints=False)
def plan(project: str = ".") -> dict[str, Any]:
    """Puts every catalogued file into a wave, or holds it with its reason."""
    return observed("plan", project)
