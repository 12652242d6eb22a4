"""Turns rules into DuckDB SQL: each action is one expression, each attribute one query over its distinct values.

An attribute's new value depends on its old one and on few columns beside it, so the rules run over the *distinct*
combinations (a patient's name once, not once an image) and the answer is joined back to the objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import duckdb
import polars as pl

from fonds.catalog.store import literal, quote
from fonds.dicom.tags import tag_path
from fonds.normalize import charsets, lookup_sql
from fonds.normalize.actions import candidates, doubts, expression
from fonds.normalize.basis import Column
from fonds.normalize.definition import MADE, NESTED, SETTINGS, Placed
from fonds.normalize.lookup import Matcher
from fonds.normalize.lookup_model import Lookup

# no filter is moved below a limit: a text is looked up once, not once an object
BARRIER = 2**62
Steps = tuple[tuple[Placed, str], ...]


@dataclass(frozen=True)
class Query:
    """What the rules make of one attribute in some sources: SQL that yields one row a changed object."""

    attribute: str
    sources: tuple[str, ...]
    sql: str
    fills: bool
    """whether objects without the attribute may get one"""


def queries(pipelines: dict[str, tuple[Placed, ...]], drifting: frozenset[str] = frozenset()) -> list[Query]:
    """One query for each attribute and each set of sources whose rules on it are the same.

    `drifting` are the attributes where an index may have the first word (view `told`).
    """
    found = chains(pipelines, drifting)
    # Modality comes first: what a study consists of is asked of the corrected values
    found = sorted(found, key=lambda one: one[0] != "Modality")
    return [
        Query(word, tuple(names), _query(word, steps, names, drifting), _fills(word, steps))
        for word, steps, names in found
    ]


def _fills(attribute: str, steps: Steps) -> bool:
    return any(word == attribute and placed.rule.fills_or_empties() for placed, word in steps)


def present(connection: duckdb.DuckDBPyConnection, attributes: Iterable[str], given: str) -> frozenset[str]:
    """Those of the attributes that some object has; `given` is the table or view of the objects."""
    words = sorted(set(attributes))
    if not words:
        return frozenset()
    counts = ", ".join(f"count({raw(word)})" for word in words)
    (row,) = connection.sql(f"SELECT {counts} FROM {given}").fetchall()
    return frozenset(word for word, count in zip(words, row, strict=True) if count)


def chains(
    pipelines: dict[str, tuple[Placed, ...]], drifting: frozenset[str] = frozenset()
) -> list[tuple[str, Steps, list[str]]]:
    """Every attribute some rule changes, the steps that lead to its value, and the sources where they are these."""
    groups: dict[tuple[str, tuple[tuple[str, str], ...]], tuple[Steps, list[str]]] = {}
    for source, rules in pipelines.items():
        changed = (word for placed in rules for word in placed.rule.attributes)
        for attribute in dict.fromkeys([*changed, *sorted(drifting)]):
            steps = _steps(attribute, rules)
            key = (attribute, tuple((placed.table_key, word) for placed, word in steps))
            groups.setdefault(key, (steps, []))[1].append(source)
    return [(attribute, steps, sources) for (attribute, _), (steps, sources) in groups.items()]


def bearing(attribute: str, steps: Steps) -> list[str]:
    """The attribute and all columns its steps change or look at."""
    return list(dict.fromkeys([attribute, *(word for _, word in steps), *(w for p, _ in steps for w in p.reads())]))


def layered(attribute: str, steps: Steps, spoken: str | None = None) -> tuple[list[str], dict[str, str], str]:
    """The steps as common table expressions over `layer0` (columns `WORD:0`, `setting:NAME`, `source`).

    Returns them, the column that holds each word at the end, and what `_trace` says of the attribute. `spoken` is the
    column that says whose word the value is that the first step finds.
    """
    current = dict.fromkeys(bearing(attribute, steps), 0)
    layers: list[str] = []
    traced: list[tuple[Placed, str]] = []
    choices: list[tuple[str, str]] = []
    doubtful: dict[str, str] = {}
    for number, (placed, word) in enumerate(steps, start=1):
        before = quote(f"{word}:{current[word]}")
        after = quote(f"{word}:{current[word] + 1}")
        made = expression(placed, word, before, _columns(current))
        choice = candidates(placed, word, before, _columns(current)) if word == attribute else None
        doubt = doubts(placed, word, before, _columns(current)) if word == attribute else None
        beside = f", {choice} AS {quote(f'choice:{number}')}" if choice is not None else ""
        beside += f", {doubt} AS {quote(f'doubt:{number}')}" if doubt is not None else ""
        layers.append(f"layer{number} AS (SELECT *, {made} AS {after}{beside} FROM layer{number - 1})")
        current[word] += 1
        if word == attribute:
            traced.append((placed, f"{after} IS DISTINCT FROM {before}"))
            choices += [(traced[-1][1], quote(f"choice:{number}"))] if choice is not None else []
            doubtful |= {traced[-1][1]: quote(f"doubt:{number}")} if doubt is not None else {}
    ends = {word: quote(f"{word}:{number}") for word, number in current.items()}
    return layers, ends, f"{_trace(traced, spoken, doubtful)}, {_choice(choices)} AS candidates"


def raw(attribute: str) -> str:
    """The column of `instances` an attribute's raw value stands in, as SQL."""
    return NESTED.get(attribute) or MADE.get(attribute) or quote(attribute)


