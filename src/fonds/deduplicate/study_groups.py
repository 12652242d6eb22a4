"""Which studies hang together: groups in which every two are one examination, so that no chain joins what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import polars as pl

SCHEMA = {
    "study_uid": pl.String(),
    "group_id": pl.String(),
    "studies": pl.Int64(),
    "score": pl.Float64(),
    "band": pl.String(),
}
Edge = tuple[str, str, float, str]


def groups(edges: Iterable[Edge]) -> pl.DataFrame:
    """One row (SCHEMA) for each study of a group, from (study_a, study_b, score, band) of what is certain or possible.

    The best pairs join first; two groups join only when every pair across them is an edge (complete linkage). `score`
    is that of the group's weakest pair; its band is certain when all pairs are. The group's name follows from its
    members alone.
    """
    known = {frozenset((a, b)): (score, band) for a, b, score, band in edges}
    group: dict[str, tuple[str, ...]] = {}
    # a Python loop: what may still join depends on what joined before; edges are the few pairs that are duplicates
    for pair, _ in sorted(known.items(), key=lambda one: (one[1][1] != "certain", -one[1][0], sorted(one[0]))):
        first, second = sorted(pair)
        a, b = group.get(first, (first,)), group.get(second, (second,))
        if a is b or not all(frozenset((x, y)) in known for x in a for y in b):
            continue
        joined = tuple(sorted((*a, *b)))
        group.update(dict.fromkeys(joined, joined))
    rows = []
    for members in set(group.values()):
        inner = [known[frozenset((x, y))] for place, x in enumerate(members) for y in members[place + 1 :]]
        band = "certain" if all(one[1] == "certain" for one in inner) else "possible"
        name = "D" + hashlib.sha256("|".join(("h", *members)).encode()).hexdigest()[:16]
        rows += [(study, name, len(members), min(one[0] for one in inner), band) for study in members]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")
