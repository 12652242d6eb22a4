"""Choosing among candidates at the desk: what is shown, what is recorded, what the next run makes of it."""

from __future__ import annotations

import html
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from fonds.catalog.store import Catalog
from fonds.desk.app import create_app
from fonds.normalize import normalize
from fonds.operations import decisions
from fonds.project.settings import Project, load
from tests.desk.conftest import HOME, token
from tests.normalize.packs import configured, site_pack

THEME = """
rules:
  - id: site.procedures
    title: Procedures of the site
    attributes: [StudyDescription]
    action: lookup
    dictionary: tables/procedures.yaml
    ask: 0.5
    examples: [{name: unknown, before: zzz, after: zzz}]
"""
DICTIONARY = """
modalities: {ct: [CT]}
procedures:
  - {code: A, meaning: CT Wirbelkanal, modality: [CT]}
  - {code: B, meaning: CT Wirbelkanal zervikal, modality: [CT]}
  - {code: C, meaning: CT Wirbelkanal <b>lumbal, modality: [CT]}
"""
TEXT = "CT Wirbelkanal <script>dorsal"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = site_pack(tmp_path, "site", THEME)
    (folder / "tables").mkdir()
    (folder / "tables" / "procedures.yaml").write_text(DICTIONARY, encoding="utf-8")
    with (tmp_path / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "test", "sources": {"radiology": configured({"packs": ["site@1"]})}}, file)
    opened = load(tmp_path)
    texts = [TEXT, TEXT.upper(), TEXT, "CT Wirbelkanal sakral"]
    rows = [
        {"source": "radiology", "location": f"o{n}", "StudyInstanceUID": f"1.{n}", "PatientID": f"P{n}"}
        | {"Modality": "CT", "StudyDescription": text}
        for n, text in enumerate(texts)
    ]
    Catalog(opened).replace("instances", pl.DataFrame(rows))
    normalize(opened)
    return opened


@pytest.fixture
def steward(project: Project) -> Iterator[TestClient]:
    with TestClient(create_app(project), base_url=HOME) as client:
        client.post("/sign-in", data={"token": token(client, "/sign-in"), "name": "Ann Steward"})
        yield client


def question(client: TestClient, text: str) -> str:
    """The form that asks about a text."""
    forms = re.findall(r'<form class="question".*?</form>', client.get("/changes").text, re.DOTALL)
    return next(form for form in forms if html.escape(text) in form)


def answer(client: TestClient, text: str, choice: str, **more: str):
    change = re.search(r'name="change" value="([^"]+)"', question(client, text))
    assert change
    form = {"token": token(client), "change": change[1], "choice": choice} | more
    return client.post("/choices", data=form, follow_redirects=False)


def state(project: Project) -> dict[str, tuple[str, str]]:
    changes = Catalog(project).read("changes").to_dicts()
    return {row["location"]: (row["state"], row["after"]) for row in changes}


def test_candidates_stand_side_by_side_with_score_and_why(steward: TestClient) -> None:
    form = question(steward, TEXT)
    shown = [html.unescape(value) for value in re.findall(r'type="radio" name="choice" value="([^"]*)"', form)]
    assert set(shown) == {"=CT Wirbelkanal", "=CT Wirbelkanal zervikal", "=CT Wirbelkanal <b>lumbal", "none"}
    assert shown[-1] == "none", "none of these comes last"
    assert re.search(r"\d\d %", form)
    assert "the text has: script dorsal" in form
    assert re.search(r"<b>3</b> studies", form), "one question for all studies of the spelling"
    assert "checked" not in form, "nothing is chosen beforehand"


def test_texts_and_candidates_are_shown_as_text(steward: TestClient) -> None:
    page = steward.get("/changes").text
    assert "<script>dorsal" not in page
    assert "<b>lumbal" not in page
    assert "&lt;script&gt;dorsal" in page


def test_a_choice_holds_for_all_studies_of_the_spelling(steward: TestClient, project: Project) -> None:
    before = re.search(r"Changes <b>(\d+)</b>", steward.get("/changes").text)
    assert before is not None
    assert before[1] == "2"
    assert answer(steward, TEXT, "=CT Wirbelkanal zervikal").status_code == 303
    page = steward.get("/changes").text
    assert "Changes <b>1</b>" in page
    assert "CT Wirbelkanal zervikal</span></span> by Ann Steward" in question(steward, TEXT)
    normalize(project)
    assert {place: found for place, found in state(project).items() if found[0] == "approved"} == dict.fromkeys(
        ("o0", "o1", "o2"), ("approved", "CT Wirbelkanal zervikal")
    )
    made = decisions.standing(project, "mapping").to_dicts()
    assert [(row["subject_a"], row["verdict"], row["who"]) for row in made] == [
        ("site.procedures", "map", "Ann Steward")
    ]
    assert json.loads(made[0]["subject_b"])["value"] == "B"


def test_none_of_these_is_an_answer_and_can_be_taken_back(steward: TestClient, project: Project) -> None:
    answer(steward, TEXT, "none")
    assert "none of these" in question(steward, TEXT)
    normalize(project)
    assert set(state(project)) == {"o3"}
    page = steward.get("/decisions").text
    assert "none of these" in page
    steward.post("/decisions/1/undo", data={"token": token(steward)})
    normalize(project)
    assert set(state(project)) == {"o0", "o1", "o2", "o3"}


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"choice": "=CT Thorax"}, 409),
        ({"choice": ""}, 422),
        ({"change": "C0"}, 404),
        ({"token": "forged"}, 403),
        ({"choice": "x" * 2000}, 422),
    ],
)
def test_what_was_not_offered_is_not_recorded(
    steward: TestClient, project: Project, form: dict[str, str], status: int
) -> None:
    assert answer(steward, TEXT, form.pop("choice", "=CT Wirbelkanal"), **form).status_code == status
    assert decisions.all_decisions(project).is_empty()


def test_nobody_chooses_before_giving_a_name(steward: TestClient, project: Project) -> None:
    with TestClient(create_app(project), base_url=HOME) as visitor:
        form = {"token": token(visitor, "/sign-in"), "change": "C1", "choice": "none"}
        assert visitor.post("/choices", data=form, follow_redirects=False).status_code in {303, 403}
    assert decisions.all_decisions(project).is_empty()


def test_a_value_of_one_patient_is_chosen_for_that_patient(steward: TestClient, project: Project) -> None:
    changes = Catalog(project).read("changes")
    plain = json.dumps([{"value": "A", "score": 0.9, "why": "one"}, {"value": "B", "score": 0.5, "why": "two"}])
    Catalog(project).replace("changes", changes.with_columns(pl.lit(plain).alias("candidates")))
    shutil.rmtree(project.catalog_dir / "catalog.duckdb", ignore_errors=True)
    with TestClient(create_app(project), base_url=HOME) as client:
        client.post("/sign-in", data={"token": token(client, "/sign-in"), "name": "Ann Steward"})
        assert "What should it say?" in question(client, TEXT)
        answer(client, TEXT, "=B")
        made = decisions.standing(project, "change").to_dicts()
        assert [(row["verdict"], row["subject_b"]) for row in made] == [("choose", "B")]
        assert made[0]["subject_a"] in set(changes["change_id"])
