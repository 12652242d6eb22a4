"""Differences by character, the evidence waterfall, the timelines."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from fonds.desk.compare import BAR_WIDTH, TIMELINE_WIDTH, evidence, network, pieces, timeline

TEXT = st.text(max_size=30)


@given(TEXT, TEXT)
def test_the_pieces_are_the_values(a: str, b: str) -> None:
    first, second = pieces(a, b)
    assert "".join(piece.text for piece in first) == a
    assert "".join(piece.text for piece in second) == b
    assert [piece.text for piece in first if piece.same] == [piece.text for piece in second if piece.same]


def test_only_what_differs_is_marked() -> None:
    first, second = pieces("Müller^Anna", "Mueller^Anna")
    assert [(piece.text, piece.same) for piece in first] == [("M", True), ("ü", False), ("ller^Anna", True)]
    assert [(piece.text, piece.same) for piece in second] == [("M", True), ("ue", False), ("ller^Anna", True)]
    assert pieces(None, "x")[0] == []


@given(st.lists(st.floats(-30, 30), max_size=8))
def test_bars_stay_in_their_width_and_end_at_the_sum(weights: list[float]) -> None:
    steps, _ = evidence(json.dumps([{"comparison": "c", "label": "l", "weight": weight} for weight in weights]))
    assert len(steps) == len(weights) + bool(weights)
    for step in steps:
        assert 0 <= step["x"] <= BAR_WIDTH + 0.1
        assert step["x"] + step["width"] <= BAR_WIDTH + 1.1
    if weights:
        assert abs(steps[-1]["weight"] - sum(weights)) < 1e-9


def test_the_prior_stands_first() -> None:
    told = [("sex", 1.0), ("birth_date", 9.0), ("prior", -8.0)]
    steps, _ = evidence(json.dumps([{"comparison": name, "label": "l", "weight": weight} for name, weight in told]))
    assert [step["comparison"] for step in steps] == ["prior", "sex", "birth date", "sum"]


def test_a_pair_without_evidence_has_no_bars() -> None:
    assert evidence(None) == ([], [])
    assert evidence("[]") == ([], [])


def test_what_neither_record_tells_is_named_apart() -> None:
    told = [
        {"comparison": "national_id", "label": "missing", "a": None, "b": None, "weight": 0.0},
        {"comparison": "phone", "label": "missing", "a": "0431", "b": None, "weight": 0.0},
        {"comparison": "sex", "label": "missing", "a": None, "b": None, "weight": -0.5},
    ]
    steps, unknown = evidence(json.dumps(told))
    assert [step["comparison"] for step in steps] == ["phone", "sex", "sum"]
    assert unknown == ["national id"]


@given(st.lists(st.sampled_from(["20100101", "19991231", "20241105", "2010.1.1", "20101399", "", None]), max_size=6))
def test_studies_are_placed_in_time_order_inside_the_drawing(days: list[str | None]) -> None:
    made = timeline([{"day": day} for day in days], [])
    real = [day for day in days if day in {"20100101", "19991231", "20241105"}]
    assert (made is None) == (not real)
    if made:
        places = [(row["day"], row["x"]) for row in made["rows"][0]]
        assert [day for day, _ in places] == real
        assert all(0 <= x <= TIMELINE_WIDTH for _, x in places)
        ordered = sorted(places)
        assert [x for _, x in ordered] == sorted(x for _, x in ordered)


@given(st.integers(2, 40))
def test_records_of_a_cluster_are_drawn_apart_and_inside(records: int) -> None:
    made = network(records, [{"a": 1, "b": records}])
    nodes, radius = made["nodes"], made["node"]
    assert [node["number"] for node in nodes] == list(range(1, records + 1))
    for node in nodes:
        assert radius <= node["x"] <= made["width"] - radius
        assert radius <= node["y"] <= made["height"] - radius
    for one, other in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
        assert (one["x"] - other["x"]) ** 2 + (one["y"] - other["y"]) ** 2 > (2 * radius) ** 2
    assert (made["lines"][0]["from"], made["lines"][0]["to"]) == (nodes[0], nodes[-1])
