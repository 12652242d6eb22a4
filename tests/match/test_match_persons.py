"""Person identifiers and their history, over any sequence of clusterings."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.match.persons import allocate, events, settled
from fonds.project.settings import Project
from tests.handmade import make_project

PAIRS = {"record_a": pl.String, "record_b": pl.String, "band": pl.String, "outcome": pl.String, "decided": pl.String,
         "weight": pl.Float64, "note": pl.String}  # fmt: skip
NO_PAIRS = pl.DataFrame(schema=PAIRS)
HISTORY = {"event_id": pl.String, "run": pl.Int64, "kind": pl.String, "person_id": pl.String, "record_id": pl.String,
           "from_person": pl.String, "reason": pl.String}  # fmt: skip


class Hospital:
    """A project's persons over several runs."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.history = pl.DataFrame(schema=HISTORY)
        self.persons: dict[str, str] = {}

    def run(
        self, *clusters: str, raw: dict[str, str] | None = None, pairs: pl.DataFrame = NO_PAIRS
    ) -> list[tuple[str, str, str, str | None]]:
        """Records (one letter each) in clusters; returns the new events as kind, person, record, from_person."""
        rows = [(f"R{record}", number) for number, members in enumerate(clusters) for record in members]
        members = pl.DataFrame(rows, schema={"record_id": pl.String, "cluster": pl.Int64}, orient="row").with_columns(
            raw_record_id=pl.col("record_id").replace({f"R{new}": f"R{old}" for new, old in (raw or {}).items()})
        )
        named = allocate(self.project, members)
        self.persons = dict(named.select("record_id", "person_id").rows())
        fresh = events(self.history, settled(named, pairs), members, pairs).with_columns(run=pl.lit(1, dtype=pl.Int64))
        self.history = pl.concat([self.history, fresh.select(*HISTORY)])
        return [
            (kind, person[1:], record[1:], old and old[1:])
            for kind, person, record, old in fresh.select("kind", "person_id", "record_id", "from_person").rows()
        ]


def clusterings() -> st.SearchStrategy[list[list[str]]]:
    """Several runs over a few records that come and go, each record in some cluster."""
    run = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 4), min_size=1)
    grouped = run.map(lambda held: ["".join(sorted(r for r in held if held[r] == n)) for n in set(held.values())])
    return st.lists(grouped, min_size=2, max_size=6)


