from __future__ import annotations

import subprocess
import sys

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fonds.errors import ContentNotFound
from fonds.samples.population import population, true_pairs

COLUMNS = [
    "record_id", "person", "household", "overlay", "source", "issuer", "PatientID", "PatientName", "PatientBirthName",
    "PatientBirthDate", "PatientSex", "phone", "street", "postcode", "city", "mother", "national_id", "last_study",
]  # fmt: skip


def test_as_many_records_as_asked_for_with_every_column_and_a_key() -> None:
    for profile in ("clean", "mild", "harsh", "hard"):
        frame = population(2_000, 3, profile)
        assert frame.columns == COLUMNS
        assert frame.height == frame["record_id"].n_unique() == 2_000
        assert frame["record_id"].is_sorted()
        assert frame.select("record_id", "person", "household", "source", "issuer", "PatientID", "PatientName",
                            "last_study").null_count().sum_horizontal()[0] == 0  # fmt: skip
    assert population(0, 1).columns == COLUMNS
    assert population(1, 1).height == 1


def test_the_seed_alone_decides_whatever_the_number_of_threads() -> None:
    code = (
        "from fonds.samples.population import population; f = population(3000, 5, 'harsh'); print(f.hash_rows().sum())"
    )
    one = subprocess.run(
        [sys.executable, "-c", code], env={"POLARS_MAX_THREADS": "1"}, capture_output=True, text=True, check=True
    )
    assert int(one.stdout) == population(3000, 5, "harsh").hash_rows().sum()
    assert not population(3000, 6, "harsh").equals(population(3000, 5, "harsh"))


def test_true_pairs_are_all_pairs_of_records_of_one_person() -> None:
    frame = population(1_500, 4, "mild")
    pairs = true_pairs(frame)
    sizes = frame["person"].value_counts()["count"]
    assert pairs.height == (sizes * (sizes - 1) // 2).sum()
    assert (pairs["record_a"] < pairs["record_b"]).all()
    person = dict(zip(frame["record_id"], frame["person"], strict=True))
    assert all(person[a] == person[b] for a, b in pairs.iter_rows())


def test_identifiers_belong_to_one_person_but_for_the_overlays() -> None:
    frame = population(6_000, 2, "hard")
    owners = pl.col("person").n_unique()
    assert frame.filter(~pl.col("overlay")).group_by("issuer", "PatientID").agg(owners)["person"].max() == 1
    shared = frame.group_by("issuer", "PatientID").agg(owners, pl.col("overlay").any())
    assert shared.filter(pl.col("person") > 1)["overlay"].all()
    assert 0.01 < frame["overlay"].mean() < 0.04


def test_one_person_has_one_birth_date_and_sex_wherever_no_mistake_was_made() -> None:
    frame = population(6_000, 2, "clean")
    usual = frame.group_by("person", "PatientBirthDate").len().group_by("person").agg(pl.col("len").max())
    assert usual["len"].sum() > 0.98 * frame.height
    together = frame.join(frame, on="person").filter(pl.col("record_id") < pl.col("record_id_right"))
    assert (together["PatientSex"] == together["PatientSex_right"]).mean() > 0.98


def test_a_hard_population_is_dense_in_what_is_hard() -> None:
    frame = population(6_000, 2, "hard")
    first = frame.filter(~pl.col("overlay")).unique("person", keep="first").with_columns(
        pl.col("PatientName").str.to_uppercase().str.extract(r"^([^\^,]+)[\^,]").alias("family"),
        pl.col("PatientName").str.to_uppercase().str.extract(r"[\^,] ?([^\^ ]+)").alias("given"),
    )  # fmt: skip
    pairs = first.join(first, on="household", suffix="_b").filter(pl.col("person") < pl.col("person_b"))
    same_birth = pl.col("PatientBirthDate") == pl.col("PatientBirthDate_b")
    one_name = (pl.col("family") == pl.col("family_b")) & (pl.col("given") == pl.col("given_b"))
    households = first["household"].n_unique()
    assert pairs.filter(same_birth & (pl.col("given") != pl.col("given_b"))).height > 0.2 * households
    assert pairs.filter(one_name & ~same_birth).height > 0.08 * households
    assert pairs.filter(pl.col("street") == pl.col("street_b")).height > 0.5 * households
    assert (frame["PatientBirthDate"].is_in(["19000101", "19700101", "18991231", "11111111"])).mean() > 0.04


def test_names_follow_a_law_with_a_long_tail() -> None:
    frame = population(30_000, 1, "mild").filter(pl.col("source") == "radiology")
    family = frame.select(pl.col("PatientName").str.extract(r"^([^\^]+)"))["PatientName"].value_counts(sort=True)
    assert 0.004 < family["count"][0] / frame.height < 0.02
    assert family.height > 2_500
    twice = frame.group_by("PatientName").agg(pl.col("person").n_unique()).filter(pl.col("person") > 1)
    assert 0.01 < twice["person"].sum() / frame.height < 0.15


def test_a_larger_population_begins_with_the_same_people() -> None:
    told = ["person", "PatientName", "PatientBirthDate", "street"]
    small, large = population(1_000, 9).select(told), population(4_000, 9).select(told)
    assert_frame_equal(small.unique().join(large, on=told, how="anti", nulls_equal=True), small.clear())


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ContentNotFound, match="gentle; there are: clean, mild, harsh, hard"):
        population(10, 1, "gentle")
