"""One person's history: who is meant, and what archives and feeds hold of them in the order of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from fonds.catalog.store import Catalog
from fonds.errors import QueryRefused
from fonds.project.settings import Project

Row = dict[str, Any]
_SQL = Path(__file__).parent / "sql"
_RECORD = re.compile(r"[RF][0-9a-f]{16}")
_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class History:
    """A person: the records that say who they are, and the items of `timeline` in the order of time, undated ones last.

    Items carry `priors`, earlier studies of the person, where kind is study. `matched` is False before matching has
    run: every record is a person of its own then.
    """

    person_id: str
    records: list[Row]
    items: list[Row]
    matched: bool


def history(project: Project, name: str) -> History:
    """The history of the person called `name`: a person, a record, ID or ISSUER|ID, a study, an accession number.

    Raises QueryRefused when nobody or more than one person is meant.
    """
    with Catalog(project).connect() as connection:
        person = _meant(connection, name.strip())
        records = _rows(connection, "history_records", person=person)
        studies = [row["study_uid"] for row in _rows(connection, "history_studies", person=person)]
        items = _rows(connection, "history_items", person=person, studies=studies)
        matched = bool(connection.execute("SELECT count(*) FROM (FROM persons LIMIT 1)").fetchall()[0][0])
    seen: list[str] = []
    for item in items:
        if item["kind"] == "study" and item["at"] is not None:
            item["priors"] = sum(at < item["at"] for at in seen)
            seen.append(item["at"])
    return History(person, records, items, matched)


def _meant(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    if not name:
        raise QueryRefused(
            "name a person: a person or record of ours, ID or ISSUER|ID, a Study UID, an accession number"
        )
    found = _rows(connection, "history_person", name=name)
    if not found and _RECORD.fullmatch(name):
        found = _rows(connection, "history_record", name=name)
    if not found and "|" in name:
        issuer, _, identifier = (part.strip() for part in name.partition("|"))
        found = _of_identifier(connection, identifier, issuer)
        if not found:
            known = ", ".join(row["issuer"] for row in _rows(connection, "history_issuers"))
            raise QueryRefused(
                f"no patient has that identifier of that issuer; there are identifiers of: {known or 'none'}"
            )
    if not found and _UID.fullmatch(name):
        found = _rows(connection, "history_study", name=name)
    if not found:
        found = _of_identifier(connection, name, None) + _rows(connection, "history_accession", name=name)
    persons = {row["person_id"]: row for row in found}
    if not persons:
        raise QueryRefused(
            "nobody is found by that: no person or record of ours, no patient's identifier, study or accession number; "
            'write ISSUER|ID where an identifier has blanks, or list persons with `fonds sql "select * from persons"`'
        )
    if len(persons) > 1:
        listed = [f"{person} ({row['why']})" for person, row in sorted(persons.items())]
        more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
        raise QueryRefused(
            f"several persons are found by that: {'; '.join(listed[:MOST_NAMED])}{more}. Name one of them"
        )
    return str(next(iter(persons)))


def _of_identifier(connection: duckdb.DuckDBPyConnection, identifier: str, issuer: str | None) -> list[Row]:
    """Persons with the identifier as it is written; when there is none, in whatever spelling."""
    rows = _rows(connection, "history_identifier", identifier=identifier, issuer=issuer)
    return [row for row in rows if row["exact"]] or rows


def _rows(connection: duckdb.DuckDBPyConnection, query: str, **parameters: Any) -> list[Row]:
    text = (_SQL / f"{query}.sql").read_text(encoding="utf-8")
    rows: list[Row] = connection.execute(text, parameters).pl().to_dicts()
    return rows
