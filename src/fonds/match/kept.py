"""The fit a project matches with: kept from run to run with what it was fitted on, until it no longer fits.

What a pair weighs depends on its two records and on the fit: the weights, how frequent values are, and what preparation
learned. So a pair weighs the same in every run that uses the same fit.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from fonds.match.definition import Matcher
from fonds.match.fitted import Fitted
from fonds.match.frequencies import Frequencies
from fonds.project.settings import Project

_LABELS = {"record_a": pl.String(), "record_b": pl.String(), "decided": pl.String()}
_GROWN, _LABELLED = 0.1, 20


@dataclass(frozen=True, slots=True)
class Kept:
    """A fit with all that belongs to it, and its provenance as in fitted.json."""

    fitted: Fitted
    frequencies: Frequencies
    learned: pl.DataFrame
    """what preparation learned from the records (prepare.learned)"""
    labels: pl.DataFrame
    """record_a, record_b, decided: the decisions it learned from"""
    facts: dict[str, Any]
    """run, model, model_sha256, records, pairs, random_pairs, pairs_by_rule, …"""

    def due(self, digest: str, records: int, labels: pl.DataFrame) -> str | None:
        """Why the project needs another fit; None when this one will do."""
        if digest != self.facts["model_sha256"]:
            return "the match model or its names changed"
        if abs(records - self.facts["records"]) > _GROWN * self.facts["records"]:
            return f"there are {records} records; the last fit was on {self.facts['records']}"
        changed = pl.concat([labels.select(*_LABELS), self.labels]).filter(pl.len().over(*_LABELS) == 1).height
        if changed > max(_LABELLED, _GROWN * self.labels.height):
            return f"{changed} decisions are new or were taken back since the last fit"
        return None


def read(project: Project, matcher: Matcher) -> Kept | None:
    """The project's fit; None when there is none for this model, or it can't be read (a file is gone or cut): a run
    makes another then."""
    folder = _folder(project)
    try:
        facts = json.loads((folder / "fitted.json").read_text(encoding="utf-8"))
        parts = folder / facts["folder"]
        frequencies = Frequencies.read(parts / "frequencies.parquet")
        learned, labels = (pl.read_parquet(parts / f"{name}.parquet") for name in ("learned", "labels"))
        return Kept(Fitted.from_json(matcher, facts), frequencies, learned, labels, facts)
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        return None


def write(project: Project, matcher: Matcher, kept: Kept) -> None:
    """Keep a fit in the place of the last one: its tables in a folder of their own first, then fitted.json at once."""
    folder = _folder(project)
    parts = folder / f"fit-{kept.facts['run']}"
    shutil.rmtree(parts, ignore_errors=True)
    parts.mkdir(parents=True)
    kept.frequencies.write(parts / "frequencies.parquet")
    kept.learned.write_parquet(parts / "learned.parquet")
    kept.labels.select(*_LABELS).write_parquet(parts / "labels.parquet")
    told = {
        **kept.facts,
        "folder": parts.name,
        "labels": kept.labels.height,
        **kept.fitted.as_json(matcher),
    }
    aside = folder / f"fitted.{os.getpid()}"
    aside.write_text(json.dumps(told, indent=1), encoding="utf-8")
    os.replace(aside, folder / "fitted.json")
    for old in folder.glob("fit-*"):
        if old != parts:
            shutil.rmtree(old)


def seen(project: Project, *, fit: int, pairs: int) -> pl.DataFrame | None:
    """Fingerprints (record_id, fingerprint) of the records of the last run, when it used this fit (number of the run
    that made it) and its pairs are this version of the table; else None."""
    path = _folder(project) / "seen.parquet"
    try:
        told = pl.read_parquet_metadata(path)
        if (told.get("fit"), told.get("pairs")) != (str(fit), str(pairs)):
            return None
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        return None


def remember(project: Project, fingerprints: pl.DataFrame, *, fit: int, pairs: int) -> None:
    """Keep the fingerprints of the records whose pairs are the given version of the table `pairs`."""
    path = _folder(project) / "seen.parquet"
    aside = path.with_suffix(f".{os.getpid()}")
    fingerprints.write_parquet(aside, metadata={"fit": str(fit), "pairs": str(pairs)})
    os.replace(aside, path)


def scratch(project: Project) -> Path:
    """An empty folder for the files of a run; what a run that was killed left there goes."""
    folder = _folder(project) / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _folder(project: Project) -> Path:
    return project.catalog_dir / "match"
