"""Measures of likeness over pairs of codes. What numbers can rule out is ruled out before any text is looked at."""

from __future__ import annotations

from functools import cached_property

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.match.vocabulary import Flags, Ints, Lists, Longs, Masks, Words, at

Octets = npt.NDArray[np.uint8]

_SLACK = 1e-6
_PREFIX_GAIN = 0.4  # Jaro-Winkler adds at most four letters' worth of a tenth of what Jaro leaves


class Texts:
    """Pairs of words of one vocabulary by code, no code being MISSING."""

    def __init__(self, words: Words, x: Ints, y: Ints, connection: duckdb.DuckDBPyConnection) -> None:
        self.words, self.connection = words, connection
        self.x, self.y = x.astype(np.intp), y.astype(np.intp)

    @cached_property
    def _traits(self) -> tuple[Masks, Masks]:
        return at(self.words.traits, self.x), at(self.words.traits, self.y)

    @cached_property
    def _lengths(self) -> tuple[Ints, Ints]:
        x, y = self._traits
        return (x[:, 1] >> np.uint64(16)).astype(np.int32), (y[:, 1] >> np.uint64(16)).astype(np.int32)

    @cached_property
    def _own(self) -> tuple[Octets, Octets]:
        """Letters that occur only in the one word, and only in the other."""
        x, y = self._traits[0][:, 0], self._traits[1][:, 0]
        return np.bitwise_count(x & ~y), np.bitwise_count(y & ~x)

    def endings(self, length: int) -> Longs:
        """Places where the last so many characters are one."""
        codes = self.words.endings(length)
        x, y = at(codes, self.x), at(codes, self.y)
        return np.flatnonzero((x == y) & (x >= 0))

    @cached_property
    def shortest(self) -> Ints:
        """Length of the shorter word."""
        return np.minimum(*self._lengths)

    @cached_property
    def begin_alike(self) -> Flags:
        """Whether the first letters are one."""
        x, y = self._traits
        begin: Flags = ((x[:, 1] ^ y[:, 1]) & np.uint64(0xFF00)) == 0
        return begin

    @cached_property
    def _bound(self) -> npt.NDArray[np.float32]:
        """Jaro-Winkler similarity is at most this: letters that only one word has can't match."""
        (long_x, long_y), (own_x, own_y) = self._lengths, self._own
        match = np.minimum(long_x - own_x, long_y - own_y).astype(np.float32)
        jaro = (match / np.maximum(long_x, 1) + match / np.maximum(long_y, 1) + 1) / 3
        jaro += np.where(self.begin_alike, (1 - jaro) * np.float32(_PREFIX_GAIN), np.float32(0))
        bound: npt.NDArray[np.float32] = jaro
        return bound

    def similar(self, at_least: float, among: Flags | None = None) -> Longs:
        """Places with a Jaro-Winkler similarity of at least so much."""
        possible = self._bound >= at_least - _SLACK
        if among is not None:
            possible &= among
        places = np.flatnonzero(possible)
        return places[self._ask(f"jaro_winkler_similarity(x, y) >= {at_least!r}", places)]

    def edits(self, at_most: int, shortest: int) -> Longs:
        """Places at most so many slips (a letter added, left out, changed, or two changing places) apart, in words of
        that length at least."""
        (long_x, long_y), (own_x, own_y) = self._lengths, self._own
        # one slip brings at most one new letter into each word
        possible = (np.maximum(own_x, own_y) <= at_most) & (np.abs(long_x - long_y) <= at_most)
        possible &= self.shortest >= shortest
        places = np.flatnonzero(possible)
        return places[self._ask(f"damerau_levenshtein(x, y) <= {at_most}", places)]

    def _ask(self, condition: str, places: Longs) -> Flags:
        if not len(places):
            return np.zeros(0, dtype=np.bool_)
        text = self.words.text
        pairs = pl.DataFrame({"x": text.gather(self.x[places]), "y": text.gather(self.y[places])}).to_arrow()
        self.connection.register("texts", pairs)
        found = self.connection.execute(f"SELECT {condition} AS holds FROM texts").fetchnumpy()["holds"]
        self.connection.unregister("texts")
        return np.asarray(found, dtype=np.bool_)


