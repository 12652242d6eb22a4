"""Duplicates at the desk: the queue, a group side by side, what verdicts would bring and whether the stages do that."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from starlette.testclient import TestClient

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate
from fonds.desk.app import create_app
from fonds.link import link
from fonds.operations import audit, decisions
from fonds.operations.models import Audit, session
from fonds.operations.runs import mirrored
from fonds.project.settings import Project, load
from tests.desk.conftest import HOME, token
from tests.handmade import instance, make_project, settle, write

EVIL = "<script>alert(1)</script>"
KEYS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")
NOTE = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.59", "Modality": "KO", "pixel_length": None, "digest_pixels": None}
CARDIAC = {"StudyDate": "20220506", "StudyTime": "101112", "AccessionNumber": "A77", "StudyDescription": "MR heart"}


def made(place: str, patient: str, study: str, series: str, sop: str, *targets: str, **more: Any) -> dict[str, Any]:
    """An object; `targets` (study series object) make it a key object that points to them."""
    source, location = place.split("/")
    words = ("study_uid", "series_uid", "sop_uid")
    pointed = [
        {"carrier": "C", "relation": "evidence", **dict(zip(words, one.split(), strict=True))} for one in targets
    ]
    uids = dict(zip(KEYS, (patient, study, series, sop), strict=True))
    # examinations of one patient far apart, so that only those meet that are meant to
    day = {"StudyDate": f"20{int(study.split('.')[1]):02d}0304", "AccessionNumber": f"A{study}"}
    return instance(
        source, location, **day, **uids, **(NOTE if targets else {}), **more, references=pointed or None
    )  # fmt: skip


OBJECTS = [
    # other pixels under one UID, in two series of two archives, and what points to either
    made("rad/d1", "P1", "1.1", "1.1.1", "1.1.9"),
    made("card/d2", "P1", "1.1", "1.1.2", "1.1.9", PatientName=EVIL),
    made("card/d3", "P1", "1.1", "1.1.2", "1.1.9", digest_pixels="pixels card d2", digest_object="object card d2"),
    made("card/ko1", "P1", "1.1", "1.1.3", "1.1.20", "1.1 1.1.2 1.1.9"),
    made("rad/ko2", "P1", "1.1", "1.1.4", "1.1.21", "1.1 1.1.1 1.1.9"),
    # the same within one series: what the key object means can't be told
    made("rad/e1", "P1", "1.2", "1.2.1", "1.2.9"),
    made("rad/e2", "P1", "1.2", "1.2.1", "1.2.9"),
    made("rad/ko3", "P1", "1.2", "1.2.2", "1.2.20", "1.2 1.2.1 1.2.9"),
    # one study on two patients
    *(made(f"rad/g{n}", "P1", "1.3", "1.3.1", f"1.3.1{n}") for n in range(3)),
    made("rad/g3", "P2", "1.3", "1.3.2", "1.3.19", PatientName="Roe^Zoe"),
    made("rad/ko4", "P2", "1.4", "1.4.1", "1.4.20", "1.3 1.3.2 1.3.19"),
    # one examination twice
    *(made(f"rad/h{n}", "P3", "1.5", "1.5.1", f"1.5.1{n}") | CARDIAC for n in range(2)),
    made("card/h2", "P3", "1.6", "1.6.1", "1.6.12") | CARDIAC,
    made("card/ko5", "P3", "1.6", "1.6.2", "1.6.20", "1.6 1.6.1 1.6.12") | CARDIAC,
    made("rad/ko6", "P3", "1.9", "1.9.1", "1.9.20", "1.6 1.6.1 1.6.99"),
    # other attributes only, and copies without a question
    made("rad/c1", "P4", "1.7", "1.7.1", "1.7.9", digest_pixels="same", StudyDescription=f"Hip {EVIL}"),
    made("card/c2", "P4", "1.7", "1.7.1", "1.7.9", digest_pixels="same", StudyDescription=f"Knee {EVIL}"),
    made("rad/a1", "P5", "1.8", "1.8.1", "1.8.9", digest_object="equal"),
    made("card/a2", "P5", "1.8", "1.8.1", "1.8.9", digest_object="equal"),
]


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The objects above after the stages that ask."""
    project = make_project(tmp_path_factory.mktemp("twice") / "hospital", "rad", "card")
    write(project, "instances", OBJECTS)
    settle(project)
    with Catalog(project).connect() as connection:
        persons = connection.sql(
            "SELECT * REPLACE ('P' || r.PatientID AS person_id) FROM persons p JOIN patient_records r USING (record_id)"
        ).pl()
    Catalog(project).replace("persons", persons.select("record_id", "person_id", "cluster_size", "settled"))
    deduplicate(project)
    link(project)
    publish(Catalog(project), mirrored(project))
    return project


