"""What belongs to a study beside what its objects point to, and what of it is missing."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.catalog.store import literal, quote
from fonds.errors import DefinitionInvalid
from fonds.link import definition
from fonds.link.definition import Context
from fonds.operations.runs import StageRun
from fonds.project.settings import Project

GAPS = (
    *("images-without-report", "only-preliminary-report", "report-without-images", "report-on-other-patient"),
    *("order-without-study", "study-without-order", "order-on-other-patient", "cancelled-order-with-images"),
    *("annotation-without-image", "accession-on-two-patients", "accession-collision"),
)
PARTS = ("context_parts", "feed_people", "accessions", "feed_links")
# The texts a waiver can ask for, of the images of a study in one archive
TEXTS = (
    *("StudyDate", "StudyDescription", "SeriesDescription", "AccessionNumber", "InstitutionName"),
    *("InstitutionalDepartmentName", "Manufacturer", "ManufacturerModelName", "StationName", "PatientID"),
    *("PatientName", "QualityControlSubject"),
)


def definitions(project: Project) -> list[Path]:
    """The files that say how."""
    return [definition.path(project)]


def find(connection: duckdb.DuckDBPyConnection, project: Project, run: StageRun) -> None:
    """Make the relations `accession_rows`, `feed_link_rows` and `context_gap_rows` (columns of the table gaps).

    The relation `link_rows` must be there. Raises DefinitionInvalid when rules/context.yaml has mistakes, or a waiver
    compares what can't be compared.
    """
    rules = definition.load(project)
    for statement in settings(rules):
        connection.execute(statement)
    for part in PARTS:
        connection.execute(_text(part))
    try:
        connection.execute(waived(rules))
    except (duckdb.BinderException, duckdb.ConversionException, duckdb.InvalidInputException) as error:
        # DuckDB's text may quote a value of a study: only its kind is passed on
        wrong = f"a waiver compares what can't be compared ({type(error).__name__})"
        raise DefinitionInvalid(str(definition.path(project)), [(None, wrong)]) from None
    connection.execute(_text("context_gaps"))
    numbers = connection.sql(
        "SELECT coalesce(problem, 'none'), count(DISTINCT accession_key) FROM accession_rows GROUP BY 1"
    ).fetchall()
    links = connection.sql("SELECT state, count(DISTINCT (feed, kind, id)) FROM feed_link_rows GROUP BY 1").fetchall()
    for name, count in sorted(numbers):
        if name != "none":
            run.count(f"accessions_{name.replace('-', '_')}", count)
    for name, count in sorted(links):
        run.count(f"feed_{name}", count)


def settings(rules: Context) -> list[str]:
    """The SQL macros, and the table `placeholder_words`, that the stage's SQL asks for the site's rules."""
    kinds = ", ".join(literal(kind) for kind in rules.reports.kinds) or "NULL"
    classes = ", ".join(literal(uid) for uid in rules.reports.not_classes) or "NULL"
    names = " ".join(
        f"WHEN {literal(name.strip().upper())} THEN {literal(same[0].strip().upper())}"
        for same in rules.accessions.one_issuer
        for name in same
    )
    bare = " ".join(
        f"WHEN {literal(name)} THEN {_bare(one.prefixes, one.suffix)}"
        for name, one in rules.sources.items()
        if one.prefixes or one.suffix
    )
    words = ", ".join(f"({literal(word)})" for word in rules.accessions.placeholders) or "(NULL::VARCHAR)"
    learn, windows = rules.accessions.learn, rules.windows
    macros = {
        "is_report(kind, class)": f"coalesce(kind IN ({kinds}) AND coalesce(trim(class), '') NOT IN ({classes}), false)"
        if rules.reports.not_classes
        else f"coalesce(kind IN ({kinds}), false)",
        "one_issuer(x)": f"CASE upper(trim(x)) {names} ELSE upper(trim(x)) END" if names else "upper(trim(x))",
        "bare_accession(writer, x)": f"CASE writer {bare} ELSE upper(trim(x)) END" if bare else "upper(trim(x))",
        "learn_meets()": str(learn.meets),
        "learn_share()": str(learn.share),
        "learn_days()": str(learn.days),
        "crowd()": str(rules.accessions.crowd),
        "coverage()": str(rules.coverage),
        "order_days()": str(windows.order),
        "report_days()": str(windows.report),
    }
    return [
        *(f"CREATE TEMP MACRO {head} AS {body}" for head, body in macros.items()),
        f"CREATE TEMP TABLE placeholder_words AS SELECT word FROM (VALUES {words}) t(word) WHERE word IS NOT NULL",
    ]


def _bare(prefixes: tuple[str, ...], suffix: str | None) -> str:
    """SQL for an accession number without the longest prefix that stands before it, and what stands behind it."""
    whole = "upper(trim(x))"
    longest = sorted({prefix.strip().upper() for prefix in prefixes} - {""}, key=lambda one: (-len(one), one))
    if longest:
        cases = " ".join(
            # a number that is nothing but a prefix is left as it is
            f"WHEN starts_with({whole}, {literal(one)}) AND length({whole}) > {len(one)} THEN {whole}[{len(one) + 1}:]"
            for one in longest
        )
        whole = f"(CASE {cases} ELSE {whole} END)"
    if suffix is not None:
        pattern = literal(f"(?:{suffix})$")
        whole = f"coalesce(nullif(regexp_replace({whole}, {pattern}, '', 'i'), ''), {whole})"
    return whole


def waived(rules: Context) -> str:
    """SQL for the table `waived_studies`: whether nobody expects a report, or an order, of a study in an archive."""
    texts = ", ".join(f"min(nullif(trim({quote(name)}), '')) AS {quote(name)}" for name in TEXTS)
    meant = {
        kind: " OR ".join(
            f"coalesce({definition.condition(one.select)}, false)" for one in rules.waivers if kind in one.waives
        )
        or "false"
        for kind in ("report", "order")
    }
    quiet = {
        "report": [name for name, one in rules.sources.items() if not one.reports],
        "order": [name for name, one in rules.sources.items() if not one.orders],
    }
    there = {kind: f"[{', '.join(map(literal, names))}]::VARCHAR[]" for kind, names in quiet.items()}
    return f"""
        CREATE TEMP TABLE waived_studies AS
        WITH studies_of AS (
            SELECT i.source, any_value(s.department) AS department, trim(i.StudyInstanceUID) AS study_uid, {texts},
                list_sort(list(DISTINCT upper(trim(i.Modality))) FILTER (trim(i.Modality) <> '')) AS modalities,
                list_sort(list(DISTINCT trim(i.SOPClassUID)) FILTER (trim(i.SOPClassUID) <> '')) AS classes,
                count(*) AS objects
            FROM instances i LEFT JOIN sources s ON s.source = i.source
            WHERE trim(i.StudyInstanceUID) <> ''
                AND object_kind(i.SOPClassUID, i.DocumentTitleCode, i.Modality, i.pixel_length) = 'image'
            GROUP BY i.source, trim(i.StudyInstanceUID)
        ), meant AS (
            SELECT source, study_uid, {meant["report"]} AS report, {meant["order"]} AS "order" FROM studies_of
        ), anywhere AS (
            SELECT study_uid, bool_or(report) AS report, bool_or("order") AS "order" FROM meant GROUP BY study_uid
        )
        SELECT m.source, m.study_uid, a.report OR list_contains({there["report"]}, m.source) AS report,
            a."order" OR list_contains({there["order"]}, m.source) AS "order"
        FROM meant m JOIN anywhere a USING (study_uid)
    """


def _text(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")
