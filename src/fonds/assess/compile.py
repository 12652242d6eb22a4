"""Turns the checks of a level into one DuckDB statement: every check in one pass over the level's rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from fonds.assess.definition import Check, Test
from fonds.assess.vocabulary import LEVELS, Level, relation, templates
from fonds.catalog.store import literal, quote
from fonds.project.expressions import Vocabulary, expand, parse, sql

Vocabularies = dict[str, Vocabulary]


def measure(level: str, checks: Sequence[Check], vocabularies: Vocabularies) -> str:
    """One row a source: `denominators` and `numerators` (lists in the order of `checks`) and `failing`.

    `failing` is a list of {entity, study_uid, failures: [{number, attribute, value}]}, `number` the check's place.
    """
    counted = ", ".join(f"count(*) FILTER (applies_{n})" for n in range(len(checks)))
    failed = ", ".join(f"count(failure_{n})" for n in range(len(checks)))
    failures = ", ".join(f"failure_{n}" for n in range(len(checks)))
    return f"""
WITH judged AS ({judged(level, checks, vocabularies)}),
gathered AS (
    SELECT *, list_filter([{failures}], lambda one: one IS NOT NULL) AS failures FROM judged
)
SELECT source, [{counted}] AS denominators, [{failed}] AS numerators,
    list({{'entity': entity, 'study_uid': study_uid, 'failures': failures}}) FILTER (length(failures) > 0) AS failing
FROM gathered GROUP BY source"""


def judged(level: str, checks: Sequence[Check], vocabularies: Vocabularies) -> str:
    """One row an entity: source, entity, study_uid, and for each check `applies_n` and `failure_n` (NULL: passes)."""
    place = LEVELS[level]
    columns = [f"source, {place.entity} AS entity, {place.study_uid} AS study_uid"]
    for number, check in enumerate(checks):
        applies = _applies(check, vocabularies[level])
        columns.append(f"{applies} AS applies_{number}")
        columns.append(f"{_failure(number, check, applies, place, vocabularies[level])} AS failure_{number}")
    grouped = f" GROUP BY source, {', '.join(place.keys)}" if place.keys else ""
    return f"WITH found AS ({relation(level)})\nSELECT {', '.join(columns)}\nFROM found{grouped}"


def drilldown(check: Check, vocabularies: Vocabularies) -> str:
    """The SELECT over the published catalog that lists what fails one check, in every source."""
    return (
        "SELECT source, entity, study_uid, failure_0.attribute AS attribute, failure_0.value AS value "
        f"FROM ({judged(check.level, [check], vocabularies)}) WHERE failure_0 IS NOT NULL"
    )


def _applies(check: Check, vocabulary: Vocabulary) -> str:
    conditions = []
    if check.level == "instance" and not check.unreadable:
        conditions.append("reason IS NULL")
    if check.applies is not None:
        conditions.append(_sql(check.applies, vocabulary))
    return " AND ".join(f"coalesce({condition}, false)" for condition in conditions) or "true"


def _failure(number: int, check: Check, applies: str, level: Level, vocabulary: Vocabulary) -> str:
    whens = [f"WHEN NOT ({applies}) THEN NULL"] if applies != "true" else []
    for test in check.tests:
        for attribute in test.attributes:
            tree = parse(test.when, vocabulary, it=attribute)
            value = _value(test, attribute, tree, level, vocabulary)
            found = f"{{'number': {number}, 'attribute': {literal(attribute)}, 'value': {value}}}"
            whens.append(f"WHEN {sql(expand(tree, templates()))} THEN {found}")
    return f"CASE {' '.join(whens)} END"


def _value(test: Test, attribute: str, when: exp.Expression, level: Level, vocabulary: Vocabulary) -> str:
    """What the finding shows: as the check says, or the attribute; of a group, the first value that made it fail."""
    if test.value is not None:
        return f"CAST({_sql(test.value, vocabulary, attribute)} AS VARCHAR)"
    column = quote(attribute)
    if not level.keys or attribute in level.keys:
        return f"CAST({column} AS VARCHAR)"
    if isinstance(when, exp.LogicalOr):
        return f"min({column}) FILTER (WHERE {sql(expand(when.this, templates()))})"
    return _sql(f"span({column})", vocabulary)


def _sql(text: str, vocabulary: Vocabulary, it: str | None = None) -> str:
    return sql(expand(parse(text, vocabulary, it=it), templates()))
