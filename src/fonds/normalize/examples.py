"""Tries the named examples of a pack's rules: what the steward reads is what the rule does."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb
import polars as pl

from fonds.errors import DefinitionInvalid
from fonds.normalize.basis import Example
from fonds.normalize.compile import alone, load_tables
from fonds.normalize.definition import SETTINGS, Placed

# rules whose examples held, in the state of their pack
_HELD: set[tuple[str, str]] = set()


def check(rules: Iterable[Placed]) -> None:
    """Run every example; raises DefinitionInvalid with those of the first file whose rule answers something else."""
    rules = tuple(placed for placed in rules if placed.state not in _HELD)
    mistakes: dict[Path, list[tuple[int | None, str]]] = {}
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_progress_bar = false")
        load_tables(connection, rules)
        for placed in rules:
            for word in dict.fromkeys(_of(placed, example) for example in placed.rule.examples):
                for text in _try(connection, placed, word):
                    mistakes.setdefault(placed.path, []).append((placed.line, f"rule {placed.rule.id}: {text}"))
    for path, found in mistakes.items():
        raise DefinitionInvalid(str(path), found)
    _HELD.update(placed.state for placed in rules)


def _of(placed: Placed, example: Example) -> str:
    return example.of or placed.rule.attributes[0]


def _try(connection: duckdb.DuckDBPyConnection, placed: Placed, word: str) -> list[str]:
    sql, columns = alone(placed, word)
    examples = [example for example in placed.rule.examples if _of(placed, example) == word]
    rows = [as_row(placed, example, columns, word) for example in examples]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row").with_row_index("number")
    connection.register("example", frame.to_arrow())
    try:
        answers = connection.sql(f"SELECT {sql} FROM example ORDER BY number").fetchall()
    except duckdb.Error as error:
        return [f"can't be computed: {str(error).splitlines()[0]}"]
    finally:
        connection.unregister("example")
    return [
        f"the example '{example.name}' gives {shown(answer)}, not {shown(example.after)}"
        for example, (answer,) in zip(examples, answers, strict=True)
        if answer != example.after
    ]


def as_row(placed: Placed, example: Example, columns: list[str], attribute: str) -> list[str | None]:
    """The example's object, one value for each column of a rule's SQL; `before` stands in `attribute`."""
    scope = placed.rule.scope
    # what an example doesn't give is as if absent; a rule bound to one source or department is tried there
    settings = dict.fromkeys(SETTINGS, "") | {"department": (*scope.department, "other")[0], "date_order": "iso"}
    settings |= {name: value for name, value in example.given.items() if name in SETTINGS}
    known: dict[str, str | None] = {f"setting:{name}": value for name, value in settings.items()}
    known |= {"source": example.given.get("source", (*scope.source, "example")[0])}
    known |= {f"{name}:0": value for name, value in example.given.items()}
    known[f"{attribute}:0"] = example.before
    return [known.get(column) for column in columns]


def shown(value: str | None) -> str:
    """A value as a person reads it: absent, empty, or the text."""
    return "absent" if value is None else f"'{value}'" if value else "empty"
