"""A feed's tables, CSV or Parquet: their columns as the fields the SQL reads, their rows as events."""

from __future__ import annotations

import difflib
from pathlib import Path

import duckdb

from fonds.catalog.store import literal, quote
from fonds.errors import DefinitionInvalid
from fonds.feeds.definition import Feed, by_name, taken
from fonds.feeds.fields import FIELDS
from fonds.feeds.macros import KINDS
from fonds.tabular.columns import Column, plain
from fonds.tabular.tables import Table, open_table


def open_columns(
    connection: duckdb.DuckDBPyConnection, feed: Feed, kind: str, files: list[Path], folder: Path, *, headings: bool
) -> tuple[Table, dict[str, Column]]:
    """The table `kind` (patients | merges | orders | reports) of a feed, and {field: its column}.

    Raises ArchiveUnreachable for a file that can't be read, DefinitionInvalid for columns that aren't there.
    """
    title = files[0].name if len(files) == 1 else f"{len(files)} files of {kind}"
    table = open_table(
        connection,
        kind,
        files,
        feed.mapping.csv,
        owner=f"feed {feed.name}",
        title=title,
        folder=folder,
        headings=headings,
    )
    given = feed.mapping.columns(kind)
    columns = taken(given, FIELDS[kind]) if given else by_name(table.columns, FIELDS[kind])
    mistakes = _mistakes(feed, kind, table, columns, mapped=bool(given))
    if mistakes:
        raise DefinitionInvalid(str(feed.file if given and feed.file else files[0]), mistakes)
    return table, columns


def unlike(kind: str, columns: dict[str, Column], table: Table) -> list[str]:
    """Columns that aren't taken but are called nearly as a field is: most likely a typing error."""
    used = {reference for column in columns.values() for reference in column.references()}
    known = {_plain(name): name for name in FIELDS[kind].known()}
    found = []
    for heading in table.columns:
        near = difflib.get_close_matches(_plain(heading), known, n=1, cutoff=0.92)
        if heading not in used and near and not by_name((heading,), FIELDS[kind]):
            found.append(f"{table.title}: column {heading} isn't taken; is it {known[near[0]]}?")
    return found


def _plain(name: str) -> str:
    return "".join(sign for sign in name.casefold() if sign.isalnum())


def told(feed: Feed, kind: str, columns: dict[str, Column]) -> dict[str, str]:
    """{field: SQL of its text}, '' for one that isn't told."""
    return {
        field: columns[field].sql(lambda reference: plain(quote(reference), feed.mapping.nulls))
        if field in columns
        else "''"
        for field in FIELDS[kind].names
    }


def to_rows(
    connection: duckdb.DuckDBPyConnection, feed: Feed, kind: str, columns: dict[str, Column], *, start: int
) -> None:
    """Make `rows` of an opened table of patients or merges: row, kind and code of its event, every field as text.

    Rows are counted on from `start`; a field that isn't told is ''.
    """
    fields = told(feed, kind, columns)
    if "PatientBirthDate" in columns and (formats := columns["PatientBirthDate"].formats):
        text = fields["PatientBirthDate"]
        read = f"try_strptime({text}, [{', '.join(literal(one) for one in formats)}])"
        fields["PatientBirthDate"] = f"coalesce(strftime({read}, '%Y%m%d'), {text})"
    # the whole of MSH-9 may stand there: ADT^A40^ADT_A39
    code = f"regexp_extract(upper({fields['event']}), '(?:^|\\^)([A-Z][0-9]{{2}}|MERGE|UNMERGE)(?:\\^|$)', 1)"
    # a row of merges is one without saying so, and so is a row that names what it replaces
    usual = (
        "'MERGE'"
        if kind == "merges"
        else f"CASE WHEN {fields['retired_id']} || {fields['MRG-1']} <> '' THEN 'MERGE' END"
    )
    kinds = " ".join(f"WHEN {literal(word)} THEN {literal(means)}" for word, means in KINDS.items())
    values = ", ".join(f"{sql} AS {quote(field)}" for field, sql in fields.items())
    connection.execute(
        f"CREATE OR REPLACE TABLE rows AS SELECT row, CASE code WHEN '' THEN 'upsert' {kinds} ELSE '?' END AS kind, "
        f'* EXCLUDE (row) FROM (SELECT {start} + "fonds:row" AS row, '
        f"coalesce(CASE WHEN {fields['event']} = '' THEN {usual} ELSE coalesce(nullif({code}, ''), '?') END, '') "
        f"AS code, "
        f"{values} FROM {quote(kind)})"
    )


def _mistakes(
    feed: Feed, kind: str, table: Table, columns: dict[str, Column], *, mapped: bool
) -> list[tuple[int | None, str]]:
    lines = feed.file.read_text(encoding="utf-8").splitlines() if mapped and feed.file else []
    there = ", ".join(table.columns)
    mistakes: list[tuple[int | None, str]] = []
    for column in columns.values():
        for reference in column.references():
            if reference not in table.columns:
                line = next((number for number, text in enumerate(lines, 1) if reference in text), None)
                hint = _nearest(reference, table.columns)
                mistakes.append((line, f"{table.title} has no column {reference}{hint}; it has: {there}"))
    for names in FIELDS[kind].needed:
        if not set(names) & set(columns):
            where = f"`{kind}` of the mapping" if mapped else table.title
            hint = _nearest(names[0], table.columns)
            mistakes.append((None, f"{where} has no {' or '.join(names)}{hint}; it has: {there}"))
    return mistakes


def _nearest(name: str, columns: tuple[str, ...]) -> str:
    by_case = {column.casefold(): column for column in columns}
    near = difflib.get_close_matches(name.casefold(), by_case, n=1)
    return f" (nearest: {by_case[near[0]]})" if near else ""
