"""Blocking: which records each rule of the model puts into one block, and what becomes of blocks that are too large.

Every rule becomes one or more *finders*: two codes a record, and a pair is found when the left code of one is the right
code of the other. For most rules left and right are one; in a `crossed` rule they differ. Whether a rule finds a given
pair can so be read off both records alone, and a pair is made once, by the first finder that has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fonds.match.definition import Block, Matcher
from fonds.match.vocabulary import MISSING, Flags, Ints, Longs, Vocabulary, distinct, pack


@dataclass(frozen=True, slots=True)
class Oversized:
    """What a rule did with blocks above its limit. `pairs`: how many they hold; `compared`: those that the rule finds
    all the same by the `split` columns, at most (a pair that two of them find counts twice); `left`: pairs in parts
    that stayed too large after all splits, at most; `largest`: records in the largest block. No values: they are
    patients'.
    """

    rule: str
    blocks: int
    records: int
    largest: int
    pairs: int
    compared: int
    left: int


@dataclass(frozen=True, slots=True)
class Finder:
    """One way a rule finds pairs. `left` and `right` are codes by record, different and negative where there is none.

    `members` are records in the order of their codes, block after block; block k is
    `members[starts[k]:starts[k + 1]]`, and its first `lefts[k]` members have the left code, the others the right one
    (`lefts` is None when every member has both).
    """

    rule: int
    left: Ints
    right: Ints
    members: Ints
    starts: Longs
    lefts: Longs | None


@dataclass(frozen=True, slots=True)
class Listed:
    """Pairs a rule over a list column finds (`a << 32 | b`, sorted): a record has several keys, so no code says it.
    Only records of one `component` can be such a pair."""

    rule: int
    component: Ints
    pairs: Longs


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Entries (record and side, 0 or 1) sorted into blocks: block k is [starts[k], starts[k + 1])."""

    rows: Ints
    sides: npt.NDArray[np.uint8]
    starts: Longs

    @property
    def sizes(self) -> Longs:
        return np.diff(self.starts)

    def chosen(self, which: Flags) -> _Blocks:
        """Some of the blocks."""
        inside = np.repeat(which, self.sizes)
        sizes = self.sizes[which]
        return _Blocks(self.rows[inside], self.sides[inside], np.concatenate([[0], np.cumsum(sizes)]))

    def numbers(self) -> Ints:
        """The block of each entry."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), self.sizes)

    def pairs(self, crossed: bool) -> Longs:
        """How many pairs each block holds."""
        if not crossed:
            return self.sizes * (self.sizes - 1) // 2
        rights = np.add.reduceat(self.sides, self.starts[:-1], dtype=np.int64) if len(self.rows) else self.starts[:-1]
        return (self.sizes - rights) * rights


@dataclass(frozen=True, slots=True)
class Blocking:
    """The model's rules over these records, ready to make pairs."""

    finders: tuple[Finder | Listed, ...]
    oversized: tuple[Oversized, ...]


def blocking(vocabulary: Vocabulary, matcher: Matcher) -> Blocking:
    """Work out the blocks of every rule. Sizes are over all records, whichever of them are fresh."""
    keys = _Keys(vocabulary)
    finders: list[Finder | Listed] = []
    oversized: list[Oversized] = []
    for number, rule in enumerate(matcher.blocking):
        found, large = _rule(keys, rule, number)
        finders += found
        oversized += large
    return Blocking(tuple(finders), tuple(oversized))


