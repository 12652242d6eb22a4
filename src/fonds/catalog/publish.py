"""Publishes catalog.duckdb: a small file of views over one consistent set of table versions, replaced atomically."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog.store import Catalog, literal, quote
from fonds.project.settings import Project


def publish(catalog: Catalog, mirrored: dict[str, pl.DataFrame]) -> Path:
    """Write catalog/catalog.duckdb aside and rename it into place.

    `mirrored` are small tables of the operations store (decisions, runs), copied in so that everything is one SQL
    away. Analysts open the file read-only with plain DuckDB; no extension is needed.
    """
    target = catalog.project.catalog_dir / "catalog.duckdb"
    aside = target.with_name(f".catalog.{os.getpid()}.duckdb")
    aside.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(aside)) as connection:
        connection.execute("SET enable_progress_bar = false")
        catalog.make_views(connection)
        for name, frame in mirrored.items():
            connection.register("mirror", frame.to_arrow())
            connection.execute(f"CREATE OR REPLACE TABLE {quote(name)} AS SELECT * FROM mirror")
            connection.unregister("mirror")
    os.replace(aside, target)
    return target


def open_published(project: Project) -> duckdb.DuckDBPyConnection:
    """The published file, read-only: a query reaches the catalog's own files and nothing else of this machine.

    The caller closes it. Raises duckdb.Error when there is no file or it is damaged.
    """
    connection = duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True)
    connection.execute(f"SET allowed_directories = [{literal(f'{project.catalog_dir}/')}]")
    connection.execute("SET enable_external_access = false")
    return connection


def newest_run(project: Project) -> int | None:
    """The newest run the published file knows; None when it can't be read, or its project was moved since."""
    try:
        with open_published(project) as connection:
            # every value of the copied tables is read, so that a cut shows; the view is bound, so that a move shows
            row = connection.sql(
                "SELECT coalesce(max(run), 0), max(hash(runs)), (SELECT max(hash(decisions)) FROM decisions), "
                "(SELECT any_value(true) FROM (FROM instances LIMIT 0)) FROM runs"
            )
            return int(row.fetchall()[0][0])
    except duckdb.Error:
        return None
