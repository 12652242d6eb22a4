"""The fast way: a walk over well-formed elements that keeps the bytes of the wanted ones and skips the rest."""

from __future__ import annotations

from struct import Struct

from fonds.dicom.framing import HEAD, UNDEFINED, Frame
from fonds.dicom.parsed import PIXEL_TAGS, Parsed, Wanted
from fonds.dicom.terms import LONG_VRS, SHORT_VRS
from fonds.dicom.values import Elements

MAX_VALUE = 64 * 1024
MAX_SEQUENCE = 64 * 1024 * 1024
MAX_DEPTH = 100
_HEADS = {vr.encode(): (vr, 8) for vr in SHORT_VRS} | {vr.encode(): (vr, 12) for vr in LONG_VRS}
_BLOCKS = range(0x10, 0x100)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD


_HEAD_LENGTHS = {code: head for code, (_, head) in _HEADS.items()}
_VR_NAMES = {code: vr for code, (vr, _) in _HEADS.items()}
_NEVER_TEXT = PIXEL_TAGS | {_ITEM, _ITEM_END, _SEQUENCE_END}
_LOOKED_INTO = frozenset((None, "UN", "SQ"))


class _Odd(Exception):
    """Something a plain data set doesn't hold: the whole object goes to the tolerant reader."""


class _Short(Exception):
    """The bytes at hand end before the sequence does."""


class _Walk:
    """One encoding's way of reading element heads, and the wanted tags as numbers in its byte order."""

    def __init__(self, want: Wanted, implicit: bool, little: bool) -> None:
        order = "<" if little else ">"
        self.implicit, self.want = implicit, want
        self.two_words = Struct(order + "II").unpack_from
        self.explicit = Struct(order + "I2sH").unpack_from
        self.word = Struct(order + "I").unpack_from

        def number(tag: int) -> int:
            # a little-endian tag read as one word has its halves swapped
            return (tag & 0xFFFF) << 16 | tag >> 16 if little else tag

        self.top = {number(tag): tag for tag in want.top | PIXEL_TAGS | {_ITEM, _ITEM_END, _SEQUENCE_END}}
        self.nested = {number(tag): tag for tag in want.nested | {_ITEM, _ITEM_END, _SEQUENCE_END}}
        self.item, self.item_end, self.sequence_end = number(_ITEM), number(_ITEM_END), number(_SEQUENCE_END)
        self.nothing = {number(tag): tag for tag in (_ITEM, _ITEM_END, _SEQUENCE_END)}
        self.number = number
        groups = {word.group for _, word in want.private}
        self.creators = {number(group << 16 | block): group << 16 | block for group in groups for block in _BLOCKS}

    def reserve(self, private: dict[int, int], tag: int, creator: bytes) -> None:
        """Add the private attributes of the block that its creator reserves; the first block counts (PS3.5 7.8.1)."""
        for key, word in self.want.private:
            if (
                word.group == tag >> 16
                and word.creator.encode() == creator.strip(b" \0")
                and key not in private.values()
            ):
                private[self.number(word.group << 16 | (tag & 0xFF) << 8 | word.number)] = key

    def element(self, data: bytes, at: int, end: int) -> tuple[int, str | None, int, int]:
        """Tag number, VR (None when implicit), length and place of the value of the element at `at`."""
        if at + 8 > end:
            raise _Short
        if self.implicit:
            number, length = self.two_words(data, at)
            return number, None, length, at + 8
        number, code, length = self.explicit(data, at)
        if number in (self.item_end, self.sequence_end):
            return number, None, self.word(data, at + 4)[0], at + 8
        known = _HEADS.get(code)
        if known is None:
            raise _Odd
        vr, head = known
        if head == 12:
            if at + 12 > end:
                raise _Short
            length = self.word(data, at + 8)[0]
        return number, vr, length, at + head

    def sequence(
        self, data: bytes, at: int, length: int, keep: dict[int, int], depth: int = 0
    ) -> tuple[list[Elements], int]:
        """The items of the sequence whose value begins at `at`, and where it ends."""
        if depth > MAX_DEPTH:
            raise _Odd
        end = len(data) if length == UNDEFINED else at + length
        if end > len(data):
            raise _Short
        items: list[Elements] = []
        while length == UNDEFINED or at < end:
            if at + 8 > end:
                raise _Short if length == UNDEFINED else _Odd
            number, extent = self.two_words(data, at)
            at += 8
            if number == self.sequence_end and length == UNDEFINED:
                return items, at
            if number != self.item:
                raise _Odd
            if extent != UNDEFINED and not keep.keys() - self.nothing.keys():
                at += extent
            else:
                item, at = self.elements(data, at, extent, keep, depth)
                items.append(item)
            if at > end:
                raise _Short if length == UNDEFINED else _Odd
        return items, at

    def whole_sequence(
        self, frame: Frame, data: bytes, base: int, value: int, length: int, *, keep: dict[int, int]
    ) -> tuple[bytes, int, int, list[Elements]]:
        """A top-level sequence; when the block ends inside it, it is read again in a larger one."""
        count = HEAD if length == UNDEFINED else length
        while True:
            try:
                items, at = self.sequence(data, value, length, keep)
            except _Short:
                if base + len(data) >= frame.size or count > MAX_SEQUENCE:
                    raise _Odd from None
            else:
                return data, base, at, items
            count *= 4 if length == UNDEFINED else 1
            frame.stream.seek(base + value)
            data, base, value = frame.stream.read(count + HEAD), base + value, 0

    def elements(self, data: bytes, at: int, extent: int, keep: dict[int, int], depth: int) -> tuple[Elements, int]:
        """The kept elements of the item whose data set begins at `at`, and where it ends."""
        end = len(data) if extent == UNDEFINED else at + extent
        if end > len(data):
            raise _Short
        found: Elements = {}
        while extent == UNDEFINED or at < end:
            number, vr, length, value = self.element(data, at, end)
            tag = keep.get(number)
            if number == self.item_end and extent == UNDEFINED:
                return found, value
            if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
                raise _Odd
            vr = self.resolved(tag, vr, length, data, value)
            if vr == "SQ" and (tag is not None or length == UNDEFINED):
                items, at = self.sequence(data, value, length, keep if tag is not None else self.nothing, depth + 1)
                if tag is not None:
                    found[tag] = (vr, items)
            else:
                at = value + length
                if at > end:
                    raise _Short if extent == UNDEFINED else _Odd
                if tag is not None:
                    found[tag] = (vr or "UN", data[value:at])
        return found, at

    def resolved(self, tag: int | None, vr: str | None, length: int, data: bytes, value: int) -> str | None:
        """The VR to go by: the dictionary's where the element states none, SQ where items follow."""
        if vr is None:
            vr = self.want.vrs.get(tag) if tag is not None else None
            if vr is None and length == UNDEFINED:
                if value + 4 > len(data):
                    raise _Short
                if self.word(data, value)[0] not in (self.item, self.sequence_end):
                    raise _Odd
                return "SQ"
        elif vr == "UN":
            vr = self.want.vrs.get(tag) if tag is not None else vr
            if vr == "SQ":
                raise _Odd  # implicit VR inside explicit (PS3.5 6.2.2): rare, and pydicom knows how
        if length == UNDEFINED and vr != "SQ":
            raise _Odd
        return vr


