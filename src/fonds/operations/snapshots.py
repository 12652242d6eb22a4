"""Which versions of the catalog's tables belong to a run: the catalog as it was, and which crawls changed it."""

from __future__ import annotations

import json

import duckdb
import polars as pl

from fonds.catalog.store import Catalog, literal, quote
from fonds.errors import QueryRefused
from fonds.operations import decisions
from fonds.operations.runs import runs
from fonds.project.settings import Project

CRAWLED = ("instances", "unreadable", "entries")


def versions_after(project: Project, run: int) -> dict[str, int]:
    """The version each table had when a run had ended; raises QueryRefused for a run that isn't there or hasn't."""
    return _all_versions(_ended(project, run))


def _ended(project: Project, run: int) -> pl.DataFrame:
    all_runs = runs(project).filter(pl.col("ended").is_not_null())
    if run not in all_runs["run"]:
        raise QueryRefused(f'no run {run} has ended; `fonds sql "select run, stage, ended from runs"` lists them')
    return all_runs.filter(pl.col("run") <= run)


def _all_versions(earlier: pl.DataFrame) -> dict[str, int]:
    versions: dict[str, int] = {}
    for text in earlier["versions"]:  # a run a row, each a small JSON document; the last word on a table counts
        versions |= json.loads(text or "{}").get("written", {})
    return {name: version for name, version in versions.items() if version >= 0}


def last_crawls(project: Project) -> tuple[int | None, int]:
    """The last crawl that changed what is catalogued and the one before; raises QueryRefused when there is none."""
    found: list[int] = []
    seen: dict[str, int] = {}
    crawls = runs(project).filter((pl.col("stage") == "crawl") & pl.col("ended").is_not_null())
    for run, text in crawls.select("run", "versions").iter_rows():
        written = json.loads(text or "{}").get("written", {})
        now = {name: written[name] for name in CRAWLED if written.get(name, -1) >= 0}
        if now and now != seen:
            found.append(run)
            seen = now
    if not found:
        raise QueryRefused("nothing was crawled yet; run `fonds crawl` first")
    return (found[-2] if len(found) > 1 else None), found[-1]


def open_as_of(project: Project, run: int) -> duckdb.DuckDBPyConnection:
    """The catalog as it was after a run, with its views, decisions and runs; like the published file it only reads.

    Settings of sources are those of now. The caller closes it. Raises QueryRefused for a run that hasn't ended.
    """
    earlier = _ended(project, run)
    until = earlier["ended"].max()
    connection = Catalog(project).connect(_all_versions(earlier))
    made = decisions.all_decisions(project).filter(pl.col("at") <= pl.lit(until))
    for name, frame in {"decisions": made, "runs": earlier}.items():
        connection.register("mirror", frame.to_arrow())
        connection.execute(f"CREATE TABLE {quote(name)} AS SELECT * FROM mirror")
        connection.unregister("mirror")
    connection.execute(f"SET allowed_directories = [{literal(f'{project.catalog_dir}/')}]")
    connection.execute("SET enable_external_access = false")
    return connection
