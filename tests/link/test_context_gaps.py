from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fonds.catalog.store import Catalog
from fonds.errors import DefinitionInvalid
from fonds.link import link
from fonds.project.settings import Project
from tests.link.around import REPORT, SEGMENTATION, gaps, linked, make, order, report, study

FUTURE, PAST = (datetime.now(tz=UTC).date() + timedelta(days=40)).isoformat(), "2021-03-10"
CAD = {**REPORT, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.50"}
PRESENTATION = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1", "Modality": "PR", "pixel_length": None}


def to(sop: str) -> list[dict[str, str | None]]:
    names = ("series_uid", "study_uid", "sop_class_uid", "frame_of_reference_uid")
    return [{"carrier": "C", "relation": "presentation", "sop_uid": sop, **dict.fromkeys(names)}]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Studies with and without what belongs to them; the feed's orders speak of March 2021 in the radiology."""
    project = make(tmp_path_factory.mktemp("gaps") / "p")
    studies = [
        # reports: none, of a feed, cancelled, preliminary twice and final at last, partial, under the accession number
        study("rad", "1.1", "A", "100", StudyDate="20210301"),
        study("rad", "1.2", "A", "101", StudyDate="20210302"),
        study("rad", "1.3", "A", "102", StudyDate="20210303"),
        study("rad", "1.4", "A", "103", StudyDate="20210304"),
        study("old", "1.4", "A", "103", StudyDate="20210304"),
        study("rad", "1.5", "A", "104", StudyDate="20210305"),
        study("rad", "1.6", "A", "105", StudyDate="20210306"),
        study("rad", "1.6", "A", "105", StudyDate="20210306", **REPORT, CompletionFlag="PARTIAL"),
        study("card", "1.7", "A", "200", StudyDate="20210307"),
        study("card", "1.8", "A", " 0200", **REPORT, StudyDate="20210309"),
        study("card", "1.9", "A", "201", **REPORT, StudyDate="20210309"),
        # a report of the same number, but of another person
        study("card", "1.10", "B", "202", StudyDate="20210307"),
        study("card", "1.11", "A", "202", **REPORT, StudyDate="20210309"),
        # nobody expects a report of these
        study("rad", "2.1", "B", None, StudyDate="20210310", PatientName="Phantom^Head"),
        study("rad", "2.2", "B", None, StudyDate="20210310", Modality="RTIMAGE"),
        study("rad", "2.3", "B", None, StudyDate="20210310", StudyDescription="OP-Durchleuchtung", Modality="XA"),
        study("rad", "2.4", "B", None, StudyDate="20210310", QualityControlSubject="YES"),
        # a CAD result is no report
        study("rad", "2.5", "B", None, StudyDate="20210310"),
        study("rad", "2.5", "B", None, StudyDate="20210310", **CAD),
        # orders: cancelled, cancelled and ordered anew, before and after what the feed speaks of
        study("rad", "3.1", "C", "300", StudyDate="20210308"),
        study("rad", "3.2", "C", "301", StudyDate="20210309"),
        study("rad", "3.3", "C", "302", StudyDate="20190101"),
        study("rad", "3.4", "C", "303", StudyDate="20210315"),
        # annotations: without image, beside one, of one in another archive and one in none, of one in none and copied
        study("rad", "4.1", "D", None, **SEGMENTATION, StudyDate="20200101"),
        study("rad", "4.2", "D", None, StudyDate="20200101"),
        study("rad", "4.2", "D", None, **SEGMENTATION, StudyDate="20200101"),
        study("rad", "4.3", "D", None, **PRESENTATION, StudyDate="20200101", references=to("4.4.2.1") + to("9.9")),
        study("card", "4.4", "D", None, StudyDate="20200101"),
        study("rad", "4.5", "D", None, **PRESENTATION, StudyDate="20200101", references=to("9.9")),
        study("old", "4.5", "D", None, **PRESENTATION, StudyDate="20200101", references=to("9.9")),
    ]  # fmt: skip
    orders = [
        order("o1", "A", accession="100", status="performed"),
        order("o2", "A", accession="105", status="performed"),
        order("c1", "C", accession="300", status="cancelled"),
        order("c2", "C", accession="301", status="cancelled"),
        order("c3", "C", accession="301", status="performed"),
        order("lost", "C", accession="900", status="performed"),
        order("past", "C", accession="901", status="open", scheduled=PAST),
        order("future", "C", accession="902", status="open", scheduled=FUTURE),
        order("too-early", "C", accession="908", status="performed", scheduled=FUTURE),
        order("someday", "C", accession="903", status="open", ordered=PAST),
        order("off", "C", accession="904", status="cancelled", scheduled=PAST),
        order("broken", "C", accession="905", status="unknown", scheduled="soon'; DROP TABLE gaps"),
        order("last", "C", accession="303"),
    ]
    reports = [
        report("r1", "A", accession="101"),
        report("r2", "A", accession="102", status="cancelled"),
        report("r3", "A", accession="103", status="preliminary"),
        report("r4", "A", accession="104", status="preliminary"),
        report("r5", "A", accession="104", status="amended"),
        report("alone", "A", accession="906", study_uid="9.8"),
        report("taken-back", "A", accession="907", status="cancelled"),
    ]
    linked(project, studies, orders, reports)
    return project


def test_images_without_a_report_that_is_expected(told: Project) -> None:
    assert {(source, study) for _, source, study, _ in gaps(told, "images-without-report")} == {
        *(("rad", "1.1"), ("rad", "1.3"), ("card", "1.10"), ("rad", "2.5")),
        *(("rad", "3.1"), ("rad", "3.2"), ("rad", "3.3"), ("rad", "3.4"), ("rad", "4.2"), ("card", "4.4")),
    }


def test_a_preliminary_report_is_none_to_end_with(told: Project) -> None:
    assert {(source, study) for _, source, study, _ in gaps(told, "only-preliminary-report")} == {
        ("rad", "1.4"),
        ("rad", "1.6"),
    }


def test_reports_without_images_of_archives_and_feeds(told: Project) -> None:
    assert gaps(told, "report-without-images") == {
        ("report-without-images", "card", "1.9", "1.9"),
        ("report-without-images", "card", "1.11", "1.11"),
        ("report-without-images", "ris", "9.8", "alone"),
    }


def test_orders_without_study_are_told_when_their_day_is_past(told: Project) -> None:
    found = {
        row["entity"]: row for row in Catalog(told).read("gaps").to_dicts() if row["kind"] == "order-without-study"
    }
    assert set(found) == {"lost", "past"}
    assert (found["lost"]["severity"], found["past"]["severity"]) == ("major", "minor")
    assert (found["lost"]["person_id"], found["lost"]["check_id"], found["lost"]["source"]) == ("NC", "ST-07", "ris")


def test_studies_without_order_where_and_when_a_feed_speaks(told: Project) -> None:
    assert {(source, study) for _, source, study, _ in gaps(told, "study-without-order")} == {
        # of March 2021, in the radiology: named once though another archive holds it too
        *(("rad", "1.2"), ("rad", "1.3"), ("rad", "1.4"), ("rad", "1.5")),
        *(("rad", "2.3"), ("rad", "2.5")),
    }


def test_images_of_an_order_that_was_cancelled(told: Project) -> None:
    assert gaps(told, "cancelled-order-with-images") == {("cancelled-order-with-images", "rad", "3.1", "c1")}


def test_annotations_whose_image_no_archive_holds(told: Project) -> None:
    found = [row for row in Catalog(told).read("gaps").to_dicts() if row["kind"] == "annotation-without-image"]
    assert [(row["source"], row["study_uid"], row["entity"], row["check_id"]) for row in found] == [
        ("rad", "4.1", "4.1.3.1", "RF-10"),
        ("rad", "4.5", "4.5.2.1", "RF-07"),
    ]


def test_a_feed_that_ends_earlier_knows_no_later_day(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    orders = [
        order(
            "before", None, accession="1", status="open", scheduled="2021-03-09T23:30:00-10:00", changed="2021-03-10"
        ),
        order("after", None, accession="2", status="open", scheduled="2021-03-11T00:30:00Z", changed="2021-03-10"),
    ]
    linked(project, [study("rad", "1.1", "A", "7")], orders)
    assert {entity for *_, entity in gaps(project, "order-without-study")} == {"before"}


def test_without_persons_feeds_or_uids_nothing_fails(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    odd = "A'\"\\\x00|" + "9" * 300
    linked(
        project, [study("rad", " ", "A", odd), study("rad", "1.1", "", odd, StudyDate="9999.99.99", SOPClassUID=None)]
    )
    Catalog(project).replace("persons", Catalog(project).read("persons").clear())
    assert link(project).status == "done"
    assert gaps(project, "images-without-report") == {("images-without-report", "rad", "1.1", "1.1")}
    assert link(project).status == "unchanged"


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("reports: {kinds: [film]}", "line 1"),
        ("reports: {kinds: []}\nsources: {rda: {}}", "no source or feed of fonds.yaml is called rda"),
        ("reports: {kinds: []}\nsources: {rad: {suffix: '['}}", "is no RE2 pattern"),
        ("reports: {kinds: []}\nwaivers: [{name: x, title: some reason, select: 'Modality = 1'}]", "modalities"),
    ],
)
def test_mistakes_in_the_rules_are_told(tmp_path: Path, rules: str, said: str) -> None:
    project = make(tmp_path / "p", rules)
    with pytest.raises(DefinitionInvalid, match=said):
        link(project)


def test_a_waiver_that_compares_what_cannot_be_compared_names_no_value(tmp_path: Path) -> None:
    rules = "reports: {kinds: []}\nwaivers: [{name: x, title: some reason, select: 'objects = PatientName'}]"
    project = make(tmp_path / "p", rules)
    with pytest.raises(DefinitionInvalid, match="a waiver compares") as raised:
        linked(project, [study("rad", "1.1", "A", PatientName="Doe")])
    assert "Doe" not in str(raised.value)


def test_a_site_says_where_no_report_is_expected(tmp_path: Path) -> None:
    rules = """
reports: {kinds: [report]}
waivers:
  - {name: ct, title: our own, waives: [order], select: "department = 'radiology' AND list_contains(modalities, 'CT')"}
sources: {old: {reports: false}}
"""
    project = make(tmp_path / "p", rules)
    studies = [
        study("rad", "1.1", "A", "1"),
        study("old", "1.2", "A", "2"),
        study("rad", "1.3", "A", "3", Modality="MR"),
    ]
    linked(project, studies, [order("o", "A", accession="1"), order("p", "A", scheduled="2021-03-04")])
    assert {study for _, _, study, _ in gaps(project, "images-without-report")} == {"1.1", "1.3"}
    assert {study for _, _, study, _ in gaps(project, "study-without-order")} == {"1.3"}
