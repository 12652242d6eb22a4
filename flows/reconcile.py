"""Proves the final state of every catalogued file."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="reconcile", log_prints=False)
def reconcile(project: str = ".") -> dict[str, Any]:
    """Proves the final state of every catalogued file."""
    return observed("reconcile", project)
