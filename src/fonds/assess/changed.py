"""What a re-run has to judge: the rows that differ between two versions of the catalog, and the entities they reach.

The keys by which entities reach each other (Level.touches) are kept as hashes in catalog/assess/touched, one row for
each distinct combination: two of equal hash are judged once too often, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from fonds.assess.passes import OF_AN_OBJECT
from fonds.assess.vocabulary import LEVELS, Level
from fonds.catalog.store import Catalog, literal, quote

STUDY = "hash(coalesce(StudyInstanceUID, ''))"


def difference(
    connection: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    table: str,
    versions: tuple[int | None, int | None],
    columns: Sequence[str],
) -> int | None:
    """Tables `gone_TABLE` and `come_TABLE`: rows of the first version that the second lacks, and the other way round.

    Only files are read that one of both lacks, and only these columns are compared. Returns how many rows there are;
    None when files of the first version are gone.
    """
    old, new = (set(catalog.files(table, version)) if version is not None else set() for version in versions)
    if not all(path.is_file() for path in old - new):
        return None
    names = ", ".join(map(quote, dict.fromkeys(("source", "location", *columns))))
    sides = {"gone": sorted(old - new), "come": sorted(new - old)}
    for side, files in sides.items():
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE print_{side} AS SELECT filename, file_row_number, source, location, "
            f"hash({names}) AS print FROM ({catalog.scan(table, files=files)})"
        )
    rows = 0
    for side, other in (("gone", "come"), ("come", "gone")):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {side}_{table} AS SELECT {names} "
            f"FROM ({catalog.scan(table, files=sides[side])}) "
            f"SEMI JOIN (FROM print_{side} ANTI JOIN print_{other} USING (source, location, print)) "
            "USING (filename, file_row_number)"
        )
        rows += number(connection, f"SELECT count(*) FROM {side}_{table}")
    return rows


def keys(level: Level) -> str:
    """SQL of a row's hashes: study, entity, and `t_n` for each other way the level's entities reach each other."""
    told = [right for _, right in level.told_by.values()]
    hashes = [_hash(expressions) for expressions in (*level.touches, *told)]
    return ", ".join(
        [f"{STUDY} AS study", f"{hashes[0]} AS entity", *(f"{h} AS t_{n}" for n, h in enumerate(hashes[1:]))]
    )


def among(level: str) -> str:
    """The condition on a level's rows that they belong to `entities_LEVEL`."""
    return f"{_hash(LEVELS[level].touches[0])} IN (SELECT entity FROM temp.entities_{level})"


def words(levels: Sequence[str]) -> str:
    """All expressions the keys of some levels are made of, to look for names of columns in."""
    touching = [keys(LEVELS[level]) for level in levels if LEVELS[level].touches]
    return " ".join(["source location StudyInstanceUID", *touching])


