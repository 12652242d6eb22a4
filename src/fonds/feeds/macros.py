"""The SQL macros a feed is read with: those of the standards, and those that its mapping makes."""

from __future__ import annotations

from pathlib import Path

import duckdb

from fonds.catalog.store import literal
from fonds.feeds import codes
from fonds.feeds.definition import Feed
from fonds.tabular.columns import translated

_SQL = Path(__file__).parent / "sql"
SEXES = {
    **{"M": "M", "MALE": "M", "F": "F", "FEMALE": "F", "O": "O", "OTHER": "O", "A": "O", "C": "O"},
    **{"U": "", "N": "", "UNKNOWN": "", '""': '""', "": ""},
}
"""Codes of HL7 v2 (table 0001) and FHIR (AdministrativeGender) as Patient's Sex (PS3.3 C.7.1.1)."""
NO_SEX = "?"
"""Stands for a code that no table knows, until it has been counted."""
KINDS = {
    **dict.fromkeys(("A01", "A02", "A03", "A04", "A05", "A06", "A07", "A08", "A28", "A31"), "upsert"),
    **dict.fromkeys(("A18", "A30", "A34", "A36", "A39", "A40", "MERGE"), "merge"),
    **dict.fromkeys(("A46", "A47"), "merge"),
    **dict.fromkeys(("A37", "UNMERGE"), "unmerge"),
    **dict.fromkeys(("A23", "A29"), "remove"),
    "A24": "link",
}
"""What an HL7 event says of identifiers. A24 links two patients that stay two; A37 takes that, or a merge, back."""


def define(connection: duckdb.DuckDBPyConnection, feed: Feed, *, partial: bool) -> None:
    """Make all macros of this feed; `partial` says that a row is an event that tells only what it changes."""
    mapping = feed.mapping
    sexes = SEXES | {code.upper(): sex for code, sex in mapping.sex.items()}
    whens = " ".join(f"WHEN {literal(code)} THEN {literal(sex)}" for code, sex in sexes.items())
    times = (
        f"try_strptime(t, [{', '.join(literal(one) for one in mapping.times)}])" if mapping.times else "NULL::TIMESTAMP"
    )
    dates = f"strftime(try_strptime(t, [{', '.join(literal(one) for one in mapping.dates)}]), '%Y%m%d')"
    empty = "WHEN t = '' THEN NULL " if partial else ""
    for macro in (
        f"renamed(t) AS {translated('t', mapping.issuers)}",
        f"own_issuer() AS {literal(feed.settings.issuer or '')}",
        f"national_word(t) AS t IN ({', '.join(literal(word) for word in mapping.national) or 'NULL'})",
        f"sex(t) AS CASE upper(trim(t)) {whens} ELSE '{NO_SEX}' END",
        f"own_moment(t) AS {times}",
        f"birth_day(t) AS CASE WHEN t IN ('', '\"\"') THEN t ELSE coalesce({dates}, t) END",
        f"partial() AS {partial}",
        f"given(t) AS CASE WHEN t = '\"\"' THEN '' {empty}ELSE t END",
    ):
        connection.execute(f"CREATE MACRO {macro}")
    run_sql(connection, "macros")


def define_examinations(connection: duckdb.DuckDBPyConnection, feed: Feed) -> None:
    """Make the macros of orders and reports, besides those of `define`."""
    for macro in (
        f"own_accession_issuer() AS {literal(feed.settings.accession_issuer or '')}",
        f"order_control(t) AS {_coded(codes.CONTROLS)}",
        f"order_status(t) AS {_coded(codes.ORDERS)}",
        f"order_result(t) AS {_coded(codes.RESULTS_OF_ORDERS)}",
        f"report_status(t) AS {_coded(codes.REPORTS)}",
        f"observation_status(t) AS {_coded(codes.OBSERVATIONS)}",
        f"report_form(t) AS {_coded(codes.FORMS)}",
        f"section_modality(t) AS {_coded(codes.SECTIONS | {name: name for name in codes.MODALITIES}, other='')}",
        f"laboratory(t) AS t IN ({', '.join(map(literal, codes.LABORATORY))})",
        "again(n) AS CASE n WHEN 1 THEN '' ELSE '#' || n END",
    ):
        connection.execute(f"CREATE MACRO {macro}")
    run_sql(connection, "examinations")


def _coded(meanings: dict[str, str], *, other: str = codes.UNKNOWN) -> str:
    whens = " ".join(f"WHEN {literal(code)} THEN {literal(means)}" for code, means in meanings.items())
    return f"CASE t {whens} ELSE {literal(other)} END"


def run_sql(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Run one of the SQL files."""
    for statement in _statements(name):
        connection.execute(statement)


def _statements(name: str) -> list[str]:
    return [part for part in (_SQL / f"{name}.sql").read_text(encoding="utf-8").split(";\n") if part.strip()]
