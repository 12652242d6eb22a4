"""Members of zip, tar and compressed files: all of them in one pass, or one by its location; nothing is unpacked."""

from __future__ import annotations

import hashlib
import io
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Literal, cast

from fonds.archives.containers import Place, TarPlaces, zip_places
from fonds.archives.inflating import Marks, MemberBroken, inflate
from fonds.archives.naming import MARK, split

Kind = Literal["zip", "tar", "gzip", "bzip2", "xz"]

DEEPEST = 3
HEAD = 512
"""bytes `kind_of` wants to see"""
_LEAST_LIMIT = 1024**3
_RATIO = 500  # of what a container inflates to and what is stored
_Compressed = Literal["gzip", "bzip2", "xz"]
_COMPRESSED: dict[bytes, _Compressed] = {b"\x1f\x8b\x08": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz"}
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # the first block, or the end of nothing
_DOCUMENTS = ("[Content_Types].xml", "META-INF/MANIFEST.MF", "META-INF/container.xml", "META-INF/manifest.xml")
_REMEMBERED = 8


@dataclass(slots=True)
class Member:
    """What the pass says of one member, or of a container: exactly one row.

    `stream` (seekable) is to be read before the next one is asked for. `container` says it is one itself and was
    opened: what it holds follows. Otherwise `problem` is a reason of `unreadable`.
    """

    location: str
    size: int
    stream: BinaryIO | None = None
    container: Kind | None = None
    problem: str | None = None
    message: str = ""


def kind_of(head: bytes) -> Kind | None:
    """What kind of container begins with these bytes (`HEAD` of them); None for anything else."""
    if head[128:132] == b"DICM":
        return None
    for magic, codec in _COMPRESSED.items():
        if head.startswith(magic):
            return codec if codec != "bzip2" or head[4:10] in _BZIP2_BLOCKS else None
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08") or head[:8] == b"PK00PK\x03\x04":
        return "zip"
    return "tar" if head[257:262] == b"ustar" or _old_tar(head) else None


def members(stream: BinaryIO, location: str) -> Iterator[Member]:
    """The container itself and everything in it, containers in containers to a depth of `DEEPEST`, in one pass.

    `stream` is seekable and begins with what `kind_of` knows. The first answer is the container's own: either
    `container` is set, or `problem` says why nothing in it can be read. A location is ``container!member``; where a
    container can't be followed to its end, a last answer ``container!`` says so. Raises OSError as `stream` does.
    """
    size = stream.seek(0, 2)
    yield from _walk(stream, location, size, 1, max(_LEAST_LIMIT, size * _RATIO))


def open_member(stream: BinaryIO, location: str) -> BinaryIO:
    """One member as a seekable stream that closes `stream`, the object the location lies in.

    Of a compressed tar file everything before the member is inflated, or everything from the last place that this
    process remembers of that file. Raises MemberBroken, and FileNotFoundError for a name that isn't there.
    """
    outer, inner = split(location)
    size = stream.seek(0, 2)
    limit = max(_LEAST_LIMIT, size * _RATIO)
    try:
        here, found = outer, stream
        for name in inner:
            found = _find(found, here, name, limit)
            here += MARK + name
    except BaseException:
        stream.close()
        raise
    return _Opened(found, stream)


def problem_of(error: OSError) -> tuple[str, str]:
    """Reason and message of `unreadable` for an error of a source or one of its containers; no path, no value."""
    if isinstance(error, MemberBroken):
        return error.reason, error.message
    reason = "permission" if isinstance(error, PermissionError) else "io_error"
    return reason, error.strerror or type(error).__name__


def _walk(base: BinaryIO, location: str, size: int, depth: int, limit: int) -> Iterator[Member]:
    try:
        kind = kind_of(_head(base))
        assert kind is not None
        if depth > DEEPEST:
            raise MemberBroken("nested_too_deep", f"a container inside {DEEPEST} others")
        places: Iterator[Place]
        if kind == "zip":
            listed = zip_places(base)
            if _document(base, listed, limit):
                raise MemberBroken("not_dicom", "an office document or program package: no part of it is DICOM")
            places = iter(listed)
        elif kind == "tar":
            places = TarPlaces(keep=False).further(base)
        else:
            base = inflate(base, kind, limit)
            if kind_of(_head(base)) == "tar":
                places = TarPlaces(keep=False).further(base)
            else:
                places = iter([Place(_alone(location), base.seek(0, 2))])
    except MemberBroken as broken:
        yield Member(location, size, problem=broken.reason, message=broken.message)
        return
    yield Member(location, size, container=kind)
    while True:  # a member a step: each is read before the next one is found
        try:
            place = next(places, None)
        except MemberBroken as broken:
            yield Member(location + MARK, 0, problem=broken.reason, message=broken.message)
            return
        if place is None:
            return
        yield from _one(base, place, location + MARK + place.name, depth, limit)


def _one(base: BinaryIO, place: Place, location: str, depth: int, limit: int) -> Iterator[Member]:
    try:
        opened = place.open(base, limit)
        head = _head(opened)
    except MemberBroken as broken:
        yield Member(location, place.size, problem=broken.reason, message=broken.message)
        return
    if kind_of(head) is None:
        yield Member(location, place.size, stream=opened)
    else:
        yield from _walk(opened, location, place.size, depth + 1, limit)


def _alone(location: str) -> str:
    """The name of the one object in a compressed file: that of the file without its ending."""
    name = location.rpartition("/")[2].rpartition(MARK)[2]
    return name.rpartition(".")[0] or name


def _document(base: BinaryIO, places: list[Place], limit: int) -> bool:
    """Whether a zip file is one in name only; the first bytes of each member are looked at, whatever it is called."""
    names = {place.name for place in places}
    if not any(name in names for name in _DOCUMENTS) and not (places and places[0].name == "mimetype"):
        return False
    for place in places:
        try:
            head = _head(place.open(base, limit))
        except MemberBroken:
            continue
        if head[128:132] == b"DICM" or kind_of(head) is not None:
            return False
    return True


def _head(stream: BinaryIO) -> bytes:
    stream.seek(0)
    head = stream.read(HEAD)
    stream.seek(0)
    return head


def _old_tar(head: bytes) -> bool:
    """Whether a tar header from before POSIX, which has no magic: its checksum tells."""
    written = head[148:156].strip(b" \0")
    if len(head) < HEAD or not head[0] or not written or written.strip(b"01234567"):
        return False
    return int(written, 8) == sum(head[:148]) + 8 * 0x20 + sum(head[156:512])


@dataclass(slots=True)
class _Known:
    """What this process remembers of a container, so that members read one after the other don't cost a search each."""

    tar: TarPlaces = field(default_factory=lambda: TarPlaces(keep=True))
    zip: dict[str, Place] | None = None
    marks: Marks = field(default_factory=Marks)
    lock: threading.Lock = field(default_factory=threading.Lock)


_remembered: OrderedDict[str, _Known] = OrderedDict()
_remembering = threading.Lock()


def _known(stream: BinaryIO, location: str, head: bytes) -> _Known:
    # by content where it is cheap to read: a container that was replaced has another beginning, size or end
    size = stream.seek(0, 2)
    stream.seek(max(0, size - 64 * 1024))
    tail = stream.read(64 * 1024)
    key = hashlib.sha256(b"%r %d %r %r" % (location, size, head, tail)).hexdigest()
    with _remembering:
        known = _remembered[key] = _remembered.pop(key) if key in _remembered else _Known()
        while len(_remembered) > _REMEMBERED:
            _remembered.popitem(last=False)
    return known


def _find(base: BinaryIO, location: str, name: str, limit: int) -> BinaryIO:
    head = _head(base)
    kind = kind_of(head)
    if kind is None:
        raise FileNotFoundError(2, "no container any more")
    known = _known(base, location, head)
    with known.lock:
        if kind == "zip":
            if known.zip is None:
                known.zip = {place.name: place for place in zip_places(base)}
            place = known.zip.get(name)
        elif kind == "tar":
            place = _in_tar(known.tar, base, name)
        else:
            base = inflate(base, kind, limit, marks=known.marks)
            if kind_of(_head(base)) == "tar":
                place = _in_tar(known.tar, base, name)
            else:
                place = Place(_alone(location), base.seek(0, 2)) if name == _alone(location) else None
    if place is None:
        raise FileNotFoundError(2, "no such member")
    return place.open(base, limit)


def _in_tar(places: TarPlaces, base: BinaryIO, name: str) -> Place | None:
    if name in places.found:
        return places.found[name]
    return next((place for place in places.further(base) if place.name == name), None)


class _Opened(io.BufferedReader):
    """A member that closes the object it lies in."""

    def __init__(self, part: BinaryIO, outer: BinaryIO) -> None:
        super().__init__(cast(io.RawIOBase, part), 64 * 1024)
        self._outer = outer

    def close(self) -> None:
        """Both."""
        super().close()
        self._outer.close()