@pytest.fixture(scope="module")
def desk(gathered: Project) -> Iterator[TestClient]:
    """A browser of Ann at the desk; nothing is decided with it."""
    with at_desk(gathered) as client:
        yield client


def at_desk(project: Project) -> TestClient:
    client = TestClient(create_app(project), base_url=HOME)
    client.post("/sign-in", data={"token": token(client, "/sign-in"), "name": "Ann"})
    return client


def classes(project: Project) -> dict[str, str]:
    """Group by member of those that wait."""
    rows = Catalog(project).read("duplicates").filter(pl.col("disposition") == "hold")
    return {row["member"]: row["group_id"] for row in rows.sort("class").to_dicts()}


def text(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</?mark>", "", page))).split())


def listed(client: TestClient, query: str = "") -> list[str]:
    return re.findall(r'href="/duplicates/([^"?]+)\?', client.get(f"/duplicates{query}").text)


def effects(page: str) -> dict[str, list[str]]:
    """What each verdict is said to bring."""
    options = re.findall(
        r'<div class="option">\s*<button name="verdict" value="([^"]+)"(.*?)</div>\s*</div>', page, re.DOTALL
    )
    return {verdict: [text(one) for one in re.findall(r"<li[^>]*>(.*?)</li>", rest)] for verdict, rest in options}


def test_the_queue_asks_about_what_holds_most_first(desk: TestClient, gathered: Project) -> None:
    groups = classes(gathered)
    of = [groups[one] for one in ("1.5", "1.3", "d1", "e1", "c1")]
    assert set(listed(desk)) == set(of)
    assert listed(desk)[0] == of[0], "two studies wait for it, for the others one"
    assert "5 groups" in desk.get("/duplicates").text
    assert re.search(r"Duplicates <b>5</b>", desk.get("/").text)
    assert listed(desk, "?letter=g") == [groups["1.3"]]
    assert set(listed(desk, "?source=card")) == {groups[one] for one in ("1.5", "d1", "c1")}
    assert listed(desk, "?band=possible&letter=d") == []
    assert listed(desk, "?state=decided") == []
    assert desk.get("/duplicates?letter=z").status_code == 422


def test_files_stand_side_by_side_with_their_contents_and_what_differs(desk: TestClient, gathered: Project) -> None:
    page = desk.get(f"/duplicates/{classes(gathered)['d1']}").text
    told = text(page)
    assert "3 files have one SOP Instance UID and 2 different contents." in told
    assert re.findall(r"(d\d) .*?content (\d)", told) == [("d1", "1"), ("d2", "2"), ("d3", "2")]
    assert "The policy would keep it : its archive comes first in fonds.yaml" in told
    row = re.search(r'<th scope="row">PatientName</th>(.*?)</tr>', page, re.DOTALL)
    assert row
    assert re.findall(r">Doe\^Ann<", row[1]), "raw, beside the other one"
    assert unescape(re.sub(r"<[^>]+>", "", row[1])).count(EVIL) == 1, "escaped, and nothing of it lost"
    assert EVIL not in page
    assert "1 object points to it" in told
    page = desk.get(f"/duplicates/{classes(gathered)['c1']}").text
    row = re.search(r'<th scope="row">StudyDescription</th>(.*?)</tr>', page, re.DOTALL)
    assert row
    assert unescape(re.sub(r"</?(mark|span|td)\b[^>]*>", "", row[1])).startswith(f"Hip {EVIL}Knee {EVIL}")
    assert EVIL not in page


def test_studies_stand_side_by_side_with_why_they_may_be_one(desk: TestClient, gathered: Project) -> None:
    page = desk.get(f"/duplicates/{classes(gathered)['1.5']}").text
    told = text(page)
    assert "Accession A77 A77 same" in told
    assert "Objects 2 2 same" in told
    assert "Archives rad card ≠ differs" in told
    assert "CT no description 2 objects" in told
    assert re.search(r"Study A and Study B: \w+, score \d\.\d\d\d", told)
    assert re.search(r"accession equal \+6\.0", told)
    assert re.search(r'value="rad\|1\.5" required checked', page), "the policy's study is marked"
    both = text(desk.get(f"/duplicates/{classes(gathered)['1.3']}").text)
    assert "Patient ID P1 P2 ≠ differs" in both
    assert "Objects 3 1 ≠ differs" in both
    assert "Patient 1 keeps the Study UID" in both


def test_what_would_follow_is_told_before(desk: TestClient, gathered: Project) -> None:
    groups = classes(gathered)
    told = {one: effects(desk.get(f"/duplicates/{groups[one]}").text) for one in ("d1", "e1", "1.3", "1.5", "c1")}
    assert told["d1"]["remap"] == [
        "1 object gets new UIDs",
        "1 object is left behind as a copy",
        "1 object that points to them will follow: 1 in card",
    ]
    assert told["d1"]["keep"][0] == "2 objects are left behind as copies"
    assert told["e1"]["remap"][-1] == "careful: of 1 object it can't be told what they point to, so this may be refused"
    assert told["1.3"]["remap"] == ["1 object gets new UIDs", "1 object that points to them will follow: 1 in rad"]
    assert told["1.5"]["unite"] == [
        "2 objects get new UIDs",
        "1 object that points to them will follow: 1 in card",
        "careful: of 1 object it can't be told what they point to, so this may be refused",
    ]
    assert told["c1"].keys() == {"keep", "drop-copy", "separate"}, "nothing tells them apart by a new UID"


def test_a_group_that_is_not_there_and_pages_beyond_the_end(desk: TestClient) -> None:
    assert desk.get("/duplicates/Dnone").status_code == 404
    assert desk.get("/duplicates/%3Cscript%3E").status_code == 404
    assert "No group of duplicates waits" in desk.get("/duplicates?page=99").text
    assert "Nothing was refused" in desk.get("/refused").text


def test_verdicts_are_carried_out_as_told_refused_with_a_reason_and_taken_back(
    gathered: Project, tmp_path: Path
) -> None:
    project = load(shutil.copytree(gathered.root, tmp_path / "hospital"))
    groups, client = classes(project), at_desk(project)

    def decide(member: str, verdict: str, mark: str = "", **more: str) -> int:
        form = {"token": token(client, "/duplicates/" + groups[member]), "verdict": verdict, "member": mark, **more}
        return client.post("/duplicates/" + groups[member], data=form, follow_redirects=False).status_code

    assert decide("c1", "remap") == 422, "no verdict on other attributes"
    assert decide("c1", "keep") == 422, "none is marked"
    assert decide("c1", "keep", "rad|elsewhere") == 422
    assert decisions.all_decisions(project).is_empty()
    assert decide("c1", "keep", "card|c2", comment="later edit") == 303
    assert decide("c1", "separate") == 409, "somebody decided meanwhile"
    assert decide("c1", "separate", seen="1") == 303
    assert client.post("/decisions/2/undo", data={"token": token(client)}).status_code == 200
    for member, verdict, mark in (
        ("d1", "remap", ""),
        ("e1", "remap", ""),
        ("1.3", "remap", ""),
        ("1.5", "unite", "card|1.6"),
    ):
        assert decide(member, verdict, mark) == 303, member
    assert listed(client) == []
    made = [
        (row["subject_a"], row["subject_b"], row["verdict"], row["who"])
        for row in decisions.standing(project, "duplicate").to_dicts()
    ]
    assert set(made) == {
        (groups["c1"], "card|c2", "keep", "Ann"),
        *((groups[one], "", "remap", "Ann") for one in ("d1", "e1", "1.3")),
        (groups["1.5"], "card|1.6", "unite", "Ann"),
    }
    with session(project) as opened:
        assert ("Ann", "view", f"duplicate {groups['d1']}") in [
            (one.who, one.act, one.subject) for one in opened.query(Audit)
        ]
    assert audit.verify(project) == []

    deduplicate(project)
    link(project)
    told = {one: text(client.get(f"/duplicates/{groups[one]}").text) for one in ("d1", "e1", "1.3", "1.5", "c1")}
    assert "Carried out: 1 object gets new UIDs, 1 that points to them follows (card)." in told["d1"]
    assert "Carried out: 1 object gets new UIDs, 1 that points to them follows (rad)." in told["1.3"]
    assert "Carried out: 2 objects get new UIDs, 0 that point to them follow." in told["1.5"], "into the other study"
    assert "Ann decided on" in told["c1"]
    assert "keep this one card c2" in told["c1"]
    assert "The new UIDs can't be given (ambiguous)" in told["e1"]
    refused = client.get("/refused").text
    assert re.findall(r'href="/duplicates/([^"?]+)\?state=all"><code>', refused) == [groups["e1"]]
    assert "which one it means can't be told" in text(refused)
    assert "What to do: decide the group otherwise" in text(refused)
    assert "1 group or rule can't be given new UIDs" in text(client.get("/duplicates").text)
    back = re.search(r'action="(/decisions/\d+/undo)"', refused)
    assert back
    assert "was taken back" in client.post(back[1], data={"token": token(client), "back": "/refused"}).text
    assert groups["e1"] not in decisions.standing(project, "duplicate")["subject_a"].to_list()
