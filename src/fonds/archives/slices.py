"""Slices of an archive's studies: what is asked for, as matching keys, and what is answered, as text by keyword."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

DAYS = (date.min.toordinal(), date.max.toordinal())
SECONDS = (0, 86_399)
By = Literal["PatientID", "PatientName"]


@dataclass(frozen=True, slots=True)
class Found:
    """One study as it was answered: raw text by keyword (absent is no key, empty is ''), and what is unusual."""

    attributes: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def uid(self) -> str:
        """Study Instance UID."""
        return self.attributes["StudyInstanceUID"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came to one question. `cut` says, without values, why the archive itself calls it incomplete.

    `broken` counts answers that say no Study Instance UID or can't be read; the others are `found`.
    """

    found: Sequence[Found]
    cut: str | None = None
    broken: int = 0

    @property
    def count(self) -> int:
        """Answers that came, broken ones too: what a cap counts."""
        return len(self.found) + self.broken

    @property
    def uids(self) -> set[str]:
        """The studies."""
        return {found.uid for found in self.found}


Ask = Callable[[Mapping[str, str], int | None], Answer]
"""Asks for studies that match keys (PS3.4 C.2.2.2), and may stop after so many answers (`cut` then says so)."""


@dataclass(frozen=True, slots=True)
class Slice:
    """A conjunction of conditions on studies; none is all of them."""

    dates: tuple[int, int] | None = None
    """days of Study Date, as proleptic ordinals, both included"""
    times: tuple[int, int] | None = None
    """seconds of Study Time, both included"""
    modality: str | None = None
    patient: str | None = None
    """beginning of the attribute `by`, unless `how` says otherwise"""
    by: By = "PatientID"
    how: Literal["begins", "is", "holds"] = "begins"

    @property
    def keys(self) -> dict[str, str]:
        """Matching keys; ranges as PS3.4 C.2.2.2.5, wildcards as C.2.2.2.4."""
        keys: dict[str, str] = {}
        if self.dates is not None:
            keys["StudyDate"] = _range([_day(day) for day in self.dates], self.dates, DAYS)
        if self.times is not None:
            keys["StudyTime"] = f"{_clock(self.times[0])}-{_clock(self.times[1])}.999999"
        if self.modality is not None:
            keys["ModalitiesInStudy"] = self.modality
        if self.patient is not None:
            patterns = {"begins": f"{self.patient}*", "is": self.patient, "holds": f"*{self.patient}*"}
            keys[self.by] = patterns[self.how]
        return keys

    @property
    def one_day(self) -> bool:
        """It can't be split by date."""
        return self.dates is not None and self.dates[0] == self.dates[1]

    def excludes(self, keyword: str) -> Callable[[str], bool]:
        """Whether a value of one of its keys is outside the slice; values that can't be read are inside."""
        if keyword == "StudyDate":
            low, high = self.dates or DAYS
            return lambda value: (day := day_of(value)) is not None and not low <= day <= high
        if keyword == "StudyTime":
            first, last = self.times or SECONDS
            return lambda value: (second := second_of(value)) is not None and not first <= second <= last
        if keyword == "ModalitiesInStudy":
            return lambda value: self.modality not in [part.strip() for part in value.split("\\")]
        text = (self.patient or "").casefold().strip()
        if self.how == "holds":
            return lambda value: text not in value.casefold()
        return lambda value: not value.casefold().strip().startswith(text)


def _range(texts: list[str], bounds: tuple[int, int], limits: tuple[int, int]) -> str:
    if bounds[0] == bounds[1]:
        return texts[0]
    low = "" if bounds[0] == limits[0] else texts[0]
    return f"{low}-{'' if bounds[1] == limits[1] else texts[1]}"


def _day(ordinal: int) -> str:
    return f"{date.fromordinal(ordinal):%Y%m%d}".rjust(8, "0")


def _clock(second: int) -> str:
    return f"{second // 3600:02}{second // 60 % 60:02}{second % 60:02}"


def day_of(value: str) -> int | None:
    """Ordinal of a DA value (PS3.5 6.2; the ACR-NEMA form with points too), None when it is no day."""
    try:
        return date.fromisoformat(value.strip().replace(".", "")[:8]).toordinal()
    except ValueError:
        return None


def second_of(value: str) -> int | None:
    """Second of the day of a TM value (PS3.5 6.2), None when it is no time."""
    digits = value.strip().replace(":", "").partition(".")[0].ljust(6, "0")
    if len(digits) != 6 or not digits.isdecimal():
        return None
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:])
    return hours * 3600 + minutes * 60 + min(seconds, 59) if hours < 24 and minutes < 60 and seconds <= 60 else None
