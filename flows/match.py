"""Decides who is who as far as the evidence goes and queues the rest."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="match", log_prints=False)
def match(project: str = ".") -> dict[str, Any]:
    """Decides who is who as far as the evidence goes and queues the rest."""
    return observed("match", project)
