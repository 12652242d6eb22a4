"""Matches descriptions with the entries of a dictionary: decided, spelled alike, or like; never across a side.

All distinct texts are compared at once: an entry of another side, contrast, kind or modality is no candidate.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from fonds.errors import DefinitionInvalid
from fonds.normalize.lookup_model import DictionaryFile, Entry, Lookup
from fonds.normalize.lookup_text import Folding, Text

# objects that accompany others: their modality says nothing about the examination
COMPANIONS = frozenset({"SR", "PR", "KO", "SEG", "DOC", "OT", "REG", "AU", "FID", "RWV", "PLAN", ""})
SHOWN = 5
SHORTEST_SLIP = 5

Question = tuple[tuple[str | None, ...], str | None]


@dataclass(frozen=True, slots=True)
class Found:
    """What a text leads to: the meaning, how like it is, whether a person is asked, and the JSON of candidates."""

    value: str
    score: float
    waits: bool
    candidates: str | None = None


@dataclass(frozen=True, slots=True)
class Mapped:
    """A steward's decision on a spelling: the code (None: none of the dictionary) in studies of these modalities."""

    modalities: str
    code: str | None
    why: str


@dataclass(frozen=True, slots=True)
class _Spelling:
    text: Text
    entry: int


@dataclass(frozen=True, slots=True)
class _Hit:
    """An answer for one text: the entries in order with their likeness, and how they were found."""

    ranked: tuple[tuple[int, float, str], ...]
    how: str  # decided, exact, close, ask or none


NOTHING = _Hit((), "none")


@dataclass
class Dictionary:
    """A loaded dictionary, folded; raises DefinitionInvalid where its own words contradict each other."""

    file: DictionaryFile
    path: Path
    folding: Folding = field(init=False)

    def __post_init__(self) -> None:
        self.folding = Folding(self.file)
        self.spellings: list[_Spelling] = []
        self.by_key: dict[tuple[object, ...], set[int]] = {}
        self.codes = {entry.code: number for number, entry in enumerate(self.file.procedures)}
        wrong = [text for number, entry in enumerate(self.file.procedures) for text in self._add(number, entry)]
        if wrong:
            raise DefinitionInvalid(str(self.path), [(None, text) for text in wrong])

    def _add(self, number: int, entry: Entry) -> Iterable[str]:
        for written in dict.fromkeys((entry.meaning, *entry.spellings)):
            text = self.folding.fold(written)
            for name, said, means in (
                ("laterality", text.side, entry.laterality),
                ("contrast", text.contrast, entry.contrast),
            ):
                if said != means:
                    yield f"procedure {entry.code}: '{written}' says {name} '{said}', the entry '{means}'"
            if not text.words and not text.kinds:
                yield f"procedure {entry.code}: '{written}' names nothing but what the dictionary ignores"
            key = (text.key, text.side, text.contrast)
            for other in self.by_key.get(key, set()) - {number}:
                known = self.file.procedures[other]
                if self._alike(number, other, text):
                    yield f"procedures {known.code} and {entry.code} are both called '{written}'"
            self.by_key.setdefault(key, set()).add(number)
            self.spellings.append(_Spelling(text, number))

    def _alike(self, one: int, other: int, text: Text) -> bool:
        left, right = (set(self.file.procedures[number].modality) for number in (one, other))
        kinds = [s.text.kinds for s in self.spellings if s.entry == other and s.text.key == text.key]
        return (not left or not right or bool(left & right)) and any(
            not k or not text.kinds or k == text.kinds for k in kinds
        )

    def meanings(self) -> dict[str, str]:
        """What every spelling becomes, the meaning itself among them."""
        return {
            written: entry.meaning for entry in self.file.procedures for written in (*entry.spellings, entry.meaning)
        }

    def admits(self, spelling: _Spelling, text: Text, modalities: frozenset[str]) -> bool:
        """Whether kind and modality allow that the text means this spelling's entry."""
        entry = set(self.file.procedures[spelling.entry].modality)
        unlike = text.kinds != spelling.text.kinds
        if unlike and (not spelling.text.words or (text.kinds and spelling.text.kinds)):
            return False
        named = (self.folding.modalities(kind) for kind in text.kinds)
        return not entry or (
            (not modalities or bool(modalities & entry)) and all(named_in & entry for named_in in named)
        )

    def agrees(self, text: Text, modalities: frozenset[str]) -> bool:
        """Whether the study has a modality that each kind named in the text can have."""
        return not modalities or all(self.folding.modalities(kind) & modalities for kind in text.kinds)


