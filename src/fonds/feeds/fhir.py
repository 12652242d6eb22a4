"""FHIR Patients, one resource a line (NDJSON), Bundles among them: read line by line, checked, and parsed by DuckDB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from fonds.catalog.store import literal, quote
from fonds.tabular.lines import line_of, open_lines

_CODING = {"coding": [{"system": "VARCHAR", "code": "VARCHAR"}]}
PATIENT: dict[str, Any] = {
    "resourceType": "VARCHAR",
    "id": "VARCHAR",
    "meta": {"lastUpdated": "VARCHAR"},
    "active": "BOOLEAN",
    "identifier": [{"use": "VARCHAR", "type": _CODING, "system": "VARCHAR", "value": "VARCHAR"}],
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
"""What is read of a Patient (FHIR R4 and R4B 8.1), as DuckDB's from_json wants it."""
_SHOWN = 5


def to_parsed(connection: duckdb.DuckDBPyConnection, files: list[Path], folder: Path) -> tuple[int, list[str]]:
    """Make `parsed` (seq, p) of all resources of the files; how many lines can't be read, and which.

    A resource that is no Patient is there, too, with its kind. Raises ArchiveUnreachable for a file that can't be read.
    """
    # as a literal: with parameters DuckDB's client imports pandas, which takes a second
    structure = literal(json.dumps(PATIENT))
    connection.execute(f"CREATE TABLE parsed (seq BIGINT, p {_type(PATIENT)})")
    broken, problems, start = 0, [], 0
    for file in files:
        left_out = open_lines(connection, "lines", file, folder)
        # what stands in a Bundle stands in place of it
        connection.execute(
            f"INSERT INTO parsed SELECT row + {start}, from_json(line, {structure}) FROM ("
            "FROM lines WHERE json_valid(line) UNION ALL "
            "SELECT row, unnest(json_extract(line, '$.entry[*].resource'))::VARCHAR FROM lines "
            "WHERE contains(line, '\"Bundle\"') AND json_valid(line) "
            "AND json_extract_string(line, '$.resourceType') = 'Bundle')"
        )
        invalid = connection.execute(
            "SELECT row FROM lines WHERE trim(line) <> '' AND NOT json_valid(line) ORDER BY row"
        ).fetchall()
        (height,) = connection.execute("SELECT coalesce(max(row), 0) FROM lines").fetchall()[0]
        start += height
        bad = sorted([*left_out, *(line_of(row, left_out) for (row,) in invalid)])
        broken += len(bad)
        if bad:
            problems.append(_told(file, bad, whole=len(invalid) > 1 and len(invalid) + len(left_out) >= height))
    connection.execute("DROP TABLE IF EXISTS lines")
    return broken, problems


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
