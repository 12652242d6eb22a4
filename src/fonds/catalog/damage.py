"""Which tables of the catalog can't be read any more, without reading their rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from polars.exceptions import PolarsError

from fonds.catalog.store import paths
from fonds.project.settings import Project


def damaged(project: Project) -> Iterator[tuple[str, str]]:
    """Each damaged table with what is wrong: its log, or how many of its current files are missing or cut off."""
    for folder in sorted((project.catalog_dir / "tables").glob("*/")):
        if wrong := _wrong(folder):
            yield folder.name, wrong


def _wrong(folder: Path) -> str | None:
    try:
        files = paths(DeltaTable(folder))
    except TableNotFoundError:
        return "its log is missing" if any(folder.glob("*.parquet")) else None
    except (DeltaError, OSError, ValueError) as error:
        return f"its log can't be read ({type(error).__name__})"
    # one footer a file: a table has few files, and a file that was cut off has none
    unreadable = sum(not _whole(path) for path in files)
    return f"{unreadable} of {len(files)} file(s) missing or damaged" if unreadable else None


def _whole(path: Path) -> bool:
    try:
        pl.read_parquet_schema(path)
    except (PolarsError, OSError):
        return False
    return True
