"""Draws pairs for people to label: stratified by what decides about a pair and by its stated probability."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog, literal
from fonds.errors import QueryRefused
from fonds.match.definition import Matcher, load
from fonds.match.estimate import allot
from fonds.match.fitted import Levels
from fonds.match.score import holds
from fonds.operations import decisions
from fonds.operations.runs import mirrored, runs
from fonds.project.settings import Project

_SQL = Path(__file__).parent / "sql"
FLOOR = 0.001
"""Pairs stated below are too many to find a true one among them by drawing: few are drawn, and they count apart."""
EDGES = (0.0, FLOOR, 0.05, 0.5, 0.9, 0.99, 0.999, 1.0)
"""Of the bands of probability that calibration is judged by."""
BELOW = "below"
_FINE = ("threshold", "evidence")
_LEAST, _FEW = 5, 10


@dataclass(frozen=True, slots=True)
class Drawn:
    """`pairs` as in table match_sample; `strata` (stratum, pairs, drawn, labelled) in their order."""

    pairs: pl.DataFrame
    strata: pl.DataFrame


def sample(project: Project, *, size: int = 200, seed: int = 1) -> Drawn:
    """Draw about `size` pairs into table match_sample and publish it.

    Each pair has a random number of its own, made of the seed and its records (permanent random numbers: Ohlsson,
    Coordination of samples using permanent random numbers, 1995); a stratum's smallest are drawn. So the same draw
    twice is the same, and a larger one has the smaller in it. Drawn pairs that a steward has labelled stay. Pairs
    decided before, which nobody drew, are strata of their own, in whole. Raises QueryRefused without pairs.
    """
    matcher, _, _ = load(project)
    catalog = Catalog(project)
    before = catalog.read("match_sample").select("record_a", "record_b")
    labels = decided_labels(project)
    with catalog.connect() as connection:
        standing(connection, matcher)
        picked, strata = draw(connection, matcher, before, labels, size=size, seed=seed)
    if not strata.height:
        raise QueryRefused("there are no pairs to draw from; `fonds match` compares the records first")
    matched = runs(project).filter(pl.col("stage") == "match", pl.col("status") == "done")["run"]
    kept = picked.with_columns(pl.lit(matched.max(), dtype=pl.Int64).alias("run")).sort("record_a", "record_b")
    catalog.replace("match_sample", kept)
    publish(catalog, mirrored(project))
    told = (
        kept.join(labels, on=["record_a", "record_b"], how="left")
        .group_by("stratum")
        .agg(pl.col("same").count().alias("labelled"))
    )
    return Drawn(
        kept, strata.join(told, on="stratum", maintain_order="left").select("stratum", "pairs", "drawn", "labelled")
    )


def draw(
    connection: duckdb.DuckDBPyConnection,
    matcher: Matcher,
    before: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    size: int,
    seed: int,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw from table `standing`: the pairs (as in match_sample, without run) and their strata with `drawn`.

    `before` are pairs drawn earlier, `labels` pairs labelled: those in both stay.
    """
    connection.register("before_frame", before.select("record_a", "record_b").to_arrow())
    connection.register("label_frame", labels.to_arrow())
    strata = _allotted(_strata(connection, matcher), size)
    connection.register("wanted_frame", strata.to_arrow())
    picked = connection.execute(
        """
        SELECT record_a, record_b, stratum, rests_on, probability, band, pairs, drawn
        FROM divided JOIN wanted_frame USING (stratum)
        QUALIFY row_number() OVER (
            PARTITION BY stratum
            ORDER BY divided.kept DESC, md5(concat_ws('|', $1::VARCHAR, record_a, record_b)), record_a, record_b
        ) <= drawn
        """,
        [seed],
    ).pl()
    return picked, strata