def read_strictly(frame: Frame, want: Wanted) -> Parsed | None:
    """The wanted elements of a data set when it is plain, None when anything about it is odd.

    Bytes are read in blocks of 16 KiB; a value that isn't wanted is skipped, however long it is.
    """
    walk = want.walks.get((frame.implicit, frame.little))
    if walk is None:
        walk = want.walks[frame.implicit, frame.little] = _Walk(want, frame.implicit, frame.little)
    try:
        return _top_level(frame, want, walk)
    except (_Odd, _Short):
        return None


def _top_level(frame: Frame, want: Wanted, walk: _Walk) -> Parsed:  # noqa: PLR0912, PLR0915  one loop: a crawl's cost
    data, base, size = frame.head, frame.head_at, frame.size
    at, end = frame.start - base, len(data)
    explicit, word, two_words, heads = walk.explicit, walk.word, walk.two_words, _HEAD_LENGTHS
    implicit, keep, vrs, vr_names = walk.implicit, walk.top, want.vrs, _VR_NAMES
    found: Elements = {}
    private = dict(walk.creators)
    code, head = b"", 8
    while True:
        if at + 12 > end:
            place = base + at
            if place >= size:
                if place > size:
                    raise _Odd
                break
            if base + end < size:
                frame.stream.seek(place)
                data, base, at = frame.stream.read(HEAD), place, 0
                end = len(data)
            if at + 8 > end:
                raise _Odd
        if implicit:
            number, length = two_words(data, at)
        else:
            number, code, length = explicit(data, at)
            head = heads.get(code, 0)
            if head != 8:
                if not head or at + 12 > end:
                    raise _Odd
                length = word(data, at + 8)[0]
        tag = keep.get(number)
        if private and tag is None:
            tag = private.get(number)
        value = at + head
        if tag is None and length != UNDEFINED:
            at = value + length
            continue
        if tag in _NEVER_TEXT:
            if tag not in PIXEL_TAGS or not found:
                raise _Odd
            return Parsed(found, base + at, True)
        vr = None if implicit else vr_names[code]
        if vr in _LOOKED_INTO:
            if value + 8 > end and length:
                data, base, at, value = _refill(frame, base + at, head, HEAD)
                end = len(data)
            vr = walk.resolved(tag, vr, length, data, value)
            if vr == "SQ":
                inner = walk.nested if tag is not None else walk.nothing
                data, base, at, items = walk.whole_sequence(frame, data, base, value, length, keep=inner)
                end = len(data)
                if tag is not None:
                    found[tag] = ("SQ", items)
                continue
        elif length == UNDEFINED:
            raise _Odd
        stop = value + length
        if stop > end:
            if length > MAX_VALUE or base + stop > size:
                raise _Odd
            data, base, at, value = _refill(frame, base + at, head, length + HEAD)
            stop, end = value + length, len(data)
        if number in walk.creators:
            walk.reserve(private, walk.creators[number], data[value:stop])
        elif tag is not None:
            found[tag] = (vr or vrs[tag], data[value:stop])
        at = stop
    if not found:
        raise _Odd
    return Parsed(found, size, False)


def _refill(frame: Frame, place: int, head: int, count: int) -> tuple[bytes, int, int, int]:
    frame.stream.seek(place)
    return frame.stream.read(head + count), place, 0, head
