"""The queue: which pairs people are asked about, in which order, and how far the labelled sample is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import duckdb

from fonds.desk.reading import rows

PAGE = 50
State = Literal["open", "sample", "decided", "all"]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which pairs of the queue are shown."""

    source: str = ""
    state: State = "open"

    @property
    def query(self) -> str:
        """The filter as the query of an address."""
        return urlencode({"source": self.source, "state": self.state})


def page(cursor: duckdb.DuckDBPyConnection, chosen: Filter, number: int) -> tuple[list[dict[str, Any]], int]:
    """One page of the queue and how many pairs there are in all."""
    found = _queue(cursor, chosen, wanted=PAGE, skipped=PAGE * (number - 1))
    return found, found[0]["total"] if found else 0


def neighbour(
    cursor: duckdb.DuckDBPyConnection, chosen: Filter, pair: dict[str, Any], *, backwards: bool = False
) -> str | None:
    """The address of the pair behind (or before) this one in the queue; None at its end."""
    found = _queue(cursor, chosen, wanted=1, after=pair, backwards=backwards)
    return f"/pairs/{found[0]['record_a']}/{found[0]['record_b']}" if found else None


def progress(cursor: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """`drawn` pairs of the sample, of which so many are `labelled`."""
    found: dict[str, int] = rows(cursor, "sample", {})[0]
    return found


def sources(cursor: duckdb.DuckDBPyConnection, archives: list[str]) -> list[str]:
    """Where records come from: the archives, then the feeds."""
    feeds = [row["source"] for row in rows(cursor, "feeds", {})]
    return [*archives, *(name for name in feeds if name not in archives)]


def _queue(
    cursor: duckdb.DuckDBPyConnection,
    chosen: Filter,
    *,
    wanted: int,
    skipped: int = 0,
    after: dict[str, Any] | None = None,
    backwards: bool = False,
) -> list[dict[str, Any]]:
    place = None
    if after:
        place = after["shuffled"] if chosen.state == "sample" else -after["worth"]
    parameters = {
        "source": chosen.source,
        "state": chosen.state,
        "after": place,
        "after_a": after["record_a"] if after else None,
        "after_b": after["record_b"] if after else None,
        "backwards": backwards,
        "wanted": wanted,
        "skipped": skipped,
    }
    return rows(cursor, "queue", parameters)
