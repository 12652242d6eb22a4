"""Quality in the report and in the views behind it: index, cells, trend, worst offenders, rule effect, gates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.operations.runs import mirrored
from fonds.project.settings import Project
from fonds.report import report
from fonds.report.compile import answers, connect
from fonds.report.definition import load as load_report
from fonds.report.definition import load_remedies
from tests.report.handmade import fill, make_project, objects


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return fill(make_project(tmp_path_factory.mktemp("quality")))


@pytest.fixture(scope="module")
def catalog(project: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def found(project: Project) -> dict[str, pl.DataFrame]:
    with connect(project, load_remedies(project)) as connection:
        return answers(project, load_report(project), connection)


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    return connection.sql(query).pl().to_dicts()


def test_a_blocking_failure_weighs_a_hundred_minor_ones(catalog: duckdb.DuckDBPyConnection) -> None:
    weights = dict(catalog.sql("SELECT severity, weight FROM severity_weights").fetchall())
    assert weights == {"block": 100, "critical": 20, "major": 5, "minor": 1, "info": 0}


def test_the_index_is_one_less_the_weighted_share_that_fails(catalog: duckdb.DuckDBPyConnection) -> None:
    # cardiology: PT-09 2 of 8, PT-10 2 of 8, SE-02 6 of 12 (5 each); ST-04 4 of 12 (20); IN-01 2 of 40 (100)
    (told,) = rows(catalog, "FROM quality_index WHERE source = 'cardiology'")
    failed, applicable = 5 * (2 + 2 + 6) + 20 * 4 + 100 * 2, 5 * (8 + 8 + 12) + 20 * 12 + 100 * 40
    assert told["quality"] == pytest.approx(1 - failed / applicable)
    assert (told["checks"], told["failed"], told["blocking"]) == (5, 16, 2), "AR-01 applies to nothing: on no side"
    assert told["critical_share"] == pytest.approx(4 / 12)
    assert told["quality_after"] == told["quality"], "no suite of stage normalize judged it"


def test_after_the_rules_the_gates_counts_take_the_place_of_the_scorecards(catalog: duckdb.DuckDBPyConnection) -> None:
    (told,) = rows(catalog, "FROM quality_index WHERE source = 'surgery'")
    # of surgery's checks ST-04 (2 of 12) and IN-01 (30 of 40) were judged again
    failed = 5 * (4 + 4 + 0) + 20 * 2 + 100 * 30
    assert told["quality_after"] == pytest.approx(1 - failed / (5 * (8 + 8 + 12) + 20 * 12 + 100 * 40))
    assert told["quality_after"] < told["quality"]


def test_a_cell_is_a_source_a_modality_and_a_year(catalog: duckdb.DuckDBPyConnection) -> None:
    (worst,) = rows(catalog, "FROM quality_by_cell ORDER BY quality LIMIT 1")
    assert (worst["source"], worst["department"], worst["modality"], worst["study_year"]) == (
        "radiology",
        "radiology",
        "MR",
        "2012",
    )
    assert worst["quality"] == pytest.approx(1 - 20 * 9 / (20 * 12 + 5 * 12))
    assert (worst["checks"], worst["failed"], worst["applicable"]) == (2, 9, 24)


def test_what_policy_skips_counts_on_neither_side(project: Project) -> None:
    catalog = Catalog(project)
    status = pl.when(pl.col("check_id") == "ST-04").then(pl.lit("skipped")).otherwise(pl.col("status"))
    card = catalog.read("scorecard").with_columns(status.alias("status"))
    with catalog.connect() as connection:
        connection.register("policy", card.to_arrow())
        connection.execute("CREATE OR REPLACE VIEW scorecard AS FROM policy")
        (index,) = rows(connection, "FROM quality_index WHERE source = 'cardiology'")
        (cell,) = rows(connection, "FROM quality_by_cell WHERE modality = 'MR'")
        trend = rows(connection, "FROM quality_trend WHERE source = 'oncology' AND run = 9")
        offenders = connection.sql("SELECT name FROM worst_offenders WHERE kind = 'check'").fetchall()
    assert index["quality"] == pytest.approx(1 - (5 * 10 + 100 * 2) / (5 * 28 + 100 * 40))
    assert (cell["checks"], cell["failed"], cell["quality"]) == (1, 0, 1)
    assert (trend[0]["checks"], trend[0]["checks_changed"]) == (1, 0)
    assert not [name for (name,) in offenders if name.startswith("ST-04")]


def test_completeness_is_told_as_found_and_after_the_rules(catalog: duckdb.DuckDBPyConnection) -> None:
    told = {(row["source"], row["attribute"]): row for row in rows(catalog, "FROM key_completeness")}
    made = [row for row in objects() if row["source"] == "surgery"]
    filled = sum(bool(row["AccessionNumber"]) for row in made)
    assert told["surgery", "AccessionNumber"]["present"] == filled < len(made)
    assert told["surgery", "AccessionNumber"]["share"] == pytest.approx(filled / len(made))
    assert len({attribute for _, attribute in told}) == 9


def test_an_approved_change_fills_a_key_attribute(tmp_path: Path) -> None:
    project = fill(make_project(tmp_path))
    catalog = Catalog(project)
    empty = catalog.read("instances").filter(pl.col("AccessionNumber") == "").head(2)
    changes = empty.select("source", "location").with_columns(
        change_id=pl.col("location"), attribute=pl.lit("AccessionNumber"), path=pl.lit("(0008,0050)"),
        before=pl.lit(""), after=pl.lit("A1"), rule=pl.lit("accession.order"),
        state=pl.Series(["approved", "proposed"]),
    )  # fmt: skip
    catalog.replace("changes", changes)
    with catalog.connect() as connection:
        told = connection.sql(
            "SELECT sum(present_after) - sum(present) FROM key_completeness WHERE attribute = 'AccessionNumber'"
        ).fetchall()
    assert told == [(1,)], "the proposed change fills nothing yet"


def test_the_trend_marks_other_versions_and_compares_only_what_stayed(catalog: duckdb.DuckDBPyConnection) -> None:
    first, second = rows(catalog, "FROM quality_trend WHERE source = 'oncology' ORDER BY run")
    assert (first["run"], first["checks_changed"], first["change"]) == (3, 0, None)
    assert first["quality"] == pytest.approx(1 - (20 * 6 + 5 * 4) / (20 * 12 + 5 * 8))
    assert (second["run"], second["checks_changed"], second["changed"]) == (9, 1, ["ST-04"])
    assert second["change"] == pytest.approx(3 / 8), "PT-09 went from 4 of 8 to 1 of 8; ST-04 has another version"


def test_worst_offenders_are_devices_checks_and_cells_without_names(project: Project) -> None:
    catalog = Catalog(project)
    instances = catalog.read("instances")
    devices = instances.with_columns(
        Manufacturer=pl.lit("ACME"),
        ManufacturerModelName=pl.lit("One"),
        StationName=pl.col("source").str.to_uppercase(),
    )
    broken = devices.filter(source="cardiology")["location"].to_list()[:3]
    findings = [
        {"check_id": "IN-07", "name": "short", "level": "instance", "severity": "block", "source": "cardiology",
         "entity": location}
        for location in broken
    ]  # fmt: skip
    with catalog.connect() as connection:
        connection.register("devices", devices.to_arrow())
        connection.execute("CREATE OR REPLACE VIEW instances AS FROM devices")
        connection.register("made", pl.DataFrame([{**row, "attribute": "PixelData"} for row in findings]).to_arrow())
        connection.execute("CREATE OR REPLACE VIEW findings AS FROM made")
        told = rows(connection, "FROM worst_offenders WHERE kind = 'device'")
        cells = rows(connection, "FROM worst_offenders WHERE kind = 'cell' ORDER BY weighted DESC LIMIT 1")
    (device,) = told
    assert (device["name"], device["failed"], device["weighted"]) == ("ACME One CARDIOLOGY", 3, 300)
    assert device["records"] == 1
    assert device["share"] == 1
    assert (cells[0]["name"], cells[0]["weighted"], cells[0]["records"]) == ("MR 2012", 180, None)


def test_the_report_counts_out_no_small_group_of_patients(project: Project) -> None:
    query = project.find("reports/sql/worst_offenders.sql").read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE worst_offenders AS SELECT 'check' AS kind, 'c' || records AS name, 's' AS source, "
            "9 AS failed, 9 - position AS weighted, 0.1 AS share, records "
            "FROM (VALUES (1, 4), (2, 5), (3, NULL), (4, 1), (5, 0)) "
            "t(position, records)"
        )
        told = {row["name"]: row["patients"] for row in rows(connection, query)}
    assert told == {"c4": "<5", "c5": "5", None: None, "c1": "<5", "c0": None}


def test_a_rule_clears_the_findings_of_checks_that_name_it(tmp_path: Path) -> None:
    project = fill(make_project(tmp_path))
    catalog = Catalog(project)
    with catalog.connect() as connection:
        (record,) = connection.sql(
            "SELECT DISTINCT record_id FROM instance_records JOIN instances USING (source, location) "
            "WHERE PatientName = 'Jansen-Wolf, Britta'"
        ).fetchall()
    finding = {"name": "n", "level": "patient", "severity": "major", "source": "radiology", "entity": record[0]}
    catalog.replace(
        "findings",
        pl.DataFrame([
            {**finding, "check_id": "PT-09", "attribute": "PatientName"},
            {**finding, "check_id": "PT-10", "attribute": "PatientName"},  # names no rule
        ]),
    )  # fmt: skip
    with catalog.connect() as connection:
        told = {(row["rule"], row["state"]): row for row in rows(connection, "FROM rule_effect")}
    comma = told["names.comma", "approved"]
    assert (comma["changes"], comma["objects"], comma["studies"]) == (8, 8, 2)
    assert (comma["clears"], comma["checks"]) == (1, ["PT-09"])
    # of a change that two rules made, each is told; none of them clears anything
    assert {told[rule, "proposed"]["clears"] for rule in ("names.trim", "names.two-words")} == {0}


def test_the_report_shows_what_the_views_say(found: dict[str, pl.DataFrame]) -> None:
    figures = {row["label"]: row for row in found["quality_figures"].to_dicts()}
    assert figures["Gates closed"]["value"] == 1
    assert figures["Quality"]["value"] == found["quality_sources"].row(-1, named=True)["quality"]
    assert found["quality_sources"]["name"].to_list()[-1] == "All departments"
    assert found["gates_failed"].row(0, named=True) | {"title": ""} == {
        "check_id": "IN-01", "title": "", "suite": "fit-to-move", "source": "surgery", "failing": 30, "evaluated": 40,
        "mostly": 0.5, "state": "closed",
    }  # fmt: skip
    conformance = found["conformance_by_attribute"].row(0, named=True)
    assert (conformance["attribute"], conformance["problem"], conformance["objects"]) == (
        "FrameOfReferenceUID",
        "missing",
        3,
    )
    drift = found["drift_by_attribute"].row(0, named=True)
    assert (drift["pair"], drift["attribute"], drift["winner"], drift["waiting"]) == (
        "radiology / cardiology",
        "AccessionNumber",
        "index",
        2,
    )


@pytest.mark.parametrize(("first", "expected"), [(2012, {"2012", "2013"}), (1990, {"90–94", "95–99", "00–04"})])
def test_many_years_are_taken_together(project: Project, first: int, expected: set[str]) -> None:
    query = project.find("reports/sql/quality_cells.sql").read_text(encoding="utf-8")
    years = range(first, first + (2 if first == 2012 else 15))
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE quality_by_cell AS SELECT 's' AS source, 'd' AS department, 'CT' AS modality, y::VARCHAR "
            f"AS study_year, 10 AS applicable, 1 AS weighted_failed, 10 AS weighted_applicable "
            f"FROM (SELECT unnest({list(years)}) AS y)"
        )
        told = rows(connection, query)
    assert {row["years"] for row in told} == expected
    assert {row["cell"] for row in told} == {"s (d) · CT"}
    assert {row["quality"] for row in told} == {0.9}


def test_the_published_file_answers_without_fonds(project: Project, tmp_path: Path) -> None:
    publish(Catalog(project), mirrored(project))
    with duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True) as connection:
        for view in (
            "quality_by_cell", "quality_index", "quality_trend", "key_completeness", "worst_offenders", "rule_effect",
        ):  # fmt: skip
            assert connection.sql(f"SELECT count(*) FROM {view}").fetchall()[0][0] > 0, view


def test_the_page_links_to_the_data_docs_where_gates_are_told(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (project.reports_dir / "data_docs").mkdir(parents=True)
    report(project)
    page = (project.reports_dir / "report.html").read_text(encoding="utf-8")
    chapter = page[page.index('<section id="gates"') : page.index('<section id="conformance"')]
    assert 'href="data_docs/index.html"' in chapter


def test_every_query_of_the_page_for_analysts_runs(catalog: duckdb.DuckDBPyConnection) -> None:
    text = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    assert len(queries) >= 10
    told = [catalog.sql(query).pl() for query in queries]
    assert all(frame.columns for frame in told)
    # scanners: the hand-made findings are about no object
    assert sum(frame.height == 0 for frame in told) <= 1
