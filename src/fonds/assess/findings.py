"""Findings out of the passes' outcomes, as Parquet files that DuckDB writes: there may be more than memory holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import polars as pl

from fonds.assess.passes import Part
from fonds.catalog.schema import TABLES
from fonds.catalog.store import Catalog, literal, quote

_LAYOUT = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536, ROW_GROUPS_PER_FILE 16)"
KEY = TABLES["findings"].key


def select(connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], packs: dict[str, str]) -> str:
    """SQL that selects the table `findings` out of parts; `packs` names the file of each check by its id."""
    rows = [
        (place, number, check.id, check.name, check.level, check.kahn, check.severity, check.message, check.version,
         packs.get(check.id, ""))
        for place, part in enumerate(parts)
        for number, check in enumerate(part.checks)
    ]  # fmt: skip
    names = ("check_id", "name", "level", "kahn", "severity", "message", "check_version", "pack")
    schema = {"part": pl.Int32(), "number": pl.Int32(), **dict.fromkeys(names, pl.String())}
    connection.register("check_texts", pl.DataFrame(rows, schema=schema, orient="row").to_arrow())
    if not parts:
        return "SELECT * FROM findings WHERE false"
    failing = " UNION ALL ".join(
        f"FROM (SELECT {place} AS part, source, failing FROM read_parquet({literal(str(part.path))})) "
        "WHERE failing IS NOT NULL"
        for place, part in enumerate(parts)
    )
    columns = ", ".join(quote(name) for name in TABLES["findings"].schema)
    return (
        f"SELECT {columns} FROM (SELECT part, source, entity, study_uid, failure.number AS number, "
        "failure.attribute AS attribute, failure.value AS value FROM (SELECT part, source, failing.entity AS entity, "
        f"failing.study_uid AS study_uid, unnest(failing.failures) AS failure FROM ({failing}))) "
        "JOIN check_texts USING (part, number) LEFT JOIN (SELECT source, department FROM sources) USING (source)"
    )


def write(connection: duckdb.DuckDBPyConnection, query: str, folder: Path) -> list[Path]:
    """Parquet files below `folder` with the rows of a query over findings."""
    connection.execute(f"COPY ({query}) TO {literal(str(folder))} {_LAYOUT}")
    return [path for path in sorted(folder.glob("*.parquet")) if _rows(connection, path)]


def replace_all(catalog: Catalog, files: Sequence[Path]) -> int:
    """Put these files in place of the whole table; returns its version."""
    return catalog.commit("findings", add=files, remove=catalog.files("findings"))


def _rows(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    found = connection.execute(f"SELECT count(*) FROM read_parquet({literal(str(path))})").fetchall()
    return int(found[0][0])
