from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.match import match
from fonds.operations import decisions
from tests.handmade import make_project, write
from tests.match.people import band, crowd, matched, people, person

DOUBT = [person("rad", "A1", "Weidinger^Ursula", "19610409"), person("card", "B1", "EICHINGER^URSULA", "19610409")]


def _ids(found: pl.DataFrame) -> dict[str, str]:
    return dict(found.select("id", "record_id").rows())


def test_a_decision_to_link_joins_and_its_undoing_parts_again(tmp_path: Path) -> None:
    project, before = matched(tmp_path, DOUBT)
    ids = _ids(before)
    number = decisions.record(project, "pair", ids["A1"], ids["B1"], verdict="link", who="ann")
    assert match(project).status == "done"
    joined = people(project).filter(pl.col("id").is_in(["A1", "B1"]))
    assert joined["person_id"].n_unique() == 1
    assert joined["settled"].all()
    decisions.undo(project, number, "ann")
    match(project)
    assert people(project).equals(before)
    history = Catalog(project).read("person_events").filter(pl.col("kind").is_in(["merged", "split"]))
    persons = dict(before.select("id", "person_id").rows())
    other = {persons["A1"], persons["B1"]} - {history["person_id"][0]}
    assert history["kind"].to_list() == ["merged", "split"]
    assert history["from_person"].to_list() == [*other, history["person_id"][0]]
    assert "decided by a steward" in history["reason"][0]
    assert history["run"].is_sorted()


def test_not_the_same_beats_the_strongest_evidence(tmp_path: Path) -> None:
    twice = [person("rad", "A1", "Weidinger^Ursula", "19610409"), person("card", "B1", "WEIDINGER^URSULA", "19610409")]
    project, before = matched(tmp_path, twice)
    ids = _ids(before)
    decisions.record(project, "pair", ids["A1"], ids["B1"], verdict="not_same", who="ann")
    match(project)
    parted = people(project).filter(pl.col("id").is_in(["A1", "B1"]))
    assert parted["person_id"].n_unique() == 2
    assert parted["settled"].all()
    assert band(project, "A1", "B1") == ("reject", "decided by a steward")


def test_a_no_holds_for_all_records_of_the_identifiers_it_was_said_of(tmp_path: Path) -> None:
    rows = [*DOUBT, person("card", "B1", "EICHINGER^URSULA^MARIA", "19610409")]
    project, before = matched(tmp_path, rows)
    open_before = before.filter(~pl.col("settled"))["record_id"].to_list()
    assert len(open_before) == 3
    a = before.filter(pl.col("id") == "A1")["record_id"][0]
    b = before.filter(pl.col("name") == "EICHINGER^URSULA")["record_id"][0]
    decisions.record(project, "pair", a, b, verdict="not_same", who="ann")
    match(project)
    assert people(project)["settled"].all()


@pytest.mark.parametrize("contradiction", ["father and son", "never compared"])
def test_a_link_overrules_a_constraint(tmp_path: Path, contradiction: str) -> None:
    other = ("WEIDINGER^KARL", "19690411") if contradiction == "father and son" else ("NAGY^ZOLTAN", "19810101")
    project, before = matched(
        tmp_path, [person("rad", "A1", "Weidinger^Karl", "19400314", "M"), person("card", "B1", *other, "M")]
    )
    ids = _ids(before)
    decisions.record(project, "pair", ids["A1"], ids["B1"], verdict="link", who="ann")
    match(project)
    persons = dict(people(project).select("id", "person_id").rows())
    assert persons["A1"] == persons["B1"]
    assert band(project, "A1", "B1") == ("link", "decided by a steward")


