from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonds.match.estimate import Strata, allot, calibration, needed, precision, recall
from fonds.match.evaluate import measures


def _pairs(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=["record_a", "record_b"], orient="row")


def test_order_and_repetition_of_pairs_do_not_count() -> None:
    true = _pairs(("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"))
    found = _pairs(("b", "a"), ("a", "b"), ("c", "d"), ("x", "y"))
    assert measures(found, true) == pytest.approx({"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7})


def test_nothing_found_is_precise_and_misses_all() -> None:
    none = pl.DataFrame(schema={"record_a": pl.String, "record_b": pl.String})
    assert measures(none, _pairs(("a", "b"))) == {"precision": 1.0, "recall": 0.0, "f1": 0.0}
    assert measures(none, none) == {"precision": 1.0, "recall": 1.0, "f1": 1.0}


PAIRS = np.array([8000.0, 700, 300, 300, 600, 2000, 28_000, 500, 150])
STATED = np.array([0.006, 0.15, 0.7, 0.95, 0.995, 0.9996, 0.99998, 0.6, 0.97])
LINKED = np.array([False, False, False, False, False, True, True, True, False])
ALL = np.ones(len(PAIRS), dtype=bool)


@pytest.mark.parametrize(("size", "error"), [(150, 0.0), (400, -1.5), (400, 1.5)])
def test_intervals_hold_the_truth_in_19_of_20_samples_even_when_the_model_is_wrong(size: int, error: float) -> None:
    rng = np.random.default_rng(7)
    share = 1 / (1 + np.exp(-(np.log(STATED / (1 - STATED)) + error)))
    drawn = allot(PAIRS, STATED, size, np.full(len(PAIRS), 4.0)).astype(int)
    held = np.zeros(2)
    for _ in range(300):
        true = rng.binomial(PAIRS.astype(int), share)
        seen = rng.hypergeometric(true, PAIRS.astype(int) - true, drawn)
        strata = Strata(PAIRS, drawn.astype(float), seen.astype(float), STATED)
        found = true[LINKED].sum()
        for n, (told, truth) in enumerate(
            [
                (precision(strata, LINKED), found / PAIRS[LINKED].sum()),
                (recall(strata, LINKED, ALL), found / true.sum()),
            ]
        ):
            assert told is not None
            assert told.low <= told.value <= told.high
            held[n] += told.low <= truth <= told.high
    assert (held >= 0.93 * 300).all(), held


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 1)), min_size=1, max_size=12), st.integers(1, 500))
def test_an_allotment_takes_no_more_than_there_is_and_no_less_than_the_least(
    strata: list[tuple[int, float]], size: int
) -> None:
    pairs, share = (np.array(values, dtype=float) for values in zip(*strata, strict=True))
    drawn = allot(pairs, share, size, np.full(len(pairs), 3.0))
    assert (drawn <= pairs).all()
    assert (drawn >= np.minimum(pairs, 3)).all()
    assert drawn.sum() <= size + 3.5 * len(pairs)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=6))
def test_what_is_labelled_whole_has_no_interval(strata: list[tuple[int, int, int]]) -> None:
    pairs = np.array([float(count) for count, _, _ in strata])
    true = np.array([float(min(count, some)) for count, some, _ in strata])
    linked = np.array([bool(which % 2) for _, _, which in strata])
    whole = Strata(pairs, pairs, true, np.full(len(pairs), 0.5))
    told = precision(whole, linked)
    if told is not None:
        assert told.low == pytest.approx(told.value) == pytest.approx(told.high)
        assert told.value == pytest.approx(true[linked].sum() / pairs[linked].sum())
    kept = recall(whole, linked, np.ones(len(pairs), dtype=bool))
    if true.sum():
        assert kept is not None
        assert kept.low == pytest.approx(kept.value) == pytest.approx(kept.high)
        assert kept.value == pytest.approx(true[linked].sum() / true.sum())


def test_as_many_labels_as_are_called_for_make_the_interval_as_narrow() -> None:
    none = np.zeros(len(PAIRS))
    unseen = Strata(PAIRS, none, none, STATED)
    wanted = needed(unseen, LINKED, ALL, 0.02)
    drawn = allot(PAIRS, STATED, wanted, np.full(len(PAIRS), 2.0))
    strata = Strata(PAIRS, drawn, drawn * STATED, STATED)
    told = precision(strata, LINKED), recall(strata, LINKED, ALL)
    assert all(one is not None and one.width <= 0.02 for one in told)
    assert needed(unseen, LINKED, ALL, 0.01) > wanted > 100


def test_calibration_weighs_each_label_by_what_it_stands_for() -> None:
    labelled = pl.DataFrame(
        {
            "probability": [0.95, 0.97, 0.3, 0.3, 1.0],
            "same": [True, False, False, False, True],
            "weight": [3.0, 1, 1, 1, 1],
        }
    )
    found = calibration(labelled, (0.0, 0.5, 0.9, 1.0))
    assert found["low"].to_list() == [0.0, 0.9]
    assert found["labelled"].to_list() == [2, 3]
    assert found["share"].to_list() == pytest.approx([0.0, 0.8])
    assert found["stated"].to_list() == pytest.approx([0.3, (3 * 0.95 + 0.97 + 1) / 5])
    assert found["fits"].to_list() == [True, True]


def test_a_model_that_states_too_much_does_not_fit() -> None:
    labelled = pl.DataFrame({"probability": [0.995] * 60, "same": [True] * 42 + [False] * 18, "weight": [1.0] * 60})
    assert calibration(labelled, (0.0, 0.99, 0.999, 1.0))["fits"].to_list() == [False]
