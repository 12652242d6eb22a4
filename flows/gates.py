"""Judges what the rules made of the metadata: the suites that say whether a source may move."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="gates", log_prints=False)
def gates(project: str = ".") -> dict[str, Any]:
    """Judges what the rules made of the metadata: the suites that say whether a source may move."""
    return observed("assess", project, effective=True)
