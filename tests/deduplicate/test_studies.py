from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate
from fonds.operations.runs import StageResult
from fonds.project.folders import shipped
from fonds.project.settings import Project
from tests.deduplicate.examinations import Draw, Study, part_of, population, put, recoded, rows
from tests.handmade import instance, make_project, write

DRAW = Draw(11, root="1.2.840")
HELD_OUT = population(97, 165)
FIRST = 10_000  # persons of the cases come after those of the population


def exam(person: int, kind: str = "ct-chest", **changes: Any) -> Study:
    """One examination that lacks nothing."""
    start = datetime(2021, 3, 4, 9, 17, 23, tzinfo=UTC) + timedelta(days=person % 300)
    made = DRAW.study(FIRST + person, kind, archive="north", start=start)
    told = {"accession": f"{471100 + person:010d}", "station": "ROOM 1", "serial": "S1", "digests": True, "timed": True}
    plain = replace(made, start=start, began=start, instants="acquisition", description=kind.upper(), **told)
    return replace(plain, **changes)


def again(of: Study, minutes: float = 0, **changes: Any) -> Study:
    """The same under new UIDs, all its times so many minutes later."""
    delta = timedelta(minutes=minutes)
    return DRAW.copied(of, **{"start": of.start and of.start + delta, "began": of.began + delta, **changes})


def next_one(of: Study, minutes: float, **changes: Any) -> Study:
    """Another examination of that kind."""
    other = DRAW.again(of, minutes=minutes)
    kept = {"accession": of.accession, "instants": of.instants, "digests": of.digests, "study_id": of.study_id}
    return replace(other, start=of.began + timedelta(minutes=minutes), **{**kept, **changes})


