"""The deduplicate stage: group by catalog keys, open only what they leave undecided, dispose, heed decisions."""

from __future__ import annotations

import polars as pl

from fonds.deduplicate import compile as sql
from fonds.deduplicate.content import SCHEMA, UNDECIDED, compare
from fonds.operations import decisions
from fonds.operations.runs import Progress, StageResult, stage_run
from fonds.project.settings import Project

CLASSES = "abcdefghij"
STEPS = 5


def deduplicate(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `duplicates`: every member of a group of duplicates by class, with evidence, disposition and kept copy.

    Counts are groups by class (`class_a` …), `copies` that are dropped, and `waiting` groups that need a decision.
    Files are opened only where the catalog can't tell: other transfer syntaxes, or data sets whose bytes differ though
    all catalogued attributes agree.
    """
    with stage_run(
        project,
        "deduplicate",
        inputs=["instances", "persons", "pairs"],
        outputs=["duplicates"],
        definitions=[project.find("rules/base/attributes.yaml")],
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            decided = decisions.standing(project, "duplicate")
            connection.register("decided", decided.to_arrow())
            run.progress(0, STEPS, "steps", "same SOP Instance UID")
            connection.execute(sql.text("candidates"))
            connection.execute(sql.differing(project))
            undecided = connection.sql(UNDECIDED).pl()
            run.progress(1, STEPS, "steps", "contents")
            told = compare(project, undecided, run) if undecided.height else pl.DataFrame(schema=SCHEMA)
            connection.register("content", told.to_arrow())
            for number, name in enumerate(("instance_classes", "study_classes", "dispositions"), 2):
                run.progress(number, STEPS, "steps", name.replace("_", " "))
                connection.execute(sql.text(name))
            found = connection.sql("FROM answer").pl()
        run.replace("duplicates", found)
        groups = found.group_by("class").agg(pl.col("group_id").n_unique()).rows()
        for name in CLASSES:
            run.count(f"class_{name}", dict(groups).get(name, 0))
        dropped = found.filter(pl.col("disposition") == "drop-copy").select("source", "member").n_unique()
        waiting = found.filter(pl.col("disposition") == "hold").get_column("group_id").n_unique()
        run.count("copies", dropped)
        run.count("waiting", waiting)
        closed = told.filter(~pl.col("opened")).height
        if closed:
            run.left.append(f"{closed} copies could not be opened and compared; make their source reachable, run again")
        if waiting:
            run.left.append(f"groups of duplicates that wait for a decision at the desk (`fonds desk`): {waiting}")
        void = decided.filter(~pl.col("subject_a").is_in(found["group_id"].implode())).height
        if void:
            run.left.append(f"{void} decision(s) name a group that is no more: what it holds has changed since")
    return run.result()
