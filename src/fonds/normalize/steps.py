"""What each rule of a chain made of a value: the steps between `before` and `after` of a change."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import polars as pl

from fonds.catalog.store import literal, quote
from fonds.normalize import drift
from fonds.normalize.compile import bearing, chains, layered, raw
from fonds.normalize.definition import SETTINGS, Placed

SCHEMA: dict[str, pl.DataType] = {
    "source": pl.String(),
    "attribute": pl.String(),
    "objects": pl.Int64(),
    "raw": pl.String(),
    "last": pl.String(),
    "number": pl.Int64(),
    "rule": pl.String(),
    "title": pl.String(),
    "pack": pl.String(),
    "pack_version": pl.String(),
    "reason": pl.String(),
    "confidence": pl.Float64(),
    "needs": pl.String(),
    "before": pl.String(),
    "after": pl.String(),
}
"""A step: number 1 comes first; `raw` and `last` are the value before and after the whole chain."""


def steps(
    connection: duckdb.DuckDBPyConnection,
    pipelines: dict[str, tuple[Placed, ...]],
    *,
    where: str = "true",
    attributes: Iterable[str] | None = None,
) -> pl.DataFrame:
    """Every step the rules take now with the values of the objects `where` names (columns of SCHEMA).

    One row for each source, attribute, values and step, with how many objects take it; `where` is SQL over
    `instances`. The connection is the one on which `fonds.normalize.run.computed` has worked.
    """
    drifting = drift.tell(connection)
    wanted = set(attributes) if attributes is not None else None
    parts = [
        connection.sql(_query(word, found, names, drifting, where))
        .pl()
        .select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
        for word, found, names in chains(pipelines, drifting)
        if wanted is None or word in wanted
    ]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts])


def _query(
    attribute: str,
    found: tuple[tuple[Placed, str], ...],
    sources: list[str],
    drifting: frozenset[str],
    where: str,
) -> str:
    names = ", ".join(literal(source) for source in sources)
    keys = ", ".join(f"{raw(word)} AS {quote(f'{word}:0')}" for word in bearing(attribute, found))
    own = attribute in drifting
    said, made = quote(f"{attribute}:raw"), quote(f"{attribute}:made")
    beside = f", {said}, {made}" if own else ""
    layers, ends, _ = layered(attribute, found, made if own else None)
    first = quote(f"{attribute}:0")
    acting = [placed for placed, word in found if word == attribute]
    taken = [_step(attribute, placed, number) for number, placed in enumerate(acting, start=1)]
    if own:
        spoken = (
            f"CASE WHEN {made} IS NOT NULL THEN {{'rule': {made}.rule, 'title': 'the word of the index', "
            f"'pack': {made}.pack, 'pack_version': {made}.pack_version, 'reason': {made}.reason, 'confidence': 1.0, "
            f"'needs': {made}.needs, 'before': {said}, 'after': {first}}} END"
        )
        taken.insert(0, spoken)
    settings = ", ".join(f"s.{name} AS {quote(f'setting:{name}')}" for name in SETTINGS)
    start = said if own else first
    given = "told" if drifting else "instances"
    return (
        f"WITH found AS (SELECT source, {keys}{beside}, count(*) AS objects FROM {given} "
        f"WHERE source IN ({names}) AND ({where}) GROUP BY ALL), "
        f"layer0 AS (SELECT f.*, {settings} FROM found f JOIN sources s USING (source)), "
        f"{''.join(layer + ', ' for layer in layers)}"
        f"ended AS (SELECT source, objects, {start} AS raw, {ends[attribute]} AS last, "
        f"list_filter([{', '.join(taken)}], lambda one: one IS NOT NULL) AS taken FROM layer{len(found)} "
        f"WHERE {ends[attribute]} IS DISTINCT FROM {start}), "
        "numbered AS (SELECT source, objects, raw, last, unnest(taken) AS step, "
        "generate_subscripts(taken, 1) AS number FROM ended) "
        f"SELECT source, {literal(attribute)} AS attribute, sum(objects) AS objects, raw, last, number, step.* "
        "FROM numbered GROUP BY ALL"
    )


def _step(attribute: str, placed: Placed, number: int) -> str:
    before, after = quote(f"{attribute}:{number - 1}"), quote(f"{attribute}:{number}")
    rule = placed.rule
    facts = {"rule": rule.id, "title": rule.title, "pack": placed.pack, "pack_version": placed.pack_version}
    said = ", ".join(f"'{name}': {literal(text)}" for name, text in {**facts, "reason": rule.reason}.items())
    return (
        f"CASE WHEN {after} IS DISTINCT FROM {before} THEN {{{said}, 'confidence': {rule.confidence!r}, "
        f"'needs': {literal(rule.needs)}, 'before': {before}, 'after': {after}}} END"
    )
