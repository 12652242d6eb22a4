"""The level that each comparison reaches in a pair, as one pattern: over whole columns of pairs at a time."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt

from fonds.match.definition import Comparison, Level, Matcher
from fonds.match.measures import Dates, Texts, alike, contain, share
from fonds.match.patterns import scales
from fonds.match.vocabulary import NUMBERS, Flags, Ints, Lists, Longs, Vocabulary, at

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


class _Open:
    """Pairs of records whose level in one comparison is not yet known; in those at `swapped` b is read crosswise."""

    def __init__(self, a: Longs, b: Longs, swapped: Longs, texts: Texts) -> None:
        self.a, self.b, self.swapped, self.texts = a, b, swapped, texts

    def both(self, codes: Ints, crosswise: Ints) -> tuple[Ints, Ints]:
        """A part of both names of each pair."""
        x, y = at(codes, self.a), at(codes, self.b)
        y[self.swapped] = at(crosswise, self.b[self.swapped])
        return x, y

    def same(self, codes: Ints, crosswise: Ints) -> Flags:
        """Where a part of both names is one."""
        x, y = self.both(codes, crosswise)
        same: Flags = (x == y) & (x >= 0)
        return same

    def straight(self, places: Longs) -> Longs:
        """Those of the places where names aren't swapped."""
        return np.setdiff1d(places, self.swapped, assume_unique=True) if len(self.swapped) else places


