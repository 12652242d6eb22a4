"""Drawing pairs to label, and what the labels tell: over pairs whose truth is known and whose model is right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.errors import QueryRefused
from fonds.match import match
from fonds.match.definition import load
from fonds.match.evaluate import evaluate, judge
from fonds.match.sample import draw, sample, standing
from fonds.operations import decisions
from fonds.project.settings import Project
from fonds.samples.population import population
from tests.handmade import instance, make_project, write
from tests.match.stated import stated_pairs, write_stated

SIZE = 160


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("sample"), "rad", "card")
    write_stated(made, stated_pairs(1))
    return made


def _truth(pairs: pl.DataFrame) -> dict[str, float]:
    linked, true = pl.col("band") == "link", pl.col("same")
    counted = pairs.filter(linked | (pl.col("probability") >= 0.001))
    found = pairs.filter(linked & true).height
    return {"precision": found / pairs.filter(linked).height, "recall": found / counted.filter(true).height}


def test_a_draw_takes_from_all_strata_and_is_the_same_twice(project: Project) -> None:
    drawn = sample(project, size=SIZE)
    assert drawn.strata.filter(pl.col("drawn") == 0).height == 0
    assert SIZE * 0.8 <= drawn.pairs.height <= SIZE * 1.5
    assert set(drawn.pairs["rests_on"]) >= {"identifier", "threshold", "evidence", "constraint", "others"}
    assert {"link", "review", "reject"} == set(drawn.pairs["band"])
    counts = drawn.pairs.group_by("stratum").agg(pl.len(), pl.col("drawn").first(), pl.col("pairs").first())
    assert counts.filter(pl.col("len") != pl.col("drawn")).height == 0
    assert counts["pairs"].sum() == Catalog(project).read("pairs").height
    assert sample(project, size=SIZE).pairs.equals(drawn.pairs)
    assert Catalog(project).read("match_sample").equals(drawn.pairs)


def test_another_seed_draws_others_and_a_larger_draw_holds_the_smaller(project: Project) -> None:
    keys = ["record_a", "record_b"]
    small, other, large = (sample(project, size=n, seed=s).pairs for n, s in ((SIZE, 1), (SIZE, 2), (3 * SIZE, 1)))
    assert small.join(other, on=keys, how="anti").height > SIZE / 2
    assert small.join(large, on=keys, how="anti").height == 0


def test_what_is_labelled_stays_whatever_is_drawn_next(tmp_path: Path) -> None:
    made = make_project(tmp_path, "rad")
    write_stated(made, stated_pairs(3, scale=0.1))
    first = sample(made, size=60).pairs
    told = first.head(7).select("record_a", "record_b")
    for a, b in told.rows():
        decisions.record(made, "pair", a, b, verdict="link", who="ann")
    again = sample(made, size=60, seed=5)
    assert told.join(again.pairs, on=["record_a", "record_b"], how="anti").height == 0
    assert again.strata["labelled"].sum() >= 7


def test_decided_pairs_are_strata_of_their_own_and_what_was_never_compared_is_drawn(tmp_path: Path) -> None:
    made = make_project(tmp_path, "rad")
    pairs = stated_pairs(4, scale=0.1).with_columns(
        decided=pl.when(pl.int_range(pl.len()) % 50 == 0).then(pl.lit("not_same"))
    )
    write_stated(made, pairs)
    asked = pairs.filter(pl.col("decided").is_not_null())
    for a, b in asked.select("record_a", "record_b").rows():
        decisions.record(made, "pair", a, b, verdict="not_same", who="ann")
    persons = Catalog(made).read("persons")
    alone = persons.filter(person_id=pairs.filter(band="link")["number"].cast(pl.String).str.replace("^", "Pa")[0])
    third = alone.head(1).with_columns(record_id=pl.lit("Rz"))
    Catalog(made).replace("persons", pl.concat([persons, third]))
    drawn = sample(made, size=60)
    whole = drawn.strata.filter(pl.col("stratum").str.starts_with("decided"))
    assert whole["pairs"].sum() == asked.height
    assert whole["labelled"].sum() == whole["drawn"].sum() == asked.height
    never = drawn.pairs.filter(stratum="others (never compared)")
    assert never["record_b"].to_list() == ["Rz", "Rz"]
    assert never["probability"].is_null().all()
    found = evaluate(made)
    assert (found.checked, found.labelled) == (True, asked.height)
    assert found.current.precision is not None


def test_nothing_to_draw_from_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(QueryRefused, match="fonds match"):
        sample(make_project(tmp_path, "rad"))


def test_without_labels_the_figures_are_the_models(project: Project) -> None:
    sample(project, size=SIZE)
    found = evaluate(project)
    assert not found.checked
    assert found.missing is None
    assert found.current.precision is not None
    linked = stated_pairs(1).filter(pl.col("band") == "link")
    assert found.current.linked == linked.height
    assert found.current.precision.value == pytest.approx(linked["probability"].mean())


def test_labels_by_truth_give_intervals_that_hold_it(project: Project, tmp_path: Path) -> None:
    drawn = sample(project, size=SIZE).pairs
    pairs, labels, fits = stated_pairs(1), tmp_path / "labels.csv", []
    held = 0
    for seed in range(3):
        chance = pl.Series(np.random.default_rng(seed).random(pairs.height))
        known = pairs.with_columns(same=chance < pl.col("probability"))
        drawn.join(known, on=["record_a", "record_b"]).select("record_a", "record_b", "same").write_csv(labels)
        found, truth = evaluate(project, labels=labels), _truth(known)
        assert found.checked
        assert (found.labelled, found.unlabelled, found.ignored) == (drawn.height, 0, 0)
        assert found.current in found.thresholds
        for name, true in truth.items():
            share = getattr(found.current, name)
            held += share.low <= true <= share.high
        fits.append(found.calibration["fits"])
    assert held >= 5
    assert pl.concat(fits).cast(pl.Float64).mean() > 0.85  # type: ignore[operator]


def test_labelled_samples_of_a_hospital_tell_its_precision_and_recall(tmp_path: Path) -> None:
    """Forty samples of one matched population, labelled by its truth: the intervals hold what is so."""
    people = population(700, 5, "harsh")
    project = make_project(tmp_path, *people["source"].unique().sort())
    rows = [
        instance(row["source"], row["record_id"], IssuerOfPatientID=row["issuer"], StudyInstanceUID=f"1.{n}",
                 StudyDate=row["last_study"],
                 **{name: row[name] for name in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")})
        for n, row in enumerate(people.iter_rows(named=True))
    ]  # fmt: skip
    write(project, "instances", rows)
    match(project)
    matcher, _, _ = load(project)
    none = pl.DataFrame(schema={"record_a": pl.String, "record_b": pl.String, "same": pl.Boolean})
    with Catalog(project).connect() as connection:
        standing(connection, matcher)
        known = connection.sql("SELECT record_id, location FROM instance_records").pl()
        who = known.join(people.select("person", location="record_id"), on="location").unique("record_id")
        whose = dict(who.select("record_id", "person").iter_rows())
        draws = [draw(connection, matcher, none, none, size=120, seed=seed)[0] for seed in range(40)]
        pairs = connection.sql(
            "SELECT record_a, record_b, probability, rests_on IN ('identifier', 'others') "
            f"OR rests_on = 'threshold' AND probability >= {matcher.bands.link} AS linked FROM standing"
        ).pl()

    def truly(frame: pl.DataFrame) -> pl.DataFrame:
        ends = [frame[name].replace_strict(whose) for name in ("record_a", "record_b")]
        return frame.with_columns((ends[0] == ends[1]).alias("same"), run=pl.lit(1))

    all_pairs = truly(pairs.filter(pl.col("linked") | (pl.col("probability") >= 0.001)))
    found = all_pairs.filter("linked", "same").height
    truth = {
        "precision": found / all_pairs.filter("linked").height,
        "recall": found / all_pairs.filter("same").height,
    }
    told = [judge(truly(one), matcher.bands).current for one in draws]
    for name, true in truth.items():
        shares = [getattr(one, name) for one in told]
        assert sum(share.low <= true <= share.high for share in shares) >= 37, (name, true)
        assert np.mean([share.width for share in shares]) < 0.25


def test_a_stricter_threshold_links_less_with_more_precision(project: Project, tmp_path: Path) -> None:
    drawn = sample(project, size=SIZE).pairs
    labels = tmp_path / "labels.csv"
    drawn.select("record_a", "record_b", same=pl.col("probability").fill_null(0.5) > 0.5).write_csv(labels)
    told = evaluate(project, labels=labels).thresholds
    assert [at.threshold for at in told] == sorted(at.threshold for at in told)
    assert [at.linked for at in told] == sorted((at.linked for at in told), reverse=True)
    recalls = [at.recall.value for at in told if at.recall]
    assert recalls == sorted(recalls, reverse=True)


def test_labels_of_pairs_nobody_drew_are_ignored(project: Project, tmp_path: Path) -> None:
    drawn = sample(project, size=SIZE).pairs
    others = stated_pairs(1).join(drawn, on=["record_a", "record_b"], how="anti").head(20)
    labels = tmp_path / "labels.csv"
    others.select("record_a", "record_b", same=pl.lit(True)).write_csv(labels)
    found = evaluate(project, labels=labels)
    assert (found.checked, found.ignored) == (False, 20)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("record_a,record_b\na,b\n", "no column same"),
        ("record_a,record_b,same\na,b,true\nc,d,perhaps\n", "line 3"),
        ("record_a,record_b,same\na,b,true\nb,a,no\n", "lines 2, 3"),
        ("", "can't be read"),
    ],
)
def test_labels_that_say_nothing_are_refused_by_their_line(
    project: Project, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(QueryRefused, match=said):
        evaluate(project, labels=path)
