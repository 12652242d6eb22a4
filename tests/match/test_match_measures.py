from __future__ import annotations

import polars as pl
import pytest

from fonds.match.evaluate import measures


def _pairs(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=["record_a", "record_b"], orient="row")


def test_order_and_repetition_of_pairs_do_not_count() -> None:
    true = _pairs(("a", "b"), ("c", "d"), ("e", "f"), ("g", "h"))
    found = _pairs(("b", "a"), ("a", "b"), ("c", "d"), ("x", "y"))
    assert measures(found, true) == pytest.approx({"precision": 2 / 3, "recall": 0.5, "f1": 4 / 7})


def test_nothing_found_is_precise_and_misses_all() -> None:
    none = pl.DataFrame(schema={"record_a": pl.String, "record_b": pl.String})
    assert measures(none, _pairs(("a", "b"))) == {"precision": 1.0, "recall": 0.0, "f1": 0.0}
    assert measures(none, none) == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
