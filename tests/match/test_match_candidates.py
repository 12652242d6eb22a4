from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.match import candidates
from fonds.match.candidates import Compared, compare, compare_pairs, draw, draw_along
from fonds.match.definition import Block, Matcher
from fonds.match.patterns import unpack
from fonds.match.recall import missed, rules_report
from fonds.match.shards import SCHEMA, Maker
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from tests.match.columns import columns

RULES = (
    Block(name="identifier", shared="ids", largest=3),
    Block(name="date", keys=("birth_date",), split=("family_code", "given_code"), largest=3),
    Block(name="names", keys=("family", "given_first"), largest=3),
    Block(name="swapped", crossed=True, split=("birth_year",), largest=4),
    Block(name="sound-year", keys=("family_code", "given_code", "birth_year"), largest=3),
)
MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher).model_copy(update={"blocking": RULES})
_NAMES = st.sampled_from(["ADA", "ADAM", "EVA", None])
_ROWS = st.lists(
    st.fixed_dictionaries({
        "family": _NAMES, "given": _NAMES, "birth": st.sampled_from(["19610409", "19610904", "19700101", None]),
        "ids": st.lists(st.sampled_from(["a1", "a2", "b1"]), max_size=2),
    }), min_size=2, max_size=14,
)  # fmt: skip
Rows = list[dict[str, str | list[str] | None]]


def _frame(rows: Rows) -> pl.DataFrame:
    family, first = [row["family"] for row in rows], [row["given"] for row in rows]
    birth = [row["birth"] for row in rows]
    return columns(
        family=family, given=first, given_first=first, family_code=[name and name[0] for name in family],
        given_code=[name and name[0] for name in first], birth_date=birth,
        birth_year=[day and day[:4] for day in birth],
        ids=[row["ids"] for row in rows],
    )  # fmt: skip


def _all(compared: Compared) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(schema=SCHEMA), *compared.shards()]).sort("a", "b")


def _blocks(rows: Rows, rule: Block) -> Iterator[list[tuple[int, int]]]:
    """Every block of the rule as entries of record and side: the slow way, in words of the model's documentation."""
    found: dict[object, list[tuple[int, int]]] = {}
    for n, row in enumerate(_frame(rows).rows(named=True)):
        keys: list[tuple[object, int]] = [(tuple(row[key] for key in rule.keys), 0)]
        if rule.shared:
            keys = [((key,), 0) for key in set(row[rule.shared])]
        elif rule.crossed:
            family, first = row["family"], row["given_first"]
            keys = [((family, first and first[:2]), 0), ((first, family and family[:2]), 1)]
        for key, side in keys:
            if None not in key:  # type: ignore[operator]
                found.setdefault(key, []).append((n, side))
    yield from found.values()


def _pairs(block: list[tuple[int, int]], rule: Block) -> set[tuple[int, int]]:
    return {
        (min(x, y), max(x, y)) for (x, p), (y, q) in combinations(block, 2) if x != y and (not rule.crossed or p != q)
    }


def _expected(rows: Rows, rule: Block) -> set[tuple[int, int]]:
    frame, found = _frame(rows), set()
    for block in _blocks(rows, rule):
        if len(block) <= rule.largest:
            found |= _pairs(block, rule)
            continue
        for first in range(len(rule.split)):
            parts = [block]
            for column in rule.split[first:]:
                values = frame[column].to_list()
                split = [[e for e in part if values[e[0]] == value] for part in parts for value in set(values) - {None}]
                found |= {pair for part in split if len(part) <= rule.largest for pair in _pairs(part, rule)}
                parts = [part for part in split if len(part) > rule.largest]
    return found


@settings(max_examples=30, deadline=None)
@given(_ROWS)
def test_each_rule_finds_the_pairs_it_describes_and_each_pair_comes_once(rows: Rows) -> None:
    found = _all(compare(_frame(rows), MODEL))
    assert found.select("a", "b").is_unique().all()
    for number, rule in enumerate(RULES):
        by_rule = found.filter(pl.col("rules") & (1 << number) != 0)
        assert set(by_rule.select("a", "b").rows()) == _expected(rows, rule), rule.name
    assert found["rules"].min() != 0


