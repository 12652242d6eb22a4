"""Pairs with a stated probability that is right: tables `pairs` and `persons` written by hand, the truth beside."""

from __future__ import annotations

import numpy as np
import polars as pl

from fonds.catalog.store import Catalog
from fonds.match.definition import Matcher
from fonds.match.patterns import pack
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from fonds.project.settings import Project

LINK, REVIEW = 0.999, 0.05
MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
_EQUAL = {"family": "equal", "given": "equal", "birth_date": "equal", "sex": "equal"}
# kind: how many pairs, and between which log2 odds
KINDS = {
    "threshold": (2500, -12, 22), "identifier": (1200, 8, 25), "evidence": (900, -12, 14),
    "constraint": (150, 0, 14), "others": (100, -2, 9), "far": (4000, -19, -11),
}  # fmt: skip


def stated_pairs(seed: int, scale: float = 1.0) -> pl.DataFrame:
    """Each pair has two records of its own; `truly` is the chance that it is one person, `person_b` its outcome."""
    rng = np.random.default_rng(seed)
    frames = []
    for kind, (count, low, high) in KINDS.items():
        weight = rng.uniform(low, high, int(count * scale))
        frames.append(pl.DataFrame({"kind": [kind] * len(weight), "weight": weight}))
    kind, probability = pl.col("kind"), 1 / (1 + 2 ** -pl.col("weight"))
    linked = (kind.is_in(["identifier", "others"])) | ((kind == "threshold") & (pl.col("probability") >= LINK))
    waits = (kind == "constraint") | (kind.is_in(["threshold", "evidence"]) & (pl.col("probability") >= REVIEW))
    return (
        pl.concat(frames)
        .with_row_index("number")
        .with_columns(probability.alias("probability"))
        .with_columns(
            pl.format("Ra{}", pl.col("number").cast(pl.String).str.zfill(6)).alias("record_a"),
            pl.format("Rb{}", pl.col("number").cast(pl.String).str.zfill(6)).alias("record_b"),
            pl.when(linked).then(pl.lit("link")).when(waits).then(pl.lit("review")).otherwise(pl.lit("reject"))
            .alias("band"),
            pl.when(kind == "threshold").then(_pattern(_EQUAL)).otherwise(_pattern(_EQUAL | {"family": "similar"}))
            .alias("pattern"),
            pl.when(kind == "identifier").then(pl.lit("link")).when(kind == "constraint").then(pl.lit("review"))
            .alias("outcome"),
            pl.col("probability").alias("truly"),
        )
    )  # fmt: skip


def _pattern(reached: dict[str, str]) -> pl.Expr:
    """The code of a pair that reached these levels; what isn't named is missing."""
    digits = {"swap": [False]} | {
        f"l{n}": [
            [level.name for level in comparison.levels].index(reached[comparison.name]) + 1
            if comparison.name in reached
            else 0
        ]
        for n, comparison in enumerate(MODEL.comparisons)
    }
    return pl.lit(pack(MODEL, pl.DataFrame(digits))[0])


def write_stated(project: Project, pairs: pl.DataFrame) -> None:
    """Put the pairs and the persons they make into the catalog."""
    columns = Catalog(project).read("pairs").schema
    Catalog(project).replace(
        "pairs",
        pairs.select(
            pairs[name].cast(kind) if name in pairs.columns else pl.lit(None, dtype=kind).alias(name)
            for name, kind in columns.items()
        ),
    )
    linked = pl.col("band") == "link"
    both = [
        pairs.select(
            pl.col(name).alias("record_id"),
            pl.when(linked | (pl.lit(name) == "record_a")).then(pl.format("Pa{}", "number"))
            .otherwise(pl.format("Pb{}", "number")).alias("person_id"),
            pl.when(linked).then(2).otherwise(1).cast(pl.Int64).alias("cluster_size"),
            (pl.col("band") != "review").alias("settled"),
            pl.lit(None, dtype=pl.String).alias("reason"),
        )
        for name in ("record_a", "record_b")
    ]  # fmt: skip
    Catalog(project).replace("persons", pl.concat(both))
