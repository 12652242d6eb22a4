"""Writes feeds into a project and reads them, with or without the stage's frame."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from ruamel.yaml import YAML

from fonds.feeds.definition import load_feed
from fonds.feeds.files import files_of
from fonds.feeds.notes import Notes
from fonds.feeds.reading import read
from fonds.project.settings import Project, load

Rows = list[dict[str, Any]]
SECRET = "Geheim"


def project(folder: Path, feeds: Mapping[str, Mapping[str, str]], files: Mapping[str, str | bytes]) -> Project:
    """A project with these feeds, and files below it."""
    (folder / "archive").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    settings = {"name": "test", "sources": {"a": {"path": "archive"}}, "feeds": {k: dict(v) for k, v in feeds.items()}}
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(settings, file)
    return load(folder)


def told(folder: Path, table: str | bytes, **settings: str) -> tuple[dict[str, dict[str, Any]], Rows, Notes]:
    """One feed, read without its stage: {identifier: patient}, its merges, and what was met."""
    given = {"format": "csv", "path": "feed.csv", "issuer": "MPI", **settings}
    opened = project(folder, {"mpi": given}, {given["path"]: table})
    return read_feed(opened)


def read_feed(opened: Project, name: str = "mpi") -> tuple[dict[str, dict[str, Any]], Rows, Notes]:
    with tempfile.TemporaryDirectory() as out:
        loaded = read(load_feed(opened, name), files_of(opened, name), Path(out))
        patients, merges = (pl.read_parquet(loaded.files[table]) for table in ("feed_patients", "feed_merges"))
    assert not patients.select("issuer", "patient_id").is_duplicated().any()
    for frame in (patients, merges):
        assert not frame["patient_id"].has_nulls()
    by_id = {row["patient_id"]: row for row in patients.sort("issuer", "patient_id").to_dicts()}
    return by_id, merges.sort("retired_issuer", "retired_id").to_dicts(), loaded.notes


def examined(
    folder: Path, kind: str, files: Mapping[str, str | bytes], **settings: str
) -> tuple[dict[str, dict[str, Any]], Notes]:
    """One feed of orders or reports (`kind`), read without its stage: {id: its row without what it doesn't tell}."""
    first = next(iter(files))
    opened = project(folder, {"ris": {"format": "csv", kind: first, "issuer": "MPI", **settings}}, files)
    with tempfile.TemporaryDirectory() as out:
        loaded = read(load_feed(opened, "ris"), files_of(opened, "ris"), Path(out))
        frame = pl.read_parquet(loaded.files[f"feed_{kind}"])
    assert not frame[f"{kind.removesuffix('s')}_id"].is_duplicated().any()
    rows = frame.drop("feed").to_dicts()
    return {row.pop(f"{kind.removesuffix('s')}_id"): {k: v for k, v in row.items() if v} for row in rows}, loaded.notes


def ndjson(*resources: Mapping[str, Any]) -> str:
    """FHIR resources, one a line."""
    return "".join(json.dumps({"resourceType": "Patient", **one}, ensure_ascii=False) + "\n" for one in resources)


def pairs(merges: Rows) -> list[tuple[str, str]]:
    """(retired, survivor) identifiers."""
    return [(row["retired_id"], row["patient_id"]) for row in merges]
