"""Everything known about the values of one study: who says them, which rules changed them, and who decided."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import duckdb
import polars as pl

from fonds.catalog.schema import attributes
from fonds.catalog.store import Catalog, literal
from fonds.dicom.tags import tag_path
from fonds.errors import FondsError
from fonds.normalize.compile import raw
from fonds.normalize.definition import NESTED
from fonds.normalize.order import pipelines
from fonds.normalize.run import computed
from fonds.normalize.steps import SCHEMA, steps
from fonds.operations import decisions
from fonds.project.settings import Project

Row = dict[str, Any]

# what all objects of a study should say alike: shown when they don't
_OF_STUDY = (
    *("PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime"),
    *("AccessionNumber", "IssuerOfAccessionNumberSequence", "StudyDescription", "StudyID", "ReferringPhysicianName"),
)
_PLAN = """
SELECT p.source, p.state, p.wave, p.sequence, p.reason, p.detail, r.state AS proven, r.reason AS proven_reason,
    count(*) AS objects
FROM plan p LEFT JOIN reconciliation r USING (source, location)
WHERE trim(p.study_uid) = $study GROUP BY ALL ORDER BY ALL
"""
_CHANGES = """
SELECT source, attribute, before, after, rule, pack, pack_version, reason, confidence, needs, state, candidates,
    change_id, count(*) AS objects
FROM changes WHERE trim(study_uid) = $study GROUP BY ALL ORDER BY ALL
"""
_DRIFT = """
SELECT source, index_source, attribute, kind, file_value, index_value, winner, rule, instances AS objects,
    coalesce(sop_uid, series_uid) AS part
FROM drift WHERE trim(study_uid) = $study ORDER BY ALL
"""
_FINDINGS = """
SELECT f.attribute, f.source, f.check_id, f.name, f.severity, f.value, f.message, c.fix, c.standard,
    count(*) AS entities
