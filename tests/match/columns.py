"""Prepared records made by hand, a column at a time."""

from __future__ import annotations

from typing import Any

import polars as pl

from fonds.match.definition import COLUMNS

_LISTS = ("family_parts", "given_tokens", "given_forms", "family_forms", "ids", "studies")


def columns(**given: list[Any]) -> pl.DataFrame:
    """Records with these columns; what isn't given is missing."""
    height = len(next(iter(given.values())))
    made = {name: pl.Series(given.get(name, [None] * height), dtype=pl.String) for name in COLUMNS}
    made |= {name: pl.Series(given.get(name, [[]] * height), dtype=pl.List(pl.String)) for name in _LISTS}
    made |= {name: pl.Series(given.get(name, [None] * height), dtype=pl.String) for name in _SPELLINGS}
    made["given_known"] = pl.Series(given.get("given_known", [False] * height))
    return pl.DataFrame({"n": range(height), **made}, schema_overrides={"n": pl.Int64})


_SPELLINGS = ("family_spelling", "given_spelling")
