"""Holds a sample of the objects against their IODs: the table `conformance`.

A few objects of every kind a device writes (source, SOP class, manufacturer, model, transfer syntax) are opened, once:
an object that hasn't changed since isn't opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from fonds.archives.base import Source
from fonds.archives.opening import open_sources
from fonds.catalog.schema import TABLES
from fonds.dicom import iod
from fonds.errors import ArchiveUnreachable, UnreadableHeader
from fonds.operations.runs import StageRun

KINDS = ("source", "SOPClassUID", "Manufacturer", "ManufacturerModelName", "transfer_syntax")
PLACE = ("source", "location", "size", "mtime_ns", "study_uid", "sop_class_uid")
_ROW = "{location: location, size: size, mtime_ns: mtime_ns, study_uid: StudyInstanceUID, sop_class_uid: SOPClassUID}"

Row = dict[str, Any]


@dataclass(slots=True)
class _Memory:
    """Which objects the table tells of, as they were when they were opened (catalog/assess/conformance.json)."""

    path: Path
    seen: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def load(self) -> None:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["version"] == iod.VERSION:
                self.seen = {(source, location): identity for source, location, *identity in kept["objects"]}
        except (OSError, ValueError, KeyError, TypeError):
            self.seen = {}

    def save(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_suffix(f".{os.getpid()}")
        objects = [[*place, *identity] for place, identity in sorted(self.seen.items())]
        aside.write_text(json.dumps({"version": iod.VERSION, "objects": objects}), encoding="utf-8")
        os.replace(aside, self.path)


def conform(run: StageRun) -> None:
    """Bring `conformance` up to date; a source that doesn't answer keeps what was known of it, and is told."""
    number = run.project.settings.assess.conformance_sample
    with run.catalog.connect() as connection:
        chosen = sample(connection, number, list(run.project.sources)) if number else _none()
    memory = _Memory(run.project.catalog_dir / "assess" / "conformance.json")
    memory.load()
    table = run.catalog.read("conformance")
    known = memory.seen if table.height else {}
    memory.seen = {}
    fresh: list[Row] = []
    stays: list[Row] = []
    sources = open_sources(run.project)
    unreachable: set[str] = set()
    opened = 0
    # one file after the other: a sample of a few objects of each kind
    for row in chosen.iter_rows(named=True):
        place, identity = (row["source"], row["location"]), [row["size"], row["mtime_ns"]]
        source = sources.get(row["source"])
        if known.get(place) == identity:
            stays.append(row)
            memory.seen[place] = identity
        elif source is not None and _reachable(source, row["source"], unreachable):
            fresh += _judged(source, row)
            memory.seen[place] = identity
            opened += 1
            run.progress(opened, chosen.height, "objects compared with their IOD")
    for name in sorted(unreachable):
        run.left.append(f"{name}: doesn't answer, so no object of it was compared with its IOD")
    kept = table.join(pl.DataFrame(stays, schema=_none().schema), on=["source", "location"], how="semi")
    if fresh or kept.height < table.height:
        run.replace("conformance", pl.concat([kept, pl.DataFrame(fresh, schema=table.schema)]))
        memory.save()
    run.count("compared", len(memory.seen))


def sample(connection: duckdb.DuckDBPyConnection, number: int | str, sources: Sequence[str]) -> pl.DataFrame:
    """The objects to open: source, location, size, mtime_ns, study_uid, sop_class_uid; always the same ones."""
    if number == "all":
        picked = f"SELECT source, {_ROW} AS one FROM instances"
    else:
        kinds = ", ".join(KINDS)
        picked = (
            f"SELECT source, unnest(arg_min({_ROW}, hash(location), {int(number)})) AS one "
            f"FROM instances GROUP BY {kinds}"
        )
    query = f"SELECT source, one.* FROM ({picked}) WHERE source IN (SELECT unnest(?)) ORDER BY ALL"
    return connection.execute(query, [list(sources)]).pl().select(PLACE)


def _none() -> pl.DataFrame:
    text, whole = pl.String(), pl.Int64()
    return pl.DataFrame(schema=dict(zip(PLACE, (text, text, whole, whole, text, text), strict=True)))


def _reachable(source: Source, name: str, unreachable: set[str]) -> bool:
    if name not in unreachable:
        try:
            source.check()
        except ArchiveUnreachable:
            unreachable.add(name)
    return name not in unreachable


def _judged(source: Source, row: Row) -> list[Row]:
    """The rows of one object: its problems, or a single one that says there are none, or why it wasn't judged."""
    common = {name: row[name] for name in ("source", "location", "study_uid", "sop_class_uid")}

    def marker(problem: str) -> Row:
        return {**dict.fromkeys(TABLES["conformance"].schema), **common, "path": "", "problem": problem}

    try:
        with source.open(row["location"]) as stream:
            judged = iod.judge(stream)
    except (UnreadableHeader, OSError):
        return [marker("unreadable")]
    rows = [{**common, **{name: getattr(one, name) for name in _TOLD}} for one in judged.problems]
    if judged.iod is None:
        rows.append(marker("no-iod"))
    return rows or [marker("none")]


_TOLD = ("path", "keyword", "problem", "type", "module", "value", "expected")