def cases() -> dict[str, tuple[str, Study, Study]]:
    """{case: (band, one study, another)}: every case is another person's."""
    number = iter(range(100))
    found: dict[str, tuple[str, Study, Study]] = {}

    def case(name: str, band: str, of: Study, other: Study) -> None:
        found[name] = (band, of, other)

    base = exam(next(number))
    case("from a disc, no accession", "certain", base, again(base, accession=""))
    base = exam(next(number))
    case("from a disc, own accession", "certain", base, again(base, accession="IMP7"))
    base = exam(next(number), digests=False)
    elsewhere = {"archive": "south", "description": "CT Thorax", "accession": f"RS-{base.accession.lstrip('0')}"}
    case("re-keyed, prefixed", "certain", base, again(base, **elsewhere))
    base = exam(next(number), digests=False)
    case("re-keyed by another clock", "certain", base, again(base, 1, archive="south", accession=base.accession[3:]))
    base = exam(next(number), digests=False)
    case("re-keyed in summer time", "certain", base, again(base, 60, archive="south", accession=base.accession[3:]))
    base = exam(next(number))
    case("part of it, lossy", "certain", base, recoded(again(base, pictures=part_of(DRAW, base)), lossy=True))
    base = exam(next(number), kind="chest", digests=False)
    case("one film, told to the second", "certain", base, again(base, archive="south", accession=""))
    base = exam(next(number), digests=False, instants="none")
    case("no digests and no times of objects", "certain", base, again(base, archive="south"))
    base = exam(next(number), kind="chest", digests=False, instants="none", timed=False)
    case("nothing but order and day", "possible", base, again(base))
    base = exam(next(number), digests=False)
    case("one acquisition, opposite words", "possible", base, again(base, description="CT ABDOMEN"))
    base = exam(next(number))
    seg = tuple(replace(one, modality="SEG", description="", digest=f"seg {one.digest}") for one in base.pictures[:1])
    case("results under a study of their own", "possible", base, again(base, modality="SEG", pictures=seg))
    base = exam(next(number))
    case("same pixels, another side", "possible", replace(base, side="L"), again(base, side="R"))

    for name, kind, minutes, changes in (
        ("control film after ten minutes", "chest", 10, {}),
        ("an hour later", "chest", 60, {"accession": "0000990001"}),
        ("the next day", "chest", 1440, {"accession": "0000990002"}),
        ("retake", "chest", 2, {}),
    ):
        base = exam(next(number), kind=kind)
        case(name, "no", base, next_one(base, minutes, **changes))
        blind = exam(next(number), kind=kind, digests=False)
        case(f"{name}, no digests", "no", blind, next_one(blind, minutes, **changes))
    bare = {"digests": False, "instants": "none", "accession": ""}
    for minutes in (60, 95):
        base = exam(next(number), kind="chest", **bare)
        case(f"films {minutes} minutes apart, and no more known", "no", base, next_one(base, minutes, **bare))
    base = exam(next(number), kind="chest", digests=False, instants="none")
    case("another order ten minutes later", "no", base, next_one(base, 10, accession="0000990003"))
    base = exam(next(number), kind="ct-head", description="CT HEAD WO CONTRAST")
    case("before and after contrast", "no", base, next_one(base, 9, description="CT HEAD W CONTRAST"))
    base = exam(next(number))
    abdomen = replace(exam(base.person - FIRST, kind="ct-abdomen"), began=base.began + timedelta(minutes=4))
    case("two procedures of one order", "no", base, abdomen)
    base = exam(next(number), kind="mr-knee", side="L")
    case("both knees", "no", base, next_one(base, 0, side="R"))
    base = exam(next(number), kind="echo", digests=False, description="Echo in Ruhe")
    case("rest and stress", "no", base, next_one(base, 15, description="Echo Belastung"))
    base = exam(next(number))
    reused = replace(exam(base.person - FIRST + 50, kind="us"), person=base.person, accession=base.accession)
    case("one accession at two sites", "no", base, replace(reused, archive="south"))
    base = exam(next(number))
    report = tuple(replace(one, modality="SR", description="Report") for one in base.pictures[:1])
    case("a report under its own UID", "no", base, again(base, modality="SR", pictures=report))
    sr = replace(exam(next(number)), digests=False, modality="SR")
    sr = replace(sr, pictures=tuple(replace(one, modality="SR") for one in sr.pictures[:1]))
    later = replace(sr.pictures[0], at=900.0)
    case("a report and its correction", "no", sr, again(sr, pictures=(later,)))
    case_of = exam(next(number), digests=False, modality="SR")
    case_of = replace(case_of, pictures=tuple(replace(one, modality="SR") for one in case_of.pictures))
    case("reports sent again", "certain", case_of, again(case_of, archive="south"))
    base = exam(next(number))
    case("twins", "no", base, again(base, person=FIRST + 5000, accession=""))
    return found


CASES = cases()


def bands(project: Project) -> dict[frozenset[str], dict[str, Any]]:
    pairs = Catalog(project).read("study_pairs").to_dicts()
    return {frozenset((row["study_a"], row["study_b"])): row for row in pairs}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, StageResult]:
    project = make_project(tmp_path_factory.mktemp("studies"), "north", "south")
    put(project, [*HELD_OUT.studies, *(study for _, one, other in CASES.values() for study in (one, other))])
    return project, deduplicate(project)


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_told(told: tuple[Project, StageResult], name: str) -> None:
    band, one, other = CASES[name]
    found = bands(told[0]).get(frozenset((one.uid, other.uid)))
    assert (found["band"] if found else "no") == band, found and found["evidence"]


def test_certain_pairs_of_a_population_never_seen_are_right_and_hardly_one_is_missed(
    told: tuple[Project, StageResult],
) -> None:
    ours = {study.uid for study in HELD_OUT.studies}
    found = {pair: row["band"] for pair, row in bands(told[0]).items() if pair <= ours}
    certain = {pair for pair, band in found.items() if band == "certain"}
    asked = {pair for pair, band in found.items() if band == "possible"}
    assert certain <= HELD_OUT.same.keys()
    assert len(certain & HELD_OUT.same.keys()) >= 0.8 * len(HELD_OUT.same)
    assert len((certain | asked) & HELD_OUT.same.keys()) >= 0.98 * len(HELD_OUT.same)
    assert len(asked) <= 0.04 * len(ours)


