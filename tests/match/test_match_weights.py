"""Weights of pairs: evidence adds up, rare values weigh more, shards and kept fits change nothing, answers teach."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fonds.match.candidates import compare, draw, draw_along
from fonds.match.definition import Matcher, Names
from fonds.match.fitted import Fitted
from fonds.match.frequencies import Frequencies
from fonds.match.patterns import pack
from fonds.match.prepare import prepare
from fonds.match.score import evidence, weigh
from fonds.match.teach import teaches
from fonds.match.train import fit
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from fonds.samples.population import population

MODEL = load_yaml(shipped() / "matchers/patient-adt.yaml", Matcher)
NAMES = load_yaml(shipped() / "matchers/tables/names.yaml", Names)


@dataclass(frozen=True)
class Hospital:
    prepared: pl.DataFrame
    pairs: pl.DataFrame
    fitted: Fitted
    frequencies: Frequencies
    weighed: pl.DataFrame


@lru_cache(maxsize=1)
def hospital() -> Hospital:
    """A generated population of 2,000 records with all fields, fitted and weighed."""
    truth = population(2000, 11, "harsh").with_columns(pl.lit([], dtype=pl.List(pl.String)).alias("studies"))
    prepared = prepare(truth, MODEL, NAMES)
    compared = compare(prepared, MODEL)
    drawn, _ = draw(prepared, MODEL)
    along = draw_along(prepared, MODEL)
    fitted = fit(MODEL, compared.patterns(), drawn, 2000, along=along)
    often = Frequencies.count(prepared, MODEL)
    pairs = pl.concat(list(compared.shards()))
    weighed = weigh(prepared, MODEL, fitted, often, pairs)
    people = truth.select("record_id", "person")
    weighed = weighed.join(people.rename({"record_id": "record_a"}), on="record_a").join(
        people.rename({"record_id": "record_b", "person": "other"}), on="record_b"
    )
    return Hospital(prepared, pairs, fitted, often, weighed.sort("na", "nb"))


def test_how_given_names_hang_on_families_is_learned_from_pairs_of_one_family() -> None:
    # eight name cultures: who shares a family name shares a given name far more often than two people met at random
    found = hospital()
    given = [comparison.name for comparison in MODEL.comparisons].index("given")
    named = found.prepared.select("record_id", "family", "given_first").join(
        population(2000, 11, "harsh").select("record_id", "household"), on="record_id"
    )
    strangers = named.join(named, on="family", suffix="_b").filter(pl.col("household") < pl.col("household_b"))
    true = strangers.select((pl.col("given_first") == pl.col("given_first_b")).mean()).item()
    assert true > 2 * found.fitted.u[given][1]
    assert 0.6 * true < found.fitted.along[given][1] < 1.6 * true


def test_evidence_adds_up_to_the_weight() -> None:
    found = hospital()
    told = evidence(found.prepared, MODEL, found.fitted, found.frequencies, found.weighed)
    steps = [json.loads(text) for text in told["evidence"]]
    assert [sum(step["weight"] for step in pair) for pair in steps] == pytest.approx(told["weight"].to_list())
    names = [c.name for c in MODEL.comparisons]
    for pair in steps:
        assert [step["comparison"] for step in pair if step["comparison"] != "name order"] == [*names, "prior"]
        assert all(step["weight"] == pytest.approx(0) for step in pair if step["label"] == "missing")


def test_what_is_stated_is_true_so_often() -> None:
    found = hospital().weighed
    same = found["person"] == found["other"]
    for low, high in ((0.0, 0.1), (0.99, 1.01)):
        within = found.select(((pl.col("probability") >= low) & (pl.col("probability") < high)).alias("x"))["x"]
        assert same.filter(within).mean() == pytest.approx(found["probability"].filter(within).mean(), abs=0.02)
    assert same.filter(found["probability"] >= 0.999).mean() >= 0.998


def test_shards_and_what_is_kept_of_the_fit_change_no_weight(tmp_path: Path) -> None:
    found = hospital()
    found.frequencies.write(tmp_path / "often.parquet")
    often = Frequencies.read(tmp_path / "often.parquet")
    fitted = Fitted.from_json(MODEL, json.loads(json.dumps(found.fitted.as_json(MODEL))))
    parts = [weigh(found.prepared, MODEL, fitted, often, part) for part in found.pairs.iter_slices(700)]
    again = pl.concat(parts).sort("na", "nb")
    assert again.equals(found.weighed.select(again.columns))


def test_agreement_on_a_rare_name_weighs_more() -> None:
    found = hospital()
    common = found.prepared["family"].drop_nulls().value_counts().sort("count", "family")["family"]
    rows = found.prepared.filter(pl.col("family").is_not_null() & pl.col("given").is_not_null())
    rare, often = (rows.filter(pl.col("family") == name).row(0, named=True) for name in (common[0], common[-1]))
    pair = pl.DataFrame({name: [rare[name], often[name]] * 2 for name in rows.columns}, schema=rows.schema)
    alone = pair.with_columns(
        pl.Series("n", range(4)), given=pl.lit("ANNA"), given_first=pl.lit("ANNA"), record_id=pl.Series(list("abcd"))
    )
    wanted = pl.DataFrame({"a": [0, 1], "b": [2, 3], "rules": [1, 1], "pattern": [_agreeing()] * 2})
    weights = weigh(alone, MODEL, found.fitted, found.frequencies, wanted)["weight"]
    assert weights[0] > weights[1] + 1


def _agreeing() -> int:
    """The pattern of a pair whose names agree and of which nothing else is known."""
    digits = {f"l{n}": [int(c.name in {"family", "given"})] for n, c in enumerate(MODEL.comparisons)}
    return int(pack(MODEL, pl.DataFrame({"swap": [False], **digits}))[0])


def test_pairs_below_the_limit_are_left_out_unless_a_constraint_speaks_or_they_were_asked_for() -> None:
    found = hospital()
    strict = MODEL.model_copy(update={"bands": MODEL.bands.model_copy(update={"keep": 5.0})})
    kept = weigh(found.prepared, strict, found.fitted, found.frequencies, found.pairs)
    assert kept.filter(pl.col("rule").is_null())["weight"].min() >= 5
    assert kept.filter(pl.col("rule").is_not_null())["weight"].min() < 5
    asked = found.pairs.with_columns(pl.lit(0, dtype=pl.Int64).alias("rules"))
    assert weigh(found.prepared, strict, found.fitted, found.frequencies, asked).height == found.pairs.height


def test_an_answer_teaches_most_where_many_pairs_wait_in_doubt() -> None:
    waiting = pl.DataFrame(
        {"pattern": [1] * 50 + [2] * 50 + [3] * 5, "probability": [0.5] * 50 + [0.99] * 50 + [0.5] * 5}
    )
    bits = dict(teaches(MODEL, waiting).rows())
    assert bits[1] > bits[2] > 0
    assert bits[1] == pytest.approx(10 * bits[3])
    said = pl.DataFrame({"pattern": [1, 1], "same": [True, False], "pairs": [30, 30]})
    assert dict(teaches(MODEL, waiting, said).rows())[1] < bits[1] / 5
    assert teaches(MODEL, waiting.clear()).is_empty()
    assert np.isfinite(teaches(MODEL, waiting.with_columns(probability=pl.lit(1.0)))["teaches"].to_numpy()).all()
