"""Reads and writes catalog tables: Delta commits under catalog/tables, DuckDB views over exactly the current files."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import unquote

import duckdb
import polars as pl
import pyarrow.parquet as pq
from deltalake import DeltaTable, PostCommitHookProperties, Schema, write_deltalake
from deltalake.exceptions import TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from fonds.catalog import layers, schema
from fonds.errors import CatalogInvalid
from fonds.project.settings import Project

_KEEP_HISTORY = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


class Catalog:
    """One project's catalog. Cheap to make; holds no lock and no connection."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.tables_dir = project.catalog_dir / "tables"

    def replace(self, name: str, frame: pl.DataFrame) -> int:
        """Put `frame` in place of the whole table, in one atomic commit; returns the new version."""
        table = schema.table(self.project, name)
        path = self.tables_dir / name
        path.mkdir(parents=True, exist_ok=True)
        arrow = schema.conform(table, frame).to_arrow(compat_level=pl.CompatLevel.oldest())
        write_deltalake(
            path, arrow, mode="overwrite", schema_mode="overwrite", post_commithook_properties=_KEEP_HISTORY
        )
        return DeltaTable(path).version()

    def files(self, name: str, version: int | None = None) -> list[Path]:
        """The Parquet files a table is made of."""
        delta = self._delta(name, version)
        return paths(delta) if delta is not None else []

    def commit(self, name: str, *, add: Sequence[Path], remove: Collection[Path]) -> int:
        """Take Parquet files into a table and others out of it, in one atomic commit; returns the new version.

        No row passes through memory. Files to add are linked (copied where a file system has no links), so they stay
        where they are; they must have the table's columns, and no key that stays in the table. Files taken out stay
        on disk: earlier versions read them.
        """
        delta = self._grown(name)
        root = self.tables_dir / name
        stamp = time.time_ns() // 1_000_000
        actions: list[AddAction | RemoveAction] = [
            RemoveAction(path.relative_to(root).as_posix(), True, stamp, path.stat().st_size) for path in sorted(remove)
        ]
        for path in add:
            part = root / f"part-{uuid.uuid4()}.parquet"
            try:
                os.link(path, part)
            except OSError:
                shutil.copyfile(path, part)
            stats = json.dumps({"numRecords": pq.read_metadata(part).num_rows})
            actions.append(AddAction(part.name, part.stat().st_size, {}, stamp, True, stats))
        delta.create_write_transaction(actions, "append", delta.schema(), post_commithook_properties=_KEEP_HISTORY)
        return DeltaTable(root).version()

    def replace_by(self, name: str, connection: duckdb.DuckDBPyConnection, rows: str) -> int:
        """Put what an SQL relation holds in place of the whole table, in one commit; returns the new version.

        No row passes through Python, whatever their number. Columns the relation lacks are NULL. Raises CatalogInvalid
        on unknown columns or double keys.
        """
        table = schema.table(self.project, name)
        given = [column for column, *_ in connection.execute(f"DESCRIBE FROM {rows}").fetchall()]
        if unknown := sorted(set(given) - set(table.schema)):
            raise CatalogInvalid(f"table {name} has no column {', '.join(unknown)}")
        picked = ", ".join(
            f"{quote(column) if column in given else 'NULL'}::{_duckdb_type(kind)} AS {quote(column)}"
            for column, kind in table.schema.items()
        )
        key = ", ".join(map(quote, table.key))
        doubles = connection.execute(
            f"SELECT count(*) FROM (SELECT 1 FROM {rows} GROUP BY {key} HAVING count(*) > 1)"
        ).fetchall()[0][0]
        if doubles:
            raise CatalogInvalid(f"table {name}: {doubles} row(s) repeat the key {table.key}")
        with tempfile.TemporaryDirectory(prefix="fonds-") as scratch:
            file = Path(scratch) / f"{name}.parquet"
            order = ", ".join(f"{quote(column)} NULLS LAST" for column in table.key)
            connection.execute(
                f"COPY (SELECT {picked} FROM {rows} ORDER BY {order}) TO {literal(str(file))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            return self.commit(name, add=[file], remove=self.files(name))

    def read(self, name: str, *, version: int | None = None) -> pl.DataFrame:
        """The table as a frame; an empty one with the right columns when it was never written."""
        delta = self._delta(name, version)
        wanted = schema.table(self.project, name).schema
        if delta is None:
            return pl.DataFrame(schema=wanted)
        files = paths(delta)
        if not files:
            return pl.DataFrame(schema=wanted)
        # a keyword added to attributes.yaml since a file was written is a column of NULLs until the next crawl
        rows = pl.scan_parquet(files, schema=wanted, missing_columns="insert", extra_columns="ignore")
        return rows.sort(schema.table(self.project, name).key, nulls_last=True).collect()

    def versions(self) -> dict[str, int]:
        """Current Delta version by table, for those that exist."""
        found = {name: self._delta(name) for name in schema.NAMES}
        return {name: delta.version() for name, delta in found.items() if delta is not None}

    def connect(self, versions: dict[str, int] | None = None) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with one view a table and the SQL views over them; the caller closes it."""
        connection = duckdb.connect(":memory:")
        connection.execute("SET enable_progress_bar = false")
        self.make_views(connection, versions)
        return connection

    def connect_effective(self) -> duckdb.DuckDBPyConnection:
        """As `connect`, but `instances`, and every view over it, has approved changes applied; the caller closes it."""
        connection = self.connect()
        connection.execute(self._table_view("instances", self.files("instances"), view="raw_instances"))
        connection.execute(self._effective_view("instances", over="raw_instances"))
        connection.execute("CREATE OR REPLACE VIEW effective AS FROM instances")
        return connection

    def make_views(self, connection: duckdb.DuckDBPyConnection, versions: dict[str, int] | None = None) -> None:
        """Make every view in an empty database, over the exact Parquet files of the given (or current) versions."""
        layers.copy_into(connection, tuple(schema.attributes(self.project)), self._layers)
        for name in schema.NAMES:
            if files := self._files_at(name, versions):
                connection.execute(self._table_view(name, files))
        connection.execute(self._sources_view())

    def _layers(self) -> list[str]:
        """The SQL of all views, the lowest over no rows: the same for all projects with the same attributes."""
        statements = [self._table_view(name, []) for name in schema.NAMES]
        statements.append(_sources([]))
        statements += _statements("standing")
        statements.append(self._effective_view("effective", over="instances"))
        # each stands on those before it
        for stem in ("keys", "views", "quality", "context"):
            statements += _statements(stem)
        return statements

    def _sources_view(self) -> str:
        return _sources(
            [
                (
                    *(name, s.department, s.issuer or "", s.accession_issuer or "", s.institution or ""),
                    *(s.charset or "", s.date_order, s.patient_id_pattern or ""),
                )
                for name, s in self.project.sources.items()
            ]
        )

    def _grown(self, name: str) -> DeltaTable:
        """The table, with all columns it should have; made when it isn't there."""
        empty = pl.DataFrame(schema=schema.table(self.project, name).schema)
        wanted = Schema.from_arrow(empty.to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
        path = self.tables_dir / name
        delta = self._delta(name)
        if delta is None:
            path.mkdir(parents=True, exist_ok=True)
            return DeltaTable.create(path, schema=wanted)
        held = {field.name for field in delta.schema().fields}
        added = [field for field in wanted.fields if field.name not in held]
        if added:
            delta.alter.add_columns(added, post_commithook_properties=_KEEP_HISTORY)
            return DeltaTable(path)
        return delta

    def _delta(self, name: str, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.tables_dir / name, version=version)
        except TableNotFoundError:
            return None

    def scan(self, name: str, *, files: Sequence[Path]) -> str:
        """SQL that selects the table's columns, filename and file_row_number of some of its files.

        A column that a file doesn't have, because it was written before the column was wanted, is NULL.
        """
        columns = schema.table(self.project, name).schema
        nothing = ", ".join(
            f"NULL::{kind} AS {quote(column)}"
            for column, kind in (
                *((column, _duckdb_type(kind)) for column, kind in columns.items()),
                *(("filename", "VARCHAR"), ("file_row_number", "BIGINT")),
            )
        )
        if not files:
            return f"SELECT {nothing} WHERE false"
        named = ", ".join(literal(str(path)) for path in files)
        read = f"read_parquet([{named}], union_by_name = true, filename = true, file_row_number = true)"
        picked = ", ".join(quote(column) for column in (*columns, "filename", "file_row_number"))
        return f"SELECT {picked} FROM (SELECT {nothing} WHERE false UNION ALL BY NAME FROM {read})"

    def _files_at(self, name: str, versions: dict[str, int] | None) -> list[Path]:
        if versions is None:
            return self.files(name)
        return self.files(name, versions[name]) if name in versions else []

    def _table_view(self, name: str, files: Sequence[Path], *, view: str | None = None) -> str:
        # whatever type a file of an earlier release has: views over this one were made for the types of today
        columns = ", ".join(
            f"{quote(column)}::{_duckdb_type(kind)} AS {quote(column)}"
            for column, kind in schema.table(self.project, name).schema.items()
        )
        return f"CREATE OR REPLACE VIEW {view or name} AS SELECT {columns} FROM ({self.scan(name, files=files)})"

    def _effective_view(self, name: str, *, over: str) -> str:
        # One pivoted row per changed object; `changed` tells "removed" (key present, NULL) from "left alone" (no key).
        keywords = schema.attributes(self.project)
        picks = ", ".join(
            f"CASE WHEN list_contains(changed.changed_words, {literal(word)}) "
            f"THEN changed.changed_values[{literal(word)}] ELSE i.{quote(word)} END AS {quote(word)}"
            for word in keywords
        )
        others = ", ".join(
            f"i.{quote(name)}" for name in schema.table(self.project, "instances").schema if name not in keywords
        )
        return (
            f"CREATE OR REPLACE VIEW {name} AS WITH changed AS "
            "(SELECT source, location, list(attribute) AS changed_words, "
            "map_from_entries(list({'k': attribute, 'v': after})) AS changed_values "
            "FROM standing_changes "
            f"GROUP BY ALL) SELECT {others}, {picks} FROM {over} i LEFT JOIN changed USING (source, location)"
        )


def _sources(sources: list[tuple[str, ...]]) -> str:
    names = ("source", "department", "issuer", "accession_issuer", "institution", "charset", "date_order")
    columns = (*names, "patient_id_pattern")
    # `position` is the place in fonds.yaml: of equal copies the one of the source named first is kept
    rows = ", ".join(
        f"({', '.join(literal(value) for value in row)}, {position})" for position, row in enumerate(sources)
    ) or (f"({'NULL, ' * len(columns)}NULL)")
    picked = ", ".join(f"{column}::VARCHAR AS {column}" for column in columns)
    return (
        f"CREATE OR REPLACE VIEW sources AS SELECT {picked}, position::INTEGER AS position "
        f"FROM (VALUES {rows}) t({', '.join(columns)}, position) WHERE source IS NOT NULL"
    )


def _statements(stem: str) -> list[str]:
    text = (Path(__file__).parent / "sql" / f"{stem}.sql").read_text(encoding="utf-8")
    return [part for part in text.split(";\n") if part.strip()]


def bounded(connection: duckdb.DuckDBPyConnection, folder: Path, gigabytes: int) -> None:
    """Bound a connection's memory (GB, at most half of the machine's) and let it spill below `folder`."""
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 / 1e9
    connection.execute(
        f"SET memory_limit = '{min(gigabytes, half):.1f}GB'; SET preserve_insertion_order = false; "
        f"SET temp_directory = {literal(str(folder))}"
    )


def paths(delta: DeltaTable) -> list[Path]:
    """The files of a table; Delta tells them as a URL does, where a blank in a folder's name is %20."""
    return [Path(unquote(uri)) for uri in delta.file_uris()]


def quote(identifier: str) -> str:
    """An SQL identifier, quoted."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str) -> str:
    """An SQL text literal, quoted."""
    return "'" + value.replace("'", "''") + "'"


def _duckdb_type(kind: pl.DataType) -> str:
    if isinstance(kind, pl.List):
        return f"{_duckdb_type(kind.inner)}[]"  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        inner = ", ".join(f"{quote(field.name)} {_duckdb_type(field.dtype)}" for field in kind.fields)  # type: ignore[arg-type]
        return f"STRUCT({inner})"
    return {pl.String: "VARCHAR", pl.Int64: "BIGINT", pl.Float64: "DOUBLE", pl.Boolean: "BOOLEAN"}[type(kind)]
