"""One rule by itself over many values: what tests of the actions ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from fonds.normalize.compile import alone, load_tables
from fonds.normalize.definition import SETTINGS, Placed, load, settings_file
from fonds.normalize.examples import check
from fonds.project.settings import Project
from tests.normalize.packs import site_pack

RULE = """\
rules:
  - id: site.one
    title: One
    attributes: [{attribute}]
    {rest}
    examples:
      - {{name: absent, before: null, after: null}}
"""


def a_rule(project: Project, attribute: str, rest: str) -> Placed:
    """A rule of the project's pack `site`, as its YAML below the attribute says; `rest` has lines parted by `; `."""
    site_pack(project.root, "site", RULE.format(attribute=attribute, rest="\n    ".join(rest.split("; "))))
    (placed,) = load(project, ("site@1",), settings_file(project))["site"].rules
    check([placed])
    return placed


def answers(placed: Placed, values: Sequence[str | None], word: str | None = None, **given: Any) -> list[str | None]:
    """What the rule makes of each value, the rest of the object and its source being as given."""
    with duckdb.connect(":memory:") as connection:
        load_tables(connection, [placed])
        return run(connection, placed, values, word, **given)


def run(
    connection: duckdb.DuckDBPyConnection,
    placed: Placed,
    values: Sequence[str | None],
    word: str | None = None,
    **given: Any,
) -> list[str | None]:
    """The same on a connection that has the rule's tables."""
    word = word or placed.rule.attributes[0]
    sql, columns = alone(placed, word)
    known = {f"setting:{name}": given.get(name, "") for name in SETTINGS} | {"source": "radiology"}
    known |= {f"{name}:0": value for name, value in given.items()}
    rows = [[value if column == f"{word}:0" else known.get(column) for column in columns] for value in values]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row").with_row_index("number")
    connection.register("acted", frame.to_arrow())
    found = connection.sql(f"SELECT {sql} FROM acted ORDER BY number").fetchall()
    connection.unregister("acted")
    return [answer for (answer,) in found]
