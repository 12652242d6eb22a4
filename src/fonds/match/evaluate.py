"""How a matching fares: against all true pairs (recordlinkage's measures), or as far as a labelled sample tells."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from fonds.catalog.store import Catalog
from fonds.errors import QueryRefused
from fonds.match.definition import Bands, Matcher, load
from fonds.match.estimate import Share, Strata, calibration, needed, precision, recall
from fonds.match.recall import missed
from fonds.match.sample import EDGES, FLOOR, decided_labels, standing, stricter
from fonds.project.settings import Project

CALIBRATED = ("threshold", "evidence", "cluster")
"""What a pair rests on when its probability has a say: where a rule decides, it is no statement about the pair."""
_LINKED = ("identifier", "others")
_SAID = {"true": True, "1": True, "yes": True, "link": True}
_SAID |= {"false": False, "0": False, "no": False, "not_same": False}


@dataclass(frozen=True, slots=True)
class At:
    """What a link threshold gives: pairs linked, and of these and of all true pairs the shares. None: unknown."""

    threshold: float
    linked: int
    precision: Share | None
    recall: Share | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Precision and recall of the machine's links among pairs stated at `floor` or more (or linked).

    Without a label, `checked` is False and the figures are what the model states. `below` tells of the pairs stated
    below the floor: pairs, what the model states of them in true pairs, labelled, and of these true. `unfound` is what
    recall.missed says of the linked pairs: how many true pairs no blocking rule finds, at least, and the two rules.
    """

    checked: bool
    run: int | None
    labelled: int
    unlabelled: int
    ignored: int
    current: At
    thresholds: tuple[At, ...]
    calibration: pl.DataFrame
    missing: int | None
    width: float
    floor: float
    below: dict[str, float]
    unfound: tuple[int, str, str] | None
    stale: bool


