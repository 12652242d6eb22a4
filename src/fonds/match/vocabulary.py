"""Columns of prepared records as numbers: equal values have equal codes, so that pairs are compared without text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
from anyascii import anyascii

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Masks = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

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
    """The values of a vocabulary by code, folded to ASCII so that bytes are characters, and what is soon asked of them:
    which bytes occur (bit `byte % 64`), length, first byte."""

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
    def letters(self) -> Masks:
        bits = np.uint64(1) << (self._bytes & 63).astype(np.uint64)
        found = np.bitwise_or.reduceat(bits, self._offsets[:-1]) if len(self.text) else bits[:0]
        found[self.lengths == 0] = 0
        return found

    @cached_property
    def lengths(self) -> Ints:
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

    def padded(self, rows: Ints, width: int) -> Ints:
        """The items of these rows side by side, MISSING behind the last."""
        at = self.offsets[rows][:, None] + np.arange(width)
        inside = at < self.offsets[rows + 1][:, None]
        return np.where(inside, self.items[np.minimum(at, max(len(self.items) - 1, 0))], MISSING)

    def lengths(self, rows: Ints) -> Longs:
        """How many items these rows have."""
        return self.offsets[rows + 1] - self.offsets[rows]


class Vocabulary:
    """Codes of the columns of prepared records, made when first asked for."""

    def __init__(self, prepared: pl.DataFrame) -> None:
        self.height = prepared.height
        if "ids" not in prepared.columns:
            own = pl.concat_list(pl.concat_str("issuer", "patient_id", separator="\x1f")).list.drop_nulls()
            prepared = prepared.with_columns(own.alias("ids"))
        self._prepared = prepared
        self._codes: dict[str, Ints] = {}
        self._lists: dict[str, Lists] = {}
        self._words: dict[str, Words] = {}

    def codes(self, column: str) -> Ints:
        """The code of each record's value, MISSING where there is none."""
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
            self._lists[name] = Lists(offsets, codes[first:last], found)
            first = last


def encode(values: pl.Series) -> tuple[Ints, pl.Series]:
    """Codes by row (MISSING for NULL) and the distinct values by code."""
    rows = np.flatnonzero(values.is_not_null().to_numpy())
    found = values.drop_nulls() if len(rows) < len(values) else values
    codes = np.full(len(values), MISSING, dtype=np.int32)
    if not len(rows):
        return codes, found
    hashes = found.hash().to_numpy()
    order = np.argsort(hashes)
    new = np.empty(len(order), dtype=np.bool_)
    new[0] = True
    np.not_equal(hashes[order[1:]], hashes[order[:-1]], out=new[1:])
    numbers = np.empty(len(order), dtype=np.int32)
    numbers[order] = np.cumsum(new, dtype=np.int32) - 1
    distinct = found.gather(order[new])
    if not (distinct.gather(numbers) == found).all():  # two values of one hash: hardly ever, and then the slow way
        distinct = found.unique().sort()
        numbers = (found.rank("dense") - 1).cast(pl.Int32).to_numpy()
    codes[rows] = numbers
    return codes, distinct


def pack(columns: Sequence[tuple[Ints, int]]) -> tuple[Longs, int]:
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