@settings(max_examples=12, deadline=None)
@given(_ROWS, st.data())
def test_neither_order_nor_the_size_of_shards_changes_a_pair(rows: Rows, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    size = data.draw(st.integers(1, 9))
    straight = _all(compare(_frame(rows), MODEL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "SHARD", size)
        patch.setattr(candidates, "processors", lambda: 3)
        turned = _all(compare(_frame([rows[n] for n in order]), MODEL))
    a, b = (pl.Series(order, dtype=pl.Int32).gather(turned[side]) for side in ("a", "b"))
    named = turned.with_columns(a=pl.min_horizontal(a, b), b=pl.max_horizontal(a, b)).sort("a", "b")
    assert named.equals(straight)


@settings(max_examples=15, deadline=None)
@given(_ROWS, st.data())
def test_fresh_records_get_just_their_pairs(rows: Rows, data: st.DataObject) -> None:
    fresh = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    whole = _all(compare(_frame(rows), MODEL))
    touched = pl.Series([fresh[a] or fresh[b] for a, b in whole.select("a", "b").rows()], dtype=pl.Boolean)
    assert _all(compare(_frame(rows), MODEL, fresh=pl.Series(fresh))).equals(whole.filter(touched))


@settings(max_examples=15, deadline=None)
@given(_ROWS)
def test_a_pair_asked_for_is_what_a_run_says_of_it(rows: Rows) -> None:
    frame = _frame(rows)
    every = pl.DataFrame(list(combinations(range(len(rows)), 2)), schema=["a", "b"], orient="row")
    asked = compare_pairs(frame, MODEL, every)
    found = asked.filter(pl.col("rules") != 0)
    compared = compare(frame, MODEL)
    assert found.sort("a", "b").equals(_all(compared))
    assert compared.total == found.height
    assert compared.patterns().equals(found.group_by("pattern").len("pairs").cast(pl.Int64).sort("pattern"))
    drawn, count = draw(frame, MODEL)
    assert count == every.height
    counted = asked.group_by("pattern").len("pairs").cast(pl.Int64).sort("pattern")
    assert drawn.cast(pl.Int64).sort("pattern").equals(counted)


def _crowd(count: int) -> pl.DataFrame:
    rows: Rows = [
        {"family": "SMITH", "given": f"G{n % 7}", "birth": "19000101" if n % 2 else f"19{n % 90 + 10}0409",
         "ids": [f"i{n % 100}"]}
        for n in range(count)
    ]  # fmt: skip
    return _frame(rows)


def test_pairs_of_one_value_are_drawn_by_name_of_what_is_followed() -> None:
    drawn = draw_along(_crowd(500), MODEL)
    assert list(drawn) == ["family", "given"]
    levels = unpack(MODEL, drawn["given"]["pattern"]).with_columns(drawn["given"]["pairs"])
    given = [comparison.name for comparison in MODEL.comparisons].index("given")
    assert levels[f"l{given}"].unique().to_list() == [1]
    assert levels["pairs"].sum() == sum(n * (n - 1) // 2 for n in Counter(n % 7 for n in range(500)).values())
    assert draw_along(columns(family=[]), MODEL)["family"].is_empty()


def test_a_large_sample_is_drawn_by_its_seed() -> None:
    first, count = draw(_crowd(500), MODEL)
    again, _ = draw(_crowd(500), MODEL)
    assert first.equals(again)
    assert first["pairs"].sum() == count
    assert 90_000 < count <= MODEL.training.largest_sample


def test_too_large_blocks_are_split_and_told_without_a_value() -> None:
    rule = Block(name="date", keys=("birth_date",), split=("given_code", "family"), largest=20)
    compared = compare(_crowd(200), MODEL.model_copy(update={"blocking": (rule,)}))
    (told,) = compared.oversized
    assert (told.rule, told.blocks, told.records, told.largest) == ("date", 1, 100, 100)
    # all share given_code G and the family name: no part becomes small, so nothing of the block is compared
    assert (told.pairs, told.compared) == (4950, 0)
    assert told.left >= 4950
    assert "SMITH" not in repr(compared.oversized)
    assert "19000101" not in repr(compared.oversized)
    assert compared.total < 200
    by_given = rule.model_copy(update={"split": ("given_first",)})
    (split,) = compare(_crowd(200), MODEL.model_copy(update={"blocking": (by_given,)})).oversized
    assert (split.pairs, split.compared, split.left) == (4950, 2 * 105 + 5 * 91, 0)


def test_many_pairs_go_to_files_that_are_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = _crowd(300)
    straight = _all(compare(frame, MODEL))
    monkeypatch.setattr(candidates, "SHARD", 20)
    monkeypatch.setattr(candidates, "IN_MEMORY", 10)
    compared = compare(frame, MODEL, scratch=tmp_path)
    assert len(list(tmp_path.rglob("*.parquet"))) > 5
    assert _all(compared).equals(straight)
    compared.close()
    assert not list(tmp_path.iterdir())

    def fails(*_: object) -> pl.DataFrame:
        raise MemoryError

    monkeypatch.setattr(Maker, "make", fails)
    with pytest.raises(MemoryError):
        compare(frame, MODEL, scratch=tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_dask_cluster_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    frame = _crowd(300)
    straight = _all(compare(frame, MODEL))
    monkeypatch.setattr(candidates, "SHARD", 80)
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        runner = cluster.scheduler_address.replace("tcp://", "dask://")
        compared = compare(frame, MODEL, runner=runner, scratch=tmp_path)
    assert _all(compared).equals(straight)
    compared.close()
    assert not list(tmp_path.iterdir())


def test_no_records_have_no_pairs() -> None:
    none = columns(family=[])
    compared = compare(none, MODEL)
    assert (compared.total, compared.oversized) == (0, ())
    assert compared.patterns().height == 0
    assert draw(none, MODEL)[1] == 0


def test_the_worth_of_rules_is_told_from_true_pairs() -> None:
    true = pl.DataFrame({"rules": [0b00010, 0b00110, 0b00100, 0b00010, 0]})
    found = pl.DataFrame({"rules": [0b00010, 0b00110, 0b00100], "pairs": [10, 4, 6]})
    date, names = rules_report(MODEL, found, true, records=10).rows(named=True)[1:3]
    assert date == {
        "rule": "date", "pairs": 14, "per_record": 1.4, "alone": 10, "true": 3, "recall": 0.6, "true_alone": 2,
    }  # fmt: skip
    assert (names["pairs"], names["true_alone"]) == (10, 1)
    assert missed(MODEL, true) is None


def test_what_all_rules_miss_is_estimated_from_two_that_are_independent() -> None:
    # of 1,000 true pairs one rule finds 80 %, the other half, independently: 100 are found by neither
    bits = [0b010] * 400 + [0b110] * 400 + [0b100] * 100 + [0] * 100
    estimate = missed(MODEL, pl.DataFrame({"rules": bits}))
    assert estimate is not None
    assert estimate[0] == pytest.approx(100, abs=3)
    assert estimate[1:] == ("date", "names")
