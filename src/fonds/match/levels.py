"""The level that each comparison reaches in a pair, as one pattern: over whole columns of pairs at a time."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from fonds.match.definition import Comparison, Level, Matcher
from fonds.match.measures import Dates, Texts, alike, contain, share
from fonds.match.patterns import scales
from fonds.match.vocabulary import NUMBERS, Flags, Ints, Lists, Longs, Vocabulary

Levels = npt.NDArray[np.uint8]
# From this likeness on a family name may be the other's given name; with one sound, from this one.
_SWAP, _SWAP_SOUND = 0.92, 0.6


@dataclass(frozen=True, slots=True)
class Name:
    """What a record says in the family or the given component, in codes shared by both."""

    whole: Ints
    first: Ints
    spelling: Ints
    sound: Ints
    forms: Lists
    parts: Lists


@dataclass(frozen=True, slots=True)
class _Open:
    """Pairs whose level is not yet known: records by pair, and the places among them whose names are swapped."""

    a: Ints
    b: Ints
    swapped: Longs
    texts: Texts


class Comparer:
    """Compares records of one prepared frame by one model."""

    def __init__(self, vocabulary: Vocabulary, matcher: Matcher) -> None:
        self.matcher = matcher
        self.vocabulary = vocabulary
        self._words = vocabulary.words("family")
        self._native = vocabulary.codes("native")
        self._has_native = bool((self._native >= 0).any())
        self._known = vocabulary.flags("given_known")
        self._family = Name(
            vocabulary.codes("family"), vocabulary.codes("family"), vocabulary.codes("family_spelling"),
            vocabulary.codes("family_code"), vocabulary.lists("family_forms"), vocabulary.lists("family_parts"),
        )  # fmt: skip
        self._given = Name(
            vocabulary.codes("given"), vocabulary.codes("given_first"), vocabulary.codes("given_spelling"),
            vocabulary.codes("given_code"), vocabulary.lists("given_forms"), vocabulary.lists("given_tokens"),
        )  # fmt: skip

    def patterns(self, a: Ints, b: Ints, connection: duckdb.DuckDBPyConnection) -> Longs:
        """The pattern of each pair of records; it is the same from both sides."""
        swap = self._swapped(a, b, connection)
        if len(swap):
            turned = swap[self._turned(a[swap], b[swap])]
            a, b = a.copy(), b.copy()
            a[turned], b[turned] = b[turned], a[turned]
        step, *steps = scales(self.matcher)
        found = np.zeros(len(a), dtype=np.int64)
        found[swap] = step
        for comparison, scale in zip(self.matcher.comparisons, steps, strict=True):
            found += self._levels(comparison, a, b, swap, connection) * np.int64(scale)
        return found

    def _swapped(self, a: Ints, b: Ints, connection: duckdb.DuckDBPyConnection) -> Longs:
        """Places of pairs whose names agree only when family and given name change places: in one of the two ways they
        are nearly the same, in the other at least forms or spellings of one name, or sound alike."""
        family_a, family_b = self._family.whole[a], self._family.whole[b]
        first_a, first_b = self._given.first[a], self._given.first[b]
        whole = (family_a >= 0) & (family_b >= 0) & (first_a >= 0) & (first_b >= 0)
        asked = np.flatnonzero(whole & (family_a != family_b) & (first_a != first_b))
        one = self._crosswise(a[asked], b[asked], connection)
        asked, strong = asked[one[0]], one[1]
        other = self._crosswise(b[asked], a[asked], connection)
        return asked[other[0]][strong[other[0]] | other[1]]

    def _crosswise(self, x: Ints, y: Ints, connection: duckdb.DuckDBPyConnection) -> tuple[Longs, Flags]:
        """Places where x's family name is y's given name in some way, and at which of them nearly to the letter."""
        family, given = self._family, self._given
        texts = Texts(self._words, family.whole[x], given.first[y], connection)
        spelling = family.spelling[x]
        strong = (texts.x == texts.y) | (texts.x == given.whole[y])
        strong |= (spelling == given.spelling[y]) & (spelling >= 0)
        strong[texts.similar(_SWAP)] = True
        weak = strong.copy()
        weak[share(family.forms, given.forms, x, y)] = True
        sound = family.sound[x]
        weak[texts.similar(_SWAP_SOUND, (sound == given.sound[y]) & (sound >= 0) & ~weak)] = True
        places = np.flatnonzero(weak)
        return places, strong[places]

    def _turned(self, a: Ints, b: Ints) -> Flags:
        """Of two records with swapped names the one with the known given name is read straight on, else that with the
        family name which comes first: whichever is a, the levels are the same."""
        text = self._words.text
        family = self._family.whole
        later = (text.gather(family[a]) > text.gather(family[b])).to_numpy()
        return np.where(self._known[a] == self._known[b], later, self._known[b])

    def _levels(
        self, comparison: Comparison, a: Ints, b: Ints, swap: Longs, connection: duckdb.DuckDBPyConnection
    ) -> Levels:
        column = comparison.column
        codes = self.vocabulary.codes(column)
        x, y = codes[a], codes[b]
        if column in ("family", "given"):
            y[swap] = self._name(column, other=True).whole[b[swap]]
        missing = (x < 0) | (y < 0)
        if comparison.within:
            within = self.vocabulary.codes(comparison.within)
            p, q = within[a], within[b]
            missing |= (p != q) & (p >= 0) & (q >= 0)
        found = np.zeros(len(a), dtype=np.uint8)
        first = comparison.levels[0].when == "equal"
        closed = missing
        if first:
            closed = missing | (x == y)
            found[closed & ~missing] = 1
        rest = np.flatnonzero(~closed)
        if len(rest):
            found[rest] = self._reached(comparison, a, b, x, y, rest, swap, connection)
        if first and column in ("family", "given") and self._has_native:
            native = self._native[a]
            found[(native == self._native[b]) & (native >= 0)] = 1
        if first and column == "patient_id":
            found[share(self.vocabulary.lists("ids"), self.vocabulary.lists("ids"), a, b)] = 1
        return found

    def _reached(
        self, comparison: Comparison, a: Ints, b: Ints, x: Ints, y: Ints, rest: Longs, swap: Longs,
        connection: duckdb.DuckDBPyConnection,
    ) -> Levels:  # fmt: skip
        column = comparison.column
        reached = np.full(len(rest), len(comparison.levels), dtype=np.uint8)
        # from the last level to the first: where two hold, the first counts
        steps = list(enumerate(comparison.levels[:-1], 1))[::-1]
        if column in NUMBERS:
            dates = Dates(x[rest], y[rest])
            for number, level in steps:
                reached[_of_dates(level, dates)] = number
            return reached
        swapped = np.flatnonzero(np.isin(rest, swap, assume_unique=True)) if len(swap) else swap
        pairs = _Open(a[rest], b[rest], swapped, Texts(self.vocabulary.words(column), x[rest], y[rest], connection))
        for number, level in steps:
            reached[self._measured(level, column, pairs)] = number
        return reached

    def _measured(self, level: Level, column: str, pairs: _Open) -> Longs:  # noqa: PLR0911 - one case a measure
        texts = pairs.texts
        match level.when:
            case "equal" if column == "given":
                return self._equal_given(pairs)
            case "equal":
                return np.flatnonzero(texts.x == texts.y)
            case "edits" if column == "given":
                return self._near_given(level, pairs)
            case "edits":
                return texts.edits(level.at_most, level.shortest)
            case "similar":
                return texts.similar(level.at_least)
            case "ending":
                return texts.endings(level.shortest)
            case "initial":
                first = (texts.words.starts[texts.x] ^ texts.words.starts[texts.y]) < 256
                return np.flatnonzero(first & (texts.shortest == 1))
            case "spelling":
                return np.flatnonzero(self._one(column, "spelling", pairs) & (texts.shortest >= level.shortest))
            case "sound":
                heard = self._one(column, "sound", pairs)
                return texts.similar(level.at_least, heard & (texts.shortest >= level.shortest))
            case "nickname":
                return self._forms(column, pairs)
            case "part":
                parts = self._name(column).parts
                return self._straight(share(parts, parts, pairs.a, pairs.b), pairs)
            case "contained":
                return self._straight(contain(self._name(column).parts, pairs.a, pairs.b), pairs)
            case "both_known":
                return self._straight(np.flatnonzero(self._known[pairs.a] & self._known[pairs.b]), pairs)
        raise AssertionError(level.when)

    def _name(self, column: str, *, other: bool = False) -> Name:
        return self._family if (column == "family") != other else self._given

    def _straight(self, places: Longs, pairs: _Open) -> Longs:
        return places[~np.isin(places, pairs.swapped)] if len(pairs.swapped) else places

    def _both(self, column: str, what: str, pairs: _Open) -> tuple[Ints, Ints]:
        """A part of both names of each pair, b being read crosswise where names are swapped."""
        x = getattr(self._name(column), what)[pairs.a]
        y = getattr(self._name(column), what)[pairs.b]
        y[pairs.swapped] = getattr(self._name(column, other=True), what)[pairs.b[pairs.swapped]]
        return x, y

    def _one(self, column: str, what: str, pairs: _Open) -> Flags:
        x, y = self._both(column, what, pairs)
        return (x == y) & (x >= 0)

    def _firsts(self, pairs: _Open) -> Texts:
        x, y = self._both("given", "first", pairs)
        return Texts(self._words, x, y, pairs.texts.connection)

    def _equal_given(self, pairs: _Open) -> Longs:
        first = self._firsts(pairs)
        same = (first.x == first.y) & (first.shortest > 1)
        same |= pairs.texts.x == pairs.texts.y
        parts = self._given.parts
        return np.union1d(np.flatnonzero(same), self._straight(alike(parts, pairs.a, pairs.b), pairs))

    def _near_given(self, level: Level, pairs: _Open) -> Longs:
        whole = pairs.texts.edits(level.at_most, level.shortest)
        places = np.union1d(whole, self._firsts(pairs).edits(level.at_most, level.shortest))
        if level.known:
            return places
        return places[~(self._known[pairs.a[places]] & self._known[pairs.b[places]])]

    def _forms(self, column: str, pairs: _Open) -> Longs:
        """Forms of one name. A letter makes another name of a name (Maria and Marie, Leo and Leon): twins have such."""
        name, other = self._name(column), self._name(column, other=True)
        straight = self._straight(share(name.forms, name.forms, pairs.a, pairs.b), pairs)
        at = pairs.swapped
        crosswise = at[share(name.forms, other.forms, pairs.a[at], pairs.b[at])]
        places = np.union1d(straight, crosswise)
        x, y = self._both(column, "first", pairs)
        letter = Texts(self._words, x[places], y[places], pairs.texts.connection).edits(1, 1)
        other_spelling = ~self._one(column, "spelling", pairs)[places[letter]]
        return np.setdiff1d(places, places[letter[other_spelling]], assume_unique=True)


def _of_dates(level: Level, dates: Dates) -> Longs:
    match level.when:
        case "equal":
            return np.flatnonzero(dates.x == dates.y)
        case "day_month":
            return dates.swapped()
        case "digits":
            return dates.digits(level.years)
        case "year_only":
            return dates.first_of_year()
        case "apart":
            return dates.apart(level.years)
    raise AssertionError(level.when)
