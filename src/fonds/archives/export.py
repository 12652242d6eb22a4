"""A table exported from a legacy archive's database, as an index: read and mapped by DuckDB, level by level."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from fonds.archives.base import Batch, Memory
from fonds.archives.export_mapping import (
    LEVELS,
    UIDS,
    FilePath,
    LevelMapping,
    LevelName,
    Mapped,
    load_mapping,
    representation,
)
from fonds.catalog.store import literal, quote
from fonds.errors import ArchiveUnreachable, DefinitionInvalid
from fonds.tabular.columns import Column, plain
from fonds.tabular.tables import Table, open_table

__all__ = ["ExportIndex", "load_mapping"]

ROWS = 100_000
MEMORY = "512MB"
_Value = Callable[[str], str]


class ExportIndex:
    """One export: a file, or a folder of files, and the mapping that says what its columns are."""

    def __init__(self, name: str, path: Path, mapping: Mapped) -> None:
        self.name, self.path, self.mapped = name, path, mapping

    def check(self) -> None:
        """Every file there, with the columns the mapping names.

        Raises ArchiveUnreachable for a file that isn't there, DefinitionInvalid for columns it doesn't have.
        """
        with tempfile.TemporaryDirectory(prefix="fonds-export-") as folder, _connect(Path(folder)) as connection:
            tables = self._tables(connection, Path(folder), headings=True)
            self._columns_there(tables)

    def batches(self, memory: Memory) -> Iterator[Batch]:
        """All levels the mapping has, the study first; raises like `check`.

        An export is read anew each time: that takes less than asking what was read before, so `memory` isn't asked.
        """
        # on disk, and copies are gone with the folder: an export of millions of rows needn't fit into memory
        with tempfile.TemporaryDirectory(prefix="fonds-export-") as folder, _connect(Path(folder)) as connection:
            tables = self._tables(connection, Path(folder), headings=False)
            self._columns_there(tables)
            problems = [table.problem for table in tables.values()]
            for level, given in self.mapped.mapping.levels.items():
                yield from _level(connection, self.mapped, level, tables[given.file], problems)
                problems = []

    def _tables(self, connection: duckdb.DuckDBPyConnection, folder: Path, *, headings: bool) -> dict[str, Table]:
        owner, form = f"source {self.name}", self.mapped.mapping.csv
        tables = {}
        for name, pattern in self.mapped.mapping.files.items():
            files = self._files(pattern)
            title = pattern if len(files) > 1 else files[0].name
            tables[name] = open_table(
                connection, name, files, form, owner=owner, title=title, folder=folder, headings=headings
            )
        return tables

    def _files(self, pattern: str) -> list[Path]:
        path = self.path
        files = [path] if path.is_file() else sorted(path.glob(pattern)) if path.is_dir() else []
        if not files:
            what = f"no file {pattern} in the export" if path.is_dir() else "the export isn't there"
            raise ArchiveUnreachable(f"source {self.name}: {what}; look at `path` in fonds.yaml", source=self.name)
        return files

    def _columns_there(self, tables: dict[str, Table]) -> None:
        mistakes = []
        lines = self.mapped.file.read_text(encoding="utf-8").splitlines()
        for level, mapped in self.mapped.mapping.levels.items():
            for reference in _references(mapped):
                file, column = _resolved(reference, mapped)
                if column not in tables[file].columns:
                    line = next((number for number, text in enumerate(lines, 1) if reference in text), None)
                    there = ", ".join(tables[file].columns)
                    mistakes.append((line, f"{level}: {tables[file].title} has no column {column}; it has: {there}"))
        if mistakes:
            raise DefinitionInvalid(str(self.mapped.file), list(dict.fromkeys(mistakes)))


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(folder / "export.duckdb"))
    connection.execute(f"SET enable_progress_bar = false; SET memory_limit = '{MEMORY}'")
    return connection


def _references(mapped: LevelMapping) -> list[str]:
    named = [reference for column in mapped.taken().values() for reference in column.references()]
    named += [mapped.path.column] if mapped.path is not None else []
    for join in mapped.joins:
        named += [*join.on, *(f"{join.file}.{column}" for column in join.on.values())]
    return named


def _resolved(reference: str, mapped: LevelMapping) -> tuple[str, str]:
    """(file, column) of a reference: `column` of the level's own file, or `file.column` of a joined one."""
    file, dot, column = reference.partition(".")
    if dot and file in (mapped.file, *(join.file for join in mapped.joins)):
        return file, column
    return mapped.file, reference


def _level(
    connection: duckdb.DuckDBPyConnection, mapped: Mapped, level: LevelName, table: Table, problems: list[str]
) -> Iterator[Batch]:
    connection.execute(f"CREATE OR REPLACE TABLE mapped AS {_rows_sql(mapped, level)}")
    problem = "; ".join(text for text in problems if text) or None
    connection.execute(_ENTRIES.format(level=literal(level.upper()), title=literal(table.title)))
    size, mtime_ns = table.size, table.mtime_ns
    (height,) = connection.execute("SELECT count(*) FROM told").fetchall()[0]
    for start in range(0, max(height, 1), ROWS):
        rows = connection.sql(
            f"SELECT * EXCLUDE (number), {size} AS size, {mtime_ns} AS mtime_ns FROM told "
            f"WHERE number >= {start} AND number < {start + ROWS} ORDER BY number"
        ).pl()
        last = start + ROWS >= height
        if rows.height or problem:
            yield Batch(f"{level} {start // ROWS}", rows, problem if last else None)


