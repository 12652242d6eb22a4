"""Compares what the stages found with what the generator hid: recall and precision per check, class and rule.

python benchmarks/truth.py                         the committed sample hospitals
python benchmarks/truth.py --patients 300 --seed 7 a fresh population
"""

from __future__ import annotations

import argparse
import json
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog, literal
from fonds.crawl import crawl
from fonds.match.evaluate import measures
from fonds.project.folders import shipped
from fonds.project.settings import Project, load
from fonds.samples import SOURCES, database, feeds, generate, orders
from fonds.samples.truth import JUDGED

STAGES = ("crawl", "feed", "assess", "normalize", "match", "deduplicate", "link", "plan")
SMALL = shipped() / "data_samples" / "small"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, help="generate this many instead of using the committed set")
    parser.add_argument("--instances-per-study", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="the committed set only")
    parser.add_argument("--differences", action="store_true", help="list what was missed and what was too much")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        samples = SMALL
        if options.patients and not options.quick:
            samples = Path(scratch) / "samples"
            generate(
                samples, patients=options.patients, instances_per_study=options.instances_per_study, seed=options.seed
            )
        project = _walk(Path(scratch) / "project", samples)
        with Catalog(project).connect() as connection:
            for path in sorted((samples / "truth").glob("*.csv")):
                # all text: a patient ID is no number, and an empty value is not an absent one
                connection.execute(
                    f"CREATE TABLE truth_{path.stem} AS SELECT * FROM read_csv(?, all_varchar = true, header = true)",
                    [str(path)],
                )
            _drift(connection, Path(scratch) / "two sides", samples)
            _report(connection, options.differences)


def _drift(connection: duckdb.DuckDBPyConnection, folder: Path, samples: Path) -> None:
    """Crawl the radiology once more, beside its database, and put what both say differently into `drift`."""
    folder.mkdir()
    sources = {
        database.SOURCE: {**SOURCES[database.SOURCE], "path": str((samples / database.SOURCE).resolve())},
        database.INDEX: {**database.SETTINGS, "path": str((samples / database.INDEX).resolve())},
    }
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "two sides", "sources": sources}, file)
    project = load(folder)
    crawl(project)
    connection.register("found_drift_rows", Catalog(project).read("drift").to_arrow())


def _walk(folder: Path, samples: Path) -> Project:
    folder.mkdir(parents=True)
    sources = {name: {**settings, "path": str((samples / name).resolve())} for name, settings in SOURCES.items()}
    paths = ("orders", "reports")
    told = {
        name: {key: str((samples / value).resolve()) if key in paths else value for key, value in settings.items()}
        for name, settings in orders.SETTINGS.items()
    }
    index = {key: str(samples / value) if key in ("path", "merges") else value for key, value in feeds.SETTINGS.items()}
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "truth", "sources": sources, "feeds": {feeds.FEED: index, **told}}, file)
    project = load(folder)
    for stage in STAGES:
        getattr(import_module(f"fonds.{stage}"), stage)(project)
    return project