def write_keys(connection: duckdb.DuckDBPyConnection, level: str, rows: str, path: Path) -> None:
    """Keep the keys of some rows (a table's name) in a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # where every row has keys of its own, finding that out costs more than keeping them
    distinct = "" if any(word in keys(LEVELS[level]) for word in OF_AN_OBJECT) else "DISTINCT "
    connection.execute(
        f"COPY (SELECT {distinct}{keys(LEVELS[level])} FROM {rows}) TO {literal(str(path))} (FORMAT parquet)"
    )


def reach(
    connection: duckdb.DuckDBPyConnection, level: str, files: Sequence[Path], told: Mapping[str, str] | None = None
) -> int:
    """Tables `entities_LEVEL` (to judge anew) and `studies_LEVEL` (whose rows that takes); returns how many studies.

    `files` hold the level's keys; `told` are SELECTs of the values that changed rows of other tables tell.
    """
    place = LEVELS[level]
    ways = len(place.touches) - 1
    every = f"read_parquet([{', '.join(literal(str(path)) for path in files)}])"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE moved AS SELECT {keys(place)} FROM "
        "(SELECT * FROM gone_instances UNION ALL SELECT * FROM come_instances)"
    )
    reached = [f"t_{n} IN (SELECT t_{n} FROM moved WHERE t_{n} IS NOT NULL)" for n in range(ways)]
    for n, (table, (left, _)) in enumerate(place.told_by.items(), start=ways):
        if told and table in told:
            values = ", ".join(f"v{which}" for which in range(len(left)))
            reached.append(f"t_{n} IN (SELECT hash({values}) FROM ({told[table]}) news({values}))")
    spread = f" UNION SELECT entity FROM {every} WHERE {' OR '.join(reached)}" if reached else ""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE entities_{level} AS SELECT entity FROM moved{spread}")
    mine = f"entity IN (FROM entities_{level})"
    seen = [mine, *(f"t_{n} IN (SELECT t_{n} FROM {every} WHERE {mine} AND t_{n} IS NOT NULL)" for n in range(ways))]
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE studies_{level} AS SELECT DISTINCT study FROM {every} WHERE {' OR '.join(seen)}"
    )
    return number(connection, f"SELECT count(*) FROM studies_{level}")


def worlds(
    connection: duckdb.DuckDBPyConnection, level: str, columns: Mapping[str, str], folder: Path
) -> tuple[str, str]:
    """Two schemas, before and after, whose `instances` hold what judging `entities_LEVEL` takes: their names."""
    names = ", ".join(map(quote, columns))
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE wanted AS SELECT DISTINCT StudyInstanceUID FROM instances "
        f"WHERE {STUDY} IN (FROM studies_{level})"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE rows_{level} AS SELECT {names} FROM instances "
        f"SEMI JOIN wanted ON wanted.StudyInstanceUID = instances.StudyInstanceUID UNION ALL SELECT {names} "
        "FROM instances WHERE StudyInstanceUID IS NULL AND EXISTS (FROM wanted WHERE StudyInstanceUID IS NULL)"
    )
    kept = f"SELECT {names} FROM rows_{level} ANTI JOIN come_instances USING (source, location)"
    _world(connection, f"before_{level}", f"{kept} UNION ALL SELECT {names} FROM gone_instances", columns, folder)
    _world(connection, f"after_{level}", f"SELECT {names} FROM rows_{level}", columns, folder)
    return f"before_{level}", f"after_{level}"


def bare_worlds(
    connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], folder: Path, told: Sequence[str] = ()
) -> tuple[str, str]:
    """The same where a row is an entity that depends on no other: the rows that went and those that came.

    `told` are SELECTs of source and location of rows that other tables tell something new of.
    """
    names = ", ".join(map(quote, columns))
    places = " UNION ".join(told) or "SELECT source, location FROM come_instances WHERE false"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE told_instances AS SELECT {names} FROM instances SEMI JOIN ({places}) "
        "USING (source, location) ANTI JOIN come_instances USING (source, location)"
    )
    for schema, side in (("before_instance", "gone"), ("after_instance", "come")):
        rows = f"SELECT {names} FROM {side}_instances UNION ALL FROM told_instances"
        _world(connection, schema, rows, columns, folder)
        connection.execute(f"CREATE OR REPLACE VIEW {schema}.unreadable AS FROM temp.{side}_unreadable")
    return "before_instance", "after_instance"


def number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The whole number a query answers."""
    return int(connection.execute(query).fetchall()[0][0])


def _hash(expressions: Sequence[str]) -> str:
    known = " AND ".join(f"({expression}) IS NOT NULL" for expression in expressions)
    return f"CASE WHEN {known} THEN hash({', '.join(expressions)}) END"


def _world(
    connection: duckdb.DuckDBPyConnection, schema: str, rows: str, columns: Mapping[str, str], folder: Path
) -> None:
    # in Parquet, whose dictionaries let a function run once a value instead of once a row
    path = folder / f"{schema}.parquet"
    connection.execute(f"COPY ({rows}) TO {literal(str(path))} (FORMAT parquet, ROW_GROUP_SIZE 16384)")
    described = connection.execute("DESCRIBE main.instances").fetchall()
    picked = ", ".join(
        quote(name) if name in columns else f"NULL::{kind} AS {quote(name)}" for name, kind, *_ in described
    )
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    connection.execute(
        f"CREATE OR REPLACE VIEW {schema}.instances AS SELECT {picked} FROM read_parquet({literal(str(path))})"
    )
