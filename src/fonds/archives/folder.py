"""A folder tree as a source: recursion without reliance on extensions, loops guarded, odd names kept reversibly."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from fonds.archives.base import FoundFile
from fonds.archives.members import open_member, problem_of
from fonds.archives.naming import MARK, escape, unescape
from fonds.errors import ArchiveUnreachable

_AT_ONCE = 50_000
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe that took a file's place would be waited for
_NOT_READ = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The files below `root`. Symbolic links are followed; a folder is entered once, however it is reached.

    `skip` names folders that aren't part of the archive (an interpreter's caches inside an installed package).
    """

    name: str
    root: Path
    skip: frozenset[str] = frozenset()

    def check(self) -> None:
        """Whether the folder is there and can be listed; raises ArchiveUnreachable."""
        try:
            os.scandir(self.root).close()
        except OSError as error:
            raise ArchiveUnreachable(
                f"source {self.name}: folder {self.root} can't be read ({type(error).__name__}); mount it or correct "
                f"`path` in fonds.yaml",
                source=self.name,
            ) from None

    def list(self) -> Iterator[FoundFile]:
        """Files by folder, names sorted; folders and files that can't be looked at come with a `problem`."""
        self.check()
        known = {_identity(os.stat(self.root))}
        pending: list[tuple[str, str]] = [(str(self.root), "")]
        while pending:
            path, prefix = pending.pop()
            folders: list[tuple[str, str]] = []
            try:
                names = _sorted_names(path)
            except OSError as error:
                if not prefix:
                    raise ArchiveUnreachable(
                        f"source {self.name}: folder {self.root} can't be listed ({type(error).__name__})",
                        source=self.name,
                    ) from None
                yield _problem(prefix, error)
                continue
            # one system call a file: this loop is the I/O itself
            for name in names:
                location = prefix + escape(name)
                try:
                    about = os.stat(f"{path}/{name}")
                except OSError as error:
                    yield _problem(location, error)
                    continue
                if stat.S_ISREG(about.st_mode):
                    yield FoundFile(location, about.st_size, about.st_mtime_ns)
                elif not stat.S_ISDIR(about.st_mode):
                    what = next((what for test, what in _NOT_READ if test(about.st_mode)), "a device")
                    yield FoundFile(location, 0, 0, "not_dicom", f"{what}, which is never opened")
                elif _identity(about) not in known and name not in self.skip:
                    known.add(_identity(about))
                    folders.append((f"{path}/{name}", location + "/"))
            pending += reversed(folders)

    def open(self, location: str) -> BinaryIO:
        """The file at `location`, or the member of one, for reading."""
        path = self._path(location.partition(MARK)[0])
        stream = open(path, "rb", opener=lambda name, _: _open(name))  # noqa: SIM115  the caller closes it
        return open_member(stream, location) if MARK in location else stream

    def heads(self, locations: Sequence[str], into: memoryview) -> Sequence[int | OSError]:
        """The first bytes of each object; `into` is cut into as many equal parts as there are locations."""
        stride = len(into) // max(1, len(locations))
        # one system call after the other: this loop is the I/O itself
        parts = (into[number * stride : (number + 1) * stride] for number in range(len(locations)))
        return [self._head(location, part) for location, part in zip(locations, parts, strict=True)]

    def _head(self, location: str, into: memoryview) -> int | OSError:
        try:
            if MARK in location:
                with self.open(location) as member:
                    head = member.read(len(into))
                into[: len(head)] = head
                return len(head)
            descriptor = _open(self._path(location))
            try:
                head = os.pread(descriptor, len(into), 0)  # and copied, it takes 4 µs less than preadv does
            finally:
                os.close(descriptor)
            into[: len(head)] = head
            return len(head)
        except OSError as error:
            return error

    def _path(self, location: str) -> str:
        return f"{self.root}/{unescape(location)}"

    def path(self, location: str) -> Path:
        """Where the file that `location` is, or lies in, lies in the file system."""
        return Path(self._path(location.partition(MARK)[0]))


def _open(path: str) -> int:
    # reading an archive should leave no trace in it, but only who owns a file may say so
    try:
        return os.open(path, _FLAGS | os.O_NOATIME)
    except PermissionError:
        return os.open(path, _FLAGS)


def _sorted_names(path: str) -> Iterator[str]:
    """Names in a folder, in the order of their bytes; those of millions as one Arrow column, not objects."""
    with os.scandir(path) as scan:
        names = (os.fsencode(entry.name) for entry in scan)
        first = list(islice(names, _AT_ONCE))
        if len(first) < _AT_ONCE:
            return map(os.fsdecode, sorted(first))
        chunks = [pa.array(first, pa.binary())]
        while more := list(islice(names, _AT_ONCE)):
            chunks.append(pa.array(more, pa.binary()))
    column = pa.chunked_array(chunks)
    order = pc.sort_indices(column)
    slices = (order.slice(start, _AT_ONCE) for start in range(0, len(order), _AT_ONCE))
    return (os.fsdecode(name) for some in slices for name in column.take(some).to_pylist())


def _identity(about: os.stat_result) -> tuple[int, int]:
    return about.st_dev, about.st_ino


def _problem(location: str, error: OSError) -> FoundFile:
    reason, message = problem_of(error)
    return FoundFile(location, 0, 0, reason, message)
