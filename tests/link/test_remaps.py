"""New UIDs and the references that follow them, on one catalog of separate cases that the link stage reads once."""

from __future__ import annotations

import hashlib
from typing import Any

import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.link import link
from fonds.operations.journal import Journal
from fonds.operations.runs import StageResult
from fonds.project.settings import Project
from tests.handmade import instance, make_project, write

KEYS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
NOTES = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.59", "Modality": "KO", "pixel_length": None, "digest_pixels": None}


def to(study: str | None, series: str | None, sop: str | None, relation: str = "evidence") -> dict[str, Any]:
    return {"carrier": "C", "relation": relation, "study_uid": study, "series_uid": series, "sop_uid": sop}


def made(place: str, patient: str, study: str, series: str, sop: str, *references: dict[str, Any], **more: Any) -> Any:
    source, location = place.split("/")
    kind = NOTES if references else {}
    return instance(
        source,
        location,
        **{**kind, **dict(zip(KEYS, (patient, study, series, sop), strict=True)), **more},
        references=list(references) or None,
    )


def twice(group: str, letter: str, place: str, disposition: str, **more: Any) -> dict[str, Any]:
    source, member = place.split("/")
    level = "study" if letter in "ghi" else "instance"
    row = {"group_id": group, "class": letter, "source": source, "member": member, "disposition": disposition}
    return {**row, "level": level, **({"study_uid": member} if level == "study" else {}), **more}


def copies(group: str, letter: str, sop: str, kept: str, *others: tuple[str, str, int]) -> list[dict[str, Any]]:
    source, location = kept.split("/")
    about = {"sop_uid": sop, "kept_source": source, "kept_location": location}
    rows = [twice(group, letter, kept, "keep", content=1, **about)]
    return rows + [twice(group, letter, place, what, content=content, **about) for place, what, content in others]