class Comparer:
    """Compares records of one prepared frame by one model."""

    def __init__(self, vocabulary: Vocabulary, matcher: Matcher) -> None:
        self.matcher = matcher
        self.vocabulary = vocabulary
        # all that will be asked for, now: shards are compared side by side, and elsewhere
        for comparison in matcher.comparisons:
            vocabulary.codes(comparison.column)
            if comparison.within:
                vocabulary.codes(comparison.within)
            if comparison.column == "patient_id":
                vocabulary.lists("ids")
        self._words = vocabulary.words("family")
        self._native = vocabulary.codes("native")
        self._has_native = bool((self._native >= 0).any())
        self._known = vocabulary.flags("given_known")
        self._names = {
            "family": Name(
                vocabulary.codes("family"), vocabulary.codes("family"), vocabulary.codes("family_spelling"),
                vocabulary.codes("family_code"), vocabulary.lists("family_forms"), vocabulary.lists("family_parts"),
            ),
            "given": Name(
                vocabulary.codes("given"), vocabulary.codes("given_first"), vocabulary.codes("given_spelling"),
                vocabulary.codes("given_code"), vocabulary.lists("given_forms"), vocabulary.lists("given_tokens"),
            ),
        }  # fmt: skip

    def patterns(self, a: Ints, b: Ints, connection: duckdb.DuckDBPyConnection) -> Longs:
        """The pattern of each pair of records; it is the same from both sides."""
        x, y = a.astype(np.intp), b.astype(np.intp)
        swap = self._swapped(x, y, connection)
        turned = swap[self._turned(x[swap], y[swap])]
        x[turned], y[turned] = y[turned], x[turned]
        step, *steps = scales(self.matcher)
        found = np.zeros(len(a), dtype=np.int64)
        found[swap] = step
        for comparison, scale in zip(self.matcher.comparisons, steps, strict=True):
            found += self._levels(comparison, x, y, swap, connection) * np.int64(scale)
        return found

    def _swapped(self, a: Longs, b: Longs, connection: duckdb.DuckDBPyConnection) -> Longs:
        """Places of pairs whose names agree only when family and given name change places: in one of the two ways they
        are nearly the same, in the other at least forms or spellings of one name, or sound alike."""
        family, given = self._names["family"].whole, self._names["given"].first
        family_a, family_b, first_a, first_b = at(family, a), at(family, b), at(given, a), at(given, b)
        whole = (family_a | family_b | first_a | first_b) >= 0
        asked = np.flatnonzero(whole & (family_a != family_b) & (first_a != first_b))
        there, strong = self._crosswise(a[asked], b[asked], connection)
        asked = asked[there]
        back, strong_back = self._crosswise(b[asked], a[asked], connection)
        return asked[back][strong[back] | strong_back]

    def _crosswise(self, x: Longs, y: Longs, connection: duckdb.DuckDBPyConnection) -> tuple[Longs, Flags]:
        """Places where x's family name is y's given name in some way, and at which of them nearly to the letter."""
        family, given = self._names["family"], self._names["given"]
        texts = Texts(self._words, at(family.whole, x), at(given.first, y), connection)
        spelling, sound = at(family.spelling, x), at(family.sound, x)
        strong = (texts.x == texts.y) | (texts.x == at(given.whole, y))
        strong |= (spelling == at(given.spelling, y)) & (spelling >= 0)
        strong[texts.similar(_SWAP)] = True
        weak = strong.copy()
        weak[share(family.forms, given.forms, x, y)] = True
        weak[texts.similar(_SWAP_SOUND, (sound == at(given.sound, y)) & (sound >= 0) & ~weak)] = True
        places = np.flatnonzero(weak)
        return places, strong[places]

    def _turned(self, a: Longs, b: Longs) -> Flags:
        """Of two records with swapped names the one with the known given name is read straight on, else that with the
        family name which comes first: whichever is a, the levels are the same."""
        text, family = self._words.text, self._names["family"].whole
        later = (text.gather(family[a]) > text.gather(family[b])).to_numpy()
        turned: Flags = np.where(self._known[a] == self._known[b], later, self._known[b])
        return turned

    def _levels(
        self, comparison: Comparison, a: Longs, b: Longs, swap: Longs, connection: duckdb.DuckDBPyConnection
    ) -> Levels:
        column = comparison.column
        codes = self.vocabulary.codes(column)
        x, y = at(codes, a), at(codes, b)
        if column in _CROSSWISE:
            y[swap] = at(self._names[_CROSSWISE[column]].whole, b[swap])
        asked = (x | y) >= 0
        if comparison.within:
            within = self.vocabulary.codes(comparison.within)
            p, q = at(within, a), at(within, b)
            asked &= (p == q) | ((p | q) < 0)
        first = comparison.levels[0].when == "equal"
        equal = asked & (x == y) if first else np.zeros(len(a), dtype=np.bool_)
        found = equal.view(np.uint8)
        rest = np.flatnonzero(asked ^ equal)
        if column in NUMBERS:
            found[rest] = _of_dates(comparison, Dates(x[rest], y[rest]))
        elif len(comparison.levels) == 2 and first:
            found[rest] = 2
        else:
            swapped = _places(rest, swap)
            texts = Texts(self.vocabulary.words(column), x[rest], y[rest], connection)
            found[rest] = self._reached(comparison, _Open(a[rest], b[rest], swapped, texts))
        if first and column in _CROSSWISE and self._has_native:
            native = at(self._native, a)
            found[(native == at(self._native, b)) & (native >= 0)] = 1
        if first and column == "patient_id":
            ids = self.vocabulary.lists("ids")
            found[share(ids, ids, a, b)] = 1
        return found

    def _reached(self, comparison: Comparison, pairs: _Open) -> Levels:
        reached = np.full(len(pairs.a), len(comparison.levels), dtype=np.uint8)
        # from the last level to the first: where two hold, the first counts
        for number, level in reversed(list(enumerate(comparison.levels[:-1], 1))):
            if comparison.column == "given" and level.when in ("equal", "edits"):
                places = self._equal_given(pairs) if level.when == "equal" else self._near_given(level, pairs)
            elif level.when in _TEXT:
                places = _of_texts(level, pairs.texts)
            else:
                places = self._of_names(level, comparison.column, pairs)
            reached[places] = number
        return reached

    def _of_names(self, level: Level, column: str, pairs: _Open) -> Longs:
        name, other = self._names[column], self._names[_CROSSWISE[column]]
        texts = pairs.texts
        match level.when:
            case "spelling":
                return np.flatnonzero(pairs.same(name.spelling, other.spelling) & (texts.shortest >= level.shortest))
            case "sound":
                heard = pairs.same(name.sound, other.sound) & (texts.shortest >= level.shortest)
                return texts.similar(level.at_least, heard)
            case "nickname":
                return self._forms(name, other, pairs)
            case "part":
                return pairs.straight(share(name.parts, name.parts, pairs.a, pairs.b))
            case "contained":
                return pairs.straight(contain(name.parts, pairs.a, pairs.b))
            case "both_known":
                return pairs.straight(np.flatnonzero(at(self._known, pairs.a) & at(self._known, pairs.b)))
        raise AssertionError(level.when)

    def _equal_given(self, pairs: _Open) -> Longs:
        """All given names are one, or the first ones, an initial not being one."""
        given, family = self._names["given"], self._names["family"]
        texts = pairs.texts
        x, y = pairs.both(given.first, family.first)
        first = np.flatnonzero((x == y) & (x >= 0))
        same = texts.x == texts.y
        same[first[at(self._words.lengths, x[first]) > 1]] = True
        same[pairs.straight(alike(given.parts, pairs.a, pairs.b))] = True
        return np.flatnonzero(same)

    def _near_given(self, level: Level, pairs: _Open) -> Longs:
        """All given names together, or the first ones, are so many slips apart."""
        given, family = self._names["given"], self._names["family"]
        x, y = pairs.both(given.first, family.first)
        shorter = np.flatnonzero((x != pairs.texts.x) | (y != pairs.texts.y))
        firsts = Texts(self._words, x[shorter], y[shorter], pairs.texts.connection)
        near = np.zeros(len(x), dtype=np.bool_)
        near[pairs.texts.edits(level.at_most, level.shortest)] = True
        near[shorter[firsts.edits(level.at_most, level.shortest)]] = True
        places = np.flatnonzero(near)
        if level.known:
            return places
        return places[~(self._known[pairs.a[places]] & self._known[pairs.b[places]])]

    def _forms(self, name: Name, other: Name, pairs: _Open) -> Longs:
        """Forms of one name. A letter makes another name of a name (Maria and Marie, Leo and Leon): twins have such."""
        straight = pairs.straight(share(name.forms, name.forms, pairs.a, pairs.b))
        swapped = pairs.swapped
        crosswise = swapped[share(name.forms, other.forms, pairs.a[swapped], pairs.b[swapped])]
        places = np.concatenate([straight, crosswise])
        x, y = pairs.both(name.first, other.first)
        letter = np.zeros(len(places), dtype=np.bool_)
        letter[Texts(self._words, x[places], y[places], pairs.texts.connection).edits(1, 1)] = True
        formed: Longs = places[~letter | pairs.same(name.spelling, other.spelling)[places]]
        return formed


