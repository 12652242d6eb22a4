"""Finds candidate pairs, trains the weights and weighs every pair: in DuckDB, over counts of patterns."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import polars as pl

from fonds.match import compile as sql
from fonds.match.definition import Matcher
from fonds.match.train import Fitted, Patterns, fit

# The column whose values are counted for a comparison's frequencies, where it isn't the compared one.
VALUES = {"given": "given_first"}
SHOWN = {
    "family": "shown_family",
    "given": "shown_given",
    "birth_date": "shown_birth_date",
    "sex": "shown_sex",
    "patient_id": "shown_patient_id",
}


@dataclass(frozen=True, slots=True)
class Trained:
    """What was fitted on which pairs."""

    fitted: Fitted
    pairs_by_rule: dict[str, int]
    oversized: dict[str, tuple[int, int]]
    candidates: int
    sampled: int


def open_prepared(prepared: pl.DataFrame) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own with the prepared records; the caller closes it."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET enable_progress_bar = false")
    connection.register("prepared_frame", prepared.to_arrow())
    connection.execute("CREATE TABLE prepared AS SELECT * FROM prepared_frame ORDER BY n")
    connection.unregister("prepared_frame")
    return connection


def block(connection: duckdb.DuckDBPyConnection, matcher: Matcher) -> None:
    """Make table `candidates` (na, nb, rules, swap, level columns) of all pairs some blocking rule finds."""
    connection.execute(f"CREATE OR REPLACE TABLE found AS {sql.candidates(matcher)}")
    connection.execute(f"CREATE OR REPLACE TABLE candidates AS {sql.level_table(matcher, 'found')}")
    connection.execute("DROP TABLE found")


def train(connection: duckdb.DuckDBPyConnection, matcher: Matcher) -> Trained:
    """Fit m, u and the prior on the blocked pairs and on pairs drawn at random."""
    records = int(connection.sql("SELECT count(*) FROM prepared").fetchall()[0][0])
    compared = _patterns(connection, matcher, "candidates")
    sampled = _draw(connection, matcher, records)
    drawn = _patterns(connection, matcher, "drawn_levels")
    connection.execute("DROP TABLE drawn_levels")
    fitted = fit(matcher, compared, drawn, records)
    by_rule = {
        rule.name: _one(connection, f"SELECT count(*) FROM candidates WHERE rules & {1 << number} > 0")
        for number, rule in enumerate(matcher.blocking)
    }
    large = {}
    for rule in matcher.blocking:
        if (query := sql.oversized(rule)) is not None and (row := connection.sql(query).fetchall()[0])[0]:
            large[rule.name] = (int(row[0]), int(row[1]))
    return Trained(fitted, by_rule, large, _one(connection, "SELECT count(*) FROM candidates"), sampled)


def weigh(connection: duckdb.DuckDBPyConnection, matcher: Matcher, fitted: Fitted) -> pl.DataFrame:
    """Every pair of `candidates` with its weight, evidence and the constraint that holds for it.

    Columns: na, nb, record_a, record_b, weight, probability, evidence (JSON), blocked_by, rule, outcome, enough (one of
    the model's `link_needs` holds), same_issuer (two identifiers of one issuer). Pairs below `bands.keep` are left out
    unless a constraint speaks.
    """
    weights = fitted.weights(matcher)
    parts, joins = [], []
    for number, comparison in enumerate(matcher.comparisons):
        cases = " ".join(f"WHEN {level} THEN {value!r}" for level, value in enumerate(weights[number].tolist()))
        part = f"CASE l{number} {cases} END"
        if comparison.frequency:
            column = VALUES.get(comparison.column, comparison.column)
            _frequencies(connection, matcher, fitted, number)
            joins += [f"LEFT JOIN often_{number} f{number} ON f{number}.value = a.{column}"]
            joins += [f"LEFT JOIN often_{number} g{number} ON g{number}.value = b.{column}"]
            own = f"greatest(f{number}.often, g{number}.often)"
            equal = f"log2({float(fitted.m[number][1])!r} / {own})"
            part = f"CASE WHEN l{number} = 1 AND NOT swap AND {own} IS NOT NULL THEN {equal} ELSE {part} END"
        parts.append(f"{part} AS w{number}")
    rule, outcome = sql.outcome(matcher)
    enough = " OR ".join(sql.conditions(matcher, need) for need in matcher.link_needs)
    total = " + ".join(["prior", *(f"w{number}" for number in range(len(parts)))])
    total += f" + CASE WHEN swap AND NOT a.unordered AND NOT b.unordered THEN {matcher.swapped!r} ELSE 0 END"
    ids = [n for n, c in enumerate(matcher.comparisons) if c.column == "patient_id"]
    two_ids = f"l{ids[0]} = {len(matcher.comparisons[ids[0]].levels)}" if ids else "false"
    evidence = ", ".join(_evidence(matcher, number) for number in range(len(parts)))
    rules = ", ".join(f"CASE WHEN rules & {1 << n} > 0 THEN '{r.name}' END" for n, r in enumerate(matcher.blocking))
    return connection.sql(
        f"""
        SELECT na, nb, a.record_id AS record_a, b.record_id AS record_b, {fitted.prior!r} AS prior, {", ".join(parts)},
            {total} AS weight, 1 / (1 + pow(2, -least(greatest(weight, -60), 60))) AS probability,
            {rule} AS rule, {outcome} AS outcome, ({enough}) AS enough, {two_ids} AS same_issuer,
            list_filter([{rules}], lambda x: x IS NOT NULL) AS blocked_by,
            to_json(list_filter([{evidence},
                {{'comparison': 'name order', 'label': 'swapped', 'a': NULL, 'b': NULL,
                  'weight': CASE WHEN swap AND NOT a.unordered AND NOT b.unordered THEN {matcher.swapped!r} END}},
                {{'comparison': 'prior', 'label': 'two records at random', 'a': NULL, 'b': NULL, 'weight': prior}}],
                lambda x: x.weight IS NOT NULL))::VARCHAR AS evidence
        FROM candidates JOIN prepared a ON a.n = na JOIN prepared b ON b.n = nb {" ".join(joins)}
        WHERE weight >= {matcher.bands.keep!r} OR rule IS NOT NULL OR len(blocked_by) = 0
        ORDER BY na, nb
        """
    ).pl()


def add_pairs(connection: duckdb.DuckDBPyConnection, matcher: Matcher, pairs: pl.DataFrame) -> None:
    """Put pairs (a, b as record numbers, a < b) into `candidates`, where they aren't yet; no rule found them."""
    connection.register("more_frame", pairs.select("a", "b").to_arrow())
    connection.execute(
        "CREATE OR REPLACE TABLE more AS SELECT DISTINCT a, b, 0::BIGINT AS rules FROM more_frame "
        "ANTI JOIN candidates ON a = na AND b = nb"
    )
    connection.unregister("more_frame")
    connection.execute(f"INSERT INTO candidates {sql.level_table(matcher, 'more')}")


def _evidence(matcher: Matcher, number: int) -> str:
    comparison = matcher.comparisons[number]
    names = ["missing", *(level.name for level in comparison.levels)]
    label = " ".join(f"WHEN {level} THEN '{name}'" for level, name in enumerate(names))
    shown = SHOWN.get(comparison.column, comparison.column)
    return (
        f"{{'comparison': '{comparison.name}', 'label': CASE l{number} {label} END, 'a': a.{shown}::VARCHAR, "
        f"'b': b.{shown}::VARCHAR, 'weight': w{number}::DOUBLE}}"
    )


def _frequencies(connection: duckdb.DuckDBPyConnection, matcher: Matcher, fitted: Fitted, number: int) -> None:
    """Table often_N: how often a random record has this value. A person is counted once (distinct partner values),
    the pair's own person not at all, and a value hardly seen is drawn to the average (a gamma prior)."""
    comparison = matcher.comparisons[number]
    column = VALUES.get(comparison.column, comparison.column)
    shape, average = matcher.training.frequency_shape, float(fitted.u[number][1])
    connection.execute(
        f"""
        CREATE OR REPLACE TABLE often_{number} AS
        SELECT {column} AS value, (count(DISTINCT {comparison.frequency}) - 1 + {shape!r})
            / ((SELECT count(*) FROM (SELECT DISTINCT {column}, {comparison.frequency} FROM prepared
                WHERE {column} IS NOT NULL AND {comparison.frequency} IS NOT NULL)) + {shape!r} / {average!r}) AS often
        FROM prepared WHERE {column} IS NOT NULL GROUP BY {column} HAVING count(DISTINCT {comparison.frequency}) > 0
        """
    )


def _patterns(connection: duckdb.DuckDBPyConnection, matcher: Matcher, table: str) -> Patterns:
    columns = ", ".join(f"l{number}" for number in range(len(matcher.comparisons)))
    apart = f"coalesce({sql.outcome(matcher)[1]} IN ('reject', 'overlay'), false)"
    rows = connection.sql(
        f"SELECT {columns}, swap, {apart} AS apart, count(*) AS pairs FROM {table} GROUP BY ALL ORDER BY ALL"
    ).pl()
    levels = rows.select(pl.col(f"l{n}").cast(pl.Int64) for n in range(len(matcher.comparisons)))
    return Patterns(
        levels.to_numpy(),
        rows["pairs"].cast(pl.Float64).to_numpy(),
        rows["swap"].cast(pl.Float64).to_numpy() * matcher.swapped,
        rows["apart"].to_numpy(),
    )


def _draw(connection: duckdb.DuckDBPyConnection, matcher: Matcher, records: int) -> int:
    """Table drawn_levels: all pairs when they are few, else a seeded sample, larger while a level is hardly seen."""
    total = records * (records - 1) // 2
    size = min(100_000, matcher.training.largest_sample)
    while True:
        if total <= size:
            pairs = "(SELECT x.n AS a, y.n AS b, 0 AS rules FROM prepared x JOIN prepared y ON x.n < y.n)"
            connection.execute(f"CREATE OR REPLACE TABLE drawn_levels AS {sql.level_table(matcher, pairs)}")
            return total
        rng = np.random.default_rng(matcher.training.seed)
        drawn = pl.DataFrame({"x": rng.integers(0, records, size), "y": rng.integers(0, records, size)})
        connection.register("drawn_frame", drawn.filter(pl.col("x") != pl.col("y")).to_arrow())
        pairs = "(SELECT least(x, y) AS a, greatest(x, y) AS b, 0 AS rules FROM drawn_frame)"
        connection.execute(f"CREATE OR REPLACE TABLE drawn_levels AS {sql.level_table(matcher, pairs)}")
        connection.unregister("drawn_frame")
        if size >= matcher.training.largest_sample or _rarest(connection, matcher) >= 100:
            return size
        size = min(size * 4, matcher.training.largest_sample)


def _rarest(connection: duckdb.DuckDBPyConnection, matcher: Matcher) -> int:
    """Sampled pairs that agree in full on the comparison that random pairs agree on least; dates, which next to none
    do, are left to the model's own figure."""
    counts = [f"count(*) FILTER (l{n} = 1)" for n, c in enumerate(matcher.comparisons) if c.levels[0].u >= 1e-3]
    return int(min(connection.sql(f"SELECT {', '.join(counts)} FROM drawn_levels").fetchall()[0])) if counts else 100


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.sql(query).fetchall()[0][0])
