"""From candidate pairs to clusters: pairs are weighed shard by shard, only those that may matter are kept in memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain

import polars as pl

from fonds.match import merges as told
from fonds.match.candidates import Compared, compare_pairs
from fonds.match.cluster import Clustered, band, cluster, components, inside
from fonds.match.definition import Matcher
from fonds.match.fitted import Fitted
from fonds.match.frequencies import Frequencies
from fonds.match.score import weigh

_WEIGHED = ("na", "nb", "weight", "probability", "pattern", "rules", "rule", "outcome", "enough", "same_issuer")
_SAID = {"decided": pl.String(), "decided_by": pl.String(), "merged": pl.Boolean()}
_NONE = pl.DataFrame(schema={"a": pl.Int32, "b": pl.Int32, "rules": pl.Int64, "pattern": pl.Int64})


class Decider:
    """Weighs pairs by one fit and decides about them."""

    def __init__(
        self, prepared: pl.DataFrame, matcher: Matcher, fitted: Fitted, frequencies: Frequencies, compared: Compared
    ) -> None:
        self.prepared, self.matcher, self.compared = prepared, matcher, compared
        self.fitted, self.frequencies = fitted, frequencies

    def decide(self, decided: pl.DataFrame, merges: pl.DataFrame, standing: Iterable[pl.DataFrame] = ()) -> Clustered:
        """Pairs that were compared (and shards of those `standing` from before), decisions and merges to clusters.

        `decided` (record_a, record_b, decided, decided_by) names records by their identifiers; those that are not
        there are left out. `merges` as in merges.merged. A pair that was decided or merged is weighed whether or not a
        rule found it; so are all pairs inside a cluster. Pairs that the machine rejects outside of clusters come last.
        """
        said = numbered(self.prepared, decided)
        joined = told.merged(self.prepared, merges, self.matcher.bands.largest_cluster)
        asked = pl.concat([said.select("a", "b"), joined]).unique().sort("a", "b")
        open_, apart = [self._banded(self._asked(asked), said, joined)], [self._weighed(_NONE)]
        elsewhere = asked.rename({"a": "na", "b": "nb"})
        for shard in chain(self.compared.shards(), standing):
            weighed = self._worth(self._weighed(shard)).join(elsewhere, on=["na", "nb"], how="anti")
            banded = self._plain(weighed)
            rejected = banded["band"] == "reject"
            open_.append(banded.filter(~rejected))
            apart.append(weighed.filter(rejected))
        pairs, rest = pl.concat(open_), pl.concat(apart)
        # what the machine rejects concerns clusters only inside them: the others, by far the most, stay as they are
        labels = components(pairs.filter(pl.col("band") == "link"), self.prepared.height)
        near = pl.Series(labels[rest["na"].to_numpy()] == labels[rest["nb"].to_numpy()], dtype=pl.Boolean)
        pairs, rest = pl.concat([pairs, self._plain(rest.filter(near))]), rest.filter(~near)
        inner = inside(labels, self.matcher.bands.largest_cluster)
        inner = inner.join(pairs.select(pl.col("na").alias("a"), pl.col("nb").alias("b")), on=["a", "b"], how="anti")
        pairs = pl.concat([pairs, self._plain(self._asked(inner))]).sort("na", "nb")
        ids = self.prepared["record_id"]
        found = cluster(pairs, ids, self.matcher, self.fitted.prior)
        pairs = pl.concat([found.pairs, self._plain(rest.sort("na", "nb"))])
        pairs = pairs.with_columns(ids.gather(pairs["na"]).alias("record_a"), ids.gather(pairs["nb"]).alias("record_b"))
        return replace(found, pairs=pairs)

    def _asked(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Pairs that are weighed whatever they weigh: to `weigh` those are the ones that no rule found."""
        compared = compare_pairs(self.prepared, self.matcher, pairs)
        weighed = self._weighed(compared.with_columns(pl.lit(0, dtype=pl.Int64).alias("rules"))).drop("rules")
        rules = compared.select(pl.col("a").alias("na"), pl.col("b").alias("nb"), "rules")
        return weighed.join(rules, on=["na", "nb"], how="left", maintain_order="left").select(_WEIGHED)

    def _weighed(self, pairs: pl.DataFrame) -> pl.DataFrame:
        found = weigh(self.prepared, self.matcher, self.fitted, self.frequencies, pairs).select(_WEIGHED)
        return found.with_columns(pl.col("na", "nb").cast(pl.Int32))

    def _worth(self, weighed: pl.DataFrame) -> pl.DataFrame:
        """Pairs to keep: not those that the weight alone rejects by far, nor those a constraint rejects besides."""
        speaks = pl.col("outcome").is_in(["link", "review", "overlay"])
        return weighed.filter((pl.col("weight") >= self.matcher.bands.keep) | speaks)

    def _plain(self, pairs: pl.DataFrame) -> pl.DataFrame:
        """Bands of pairs that nobody decided about and no feed merges."""
        return band(
            pairs.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in _SAID.items()), self.matcher
        )

    def _banded(self, pairs: pl.DataFrame, said: pl.DataFrame, joined: pl.DataFrame) -> pl.DataFrame:
        pairs = pairs.join(said.rename({"a": "na", "b": "nb"}), on=["na", "nb"], how="left", maintain_order="left")
        merge = pairs.join(joined.rename({"a": "na", "b": "nb"}), on=["na", "nb"]).select("na", "nb", "pattern")
        merge = merge.select("na", "nb", told.agrees(self.matcher, merge["pattern"]))
        pairs = pairs.join(merge, on=["na", "nb"], how="left", maintain_order="left")
        return band(pairs.select(*_WEIGHED, *_SAID), self.matcher)


def numbered(prepared: pl.DataFrame, decided: pl.DataFrame) -> pl.DataFrame:
    """Decisions on pairs by record numbers (a < b); those on records that are not there are left out."""
    numbers = prepared.select("record_id", pl.col("n").cast(pl.Int32))
    return (
        decided.join(numbers.rename({"record_id": "record_a", "n": "x"}), on="record_a")
        .join(numbers.rename({"record_id": "record_b", "n": "y"}), on="record_b")
        .select(pl.min_horizontal("x", "y").alias("a"), pl.max_horizontal("x", "y").alias("b"), "decided", "decided_by")
        .sort("a", "b")
    )
