"""Pairs with a patient index at the desk: its columns, the order of the queue, the cluster, the blind sample."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.desk.app import create_app
from fonds.desk.reading import Reader
from fonds.operations import decisions
from fonds.operations.runs import mirrored
from fonds.project.settings import Project, load
from tests.desk.conftest import HOME, token
from tests.report.handmade import record_of
from tests.report.matched import ANNA, EVE, LINK, TWIN, with_feed

WITH_ANNA = tuple(sorted((ANNA, record_of(0, "cardiology"))))
WITH_EVE = tuple(sorted((EVE, record_of(2, "cardiology"))))
TORN = tuple(sorted(LINK))
BLIND = tuple(sorted((record_of(0, "radiology"), record_of(0, "cardiology"))))  # of the sample, and in the queue


@pytest.fixture(scope="module")
def matched(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return with_feed(load(shutil.copytree(filled, tmp_path_factory.mktemp("matched") / "hospital")))


@pytest.fixture(scope="module")
def shown(matched: Project) -> Iterator[TestClient]:
    """A steward's browser for tests that only look."""
    with TestClient(create_app(matched), base_url=HOME) as client:
        client.post("/sign-in", data={"token": token(client, "/sign-in"), "name": "Ann Steward"})
        yield client


@pytest.fixture
def project(matched: Project, tmp_path: Path) -> Project:
    """A copy for a test that decides something."""
    return load(shutil.copytree(matched.root, tmp_path / "hospital"))


def address(pair: tuple[str, ...]) -> str:
    return f"/pairs/{pair[0]}/{pair[1]}"


def listed(client: TestClient, query: str = "") -> list[str]:
    return re.findall(r'href="(/pairs/[^"?]+)', client.get(f"/{query}").text)


def decide(client: TestClient, pair: tuple[str, ...], verdict: str, **more: str) -> str:
    form = {"token": token(client), "verdict": verdict, **more}
    answer = client.post(address(pair), data=form, follow_redirects=False)
    assert answer.status_code == 303
    return answer.headers["location"]


def test_a_pair_with_the_index_shows_what_only_the_index_knows(shown: TestClient) -> None:
    page = shown.get(address(WITH_ANNA)).text
    for label, text in {
        "Phone": "0431 123", "Street": "Hafenweg 3", "Postcode": "24103", "City": "Kiel", "Birth name": "Huber",
        "Mother's name": "Petersen", "National ID": "N-77", "Other IDs": "4711 (ISS-RADI), x",
    }.items():  # fmt: skip
        row = page[page.index(f">{label.replace(chr(39), '&#39;')}</th>") :]
        row = re.sub(r"<[^>]+>", "", row[: row.index("</tr>")])
        assert text in row, label
        assert "absent" in row, "the archive knows none of it"
        assert "one only" in row, "which is no difference"
    assert "this record" in page
    assert "taken as told" in page
    assert len(re.findall("Studies of [AB]<", page)) == 1, "an index has no studies"
    assert 'class="timeline"' in page


def test_further_fields_are_shown_where_somebody_knows_them(shown: TestClient) -> None:
    page = shown.get(address(TORN)).text
    assert "Phone" not in page
    assert "Mother" not in page
    assert "patient index" in page, "the record beside them in the cluster"


def test_a_record_whose_person_the_index_knows_says_so(shown: TestClient) -> None:
    page = shown.get(f"{address(tuple(sorted((ANNA, record_of(0, 'radiology')))))}?state=all").text
    assert "as this person, in mpi" in page


def test_why_a_value_says_nothing_stands_beside_it(shown: TestClient) -> None:
    page = shown.get(address(tuple(sorted((TWIN, record_of(6, "surgery")))))).text
    assert "says nothing: default" in page
    assert "the given name says nothing: newborn" in page
    assert "perhaps trauma?" in page
    assert "only the year counts: derived from age" in shown.get(address(WITH_EVE)).text


def test_what_a_feed_tells_is_text_wherever_it_is_shown(shown: TestClient) -> None:
    for path in ("/", "/?state=sample", "/?state=all", address(WITH_EVE), f"{address(WITH_EVE)}?state=all"):
        page = shown.get(path).text
        assert page.count("<script") == 1, f"{path}: the desk's own file"
        assert not re.search(r"\s(style|on[a-z]+)=", page), path
    page = re.sub(r"<[^>]+>", "", shown.get(address(WITH_EVE)).text)
    assert page.count("&lt;script&gt;alert") >= 12, "each of its values, its evidence and its note is shown"


