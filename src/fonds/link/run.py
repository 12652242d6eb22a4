"""The link stage: every reference to its end, and what is missing around a study."""

from __future__ import annotations

from pathlib import Path

from fonds.operations.runs import Progress, StageResult, stage_run
from fonds.project.settings import Project

STATES = ("resolved-here", "resolved-other-archive", "dangling")
GAPS = (
    "dangling-reference",
    "referenced-study-missing",
    "other-patient",
    "rejected-object",
    "images-without-report",
    "report-without-images",
    "missing-files",
)


def link(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `links`, each reference once with where it ends, and `gaps`, what is missing around a study.

    A reference is resolved by the finest UID it gives: object, else series, study, frame of reference; the archive the
    pointing object lies in comes first, then the sources in the order of fonds.yaml. Counts are links by state and
    gaps by kind.
    """
    with stage_run(
        project,
        "link",
        inputs=["instances", "persons", "drift"],
        outputs=["links", "gaps"],
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            for done, name in enumerate(("links", "gaps")):
                run.progress(done, 2, "steps", name)
                connection.execute((Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8"))
            links = connection.sql("SELECT * EXCLUDE (level, uid) FROM answer").pl()
            gaps = connection.sql("FROM gap_rows").pl()
        run.replace("links", links)
        run.replace("gaps", gaps)
        run.progress(2, 2, "steps")
        states, kinds = (dict(frame[name].value_counts().rows()) for frame, name in ((links, "state"), (gaps, "kind")))
        for state in STATES:
            run.count(state.replace("-", "_"), states.get(state, 0))
        for kind in GAPS:
            run.count(kind.replace("-", "_"), kinds.get(kind, 0))
        if kinds.get("other-patient"):
            run.left.append(f"{kinds['other-patient']} references lead to another patient; see docs/links.md")
    return run.result()
