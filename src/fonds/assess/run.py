"""The stage: measures all checks, judges them, and lets Great Expectations show the gates."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from fonds.assess import thresholds
from fonds.assess.conform import conform
from fonds.assess.definition import FOLDER, Check, load_with_files
from fonds.assess.effective import assess_effective
from fonds.assess.gates import Counted, run_gates, tell
from fonds.assess.history import appended
from fonds.assess.judge import judge
from fonds.assess.keep import keep
from fonds.assess.measure import scorecard
from fonds.assess.rejudge import judgeable, rejudge, tell_skipped
from fonds.assess.suites import files as suite_files
from fonds.assess.suites import load_suites
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog.schema import TABLES
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project

INPUTS = ("instances", "unreadable", "entries", "drift")
# `gates` is written by the effective values' suites too (see effective.py), so its version isn't this stage's alone
OUTPUTS = ("findings", "measures", "scorecard", "checks")


def assess(
    project: Project,
    *,
    progress: Progress | None = None,
    force: bool = False,
    effective: bool = False,
    judge_only: bool = False,
) -> StageResult:
    """Judge the catalogued metadata by rules/checks into `findings`, `scorecard`, `gates` and out/data_docs.

    Counts are findings, blocking (findings of severity block), checks, failed (checks failed in some source). Raises
    DefinitionInvalid with every mistake of the checks. `effective` runs the gates over the values with approved changes
    applied instead, as the journey does after normalize: see `assess_effective`. `judge_only` judges the
    last counts by the present thresholds and measures nothing: see `rejudge`.
    """
    if effective:
        return assess_effective(project, progress=progress, force=force)
    if judge_only:
        return rejudge(project, progress=progress, force=force)
    loaded = load_with_files(project)
    checks = [check for _, check in loaded]
    packs = [f"{FOLDER}/{path.name}" for path, _ in loaded]
    suites, shares = load_suites(project, checks), thresholds.load(project, checks)
    definitions = {path for path, _ in loaded} | {project.find("rules/base/attributes.yaml"), *suite_files(project)}
    definitions.add(thresholds.path(project))
    with stage_run(
        project, "assess", inputs=INPUTS, outputs=OUTPUTS, definitions=definitions, progress=progress, force=force
    ) as run:
        if run.unchanged:
            return run.result()
        conform(run)
        vocabularies = project_vocabularies(project)
        versions = run.catalog.versions()
        with run.catalog.connect(versions) as connection:
            kept = keep(
                run,
                connection,
                checks,
                packs,
                vocabularies,
                read=versions,
                force=force,
                done=lambda done: run.progress(done, len(checks), "checks"),
            )
            departments = connection.sql("SELECT source, department FROM sources").pl()
            judged = judge(scorecard(kept.counts, checks, vocabularies, departments), checks, shares)
            sound = [check for check in checks if check.id not in kept.broken]
            counted = Counted(judgeable(judged), sound, vocabularies, kept.measures)
            gates = run_gates(project, connection, suites, counted, stage="assess", run=run.number)
        run.replace("scorecard", judged)
        run.replace("assessments", appended(run, kept.counts, checks))
        run.replace("gates", gates)
        run.replace("checks", catalogued(checks, packs))
        _tell(run, kept.broken, judged, len(checks))
        tell_skipped(run, judged, shares)
        tell(run, gates, "assess")
    return run.result()


def catalogued(checks: Sequence[Check], packs: Sequence[str]) -> pl.DataFrame:
    """The table `checks`; `packs` names the file of each."""
    rows = [
        {**check.model_dump(include={"name", "level", "kahn", "severity", "message", "standard", "fix"}),
         "check_id": check.id, "check_version": check.version, "pack": pack}
        for check, pack in zip(checks, packs, strict=True)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=TABLES["checks"].schema)


def _tell(run: StageRun, broken: Sequence[str], judged: pl.DataFrame, checks: int) -> None:
    blocking = judged.filter(pl.col("severity") == "block")
    failed = judged.filter(pl.col("status") == "failed")
    run.count("findings", int(judged["numerator"].sum()))
    run.count("blocking", int(blocking["numerator"].sum()))
    run.count("checks", checks)
    run.count("failed", failed["check_id"].n_unique())
    if broken:
        run.status = "partial"
        run.left.append(f"the SQL of {', '.join(broken)} failed on these rows: correct these checks")
    closed = failed.filter(pl.col("severity") == "block").sort("source", "check_id")
    for (source,), gates in closed.group_by("source", maintain_order=True):
        which = ", ".join(
            f"{check} ({n} of {of})" for check, n, of in gates["check_id", "numerator", "denominator"].rows()
        )
        run.left.append(f"{source}: blocking findings of {which}; the plan holds what they concern")
