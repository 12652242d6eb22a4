"""One tool on one prepared data set in a process of its own: its pairs and clusters to Parquet, its costs to stdout.

Called by matching.py: matching_tools.py TOOL PREPARED.parquet OUT_FOLDER MODEL BLOCKS(JSON). Reading the input
and imports are not counted; training, pairs, prediction and clusters are.
"""

from __future__ import annotations

import importlib
import json
import logging
import resource
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import polars as pl

Blocks = list[list[str]]
Result = tuple[pl.DataFrame, pl.DataFrame, int]
"""Pairs (na, nb, weight, probability, and of ours band), clusters (n, cluster), and how many pairs were compared."""


def fonds_own(prepared: pl.DataFrame, model: str, blocks: Blocks) -> Result:
    """Fonds with its own blocking rules, as users get it."""
    from matching_sets import model as load

    return _linked(prepared, load(model))


def fonds(prepared: pl.DataFrame, model: str, blocks: Blocks) -> Result:
    """Fonds with the blocking rules that all tools are given."""
    from matching_sets import model as load

    from fonds.match.definition import Block

    plain = tuple(
        Block(name=f"rule-{number}", keys=tuple(keys), largest=10**9)  # type: ignore[arg-type]
        for number, keys in enumerate(blocks)
    )
    return _linked(prepared, load(model).model_copy(update={"blocking": plain}))


def _linked(prepared: pl.DataFrame, matcher: Any) -> Result:
    from fonds.match.run import link

    nothing = pl.DataFrame(schema=dict.fromkeys(("record_a", "record_b", "decided", "decided_by"), pl.String))
    clustered, trained = link(prepared, matcher, nothing)
    pairs = clustered.pairs.filter(pl.col("rules") > 0)  # not those that only clusters asked for
    labels = pl.DataFrame({"n": prepared["n"], "cluster": clustered.labels})
    return pairs.select("na", "nb", "weight", "probability", "band", "note"), labels, trained.compared.total


def splink(prepared: pl.DataFrame, model: str, blocks: Blocks) -> Result:
    """Splink on DuckDB with the settings found best for it: see docs/matching-measured.md for what was tried."""
    return _splink(prepared, blocks, (("birth_date",), ("family", "birth_year"), ("given", "birth_day")), False)


def splink_dates(prepared: pl.DataFrame, model: str, blocks: Blocks) -> Result:
    """Splink with term frequencies on birth dates too: on FEBRL better at its best threshold, worse at 0.95."""
    return _splink(prepared, blocks, (("birth_date",), ("family", "given_first", "birth_year")), True)


def _splink(prepared: pl.DataFrame, blocks: Blocks, sessions: tuple[tuple[str, ...], ...], dates: bool) -> Result:
    import splink.comparison_level_library as cll
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    def known(column: str) -> bool:
        return bool(prepared[column].is_not_null().any())

    comparisons: list[Any] = [
        cl.NameComparison("family").configure(term_frequency_adjustments=True),
        cl.NameComparison("given").configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]).configure(term_frequency_adjustments=dates),
    ]
    if known("sex"):
        comparisons.append(cl.ExactMatch("sex"))
    if known("patient_id"):
        other = "issuer_l <> issuer_r OR patient_id_l IS NULL OR patient_id_r IS NULL"
        comparisons.append(
            cl.CustomComparison(
                [
                    cll.CustomLevel(other, "another issuer").configure(is_null_level=True),
                    cll.ExactMatchLevel("patient_id"),
                    cll.ElseLevel(),
                ],
                output_column_name="patient_id",
            )
        )
    address = [name for name in ("street", "postcode", "city") if known(name)]
    if address:
        comparisons.append(_address(cl, cll, address))
    if known("phone"):
        comparisons.append(cl.ExactMatch("phone"))
    if known("mother"):
        comparisons.append(cl.JaroWinklerAtThresholds("mother", [0.9]))
    if known("national_id"):
        comparisons.append(cl.LevenshteinAtThresholds("national_id", [1, 2]))
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=comparisons,
        blocking_rules_to_generate_predictions=[block_on(*keys) for keys in blocks],
    )
    needed = {name for keys in blocks for name in keys} | set(address)
    needed |= {
        "family",
        "given",
        "given_first",
        "birth_date",
        "birth_year",
        "birth_day",
        "sex",
        "patient_id",
        "issuer",
        "phone",
        "mother",
        "national_id",
    }
    table = prepared.select(pl.col("n").alias("unique_id"), *sorted(needed)).to_arrow()
    api = DuckDBAPI()
    linker = Linker(api.register(table), settings)
    sure = [block_on("birth_date", "family", "given_first")]
    if known("patient_id"):
        sure.append(block_on("issuer", "patient_id"))
    linker.training.estimate_probability_two_random_records_match(sure, recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for keys in sessions:
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(*keys), max_pairs=1e6)
    predicted = linker.inference.predict(threshold_match_probability=0.001)
    grouped = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold_match_probability=0.95)
    pairs = (
        predicted.as_duckdbpyrelation()
        .pl()
        .select(
            pl.min_horizontal("unique_id_l", "unique_id_r").alias("na"),
            pl.max_horizontal("unique_id_l", "unique_id_r").alias("nb"),
            pl.col("match_weight").alias("weight"),
            pl.col("match_probability").alias("probability"),
        )
    )
    labels = (
        grouped.as_duckdbpyrelation().pl().select(pl.col("unique_id").alias("n"), pl.col("cluster_id").alias("cluster"))
    )
    return pairs, labels, -1


