"""What the rules would do now, without doing it: counts, examples and shifts; nothing is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import duckdb
import polars as pl

from fonds.catalog.store import Catalog, literal
from fonds.errors import QueryRefused
from fonds.normalize.compile import raw
from fonds.normalize.order import Ordered, pipelines
from fonds.normalize.run import Tell, computed
from fonds.normalize.steps import steps
from fonds.project.settings import Project

EXAMPLES, TOP = 3, 5
_COMPARED = """
CREATE TEMP TABLE compared AS
SELECT coalesce(n.source, o.source) AS source, coalesce(n.location, o.location) AS location,
    coalesce(n.study_uid, o.study_uid) AS study_uid, coalesce(n.attribute, o.attribute) AS attribute,
    n.before, n.after, n.state, coalesce(n.rule, o.rule) AS rule,
    CASE WHEN o.path IS NULL THEN 'new' WHEN n.path IS NULL THEN 'gone'
        WHEN n.before IS NOT DISTINCT FROM o.before AND n.after IS NOT DISTINCT FROM o.after AND n.state = o.state
            THEN 'same' ELSE 'different' END AS against
FROM would n FULL JOIN (FROM changes WHERE {where}) o
    ON o.source = n.source AND o.location = n.location AND o.path = n.path
"""
_RULES = """
SELECT one AS rule, count(*) FILTER (against <> 'gone') AS changes,
    count(DISTINCT (source, location)) FILTER (against <> 'gone') AS objects,
    count(DISTINCT study_uid) FILTER (against <> 'gone') AS studies,
    count(DISTINCT (attribute, before)) FILTER (against <> 'gone') AS "values",
    count(*) FILTER (state = 'approved') AS approved, count(*) FILTER (state = 'proposed') AS proposed,
    count(*) FILTER (state = 'rejected') AS rejected, count(*) FILTER (against = 'new') AS "new",
    count(*) FILTER (against = 'gone') AS gone, count(*) FILTER (against = 'different') AS different,
    count(*) FILTER (against = 'same') AS same
