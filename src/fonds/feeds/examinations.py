"""Orders and reports of a feed's tables, CSV or Parquet: rows, or messages of HL7 v2, as what they lead to."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.catalog.store import literal, quote
from fonds.feeds.codes import MESSAGES
from fonds.feeds.definition import Feed
from fonds.feeds.fields import EVENTS
from fonds.feeds.macros import define, define_examinations, run_sql
from fonds.feeds.notes import Notes, counted
from fonds.feeds.table import open_columns, told, unlike
from fonds.tabular.columns import Column

_TIMES = ("changed", "ordered", "scheduled", "issued")
_LONGEST = 200
"""Characters of a value that are looked at to see what it is: a report's text isn't taken."""


def read_examinations(
    connection: duckdb.DuckDBPyConnection, feed: Feed, kind: str, files: list[Path], *, folder: Path, notes: Notes
) -> None:
    """Make the table `feed_orders` or `feed_reports` (`kind`: orders | reports) of a feed's files.

    Raises ArchiveUnreachable for a file that can't be read, DefinitionInvalid for columns that aren't there.
    """
    table, columns = open_columns(connection, feed, kind, files, folder, headings=False)
    define(connection, feed, partial=True)
    define_examinations(connection, feed)
    connection.execute(f"CREATE MACRO events() AS {bool(set(EVENTS[kind]) & set(columns))}")
    types = ", ".join(map(literal, MESSAGES[kind]))
    connection.execute(f"CREATE MACRO other_message(t) AS t <> '' AND upper(left(t, 3)) NOT IN ({types})")
    _to_told_rows(connection, feed, kind, columns)
    run_sql(connection, "order_rows" if kind == "orders" else "report_rows")
    run_sql(connection, "numbers")
    notes.rows += counted(connection, kind)
    notes.broken += [table.problem] if table.problem else []
    _numberless(connection, kind, table.title, notes)
    _values(connection, table.title, notes)
    run_sql(connection, "keys")
    run_sql(connection, kind)
    leave_absent(connection, kind, notes)
    notes.doubtful += unlike(kind, columns, table)


def leave_absent(connection: duckdb.DuckDBPyConnection, kind: str, notes: Notes) -> None:
    """Take reports that don't exist yet out of `feed_reports`."""
    if kind == "reports":
        notes.doubt(
            connection, "report(s) are announced only and are no reports yet", "feed_reports WHERE status = 'absent'"
        )
        connection.execute("DELETE FROM feed_reports WHERE status = 'absent'")


def _to_told_rows(connection: duckdb.DuckDBPyConnection, feed: Feed, kind: str, columns: dict[str, Column]) -> None:
    """Make `told_rows` of the opened table: row from 1, and every field as text, '' where it isn't told."""
    fields = told(feed, kind, columns)
    for name in _TIMES:
        if name in columns and (formats := columns[name].formats):
            read = f"try_strptime({fields[name]}, [{', '.join(map(literal, formats))}])"
            fields[name] = f"coalesce(strftime({read}, '%Y-%m-%dT%H:%M:%S'), {fields[name]})"
    if "OBX-5" in columns:
        fields["OBX-5"] = f"left({fields['OBX-5']}, {_LONGEST})"
    values = ", ".join(f"{sql} AS {quote(name)}" for name, sql in fields.items())
    connection.execute(f'CREATE VIEW told_rows AS SELECT "fonds:row" AS row, {values} FROM {quote(kind)}')


def _numberless(connection: duckdb.DuckDBPyConnection, kind: str, title: str, notes: Notes) -> None:
    """Rows that name no order: told by their number and left out."""
    own = " AND report_id = ''" if kind == "reports" else ""
    condition = f"accession IS NULL AND placer IS NULL AND filler IS NULL{own}"
    what = "name no report and are left out" if kind == "reports" else "name no order and are left out"
    notes.leave_out(connection, title, what, f"numbered WHERE {condition}")
    connection.execute(f"DELETE FROM numbered WHERE {condition}")


def _values(connection: duckdb.DuckDBPyConnection, title: str, notes: Notes) -> None:
    """What can't be understood, or isn't asked for."""
    for what, rows in (
        ("row(s) are other messages (MSH-9) and are not read", 'told_rows WHERE other_message("MSH-9")'),
        (
            "row(s) are of a laboratory (OBR-24) and are not read",
            'told_rows WHERE NOT other_message("MSH-9") AND laboratory(upper("OBR-24"))',
        ),
        ("row(s) name no patient", "numbered WHERE patient_id IS NULL"),
        (
            "row(s) have a status that isn't known and counts as not told; see `values` of a column",
            "numbered WHERE odd_code",
        ),
        (
            "row(s) have a time that can't be read and counts as not told; see `times` of the mapping",
            "numbered WHERE odd_time",
        ),
        ("row(s) have a Study Instance UID that is none and counts as not told", "numbered WHERE no_uid"),
    ):
        notes.doubt(connection, what, rows, title=title)
