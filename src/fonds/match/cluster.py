"""From weighed pairs to persons: three bands, decisions before the machine, and no cluster that contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fonds.match.definition import Matcher

NOT_SAME = "a steward decided that these persons are not the same"


@dataclass(frozen=True, slots=True)
class Clustered:
    """`pairs` with their final band and note; `labels` numbers the cluster of each record."""

    pairs: pl.DataFrame
    labels: list[int]


def band(pairs: pl.DataFrame, matcher: Matcher) -> pl.DataFrame:
    """First bands: decision, then constraint, then weight and independent evidence. Adds `band` and `note`.

    `pairs` is score.weigh's frame with a column `decided` (link, not_same or NULL).
    """
    decided, outcome = pl.col("decided"), pl.col("outcome")
    strong = pl.col("probability") >= matcher.bands.link
    two_ids = pl.lit("two identifiers of one issuer")
    return pairs.with_columns(
        pl.when(decided == "link").then(pl.lit("link"))
        .when(decided == "not_same").then(pl.lit("reject"))
        .when(outcome == "overlay").then(pl.lit("review"))
        .when(outcome.is_not_null()).then(outcome)
        .when(strong & pl.col("enough")).then(pl.lit("link"))
        .when(pl.col("probability") >= matcher.bands.review).then(pl.lit("review"))
        .otherwise(pl.lit("reject")).alias("band"),
        pl.when(decided.is_not_null()).then(pl.lit("decided by a steward"))
        .when(pl.col("rule").is_not_null()).then(pl.col("rule"))
        .when(strong & ~pl.col("enough") & pl.col("same_issuer")).then(two_ids)
        .when(strong & ~pl.col("enough")).then(pl.lit("not enough independent evidence to link by itself"))
        .alias("note"),
    )  # fmt: skip


def inside(pairs: pl.DataFrame, records: int, largest: int) -> pl.DataFrame:
    """Pairs (a, b) inside the clusters that `link` pairs make, of at most `largest` records each."""
    labels = _components(pairs.filter(pl.col("band") == "link"), records)
    members = pl.DataFrame({"n": range(records), "cluster": labels}, schema={"n": pl.Int64, "cluster": pl.Int64})
    sizes = members.group_by("cluster").len().filter(pl.col("len").is_between(3, largest))
    members = members.join(sizes.select("cluster"), on="cluster")
    both = members.join(members, on="cluster", suffix="_b").filter(pl.col("n") < pl.col("n_b"))
    return both.select(pl.col("n").alias("a"), pl.col("n_b").alias("b"))


def cluster(pairs: pl.DataFrame, records: int, matcher: Matcher) -> Clustered:
    """Join records along `link` pairs and take back what doesn't hold; bands and notes follow the outcome.

    Records joined by a decision or by one identifier without contradiction are a group. Groups that machine links join
    must agree all with all: a pair inside that a steward or a constraint keeps apart, that has two identifiers of one
    issuer, or whose own evidence speaks against it, sends the whole cluster to people, with its weakest link named.
    """
    firm = (pl.col("decided") == "link") | (pl.col("decided").is_null() & (pl.col("outcome") == "link"))
    pairs = _with(pairs, "g", _components(pairs.filter(firm), records))
    pairs = _torn_groups(pairs)
    groups = _components(pairs.filter(firm & (pl.col("band") == "link")), records)
    pairs = _with(pairs, "g", groups)
    pairs = _told_apart(pairs, "g_a", "g_b")
    labels = _components(pairs.filter(pl.col("band") == "link"), records)
    pairs = _with(pairs, "c", labels)
    pairs = _incoherent(pairs, labels, matcher)
    labels = _components(pairs.filter(pl.col("band") == "link"), records)
    pairs = _told_apart(_with(pairs, "c", labels), "c_a", "c_b")
    together = pl.col("c_a") == pl.col("c_b")
    open_inside = together & (pl.col("band") != "link")
    pairs = pairs.with_columns(
        pl.when(open_inside).then(pl.lit("link")).otherwise("band").alias("band"),
        pl.when(open_inside).then(pl.lit("one person through other records")).otherwise("note").alias("note"),
    )
    return Clustered(pairs, labels)


def _components(links: pl.DataFrame, records: int) -> list[int]:
    a, b = links["na"].to_numpy(), links["nb"].to_numpy()
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(records, records))
    found: list[int] = connected_components(graph, directed=False)[1].tolist()
    return found


def _with(pairs: pl.DataFrame, name: str, labels: list[int]) -> pl.DataFrame:
    by_number = pl.Series(name, labels, dtype=pl.Int64)
    return pairs.with_columns(
        by_number.gather(pairs["na"]).alias(f"{name}_a"), by_number.gather(pairs["nb"]).alias(f"{name}_b")
    )


def _torn_groups(pairs: pl.DataFrame) -> pl.DataFrame:
    """A group with a pair inside that a steward, or without any decision a constraint, keeps apart is taken back."""
    within = pl.col("g_a") == pl.col("g_b")
    by_machine = (pl.col("decided") == "link").any().over("g_a").not_() & pl.col("outcome").is_in(["reject", "overlay"])
    broken = within & ((pl.col("decided") == "not_same") | (pl.col("decided").is_null() & by_machine))
    torn = pairs.filter(broken)["g_a"].unique()
    demoted = within & pl.col("g_a").is_in(torn.to_list()) & (pl.col("band") == "link")
    note = pl.when(pl.col("decided").is_not_null()).then(pl.lit("decisions contradict each other"))
    return pairs.with_columns(
        pl.when(demoted).then(pl.lit("review")).otherwise("band").alias("band"),
        pl.when(demoted).then(note.otherwise(pl.lit("records of one identifier contradict each other")))
        .otherwise("note").alias("note"),
    )  # fmt: skip


def _told_apart(pairs: pl.DataFrame, left: str, right: str) -> pl.DataFrame:
    """A 'not the same' between two groups holds for every pair of them that nobody decided otherwise."""
    low, high = pl.min_horizontal(left, right), pl.max_horizontal(left, right)
    apart = (pl.col("decided") == "not_same").any().over(low, high)
    told = apart & pl.col("decided").is_null() & (pl.col(left) != pl.col(right)) & (pl.col("band") != "reject")
    told = told & (pl.col("outcome").is_null() | (pl.col("outcome") != "overlay"))
    return pairs.with_columns(
        pl.when(told).then(pl.lit("reject")).otherwise("band").alias("band"),
        pl.when(told).then(pl.lit(NOT_SAME)).otherwise("note").alias("note"),
    )


def _incoherent(pairs: pl.DataFrame, labels: list[int], matcher: Matcher) -> pl.DataFrame:
    sizes = pl.Series("c", labels, dtype=pl.Int64).value_counts()
    too_large = sizes.filter(pl.col("count") > matcher.bands.largest_cluster)["c"].to_list()
    within = pl.col("c_a") == pl.col("c_b")
    across = within & (pl.col("g_a") != pl.col("g_b"))
    against = (
        (pl.col("decided") == "not_same")
        | pl.col("outcome").is_in(["reject", "overlay"])
        | pl.col("same_issuer")
        | ((pl.col("probability") < matcher.bands.review) & (pl.col("weight") < pl.col("prior")))
    ).fill_null(False)
    broken = across & against & pl.col("decided").ne_missing("link")
    bad = [*pairs.filter(broken)["c_a"].unique().to_list(), *too_large]
    machine = across & (pl.col("band") == "link") & pl.col("decided").is_null()
    demoted = machine & pl.col("c_a").is_in(bad)
    weakest = (
        pairs.filter(demoted)
        .sort("weight", "na", "nb")
        .group_by("c_a", maintain_order=True)
        .agg(pl.format("cluster doesn't hold together; weakest link {} - {} ({})", pl.col("record_a").first(),
                       pl.col("record_b").first(), pl.col("weight").first().round(1)).alias("weakest"))
    )  # fmt: skip
    pairs = pairs.join(weakest, on="c_a", how="left").sort("na", "nb")
    return pairs.with_columns(
        pl.when(demoted).then(pl.lit("review")).otherwise("band").alias("band"),
        pl.when(demoted).then(pl.col("weakest")).otherwise("note").alias("note"),
    ).drop("weakest")
