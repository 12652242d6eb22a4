"""What is met while a feed is read, told without a value of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import duckdb

_SHOWN = 5


@dataclass(slots=True)
class Notes:
    """What was met while reading a feed: how many rows, how many of them are left out, what a person should know."""

    rows: int = 0
    unreadable: int = 0
    broken: list[str] = field(default_factory=list)
    """what is left out, and why"""
    doubtful: list[str] = field(default_factory=list)
    """what is taken as it is, or isn't taken, and perhaps should be otherwise"""

    def leave_out(
        self, connection: duckdb.DuckDBPyConnection, title: str, what: str, rows: str, *, start: int = 0
    ) -> None:
        """Note rows of the table `title` that are left out; `rows` has `seq`, counted on from `start`."""
        found, first = connection.execute(
            f"SELECT count(*), list(seq - {start} ORDER BY seq)[:{_SHOWN}] FROM {rows}"
        ).fetchall()[0]
        if found:
            numbers = ", ".join(map(str, first)) + (", …" if found > _SHOWN else "")
            self.broken.append(f"{title}: {found} row(s) {what} (row {numbers})")
            self.unreadable += found

    def doubt(self, connection: duckdb.DuckDBPyConnection, what: str, rows: str, *, title: str = "") -> None:
        """Note what a person should look at, when there are such `rows` (a relation); `what` follows their number."""
        if found := counted(connection, rows):
            self.doubtful.append(f"{title}: {found} {what}" if title else f"{found} {what}")


def counted(connection: duckdb.DuckDBPyConnection, rows: str) -> int:
    """How many rows a relation has."""
    return int(connection.execute(f"SELECT count(*) FROM {rows}").fetchall()[0][0])
