"""Each action of a rule as one DuckDB SQL expression. Values are quoted literals, patterns are RE2's."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import sqlglot
from sqlglot import exp

from fonds.catalog.store import literal
from fonds.normalize.definition import TEMPLATES, Placed
from fonds.normalize.rules import Date, Fill, Map, Regex, Rule, SplitName, Time, Trim
from fonds.project.expressions import expand
from fonds.project.expressions import sql as sql_of

Column = Callable[[str], str]

_WORD = r"[\p{L}\p{M}.'’-]*\p{L}[\p{L}\p{M}.'’-]*"
NAME_FORMS = {
    # `^` parts components and `=` groups (PS3.5 6.2.1.1): only the first group is looked at, the others stay
    "comma": (r"(?s)^ *([^=^,]*[^=^, ]) *, *([^=^, ](?:[^=^,]*[^=^, ])?) *(=.*)?$", r"\1^\2\3"),
    "two-words": (rf"(?s)^({_WORD}) ({_WORD})(=.*)?$", r"\1^\2\3"),
}
# form of a written date, and where year, month and day begin in it
DATE_FORMS = {
    "iso": (r"^\d{4}(?:\.\d\d\.|-\d\d-|/\d\d/)\d\d$", 1, 6, 9),
    "us": (r"^(?:\d\d/\d\d/|\d\d-\d\d-|\d\d\.\d\d\.)\d{4}$", 7, 1, 4),
    "european": (r"^(?:\d\d/\d\d/|\d\d-\d\d-|\d\d\.\d\d\.)\d{4}$", 7, 4, 1),
}
TIME_FORM = r"^(?:[01]\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60)(?:\.\d{1,6})?)?$"


def expression(placed: Placed, value: str, column: Column) -> str:
    """The attribute after the rule, as SQL over `value` (SQL of the attribute before) and other columns."""
    after = _action(placed, value, column)
    where = _scope(placed, column)
    return f"CASE WHEN {where} THEN {after} ELSE {value} END" if where else after


def candidates(placed: Placed, value: str, column: Column) -> str | None:
    """JSON list of {value, score, why} to choose from beside the value an action made; None: it knows one way only."""
    return None


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


def _action(placed: Placed, value: str, column: Column) -> str:
    rule: Rule = placed.rule
    match rule:
        case Map():
            key = literal(placed.table_key)
            found = f"SELECT t.term FROM spellings t WHERE t.rule = {key} AND t.spelling = lower(trim({value}, ' '))"
            made = f"coalesce(({found}), {value})"
        case Trim():
            made = f"trim({value if rule.what == 'ends' else _components(value)}, ' ')"
        case Date():
            made = _date(rule, value, column)
        case Time():
            written = f"regexp_matches({value}, {literal(TIME_FORM)})"
            made = f"CASE WHEN {written} THEN replace({value}, ':', '') ELSE {value} END"
        case SplitName():
            pattern, replace = NAME_FORMS[rule.form]
            made = f"regexp_replace({value}, {literal(pattern)}, {literal(replace)})"
        case Fill():
            filling = literal(rule.value) if rule.value is not None else f"nullif({column(str(rule.setting))}, '')"
            empty = f"coalesce(trim({value}, ' '), '') = ''"
            made = f"CASE WHEN {empty} THEN coalesce({filling}, {value}) ELSE {value} END"
        case Regex():
            made = _each(rule, value) if rule.each else _replaced(rule, value)
    return made


def _components(name: str) -> str:
    single = f"regexp_replace({name}, ' {{2,}}', ' ', 'g')"
    return f"regexp_replace({single}, ' ?([\\^=\\\\]) ?', '\\1', 'g')"


def _each(rule: Regex, value: str) -> str:
    parts = f"list_transform(string_split({value}, '\\'), lambda part: {_replaced(rule, 'part')})"
    return f"array_to_string({parts}, '\\')"


def _date(rule: Date, value: str, column: Column) -> str:
    def form(name: str) -> str:
        pattern, year, month, day = DATE_FORMS[name]
        parts = f"substr({value}, {year}, 4) || substr({value}, {month}, 2) || substr({value}, {day}, 2)"
        used = f" AND {column('date_order')} = {literal(name)}" if rule.order == "source" and name != "iso" else ""
        return f"WHEN regexp_matches({value}, {literal(pattern)}){used} THEN {parts}"

    names = DATE_FORMS if rule.order == "source" else dict.fromkeys(("iso", rule.order))
    digits = f"CASE {' '.join(form(name) for name in names)} END"
    return f"CASE WHEN try_strptime({digits}, '%Y%m%d') IS NOT NULL THEN {digits} ELSE {value} END"


def _replaced(rule: Regex, value: str) -> str:
    return reduce(
        lambda sql, one: f"regexp_replace({sql}, {literal(one.pattern)}, {literal(one.replace)})",
        rule.replacements,
        value,
    )


def _list(values: tuple[str, ...]) -> str:
    return ", ".join(literal(value) for value in values)
