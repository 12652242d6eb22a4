"""Waves as SQL: the study rows they select from, which wave takes which study, and the place of a study in its wave."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fonds.catalog.store import literal
from fonds.plan.definition import Waves, expression, ordering

# One row a study and archive, with approved changes applied: the columns of definition.STUDY_COLUMNS.
STUDIES = """
    CREATE OR REPLACE TEMP VIEW wave_studies AS
    SELECT e.source, any_value(s.department) AS department, trim(e.StudyInstanceUID) AS study_uid,
        min(nullif(e.StudyDate, '')) AS StudyDate, min(nullif(e.StudyTime, '')) AS StudyTime,
        min(nullif(e.StudyDescription, '')) AS StudyDescription, min(nullif(e.AccessionNumber, '')) AS AccessionNumber,
        min(nullif(e.InstitutionName, '')) AS InstitutionName,
        list_sort(list(DISTINCT e.Modality) FILTER (e.Modality <> '')) AS modalities,
        count(DISTINCT e.SeriesInstanceUID) AS series, count(*) AS instances, sum(e.size)::BIGINT AS bytes,
        min(p.person_id) AS person_id
    FROM effective e JOIN instance_records r USING (source, location) LEFT JOIN persons p USING (record_id)
        LEFT JOIN sources s ON s.source = e.source
    WHERE trim(e.StudyInstanceUID) <> ''
    GROUP BY e.source, trim(e.StudyInstanceUID)
"""

# The reasons of a held study: the most particular first, because that one is shown.
REASONS = (
    ("study-on-two-patients", "the study carries two patients", "mend it at the source, or let it go at the desk"),
    ("remap-refused", "new UIDs can't be followed everywhere", "see `remaps` and `rewrites` for the reason, mend it"),
    ("overlay", "two people share one Patient ID", "have the source give one of them another ID, then crawl again"),
    ("orphan", "its archive's database doesn't know all of it", "look why; let a wave take it with `orphan: false`"),
    ("identity-question", "whose record this is isn't settled", "decide its pairs at the desk, then run again"),
    ("collision", "copies differ", "decide at the desk which one stays, then run again"),
    ("study-twice", "an examination may be there twice", "decide at the desk whether it is one, then run again"),
    ("critical-finding", "a check forbids the move", "mend it at the source and crawl again"),
    ("drift", "the database's corrections wait for a decision", "approve or reject them at the desk"),
    ("open-change", "proposed changes wait for a decision", "approve or reject them at the desk"),
    ("dangling-reference", "what it points to is in no archive", "look for it, or let the wave go without"),
    ("gate", "a gate of its source is closed", "see `fonds gates`; mend the source or its rules, then run again"),
    ("no-wave", "no wave of waves.yaml takes this study", "add a wave whose `select` does"),
)

# Expectations that hold studies of some wave, and how many studies each concerns.
SHUT = """
    SELECT subject, count(*) FROM (
        SELECT h.study_key, unnest(h.subjects) AS subject FROM holds h LEFT JOIN chosen c USING (study_key)
        WHERE h.reason = 'gate' AND NOT list_contains(coalesce(c.switched_off, []), 'gate')
    ) GROUP BY subject ORDER BY subject
"""


def text(name: str) -> str:
    """One of this stage's SQL files."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def reasons() -> pl.DataFrame:
    """REASONS as a frame: reason, priority, means, advice."""
    rows = [(reason, number, means, advice) for number, (reason, means, advice) in enumerate(REASONS)]
    return pl.DataFrame(rows, schema=["reason", "priority", "means", "advice"], orient="row")


def chosen(waves: Waves) -> str:
    """Tables `chosen` (the first wave that takes a study in any archive) and `ordered` (the study's place there).

    A study in several archives is one: it goes at the best of its rows' places.
    """
    tests = " ".join(f"WHEN {expression(wave.select)} THEN {number}" for number, wave in enumerate(waves.waves))
    named = ", ".join(
        f"({number}, {literal(wave.name)}, [{', '.join(map(literal, wave.holds.switched_off()))}]::VARCHAR[], "
        f"{str(wave.rejected_objects).lower()})"
        for number, wave in enumerate(waves.waves)
    )
    places = " UNION ALL ".join(
        f"SELECT study_uid AS study_key, "
        f"row_number() OVER (ORDER BY {ordering(wave.order_by)}, study_uid, source) AS place "
        f"FROM wave_studies SEMI JOIN chosen ON chosen.study_key = study_uid AND chosen.wave_number = {number}"
        for number, wave in enumerate(waves.waves)
    )
    return f"""
        CREATE TEMP TABLE chosen AS
        SELECT study_uid AS study_key, min(taken) AS wave_number, any_value(wave) AS wave,
            any_value(switched_off) AS switched_off, any_value(rejected_objects) AS rejected_objects
        FROM (SELECT study_uid, min(CASE {tests} END) AS taken FROM wave_studies GROUP BY study_uid) t
            JOIN (VALUES {named}) w(number, wave, switched_off, rejected_objects) ON w.number = t.taken
        GROUP BY study_uid;
        CREATE TEMP TABLE ordered AS
        SELECT study_key, wave, min(place) AS place FROM ({places}) JOIN chosen USING (study_key)
        GROUP BY study_key, wave
    """
