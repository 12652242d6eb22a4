"""What the FHIR resources of a feed tell: of patients, and as orders and reports."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.feeds.definition import Feed
from fonds.feeds.examinations import leave_absent
from fonds.feeds.fhir import RESOURCES, to_parsed
from fonds.feeds.macros import define, define_examinations, run_sql
from fonds.feeds.notes import Notes, counted


def read_resources(
    connection: duckdb.DuckDBPyConnection, feed: Feed, files: dict[str, list[Path]], folder: Path, notes: Notes
) -> None:
    """Read the files of patients, orders and reports: into `told` and `merging`, `feed_orders`, `feed_reports`.

    Orders and reports are looked up in each other, in Patients and ImagingStudies, in whatever file these are. Raises
    ArchiveUnreachable for a file that can't be read.
    """
    define(connection, feed, partial=False)
    notes.unreadable, notes.broken, others = to_parsed(connection, files, folder)
    examined = set(files) - {"patients"}
    if others:
        kinds = f"none of {', '.join(RESOURCES)}" if examined else "no Patient"
        notes.doubtful.append(f"{others} resource(s) are {kinds} and are not read")
    notes.rows = counted(connection, "parsed WHERE own") + notes.unreadable
    run_sql(connection, "fhir")
    connection.execute("DROP TABLE parsed")
    _leave_out(
        connection, "Patient(s) have no identifier and are left out", "people WHERE own AND patient_id IS NULL", notes
    )
    notes.doubt(
        connection,
        "link(s) name a Patient that the feed doesn't have, or that has no identifier",
        "linked WHERE other_id IS NULL",
    )
    if examined:
        _examinations(connection, feed, notes)
    connection.execute("DROP TABLE people")


def _examinations(connection: duckdb.DuckDBPyConnection, feed: Feed, notes: Notes) -> None:
    define_examinations(connection, feed)
    for name in ("requests", "reports", "studies"):
        notes.rows += counted(connection, f"parsed_{name} WHERE own")
        _keep_newest(connection, name)
    run_sql(connection, "fhir_examinations")
    for table, key, resource in (
        ("feed_orders", "order_id", "ServiceRequest"),
        ("feed_reports", "report_id", "DiagnosticReport"),
    ):
        nameless = f"{table} WHERE {key} IS NULL"
        _leave_out(connection, f"{resource}(s) have neither an id nor a number and are left out", nameless, notes)
        connection.execute(f"DELETE FROM {nameless}")
    leave_absent(connection, "reports", notes)
    for what, rows in (
        ("ServiceRequest(s) are proposals or plans and no orders", "whole_requests WHERE own AND planned"),
        ("ServiceRequest(s) are of a laboratory and are not read", "whole_requests WHERE own AND laboratory"),
        ("DiagnosticReport(s) are of a laboratory and are not read", "told_reports WHERE own AND laboratory"),
        ("order(s) name no Patient that the feed has", "feed_orders WHERE patient_id IS NULL"),
        ("report(s) name no Patient that the feed has", "feed_reports WHERE patient_id IS NULL"),
    ):
        notes.doubt(connection, what, rows)


def _keep_newest(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Make `newest_NAME` of `parsed_NAME`: of several versions of a resource the newest. Only places are sorted."""
    connection.execute(
        f"CREATE TABLE versions_{name} AS SELECT seq, coalesce(p.id, url, seq::VARCHAR) AS id, "
        f"moment(coalesce(p.meta.lastUpdated, '')) AS happened FROM parsed_{name}"
    )
    connection.execute(
        f"CREATE TABLE older_{name} AS SELECT seq FROM versions_{name} SEMI JOIN ("
        f"SELECT id FROM versions_{name} GROUP BY id HAVING count(*) > 1) USING (id) "
        "QUALIFY row_number() OVER (PARTITION BY id ORDER BY happened DESC NULLS LAST, seq DESC) > 1"
    )
    connection.execute(
        f"CREATE TABLE newest_{name} AS SELECT n.*, v.happened FROM parsed_{name} n JOIN versions_{name} v USING (seq) "
        f"ANTI JOIN older_{name} USING (seq)"
    )
    connection.execute(f"DROP TABLE parsed_{name}; DROP TABLE versions_{name}; DROP TABLE older_{name}")


def _leave_out(connection: duckdb.DuckDBPyConnection, what: str, rows: str, notes: Notes) -> None:
    if found := counted(connection, rows):
        notes.broken.append(f"{found} {what}")
        notes.unreadable += found
