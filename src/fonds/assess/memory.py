"""What the last assessment depended on, so that the next one judges only what changed (catalog/assess/state.json)."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

import fonds
from fonds.assess.compile import Vocabularies, judged
from fonds.assess.definition import Check
from fonds.assess.vocabulary import LEVELS, relation
from fonds.catalog import schema
from fonds.catalog.store import Catalog

READ = ("instances", "unreadable", "entries", "drift", "conformance")
WRITTEN = ("findings", "measures")


@dataclass(frozen=True, slots=True)
class Memory:
    """One assessment's state."""

    ground: str
    """hash of what no difference of rows tells: version, settings of sources, how entities reach each other"""
    checks: dict[str, str]
    """hash of every check by id, of its text and SQL"""
    read: dict[str, int]
    """versions of the tables it read"""
    written: dict[str, int]
    """versions of the tables it wrote"""
    changed: int = 0
    """rows that changed since the keys in catalog/assess/touched were written anew"""

    def save(self, folder: Path) -> None:
        """Write it aside and rename it into place."""
        aside = folder / f"state.{os.getpid()}"
        aside.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(aside, folder / "state.json")


def load(folder: Path) -> Memory | None:
    """The last assessment's state; None when there is none to go by."""
    try:
        return Memory(**json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def ground(connection: duckdb.DuckDBPyConnection) -> str:
    """Hash of the version, the settings of the sources, and the levels."""
    sources = connection.sql("SELECT * FROM sources ORDER BY source").fetchall()
    levels = [(level.name, level.table, level.touches, level.told_by) for level in LEVELS.values()]
    return _hash([fonds.__version__, duckdb.__version__, sources, levels])


def prints(checks: Sequence[Check], packs: Mapping[str, str], vocabularies: Vocabularies) -> dict[str, str]:
    """The hash of each check by its id; one that asks for today's date is another check tomorrow."""
    today = datetime.now(UTC).date().isoformat()
    found = {}
    for check in checks:
        query = judged(check.level, [check], vocabularies)
        texts = [check.name, check.kahn, check.severity, check.message, check.version, packs.get(check.id, "")]
        found[check.id] = _hash([query, texts, today if "current_date" in query.lower() else ""])
    return found


def versions(catalog: Catalog, names: Sequence[str]) -> dict[str, int]:
    """The present versions of some tables, those that exist."""
    there = catalog.versions()
    return {name: there[name] for name in names if name in there}


def reads(level: str) -> set[str]:
    """The tables a level's relation names; `inventory` stands for the tables it is made of."""
    found = set(re.findall(r"\w+", relation(level))) & {*schema.NAMES, "inventory"}
    return found - {"inventory"} | ({"instances", "unreadable", "entries"} if "inventory" in found else set())


def _hash(material: object) -> str:
    return hashlib.sha256(json.dumps(material, default=str).encode()).hexdigest()
