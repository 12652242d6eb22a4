"""Reads the headers of every source (or of those named) into the catalog."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="crawl", log_prints=False)
def crawl(project: str = ".", sources: list[str] | None = None) -> dict[str, Any]:
    """Reads the headers of every source (or of those named) into the catalog."""
    return observed("crawl", project, sources=sources)
