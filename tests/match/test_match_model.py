from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from fonds.errors import DefinitionInvalid
from fonds.match import names
from fonds.match.definition import Matcher, Names, load, load_all
from fonds.match.prepare import prepare
from fonds.match.run import link
from fonds.project.definitions import load_yaml
from fonds.project.folders import shipped
from tests.handmade import make_project

MODEL = load_yaml(shipped() / "matchers/patient.yaml", Matcher)
NAMES = load_yaml(shipped() / "matchers/tables/names.yaml", Names)
NOTHING = pl.DataFrame(schema=dict.fromkeys(("record_a", "record_b", "decided", "decided_by"), pl.String))


def _frame() -> pl.DataFrame:
    rows = [
        ("Müller^Jürgen", "19610409", "M", "a"), ("MUELLER^JUERGEN", "19610409", "M", "b"),
        ("Kahl^Eva", "19700203", "F", "a"),
        ("KAHL^EWA", "19700203", "F", "b"),
        ("Brandt^Otto", "19410823", "M", "a"), ("OTTO^BRANDT", "19410823", "M", "b"),
        ("Stein^Rosa", "19530611", "F", "a"), ("STEIN^ROSA", "19531106", "F", "b"), ("Stein^Lea", "19530611", "F", "b"),
    ]  # fmt: skip
    made = [
        {"record_id": f"R{n}", "source": s, "issuer": s, "PatientID": f"{n}", "PatientName": name,
         "PatientBirthName": None,
         "PatientBirthDate": birth, "PatientSex": sex, "last_study": "20200101", "studies": [f"1.{n}"]}
        for n, (name, birth, sex, s) in enumerate(rows)
    ]  # fmt: skip
    return pl.DataFrame(made, schema_overrides={"PatientBirthName": pl.String})


@settings(max_examples=5, deadline=None)
@given(st.permutations(range(9)))
def test_the_order_of_records_changes_nothing(order: list[int]) -> None:
    straight, _ = link(prepare(_frame(), MODEL, NAMES), MODEL, NOTHING)
    shuffled, _ = link(prepare(_frame()[order], MODEL, NAMES), MODEL, NOTHING)
    assert shuffled.labels == straight.labels
    assert shuffled.pairs.equals(straight.pairs)


def test_a_pair_weighs_the_same_from_both_sides() -> None:
    mirror = _frame().with_columns(record_id=pl.Series([f"R{9 - n}" for n in range(9)]))
    one, _ = link(prepare(_frame(), MODEL, NAMES), MODEL, NOTHING)
    two, _ = link(prepare(mirror, MODEL, NAMES), MODEL, NOTHING)
    weights = {(a, b): w for a, b, w in one.pairs.select("record_a", "record_b", "weight").rows()}
    for a, b, weight in two.pairs.select("record_a", "record_b", "weight").rows():
        turned = tuple(sorted((f"R{9 - int(a[1:])}", f"R{9 - int(b[1:])}")))
        assert weights[turned] == pytest.approx(weight)  # type: ignore[index]


@given(st.text(max_size=30))
def test_folding_gives_plain_words_for_any_text(text: str) -> None:
    folder = names.Folder(NAMES)
    folded = [*names.words(text), *folder.family(text)["family_parts"], *folder.given(text)["given_tokens"]]
    assert all(word.isascii() and word.isalpha() and word.isupper() for word in folded)


def test_duckdb_measures_as_rapidfuzz_does_on_folded_names() -> None:
    import duckdb

    words = [
        names.key("".join(names.words(text))) for text in ("Müller", "Mülelr", "Größl", "Weiß", "Núñez", "O'Brien")
    ]
    for a in words:
        for b in words:
            found = duckdb.sql(f"SELECT jaro_winkler_similarity('{a}', '{b}'), damerau_levenshtein('{a}', '{b}')")
            similar, edits = found.fetchall()[0]
            assert similar == pytest.approx(JaroWinkler.similarity(a, b), abs=1e-6)
            assert edits == DamerauLevenshtein.distance(a, b)


def test_the_shipped_models_are_valid_and_one_adds_to_the_other(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    models = {matcher.title: matcher for matcher in load_all(project)}
    plain = load(project)[0]
    assert plain.title in models
    more = next(matcher for title, matcher in models.items() if title != plain.title)
    assert more.comparisons[: len(plain.comparisons)] == plain.comparisons
    assert (more.constraints, more.link_needs[: len(plain.link_needs)]) == (plain.constraints, plain.link_needs)


def test_mistakes_of_a_model_are_listed(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    text = (shipped() / "matchers/patient.yaml").read_text(encoding="utf-8")
    (tmp_path / "matchers").mkdir()
    (tmp_path / "matchers/patient.yaml").write_text(text.replace("birth_date: [day-month]", "birth_date: [dayish]"))
    with pytest.raises(DefinitionInvalid, match="birth_date has no level dayish"):
        load_all(project)