@settings(max_examples=12, deadline=None)
@given(clusterings())
def test_whatever_comes_and_goes(runs: list[list[str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hospital = Hospital(make_project(Path(folder)))
        before: list[str] = []
        for clusters in runs:
            names = hospital.persons
            hospital.run(*clusters)
            now = hospital.persons
            # one name a cluster, one cluster a name
            found = [{now[f"R{record}"] for record in members} for members in clusters]
            assert all(len(one) == 1 for one in found)
            assert len(set.union(*found)) == len(clusters)
            # a cluster that was one and the same keeps its name, unless it had a name that another record founded
            for members in set(before) & set(clusters):
                name = names[f"R{members[0]}"]
                founder = "R" + name[1:]
                if founder not in now or founder[1:] in members:
                    assert now[f"R{members[0]}"] == name
            # the history tells where everybody is, and a further run has nothing to add
            last = hospital.history.sort("event_id").unique("record_id", keep="last")
            assert {
                record: last_ for record, last_ in last.select("record_id", "person_id").rows() if record in now
            } == now
            assert hospital.run(*clusters) == []
            assert hospital.persons == now
            before = clusters
        assert hospital.history["event_id"].is_unique().all()
        assert hospital.history["reason"].null_count() == 0


def test_three_new_files_rename_nobody(tmp_path: Path) -> None:
    hospital = Hospital(make_project(tmp_path))
    hospital.run("bf", "d", "hk")
    before = hospital.persons
    told = hospital.run("abf", "d", "hk", "cg")
    assert hospital.persons | before == hospital.persons
    assert told == [("joined", "b", "a", None), ("created", "c", "c", None), ("joined", "c", "g", None)]


def test_a_merge_and_a_split_are_told(tmp_path: Path) -> None:
    hospital = Hospital(make_project(tmp_path))
    hospital.run("ab", "cd", "e")
    link = pl.DataFrame([("Rb", "Rc", "link", None, "link", 4.21, "decided by a steward")], schema=PAIRS, orient="row")
    assert hospital.run("abcd", "e", pairs=link) == [("merged", "a", "c", "c"), ("merged", "a", "d", "c")]
    assert hospital.history["reason"][-2] == "all of Pc: with Rb (weight 4.2; decided by a steward)"
    parted = link.with_columns(band=pl.lit("reject"), decided=pl.lit("not_same"))
    assert hospital.run("ab", "cd", "e", pairs=parted) == [("split", "c", "c", "a"), ("split", "c", "d", "a")]
    assert hospital.history["reason"][-2] == "from Pa: with Rb (weight 4.2; decided by a steward)"
    assert hospital.run("abd", "c", "e") == [("moved", "a", "d", "c")]


def test_a_name_goes_with_its_founder_and_never_to_two(tmp_path: Path) -> None:
    hospital = Hospital(make_project(tmp_path))
    hospital.run("bc", "a")
    hospital.run("ab")  # c is gone while its person's founder joins another
    assert hospital.persons == {"Ra": "Pa", "Rb": "Pa"}
    hospital.run("a", "b", "c")
    assert hospital.persons == {"Ra": "Pa", "Rb": "Pb", "Rc": "Pc"}


def test_a_record_with_a_corrected_identifier_begins_as_the_person_it_was(tmp_path: Path) -> None:
    hospital = Hospital(make_project(tmp_path))
    hospital.run("a", "b")
    assert hospital.run("x", "b", raw={"x": "a"}) == [("joined", "a", "x", "a")]
    assert hospital.history["reason"][-1] == "was Ra before its identifier was corrected"
    (tmp_path / "other").mkdir()
    other = Hospital(make_project(tmp_path / "other"))
    other.run("a", "b")
    assert other.run("a", "bx", raw={"x": "a"}) == [("moved", "b", "x", "a")]
    assert other.run("a", "b", "x", raw={"x": "a"}) == [("split", "x", "x", "b")]


def test_a_record_is_open_while_a_pair_of_it_waits_or_its_identifier_is_two_peoples(tmp_path: Path) -> None:
    pairs = pl.DataFrame(
        [
            ("Ra", "Rb", "review", None, None, 9.0, None), ("Rc", "Rd", "reject", "overlay", "not_same", 9.0, None),
            ("Re", "Rf", "link", "overlay", "link", 9.0, None), ("Rg", "Rh", "reject", "reject", None, 9.0, None),
        ],
        schema=PAIRS, orient="row",
    )  # fmt: skip
    named = pl.DataFrame(
        {"record_id": [f"R{x}" for x in "abcdefgh"], "cluster": range(8), "person_id": list("abcdefgh")}
    )
    found = settled(named, pairs)
    assert found["reason"].to_list() == ["review"] * 2 + ["overlay"] * 2 + [None] * 4
    assert found["settled"].to_list() == [False] * 4 + [True] * 4


def test_many_records_are_allocated_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonds.match.persons._BATCH", 100)
    project = make_project(tmp_path)
    ids = [f"R{n:06d}" for n in range(1010)]
    members = pl.DataFrame({"record_id": ids, "raw_record_id": ids, "cluster": range(1010)})
    named = allocate(project, members)
    assert named["person_id"].n_unique() == 1010
    again = allocate(project, members.with_columns(pl.col("cluster") // 2))
    assert again["person_id"].to_list() == [f"P{n // 2 * 2:06d}" for n in range(1010)]
    assert allocate(project, members.head(4).with_columns(cluster=pl.lit(0)))["person_id"].to_list() == ["P000000"] * 4
