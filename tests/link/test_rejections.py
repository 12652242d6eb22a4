"""Rejection notes and the checks of references, on one catalog of separate cases that the link stage reads once."""

from __future__ import annotations

from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.link import link
from fonds.plan import plan
from tests.handmade import instance, make_project, write

NOTE = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.59", "Modality": "KO", "pixel_length": None, "digest_pixels": None}
SR = {**NOTE, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "Modality": "SR"}


def to(sop: str | None = None, relation: str = "evidence", **uids: str) -> dict[str, Any]:
    return {"carrier": "C", "relation": relation, "sop_uid": sop, **uids}


def made(place: str, study: str, sop: str, *references: dict[str, Any], **more: Any) -> dict[str, Any]:
    source, location = place.split("/")
    about = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1", "SOPInstanceUID": sop, "AccessionNumber": ""}
    return instance(source, location, **{**about, **more}, references=list(references))


def note(place: str, study: str, sop: str, title: str, *references: dict[str, Any], **more: Any) -> dict[str, Any]:
    return made(place, study, sop, *references, **{**NOTE, "DocumentTitleCode": title, **more})


def copies(group: str, letter: str, *members: tuple[str, str, int]) -> list[dict[str, Any]]:
    rows = []
    for place, sop, content in members:
        source, member = place.split("/")
        about = {"group_id": group, "class": letter, "level": "instance", "disposition": "inform", "sop_uid": sop}
        rows.append({**about, "source": source, "member": member, "content": content})
    return rows


