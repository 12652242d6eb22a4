"""The desk's view of the catalog: one in-memory DuckDB, made anew whenever a stage has published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from fonds.catalog.store import Catalog
from fonds.operations import decisions, runs
from fonds.project.settings import Project

SQL = Path(__file__).parent / "sql"


class Reader:
    """Gives cursors over the current catalog; safe to share between threads."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._stamp: Any = None

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor over the catalog and prepared.sql, with `standing`: the decisions that count now.

        `deduplicated` says up to when decisions are heeded in the table `duplicates`.
        """
        with self._lock:
            stamp = self._published()
            if self._connection is None or stamp != self._stamp:
                # the old connection is only let go: cursors that still read from it keep its database alive
                self._connection, self._stamp = Catalog(self.project).connect(), stamp
                self._connection.execute("CREATE TABLE deduplicated (started VARCHAR)")
                self._connection.execute("INSERT INTO deduplicated VALUES (?)", [_obeyed(self.project)])
                self._connection.execute((SQL / "prepared.sql").read_text(encoding="utf-8"))
            cursor = self._connection.cursor()
        with cursor:
            standing = [decisions.standing(self.project, kind) for kind in decisions.VERDICTS]
            cursor.register("standing", pl.concat(standing).to_arrow())
            yield cursor

    def _published(self) -> Any:
        """What changes with each publication; before the first one, the tables' versions themselves."""
        try:
            state = (self.project.catalog_dir / "catalog.duckdb").stat()
        except FileNotFoundError:
            return Catalog(self.project).versions()
        return (state.st_mtime_ns, state.st_ino)


def _obeyed(project: Project) -> str | None:
    """When the deduplicate stage began last that came to its end."""
    done = runs.runs(project).filter((pl.col("stage") == "deduplicate") & (pl.col("status") != "failed"))
    return done.filter(pl.col("ended").is_not_null())["started"].max()  # type: ignore[return-value]


def rows(
    cursor: duckdb.DuckDBPyConnection, name: str, parameters: dict[str, Any], *, after: str = ""
) -> list[dict[str, Any]]:
    """The answer of desk/sql/NAME.sql as plain rows; `after` is a file that begins what this one ends."""
    query = "".join((SQL / f"{part}.sql").read_text(encoding="utf-8") for part in (after, name) if part)
    return cursor.execute(query, parameters).pl().to_dicts()
