"""The DICOM upper layer for the data path: one association that sends C-STORE requests from memory and from files.

PS3.8 section 9 (PDUs) and PS3.7 section 9.3.1 (C-STORE). Queries and the rest of DIMSE are pynetdicom's (`dimse.py`);
this exists because the data path was measured at several times its rate, and in bounded memory.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable, Iterator

from fonds.archives.base import Kind
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import DicomTarget

CONTEXTS = 128
_APPLICATION = b"1.2.840.10008.3.1.1.1"
_IMPLEMENTATION = b"2.25.219571884650237915643820514739042815276"
_OUR_PDU = 16384
_MAX_ANSWER = 1 << 20
_WRITING = 10_000_000
"""Bytes a second that a target, which answers when it has written the object, may take at the slowest."""


class Association:
    """An open association; not for several threads. Raises ArchiveUnreachable when it can't be opened."""

    def __init__(self, target: DicomTarget, kinds: Iterable[Kind]) -> None:
        self.where = f"{target.called_ae} at {target.host}:{target.port}"
        self.proposed = {2 * number + 1: kind for number, kind in enumerate(sorted(kinds, key=repr)[:CONTEXTS])}
        try:
            self.socket = socket.create_connection((target.host, target.port), target.timeout)
        except OSError as error:
            raise self._unreachable(type(error).__name__) from error
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.contexts: dict[Kind, int] = {}
        self.limit = _OUR_PDU
        self.message = 0
        try:
            self.socket.sendall(self._request(target.called_ae, target.calling_ae))
            kind, body = self._pdu()
        except OSError as error:
            self.abort()
            raise self._unreachable(type(error).__name__) from error
        if kind != 2:
            self.abort()
            what = f"rejected, reason {body[3]}" if kind == 3 and len(body) > 3 else "aborted"
            raise self._unreachable(f"the association was {what}; check the AE titles on both sides")
        self._accepted(body)

    def store(self, kind: Kind, sop_uid: str, length: int, blocks: Iterable[bytes]) -> int:
        """Send one object and wait for its status. Raises OSError (also on a timeout) when the answer is unknown.

        The target has the longer to answer the larger the object is: many write it only when all of it is there.
        """
        self.message = self.message % 65535 + 1
        context = self.contexts[kind]
        self._send(self._command(context, kind, sop_uid))
        size = self.limit - 6
        held = bytearray()
        left = length
        # buffers of whole PDUs: a gathered write each, nothing of the object kept longer
        for block in blocks:
            left -= len(block)
            view = memoryview(block)
            if held:
                need = size - len(held)
                held += view[:need]
                view = view[need:]
                if len(held) < size:
                    continue
                self._send([_head(context, 0 if left or len(view) else 2, len(held)), bytes(held)])
                held.clear()
            whole = len(view) // size * size
            if whole == len(view) and not left:
                whole -= size if whole else 0
            self._fragments(context, view[:whole], size)
            held += view[whole:]
        if held or not length:
            self._send([_head(context, 2, len(held)), bytes(held)])
        patience = self.socket.gettimeout()
        self.socket.settimeout((patience or 0) + length / _WRITING)
        try:
            return self._status()
        finally:
            self.socket.settimeout(patience)

    def release(self) -> None:
        """Close in order: an archive may complete a study on release."""
        with contextlib.suppress(OSError):
            self.socket.sendall(struct.pack(">BxI4x", 5, 4))
            self._pdu()
        self.socket.close()

    def abort(self) -> None:
        """Close at once."""
        with contextlib.suppress(OSError):
            self.socket.sendall(struct.pack(">BxI4x", 7, 4))
        self.socket.close()

    def _fragments(self, context: int, view: memoryview, size: int) -> None:
        if not len(view):
            return
        head = _head(context, 0, size)
        buffers: list[bytes | memoryview] = []
        for at in range(0, len(view), size):
            buffers += [head, view[at : at + size]]
        self._send(buffers)

    def _send(self, buffers: list[bytes] | list[bytes | memoryview]) -> None:
        for at in range(0, len(buffers), 512):  # within IOV_MAX
            part = [memoryview(buffer) for buffer in buffers[at : at + 512] if len(buffer)]
            while part:
                sent = self.socket.sendmsg(part)
                while part and sent >= len(part[0]):
                    sent -= len(part.pop(0))
                if sent:
                    part[0] = part[0][sent:]

    def _request(self, called: str, calling: str) -> bytes:
        contexts = b"".join(
            _item(
                0x20,
                struct.pack(">B3x", number)
                + _item(0x30, kind.sop_class_uid.encode("ascii", "replace"))
                + _item(0x40, kind.transfer_syntax.encode("ascii", "replace")),
            )
            for number, kind in self.proposed.items()
        )
        user = _item(0x51, struct.pack(">I", _OUR_PDU)) + _item(0x52, _IMPLEMENTATION) + _item(0x55, b"FONDS")
        body = struct.pack(">HH16s16s32x", 1, 0, called.encode().ljust(16), calling.encode().ljust(16))
        body += _item(0x10, _APPLICATION) + contexts + _item(0x50, user)
        return struct.pack(">BxI", 1, len(body)) + body

    def _accepted(self, body: bytes) -> None:
        for kind, content in _items(body[68:]):
            if kind == 0x21 and content[2] == 0 and content[0] in self.proposed:
                self.contexts[self.proposed[content[0]]] = content[0]
            elif kind == 0x50:
                for sub, value in _items(content):
                    if sub == 0x51:
                        # 0 means no limit; beyond a MiB a larger PDU brings nothing
                        self.limit = min(struct.unpack(">I", value)[0] or 1 << 20, 1 << 20)

    def _command(self, context: int, kind: Kind, sop_uid: str) -> list[bytes]:
        elements = b"".join(
            (
                _element(0x0002, _even(kind.sop_class_uid)),
                _element(0x0100, struct.pack("<H", 1)),
                _element(0x0110, struct.pack("<H", self.message)),
                _element(0x0700, struct.pack("<H", 0)),
                _element(0x0800, struct.pack("<H", 1)),
                _element(0x1000, _even(sop_uid)),
            )
        )
        content = _element(0, struct.pack("<I", len(elements))) + elements
        return [_head(context, 3, len(content)), content]

    def _status(self) -> int:
        content = b""
        while True:
            kind, body = self._pdu()
            if kind != 4:
                raise ConnectionAbortedError("the association ended without an answer")
            at = 0
            while at + 6 <= len(body):
                length, flags = struct.unpack_from(">IxB", body, at)
                content += body[at + 6 : at + 4 + length] if flags & 1 else b""
                at += 4 + length
                if flags == 3:
                    return self._answer(content)
            if len(content) > _MAX_ANSWER:
                raise ConnectionAbortedError("an answer without an end")

    def _answer(self, content: bytes) -> int:
        values: dict[int, bytes] = {}
        at = 0
        while at + 8 <= len(content):
            number, length = struct.unpack_from("<2xHI", content, at)
            values[number] = content[at + 8 : at + 8 + length]
            at += 8 + length
        if values.get(0x0120) != struct.pack("<H", self.message) or len(values.get(0x0900, b"")) != 2:
            raise ConnectionAbortedError("an answer to another message, or without a status")
        return int(struct.unpack("<H", values[0x0900])[0])

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxI", self._receive(6))
        if length > _MAX_ANSWER:
            raise ConnectionAbortedError("a PDU longer than any we asked for")
        return kind, self._receive(length)

    def _receive(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            # Against a target whose Nagle waits for our delayed ACK; Linux forgets it, so before each read
            if hasattr(socket, "TCP_QUICKACK"):
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            block = self.socket.recv(count - len(found))
            if not block:
                raise ConnectionResetError("the target closed the connection")
            found += block
        return found

    def _unreachable(self, why: str) -> ArchiveUnreachable:
        return ArchiveUnreachable(f"target {self.where} can't be reached: {why}", target=self.where)


def _head(context: int, flags: int, length: int) -> bytes:
    return struct.pack(">BxIIBB", 4, length + 6, length + 2, context, flags)


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def _items(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(body):
        kind, length = struct.unpack_from(">BxH", body, at)
        yield kind, body[at + 4 : at + 4 + length]
        at += 4 + length


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHI", 0, number, len(value)) + value


def _even(uid: str) -> bytes:
    raw = uid.encode("ascii", "replace")
    return raw + b"\0" * (len(raw) % 2)
