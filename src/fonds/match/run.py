"""The stage: records are prepared, compared, weighed and decided; persons keep their names from run to run."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import Any

import polars as pl

from fonds.match.candidates import Compared, compare, compare_pairs, draw
from fonds.match.cluster import Clustered, band, cluster, inside
from fonds.match.definition import Matcher, load
from fonds.match.fitted import Fitted
from fonds.match.frequencies import Frequencies
from fonds.match.persons import allocate, events, settled
from fonds.match.prepare import prepare, records
from fonds.match.score import evidence, weigh
from fonds.match.train import fit
from fonds.operations import decisions
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.definitions import content_hash
from fonds.project.settings import Project

INPUTS = ("instances", "changes")
OUTPUTS = ("pairs", "persons", "person_events")


def match(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Decide who is who as far as evidence and decisions go; the doubtful pairs are left in band `review`.

    Writes `pairs`, `persons` and `person_events`, and the fitted weights with what they were fitted on to
    catalog/match/fitted.json. Counts are records, persons, compared, link, review, reject, unsettled (records) and
    pairs by blocking rule. Raises DefinitionInvalid with the mistakes of the match model.
    """
    matcher, names, files = load(project)
    with stage_run(
        project,
        "match",
        inputs=INPUTS,
        outputs=OUTPUTS,
        definitions=files,
        heeds_decisions=True,
        progress=progress,
        force=force,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            found = records(connection)
        run.progress(1, 4, "steps", "records read")
        prepared = prepare(found, matcher, names)
        decided = decisions.standing(project, "pair").select(
            pl.col("subject_a").alias("record_a"),
            pl.col("subject_b").alias("record_b"),
            pl.col("verdict").alias("decided"),
            pl.col("who").alias("decided_by"),
        )
        run.progress(2, 4, "steps", "records prepared")
        clustered, training = link(prepared, matcher, decided)
        run.progress(3, 4, "steps", "pairs decided")
        _write(run, prepared, clustered)
        _keep(run, matcher, training, content_hash(*files), prepared.height)
        _tell(run, clustered, training)
    return run.result()


@dataclass(frozen=True, slots=True)
class Trained:
    """What was fitted on which pairs."""

    fitted: Fitted
    frequencies: Frequencies
    compared: Compared
    sampled: int


def link(prepared: pl.DataFrame, matcher: Matcher, decided: pl.DataFrame) -> tuple[Clustered, Trained]:
    """Prepared records and standing decisions (record_a, record_b, decided, decided_by) to pairs and clusters."""
    compared = compare(prepared, matcher)
    drawn, sampled = draw(prepared, matcher)
    fitted = fit(matcher, compared.patterns(), drawn, prepared.height)
    training = Trained(fitted, Frequencies.count(prepared, matcher), compared, sampled)
    numbers = prepared.select("record_id", "n")
    known = (
        decided.join(numbers.rename({"record_id": "record_a", "n": "x"}), on="record_a")
        .join(numbers.rename({"record_id": "record_b", "n": "y"}), on="record_b")
        .select(pl.min_horizontal("x", "y").alias("a"), pl.max_horizontal("x", "y").alias("b"))
    )
    pairs = _weighed(prepared, matcher, training, compare_pairs(prepared, matcher, known), decided)
    pairs = pl.concat([pairs, *(_weighed(prepared, matcher, training, shard, decided) for shard in compared.shards())])
    pairs = pairs.unique(["na", "nb"], keep="first")
    inner = inside(pairs, prepared.height, matcher.bands.largest_cluster)
    inner = inner.join(pairs, left_on=["a", "b"], right_on=["na", "nb"], how="anti")
    asked = compare_pairs(prepared, matcher, inner).with_columns(pl.lit(0, dtype=pl.Int64).alias("rules"))
    pairs = pl.concat([pairs, _weighed(prepared, matcher, training, asked, decided)]).sort("na", "nb")
    return cluster(pairs, prepared["record_id"], matcher, training.fitted.prior), training


def _weighed(
    prepared: pl.DataFrame, matcher: Matcher, training: Trained, shard: pl.DataFrame, decided: pl.DataFrame
) -> pl.DataFrame:
    pairs = weigh(prepared, matcher, training.fitted, training.frequencies, shard)
    pairs = evidence(prepared, matcher, training.fitted, training.frequencies, pairs)
    pairs = pairs.join(decided, on=["record_a", "record_b"], how="left", maintain_order="left")
    return band(pairs.with_columns(pl.lit(None, dtype=pl.Boolean).alias("merged")), matcher)


def _write(run: StageRun, prepared: pl.DataFrame, clustered: Clustered) -> None:
    members = prepared.select(
        "record_id", pl.col("record_id").alias("raw_record_id"), pl.Series("cluster", clustered.labels, dtype=pl.Int64)
    )
    named = allocate(run.project, members)
    persons = settled(named, clustered.pairs)
    columns = run.catalog.read("pairs").columns
    history = run.catalog.read("person_events")
    pairs = _with_studies(clustered.pairs, prepared)
    run.replace("pairs", pairs.select(name for name in columns if name in pairs.columns))
    run.replace("persons", persons)
    fresh = events(history, persons, members, clustered.pairs).with_columns(pl.lit(run.number).alias("run"))
    run.replace("person_events", pl.concat([history, fresh.select(history.columns)], how="vertical_relaxed"))
    run.count("records", prepared.height)
    run.count("persons", persons["person_id"].n_unique())
    run.count("unsettled", persons.filter(~pl.col("settled")).height)


def _with_studies(pairs: pl.DataFrame, prepared: pl.DataFrame) -> pl.DataFrame:
    """How many studies wait for the pair's answer: those of the smaller side would move."""
    held = prepared.select("record_id", pl.col("studies").list.len().cast(pl.Int64).alias("held"))
    both = pairs.join(held.rename({"record_id": "record_a", "held": "x"}), on="record_a", how="left")
    both = both.join(held.rename({"record_id": "record_b", "held": "y"}), on="record_b", how="left")
    return both.with_columns((pl.col("x") + pl.col("y")).alias("studies"))


def _keep(run: StageRun, matcher: Matcher, training: Trained, digest: str, count: int) -> None:
    """Keep the fitted weights with their provenance beside the catalog's tables."""
    kept: dict[str, Any] = {
        "run": run.number,
        "model": run.project.settings.matcher,
        "model_sha256": digest,
        "records": count,
        "pairs": training.compared.total,
        "random_pairs": training.sampled,
        "pairs_by_rule": training.compared.by_rule,
        **training.fitted.as_json(matcher),
    }
    target = run.project.catalog_dir / "match" / "fitted.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    os.replace(aside, target)


def _tell(run: StageRun, clustered: Clustered, training: Trained) -> None:
    bands = dict(clustered.pairs.group_by("band").len().rows())
    run.count("compared", training.compared.total)
    for name in ("link", "review", "reject"):
        run.count(name, bands.get(name, 0))
    for rule, count in training.compared.by_rule.items():
        run.count(f"pairs by {rule}", count)
    for large in training.compared.oversized:
        run.left.append(
            f"blocking rule {large.rule}: {large.blocks} block(s) of {large.records} records in all are too large and "
            f"were split"
        )
    if clustered.incoherent:
        run.left.append(f"clusters that don't hold together and wait for a person whole: {clustered.incoherent}")
    if waiting := bands.get("review", 0):
        run.left.append(f"pairs of records that wait for a decision at the desk (`fonds desk`): {waiting}")
