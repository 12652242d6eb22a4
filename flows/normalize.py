"""Proposes changes by rule packs; no file is touched."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.observed import observed


@flow(name="normalize", log_prints=False)
def normalize(project: str = ".") -> dict[str, Any]:
    """Proposes changes by rule packs; no file is touched."""
    return observed("normalize", project)