def test_persons_keep_their_names_when_records_come(tmp_path: Path) -> None:
    project, before = matched(tmp_path, DOUBT)
    more = [
        person("onk", "O1", "Lehmann^Otto", "19410823"),
        person("onk", "O2", "Weidinger^Ursula", "19610409"),
        person("onk", "O3", "Neu^Nora", "19750517"),
    ]
    write(project, "instances", crowd() + DOUBT + more)
    match(project)
    after = people(project)
    kept = before.join(after, on="record_id", suffix="_after")
    assert kept.height == before.height
    assert kept["person_id"].to_list() == kept["person_id_after"].to_list()
    persons = dict(after.select("id", "person_id").rows())
    assert persons["O1"] == persons["R0"]
    assert persons["O2"] == persons["A1"]
    events = Catalog(project).read("person_events")
    assert events.height == after.height
    assert events.filter(pl.col("person_id") == persons["O3"])["kind"].to_list() == ["created"]


def test_a_second_run_is_unchanged_and_a_forced_one_says_the_same(tmp_path: Path) -> None:
    project, _ = matched(tmp_path, DOUBT)
    before = {name: Catalog(project).read(name) for name in ("pairs", "persons", "person_events")}
    assert match(project).status == "unchanged"
    assert match(project, force=True).status == "done"
    for name, frame in before.items():
        assert Catalog(project).read(name).equals(frame), name


def _merge(retired: str, survives: str, issuer: str = "RAD") -> dict[str, str]:
    return {"feed": "mpi", "retired_issuer": "RAD", "retired_id": retired, "issuer": issuer, "patient_id": survives,
            "at": "2021-03-04T08:00:00", "event": "A40"}  # fmt: skip


def test_merges_of_a_feed_join_two_identifiers_unless_the_demographics_contradict(tmp_path: Path) -> None:
    project = make_project(tmp_path, "rad", "card", "onk")
    rows = [
        person("rad", "0471", "Weidinger^Ursula", "19610409"), person("rad", "47-2", "EICHINGER^URSULA", "19610409"),
        person("rad", "481", "Nagy^Zoltan", "19330212", "M"), person("rad", "482", "Kowalska^Eva", "19840712"),
        person("rad", "501", "Sauer^Lena", "19900203"), person("rad", "502", "SAUER^EVA", "19900203"),
        person("rad", "511", "Engel^Dorothea", "19000101"), person("rad", "512", "ENGEL^DOROTHEA", "19480521"),
        # nothing is stored under the identifier between these two
        person("rad", "491", "Brandt^Jutta", "19550306"), person("rad", "493", "BRANDT^JUTTA", "19550306"),
    ]  # fmt: skip
    write(project, "instances", crowd() + rows)
    write(
        project,
        "feed_merges",
        [
            _merge("471", "00472"),
            _merge("481", "482"),
            _merge("501", "502"),
            _merge("511", "512"),
            _merge("491", "492"),
            _merge("492", "493", "rad"),
        ],
    )
    done = match(project)
    assert band(project, "0471", "47-2") == ("link", "merged by a feed")
    assert band(project, "491", "493") == ("link", "merged by a feed")
    assert band(project, "481", "482") == ("review", "merged by a feed, but the demographics contradict")
    persons = dict(people(project).select("id", "person_id").rows())
    assert persons["0471"] == persons["47-2"]
    assert persons["481"] != persons["482"]
    assert band(project, "501", "502")[0] == "review"  # twins
    assert band(project, "511", "512")[0] == "link"
    assert done.counts["unsettled"] == 4
    ids = _ids(people(project))
    decisions.record(project, "pair", ids["0471"], ids["47-2"], verdict="not_same", who="ann")
    match(project)
    assert band(project, "0471", "47-2") == ("reject", "decided by a steward")


def test_an_overlay_is_found_in_its_view_and_told(tmp_path: Path) -> None:
    project, _ = matched(
        tmp_path,
        [person("rad", "A1", "Weidinger^Ursula", "19610409"), person("rad", "A1", "Kowalski^Hans", "19330212", "M")],
    )
    with Catalog(project).connect() as connection:
        found = connection.sql("FROM overlays").pl().to_dicts()
    assert [(one["source"], one["issuer"], one["patient_id"], one["studies"]) for one in found] == [
        ("rad", "RAD", "A1", 2)
    ]
    assert {"birth_date: generation", "sex: differs"} <= set(found[0]["contradicts"])
    assert any("FROM overlays" in line for line in match(project, force=True).left)