class _Keys:
    """Codes for the keys of rules; what two rules begin with is worked out once."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._made: dict[tuple[str, ...], tuple[Ints, int]] = {}

    def one(self, column: str) -> tuple[Ints, int]:
        codes = self.vocabulary.codes(column)
        return codes, int(codes.max(initial=0)) + 1

    def of(self, columns: tuple[str, ...]) -> tuple[Longs, int]:
        """Key by record, MISSING where one of the columns is, and how many keys there can be."""
        if not columns:
            return np.zeros(self.vocabulary.height, dtype=np.int64), 1
        if len(columns) == 1:
            codes, count = self.one(columns[0])
            return codes.astype(np.int64), count
        codes, count = self._dense(columns[:-1]) if len(columns) > 2 else self.one(columns[0])
        return pack([(codes, count), self.one(columns[-1])])

    def _dense(self, columns: tuple[str, ...]) -> tuple[Ints, int]:
        if columns not in self._made:
            keys, size = self.of(columns)
            self._made[columns] = _dense(keys, size)
        return self._made[columns]


def _dense(keys: Longs, size: int) -> tuple[Ints, int]:
    if size <= 1 << 31:
        return keys.astype(np.int32), size
    rows = np.flatnonzero(keys >= 0).astype(np.int32)
    blocks = _grouped(keys[rows], size, rows, np.zeros(len(rows), dtype=np.uint8))
    codes = np.full(len(keys), MISSING, dtype=np.int32)
    codes[blocks.rows] = blocks.numbers()
    return codes, len(blocks.starts)


def _grouped(keys: Longs, size: int, rows: Ints, sides: npt.NDArray[np.uint8]) -> _Blocks:
    """Entries sorted by key, then side, then record; keys are from 0 to size - 1."""
    bits = int(rows.max(initial=1)).bit_length() + 1
    # a value that holds key, side and record sorts six times as fast as an index does, where it fits
    if (size - 1).bit_length() + bits < 64:
        mixed = np.sort(keys << bits | sides.astype(np.int64) << (bits - 1) | rows)
        ordered, keys = mixed & ((1 << (bits - 1)) - 1), mixed >> bits
        rows, sides = ordered.astype(np.int32), (mixed >> (bits - 1) & 1).astype(np.uint8)
    else:
        order = np.lexsort((rows, sides, keys))
        keys, rows, sides = keys[order], rows[order], sides[order]
    starts = np.concatenate([[0], np.flatnonzero(keys[1:] != keys[:-1]) + 1, [len(keys)]])
    return _Blocks(rows, sides, starts if len(keys) else starts[:1])


def _rule(keys: _Keys, rule: Block, number: int) -> tuple[list[Finder | Listed], list[Oversized]]:
    blocks = _useful(_first_blocks(keys, rule), rule.crossed)
    large = blocks.sizes > rule.largest
    small, split = blocks, [blocks.chosen(np.zeros(len(large), dtype=np.bool_))]
    left, told = 0, []
    if large.any():
        small = blocks.chosen(~large)
        split, left = _split(keys, rule, blocks.chosen(large))
        told = [blocks.chosen(large)]
    chains = [_together(small, split[0]), *split[1:]]
    if rule.shared:
        finders: list[Finder | Listed] = [_listed(keys.vocabulary.height, chains, number)]
    else:
        finders = [_finder(keys.vocabulary.height, chain, rule.crossed, number) for chain in chains]
    oversized = [
        Oversized(
            rule.name, len(part.sizes), len(distinct(part.rows)), int(part.sizes.max()),
            int(part.pairs(rule.crossed).sum()), _compared(split, rule.crossed), left,
        )
        for part in told
    ]  # fmt: skip
    return finders, oversized


def _first_blocks(keys: _Keys, rule: Block) -> _Blocks:
    vocabulary = keys.vocabulary
    if rule.shared:
        lists = vocabulary.lists(rule.shared)
        rows = np.repeat(np.arange(vocabulary.height, dtype=np.int32), np.diff(lists.offsets))
        # one key twice in one record is one key
        both = distinct(lists.items.astype(np.int64) << 32 | rows)
        rows = (both & 0xFFFFFFFF).astype(np.int32)
        codes = both >> 32
        return _grouped(codes, int(codes.max(initial=0)) + 1, rows, np.zeros(len(rows), dtype=np.uint8))
    codes, size = keys.of(rule.keys)
    if not rule.crossed:
        rows = np.flatnonzero(codes >= 0).astype(np.int32)
        return _grouped(codes[rows], size, rows, np.zeros(len(rows), dtype=np.uint8))
    # one record's family name is the other's given name, and the rest at least begins alike
    family, given = vocabulary.codes("family"), vocabulary.codes("given_first")
    starts = vocabulary.words("family").starts
    whole = np.flatnonzero((codes >= 0) & (family >= 0) & (given >= 0)).astype(np.int32)
    sides = [(family, given), (given, family)]
    name = np.concatenate([x[whole] for x, _ in sides]).astype(np.int64)
    begins = np.concatenate([starts[y[whole]] for _, y in sides]).astype(np.int32)
    names, count = _dense(*pack([(name, len(vocabulary.words("family").text)), (begins, 1 << 16)]))
    mixed, size = pack([(np.concatenate([codes[whole]] * 2), size), (names, count)])
    rows = np.concatenate([whole, whole])
    side = np.repeat(np.array([0, 1], dtype=np.uint8), len(whole))
    return _grouped(mixed, size, rows, side)


def _useful(blocks: _Blocks, crossed: bool) -> _Blocks:
    return blocks.chosen(blocks.pairs(crossed) > 0)


def _split(keys: _Keys, rule: Block, large: _Blocks) -> tuple[list[_Blocks], int]:
    """The parts of too large blocks: by each `split` column in turn, and a part still too large by the ones after it.

    One result a chain (a record stands in one block of each), and the pairs in parts that no column made small."""
    chains, left = [], 0
    for first in range(len(rule.split)):
        parts, rest = [], large
        for column in rule.split[first:]:
            codes, count = keys.one(column)
            code = codes[rest.rows]
            has = code >= 0
            mixed = rest.numbers().astype(np.int64) * count + code
            rest = _grouped(mixed[has], len(rest.starts) * count, rest.rows[has], rest.sides[has])
            rest = _useful(rest, rule.crossed)
            parts.append(rest.chosen(rest.sizes <= rule.largest))
            rest = rest.chosen(rest.sizes > rule.largest)
        left += int(rest.pairs(rule.crossed).sum())
        chains.append(_together(*parts))
    if not chains:
        return [large.chosen(np.zeros(len(large.sizes), dtype=np.bool_))], int(large.pairs(rule.crossed).sum())
    return chains, left


def _together(*parts: _Blocks) -> _Blocks:
    rows = np.concatenate([part.rows for part in parts])
    starts = np.concatenate([[0], np.cumsum(np.concatenate([part.sizes for part in parts]))]).astype(np.int64)
    return _Blocks(rows, np.concatenate([part.sides for part in parts]), starts)


def _finder(height: int, blocks: _Blocks, crossed: bool, rule: int) -> Finder:
    numbers = blocks.numbers()
    nobody = -1 - np.arange(height, dtype=np.int32)
    if not crossed:
        nobody[blocks.rows] = numbers
        return Finder(rule, nobody, nobody, blocks.rows, blocks.starts, None)
    left, right = nobody, nobody - height
    on_left = blocks.sides == 0
    left[blocks.rows[on_left]] = numbers[on_left]
    right[blocks.rows[~on_left]] = numbers[~on_left]
    lefts = np.bincount(numbers[on_left], minlength=len(blocks.sizes))
    return Finder(rule, left, right, blocks.rows, blocks.starts, lefts.astype(np.int64))


def _listed(height: int, chains: list[_Blocks], rule: int) -> Listed:
    found, rows, blocks = [], [], []
    number = height
    for chain in chains:
        a, b = every_pair(chain.rows, chain.starts)
        found.append(packed(np.minimum(a, b), np.maximum(a, b)))
        rows.append(chain.rows)
        blocks.append(chain.numbers() + number)
        number += len(chain.sizes)
    x, y = np.concatenate(rows), np.concatenate(blocks)
    graph = coo_array((np.ones(len(x), dtype=np.int8), (x, y)), shape=(number, number))
    component = connected_components(graph, directed=False)[1][:height].astype(np.int32)
    return Listed(rule, component, distinct(np.concatenate([*found, np.zeros(0, dtype=np.int64)])))


def packed(a: Ints, b: Ints) -> Longs:
    """Pairs as one number each."""
    return a.astype(np.int64) << 32 | b


def every_pair(members: Ints, starts: Longs) -> tuple[Ints, Ints]:
    """All pairs of each block."""
    ends = np.repeat(starts[1:], np.diff(starts))
    at = np.arange(len(members))
    counts = ends - at - 1
    return np.repeat(members, counts), members[expand(at + 1, counts)]


def expand(first: Longs, counts: Longs) -> Longs:
    """first[i], first[i] + 1, … counts[i] numbers each, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(first - ends + counts, counts)


def _compared(split: list[_Blocks], crossed: bool) -> int:
    """Distinct pairs of all chains."""
    return sum(int(part.pairs(crossed).sum()) for part in split)
