"""What Great Expectations does here: suite, validation definition and checkpoint for each source, and their pages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from fonds.assess.definition import Check
from fonds.assess.suites import Suite

KEPT = 50
"""results of so many runs of a stage stay in out/gates"""
_SEVERITY = {"block": "critical", "critical": "critical", "major": "warning", "minor": "info", "info": "info"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One check of one suite for one source, with what was counted beforehand."""

    check: Check
    mostly: float
    numerator: int
    denominator: int

    @property
    def column(self) -> str:
        """What the check's column is called on the pages."""
        return f"{self.check.id} {self.check.name}"

    @property
    def allowed(self) -> int:
        """How many entities may fail."""
        # a share such as 0.9 has no exact binary form: the least above a whole number is that number
        return int(self.denominator * (1 - self.mostly) + 1e-9)


class Session:
    """One run's Great Expectations context, its pages below `folder` and its results."""

    def __init__(self, folder: Path, run: int) -> None:
        self.folder, self.run = folder, run
        self.context = _context(folder)
        self.results: list[dict[str, Any]] = []

    def entities(self, suite: Suite, source: str, rows: pl.DataFrame, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """Judge a frame with a row an entity and a column a check: True, False, or nothing where it doesn't apply."""
        import great_expectations as gx

        made = [
            gx.expectations.ExpectColumnValuesToBeInSet(
                column=one.column, value_set=[True], mostly=one.mostly, **_about(one.check)
            )
            for one in asked
        ]
        return self._validate(suite, source, rows, asked, made)

    def counts(self, suite: Suite, source: str, cells: pl.DataFrame, asked: Sequence[Asked]) -> list[dict[str, Any]]:
        """Judge a frame with a row a modality and year, and a column a check: how many entities fail."""
        import great_expectations as gx

        made = [
            gx.expectations.ExpectColumnSumToBeBetween(
                column=one.column, min_value=0, max_value=one.allowed, **_about(one.check)
            )
            for one in asked
        ]
        return self._validate(suite, source, cells, asked, made)

    def finish(self, kept: Path, stage: str) -> None:
        """Build the pages, and keep the results as JSON beside those of earlier runs."""
        self.context.build_data_docs()
        kept.mkdir(parents=True, exist_ok=True)
        written = kept / f"{stage}-{self.run:06}.json"
        lines = [json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in self.results]
        written.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        for old in sorted(kept.glob(f"{stage}-*.json"))[:-KEPT]:
            old.unlink()

    def _validate(
        self, suite: Suite, source: str, rows: pl.DataFrame, asked: Sequence[Asked], expectations: list[Any]
    ) -> list[dict[str, Any]]:
        import great_expectations as gx
        from great_expectations.core.run_identifier import RunIdentifier

        name = f"{suite.name}.{source}"
        frame = rows.select(pl.col(one.check.id).alias(one.column) for one in asked).to_pandas()
        asset = self.context.data_sources.add_pandas(name).add_dataframe_asset("catalog")
        batch = asset.add_batch_definition_whole_dataframe("all")
        made = self.context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        validation = gx.ValidationDefinition(name=name, data=batch, suite=made)
        checkpoint = gx.Checkpoint(
            name=name,
            validation_definitions=[self.context.validation_definitions.add(validation)],
            result_format="BASIC",
        )
        outcome = self.context.checkpoints.add(checkpoint).run(
            batch_parameters={"dataframe": frame},
            run_id=RunIdentifier(f"run {self.run}", datetime.now(tz=UTC)),
        )
        (result,) = outcome.run_results.values()
        named = {one.column: one for one in asked}
        answers = [
            _answer(suite, source, named[one.expectation_config.kwargs["column"]], one) for one in result.results
        ]
        told = ("check_id", "severity", "expectation", "mostly", "evaluated", "unexpected", "success")
        self.results.append({
            "suite": suite.name, "title": suite.title, "stage": suite.stage, "stops": suite.stops, "source": source,
            "run": self.run, "success": bool(result.success), "statistics": result.statistics,
            "results": [{name: one[name] for name in told} for one in answers],
        })  # fmt: skip
        return answers


def _answer(suite: Suite, source: str, asked: Asked, one: Any) -> dict[str, Any]:
    """One expectation's result as a row of `gates`."""
    found = one.result
    if "unexpected_count" in found:
        evaluated = found["element_count"] - (found.get("missing_count") or 0)
        unexpected = found["unexpected_count"]
    else:
        evaluated, unexpected = asked.denominator, int(found["observed_value"])
    return {
        "stage": suite.stage,
        "suite": suite.name,
        "source": source,
        "check_id": asked.check.id,
        "name": asked.check.name,
        "severity": asked.check.severity,
        "expectation": one.expectation_config.type,
        "mostly": asked.mostly,
        "evaluated": evaluated,
        "unexpected": unexpected,
        "stops": suite.stops,
        "success": bool(one.success),
    }


def _about(check: Check) -> dict[str, Any]:
    notes = f"{check.name} ({check.severity}): {check.message}"
    return {"severity": _SEVERITY[check.severity], "notes": notes, "meta": {"check": check.id, "fix": check.fix or ""}}


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
