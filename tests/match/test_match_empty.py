"""Matching where there is nobody, or one person only: no warning, no pair."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from fonds.catalog.store import Catalog
from fonds.match import match
from tests.handmade import make_project, write
from tests.match.people import person


@pytest.mark.parametrize("number", [0, 1])
def test_an_inventory_without_pairs_is_matched_without_a_warning(tmp_path: Path, number: int) -> None:
    project = make_project(tmp_path, "rad")
    rows = [person("rad", "1", "Lehmann^Otto", "19410823")]
    write(project, "instances", rows[:number])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = match(project)
    assert done.counts["records"] == done.counts["persons"] == number
    assert Catalog(project).read("pairs").is_empty()
