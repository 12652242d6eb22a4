"""How common values are: agreement on a rare name or date says more than on a common one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from fonds.match.definition import Column, Matcher
from fonds.match.fitted import Fitted, Floats

# The column whose values are counted for a comparison's frequencies, where it isn't the compared one.
_VALUES: dict[Column, Column] = {"given": "given_first"}
_SCHEMA = pl.Schema({"comparison": pl.String(), "value": pl.String(), "often": pl.Int64()})


@dataclass(frozen=True, slots=True)
class Frequencies:
    """Columns comparison, value, often: with how many values of the `frequency` column each value was met, so that a
    person met four times counts once. Kept with the fit, so that a pair's weight depends on its records and the fit."""

    table: pl.DataFrame

    @classmethod
    def count(cls, prepared: pl.DataFrame, matcher: Matcher) -> Frequencies:
        """Counted over all prepared records."""
        parts = [pl.DataFrame(schema=_SCHEMA)]
        for comparison in matcher.comparisons:
            if comparison.frequency:
                value = pl.col(_VALUES.get(comparison.column, comparison.column))
                met = prepared.select(value.alias("value"), pl.col(comparison.frequency).alias("with")).drop_nulls()
                counted = met.unique().group_by("value").len("often").sort("value")
                parts.append(
                    counted.select(pl.lit(comparison.name).alias("comparison"), "value", "often").cast(_SCHEMA)
                )
        return cls(pl.concat(parts))

    def write(self, path: Path) -> None:
        """As Parquet."""
        self.table.write_parquet(path)

    @classmethod
    def read(cls, path: Path) -> Frequencies:
        """What `write` wrote."""
        return cls(pl.read_parquet(path))

    def weights(self, prepared: pl.DataFrame, matcher: Matcher, fitted: Fitted) -> dict[int, Floats]:
        """By number of the comparison and by record: log2 of how much more often than the average agreement a random
        record has this record's value; 0 where it has none.

        The pair's own person isn't counted, and a value hardly met is drawn to the average (a gamma prior).
        """
        shape = matcher.training.frequency_shape
        found = {}
        for number, comparison in enumerate(matcher.comparisons):
            if not comparison.frequency:
                continue
            average = float(fitted.u[number][1])
            counted = self.table.filter(pl.col("comparison") == comparison.name)
            total = float(counted["often"].sum()) + shape / average
            values = prepared.select(pl.col(_VALUES.get(comparison.column, comparison.column)).alias("value"))
            often = values.join(counted, on="value", how="left", maintain_order="left").select(
                pl.when(pl.col("value").is_not_null()).then(pl.col("often").fill_null(1) - 1 + shape).alias("often")
            )["often"]
            found[number] = np.nan_to_num(np.log2(often.cast(pl.Float64).to_numpy() / (total * average)), nan=0.0)
        return found
