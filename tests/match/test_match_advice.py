"""Which thresholds cost least: over pairs whose stated probability is right, or wrong in a known way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.errors import QueryRefused
from fonds.match.advise import Choice, Costs, advise, calibrate
from fonds.match.sample import sample
from fonds.project.settings import Project
from tests.handmade import make_project
from tests.match.stated import LINK, REVIEW, stated_pairs, write_stated

COSTS = Costs(false_merge=5000, missed_merge=200, minute=1)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("advice"), "rad", "card")
    write_stated(made, stated_pairs(1))
    return made


def _choices(project: Project, costs: Costs, labels: Path | None = None) -> dict[str, Choice]:
    return {one.name: one for one in advise(project, costs, labels=labels).choices}


def test_the_figures_of_the_thresholds_in_use_are_those_of_the_pairs(project: Project) -> None:
    now = _choices(project, COSTS)["current"]
    moved = stated_pairs(1).filter(pl.col("outcome").is_null(), pl.col("kind") != "others")
    linked = moved.filter(pl.col("band") == "link")
    assert (now.link, now.review) == (LINK, REVIEW)
    assert now.linked == linked.height
    assert now.false_merges == pytest.approx((1 - linked["probability"]).sum())
    assert now.missed_merges == pytest.approx(moved.filter(pl.col("band") == "reject")["probability"].sum(), rel=1e-3)
    asked = stated_pairs(1).filter(pl.col("band") == "review").height
    assert now.reviews == asked
    assert now.hours == pytest.approx(asked * 2 / 60)


def test_advice_is_where_a_review_costs_as_much_as_the_mistake_it_prevents(project: Project) -> None:
    """With probabilities that are right, the optimum is known: link above 1 - review/false, ask above review/missed."""
    told = _choices(project, COSTS)
    assert told["advised"].cost <= told["current"].cost
    assert 1 - told["advised"].link == pytest.approx(COSTS.review / COSTS.false_merge, rel=1.5)
    assert told["advised"].review == pytest.approx(COSTS.review / COSTS.missed_merge, rel=1.5)
    assert told["stricter"].link >= told["advised"].link >= told["looser"].link
    assert told["stricter"].false_merges <= told["advised"].false_merges <= told["looser"].false_merges


@settings(max_examples=6, deadline=None)
@given(st.floats(1, 1e5), st.floats(1, 1e5), st.floats(0.01, 100))
def test_nothing_costs_less_than_the_advice(
    project: Project, false_merge: float, missed_merge: float, minute: float
) -> None:
    told = _choices(project, Costs(false_merge, missed_merge, minute))
    assert all(told["advised"].cost <= 1.002 * one.cost for one in told.values())
    assert told["advised"].review < told["advised"].link


def test_dear_review_leaves_nothing_to_people_that_a_threshold_moves(project: Project) -> None:
    told = _choices(project, Costs(false_merge=10, missed_merge=10, minute=1e6))
    fixed = stated_pairs(1).filter(pl.col("kind") == "constraint", pl.col("band") == "review").height
    sure = stated_pairs(1).filter(pl.col("kind") == "evidence", pl.col("probability") >= told["advised"].review).height
    assert told["advised"].reviews - fixed - sure <= 25
    assert told["advised"].reviews < told["current"].reviews


def test_labels_correct_a_model_that_states_too_much(project: Project, tmp_path: Path) -> None:
    drawn = sample(project, size=400).pairs
    odds = (pl.col("probability") / (1 - pl.col("probability"))).log()
    truly = 1 / (1 + (-(odds - 4)).exp())
    labels = tmp_path / "labels.csv"
    chance = pl.Series(np.random.default_rng(1).random(drawn.height))
    drawn.select("record_a", "record_b", same=(chance < truly).fill_null(True)).write_csv(labels)
    before, after = advise(project, COSTS), advise(project, COSTS, labels=labels)
    assert before.calibrated == 0
    assert after.calibrated > 100
    believed, corrected = ({one.name: one for one in told.choices} for told in (before, after))
    assert corrected["current"].false_merges > 3 * believed["current"].false_merges
    assert corrected["advised"].link > believed["advised"].link


def test_calibration_needs_enough_of_both_and_finds_the_error() -> None:
    rng = np.random.default_rng(2)
    odds = rng.uniform(-8, 12, 600)
    stated, truly = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-(odds - 2)))
    same = rng.random(600) < truly
    assert calibrate(stated[:40], same[:40]) is None
    assert calibrate(stated, np.ones(600, dtype=bool)) is None
    found = calibrate(stated, same)
    assert found is not None
    middle = (truly > 0.02) & (truly < 0.98)
    assert np.abs(found.apply(stated) - truly)[middle].max() < 0.12
    assert (np.diff(found.apply(np.sort(stated))) >= 0).all()


def test_without_pairs_the_advice_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(QueryRefused, match="fonds match"):
        advise(make_project(tmp_path, "rad"), COSTS)
