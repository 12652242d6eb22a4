"""Groups of duplicates: which wait, in which order, and everything a steward sees of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlencode

import duckdb

from fonds.desk.compare import Piece, evidence, pieces
from fonds.desk.reading import rows

PAGE = 50
MEMBERS = 60  # shown of a group
SIDE_BY_SIDE = 6  # members, studies or persons whose values are compared
SERIES, PAIRS = 30, 10  # shown of a study, of a group
MARKED = 400  # characters of two values; longer ones are marked as a whole
State = Literal["open", "decided", "all"]
Class = Literal["", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
Band = Literal["", "certain", "possible"]
CLASSES = {
    "a": "Same bytes",
    "b": "Same object, other encoding",
    "c": "Same UID and pixels, other attributes",
    "d": "Same UID, other pixels",
    "e": "Same pixels under several UIDs",
    "f": "One UID in two series or studies",
    "g": "One Study UID on two patients",
    "h": "One examination under two Study UIDs",
    "i": "One study in several archives",
    "j": "Copies made at retrieval",
}
SENTENCES = {
    "a": "The same file, {members} times.",
    "b": "One object in {members} files, stored in other ways, that say the same.",
    "c": "{members} files of one object show the same but say something else of it.",
    "d": "{members} files have one SOP Instance UID and {contents} different contents.",
    "d?": "{members} files have one SOP Instance UID, and their contents can't be compared.",
    "e": "{members} files under different SOP Instance UIDs show the same.",
    "f": "One SOP Instance UID stands in several series or studies, in {members} files.",
    "g": "One Study Instance UID is on more than one patient.",
    "h": "These studies are one examination, by all that was compared.",
    "h?": "These studies may be one examination.",
    "i": "Parts of one study lie in {members} archives.",
    "j": "{members} files: copies of one another that got new UIDs when they were retrieved.",
}
# What may be decided, by class. Objects told apart by new UIDs must have something that tells them apart.
VERDICTS = {
    **dict.fromkeys("abc", ("keep", "drop-copy", "separate")),
    **dict.fromkeys("df", ("keep", "drop-copy", "separate", "remap")),
    **dict.fromkeys("ej", ("keep", "drop-copy", "separate")),
    "g": ("separate", "remap"),
    "h": ("unite", "separate"),
    "i": ("unite", "separate"),
}
# The rules of rules/duplicates.yaml that choose the kept one, as people say them
WHY = {
    "complete": "all of its pixel data is there",
    "lossless": "it was never compressed with loss",
    "uncompressed": "it isn't compressed",
    "newer": "it is the newer one",
    "older": "it is the older one",
    "richer": "more of its attributes have a value",
    "larger": "it is the larger one",
    "original": "the others name its UID as the one they had",
    "source-order": "its archive comes first in fonds.yaml",
    "location": "no rule prefers one; its place comes first in the alphabet",
    "policy": "by rules/duplicates.yaml",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """Which groups of the queue are shown."""

    letter: Class = ""
    source: str = ""
    state: State = "open"
    band: Band = ""

    @property
    def query(self) -> str:
        """The filter as the query of an address."""
        return urlencode({"letter": self.letter, "source": self.source, "state": self.state, "band": self.band})


def page(cursor: duckdb.DuckDBPyConnection, chosen: Filter, number: int) -> tuple[list[dict[str, Any]], int]:
    """One page of the queue, each group with a `sentence`, and how many there are in all."""
    found = _queue(cursor, chosen, wanted=PAGE, skipped=PAGE * (number - 1))
    for group in found:
        group["sentence"] = sentence(group)
    return found, found[0]["total"] if found else 0


def neighbour(
    cursor: duckdb.DuckDBPyConnection, chosen: Filter, group: dict[str, Any], *, backwards: bool = False
) -> str | None:
    """The address of the group behind (or before) this one in the queue; None at its end."""
    found = _queue(cursor, chosen, wanted=1, after=group, backwards=backwards)
    return address(found[0]["group_id"]) if found else None


def address(group_id: str) -> str:
    """The page of a group."""
    return f"/duplicates/{quote(group_id, safe='')}"


def group_of(cursor: duckdb.DuckDBPyConnection, group_id: str) -> dict[str, Any] | None:
    """A group with its latest decision; None when the catalog has no such group."""
    found = rows(cursor, "group", {"group": group_id})
    return found[0] | {"sentence": sentence(found[0])} if found else None


def member_of(cursor: duckdb.DuckDBPyConnection, group_id: str, member: str) -> bool:
    """Whether `source|member` is one of the group."""
    source, _, name = member.partition("|")
    found = cursor.execute(
        "SELECT count(*) FROM duplicates WHERE group_id = $group AND source = $source AND member = $name",
        {"group": group_id, "source": source, "name": name},
    ).fetchall()
    return bool(found[0][0])


def sentence(group: dict[str, Any]) -> str:
    """What a group is, in a plain sentence."""
    letter, contents = group["class"], group["contents"] or 0
    kind = {"d": "d" if contents > 1 else "d?", "h": "h" if group["band"] == "certain" else "h?"}.get(letter, letter)
    return SENTENCES[kind].format(members=group["members"], contents=contents)


def group_view(cursor: duckdb.DuckDBPyConnection, group: dict[str, Any]) -> dict[str, Any]:
    """The group with its members, what differs side by side (`columns`, `fields`), and for class h its studies."""
    members = rows(cursor, "group_members", {"group": group["group_id"], "wanted": MEMBERS})
    kept = next((member for member in members if member["kept"]), None)
    shown = group | {
        "members": members,
        "more": members[0]["total"] - len(members),
        "kept": kept,
        "kept_why": WHY.get(kept["why"]) if kept else None,
        "unlisted": [],
        "pairs": [],
    }
    if group["class"] == "g":
        return shown | _persons(cursor, members[0]["member"])
    if group["level"] == "study":
        return shown | _studies(cursor, members)
    return shown | _files(cursor, group, members)


def _files(cursor: duckdb.DuckDBPyConnection, group: dict[str, Any], members: list[dict[str, Any]]) -> dict[str, Any]:
    """The values of what differs, side by side; `unlisted` are attributes that differ and aren't in the catalog.

    `of_several`: equal pictures of different persons (classes e and j).
    """
    compared = members[:SIDE_BY_SIDE]
    places = {"sources": [one["source"] for one in compared], "places": [one["member"] for one in compared]}
    found = {(row["source"], row["location"]): row for row in rows(cursor, "group_values", places)}
    values = [found.get((one["source"], one["member"]), {}) for one in compared]
    listed = [name for name in group["differs"] or [] if any(name in one for one in values)]
    return {
        "columns": [{"title": one["source"], "note": one["member"], "kept": one["kept"]} for one in compared],
        "fields": [field(name, [one.get(name) for one in values]) for name in listed],
        "of_several": any(" persons" in told for one in members for told in one["evidence"]),
        "unlisted": [name for name in group["differs"] or [] if name not in listed],
    }


def _studies(cursor: duckdb.DuckDBPyConnection, members: list[dict[str, Any]]) -> dict[str, Any]:
    """Studies side by side, the kept one first, their series, and how they compare."""
    uids = list(dict.fromkeys(one["member"] for one in members))[:SIDE_BY_SIDE]
    told = {row["study_uid"]: row for row in rows(cursor, "group_studies", {"studies": uids})}
    kept = {one["member"] for one in members if one["kept"]}
    columns = [{"title": f"Study {chr(ord('A') + n)}", "note": uid, "kept": uid in kept} for n, uid in enumerate(uids)]
    letters = {uid: column["title"] for uid, column in zip(uids, columns, strict=True)}
    for member in members:
        member["letter"] = letters.get(member["member"])
    series = rows(cursor, "group_series", {"studies": uids, "wanted": SERIES})
    pairs = rows(cursor, "group_pairs", {"studies": uids, "wanted": PAIRS})
    for pair in pairs:
        pair["steps"], _ = evidence(pair["evidence"])
        pair["studies"] = sorted((letters[pair["study_a"]], letters[pair["study_b"]]))
    labels = (
        *(("Archives", "sources"), ("Date", "day"), ("Time", "hours"), ("Description", "descriptions")),
        *(("Accession", "accessions"), ("Modality", "modalities"), ("Device", "devices")),
        *(("Institution", "institutions"), ("Patient", "names"), ("Patient ID", "patient_ids"), ("Born", "born")),
        *(("Person", "persons"), ("Series", "series"), ("Objects", "objects")),
    )
    return {
        "columns": columns,
        "fields": _fields(labels, [told.get(uid, {}) for uid in uids]),
        "series": [[row for row in series if row["study_uid"] == uid] for uid in uids],
        "pairs": pairs,
    }


def _persons(cursor: duckdb.DuckDBPyConnection, study: str) -> dict[str, Any]:
    """The parts of a study on several patients, side by side; the first would keep the study's UID."""
    parts = rows(cursor, "group_persons", {"study": study, "wanted": SIDE_BY_SIDE})
    labels = (
        *(("Patient", "names"), ("Patient ID", "patient_ids"), ("Issuer", "issuers"), ("Born", "born")),
        *(("Sex", "sexes"), ("Person", "person_id"), ("Archives", "sources"), ("Date", "day")),
        *(("Modality", "modalities"), ("Description", "descriptions"), ("Series", "series"), ("Objects", "objects")),
    )
    columns = [
        {
            "title": f"Patient {number}",
            "note": "keeps the Study UID" if number == 1 else "gets a new one",
            "kept": False,
        }
        for number in range(1, len(parts) + 1)
    ]
    return {"columns": columns, "fields": _fields(labels, parts)}