CASES: list[dict[str, Any]] = [
    # a collision over two archives, with a presentation state and a report on either side
    made("rad/d1", "P1", "1.1", "1.1.1", "1.1.9"),
    made("card/d2", "P1", "1.1", "1.1.1", "1.1.9"),
    made("rad/pr1", "P1", "1.1", "1.1.2", "1.1.20", to(None, "1.1.1", "1.1.9", "presentation")),
    made("card/pr2", "P1", "1.1", "1.1.2", "1.1.21", to(None, "1.1.1", "1.1.9", "presentation")),
    made("card/sr2", "P1", "1.1", "1.1.3", "1.1.30", to("1.1", "1.1.1", "1.1.9"), to(None, None, "1.1.9", "content")),
    # a collision in one series, and a key object that may mean either
    made("rad/e1", "P1", "1.2", "1.2.1", "1.2.9"),
    made("rad/e2", "P1", "1.2", "1.2.1", "1.2.9"),
    made("rad/ko2", "P1", "1.2", "1.2.2", "1.2.20", to("1.2", "1.2.1", "1.2.9")),
    # one study on two patients, who share a series; each has key objects, and objects that name their own study
    made("rad/g1", "P1", "1.3", "1.3.1", "1.3.10"),
    made("rad/g2", "P1", "1.3", "1.3.1", "1.3.11"),
    made("rad/g3", "P2", "1.3", "1.3.1", "1.3.12", to("1.3", None, None, "referenced-study"), **{"Modality": "CT"}),
    made("rad/ko3a", "P1", "1.3", "1.3.2", "1.3.20", to("1.3", "1.3.1", "1.3.10")),
    made("rad/ko3b", "P2", "1.3", "1.3.3", "1.3.21", to("1.3", "1.3.1", "1.3.12"), to("1.3", "1.3.1", None)),
    # the same, and a key object names what is nowhere
    made("rad/h1", "P1", "1.4", "1.4.1", "1.4.10"),
    made("rad/h2", "P1", "1.4", "1.4.1", "1.4.11"),
    made("rad/h3", "P2", "1.4", "1.4.1", "1.4.12"),
    made("rad/ko4", "P2", "1.9", "1.9.1", "1.9.20", to("1.4", "1.4.1", "1.4.99"), to("1.4", "1.4.1", "1.4.12")),
    # one examination twice: one image of the second study is in the first one already
    made("rad/u1", "P1", "1.5", "1.5.1", "1.5.10"),
    made("rad/u2", "P1", "1.6", "1.6.1", "1.6.10"),
    made("rad/u3", "P1", "1.6", "1.6.1", "1.6.11"),
    made("rad/ko6", "P1", "1.6", "1.6.2", "1.6.20", to("1.6", "1.6.1", "1.6.10"), to("1.6", "1.6.1", "1.6.11")),
    # one object in two series: a copy that becomes another object, and one that stays behind
    made("rad/f1", "P1", "1.7", "1.7.1", "1.7.9"),
    made("rad/f2", "P1", "1.7", "1.7.2", "1.7.9"),
    made("rad/f3", "P1", "1.7", "1.7.1", "1.7.8"),
    made("rad/f4", "P1", "1.7", "1.7.2", "1.7.8"),
    made("rad/ko7", "P1", "1.7", "1.7.3", "1.7.20", to("1.7", "1.7.2", "1.7.9"), to("1.7", "1.7.2", "1.7.8")),
    # approved changes: of a whole study, and of one object of a study
    made("rad/c1", "P1", "1.08", "1.8.1", "1.8.10"),
    made("rad/ko8", "P1", "1.08", "1.8.2", "1.8.20", to("1.08", "1.8.1", "1.8.10")),
    made("rad/c2", "P1", "1.09", "1.10.1", "1.10.10"),
    made("rad/c3", "P1", "1.09", "1.10.1", "1.10.11"),
    # a collision in a study on two patients: the object gets three new UIDs
    made("rad/x1", "P1", "1.11", "1.11.1", "1.11.9"),
    made("rad/x2", "P1", "1.11", "1.11.1", "1.11.8"),
    made("rad/x4", "P1", "1.11", "1.11.1", "1.11.7"),
    made("card/x3", "P2", "1.11", "1.11.1", "1.11.9"),
    made("card/ko11", "P2", "1.11", "1.11.2", "1.11.20", to("1.11", "1.11.1", "1.11.9")),
    # nothing of it changes
    made("rad/ko0", "P1", "1.12", "1.12.2", "1.12.20", to("1.12", "1.12.1", "1.12.99")),
]
DUPLICATES = [
    *copies("D1", "d", "1.1.9", "rad/d1", ("card/d2", "remap", 2)),
    *copies("D2", "d", "1.2.9", "rad/e1", ("rad/e2", "remap", 2)),
    twice("G3", "g", "rad/1.3", "remap"),
    twice("G4", "g", "rad/1.4", "remap"),
    twice("H5", "h", "rad/1.5", "keep", kept_source="rad", kept_location="1.5"),
    twice("H5", "h", "rad/1.6", "unite", kept_source="rad", kept_location="1.5"),
    *copies("E5", "e", "1.5.10", "rad/u1", ("rad/u2", "drop-copy", 1)),
    *copies("F7", "f", "1.7.9", "rad/f1", ("rad/f2", "remap", 1)),
    *copies("F8", "f", "1.7.8", "rad/f3", ("rad/f4", "drop-copy", 1)),
    twice("G11", "g", "rad/1.11", "remap"),
    twice("G11", "g", "card/1.11", "remap"),
    *copies("D11", "d", "1.11.9", "rad/x1", ("card/x3", "remap", 2)),
]


def changed(place: str, after: str, rule: str = "uid.zeros") -> dict[str, Any]:
    source, location = place.split("/")
    uid = {"attribute": "StudyInstanceUID", "path": "(0020,000D)", "before": "1.0" + after[2:], "after": after}
    return {"source": source, "location": location, **uid, "rule": rule, "state": "approved"}


CHANGES = [changed("rad/c1", "1.8"), changed("rad/ko8", "1.8"), changed("rad/c2", "1.9.9")]


