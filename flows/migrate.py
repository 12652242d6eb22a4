"""Sends what is planned (all waves, or those named), once."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="migrate", log_prints=False)
def migrate(project: str = ".", waves: list[str] | None = None) -> dict[str, Any]:
    """Sends what is planned (all waves, or those named), once."""
    return observed("migrate", project, waves=waves)
