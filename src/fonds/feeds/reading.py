"""Reads one feed into the rows of its tables of the catalog, in Parquet files; says what couldn't be read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from fonds.catalog.store import literal
from fonds.feeds.definition import Feed
from fonds.feeds.examinations import read_examinations
from fonds.feeds.macros import NO_SEX, define, run_sql
from fonds.feeds.notes import Notes, counted
from fonds.feeds.resources import read_resources
from fonds.feeds.table import open_columns, to_rows, unlike

MEMORY = "1GB"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A feed as read: its rows in a Parquet file for each table of the catalog it tells of, and what was met."""

    files: dict[str, Path]
    notes: Notes


def check(feed: Feed, files: dict[str, list[Path]]) -> list[str]:
    """Look whether the files' columns are those the feed needs; which others may be called wrongly.

    Raises ArchiveUnreachable for a file that can't be read, DefinitionInvalid for columns that aren't there.
    """
    doubtful = []
    with _opened() as (connection, folder):
        for kind, of_kind in files.items():
            if kind == "merges" or feed.settings.format != "fhir":
                table, columns = open_columns(connection, feed, kind, of_kind, folder, headings=True)
                doubtful += unlike(kind, columns, table)
    return doubtful


def read(feed: Feed, files: dict[str, list[Path]], out: Path) -> Loaded:
    """Read a feed's files; `out` is the folder its rows are written to. Raises like `check`."""
    loaded = Loaded({}, Notes())
    if feed.settings.format == "fhir":
        with _opened() as (connection, folder):
            run_sql(connection, "events")
            read_resources(
                connection,
                feed,
                {kind: found for kind, found in files.items() if kind != "merges"},
                folder,
                loaded.notes,
            )
            if "patients" in files:
                _patients(connection, feed, files, folder, out=out, loaded=loaded)
            for kind in ("orders", "reports"):
                if kind in files:
                    _write(connection, feed, f"feed_{kind}", loaded, out)
        return loaded
    if "patients" in files:
        with _opened() as (connection, folder):
            run_sql(connection, "events")
            _table(connection, feed, "patients", files["patients"], folder, notes=loaded.notes)
            _patients(connection, feed, files, folder, out=out, loaded=loaded)
    for kind in ("orders", "reports"):
        if kind in files:
            # in a database of its own: what the others took is given back
            with _opened() as (connection, folder):
                read_examinations(connection, feed, kind, files[kind], folder=folder, notes=loaded.notes)
                _write(connection, feed, f"feed_{kind}", loaded, out)
    return loaded


def _patients(
    connection: duckdb.DuckDBPyConnection,
    feed: Feed,
    files: dict[str, list[Path]],
    folder: Path,
    *,
    out: Path,
    loaded: Loaded,
) -> None:
    """Bring what was told of patients and merges together, with a table of merges where there is one."""
    if "merges" in files:
        _table(connection, feed, "merges", files["merges"], folder, notes=loaded.notes)
    loaded.notes.doubtful += _values(connection)
    run_sql(connection, "resolve")
    for table in ("feed_patients", "feed_merges"):
        _write(connection, feed, table, loaded, out)


def _write(connection: duckdb.DuckDBPyConnection, feed: Feed, table: str, loaded: Loaded, out: Path) -> None:
    loaded.files[table] = out / f"{table}.parquet"
    connection.execute(
        f"COPY (SELECT {literal(feed.name)} AS feed, * FROM {table}) TO {literal(str(loaded.files[table]))} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )


def _table(
    connection: duckdb.DuckDBPyConnection, feed: Feed, kind: str, files: list[Path], folder: Path, *, notes: Notes
) -> None:
    table, columns = open_columns(connection, feed, kind, files, folder, headings=False)
    if kind == "patients":
        define(connection, feed, partial="event" in columns)
    # merges of this table and those the patients' events tell are one history: without a time, these come last
    to_rows(connection, feed, kind, columns, start=notes.rows)
    run_sql(connection, "rows")
    _incomplete(connection, table.title, notes)
    run_sql(connection, "merging")
    if kind == "patients":
        run_sql(connection, "upserts")
    notes.rows += counted(connection, "rows")
    notes.broken += [table.problem] if table.problem else []
    notes.doubtful += unlike(kind, columns, table)


def _incomplete(connection: duckdb.DuckDBPyConnection, title: str, notes: Notes) -> None:
    """Rows that say nothing: told by their number."""
    for what, condition in (
        ("name no patient and are left out", "len(ids) = 0 AND kind NOT IN ('unmerge', '?')"),
        ("name no identifier that was merged", "len(retired) = 0 AND kind IN ('merge', 'unmerge') AND len(ids) > 0"),
        ("are of an event that isn't known and are left out", "kind = '?'"),
    ):
        notes.leave_out(connection, title, what, f"read_rows WHERE {condition}", start=notes.rows)


def _values(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Values that aren't what they should be; they are kept, or count as unknown."""
    told = []
    dates = "PatientBirthDate <> '' AND NOT regexp_full_match(PatientBirthDate, '\\d{8}|\\d{4}(-?\\d{2})?')"
    if found := counted(connection, f"told WHERE {dates}"):
        told.append(f"{found} birth date(s) can't be read and are kept as told; see `dates` of the mapping")
    if found := counted(connection, f"told WHERE PatientSex = '{NO_SEX}'"):
        told.append(f"{found} code(s) of sex aren't known and count as not told; see `sex` of the mapping")
    connection.execute(f"UPDATE told SET PatientSex = '' WHERE PatientSex = '{NO_SEX}'")
    return told


@contextmanager
def _opened() -> Iterator[tuple[duckdb.DuckDBPyConnection, Path]]:
    """A database in memory, and the folder for what doesn't fit into it; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="fonds-feed-") as name, duckdb.connect(":memory:") as connection:
        connection.execute(
            f"SET enable_progress_bar = false; SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY}'; "
            f"SET temp_directory = {literal(name)}"
        )
        yield connection, Path(name)
