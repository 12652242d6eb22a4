from __future__ import annotations

from pathlib import Path

import pytest

from fonds.catalog.store import Catalog
from fonds.project.settings import Project
from tests.link.around import ends, gaps, linked, make, order, report, study


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Orders and reports that lead to studies in each way there is, each of persons of its own."""
    project = make(tmp_path_factory.mktemp("feeds") / "p")
    studies = [
        study("rad", "1.1", "A", "100"),
        study("old", "1.1", "A", "100"),
        study("rad", "1.2", "B", "101"),
        study("card", "1.3", "C", "102"),
        study("old", "1.4", "D", "103"),
        study("old", "1.5", "E", "104"),
        study("old", "1.6", "F", "104"),
        study("rad", "1.7", "G", "105"),
        study("rad", "1.8", "G", "0105", Modality="MR"),
        study("rad", "1.9", "H", "106"),
        study("rad", "1.10", "OPEN", "107"),
        study("rad", "1.11", "I", "108"),
        study("rad", "1.12", "J", "108"),
        study("rad", "2.1", "K", None, StudyDate="20210304"),
        study("rad", "3.1", "L", None, StudyDate="20210304", Modality="CT"),
        study("rad", "3.2", "L", None, StudyDate="20210304", Modality="MR"),
        study("rad", "3.3", "L", None, StudyDate="20210306", Modality="CT"),
        study("rad", "3.4", "L", None, StudyDate="20210401", StudyDescription="Knie links, 2 Ebenen", Modality="CR"),
        study("rad", "3.5", "L", "120", StudyDate="20210501"),
        study("rad", "4.1", "SAME", None),
        study("card", "4.2", "SAME", None),
        study("rad", "4.3", "APART", None),
        study("card", "4.4", "APART", None),
    ]
    orders = [
        order("uid", "A", study_uid=" 1.1 ", accession="999"),
        order("uid-lost", "A", study_uid="9.9", accession="00100"),
        order("accession", "B", accession="101"),
        order("other-issuer", "C", accession="102", issuer="CARD"),
        order("other-issuer-stranger", None, accession="102"),
        order("no-issuer", None, accession="103"),
        order("no-issuer-two", None, accession="104"),
        order("two-studies", "0G", accession="105"),
        order("other-person", "A", accession="106"),
        order("uid-other-person", "A", study_uid="1.9"),
        order("open-person", "A", accession="107"),
        order("on-two", None, accession="108"),
        order("numbers", "K", study_uid="2.1", filler_order="F-77", placer_order="P1"),
        order("none", None, accession="31337", status="performed"),
        order("ct", "L", modality="CT", scheduled="2021-03-05T07:30:00+01:00"),
        order("far", "L", modality="CT", scheduled="2021-03-10"),
        order("named", "L", description="Knie links 2 Ebenen", scheduled="2021-04-02"),
        order("nameless", "L", ordered="2021-03-05"),
        order("taken", "L", accession="120"),
        order("taken-too", "L", modality="CT", scheduled="2021-05-01"),
        order("whoever", "SAME", issuer="", study_uid="4.1"),
        order("ambiguous", "APART", issuer="", study_uid="4.3"),
        order("nobody", "UNKNOWN", study_uid="4.1"),
        # a feed whose patients have no issuer
        {**order("web", "SAME", issuer="", study_uid="4.1"), "feed": "web"},
    ]
    reports = [
        report("by-filler", "K", filler_order="f77"),
        report("by-placer", None, placer_order="P-1"),
        report("filler-other-person", "A", filler_order="F77"),
        report("after", "L", modality="MR", issued="2021-03-11"),
        report("before", "L", modality="MR", issued="2021-03-03"),
        report("uid", "A", study_uid="1.1"),
    ]
    linked(project, studies, orders, reports, unsettled=("OPEN",), apart=("APART",))
    return project


LINKS = {
    "uid": {("1.1", "study-uid", "linked", True)},
    "uid-lost": {("1.1", "accession", "linked", True)},
    "accession": {("1.2", "accession", "linked", True)},
    # two issuers' numbers are different ones: one person makes it likely, nothing more
    "other-issuer": {("1.3", "accession", "suggested", True)},
    "other-issuer-stranger": {(None, None, "none", None)},
    # where no issuer is known, nobody else may have the number
    "no-issuer": {("1.4", "accession", "linked", None)},
    "no-issuer-two": {("1.5", "accession", "suggested", None), ("1.6", "accession", "suggested", None)},
    "two-studies": {("1.7", "accession", "linked", True), ("1.8", "accession", "linked", True)},
    "other-person": {(None, None, "none", None)},
    "uid-other-person": {("1.9", "study-uid", "linked", False)},
    "open-person": {("1.10", "accession", "linked", None)},
    "on-two": {("1.11", "accession", "suggested", None), ("1.12", "accession", "suggested", None)},
    "none": {(None, None, "none", None)},
    "ct": {("3.1", "patient-and-day", "suggested", True), ("3.3", "patient-and-day", "suggested", True)},
    "far": {(None, None, "none", None)},
    "named": {("3.4", "patient-and-day", "suggested", True)},
    "nameless": {(None, None, "none", None)},
    "taken": {("3.5", "accession", "linked", True)},
    "taken-too": {(None, None, "none", None)},
    "whoever": {("4.1", "study-uid", "linked", True)},
    "nobody": {("4.1", "study-uid", "linked", None)},
    "web": {("4.1", "study-uid", "linked", True)},
}


def test_each_order_ends_at_its_study(told: Project) -> None:
    found = ends(told)
    assert {name: found["order", name] for name in LINKS} == LINKS


def test_a_report_goes_where_its_order_went(told: Project) -> None:
    found = ends(told)
    assert found["report", "by-filler"] == {("2.1", "order", "linked", True)}
    assert found["report", "by-placer"] == {("2.1", "order", "linked", None)}
    assert found["report", "filler-other-person"] == {(None, None, "none", None)}


def test_a_report_is_suggested_after_its_study_only(told: Project) -> None:
    found = ends(told)
    assert found["report", "after"] == {("3.2", "patient-and-day", "suggested", True)}
    assert found["report", "before"] == {(None, None, "none", None)}


def test_what_leads_to_another_person_is_told_instead(told: Project) -> None:
    assert gaps(told, "order-on-other-patient", "report-on-other-patient") == {
        ("order-on-other-patient", "ris", "1.9", "other-person"),
        ("order-on-other-patient", "ris", "1.9", "uid-other-person"),
    }
    persons = {
        row["entity"]: row["person_id"]
        for row in Catalog(told).read("gaps").to_dicts()
        if row["kind"] == "order-on-other-patient"
    }
    assert persons == {"other-person": "NA", "uid-other-person": "NA"}


def test_whose_a_row_is_follows_from_issuer_and_identifier(told: Project) -> None:
    persons = {
        (row["feed"], row["id"]): row["person_id"]
        for row in Catalog(told).read("feed_links").to_dicts()
        if row["kind"] == "order"
    }
    # leading zeros don't tell persons apart
    assert persons["ris", "two-studies"] == "NG"
    assert persons["ris", "nobody"] is persons["ris", "ambiguous"] is None
    assert persons["web", "web"] == "NSAME"


def test_a_question_about_two_persons_makes_nobody_else_one_of_them(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    studies = [
        study("rad", "1.1", "A", "100"),
        study("rad", "1.2", "B", "101"),
        study("rad", "1.3", "C", "102"),
        study("rad", "1.4", "D", "103"),
        study("rad", "1.5", "B", "103"),
        study("rad", "1.6", "A", "104"),
        study("rad", "1.7", "B", "104"),
    ]
    # whether A and B are one is asked; C and D are neither
    reports = [report("maybe", "B", accession="100"), report("other", "C", accession="101")]
    linked(project, studies, reports=reports, asked=(("A", "B"),))
    assert ends(project) == {
        ("report", "maybe"): {("1.1", "accession", "linked", None)},
        ("report", "other"): {(None, None, "none", None)},
    }
    assert gaps(project, "report-on-other-patient") == {("report-on-other-patient", "ris", "1.2", "other")}
    assert {study for _, _, study, _ in gaps(project, "accession-on-two-patients")} == {"1.4", "1.5"}
