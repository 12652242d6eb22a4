"""What belongs to a study beside what its objects point to, and what of it is missing."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.operations.runs import StageRun
from fonds.project.settings import Project

GAPS = ("images-without-report", "report-without-images")


def definitions(project: Project) -> list[Path]:
    """The files that say how."""
    return []


def find(connection: duckdb.DuckDBPyConnection, project: Project, run: StageRun) -> None:
    """Make the relations `accession_rows`, `feed_link_rows` and `context_gap_rows` (columns of the table gaps)."""
    connection.execute((Path(__file__).parent / "sql" / "context_gaps.sql").read_text(encoding="utf-8"))
