"""Classes g, h and i: one study on two patients, one examination under two Study UIDs, one study in several archives."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.deduplicate import compile as sql
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

INPUTS: tuple[str, ...] = ()
OUTPUTS: tuple[str, ...] = ()
"""Tables this step reads and writes beside those the stage does anyway."""


def definitions(project: Project) -> list[Path]:
    """The files the answer depends on."""
    return []


def find(connection: duckdb.DuckDBPyConnection, project: Project, run: StageRun) -> None:
    """Leave relation `study_rows`: columns of `duplicates` but level, member, disposition (member is study_uid).

    There are `instances` and all views of the catalog; `pictures` (source, location, sop_uid, study_uid,
    digest_pixels): objects whose pixels can be compared, the same pixels having the same digest; `retrieved`
    (study_uid, signature, …): studies that are copies of one another by retrieval (class j).
    """
    connection.execute(sql.text("study_classes"))