FROM findings f LEFT JOIN checks c USING (check_id)
WHERE trim(f.study_uid) = $study GROUP BY ALL ORDER BY ALL
"""


def explain(project: Project, study_uid: str, attribute: str | None = None) -> Row | None:
    """What `fonds explain` shows: where the study goes, and every value that differs or could; None: it isn't known.

    With `attribute` that one alone, whether it differs or not. Values are grouped over the objects that share them.
    """
    study = study_uid.strip()
    with Catalog(project).connect() as connection:
        plan, changes, drifted, findings = (
            connection.execute(query, {"study": study}).pl() for query in (_PLAN, _CHANGES, _DRIFT, _FINDINGS)
        )
        said = _said(project, connection, study)
        if not any(part.height for part in (plan, changes, drifted, findings, said)):
            return None
        words = [attribute] if attribute is not None else _differing(said, changes, drifted, findings)
        taken, note = _steps(project, connection, study, changes, words)
    judged = _decisions(project)
    told = {
        word: _attribute(word, *(part.filter(pl.col("attribute") == word) for part in (said, changes, drifted, taken)))
        for word in words
    }
    for value in (value for one in told.values() for value in one["values"]):
        for change in value["changes"]:
            change["decisions"] = [row for row in judged if _is_about(row, change)]
    for word, one in told.items():
        one["findings"] = findings.filter(pl.col("attribute") == word).drop("attribute").to_dicts()
    elsewhere = findings.filter(pl.col("attribute").is_null() | ~pl.col("attribute").is_in(words))
    return {
        "study_uid": study,
        "plan": plan.to_dicts(),
        "attributes": [one for one in told.values() if attribute is not None or one["values"] or one["findings"]],
        "findings": elsewhere.to_dicts() if attribute is None else [],
        "note": note,
    }


def _said(project: Project, connection: duckdb.DuckDBPyConnection, study: str) -> pl.DataFrame:
    """What the files say: source, attribute, raw, objects; afterwards `instances` is this study alone."""
    connection.execute(
        "CREATE TABLE one_study AS FROM instances WHERE trim(StudyInstanceUID) = $study", {"study": study}
    )
    connection.execute("CREATE OR REPLACE VIEW instances AS FROM one_study")
    words = [*attributes(project), *NESTED]
    pairs = ", ".join(f"{{'attribute': {literal(word)}, 'raw': ({raw(word)})::VARCHAR}}" for word in words)
    return connection.sql(
        f"SELECT source, one.attribute, one.raw, count(*) AS objects "
        f"FROM (SELECT source, unnest([{pairs}]) AS one FROM instances) GROUP BY ALL ORDER BY ALL"
    ).pl()


def _differing(said: pl.DataFrame, *others: pl.DataFrame) -> list[str]:
    """The attributes of which something is to be told, in order of their tags."""
    several = said.filter(pl.col("attribute").is_in(_OF_STUDY)).group_by("attribute").agg(pl.col("raw").n_unique())
    found = {*several.filter(pl.col("raw") > 1)["attribute"]}
    found |= {word for part in others for word in part["attribute"] if word is not None}
    known = found & {*said["attribute"]}
    return sorted(known, key=lambda word: (_path(word) or "~", word))


def _steps(
    project: Project, connection: duckdb.DuckDBPyConnection, study: str, changes: pl.DataFrame, words: Iterable[str]
) -> tuple[pl.DataFrame, str | None]:
    """What each rule makes of the study's values now, and a note when that can't be told."""
    if not changes.height:
        return pl.DataFrame(schema=SCHEMA), None
    try:
        ordered = pipelines(project)
        computed(project, connection, ordered, lambda *_: None)
        changed = {*changes["attribute"]} & {*words}
        return steps(connection, ordered.rules, attributes=changed), None
    except FondsError as error:
        return pl.DataFrame(schema=SCHEMA), f"the steps of the rules can't be told: {error}"


def _attribute(word: str, said: pl.DataFrame, changes: pl.DataFrame, drifted: pl.DataFrame, taken: pl.DataFrame) -> Row:
    values = []
    for value in said.to_dicts():
        same = pl.col("source").eq(value["source"])
        of_value = changes.filter(same & pl.col("before").eq_missing(pl.lit(value["raw"], pl.String()))).to_dicts()
        index = drifted.filter(same & pl.col("file_value").eq_missing(pl.lit(value["raw"], pl.String())))
        for change in of_value:
            change["target"] = change["after"] if change["state"] == "approved" else change["before"]
            change["steps"] = _chain(taken.filter(same), change)
            change["candidates"] = json.loads(change["candidates"]) if change["candidates"] else []
        rest = value["objects"] - sum(change["objects"] for change in of_value)
        index_rows = index.drop("source", "attribute", "file_value").to_dicts()
        values.append({**value, "unchanged": rest, "index": index_rows, "changes": of_value})
        del values[-1]["attribute"]
    return {"attribute": word, "path": _path(word), "values": values}


def _path(word: str) -> str:
    """The attribute's tag; empty for a private one."""
    try:
        return tag_path(word)
    except KeyError:
        return ""


def _chain(taken: pl.DataFrame, change: Row) -> list[Row]:
    """The steps that lead from the change's old value to its new one; none when the rules now make another."""
    mine = taken.filter(pl.col("raw").eq_missing(pl.lit(change["before"], pl.String()))).sort("last", "number")
    found: list[Row] = []
    for (last, _), rows in groupby(mine.to_dicts(), key=lambda row: (row["last"], row["objects"])):
        chain = list(rows)
        # what a steward chose is another value than the rules would make: it has their chain all the same
        if " > ".join(row["rule"] for row in chain) == change["rule"] and (last == change["after"] or not found):
            found = chain
    names = ("rule", "title", "pack", "pack_version", "reason", "confidence", "needs", "before", "after")
    return [{name: row[name] for name in names} for row in found]


def _decisions(project: Project) -> list[Row]:
    names = ("decision_id", "kind", "subject_a", "subject_b", "verdict", "who", "at", "comment")
    found = pl.concat([decisions.standing(project, kind) for kind in ("change", "mapping")])
    return found.select(names).sort("decision_id").to_dicts()


def _is_about(decision: Row, change: Row) -> bool:
    """Whether it is on this very change, on one of its rules, or on the spelling it looks up."""
    if decision["kind"] == "change":
        return decision["subject_a"] == change["change_id"] or decision["subject_a"] in change["rule"].split(" > ")
    spelling = next((one["spelling"] for one in change["candidates"] if "spelling" in one), None)
    return (
        decision["subject_a"] in change["rule"].split(" > ")
        and spelling is not None
        and json.loads(decision["subject_b"]).get("spelling") == spelling
    )
