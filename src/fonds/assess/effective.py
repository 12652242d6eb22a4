"""The gates of stage normalize: the same checks over the values with approved changes applied."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl

from fonds.assess.compile import Vocabularies, judged
from fonds.assess.definition import Check, load_with_files
from fonds.assess.gates import Counted, run_gates, tell
from fonds.assess.rejudge import judgeable
from fonds.assess.suites import files, load_suites
from fonds.assess.vocabulary import LEVELS, project_vocabularies
from fonds.catalog.store import literal
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project

INPUTS = ("instances", "unreadable", "entries", "drift", "changes", "scorecard", "checks")
AS_FOUND = ("archive", "index")
"""levels that judge what a medium or database says of its files: no rule changes that"""
_COUNTS = {"check_id": pl.String(), "source": pl.String(), "numerator": pl.Int64(), "denominator": pl.Int64()}


def assess_effective(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Run the suites of stage normalize; write their rows of `gates`, their Data Docs and nothing else.

    Raw findings and the scorecard stay as they are. Only the checks of these suites are counted, in sources that have
    approved changes; elsewhere the scorecard holds. Counts are expectations, expectations_failed, and gates_closed
    (failed in a suite that stops the wave). Raises DefinitionInvalid with every mistake of checks and suites.
    """
    loaded = load_with_files(project)
    checks = [check for _, check in loaded]
    suites = [suite for suite in load_suites(project, checks) if suite.stage == "normalize"]
    definitions = {path for path, _ in loaded} | {project.find("rules/base/attributes.yaml"), *files(project)}
    with stage_run(
        project, "gates", inputs=INPUTS, outputs=("gates",), definitions=definitions, progress=progress, force=force
    ) as run:
        if run.unchanged:
            return run.result()
        card = judgeable(run.catalog.read("scorecard")).filter(pl.col("denominator").is_not_null())
        wanted = [check for check in checks if any(suite.checks.takes(check) for suite in suites)]
        vocabularies = project_vocabularies(project)
        with run.catalog.connect_effective() as connection:
            again = _recount(run, connection, wanted, vocabularies)
            effective = (
                card.join(again, on=["check_id", "source"], how="left", suffix="_now")
                .with_columns(pl.coalesce(f"{name}_now", name).alias(name) for name in ("numerator", "denominator"))
                .select("check_id", "source", "numerator", "denominator", "threshold")
            )
            counted = Counted(effective, wanted, vocabularies)
            gates = run_gates(project, connection, suites, counted, stage="normalize", run=run.number)
        run.replace("gates", gates)
        tell(run, gates, "normalize")
    return run.result()


def _recount(
    run: StageRun, connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], vocabularies: Vocabularies
) -> pl.DataFrame:
    """check_id, source, numerator, denominator of the effective values, where something was changed."""
    changed = connection.sql("SELECT DISTINCT source FROM changes WHERE state = 'approved' ORDER BY source").pl()
    counted = [pl.DataFrame(schema=_COUNTS)]
    for level in LEVELS if changed.height else ():
        ours = [check for check in checks if check.level == level]
        if not ours or level in AS_FOUND:
            continue
        # a study is compared over all archives: a change in one may move the counts of another
        sources = None if level == "across" else changed["source"].to_list()
        try:
            counted.append(_count(connection, level, ours, vocabularies, sources))
        except duckdb.Error:
            # a condition fails on a changed value: the others are counted without it, and it keeps its raw counts
            for check in ours:
                try:
                    counted.append(_count(connection, level, [check], vocabularies, sources))
                except duckdb.Error:
                    run.status = "partial"
                    run.left.append(f"the SQL of {check.id} failed on the changed values: correct this check")
    return pl.concat(counted)


def _count(
    connection: duckdb.DuckDBPyConnection,
    level: str,
    checks: Sequence[Check],
    vocabularies: Vocabularies,
    sources: Sequence[str] | None,
) -> pl.DataFrame:
    """Every check of a level in one pass."""
    failed = ", ".join(f"count(failure_{n})" for n in range(len(checks)))
    applied = ", ".join(f"count(*) FILTER (applies_{n})" for n in range(len(checks)))
    names = ", ".join(literal(check.id) for check in checks)
    where = "true" if sources is None else f"source IN ({', '.join(map(literal, sources))})"
    return connection.sql(
        f"SELECT unnest([{names}]) AS check_id, source, unnest(failed) AS numerator, unnest(applied) AS denominator "
        f"FROM (SELECT source, [{failed}] AS failed, [{applied}] AS applied "
        f"FROM ({judged(level, checks, vocabularies)}) WHERE {where} GROUP BY source)"
    ).pl()
