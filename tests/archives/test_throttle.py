from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonds.archives.throttle import Throttle
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import Pace


def at(clock: str, hours: str | None) -> Throttle:
    return Throttle("pacs", Pace(hours=hours), now=lambda: datetime.fromisoformat(f"2026-11-24T{clock}").astimezone())


@pytest.mark.parametrize("clock", ["19:00", "23:59:59", "00:00", "05:59:59"])
def test_hours_go_across_midnight(clock: str) -> None:
    at(clock, "19:00-06:00").wait()


@pytest.mark.parametrize("clock", ["06:00", "12:00", "18:59:59"])
def test_outside_its_hours_an_archive_is_not_asked_and_it_is_told_when_it_may_be(clock: str) -> None:
    with pytest.raises(ArchiveUnreachable, match=r"source pacs: may be asked 19:00-06:00 only; run again from 19:00"):
        at(clock, "19:00-06:00").wait()


def test_hours_of_one_day() -> None:
    at("12:30", "12:00-13:00").wait()
    for clock in ("11:59", "13:00", "00:00"):
        with pytest.raises(ArchiveUnreachable):
            at(clock, "12:00-13:00").wait()


def test_hours_end_while_a_crawl_goes_on() -> None:
    clock = datetime.fromisoformat("2026-11-24T05:59:59").astimezone()
    throttle = Throttle("pacs", Pace(hours="19:00-06:00"), now=lambda: clock)
    throttle.wait()
    clock += timedelta(seconds=1)
    with pytest.raises(ArchiveUnreachable):
        throttle.wait()


@given(st.times(), st.times(), st.times())
def test_a_time_is_inside_hours_or_inside_their_opposite(first: object, second: object, clock: object) -> None:
    start, end = f"{first:%H:%M}", f"{second:%H:%M}"
    if start == end:
        return
    inside = []
    for hours in (f"{start}-{end}", f"{end}-{start}"):
        try:
            at(f"{clock:%H:%M:%S}", hours).wait()
            inside.append(hours)
        except ArchiveUnreachable:
            pass
    assert len(inside) == 1


def test_questions_a_second_are_spread_evenly() -> None:
    waited: list[datetime] = []
    throttle = Throttle("pacs", Pace(per_second=50))
    for _ in range(6):
        throttle.wait()
        waited.append(datetime.now().astimezone())
    # at least: a busy machine may take longer
    assert waited[-1] - waited[0] >= timedelta(seconds=5 * 0.02 * 0.9)
