"""Rejection notes: which of them stand, where notes take back notes."""

from __future__ import annotations

import duckdb

# One note after the other: a note stands when no note that stands takes it back.
_STANDS = """
    UPDATE notes SET honoured = true WHERE honoured IS NULL AND NOT EXISTS (
        FROM contradicted c JOIN notes b ON b.source = c.by_source AND b.location = c.by_location
        WHERE c.source = notes.source AND c.location = notes.location AND b.honoured IS DISTINCT FROM false)
"""
_FALLS = """
    UPDATE notes SET honoured = false WHERE honoured IS NULL AND EXISTS (
        FROM contradicted c JOIN notes b ON b.source = c.by_source AND b.location = c.by_location
        WHERE c.source = notes.source AND c.location = notes.location AND b.honoured)
"""
_OPEN = "SELECT count(*) FROM notes WHERE honoured IS NULL"


def settle(connection: duckdb.DuckDBPyConnection) -> None:
    """Say of each of `notes` whether it is honoured; of notes that take back one another both are."""
    before, still = -1, 0
    # as many rounds as notes follow one another; set-at-a-time SQL has no loop that takes back what it said
    while still != before:
        before = still
        connection.execute(_STANDS)
        connection.execute(_FALLS)
        still = connection.sql(_OPEN).fetchall()[0][0]
    connection.execute("UPDATE notes SET honoured = true WHERE honoured IS NULL")