def _report(connection: duckdb.DuckDBPyConnection, differences: bool) -> None:
    console = Console()
    figures: dict[str, Any] = {}

    _compare(
        connection,
        "findings",
        expected="SELECT DISTINCT check_id, source, entity FROM truth_findings",
        found="SELECT DISTINCT check_id, source, entity FROM findings "
        f"WHERE check_id IN ({', '.join(map(literal, sorted(JUDGED)))})",
    )
    checks = _table(console, connection, "findings", "check_id", "Findings by check", differences)
    figures |= _both("finding", checks)

    _compare(
        connection,
        "duplicates",
        expected="SELECT DISTINCT class, source, member FROM truth_duplicates",
        found="SELECT DISTINCT class, source, member FROM duplicates",
    )
    classes = _table(console, connection, "duplicates", "class", "Duplicates by class", differences)
    figures["duplicate_recall"] = classes.filter(pl.col("expected") > 0)["recall"].min()
    figures["duplicate_precision"] = classes["hit"].sum() / classes["found"].sum()
    figures["class_recall_min"] = figures["duplicate_recall"]
    figures["class_precision_min"] = classes.filter(pl.col("found") > 0)["precision"].min()

    # pairs that are no examination twice are expected nowhere; retrieved copies are another class
    retrieved = "SELECT study_uid FROM duplicates WHERE class = 'j'"
    _compare(
        connection,
        "study_pairs",
        expected="SELECT study_a, study_b, band FROM truth_study_pairs WHERE band <> 'no'",
        found="SELECT study_a, study_b, band FROM study_pairs WHERE band <> 'no' "
        f"AND study_a NOT IN ({retrieved}) AND study_b NOT IN ({retrieved})",
    )
    bands = _table(console, connection, "study_pairs", "band", "Examinations twice by band", differences)
    figures |= _both("band", bands)

    keys = "source, location, attribute, coalesce(before, '') AS before, coalesce(after, '') AS after"
    _compare(
        connection,
        "changes",
        expected=f"SELECT DISTINCT {keys} FROM truth_changes",
        found=f"SELECT DISTINCT {keys} FROM changes",
    )
    changes = _table(console, connection, "changes", "attribute", "Coerced values by attribute", differences)
    union = changes["expected"].sum() + changes["found"].sum() - changes["hit"].sum()
    figures["change_exact"] = changes["hit"].sum() / union

    _compare(
        connection,
        "links",
        expected="SELECT DISTINCT source, location, to_sop_uid, resolved FROM truth_links",
        found="SELECT DISTINCT source, location, to_sop_uid, (state <> 'dangling')::VARCHAR AS resolved FROM links "
        "WHERE to_sop_uid IS NOT NULL",
    )
    links = _table(console, connection, "links", "source", "References by source", differences)
    figures["link_recall"] = links["hit"].sum() / links["expected"].sum()
    figures |= _belonging(connection, console, differences)

    keys = (
        "study_uid, attribute, kind, coalesce(file_value, '') AS file_value, coalesce(index_value, '') AS index_value"
    )
    _compare(
        connection,
        "drift",
        expected=f"SELECT DISTINCT {keys} FROM truth_drift",
        found=f"SELECT DISTINCT {keys} FROM found_drift_rows",
    )
    drift = _table(console, connection, "drift", "attribute", "Drift between files and database", differences)
    figures |= _both("drift", drift)

    figures |= _persons(connection, console, differences)
    rounded = {name: round(value, 5) if isinstance(value, float) else value for name, value in figures.items()}
    summary = Table("figure", "value", title="Summary", title_justify="left")
    for name, value in rounded.items():
        summary.add_row(name, str(value))
    console.print(summary)
    print(json.dumps({"benchmark": "truth", "ratios": rounded, **rounded}))


def _belonging(connection: duckdb.DuckDBPyConnection, console: Console, differences: bool) -> dict[str, float]:
    """What rejection notes take back, what is missing around studies, and where orders and reports belong."""
    _compare(
        connection,
        "rejected",
        expected="SELECT DISTINCT title, source, location FROM truth_rejected",
        found="SELECT DISTINCT n.DocumentTitleCode AS title, o.source, o.location FROM links l JOIN instances n USING "
        "(source, location) JOIN instances o ON o.SOPInstanceUID = l.to_sop_uid WHERE l.rejects",
    )
    rejected = _table(console, connection, "rejected", "title", "Rejected objects by title", differences)
    # an accession number is told by its key, which is no business of the truth
    keys = (
        "kind, source, coalesce(study_uid, '') AS study_uid, "
        "CASE WHEN kind LIKE 'accession-%' THEN '' ELSE entity END AS entity"
    )
    _compare(
        connection,
        "gaps",
        expected=f"SELECT DISTINCT {keys} FROM truth_context",
        found=f"SELECT DISTINCT {keys} FROM gaps",
    )
    gaps = _table(console, connection, "gaps", "kind", "What is missing, by kind", differences)
    # a suggestion belongs to nothing yet
    _compare(
        connection,
        "feed_links",
        expected="SELECT DISTINCT feed, kind, id, coalesce(study_uid, '') AS study_uid FROM truth_feed_links",
        found="SELECT DISTINCT feed, kind, id, CASE WHEN state = 'linked' THEN study_uid ELSE '' END AS study_uid "
        "FROM feed_links",
    )
    told = _table(console, connection, "feed_links", "feed", "Orders and reports by feed", differences)
    return _both("rejected", rejected) | _both("gap", gaps) | _both("feed_link", told)


def _both(name: str, rows: pl.DataFrame) -> dict[str, float]:
    hit, expected, found = (rows[column].sum() for column in ("hit", "expected", "found"))
    return {f"{name}_recall": hit / expected if expected else 1.0, f"{name}_precision": hit / found if found else 1.0}