class Told:
    """What one run of the stage wrote."""

    def __init__(self, project: Project, result: StageResult) -> None:
        catalog = Catalog(project)
        self.remaps, self.rewrites = catalog.read("remaps"), catalog.read("rewrites")
        self.left = result.left
        self.counts = result.counts

    def new(self, place: str) -> dict[str, str]:
        """New UIDs of an object, by attribute."""
        rows = self._of(self.remaps, place).filter(pl.col("state") == "planned")
        return dict(rows.select("attribute", "after").rows())

    def points(self, place: str) -> set[tuple[Any, ...]]:
        """References of an object that change: what they named, and what they are to name."""
        rows = self._of(self.rewrites, place).filter(pl.col("state") == "planned")
        old, new = ("to_study_uid", "to_series_uid", "to_sop_uid"), ("new_study_uid", "new_series_uid", "new_sop_uid")
        return {(row[:3], row[3:]) for row in rows.select(*old, *new).rows()}

    def refused(self, cause: str) -> set[tuple[str, str]]:
        """State and reason of all rows of a cause."""
        rows = [
            frame.filter(pl.col("cause") == cause).select("state", "reason") for frame in (self.remaps, self.rewrites)
        ]
        return set(pl.concat(rows).rows())

    def _of(self, frame: pl.DataFrame, place: str) -> pl.DataFrame:
        source, location = place.split("/")
        return frame.filter((pl.col("source") == source) & (pl.col("location") == location))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = make_project(tmp_path_factory.mktemp("remaps"), "rad", "card")
    write(project, "instances", CASES)
    write(project, "duplicates", DUPLICATES)
    write(project, "changes", CHANGES)
    return project


@pytest.fixture(scope="module")
def told(project: Project) -> Told:
    return Told(project, link(project))


def uid(*parts: str) -> str:
    return f"2.25.{int(hashlib.sha256('|'.join(parts).encode()).hexdigest()[:32], 16)}"


def test_a_collision_gets_a_uid_that_follows_from_what_it_is(told: Told) -> None:
    assert told.new("card/d2") == {"SOPInstanceUID": uid("sop", "1.1.9", "pixels card d2")}
    assert told.new("rad/d1") == {}


def test_what_points_to_either_content_is_told_apart_by_where_it_lies(told: Told) -> None:
    new = told.new("card/d2")["SOPInstanceUID"]
    assert told.points("rad/pr1") == set()
    assert told.points("card/pr2") == {((None, "1.1.1", "1.1.9"), (None, "1.1.1", new))}
    assert told.points("card/sr2") == {
        (("1.1", "1.1.1", "1.1.9"), ("1.1", "1.1.1", new)),
        ((None, None, "1.1.9"), (None, None, new)),
    }


def test_a_reference_that_may_mean_either_refuses_the_group(told: Told) -> None:
    assert told.refused("D2") == {("refused", "ambiguous")}
    assert told.new("rad/e2") == {}
    (line,) = [line for line in told.left if "(ambiguous)" in line]
    assert "1 group(s)" in line
    assert "the object 1.2.9" in line


def test_a_study_on_two_patients_parts_with_series_and_key_objects(told: Told) -> None:
    new = told.new("rad/g3")
    assert set(new) == {"StudyInstanceUID", "SeriesInstanceUID"}
    assert told.new("rad/g1") == told.new("rad/ko3a") == {}
    assert told.points("rad/ko3a") == set()
    assert told.new("rad/ko3b")["StudyInstanceUID"] == new["StudyInstanceUID"]
    assert told.new("rad/ko3b")["SeriesInstanceUID"] not in (new["SeriesInstanceUID"], "1.3.3")
    both = (new["StudyInstanceUID"], new["SeriesInstanceUID"])
    assert told.points("rad/ko3b") == {
        (("1.3", "1.3.1", "1.3.12"), (*both, "1.3.12")),
        # the series as a whole means the part of it that is this patient's
        (("1.3", "1.3.1", None), (*both, None)),
    }
    assert told.points("rad/g3") == {(("1.3", None, None), (new["StudyInstanceUID"], None, None))}


