"""Puts fresh rows of one source in place of others, set at a time: what is the same stays, one commit a table."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from fonds.catalog import schema
from fonds.catalog.store import Catalog, literal, quote
from fonds.crawl.shard import Kind
from fonds.errors import CatalogInvalid

MEMORY = "384MB"
ROW_GROUP = 16_384
ROW_GROUPS_A_FILE = 4
SMALL_ROWS = 8_192
MANY_SMALL = 32
"""files of fewer than `SMALL_ROWS` rows a table may have, before they are written together"""
_COPY = (
    f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROW_GROUP}, "
    f"ROW_GROUPS_PER_FILE {ROW_GROUPS_A_FILE})"
)


def workspace(folder: Path) -> duckdb.DuckDBPyConnection:
    """A DuckDB that takes little memory and spills into `folder`; the caller closes it."""
    connection = duckdb.connect(":memory:")
    lean(connection, folder)
    return connection


def lean(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make a connection take little memory and spill into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    connection.execute(
        f"SET enable_progress_bar = false; SET memory_limit = '{MEMORY}'; SET preserve_insertion_order = false; "
        f"SET temp_directory = {literal(str(folder))}; SET threads = {min(4, len(os.sched_getaffinity(0)))}"
    )


class Replacement:
    """One table of one source: which rows go, and which come."""

    def __init__(self, catalog: Catalog, connection: duckdb.DuckDBPyConnection, kind: Kind, folder: Path) -> None:
        self.catalog, self.connection, self.kind, self.folder = catalog, connection, kind, folder
        self.table = schema.table(catalog.project, kind)
        self.columns = ", ".join(quote(name) for name in self.table.schema)
        self.key = ", ".join(name for name in self.table.key if name != "source")

    def go(self, *, gone: str, fresh: str, parts: Sequence[Path] = ()) -> bool:
        """Commit when anything differs; returns whether it did.

        `gone` selects filename and file_row_number of rows that go, `fresh` all columns of the rows that come, which
        are those of `parts` when any are given. A row that comes as it goes stays where it is.
        """
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE gone AS {gone}")
        self.connection.execute(f"CREATE OR REPLACE TEMP VIEW fresh AS {fresh}")
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE same AS SELECT {self.key} FROM fresh WHERE false")
        coming = self._number("SELECT count(*) FROM fresh")
        if coming:
            doubles = self._number(f"SELECT count(*) - count(DISTINCT ({self.key})) FROM fresh")
            if doubles:
                raise CatalogInvalid(f"table {self.kind}: {doubles} row(s) repeat the key {self.table.key}")
            same = self._leave_what_is_the_same()
            coming -= same
            parts = () if same else parts
        if not coming and not self._number("SELECT count(*) FROM gone"):
            return False
        self._commit(coming, parts)
        return True

    def _leave_what_is_the_same(self) -> int:
        affected = self._affected()
        if not affected:
            return 0
        prints = f"hash({self.columns})"
        old = self.catalog.scan(self.kind, files=affected)
        self.connection.execute(
            f"CREATE OR REPLACE TEMP TABLE same AS WITH old AS (SELECT filename, file_row_number, {self.key}, "
            f"{prints} AS print FROM ({old}) SEMI JOIN gone USING (filename, file_row_number)), "
            f"new AS (SELECT {self.key}, {prints} AS print FROM fresh) "
            f"SELECT old.* EXCLUDE (print) FROM old SEMI JOIN new USING ({self.key}, print)"
        )
        same = self._number("SELECT count(*) FROM same")
        if same:
            self.connection.execute(
                "DELETE FROM gone USING same WHERE gone.filename = same.filename "
                "AND gone.file_row_number = same.file_row_number"
            )
        return same

    def _commit(self, coming: int, parts: Sequence[Path]) -> None:
        remove = self._affected()
        queries, rows = [], 0
        if remove:
            rest = f"SELECT * FROM ({self.catalog.scan(self.kind, files=remove)})"
            queries.append(f"SELECT {self.columns} FROM ({rest}) ANTI JOIN gone USING (filename, file_row_number)")
            rows += sum(map(_rows, remove)) - self._number("SELECT count(*) FROM gone")
        add = list(parts)
        if coming and not parts:
            queries.append(f"SELECT {self.columns} FROM fresh ANTI JOIN same USING ({self.key})")
            rows += coming
        small = [path for path in self.catalog.files(self.kind) if path not in remove and _rows(path) < SMALL_ROWS]
        slim = [path for path in add if _rows(path) < SMALL_ROWS]
        if len(small) + len(slim) > MANY_SMALL:
            together = self.catalog.scan(self.kind, files=[*small, *slim])
            queries.append(f"SELECT {self.columns} FROM ({together})")
            rows += sum(map(_rows, (*small, *slim)))
            remove = [*remove, *small]
            add = [path for path in add if path not in slim]
        self.catalog.commit(self.kind, add=[*add, *self._written(queries, rows)], remove=remove)

    def _written(self, queries: list[str], rows: int) -> list[Path]:
        folder = self.folder / f"written-{self.kind}"
        shutil.rmtree(folder, ignore_errors=True)
        if not rows:
            return []
        self.connection.execute(f"COPY ({' UNION ALL '.join(queries)}) TO {literal(str(folder))} {_COPY}")
        return sorted(path for path in folder.glob("*.parquet") if _rows(path))

    def _affected(self) -> list[Path]:
        found = self.connection.execute("SELECT DISTINCT filename FROM gone ORDER BY 1").fetchall()
        return [Path(name) for (name,) in found]

    def _number(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])


def _rows(path: Path) -> int:
    return int(pq.read_metadata(path).num_rows)