def measures(found: pl.DataFrame, true: pl.DataFrame) -> dict[str, float]:
    """Precision, recall and F1 of the pairs `found` against the pairs that are `true`.

    Both frames have the columns record_a and record_b, in either order; a pair may stand twice. The true pairs are all
    there are: one that was never compared counts as missed. Without found (or true) pairs precision (or recall) is 1.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # recordlinkage 0.16 on pandas 2.3
        import pandas as pd
        import recordlinkage

    def index(pairs: pl.DataFrame) -> pd.MultiIndex:
        ordered = pairs.select(
            pl.min_horizontal("record_a", "record_b").alias("a"), pl.max_horizontal("record_a", "record_b").alias("b")
        ).unique()
        return pd.MultiIndex.from_arrays([ordered["a"].to_list(), ordered["b"].to_list()])

    links, matches = index(found), index(true)
    precision = float(recordlinkage.precision(matches, links)) if len(links) else 1.0
    recall = float(recordlinkage.recall(matches, links)) if len(matches) else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def evaluate(project: Project, *, labels: Path | None = None, width: float = 0.05) -> Evaluation:
    """Measure the matching by the sample of table match_sample and its labels.

    Labels are the stewards' decisions on the sample's pairs, and those of a CSV file (record_a, record_b, same), which
    come first. `missing` says how many labels more make both intervals no wider than `width`. Labels of pairs that
    nobody drew are ignored: they weren't chosen by chance. Raises QueryRefused, naming file and line.
    """
    matcher, _, _ = load(project)
    joined = labelled_sample(project, labels)
    known = _labels(project, labels)
    ignored = known.join(joined, on=["record_a", "record_b"], how="anti").height
    if not joined["same"].count():
        found = _stated(project, joined.height, ignored, width)
    else:
        found = judge(joined, matcher.bands, ignored=ignored, width=width)
    return replace(found, unfound=missed(matcher, _linked_rules(project, matcher)))


def judge(joined: pl.DataFrame, bands: Bands, *, ignored: int = 0, width: float = 0.05) -> Evaluation:
    """Measure by a sample (columns of match_sample) with `same`, NULL where nobody labelled yet; at least one is."""
    link = bands.link
    by = (
        joined.group_by("stratum")
        .agg(
            pl.col("pairs").first(),
            pl.col("rests_on").first(),
            pl.col("same").count().alias("labelled"),
            pl.col("same").sum().alias("true"),
            pl.col("probability").mean().fill_null(0.5).alias("stated"),
            pl.col("probability").min().alias("low"),
            pl.col("probability").max().alias("high"),
        )
        .sort("stratum")
    )
    strata = Strata(*(by[name].cast(pl.Float64).to_numpy() for name in ("pairs", "labelled", "true", "stated")))
    linked = _linked(by, link)
    counted = linked | by.select(pl.col("high") >= FLOOR)["high"].fill_null(True).to_numpy()
    weighed = joined.filter(pl.col("same").is_not_null()).with_columns(
        (pl.col("pairs") / pl.len().over("stratum")).alias("weight")
    )
    far = ~counted
    labelled = int(joined["same"].count())
    wanted = needed(strata, linked, counted, width)
    return Evaluation(
        checked=True,
        run=joined["run"].max(),  # type: ignore[arg-type]
        labelled=labelled,
        unlabelled=joined.height - labelled,
        ignored=ignored,
        current=_at(strata, linked, counted, link),
        thresholds=tuple(_at(strata, _linked(by, edge), counted, edge) for edge in candidates(bands)),
        calibration=calibration(weighed.filter(pl.col("rests_on").is_in(CALIBRATED)), EDGES),
        missing=max(wanted - labelled, 0),
        width=width,
        floor=FLOOR,
        below={
            "pairs": float(strata.pairs[far].sum()),
            "stated": float((strata.pairs * strata.stated)[far].sum()),
            "labelled": float(strata.labelled[far].sum()),
            "true": float(strata.true[far].sum()),
        },
        unfound=None,
        stale=by.filter(pl.col("rests_on") == "threshold", pl.col("low") < link, pl.col("high") >= link).height > 0,
    )


def _linked_rules(project: Project, matcher: Matcher) -> pl.DataFrame:
    """The linked pairs as recall.missed takes them: rules (bit k: blocking rule k finds the pair)."""
    files = Catalog(project).files("pairs")
    if not files:
        return pl.DataFrame(schema={"rules": pl.Int64})
    linked = pl.scan_parquet(files).filter(pl.col("band") == "link")
    bits = [
        pl.col("blocked_by").list.contains(rule.name).cast(pl.Int64) * (1 << bit)
        for bit, rule in enumerate(matcher.blocking)
    ]
    return linked.select(pl.sum_horizontal(bits).alias("rules")).collect()


def labelled_sample(project: Project, labels: Path | None = None) -> pl.DataFrame:
    """Table match_sample with `same` (NULL where nobody labelled yet), by a file of labels or the stewards' decisions.

    Raises QueryRefused, naming file and line.
    """
    drawn = Catalog(project).read("match_sample")
    return drawn.join(_labels(project, labels), on=["record_a", "record_b"], how="left", maintain_order="left")


def _labels(project: Project, labels: Path | None) -> pl.DataFrame:
    decided = decided_labels(project)
    if labels is None:
        return decided
    both = pl.concat([read_labels(labels), decided])
    return both.unique(["record_a", "record_b"], keep="first", maintain_order=True)


def read_labels(path: Path) -> pl.DataFrame:
    """Labels made elsewhere: a CSV file of record_a, record_b, same → record_a (the smaller), record_b, same.

    `same` is true or false, 1 or 0, yes or no, link or not_same. Raises QueryRefused with the line.
    """
    try:
        found = pl.read_csv(path, infer_schema=False, truncate_ragged_lines=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise QueryRefused(f"{path} can't be read as CSV ({type(error).__name__})") from None
    if absent := [name for name in ("record_a", "record_b", "same") if name not in found.columns]:
        raise QueryRefused(f"{path}: there is no column {', '.join(absent)}; wanted are record_a, record_b, same")
    said = pl.col("same").str.strip_chars().str.to_lowercase()
    rows = found.with_row_index("line", offset=2).select(
        "line",
        pl.min_horizontal("record_a", "record_b").str.strip_chars().alias("record_a"),
        pl.max_horizontal("record_a", "record_b").str.strip_chars().alias("record_b"),
        said.replace_strict(_SAID, default=None, return_dtype=pl.Boolean).alias("same"),
    )
    unclear = rows.filter(pl.any_horizontal(pl.all().is_null()))
    if unclear.height:
        raise QueryRefused(f"{path}, line {unclear['line'][0]}: wanted are two record ids, and for same true or false")
    twice = rows.filter(pl.col("same").n_unique().over("record_a", "record_b") > 1)
    if twice.height:
        lines = ", ".join(str(line) for line in twice["line"].head(2))
        raise QueryRefused(f"{path}, lines {lines}: one pair is said to be the same and not the same")
    return rows.drop("line").unique(["record_a", "record_b"], keep="first", maintain_order=True)


def candidates(bands: Bands) -> tuple[float, ...]:
    """Link thresholds that are told of: edges of the strata."""
    wanted = {0.5, 0.9, 0.99, 0.999, bands.link, stricter(bands.link)}
    return tuple(sorted(edge for edge in wanted if edge > bands.review))


def _linked(strata: pl.DataFrame, threshold: float) -> npt.NDArray[np.bool_]:
    """Which strata are linked at a threshold: no stratum lies on both sides of one that is told of."""
    by_rule = pl.col("rests_on").is_in(_LINKED)
    by_weight = (pl.col("rests_on") == "threshold") & (pl.col("low") >= threshold)
    return strata.select((by_rule | by_weight).fill_null(False).alias("linked"))["linked"].to_numpy()


def _at(strata: Strata, linked: npt.NDArray[np.bool_], counted: npt.NDArray[np.bool_], threshold: float) -> At:
    count = int((strata.pairs * linked).sum())
    return At(threshold, count, precision(strata, linked), recall(strata, linked, counted))


def _stated(project: Project, drawn: int, ignored: int, width: float) -> Evaluation:
    """What the model states of its own links, added up pair by pair: nobody has checked it."""
    matcher, _, _ = load(project)
    with Catalog(project).connect() as connection:
        standing(connection, matcher)
        found = connection.sql(
            "SELECT rests_on, probability AS low, probability FROM standing WHERE probability IS NOT NULL"
        ).pl()
    if not found.height:
        raise QueryRefused("there are no pairs yet; `fonds match` compares the records")
    stated = found["probability"].to_numpy()

    def at(threshold: float) -> At:
        linked = _linked(found, threshold)
        true, everything = stated[linked].sum(), stated[linked | (stated >= FLOOR)].sum()
        shares = [Share(*[float(true / of)] * 3) if of else None for of in (float(linked.sum()), float(everything))]
        return At(threshold, int(linked.sum()), *shares)

    far = ~_linked(found, matcher.bands.link) & (stated < FLOOR)
    return Evaluation(
        checked=False,
        run=None,
        labelled=0,
        unlabelled=drawn,
        ignored=ignored,
        current=at(matcher.bands.link),
        thresholds=tuple(at(edge) for edge in candidates(matcher.bands)),
        calibration=calibration(found.clear().with_columns(same=None, weight=1.0), EDGES),
        missing=None,
        width=width,
        floor=FLOOR,
        below={"pairs": float(far.sum()), "stated": float(stated[far].sum()), "labelled": 0.0, "true": 0.0},
        unfound=None,
        stale=False,
    )
