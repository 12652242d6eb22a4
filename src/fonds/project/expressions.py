"""The SQL expression language of Fonds' YAML: columns, tests and named functions; nothing that runs, reads or joins."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

MAX_LENGTH = 4000
MAX_DEPTH = 60

# Whole words, tests and arithmetic that every vocabulary allows.
_OPERATORS = (
    *(exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between),
    *(exp.Like, exp.ILike, exp.Is, exp.Null, exp.Boolean, exp.Literal, exp.Column, exp.Identifier, exp.Neg),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.DPipe, exp.Case, exp.If, exp.TryCast, exp.DataType),
    *(exp.Array, exp.Tuple, exp.Ordered),
)
# IgnoreNulls is how sqlglot writes down what any_value does
_AGGREGATE_PARTS = (exp.Filter, exp.Where, exp.Distinct, exp.IgnoreNulls)
# SQL names of plain functions without effect, cost or access beyond their arguments.
TEXT_FUNCTIONS = frozenset(
    {"abs", "array_contains", "array_to_string", "ceil", "coalesce", "contains", "date_diff", "ends_with"}
    | {"greatest", "least", "left", "length", "list_contains", "lower", "nullif", "regexp_extract", "regexp_matches"}
    | {"replace", "right", "split_part", "starts_with", "strip_accents", "substring", "trim", "upper"}
)
AGGREGATES = frozenset({"any_value", "bool_and", "bool_or", "count", "max", "min"})
_CASTS = frozenset({"BIGINT", "BOOLEAN", "DATE", "DOUBLE", "INT", "INTEGER", "TEXT", "VARCHAR"})


@dataclass(frozen=True, slots=True)
class Template:
    """A named test of our own: its parameters and the DuckDB SQL it stands for, parameters written as columns.

    Inside the call the word `binds`, when there is one, is a column too (`any_part(X, part <> '')`).
    """

    parameters: tuple[str, ...]
    sql: str
    meaning: str
    binds: str = ""
    groups: bool = False
    """an aggregate: its values may differ inside the group"""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an expression in one place may name.

    `subject` is the thing a row is ("a study"), for messages. With `grouped`, the expression is about a group of rows:
    columns stand inside an aggregate, except the `keys` of the group.
    """

    subject: str
    columns: frozenset[str]
    functions: frozenset[str] = TEXT_FUNCTIONS
    templates: Mapping[str, Template] = field(default_factory=dict, hash=False)
    grouped: bool = False
    keys: frozenset[str] = frozenset()


def parse(text: str, vocabulary: Vocabulary, *, it: str | None = None) -> exp.Expression:
    """The expression's tree with templates still folded, the column `it` replaced by the one named.

    Raises ValueError that says what isn't allowed and what is.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"is longer than {MAX_LENGTH} characters")
    tree = _tree(text).copy()
    if it is not None:
        tree = tree.transform(
            lambda node: exp.column(it, quoted=True) if isinstance(node, exp.Column) and node.name == "it" else node
        )
    check(tree, vocabulary)
    return tree


@lru_cache(maxsize=4096)
def _tree(text: str) -> exp.Expression:
    try:
        return sqlglot.parse_one(text, dialect="duckdb")
    except (SqlglotError, RecursionError):
        raise ValueError("is not an SQL expression") from None


def check(tree: exp.Expression, vocabulary: Vocabulary) -> None:
    """Raise ValueError on the first part that the vocabulary doesn't hold."""
    for node, depth, bound, inside in _walk(tree, vocabulary):
        if depth > MAX_DEPTH:
            raise ValueError(f"nests deeper than {MAX_DEPTH} levels")
        _check_node(node, vocabulary, bound, inside)


def expand(tree: exp.Expression, templates: Mapping[str, Template]) -> exp.Expression:
    """A copy in plain DuckDB SQL: every template call replaced by what it stands for."""
    return _expanded(tree.copy(), templates)


def sql(tree: exp.Expression) -> str:
    """The tree as DuckDB SQL: identifiers quoted, without comments."""
    return str(tree.sql(dialect="duckdb", comments=False, identify=True))


