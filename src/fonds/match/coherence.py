"""How firmly a cluster hangs together: the evidence over the cuts where it would fall in two most easily."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def cuts(across: pl.DataFrame) -> pl.DataFrame:
    """The links that hold each cluster together, and the evidence over the cut that taking each away would make.

    `across` are the pairs inside clusters and between two groups of records: at (number of the pair), cluster, ga, gb
    (the groups), weight (log2 odds), link (Boolean). Returns at, cluster, weight, cut, groups (in the cluster).

    The links of a cluster's maximum spanning tree are where single linkage would part it: taking one away leaves two
    sides. Between two groups the best pair speaks (copies of a record are no further witnesses); over a cut the groups'
    weights add up, those below zero too: A like B and B like C makes one person only as far as A and C don't differ.
    """
    between = (
        across.select("at", "cluster", pl.min_horizontal("ga", "gb").alias("ga"),
                      pl.max_horizontal("ga", "gb").alias("gb"), "weight", "link")
        .sort("link", "weight", "at", descending=[True, True, False])
        .unique(["ga", "gb"], keep="first", maintain_order=True)
    )  # fmt: skip
    if between.is_empty():
        return pl.DataFrame(
            schema={"at": pl.Int64, "cluster": pl.Int64, "weight": pl.Float64, "cut": pl.Float64, "groups": pl.Int64}
        )
    nodes, ends = np.unique(between.select("ga", "gb").to_numpy(), return_inverse=True)
    a, b = ends.reshape(-1, 2).T
    weight = between["weight"].to_numpy()
    links = between.select(pl.Series("a", a), pl.Series("b", b), "weight", "link", "cluster")
    edges, parent, order = _tree(links, len(nodes))
    cut = _over(a, b, weight, parent, order)
    # a tree's link stands at the node below it
    below = np.where(parent[a[edges]] == b[edges], a[edges], b[edges])
    tree = between[edges].with_columns(pl.Series("cut", cut[below]))
    return tree.select("at", "cluster", "weight", "cut", (pl.len().over("cluster") + 1).cast(pl.Int64).alias("groups"))


def _tree(pairs: pl.DataFrame, count: int) -> tuple[Numbers, Numbers, Numbers]:
    """Places of the spanning tree's links, each node's parent (its cluster's root has number `count`), and an order in
    which parents come before their children. `pairs` (a, b, weight, link, cluster) are between nodes 0 to `count`."""
    a, b, cluster = (pairs[name].to_numpy() for name in ("a", "b", "cluster"))
    held = np.flatnonzero(pairs["link"].to_numpy())
    # a cost of zero is no edge to scipy; equal weights go by their place, so that the tree is always the same
    rank = np.argsort(np.argsort(-pairs["weight"].to_numpy()[held], kind="stable"), kind="stable") + 1.0
    costs = coo_array((rank, (a[held], b[held])), shape=(count, count)).tocsr()
    forest = minimum_spanning_tree(costs).tocoo()
    by_rank = np.empty(len(held) + 1, dtype=np.int64)
    by_rank[rank.astype(np.int64)] = held
    edges = np.sort(by_rank[forest.data.astype(np.int64)])
    # one root above the first node of every cluster makes the forest a single tree
    _, first = np.unique(cluster[edges], return_index=True)
    tops = a[edges[first]]
    rows = np.concatenate([a[edges], np.full(len(tops), count)])
    columns = np.concatenate([b[edges], tops])
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(count + 1, count + 1))
    order, parent = breadth_first_order(graph.tocsr(), count, directed=False)
    return edges, parent[:count].astype(np.int64), order[1:].astype(np.int64)


def _over(a: Numbers, b: Numbers, weight: Floats, parent: Numbers, order: Numbers) -> Floats:
    """For each node the weight of all pairs with one end at or below it: what the link above it bridges.

    A pair adds to both ends' paths up to the root; from where the paths meet it is inside and counts for nothing.
    """
    count = len(parent)
    up = np.append(parent, count)
    depth = np.zeros(count + 1, dtype=np.int64)
    above = up.copy()
    while (going := above != count).any():  # as often as the tree is deep: a cluster's size at most
        depth += going
        above = up[above]
    x, y = a.copy(), b.copy()
    while (apart := np.flatnonzero(x != y)).size:
        u, v = x[apart], y[apart]
        x[apart] = np.where(depth[u] >= depth[v], up[u], u)
        y[apart] = np.where(depth[v] >= depth[u], up[v], v)
    total = (
        np.bincount(a, weight, count + 1) + np.bincount(b, weight, count + 1) - 2 * np.bincount(x, weight, count + 1)
    )
    levels = depth[order]
    for level in range(int(levels.max()), 0, -1):
        here = order[levels == level]
        total += np.bincount(up[here], total[here], count + 1)
    return np.asarray(total[:count])
