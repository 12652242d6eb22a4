"""Archives for the crawl's tests: small real objects in numbers, projects over them, and a source that kills."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pydicom

from fonds.archives.base import FoundFile
from fonds.archives.folder import FolderSource
from fonds.catalog.store import Catalog
from fonds.project.settings import Project, load

WHEEL = Path(pydicom.__file__).parent / "data" / "test_files"
TABLES = ("instances", "unreadable", "entries")


def fill(folder: Path, count: int) -> None:
    """`count` objects with UIDs of their own, in folders of 20, a broken file and a note beside them."""
    data = (WHEEL / "CT_small.dcm").read_bytes()
    uid = str(pydicom.dcmread(WHEEL / "CT_small.dcm", stop_before_pixels=True).SOPInstanceUID).encode()
    for number in range(count):
        path = folder / f"{number // 20:03d}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.replace(uid, f"{number:0{len(uid)}d}".replace("0", "1").encode()))
    (folder / "broken.dcm").write_bytes(data[:700])
    (folder / "note.txt").write_text("nothing to see")
    shutil.copyfile(WHEEL / "dicomdirtests" / "DICOMDIR", folder / "DICOMDIR")


def project(folder: Path, archive: Path, extra: str = "") -> Project:
    """A project with one source, `archive`."""
    folder.mkdir(exist_ok=True)
    (folder / "fonds.yaml").write_text(f"name: t\nsources:\n  archive:\n    path: {archive}\n{extra}", encoding="utf-8")
    return load(folder)


def tables(of: Project) -> dict[str, pl.DataFrame]:
    """The three tables a crawl writes."""
    return {name: Catalog(of).read(name) for name in TABLES}


@dataclass(frozen=True, slots=True)
class DyingSource:
    """A folder source whose reader is killed at one object, as long as the marker is there."""

    inner: FolderSource
    at: str
    marker: Path

    def check(self) -> None:
        """As the folder says."""
        self.inner.check()

    def heads(self, locations: Sequence[str], into: memoryview) -> Sequence[int | OSError]:
        """As the folder says, or death."""
        if self.at in locations and self.marker.exists():
            self.marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.heads(locations, into)

    def list(self) -> Iterator[FoundFile]:
        """As the folder says."""
        return self.inner.list()

    def open(self, location: str) -> BinaryIO:
        """The object, or death."""
        if location == self.at and self.marker.exists():
            self.marker.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.inner.open(location)
