"""`fonds assess --judge`: the last counts against the present thresholds. Nothing is measured."""

from __future__ import annotations

import polars as pl

from fonds.assess import thresholds
from fonds.assess.definition import load_with_files
from fonds.assess.gates import Counted, run_gates, tell
from fonds.assess.judge import judge, moved
from fonds.assess.suites import files, load_suites
from fonds.assess.thresholds import Thresholds
from fonds.assess.vocabulary import project_vocabularies
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project


def rejudge(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Judge `scorecard` anew by rules/thresholds.yaml and run the gates again; `left` says whose status moved.

    Counts are checks, failed (checks failed in some source) and moved. Raises DefinitionInvalid for mistakes of checks,
    suites and thresholds.
    """
    checks = [check for _, check in load_with_files(project)]
    suites, shares = load_suites(project, checks), thresholds.load(project, checks)
    definitions = {thresholds.path(project), *files(project)}
    with stage_run(
        project,
        "judge",
        inputs=("measures",),
        outputs=("scorecard",),
        definitions=definitions,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        before = run.catalog.read("scorecard")
        after = judge(before, checks, shares)
        vocabularies = project_vocabularies(project)
        sound = after.filter(pl.col("status") != "error")["check_id"].unique()
        counted = Counted(
            judgeable(after),
            [check for check in checks if check.id in sound],
            vocabularies,
            run.catalog.read("measures"),
        )
        with run.catalog.connect() as connection:
            gates = run_gates(project, connection, suites, counted, stage="assess", run=run.number)
        run.replace("scorecard", after)
        run.replace("gates", gates)
        lines = moved(before, after)
        run.count("checks", len(checks))
        run.count("failed", after.filter(status="failed")["check_id"].n_unique())
        run.count("moved", len(lines))
        run.left += lines
        tell_skipped(run, after, shares)
        tell(run, gates, "assess")
    return run.result()


def judgeable(scorecard: pl.DataFrame) -> pl.DataFrame:
    """The rows gates may judge: what is skipped by policy closes none and opens none."""
    return scorecard.filter(pl.col("status") != "skipped")


def tell_skipped(run: StageRun, scorecard: pl.DataFrame, shares: Thresholds) -> None:
    """Say what isn't judged, and why."""
    skipped = scorecard.filter(status="skipped").sort("source", "check_id")
    reasons = {(name, skip.check): skip.reason for name, own in shares.sources.items() for skip in own.skip}
    run.left += [
        f"{source}: {check} is skipped ({reasons[source, check]}); {failing} of {of} fail"
        for source, check, failing, of in skipped.select("source", "check_id", "numerator", "denominator").rows()
    ]
