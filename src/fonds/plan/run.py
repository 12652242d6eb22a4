"""The plan stage: one row for every file of the inventory: planned in a wave, held or excluded, with its reason."""

from __future__ import annotations

import duckdb

from fonds.errors import DefinitionInvalid
from fonds.operations.runs import Progress, StageResult, stage_run
from fonds.plan import compile as sql
from fonds.plan.definition import load_all
from fonds.project.settings import Project

INPUTS = (
    "instances",
    "unreadable",
    "entries",
    "findings",
    "changes",
    "persons",
    "duplicates",
    "remaps",
    "rewrites",
    "links",
    "gaps",
    "drift",
    "gates",
)


def plan(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `plan`: exactly one row for every row of the view `inventory`.

    A study is planned or held as a whole, over all archives that hold it; copies, rejected objects, index files and
    what isn't DICOM are excluded one by one. Counts are files planned, held and excluded, studies planned and held,
    studies by wave, and gates_closed (expectations that hold studies). Raises DefinitionInvalid when waves.yaml has
    mistakes, or compares what can't be compared.
    """
    waves = load_all(project)
    path = project.find(project.settings.waves)
    with stage_run(
        project,
        "plan",
        inputs=INPUTS,
        outputs=["plan"],
        definitions=[path],
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            connection.register("reasons", sql.reasons().to_arrow())
            run.progress(0, 3, "steps", "holds")
            connection.execute(sql.text("holds"))
            run.progress(1, 3, "steps", "waves")
            connection.execute(sql.STUDIES)
            try:
                connection.execute(sql.chosen(waves))
            except (duckdb.BinderException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
                # DuckDB's text may quote a value of a study: only its kind is passed on
                kind = type(error).__name__
                raise DefinitionInvalid(
                    str(path), [(None, f"a wave compares what can't be compared ({kind})")]
                ) from None
            run.progress(2, 3, "steps", "places")
            connection.execute(sql.text("places"))
            run.replace_by("plan", connection, "answer")
            states = dict(connection.sql("SELECT state, count(*) FROM answer GROUP BY 1").fetchall())
            taken = dict(
                connection.sql(
                    "SELECT wave, count(DISTINCT study_uid) FROM answer WHERE state = 'planned' GROUP BY 1"
                ).fetchall()
            )
            held = connection.sql(
                "SELECT reason, count(DISTINCT study_uid) FROM answer WHERE state = 'held' AND reason <> 'unreadable' "
                "GROUP BY 1 ORDER BY 2 DESC, 1"
            ).fetchall()
            shut = connection.sql(sql.SHUT).fetchall()
        for state in ("planned", "held", "excluded"):
            run.count(state, states.get(state, 0))
        run.count("studies_planned", sum(taken.values()))
        run.count("studies_held", sum(count for _, count in held))
        run.count("gates_closed", len(shut))
        for wave in waves.waves:
            run.count(f"wave_{wave.name}", taken.get(wave.name, 0))
        advice = {reason: text for reason, _, text in sql.REASONS}
        run.left += [f"gate closed: {subject}; studies that wait: {count}" for subject, count in shut]
        run.left += [f"studies held for {reason}: {count}; {advice[reason]}" for reason, count in held]
    return run.result()
