"""Two sweeps over an archive's studies, by date and then by patient, in pieces that need not be asked twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from fonds.archives.slices import DAYS, Answer, Found, Slice
from fonds.archives.slicing import Slicer

WIDTHS = tuple(2**power for power in range(11))
"""days asked about at once: few widths, so that what was finished is found again whatever was learnt on the way"""
_FIRST_WIDTH = 512
TARGET = 500
"""studies a slice of dates aims at"""
_PATIENTS = 50
_CHANGING = frozenset(("InstanceAvailability", "RetrieveAETitle", "ModalitiesInStudy", "SOPClassesInStudy"))
Finished = Callable[[str], "Sequence[Found] | None"]
"""Studies of a piece that was finished before the crawl was interrupted; None when it wasn't"""


@dataclass(frozen=True, slots=True)
class Study:
    """One thing an archive says of a study; `record` counts the different things it says of the same one."""

    found: Found
    record: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What one slice brought that wasn't known: `resumed` ones were finished before, and come without studies."""

    key: str
    studies: list[Study]
    problem: str | None = None
    resumed: bool = False


class Sweeps:
    """All studies of an archive, each difference in what it says of them once."""

    def __init__(self, slicer: Slicer, *, first: date, today: date, finished: Finished) -> None:
        self.slicer, self.first, self.today, self._finished = slicer, first.toordinal(), today.toordinal(), finished
        self._said: dict[str, tuple[int, ...]] = {}
        self._patients: set[str] = set()
        self._nameless = False
        """a study without Patient ID was seen"""

    def pieces(self) -> Iterator[Piece]:
        """By date; then by patient, for studies whose date is empty or lies elsewhere than they are found by."""
        yield from self._by_date()
        root = self.slicer.ask(Slice())
        if not self._everything(root):
            yield from self._by_patient()
            if self._nameless:
                for part in self.slicer.by_patient(Slice(by="PatientName")):
                    yield from self._branch(part)
        yield self._rest(root, "all")

    def _by_date(self) -> Iterator[Piece]:
        yield from self._resolved(Slice(dates=(DAYS[0], self.first - 1)))
        start, width = self.first, _FIRST_WIDTH
        while start <= self.today and "StudyDate" not in self.slicer.ignored and not self.slicer.hopeless:
            resumed = self._finished_from(start)
            if resumed is not None:
                piece, width, count = resumed
            else:
                part = self._days(start, width)
                answer = self.slicer.ask(part)
                if not part.one_day and self._cut_off(answer) and "StudyDate" not in self.slicer.ignored:
                    width //= 2
                    continue
                piece = self._resolve(part, answer)
                count = len(piece.studies)
            yield piece
            start += width
            width = self._width(width, count)
        yield from self._resolved(Slice(dates=(self.today + 1, DAYS[1])))

    def _days(self, start: int, width: int) -> Slice:
        return Slice(dates=(start, min(start + width - 1, self.today)))

    def _finished_from(self, start: int) -> tuple[Piece, int, int] | None:
        for width in reversed(WIDTHS):
            done = self._finished(_key(self._days(start, width)))
            if done is not None:
                piece = self._resumed(self._days(start, width))
                return None if piece is None else (piece, width, len(done))
        return None

    def _cut_off(self, answer: Answer) -> bool:
        return answer.cut is not None or (self.slicer.cap is not None and answer.count >= self.slicer.cap)

    def _width(self, width: int, count: int) -> int:
        target = min(TARGET, self.slicer.limit * 6 // 10)
        if count > target:
            return 1 << max(1, width * target // count).bit_length() - 1
        return min(WIDTHS[-1], width * 2) if count < target // 4 else width

    def _resolved(self, part: Slice) -> Iterator[Piece]:
        low, high = part.dates or DAYS
        if low <= high and not self.slicer.hopeless:
            yield self._resumed(part) or self._resolve(part)

    def _resolve(self, part: Slice, answer: Answer | None = None) -> Piece:
        gathering = _Gathering(self, by_patient=part.dates is None)
        answer = self.slicer.ask(part) if answer is None else answer
        gathering.take(replace(answer, cut=None))
        if part.dates is None or "StudyDate" not in self.slicer.ignored:
            self.slicer.resolve(part, gathering.take, answer)
        return gathering.piece(_key(part))

    def _resumed(self, part: Slice) -> Piece | None:
        key = _key(part)
        done = self._finished(key)
        if done is None:
            return None
        for found in done:
            self.said(found)
        return Piece(key, [], resumed=True)

    def _everything(self, root: Answer) -> bool:
        """Whether an answer to no key at all holds all studies: the known ones, and it doesn't look cut off."""
        known = self._said.keys()
        self.slicer.judge(root, root.uids | known)
        return not self.slicer.looks_cut(root) and known <= root.uids

    def _rest(self, answer: Answer, key: str) -> Piece:
        """What an answer that was split holds beyond its parts."""
        gathering = _Gathering(self, by_patient=True)
        if answer.uids - self._said.keys() and self.slicer.looks_cut(answer):
            gathering.take(Answer((), "studies that no key tells apart may be missing"))
        if self.slicer.hopeless:
            gathering.take(Answer((), f"given up: the last questions all ended with {answer.cut}"))
        gathering.take(replace(answer, cut=None))
        return gathering.piece(key)

    def _by_patient(self) -> Iterator[Piece]:
        parts = self.slicer.by_patient(Slice())
        for part in parts:
            yield from self._branch(part)
        if not parts:
            yield from self._one_by_one()

    def _branch(self, part: Slice) -> Iterator[Piece]:
        resumed = self._resumed(part)
        if resumed is not None:
            yield resumed
            return
        if self.slicer.hopeless:
            return
        answer = self.slicer.ask(part)
        parts = [] if part.how == "is" or self.slicer.whole(answer) else self.slicer.by_patient(part)
        if not parts or part.by in self.slicer.ignored:
            yield self._resolve(part, answer)
            return
        for longer in parts:
            yield from self._branch(longer)
        if answer.uids - self._said.keys():
            yield self._rest(answer, f"{_key(part)} rest")

    def _one_by_one(self) -> Iterator[Piece]:
        """Studies of each patient whose ID is known, where no wildcard works; others can't be asked for."""
        patients = [] if "PatientID" in self.slicer.ignored else sorted(self._patients)
        for start in range(0, len(patients), _PATIENTS):
            some = patients[start : start + _PATIENTS]
            key = _secret("is", *some)
            done = self._finished(key)
            if done is not None:
                for found in done:
                    self.said(found)
                yield Piece(key, [], resumed=True)
                continue
            gathering = _Gathering(self, by_patient=True)
            for patient in some:
                self.slicer.resolve(Slice(patient=patient, how="is"), gathering.take)
            yield gathering.piece(key)
        told = "Patient ID can't be asked for by wildcards: only known IDs were asked for studies without a date"
        yield Piece("wildcards", [], told)

    def said(self, found: Found) -> int | None:
        """Remember what is said of a study: the number of this among what differs, None when it is known."""
        patient = found.attributes.get("PatientID", "").strip()
        if patient:
            self._patients.add(patient)
        else:
            self._nameless = True
        # counts and the like change while a crawl goes on
        lasting = ((k, v) for k, v in found.attributes.items() if k not in _CHANGING and not k.startswith("NumberOf"))
        identity = hash(frozenset(lasting))
        known = self._said.get(found.uid, ())
        if identity in known:
            return None
        self._said[found.uid] = (*known, identity)
        return len(known)


class _Gathering:
    """Answers of one piece."""

    def __init__(self, sweeps: Sweeps, *, by_patient: bool) -> None:
        self._sweeps, self._by_patient = sweeps, by_patient
        self._studies: list[Study] = []
        self._problems: dict[str, None] = {}
        self._broken = 0

    def take(self, answer: Answer) -> None:
        """What isn't known of an answer; why it stays incomplete."""
        self._broken = max(self._broken, answer.broken)
        if answer.cut:
            self._problems[answer.cut] = None
        for found in answer.found:
            record = self._sweeps.said(found)
            if record is not None:
                self._studies.append(Study(found, record, self._notes(found)))

    def _notes(self, found: Found) -> tuple[str, ...]:
        notes = list(found.notes)
        if not found.attributes.get("StudyDate", "").strip():
            notes.append("empty-date")
        if self._by_patient:
            notes.append("found-by-patient")
        if found.attributes.get("NumberOfStudyRelatedInstances", "").strip() == "0":
            notes.append("order-shell")
        return tuple(notes)

    def piece(self, key: str) -> Piece:
        """All of it."""
        twice = {study.found.uid for study in self._studies if study.record}
        studies = [
            replace(study, notes=(*study.notes, "answered-twice")) if study.found.uid in twice else study
            for study in self._studies
        ]
        problems = list(self._problems)
        if self._broken:
            problems.append(f"{self._broken} answer(s) without a Study Instance UID that can be read are left out")
        return Piece(key, studies, "; ".join(problems) or None)


def _key(part: Slice) -> str:
    if part.dates is not None:
        return f"studies {part.keys['StudyDate']}"
    return _secret(part.by, part.how, part.patient or "")


def _secret(*said: str) -> str:
    # keys are names of files and may be told: they hold no identifier
    return "patients " + hashlib.sha256("\0".join(said).encode()).hexdigest()[:20]
