"""The queue of pairs and everything a steward sees of one pair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import duckdb

from fonds.desk.compare import evidence, pieces, timeline
from fonds.desk.reading import rows

PAGE = 50
State = Literal["open", "decided", "all"]
# label, column of `records`, column of record_effective.sql (None: nothing to normalise)
FIELDS = (
    ("Name", "PatientName", "PatientName"),
    ("Birth date", "PatientBirthDate", "PatientBirthDate"),
    ("Sex", "PatientSex", "PatientSex"),
    ("Patient ID", "PatientID", "PatientID"),
    ("Issuer", "issuer", "issuer"),
)
CONTEXT = (
    ("Source", "source"),
    ("Department", "department"),
    ("Studies", "studies"),
    ("Objects", "instances"),
    ("First study", "first_study"),
    ("Last study", "last_study"),
)


@dataclass(frozen=True, slots=True)
class Filter:
    """Which pairs of the queue are shown."""

    source: str = ""
    state: State = "open"


def page(cursor: duckdb.DuckDBPyConnection, chosen: Filter, number: int) -> tuple[list[dict[str, Any]], int]:
    """One page of the queue and how many pairs there are in all."""
    found = _queue(cursor, chosen, wanted=PAGE, skipped=PAGE * (number - 1))
    return found, found[0]["total"] if found else 0


def neighbour(
    cursor: duckdb.DuckDBPyConnection, chosen: Filter, pair: dict[str, Any], *, backwards: bool = False
) -> str | None:
    """The address of the pair behind (or before) this one in the queue; None at its end."""
    found = _queue(cursor, chosen, wanted=1, after=pair, backwards=backwards)
    return f"/pairs/{found[0]['record_a']}/{found[0]['record_b']}" if found else None


def pair_view(cursor: duckdb.DuckDBPyConnection, a: str, b: str) -> dict[str, Any] | None:
    """Both records, the evidence and the timelines; None when the catalog has no such pair."""
    found = rows(cursor, "pair", {"a": a, "b": b})
    records = [rows(cursor, "record", {"record": record}) for record in (a, b)]
    if not found or not all(records):
        return None
    left, right = (record[0] for record in records)
    effective = [_of_record(cursor, "record_effective", record)[0] for record in (left, right)]
    changed = [
        {label: (record[raw] or "") != (after[to] or "") for label, raw, to in FIELDS}
        for record, after in zip((left, right), effective, strict=True)
    ]
    studies = [_of_record(cursor, "record_objects", record) for record in (left, right)]
    shared = _accessions(studies[0]) & _accessions(studies[1])
    for study in (*studies[0], *studies[1]):
        study["shared"] = (study["accession"] or "").strip() in shared
    return {
        **found[0],
        "fields": [_field(label, left[raw], right[raw]) for label, raw, _ in FIELDS],
        "normal": [
            _field(label, effective[0][to], effective[1][to])
            for label, _, to in FIELDS
            if any(one[label] for one in changed)
        ],
        "changed": changed,
        "context": [(label, left[name], right[name]) for label, name in CONTEXT],
        "steps": evidence(found[0]["evidence"]),
        "studies_a": studies[0],
        "studies_b": studies[1],
        "timeline": timeline(*studies),
    }


def _queue(
    cursor: duckdb.DuckDBPyConnection,
    chosen: Filter,
    *,
    wanted: int,
    skipped: int = 0,
    after: dict[str, Any] | None = None,
    backwards: bool = False,
) -> list[dict[str, Any]]:
    parameters = {
        "source": chosen.source,
        "state": chosen.state,
        "after_impact": after["impact"] if after else None,
        "after_a": after["record_a"] if after else None,
        "after_b": after["record_b"] if after else None,
        "backwards": backwards,
        "wanted": wanted,
        "skipped": skipped,
    }
    return rows(cursor, "queue", parameters)


def _of_record(cursor: duckdb.DuckDBPyConnection, name: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = {
        "source": record["source"],
        "patient_id": record["PatientID"] or "",
        "name": record["PatientName"] or "",
        "born": record["PatientBirthDate"] or "",
        "sex": record["PatientSex"] or "",
        "issuer": record["issuer"] or "",
    }
    return rows(cursor, name, parameters)


def _field(label: str, a: str | None, b: str | None) -> dict[str, Any]:
    first, second = pieces(a, b)
    return {"label": label, "a": a, "b": b, "same": (a or "") == (b or ""), "pieces_a": first, "pieces_b": second}


def _accessions(studies: list[dict[str, Any]]) -> set[str]:
    return {text for study in studies if (text := (study["accession"] or "").strip())}
