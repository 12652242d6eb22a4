"""Findings out of the passes' outcomes, as Parquet files that DuckDB writes: there may be more than memory holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from fonds.assess.passes import Part
from fonds.assess.rerun import Again
from fonds.catalog.schema import TABLES
from fonds.catalog.store import Catalog, literal, quote

_LAYOUT = "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 65536, ROW_GROUPS_PER_FILE 16)"


def select(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[Part], packs: Mapping[str, str], texts: str = "texts"
) -> str:
    """SQL that selects the table `findings` out of parts; `packs` names the file of each check by its id.

    It holds until the next call with the same `texts`, the name under which the checks' texts are joined.
    """
    rows = [
        (place, number, check.id, check.name, check.level, check.kahn, check.severity, check.message, check.version,
         packs.get(check.id, ""))
        for place, part in enumerate(parts)
        for number, check in enumerate(part.checks)
    ]  # fmt: skip
    names = ("check_id", "name", "level", "kahn", "severity", "message", "check_version", "pack")
    schema = {"part": pl.Int32(), "number": pl.Int32(), **dict.fromkeys(names, pl.String())}
    connection.register(texts, pl.DataFrame(rows, schema=schema, orient="row").to_arrow())
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
        f"JOIN {texts} USING (part, number) LEFT JOIN (SELECT source, department FROM sources) USING (source)"
    )


def write(connection: duckdb.DuckDBPyConnection, query: str, folder: Path) -> list[Path]:
    """Parquet files below `folder` with the rows of a query over findings."""
    connection.execute(f"COPY ({query}) TO {literal(str(folder))} {_LAYOUT}")
    return [path for path in sorted(folder.glob("*.parquet")) if _rows(connection, path)]


def exchange(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    again: Again,
    packs: Mapping[str, str],
    folder: Path,
) -> None:
    """Take out of the table what was found before and no longer counts, and put in what is found now.

    `packs` has all checks there are. Only files that hold something to take out are written anew.
    """
    fresh = select(connection, again.after, packs)
    before = select(connection, again.before, packs, "texts_before")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE taken AS SELECT check_id, source, entity FROM ({before})")
    stay = ", ".join(literal(one) for one in packs if one not in again.anew) or "''"
    held = catalog.scan("findings", files=catalog.files("findings"))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE out AS SELECT filename, file_row_number FROM "
        f"(FROM ({held}) SEMI JOIN taken USING (check_id, source, entity)) "
        f"UNION SELECT filename, file_row_number FROM ({held}) WHERE check_id NOT IN ({stay})"
    )
    remove = [Path(name) for (name,) in connection.execute("SELECT DISTINCT filename FROM out").fetchall()]
    columns = ", ".join(map(quote, TABLES["findings"].schema))
    rest = f"FROM ({catalog.scan('findings', files=remove)}) ANTI JOIN out USING (filename, file_row_number)"
    add = write(connection, f"SELECT {columns} {rest} UNION ALL {fresh}", folder / "findings")
    if add or remove:
        catalog.commit("findings", add=add, remove=remove)


def _rows(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    found = connection.execute(f"SELECT count(*) FROM read_parquet({literal(str(path))})").fetchall()
    return int(found[0][0])