def test_the_answer_tells_score_band_and_evidence(told: tuple[Project, StageResult]) -> None:
    _, one, other = CASES["re-keyed, prefixed"]
    pair = bands(told[0])[frozenset((one.uid, other.uid))]
    said = {item["comparison"]: item for item in json.loads(pair["evidence"])}
    assert said["accession"] == {"comparison": "accession", "label": "prefix", "score": None, "weight": 4.0}
    assert said["series"]["score"] == 1.0
    assert said["instants"]["label"] == "same"
    assert "pixels" not in said
    assert pair["person_id"] == f"M{one.person}"
    assert pair["objects_a"] == pair["objects_b"] == len(one.pictures)
    group = Catalog(told[0]).read("duplicates").filter(pl.col("study_uid").is_in([one.uid, other.uid]))
    assert group.select("class", "source", "member").rows() == [("h", "north", one.uid), ("h", "south", other.uid)]
    assert group["group_id"].n_unique() == 1
    assert group["evidence"][0].startswith("2 studies of one examination; agrees: accession prefix, ")


def test_a_pair_whose_persons_are_a_question_is_possible_at_best(tmp_path: Path) -> None:
    project = make_project(tmp_path, "north", "south")
    asked, answered = exam(1), exam(2)
    studies = [asked, again(asked, archive="south"), answered, again(answered, archive="south")]
    write(project, "instances", list(rows(studies)))
    with Catalog(project).connect() as connection:
        records = dict(connection.sql("SELECT PatientID, record_id FROM patient_records").fetchall())
    persons = [{"record_id": record, "person_id": f"P{record}", "settled": False} for record in records.values()]
    write(project, "persons", persons)
    pairs = [sorted((records[f"n{one.person}"], records[f"s{one.person}"])) for one in (asked, answered)]
    write(
        project,
        "pairs",
        [
            {"record_a": a, "record_b": b, "band": "review", "decided": decided}
            for (a, b), decided in zip(pairs, (None, "not_same"), strict=True)
        ],
    )
    deduplicate(project)
    found = Catalog(project).read("study_pairs").select("study_a", "study_b", "band", "person_id").rows()
    assert found == [(*sorted((studies[0].uid, studies[1].uid)), "possible", None)]


def test_approved_values_are_compared(tmp_path: Path) -> None:
    project = make_project(tmp_path, "rad")
    same = {"StudyTime": "101112", "StudyDescription": "Thorax", "digest_pixels": None, "SeriesInstanceUID": None}
    write(
        project,
        "instances",
        [
            instance("rad", "a", **same),
            instance("rad", "b", **same, StudyInstanceUID="1.11", AccessionNumber="typo"),
            instance("rad", "c", **same, PatientID="P2", StudyInstanceUID="1.21"),
            instance("rad", "d", **same, PatientID="P2", StudyInstanceUID="1.22", AccessionNumber="typo"),
        ],
    )
    change = {"source": "rad", "attribute": "AccessionNumber", "path": "(0008,0050)", "after": "A1", "rule": "r"}
    states = {"b": "approved", "d": "proposed"}
    write(project, "changes", [{**change, "location": place, "state": state} for place, state in states.items()])
    deduplicate(project)
    assert Catalog(project).read("study_pairs").select("study_a", "band").rows() == [
        ("1.1", "certain"),
        ("1.21", "possible"),
    ]