def standing(connection: duckdb.DuckDBPyConnection, matcher: Matcher) -> None:
    """Make table `standing` on a connection with the catalog's views: record_a, record_b, probability, band, decided,
    rests_on (what decides about the pair without a steward; sql/standing.sql says what each means)."""
    patterns = connection.sql("SELECT DISTINCT pattern FROM pairs WHERE pattern IS NOT NULL ORDER BY ALL").pl()[
        "pattern"
    ]
    levels = Levels.of(matcher, patterns)
    enough = np.any([holds(matcher, levels, need) for need in matcher.link_needs], axis=0)
    connection.register("pattern_frame", pl.DataFrame({"pattern": patterns, "enough": enough}).to_arrow())
    text = (_SQL / "standing.sql").read_text(encoding="utf-8")
    connection.execute(text.replace("$link", repr(matcher.bands.link)))


def decided_labels(project: Project) -> pl.DataFrame:
    """Pairs that stewards decided: record_a, record_b, same."""
    return decisions.standing(project, "pair").select(
        pl.col("subject_a").alias("record_a"),
        pl.col("subject_b").alias("record_b"),
        (pl.col("verdict") == "link").alias("same"),
    )


def stricter(threshold: float) -> float:
    """The threshold that leaves a tenth of the doubt."""
    return 1 - (1 - threshold) / 10


def _list(words: tuple[str, ...]) -> str:
    return ", ".join(literal(word) for word in words)


def _strata(connection: duckdb.DuckDBPyConnection, matcher: Matcher) -> pl.DataFrame:
    """Make table `divided` (standing with its stratum, and whether it was drawn and labelled before); the strata with
    pairs, stated (mean probability), kept (labelled before) and whole (to be taken as they are)."""
    bands = matcher.bands
    fine = sorted({*EDGES, bands.review, bands.link, stricter(bands.link)})
    coarse = sorted({0.0, FLOOR, bands.review, bands.link, 1.0})
    far = f"rests_on IN ('threshold', 'evidence', 'constraint', 'cluster') AND probability < {FLOOR!r}"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE divided AS
        SELECT s.*, l.record_a IS NOT NULL AND b.record_a IS NOT NULL AS kept, decided AND NOT kept AS whole,
            CASE WHEN whole THEN 'decided, ' ELSE '' END ||
            CASE WHEN {far} THEN '{BELOW}'
                 WHEN probability IS NULL THEN rests_on || ' (never compared)'
                 WHEN rests_on IN ({_list(_FINE)}) THEN rests_on || ' ' || {_bin(fine)}
                 ELSE rests_on || ' ' || {_bin(coarse)} END AS stratum
        FROM standing s LEFT JOIN before_frame b USING (record_a, record_b)
        LEFT JOIN label_frame l USING (record_a, record_b)
        """
    )
    return connection.sql(
        "SELECT stratum, count(*) AS pairs, avg(probability) AS stated, count(*) FILTER (kept) AS kept, "
        "any_value(whole) AS whole FROM divided GROUP BY stratum ORDER BY stratum"
    ).pl()


def _bin(edges: list[float]) -> str:
    inner = pairwise(edges[:-1])
    cases = " ".join(f"WHEN probability < {high!r} THEN '{low:g}–{high:g}'" for low, high in inner)
    return f"CASE {cases} ELSE '{edges[-2]:g}–1' END"


def _allotted(strata: pl.DataFrame, size: int) -> pl.DataFrame:
    """The strata with `drawn`: few of those far below, at least five of any other (two where strata are many)."""
    apart = pl.col("whole") | (pl.col("stratum") == BELOW)
    open_ = strata.with_columns(pl.when(apart).then(0).otherwise("pairs").cast(pl.Float64).alias("free"))
    count = max(open_.filter(~apart).height, 1)
    least = min(max(size // (2 * count), 2), _LEAST)
    drawn = allot(
        open_["free"].to_numpy(), strata["stated"].fill_null(0.5).to_numpy(), float(size), np.full(strata.height, least)
    )
    return strata.with_columns(
        pl.when("whole").then("pairs")
        .when(apart).then(pl.min_horizontal("pairs", pl.max_horizontal(pl.lit(_FEW), "kept")))
        .otherwise(pl.max_horizontal(pl.Series("drawn", drawn, dtype=pl.Float64).cast(pl.Int64), "kept"))
        .alias("drawn")
    )  # fmt: skip