class Matcher:
    """One rule over its dictionary, with the decisions on spellings that stand; answers are kept."""

    def __init__(self, rule: Lookup, dictionary: Dictionary, decided: Mapping[str, Sequence[Mapped]]) -> None:
        self.rule = rule
        self.dictionary = dictionary
        self.decided = decided
        self.unmapped: set[str] = set()
        self._lock = threading.Lock()
        self._hits: dict[tuple[Text, frozenset[str]], _Hit] = {}
        self._answers: dict[Question, Found | None] = {}

    def find(self, questions: Sequence[Question]) -> list[Found | None]:
        """The answer to each (texts in order of weight, modalities of the study parted by backslashes)."""
        with self._lock:  # the database asks from several threads
            asked = dict.fromkeys(one for one in questions if one not in self._answers)
            folded = {one: self._folded(one) for one in asked}
            self._match({pair for pairs in folded.values() for pair in pairs} - self._hits.keys())
            for one, pairs in folded.items():
                self._answers[one] = self._answer(pairs)
            return [self._answers[one] for one in questions]

    def _folded(self, question: Question) -> list[tuple[Text, frozenset[str]]]:
        texts, given = question
        modalities = frozenset(part.strip().upper() for part in (given or "").split("\\")) - COMPANIONS
        return [(self.dictionary.folding.fold(text), modalities) for text in texts if text and text.strip()]

    def _answer(self, pairs: list[tuple[Text, frozenset[str]]]) -> Found | None:
        hits = [(text, modalities, self._hits[text, modalities]) for text, modalities in pairs]
        sure = [one for one in hits if one[2].how in ("decided", "exact", "close") and one[2].ranked]
        if len({hit.ranked[0][0] for _, _, hit in sure}) > 1:
            ranked = tuple(dict.fromkeys(one for _, _, hit in sure for one in hit.ranked))
            return self._found(_Hit(ranked, "ask"), "", "")
        for text, modalities, hit in sure or [one for one in hits if one[2].how != "none"]:
            return self._found(hit, text.folded, "\\".join(sorted(modalities))) if hit.ranked else None
        self.unmapped |= {pairs[0][0].folded} if pairs else set()
        return None

    def _found(self, hit: _Hit, spelling: str, modalities: str) -> Found:
        best, score, _ = hit.ranked[0]
        rule_waits = self.rule.needs == "steward"
        waits = {"decided": False, "exact": rule_waits, "close": rule_waits or self.rule.above == "steward"}
        entries = self.dictionary.file.procedures
        listed = [
            {"value": entries[entry].meaning, "score": round(like, 2), "why": why, "code": entries[entry].code}
            | ({"spelling": spelling, "modalities": modalities, "rule": self.rule.id} if spelling else {})
            for entry, like, why in hit.ranked[:SHOWN]
        ]
        return Found(
            entries[best].meaning,
            round(score, 2),
            waits.get(hit.how, True),
            None if hit.how == "exact" else json.dumps(listed, ensure_ascii=False),
        )

    def _match(self, pairs: Iterable[tuple[Text, frozenset[str]]]) -> None:
        waiting: dict[tuple[str, str, frozenset[str], frozenset[str]], list[Text]] = {}
        for text, modalities in pairs:
            hit = self._known(text, modalities)
            if hit is not None:
                self._hits[text, modalities] = hit
            else:
                waiting.setdefault((text.side, text.contrast, text.kinds, modalities), []).append(text)
        for (_, _, _, modalities), texts in waiting.items():
            for text, hit in zip(texts, self._compared(texts, modalities), strict=True):
                self._hits[text, modalities] = hit

    def _known(self, text: Text, modalities: frozenset[str]) -> _Hit | None:
        """What needs no comparison: a decision, a spelling of the dictionary, or a text nothing can be said of."""
        dictionary = self.dictionary
        if decision := self._decision(text, modalities):
            code, why = decision.code, decision.why
            return _Hit(((dictionary.codes[code], 1.0, why),) if code is not None else (), "decided")
        if not (text.words or text.kinds) or not dictionary.agrees(text, modalities):
            return NOTHING
        named = dictionary.by_key.get((text.key, text.side, text.contrast), set())
        exact = {
            spelling.entry
            for spelling in (dictionary.spellings if named else ())
            if spelling.entry in named
            and spelling.text.key == text.key
            and dictionary.admits(spelling, text, modalities)
        }
        if not exact:
            return None if text.words else NOTHING
        sure = len(exact) == 1 and (modalities or text.kinds or not dictionary.file.procedures[min(exact)].modality)
        why = "a spelling of the dictionary" if sure else "a spelling of the dictionary; nothing tells the modality"
        return _Hit(tuple((entry, 1.0, why) for entry in sorted(exact)), "exact" if sure else "ask")

    def _decision(self, text: Text, modalities: frozenset[str]) -> Mapped | None:
        """The decision made for studies like this one, else the last other one whose procedure fits the study."""
        made = self.decided.get(text.folded, ())
        here = [one for one in made if one.modalities == "\\".join(sorted(modalities))]
        elsewhere = [one for one in made if one.code is not None and self._fits(one.code, modalities)]
        known = [one for one in here or elsewhere if one.code is None or one.code in self.dictionary.codes]
        return known[-1] if known else None

    def _fits(self, code: str, modalities: frozenset[str]) -> bool:
        number = self.dictionary.codes.get(code)
        if number is None:
            return False
        allowed = self.dictionary.file.procedures[number].modality
        return not allowed or not modalities or bool(modalities & set(allowed))

    def _compared(self, texts: list[Text], modalities: frozenset[str]) -> list[_Hit]:
        first = texts[0]
        against = [
            one
            for one in self.dictionary.spellings
            if (one.text.side, one.text.contrast) == (first.side, first.contrast)
            and self.dictionary.admits(one, first, modalities)
        ]
        if not against:
            return [NOTHING] * len(texts)
        likeness = _likeness([text.line for text in texts], [one.text.line for one in against])
        starts = [n for n, one in enumerate(against) if not n or against[n - 1].entry != one.entry]
        entries = [against[start].entry for start in starts]
        best = np.maximum.reduceat(likeness, starts, axis=1)
        return [
            self._ranked(text, row, entries, against) if row.max() >= self.rule.ask else NOTHING
            for text, row in zip(texts, best, strict=True)
        ]

    def _ranked(
        self,
        text: Text,
        row: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
        entries: list[int],
        against: list[_Spelling],
    ) -> _Hit:
        order = [int(at) for at in np.argsort(-row, kind="stable")[:SHOWN] if row[at] >= self.rule.ask]
        first = order[0]
        second = float(np.partition(row, -2)[-2]) if len(row) > 1 else 0.0
        own = [one.text for one in against if one.entry == entries[first]]
        close = (
            row[first] >= self.rule.accept
            and row[first] - second >= self.rule.margin
            and any(slip(text.words, one.words) for one in own)
        )
        ranked = tuple((entries[at], float(row[at]), self._why(text, entries[at], against)) for at in order)
        return _Hit(ranked, "close" if close else "ask")

    def _why(self, text: Text, entry: int, against: list[_Spelling]) -> str:
        own = [one.text for one in against if one.entry == entry]
        near = max(own, key=lambda one: fuzz.ratio(text.line, one.line))
        more = " ".join(word for word in text.words if word not in near.words)
        less = " ".join(word for word in near.words if word not in text.words)
        return (
            "; ".join([f"the text has: {more}"] * bool(more) + [f"the entry has: {less}"] * bool(less)) or "same words"
        )


def _likeness(texts: list[str], spellings: list[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Mean of the likeness of all words and of the words in common, 0 to 1: one text a row."""
    whole = process.cdist(texts, spellings, scorer=fuzz.ratio, dtype=np.float32, workers=-1)
    common = process.cdist(texts, spellings, scorer=fuzz.token_set_ratio, dtype=np.float32, workers=-1)
    made: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = (whole + common) / 200
    return made


def slip(text: tuple[str, ...], spelling: tuple[str, ...]) -> bool:
    """Whether the words are the same but for one typing slip a word of five letters or more, or for spaces."""
    if "".join(text) == "".join(spelling):
        return True
    rest, other = list(text), list(spelling)
    for word in text:
        if word in other:
            rest.remove(word)
            other.remove(word)
    return len(rest) == len(other) <= 2 and any(
        all(_one_slip(a, b) for a, b in zip(rest, order, strict=True)) for order in permutations(other)
    )


def _one_slip(a: str, b: str) -> bool:
    digits = [sign for sign in a if sign.isdigit()] == [sign for sign in b if sign.isdigit()]
    return digits and min(len(a), len(b)) >= SHORTEST_SLIP and OSA.distance(a, b, score_cutoff=1) <= 1