def share(left: Lists, right: Lists, x: Longs, y: Longs) -> Longs:
    """Places where row x of the one list column and row y of the other have an item in common."""
    mask = at(left.masks, x)
    if left.rare:
        places = np.flatnonzero(mask)
        places = places[(mask[places] & at(right.masks, y[places])) != 0]
    else:
        places = np.flatnonzero(mask & at(right.masks, y))
    a, b = _items(left, right, x[places], y[places])
    shared: Longs = places[((a[:, :, None] == b[:, None, :]) & (a >= 0)[:, :, None]).any(axis=(1, 2))]
    return shared


def contain(column: Lists, x: Longs, y: Longs) -> Longs:
    """Places where all items of one row are among the other's; an empty row contains nothing and is in none."""
    mask_x, mask_y = at(column.masks, x), at(column.masks, y)
    either = ((mask_x & ~mask_y) == 0) | ((mask_y & ~mask_x) == 0)
    places = np.flatnonzero(either & (mask_x != 0) & (mask_y != 0))
    a, b = _items(column, column, x[places], y[places])
    same = a[:, :, None] == b[:, None, :]
    within: Longs = places[(same.any(axis=2) | (a < 0)).all(axis=1) | (same.any(axis=1) | (b < 0)).all(axis=1)]
    return within


def alike(column: Lists, x: Longs, y: Longs) -> Longs:
    """Places where both rows have the same items in the same order, and any."""
    mask = at(column.masks, x)
    places = np.flatnonzero((mask == at(column.masks, y)) & (mask != 0))
    a, b = _items(column, column, x[places], y[places])
    equal: Longs = places[(a == b).all(axis=1)]
    return equal


def _items(left: Lists, right: Lists, x: Longs, y: Longs) -> tuple[Ints, Ints]:
    width = int(max(left.lengths(x).max(initial=0), right.lengths(y).max(initial=0)))
    return left.padded(x, width), right.padded(y, width)


class Dates:
    """Pairs of days written as YYYYMMDD numbers, none missing."""

    def __init__(self, x: Ints, y: Ints) -> None:
        self.x, self.y = x, y

    @cached_property
    def _years(self) -> Ints:
        years: Ints = np.abs(self.x // 10_000 - self.y // 10_000)
        return years

    def swapped(self) -> Longs:
        """Day and month in each other's place."""
        near = np.flatnonzero(self._years == 0)
        x, y = self.x[near], self.y[near]
        swapped: Longs = near[(x // 100 % 100 == y % 100) & (x % 100 == y // 100 % 100)]
        return swapped

    def digits(self, years: int) -> Longs:
        """One digit, or the order of two neighbouring ones, differs, and the years are less than so many apart."""
        near = np.flatnonzero(self._years < years)
        x, y = nibbles(self.x[near]), nibbles(self.y[near])
        other = x ^ y
        spread = other | other >> 1
        spread |= spread >> 2
        count = np.bitwise_count(spread & np.uint32(0x11111111))
        one = count == 1
        two = np.flatnonzero(count == 2)
        place = spread[two] & np.uint32(0x11111111)
        low = place & (~place + np.uint32(1))
        neighbours = place == (low | low << np.uint32(4))
        digits_x, digits_y = x[two] // low & np.uint32(0xFF), y[two] // low & np.uint32(0xFF)
        one[two] = neighbours & (digits_x >> 4 == (digits_y & 15)) & ((digits_x & 15) == digits_y >> 4)
        digits: Longs = near[one]
        return digits

    def first_of_year(self) -> Longs:
        """The same year, and one of the two is its first day, as where only the year was known."""
        same = np.flatnonzero(self._years == 0)
        first: Longs = same[(self.x[same] % 10_000 == 101) | (self.y[same] % 10_000 == 101)]
        return first

    def apart(self, years: int) -> Longs:
        """At least so many years apart."""
        return np.flatnonzero(self._years >= years)


def nibbles(dates: Ints) -> npt.NDArray[np.uint32]:
    """The decimal digits of numbers as hexadecimal ones: two dates differ where the bits of their digits do."""
    rest, found = dates.copy(), np.zeros(len(dates), dtype=np.uint32)
    for place in range(8):
        rest, digit = np.divmod(rest, 10)
        found |= digit.astype(np.uint32) << np.uint32(4 * place)
    return found
