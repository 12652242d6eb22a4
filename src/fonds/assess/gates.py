"""The gates: Great Expectations suites made from the same checks, run over frames that DuckDB judged beforehand.

Each source has a suite over its entities (a row an entity, a column a check: True, False, or nothing where the check
doesn't apply), and one suite over the scorecard holds every source's share of failures below the check's threshold.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from fonds.assess.compile import Vocabularies, judged
from fonds.assess.data_docs import make_offline
from fonds.assess.definition import Check
from fonds.assess.vocabulary import LEVELS
from fonds.catalog.schema import TABLES

# Great Expectations holds pandas objects: beyond this many entities only the scorecard's suite judges a source
MAX_ENTITIES = 200_000
SCORECARD = "scorecard"
_SEVERITY = {"block": "critical", "critical": "critical", "major": "warning", "minor": "info", "info": "info"}


def run_gates(
    connection: duckdb.DuckDBPyConnection,
    scorecard: pl.DataFrame,
    checks: Sequence[Check],
    vocabularies: Vocabularies,
    *,
    folder: Path,
    run: int,
) -> pl.DataFrame:
    """Run every suite, build Data Docs that open without network in `folder`, return the table `gates`."""
    context = _context(folder)
    results = []
    shares = _shares(scorecard)
    if shares.height:
        results.append(_validate(context, SCORECARD, shares.to_pandas(), _share_expectations(shares, checks), run))
    small = scorecard.group_by("source").agg(pl.col("denominator").max()).filter(pl.col("denominator") <= MAX_ENTITIES)
    entities = _entities(connection, checks, vocabularies, small["source"].to_list())
    for (source,), rows in entities.group_by("source", maintain_order=True):
        expectations = _entity_expectations(rows, checks)
        results.append(_validate(context, str(source), rows.to_pandas(), expectations, run))
    context.build_data_docs()
    gates = pl.DataFrame([row for rows in results for row in rows], schema=TABLES["gates"].schema)
    make_offline(folder, gates)
    return gates


def _context(folder: Path) -> Any:
    # Before the import: the library reports usage at import time; and it takes seconds, so only here
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults

    shutil.rmtree(folder, ignore_errors=True)
    # without the defaults' own docs site, which leaves a temporary folder behind
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    context = gx.get_context(mode="ephemeral", project_config=DataContextConfig(store_backend_defaults=stores))
    context.variables.progress_bars = {"globally": False}
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": index,
        "store_backend": store,
        "show_how_to_buttons": False,
    }
    context.add_data_docs_site("fonds", site)
    return context


def _shares(scorecard: pl.DataFrame) -> pl.DataFrame:
    """A row a source, a column a check: the share of entities that fail, NULL where none is judged."""
    share = pl.when(pl.col("denominator") > 0).then(pl.col("numerator") / pl.col("denominator"))
    judged_rows = scorecard.filter(pl.col("denominator") > 0).with_columns(share.alias("share"))
    return judged_rows.sort("check_id", "source").pivot("check_id", index="source", values="share").sort("source")


def _entities(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], vocabularies: Vocabularies, sources: list[str]
) -> pl.DataFrame:
    """A row an entity of any level, a column a check."""
    frames = [pl.DataFrame(schema={"source": pl.String(), "level": pl.String(), "entity": pl.String()})]
    for level in LEVELS:
        ours = [check for check in checks if check.level == level]
        if ours:
            cells = ", ".join(
                f'CASE WHEN applies_{n} THEN failure_{n} IS NULL END AS "{check.id}"' for n, check in enumerate(ours)
            )
            query = f"SELECT source, '{level}' AS level, entity, {cells} FROM ({judged(level, ours, vocabularies)})"
            frames.append(connection.execute(f"{query} WHERE list_contains(?, source)", [sources]).pl())
    return pl.concat(frames, how="diagonal").sort("source", "level", "entity")


def _entity_expectations(rows: pl.DataFrame, checks: Sequence[Check]) -> list[tuple[Check, Any]]:
    import great_expectations as gx

    judged_checks = [check for check in checks if check.id in rows.columns and rows[check.id].count()]
    return [
        (
            check,
            gx.expectations.ExpectColumnValuesToBeInSet(
                column=check.id, value_set=[True], mostly=1 - check.threshold, **_about(check)
            ),
        )
        for check in judged_checks
    ]


def _share_expectations(shares: pl.DataFrame, checks: Sequence[Check]) -> list[tuple[Check, Any]]:
    import great_expectations as gx

    return [
        (check, gx.expectations.ExpectColumnMaxToBeBetween(column=check.id, max_value=check.threshold, **_about(check)))
        for check in checks
        if check.id in shares.columns
    ]


def _about(check: Check) -> dict[str, Any]:
    notes = f"{check.name} ({check.severity}): {check.message}"
    return {"severity": _SEVERITY[check.severity], "notes": notes, "meta": {"check": check.id, "fix": check.fix or ""}}


def _validate(
    context: Any, suite: str, frame: Any, expectations: list[tuple[Check, Any]], run: int
) -> list[dict[str, Any]]:
    """Run one checkpoint and read its results as rows of `gates`."""
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier

    batch = (
        context.data_sources.add_pandas(suite)
        .add_dataframe_asset("catalog")
        .add_batch_definition_whole_dataframe("all")
    )
    made = context.suites.add(gx.ExpectationSuite(name=suite, expectations=[one for _, one in expectations]))
    validation = context.validation_definitions.add(gx.ValidationDefinition(name=suite, data=batch, suite=made))
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name=suite, validation_definitions=[validation], result_format="SUMMARY")
    )
    outcome = checkpoint.run(
        batch_parameters={"dataframe": frame}, run_id=RunIdentifier(f"run {run}", datetime.now(tz=UTC))
    )
    (result,) = outcome.run_results.values()
    by_id = {check.id: check for check, _ in expectations}
    return [_row(suite, by_id, one.to_json_dict()) for one in result.results]


def _row(suite: str, by_id: dict[str, Check], one: dict[str, Any]) -> dict[str, Any]:
    config, found = one["expectation_config"], one.get("result", {})
    check = by_id[config["kwargs"]["column"]]
    return {
        "suite": suite,
        "check_id": check.id,
        "severity": check.severity,
        "expectation": config["type"],
        "mostly": 1 - check.threshold,
        "evaluated": found.get("element_count", 0) - (found.get("missing_count") or 0) if suite != SCORECARD else None,
        "unexpected": found.get("unexpected_count"),
        "observed": json.dumps(found["observed_value"]) if "observed_value" in found else None,
        "success": one["success"],
    }
