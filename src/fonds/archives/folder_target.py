"""A folder archive as a target: STUDY/SERIES/SOP.dcm, written aside, made durable, put in place by one rename."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from fonds.archives.base import Answer, Kind, Outgoing
from fonds.errors import ArchiveUnreachable

ASIDE = ".incoming"
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


class FolderTarget:
    """Objects below `root`. What lies there is never replaced: other content under the same name is refused."""

    harmless = True

    def __init__(self, root: Path) -> None:
        self.root = root
        self._naming = threading.Lock()

    def key(self, study_uid: str, series_uid: str, sop_uid: str) -> str:
        """Path below the root."""
        return key_of(study_uid, series_uid, sop_uid)

    def accepts(self, kinds: Collection[Kind]) -> set[Kind]:
        """A folder takes everything."""
        return set(kinds)

    @contextmanager
    def session(self, kinds: Collection[Kind]) -> Iterator[FolderSession]:
        """A session; `kinds` don't matter to a folder. Raises ArchiveUnreachable when the folder can't be made."""
        try:
            (self.root / ASIDE).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArchiveUnreachable(
                f"target folder {self.root} can't be written ({error.strerror}); mount it or give the right to write",
                target=str(self.root),
            ) from error
        yield FolderSession(self.root, self._naming)

    def held(self, study_uid: str, keys: Mapping[str, str]) -> set[str] | None:
        """Those whose file is there."""
        return {sop_uid for sop_uid, key in keys.items() if (self.root / key).is_file()}

    def retrieve(
        self, study_uid: str, keys: Mapping[str, str], kinds: Collection[Kind], largest: int
    ) -> Iterator[tuple[str, BinaryIO]]:
        """Open the files one after the other; each is closed when the next is asked for."""
        for sop_uid, key in keys.items():
            try:
                stream = (self.root / key).open("rb")
            except FileNotFoundError:
                continue
            with stream:
                yield sop_uid, stream

    def tidy(self) -> None:
        """Remove what a killed writer left aside; only while nobody else writes."""
        shutil.rmtree(self.root / ASIDE, ignore_errors=True)


class FolderSession:
    """Writes files and remembers which folders are to be made durable."""

    def __init__(self, root: Path, naming: threading.Lock) -> None:
        self.root, self._naming = root, naming
        self._aside = root / ASIDE / f"{os.getpid()}-{threading.get_ident()}"
        self._touched: set[Path] = set()

    def store(self, outgoing: Outgoing) -> Answer:
        """Write one object. An OSError of this side is an answer: `again` when the disk is full, else `refused`."""
        key = key_of(outgoing.study_uid, outgoing.series_uid, outgoing.sop_uid)
        try:
            digest, size = self._write_aside(outgoing)
            if outgoing.digest is not None and digest != outgoing.digest:
                return Answer("refused", key, reason="source-changed")
            if self._put(self.root / key, digest):
                return Answer("stored", key, bytes=size, digest=digest)
            return Answer("refused", key, reason="other-content-there")
        except OSError as error:
            full = error.errno in _FULL
            return Answer("again" if full else "refused", key, reason="target-full" if full else "target-io")
        finally:
            self._aside.unlink(missing_ok=True)

    def settle(self) -> None:
        """Make the names durable too."""
        for folder in sorted(self._touched):
            _sync(folder)
        self._touched.clear()

    def _write_aside(self, outgoing: Outgoing) -> tuple[str, int]:
        found, size = hashlib.sha256(), 0
        with self._aside.open("wb") as file:
            for block in chain((outgoing.prepared.prefix,), outgoing.prepared.data_set(outgoing.stream)):
                found.update(block)
                size += file.write(block)
            file.flush()
            os.fsync(file.fileno())
        return found.hexdigest(), size

    def _put(self, path: Path, digest: str) -> bool:
        with self._naming:  # two sources may hold one object: only one of two equal names comes first
            if path.exists():
                with path.open("rb") as there:
                    return hashlib.file_digest(there, "sha256").hexdigest() == digest
            for folder in (path.parent.parent, path.parent):
                if not folder.is_dir():
                    folder.mkdir(parents=True, exist_ok=True)
                    self._touched.add(folder.parent)
            os.rename(self._aside, path)
            self._touched.add(path.parent)
            return True


def key_of(study_uid: str, series_uid: str, sop_uid: str) -> str:
    """Where an object lies below the root. Only well-formed UIDs are names; of others the digest is."""
    study, series, name = (_name(uid) for uid in (study_uid, series_uid, sop_uid))
    return f"{study}/{series}/{name}.dcm"


def _name(uid: str) -> str:
    if len(uid) <= 64 and _UID.fullmatch(uid) and uid.isascii():
        return uid
    return "_" + hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
