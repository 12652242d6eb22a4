"""Computes `changes`: what the rules propose for every object, and what was decided about it. No file is touched."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog.schema import table
from fonds.catalog.store import literal, quote
from fonds.errors import CatalogInvalid
from fonds.normalize import drift, lookup_sql, private, twice
from fonds.normalize.compile import load_tables, present, queries
from fonds.normalize.examples import check
from fonds.normalize.lookup import Matcher
from fonds.normalize.order import Ordered, pipelines
from fonds.operations import decisions
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project

Tell = Callable[[int, int, str, str], None]
"""Hears of attributes done, of how many, the word attributes, and which one."""

FOUND = """
CREATE TEMP TABLE proposals (source VARCHAR, location VARCHAR, study_uid VARCHAR, patient VARCHAR, attribute VARCHAR,
    path VARCHAR, before VARCHAR, after VARCHAR, rule VARCHAR, pack VARCHAR, pack_version VARCHAR, pack_hash VARCHAR,
    reason VARCHAR, confidence DOUBLE, needs VARCHAR, candidates VARCHAR)
"""
# One patient's value is decided once, not once an image: the identifier leaves out the object. chr(31) is in no text.
JUDGED = """
WITH identified AS (
    SELECT *, 'C' || left(sha256(concat_ws(chr(31), source, coalesce(patient, ''), path,
        coalesce('=' || before, ''), coalesce('=' || after, ''))), 16) AS change_id
    FROM proposals
), rules AS (
    SELECT DISTINCT rule, needs, unnest(string_split(rule, ' > ')) AS one FROM proposals
), by_rule AS (
    SELECT rule, bool_or(d.verdict = 'reject') AS rejected,
        bool_and(coalesce(d.verdict = 'approve', false)) FILTER (r.one IN (SELECT id FROM stewards)) AS approved
    FROM rules r LEFT JOIN decided d ON d.subject = r.one GROUP BY rule
)
SELECT i.change_id, i.source, i.location, i.study_uid, i.attribute, i.path, i.before,
    if(d.verdict = 'choose' AND d.chosen <> i.before, d.chosen, i.after) AS after, i.rule, i.pack,
    i.pack_version, i.pack_hash, i.reason, i.confidence, i.needs,
    CASE WHEN d.verdict = 'choose' THEN if(d.chosen = i.before, 'rejected', 'approved')
        WHEN d.verdict = 'approve' THEN 'approved' WHEN d.verdict = 'reject' THEN 'rejected'
        WHEN b.rejected THEN 'rejected' WHEN i.needs = 'none' THEN 'approved'
        -- which procedure a spelling means is decided one by one, never with the rule
        WHEN b.approved AND json_extract_string(i.candidates, '$[0].spelling') IS NULL THEN 'approved' ELSE 'proposed'
    END AS state, i.candidates
