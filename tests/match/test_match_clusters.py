"""Clusters over pairs of any weight, decision and constraint: what must hold whatever the pairs say."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import networkx as nx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.match.cluster import NOT_SAME, Clustered, band, cluster, inside
from fonds.match.cluster import components as find
from fonds.match.coherence import cuts
from fonds.match.definition import Matcher
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped

MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
PRIOR = -16.0
KINDS: dict[str, dict[str, Any]] = {
    "weighed": {},
    "one identifier": {"outcome": "link", "rule": "same identifier"},
    "twins": {"outcome": "reject", "rule": "twins"},
    "overlay": {"outcome": "overlay", "rule": "overlay"},
    "doubtful": {"outcome": "review", "rule": "forms of one name"},
    "two identifiers": {"enough": False, "same_issuer": True},
    "merged": {"merged": True, "same_issuer": True},
    "merged against": {"merged": False, "outcome": "reject", "rule": "twins"},
    "said no to a merge": {"decided": "not_same", "merged": True},
    "said yes": {"decided": "link"},
    "said no": {"decided": "not_same"},
    "said yes to twins": {"decided": "link", "outcome": "reject", "rule": "twins"},
    "said no to one identifier": {"decided": "not_same", "outcome": "link", "rule": "same identifier"},
}
PLAIN = {"outcome": None, "rule": None, "enough": True, "same_issuer": False, "merged": None, "decided": None}
SCHEMA = {
    "na": pl.Int64, "nb": pl.Int64, "record_a": pl.String, "record_b": pl.String, "weight": pl.Float64,
    "outcome": pl.String, "rule": pl.String, "enough": pl.Boolean, "same_issuer": pl.Boolean, "merged": pl.Boolean,
    "decided": pl.String,
}  # fmt: skip


def clustered(said: dict[tuple[int, int], tuple[str, float]], records: int) -> Clustered:
    rows = [
        {"na": a, "nb": b, "record_a": f"R{a}", "record_b": f"R{b}", "weight": weight, **PLAIN, **KINDS[kind]}
        for (a, b), (kind, weight) in sorted(said.items())
    ]
    pairs = pl.DataFrame(rows, schema=SCHEMA).with_columns((1 / (1 + 2 ** -pl.col("weight"))).alias("probability"))
    return cluster(band(pairs, MODEL), pl.Series([f"R{n}" for n in range(records)]), MODEL, PRIOR)


@st.composite
def said(draw: st.DrawFn) -> tuple[dict[tuple[int, int], tuple[str, float]], int]:
    """All pairs of a few records: mostly weighed, here and there something stronger."""
    records = draw(st.integers(2, 8))
    kinds = st.one_of(st.just("weighed"), st.just("weighed"), st.sampled_from(sorted(KINDS)))
    weights = st.sampled_from([-30.0, -18.0, -5.0, 0.0, 6.0, 9.97, 10.5, 11.0, 12.0, 14.0, 25.0])
    pairs = list(combinations(range(records), 2))
    found = draw(st.lists(st.tuples(kinds, weights), min_size=len(pairs), max_size=len(pairs)))
    return dict(zip(pairs, found, strict=True)), records


def components(pairs: pl.DataFrame, records: int) -> list[set[int]]:
    graph = nx.Graph()
    graph.add_nodes_from(range(records))
    graph.add_edges_from(pairs.select("na", "nb").rows())
    return sorted(nx.connected_components(graph), key=min)


@settings(max_examples=80, deadline=None)
@given(said())
def test_whatever_the_pairs_say(case: tuple[dict[tuple[int, int], tuple[str, float]], int]) -> None:
    told, records = case
    done = clustered(told, records)
    pairs = done.pairs
    together = pairs.filter(pl.Series([done.labels[a] == done.labels[b] for a, b in pairs.select("na", "nb").rows()]))

    # clusters are what the links join, and every pair in one is a link
    found = components(pairs.filter(pl.col("band") == "link"), records)
    assert found == [{n for n in range(records) if done.labels[n] == label} for label in dict.fromkeys(done.labels)]
    assert (together["band"] == "link").all()

    # a decision always wins, unless decisions contradict each other
    assert "not_same" not in together["decided"].to_list()
    stewards = components(pairs.filter(pl.col("decided") == "link"), records)
    of = {n: number for number, members in enumerate(stewards) for n in members}
    torn = {of[a] for a, b in pairs.filter(pl.col("decided") == "not_same").select("na", "nb").rows() if of[a] == of[b]}
    for a, b in pairs.filter(pl.col("decided") == "link").select("na", "nb").rows():
        assert (done.labels[a] == done.labels[b]) or of[a] in torn

    # no cluster breaks a cannot-link: only a steward's word joins twins, only his or a feed's two IDs of one issuer
    by_hand = pairs.filter((pl.col("decided") == "link") & (pl.col("band") == "link"))
    hand = components(by_hand, records)
    for a, b in together.filter(pl.col("outcome").is_in(["reject", "overlay"])).select("na", "nb").rows():
        assert any({a, b} <= members for members in hand)
    firm = pl.col("decided").eq_missing("link") | pl.col("merged").eq_missing(True) | (pl.col("outcome") == "link")
    groups = components(pairs.filter(firm & (pl.col("band") == "link")), records)
    for a, b in together.filter(pl.col("same_issuer")).select("na", "nb").rows():
        assert any({a, b} <= members for members in groups)

    # no cluster of machine links hangs together by little evidence
    for members in found:
        inner = [group for group in groups if group <= members]
        if len(inner) > 2:
            needed = math.log2(0.999 / 0.001) + math.log2(len(inner) - 1) - 1e-6
            assert min(_cuts(pairs, inner).values()) >= needed


def _between(pairs: pl.DataFrame, groups: list[set[int]]) -> nx.Graph:
    """The groups as nodes; between two of them the strongest pair, links before others."""
    graph = nx.Graph()
    for row in pairs.iter_rows(named=True):
        ends = [next((n for n, group in enumerate(groups) if row[x] in group), None) for x in ("na", "nb")]
        if None in ends or ends[0] == ends[1]:
            continue
        edge = (row["note"] != "one person through other records" and row["band"] == "link", row["weight"])
        if edge > graph.get_edge_data(*ends, {"edge": (False, -math.inf)})["edge"]:
            graph.add_edge(*ends, edge=edge)
    return graph


def _cuts(pairs: pl.DataFrame, groups: list[set[int]]) -> dict[tuple[int, int], float]:
    """What bridges the cut at each link of a maximum spanning tree, by taking it away and adding up what crosses."""
    graph = _between(pairs, groups)
    links = nx.Graph()
    links.add_edges_from((a, b, {"w": held["edge"][1]}) for a, b, held in graph.edges(data=True) if held["edge"][0])
    tree = nx.maximum_spanning_tree(links, weight="w")
    found = {}
    for a, b in list(tree.edges):
        tree.remove_edge(a, b)
        side = nx.node_connected_component(tree, a)
        found[min(a, b), max(a, b)] = sum(
            held["edge"][1] for x, y, held in graph.edges(data=True) if (x in side) != (y in side)
        )
        tree.add_edge(a, b)
    return found


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(3, 12))
def test_cuts_are_what_crosses_when_a_link_of_the_tree_is_taken_away(data: st.DataObject, size: int) -> None:
    pairs = list(combinations(range(size), 2))
    # different weights: the tree is one only
    weights = data.draw(st.lists(st.floats(-30, 30), min_size=len(pairs), max_size=len(pairs), unique=True))
    tied = {tuple(sorted(edge)) for edge in nx.random_labeled_tree(size, seed=data.draw(st.integers(0, 99))).edges}
    frame = pl.DataFrame(
        {"at": range(len(pairs)), "cluster": 7, "ga": [a for a, _ in pairs], "gb": [b for _, b in pairs],
         "na": [a for a, _ in pairs], "nb": [b for _, b in pairs], "weight": weights, "note": None,
         "link": [pair in tied or weight > 10 for pair, weight in zip(pairs, weights, strict=True)]},
        schema_overrides={"cluster": pl.Int64, "note": pl.String},
    ).with_columns(band=pl.when("link").then(pl.lit("link")).otherwise(pl.lit("review")))  # fmt: skip
    found = cuts(frame)
    expected = _cuts(frame.with_columns(note=pl.lit("")), [{n} for n in range(size)])
    assert {pairs[row["at"]]: row["cut"] for row in found.to_dicts()} == pytest.approx(expected)
    assert set(found["groups"]) == {size}


def test_a_chain_of_weak_links_goes_to_people_whole_and_a_ring_of_them_holds() -> None:
    links = [(n, n + 1) for n in range(5)]
    chain = {pair: ("weighed", 11.0 if pair in links else -5.0) for pair in combinations(range(6), 2)}
    done = clustered(chain, 6)
    assert len(set(done.labels)) == 6
    assert done.incoherent == 1
    asked = done.pairs.filter(pl.col("note").str.contains("weakest link"))
    assert asked.select("na", "nb").rows() == links
    assert asked["note"].unique().to_list() == [
        "cluster doesn't hold together (some of it hangs on little evidence); weakest link R2 - R3 (11.0)"
    ]
    ring = dict.fromkeys(combinations(range(6), 2), ("weighed", 11.0))
    assert set(clustered(ring, 6).labels) == {0}


def test_the_weakest_link_between_twins_is_named() -> None:
    found = clustered({(0, 1): ("weighed", 30.0), (1, 2): ("weighed", 12.0), (0, 2): ("twins", -4.0)}, 3)
    assert found.pairs["band"].to_list() == ["review", "reject", "review"]
    assert found.pairs["note"][0] == "cluster doesn't hold together (two records: twins); weakest link R1 - R2 (12.0)"


def test_a_feeds_merge_joins_what_the_machine_would_not_and_yields_to_a_steward() -> None:
    merge = {(0, 1): ("merged", -3.0), (1, 2): ("one identifier", 20.0), (0, 2): ("merged", 20.0)}
    assert clustered(merge, 3).labels == [0, 0, 0]
    said_no = clustered({**merge, (0, 2): ("said no to a merge", 20.0)}, 3)
    assert said_no.labels == [0, 1, 1]
    assert said_no.pairs.select("band", "note").row(0) == ("reject", NOT_SAME)
    against = clustered({**merge, (0, 1): ("merged against", -3.0)}, 3)
    assert against.labels == [0, 1, 1]
    assert against.pairs["band"].to_list() == ["review", "review", "link"]


def test_all_pairs_inside_a_cluster_are_asked_for() -> None:
    labels = find(pl.DataFrame({"na": [0, 1, 4], "nb": [1, 2, 5]}), 7)
    assert labels.tolist() == [0, 0, 0, 1, 2, 2, 3]
    assert inside(labels, 100).rows() == [(0, 1), (0, 2), (1, 2)]
    assert inside(labels, 2).is_empty()
