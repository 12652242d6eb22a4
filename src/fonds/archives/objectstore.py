"""Object storage as a source: listed page by page, headers by ranged reads side by side, objects as ranged streams."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from fonds.archives.base import FoundFile
from fonds.archives.buckets import Bucket, Stored, open_bucket
from fonds.archives.members import open_member
from fonds.archives.naming import MARK, escape, unescape
from fonds.errors import ArchiveUnreachable

_SECOND = 1_000_000_000
_LEAST, _MOST = 64 * 1024, 8 * 1024 * 1024
_KEPT = 4


@dataclass(frozen=True, slots=True)
class ObjectStoreSource:
    """The objects below `url`; `options` are what fsspec's file system of that address takes.

    Pickled it is its settings: every process makes its own connections. Credentials come from the environment, as the
    store's own tools read them.
    """

    name: str
    url: str
    options: dict[str, Any] = field(default_factory=dict, repr=False)

    def check(self) -> None:
        """Whether the store answers and lets itself be listed; raises ArchiveUnreachable."""
        try:
            self._bucket().check()
        except OSError as error:
            raise self._unreachable(error) from None

    def list(self) -> Iterator[FoundFile]:
        """Objects in the order of their keys, the present version of each; markers of folders are left out.

        Their time is the store's LastModified, whole seconds; where the store has an ETag, the digits below the second
        stand for it, so that an object replaced by one of the same size and time is seen.
        """
        self.check()
        try:
            for stored in self._bucket().list():
                if not (stored.size == 0 and stored.key.endswith("/")):
                    yield FoundFile(escape(stored.key), stored.size, _changed(stored))
        except OSError as error:
            raise self._unreachable(error) from None

    def open(self, location: str) -> BinaryIO:
        """One object, or the member of one, read in ranges as they are needed."""
        outer = location.partition(MARK)[0]
        bucket = self._bucket()
        stored = bucket.about(unescape(outer))
        stream = io.BufferedReader(_Ranged(bucket, stored), _LEAST)
        return open_member(stream, location) if MARK in location else stream

    def heads(self, locations: Sequence[str], into: memoryview) -> Sequence[int | OSError]:
        """The first bytes of each object; `into` is cut into as many equal parts as there are locations."""
        stride = len(into) // max(1, len(locations))
        plain = [unescape(location) for location in locations if MARK not in location]
        fetched = iter(self._bucket().heads(plain, stride))
        came: list[int | OSError] = []
        # an answer of the network each
        for number, location in enumerate(locations):
            head = self._member_head(location, stride) if MARK in location else next(fetched)
            if isinstance(head, bytes):
                into[number * stride : number * stride + len(head)] = head
                came.append(len(head))
            else:
                came.append(head)
        return came

    def _member_head(self, location: str, most: int) -> bytes | OSError:
        try:
            with self.open(location) as stream:
                return stream.read(most)
        except OSError as error:
            return error

    def _bucket(self) -> Bucket:
        try:
            return open_bucket(self.url, self.options)
        except (ImportError, ValueError, TypeError) as error:
            # its text may quote an option
            raise ArchiveUnreachable(
                f"source {self.name}: {self._shown()} can't be opened ({type(error).__name__}): no such protocol is "
                f"installed, or `options` in fonds.yaml has one it doesn't take",
                source=self.name,
            ) from None

    def _shown(self) -> str:
        address = urlsplit(self.url)
        return f"{address.scheme}://{address.netloc.rpartition('@')[2]}"

    def _unreachable(self, error: OSError) -> ArchiveUnreachable:
        if isinstance(error, PermissionError):
            mend = "it refuses: give the credentials in the environment the right to list and read it"
        elif isinstance(error, FileNotFoundError):
            mend = "there is no such place: correct `url` in fonds.yaml"
        else:
            mend = f"it doesn't answer ({type(error).__name__}): see the network, and `url` and `options` in fonds.yaml"
        return ArchiveUnreachable(f"source {self.name}: {self._shown()}: {mend}", source=self.name)


def _changed(stored: Stored) -> int:
    if stored.tag is None:
        return stored.mtime_ns
    mark = int.from_bytes(hashlib.sha256(stored.tag.encode()).digest()[:8], "big") % _SECOND
    return stored.mtime_ns // _SECOND * _SECOND + mark


class _Ranged(io.RawIOBase):
    """An object read in blocks: small ones where a reader jumps, larger ones while it goes straight on."""

    def __init__(self, bucket: Bucket, stored: Stored) -> None:
        super().__init__()
        self._bucket, self._stored = bucket, stored
        self._position = 0
        self._blocks: list[tuple[int, bytes]] = []  # the last ones, latest at the end
        self._next, self._length = -1, _LEAST

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Only notes the place."""
        self._position = max(0, (0, self._position, self._stored.size)[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def readinto(self, into: Any) -> int:
        """What is at hand, or comes with one request."""
        view = memoryview(into).cast("B")
        if self._position >= self._stored.size or not len(view):
            return 0
        start, block = self._block()
        data = block[self._position - start : self._position - start + len(view)]
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _block(self) -> tuple[int, bytes]:
        here = self._position
        for start, block in reversed(self._blocks):
            if start <= here < start + len(block):
                return start, block
        self._length = min(self._length * 2, _MOST) if here == self._next else _LEAST
        block = self._bucket.read(self._stored, here, min(here + self._length, self._stored.size))
        if not block:
            raise OSError(5, "the object ended before its listed size; it changed while it was read")
        self._next = here + len(block)
        self._blocks = [*self._blocks[1 - _KEPT :], (here, block)]
        return here, block
