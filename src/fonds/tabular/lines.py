"""A text file as a DuckDB table of its lines: for formats that put one document on each, such as NDJSON."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.catalog.store import literal, quote
from fonds.errors import ArchiveUnreachable
from fonds.tabular.tables import as_utf8, line_numbers

LONGEST = 16 << 20
"""Bytes of a line; a longer one isn't read."""


def open_lines(connection: duckdb.DuckDBPyConnection, name: str, file: Path, folder: Path) -> list[int]:
    """Make the table `name` (row from 1, line; NULL where blank) of a UTF-8 file, and name the lines it left out.

    Left out are lines that aren't UTF-8 or longer than LONGEST; `row` counts the others only, see `line_of`. The file
    is copied, unpacked, into `folder`. Raises ArchiveUnreachable when it can't be read to its end.
    """
    copy = folder / "lines.txt"
    as_utf8(file, copy, "utf-8-sig", without=b"\r")
    try:
        # one column: U+0001 stands in no JSON text, so nothing is split
        connection.execute(
            f"CREATE OR REPLACE TABLE {quote(name)} AS SELECT row_number() OVER () AS row, line FROM read_csv("
            f"{literal(str(copy))}, auto_detect = false, header = false, delim = '\x01', quote = '', escape = '', "
            f"columns = {{line: 'VARCHAR'}}, new_line = '\\n', max_line_size = {LONGEST}, strict_mode = false, "
            "store_rejects = true, rejects_limit = 0)"
        )
    except duckdb.Error as error:
        # DuckDB's text quotes lines of the file: only its kind is passed on
        raise ArchiveUnreachable(f"{file.name} can't be read ({type(error).__name__})") from None
    places = connection.execute("SELECT DISTINCT byte_position FROM reject_errors ORDER BY 1").fetchall()
    connection.execute("DELETE FROM reject_errors; DELETE FROM reject_scans")
    left_out = line_numbers(copy, [place for (place,) in places])
    copy.unlink()
    return left_out


def line_of(row: int, left_out: list[int]) -> int:
    """The line of the file in which a row stands: lines that were left out are counted, too."""
    line = row
    for missing in left_out:
        if missing > line:
            break
        line += 1
    return line