FROM (SELECT *, unnest(string_split(rule, ' > ')) AS one FROM compared) GROUP BY ALL ORDER BY changes DESC, rule
"""
_MADE = """
SELECT c.attribute, c.before AS value, -count(*) AS more FROM compared c WHERE {where} GROUP BY ALL
UNION ALL
SELECT c.attribute, c.after AS value, count(*) AS more FROM compared c WHERE {where} GROUP BY ALL
"""


@dataclass(frozen=True)
class Simulation:
    """What `normalize` would write, and how that compares with the `changes` there are.

    `rules`: one row a rule: changes, objects, studies, values (distinct ones it starts from), their states, and of its
    changes those new, gone, different (another value or state) and same. A change by several rules counts for each.
    `examples`: rule, attribute, before, after (of that rule's own step), objects; the most frequent first.
    `shifts`: one row an attribute: objects, distinct values, share of empty ones and total variation distance (0 the
    same distribution, 1 nothing in common), with all changes made that aren't rejected.
    `tops`: attribute, value, share_before, share_after of the most frequent values.
    """

    counts: dict[str, int]
    rules: pl.DataFrame
    examples: pl.DataFrame
    shifts: pl.DataFrame
    tops: pl.DataFrame


def simulate(
    project: Project, *, rule: str | None = None, sources: Collection[str] = (), tell: Tell = lambda *_: None
) -> Simulation:
    """Compute the changes with the packs as they are now; the catalog and the record of runs stay as they are.

    `rule` shows what one rule alone takes part in, `sources` looks at these only. Raises QueryRefused for names that
    aren't there, DefinitionInvalid or ContentNotFound as `normalize` does.
    """
    ordered = _chosen(pipelines(project), rule, sources)
    where = f"source IN ({', '.join(literal(name) for name in ordered.rules) or 'NULL'})"
    with Catalog(project).connect() as connection:
        would, _ = computed(project, connection, ordered, tell)
        connection.register("would", would.pl().filter(pl.col("source").is_in(list(ordered.rules))).to_arrow())
        connection.execute(_COMPARED.format(where=where))
        if rule is not None:
            connection.execute(
                f"DELETE FROM compared WHERE NOT list_contains(string_split(rule, ' > '), {literal(rule)})"
            )
        counted = connection.sql(
            "SELECT count(*) FILTER (against <> 'gone') AS changes, "
            "count(DISTINCT (source, location)) FILTER (against <> 'gone') AS objects, "
            "count(DISTINCT study_uid) FILTER (against <> 'gone') AS studies, "
            + ", ".join(f"count(*) FILTER (against = '{one}') AS {one}" for one in ("new", "gone", "different", "same"))
            + " FROM compared"
        ).pl()
        rules = connection.sql(_RULES).pl()
        touched = connection.sql("SELECT DISTINCT attribute FROM compared WHERE after IS DISTINCT FROM before").pl()
        words = sorted(touched["attribute"].drop_nulls())
        taken = steps(connection, ordered.rules, attributes=words)
        shifts, tops = _shifted(connection, words, where)
    if rule is not None:
        rules = rules.filter(pl.col("rule") == rule)
        taken = taken.filter(pl.col("rule") == rule)
    about = taken.select("rule", "title", "pack", "pack_version", "needs").unique("rule")
    named = rules.join(about, on="rule", how="left", maintain_order="left")
    return Simulation(
        {name: int(value) for name, value in counted.row(0, named=True).items()}, named, _examples(taken), shifts, tops
    )


def _chosen(ordered: Ordered, rule: str | None, sources: Collection[str]) -> Ordered:
    if strangers := [name for name in sources if name not in ordered.rules]:
        raise QueryRefused(f"there is no source {strangers[0]}; there are {', '.join(ordered.rules)}")
    kept = {name: rules for name, rules in ordered.rules.items() if not sources or name in sources}
    known = {placed.rule.id for rules in kept.values() for placed in rules}
    if rule is not None and rule not in known and not rule.startswith("drift."):
        raise QueryRefused(f"no pack of these sources has a rule {rule}; it may be one of {', '.join(sorted(known))}")
    return Ordered(kept, ordered.paths)


def _examples(taken: pl.DataFrame) -> pl.DataFrame:
    by_value = taken.group_by("rule", "attribute", "before", "after").agg(pl.col("objects").sum())
    first = by_value.sort(["objects", "attribute", "before"], descending=[True, False, False])
    return first.group_by("rule", maintain_order=True).head(EXAMPLES).sort("rule", maintain_order=True)


def _shifted(connection: duckdb.DuckDBPyConnection, words: list[str], where: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Each attribute's distribution before and after, and its most frequent values."""
    counted = _MADE.format(where="c.against <> 'gone' AND c.state <> 'rejected'")
    connection.execute(f"CREATE TEMP TABLE made AS {counted}")
    shifts, tops = [], []
    for word in words:
        # values leave and others come: what there was before is counted once, whatever the changes are
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE spread AS "
            f"SELECT value, sum(there)::DOUBLE / sum(sum(there)) OVER () AS before, "
            f"sum(there + more)::DOUBLE / sum(sum(there + more)) OVER () AS after FROM ("
            f"SELECT ({raw(word)})::VARCHAR AS value, count(*) AS there, 0 AS more FROM instances "
            f"WHERE {where} GROUP BY 1 "
            f"UNION ALL SELECT value, 0, more FROM made WHERE attribute = {literal(word)}) GROUP BY value"
        )
        shifts.append(
            connection.sql(
                f"SELECT {literal(word)} AS attribute, count(*) FILTER (before > 0) AS values_before, "
                "count(*) FILTER (after > 0) AS values_after, "
                "coalesce(sum(before) FILTER (coalesce(value, '') = ''), 0) AS empty_before, "
                "coalesce(sum(after) FILTER (coalesce(value, '') = ''), 0) AS empty_after, "
                "sum(abs(after - before)) / 2 AS distance FROM spread"
            ).pl()
        )
        tops.append(
            connection.sql(
                f"SELECT {literal(word)} AS attribute, value, before AS share_before, after AS share_after FROM spread "
                f"WHERE before <> after ORDER BY greatest(before, after) DESC, value LIMIT {TOP}"
            ).pl()
        )
    if not words:
        return pl.DataFrame(), pl.DataFrame()
    return pl.concat(shifts).sort("distance", "attribute", descending=[True, False]), pl.concat(tops)
