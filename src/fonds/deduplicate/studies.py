"""Classes g, h, i: one study on two patients, one examination under two Study UIDs, one study in several archives."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from fonds.catalog.store import literal, quote
from fonds.deduplicate import study_groups, study_score, study_words
from fonds.deduplicate.compile import text
from fonds.deduplicate.study_model import StudyMatcher, load
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

INPUTS: tuple[str, ...] = ("changes",)
OUTPUTS: tuple[str, ...] = ("study_pairs",)
"""Tables this step reads and writes beside those the stage does anyway."""

# What of an object counts here with approved changes applied; UIDs and pixels are taken as they are.
TOLD = (
    *("Modality", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber"),
    *("RequestedProcedureDescription", "PerformedProcedureStepDescription", "SeriesDescription", "SeriesNumber"),
    *("InstanceNumber", "BodyPartExamined", "Laterality", "ImageLaterality", "StationName", "DeviceSerialNumber"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
)
AS_THEY_ARE = (
    *("transfer_syntax", "digest_pixels", "pixel_length", "Rows", "Columns", "BitsAllocated", "SliceThickness"),
    *("ImageOrientationPatient", "LossyImageCompression", "IssuerOfAccessionNumberEntityID"),
)


def definitions(project: Project) -> list[Path]:
    """The files the answer depends on."""
    return [load(project)[1]]


def find(connection: duckdb.DuckDBPyConnection, project: Project, run: StageRun) -> None:
    """Write `study_pairs`, and leave relation `study_rows` (group_id, class, source, study_uid, evidence, score, band).

    There are `instances` and all views of the catalog; `twins` (source, location, study_uid, pixel_key): objects that
    show what another object shows, and those of them that aren't blank: `telling`; `retrieved` (study_uid, signature):
    studies that are copies of one another by retrieval (class j). Tells `run` what wasn't compared because too many
    studies shared a key.
    """
    model, _ = load(project)
    connection.execute(text("study_persons"))
    connection.execute(_told_objects(connection))
    _settings(connection, model)
    for name in ("study_features", "study_classes", "study_candidates"):
        connection.execute(text(name))
    for rule, blocks, studies in connection.sql(
        "SELECT rule, count(*), max(studies) FROM study_blocks WHERE studies > largest GROUP BY rule ORDER BY rule"
    ).fetchall():
        run.left.append(
            f"{blocks} group(s) of up to {studies} studies of one person that share a key are not compared by rule "
            f"`{rule}`: more than its `largest` in matchers/study.yaml"
        )
    connection.execute(text("study_measures"))
    told = study_words.compare(
        connection.sql(
            "SELECT DISTINCT text_a, text_b FROM study_measures WHERE text_a IS NOT NULL AND text_b IS NOT NULL"
        ).pl(),
        model,
    )
    connection.register("compared_words", told.to_arrow())
    measured = "(FROM study_measures LEFT JOIN compared_words USING (text_a, text_b))"
    levelled = f"({study_score.levels(model, measured)})"
    connection.execute(f"CREATE TEMP TABLE scored_pairs AS {study_score.scored(model, levelled)}")
    # two copies by retrieval are j, and h only together with a third study
    edges = connection.sql("""
        WITH found AS (FROM scored_pairs WHERE band <> 'no'),
        met AS (SELECT study_a AS study_uid FROM found UNION SELECT study_b FROM found)
        SELECT study_a, study_b, score, band, objects_a, objects_b FROM found
        UNION ALL
        SELECT a.study_uid, b.study_uid, 1, 'certain', a.objects, b.objects
        FROM retrieved_studies a JOIN retrieved_studies b USING (signature) SEMI JOIN met ON met.study_uid = a.study_uid
        WHERE a.study_uid < b.study_uid
    """).fetchall()
    connection.register("study_groups", study_groups.groups(edges).to_arrow())
    connection.execute(text("study_rows"))
    run.replace_by("study_pairs", connection, "study_pairs_found")


def _told_objects(connection: duckdb.DuckDBPyConnection) -> str:
    """View `told_objects`: what of each object is compared. Joins changes only for the attributes that have any."""
    names = ", ".join(map(literal, TOLD))
    changed = [
        name
        for (name,) in connection.sql(
            f"SELECT DISTINCT attribute FROM changes WHERE state = 'approved' AND attribute IN ({names}) ORDER BY 1"
        ).fetchall()
    ]
    if changed:
        listed = ", ".join(map(literal, changed))
        picked = ", ".join(
            f"any_value(after) FILTER (attribute = {literal(name)}) AS {quote(name)}, "
            f"bool_or(attribute = {literal(name)}) AS {quote('has ' + name)}"
            for name in changed
        )
        connection.execute(
            f"CREATE TEMP TABLE told_changes AS SELECT source, location, {picked} FROM changes "
            f"WHERE state = 'approved' AND attribute IN ({listed}) GROUP BY source, location"
        )
    columns = ", ".join(
        f"CASE WHEN t.{quote('has ' + name)} THEN t.{quote(name)} ELSE i.{quote(name)} END AS {quote(name)}"
        if name in changed
        else f"i.{quote(name)}"
        for name in TOLD
    )
    others = ", ".join(f"i.{quote(name)}" for name in AS_THEY_ARE)
    joined = " LEFT JOIN told_changes t USING (source, location)" if changed else ""
    return (
        "CREATE TEMP VIEW told_objects AS SELECT i.source, i.location, i.SeriesInstanceUID AS series_uid, "
        f"coalesce(p.part, i.StudyInstanceUID) AS study_uid, i.SOPInstanceUID AS sop_uid, {others}, {columns} "
        f"FROM instances i LEFT JOIN shared_parts p USING (source, location){joined} "
        "WHERE trim(i.StudyInstanceUID) <> ''"
    )


def _settings(connection: duckdb.DuckDBPyConnection, model: StudyMatcher) -> None:
    for name, value in (
        *model.instants,
        *(("placeholder_persons", model.placeholder_persons), ("placeholder_days", model.placeholder_days)),
    ):
        connection.execute(f"SET VARIABLE study_{name} = {value!r}")
    for name, codes in (("document", model.documents), ("derived", model.derived)):
        frame = pl.DataFrame({"modality": codes}, schema={"modality": pl.String()})
        connection.register(f"{name}_modalities", frame.to_arrow())
    rules = [(one.name, one.same, one.minutes, one.largest) for one in model.candidates]
    schema = {"rule": pl.String(), "same": pl.String(), "minutes": pl.Int64(), "largest": pl.Int64()}
    connection.register("candidate_rules", pl.DataFrame(rules, schema=schema, orient="row").to_arrow())
