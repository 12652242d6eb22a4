"""Zip and tar files as lists of places: which members they hold and where their bytes lie."""

from __future__ import annotations

import re
import struct
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

from fonds.archives.inflating import Codec, MemberBroken, inflate, part
from fonds.archives.naming import escape

_METHODS: dict[int, Codec | None] = {zipfile.ZIP_STORED: None, zipfile.ZIP_DEFLATED: "deflate", 12: "bzip2"}
_NUMBERED = re.compile(r"#(?=\d+$)")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_LONGEST_HEADER = 16 * 1024 * 1024
_LOCAL_HEAD = struct.Struct("<4s22xHH")
_OTHER_TYPES = {
    tarfile.SYMTYPE: "a symbolic link; what it points to is listed under its own name, if it is there",
    tarfile.LNKTYPE: "a hard link; the member it repeats is listed under its own name",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a named pipe",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One member: its name as text (the second of one name ends in ``#2``), and where its bytes lie, or why not."""

    name: str
    size: int
    offset: int = 0
    """of its bytes; in a zip file, of its local header"""
    stored: int = 0
    codec: Codec | None = None
    crc: int | None = None
    sparse: tarfile.TarInfo | None = None
    problem: str | None = None
    message: str = ""

    def open(self, stream: BinaryIO, limit: int) -> BinaryIO:
        """Its bytes; `stream` is the container's, inflated. Raises MemberBroken, and OSError as a file does."""
        if self.problem is not None:
            raise MemberBroken(self.problem, self.message)
        if self.sparse is not None:
            holder = cast(tarfile.TarFile, SimpleNamespace(fileobj=stream))
            return part(cast(BinaryIO, tarfile.ExFileObject(holder, self.sparse)), 0, self.size)
        if self.crc is None:
            return part(stream, self.offset, self.size)
        begin = self._behind_local_header(stream)
        if self.codec is None:
            return part(stream, begin, self.size, self.crc)
        inflated = inflate(stream, self.codec, limit, begin=begin, end=begin + self.stored)
        return part(inflated, 0, self.size, self.crc)

    def _behind_local_header(self, stream: BinaryIO) -> int:
        # its name and extra field may be of other lengths than in the central directory (APPNOTE 4.3.7)
        stream.seek(max(0, self.offset))
        head = stream.read(_LOCAL_HEAD.size)
        if self.offset < 0 or len(head) < _LOCAL_HEAD.size or head[:4] != b"PK\x03\x04":
            raise MemberBroken("container_damaged", "the member isn't where the zip file's directory says")
        _, name, extra = _LOCAL_HEAD.unpack(head)
        return self.offset + _LOCAL_HEAD.size + int(name) + int(extra)


class _Names:
    """Tells members of one name apart."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def of(self, raw: str) -> str:
        name = _NUMBERED.sub(r"\\x23", escape(raw.replace("\0", "\\0"))) or "\\x00"
        count = self._seen[name] = self._seen.get(name, 0) + 1
        return name if count == 1 else f"{name}#{count}"


def zip_places(stream: BinaryIO) -> list[Place]:
    """The members of a zip file in the order they lie in it, folders left out; raises MemberBroken."""
    try:
        with zipfile.ZipFile(stream) as file:
            infos = file.infolist()
    except (zipfile.BadZipFile, EOFError, ValueError, struct.error, NotImplementedError) as error:
        volumes = "several volumes" if "multiple disks" in str(error) else None
        raise MemberBroken(
            "container_damaged",
            f"one of {volumes} of a zip file" if volumes else "a zip file whose directory is broken",
        ) from error
    names = _Names()
    infos.sort(key=lambda info: info.header_offset)
    return [_zip_place(names.of(info.filename), info) for info in infos if not info.is_dir()]


def _zip_place(name: str, info: zipfile.ZipInfo) -> Place:
    problem, message = None, ""
    if info.flag_bits & _ENCRYPTED:
        problem, message = "encrypted", "the member is encrypted"
    elif info.compress_type not in _METHODS:
        method = zipfile.compressor_names.get(info.compress_type, "unknown")  # type: ignore[attr-defined]
        problem, message = "unsupported_compression", f"zip method {info.compress_type} ({method})"
    return Place(
        name,
        info.file_size,
        info.header_offset,
        info.compress_size,
        _METHODS.get(info.compress_type),
        info.CRC,
        problem=problem,
        message=message,
    )


class _Headers:
    """A stream to read headers from: one that declares a name of a gigabyte isn't followed."""

    def __init__(self, stream: BinaryIO) -> None:
        self.seek, self.tell, self._stream = stream.seek, stream.tell, stream

    def read(self, size: int) -> bytes:
        """Some bytes."""
        if size > _LONGEST_HEADER:
            raise MemberBroken("container_damaged", f"a tar header of {size} bytes")
        return self._stream.read(size)


class TarPlaces:
    """The members of a tar file, found one after the other; what was found is not looked for again."""

    def __init__(self, *, keep: bool) -> None:
        self.found: dict[str, Place] = {}
        self._keep = keep
        self._names = _Names()
        self._offset = 0
        self.ended = False

    def further(self, stream: BinaryIO) -> Iterator[Place]:
        """Members not found yet. Raises MemberBroken where the file can't be followed any more."""
        if self.ended:
            return
        stream.seek(self._offset)
        try:
            headers = cast(Any, _Headers(stream))
            file = tarfile.TarFile(fileobj=headers, mode="r", encoding="utf-8", errors="surrogateescape")
            while (info := file.next()) is not None:
                file.members.clear()  # type: ignore[attr-defined]  # TarFile keeps all it has seen
                if info.size < 0 or file.offset <= self._offset:
                    raise MemberBroken("container_damaged", f"a tar header beyond byte {self._offset} has no true size")
                self._offset = file.offset
                place = self._place(info)
                if place is not None:
                    if self._keep:
                        self.found[place.name] = place
                    yield place
            self._check_end(stream, file.offset)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise MemberBroken("container_damaged", f"the tar file can't be read beyond byte {self._offset}") from error
        self.ended = True

    def _place(self, info: tarfile.TarInfo) -> Place | None:
        if info.isdir():
            return None
        name = self._names.of(info.name)
        if info.type in _OTHER_TYPES:
            return Place(name, 0, problem="not_dicom", message=_OTHER_TYPES[info.type])
        if not info.isreg():
            return Place(name, 0, problem="container_damaged", message=f"a tar entry of unknown type {info.type!r}")
        sparse = info if info.issparse() else None
        return Place(name, info.size, info.offset_data, sparse=sparse)

    def _check_end(self, stream: BinaryIO, offset: int) -> None:
        # a broken header looks like the end to tarfile; a file cut between two members can't be told from a whole one
        stream.seek(offset)
        if stream.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise MemberBroken("container_damaged", f"the tar file can't be read beyond byte {offset}")
