"""Files as DuckDB tables of text: CSV in any encoding, Parquet; what can't be read, with its line."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import duckdb

from fonds.catalog.store import literal, quote
from fonds.errors import ArchiveUnreachable
from fonds.tabular.columns import Csv

CHUNK = 1 << 20
REASONS = {
    "CAST": "a value can't be read",
    "MISSING COLUMNS": "too few values",
    "TOO MANY COLUMNS": "too many values",
    "UNQUOTED VALUE": "a quote that isn't closed, or text behind one",
    "LINE SIZE OVER MAXIMUM": "a line that is too long",
    "INVALID ENCODING": "bytes that aren't in the encoding",
    "INVALID STATE": "quotes that aren't as they should be",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One named relation of the export."""

    title: str
    columns: tuple[str, ...]
    size: int
    mtime_ns: int
    problem: str
    """which lines couldn't be read and why, without their values; '' when all could"""


def _bad_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\udcff", error.end


# what isn't in the encoding becomes the byte FF, which is in no UTF-8: DuckDB then rejects the line and counts it
codecs.register_error("fonds-export", _bad_byte)


def open_table(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    files: list[Path],
    form: Csv,
    *,
    owner: str,
    title: str,
    folder: Path,
    headings: bool,
) -> Table:
    """One table `name` of all files, all text, and `fonds:row`, the row's place in it from 1.

    With `headings` only the names of the columns are read. Text is copied as UTF-8 into `folder`, a MiB at a time.
    `owner` is what messages begin with, such as ``source radiology-db``; `title` is what the table is called in them.
    Raises ArchiveUnreachable for files without columns, or with different ones.
    """
    read = [
        _parquet(connection, file) if file.suffix.lower() == ".parquet" else _csv(owner, file, form, folder)
        for file in files
    ]
    columns = read[0].columns
    for other, file in zip(read, files, strict=True):
        if other.columns != columns:
            raise ArchiveUnreachable(f"{owner}: {file.name} has other columns than {files[0].name}", owner=owner)
    problem = ""
    if not headings:
        problem = "; ".join(text for text in _load(connection, name, read, files) if text)
    stats = [file.stat() for file in files]
    return Table(title, columns, sum(stat.st_size for stat in stats), max(stat.st_mtime_ns for stat in stats), problem)


@dataclass(frozen=True, slots=True)
class _Readable:
    columns: tuple[str, ...]
    scan: str
    copy: Path | None = None
    encoding: str = ""


def _parquet(connection: duckdb.DuckDBPyConnection, file: Path) -> _Readable:
    scan = f"read_parquet({literal(str(file))})"
    try:
        names = tuple(row[0] for row in connection.sql(f"DESCRIBE FROM {scan}").fetchall())
    except duckdb.Error as error:
        raise ArchiveUnreachable(f"{file.name} can't be read as Parquet ({type(error).__name__})") from None
    return _Readable(
        names, f"SELECT {', '.join(f'{quote(name)}::VARCHAR AS {quote(name)}' for name in names)} FROM {scan}"
    )


def _csv(owner: str, file: Path, form: Csv, folder: Path) -> _Readable:
    try:
        with _bytes(file) as stream:
            text = io.TextIOWrapper(stream, encoding=_encoding(form.encoding), errors="replace", newline="")
            header = next(csv.reader(text, delimiter=form.delimiter, quotechar=form.quote), [])
    except (OSError, csv.Error, EOFError) as error:
        raise ArchiveUnreachable(f"{owner}: {file.name} can't be read ({type(error).__name__})") from None
    names = tuple(name.strip() for name in header)
    if not names or len({name.lower() for name in names}) < len(names) or "" in names:
        raise ArchiveUnreachable(
            f"{owner}: the first line of {file.name} must name every column once; "
            f"look at `csv.delimiter` in the mapping",
            owner=owner,
        )
    copy = folder / f"{len(list(folder.iterdir()))}.csv"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    scan = (
        f"FROM read_csv({literal(str(copy))}, auto_detect = false, header = true, delim = {literal(form.delimiter)}, "
        f"quote = {literal(form.quote)}, escape = {literal(form.quote)}, columns = {{{columns}}}, "
        f"store_rejects = true, rejects_limit = 0)"
    )
    return _Readable(names, scan, copy, _encoding(form.encoding))


