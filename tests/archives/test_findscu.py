from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydicom.dataset import Dataset

from fonds.archives.base import Batch
from fonds.archives.dimse import Gate
from fonds.archives.findscu import FindIndex
from fonds.catalog.schema import TABLES
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import DimseSourceSettings
from tests.archives.asked import Capped, Pacs, Row, serving, stored
from tests.archives.nodes import dcmqrscp, free_port, orthanc, rest

SCHEMA = {name: kind for name, kind in TABLES["entries"].schema.items() if name != "source"}


class Known:
    """What a crawl knows: rows of the last one, batches of the one that was interrupted."""

    def __init__(self, known: pl.DataFrame | None = None, finished: dict[str, pl.DataFrame] | None = None) -> None:
        self.known = pl.DataFrame(schema=SCHEMA) if known is None else known
        self._finished = finished or {}

    def finished(self, key: str) -> pl.DataFrame | None:
        return self._finished.get(key)


def index(port: int, called: str = "PACS", **settings: Any) -> FindIndex:
    given = {"kind": "dicom", "host": "127.0.0.1", "port": port, "called_ae": called, "timeout": 10, **settings}
    return FindIndex("pacs", DimseSourceSettings.model_validate(given))


def rows_of(batches: list[Batch]) -> pl.DataFrame:
    frame = pl.concat([batch.rows for batch in batches])
    assert frame.schema == SCHEMA
    assert not frame.select("location", "record").is_duplicated().any()
    assert len({batch.key for batch in batches}) == len(batches)
    return frame


def problems(batches: list[Batch]) -> list[str]:
    return [batch.problem for batch in batches if batch.problem]


