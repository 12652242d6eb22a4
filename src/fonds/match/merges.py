"""Identifiers that a feed says were merged (HL7 A40), as pairs of records and whether their demographics agree."""

from __future__ import annotations

import duckdb
import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fonds.feeds.merges import merges
from fonds.match.definition import Matcher
from fonds.match.fitted import Levels
from fonds.match.prepare import SEPARATOR, comparable
from fonds.match.score import speaking

NONE = pl.DataFrame(schema={"retired": pl.String, "survives": pl.String})


def identifiers(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The merges that feeds tell as `merged` takes them: retired and survives, as preparation writes identifiers."""
    told = merges(connection)
    retired = comparable(pl.col("retired_issuer"), pl.col("retired_id"))
    survives = comparable(pl.col("issuer"), pl.col("patient_id"))
    found = told.select(retired.alias("retired"), survives.alias("survives")).drop_nulls()
    return found.unique().sort("retired", "survives")


def merged(prepared: pl.DataFrame, told: pl.DataFrame, largest: int) -> pl.DataFrame:
    """Pairs (a, b: record numbers) of records whose identifiers a feed says are one patient's.

    `told` (retired, survives) are identifiers in the form of the column `ids`. Merges go on: what was merged into a
    retired identifier belongs to the surviving one. Of more than `largest` records all meet the first one only: they
    are too many for a cluster, and people are asked.
    """
    own = prepared.select("n", pl.concat_str("issuer", "patient_id", separator=SEPARATOR).alias("id")).drop_nulls()
    names = pl.concat([told["retired"], told["survives"]]).unique(maintain_order=True)
    numbers = pl.DataFrame({"id": names, "number": np.arange(len(names))})
    ends = told.join(numbers.rename({"id": "retired", "number": "x"}), on="retired").join(
        numbers.rename({"id": "survives", "number": "y"}), on="survives"
    )
    graph = coo_array((np.ones(ends.height, dtype=np.int8), (ends["x"], ends["y"])), shape=(len(names), len(names)))
    patient = numbers.with_columns(pl.Series("patient", connected_components(graph, directed=False)[1]))
    held = own.join(patient, on="id").select("n", "number", "patient").sort("n")
    few = held.filter((pl.len().over("patient") <= largest) | (pl.col("n") == pl.col("n").min().over("patient")))
    both = few.join(held, on="patient", suffix="_b").filter(
        (pl.col("n") < pl.col("n_b")) & (pl.col("number") != pl.col("number_b"))
    )
    return both.select(pl.col("n").cast(pl.Int32).alias("a"), pl.col("n_b").cast(pl.Int32).alias("b")).sort("a", "b")


def agrees(matcher: Matcher, patterns: pl.Series) -> pl.Series:
    """Whether the demographics of two records of each pattern allow what a merge says: that they have one identifier.

    They contradict it where the constraints would call them two people even then (an overlay), or call them so now (as
    twins) and would not link them then. A value that is missing contradicts nothing.
    """
    levels = Levels.of(matcher, patterns)
    same = levels.numbers.copy()
    for number, comparison in enumerate(matcher.comparisons):
        if comparison.column == "patient_id":
            same[:, number] = 1
    outcomes = np.array([*(constraint.outcome for constraint in matcher.constraints), ""])
    as_one = outcomes[speaking(matcher, Levels(same, levels.swapped))]
    apart, apart_then = (
        np.isin(found, ("reject", "overlay")) for found in (outcomes[speaking(matcher, levels)], as_one)
    )
    return pl.Series("merged", ~apart_then & (~apart | (as_one == "link")), dtype=pl.Boolean)