def _steps(attribute: str, rules: tuple[Placed, ...]) -> Steps:
    """The rules that bear on the attribute: those that change it, and those that change what these look at."""
    bearing = {attribute}
    while True:
        steps = tuple((placed, word) for placed in rules for word in placed.rule.attributes if word in bearing)
        more = {word for placed, _ in steps for word in placed.reads()} - bearing
        if not more:
            return steps
        bearing |= more


def _query(attribute: str, steps: Steps, sources: list[str], drifting: frozenset[str]) -> str:
    names = ", ".join(literal(source) for source in sources)
    words = bearing(attribute, steps)
    keys = [(raw(word), quote(f"{word}:0")) for word in words]
    own = attribute in drifting
    beside = [quote(f"{attribute}:raw"), quote(f"{attribute}:made")] if own else []
    given = "told" if drifting else "instances"
    settings = ", ".join(f"s.{name} AS {quote(f'setting:{name}')}" for name in SETTINGS)
    made, ends, trace = layered(attribute, steps, beside[1] if own else None)
    first, last = beside[0] if own else quote(f"{attribute}:0"), ends[attribute]
    columns = ", ".join([*(f"{sql} AS {name}" for sql, name in keys), *beside])
    barrier = f" LIMIT {BARRIER}" if any(isinstance(placed.rule, Lookup) for placed, _ in steps) else ""
    layers = [
        f"found AS (SELECT DISTINCT source, {columns} FROM {given} WHERE source IN ({names}){barrier})",
        f"layer0 AS (SELECT f.*, {settings} FROM found f JOIN sources s USING (source))",
        *made,
        f"changed AS (SELECT *, {trace} FROM layer{len(steps)} WHERE {last} IS DISTINCT FROM {first})",
    ]
    same = " AND ".join(f"i.{name} IS NOT DISTINCT FROM c.{name}" for name in [*(name for _, name in keys), *beside])
    # what is decided once for a patient goes by the Patient ID of the files, whatever an index makes of it
    patient = quote("PatientID:raw") if "PatientID" in drifting else "PatientID"
    objects = (
        f"SELECT source, location, StudyInstanceUID, {patient} AS patient, {columns} "
        f"FROM {given} WHERE source IN ({names})"
    )
    return (
        f"WITH {', '.join(layers)} SELECT i.source, i.location, i.StudyInstanceUID AS study_uid, "
        f"i.patient, {literal(attribute)} AS attribute, {literal(tag_path(attribute))} AS path, "
        f"c.{first} AS before, c.{last} AS after, c.rule, c.pack, c.pack_version, c.pack_hash, c.reason, "
        f"c.confidence, c.needs, c.candidates "
        f"FROM ({objects}) i JOIN changed c ON i.source = c.source AND {same}"
    )


def _columns(current: dict[str, int]) -> Column:
    def column(name: str) -> str:
        if name == "source":
            return "source"
        return quote(f"{name}:{current[name]}") if name in current else quote(f"setting:{name}")

    return column