def _address(cl: Any, cll: Any, parts: list[str]) -> Any:
    """One comparison for the whole address, since its parts agree together or not at all."""
    levels = [cll.And(*(cll.NullLevel(name) for name in parts)).configure(is_null_level=True)]
    if "street" in parts:
        levels.append(cll.And(cll.ExactMatchLevel("street"), cll.ExactMatchLevel("postcode")))
        levels.append(cll.JaroWinklerLevel("street", 0.9))
    if "postcode" in parts:
        levels.append(cll.ExactMatchLevel("postcode"))
        levels.append(cll.DamerauLevenshteinLevel("postcode", 1))
    levels.append(cll.ElseLevel())
    return cl.CustomComparison(levels, output_column_name="address")


def recordlinkage(prepared: pl.DataFrame, model: str, blocks: Blocks) -> Result:
    """recordlinkage's documented pipeline: Index, Compare to yes and no, ECMClassifier; it has no clusters."""
    import numpy as np
    import recordlinkage as rl

    names = ["family", "given_first"]
    exact = [name for name in ("birth_date", "sex", "phone", "postcode", "national_id")
             if prepared[name].is_not_null().any()]  # fmt: skip
    near = [name for name in ("street", "mother") if prepared[name].is_not_null().any()]
    used = {*names, *exact, *near, *(name for keys in blocks for name in keys)}
    frame = prepared.select(sorted(used)).to_pandas()
    index = rl.Index()
    for keys in blocks:
        index.block(keys)
    pairs = index.index(frame)
    compare = rl.Compare()
    for name in names:
        compare.string(name, name, method="jarowinkler", threshold=0.85, label=name)
    for name in near:
        compare.string(name, name, method="jarowinkler", threshold=0.85, label=name)
    for name in exact:
        compare.exact(name, name, label=name)
    features = compare.compute(pairs, frame)
    classifier = rl.ECMClassifier(binarize=0.5)
    classifier.fit(features)
    probability = classifier.prob(features).to_numpy()
    a, b = (pairs.get_level_values(level).to_numpy() for level in (0, 1))
    with np.errstate(divide="ignore"):
        weight = np.log2(probability) - np.log2(1 - probability)
    scored = pl.DataFrame(
        {"na": np.minimum(a, b), "nb": np.maximum(a, b), "weight": weight, "probability": probability}
    )
    return scored, pl.DataFrame(schema={"n": pl.Int64, "cluster": pl.Int64}), len(scored)


LIBRARIES = {
    "fonds": ("fonds.match.run", "matching_sets", "pandas"),  # which DuckDB loads when it is handed a table
    "splink": ("splink", "splink.comparison_library", "splink.comparison_level_library"),
    "recordlinkage": ("pandas", "recordlinkage", "jellyfish", "sklearn.cluster"),
}
TOOLS = {
    "fonds": fonds,
    "fonds own rules": fonds_own,
    "splink": splink,
    "splink+dates": splink_dates,
    "recordlinkage": recordlinkage,
}


def _spent() -> float:
    """User and system seconds of this process, its threads and its children."""
    both = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in both)


def main() -> None:
    warnings.filterwarnings("ignore")
    logging.getLogger("splink").setLevel(logging.ERROR)
    tool, source, folder, model, blocks = sys.argv[1:]
    prepared, rules = pl.read_parquet(source), json.loads(blocks)
    measured = TOOLS[tool]
    for library in LIBRARIES[tool.split()[0].split("+")[0]]:
        importlib.import_module(library)
    wall, cpu = time.perf_counter(), _spent()
    pairs, labels, compared = measured(prepared, model, rules)
    figures = {"wall": time.perf_counter() - wall, "cpu": _spent() - cpu, "compared": compared}
    figures["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    pairs.write_parquet(Path(folder) / "pairs.parquet")
    labels.write_parquet(Path(folder) / "labels.parquet")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