def level(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    return frame.filter(pl.col("level") == name)


def archive() -> list[Row]:
    """350 studies: 120 of one moment and modality, the others over twenty years, 20 without a date."""
    chance = random.Random(3)
    rows = []
    for number in range(350):
        day, clock = date(2003, 1, 1) + timedelta(chance.randrange(7000)), f"{chance.randrange(24):02}3000"
        row = {"StudyInstanceUID": f"1.2.3.{number}", "StudyDate": f"{day:%Y%m%d}", "StudyTime": clock}
        row |= {"ModalitiesInStudy": chance.choice(["CT", "MR"]), "PatientID": f"P{number // 2:05}"}
        if number < 120:
            row |= {"StudyDate": "20100505", "StudyTime": "120000", "ModalitiesInStudy": "CT"}
        if number >= 330:
            row["StudyDate"] = ""
        rows.append(row | {"PatientName": f"N{number // 2}^X"})
    return rows


def few(count: int = 6) -> list[Row]:
    return [row | {"StudyDate": f"2010050{number + 1}"} for number, row in enumerate(archive()[:count])]


TRUTH = {row["StudyInstanceUID"] for row in archive()}


@pytest.fixture(scope="module")
def objects() -> list[bytes]:
    return [stored(row) for row in archive()]


def test_an_orthanc_that_answers_no_more_than_100_loses_no_study(tmp_path: Path, objects: list[bytes]) -> None:
    with orthanc(tmp_path / "node", {"LimitFindResults": 100, "LimitFindInstances": 100}) as (port, http):
        for content in objects:
            rest(http, "/instances", "POST", content)
        batches = list(index(port, "ORTHANC", depth="study").batches(Known()))
        frame = rows_of(batches)
        assert problems(batches) == []
        assert set(frame["study_uid"]) == TRUTH
        assert frame.height == 350
        undated = frame.filter(pl.col("note").str.contains("empty-date"))
        assert set(undated["study_uid"]) == {f"1.2.3.{number}" for number in range(330, 350)}


def test_a_dcmqrscp_behind_a_cap_of_100_loses_no_study(tmp_path: Path, objects: list[bytes]) -> None:
    with dcmqrscp(tmp_path / "node", objects) as behind:
        capped = Capped(index(behind, "LEGACY").settings, 100)
        with serving(capped) as port:
            batches = list(index(port, depth="study").batches(Known()))
            capped.association.release()
        frame = rows_of(batches)
        assert problems(batches) == []
        assert set(frame["study_uid"]) == TRUTH
        assert frame.height == 350
        assert len(capped.asked) < 350


def test_dcmqrscp_itself_down_to_instances(tmp_path: Path, objects: list[bytes]) -> None:
    with dcmqrscp(tmp_path / "node", objects[:12]) as port:
        made = index(port, "LEGACY", depth="instance")
        made.check()
        frame = rows_of(batches := list(made.batches(Known())))
        assert problems(batches) == []
        places = sorted(f"1.2.3.{number}/1.2.3.{number}.1/1.2.3.{number}.1.1" for number in range(12))
        assert sorted(level(frame, "INSTANCE")["location"]) == places
        said = json.loads(level(frame, "STUDY").filter(pl.col("study_uid") == "1.2.3.7")["attributes"][0])
        assert (said["PatientID"], said["StudyDate"], said["AccessionNumber"]) == ("P00003", "20100505", "")
        assert "NumberOfStudyRelatedInstances" not in said  # absent, not empty
        # without counts nothing shows that a study is unchanged: all is asked again
        again = rows_of(list(made.batches(Known(frame))))
        assert again.sort("location").equals(frame.sort("location"))


def test_a_cap_that_is_reached_in_silence_or_told() -> None:
    for pacs in (
        Pacs(archive()[100:140], cap=15),
        Pacs(archive()[100:140], cap=15, ends=0xA700),
    ):
        with serving(pacs) as port:
            batches = list(index(port, depth="study").batches(Known()))
        assert problems(batches) == []
        assert set(rows_of(batches)["study_uid"]) == {f"1.2.3.{number}" for number in range(100, 140)}
        assert pacs.ended == ["released"] * pacs.opened
        assert pacs.opened == 1


def test_a_modality_that_is_ignored() -> None:
    with serving(Pacs(archive()[100:140], cap=15, ignores=["ModalitiesInStudy"])) as port:
        batches = list(index(port, depth="study").batches(Known()))
    assert set(rows_of(batches)["study_uid"]) == {f"1.2.3.{number}" for number in range(100, 140)}
    assert problems(batches) == []


def test_an_archive_that_ends_associations_is_asked_over_new_ones() -> None:
    pacs = Pacs(few(), breaks=7)
    with serving(pacs) as port:
        batches = list(index(port).batches(Known()))
    frame = rows_of(batches)
    assert problems(batches) == []
    assert level(frame, "SERIES").height == level(frame, "STUDY").height == 6
    assert pacs.opened > 1


def test_an_archive_that_never_answers_is_unreachable_and_named_without_what_was_asked() -> None:
    with (
        serving(Pacs(few(), silent=True)) as port,
        pytest.raises(ArchiveUnreachable, match=rf"^source PACS at 127.0.0.1:{port}: it stopped answering .* STUDY$"),
    ):
        list(index(port, timeout=0.3).batches(Known()))


def test_nobody_there() -> None:
    for asked in (lambda made: made.check(), lambda made: list(made.batches(Known()))):
        with pytest.raises(ArchiveUnreachable, match=r"source PACS at 127\.0\.0\.1"):
            asked(index(free_port(), timeout=1))


def test_one_study_that_is_answered_twice_differently_and_twice_the_same() -> None:
    rows = few(3)
    rows += [rows[0] | {"PatientID": "Q9"}, rows[1]]
    with serving(Pacs(rows)) as port:
        frame = level(rows_of(list(index(port).batches(Known()))), "STUDY").sort("location", "record")
    assert frame.select("study_uid", "record", "note").rows() == [
        ("1.2.3.0", 0, "answered-twice"),
        ("1.2.3.0", 1, "answered-twice"),
        ("1.2.3.1", 0, None),
        ("1.2.3.2", 0, None),
    ]


def test_order_shells_are_seen_by_their_count_or_by_having_no_series() -> None:
    for counts in (True, False):
        with serving(Pacs(few(), shells=["1.2.3.2"], counts=counts)) as port:
            frame = rows_of(list(index(port).batches(Known())))
        noted = level(frame, "STUDY").filter(pl.col("note").is_not_null())
        assert noted.select("study_uid", "note").rows() == [("1.2.3.2", "order-shell")]
        assert level(frame, "SERIES").height == 5


def named(raw: bytes, charset: str | None) -> Any:
    def spoil(ds: Dataset) -> Dataset:
        if "PatientName" in ds:
            ds.PatientName = raw
            if charset is not None:
                ds.SpecificCharacterSet = charset
        return ds

    return spoil


@pytest.mark.parametrize(
    ("raw", "declared", "setting", "name", "note"),
    [
        ("Müller^Änne".encode("latin-1"), "ISO_IR 100", None, "Müller^Änne", None),
        ("Müller^Änne".encode(), "ISO_IR 192", None, "Müller^Änne", None),
        ("Müller^Änne".encode("latin-1"), None, "ISO_IR 100", "Müller^Änne", None),
        ("Müller^Änne".encode("latin-1"), None, None, None, "doubtful PatientName"),
        ("Müller^Änne".encode("latin-1"), "ISO_IR 192", None, None, "doubtful PatientName"),
    ],
)
def test_text_is_decoded_in_the_answers_character_set(
    raw: bytes, declared: str | None, setting: str | None, name: str | None, note: str | None
) -> None:
    with serving(Pacs(few(1), spoil=named(raw, declared))) as port:
        frame = rows_of(list(index(port, depth="study", charset=setting).batches(Known())))
    assert frame["note"].to_list() == [note]
    said = json.loads(frame["attributes"][0])
    assert said.get("SpecificCharacterSet") == declared
    if name is not None:
        assert said["PatientName"] == name


def test_answers_without_a_study_or_that_cant_be_read_are_counted_and_the_rest_goes_on() -> None:
    def spoil(ds: Dataset) -> Dataset | None:
        if ds.StudyInstanceUID == "1.2.3.1" and ds.QueryRetrieveLevel == "STUDY":
            del ds.StudyInstanceUID
        return ds

    with serving(Pacs(few(), spoil=spoil)) as port:
        batches = list(index(port).batches(Known()))
    assert level(rows_of(batches), "STUDY").height == 5
    assert any("1 answer(s) without a Study Instance UID" in problem for problem in problems(batches))
    assert not any("1.2.3" in problem for problem in problems(batches))


def test_unchanged_studies_are_not_asked_below() -> None:
    rows = few()
    pacs = Pacs(rows)
    with serving(pacs) as port:
        made = index(port, depth="instance")
        first = rows_of(list(made.batches(Known())))
        assert level(first, "INSTANCE").height == 12
        pacs.asked.clear()
        assert rows_of(list(made.batches(Known(first)))).sort("location").equals(first.sort("location"))
        assert {asked for asked, _ in pacs.asked} == {"STUDY"}
        rows[2]["PatientName"] = "NEW^X"
        second = rows_of(list(made.batches(Known(first))))
        below = {str(query.StudyInstanceUID) for asked, query in pacs.asked if asked != "STUDY"}
        assert below == {"1.2.3.2"}
        assert "NEW^X" in level(second, "STUDY").filter(pl.col("study_uid") == "1.2.3.2")["attributes"][0]
        # deeper than before: what wasn't catalogued is asked
        shallow = first.filter(pl.col("level") != "INSTANCE")
        assert level(rows_of(list(made.batches(Known(shallow)))), "INSTANCE").height == 12


def test_relational_questions_are_asked_where_both_sides_agree() -> None:
    asked = {}
    for agrees in (True, False):
        pacs = Pacs(few(), relational=agrees)
        with serving(pacs) as port:
            frame = rows_of(list(index(port, depth="instance", relational=True).batches(Known())))
        assert level(frame, "INSTANCE").height == 12
        asked[agrees] = [(name, query) for name, query in pacs.asked if name != "STUDY"]
    assert len([name for name, _ in asked[True] if name == "SERIES"]) == 1
    assert all(isinstance(query.StudyInstanceUID, str) for _, query in asked[False])


@pytest.mark.parametrize("after", [17])
def test_killed_and_run_again_no_finished_batch_is_asked_again(after: int) -> None:
    rows = archive()[100:140]
    with serving(pacs := Pacs(rows, cap=25)) as port:
        made = index(port)
        whole = rows_of(list(made.batches(Known())))
        asked = len(pacs.asked)
        batches = made.batches(Known())
        kept = {batch.key: batch.rows for batch in itertools.islice(batches, after)}
        batches.close()  # type: ignore[attr-defined]
        pacs.asked.clear()
        again = list(made.batches(Known(finished=kept)))
        assert len(pacs.asked) < asked
    frame = rows_of(again)
    assert frame.sort("location").equals(whole.sort("location"))
    assert kept.keys() <= {batch.key for batch in again}
    assert set(pacs.ended) == {"released"}


def test_the_reactor_stands_still_when_the_gate_is_cleared() -> None:
    gate = Gate()
    passes = 0
    ended = threading.Event()

    def reactor() -> None:
        nonlocal passes
        while not ended.is_set():
            gate.wait()
            passes += 1

    thread = threading.Thread(target=reactor, daemon=True)
    thread.start()
    for _ in range(500):
        gate.clear()
        before = passes
        for _ in range(20):
            assert passes == before
        gate.set()
    ended.set()
    gate.set()
    thread.join(5)
    assert not thread.is_alive()


def test_hours_end_a_crawl_that_says_when_it_may_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Pacs(few())) as port:
        from datetime import datetime

        minute = datetime.now().astimezone() + timedelta(hours=2)
        hours = f"{minute:%H:%M}-{minute + timedelta(minutes=1):%H:%M}"
        batches: Iterator[Batch] = index(port, pace={"hours": hours}).batches(Known())
        with pytest.raises(ArchiveUnreachable, match=f"source pacs: may be asked {hours} only"):
            next(batches)
