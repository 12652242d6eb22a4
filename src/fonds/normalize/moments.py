"""Actions on dates, times and moments (DA, TM, DT of PS3.5 6.2). A time zone is kept as it is, never computed with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from fonds.catalog.store import literal
from fonds.normalize.basis import Action, At, Keyword, StewardAction

# form of a written date, and where year, month and day begin in it
DATE_FORMS = {
    "iso": (r"^\d{4}(?:\.\d\d\.|-\d\d-|/\d\d/)\d\d$", 1, 6, 9),
    "us": (r"^(?:\d\d/\d\d/|\d\d-\d\d-|\d\d\.\d\d\.)\d{4}$", 7, 1, 4),
    "european": (r"^(?:\d\d/\d\d/|\d\d-\d\d-|\d\d\.\d\d\.)\d{4}$", 7, 4, 1),
}
SHORT_FORMS = {
    "iso": (r"^\d{6}$", 1, 3, 5),
    "us": (r"^(?:\d\d/\d\d/|\d\d-\d\d-|\d\d\.\d\d\.)\d\d$", 7, 1, 4),
    "european": (r"^(?:\d\d/\d\d/|\d\d-\d\d-|\d\d\.\d\d\.)\d\d$", 7, 4, 1),
}
TIME_FORM = literal(r"^(?:[01]\d|2[0-3]):[0-5]\d(?::(?:[0-5]\d|60)(?:\.\d{1,6})?)?$")
TWELVE_HOURS = literal(r"^(0?[1-9]|1[0-2]):([0-5]\d)(?::([0-5]\d))? ?([AaPp])\.?[Mm]\.?$")
_TIME = r"([01]\d|2[0-3]):?([0-5]\d)(?::?((?:[0-5]\d|60)(?:\.\d{1,6})?))?"
_ZONE = r"(Z|[+-][01]\d:?[0-5]\d)"
_MOMENT = literal(rf"^(\d{{4}})([-./]?)(\d\d)[-./]?(\d\d)(?:[ T]?{_TIME})?(?: ?{_ZONE})?$")
_PLAIN = literal(r"^[0-9.]*([+-][0-9]{4})?$")
_DAY = literal(r"^[0-9]{8}$")
DateOrder = Literal["iso", "us", "european", "source"]


class Date(Action):
    """A date written with separators becomes YYYYMMDD, when it is a calendar date.

    `YYYY-MM-DD`, `YYYY.MM.DD` (ACR-NEMA) and `YYYY/MM/DD` are always understood. With `order: us` also month, day,
    year; with `order: european` day, month, year, two digits each. Nothing is guessed from the values.
    """

    action: Literal["date"]
    order: DateOrder = Field("source", description="order of the parts; `source` takes date_order from fonds.yaml")

    def sql(self, at: At) -> str:
        """Eight digits, when they are a date."""
        digits = _digits(self.order, DATE_FORMS, at, 4, "")
        return f"CASE WHEN {_exists(digits)} THEN {digits} ELSE {at.value} END"


class ShortDate(StewardAction):
    """A date with a two-digit year becomes YYYYMMDD; the pivot says which century, a person whether it is so.

    `YYMMDD` is always understood, `MM/DD/YY` and `DD.MM.YY` as `order` says. Years up to `pivot` are those from 2000
    on, later ones those from 1900 on. With `not_after` the year from 2000 on is only taken when the day isn't after
    that attribute's: a birth date is never after the study; where that attribute holds no date, nothing is proposed.
    """

    action: Literal["short-date"]
    pivot: int = Field(ge=0, le=99, description="last two-digit year that belongs to 2000 and after")
    order: DateOrder = Field("source", description="order of the parts; `source` takes date_order from fonds.yaml")
    not_after: Keyword | None = Field(None, description="attribute with a date that this one can't be after")

    def looks_at(self) -> tuple[str, ...]:
        """The date it can't be after."""
        return (self.not_after,) if self.not_after is not None else ()

    def sql(self, at: At) -> str:
        """Eight digits, when they are a date."""
        new, old = (_digits(self.order, SHORT_FORMS, at, 2, century) for century in ("20", "19"))
        small = f"try_cast(substr({new}, 3, 2) AS INTEGER) <= {self.pivot}"
        known = "true"
        if self.not_after is not None:
            limit = f"trim({at.column(self.not_after)}, ' ')"
            known = f"coalesce(regexp_matches({limit}, {_DAY}), false)"
            small = f"{small} AND {new} <= {limit}"
        made = f"CASE WHEN {small} THEN {new} ELSE {old} END"
        return f"CASE WHEN {known} AND {_exists(made)} THEN {made} ELSE {at.value} END"


class Time(Action):
    """A time written with colons becomes HHMM or HHMMSS[.F], when it is a time of day; so does one with AM or PM."""

    action: Literal["time"]

    def sql(self, at: At) -> str:
        """Digits without colons."""

        def part(number: int) -> str:
            return f"regexp_extract({at.value}, {TWELVE_HOURS}, {number})"

        hour = f"try_cast({part(1)} AS INTEGER) % 12 + CASE WHEN lower({part(4)}) = 'p' THEN 12 ELSE 0 END"
        return (
            f"CASE WHEN regexp_matches({at.value}, {TIME_FORM}) THEN replace({at.value}, ':', '') "
            f"WHEN regexp_matches({at.value}, {TWELVE_HOURS}) "
            f"THEN lpad(({hour})::VARCHAR, 2, '0') || {part(2)} || {part(3)} ELSE {at.value} END"
        )


class DateTime(Action):
    """A moment written with separators becomes YYYYMMDDHHMMSS.F&ZZXX, when its day exists.

    The offset from UTC is kept as it was written, only its colon goes and `Z` becomes `+0000`: the same moment in the
    same zone. None is added, and no time is shifted into another zone.
    """

    action: Literal["datetime"]

    def sql(self, at: At) -> str:
        """Digits and the offset."""

        def part(number: int) -> str:
            return f"regexp_extract({at.value}, {_MOMENT}, {number})"

        day = f"{part(1)} || {part(3)} || {part(4)}"
        zone = f"CASE {part(8)} WHEN 'Z' THEN '+0000' ELSE replace({part(8)}, ':', '') END"
        legal = f"regexp_matches({at.value}, {_PLAIN})"
        separated = f"{part(2)} <> '' OR NOT {legal}"
        return (
            f"CASE WHEN regexp_matches({at.value}, {_MOMENT}) AND ({separated}) AND {_exists(day)} "
            f"THEN {day} || {part(5)} || {part(6)} || {part(7)} || {zone} ELSE {at.value} END"
        )


def _digits(order: str, forms: dict[str, tuple[str, int, int, int]], at: At, years: int, century: str) -> str:
    """SQL of the date's digits, year first; NULL when it is in no form that counts here."""

    def form(name: str) -> str:
        pattern, year, month, day = forms[name]
        parts = f"substr({at.value}, {year}, {years}) || substr({at.value}, {month}, 2) || substr({at.value}, {day}, 2)"
        used = f" AND {at.column('date_order')} = {literal(name)}" if order == "source" and name != "iso" else ""
        return f"WHEN regexp_matches({at.value}, {literal(pattern)}){used} THEN {literal(century)} || {parts}"

    names = forms if order == "source" else dict.fromkeys(("iso", order))
    return f"CASE {' '.join(form(name) for name in names)} END"


def _exists(digits: str) -> str:
    """Whether eight digits are a day of the calendar."""
    return f"try_strptime({digits}, '%Y%m%d') IS NOT NULL"
