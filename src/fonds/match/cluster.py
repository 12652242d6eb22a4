"""From weighed pairs to clusters: three bands, decisions before the machine, and no cluster that contradicts itself.

What joins and what parts has a rank: a steward's decision, a merge that a feed tells, a constraint of the model (one
identifier of one issuer joins; twins, father and son, an overlay part), and last the weight. A lower rank never
overrules a higher one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fonds.match.coherence import cuts
from fonds.match.definition import Matcher

NOT_SAME = "a steward decided that these persons are not the same"
Labels = npt.NDArray[np.int64]

_DECIDED = pl.col("decided").is_not_null()
_APART = ~_DECIDED & pl.col("outcome").is_in(["reject", "overlay"])
# what joins firmly, by rank: the test, what speaks against it, and what is said of a group that contradicts itself
_FIRM = (
    (pl.col("decided") == "link", pl.lit(False), "decisions contradict each other"),
    (pl.col("merged").is_not_null(), _APART | (~_DECIDED & ~pl.col("merged")),
     "a feed's merge contradicts a decision or the demographics"),
    (~_DECIDED & pl.col("merged").is_null() & (pl.col("outcome") == "link"), _APART,
     "records of one identifier contradict each other"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clustered:
    """`pairs` with their final band and note; `labels` numbers the cluster of each record; `incoherent` counts the
    clusters that went to people whole."""

    pairs: pl.DataFrame
    labels: list[int]
    incoherent: int


def band(pairs: pl.DataFrame, matcher: Matcher) -> pl.DataFrame:
    """First bands: decision, then a feed's merge, then constraint, then weight and independent evidence.

    `pairs` is score.weigh's frame with the columns `decided` (link, not_same or NULL) and `merged` (whether the merge
    that a feed tells of agrees with the demographics; NULL where none does). Adds `band` and `note`.
    """
    decided, outcome, merged = pl.col("decided"), pl.col("outcome"), pl.col("merged")
    strong = pl.col("probability") >= matcher.bands.link
    return pairs.with_columns(
        pl.when(decided == "link").then(pl.lit("link"))
        .when(decided == "not_same").then(pl.lit("reject"))
        .when(merged).then(pl.lit("link"))
        .when(merged.is_not_null() | (outcome == "overlay")).then(pl.lit("review"))
        .when(outcome.is_not_null()).then(outcome)
        .when(strong & pl.col("enough")).then(pl.lit("link"))
        .when(pl.col("probability") >= matcher.bands.review).then(pl.lit("review"))
        .otherwise(pl.lit("reject")).alias("band"),
        pl.when(decided.is_not_null()).then(pl.lit("decided by a steward"))
        .when(merged).then(pl.lit("merged by a feed"))
        .when(merged.is_not_null()).then(pl.lit("merged by a feed, but the demographics contradict"))
        .when(pl.col("rule").is_not_null()).then(pl.col("rule"))
        .when(strong & ~pl.col("enough") & pl.col("same_issuer")).then(pl.lit("two identifiers of one issuer"))
        .when(strong & ~pl.col("enough")).then(pl.lit("not enough independent evidence to link by itself"))
        .alias("note"),
    )  # fmt: skip


def inside(labels: Labels, largest: int) -> pl.DataFrame:
    """Pairs (a, b: Int32) inside clusters of three to `largest` records; `labels` is the cluster of each record."""
    members = pl.DataFrame({"n": np.arange(len(labels), dtype=np.int32), "cluster": labels})
    sized = members.filter(pl.len().over("cluster").is_between(3, largest))
    both = sized.join(sized, on="cluster", suffix="_b").filter(pl.col("n") < pl.col("n_b"))
    return both.select(pl.col("n").alias("a"), pl.col("n_b").alias("b"))


def cluster(pairs: pl.DataFrame, ids: pl.Series, matcher: Matcher, prior: float) -> Clustered:
    """Join records along `link` pairs and take back what doesn't hold; bands and notes follow the outcome.

    `pairs` is `band`'s frame, with every pair inside a cluster compared; `ids` are the record identifiers by number,
    `prior` is what a pair weighs that was never compared. Records joined by a decision, a feed's merge or one
    identifier without contradiction are a group. Groups that machine links join must agree all with all: a pair inside
    that a steward or a constraint keeps apart, that has two identifiers of one issuer, or whose own evidence speaks
    against it, and likewise a place where the cluster hangs together by little evidence only (see coherence.cuts),
    sends the whole cluster to people, with its weakest link named.
    """
    groups: Labels = np.arange(len(ids))
    for rank in range(len(_FIRM)):
        pairs, groups = _firmly(pairs, groups, rank)
    pairs = _told_apart(pairs, groups)
    pairs, incoherent = _whole(pairs, groups, ids, matcher, prior)
    labels = components(pairs.filter(pl.col("band") == "link"), len(ids))
    pairs = _told_apart(pairs, labels)
    together = _same(pairs, labels) & (pairs["band"] != "link")
    return Clustered(_noted(pairs, together, "link", "one person through other records"), labels.tolist(), incoherent)


def components(links: pl.DataFrame, records: int) -> Labels:
    """The cluster of each record that links (na, nb: record numbers) make, numbered by their first records."""
    a, b = links["na"].to_numpy(), links["nb"].to_numpy()
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(records, records))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def _of(pairs: pl.DataFrame, labels: Labels) -> tuple[Labels, Labels]:
    return labels[pairs["na"].to_numpy()], labels[pairs["nb"].to_numpy()]


def _same(pairs: pl.DataFrame, labels: Labels) -> pl.Series:
    a, b = _of(pairs, labels)
    return pl.Series(a == b, dtype=pl.Boolean)


def _noted(pairs: pl.DataFrame, which: pl.Series, band: str, note: str) -> pl.DataFrame:
    return pairs.with_columns(
        pl.when(which).then(pl.lit(band)).otherwise("band").alias("band"),
        pl.when(which).then(pl.lit(note)).otherwise("note").alias("note"),
    )


def _firmly(pairs: pl.DataFrame, groups: Labels, rank: int) -> tuple[pl.DataFrame, Labels]:
    """Join `groups` by the pairs of one rank; where that joins what is kept apart, all of that rank there is asked."""
    test, against, note = _FIRM[rank]
    against = (pl.col("decided") == "not_same") | against
    standing = pl.any_horizontal(firm for firm, _, _ in _FIRM[: rank + 1]) & (pl.col("band") == "link")
    # a merge that a steward denied of one pair of records joins for this look, and so is denied of all
    joined = components(pairs.filter(standing | test), len(groups))
    across = _same(pairs, joined) & ~_same(pairs, groups)
    torn = np.unique(joined[pairs.filter(across & _holds(pairs, against))["na"].to_numpy()])
    here = pl.Series(np.isin(joined[pairs["na"].to_numpy()], torn), dtype=pl.Boolean)
    asked = across & here & _holds(pairs, test & (pl.col("band") == "link"))
    pairs = _noted(pairs, asked, "review", note)
    return pairs, components(pairs.filter(standing), len(groups))


def _holds(pairs: pl.DataFrame, test: pl.Expr) -> pl.Series:
    return pairs.select(test.fill_null(False).alias("holds"))["holds"]


def _told_apart(pairs: pl.DataFrame, labels: Labels) -> pl.DataFrame:
    """A 'not the same' between two groups holds for every pair of them that nobody decided otherwise."""
    a, b = _of(pairs, labels)
    keyed = pl.DataFrame({"low": np.minimum(a, b), "high": np.maximum(a, b)})
    said = _holds(pairs, pl.col("decided") == "not_same")
    if not said.any():
        return pairs
    told = keyed.filter(said).unique().with_columns(pl.lit(True).alias("told"))
    apart = keyed.join(told, on=["low", "high"], how="left", maintain_order="left")["told"].fill_null(False)
    free = _holds(pairs, ~_DECIDED & (pl.col("band") != "reject") & pl.col("outcome").ne_missing("overlay"))
    return _noted(pairs, apart & pl.Series(a != b) & free, "reject", NOT_SAME)


def _whole(
    pairs: pl.DataFrame, groups: Labels, ids: pl.Series, matcher: Matcher, prior: float
) -> tuple[pl.DataFrame, int]:
    """Send the clusters that don't hold together to people; returns the pairs and how many clusters these were."""
    labels = components(pairs.filter(pl.col("band") == "link"), len(ids))
    (ga, gb), (ca, cb) = _of(pairs, groups), _of(pairs, labels)
    at = np.flatnonzero((ca == cb) & (ga != gb))
    across = pairs[at].with_columns(
        pl.Series("at", at), pl.Series("cluster", ca[at]), pl.Series("ga", ga[at]), pl.Series("gb", gb[at]),
        (pl.col("band") == "link").alias("link"),
    )  # fmt: skip
    large = pl.DataFrame({"cluster": np.flatnonzero(np.bincount(labels) > matcher.bands.largest_cluster)})
    small = across.join(large, on="cluster", how="anti").sort("at")
    tree = cuts(small)
    bad = pl.concat([_broken(small, matcher, prior), _thin(tree, matcher.bands.link)]).unique(
        "cluster", keep="first", maintain_order=True
    )
    bad = pl.concat([bad, large.with_columns(pl.lit("too many records").alias("why"))])
    links = across.filter("link").join(bad, on="cluster").sort("at")
    if links.is_empty():
        return pairs, 0
    weakest = (
        pl.concat(
            [
                tree.select("cluster", "at", "cut"),
                links.join(large, on="cluster").select("cluster", "at", pl.col("weight").alias("cut")),
            ]
        )
        .sort("cut", "at")
        .unique("cluster", keep="first", maintain_order=True)
        .select("cluster", pl.col("at").alias("place"))
    )
    links = links.join(weakest, on="cluster", how="left", maintain_order="left")
    place = links["place"]
    whole = links.select(
        "at",
        pl.format("cluster doesn't hold together ({}); weakest link {} - {} ({})", "why",
                  ids.gather(pairs["na"].gather(place)), ids.gather(pairs["nb"].gather(place)),
                  pairs["weight"].gather(place).round(1)).alias("whole"),
    )  # fmt: skip
    noted = pairs.with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
    noted = noted.join(whole, on="at", how="left", maintain_order="left")
    demoted = pl.col("whole").is_not_null()
    return noted.with_columns(
        pl.when(demoted).then(pl.lit("review")).otherwise("band").alias("band"),
        pl.coalesce("whole", "note").alias("note"),
    ).drop("at", "whole"), links["cluster"].n_unique()


