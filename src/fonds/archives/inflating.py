"""Compressed bytes as a seekable stream, and a part of a stream as a stream of its own; nothing is unpacked to disk."""

from __future__ import annotations

import bz2
import errno
import io
import lzma
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, Protocol

Codec = Literal["gzip", "deflate", "bzip2", "xz"]

_CHUNK = 64 * 1024
_STEP = 16 * 1024 * 1024
_MOST_MARKS = 512  # about 45 KB each
_WINDOW = 1024 * 1024


class MemberBroken(OSError):
    """A container, or what lies in one, can't be read; `reason` is its code in `unreadable`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(errno.EIO, message)
        self.reason = reason
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.reason, self.message)


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused(self) -> bytes: ...

    def feed(self, more: Callable[[], bytes], most: int) -> bytes: ...

    def copy(self) -> _Inflater | None: ...


class _Zlib:
    def __init__(self, bits: int) -> None:
        self._object = zlib.decompressobj(bits)
        self._left = b""
        self._full = False

    @property
    def eof(self) -> bool:
        return self._object.eof

    @property
    def unused(self) -> bytes:
        return self._object.unused_data

    def feed(self, more: Callable[[], bytes], most: int) -> bytes:
        # a full answer may leave output inside with no input left over
        out = self._object.decompress(self._left or (b"" if self._full else more()), most)
        self._left, self._full = self._object.unconsumed_tail, len(out) == most
        return out

    def copy(self) -> _Zlib:
        twin = _Zlib.__new__(_Zlib)
        twin._object, twin._left, twin._full = self._object.copy(), self._left, self._full
        return twin


class _Whole:
    """bzip2 and xz: their states can't be copied."""

    def __init__(self, made: Any) -> None:
        self._object = made

    @property
    def eof(self) -> bool:
        return bool(self._object.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._object.unused_data)

    def feed(self, more: Callable[[], bytes], most: int) -> bytes:
        return bytes(self._object.decompress(more() if self._object.needs_input else b"", most))

    def copy(self) -> None:
        return None


_START: dict[Codec, Callable[[], _Inflater]] = {
    "gzip": lambda: _Zlib(31),
    "deflate": lambda: _Zlib(-zlib.MAX_WBITS),
    "bzip2": lambda: _Whole(bz2.BZ2Decompressor()),
    "xz": lambda: _Whole(lzma.LZMADecompressor(lzma.FORMAT_XZ)),
}
_AGAIN: dict[Codec, bytes] = {"gzip": b"\x1f\x8b", "bzip2": b"BZh", "xz": b"\xfd7zXZ"}
"""what another stream behind the first one begins with"""


@dataclass(slots=True)
class Marks:
    """States of an inflater along the way, so that going back doesn't mean starting over; shared by threads."""

    step: int = _STEP
    places: list[tuple[int, int, _Inflater]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, out: int, read: int, inflater: _Inflater) -> None:
        """Remember the state when the last one is far enough away; every second is given up when there are many."""
        with self._lock:
            if out < (self.places[-1][0] if self.places else 0) + self.step or (twin := inflater.copy()) is None:
                return
            self.places.append((out, read, twin))
            if len(self.places) > _MOST_MARKS:
                self.places = self.places[1::2]
                self.step *= 2

    def before(self, out: int) -> tuple[int, int, _Inflater] | None:
        """The last state at or before a place in what was inflated."""
        with self._lock:
            mark = next((mark for mark in reversed(self.places) if mark[0] <= out), None)
            return None if mark is None else (mark[0], mark[1], mark[2].copy() or mark[2])


def inflate(
    stream: BinaryIO, codec: Codec, limit: int, *, begin: int = 0, end: int | None = None, marks: Marks | None = None
) -> BinaryIO:
    """What the bytes from `begin` to `end` of a seekable stream inflate to, as a seekable stream.

    Going forward inflates, holding nothing; going back starts at the last mark (of bzip2 and xz: at the beginning).
    Reading raises MemberBroken: ``container_damaged``, and ``too_large`` beyond `limit` bytes.
    """
    return io.BufferedReader(_Inflated(stream, codec, limit, (begin, end), marks or Marks()), _CHUNK)


def part(stream: BinaryIO, offset: int, size: int, crc: int | None = None) -> BinaryIO:
    """`size` bytes of a seekable stream from `offset` on, as a seekable stream that leaves the other open.

    Reading raises MemberBroken (``container_damaged``) when the stream ends before the part does, or when the bytes,
    read once from the first to the last, haven't the checksum `crc`.
    """
    return io.BufferedReader(_Part(stream, offset, size, crc), _CHUNK)


