"""The link stage: every reference to its end, what is missing around a study, and what new UIDs bring with them."""

from __future__ import annotations

from pathlib import Path

from fonds.catalog.store import bounded
from fonds.link import context, rejections, remap, trial
from fonds.operations.runs import Progress, StageResult, stage_run
from fonds.project.settings import Project

MEMORY_GB = 4
INPUTS = (
    "instances",
    "persons",
    "pairs",
    "match_records",
    "drift",
    "duplicates",
    "changes",
    "feed_orders",
    "feed_reports",
)
STATES = ("resolved-here", "resolved-other-archive", "dangling")
GAPS = (
    "dangling-reference",
    "dangling-in",
    "referenced-study-missing",
    "other-patient",
    "class-differs",
    "ambiguous-reference",
    "evidence-incomplete",
    "several-versions",
    "frame-of-reference-unknown",
    "rejected-object",
    "rejection-of-other-patient",
    "rejected-again",
    "missing-files",
    *context.GAPS,
)
TABLES = {
    "links": "link_rows",
    "gaps": "gap_rows",
    "remaps": "remap_rows",
    "rewrites": "rewrite_rows",
    "accessions": "accession_rows",
    "feed_links": "feed_link_rows",
}
STEPS = 8


def link(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `links`, each reference once with where it ends, `gaps`, `remaps` and `rewrites`, and what context tells.

    A reference is resolved by the finest UID it gives: object, else series, study, frame of reference. Of several
    files of one UID it means the one in the series or study it names, in its own archive, of its own study and person.
    Counts are links by state, gaps by kind, and new UIDs and references planned and refused.
    """
    with stage_run(
        project,
        "link",
        inputs=INPUTS,
        outputs=tuple(TABLES),
        definitions=context.definitions(project),
        outside=remap.outside(project),
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            bounded(connection, project.catalog_dir / "scratch", MEMORY_GB)
            for done, name in enumerate(
                ("identities", "links", "rejections", "remaps", "trials", "remaps_settled", "gaps")
            ):
                run.progress(done, STEPS, "steps", name.replace("_", " "))
                if name == "remaps":
                    remap.register_sent(connection, project)
                if name == "gaps":
                    context.find(connection, project, run)
                connection.execute(text(name))
                if name == "trials":
                    trial.find(connection, project, run)
                if name == "rejections":
                    rejections.settle(connection)
                    connection.execute(text("rejected"))
            run.progress(STEPS - 1, STEPS, "steps", "tables")
            for table, rows in TABLES.items():
                run.replace_by(table, connection, rows)
            states = dict(connection.sql("SELECT state, count(*) FROM answer GROUP BY 1").fetchall())
            kinds = dict(connection.sql("SELECT kind, count(*) FROM gap_rows GROUP BY 1").fetchall())
            remap.tell(connection, run)
        run.progress(STEPS, STEPS, "steps")
        for state in STATES:
            run.count(state.replace("-", "_"), states.get(state, 0))
        for kind in GAPS:
            run.count(kind.replace("-", "_"), kinds.get(kind, 0))
        if kinds.get("other-patient"):
            run.left.append(f"{kinds['other-patient']} references lead to another patient; see docs/links.md")
    return run.result()


def text(name: str) -> str:
    """One of this stage's SQL files."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