def _fields(labels: tuple[tuple[str, str], ...], columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [field(label, [_text(column.get(name)) for column in columns]) for label, name in labels]


def _text(value: Any) -> str | None:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or None
    return None if value is None else str(value)


def field(label: str, values: list[Any]) -> dict[str, Any]:
    """One row of values side by side; each cut into pieces where it differs from the first."""
    texts = [None if value is None else str(value) for value in values]
    first = texts[0] if texts else None
    return {
        "label": label,
        "same": len({text or "" for text in texts}) < 2,
        "cells": [{"text": text, "pieces": _pieces(first, text)} for text in texts],
    }


def _pieces(first: str | None, text: str | None) -> list[Piece]:
    if not text or first == text:
        return [Piece(text or "", same=True)]
    if not first or len(first) + len(text) > MARKED:
        return [Piece(text, same=False)]
    return pieces(first, text)[1]


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
        "class": chosen.letter,
        "source": chosen.source,
        "band": chosen.band,
        "state": chosen.state,
        "after_studies": after["held_studies"] if after else None,
        "after_objects": after["held_objects"] if after else None,
        "after_group": after["group_id"] if after else None,
        "backwards": backwards,
        "wanted": wanted,
        "skipped": skipped,
    }
    return rows(cursor, "groups", parameters)
