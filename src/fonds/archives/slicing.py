"""Asks an archive that may cut off its answers, slice by slice: by date, time, modality and patient, until it can't."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from fonds.archives.slices import DAYS, SECONDS, Answer, Ask, By, Found, Slice, day_of, second_of
from fonds.dicom.terms import MODALITIES, RETIRED_MODALITIES

FLOOR = 10
"""answers below this many are taken as whole: no archive is known to cut off so early without saying so"""
MOST = 2000
"""answers after which a question that can be split is cancelled, to spare the archive"""
FEW = 50
"""the same for a question that only asks whether there is one"""
HOPELESS = 25
"""failed questions without one answer in a row, after which splitting them is given up"""
_LONGEST = 64
_SPECIAL = "\\*?"
_PRINTABLE = frozenset(string.printable[:95]) - frozenset(_SPECIAL)


class Slicer:
    """Asks, splits what may be cut off, and remembers what the archive showed of its limits.

    An archive with a cap gives its largest answer where it cuts. So an answer smaller than one seen before is whole,
    and one as large as the largest is compared with the answers to its parts: a few questions in a whole crawl where
    there is no cap. An archive that says itself that an answer is cut is believed.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.largest = FLOOR
        self.cap: int | None = None
        """the smallest answer that was shown to be cut off"""
        self.ignored: set[str] = set()
        """keys the archive was seen to ignore"""
        self.modalities: set[str] = set()
        self.limit = MOST
        """the smallest answer that was cut off, or that the archive itself called so"""
        self._failed = 0
        self._repeated: set[int] = set()
        self._characters: dict[By, set[str]] = {"PatientID": set(), "PatientName": set()}
        self._samples: dict[By, str] = {}
        self._complete: set[By] = set()
        self._wildcards: dict[By, bool] = {}

    @property
    def hopeless(self) -> bool:
        """The archive refuses whatever it is asked."""
        return self._failed >= HOPELESS

    def ask(self, part: Slice) -> Answer:
        """The archive's answer to a slice; a key it ignores is noticed."""
        most = None if part.one_day or part.how == "is" else FEW if part.how == "holds" else MOST
        answer = self._ask(part.keys, most)
        self._failed = self._failed + 1 if answer.cut and not answer.count else 0
        if answer.cut and answer.count >= FLOOR:
            self.limit = min(self.limit, answer.count)
        self._learn(answer.found)
        for keyword in part.keys:
            values = [value for one in answer.found if (value := one.attributes.get(keyword))]
            # one study whose date is another than the one it is found by is no ignored key
            if len(values) >= FLOOR and sum(map(part.excludes(keyword), values)) > len(values) / 2:
                self.ignored.add(keyword)
        return answer

    def whole(self, answer: Answer) -> bool:
        """Whether nothing can be missing from an answer; to be asked once about each."""
        if answer.cut:
            return False
        if answer.count < self.largest:
            return True
        if answer.count == self.largest and answer.count > FLOOR:
            self._repeated.add(answer.count)
        self.largest = max(self.largest, answer.count)
        return False

    def looks_cut(self, answer: Answer) -> bool:
        """Whether an answer has the look of one that was cut off: told so, a cap seen before, or a round number."""
        count = answer.count
        if answer.cut or (self.cap is not None and count >= self.cap) or count in self._repeated:
            return True
        # one more than the cap comes from archives that look whether there is more
        return count >= 50 and (count % 50 in (0, 1) or count & (count - 1) == 0)

    def resolve(self, part: Slice, take: Callable[[Answer], None], answer: Answer | None = None) -> set[str]:
        """Find all studies of a slice; says which ones. Every answer is handed to `take`.

        `answer` is the one to the slice itself where it was asked, and taken, before. When an answer stays cut off,
        `take` gets one more, without studies, whose `cut` says so.
        """
        if answer is None:
            answer = self.ask(part)
            take(replace(answer, cut=None))
        own = answer.uids
        if self.whole(answer):
            return own
        union: set[str] = set()
        for keyword, parts in self._ways(part, answer):
            if self.hopeless:
                break
            if not parts:
                continue
            union |= self._parts(keyword, parts, own, take)
            if keyword not in self.ignored and self._covers(keyword, part, answer, union):
                self.judge(answer, union | own)
                return union | own
        self.judge(answer, union | own)
        if self.looks_cut(answer):
            told = f"ended with {answer.cut}" if answer.cut else f"of {answer.count} studies may be cut off"
            take(Answer((), f"an answer {told}, and no key splits it further"))
        return union | own

    def _parts(self, keyword: str, parts: list[Slice], own: set[str], take: Callable[[Answer], None]) -> set[str]:
        # all parts are asked before one is split: a key the archive ignores is known by then
        asked: list[tuple[Slice, Answer]] = []
        union: set[str] = set()
        alike = 0
        for part in parts:
            answer = self.ask(part)
            take(replace(answer, cut=None))
            asked.append((part, answer))
            union |= answer.uids
            alike += len(own) >= FLOOR and answer.uids == own
            if alike > 1:
                self.ignored.add(keyword)
            if keyword in self.ignored or self.hopeless:
                return union
        if own and not union:
            return union  # nobody says a value, or the archive doesn't match this key
        for part, answer in asked:
            union |= self.resolve(part, take, answer)
        return union

    @staticmethod
    def _covers(keyword: str, part: Slice, answer: Answer, union: set[str]) -> bool:
        """Whether parts by a key can hold all of a slice: then they hold at least what the slice itself answered."""
        if keyword == "StudyDate" and part.dates is None:
            return False  # studies without a date are in no range of dates
        outside = part.excludes(keyword) if keyword in part.keys else lambda _: False
        return all(one.uid in union or outside(one.attributes.get(keyword, "")) for one in answer.found)

    def judge(self, answer: Answer, union: set[str]) -> None:
        """Learn from the parts of a slice, or from what else is known of it, where its answer was cut off."""
        if 0 < answer.count < MOST and len(union) > len(answer.uids):
            self.cap = min(self.cap or answer.count, answer.count)
            self.limit = min(self.limit, self.cap)

    def _ways(self, part: Slice, answer: Answer) -> Iterable[tuple[str, list[Slice]]]:
        said = [one.attributes for one in answer.found]
        if part.dates is None and part.modality is None and "ModalitiesInStudy" not in self.ignored:
            yield "ModalitiesInStudy", self._by_modality(part, every=True)
        if not part.one_day and "StudyDate" not in self.ignored:
            low, high = part.dates or DAYS
            stated = (day_of(one.get("StudyDate", "")) for one in said)
            seen = [day for day in stated if day is not None and low <= day <= high]
            # some archives find studies without a date by an open range: ranges don't split those
            if seen or not said:
                yield "StudyDate", [replace(part, dates=half) for half in _halves((low, high), seen)]
                if part.dates is not None and "StudyDate" not in self.ignored:
                    return
        if "StudyTime" not in self.ignored:
            seen = [second for one in said if (second := second_of(one.get("StudyTime", ""))) is not None]
            yield "StudyTime", [replace(part, times=half) for half in _halves(part.times or SECONDS, seen)]
        if part.dates is not None and part.modality is None and "ModalitiesInStudy" not in self.ignored:
            yield "ModalitiesInStudy", self._by_modality(part, every=False)
        if part.how == "begins" and part.by not in self.ignored:
            yield part.by, self.by_patient(part)
            if part.patient is None and "PatientName" not in self.ignored:
                yield "PatientName", self.by_patient(replace(part, by="PatientName"))

    def _by_modality(self, part: Slice, *, every: bool) -> list[Slice]:
        names = self.modalities | ({*MODALITIES, *RETIRED_MODALITIES} if every else set())
        return [replace(part, modality=name) for name in sorted(names)] if len(names) > 1 else []

    def by_patient(self, part: Slice) -> list[Slice]:
        """The parts of a slice by the next character of the patient's ID or name; none where wildcards don't work."""
        begin = part.patient or ""
        if len(begin) >= _LONGEST or not self.wildcards(part.by):
            return []
        longer = [replace(part, patient=begin + character) for character in sorted(self._alphabet(part.by))]
        return [replace(part, how="is"), *longer] if begin else longer

    def wildcards(self, by: By) -> bool:
        """Whether a beginning with ``*`` finds what begins so; tried once with a value that was answered."""
        if by not in self._wildcards:
            sample = self._samples.get(by)
            if sample is None:
                return False
            answer = self.ask(Slice(patient=sample[:-1], by=by))
            self._wildcards[by] = bool(answer.count) and by not in self.ignored
        return self._wildcards[by]

    def _alphabet(self, by: By) -> set[str]:
        """Characters a value may go on with: those seen, and those that a question for ``*c*`` finds, or all."""
        if by not in self._complete:
            self._complete.add(by)
            sample = self._samples[by]
            if self.ask(Slice(patient=sample[len(sample) // 2], by=by, how="holds")).count:
                for character in sorted(_PRINTABLE - self._characters[by] - {" "}):
                    self.ask(Slice(patient=character, by=by, how="holds"))  # what it finds is learnt there
            else:
                self._characters[by] |= _PRINTABLE
        return self._characters[by]

    def _learn(self, found: Sequence[Found]) -> None:
        for by in self._characters:
            values = {value.strip() for one in found if (value := one.attributes.get(by))}
            self._characters[by] |= _PRINTABLE.intersection("".join(values))
            if by not in self._samples:
                plain = [value for value in values if len(value) > 1 and _PRINTABLE.issuperset(value)]
                if plain:
                    self._samples[by] = min(plain)
        for one in found:
            stated = one.attributes.get("ModalitiesInStudy") or one.attributes.get("Modality") or ""
            self.modalities |= {part.strip() for part in stated.split("\\") if part.strip()}


def _halves(bounds: tuple[int, int], seen: list[int]) -> list[tuple[int, int]]:
    """A range cut at the median of the values seen in it, so that each part has about as many; none of one value.

    Where one value is all that was seen it is a part of its own.
    """
    low, high = bounds
    if low == high:
        return []
    inside = sorted(value for value in seen if low <= value <= high)
    if inside and inside[0] == inside[-1]:
        only = inside[0]
        parts = [(low, only - 1), (only, only), (only + 1, high)]
        return [(first, last) for first, last in parts if first <= last]
    middle = inside[len(inside) // 2] if inside else (low + high + 1) // 2
    middle = max(low + 1, min(middle, high))
    return [(low, middle - 1), (middle, high)]
