"""The desk over HTTP: what it shows, what it records, what it refuses."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from starlette.testclient import TestClient

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.desk.app import create_app
from fonds.operations import audit, decisions
from fonds.operations.models import Audit, session
from fonds.operations.runs import mirrored
from fonds.project.settings import Project
from tests.desk.conftest import HOME, token
from tests.report.handmade import record_of

UNSURE = tuple(sorted((record_of(6, "radiology"), record_of(7, "oncology"))))  # most at stake, first in the queue
SCRIPT = tuple(sorted((record_of(2, "cardiology"), record_of(2, "surgery"))))
CLEAR = tuple(sorted((record_of(0, "radiology"), record_of(0, "cardiology"))))


def address(pair: tuple[str, ...]) -> str:
    return f"/pairs/{pair[0]}/{pair[1]}"


def decide(client: TestClient, pair: tuple[str, ...], verdict: str, **more: str):
    form = {"token": token(client), "verdict": verdict, **more}
    return client.post(address(pair), data=form, follow_redirects=False)


def acts(project: Project) -> list[tuple[str, str, str]]:
    with session(project) as opened:
        return [(row.who, row.act, row.subject) for row in opened.query(Audit).order_by(Audit.number)]


def test_nobody_sees_anything_before_giving_a_name(visitor: TestClient) -> None:
    for path in ("/", address(UNSURE), "/changes", "/duplicates", "/duplicates/G2", "/refused", "/decisions"):
        answer = visitor.get(path, follow_redirects=False)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?back=")
    page = visitor.get("/")
    assert "Who decides?" in page.text
    assert "Nowak" not in page.text


def test_the_queue_begins_with_most_at_stake(steward: TestClient) -> None:
    page = steward.get("/").text
    listed = re.findall(r'href="(/pairs/[^"?]+)', page)
    assert listed == [address(UNSURE), address(SCRIPT), address(CLEAR)]
    assert "3 pairs" in page


def test_the_queue_is_filtered(steward: TestClient) -> None:
    assert re.findall(r'href="(/pairs/[^"?]+)', steward.get("/?source=surgery").text) == [address(SCRIPT)]
    assert "No pair here" in steward.get("/?state=decided").text
    decide(steward, SCRIPT, "link")
    assert re.findall(r'href="(/pairs/[^"?]+)', steward.get("/?state=decided").text) == [address(SCRIPT)]
    assert len(re.findall(r'href="/pairs/[^"?]+', steward.get("/?state=all").text)) == 3
    assert steward.get("/?state=nonsense").status_code == 422


def test_a_pair_shows_both_records_their_differences_and_the_evidence(steward: TestClient, project: Project) -> None:
    page = steward.get(address(UNSURE)).text
    assert "Nowak^<mark>" in page
    assert page.count('class="differs"') == 4, "name, birth date, patient ID, issuer"
    assert "differs</td>" in page, "told by a word, not by colour alone"
    assert "No approved rule changes these values." in page
    drawn = page[page.index('class="timeline"') :]
    assert drawn.count("<circle") == 2
    assert drawn.count('<rect class="b"') == 2
    assert re.search(r'class="fall".*?<rect class="against"', page, re.DOTALL)
    assert "weight" in page.lower()
    assert ("Ann Steward", "view", f"pair {UNSURE[0]} {UNSURE[1]}") in acts(project)


def test_approved_changes_are_shown_beside_the_raw_values(steward: TestClient, project: Project) -> None:
    catalog = Catalog(project)
    changes = catalog.read("changes")
    catalog.replace("changes", changes.with_columns(pl.lit("approved").alias("state")))
    publish(catalog, mirrored(project))
    page = steward.get(address(SCRIPT)).text
    assert "changed by rule" in page


def test_objects_given_to_another_patient_are_shown_with_that_one(steward: TestClient, project: Project) -> None:
    catalog = Catalog(project)
    given = catalog.read("instances").filter(pl.col("StudyInstanceUID") == "1.2.3.4.0.1")
    changes = given.select("source", "location", pl.lit("PatientID").alias("attribute")).with_columns(
        pl.lit("(0010,0020)").alias("path"), pl.lit("4714").alias("before"), pl.lit("9999").alias("after"),
        pl.lit("approved").alias("state"), pl.lit("C-moved").alias("change_id"),
    )  # fmt: skip
    catalog.replace("changes", changes)
    with catalog.connect() as connection:
        split = sorted(one for (one,) in connection.sql(
            "SELECT record_id FROM patient_records WHERE PatientID = '4714'").fetchall())  # fmt: skip
    assert len(split) == 2
    pair = catalog.read("pairs").head(1).with_columns(
        pl.lit(split[0]).alias("record_a"), pl.lit(split[1]).alias("record_b")
    )  # fmt: skip
    catalog.replace("pairs", pair)
    publish(catalog, mirrored(project))
    page = steward.get(address(tuple(split))).text
    assert [page.count(f"accession A4{study}") for study in (0, 1)] == [1, 1]
    assert page.count("9999") == 1
    assert page.count("changed by rule") == 1


def test_a_name_that_is_a_script_is_text_on_every_page(steward: TestClient) -> None:
    for path in ("/", address(SCRIPT), "/changes", "/duplicates", "/duplicates/G2", "/refused"):
        page = steward.get(path).text
        assert "<script>" not in page
        assert page.count("<script") == 1, "the desk's own file"
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in steward.get("/").text
    assert "&lt;" in steward.get(address(SCRIPT)).text


def test_a_decision_is_on_record_with_who_and_when(steward: TestClient, project: Project) -> None:
    answer = decide(steward, UNSURE, "not_same", comment="different <b>birth dates</b>")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{address(SCRIPT)}?told=1", "goes on to the next open pair"
    row = decisions.standing(project, "pair").row(0, named=True)
    assert (row["subject_a"], row["subject_b"]) == UNSURE
    assert (row["verdict"], row["who"], row["comment"]) == ("not_same", "Ann Steward", "different <b>birth dates</b>")
    assert ("Ann Steward", "decide", f"pair {UNSURE[0]} {UNSURE[1]}") in acts(project)
    assert audit.verify(project) == []
    page = steward.get(address(UNSURE)).text
    assert "Ann Steward decided on" in page
    assert "not the same person" in page
    assert "different &lt;b&gt;birth dates&lt;/b&gt;" in page


def test_a_decision_can_be_taken_back(steward: TestClient, project: Project) -> None:
    decide(steward, UNSURE, "link")
    form = {"token": token(steward), "back": address(UNSURE)}
    answer = steward.post("/decisions/1/undo", data=form)
    assert "Decision 1 was taken back" in answer.text
    assert decisions.standing(project, "pair").is_empty()
    assert decisions.all_decisions(project)["verdict"].to_list() == ["link", "undone"]
    assert steward.post("/decisions/1/undo", data=form).status_code == 409
    page = steward.get("/decisions").text
    assert "taken back" in page
    assert f"{UNSURE[0]} {UNSURE[1]}" in page


def test_cannot_tell_decides_nothing_but_is_on_record(steward: TestClient, project: Project) -> None:
    answer = decide(steward, UNSURE, "cannot_tell")
    assert answer.headers["location"] == address(SCRIPT)
    assert decisions.all_decisions(project).is_empty()
    assert ("Ann Steward", "cannot-tell", f"pair {UNSURE[0]} {UNSURE[1]}") in acts(project)


def test_the_last_of_the_queue_leads_back_to_it(steward: TestClient) -> None:
    assert decide(steward, CLEAR, "link").headers["location"] == "/?told=1"


def test_two_stewards_never_overrule_each_other_unknowingly(steward: TestClient, project: Project) -> None:
    decisions.record(project, "pair", *UNSURE, verdict="link", who="Ben")
    answer = decide(steward, UNSURE, "not_same", seen="0")
    assert answer.status_code == 409
    assert "decided by Ben while you looked" in answer.text
    assert decisions.standing(project, "pair")["verdict"].to_list() == ["link"]
    assert decide(steward, UNSURE, "not_same", seen="1").status_code == 303


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-out", address(UNSURE), "/changes", "/duplicates/G2", "/decisions/1/undo"]
)
def test_a_post_without_the_forms_token_is_refused(steward: TestClient, project: Project, path: str) -> None:
    decisions.record(project, "pair", *CLEAR, verdict="link", who="Ben")
    form = {"verdict": "link", "subject": "names.two-words", "name": "Eve"}
    for forged in ({}, {"token": ""}, {"token": "x"}, {"token": "WyJ4Il0.forged"}, {"token": "ü"}):
        assert steward.post(path, data=form | forged, follow_redirects=False).status_code == 403
    assert decisions.all_decisions(project).height == 1


def test_the_token_of_another_browser_is_refused(steward: TestClient, project: Project) -> None:
    other = TestClient(create_app(project), base_url=HOME)
    form = {"verdict": "link", "token": token(other, "/sign-in")}
    assert steward.post(address(UNSURE), data=form).status_code == 403


def test_a_session_from_before_signing_in_is_worth_nothing(visitor: TestClient) -> None:
    early = token(visitor, "/sign-in")
    before = visitor.cookies["fonds_desk"]
    visitor.post("/sign-in", data={"token": early, "name": "Ann"})
    assert visitor.cookies["fonds_desk"] != before
    assert visitor.post(address(UNSURE), data={"verdict": "link", "token": early}).status_code == 403


def test_a_forged_cookie_is_no_name(visitor: TestClient) -> None:
    visitor.cookies.set("fonds_desk", "WyJ4IiwgIkV2ZSJd.aaaa.bbbb", domain="127.0.0.1")
    assert visitor.get("/", follow_redirects=False).status_code == 303


def test_a_name_is_needed(visitor: TestClient) -> None:
    form = {"token": token(visitor, "/sign-in"), "name": "   "}
    assert visitor.post("/sign-in", data=form).status_code == 422


def test_after_signing_in_it_leads_nowhere_else(visitor: TestClient) -> None:
    for back in ("https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "x", "/a\nb"):
        form = {"token": token(visitor, "/sign-in"), "name": "Ann", "back": back}
        assert visitor.post("/sign-in", data=form, follow_redirects=False).headers["location"] == "/"


def test_signing_out_forgets_the_name(steward: TestClient) -> None:
    steward.post("/sign-out", data={"token": token(steward)})
    assert steward.get("/", follow_redirects=False).status_code == 303


def test_every_answer_carries_the_safety_headers(steward: TestClient) -> None:
    for path in ("/", "/sign-in", "/static/desk.css", "/nothing-here"):
        headers = steward.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    cookie = steward.post("/sign-in", data={"token": token(steward), "name": "Ann"}, follow_redirects=False)
    assert re.search(r"HttpOnly.*SameSite=strict", cookie.headers["set-cookie"], re.IGNORECASE)


def test_pages_have_nothing_inline_that_the_policy_would_stop(steward: TestClient) -> None:
    for path in (
        "/",
        address(SCRIPT),
        "/changes",
        "/duplicates",
        "/duplicates/G2",
        "/refused",
        "/decisions",
        "/sign-in",
    ):
        page = steward.get(path).text
        assert not re.search(r"\s(style|on[a-z]+)=", page), path
        assert not re.search(r'(src|href)="(?!/|#)', page), path


def test_another_host_name_is_refused(steward: TestClient) -> None:
    assert steward.get("/", headers={"host": "evil.example"}).status_code == 400


def test_what_is_not_there_is_not_there(steward: TestClient) -> None:
    for path in ("/docs", "/openapi.json", "/static/../app.py", "/static/..%2fapp.py", "/pairs/R1/R2"):
        assert steward.get(path).status_code == 404, path


def test_a_rule_is_approved_and_taken_back(steward: TestClient, project: Project) -> None:
    page = steward.get("/changes").text
    assert "names.two-words" in page
    assert "1 value waits" in page
    form = {"token": token(steward), "subject": "names.two-words", "verdict": "approve"}
    assert "approved by Ann Steward" in steward.post("/changes", data=form).text
    assert decisions.standing(project, "change").row(0)[1:5] == ("change", "names.two-words", "", "approve")
    steward.post("/decisions/1/undo", data={"token": token(steward), "back": "/changes"})
    assert "Approve the rule" in steward.get("/changes").text


def test_one_value_is_rejected(steward: TestClient, project: Project) -> None:
    form = {"token": token(steward), "subject": "C-C-221-s", "verdict": "reject"}
    assert "rejected by Ann Steward" in steward.post("/changes", data=form).text
    assert decisions.standing(project, "change")["subject_a"].to_list() == ["C-C-221-s"]


def test_the_desk_sees_what_a_stage_has_published_since(steward: TestClient, project: Project) -> None:
    assert "3 pairs" in steward.get("/").text
    catalog = Catalog(project)
    pairs = catalog.read("pairs")
    catalog.replace("pairs", pairs.filter(pl.col("weight") < 6))
    publish(catalog, mirrored(project))
    assert "2 pairs" in steward.get("/").text


def test_an_empty_catalog_is_no_error(tmp_path: Path) -> None:
    from tests.report.handmade import make_project

    client = TestClient(create_app(make_project(tmp_path)), base_url=HOME)
    client.post("/sign-in", data={"token": token(client, "/sign-in"), "name": "Ann"})
    assert "No pair waits" in client.get("/").text
    assert "No group of duplicates waits" in client.get("/duplicates").text


def test_the_key_is_readable_by_its_owner_only(steward: TestClient, project: Project) -> None:
    assert (project.catalog_dir / "desk.key").stat().st_mode & 0o777 == 0o600
