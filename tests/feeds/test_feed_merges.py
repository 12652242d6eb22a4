"""Merges followed to their end: chains, circles, several feeds, identifiers in other spellings."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.feeds.merges import merges
from tests.feeds.telling import pairs, project

Told = Sequence[tuple[str, str, str]]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return Catalog(project(tmp_path_factory.mktemp("merges"), {}, {})).connect()


def resolved(catalog: duckdb.DuckDBPyConnection, told: Told, **columns: str) -> pl.DataFrame:
    """Merges (retired, survivor, when) of one feed and issuer."""
    rows = [
        {
            "feed": "mpi",
            "retired_issuer": "I",
            "retired_id": a,
            "issuer": "I",
            "patient_id": b,
            "at": at,
            "event": "A40",
            **columns,
        }
        for a, b, at in told
    ]
    frame = pl.DataFrame(rows, schema=schema.TABLES["feed_merges"].schema)
    catalog.register("told_merges", frame.to_arrow())
    catalog.execute("CREATE OR REPLACE VIEW feed_merges AS FROM told_merges")
    return merges(catalog)


def test_a_chain_ends_at_the_last_survivor(catalog: duckdb.DuckDBPyConnection) -> None:
    found = resolved(catalog, [("A", "B", "2024-01-01"), ("C", "A", "2024-01-03"), ("B", "D", "2024-01-02")])
    assert sorted(pairs(found.to_dicts())) == [("A", "D"), ("B", "D"), ("C", "D")]
    assert dict(found.select("retired_id", "chained").rows()) == {"A": True, "B": False, "C": True}
    assert found["cycle"].null_count() == 3


def test_a_circle_is_opened_at_its_oldest_merge(catalog: duckdb.DuckDBPyConnection) -> None:
    found = resolved(
        catalog,
        [
            ("A", "B", "2024-01-01"),
            ("B", "C", "2024-01-02"),
            ("C", "A", "2024-01-03"),
            ("X", "B", "2023-01-01"),
            ("Y", "Z", ""),
        ],
    )
    # C went into A last, so A is alive; all four are one person
    assert sorted(pairs(found.to_dicts())) == [("B", "A"), ("C", "A"), ("X", "A"), ("Y", "Z")]
    circles = dict(found.select("retired_id", "cycle").rows())
    assert circles["Y"] is None
    assert len({circles[name] for name in "BCX"}) == 1


def test_spellings_of_an_identifier_and_issuers_that_are_not_told(catalog: duckdb.DuckDBPyConnection) -> None:
    found = resolved(catalog, [("0815", "A-7", "2024-01-01"), ("a7", "B", "2024-01-02")], retired_issuer=" ", issuer="")
    assert sorted(pairs(found.to_dicts())) == [("0815", "B"), ("a7", "B")]
    assert set(found["issuer"]) == set(found["retired_issuer"]) == {"feed mpi"}


def test_no_merges_are_no_rows(catalog: duckdb.DuckDBPyConnection) -> None:
    assert resolved(catalog, []).height == 0


@settings(max_examples=60, deadline=None)
@given(told=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 9)), max_size=12))
def test_each_group_has_one_survivor_that_is_not_retired(
    catalog: duckdb.DuckDBPyConnection, told: list[tuple[int, int, int]]
) -> None:
    newest = {a: b for a, b, _ in sorted(told, key=lambda one: one[2]) if a != b}
    rows = [(f"P{a}", f"P{b}", f"2024-01-0{at + 1}") for at, (a, b) in enumerate(list(newest.items())[:9])]
    found = dict(pairs(resolved(catalog, rows).to_dicts()))
    assert not set(found) & set(found.values()), "no survivor is retired"
    leads = {a: b for a, b, _ in rows}
    for start in leads:
        # walk until a node comes again: what is met on the way must have one survivor
        met, here = {start}, start
        while here in leads and leads[here] not in met:
            here = leads[here]
            met.add(here)
        assert len({found.get(node, node) for node in met}) == 1
    assert set(found) <= set(leads)
