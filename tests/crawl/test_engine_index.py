"""An index crawled by batches: nothing asked twice after a kill, nothing lost when it stops answering."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from fonds.archives.base import Batch, Memory
from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.crawl import run as crawl_run
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import Project, load


def study(uid: str, **attributes: str) -> dict[str, object]:
    """One row of an answer at study level."""
    words = ", ".join(f'"{word}": "{value}"' for word, value in attributes.items())
    return {"location": uid, "record": 0, "origin": "dimse", "level": "STUDY", "study_uid": uid,
            "attributes": "{" + words + "}"}  # fmt: skip


def answers(count: int) -> list[Batch]:
    """`count` batches of ten studies."""
    return [
        Batch(f"day {day}", pl.DataFrame([study(f"1.{day}.{number}") for number in range(10)])) for day in range(count)
    ]


@dataclass
class TellingIndex:
    """An index that gives these answers, and dies (or stops answering) after some of them."""

    answers: list[Batch]
    dies_after: int | None = None
    error: BaseException = field(default_factory=KeyboardInterrupt)
    asked: list[str] = field(default_factory=list)
    known: int | None = None

    def check(self) -> None:
        """Always there."""

    def batches(self, memory: Memory) -> Iterator[Batch]:
        """The answers; those that are finished aren't asked again."""
        self.known = memory.known.height
        for number, batch in enumerate(self.answers):
            if number == self.dies_after:
                raise self.error
            rows = memory.finished(batch.key)
            if rows is not None:
                yield Batch(batch.key, rows)
                continue
            self.asked.append(batch.key)
            yield batch


@pytest.fixture
def of(tmp_path: Path) -> Project:
    """A project with one PACS."""
    (tmp_path / "fonds.yaml").write_text(
        "name: t\nsources:\n  pacs: {kind: dicom, host: localhost, port: 11112, called_ae: PACS}\n", encoding="utf-8"
    )
    return load(tmp_path)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> dict[str, TellingIndex]:
    """The index the crawl opens, under the key `now`."""
    box: dict[str, TellingIndex] = {}
    monkeypatch.setattr(crawl_run, "open_index", lambda project, name: box["now"])
    return box


def entries(project: Project) -> pl.DataFrame:
    """The rows of the catalog."""
    return Catalog(project).read("entries")


def test_an_interrupted_crawl_asks_only_for_the_rest(of: Project, opened: dict[str, TellingIndex]) -> None:
    opened["now"] = TellingIndex(answers(5), dies_after=3)
    with pytest.raises(KeyboardInterrupt):
        crawl(of)
    assert entries(of).is_empty()
    opened["now"] = again = TellingIndex(answers(5))
    assert crawl(of).counts["entries"] == 50
    assert again.asked == ["day 3", "day 4"]
    assert entries(of).height == 50
    opened["now"] = third = TellingIndex(answers(5))
    assert crawl(of).status == "unchanged"
    assert (third.known, third.asked) == (50, [f"day {day}" for day in range(5)])


def test_settings_that_changed_ask_again(of: Project, opened: dict[str, TellingIndex]) -> None:
    opened["now"] = TellingIndex(answers(5), dies_after=3)
    with pytest.raises(KeyboardInterrupt):
        crawl(of)
    text = (of.root / "fonds.yaml").read_text(encoding="utf-8")
    (of.root / "fonds.yaml").write_text(text.replace("called_ae: PACS", "called_ae: OTHER"), encoding="utf-8")
    opened["now"] = again = TellingIndex(answers(5))
    crawl(load(of.root))
    assert len(again.asked) == 5


def test_an_archive_that_stops_answering_keeps_what_was_known(of: Project, opened: dict[str, TellingIndex]) -> None:
    opened["now"] = TellingIndex(answers(2))
    crawl(of)
    before = entries(of)
    opened["now"] = TellingIndex(answers(5), dies_after=4, error=ArchiveUnreachable("source pacs: no answer"))
    result = crawl(of)
    assert (result.status, entries(of).equals(before)) == ("partial", True)
    opened["now"] = again = TellingIndex(answers(5))
    assert crawl(of).counts["entries"] == 50
    assert again.asked == ["day 4"]


def test_an_incomplete_answer_makes_no_study_vanish(of: Project, opened: dict[str, TellingIndex]) -> None:
    opened["now"] = TellingIndex(answers(3))
    crawl(of)
    cut = Batch("day 2", pl.DataFrame([study("1.2.0", PatientID="new")]), "the answer was cut at 1")
    opened["now"] = TellingIndex([*answers(1), cut, Batch("day 1", cut.rows.clear(), cut.problem)])
    result = crawl(of)
    assert (result.status, result.counts["entries"]) == ("partial", 30)
    assert [line for line in result.left if "cut" in line] == [
        "source pacs: the answer was cut at 1 (2 times); entries that weren't answered are kept as they were known"
    ]
    assert "new" in entries(of).filter(location="1.2.0")["attributes"].item()
    opened["now"] = TellingIndex(answers(1))
    assert crawl(of).status == "done"
    assert entries(of).height == 10


def test_one_study_in_two_answers_is_one_entry_or_two(of: Project, opened: dict[str, TellingIndex]) -> None:
    same = Batch("by patient", pl.DataFrame([{**study("1.0.0"), "note": "found-by-patient"}]))
    other = Batch("again", pl.DataFrame([study("1.0.1", PatientID="B")]))
    opened["now"] = TellingIndex([*answers(1), same, other])
    crawl(of)
    rows = entries(of).filter(pl.col("location").is_in(["1.0.0", "1.0.1"])).select("location", "record", "note").rows()
    assert rows == [("1.0.0", 0, None), ("1.0.1", 0, None), ("1.0.1", 1, None)]
