"""A pattern is one whole number: which level every comparison of a pair reached, and whether its names are swapped.

Mixed radix, the smallest digit first: `swap` (0 or 1), then the level of each comparison in the order of the model, 0
for missing. The number needs no table: `unpack` reads it with nothing but the model.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.match.definition import Matcher


def radixes(matcher: Matcher) -> tuple[int, ...]:
    """How many values each digit has: 2 for `swap`, then levels + 1 (missing) by comparison."""
    return (2, *(len(comparison.levels) + 1 for comparison in matcher.comparisons))


def scales(matcher: Matcher) -> tuple[int, ...]:
    """What one step of each digit adds to the pattern."""
    found, scale = [], 1
    for radix in radixes(matcher):
        found.append(scale)
        scale *= radix
    return tuple(found)


def pack(matcher: Matcher, digits: pl.DataFrame) -> pl.Series:
    """Patterns (Int64) of rows with `swap` (Boolean) and `l0`, `l1`, …: the inverse of `unpack`."""
    total = np.zeros(digits.height, dtype=np.int64)
    for name, scale in zip(_names(matcher), scales(matcher), strict=True):
        total += digits[name].cast(pl.Int64).to_numpy() * scale
    return pl.Series("pattern", total)


def unpack(matcher: Matcher, codes: pl.Series | npt.NDArray[np.int64]) -> pl.DataFrame:
    """Columns `swap` (Boolean) and `l0`, `l1`, … (UInt8, the level's number in the model, 0 missing), a row a code."""
    rest = codes.to_numpy() if isinstance(codes, pl.Series) else codes
    digits = {}
    for name, radix in zip(_names(matcher), radixes(matcher), strict=True):
        rest, digit = np.divmod(rest, radix)
        digits[name] = pl.Series(name, digit.astype(np.uint8))
    return pl.DataFrame(digits).with_columns(pl.col("swap").cast(pl.Boolean))


def _names(matcher: Matcher) -> tuple[str, ...]:
    return ("swap", *(f"l{number}" for number in range(len(matcher.comparisons))))