def test_what_too_many_share_is_not_compared_and_told(tmp_path: Path) -> None:
    project = make_project(tmp_path, "rad")
    text = (shipped() / "matchers/study.yaml").read_text(encoding="utf-8")
    (project.root / "matchers").mkdir()
    smaller = text.replace("largest: 40", "largest: 2").replace("largest: 60", "largest: 2")
    (project.root / "matchers/study.yaml").write_text(smaller, encoding="utf-8")
    write(project, "instances", [instance("rad", name, StudyInstanceUID=f"1.{name}") for name in "789"])
    result = deduplicate(project)
    assert Catalog(project).read("study_pairs").is_empty()
    said = "1 group(s) of up to 3 studies of one person that share a key are not compared by rule `day`"
    assert any(line.startswith(said) for line in result.left)


def test_each_persons_part_of_a_study_is_compared(tmp_path: Path) -> None:
    project = make_project(tmp_path, "rad")
    own = {"StudyTime": "101112", "StudyDescription": "Thorax"}
    stray = {"PatientID": "P2", "AccessionNumber": "B2", "StudyDate": "20220101"}
    write(
        project,
        "instances",
        [
            instance("rad", "a", **own),
            # of another patient, filed under the study of the first
            instance("rad", "b", **own, **stray),
            instance("rad", "c", **own, **stray, StudyInstanceUID="1.11"),
        ],
    )
    deduplicate(project)
    assert Catalog(project).read("study_pairs").select("study_a", "study_b", "band").rows() == [
        ("1.1", "1.11", "possible")
    ]


def test_copies_by_retrieval_are_h_only_with_a_third_study(tmp_path: Path) -> None:
    project = make_project(tmp_path, "north", "south")
    two, three = exam(3), exam(4)
    part = again(three, pictures=three.pictures[1:])
    write(project, "instances", list(rows([two, again(two), three, again(three), part])))
    deduplicate(project)
    found = Catalog(project).read("duplicates")
    assert two.uid in found.filter(pl.col("class") == "j")["study_uid"]
    again_found = found.filter(pl.col("class") == "h")
    assert {three.uid, part.uid} <= set(again_found["member"])
    assert again_found["member"].n_unique() == 3
    assert again_found["group_id"].n_unique() == 1
    assert Catalog(project).read("study_pairs").filter(pl.col("study_a") == two.uid)["band"].to_list() == ["certain"]


def test_a_number_that_many_share_is_no_order_and_spellings_of_a_time_are_one(tmp_path: Path) -> None:
    project = make_project(tmp_path, "rad", "card")
    plain = {"AccessionNumber": "NONE", "StudyTime": "101112.000", "digest_pixels": None, "SeriesInstanceUID": None}
    acr = {"StudyDate": "2021.03.04", "StudyTime": "10:11:12", "StudyInstanceUID": "1.11"}
    others = [
        instance("rad", f"o{n}", **plain, PatientID=f"P{n}", StudyInstanceUID=f"1.2{n}", Modality="MR")
        for n in (2, 3, 4)
    ]
    case = [
        instance(
            "card", f"c{n}", **{**plain, "AccessionNumber": "C7"}, StudyInstanceUID=f"1.3{n}", StudyDate=f"2021030{n}"
        )
        for n in (1, 2, 3, 4)
    ]
    again_that_day = instance(
        "card", "c5", **{**plain, "AccessionNumber": "C7"}, StudyInstanceUID="1.35", StudyDate="20210304"
    )
    write(
        project,
        "instances",
        [instance("rad", "a", **plain), instance("rad", "b", **{**plain, **acr}), *others, *case, again_that_day],
    )
    deduplicate(project)
    pairs = {(row["study_a"], row["study_b"]): row for row in Catalog(project).read("study_pairs").to_dicts()}
    assert sorted(pairs) == [("1.1", "1.11"), ("1.34", "1.35")]
    for row in pairs.values():
        said = {item["comparison"]: item["label"] for item in json.loads(row["evidence"])}
        assert said["minutes"] == "second"
        assert "accession" not in said
