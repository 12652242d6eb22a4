from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fonds.archives.slices import Answer, Found, Slice, day_of, second_of
from fonds.archives.slicing import MOST, Slicer
from fonds.archives.sweeps import Piece, Sweeps

FIRST, TODAY = date(1980, 1, 1), date(2026, 11, 24)
Row = dict[str, str]


@dataclass
class Archive:
    """Answers as archives do: no more than `cap`, saying so with `status` or not at all."""

    rows: Sequence[Row]
    cap: int | None = None
    status: str | None = None
    ignores: Collection[str] = ()
    wildcards: str = "anywhere"
    cancels: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, keys: Mapping[str, str], most: int | None) -> Answer:
        self.asked.append(dict(keys))
        hits = [Found(row) for row in self.rows if all(self.matches(row, *key) for key in keys.items())]
        if self.cap is not None and len(hits) > self.cap:
            return Answer(hits[: self.cap], self.status)
        if most is not None and len(hits) > most and self.cancels:
            return Answer(hits[:most], "a cancelled answer")
        return Answer(hits)

    def matches(self, row: Row, keyword: str, wanted: str) -> bool:
        value = row.get(keyword, "")
        if keyword in self.ignores:
            return True
        if keyword in ("StudyDate", "StudyTime") and "-" in wanted:
            low, high = wanted.split("-")
            return value != "" and low <= value <= (high or "99999999")
        if keyword == "ModalitiesInStudy":
            return wanted in value.split("\\")
        if self.wildcards == "none" or (self.wildcards == "trailing" and wanted.startswith("*")):
            return value == wanted
        if wanted.startswith("*"):
            return wanted.strip("*") in value
        return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted


def study(number: int, day: str, **more: str) -> Row:
    row = {
        "StudyInstanceUID": f"1.2.{number}",
        "StudyDate": day,
        "StudyTime": f"{number * 7919 % 86400 // 3600:02}1500",
    }
    return row | {"ModalitiesInStudy": "CT", "PatientID": f"P{number:05}", "PatientName": f"N{number}^X"} | more


def spread(count: int, seed: int = 1) -> list[Row]:
    chance = random.Random(seed)
    days = [date(2003, 1, 1) + timedelta(chance.randrange(7000)) for _ in range(count)]
    return [study(number, f"{day:%Y%m%d}") for number, day in enumerate(days)]


def crowded(count: int) -> list[Row]:
    """A third at one moment and of one modality; some without date, time or ID."""
    rows = spread(count)
    for number, row in enumerate(rows):
        if number % 3 == 0:
            row |= {"StudyDate": "20100505", "StudyTime": "120000"}
        if number % 17 == 0:
            row["StudyDate"] = ""
        if number % 41 == 0:
            row["StudyTime"] = ""
        if number % 13 == 0:
            row["PatientID"] = ""
    return rows


def sweep(
    archive: Callable[[Mapping[str, str], int | None], Answer],
    finished: Callable[[str], Sequence[Found] | None] = lambda _: None,
) -> Iterator[Piece]:
    return Sweeps(Slicer(archive), first=FIRST, today=TODAY, finished=finished).pieces()


def uids(pieces: Collection[Piece]) -> set[str]:
    return {one.found.uid for piece in pieces for one in piece.studies}


def truth(rows: Sequence[Row]) -> set[str]:
    return {row["StudyInstanceUID"] for row in rows}


def problems(pieces: Collection[Piece]) -> list[str]:
    return [piece.problem for piece in pieces if piece.problem]


@pytest.mark.parametrize("make", [spread, crowded])
@pytest.mark.parametrize(("cap", "status"), [(None, None), (100, None), (100, "status A700"), (37, None), (250, None)])
def test_a_cap_loses_no_study_whether_told_or_not(
    make: Callable[[int], list[Row]], cap: int | None, status: str | None
) -> None:
    rows = make(350)
    pieces = list(sweep(Archive(rows, cap, status)))
    assert uids(pieces) == truth(rows)
    assert problems(pieces) == []


@pytest.mark.parametrize("keyword", ["StudyDate", "StudyTime", "ModalitiesInStudy"])
def test_a_key_that_is_ignored_is_noticed_and_others_split(keyword: str) -> None:
    rows = crowded(200)
    archive = Archive(rows, 100, ignores=[keyword])
    assert uids(list(sweep(archive))) == truth(rows)
    assert len(archive.asked) < 600


def test_without_wildcards_what_may_be_missing_is_told() -> None:
    rows = crowded(350)
    pieces = list(sweep(Archive(rows, 100, wildcards="none")))
    assert truth(rows) - uids(pieces)
    assert any("only known IDs" in problem for problem in problems(pieces))


def test_wildcards_only_at_the_end_do() -> None:
    rows = crowded(150)
    pieces = list(sweep(Archive(rows, 100, wildcards="trailing")))
    assert uids(pieces) == truth(rows)


def test_what_nothing_splits_is_told() -> None:
    rows = [study(number, "20100505", StudyTime="120000", PatientID="QA", PatientName="QA") for number in range(130)]
    pieces = list(sweep(Archive(rows, 100)))
    assert len(uids(pieces)) == 100
    assert any("no key splits it further" in problem for problem in problems(pieces))


def test_an_empty_archive_costs_a_few_questions() -> None:
    archive = Archive([])
    assert uids(list(sweep(archive))) == set()
    assert len(archive.asked) < 25


