"""FHIR resources, one a line (NDJSON), Bundles among them: read line by line, checked, and parsed by DuckDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from fonds.catalog.store import literal, quote
from fonds.feeds.notes import counted
from fonds.tabular.lines import line_of, open_lines

_CODING = {"coding": [{"system": "VARCHAR", "code": "VARCHAR"}]}
_CONCEPT = {"coding": [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}], "text": "VARCHAR"}
_IDENTIFIER = {"use": "VARCHAR", "type": _CODING, "system": "VARCHAR", "value": "VARCHAR"}
_REFERENCE = {"reference": "VARCHAR", "identifier": _IDENTIFIER}
_RESOURCE: dict[str, Any] = {
    "resourceType": "VARCHAR",
    "id": "VARCHAR",
    "meta": {"lastUpdated": "VARCHAR"},
    "identifier": [_IDENTIFIER],
}
_CONTAINED = {"contained": [{"id": "VARCHAR", "identifier": [_IDENTIFIER]}]}
_PATIENT: dict[str, Any] = {
    **_RESOURCE,
    "active": "BOOLEAN",
    "name": [
        {
            **{"use": "VARCHAR", "text": "VARCHAR", "family": "VARCHAR"},
            **{"given": ["VARCHAR"], "prefix": ["VARCHAR"], "suffix": ["VARCHAR"]},
            "extension": [{"url": "VARCHAR", "valueCode": "VARCHAR"}],
        }
    ],
    "telecom": [{"system": "VARCHAR", "value": "VARCHAR", "use": "VARCHAR"}],
    "gender": "VARCHAR",
    "birthDate": "VARCHAR",
    "deceasedBoolean": "BOOLEAN",
    "deceasedDateTime": "VARCHAR",
    "multipleBirthBoolean": "BOOLEAN",
    "multipleBirthInteger": "BIGINT",
    "address": [{"use": "VARCHAR", "line": ["VARCHAR"], "city": "VARCHAR", "postalCode": "VARCHAR"}],
    "link": [
        {
            "other": {"reference": "VARCHAR", "identifier": {"system": "VARCHAR", "value": "VARCHAR"}},
            "type": "VARCHAR",
        }
    ],
    "extension": [{"url": "VARCHAR", "valueString": "VARCHAR"}],
}
_REQUEST: dict[str, Any] = {
    **_RESOURCE,
    **_CONTAINED,
    "requisition": _IDENTIFIER,
    "status": "VARCHAR",
    "intent": "VARCHAR",
    "category": [_CONCEPT],
    "code": _CONCEPT,
    "orderDetail": [_CONCEPT],
    "subject": _REFERENCE,
    "occurrenceDateTime": "VARCHAR",
    "occurrencePeriod": {"start": "VARCHAR"},
    "authoredOn": "VARCHAR",
}
_REPORT: dict[str, Any] = {
    **_RESOURCE,
    **_CONTAINED,
    "basedOn": [_REFERENCE],
    "status": "VARCHAR",
    "category": [_CONCEPT],
    "code": _CONCEPT,
    "subject": _REFERENCE,
    "effectiveDateTime": "VARCHAR",
    "effectivePeriod": {"start": "VARCHAR"},
    "issued": "VARCHAR",
    "imagingStudy": [_REFERENCE],
    "study": [_REFERENCE],
    "conclusion": "VARCHAR",
    "presentedForm": [{"contentType": "VARCHAR", "url": "VARCHAR"}],
}
_STUDY: dict[str, Any] = {
    **_RESOURCE,
    "status": "VARCHAR",
    "modality": [{"system": "VARCHAR", "code": "VARCHAR"}],
    "basedOn": [_REFERENCE],
}
RESOURCES = {
    "Patient": ("parsed", "patients", _PATIENT),
    "ServiceRequest": ("parsed_requests", "orders", _REQUEST),
    "DiagnosticReport": ("parsed_reports", "reports", _REPORT),
    "ImagingStudy": ("parsed_studies", "", _STUDY),
}
"""What is read of a resource: its table, the files it is taken from (others are looked up only), and its parts.

