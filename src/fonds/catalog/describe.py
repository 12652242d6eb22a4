"""The catalog's schema as a Markdown page, docs/catalog.md."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.project.settings import Project

HEAD = """\
# The catalog

<!-- written by `make docs` from src/fonds/catalog/schema.py and src/fonds/catalog/sql/; edit there -->

What Fonds knows lies in Delta tables (Parquet files with an atomic commit log) under `catalog/tables/`. After every
stage `catalog/catalog.duckdb` is replaced: a small file of views over exactly the Parquet files of one consistent set
of table versions. Open it with any DuckDB 1.5 or newer, read-only, while flows write:

    duckdb -readonly catalog/catalog.duckdb "SELECT state, count(*) FROM reconciliation GROUP BY 1"
    fonds sql "SELECT state, count(*) FROM reconciliation GROUP BY 1"

Attribute columns hold **raw text**, as the file says it: `NULL` is absent, `''` is present and empty; several values
are joined by `\\`, name groups by `=`; padding at the end is dropped, a leading space is kept. The view `effective`
has the same columns with approved changes laid over them. `decisions` and `runs` are copies from the operations store.
"""


def page(project: Project) -> str:
    """The whole page for the tables of this project."""
    parts = [HEAD, "\n## Tables\n"]
    for name in schema.NAMES:
        table = schema.table(project, name)
        parts += [f"\n### {name}\n\nA row is {table.row}. Key: {', '.join(f'`{k}`' for k in table.key)}.\n\n"]
        parts += ["| column | type | meaning |\n|---|---|---|\n"]
        words = schema.attributes(project) if name == "instances" else ()
        for column, (kind, meaning) in table.columns.items():
            if column not in words:
                parts.append(f"| `{column}` | {_kind(kind)} | {meaning} |\n".replace(" | |", " |"))
        if words:
            listed = ", ".join(f"`{word}`" for word in words)
            parts.append(f"\nand one raw text column for each keyword of `rules/base/attributes.yaml`:\n{listed}.\n")
    return "".join([*parts, "\n## Views\n\n| view | columns | meaning |\n|---|---|---|\n", *_views(project)])


def _views(project: Project) -> list[str]:
    query = (
        "SELECT table_name, string_agg(column_name, ', ' ORDER BY column_index) FROM duckdb_columns() "
        "WHERE NOT internal AND schema_name = 'main' GROUP BY 1 ORDER BY 1"
    )
    with Catalog(project).connect() as connection:
        rows = connection.sql(query).fetchall()
    lines = []
    said = _comments()
    for name, columns in rows:
        if name not in schema.NAMES:
            told = "as `instances`" if name == "effective" else columns
            lines.append(f"| `{name}` | {told} | {said.get(name, '')} |\n".replace("|  |", "| |"))
    return lines


def _comments() -> dict[str, str]:
    """What the SQL says above each view, but for the first comment of a file, which is about the file."""
    found = {"effective": "`instances` with approved changes applied", "sources": "what fonds.yaml says of each source"}
    for path in sorted((Path(schema.__file__).parent / "sql").glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        # a comment stands behind the end of the statement before it
        for block, name in re.findall(r"(?<=;\n)((?:-- .*\n)+)CREATE OR REPLACE VIEW (\w+)", text):
            found[name] = " ".join(line.removeprefix("-- ") for line in block.splitlines())
    return found


def _kind(kind: pl.DataType) -> str:
    if isinstance(kind, pl.List):
        return f"list of {_kind(kind.inner)}"  # type: ignore[arg-type]
    if isinstance(kind, pl.Struct):
        return "(" + ", ".join(field.name for field in kind.fields) + ")"
    return {pl.String: "text", pl.Int64: "integer", pl.Float64: "real", pl.Boolean: "flag"}[type(kind)]