def test_first_comes_what_teaches_most_about_pairs_that_look_alike(shown: TestClient) -> None:
    order = listed(shown)
    assert order[0] == address(TORN), "of those that teach alike the one with most studies"
    assert set(order[1:3]) == {address(WITH_ANNA), address(WITH_EVE)}
    assert len(order) == 7
    assert "3 look like it" in shown.get("/").text
    page = shown.get(order[0]).text
    assert "Asked first because 3 pairs look like this one" in page
    assert f'href="{order[1]}?' in page, "and the next in turn"
    assert "Asked first" not in shown.get(order[-1]).text


def test_each_further_answer_about_a_pattern_is_worth_less(matched: Project) -> None:
    with Reader(matched).cursor() as cursor:
        taught = cursor.sql("SELECT taught FROM queued WHERE taught > 0 ORDER BY taught DESC").fetchall()
    assert [round(bits, 3) for (bits,) in taught] == [40.0, 20.0, 13.333]


def test_the_queue_is_filtered_by_feed(shown: TestClient) -> None:
    assert "<option>mpi</option>" in shown.get("/").text
    assert len(listed(shown, "?source=mpi")) == 3


def test_a_torn_cluster_is_shown_whole(steward: TestClient) -> None:
    page = steward.get(address(TORN)).text
    assert page.count("weakest link</mark>") == 1
    around = page[page.index('id="around"') :]
    assert f'href="{address(tuple(sorted((TWIN, record_of(6, "surgery")))))}?' in around, "its other open pair"
    assert "this one" in around
    assert "twins" in around
    assert '<line class="weakest"' in around
    assert '<line class="reject"' in around
    other = steward.get(address(tuple(sorted((TWIN, record_of(6, "surgery")))))).text
    assert f'href="{address(TORN)}?' in other


def test_a_pair_alone_has_no_cluster(shown: TestClient) -> None:
    assert 'id="around"' not in shown.get(address(WITH_EVE)).text


def test_a_rejected_pair_without_evidence_says_where_to_see_it(shown: TestClient) -> None:
    pair = tuple(sorted((record_of(5, "surgery"), record_of(1, "oncology"))))
    page = shown.get(f"{address(pair)}?state=all").text
    assert f"fonds explain pair {pair[0]} {pair[1]}" in page
    assert 'class="evidence"' not in page
    assert "What the machine says: reject" in page


def test_the_sample_is_labelled_blind(steward: TestClient, project: Project) -> None:
    order = listed(steward, "?state=sample")
    assert len(order) == 4
    page = steward.get("/?state=sample").text
    assert "0 of 4 labelled" in page
    for told in ("weight", "wait", "look like"):
        assert told not in page[page.index('class="queue"') :], told
    path = order[0]
    page = steward.get(f"{path}?state=sample").text
    assert "Hidden until you decide" in page
    for told in ("weight", "Weight", "evidence", "unsure", 'id="around"'):
        assert told not in page, told
    pair = tuple(path.split("/")[2:])
    assert decide(steward, pair, "link", state="sample") == f"{order[1]}?state=sample&told=1"
    assert decisions.standing(project, "pair")["subject_a"].to_list() == [pair[0]]
    assert "1 of 4 labelled" in steward.get("/?state=sample").text
    assert "Weight" in steward.get(f"{path}?state=sample").text, "shown once it is decided"
    assert listed(steward, "?state=sample") == order[1:]
    steward.post("/decisions/1/undo", data={"token": token(steward)})
    assert listed(steward, "?state=sample") == order


def test_a_pair_of_the_sample_is_blind_in_the_sample_only(shown: TestClient) -> None:
    page = shown.get(f"{address(BLIND)}?state=sample").text
    assert "Hidden until you decide" in page
    assert "as this person" not in page, "the index's record is whose the machine says"
    assert address(BLIND) in listed(shown)
    assert "Hidden until you decide" not in shown.get(address(BLIND)).text, "who works the queue needs the evidence"


def test_the_sample_leads_through_itself_and_ends(steward: TestClient) -> None:
    order = listed(steward, "?state=sample")
    followed = [decide(steward, tuple(path.split("/")[2:]), "not_same", state="sample") for path in order]
    assert [one.partition("?")[0] for one in followed] == [*order[1:], "/"]
    page = steward.get(followed[-1]).text
    assert "4 of 4 labelled" in page
    assert "Every pair of the sample here is labelled" in page


def test_a_drawn_pair_that_the_last_run_dropped_can_be_labelled(steward: TestClient, project: Project) -> None:
    catalog = Catalog(project)
    catalog.replace("pairs", catalog.read("pairs").filter(pl.col("record_a") != BLIND[0]))
    publish(catalog, mirrored(project))
    assert address(BLIND) in listed(steward, "?state=sample")
    assert "Hidden until you decide" in steward.get(f"{address(BLIND)}?state=sample").text