FHIR R4 and R4B 8.1, 12.12, 10.3 and 10.4, as DuckDB's from_json wants them.
"""
_KIND = "json_extract_string(line, '$.resourceType')"
_ENTRIES = 1 << 20
"""More than the entries of a Bundle, so that each resource has a place of its own."""
_SHOWN = 5


def to_parsed(
    connection: duckdb.DuckDBPyConnection, files: dict[str, list[Path]], folder: Path
) -> tuple[int, list[str], int]:
    """Make the tables of RESOURCES of all files, {patients | orders | reports: files}, of patients alone `parsed` only.

    How many lines can't be read and which, and how many resources are of other kinds. Raises ArchiveUnreachable for a
    file that can't be read.
    """
    wanted = RESOURCES if set(files) - {"patients"} else {"Patient": RESOURCES["Patient"]}
    for table, _, structure in wanted.values():
        connection.execute(f"CREATE TABLE {table} (seq BIGINT, own BOOLEAN, url VARCHAR, p {_type(structure)})")
    broken, problems, start, others = 0, [], 0, 0
    for file in sorted({file for of_kind in files.values() for file in of_kind}):
        left_out = open_lines(connection, "lines", file, folder)
        # what stands in a Bundle stands in place of it, in its order
        connection.execute(
            "CREATE OR REPLACE VIEW resources AS SELECT row, 0 AS place, NULL AS url, line FROM lines "
            "WHERE json_valid(line) UNION ALL SELECT row, place, json_extract_string(entries[place], '$.fullUrl'), "
            "json_extract(entries[place], '$.resource')::VARCHAR AS resource FROM ("
            "SELECT row, entries, unnest(range(1, len(entries) + 1)) AS place FROM ("
            "SELECT row, json_extract(line, '$.entry[*]') AS entries FROM lines "
            "WHERE contains(line, '\"Bundle\"') AND json_valid(line) "
            "AND json_extract_string(line, '$.resourceType') = 'Bundle')) WHERE resource IS NOT NULL"
        )
        for kind, (table, of_kind, structure) in wanted.items():
            own = file in files.get(of_kind, ())
            # as a literal: with parameters DuckDB's client imports pandas, which takes a second
            connection.execute(
                f"INSERT INTO {table} SELECT (row + {start}) * {_ENTRIES} + place, {own}, url, "
                f"from_json(line, {literal(json.dumps(structure))}) FROM resources "
                f"WHERE contains(line, {literal(kind)}) AND {_KIND} = {literal(kind)}"
            )
        others += counted(connection, f"resources WHERE coalesce({_KIND}, '') NOT IN ({_names([*wanted, 'Bundle'])})")
        invalid = connection.execute(
            "SELECT row FROM lines WHERE trim(line) <> '' AND NOT json_valid(line) ORDER BY row"
        ).fetchall()
        (height,) = connection.execute("SELECT coalesce(max(row), 0) FROM lines").fetchall()[0]
        start += height
        bad = sorted([*left_out, *(line_of(row, left_out) for (row,) in invalid)])
        broken += len(bad)
        if bad:
            problems.append(_told(file, bad, whole=len(invalid) > 1 and len(invalid) + len(left_out) >= height))
    connection.execute("DROP VIEW IF EXISTS resources; DROP TABLE IF EXISTS lines")
    return broken, problems, others


def _names(names: list[str]) -> str:
    return ", ".join(map(literal, names))


def _told(file: Path, lines: list[int], *, whole: bool) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN])) + (", …" if len(lines) > _SHOWN else "")
    hint = "; NDJSON has one resource on each line, as `jq -c . FILE` writes it" if whole else ""
    return f"{file.name}: {len(lines)} line(s) are no JSON in UTF-8 and are left out (line {shown}){hint}"


def _type(structure: Any) -> str:
    if isinstance(structure, list):
        return f"{_type(structure[0])}[]"
    if isinstance(structure, dict):
        fields = [f"{quote(name)} {_type(inner)}" for name, inner in structure.items()]
        return f"STRUCT({', '.join(fields)})"
    return str(structure)
