"""Records what stewards decided, undoes it, and tells which decisions stand."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from sqlalchemy import select

from fonds.errors import DecisionRefused
from fonds.operations import audit
from fonds.operations.models import Decision, now, session
from fonds.project.settings import Project

VERDICTS = {
    "pair": ("link", "not_same"),
    "change": ("approve", "reject", "choose"),
    "duplicate": ("keep", "drop-copy", "separate", "remap", "unite"),
    "mapping": ("map", "none"),
}
# what tells two subjects of a kind apart beside subject_a; subject_b when nothing is said
_OTHER_SUBJECT: dict[str, list[pl.Expr]] = {
    "change": [],
    "mapping": [
        pl.col("subject_b").str.json_path_match("$.spelling").alias("spelling"),
        pl.col("subject_b").str.json_path_match("$.modalities").alias("modalities"),
    ],
}
SCHEMA = {
    "decision_id": pl.Int64(),
    "kind": pl.String(),
    "subject_a": pl.String(),
    "subject_b": pl.String(),
    "verdict": pl.String(),
    "who": pl.String(),
    "at": pl.String(),
    "comment": pl.String(),
    "undoes": pl.Int64(),
}


def record(project: Project, kind: str, a: str, b: str, *, verdict: str, who: str, comment: str = "") -> int:
    """Put one decision on record with its audit row; returns its number. Subjects of a pair are ordered."""
    if verdict not in VERDICTS.get(kind, ()):
        raise DecisionRefused(f"'{verdict}' is no verdict on a {kind}; allowed: {', '.join(VERDICTS.get(kind, ()))}")
    if not who.strip():
        raise DecisionRefused("a decision needs the name of who decides")
    if kind == "pair":
        a, b = sorted((a, b))
    if kind == "mapping":
        b = _mapping(b)
    if verdict == "choose" and not b.strip():
        raise DecisionRefused("to choose needs the value that is chosen")
    with session(project) as opened:
        row = Decision(kind=kind, subject_a=a, subject_b=b, verdict=verdict, who=who, at=now(), comment=comment)
        opened.add(row)
        opened.flush()
        audit.append(opened, who, "decide", f"{kind} {a} {b}".strip(), verdict)
        return row.decision_id


def undo(project: Project, decision_id: int, who: str, comment: str = "") -> int:
    """Take a decision back by a further row; raises DecisionRefused when there is none or it was undone already."""
    with session(project) as opened:
        taken = opened.get(Decision, decision_id)
        if taken is None or taken.undoes is not None:
            raise DecisionRefused(f"there is no decision {decision_id} to undo")
        if opened.scalars(select(Decision).where(Decision.undoes == decision_id)).first():
            raise DecisionRefused(f"decision {decision_id} was undone already")
        row = Decision(
            kind=taken.kind,
            subject_a=taken.subject_a,
            subject_b=taken.subject_b,
            verdict="undone",
            who=who,
            at=now(),
            comment=comment,
            undoes=decision_id,
        )
        opened.add(row)
        opened.flush()
        audit.append(opened, who, "undo", f"{taken.kind} {taken.subject_a} {taken.subject_b}".strip(), str(decision_id))
        return row.decision_id


def all_decisions(project: Project) -> pl.DataFrame:
    """Every decision ever made, undone ones and undoings included, in order."""
    with session(project) as opened:
        rows: list[dict[str, Any]] = [
            {name: (row.at.isoformat() if name == "at" else getattr(row, name)) for name in SCHEMA}
            for row in opened.scalars(select(Decision).order_by(Decision.decision_id))
        ]
    return pl.DataFrame(rows, schema=SCHEMA)


def standing(project: Project, kind: str) -> pl.DataFrame:
    """The latest decision on each subject that was not undone (columns of SCHEMA).

    A subject is a pair, a group's member, a change or rule whatever was chosen for it, or a rule's spelling in studies
    of the same modalities whatever it was mapped to.
    """
    decided = all_decisions(project).filter(pl.col("kind") == kind)
    undone = decided.get_column("undoes").drop_nulls()
    return (
        decided.filter(pl.col("undoes").is_null() & ~pl.col("decision_id").is_in(undone.to_list()))
        .sort("decision_id")
        .unique(["subject_a", *_OTHER_SUBJECT.get(kind, [pl.col("subject_b")])], keep="last", maintain_order=True)
    )


def _mapping(text: str) -> str:
    """The spelling, the code it means and the modalities of its studies, written one way; raises DecisionRefused."""
    try:
        given = json.loads(text)
    except json.JSONDecodeError:
        given = None
    known = {"spelling", "value", "modalities"}
    if not isinstance(given, dict) or not given.get("spelling") or not given.keys() <= known:
        raise DecisionRefused('a mapping is of {"spelling": folded text, "value": code, "modalities": of the studies}')
    return json.dumps({"value": None, "modalities": ""} | given, ensure_ascii=False, sort_keys=True)
