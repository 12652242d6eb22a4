"""What is decided at the desk, the next run of the matching obeys; and what is taken back, it forgets."""

from __future__ import annotations

import re

from starlette.testclient import TestClient

from fonds.catalog.store import Catalog
from fonds.match import match
from fonds.project.settings import Project
from tests.desk.conftest import token
from tests.report.handmade import record_of

PAIR = tuple(sorted((record_of(2, "cardiology"), record_of(2, "surgery"))))


def outcome(project: Project) -> tuple[str, bool]:
    """Band of the pair, and whether both records are one person."""
    catalog = Catalog(project)
    pairs = {(row["record_a"], row["record_b"]): row["band"] for row in catalog.read("pairs").to_dicts()}
    persons = dict(catalog.read("persons").select("record_id", "person_id").rows())
    return pairs[PAIR], persons[PAIR[0]] == persons[PAIR[1]]


def decide(steward: TestClient, verdict: str) -> None:
    page = steward.get(f"/pairs/{PAIR[0]}/{PAIR[1]}").text
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen
    form = {"token": token(steward), "verdict": verdict, "seen": seen[1]}
    answer = steward.post(f"/pairs/{PAIR[0]}/{PAIR[1]}", data=form)
    assert answer.status_code == 200


def test_the_next_run_obeys(steward: TestClient, project: Project) -> None:
    match(project)
    assert outcome(project) == ("review", False)
    assert f"/pairs/{PAIR[0]}/{PAIR[1]}" in steward.get("/").text

    decide(steward, "link")
    assert outcome(project) == ("review", False), "nothing moves before the next run"
    match(project)
    assert outcome(project) == ("link", True)
    assert "Ann Steward decided on" in steward.get(f"/pairs/{PAIR[0]}/{PAIR[1]}").text

    decide(steward, "not_same")
    match(project)
    assert outcome(project) == ("reject", False)

    for number in (2, 1):
        steward.post(f"/decisions/{number}/undo", data={"token": token(steward)})
    match(project)
    assert outcome(project) == ("review", False)
