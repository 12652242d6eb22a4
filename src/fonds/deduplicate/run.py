"""The deduplicate stage: group by catalog keys, open only what they leave undecided, dispose, heed decisions."""

from __future__ import annotations

import duckdb
import polars as pl

from fonds.catalog.store import bounded
from fonds.deduplicate import compile as sql
from fonds.deduplicate import studies
from fonds.deduplicate.content import Opener, blank, compared, decoded, digests, documents, former
from fonds.deduplicate.definition import FILE, Policy, load
from fonds.operations import decisions
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import Project

CLASSES = "abcdefghij"
STEPS = 4
MEMORY_GB = 2
# digests the crawl didn't make, for those that could be duplicates
UNDIGESTED = """
    SELECT source, location FROM instances SEMI JOIN repeated ON sop_uid = SOPInstanceUID WHERE digest_object IS NULL
    UNION SELECT source, location FROM alike_objects WHERE digest_pixels IS NULL
    ORDER BY ALL
"""
# copies whose bytes differ though the catalog sees no difference
UNREAD = """
    SELECT source, location, kept_source, kept_location FROM copy_pairs
    WHERE NOT same_object AND NOT same_header AND same_content AND same_attributes ORDER BY ALL
"""
INPUTS = ("instances", "persons", "pairs", *studies.INPUTS)


def deduplicate(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Write `duplicates`: every member of a group of duplicates by class, with evidence, disposition and kept copy.

    Counts are groups by class (`class_a` …), `copies` that are dropped, and `waiting` groups that need a decision.
    Files are opened only where the catalog can't tell: other transfer syntaxes, or data sets whose bytes differ though
    all catalogued attributes agree.
    """
    policy = load(project)
    with stage_run(
        project,
        "deduplicate",
        inputs=INPUTS,
        outputs=("duplicates", *studies.OUTPUTS),
        definitions=[project.find(FILE), project.find("rules/base/attributes.yaml"), *studies.definitions(project)],
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            bounded(connection, project.catalog_dir / "scratch", MEMORY_GB)
            connection.execute(f"SET VARIABLE smallest = {policy.smallest}; SET VARIABLE largest = {policy.largest}")
            connection.execute(f'SET VARIABLE "references" = {"references" in policy.original_uids}')
            connection.register("decided", decisions.standing(project, "duplicate").to_arrow())
            opener = Opener(project, connection, run)
            run.progress(0, STEPS, "steps", "same SOP Instance UID")
            _copies(connection, project, policy, opener)
            run.progress(1, STEPS, "steps", "same pixels")
            _pictures(connection, project, policy, opener)
            run.progress(2, STEPS, "steps", "studies")
            studies.find(connection, project, run)
            run.progress(3, STEPS, "steps", "dispositions")
            connection.execute(sql.text("dispositions", study_ranking=sql.study_ranking(policy, project)))
            run.replace_by("duplicates", connection, "answer")
            run.progress(STEPS, STEPS, "steps")
            _tell(connection, run, policy)
        if opener.closed:
            run.left.append(
                f"{len(opener.closed)} files could not be opened and compared; make their source reachable, run again"
            )
    return run.result()


def _copies(connection: duckdb.DuckDBPyConnection, project: Project, policy: Policy, opener: Opener) -> None:
    """Relation `instance_rows`: classes a, b, c, d and f."""
    sql.settings(connection, project, policy)
    connection.execute(sql.described(project, policy))
    connection.execute(sql.text("repeated"))
    digested = ("digest_object", "digest_header", "digest_pixels")
    opener.tell("measured", digests, digested, UNDIGESTED)
    connection.execute(sql.text("candidates"))
    places = "SELECT DISTINCT source, location FROM undecided_forms WHERE what = {!r} ORDER BY source, location"
    opener.tell("decoded_forms", decoded, ("digest", "problem"), places.format("decoded"))
    opener.tell("document_forms", documents, ("digest", "problem"), places.format("content"))
    connection.execute(
        "CREATE TEMP VIEW told_content AS SELECT source, location, digest, "
        "CASE WHEN opened THEN problem ELSE 'closed' END AS problem "
        "FROM (FROM decoded_forms UNION ALL FROM document_forms)"
    )
    ranked = {"ranking": sql.ranking(policy, project), "reasons": sql.reasons(policy, project)}
    connection.execute(sql.text("pairs", **ranked))
    connection.execute(sql.differing(project, policy))
    opener.tell("read_attributes", compared, ("words",), UNREAD)
    words = [(word, False) for word in policy.ignored] + [(word, True) for word in policy.encoders]
    schema = {"word": pl.String(), "encoding": pl.Boolean()}
    connection.register("ignored_words", pl.DataFrame(words, schema=schema, orient="row").to_arrow())
    connection.execute(sql.text("told_attributes"))
    connection.execute(sql.text("instance_classes"))


def _pictures(connection: duckdb.DuckDBPyConnection, project: Project, policy: Policy, opener: Opener) -> None:
    """Relations `picture_rows`, classes e and j; and `retrieved`, studies that are copies of one another."""
    connection.execute(f"CREATE TEMP VIEW uid_columns AS {sql.uid_columns(policy)}")
    changed = "SELECT source, location FROM alike_objects WHERE changed_before ORDER BY source, location"
    if "original-attributes" not in policy.original_uids:
        changed = "SELECT source, location FROM alike_objects WHERE false"
    opener.tell("told_former", former, ("uids",), changed)
    connection.execute(sql.text("named"))
    opener.tell("told_images", decoded, ("digest", "problem"), "SELECT source, location FROM stored_images")
    connection.execute(sql.text("pictures"))
    opener.tell("told_blank", blank, ("blank",), "SELECT source, location FROM shown_once")
    connection.execute(sql.text("retrieved"))
    ranked = {"ranking": sql.ranking(policy, project), "reasons": sql.reasons(policy, project)}
    connection.execute(sql.text("picture_rows", **ranked))


def _tell(connection: duckdb.DuckDBPyConnection, run: StageRun, policy: Policy) -> None:
    groups = dict(connection.sql("SELECT class, count(DISTINCT group_id) FROM answer GROUP BY 1").fetchall())
    for name in CLASSES:
        run.count(f"class_{name}", groups.get(name, 0))
    [(dropped, waiting, void)] = connection.sql(
        "SELECT count(DISTINCT (source, member)) FILTER (disposition = 'drop-copy'), "
        "count(DISTINCT group_id) FILTER (disposition = 'hold'), "
        "(SELECT count(*) FROM decided ANTI JOIN answer ON group_id = subject_a) FROM answer"
    ).fetchall()
    run.count("copies", dropped)
    run.count("waiting", waiting)
    [(groups_left, images)] = connection.sql(
        "SELECT count(*), sum(objects)::BIGINT FROM alike_groups WHERE objects > getvariable('largest')"
    ).fetchall()
    if groups_left:
        run.left.append(
            f"{images} images in {groups_left} group(s) alike by the catalog are not compared with one another: more "
            f"than `largest` ({policy.largest}) in {FILE}"
        )
    if waiting:
        run.left.append(f"groups of duplicates that wait for a decision at the desk (`fonds desk`): {waiting}")
    if void:
        run.left.append(f"{void} decision(s) name a group that is no more: what it holds has changed since")