_CROSSWISE = {"family": "given", "given": "family"}
_TEXT = ("equal", "edits", "similar", "ending", "initial")


def _places(rows: Longs, some: Longs) -> Longs:
    """Where some sorted numbers stand in sorted `rows`; those that don't are left out."""
    place = np.searchsorted(rows, some)
    place = place[place < len(rows)]
    there: Longs = place[np.isin(rows[place], some)]
    return there


def _of_texts(level: Level, texts: Texts) -> Longs:
    match level.when:
        case "equal":
            return np.flatnonzero(texts.x == texts.y)
        case "edits":
            return texts.edits(level.at_most, level.shortest)
        case "similar":
            return texts.similar(level.at_least)
        case "ending":
            return texts.endings(level.shortest)
        case "initial":
            return np.flatnonzero((texts.shortest == 1) & texts.begin_alike)
    raise AssertionError(level.when)


def _of_dates(comparison: Comparison, dates: Dates) -> Levels:
    reached = np.full(len(dates.x), len(comparison.levels), dtype=np.uint8)
    for number, level in reversed(list(enumerate(comparison.levels[:-1], 1))):
        match level.when:
            case "equal":
                places = np.flatnonzero(dates.x == dates.y)
            case "day_month":
                places = dates.swapped()
            case "digits":
                places = dates.digits(level.years)
            case "year_only":
                places = dates.first_of_year()
            case "apart":
                places = dates.apart(level.years)
            case _:
                raise AssertionError(level.when)
        reached[places] = number
    return reached