def _compare(connection: duckdb.DuckDBPyConnection, name: str, *, expected: str, found: str) -> None:
    connection.execute(f"CREATE TABLE expected_{name} AS {expected}")
    connection.execute(f"CREATE TABLE found_{name} AS {found}")


def _table(
    console: Console, connection: duckdb.DuckDBPyConnection, name: str, group: str, title: str, differences: bool
) -> pl.DataFrame:
    rows = connection.sql(
        f"""
        WITH e AS (SELECT {group} AS g, count(*) AS expected FROM expected_{name} GROUP BY 1),
             f AS (SELECT {group} AS g, count(*) AS found FROM found_{name} GROUP BY 1),
             h AS (SELECT {group} AS g, count(*) AS hit
                   FROM (SELECT * FROM expected_{name} INTERSECT SELECT * FROM found_{name}) GROUP BY 1)
        SELECT g, coalesce(expected, 0) AS expected, coalesce(found, 0) AS found, coalesce(hit, 0) AS hit,
            round(coalesce(hit, 0) / expected, 4) AS recall, round(coalesce(hit, 0) / found, 4) AS precision
        FROM e FULL JOIN f USING (g) LEFT JOIN h USING (g) ORDER BY g
        """
    ).pl()
    shown = Table(group, "expected", "found", "right", "recall", "precision", title=title, title_justify="left")
    for row in rows.iter_rows():
        shown.add_row(*("" if value is None else str(value) for value in row))
    console.print(shown)
    if differences:
        for what, left, right in (("missed", "expected", "found"), ("too much", "found", "expected")):
            different = connection.sql(f"SELECT * FROM {left}_{name} EXCEPT SELECT * FROM {right}_{name} ORDER BY ALL")
            for line in different.fetchall()[:60]:
                console.print(f"{what}: {line}", markup=False, highlight=False, soft_wrap=True)
    return rows


def _persons(connection: duckdb.DuckDBPyConnection, console: Console, differences: bool) -> dict[str, Any]:
    connection.execute(
        """
        CREATE TABLE truth_records AS
        SELECT record_id, min(person) AS person, count(DISTINCT person) AS persons
        FROM (SELECT record_id, person FROM truth_persons JOIN instance_records USING (source, location)
            UNION ALL SELECT record_id, person FROM truth_registered t JOIN match_records r
                ON r.origin = 'feed' AND r.source = t.feed AND r.issuer = t.issuer AND r.PatientID = t.patient_id)
        GROUP BY record_id;
        CREATE TABLE both_records AS
        SELECT a.record_id AS a, b.record_id AS b, a.person = b.person AS same, p.person_id = q.person_id AS merged,
            coalesce(pairs.band, 'never compared') AS band
        FROM truth_records a JOIN truth_records b ON a.record_id < b.record_id
            JOIN persons p ON p.record_id = a.record_id JOIN persons q ON q.record_id = b.record_id
            LEFT JOIN pairs ON pairs.record_a = a.record_id AND pairs.record_b = b.record_id
        WHERE a.person = b.person OR p.person_id = q.person_id
        """
    )
    outcome = connection.sql(
        "SELECT same, merged, band, count(*) FROM both_records GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    shown = Table("one person in truth", "merged", "band", "pairs", title="Pairs of records", title_justify="left")
    for row in outcome:
        shown.add_row(*map(str, row))
    console.print(shown)
    if differences:
        wrong = "SELECT * FROM both_records WHERE same <> merged ORDER BY same, band LIMIT 60"
        for line in connection.sql(wrong).fetchall():
            console.print(line, markup=False)
    total = connection.sql("SELECT count(*) FROM both_records WHERE same").fetchall()[0][0]
    missed = sum(count for same, merged, _, count in outcome if same and not merged)
    queued = sum(count for same, merged, band, count in outcome if same and not merged and band == "review")
    pairs = "SELECT a AS record_a, b AS record_b FROM both_records WHERE "
    merges = measures(connection.sql(f"{pairs} merged").pl(), connection.sql(f"{pairs} same").pl())
    return {
        **{f"merge_{name}": value for name, value in merges.items()},
        "wrong_merges": sum(count for same, merged, _, count in outcome if merged and not same),
        "missed_merges": missed,
        "missed_merges_in_review": queued,
        "true_pairs": total,
    }


if __name__ == "__main__":
    main()