CASES = [
    # 1: a copy in another archive is taken back too, what has other pixels isn't
    made("rad/a1", "1.1", "1.1.1"),
    made("card/a2", "1.1", "1.1.1"),
    made("old/a3", "1.1", "1.1.1"),
    note("rad/n1", "1.1", "1.1.9", "113001", to("1.1.1"), to("1.1.1", "content")),
    # 2: two contents in one archive and study, told apart by the series the note names
    made("rad/b1", "1.2", "1.2.1"),
    made("rad/b2", "1.2", "1.2.1", SeriesInstanceUID="1.2.2"),
    note("rad/n2", "1.2", "1.2.9", "113037", to("1.2.1", series_uid="1.2.2", study_uid="1.2")),
    # 3: of another patient
    made("rad/c1", "1.3", "1.3.1", PatientID="P2"),
    note("rad/n3", "1.4", "1.4.9", "113001", to("1.3.1")),
    # of a patient of another issuer, of whom nobody knows whether it is the same
    made("card/c2", "1.12", "1.12.1", PatientID="P3"),
    note("rad/n10", "1.13", "1.13.9", "113001", to("1.12.1"), PatientID="P4"),
    # 4: a note that is taken back itself, twice over, and a whole series
    made("rad/d1", "1.5", "1.5.1"),
    note("rad/n4", "1.5", "1.5.9", "113001", to("1.5.1"), SeriesInstanceUID="1.5.3"),
    note("rad/n5", "1.5", "1.5.8", "113001", to("1.5.9"), SeriesInstanceUID="1.5.4"),
    made("rad/e1", "1.6", "1.6.1"),
    made("rad/e2", "1.6", "1.6.2"),
    note("rad/n6", "1.6", "1.6.9", "113039", to(series_uid="1.6.1", study_uid="1.6"), SeriesInstanceUID="1.6.2"),
    # 5: the study a note was made in isn't what it takes back
    made("rad/f1", "1.7", "1.7.1"),
    note("rad/n7", "1.7", "1.7.9", "113001", to(study_uid="1.7", relation="referenced-study"), to("1.7.8")),
    # 6: stored anew under another UID: in the same study, and where it belongs
    made("rad/g1", "1.8", "1.8.1"),
    made("rad/g2", "1.9", "1.9.1"),
    note("rad/n8", "1.8", "1.8.9", "113001", to("1.8.1")),
    made("rad/h1", "1.10", "1.10.1"),
    made("rad/h2", "1.11", "1.11.1"),
    note("rad/n9", "1.10", "1.10.9", "113038", to("1.10.1")),
    # 7: checks of references: what lacks in a study that is here, another class, evidence, versions, a frame
    made("rad/i1", "1.20", "1.20.1"),
    made("rad/i2", "1.21", "1.21.1", to("1.20.7", study_uid="1.20"), **SR),
    made("rad/i3", "1.21", "1.21.2", to("1.20.1", sop_class_uid="1.2.3"), to("1.21.1", "content"), **SR),
    made("rad/v1", "1.22", "1.22.1", **SR),
    made("rad/v2", "1.22", "1.22.2", to("1.22.1", "predecessor"), **SR),
    made("rad/v3", "1.22", "1.22.3", to("1.22.1", "predecessor"), **SR),
    made("rad/w1", "1.23", "1.23.1", FrameOfReferenceUID="1.77", SOPClassUID="1.2.840.10008.5.1.4.1.1.66.4"),
]
DUPLICATES = [
    *copies("D1", "d", ("rad/a1", "1.1.1", 1), ("card/a2", "1.1.1", 1), ("old/a3", "1.1.1", 2)),
    *copies("D2", "d", ("rad/b1", "1.2.1", 1), ("rad/b2", "1.2.1", 2)),
    *copies("E6", "e", ("rad/g1", "1.8.1", 1), ("rad/g2", "1.9.1", 1)),
    *copies("E7", "e", ("rad/h1", "1.10.1", 1), ("rad/h2", "1.11.1", 1)),
]
Told = dict[str, set[tuple[str, str, str]]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    project = make_project(tmp_path_factory.mktemp("rejections"), "rad", "card", "old")
    write(project, "instances", CASES)
    write(project, "duplicates", DUPLICATES)
    with Catalog(project).connect() as connection:
        persons = connection.sql(
            "SELECT record_id, 'N' || PatientID AS person_id, PatientID <> 'P4' AS settled FROM patient_records"
        )
        write(project, "persons", persons.pl().to_dicts())
    link(project)
    plan(project)
    found: Told = {}
    catalog = Catalog(project)
    for kind, source, study, entity in catalog.read("gaps").select("kind", "source", "study_uid", "entity").iter_rows():
        found.setdefault(kind, set()).add((source, study, entity))
    rejects = catalog.read("links").filter("rejects")
    found["rejects"] = set(rejects.select("source", "location", "resolved_location").rows())
    gone = catalog.read("plan").filter(reason="rejected-object")
    found["gone"] = set(gone.select("source", "study_uid", "location").rows())
    return found


def test_a_note_takes_back_copies_everywhere_but_no_other_content(told: Told) -> None:
    assert {row for row in told["rejected-object"] if row[1] == "1.1"} == {
        ("rad", "1.1", "1.1.1"),
        ("card", "1.1", "1.1.1"),
    }
    # where another content of the UID stays, the file is named by its place
    assert {row for row in told["rejected-object"] if row[1] == "1.2"} == {("rad", "1.2", "b2")}
    assert {row[2] for row in told["gone"] if row[1] in ("1.1", "1.2")} == {"a1", "a2", "b2"}


def test_a_note_of_another_patient_is_told_and_not_heeded(told: Told) -> None:
    assert told["rejection-of-other-patient"] == {("rad", "1.3", "1.3.1"), ("card", "1.12", "1.12.1")}
    assert not [row for row in told["rejected-object"] if row[1] in ("1.3", "1.12")]


def test_a_note_taken_back_takes_nothing_back_and_a_series_goes_whole(told: Told) -> None:
    assert {row for row in told["rejected-object"] if row[1] == "1.5"} == {("rad", "1.5", "1.5.9")}
    assert {row for row in told["rejected-object"] if row[1] == "1.6"} == {
        ("rad", "1.6", "1.6.1"),
        ("rad", "1.6", "1.6.2"),
    }
    assert ("rad", "n4", "d1") not in told["rejects"]
    assert ("rad", "n5", "n4") in told["rejects"]


def test_the_study_of_a_note_stays(told: Told) -> None:
    assert not [row for row in told["rejected-object"] if row[1] == "1.7"]


def test_rejected_pixels_under_another_uid_are_told_unless_filed_right_at_last(told: Told) -> None:
    assert told["rejected-again"] == {("rad", "1.9", "1.9.1")}


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        ("dangling-in", ("rad", "1.20", "1.20.7")),
        ("class-differs", ("rad", "1.21", "1.20.1")),
        ("evidence-incomplete", ("rad", "1.21", "1.21.2")),
        ("several-versions", ("rad", "1.22", "1.22.1")),
        ("frame-of-reference-unknown", ("rad", "1.23", "1.77")),
    ],
)
def test_what_references_say_is_checked(told: Told, kind: str, row: tuple[str, str, str]) -> None:
    assert told[kind] == {row}
