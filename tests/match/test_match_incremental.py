"""Records that come, change and go, batch by batch: a run that compares only those ends where a full one does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fonds.catalog.store import Catalog
from fonds.match import incremental, kept, match
from fonds.match.candidates import compare
from fonds.match.cluster import Clustered
from fonds.match.decide import Decider
from fonds.match.definition import Matcher, Names
from fonds.match.merges import NONE
from fonds.match.prepare import learned, prepare
from fonds.match.run import link
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from tests.handmade import make_project, write
from tests.match.people import crowd, person

NAMES = load_yaml(shipped() / "matchers/tables/names.yaml", Names)
MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
# blocks of a handful are too large: they grow past the limit and shrink below it from batch to batch
SMALL = MODEL.model_copy(update={"blocking": tuple(rule.model_copy(update={"largest": 3}) for rule in MODEL.blocking)})
NOTHING = pl.DataFrame(schema=dict.fromkeys(("record_a", "record_b", "decided", "decided_by"), pl.String))

FAMILIES, GIVENS = ("Weidinger", "Kowalski", "Nowak", "Maier"), ("Ursula", "Hans", "Eva", "Nowak")
DATES = ("19400110", "19400111", "19410110", "19000101")
Row = tuple[str, str, str, str, str, int]
ROWS = st.tuples(
    st.sampled_from(FAMILIES), st.sampled_from(GIVENS), st.sampled_from(DATES), st.sampled_from("MF"),
    st.sampled_from(("1", "2", "3", "4")), st.integers(1, 6),
)  # fmt: skip


def prepared(held: dict[int, Row], known: pl.DataFrame | None = None) -> pl.DataFrame:
    rows = [
        {"record_id": f"R{n:03d}", "source": "rad", "issuer": "RAD" if n % 2 else "CARD", "PatientID": number,
         "PatientName": f"{family}^{given}", "PatientBirthDate": birth, "PatientSex": sex, "last_study": "20200101",
         "studies": [f"1.{study}"]}
        for n, (family, given, birth, sex, number, study) in sorted(held.items())
    ]  # fmt: skip
    return prepare(pl.DataFrame(rows), SMALL, NAMES, known=known)


ALL = prepared(
    {n: (FAMILIES[n % 4], GIVENS[n % 3], DATES[n % 3], "MF"[n % 2], str(n % 4 + 1), n % 6 + 1) for n in range(40)}
)
TRAINED, LEARNED = link(ALL, SMALL, NOTHING)[1], learned(ALL)


def stored(pairs: pl.DataFrame, folder: Path) -> Path:
    """Pairs as the table has them."""
    names = [pl.when(pl.col("rules") & (1 << n) != 0).then(pl.lit(rule.name)) for n, rule in enumerate(SMALL.blocking)]
    path = folder / "pairs.parquet"
    pairs.select(
        "record_a", "record_b", "pattern", pl.concat_list(names).list.drop_nulls().alias("blocked_by")
    ).write_parquet(path)
    return path


def decide(frame: pl.DataFrame, said: pl.DataFrame, fresh: pl.Series | None, standing: pl.DataFrame) -> Clustered:
    compared = compare(frame, SMALL, fresh=fresh)
    decider = Decider(frame, SMALL, TRAINED.fitted, TRAINED.frequencies, compared)
    return decider.decide(said, NONE, standing.iter_slices(7))


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.integers(0, 24), ROWS, min_size=2, max_size=20), st.sets(st.integers(0, 24), max_size=6)
        ),
        min_size=2,
        max_size=3,
    ),
    st.sampled_from(["link", "not_same"]),
)
def test_any_batches_end_as_a_full_run(
    tmp_path_factory: pytest.TempPathFactory, batches: list[tuple[dict[int, Row], set[int]]], verdict: str
) -> None:
    folder = tmp_path_factory.mktemp("batches")
    held: dict[int, Row] = {}
    seen, files = None, list[Path]()
    said = NOTHING.vstack(pl.DataFrame([("R001", "R002", verdict, "ann")], schema=NOTHING.schema, orient="row"))
    for came, gone in batches:
        held = {n: row for n, row in {**held, **came}.items() if n not in gone} or came
        frame = prepared(held, LEARNED)
        now = incremental.fingerprints(frame, SMALL)
        fresh = incremental.fresh(now, seen)
        standing = incremental.standing(files, frame["record_id"], fresh, SMALL)
        part = decide(frame, said, fresh, standing)
        whole = decide(frame, said, None, standing.clear())
        assert part.pairs.equals(whole.pairs)
        assert part.labels == whole.labels
        if {1, 2} <= held.keys():
            places = [frame["record_id"].to_list().index(name) for name in ("R001", "R002")]
            assert (part.labels[places[0]] == part.labels[places[1]]) == (verdict == "link")
        seen, files = now, [stored(part.pairs, folder)]


def test_a_row_as_prepared_follows_from_its_record_and_what_was_learned_alone() -> None:
    held = {n: (f"Fam{'ABC'[n]}", "Brzwik", "19400110", "M", str(n), 1) for n in range(3)}
    alone = {0: held[0]}
    assert prepared(held)["given_known"].all()
    assert not prepared(alone)["given_known"].any()
    known = learned(prepared(held))
    assert known.rows() == [("given name", "BRZWIK")]
    assert prepared(alone, known).drop("n").equals(prepared(held)[:1].drop("n"))
    assert not prepared(held, known.clear())["given_known"].any()


def tables(catalog: Catalog) -> dict[str, pl.DataFrame]:
    return {name: catalog.read(name) for name in ("match_records", "pairs", "persons", "person_events")}


def test_a_run_compares_what_is_new_and_ends_as_a_full_one(tmp_path: Path) -> None:
    project = make_project(tmp_path, "rad", "card", "onk")
    rows = [*crowd(), person("onk", "O9", "Weidinger^Ursula", "19610409")]
    write(project, "instances", rows)
    first = match(project)
    assert (first.counts["fresh"], first.counts["kept"]) == (17, 0)
    fitted = (project.catalog_dir / "match" / "fitted.json").read_text()
    # one comes, one goes, one is another now
    later = [
        *rows[1:-1],
        person("onk", "O9", "Weidinger^Ulla", "19610409"),
        person("onk", "O1", "Lehmann^Otto", "19410823"),
    ]
    write(project, "instances", later)
    part = match(project)
    assert part.counts["fresh"] == 2
    assert part.counts["kept"] > 5
    found = tables(Catalog(project))
    whole = match(project, force=True)
    assert (whole.counts["fresh"], whole.counts["kept"]) == (17, 0)
    for name, frame in tables(Catalog(project)).items():
        assert frame.equals(found[name]), name
    assert (project.catalog_dir / "match" / "fitted.json").read_text() == fitted
    again = match(project, refit=True)
    assert any("weights were fitted: asked for" in line for line in again.left)


def _labels(*pairs: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(pairs, schema=["record_a", "record_b", "decided"], orient="row", strict=False).cast(pl.String)


LABELS = _labels(*((f"R{n}", f"R{n + 1}", "link") for n in range(30)))
REASONS: dict[str, tuple[tuple[str, int, pl.DataFrame], str | None]] = {
    "nothing new": (("digest", 1000, LABELS), None),
    "a few records more": (("digest", 1100, LABELS), None),
    "many records more": (("digest", 1101, LABELS), "there are 1101 records"),
    "many records fewer": (("digest", 899, LABELS), "there are 899 records"),
    "another model": (("other", 1000, LABELS), "model or its names changed"),
    "twenty decisions taken back": (("digest", 1000, LABELS.tail(10)), None),
    "more decisions taken back": (("digest", 1000, LABELS.tail(9)), "21 decisions"),
    "decided otherwise": (("digest", 1000, LABELS.with_columns(decided=pl.lit("not_same"))), "60 decisions"),
}


@pytest.mark.parametrize("case", REASONS)
def test_when_weights_are_fitted_anew(case: str) -> None:
    asked, expected = REASONS[case]
    fit = kept.Kept(TRAINED.fitted, TRAINED.frequencies, LEARNED, LABELS, {"model_sha256": "digest", "records": 1000})
    reason = fit.due(*asked)
    assert reason is None if expected is None else expected in str(reason)


def _cut(folder: Path) -> None:
    file = next(folder.glob("fit-*")) / "frequencies.parquet"
    file.write_bytes(file.read_bytes()[:50])


def _older(folder: Path) -> None:
    told: dict[str, Any] = json.loads((folder / "fitted.json").read_text())
    del told["folder"]
    (folder / "fitted.json").write_text(json.dumps(told))


@pytest.mark.parametrize("damage", [_cut, _older, lambda folder: (folder / "fitted.json").write_text("{")])
def test_a_fit_is_read_as_it_was_written_and_one_that_cannot_be_read_is_none(
    tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    project = make_project(tmp_path)
    assert kept.read(project, SMALL) is None
    for run in (1, 2):
        kept.write(
            project, SMALL, kept.Kept(TRAINED.fitted, TRAINED.frequencies, LEARNED, LABELS, {"run": run, "records": 40})
        )
    found = kept.read(project, SMALL)
    assert found is not None
    assert found.fitted.as_json(SMALL) == TRAINED.fitted.as_json(SMALL)
    assert found.frequencies.table.equals(TRAINED.frequencies.table)
    assert found.learned.equals(LEARNED)
    assert found.labels.equals(LABELS)
    assert found.facts["run"] == 2
    assert [path.name for path in (project.catalog_dir / "match").glob("fit-*")] == ["fit-2"]
    damage(project.catalog_dir / "match")
    assert kept.read(project, SMALL) is None


def test_fingerprints_count_for_the_pairs_and_the_fit_they_were_kept_with(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    (project.catalog_dir / "match").mkdir(parents=True)
    prints = incremental.fingerprints(ALL, SMALL)
    assert kept.seen(project, fit=1, pairs=4) is None
    kept.remember(project, prints, fit=1, pairs=4)
    found = kept.seen(project, fit=1, pairs=4)
    assert found is not None
    assert found.equals(prints)
    assert kept.seen(project, fit=1, pairs=5) is None
    assert kept.seen(project, fit=2, pairs=4) is None