# one entity may stand in many rows (a flat table) and must say the same in each: what differs is an answer of its own
_ENTRIES = """
CREATE OR REPLACE TABLE told AS
SELECT row_number() OVER (ORDER BY location, record) - 1 AS number, *
FROM (
    SELECT location, row_number() OVER (PARTITION BY location ORDER BY attributes, note, referenced_file) - 1 AS record,
        'export' AS origin, {level} AS level, study_uid, series_uid, sop_uid, referenced_file, attributes,
        nullif(concat_ws(', ', note, CASE WHEN count(*) OVER (PARTITION BY location) > 1 THEN 'answered-twice' END), '')
            AS note
    FROM (
        -- a row without its UIDs is an entry, too: nobody finds out otherwise that it is there
        SELECT DISTINCT CASE WHEN complete THEN concat_ws('/', study_uid, series_uid, sop_uid)
            ELSE concat({title}, ' row ', row) END AS location, study_uid, series_uid, sop_uid,
            referenced_file, attributes, note
        FROM mapped
    )
)
"""


def _rows_sql(mapped: Mapped, level: LevelName) -> str:
    """One row a row of the export: its UIDs, attributes as JSON, and what couldn't be mapped."""
    given = mapped.mapping.levels[level]

    def value(reference: str) -> str:
        file, column = _resolved(reference, given)
        return plain(f"{quote(file)}.{quote(column)}", mapped.mapping.nulls)

    taken = given.taken()
    raw = {word: column.sql(value) for word, column in taken.items()}
    uids = [UIDS[above] for above in LEVELS[: LEVELS.index(level) + 1]]
    read = {word: _read(mapped, word, taken[word], f"r.{quote(word)}") for word in sorted(taken) if word not in uids}
    pairs = ", ".join(f"{literal(word)}, {sql}" for word, sql in read.items())
    dated = [word for word in read if representation(word) in ("DA", "TM")]
    unread = ", ".join(
        f"CASE WHEN r.{quote(word)} <> '' AND {read[word]} IS NULL THEN {literal(word)} END" for word in dated
    )
    file = quote(given.file)
    selected = ", ".join(f"{sql} AS {quote(word)}" for word, sql in raw.items())
    path = _path(given.path, value) if given.path is not None else "NULL::VARCHAR"
    joins = " ".join(
        f"LEFT JOIN {quote(join.file)} ON "
        + " AND ".join(
            f"{value(ours)} <> '' AND {value(ours)} = {value(f'{join.file}.{theirs}')}"
            for ours, theirs in join.on.items()
        )
        for join in given.joins
    )
    keys = ["study_uid", "series_uid", "sop_uid"]
    named = [f"nullif(r.{quote(word)}, '') AS {key}" for word, key in zip(uids, keys, strict=False)]
    named += [f"NULL::VARCHAR AS {key}" for key in keys[len(uids) :]]
    complete = " AND ".join(f"r.{quote(word)} <> ''" for word in uids)
    strange = " OR ".join(f"NOT regexp_full_match(r.{quote(word)}, '[0-9.]{{1,64}}')" for word in uids)
    return f"""
WITH r AS (SELECT {file}."fonds:row" AS row, {selected}, {path} AS referenced_file FROM {file} {joins}),
found AS (
    SELECT row, {", ".join(named)}, nullif(referenced_file, '') AS referenced_file, {complete} AS complete,
        {strange} AS strange, json_merge_patch('{{}}', json_object({pairs}))::VARCHAR AS attributes,
        list_filter([{unread or "NULL::VARCHAR"}], lambda word: word IS NOT NULL) AS unread
    FROM r
)
SELECT *, nullif(concat_ws(', ', CASE WHEN NOT complete THEN 'uid-missing' WHEN strange THEN 'uid-invalid' END,
    CASE WHEN len(unread) > 0 THEN 'not-readable: ' || array_to_string(unread, ' ') END), '') AS note
FROM found"""


def _read(mapped: Mapped, word: str, column: Column, value: str) -> str:
    """A date as YYYYMMDD, a time as HHMMSS or HHMMSS.FFFFFF (PS3.5 6.2), NULL when it is none; else the text."""
    kind = representation(word)
    if kind not in ("DA", "TM"):
        return value
    formats = column.formats or (mapped.mapping.dates if kind == "DA" else mapped.mapping.times)
    parsed = f"try_strptime({value}, [{', '.join(literal(one) for one in formats)}])"
    written = (
        f"strftime({parsed}, '%Y%m%d')" if kind == "DA" else f"replace(strftime({parsed}, '%H%M%S.%f'), '.000000', '')"
    )
    return f"CASE WHEN {value} = '' THEN '' ELSE {written} END"


def _path(given: FilePath, value: _Value) -> str:
    slashed = f"replace({value(given.column)}, '\\', '/')"
    before = given.remove.replace("\\", "/")
    begins = f"starts_with(lower({slashed}), lower({literal(before)}))"
    return f"CASE WHEN {begins} THEN substr({slashed}, {len(before) + 1}) ELSE {slashed} END"
