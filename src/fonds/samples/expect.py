"""What the expectations share: when a value is empty, a UID, a calendar date; how far two dates are apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date

from fonds.samples.seen import Seen


def empty(text: str) -> bool:
    """Absent, or nothing but spaces."""
    return not text.strip(" ")


def components(text: str) -> list[str]:
    """The values of a multi-valued text."""
    return text.split("\\")


def is_uid(text: str) -> bool:
    """Digits and single dots, at most 64 characters."""
    return len(text) <= 64 and re.fullmatch(r"[0-9]+(\.[0-9]+)*", text) is not None


def calendar(text: str) -> date | None:
    """The day that eight digits name, if there is such a day."""
    if not re.fullmatch(r"[0-9]{8}", text):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def apart(row: Seen, one: str, other: str) -> bool:
    """Whether two dates of an object are both valid and more than one day apart."""
    a, b = calendar(row.get(one)), calendar(row.get(other))
    return a is not None and b is not None and abs((a - b).days) > 1


def first_failing(row: Seen, words: Iterable[str], fails: Callable[[str], bool]) -> str | None:
    """The first of the attributes whose value fails."""
    return next((word for word in words if fails(row.get(word))), None)
