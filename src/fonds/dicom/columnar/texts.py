"""Texts of the kernel's entries: the plain ones as they stand, the others decoded once for each distinct value."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fonds.dicom.charset import DEFAULT, Codec, codec, repair
from fonds.dicom.columnar.compiling import STAMP, kept
from fonds.dicom.columnar.plan import VRS, Bytes, Ints
from fonds.dicom.columnar.sheet import ARENA, CONTEXT, ENTRIES, KIND, LENGTH, OFFSET, TEXT, Growing, put_view
from fonds.dicom.values import TEXT_VRS, as_text, uid_text

Flags = NDArray[np.bool_]


class Texts:
    """Text by number of entry, as Arrow string views (16 bytes) into two buffers."""

    def __init__(self, out: Growing, default_charset: str | None) -> None:
        count = int(out.used[ENTRIES])
        self._entries, self._arena, self._default = out.entries[:count], out.arena, default_charset
        kinds = self._entries[:, KIND]
        self.views = np.zeros((count + 1, 16), dtype=np.uint8)
        """one row more, for no entry (-1)"""
        self.valid = np.zeros(count + 1, dtype=np.uint8)
        self.lengths = np.full(count + 1, -1, dtype=np.int64)
        self.doubtful: Flags = np.zeros(count + 1, dtype=bool)
        self.stored: dict[int, str] = {}
        """bytes of the doubtful ones, hexadecimal"""
        plain = kinds == TEXT
        self.valid[:-1], self.lengths[:-1] = plain, np.where(plain, self._entries[:, LENGTH], -1)
        put_views(self.views, out.arena, self._entries, plain)
        self._codecs: dict[int, Codec] = {}
        self._decoded = bytearray()
        # distinct values only: no loop over objects
        for number in np.flatnonzero((kinds >= 0) & (kinds < CONTEXT)).tolist():
            self._decode(number, int(kinds[number]))
        self._buffers = [pa.py_buffer(out.arena[: max(1, int(out.used[ARENA]))]), pa.py_buffer(bytes(self._decoded))]

    def _decode(self, number: int, kind: int) -> None:
        vr, little, context = VRS[kind & 0xFF], kind >> 8 & 1, kind >> 16
        chosen = self._codec(context) if vr in TEXT_VRS else codec(DEFAULT)
        text, doubtful = as_text(vr, self._raw(number), bool(little), chosen)
        self.doubtful[number] = doubtful
        if doubtful:
            self.stored[number] = self._raw(number).rstrip(b" \0").hex()
        if text is None:
            return
        encoded = text.encode("utf-8")
        view = np.array([len(encoded), 0, 0, 0], dtype="<u4").view(np.uint8)
        head = encoded if len(encoded) <= 12 else encoded[:4]
        view[4 : 4 + len(head)] = np.frombuffer(head, dtype=np.uint8)
        if len(encoded) > 12:
            view[8:] = np.array([1, len(self._decoded)], dtype="<u4").view(np.uint8)
            self._decoded += encoded
        self.views[number], self.valid[number], self.lengths[number] = view, 1, len(encoded)

    def _raw(self, number: int) -> bytes:
        at, length = self._entries[number, OFFSET], self._entries[number, LENGTH]
        return self._arena[at : at + length].tobytes()

    def _codec(self, context: int) -> Codec:
        found = self._codecs.get(context)
        if found is None:
            declared = repair(uid_text(self._raw(context)))
            if not declared and self._default and self._entries[context, KIND] == CONTEXT + 1:
                declared = self._default
            found = self._codecs[context] = codec(declared or DEFAULT)
        return found

    def charsets(self, contexts: Ints) -> tuple[list[str], Ints]:
        """Distinct character sets that were used, and which of them by object."""
        distinct, which = np.unique(contexts, return_inverse=True)
        return [self._codec(context).term for context in distinct.tolist()], which

    def first_said(self, entries: Ints, otherwise: Ints) -> Ints:
        """The entries where they have a text that isn't empty, the others elsewhere."""
        return np.where(self.lengths[entries] > 0, entries, otherwise)

    def of(self, entries: Ints) -> pa.Array:
        """Their texts; NULL where it is -1 or has none."""
        return self.strings(self.views[entries], np.packbits(self.valid[entries], bitorder="little"))

    def strings(self, views: Bytes, valid: Bytes) -> pa.Array:
        """Arrow texts from views, without a copy."""
        buffers = [pa.py_buffer(valid), pa.py_buffer(np.ascontiguousarray(views)), *self._buffers]
        return pa.Array.from_buffers(pa.string_view(), len(views), buffers)


def _put_views(stamp: str):  # type: ignore[no-untyped-def]
    @kept
    def put_views(views: Bytes, arena: Bytes, entries: Ints, chosen: Flags) -> None:
        for number in range(entries.shape[0] if len(stamp) > 0 else 0):
            if chosen[number]:
                put_view(views[number], arena, entries[number, OFFSET], entries[number, LENGTH])

    return put_views


put_views = _put_views(STAMP)
