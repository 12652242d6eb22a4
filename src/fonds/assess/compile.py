"""Turns the checks of a level into one DuckDB statement: every check in one pass over the level's rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlglot import exp

from fonds.assess.definition import Check, Test
from fonds.assess.vocabulary import LEVELS, Level, relation, templates
from fonds.catalog.store import literal, quote
from fonds.project.expressions import Vocabulary, expand, parse, sql

Vocabularies = dict[str, Vocabulary]


WORD = 60
"""checks whose outcomes share one whole number, a bit each"""
# the earliest year a group's Study Dates begin with, and its only modality
_YEAR = "CASE WHEN regexp_full_match({0}, '(1[89]|20)[0-9][0-9].*') THEN left({0}, 4) END"
_SEVERAL = "CASE WHEN min({0}) <> max({0}) THEN 'several' ELSE min({0}) END"


def marked(level: str, checks: Sequence[Check], vocabularies: Vocabularies, only: str = "") -> str:
    """One row an entity: source, modality, study_year, failing, and bits `asked_w`, `failed_w`, w from 0.

    `failing` is NULL for an entity that passes, else {entity, study_uid, failures: [{number, attribute, value}]} with
    the check's place as `number`; bit n of word w is check w * WORD + n. `only` is a condition on the level's rows.
    """
    words = [range(start, min(start + WORD, len(checks))) for start in range(0, len(checks), WORD)]
    applies = [" + ".join(f"CASE WHEN applies_{n} THEN {1 << n - w[0]} ELSE 0 END" for n in w) for w in words]
    fails = [" + ".join(f"CASE WHEN failure_{n} IS NOT NULL THEN {1 << n - w[0]} ELSE 0 END" for n in w) for w in words]
    columns = ", ".join(
        f"CAST({text} AS BIGINT) AS {kind}_{place}"
        for kind, texts in (("asked", applies), ("failed", fails))
        for place, text in enumerate(texts)
    )
    some = " OR ".join(f"failed_{place} <> 0" for place in range(len(words)))
    failures = ", ".join(f"failure_{n}" for n in range(len(checks)))
    masks = ", ".join(f"{kind}_{place}" for kind in ("asked", "failed") for place in range(len(words)))
    return (
        f"SELECT source, modality, study_year, {masks}, CASE WHEN {some} THEN {{'entity': entity, "
        f"'study_uid': study_uid, 'failures': list_filter([{failures}], lambda one: one IS NOT NULL)}} END AS failing "
        f"FROM (SELECT *, {columns} FROM ({judged(level, checks, vocabularies, only)}))"
    )


def judged(level: str, checks: Sequence[Check], vocabularies: Vocabularies, only: str = "") -> str:
    """One row an entity: source, entity, study_uid, modality, study_year, `applies_n`, `failure_n` (NULL: passes)."""
    place = LEVELS[level]
    columns = [f"source, {place.entity} AS entity, {place.study_uid} AS study_uid", *_strata(place)]
    for number, check in enumerate(checks):
        applies = _applies(check, vocabularies[level])
        columns.append(f"{applies} AS applies_{number}")
        columns.append(f"{_failure(number, check, applies, place, vocabularies[level])} AS failure_{number}")
    grouped = f" GROUP BY source, {', '.join(place.keys)}" if place.keys else ""
    where = f" WHERE {only}" if only else ""
    return f"WITH found AS ({relation(level)})\nSELECT {', '.join(columns)}\nFROM found{where}{grouped}"


def drilldown(check: Check, vocabularies: Vocabularies) -> str:
    """The SELECT over the published catalog that lists what fails one check, in every source."""
    return (
        "SELECT source, entity, study_uid, failure_0.attribute AS attribute, failure_0.value AS value "
        f"FROM ({judged(check.level, [check], vocabularies)}) WHERE failure_0 IS NOT NULL"
    )


def _strata(level: Level) -> tuple[str, str]:
    """Modality and year an entity is counted under; '' where it has none."""
    of_index = level.table != "instances"
    kind, day = ("attributes->>'Modality'", "attributes->>'StudyDate'") if of_index else ("Modality", "StudyDate")
    modality, year = f"nullif(trim({kind}), '')", _YEAR.format(day)
    if level.keys:
        modality, year = _SEVERAL.format(modality), f"min({year})"
    return f"coalesce({modality}, '') AS modality", f"coalesce({year}, '') AS study_year"


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
            value = _value(test, attribute, level, vocabulary)
            found = f"{{'number': {number}, 'attribute': {literal(attribute)}, 'value': {value}}}"
            whens.append(f"WHEN {_sql(test.when, vocabulary, attribute)} THEN {found}")
    return f"CASE {' '.join(whens)} END"


def _value(test: Test, attribute: str, level: Level, vocabulary: Vocabulary) -> str:
    """What the finding shows: as the check says, or the attribute; of a group, the first value that made it fail."""
    if test.value is not None:
        return f"CAST({_sql(test.value, vocabulary, attribute)} AS VARCHAR)"
    column = quote(attribute)
    if not level.keys or attribute in level.keys:
        return f"CAST({column} AS VARCHAR)"
    if first := _first(test.when, vocabulary, attribute):
        return f"min({column}) FILTER (WHERE {first})"
    return _sql(f"span({column})", vocabulary)


@lru_cache(maxsize=8192)
def _sql(text: str, vocabulary: Vocabulary, it: str | None = None) -> str:
    # milliseconds each, and a run compiles every condition several times
    return sql(expand(parse(text, vocabulary, it=it), templates()))


@lru_cache(maxsize=8192)
def _first(text: str, vocabulary: Vocabulary, it: str) -> str | None:
    """Of a condition like bool_or(…), what a row must meet for the group to meet it."""
    tree = parse(text, vocabulary, it=it)
    return sql(expand(tree.this, templates())) if isinstance(tree, exp.LogicalOr) else None
