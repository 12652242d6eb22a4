"""The stage: measures all checks, judges them, and lets Great Expectations show the gates."""

from __future__ import annotations

import polars as pl

from fonds.assess.definition import FOLDER, load_with_files
from fonds.assess.gates import run_gates
from fonds.assess.judge import judge
from fonds.assess.measure import Measured, measure_all, scorecard
from fonds.assess.vocabulary import project_vocabularies
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project

INPUTS = ("instances", "unreadable", "entries", "drift")
OUTPUTS = ("findings", "scorecard", "gates")


def assess(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Judge the catalogued metadata by rules/checks into `findings`, `scorecard`, `gates` and out/data_docs.

    Counts are findings, blocking (findings of severity block), checks, failed (checks failed in some source). Raises
    DefinitionInvalid with every mistake of the checks.
    """
    loaded = load_with_files(project)
    checks = [check for _, check in loaded]
    packs = [f"{FOLDER}/{path.name}" for path, _ in loaded]
    definitions = {path for path, _ in loaded} | {project.find("rules/base/attributes.yaml")}
    with stage_run(
        project, "assess", inputs=INPUTS, outputs=OUTPUTS, definitions=definitions, progress=progress, force=force
    ) as run:
        if run.unchanged:
            return run.result()
        vocabularies = project_vocabularies(project)
        with run.catalog.connect() as connection:
            measured = measure_all(
                connection, checks, packs, vocabularies, lambda done: run.progress(done, len(checks), "checks")
            )
            departments = connection.sql("SELECT source, department FROM sources").pl()
            judged = judge(scorecard(measured, checks, vocabularies, departments), checks)
            sound = [check for check in checks if check.id not in measured.broken]
            gates = run_gates(
                connection, judged, sound, vocabularies, folder=project.reports_dir / "data_docs", run=run.number
            )
        run.replace("findings", measured.findings)
        run.replace("scorecard", judged)
        run.replace("gates", gates)
        _tell(run, measured, judged, len(checks))
    return run.result()


def _tell(run: StageRun, measured: Measured, judged: pl.DataFrame, checks: int) -> None:
    blocking = measured.findings.filter(pl.col("severity") == "block")
    failed = judged.filter(pl.col("status") == "failed")
    run.count("findings", measured.findings.height)
    run.count("blocking", blocking.height)
    run.count("checks", checks)
    run.count("failed", failed["check_id"].n_unique())
    if measured.broken:
        run.status = "partial"
        run.left.append(f"the SQL of {', '.join(measured.broken)} failed on these rows: correct these checks")
    closed = failed.filter(pl.col("severity") == "block").sort("source", "check_id")
    for (source,), gates in closed.group_by("source", maintain_order=True):
        which = ", ".join(
            f"{check} ({n} of {of})" for check, n, of in gates["check_id", "numerator", "denominator"].rows()
        )
        run.left.append(f"{source}: gate closed by {which}; the plan holds what they concern")