def test_a_large_archive_without_a_cap_is_not_asked_for_everything_at_once() -> None:
    rows = spread(2200)
    archive = Archive(rows)
    answered: list[int] = []

    def ask(keys: Mapping[str, str], most: int | None) -> Answer:
        answer = archive(keys, most)
        answered.append(answer.count)
        return answer

    pieces = list(sweep(ask))
    assert uids(pieces) == truth(rows)
    assert max(answered) <= MOST
    assert len(answered) < len(rows) / 10


def test_studies_before_the_first_date_after_today_and_with_dates_no_calendar_has() -> None:
    days = ["18991231", "00010101", "19791231", "20991231", "99991231", "20211335", "1999", ""]
    rows = [*spread(120), *(study(900 + number, day) for number, day in enumerate(days))]
    pieces = list(sweep(Archive(rows, 50)))
    assert uids(pieces) == truth(rows)
    assert problems(pieces) == []


def test_notes_say_how_a_study_was_found_and_what_is_odd() -> None:
    odd = [
        study(901, ""),
        study(902, "20050505", NumberOfStudyRelatedInstances="0"),
        study(903, "20050505", StudyDescription="one"),
        study(903, "20050505", StudyDescription="other"),
    ]
    pieces = list(sweep(Archive([*spread(100), *odd])))
    told = [one for piece in pieces for one in piece.studies]
    notes = {(one.found.uid, one.record): set(one.notes) for one in told if one.notes}
    assert notes == {
        ("1.2.901", 0): {"empty-date", "found-by-patient"},
        ("1.2.902", 0): {"order-shell"},
        ("1.2.903", 0): {"answered-twice"},
        ("1.2.903", 1): {"answered-twice"},
    }
    assert len(told) == 104


def test_counts_that_grow_between_the_sweeps_are_no_second_answer() -> None:
    rows = spread(120)
    archive = Archive(rows, 50)

    def growing(keys: Mapping[str, str], most: int | None) -> Answer:
        answer = archive(keys, most)
        count = str(len(archive.asked))
        return Answer([Found({**one.attributes, "NumberOfStudyRelatedSeries": count}) for one in answer.found])

    assert len([one for piece in sweep(growing) for one in piece.studies]) == 120


def test_interrupted_anywhere_it_goes_on_without_asking_finished_pieces_again() -> None:
    rows = crowded(200)
    whole = Archive(rows, 100)
    expected = list(sweep(whole))
    keep: dict[str, list[Found]] = {}
    for piece in sweep(Archive(rows, 100)):
        if len(keep) == len(expected) * 3 // 4:
            break
        keep[piece.key] = [one.found for one in piece.studies]
    again = Archive(rows, 100)
    pieces = list(sweep(again, keep.get))
    assert {piece.key for piece in pieces if piece.resumed} == keep.keys()
    assert [piece.key for piece in pieces] == [piece.key for piece in expected]
    kept = {found.uid for some in keep.values() for found in some}
    assert kept | uids(pieces) == truth(rows)
    assert not kept & uids(pieces)
    assert len(again.asked) < len(whole.asked)


def test_an_archive_that_refuses_everything_is_given_up() -> None:
    asked = []

    def refuse(keys: Mapping[str, str], most: int | None) -> Answer:
        asked.append(keys)
        return Answer([], "status C001")

    pieces = list(sweep(refuse))
    assert any("given up" in problem for problem in problems(pieces))
    assert len(asked) < 200


def test_keys_of_pieces_hold_no_identifier() -> None:
    for piece in sweep(Archive(crowded(150), 100)):
        assert "P0" not in piece.key
        assert "^" not in piece.key


rows_of = st.lists(
    st.fixed_dictionaries(
        {
            "StudyDate": st.sampled_from(["", "20100505", "20100506", "20151231", "19700101", "2010"]),
            "StudyTime": st.sampled_from(["", "120000", "120000.5", "1201", "235959"]),
            "ModalitiesInStudy": st.sampled_from(["", "CT", "MR", "CT\\PT", "ODD"]),
            "PatientID": st.one_of(st.just(""), st.text("ab01-^ ", max_size=3), st.text(max_size=2)),
            "PatientName": st.text("XY^", max_size=3),
        }
    ),
    max_size=120,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows_of, st.integers(11, 60), st.sampled_from([None, "status A700"]), st.integers(0, 10))
def test_no_study_is_missing_without_a_word(given: list[Row], cap: int, status: str | None, seed: int) -> None:
    rows = [{**row, "StudyInstanceUID": f"1.2.{number}"} for number, row in enumerate(given)]
    random.Random(seed).shuffle(rows)
    pieces = list(sweep(Archive(rows, cap, status)))
    assert uids(pieces) == truth(rows) or problems(pieces)


@given(st.text(max_size=20))
def test_dates_and_times_of_any_text(text: str) -> None:
    assert day_of(text) is None or 1 <= (day_of(text) or 0) <= date.max.toordinal()
    assert second_of(text) is None or 0 <= (second_of(text) or 0) < 86_400


def test_keys_of_slices_are_ranges_and_wildcards_of_the_standard() -> None:
    day = date(2020, 1, 2).toordinal()
    assert Slice(dates=(day, day), times=(0, 59), modality="CT").keys == {
        "StudyDate": "20200102",
        "StudyTime": "000000-000059.999999",
        "ModalitiesInStudy": "CT",
    }
    assert Slice(dates=(day, day + 30)).keys == {"StudyDate": "20200102-20200201"}
    assert Slice(dates=(1, day)).keys == {"StudyDate": "-20200102"}
    assert Slice(dates=(day, date.max.toordinal())).keys == {"StudyDate": "20200102-"}
    assert Slice(patient="A").keys == {"PatientID": "A*"}
    assert Slice(patient="A", how="is", by="PatientName").keys == {"PatientName": "A"}
