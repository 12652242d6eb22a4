"""Each action of a rule as one DuckDB SQL expression. Values are quoted literals, patterns are RE2's."""

from __future__ import annotations

from functools import reduce

import sqlglot
from sqlglot import exp

from fonds.catalog.store import literal
from fonds.normalize.basis import Action, At, Column, let
from fonds.normalize.definition import TEMPLATES, Placed
from fonds.normalize.lookup_model import Lookup
from fonds.normalize.rules import Fill, Map, Regex, Rule, SplitName, Trim
from fonds.project.expressions import expand
from fonds.project.expressions import sql as sql_of

_WORD = r"[\p{L}\p{M}.'’-]*\p{L}[\p{L}\p{M}.'’-]*"
# the longest text a value of a VR with a bound has (LT, PS3.5 6.2)
LONGEST = 10_240
NAME_FORMS = {
    # `^` parts components and `=` groups (PS3.5 6.2.1.1): only the first group is looked at, the others stay
    "comma": (r"(?s)^ *([^=^,]*[^=^, ]) *, *([^=^, ](?:[^=^,]*[^=^, ])?) *(=.*)?$", r"\1^\2\3"),
    "two-words": (rf"(?s)^({_WORD}) ({_WORD})(=.*)?$", r"\1^\2\3"),
}


def expression(placed: Placed, word: str, value: str, column: Column) -> str:
    """The attribute after the rule, as SQL over `value` (SQL of the attribute before) and other columns."""
    after = _action(placed, word, value, column)
    where = _scope(placed, column)
    return f"CASE WHEN {where} THEN {after} ELSE {value} END" if where else after


def candidates(placed: Placed, word: str, value: str, column: Column) -> str | None:
    """JSON list of {value, score, why} to choose from beside the value an action made; None: it knows one way only."""
    rule: Rule = placed.rule
    return rule.choices(At(word, value, column, placed.table_key)) if isinstance(rule, Action) else None


def doubts(placed: Placed, word: str, value: str, column: Column) -> str | None:
    """SQL of {waits, score} where an action is surer of some values than of others; None: the rule says it for all."""
    rule: Rule = placed.rule
    return rule.doubts(At(word, value, column, placed.table_key)) if isinstance(rule, Lookup) else None


def _scope(placed: Placed, column: Column) -> str:
    scope = placed.rule.scope
    parts = [f"{column('source')} IN ({_list(scope.source)})"] if scope.source else []
    parts += [f"{column('department')} IN ({_list(scope.department)})"] if scope.department else []
    parts += [f"coalesce({column('Modality')} IN ({_list(scope.modality)}), false)"] if scope.modality else []
    if placed.condition is not None:
        # columns of the expression become those of this step; the vocabulary let only known ones through
        plain = expand(placed.condition, TEMPLATES)
        named = plain.transform(
            lambda node: (
                sqlglot.parse_one(column(node.name), dialect="duckdb") if isinstance(node, exp.Column) else node
            )
        )
        parts.append(f"coalesce({sql_of(named)}, false)")
    return " AND ".join(parts)


def _action(placed: Placed, word: str, value: str, column: Column) -> str:
    rule: Rule = placed.rule
    match rule:
        case Map():
            key = literal(placed.table_key)
            found = f"SELECT t.term FROM spellings t WHERE t.rule = {key} AND t.spelling = lower(trim({value}, ' '))"
            made = f"coalesce(({found}), {value})"
        case Trim():
            single = f"regexp_replace({value}, ' {{2,}}', ' ', 'g')"
            inner = {"ends": value, "inside": single, "components": _components(single)}[rule.what]
            made = f"trim({inner}, ' ')"
        case SplitName():
            pattern, replace = NAME_FORMS[rule.form]
            made = f"regexp_replace({value}, {literal(pattern)}, {literal(replace)})"
        case Fill():
            filling = literal(rule.value) if rule.value is not None else f"nullif({column(str(rule.setting))}, '')"
            empty = f"coalesce(trim({value}, ' '), '') = ''"
            made = f"CASE WHEN {empty} THEN coalesce({filling}, {value}) ELSE {value} END"
        case Action():
            made = rule.sql(At(word, value, column, placed.table_key))
        case Regex():
            made = _each(rule, value) if rule.each else _replaced(rule, value)
    return made


def _components(name: str) -> str:
    return f"regexp_replace({name}, ' ?([\\^=\\\\]) ?', '\\1', 'g')"


def _each(rule: Regex, value: str) -> str:
    parts = f"list_transform(string_split({value}, '\\'), lambda part: {_replaced(rule, 'part')})"
    return f"array_to_string({parts}, '\\')"


def _replaced(rule: Regex, value: str) -> str:
    made = reduce(
        # what repeats a group doubles the value, fifty times over: so each step is cut, and what was cut is dropped
        lambda sql, one: f"left(regexp_replace({sql}, {literal(one.pattern)}, {literal(one.replace)}), {LONGEST + 1})",
        rule.replacements,
        value,
    )
    return let(made, "made", f"CASE WHEN length(made) > {LONGEST} THEN {value} ELSE made END")


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(literal(value) for value in values)
