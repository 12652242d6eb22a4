"""What differs between two versions of the catalog: only Parquet files that one of them lacks are read."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog import schema
from fonds.catalog.store import Catalog, literal, quote

TABLES = ("instances", "unreadable", "entries")
SCHEMA = {
    "source": pl.String(),
    "change": pl.String(),
    "location": pl.String(),
    "record": pl.Int64(),
    "before": pl.String(),
    "after": pl.String(),
    "attributes": pl.List(pl.String()),
}
_MEMORY = "512MB"
# a file that becomes readable, or stops to be so, is one object that changed
_MERGED = """
SELECT source, CASE WHEN count(*) > 1 THEN 'changed' ELSE any_value(change) END AS change, location, record,
    max(before) AS before, max(after) AS after,
    CASE WHEN count(*) > 1 THEN ['table'] ELSE any_value(attributes) END AS attributes
FROM differing GROUP BY source, location, record ORDER BY source, location, record
"""


def differences(
    catalog: Catalog, before: Mapping[str, int], after: Mapping[str, int], source: str | None = None
) -> pl.DataFrame:
    """One row for each object or entry that was added, removed or changed from `before` to `after` (table versions).

    `before` and `after` name the table it stands in, `attributes` the columns that differ when it was changed;
    `record` is 0 for objects.
    """
    where = "" if source is None else f" WHERE source = {literal(source)}"
    with tempfile.TemporaryDirectory(prefix="fonds-diff-") as spill, duckdb.connect(":memory:") as connection:
        connection.execute(
            f"SET enable_progress_bar = false; SET memory_limit = '{_MEMORY}'; SET preserve_insertion_order = false; "
            f"SET temp_directory = {literal(spill)}"
        )
        parts = []
        for name in TABLES:
            old, new = _only(catalog, name, before, after)
            connection.execute(f"CREATE VIEW old_{name} AS SELECT * FROM ({catalog.scan(name, files=old)}){where}")
            connection.execute(f"CREATE VIEW new_{name} AS SELECT * FROM ({catalog.scan(name, files=new)}){where}")
            if old or new:
                parts.append(_of_table(catalog, name))
        if not parts:
            return pl.DataFrame(schema=SCHEMA)
        connection.execute(f"CREATE TEMP TABLE differing AS {' UNION ALL '.join(parts)}")
        return connection.sql(_MERGED).pl().select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def _only(
    catalog: Catalog, name: str, before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[list[Path], list[Path]]:
    """Files of the one version and of the other that they don't share: those they share hold the same rows."""
    old = set(catalog.files(name, before[name])) if name in before else set[Path]()
    new = set(catalog.files(name, after[name])) if name in after else set[Path]()
    return sorted(old - new), sorted(new - old)


def _of_table(catalog: Catalog, name: str) -> str:
    table = schema.table(catalog.project, name)
    record = "record" if "record" in table.key else "0 AS record"
    columns = [column for column in table.schema if column not in table.key]
    print_ = f"hash({', '.join(map(quote, columns))}) AS print"
    old = f"SELECT source, location, {record}, {print_} FROM old_{name}"
    new = f"SELECT source, location, {record}, {print_} FROM new_{name}"
    key = ", ".join(table.key)
    which = ", ".join(
        f"CASE WHEN o.{quote(column)} IS DISTINCT FROM n.{quote(column)} THEN {literal(column)} END"
        for column in columns
    )
    picked = "o.record" if "record" in table.key else "0"
    nothing = "NULL::VARCHAR[]"
    one, other = literal(name), "NULL::VARCHAR"
    # the prints say which rows differ, so that all columns of these only are laid side by side
    return (
        f"SELECT source, 'added' AS change, location, record, {other} AS before, {one} AS after, "
        f"{nothing} AS attributes "
        f"FROM ({new}) ANTI JOIN ({old}) USING (source, location, record) UNION ALL "
        f"SELECT source, 'removed', location, record, {one}, {other}, {nothing} "
        f"FROM ({old}) ANTI JOIN ({new}) USING (source, location, record) UNION ALL "
        f"SELECT o.source, 'changed', o.location, {picked}, {one}, {one}, "
        f"list_filter([{which}], lambda word: word IS NOT NULL) "
        f"FROM old_{name} o JOIN new_{name} n USING ({key}) "
        f"WHERE (o.source, o.location, {picked}) IN (SELECT (a.source, a.location, a.record) FROM ({old}) a "
        f"JOIN ({new}) b USING (source, location, record) WHERE a.print <> b.print)"
    )
