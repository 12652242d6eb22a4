"""Why two records are one person, or aren't: what adds up to a pair's weight, and what holds a person together."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from fonds.catalog.store import Catalog
from fonds.errors import QueryRefused
from fonds.match import kept
from fonds.match.candidates import compare_pairs
from fonds.match.definition import Matcher, Names, load
from fonds.match.prepare import prepare, records
from fonds.match.score import evidence, weigh
from fonds.operations import decisions
from fonds.project.settings import Project

_SQL = Path(__file__).parent / "sql"
Row = dict[str, Any]
PRIOR = "prior"


@dataclass(frozen=True, slots=True)
class PairTold:
    """Everything about one pair. `steps` begin with the prior: comparison, label, a, b, weight (log2), sum so far, and
    `usual`: what the level weighs with average values (a rare value weighs more, one that relatives share less).

    `compared` is False for a pair that the last run didn't keep: weight, steps and outcome are then what they would be,
    and `blocked_by` is empty where no rule finds it. The steps are empty where no fit of this model is kept. `records`,
    `decisions` and `events` are those of both records.
    """

    compared: bool
    records: list[Row]
    steps: list[Row]
    weight: float | None
    probability: float | None
    band: str | None
    note: str | None
    outcome: str | None
    blocked_by: list[str]
    decisions: list[Row]
    events: list[Row]


@dataclass(frozen=True, slots=True)
class PersonTold:
    """A person: its records, the pairs between them (weakest first, firm ones last), and what happened to it.

    `weakest` is the link without which it falls into two parts that nothing stronger joins: of all links that are
    needed to join its records the lightest; None when all that are needed are firm (a decision, one identifier).
    """

    person: str
    records: list[Row]
    links: list[Row]
    weakest: tuple[str, str] | None
    events: list[Row]


def explain_pair(project: Project, a: str, b: str) -> PairTold:
    """Tell of two records, named in any order. Raises QueryRefused for a record that isn't known."""
    a, b = sorted((a, b))
    with Catalog(project).connect() as connection:
        both = _rows(connection, "explain_records", records=[a, b])
        known = {row["record_id"] for row in both}
        if unknown := [one for one in (a, b) if one not in known]:
            raise QueryRefused(
                f'there is no record {unknown[0]}; `fonds sql "select record_a, record_b from pairs"` lists pairs'
            )
        if a == b:
            raise QueryRefused("these are one and the same record; name two")
        found = _rows(connection, "explain_pair", a=a, b=b)
        events = _rows(connection, "explain_events", records=[a, b])
    pair = found[0] if found else {}
    matcher, names, _ = load(project)
    fit = kept.read(project, matcher)
    if not pair.get("evidence") and fit is not None:
        pair |= _weighed(project, fit, matcher, names, (a, b))
    made = decisions.all_decisions(project).filter(
        pl.col("kind") == "pair", pl.col("subject_a") == a, pl.col("subject_b") == b
    )
    return PairTold(
        compared=bool(found),
        records=both,
        steps=_steps(pair.get("evidence"), {} if fit is None else _usual(matcher, fit)),
        weight=pair.get("weight"),
        probability=pair.get("probability"),
        band=pair.get("band"),
        note=pair.get("note"),
        outcome=pair.get("outcome"),
        blocked_by=pair.get("blocked_by") or [],
        decisions=made.to_dicts(),
        events=events,
    )


def explain_person(project: Project, person: str) -> PersonTold:
    """Tell of a person. Raises QueryRefused when there is none of that name."""
    with Catalog(project).connect() as connection:
        members = [row["record_id"] for row in _rows(connection, "explain_members", person=person)]
        if not members:
            raise QueryRefused(f'there is no person {person}; `fonds sql "select person_id from persons"` lists them')
        links = _rows(connection, "explain_links", records=members)
        return PersonTold(
            person,
            _rows(connection, "explain_records", records=members),
            links,
            _weakest(members, [link for link in links if link["band"] == "link"]),
            _rows(connection, "explain_events", records=members),
        )


def _weakest(members: list[str], links: list[Row]) -> tuple[str, str] | None:
    """The lightest link of the heaviest spanning tree; firm links are heavier than any weight."""
    if not links:
        return None
    number = {record: place for place, record in enumerate(members)}
    ends = np.array([(number[link["record_a"]], number[link["record_b"]]) for link in links])
    firm = np.array([link["decided"] == "link" or link["outcome"] == "link" for link in links])
    # a link costs the less the heavier it is; 0 would be no link
    cost = np.where(firm, 1.0, 1000.0 - np.array([float(link["weight"]) for link in links]))
    tree = minimum_spanning_tree(coo_array((cost, ends.T), shape=(len(members), len(members)))).tocoo()
    if not tree.nnz or tree.data.max() <= 1:
        return None
    dearest = int(tree.data.argmax())
    a, b = sorted((members[tree.row[dearest]], members[tree.col[dearest]]))
    return a, b


def _steps(text: str | None, usual: dict[tuple[str, str], float]) -> list[Row]:
    """The steps of `pairs.evidence`, the prior first, each with the sum reached."""
    told: list[Row] = json.loads(text or "[]")
    told.sort(key=lambda step: step["comparison"] != PRIOR)
    sums = accumulate(float(step["weight"]) for step in told)
    return [
        {**step, "sum": reached, "usual": usual.get((step["comparison"], step["label"]))}
        for step, reached in zip(told, sums, strict=True)
    ]


def _usual(matcher: Matcher, fit: kept.Kept) -> dict[tuple[str, str], float]:
    """By comparison and level: what the level weighs with average values."""
    return {
        (comparison.name, level.name): float(weight)
        for comparison, weights in zip(matcher.comparisons, fit.fitted.weights(), strict=True)
        for level, weight in zip(comparison.levels, weights[1:], strict=True)
    }


def _weighed(project: Project, fit: kept.Kept, matcher: Matcher, names: Names, ids: tuple[str, str]) -> Row:
    """What the pair weighs by the fit, and why, as columns of `pairs`; {} for records that matching doesn't read.

    All records are prepared: which blocking rules find a pair depends on how large the blocks are.
    """
    with Catalog(project).connect() as connection:
        prepared = prepare(records(connection), matcher, names, known=fit.learned)
    numbers = prepared.filter(pl.col("record_id").is_in(ids))["n"].sort()
    if len(numbers) < 2:
        return {}
    compared = compare_pairs(prepared, matcher, pl.DataFrame({"a": [numbers[0]], "b": [numbers[1]]}))
    # rules 0: a pair that is asked for is weighed, whatever it weighs
    asked = compared.with_columns(pl.lit(0, dtype=pl.Int64).alias("rules"))
    weighed = weigh(prepared, matcher, fit.fitted, fit.frequencies, asked)
    told = evidence(prepared, matcher, fit.fitted, fit.frequencies, weighed).row(0, named=True)
    rules = int(compared["rules"][0])
    found = [rule.name for bit, rule in enumerate(matcher.blocking) if rules >> bit & 1]
    return {name: told[name] for name in ("weight", "probability", "outcome", "evidence")} | {"blocked_by": found}


def _rows(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any) -> list[Row]:
    text = (_SQL / f"{name}.sql").read_text(encoding="utf-8")
    rows: list[Row] = connection.execute(text, parameters).pl().to_dicts()
    return rows
