"""Columns of prepared records as numbers: equal values have equal codes, so that pairs are compared without text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl
from anyascii import anyascii

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Masks = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

Kind = TypeVar("Kind", bound=np.generic)

MISSING = -1
# Digits only, as prepared: the number itself is the code.
NUMBERS = ("birth_date", "birth_year", "birth_day")
# Columns whose values are compared with each other have one vocabulary: names may stand in each other's place.
_TOGETHER = (
    ("family", "given", "given_first"),
    ("family_spelling", "given_spelling"),
    ("family_code", "given_code"),
    ("family_forms", "given_forms"),
)


@dataclass(frozen=True)
class Words:
    """The values of a vocabulary by code, folded to ASCII so that bytes are characters."""

    text: pl.Series
    _endings: dict[int, Ints] = field(default_factory=dict)

    def endings(self, length: int) -> Ints:
        """A code for the last so many characters, MISSING for words that are shorter."""
        if length not in self._endings:
            long = pl.Series(self.lengths >= length)
            self._endings[length] = encode(
                self.text.str.tail(length).zip_with(long, pl.Series([None], dtype=pl.String))
            )[0]
        return self._endings[length]

    @cached_property
    def traits(self) -> Masks:
        """By word: bit `byte % 64` for each byte that occurs; then length * 65536 + its first two bytes."""
        bits = np.uint64(1) << (self._bytes & 63).astype(np.uint64)
        letters = np.bitwise_or.reduceat(bits, self._offsets[:-1]) if len(self.text) else bits[:0]
        letters[self.lengths == 0] = 0
        return np.column_stack([letters, (self.lengths << 16 | self.starts).astype(np.uint64)])

    @cached_property
    def lengths(self) -> Ints:
        """Characters of each word."""
        return np.diff(self._offsets).astype(np.int32)

    @cached_property
    def starts(self) -> Ints:
        """The first two bytes as one number; a word of one letter has its own."""
        first = self._bytes[self._offsets[:-1]].astype(np.int32) << 8
        second = self._bytes[np.minimum(self._offsets[:-1] + 1, len(self._bytes) - 1)]
        return first | np.where(self.lengths > 1, second, 0)

    @cached_property
    def _offsets(self) -> Longs:
        return np.concatenate([[0], np.cumsum(self.text.str.len_bytes().to_numpy(), dtype=np.int64)])

    @cached_property
    def _bytes(self) -> npt.NDArray[np.uint8]:
        # one byte more: an empty last word begins behind the others
        return np.frombuffer("".join(self.text.to_list()).encode() + b"\0", dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Lists:
    """A list column: row n has `items[offsets[n]:offsets[n + 1]]`; `masks` has bit `code % 64` of each item."""

    offsets: Longs
    items: Ints
    masks: Masks
    rare: bool
    """whether most rows have no item"""

    def padded(self, rows: Longs, width: int) -> Ints:
        """The items of these rows side by side, MISSING behind the last."""
        at = self.offsets[rows][:, None] + np.arange(width)
        inside = at < self.offsets[rows + 1][:, None]
        return np.where(inside, self.items[np.minimum(at, max(len(self.items) - 1, 0))], MISSING)

    def lengths(self, rows: Longs) -> Longs:
        """How many items these rows have."""
        return self.offsets[rows + 1] - self.offsets[rows]


class Vocabulary:
    """Codes of the columns of prepared records, made when first asked for."""

    def __init__(self, prepared: pl.DataFrame) -> None:
        self.height = prepared.height
        self._prepared = prepared
        self._codes: dict[str, Ints] = {}
        self._lists: dict[str, Lists] = {}
        self._words: dict[str, Words] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Without the records: who compares elsewhere needs their codes only."""
        return {**self.__dict__, "_prepared": None}

    def codes(self, column: str) -> Ints:
        """The code of each record's value, MISSING where there is none; in as few bytes as do."""
        if column not in self._codes:
            if column in NUMBERS:
                number = self._prepared[column].cast(pl.Int32, strict=False)
                self._codes[column] = number.fill_null(MISSING).to_numpy()
            else:
                self._encode(column)
        return self._codes[column]

    def words(self, column: str) -> Words:
        """The values behind a column's codes."""
        self.codes(column)
        return self._words[column]

    def lists(self, column: str) -> Lists:
        """A list column of each record."""
        if column not in self._lists:
            self._encode_lists(column)
        return self._lists[column]

    def flags(self, column: str) -> Flags:
        """A Boolean column, NULL being false."""
        return self._prepared[column].fill_null(False).to_numpy()

    def _encode(self, column: str) -> None:
        columns = next((group for group in _TOGETHER if column in group), (column,))
        together = pl.concat([self._prepared[name].cast(pl.String).rename("") for name in columns])
        codes, values = encode(together)
        # the fewer bytes, the more records stay near the processor
        codes = codes.astype(np.min_scalar_type(-len(values) - 1))
        words = Words(_ascii(values))
        for number, name in enumerate(columns):
            self._codes[name] = codes[number * self.height : (number + 1) * self.height]
            self._words[name] = words

    def _encode_lists(self, column: str) -> None:
        columns = next((group for group in _TOGETHER if column in group), (column,))
        lengths = [self._prepared[name].list.len().fill_null(0).to_numpy() for name in columns]
        items = pl.concat(
            [
                self._prepared[name].filter(size > 0).explode().rename("")
                for name, size in zip(columns, lengths, strict=True)
            ]
        )
        codes, _ = encode(items)
        masks = np.uint64(1) << (codes & 63).astype(np.uint64)
        first = 0
        for name, size in zip(columns, lengths, strict=True):
            offsets = np.concatenate([[0], np.cumsum(size, dtype=np.int64)])
            last = first + int(offsets[-1])
            found = np.zeros(self.height, dtype=np.uint64)
            filled = np.flatnonzero(size)
            if len(filled):
                found[filled] = np.bitwise_or.reduceat(masks[first:last], offsets[filled])
            self._lists[name] = Lists(offsets, codes[first:last], found, len(filled) < self.height // 2)
            first = last


def encode(values: pl.Series) -> tuple[Ints, pl.Series]:
    """Codes by row (MISSING for NULL) and the distinct values by code."""
    rows = np.flatnonzero(values.is_not_null().to_numpy())
    found = values.drop_nulls() if len(rows) < len(values) else values
    if not len(rows):
        return np.full(len(values), MISSING, dtype=np.int32), found
    numbers, first = _by_hash(found)
    if len(rows) == len(values):
        return numbers, found.gather(first)
    codes = np.full(len(values), MISSING, dtype=np.int32)
    codes[rows] = numbers
    return codes, found.gather(first)


def _by_hash(values: pl.Series) -> tuple[Ints, Longs]:
    """Equal values have equal numbers; and where each number is first met. A second hash tells when two values have one
    hash: then it's done the slow way."""
    hashes, check = values.hash(0).to_numpy(), values.hash(1).to_numpy()
    bits = np.uint64(len(values).bit_length())
    rows = (np.uint64(1) << bits) - np.uint64(1)
    # a number that holds most of the hash and the row sorts several times as fast as an index does
    mixed = np.sort(hashes & ~rows | np.arange(len(values), dtype=np.uint64))
    order, tops = (mixed & rows).astype(np.int64), mixed >> bits
    numbers, first = numbered(order, tops)
    if not np.array_equal(at(check[first], numbers), check):
        order = np.argsort(hashes, kind="stable")
        numbers, first = numbered(order, hashes[order])
        if not np.array_equal(at(check[first], numbers), check):
            numbers = (values.rank("dense") - 1).cast(pl.Int32).to_numpy()
            first = np.zeros(int(numbers.max()) + 1, dtype=np.int64)
            first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return numbers, first


def numbered(order: Longs, keys: npt.NDArray[Any]) -> tuple[Ints, Longs]:
    """Numbers 0, 1, … by row for rows in this order with these sorted keys; and the first row of each number."""
    new = np.empty(len(keys), dtype=np.bool_)
    new[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    numbers = np.empty(len(keys), dtype=np.int32)
    numbers[order] = np.cumsum(new, dtype=np.int32) - 1
    return numbers, order[new]


def at(values: npt.NDArray[Kind], rows: npt.NDArray[Any]) -> npt.NDArray[Kind]:
    """`values[rows]` for rows that are sure to exist: not to check that, and indexes of the machine's own size, takes a
    third of the time."""
    return values.take(rows, axis=0, mode="clip")


def distinct(values: npt.NDArray[Kind]) -> npt.NDArray[Kind]:
    """Sorted distinct values; NumPy's own `unique` hashes, which takes twenty times as long."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    return ordered[new]


def pack(columns: Sequence[tuple[Ints | Longs, int]]) -> tuple[Longs, int]:
    """One number for several codes (each with the number of its values), MISSING where any is; and how many there
    can be. Raises OverflowError when that doesn't fit 63 bits."""
    total, size = columns[0][0].astype(np.int64), columns[0][1]
    for codes, count in columns[1:]:
        size *= count
        if size >= 1 << 63:
            raise OverflowError("too many values for one key")
        missing = (total < 0) | (codes < 0)
        total *= count
        total += codes
        total[missing] = MISSING
    return total, size


def _ascii(values: pl.Series) -> pl.Series:
    """DuckDB measures bytes: what isn't ASCII is folded, in a loop since such values are few and nothing else can."""
    other = np.flatnonzero((values.str.len_bytes() != values.str.len_chars()).to_numpy())
    if not len(other):
        return values
    texts = values.to_list()
    for place in other.tolist():
        texts[place] = anyascii(texts[place])
    return pl.Series(texts, dtype=pl.String)
