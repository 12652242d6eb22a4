"""What is left to send: planned objects without a receipt that settles them, in the plan's order, in batches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import polars as pl

from fonds.archives.base import Kind
from fonds.catalog.store import Catalog
from fonds.dicom.write import Change, Identity, Reason
from fonds.operations.ledger import receipts
from fonds.project.definitions import read_yaml
from fonds.project.settings import Project

BATCH = 100
_WORK = Path(__file__).parent / "sql" / "work.sql"
# Failures that time or the target may mend are tried again by every run; the others when what they depend on changes.
# Without an answer nobody knows: the target is asked first, and gets only what it doesn't hold.
RETRIED = (
    *("target-full", "target-io", "target-busy", "missing-at-target", "source-unreadable", "no-answer"),
    "uid-taken",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One object to send; its UIDs are those it has at the target."""

    source: str
    location: str
    wave: str | None
    study_uid: str
    series_uid: str
    identity: Identity
    size: int
    mtime_ns: int
    digest_object: str | None
    digest_pixels: str | None
    changes: tuple[Change, ...]
    uids: list[str] | None
    """marks of what new UIDs bring; None where nothing of it is new"""
    basis: str
    coerced_at: str | None
    attempt: int
    unknown: bool
    """sent before, without an answer"""
    open: bool
    """the last receipt is still the intent: nothing settled it yet"""
    taken: bool
    """another file goes, or went, under the same SOP Instance UID"""

    @property
    def kind(self) -> Kind:
        """SOP class and transfer syntax."""
        return Kind(self.identity.sop_class_uid, self.identity.transfer_syntax)

    @property
    def sop_uid(self) -> str:
        """SOP Instance UID."""
        return self.identity.sop_uid


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be sent, and what stays as it is."""

    items: list[Item]
    outdated: int
    """objects sent before one of their changes was approved or their file changed"""
    failed: int
    """objects that failed before and whose failure nothing has mended"""


def work(project: Project, waves: tuple[str, ...] | None) -> Work:
    """Compare the plan with the receipts; `waves` limits to these."""
    order = [str(wave["name"]) for wave in read_yaml(project.find(project.settings.waves))["waves"]]
    positions = pl.DataFrame(
        {"wave": order, "position": range(len(order))}, schema={"wave": pl.String(), "position": pl.Int64()}
    )
    target = json.dumps(project.settings.target.model_dump(mode="json"), sort_keys=True)
    with Catalog(project).connect() as connection:
        connection.register("latest", receipts(project).to_arrow())
        connection.register("waves", positions.to_arrow())
        rows = connection.execute(_WORK.read_text(encoding="utf-8"), {"target": target}).pl()
    if waves is not None:
        rows = rows.filter(pl.col("wave").is_in(waves))
    settled = pl.col("state").is_in(["sent", "verified"]).fill_null(False)
    same = (pl.col("basis") == pl.col("last_basis")).fill_null(False)
    stuck = (pl.col("state") == "failed").fill_null(False) & same & ~pl.col("reason").is_in(RETRIED).fill_null(False)
    todo = rows.filter(~settled & ~stuck)
    # one object a row: each is opened and sent by itself
    items = [_item(row) for row in todo.iter_rows(named=True)]
    return Work(items, rows.filter(settled & ~same).height, rows.filter(stuck).height)


def batches(items: list[Item]) -> Iterator[list[Item]]:
    """At most BATCH objects of one study together, in order."""
    for _, group in groupby(items, key=lambda item: (item.wave, item.study_uid)):
        objects = list(group)
        for start in range(0, len(objects), BATCH):
            yield objects[start : start + BATCH]


def _item(row: dict[str, Any]) -> Item:
    changes = tuple(
        Change(one["path"], one["before"], one["after"], cast(Reason, one["reason"]), one["rule"] or "")
        for one in row["changes"] or ()
    )
    return Item(
        source=row["source"],
        location=row["location"],
        wave=row["wave"],
        study_uid=row["study_uid"],
        series_uid=row["series_uid"],
        identity=Identity(row["sop_class_uid"], row["sop_uid"], row["transfer_syntax"] or ""),
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        digest_object=row["digest_object"],
        digest_pixels=row["digest_pixels"],
        changes=changes,
        uids=row["uids"],
        basis=row["basis"],
        coerced_at=row["coerced_at"],
        attempt=row["attempt"] + 1,
        unknown=row["state"] == "sending" or row["reason"] == "no-answer",
        open=row["state"] == "sending",
        taken=row["taken"],
    )