def _encoding(name: str) -> str:
    return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name


def _bytes(file: Path) -> BinaryIO:
    return gzip.open(file, "rb") if file.suffix.lower() == ".gz" else file.open("rb")  # type: ignore[return-value]


def _load(connection: duckdb.DuckDBPyConnection, name: str, read: list[_Readable], files: list[Path]) -> list[str]:
    problems = []
    for number, (readable, file) in enumerate(zip(read, files, strict=True)):
        rows = f'SELECT row_number() OVER () AS "fonds:row", * FROM ({readable.scan})'
        if number:
            after = f'(SELECT coalesce(max("fonds:row"), 0) FROM {quote(name)})'
            rows = f'SELECT {after} + "fonds:row", * EXCLUDE ("fonds:row") FROM ({rows})'
        if readable.copy is not None:
            as_utf8(file, readable.copy, readable.encoding)
        try:
            connection.execute(
                f"{'INSERT INTO' if number else 'CREATE TABLE'} {quote(name)} {'' if number else 'AS '}{rows}"
            )
        except duckdb.Error as error:
            # DuckDB's text quotes lines of the file: only its kind is passed on
            raise ArchiveUnreachable(f"{file.name} can't be read ({type(error).__name__})") from None
        if readable.copy is not None:
            problems.append(_rejected(connection, file, readable.copy))
            readable.copy.unlink()
    return problems


def as_utf8(file: Path, copy: Path, encoding: str, *, without: bytes = b"") -> None:
    """Copy a text file (gzip by its suffix) as UTF-8, a MiB at a time; what isn't in the encoding becomes the byte FF.

    Bytes of `without` are left out. Raises ArchiveUnreachable when it can't be read to its end.
    """
    decoder = codecs.getincrementaldecoder(encoding)("fonds-export")
    try:
        with _bytes(file) as stream, copy.open("wb") as out:
            while chunk := stream.read(CHUNK):
                out.write(decoder.decode(chunk).encode("utf-8", "surrogateescape").translate(None, without))
            out.write(decoder.decode(b"", final=True).encode("utf-8", "surrogateescape"))
    except (OSError, EOFError) as error:
        raise ArchiveUnreachable(f"{file.name} can't be read to its end ({type(error).__name__})") from None


def _rejected(connection: duckdb.DuckDBPyConnection, file: Path, copy: Path) -> str:
    """How many records of the file weren't taken, and where the first ones begin; without a word of theirs."""
    count, first = connection.sql(
        "SELECT count(*), list(struct_pack(place := place, kind := kind) ORDER BY place)[:5] FROM "
        "(SELECT line_byte_position AS place, min_by(error_type, byte_position)::VARCHAR AS kind "
        "FROM reject_errors GROUP BY ALL)"
    ).fetchall()[0]
    connection.execute("DELETE FROM reject_errors; DELETE FROM reject_scans")
    if not count:
        return ""
    lines = line_numbers(copy, [one["place"] for one in first])
    told = ", ".join(
        f"line {line}: {REASONS.get(one['kind'], one['kind'])}" for line, one in zip(lines, first, strict=True)
    )
    return f"{file.name}: {count} place(s) can't be read and are left out ({told}{', …' if count > len(first) else ''})"


def line_numbers(copy: Path, positions: list[int]) -> list[int]:
    """Lines in which these bytes (from 1, ascending) stand: DuckDB counts records, which may span several."""
    lines, line, read = [], 1, 0
    with copy.open("rb") as stream:
        for position in positions:
            while read < position - 1 and (chunk := stream.read(min(CHUNK, position - 1 - read))):
                line += chunk.count(b"\n")
                read += len(chunk)
            lines.append(line)
    return lines
