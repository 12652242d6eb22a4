"""Generated hospitals that are dense in what must not be merged: twins, namesakes, overlays, default birth dates."""

from __future__ import annotations

from functools import lru_cache

import polars as pl
import pytest

from fonds.match.definition import Matcher, Names
from fonds.match.prepare import prepare
from fonds.match.run import link
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from fonds.samples.population import population

RECORDS = 3_000
NOTHING = pl.DataFrame(schema=dict.fromkeys(("record_a", "record_b", "decided", "decided_by"), pl.String))


@lru_cache(maxsize=4)
def linked(seed: int, profile: str = "hard") -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records with their truth and cluster, and the pairs with their bands."""
    truth = population(RECORDS, seed, profile)
    matcher = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
    names = load_yaml(shipped() / "matchers/tables/names.yaml", Names)
    contact = ("phone", "street", "postcode", "city", "mother", "national_id")
    found = truth.with_columns(pl.lit([], dtype=pl.List(pl.String)).alias("studies"))
    found = found.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in contact)
    prepared = prepare(found, matcher, names)
    clustered, *_ = link(prepared, matcher, NOTHING)
    members = prepared.select("n", "record_id", pl.Series("cluster", clustered.labels)).join(truth, on="record_id")
    return members, clustered.pairs


def merged(members: pl.DataFrame) -> pl.DataFrame:
    """Pairs of records in one cluster."""
    return members.join(members, on="cluster", suffix="_b").filter(pl.col("n") < pl.col("n_b"))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_merged_wrongly_and_much_is_merged(seed: int) -> None:
    members, _ = linked(seed)
    together = merged(members)
    wrong = together.filter(pl.col("person") != pl.col("person_b"))
    assert wrong.select("PatientName", "PatientName_b", "PatientBirthDate", "PatientBirthDate_b").rows() == []
    true = members.join(members, on="person").filter(pl.col("n") < pl.col("n_right")).height
    assert together.height > 0.25 * true


def test_records_under_another_persons_identifier_join_neither_that_person_nor_hide_the_conflict() -> None:
    members, pairs = linked(1)
    astray = members.filter(pl.col("overlay"))
    owner = members.filter(~pl.col("overlay")).select("issuer", "PatientID", "person", "cluster", "n")
    both = astray.join(owner, on=["issuer", "PatientID"], suffix="_b").filter(pl.col("person") != pl.col("person_b"))
    assert both.height > 20
    assert both.filter(pl.col("cluster") == pl.col("cluster_b")).is_empty()
    # whoever shares the identifier waits for people or is refused; it is never linked by the machine
    a, b = pl.min_horizontal("n", "n_b").alias("na"), pl.max_horizontal("n", "n_b").alias("nb")
    bands = both.select(a, b).join(pairs, on=["na", "nb"])["band"]
    assert set(bands.to_list()) <= {"review", "reject"}
    assert (bands == "review").mean() > 0.5


def test_an_easy_hospital_is_merged_far_and_without_a_mistake() -> None:
    members, _ = linked(1, "clean")
    together = merged(members)
    assert together.filter(pl.col("person") != pl.col("person_b")).is_empty()
    true = members.join(members, on="person").filter(pl.col("n") < pl.col("n_right")).height
    assert together.height > 0.6 * true
