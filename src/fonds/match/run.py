"""The stage: records are prepared, compared, weighed and decided; persons keep their names from run to run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from fonds.match import incremental, kept
from fonds.match.candidates import Compared, compare, compare_pairs, draw, draw_along
from fonds.match.cluster import Clustered
from fonds.match.decide import Decider, numbered
from fonds.match.definition import Matcher, load
from fonds.match.fitted import Fitted
from fonds.match.frequencies import Frequencies
from fonds.match.merges import NONE, identifiers
from fonds.match.prepare import learned, missing_summary, prepare, records
from fonds.match.tables import write
from fonds.match.train import fit
from fonds.operations import decisions
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.definitions import content_hash
from fonds.project.settings import Project

INPUTS = ("instances", "changes", "feed_patients", "feed_merges")
OUTPUTS = ("match_records", "pairs", "persons", "person_events")


_SLICE = 1_000_000  # pairs that are weighed at a time
# records of objects that an approved identifier gave to another patient
_SPLIT_OFF = "SELECT DISTINCT record_id, raw_record_id FROM instance_records WHERE record_id <> raw_record_id"


@dataclass(frozen=True, slots=True)
class Trained:
    """What was fitted, and on which pairs."""

    fitted: Fitted
    frequencies: Frequencies
    compared: Compared
    sampled: int
    """pairs drawn at random"""


def match(
    project: Project, *, progress: Progress | None = None, force: bool = False, refit: bool = False
) -> StageResult:
    """Decide who is who as far as evidence and decisions go; the doubtful pairs are left in band `review`.

    Writes match_records, pairs, persons and person_events. The weights are kept in catalog/match until others are due
    (kept.Kept.due) or wanted (`refit`). While they are, only new and changed records are compared with all others,
    unless `force`: the tables are the same. Counts are records, fresh (those compared), compared and kept (pairs),
    link, review, reject, persons, unsettled (records), persons by what happened to them, and compared pairs by
    blocking rule. Raises DefinitionInvalid with the mistakes of the match model.
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
        force=force or refit,
    ) as run:
        if run.unchanged:
            return run.result()
        with run.catalog.connect() as connection:
            found = records(connection)
            merges = identifiers(connection)
            raw = connection.sql(_SPLIT_OFF).pl()
        found = found.join(raw, on="record_id", how="left").with_columns(
            pl.col("raw_record_id").fill_null(pl.col("record_id"))
        )
        run.progress(1, 5, "steps", "records read")
        decided = _decided(project)
        digest = content_hash(*files)
        fit = kept.read(project, matcher)
        due = "there is none of this model" if fit is None else fit.due(digest, found.height, decided)
        due = "asked for" if refit else due
        prepared = prepare(found, matcher, names, known=None if fit is None or due else fit.learned)
        run.progress(2, 5, "steps", "records prepared")
        now = incremental.fingerprints(prepared, matcher)
        seen = None
        if fit is not None and due is None and not force:
            seen = kept.seen(project, fit=fit.facts["run"], pairs=run.catalog.versions().get("pairs", -1))
        fresh = incremental.fresh(now, seen)
        compared = compare(
            prepared,
            matcher,
            fresh=None if seen is None else fresh,
            runner=project.settings.runner,
            scratch=kept.scratch(project),
        )
        standing = incremental.standing(run.catalog.files("pairs"), prepared["record_id"], fresh, matcher)
        if fit is None or due is not None:
            trained = learn(prepared, matcher, compared, decided)
            facts = _facts(run, trained, digest, prepared.height)
            fit = kept.Kept(trained.fitted, trained.frequencies, learned(prepared), decided, facts)
            kept.write(project, matcher, fit)
            run.left.append(f"weights were fitted: {due}")
        run.progress(3, 5, "steps", "records compared")
        decider = Decider(prepared, matcher, fit.fitted, fit.frequencies, compared)
        clustered = decider.decide(decided, merges, standing.iter_slices(_SLICE))
        compared.close()
        run.progress(4, 5, "steps", "pairs decided")
        write(run, found, prepared, matcher, fit=fit, clustered=clustered)
        kept.remember(project, now, fit=fit.facts["run"], pairs=run.catalog.versions()["pairs"])
        run.count("fresh", int(fresh.sum()))
        run.count("kept", standing.height)
        _tell(run, prepared, clustered, compared)
    return run.result()