def _broken(across: pl.DataFrame, matcher: Matcher, prior: float) -> pl.DataFrame:
    """Clusters in which something keeps two groups apart, and what."""
    speaks = (pl.col("probability") < matcher.bands.review) & (pl.col("weight") < prior)
    two = pl.col("same_issuer") & pl.col("merged").is_null() & ~pl.col("link")
    why = (
        pl.when(pl.col("decided") == "not_same").then(pl.lit("a steward keeps two records apart"))
        .when(pl.col("merged").eq_missing(False)).then(pl.lit("a feed's merge contradicts the demographics"))
        .when(pl.col("outcome").is_in(["reject", "overlay"])).then(pl.format("two records: {}", "rule"))
        .when(two).then(pl.lit("two identifiers of one issuer"))
        .when(speaks).then(pl.lit("the evidence between two records is against it"))
    )  # fmt: skip
    found = across.select("cluster", why.alias("why")).drop_nulls()
    return found.sort("cluster", "why").unique("cluster", keep="first", maintain_order=True)


def _thin(tree: pl.DataFrame, link: float) -> pl.DataFrame:
    """Clusters of several groups with a cut that less evidence bridges than the whole needs to be sure enough: each of
    the joints could be the wrong one, so the evidence for a link is asked for once more for each doubling of them."""
    needed = math.log2(link / (1 - link)) + (pl.col("groups") - 1).log(2)
    few = tree.filter((pl.col("groups") > 2) & (pl.col("cut") < needed - 1e-9))
    return few.select("cluster", pl.lit("some of it hangs on little evidence").alias("why")).unique(
        "cluster", keep="first", maintain_order=True
    )
