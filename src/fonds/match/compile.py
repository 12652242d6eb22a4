"""Turns a match model into SQL: candidate pairs by blocking rules, and the level each pair reaches."""

from __future__ import annotations

from fonds.catalog.store import literal
from fonds.match.definition import LISTS, Block, Comparison, Level, Matcher

# In a pair whose names stand in each other's place, record b is read crosswise.
_SHOULD_SWAP = """
    a.family IS NOT NULL AND b.family IS NOT NULL AND a.given IS NOT NULL AND b.given IS NOT NULL
    AND a.family <> b.family AND a.given_first <> b.given_first
    AND (a.family = b.given OR a.family_spelling = b.given_spelling
         OR jaro_winkler_similarity(a.family, b.given) >= 0.92)
    AND (a.given_first = b.family OR a.given = b.family OR a.given_spelling = b.family_spelling
         OR jaro_winkler_similarity(a.given_first, b.family) >= 0.92 OR list_has_any(a.given_forms, b.family_forms)
         OR a.given_code = b.family_code AND jaro_winkler_similarity(a.given_first, b.family) >= 0.6)
"""

_SPELLINGS = {
    "family": "a.family_spelling IS DISTINCT FROM CASE WHEN swap THEN b.given_spelling ELSE b.family_spelling END",
    "given": "a.given_spelling IS DISTINCT FROM CASE WHEN swap THEN b.family_spelling ELSE b.given_spelling END",
}
_CODES = {
    "family": "a.family_code = CASE WHEN swap THEN b.given_code ELSE b.family_code END",
    "given": "a.given_code = CASE WHEN swap THEN b.family_code ELSE b.given_code END",
}


def blocks(rule: Block, number: int) -> str:
    """Pairs (a, b, rule's bit) the rule finds; too large blocks also have to agree on one of the `split` columns."""
    bit = f"{1 << number}::BIGINT"
    if rule.shared:
        return f"""
            WITH held AS (SELECT n, unnest(studies) AS study FROM prepared),
            usable AS (SELECT study FROM held GROUP BY study HAVING count(*) BETWEEN 2 AND {rule.largest})
            SELECT DISTINCT x.n AS a, y.n AS b, {bit} AS rules FROM usable JOIN held x USING (study)
            JOIN held y USING (study) WHERE x.n < y.n"""
    on = " AND ".join(f"x.{key} = y.{key}" for key in rule.keys)
    if rule.crossed:
        return (
            f"SELECT least(x.n, y.n) AS a, greatest(x.n, y.n) AS b, {bit} AS rules FROM prepared x JOIN prepared y "
            f"ON {on} AND x.family = y.given_first AND x.n <> y.n WHERE left(y.family, 2) = left(x.given_first, 2)"
        )
    counted = f"SELECT {', '.join(rule.keys)}, count(*) AS size FROM prepared GROUP BY ALL"
    small = f"s.size <= {rule.largest}"
    if rule.split:
        small = f"({small} OR " + " OR ".join(f"x.{column} = y.{column}" for column in rule.split) + ")"
    using = ", ".join(rule.keys)
    return (
        f"SELECT x.n AS a, y.n AS b, {bit} AS rules FROM ({counted}) s JOIN prepared x USING ({using}) "
        f"JOIN prepared y ON {on} AND x.n < y.n WHERE s.size > 1 AND {small}"
    )


def oversized(rule: Block) -> str | None:
    """Counts the rule's blocks above its limit and the records in them."""
    if rule.shared or rule.crossed:
        return None
    present = " AND ".join(f"{key} IS NOT NULL" for key in rule.keys)
    return (
        f"SELECT count(*), coalesce(sum(size), 0) FROM (SELECT count(*) AS size FROM prepared WHERE {present} "
        f"GROUP BY {', '.join(rule.keys)}) WHERE size > {rule.largest}"
    )


def candidates(matcher: Matcher) -> str:
    """Distinct pairs over all rules with the bits of the rules that found them."""
    union = " UNION ALL ".join(f"({blocks(rule, number)})" for number, rule in enumerate(matcher.blocking))
    return f"SELECT a, b, bit_or(rules) AS rules FROM ({union}) GROUP BY a, b"


def swapped() -> str:
    """Whether a pair's names agree only when family and given name change places."""
    return f"coalesce({_SHOULD_SWAP}, false)"


def levels(comparison: Comparison) -> str:
    """The level's number, 1 for the first of the model, 0 when a value is missing on either side."""
    cases = []
    column = comparison.column
    left, right = f"a.{column}", _right(column)
    missing = f"{left} IS NULL OR {right} IS NULL"
    if comparison.within:
        missing += f" OR a.{comparison.within} <> b.{comparison.within}"
    native = "a.native = b.native" if column in ("family", "given") else None
    if native:
        cases.append(f"WHEN {native} THEN 1")
    cases.append(f"WHEN {missing} THEN 0")
    for number, level in enumerate(comparison.levels, 1):
        cases.append(f"WHEN {_measure(level, column, left, right)} THEN {number}")
    return f"CASE {' '.join(cases)} END"


def _right(column: str) -> str:
    other = {"family": "given", "given": "family"}.get(column)
    return f"CASE WHEN swap THEN b.{other} ELSE b.{column} END" if other else f"b.{column}"


