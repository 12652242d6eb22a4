"""The law that running twice gives what running once gave, tried on every value the packs themselves name."""

from __future__ import annotations

import duckdb
import polars as pl

from fonds.catalog.store import quote
from fonds.errors import DefinitionInvalid
from fonds.normalize.basis import Example
from fonds.normalize.compile import Steps, bearing, chains, layered, load_tables
from fonds.normalize.definition import SETTINGS, Placed
from fonds.normalize.examples import as_row

# lists of rules that keep the law, each rule in the state of its pack
_HELD: set[tuple[tuple[str, str], ...]] = set()


def check(pipelines: dict[str, tuple[Placed, ...]]) -> None:
    """Run the rules of each source over their own answers.

    Raises DefinitionInvalid that names both rules when one changes again what the other made: the answer then depends
    on their order and on how often they run.
    """
    pipelines = {
        name: rules for name, rules in pipelines.items() if tuple(placed.state for placed in rules) not in _HELD
    }
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_progress_bar = false")
        load_tables(connection, {placed.table_key: placed for rules in pipelines.values() for placed in rules}.values())
        for attribute, steps, _ in chains(pipelines):
            _try(connection, attribute, steps)
    _HELD.update(tuple(placed.state for placed in rules) for rules in pipelines.values())


def _try(connection: duckdb.DuckDBPyConnection, attribute: str, steps: Steps) -> None:
    words = bearing(attribute, steps)
    columns = [*(f"{word}:0" for word in words), *(f"setting:{name}" for name in SETTINGS), "source"]
    rows = [row for placed, word in steps for row in _rows(placed, word, columns)]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String()), orient="row")
    connection.register("named_values", frame.to_arrow())
    layers, ends, trace = layered(attribute, steps)
    settings = ", ".join(quote(f"setting:{name}") for name in SETTINGS)
    again = ", ".join(f"{ends[word]} AS {quote(f'{word}:0')}" for word in words)
    last = f"layer{len(steps)}"
    chain = ", ".join(layers)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE once AS WITH layer0 AS (FROM named_values), {chain} "
        f"SELECT source, {settings}, {again}, rule AS made FROM (SELECT *, {trace} FROM {last})"
    )
    connection.unregister("named_values")
    found = connection.sql(
        f"WITH layer0 AS (FROM once), {chain} "
        f"SELECT made, rule FROM (SELECT *, {trace} FROM {last}) "
        f"WHERE {ends[attribute]} IS DISTINCT FROM {quote(f'{attribute}:0')} ORDER BY ALL LIMIT 1"
    ).fetchall()
    if not found:
        return
    made, changed = found[0]
    culprit = changed.split(" > ")[0]
    placed = next(one for one, _ in steps if one.rule.id == culprit)
    first = f"what {made} made" if made else "a value that was right"
    raise DefinitionInvalid(
        str(placed.path),
        [
            (
                placed.line,
                f"rule {culprit} changes {first} in {attribute} when it runs again: put it after, or unite them",
            )
        ],
    )


def _rows(placed: Placed, word: str, columns: list[str]) -> list[list[str | None]]:
    values = sorted({*(placed.table or {}), *(placed.table or {}).values()})
    named = [Example(name="named", before=value, after=value) for value in values]
    own = [example for example in placed.rule.examples if example.of in (None, word)]
    return [as_row(placed, example, columns, word) for example in (*own, *named)]
