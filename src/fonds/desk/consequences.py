"""What follows of a verdict on duplicates: in numbers before it is made, and what became of it."""

from __future__ import annotations

from typing import Any

import duckdb

from fonds.desk.reading import rows
from fonds.link.remap import ADVICE

PAGE = 50


def follows(cursor: duckdb.DuckDBPyConnection, group: dict[str, Any]) -> dict[str, list[str]]:
    """For each verdict that changes what goes, sentences that tell what would follow."""
    kind = {"g": "persons", "h": "examination", "i": ""}.get(group["class"], "files")
    if not kind:
        return {}
    found = rows(cursor, "follows", {"group": group["group_id"]}, after=f"follows_{kind}")
    return {row["verdict"]: _told(row) for row in found}


def _told(row: dict[str, Any]) -> list[str]:
    told = []
    if row["renamed"]:
        told.append(f"{_objects(row['renamed'])} {_verb(row['renamed'], 'gets', 'get')} new UIDs")
    if row["left_behind"]:
        left = row["left_behind"]
        told.append(f"{_objects(left)} {_verb(left, 'is left behind as a copy', 'are left behind as copies')}")
    if row["waiting"]:
        told.append(
            f"{_objects(row['waiting'])} {_verb(row['waiting'], 'keeps', 'keep')} waiting: other attributes only, "
            "keep or drop them"
        )
    pointing = row["pointing"] or []
    if pointing:
        total = sum(one["objects"] for one in pointing)
        where = ", ".join(f"{one['objects']:,} in {one['source']}" for one in pointing)
        told.append(f"{_objects(total)} that {_verb(total, 'points', 'point')} to them will follow: {where}")
    else:
        told.append("no object points to what changes")
    if row["doubtful"] and (row["renamed"] or pointing):
        told.append(
            f"careful: of {_objects(row['doubtful'])} it can't be told what they point to, so this may be refused"
        )
    if row["sent"]:
        told.append(
            f"careful: {_objects(row['sent'])} of these {_verb(row['sent'], 'is', 'are')} at the target already, "
            "so this may be refused"
        )
    return told


def carried_out(cursor: duckdb.DuckDBPyConnection, group_id: str) -> dict[str, Any]:
    """What the link stage made of the group: objects with new UIDs, objects that follow, and the refusal if any."""
    made: dict[str, Any] = rows(cursor, "carried_out", {"group": group_id})[0]
    found, _ = refused(cursor, cause=group_id)
    return made | {"refusal": found[0] if found else None}


def refused(cursor: duckdb.DuckDBPyConnection, *, cause: str = "", number: int = 1) -> tuple[list[dict[str, Any]], int]:
    """One page of new UIDs that can't be given, each with what to do (`advice`), and how many there are in all."""
    found = rows(cursor, "refused", {"cause": cause, "wanted": PAGE, "skipped": PAGE * (number - 1)})
    for one in found:
        one["advice"] = ADVICE.get(one["reason"], "decide otherwise")
    return found, found[0]["total"] if found else 0


def _objects(count: int) -> str:
    return f"{count:,} object{'' if count == 1 else 's'}"


def _verb(count: int, one: str, many: str) -> str:
    return one if count == 1 else many