def _measure(level: Level, column: str, left: str, right: str) -> str:  # noqa: PLR0911, PLR0912 - one case a measure
    parts = LISTS.get(column, "")
    firsts = "a.given_first", "(CASE WHEN swap THEN b.family ELSE b.given_first END)"
    plain = f"NOT swap AND len(a.{parts}) > 0" if parts else ""
    short = f"least(length({left}), length({right})) >= {level.shortest}"
    edits = f"damerau_levenshtein({left}, {right}) <= {level.at_most} AND {short}"
    match level.when:
        case "equal" if column == "given":
            whole = "NOT swap AND len(a.given_tokens) > 0 AND a.given_tokens = b.given_tokens"
            return f"({left} = {right} OR {firsts[0]} = {firsts[1]} AND length({firsts[0]}) > 1 OR {whole})"
        case "equal":
            return f"{left} = {right}"
        case "part":
            return f"({plain} AND list_has_any(a.{parts}, b.{parts}))"
        case "nickname":
            forms = "list_has_any(a.given_forms, CASE WHEN swap THEN b.family_forms ELSE b.given_forms END)"
            # one letter makes another name of a name (Maria and Marie, Leo and Leon): twins have such
            letter = f"damerau_levenshtein({firsts[0]}, {firsts[1]}) <= 1 AND {_SPELLINGS['given']}"
            return f"({forms} AND NOT ({letter}))"
        case "spelling":
            return f"({short} AND NOT {_SPELLINGS[column]})"
        case "sound":
            alike = f"jaro_winkler_similarity({left}, {right}) >= {level.at_least}"
            return f"({short} AND {_CODES[column]} AND {alike})"
        case "edits" if column == "given":
            first = f"damerau_levenshtein({firsts[0]}, {firsts[1]}) <= {level.at_most}"
            known = "" if level.known else " AND NOT (a.given_known AND b.given_known)"
            return f"((({edits}) OR {first} AND length({firsts[0]}) >= {level.shortest}){known})"
        case "edits":
            return f"({edits})"
        case "similar":
            return f"jaro_winkler_similarity({left}, {right}) >= {level.at_least}"
        case "initial":
            return f"(left({left}, 1) = left({right}, 1) AND least(length({left}), length({right})) = 1)"
        case "contained":
            return f"({plain} AND (list_has_all(a.{parts}, b.{parts}) OR list_has_all(b.{parts}, a.{parts})))"
        case "both_known":
            return "(a.given_known AND b.given_known AND NOT swap)"
        case "day_month":
            crossed = f"left({right}, 4) || right({right}, 2) || substr({right}, 5, 2)"
            return f"({left} = {crossed})"
        case "digits":
            years = f"abs(left({left}, 4)::INT - left({right}, 4)::INT) < {level.years}"
            return f"({years} AND length({left}) = length({right}) AND damerau_levenshtein({left}, {right}) = 1)"
        case "year_only":
            first = f"('0101' IN (right({left}, 4), right({right}, 4)))"
            return f"(left({left}, 4) = left({right}, 4) AND {first})"
        case "apart":
            return f"abs(left({left}, 4)::INT - left({right}, 4)::INT) >= {level.years}"
        case "other":
            return "true"


def level_table(matcher: Matcher, pairs: str) -> str:
    """Pairs with one small integer column a comparison (`l0`, `l1`, …) and `swap`."""
    columns = ", ".join(f"({levels(c)})::UTINYINT AS l{number}" for number, c in enumerate(matcher.comparisons))
    # swap is asked for by most levels: materialised, or DuckDB would work it out once for each of them
    return (
        f"WITH oriented AS MATERIALIZED (SELECT p.a, p.b, p.rules, {swapped()} AS swap FROM {pairs} p "
        f"JOIN prepared a ON a.n = p.a JOIN prepared b ON b.n = p.b) "
        f"SELECT p.a AS na, p.b AS nb, p.rules, swap, {columns} FROM oriented p "
        f"JOIN prepared a ON a.n = p.a JOIN prepared b ON b.n = p.b"
    )


def conditions(matcher: Matcher, when: dict[str, tuple[str, ...]]) -> str:
    """A test on the level columns: every comparison named is at one of its levels."""
    tests = []
    for number, comparison in enumerate(matcher.comparisons):
        if comparison.name in when:
            names = ["missing", *(level.name for level in comparison.levels)]
            tests.append(f"l{number} IN ({', '.join(str(names.index(name)) for name in when[comparison.name])})")
    return "(" + " AND ".join(tests) + ")"


def outcome(matcher: Matcher) -> tuple[str, str]:
    """SQL for the name and the outcome of the first constraint that holds (NULL when none does)."""
    if not matcher.constraints:
        return "NULL::VARCHAR", "NULL::VARCHAR"
    tests = [(conditions(matcher, rule.when), rule) for rule in matcher.constraints]
    names = " ".join(f"WHEN {test} THEN {literal(rule.name)}" for test, rule in tests)
    outcomes = " ".join(f"WHEN {test} THEN {literal(rule.outcome)}" for test, rule in tests)
    return f"CASE {names} END", f"CASE {outcomes} END"
