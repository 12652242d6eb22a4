"""What an object store is asked, by fsspec: S3 in its own terms, so that any key can be read; others as files."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import fsspec

_TOGETHER = 32
_NO_BYTES = "no bytes there"
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as the store lists it: its key below the source's prefix, and what tells whether it has changed."""

    key: str
    size: int
    mtime_ns: int
    tag: str | None = None


class Bucket(Protocol):
    """Object storage below one address. All raise OSError, whose text has no key in it."""

    def check(self) -> None:
        """Look whether it can be listed."""
        ...

    def list(self) -> Iterator[Stored]:
        """Everything, ordered by key, without holding it all where the store has pages."""
        ...

    def about(self, key: str) -> Stored:
        """One object."""
        ...

    def read(self, stored: Stored, start: int, end: int) -> bytes:
        """Some of its bytes; OSError when it was replaced meanwhile."""
        ...

    def heads(self, keys: Sequence[str], most: int) -> Sequence[bytes | OSError]:
        """The first bytes of many, asked for side by side."""
        ...


def open_bucket(url: str, options: dict[str, Any]) -> Bucket:
    """The store at an address. fsspec keeps one file system a process and address, and makes a new one after a fork.

    Raises ImportError, ValueError or TypeError for an unknown protocol or option.
    """
    system, path = fsspec.core.url_to_fs(url, use_listings_cache=False, **options)
    if urlsplit(url).scheme in ("s3", "s3a"):
        return _S3(system, *path.partition("/")[::2])
    return _Files(system, path.rstrip("/"))


@dataclass(frozen=True, slots=True)
class _Files:
    """Any file system that fsspec knows."""

    system: Any
    root: str

    def check(self) -> None:
        if not self.system.isdir(self.root):
            raise FileNotFoundError(errno.ENOENT, "no such place")

    def list(self) -> Iterator[Stored]:
        pending = [self.root]
        while pending:
            folders = []
            for entry in sorted(self.system.ls(pending.pop(), detail=True), key=lambda entry: str(entry["name"])):
                if entry["type"] == "directory":
                    folders.append(entry["name"])
                elif entry["type"] == "file":
                    yield self._stored(entry)
            pending += reversed(folders)

    def about(self, key: str) -> Stored:
        return self._stored(self.system.info(self._path(key)))

    def read(self, stored: Stored, start: int, end: int) -> bytes:
        return bytes(self.system.cat_file(self._path(stored.key), start=start, end=end))

    def heads(self, keys: Sequence[str], most: int) -> Sequence[bytes | OSError]:
        paths = [self._path(key) for key in keys]
        found = self.system.cat_ranges(paths, [0] * len(paths), [most] * len(paths), on_error="return")
        return [head if isinstance(head, bytes | OSError) else _as_os_error(head) for head in found]

    def _path(self, key: str) -> str:
        return f"{self.root}/{key}"

    def _stored(self, entry: dict[str, Any]) -> Stored:
        changed = next(
            (entry[word] for word in ("mtime", "LastModified", "last_modified", "created") if word in entry), 0
        )
        tag = entry.get("ETag") or entry.get("etag")
        key = str(entry["name"])[len(self.root) :].removeprefix("/")
        return Stored(key, int(entry["size"] or 0), _nanoseconds(changed), str(tag) if tag else None)


@dataclass(frozen=True, slots=True)
class _S3:
    """A bucket, by the requests of S3 themselves: as paths, keys such as ``/a``, ``a//b`` or ``a/`` would be others."""

    system: Any
    bucket: str
    prefix: str

    def check(self) -> None:
        found = self._call("list_objects_v2", MaxKeys=1, Prefix=self._start)
        if self.prefix and not found.get("Contents"):  # as a folder that isn't there: a mistyped one empties nothing
            raise FileNotFoundError(errno.ENOENT, "no such place")

    def list(self) -> Iterator[Stored]:
        more: dict[str, Any] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=self._start, **more)
            for entry in page.get("Contents", ()):
                key = entry["Key"][len(self._start) :]
                yield Stored(key, entry["Size"], _nanoseconds(entry["LastModified"]), entry.get("ETag"))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def about(self, key: str) -> Stored:
        found = self._call("head_object", Key=self._start + key)
        return Stored(key, found["ContentLength"], _nanoseconds(found["LastModified"]), found.get("ETag"))

    def read(self, stored: Stored, start: int, end: int) -> bytes:
        match = {"IfMatch": stored.tag} if stored.tag else {}
        part: bytes = _sync(self.system, self._range(stored.key, start, end, **match))
        return part

    def heads(self, keys: Sequence[str], most: int) -> Sequence[bytes | OSError]:
        async def all_of_them() -> list[bytes | BaseException]:
            room = asyncio.Semaphore(_TOGETHER)

            async def one(key: str) -> bytes:
                async with room:
                    return await self._range(key, 0, most)

            return await asyncio.gather(*map(one, keys), return_exceptions=True)

        found = _sync(self.system, all_of_them())
        return [head if isinstance(head, bytes) else _as_os_error(head) for head in found]

    @property
    def _start(self) -> str:
        return f"{self.prefix}/" if self.prefix else ""

    def _call(self, method: str, **arguments: Any) -> Any:
        return _sync(self.system, self.system._call_s3(method, Bucket=self.bucket, **arguments))

    async def _range(self, key: str, start: int, end: int, **match: str) -> bytes:
        try:
            answer = await self.system._call_s3(
                "get_object", Bucket=self.bucket, Key=self._start + key, Range=f"bytes={start}-{end - 1}", **match
            )
        except OSError as error:
            if _as_os_error(error).strerror == _NO_BYTES:  # an empty object has no first byte
                return b""
            raise
        async with answer["Body"] as body:
            return bytes(await body.read())


def _sync(system: Any, asked: Any) -> Any:
    from aiohttp import ClientError as ConnectionFailed
    from botocore.exceptions import BotoCoreError, ClientError

    async def awaited() -> Any:
        return await asked

    try:
        return fsspec.asyn.sync(system.loop, awaited)
    except (OSError, BotoCoreError, ClientError, ConnectionFailed) as error:
        raise _as_os_error(error) from None


def _as_os_error(error: BaseException) -> OSError:
    """The same as an error of files, in words without a key."""
    code = str(getattr(error.__cause__ or error, "response", {}).get("Error", {}).get("Code", ""))
    if isinstance(error, PermissionError) or code == "403":
        return PermissionError(errno.EACCES, "the store refuses to hand it out")
    if isinstance(error, FileNotFoundError) or code in ("404", "NoSuchKey", "NoSuchBucket"):
        return FileNotFoundError(errno.ENOENT, "the store hasn't got it")
    if code in ("412", "PreconditionFailed"):
        return OSError(errno.EIO, "it was replaced while it was read")
    if code == "InvalidRange":
        return OSError(errno.EINVAL, _NO_BYTES)
    return OSError(errno.EIO, f"the store didn't hand it out ({code or type(error).__name__})")


def _nanoseconds(changed: Any) -> int:
    if isinstance(changed, datetime):
        return int(changed.timestamp()) * _SECOND + changed.microsecond * 1000
    return int(float(changed) * 1_000_000) * 1000