def _expanded(tree: exp.Expression, templates: Mapping[str, Template]) -> exp.Expression:
    """The same in place: a copy for each node would take the square of their number."""
    for child in list(tree.iter_expressions()):
        plain = _expanded(child, templates)
        if plain is not child:
            child.replace(plain)
    template = templates.get(tree.name.lower()) if isinstance(tree, exp.Anonymous) else None
    if template is None:
        return tree
    given = dict(zip(template.parameters, tree.expressions, strict=True))
    filled = _tree(template.sql).transform(
        lambda node: given[node.name].copy() if isinstance(node, exp.Column) and node.name in given else node
    )
    return exp.Paren(this=_expanded(filled, templates))


def _walk(tree: exp.Expression, vocabulary: Vocabulary) -> Iterator[tuple[exp.Expression, int, frozenset[str], bool]]:
    """Every node with its depth, the words bound around it, and whether an aggregate stands around it."""
    stack: list[tuple[exp.Expression, int, frozenset[str], bool]] = [(tree, 1, frozenset(), False)]
    while stack:
        node, depth, bound, inside = stack.pop()
        yield node, depth, bound, inside
        template = vocabulary.templates.get(node.name.lower()) if isinstance(node, exp.Anonymous) else None
        below = bound | {template.binds} if template is not None and template.binds else bound
        aggregate = inside or isinstance(node, (exp.AggFunc, exp.Filter)) or (template is not None and template.groups)
        stack += [(child, depth + 1, below, aggregate) for child in node.iter_expressions()]


def _check_node(node: exp.Expression, vocabulary: Vocabulary, bound: frozenset[str], inside: bool) -> None:
    if isinstance(node, exp.Column):
        _check_column(node, vocabulary, bound, inside)
    elif isinstance(node, exp.TryCast):
        if node.to.sql().upper() not in _CASTS:
            raise ValueError(f"a cast to {node.to.sql().lower()} is not allowed; allowed: {_listed(_CASTS)}")
    elif isinstance(node, exp.AggFunc):
        if not vocabulary.grouped:
            raise ValueError(f"an aggregate is not allowed here: a row is {vocabulary.subject}")
        nested = inside and not isinstance(node.parent, exp.Filter)
        if _name(node) not in AGGREGATES or nested:
            raise ValueError(f"the aggregate {_name(node)} is not allowed here; allowed: {_listed(AGGREGATES)}")
    elif isinstance(node, _OPERATORS) or (isinstance(node, exp.Star) and isinstance(node.parent, exp.Count)):
        return
    elif isinstance(node, exp.Func):
        _check_function(node, vocabulary, inside)
    elif not (vocabulary.grouped and isinstance(node, _AGGREGATE_PARTS)) and not isinstance(node, exp.Var):
        raise ValueError(f"'{type(node).__name__.lower()}' is not allowed in a condition")


def _check_column(node: exp.Column, vocabulary: Vocabulary, bound: frozenset[str], inside: bool) -> None:
    if node.table or (node.name not in vocabulary.columns and node.name not in bound):
        near = difflib.get_close_matches(node.name, vocabulary.columns, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {_listed(vocabulary.columns)}"
        raise ValueError(f"'{node.sql()}' is no column of {vocabulary.subject}; {hint}")
    if vocabulary.grouped and not inside and node.name not in vocabulary.keys and node.name not in bound:
        raise ValueError(
            f"'{node.name}' may differ inside {vocabulary.subject}: put it inside {_listed(AGGREGATES)}"
            + (f"; only {_listed(vocabulary.keys)} may stand alone" if vocabulary.keys else "")
        )


def _check_function(node: exp.Func, vocabulary: Vocabulary, inside: bool) -> None:
    name = _name(node)
    template = vocabulary.templates.get(name) if isinstance(node, exp.Anonymous) else None
    if template is not None:
        if template.groups and (inside or not vocabulary.grouped):
            raise ValueError(f"{name} is an aggregate and not allowed here")
        if len(node.expressions) != len(template.parameters):
            raise ValueError(f"{name} takes {len(template.parameters)} value(s): {', '.join(template.parameters)}")
        return
    if name not in vocabulary.functions:
        allowed = vocabulary.functions | set(vocabulary.templates)
        raise ValueError(f"the function {name} is not allowed; allowed: {_listed(allowed)}")


def _name(node: exp.Func) -> str:
    """The function's name as DuckDB writes it: sqlglot has names of its own for many."""
    return node.name.lower() if isinstance(node, exp.Anonymous) else sql(node).partition("(")[0].strip().lower()


def _listed(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))
