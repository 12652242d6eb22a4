"""The deduplicate stage: group by catalog keys, open only what they leave undecided, dispose, heed decisions."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog.store import literal
from fonds.deduplicate import compile as sql
from fonds.deduplicate import studies
from fonds.deduplicate.content import SCHEMA, UNDECIDED, compare
from fonds.operations import decisions
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project

CLASSES = "abcdefghij"
STEPS = 5
MEMORY_GB = 4
INPUTS = ("instances", "persons", "pairs", *studies.INPUTS)


def deduplicate(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `duplicates`: every member of a group of duplicates by class, with evidence, disposition and kept copy.

    Counts are groups by class (`class_a` …), `copies` that are dropped, and `waiting` groups that need a decision.
    Files are opened only where the catalog can't tell: other transfer syntaxes, or data sets whose bytes differ though
    all catalogued attributes agree.
    """
    with stage_run(
        project,
        "deduplicate",
        inputs=INPUTS,
        outputs=("duplicates", *studies.OUTPUTS),
        definitions=[project.find("rules/base/attributes.yaml"), *studies.definitions(project)],
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            _lean(connection, project.catalog_dir / "scratch")
            connection.register("decided", decisions.standing(project, "duplicate").to_arrow())
            run.progress(0, STEPS, "steps", "same SOP Instance UID")
            connection.execute(sql.text("candidates"))
            connection.execute(sql.differing(project))
            undecided = connection.sql(UNDECIDED).pl()
            run.progress(1, STEPS, "steps", "contents")
            told = compare(project, undecided, run) if undecided.height else pl.DataFrame(schema=SCHEMA)
            connection.register("content", told.to_arrow())
            connection.execute(sql.text("instance_classes"))
            run.progress(3, STEPS, "steps", "studies")
            studies.find(connection, project, run)
            run.progress(4, STEPS, "steps", "dispositions")
            connection.execute(sql.text("dispositions"))
            run.replace_by("duplicates", connection, "answer")
            _tell(connection, run)
        closed = told.filter(~pl.col("opened")).height
        if closed:
            run.left.append(f"{closed} copies could not be opened and compared; make their source reachable, run again")
    return run.result()


def _tell(connection: duckdb.DuckDBPyConnection, run: StageRun) -> None:
    groups = dict(connection.sql("SELECT class, count(DISTINCT group_id) FROM answer GROUP BY 1").fetchall())
    for name in CLASSES:
        run.count(f"class_{name}", groups.get(name, 0))
    [(dropped, waiting, void)] = connection.sql(
        "SELECT count(DISTINCT (source, member)) FILTER (disposition = 'drop-copy'), "
        "count(DISTINCT group_id) FILTER (disposition = 'hold'), "
        "(SELECT count(*) FROM decided ANTI JOIN answer ON group_id = subject_a) FROM answer"
    ).fetchall()
    run.count("copies", dropped)
    run.count("waiting", waiting)
    if waiting:
        run.left.append(f"groups of duplicates that wait for a decision at the desk (`fonds desk`): {waiting}")
    if void:
        run.left.append(f"{void} decision(s) name a group that is no more: what it holds has changed since")


def _lean(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 / 1e9
    connection.execute(
        f"SET memory_limit = '{min(MEMORY_GB, half):.1f}GB'; SET preserve_insertion_order = false; "
        f"SET temp_directory = {literal(str(folder))}"
    )