def test_a_missing_object_refuses_the_group_and_nothing_else(told: Told) -> None:
    assert told.refused("G4") == {("refused", "dangling")}
    (line,) = [line for line in told.left if "(dangling)" in line]
    assert "the object 1.4.99, which no archive holds; crawl the archive that holds what is pointed to" in line
    assert told.refused("G3") == {("planned", None)}


def test_an_examination_there_twice_becomes_one_study(told: Told) -> None:
    assert told.new("rad/u3") == {"StudyInstanceUID": "1.5"}
    assert told.new("rad/ko6") == {"StudyInstanceUID": "1.5"}
    assert told.new("rad/u1") == told.new("rad/u2") == {}
    assert told.points("rad/ko6") == {
        # the copy that stays behind gives its place to the one that goes
        (("1.6", "1.6.1", "1.6.10"), ("1.5", "1.5.1", "1.5.10")),
        (("1.6", "1.6.1", "1.6.11"), ("1.5", "1.6.1", "1.6.11")),
    }


def test_one_object_in_two_series_is_two_or_stays_where_it_is_kept(told: Told) -> None:
    new = told.new("rad/f2")
    assert set(new) == {"SOPInstanceUID"}
    assert told.new("rad/f1") == told.new("rad/f4") == {}
    assert told.points("rad/ko7") == {
        (("1.7", "1.7.2", "1.7.9"), ("1.7", "1.7.2", new["SOPInstanceUID"])),
        (("1.7", "1.7.2", "1.7.8"), ("1.7", "1.7.1", "1.7.8")),
    }


def test_an_approved_uid_is_followed_or_refused_where_it_divides_a_study(told: Told) -> None:
    assert told.new("rad/c1") == told.new("rad/ko8") == {"StudyInstanceUID": "1.8"}
    assert told.points("rad/ko8") == {(("1.08", "1.8.1", "1.8.10"), ("1.8", "1.8.1", "1.8.10"))}
    divided = told.remaps.filter(pl.col("location") == "c2").select("cause", "state", "reason").rows()
    assert divided == [("uid.zeros", "refused", "incoherent")]


def test_what_concerns_one_object_several_times_is_composed(told: Told) -> None:
    new = told.new("card/x3")
    assert set(new) == {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"}
    assert told.points("card/ko11") == {(("1.11", "1.11.1", "1.11.9"), tuple(new[key] for key in KEYS[1:]))}
    assert told.refused("D11") == told.refused("G11") == {("planned", None)}


def test_no_two_objects_get_one_uid_and_each_is_valid(told: Told) -> None:
    planned = told.remaps.filter((pl.col("state") == "planned") & (pl.col("attribute") == "SOPInstanceUID"))
    assert planned["after"].is_unique().all()
    assert planned["after"].str.contains(r"^2\.25\.[1-9][0-9]{0,38}$").all()


def test_a_dangling_reference_that_names_nothing_new_is_no_concern(told: Told) -> None:
    assert told.rewrites.filter(pl.col("location") == "ko0").is_empty()


def test_what_the_target_has_under_the_old_uids_refuses_once_and_stays_so(project: Project, told: Told) -> None:
    at = {"source": "card", "wave": "w", "sop_uid": "1.1.21", "study_uid": "1.1", "attempt": 1}
    sent = [{**at, "location": "pr2", "state": state} for state in ("sending", "sent")]
    # the other one went with what is planned now
    with Catalog(project).connect() as connection:
        marks = dict(connection.sql("SELECT location, marks FROM uid_marks").fetchall())
    sent += [
        {**at, "source": "rad", "location": "ko3b", "state": s, "uids": marks["ko3b"]} for s in ("sending", "sent")
    ]
    Journal(project).append(sent)
    again = Told(project, link(project))
    assert again.refused("D1") == {("refused", "already-sent")}
    assert again.refused("G3") == {("planned", None)}
    assert link(project).status == "unchanged"
