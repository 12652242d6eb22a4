"""Which studies hang together: groups in which every two are one examination, so that no chain joins what differs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations

import polars as pl

SCHEMA = {
    "study_uid": pl.String(),
    "group_id": pl.String(),
    "studies": pl.Int64(),
    "score": pl.Float64(),
    "band": pl.String(),
}
# study_a, study_b, score, band, objects_a, objects_b
Edge = tuple[str, str, float, str, int, int]


def groups(edges: Iterable[Edge]) -> pl.DataFrame:
    """One row (SCHEMA) for each study of a group, from the pairs that are certain or possible.

    The best pairs join first; two groups join only when every pair across them is an edge (complete linkage), or are
    parts of one study: both certain with a study that has room for the objects of both. `score` is that of the group's
    weakest edge; its band is certain when all edges are. The group's name follows from its members alone.
    """
    known: dict[frozenset[str], tuple[float, str]] = {}
    certain: dict[str, set[str]] = defaultdict(set)
    objects: dict[str, int] = {}
    for a, b, score, band, objects_a, objects_b in edges:
        known[frozenset((a, b))] = (score, band)
        objects[a], objects[b] = objects_a, objects_b
        if band == "certain":
            certain[a].add(b)
            certain[b].add(a)

    def together(x: str, y: str) -> bool:
        return frozenset((x, y)) in known or any(
            objects[whole] >= objects[x] + objects[y] for whole in certain[x] & certain[y]
        )

    group: dict[str, tuple[str, ...]] = {}
    # a Python loop: what may still join depends on what joined before; edges are the few pairs that are duplicates
    for pair, _ in sorted(known.items(), key=lambda one: (one[1][1] != "certain", -one[1][0], sorted(one[0]))):
        first, second = sorted(pair)
        a_members, b_members = group.get(first, (first,)), group.get(second, (second,))
        if a_members is b_members or not all(together(x, y) for x in a_members for y in b_members):
            continue
        joined = tuple(sorted((*a_members, *b_members)))
        group.update(dict.fromkeys(joined, joined))
    rows = []
    for members in set(group.values()):
        inner = [known[pair] for pair in map(frozenset, combinations(members, 2)) if pair in known]
        band = "certain" if all(one[1] == "certain" for one in inner) else "possible"
        name = "D" + hashlib.sha256("|".join(("h", *members)).encode()).hexdigest()[:16]
        rows += [(study, name, len(members), min(one[0] for one in inner), band) for study in members]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
