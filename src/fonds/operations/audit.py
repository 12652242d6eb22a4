"""The audit trail: append-only, each row carries the digest of the one before, so a changed or missing row shows."""

from __future__ import annotations

import hashlib
import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from fonds.operations.models import Audit, now, session
from fonds.project.settings import Project

GENESIS = "0" * 64


def append(opened: Session, who: str, act: str, subject: str, detail: str = "") -> None:
    """Add one act inside the caller's transaction: the act and its record are committed together or not at all."""
    last = opened.scalars(select(Audit).order_by(Audit.number.desc()).limit(1)).first()
    row = Audit(
        at=now().isoformat(),
        who=who,
        act=act,
        subject=subject,
        detail=detail,
        previous=last.digest if last else GENESIS,
    )
    row.digest = _digest(row)
    opened.add(row)
    opened.flush()


def verify(project: Project) -> list[str]:
    """Walk the chain; returns a line for every row that was changed or follows a missing one."""
    problems, previous = [], GENESIS
    with session(project) as opened:
        for row in opened.scalars(select(Audit).order_by(Audit.number)):
            if row.previous != previous:
                problems.append(f"audit row {row.number}: the row before it is missing or was changed")
            if row.digest != _digest(row):
                problems.append(f"audit row {row.number}: its content was changed")
            previous = row.digest
    return problems


def _digest(row: Audit) -> str:
    material = json.dumps([row.previous, row.at, row.who, row.act, row.subject, row.detail])
    return hashlib.sha256(material.encode()).hexdigest()
