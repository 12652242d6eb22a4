"""The crawl of a source that hands out objects: list, compare, read in shards, one commit a table."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from pathlib import Path

from fonds.archives.base import Source
from fonds.catalog.schema import attributes
from fonds.crawl.delta import Difference
from fonds.crawl.listing import write_listing
from fonds.crawl.pool import run_shards
from fonds.crawl.shard import KINDS, ShardJob
from fonds.dicom.headers import READER_VERSION
from fonds.operations.pool import processors
from fonds.operations.runs import StageRun
from fonds.project.definitions import content_hash
from fonds.project.settings import ObjectsKind

DEFINITION = "rules/base/attributes.yaml"
SHARD_FILES = 4_096
LARGE_SHARD_FILES = 16_384
LARGE = 200_000  # files from which larger shards cost little when one is lost, and make fewer parts
IN_PROCESS_FILES = 1_500  # below this, starting workers costs more than it saves
IN_PROCESS_SHARD = 250
COLUMNAR_FILES = 8_000  # below this, loading the kernels costs more than they save


class ObjectsCrawl:
    """One source of one crawl."""

    def __init__(
        self,
        run: StageRun,
        name: str,
        source: Source,
        *,
        digest: bool | None,
        force: bool,
        shard_files: int | None,
        workers: int | None,
    ) -> None:
        self.run, self.project, self.name, self.source, self.force = run, run.project, name, source, force
        self.shard_files, self.workers = shard_files, workers
        settings = self.project.sources[name]
        assert isinstance(settings, ObjectsKind)
        self.charset, self.digest = settings.charset, settings.digest if digest is None else digest
        self.attributes = attributes(self.project)
        self.reader = self._reader()
        self.state = self.project.catalog_dir / "crawl" / f"{name}.json"
        self.staging_root = self.project.catalog_dir / "staging" / "crawl" / name
        self.staging = self.staging_root / f"{self.reader[:16]}{'-digests' if self.digest else ''}"
        self.work = self.staging_root / f".work.{os.getpid()}"

    def go(self) -> Counter[str]:
        """Read what is new, write what differs; returns the counts.

        A crawl that is killed leaves its finished shards in the staging folder, and a state that says whether it was
        between its commits; both are put right by the next one.
        """
        if self.force:
            shutil.rmtree(self.staging_root, ignore_errors=True)
        for left in self.staging_root.glob(".work.*"):
            shutil.rmtree(left)
        state = json.loads(self.state.read_text(encoding="utf-8")) if self.state.is_file() else {}
        half_written = "writing" in state
        # between commits, and what was to be committed isn't there any more: everything is read once more
        lost = half_written and (state["writing"] != self.staging.name or not self.staging.is_dir())
        write_listing(self.source, self.work / "listing", self._listed)
        difference = Difference(self.run.catalog, self.name, self.work, self.staging)
        try:
            difference.compare(
                self.work / "listing",
                stale=self.force or lost or state.get("reader") != self.reader,
                digest=self.digest,
                half_written=half_written,
            )
            read = self._read(difference)
            if not difference.nothing:
                self._write(difference)
            elif not half_written:  # one that was killed behind its last commit left its shards
                shutil.rmtree(self.staging_root, ignore_errors=True)
            if not difference.nothing or state.get("reader") != self.reader:
                self._remember({"reader": self.reader})
            return self._counts(difference, read)
        finally:
            difference.close()
            shutil.rmtree(self.work, ignore_errors=True)

    def _reader(self) -> str:
        """What the rows depend on besides the file: a change reads everything again."""
        depends = [READER_VERSION, content_hash(self.project.find(DEFINITION)), self.charset]
        return hashlib.sha256(json.dumps(depends).encode()).hexdigest()

    def _listed(self, count: int) -> None:
        self.run.progress(count, None, "files listed", self.name)

    def _read(self, difference: Difference) -> int:
        todo = self.work / f"{time.time_ns()}.parquet"
        count = difference.to_read(todo)
        self.run.progress(0, count, "files", self.name)
        if not count:
            return 0
        jobs = self._jobs(todo, count)
        local = self.project.settings.runner == "processes"
        workers = self.workers or (processors() if count > IN_PROCESS_FILES else 1)
        if self.shard_files is None and local and workers == 1:
            jobs = self._jobs(todo, count, IN_PROCESS_SHARD)
        files = read = errors = 0
        for done in run_shards(self.project.settings.runner, jobs, workers):
            files, read, errors = files + done.files, read + done.bytes, errors + done.errors
            self.run.progress(files, count, "files", self.name, bytes=read, errors=errors)
        return count

    def _jobs(self, todo: Path, count: int, size: int | None = None) -> list[ShardJob]:
        size = size or self.shard_files or (SHARD_FILES if count < LARGE else LARGE_SHARD_FILES)
        given = (self.attributes, self.digest, self.charset, count >= COLUMNAR_FILES, self.staging)
        return [ShardJob(self.name, self.source, todo, first, size, *given) for first in range(0, count, size)]

    def _write(self, difference: Difference) -> None:
        difference.settle()
        self._remember({"reader": self.reader, "writing": self.staging.name})
        # instances last: whoever sees the new instances sees what belongs beside them
        for number, kind in enumerate(KINDS):
            self.run.progress(number, len(KINDS), "tables written", self.name)
            if difference.replacement(kind) and kind not in self.run.tables:
                self.run.tables.append(kind)
        self._remember({"reader": self.reader})
        shutil.rmtree(self.staging_root, ignore_errors=True)

    def _remember(self, state: dict[str, str]) -> None:
        self.state.parent.mkdir(parents=True, exist_ok=True)
        aside = self.state.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps(state), encoding="utf-8")
        os.replace(aside, self.state)

    def _counts(self, difference: Difference, read: int) -> Counter[str]:
        return Counter(
            files=difference.found,
            bytes=difference.bytes,
            read=read,
            resumed=difference.changed - read,
            unchanged=difference.found - difference.changed,
            vanished=difference.vanished,
            **{str(kind): difference.rows_now(kind) for kind in KINDS},
        )