class _Inflated(io.RawIOBase):
    def __init__(self, stream: BinaryIO, codec: Codec, limit: int, span: tuple[int, int | None], marks: Marks) -> None:
        super().__init__()
        self._stream, self._codec, self._limit, self._marks = stream, codec, limit, marks
        self._begin, self._end = span
        self._position = 0
        self._size: int | None = None
        self._out, self._read, self._inflater = 0, span[0], _START[codec]()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Only notes the place; but the end has to be found by inflating."""
        base = (0, self._position, self._whole() if whence == 2 else 0)[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def readinto(self, into: Any) -> int:
        """As many bytes as come at once."""
        view = memoryview(into).cast("B")
        self._go_to(self._position)
        data = self._next(len(view)) if self._out == self._position else b""
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _whole(self) -> int:
        if self._size is None:
            while self._next(_CHUNK * 4):
                pass
            self._size = self._out
        return self._size

    def _go_to(self, place: int) -> None:
        mark = self._marks.before(place)
        if place < self._out or (mark is not None and mark[0] > self._out + self._marks.step):
            self._out, self._read, self._inflater = mark or (0, self._begin, _START[self._codec]())
        while self._out < place and self._next(min(place - self._out, _CHUNK * 4)):
            pass

    def _next(self, most: int) -> bytes:
        data = b""
        try:
            while not data and most:
                if self._inflater.eof and not self._another():
                    return b""
                data = self._inflater.feed(self._more, most)
        except (zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
            raise MemberBroken("container_damaged", f"compressed data can't be inflated ({self._codec})") from error
        except OSError as error:
            if error.errno is not None:  # the disk's, not bz2's, which has no number
                raise
            raise MemberBroken("container_damaged", f"compressed data can't be inflated ({self._codec})") from error
        self._out += len(data)
        if self._out > self._limit:
            raise MemberBroken("too_large", f"inflates to more than {self._limit} bytes, far beyond what is stored")
        self._marks.add(self._out, self._read, self._inflater)
        return data

    def _more(self) -> bytes:
        self._stream.seek(self._read)
        most = _CHUNK if self._end is None else min(_CHUNK, self._end - self._read)
        data = self._stream.read(most) if most > 0 else b""
        if not data:
            raise MemberBroken("container_damaged", f"compressed data ends early ({self._codec})")
        self._read += len(data)
        return data

    def _another(self) -> bool:
        # several streams one behind the other are one (RFC 1952 2.2); what else follows is padding or rubbish
        start = _AGAIN.get(self._codec)
        if start is None:
            return False
        rest = self._inflater.unused
        if len(rest) < len(start):
            self._stream.seek(self._read)
            rest += self._stream.read(len(start) - len(rest))
        if not rest.startswith(start):
            return False
        self._read -= len(self._inflater.unused)
        self._inflater = _START[self._codec]()
        return True


class _Part(io.RawIOBase):
    """What is near its beginning is kept, for readers that go back to it."""

    def __init__(self, stream: BinaryIO, offset: int, size: int, crc: int | None) -> None:
        super().__init__()
        self._stream, self._offset, self._size, self._crc = stream, offset, size, crc
        self._position = 0
        self._head = bytearray()
        self._summed, self._sum = 0, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Only notes the place."""
        self._position = max(0, (0, self._position, self._size)[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._position

    def readinto(self, into: Any) -> int:
        """As many bytes as come at once."""
        view = memoryview(into).cast("B")
        most = min(len(view), self._size - self._position)
        if most <= 0:
            return 0
        if self._position < len(self._head):
            data = bytes(self._head[self._position : self._position + most])
        else:
            data = self._fetch(most)
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _fetch(self, most: int) -> bytes:
        self._stream.seek(self._offset + self._position)
        data = self._stream.read(most)
        if not data:
            missing = self._size - self._position
            raise MemberBroken("container_damaged", f"the container ends {missing} bytes before this member does")
        if self._position == len(self._head) and len(self._head) < _WINDOW:
            self._head += data
        if self._position == self._summed:
            self._sum = zlib.crc32(data, self._sum)
            self._summed += len(data)
            if self._summed == self._size and self._crc is not None and self._crc != self._sum:
                raise MemberBroken("container_damaged", "the member's bytes haven't the checksum the container names")
        return data
