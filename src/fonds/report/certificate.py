"""The certificate: what was found, what became of it, and a SHA-256 by which a changed copy shows."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb

import fonds
from fonds.catalog.provenance import definition_hashes
from fonds.project.settings import Project

SQL = Path(__file__).parent / "sql"


def certificate(project: Project, connection: duckdb.DuckDBPyConnection, definitions: list[Path]) -> dict[str, Any]:
    """The certificate as plain data.

    `facts` is what can be compared: two journeys over the same archives with the same rules and decisions have the
    same `facts_sha256`. `runs` tells how it came about (numbers, times). `sha256` covers everything above it.
    """
    facts: dict[str, Any] = {
        "project": project.settings.name,
        "software": f"Fonds {fonds.__version__}",
        "counts": _rows(connection, "certificate_counts"),
        "states": _rows(connection, "certificate_states"),
        "digests": _rows(connection, "certificate_digests"),
        "packs": _rows(connection, "certificate_packs"),
        "definitions": dict(sorted({**_used(connection), **definition_hashes(project, definitions)}.items())),
        "decisions": _rows(connection, "certificate_decisions"),
    }
    whole = {"facts": facts, "facts_sha256": digest(facts), "runs": _rows(connection, "certificate_runs")}
    return {**whole, "sha256": digest(whole)}


def digest(content: dict[str, Any]) -> str:
    """SHA-256 of JSON with sorted keys, no spaces, UTF-8."""
    material = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(material.encode()).hexdigest()


def verify(written: dict[str, Any]) -> bool:
    """Whether a certificate read from a file is as it was written."""
    whole = {key: value for key, value in written.items() if key != "sha256"}
    return digest(whole) == written.get("sha256") and digest(whole["facts"]) == written.get("facts_sha256")


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[dict[str, Any]]:
    return connection.sql((SQL / f"{name}.sql").read_text(encoding="utf-8")).pl().to_dicts()


def _used(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Content hashes of the definitions each stage's last finished run used."""
    found: dict[str, str] = {}
    for row in _rows(connection, "certificate_definitions"):
        found.update(json.loads(row["definitions"]))
    return found
