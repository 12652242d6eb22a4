"""The crawl of an index: what it answers is written batch by batch, so that no question is asked twice after a kill."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from functools import cached_property
from pathlib import Path

import polars as pl

from fonds.archives.base import Batch, Index
from fonds.catalog.schema import TABLES, conform
from fonds.catalog.store import literal, quote
from fonds.crawl.replacing import Replacement, workspace
from fonds.operations.runs import StageRun
from fonds.project.definitions import content_hash
from fonds.project.settings import ExportSourceSettings

RESUMABLE_SECONDS = 24 * 3600  # an archive in use changes: answers older than a day are asked for again
_COLUMNS = [name for name in TABLES["entries"].schema if name != "source"]


class Staged:
    """What a crawl of an index knows: the last finished crawl's rows, and batches of the one that was interrupted."""

    def __init__(self, run: StageRun, name: str, folder: Path) -> None:
        self.run, self.name, self.folder = run, name, folder
        self.resumed = 0

    @cached_property
    def known(self) -> pl.DataFrame:
        """The source's rows of `entries` in the catalog, without `source`; read when it is first asked for."""
        with self.run.catalog.connect() as connection:
            columns = ", ".join(_COLUMNS)
            return connection.execute(f"SELECT {columns} FROM entries WHERE source = ?", [self.name]).pl()

    def finished(self, key: str) -> pl.DataFrame | None:
        """The rows of a batch an interrupted crawl had finished; None when it must be asked."""
        path = self._path(key)
        if not path.is_file():
            return None
        self.resumed += 1
        return pl.read_parquet(path).select(_COLUMNS)

    def keep(self, number: int, batch: Batch) -> Path:
        """Write a batch aside and rename it; one with a problem is kept apart, so that it is asked again."""
        frame = conform(TABLES["entries"], batch.rows.with_columns(pl.lit(self.name).alias("source")))
        path = self._path(batch.key) if batch.problem is None else self.folder / f"incomplete.{number}.parquet"
        aside = self.folder / f".{os.getpid()}"
        # which batch came first tells which of two rows of one key was there first
        frame.with_columns(pl.lit(number).alias("batch")).write_parquet(aside, compression="zstd", compression_level=1)
        os.replace(aside, path)
        return path

    def _path(self, key: str) -> Path:
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.parquet"


class IndexCrawl:
    """One index of one crawl."""

    def __init__(self, run: StageRun, name: str, index: Index, *, force: bool) -> None:
        self.run, self.project, self.name, self.index, self.force = run, run.project, name, index, force
        self.staging_root = self.project.catalog_dir / "staging" / "crawl" / name
        self.staging = self.staging_root / self._question()

    def go(self) -> Counter[str]:
        """Ask for everything, then put it in place of what was known; returns the counts.

        Raises ArchiveUnreachable when the archive stops answering: the catalog stays, finished batches stay staged.
        """
        self._open_staging()
        staged = Staged(self.run, self.name, self.staging)
        problems: Counter[str] = Counter()
        parts: list[Path] = []
        entries = 0
        self.run.progress(0, None, "entries", self.name)
        for number, batch in enumerate(self.index.batches(staged), start=1):
            parts.append(staged.keep(number, batch))
            entries += batch.rows.height
            if batch.problem is not None:
                problems[batch.problem] += 1
            self.run.progress(entries, None, "entries", f"{self.name}, {number:,} batches")
        told = self._write(parts, complete=not problems)
        for problem, count in sorted(problems.items()):
            times = "" if count == 1 else f" ({count:,} times)"
            self.run.left.append(
                f"source {self.name}: {problem}{times}; entries that weren't answered are kept as they were known"
            )
        if problems:
            self.run.status = "partial"
        shutil.rmtree(self.staging_root, ignore_errors=True)
        return told

    def _question(self) -> str:
        """What the batches depend on besides the archive: a change asks everything again."""
        settings = self.project.sources[self.name]
        mapping = (
            content_hash(self.project.find(settings.mapping)) if isinstance(settings, ExportSourceSettings) else ""
        )
        material = [settings.model_dump(mode="json"), mapping]
        return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:16]

    def _open_staging(self) -> None:
        started = self.staging / "started"
        if self.force or not started.is_file() or time.time() - started.stat().st_mtime > RESUMABLE_SECONDS:
            shutil.rmtree(self.staging_root, ignore_errors=True)
            self.staging.mkdir(parents=True)
            started.touch()
        for other in self.staging_root.iterdir():
            if other != self.staging:
                shutil.rmtree(other)
        for left in (*self.staging.glob("incomplete.*"), *self.staging.glob(".*")):
            left.unlink()

    def _write(self, parts: list[Path], *, complete: bool) -> Counter[str]:
        catalog, work = self.run.catalog, self.staging_root / ".work"
        before = catalog.scan("entries", files=catalog.files("entries"))
        with workspace(work) as connection:
            connection.execute(f"CREATE VIEW old AS SELECT * FROM ({before}) WHERE source = {literal(self.name)}")
            files = ", ".join(literal(str(path)) for path in parts)
            told = f"FROM read_parquet([{files}])" if parts else "SELECT *, 0 AS batch FROM old WHERE false"
            connection.execute(f"CREATE TEMP TABLE answered AS {_ONCE.format(told=told, content=_CONTENT)}")
            # what wasn't answered completely says nothing about what it lacks
            which = "" if complete else " SEMI JOIN answered USING (location)"
            replacement = Replacement(catalog, connection, "entries", work)
            if (
                replacement.go(gone=f"SELECT filename, file_row_number FROM old{which}", fresh="FROM answered")
                and "entries" not in self.run.tables
            ):
                self.run.tables.append("entries")
            after = catalog.scan("entries", files=catalog.files("entries"))
            (rows,) = connection.execute(
                f"SELECT count(*) FROM ({after}) WHERE source = {literal(self.name)}"
            ).fetchall()[0]
        return Counter(entries=rows)


_CONTENT = ", ".join(quote(name) for name in _COLUMNS if name != "note")
# of equal answers with one record number the first one stays; two that differ and have one number are two answers
_ONCE = """
SELECT * EXCLUDE (batch, again, last)
    REPLACE (CASE WHEN again = 1 THEN record ELSE last + again - 1 END AS record)
FROM (
    SELECT *, row_number() OVER (PARTITION BY location, record ORDER BY batch, attributes) AS again,
        max(record) OVER (PARTITION BY location) AS last
    FROM (SELECT DISTINCT ON ({content}) * FROM ({told}) ORDER BY batch)
)
"""
