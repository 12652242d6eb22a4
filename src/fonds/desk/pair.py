"""Everything a steward sees of one pair: both records, the evidence, the timelines, the records around them."""

from __future__ import annotations

from typing import Any

import duckdb

from fonds.desk.compare import evidence, network, pieces, timeline
from fonds.desk.reading import rows

AROUND = 40  # records shown of a cluster
# label, column of `records`, what `missing` calls it; shown even where both are unknown
FIELDS = (
    ("Name", "PatientName", ("name", "family name", "given name")),
    ("Birth date", "PatientBirthDate", ("birth_date",)),
    ("Sex", "PatientSex", ("sex",)),
    ("Patient ID", "PatientID", ("patient_id",)),
    ("Issuer", "issuer", ("issuer",)),
)
# shown where one of both records knows them
FURTHER = (
    ("Birth name", "PatientBirthName", ("birth_name",)),
    ("Other IDs", "other_ids", ("other_ids",)),
    ("National ID", "national_id", ("national_id",)),
    ("Mother's name", "mother", ("mother",)),
    ("Street", "street", ("street",)),
    ("Postcode", "postcode", ("postcode",)),
    ("City", "city", ("city",)),
    ("Phone", "phone", ("phone",)),
)
YEAR_COUNTS = ("derived from age", "heaped on 1 January", "order unknown", "year only")  # of `missing`
CONTEXT = (
    ("Source", "source"),
    ("Department", "department"),
    ("Patient index", "registered"),
    ("Studies", "studies"),
    ("Objects", "instances"),
    ("First study", "first_study"),
    ("Last study", "last_study"),
)


def pair_view(cursor: duckdb.DuckDBPyConnection, a: str, b: str, state: str) -> dict[str, Any] | None:
    """Both records, the evidence, the timelines and the records around; None when the catalog has no such pair.

    In the state `sample` what the machine thinks is left out until someone has labelled the pair.
    """
    found = rows(cursor, "pair", {"a": a, "b": b, "state": state})
    records = [rows(cursor, "record", {"record": record}) for record in (a, b)]
    if not found or not all(records):
        return None
    left, right = (_told(record[0], blind=found[0]["blind"]) for record in records)
    after = [_effective(cursor, record) for record in (left, right)]
    changed = [
        {label: (record[raw] or "") != (then[raw] or "") for label, raw, _ in FIELDS}
        for record, then in zip((left, right), after, strict=True)
    ]
    studies = [_studies(cursor, record) for record in (left, right)]
    shared = _accessions(studies[0]) & _accessions(studies[1])
    for study in (*studies[0], *studies[1]):
        study["shared"] = (study["accession"] or "").strip() in shared
    steps, unknown = evidence(found[0]["evidence"])
    known = [*FIELDS, *(field for field in FURTHER if left[field[1]] or right[field[1]])]
    return {
        **found[0],
        "fields": [_field(label, left, right, raw, words) for label, raw, words in known],
        "normal": [
            _field(label, after[0], after[1], raw, ()) for label, raw, _ in FIELDS if any(one[label] for one in changed)
        ],
        "changed": changed,
        "feeds": [record["source"] for record in (left, right) if record["origin"] == "feed"],
        "context": [(label, left[name], right[name]) for label, name in CONTEXT if left[name] or right[name]],
        "steps": steps,
        "unknown": unknown,
        "studies_a": studies[0],
        "studies_b": studies[1],
        "timeline": timeline(*studies),
        "around": _around(cursor, found[0]),
    }


def _told(record: dict[str, Any], *, blind: bool) -> dict[str, Any]:
    """The record with its lists as text; whose person it is, is not told while a pair is `blind`."""
    others = [f"{one['id']} ({one['issuer']})" if one["issuer"] else one["id"] for one in record["other_ids"] or []]
    registered = None
    if record["origin"] == "feed":
        registered = "this record"
    elif record["registered"] and not blind:
        registered = f"as this person, in {', '.join(record['registered'])}"
    return record | {"other_ids": ", ".join(others) or None, "registered": registered}


def _around(cursor: duckdb.DuckDBPyConnection, pair: dict[str, Any]) -> dict[str, Any] | None:
    """The records of both persons, and of a cluster that doesn't hold together; None where there are no others.

    `links` are the pairs between them, `drawing` the picture. None for a `blind` pair, too: the machine's links would
    tell what it thinks.
    """
    members = rows(cursor, "cluster", {"a": pair["record_a"], "b": pair["record_b"], "wanted": AROUND})
    if len(members) < 3 or pair["blind"]:
        return None
    numbers = {member["record_id"]: number for number, member in enumerate(members, 1)}
    between = rows(cursor, "cluster_pairs", {"records": list(numbers)})
    links = [link | {"a": numbers[link["record_a"]], "b": numbers[link["record_b"]]} for link in between]
    return {
        "members": [member | {"number": numbers[member["record_id"]]} for member in members],
        "more": members[0]["total"] - len(members),
        "links": links,
        "drawing": network(len(members), links),
    }


def _effective(cursor: duckdb.DuckDBPyConnection, record: dict[str, Any]) -> dict[str, Any]:
    """The record's values after the approved changes; a feed's are never changed."""
    return record if record["origin"] == "feed" else _of_record(cursor, "record_effective", record)[0]


def _studies(cursor: duckdb.DuckDBPyConnection, record: dict[str, Any]) -> list[dict[str, Any]]:
    return [] if record["origin"] == "feed" else _of_record(cursor, "record_objects", record)


def _of_record(cursor: duckdb.DuckDBPyConnection, name: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = {
        "record": record["record_id"],
        "source": record["source"],
        "patient_id": record["PatientID"] or "",
        "name": record["PatientName"] or "",
        "born": record["PatientBirthDate"] or "",
        "sex": record["PatientSex"] or "",
        "issuer": record["issuer"] or "",
    }
    return rows(cursor, name, parameters)


def _field(
    label: str, left: dict[str, Any], right: dict[str, Any], column: str, words: tuple[str, ...]
) -> dict[str, Any]:
    a, b = left[column], right[column]
    alone = bool(a) != bool(b)
    # against nothing there is nothing to mark
    first, second = pieces(a or b, a or b) if alone else pieces(a, b)
    return {
        "label": label,
        "a": a,
        "b": b,
        "verdict": "one only" if alone else "same" if (a or "") == (b or "") else "differs",
        "pieces_a": first,
        "pieces_b": second,
        "notes_a": _notes(left, words),
        "notes_b": _notes(right, words),
    }


def _notes(record: dict[str, Any], words: tuple[str, ...]) -> list[str]:
    """How matching reads the record's value where it isn't taken as it is: what `missing` says under these words."""
    told = [
        (what.strip(), why.strip()) for what, _, why in (text.partition(":") for text in record.get("missing") or [])
    ]
    return [_note(what, why) for what, why in told if what in words and why != "absent"]


def _note(what: str, why: str) -> str:
    part = f"the {what} " if what.endswith(" name") else ""
    if why in YEAR_COUNTS:
        return "only the year is told" if why == "year only" else f"only the year counts: {why}"
    return f"{why}?" if why.startswith("perhaps ") else f"{part}says nothing: {why}"


def _accessions(studies: list[dict[str, Any]]) -> set[str]:
    return {text for study in studies if (text := (study["accession"] or "").strip())}