FROM identified i JOIN by_rule b USING (rule) LEFT JOIN decided d ON d.subject = i.change_id
"""
# What the rules propose once rejected words of an index are withdrawn, and these words beside it, so that they can be
# seen and taken back
WITH_WITHDRAWN = """
SELECT * FROM judged UNION ALL
SELECT * FROM withdrawn w
WHERE NOT EXISTS (FROM proposals p WHERE p.source = w.source AND p.location = w.location AND p.path = w.path)
"""


def normalize(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `changes`: one row for each object and attribute whose value the rules of its source would change.

    Where an index of the source has the word (table `drift`), the rules act on its value. One that a steward rejected
    doesn't count: the rules act on what the files say.

    The value of `after` is a proposal: it counts (view `effective`, and the objects sent) only while the row's state
    is `approved`. Raises ContentNotFound or DefinitionInvalid when a pack is missing or has mistakes.
    """
    ordered = pipelines(project)
    with stage_run(
        project,
        "normalize",
        inputs=["instances", "drift"],
        outputs=["changes"],
        definitions=(*ordered.paths, project.find(private.FILE)),
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            changes, lookups = computed(project, connection, ordered, run.progress)
            _write(run, connection, changes)
            run.left.extend(private.flagged(project, connection))
        for name, matcher in lookups.items():
            run.count(f"texts unmapped by {name.partition(':')[2]}", len(matcher.unmapped))
    return run.result()


def _write(run: StageRun, connection: duckdb.DuckDBPyConnection, changes: duckdb.DuckDBPyRelation) -> None:
    """Put the rows in place of the table, and count them: they go straight into a file, not through memory."""
    columns = ", ".join(quote(name) for name in table(run.project, "changes").schema)
    root = run.project.catalog_dir
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".changes-") as scratch:
        file = Path(scratch) / "changes.parquet"
        connection.execute("SET preserve_insertion_order = false")
        rows = f"SELECT {columns} FROM ({changes.sql_query()})"
        connection.execute(f"COPY ({rows}) TO {literal(str(file))} (FORMAT parquet)")
        connection.execute(f"CREATE OR REPLACE TEMP VIEW written AS FROM read_parquet({literal(str(file))})")
        twins = connection.sql("FROM written SELECT 1 GROUP BY source, location, path HAVING count(*) > 1 LIMIT 1")
        if twins.fetchall():
            raise CatalogInvalid("changes: two of one attribute of one object")
        states = connection.sql("FROM written SELECT state, count(*) GROUP BY state ORDER BY state").fetchall()
        ((objects,),) = connection.sql(
            "SELECT count(*) FROM (SELECT DISTINCT source, location FROM written)"
        ).fetchall()
        waiting = connection.sql(
            "FROM written SELECT count(DISTINCT change_id), string_agg(DISTINCT rule, ', ' ORDER BY rule) "
            "WHERE state = 'proposed'"
        ).fetchall()
        run.catalog.commit("changes", add=[file] if states else [], remove=run.catalog.files("changes"))
    run.count("changes", sum(count for _, count in states))
    for state, count in states:
        run.count(state, count)
    run.count("objects", objects)
    if waiting[0][0]:
        run.left.append(f"changed values that wait for approval at the desk: {waiting[0][0]}, by {waiting[0][1]}")


def computed(
    project: Project, connection: duckdb.DuckDBPyConnection, ordered: Ordered, tell: Tell
) -> tuple[duckdb.DuckDBPyRelation, dict[str, Matcher]]:
    """The rows of `changes`, computed when they are asked for, and what looked descriptions up, by rule.

    Nothing is written. Leaves the view `told` and the tables of the rules on the connection. Raises DefinitionInvalid.
    """
    rules = {placed.table_key: placed for placed in (rule for order in ordered.rules.values() for rule in order)}
    check(rules.values())
    twice.check(ordered.rules)
    lookups = load_tables(connection, rules.values(), lookup_sql.decided(project))
    connection.execute(FOUND)
    connection.execute(lookup_sql.MODALITIES)
    drift.collect(connection)
    stewards = [placed.rule.id for placed in rules.values() if placed.rule.needs == "steward"]
    stewards += drift.stewards(connection)
    _propose(connection, ordered, tell)
    _decide(project, connection, stewards)
    if drift.withdraw(connection):
        connection.execute("TRUNCATE proposals")
        _propose(connection, ordered, tell)
    return connection.sql(WITH_WITHDRAWN), lookups


def _propose(connection: duckdb.DuckDBPyConnection, ordered: Ordered, tell: Tell) -> None:
    drifting = drift.tell(connection)
    found = queries(ordered.rules, drifting)
    there = present(connection, (query.attribute for query in found), "told" if drifting else "instances")
    # most archives lack a third of the attributes: what nobody has and no rule fills needs no question
    asked = [query for query in found if query.fills or query.attribute in there | drifting]
    for done, query in enumerate(asked, start=1):
        connection.execute(f"INSERT INTO proposals {query.sql}")
        tell(done, len(asked), "attributes", query.attribute)


def _decide(project: Project, connection: duckdb.DuckDBPyConnection, stewards: list[str]) -> None:
    """Make the view `judged`: the proposals with identifier and state.

    A decision on the change itself goes before one on its rules.
    """
    decided = decisions.standing(project, "change").select(
        pl.col("subject_a").alias("subject"), "verdict", pl.col("subject_b").alias("chosen")
    )
    connection.register("decided", decided.to_arrow())
    connection.register("stewards", pl.DataFrame({"id": stewards}, schema={"id": pl.String()}).to_arrow())
    connection.execute(f"CREATE OR REPLACE TEMP VIEW judged AS {JUDGED}")
