"""The re-run: of what changed since the last assessment, what was counted before is taken off and what is now added.

The same SQL judges the entities concerned twice, over the rows as they were and as they are. What can't be bounded (a
check, a level's other tables) is judged anew as a whole (docs/decisions/0008-assessment-is-counted-incrementally.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from fonds.assess import changed, memory, passes
from fonds.assess.compile import Vocabularies
from fonds.assess.definition import Check
from fonds.assess.memory import Memory
from fonds.assess.passes import Part
from fonds.assess.vocabulary import LEVELS
from fonds.catalog.schema import TABLES
from fonds.catalog.store import Catalog, quote

MOST = 0.2
"""share of the rows that may have changed; beyond it everything is judged anew"""


@dataclass(slots=True)
class Again:
    """What a re-run found."""

    anew: tuple[str, ...]
    """ids of checks judged as a whole; what they found before no longer counts, like that of checks that are gone"""
    before: list[Part] = field(default_factory=list)
    after: list[Part] = field(default_factory=list)
    broken: tuple[str, ...] = ()
    rows: int = 0
    """how many rows differ"""


def rerun(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    checks: Sequence[Check],
    vocabularies: Vocabularies,
    *,
    last: Memory,
    now: Memory,
    folder: Path,
) -> Again | None:
    """Judge what changed from `last` to `now`; None when everything has to be judged anew."""
    moved = {name for name in memory.READ if last.read.get(name) != now.read.get(name)}
    whole = {level for level in LEVELS if _unbounded(connection, catalog, level, moved, last)}
    anew = [c for c in checks if c.level in whole or last.checks.get(c.id) != now.checks[c.id]]
    rest = [c for c in checks if c not in anew]
    again = Again(tuple(check.id for check in anew))
    if rest and moved:
        rows = _differ(connection, catalog, rest, vocabularies, (last, now))
        most = MOST * changed.number(connection, "SELECT count(*) FROM instances")
        if rows is None or last.changed + rows > most:
            return None
        again.rows = rows
        for level in dict.fromkeys(check.level for check in rest):
            if memory.reads(level) & moved:
                ours = [check for check in rest if check.level == level]
                if not _restricted(connection, catalog, ours, vocabularies, last=last, folder=folder, again=again):
                    return None
    outcome = passes.run(connection, anew, vocabularies, folder / "anew")
    again.after += outcome.parts
    again.broken = outcome.broken
    return again


def _unbounded(
    connection: duckdb.DuckDBPyConnection, catalog: Catalog, level: str, moved: set[str], last: Memory
) -> bool:
    """Whether a level has to be judged as a whole: a table changed whose rows' reach nothing says."""
    place, reads = LEVELS[level], memory.reads(level)
    if not place.touches:
        return bool(reads & moved)
    bounded = {"instances", *place.told_by, *(() if place.keys else ("unreadable",))}
    if reads & moved - bounded:
        return True
    if "drift" not in place.told_by or "drift" not in moved:
        return False
    # a source with drift at all is another source: its studies are compared with an index
    sources = f"SELECT DISTINCT source FROM ({_old(catalog, 'drift', last)})"
    both = f"({sources} EXCEPT SELECT source FROM drift) UNION ALL (SELECT source FROM drift EXCEPT {sources})"
    return changed.number(connection, f"SELECT count(*) FROM ({both})") > 0


def _differ(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    checks: Sequence[Check],
    vocabularies: Vocabularies,
    states: tuple[Memory, Memory],
) -> int | None:
    """Tables of the rows that went and came; returns how many, None when that can't be told any more."""
    columns = {
        "instances": list(_columns(connection, checks, vocabularies)),
        "unreadable": ["size", "mtime_ns", "reason"],
    }
    found = [
        changed.difference(connection, catalog, table, (states[0].read.get(table), states[1].read.get(table)), names)
        for table, names in columns.items()
    ]
    return None if None in found else sum(rows for rows in found if rows is not None)


def _restricted(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    checks: Sequence[Check],
    vocabularies: Vocabularies,
    *,
    last: Memory,
    folder: Path,
    again: Again,
) -> bool:
    """Judge the entities of one level that changed rows reach, as they were and as they are; False where SQL fails."""
    level = checks[0].level
    place, columns = LEVELS[level], _columns(connection, checks, vocabularies)
    if not place.keys and len(place.touches) == 1:
        told = [_news(catalog, level, table, last) for table in place.told_by]
        schemas, only = changed.bare_worlds(connection, columns, folder, told), ""
    else:
        kept = folder.parent / "touched" / level
        changed.write_keys(connection, level, "come_instances", kept / f"{len(list(kept.glob('*.parquet')))}.parquet")
        news = {table: _news(catalog, level, table, last) for table in place.told_by}
        changed.reach(connection, level, sorted(kept.glob("*.parquet")), news)
        schemas, only = changed.worlds(connection, level, columns, folder), changed.among(level)
    for table in place.told_by:
        connection.execute(f"CREATE OR REPLACE VIEW {schemas[0]}.{table} AS {_old(catalog, table, last)}")
    for schema, parts in zip(schemas, (again.before, again.after), strict=True):
        outcome = passes.run(connection, checks, vocabularies, folder / schema, schema=schema, only=only)
        parts.extend(outcome.parts)
        if outcome.broken:
            return False
    return True


def _news(catalog: Catalog, level: str, table: str, last: Memory) -> str:
    """SELECT of what another table's changed rows tell a level by: its own expressions over them."""
    left, _ = LEVELS[level].told_by[table]
    old, new = _old(catalog, table, last), f"SELECT * FROM main.{table}"
    return f"SELECT {', '.join(left)} FROM (({old} EXCEPT {new}) UNION ALL ({new} EXCEPT {old}))"


def _old(catalog: Catalog, table: str, last: Memory) -> str:
    version = last.read.get(table)
    files = catalog.files(table, version) if version is not None else []
    columns = ", ".join(quote(name) for name in TABLES[table].schema)
    return f"SELECT {columns} FROM ({catalog.scan(table, files=files)})"


def _columns(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], vocabularies: Vocabularies
) -> dict[str, str]:
    """What checks and the keys of their levels look at."""
    return passes.columns_of(connection, checks, vocabularies, changed.words(sorted({c.level for c in checks})))