def link(
    prepared: pl.DataFrame, matcher: Matcher, decided: pl.DataFrame, merges: pl.DataFrame = NONE
) -> tuple[Clustered, Trained]:
    """Fit and decide without a project: prepared records and standing decisions (record_a, record_b, decided,
    decided_by) to pairs and clusters. `merges` (retired, survives) are identifiers as merges.merged takes them."""
    compared = compare(prepared, matcher)
    trained = learn(prepared, matcher, compared, decided)
    decider = Decider(prepared, matcher, trained.fitted, trained.frequencies, compared)
    return decider.decide(decided, merges), trained


def learn(prepared: pl.DataFrame, matcher: Matcher, compared: Compared, decided: pl.DataFrame) -> Trained:
    """Fit the weights on all candidate pairs, on pairs drawn at random, and on what people decided."""
    drawn, sampled = draw(prepared, matcher)
    pairs = numbered(prepared, decided)
    patterns = compare_pairs(prepared, matcher, pairs)["pattern"]
    labels = (
        pairs.select(patterns, (pl.col("decided") == "link").alias("same"))
        .group_by("pattern", "same").agg(pl.len().cast(pl.Int64).alias("pairs")).sort("pattern", "same")
    )  # fmt: skip
    along = draw_along(prepared, matcher)
    fitted = fit(matcher, compared.patterns(), drawn, prepared.height, labels=labels, along=along)
    often = Frequencies.count(prepared, matcher)
    return Trained(fitted, often, compared, sampled)


def _decided(project: Project) -> pl.DataFrame:
    return decisions.standing(project, "pair").select(
        pl.col("subject_a").alias("record_a"),
        pl.col("subject_b").alias("record_b"),
        pl.col("verdict").alias("decided"),
        pl.col("who").alias("decided_by"),
    )


def _facts(run: StageRun, trained: Trained, digest: str, count: int) -> dict[str, Any]:
    return {
        "run": run.number,
        "model": run.project.settings.matcher,
        "model_sha256": digest,
        "records": count,
        "pairs": trained.compared.total,
        "random_pairs": trained.sampled,
        "pairs_by_rule": trained.compared.by_rule,
    }


def _tell(run: StageRun, prepared: pl.DataFrame, clustered: Clustered, compared: Compared) -> None:
    bands = dict(clustered.pairs.group_by("band").len().rows())
    run.count("compared", compared.total)
    for name in ("link", "review", "reject"):
        run.count(name, bands.get(name, 0))
    for rule, count in compared.by_rule.items():
        run.count(f"pairs by {rule}", count)
    for large in compared.oversized:
        run.left.append(
            f"blocking rule {large.rule}: {large.blocks} block(s) of {large.records} records in all are too large (the "
            f"largest has {large.largest}); of {large.pairs} pairs in them it compared those that also agree on "
            f"one of its `split` columns, {large.compared}, but for {large.left} in parts that are too large as well"
        )
    missing = missing_summary(prepared).with_columns(pl.format("{} {}", "records", "what").alias("told"))
    for source, told in missing.group_by("source", maintain_order=True).agg(pl.col("told").str.join(", ")).rows():
        run.left.append(f"what says nothing in records of {source}: {told}")
    overlays = clustered.pairs.filter((pl.col("outcome") == "overlay") & (pl.col("band") != "link")).height
    if overlays:
        run.left.append(f"pairs of records of one identifier that are two people (`FROM overlays`): {overlays}")
    if clustered.incoherent:
        run.left.append(f"clusters that don't hold together and wait for a person whole: {clustered.incoherent}")
    if waiting := bands.get("review", 0):
        run.left.append(f"pairs of records that wait for a decision at the desk (`fonds desk`): {waiting}")