def _trace(steps: list[tuple[Placed, str]], spoken: str | None, doubtful: dict[str, str]) -> str:
    """What the rules that took part say of a changed value: their ids in order, the last one's pack, the least sure.

    `spoken` comes before them all: a column with the rule, pack, reason and needs of an index's word, or NULL.
    """

    def before(name: str) -> str | None:
        return f"struct_extract({spoken}, {literal(name)})" if spoken is not None else None

    def where(part: Callable[[Placed], bool], name: str, value: str) -> str:
        earlier = [f"{before(name)} = {literal(value)}"] if spoken is not None else []
        return " OR ".join([*(f"({took})" for placed, took in steps if part(placed)), *earlier]) or "false"

    def last(part: Callable[[Placed], str], name: str) -> str:
        whens = [f"WHEN {took} THEN {literal(part(p))}" for p, took in reversed(steps)]
        return f"CASE {' '.join([*whens, 'WHEN true THEN ' + (before(name) or 'NULL')])} END"

    earlier = [str(before("rule"))] if spoken is not None else []
    ids = ", ".join([*earlier, *(f"CASE WHEN {took} THEN {literal(placed.rule.id)} END" for placed, took in steps)])
    scores = {took: f"least({p.rule.confidence!r}, {doubtful[took]}.score)" for p, took in steps if took in doubtful}
    sure = ", ".join(
        [
            "1.0",
            *(f"CASE WHEN {took} THEN {scores.get(took, repr(p.rule.confidence))} ELSE 1.0 END" for p, took in steps),
        ]
    )
    asked = " OR ".join(f"({took} AND {column}.waits)" for took, column in doubtful.items()) or "false"
    by_rule = where(lambda p: p.rule.needs == "steward" and not isinstance(p.rule, Lookup), "needs", "steward")
    return (
        f"concat_ws(' > ', {ids}) AS rule, {last(lambda p: p.pack, 'pack')} AS pack, "
        f"{last(lambda p: p.pack_version, 'pack_version')} AS pack_version, "
        f"{last(lambda p: p.pack_hash, 'pack_hash')} AS pack_hash, "
        f"CASE WHEN {where(lambda p: p.rule.reason == 'COERCE', 'reason', 'COERCE')} "
        f"THEN 'COERCE' ELSE 'CORRECT' END AS reason, "
        f"least({sure})::DOUBLE AS confidence, "
        f"CASE WHEN {asked} OR {by_rule} "
        f"THEN 'steward' ELSE 'none' END AS needs"
    )


def _choice(choices: list[tuple[str, str]]) -> str:
    """What there is to choose from: of the last action that took part and has candidates."""
    whens = " ".join(f"WHEN {took} THEN {column}" for took, column in reversed(choices))
    return f"CASE {whens} END" if whens else "NULL::VARCHAR"


def load_tables(
    connection: duckdb.DuckDBPyConnection, rules: Iterable[Placed], decided: lookup_sql.Decided | None = None
) -> dict[str, Matcher]:
    """Put the tables of all rules into one temporary table `spellings`, folded as the expressions fold values.

    Returns what looks descriptions up, for each rule that does, by the name of its table.
    """
    rules = tuple(rules)
    charsets.functions(connection)
    rows = {
        (placed.table_key, spelling, term)
        for placed in rules
        for spelling, term in (placed.table.items() if placed.table is not None else ())
    }
    schema = dict.fromkeys(("rule", "spelling", "term"), pl.String())
    frame = pl.DataFrame(sorted(rows), schema=schema, orient="row")
    connection.register("given_spellings", frame.to_arrow())
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE spellings AS "
        "SELECT rule, lower(trim(spelling, ' ')) AS spelling, min(term) AS term FROM given_spellings GROUP BY ALL"
    )
    connection.unregister("given_spellings")
    lookups = [(p.table_key, p.rule, p.dictionary) for p in rules if isinstance(p.rule, Lookup) and p.dictionary]
    return lookup_sql.functions(connection, lookups, decided)


def alone(placed: Placed, attribute: str) -> tuple[str, list[str]]:
    """The rule by itself on one of its attributes: the SQL of its answer and the columns it takes."""
    words = list(dict.fromkeys([attribute, *placed.reads()]))
    current = dict.fromkeys(words, 0)
    columns = [*(f"{word}:0" for word in words), *(f"setting:{name}" for name in SETTINGS), "source"]
    return expression(placed, attribute, quote(f"{words[0]}:0"), _columns(current)), columns
