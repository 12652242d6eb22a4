"""Reads one feed into the rows of `feed_patients` and `feed_merges`, in Parquet files; says what couldn't be read."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from fonds.catalog.store import literal
from fonds.feeds.definition import Feed
from fonds.feeds.fhir import to_parsed
from fonds.feeds.macros import NO_SEX, define, statements
from fonds.feeds.table import open_columns, to_rows, unlike

MEMORY = "1GB"
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


@dataclass(frozen=True, slots=True)
class Loaded:
    """A feed as read: its rows in a Parquet file for each table of the catalog, and what was met."""

    files: dict[str, Path]
    notes: Notes


def check(feed: Feed, files: dict[str, list[Path]]) -> list[str]:
    """Look whether the files' columns are those the feed needs; which others may be called wrongly.

    Raises ArchiveUnreachable for a file that can't be read, DefinitionInvalid for columns that aren't there.
    """
    doubtful = []
    with tempfile.TemporaryDirectory(prefix="fonds-feed-") as name, _connect(Path(name)) as connection:
        for kind, of_kind in files.items():
            if kind == "merges" or feed.settings.format != "fhir":
                table, columns = open_columns(connection, feed, kind, of_kind, Path(name), headings=True)
                doubtful += unlike(columns, table)
    return doubtful


def read(feed: Feed, files: dict[str, list[Path]], out: Path) -> Loaded:
    """Read a feed's files; `out` is the folder its rows are written to. Raises like `check`."""
    notes, written = Notes(), {}
    with tempfile.TemporaryDirectory(prefix="fonds-feed-") as name, _connect(Path(name)) as connection:
        _run(connection, "events")
        if feed.settings.format == "fhir":
            _fhir(connection, feed, files["patients"], Path(name), notes)
        else:
            _table(connection, feed, "patients", files["patients"], Path(name), notes=notes)
        if "merges" in files:
            _table(connection, feed, "merges", files["merges"], Path(name), notes=notes)
        notes.doubtful += _values(connection)
        _run(connection, "resolve")
        for table in ("feed_patients", "feed_merges"):
            written[table] = out / f"{table}.parquet"
            connection.execute(
                f"COPY (SELECT {literal(feed.name)} AS feed, * FROM {table}) TO {literal(str(written[table]))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
    return Loaded(written, notes)


def _fhir(connection: duckdb.DuckDBPyConnection, feed: Feed, files: list[Path], folder: Path, notes: Notes) -> None:
    define(connection, feed, partial=False)
    notes.unreadable, notes.broken = to_parsed(connection, files, folder)
    if others := _one(
        connection, "SELECT count(*) FROM parsed WHERE coalesce(p.resourceType, '') NOT IN ('Patient', 'Bundle')"
    ):
        notes.doubtful.append(f"{others} resource(s) are no Patient and are not read")
    notes.rows = _one(connection, "SELECT count(*) FROM parsed WHERE p.resourceType = 'Patient'") + notes.unreadable
    _run(connection, "fhir")
    if nameless := _one(connection, "SELECT count(*) FROM people WHERE patient_id IS NULL"):
        notes.broken.append(f"{nameless} Patient(s) have no identifier and are left out")
        notes.unreadable += nameless
    if lost := _one(connection, "SELECT count(*) FROM linked WHERE other_id IS NULL"):
        notes.doubtful.append(f"{lost} link(s) name a Patient that the feed doesn't have, or that has no identifier")
    connection.execute("DROP TABLE parsed; DROP TABLE people")


def _table(
    connection: duckdb.DuckDBPyConnection, feed: Feed, kind: str, files: list[Path], folder: Path, *, notes: Notes
) -> None:
    table, columns = open_columns(connection, feed, kind, files, folder, headings=False)
    if kind == "patients":
        define(connection, feed, partial="event" in columns)
    # merges of this table and those the patients' events tell are one history: without a time, these come last
    to_rows(connection, feed, kind, columns, start=notes.rows)
    _run(connection, "rows")
    _incomplete(connection, table.title, notes)
    _run(connection, "merging")
    if kind == "patients":
        _run(connection, "upserts")
    notes.rows += _one(connection, "SELECT count(*) FROM rows")
    notes.broken += [table.problem] if table.problem else []
    notes.doubtful += unlike(columns, table)


def _incomplete(connection: duckdb.DuckDBPyConnection, title: str, notes: Notes) -> None:
    """Rows that say nothing: told by their number."""
    for what, condition in (
        ("name no patient and are left out", "len(ids) = 0 AND kind NOT IN ('unmerge', '?')"),
        ("name no identifier that was merged", "len(retired) = 0 AND kind IN ('merge', 'unmerge') AND len(ids) > 0"),
        ("are of an event that isn't known and are left out", "kind = '?'"),
    ):
        found, first = connection.execute(
            f"SELECT count(*), list(seq - {notes.rows} ORDER BY seq)[:{_SHOWN}] FROM read_rows WHERE {condition}"
        ).fetchall()[0]
        if found:
            rows = ", ".join(map(str, first)) + (", …" if found > _SHOWN else "")
            notes.broken.append(f"{title}: {found} row(s) {what} (row {rows})")
            notes.unreadable += found


def _values(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Values that aren't what they should be; they are kept, or count as unknown."""
    told = []
    dates = "PatientBirthDate <> '' AND NOT regexp_full_match(PatientBirthDate, '\\d{8}|\\d{4}(-?\\d{2})?')"
    if found := _one(connection, f"SELECT count(*) FROM told WHERE {dates}"):
        told.append(f"{found} birth date(s) can't be read and are kept as told; see `dates` of the mapping")
    if found := _one(connection, f"SELECT count(*) FROM told WHERE PatientSex = '{NO_SEX}'"):
        told.append(f"{found} code(s) of sex aren't known and count as not told; see `sex` of the mapping")
    connection.execute(f"UPDATE told SET PatientSex = '' WHERE PatientSex = '{NO_SEX}'")
    return told


def _run(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    for statement in statements(name):
        connection.execute(statement)


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _connect(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute(
        f"SET enable_progress_bar = false; SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY}'; "
        # what doesn't fit into memory goes there, and with the folder
        f"SET temp_directory = {literal(str(folder))}"
    )
    return connection
