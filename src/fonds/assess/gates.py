"""The gates: the suites of rules/gates made from the same checks, run over what DuckDB judged beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from fonds.assess.compile import Vocabularies, judged
from fonds.assess.data_docs import make_index, make_offline
from fonds.assess.definition import Check
from fonds.assess.expectations import Asked, Session
from fonds.assess.suites import Stage, Suite
from fonds.assess.vocabulary import LEVELS
from fonds.catalog.schema import TABLES
from fonds.catalog.store import Catalog, literal
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

MAX_ENTITIES = 20_000
"""Great Expectations holds pandas objects: a source with more entities of one level is judged by counts"""
DOCS, KEPT = "data_docs", "gates"


@dataclass(frozen=True, slots=True)
class Counted:
    """What was measured and judged before the suites run."""

    scorecard: pl.DataFrame
    """check_id, source, numerator, denominator, threshold: what was counted, and how much of it may fail"""
    checks: Sequence[Check]
    """those whose SQL ran"""
    vocabularies: Vocabularies
    measures: pl.DataFrame | None = None
    """check_id, source, modality, study_year, numerator: the same by modality and year"""


def run_gates(
    project: Project,
    connection: duckdb.DuckDBPyConnection,
    suites: Sequence[Suite],
    counted: Counted,
    *,
    stage: Stage,
    run: int,
) -> pl.DataFrame:
    """Run the suites of a stage and return the whole table `gates`, the other stage's rows as they were.

    Pages go to out/data_docs, results to out/gates. A check that applies to nothing has no expectation: nothing was
    tested. `connection` judges single entities where a source has few.
    """
    rows: list[dict[str, object]] = []
    if chosen := [suite for suite in suites if suite.stage == stage]:
        session = Session(project.reports_dir / DOCS / stage, run)
        # after the rules a number is enough, and what fails is found by `drilldown` over the raw values
        small = _small(counted.scorecard) if stage == "assess" else []
        frames = _entities(connection, counted, small).partition_by("source", as_dict=True)
        for suite in chosen:
            for source, asked in _asked(project, suite, counted):
                if (source,) in frames:
                    rows += session.entities(suite, source, frames[source,], asked)
                else:
                    rows += session.counts(suite, source, _cells(counted, source), asked)
        session.finish(project.reports_dir / KEPT, stage)
        make_offline(project.reports_dir / DOCS / stage)
    others = Catalog(project).read("gates").filter(pl.col("stage") != stage)
    gates = pl.concat([others, pl.DataFrame(rows, schema=TABLES["gates"].schema)])
    make_index(project.reports_dir / DOCS, gates)
    return gates


def tell(run: StageRun, gates: pl.DataFrame, stage: Stage) -> None:
    """Count what failed and say which expectations close a gate, for how many rows."""
    told = gates.filter(pl.col("stage") == stage)
    closed = told.filter(~pl.col("success"), pl.col("stops") == "wave").sort("source", "suite", "check_id")
    run.count("expectations", told.height)
    run.count("expectations_failed", told.filter(~pl.col("success")).height)
    run.count("gates_closed", closed.height)
    run.left += [
        f"gate closed for {source}: suite {suite}, {check} {name} fails for {failing:,} of {of:,} rows"
        for source, suite, check, name, failing, of in closed.select(
            "source", "suite", "check_id", "name", "unexpected", "evaluated"
        ).rows()
    ]


def _small(scorecard: pl.DataFrame) -> list[str]:
    """Sources whose entities Great Expectations can hold one by one."""
    sizes = scorecard.group_by("source").agg(pl.col("denominator").max()).sort("source")
    return sizes.filter(pl.col("denominator").is_between(1, MAX_ENTITIES))["source"].to_list()


def _asked(project: Project, suite: Suite, counted: Counted) -> Iterator[tuple[str, list[Asked]]]:
    """Each source of the suite with its checks that apply to something there."""
    taken = {check.id: check for check in counted.checks if suite.checks.takes(check)}
    told = counted.scorecard.filter(pl.col("denominator") > 0, pl.col("check_id").is_in(list(taken)))
    columns = ("check_id", "numerator", "denominator", "threshold")
    for (source,), rows in told.sort("source", "check_id").group_by("source", maintain_order=True):
        department = project.sources[str(source)].department if str(source) in project.sources else ""
        if suite.judges(str(source), department):
            yield (
                str(source),
                [
                    Asked(taken[check], suite.share(taken[check], threshold), failing, of)
                    for check, failing, of, threshold in rows.select(columns).rows()
                ],
            )


def _cells(counted: Counted, source: str) -> pl.DataFrame:
    """A row a modality and year (or one for the source), a column a check: how many entities fail."""
    measured = (counted.scorecard if counted.measures is None else counted.measures).filter(pl.col("source") == source)
    by = [name for name in ("modality", "study_year") if name in measured.columns]
    keyed = measured.with_columns(pl.concat_str([pl.lit(""), *by], separator=" ").alias("cell"))
    wide = keyed.pivot("check_id", index="cell", values="numerator", aggregate_function="sum")
    return wide.fill_null(0).sort("cell")


def _entities(connection: duckdb.DuckDBPyConnection, counted: Counted, sources: list[str]) -> pl.DataFrame:
    """A row an entity of any level, a column a check."""
    frames = [pl.DataFrame(schema={"source": pl.String(), "level": pl.String(), "entity": pl.String()})]
    for level in LEVELS:
        ours = [check for check in counted.checks if check.level == level]
        if ours and sources:
            cells = ", ".join(
                f'CASE WHEN applies_{n} THEN failure_{n} IS NULL END AS "{check.id}"' for n, check in enumerate(ours)
            )
            query = (
                f"SELECT source, '{level}' AS level, entity, {cells} FROM ({judged(level, ours, counted.vocabularies)})"
            )
            # as literals the condition reaches the scan: a small source costs little beside a large one
            frames.append(connection.sql(f"{query} WHERE source IN ({', '.join(map(literal, sources))})").pl())
    return pl.concat(frames, how="diagonal").sort("source", "level", "entity")
