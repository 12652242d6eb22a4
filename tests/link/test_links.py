from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.link import link
from fonds.project.settings import Project
from tests.handmade import instance, make_project, write

SR = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33", "Modality": "SR", "pixel_length": None, "digest_pixels": None}
KOS = {**SR, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.59", "Modality": "KO"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, "rad", "card")


def to(sop: str | None = None, relation: str = "evidence", carrier: str = "C", **uids: str) -> dict[str, Any]:
    names = ("study_uid", "series_uid", "sop_class_uid", "frame_of_reference_uid")
    return {"carrier": carrier, "relation": relation, "sop_uid": sop, **{name: uids.get(name) for name in names}}


def linked(project: Project, *rows: dict[str, Any]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    write(project, "instances", list(rows))
    link(project)
    catalog = Catalog(project)
    return catalog.read("links").to_dicts(), catalog.read("gaps").to_dicts()


def kinds(gaps: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(gap["kind"], gap["source"], gap["entity"]) for gap in gaps}


def test_each_reference_ends_here_elsewhere_or_nowhere(project: Project) -> None:
    links, gaps = linked(
        project,
        instance("rad", "sr", **SR, SOPInstanceUID="1.50", references=[to("1.51"), to("1.52"), to("1.53")]),
        instance("rad", "here", SOPInstanceUID="1.51"),
        instance("card", "elsewhere", SOPInstanceUID="1.52"),
        instance("card", "both", SOPInstanceUID="1.51"),
    )
    assert [(row["to_sop_uid"], row["state"], row["resolved_source"], row["resolved_location"]) for row in links] == [
        ("1.51", "resolved-here", "rad", "here"),
        ("1.52", "resolved-other-archive", "card", "elsewhere"),
        ("1.53", "dangling", None, None),
    ]
    assert {row["from_sop_uid"] for row in links} == {"1.50"}
    assert kinds(gaps) == {("dangling-reference", "rad", "1.53")}


def test_a_reference_said_twice_is_one_link_with_both_carriers(project: Project) -> None:
    links, _ = linked(
        project,
        instance(
            "rad", "sr", **SR, references=[to("1.51", carrier="B"), to("1.51", carrier="A"), to("1.51", "content")]
        ),
        instance("rad", "x", SOPInstanceUID="1.51"),
    )
    assert [(row["relation"], row["carrier"]) for row in links] == [("content", "C"), ("evidence", "A, B")]


def test_coarser_references_resolve_by_what_they_name(project: Project) -> None:
    cases = [
        (to(series_uid="1.2"), "resolved-here"),
        (to(series_uid="9.9", study_uid="1.1"), "dangling"),
        (to(study_uid="1.1"), "resolved-here"),
        (to(study_uid="1.7"), "resolved-other-archive"),
        (to(frame_of_reference_uid="1.77"), "resolved-here"),
        # only the pointing object names this frame of reference, and this UID
        (to(frame_of_reference_uid="1.78.5"), "dangling"),
        (to("1.60.6"), "dangling"),
        # an object lies in its own study, be it the only one
        (to(study_uid="1.62.7"), "resolved-here"),
    ]
    pointing = [
        instance(
            "rad",
            f"seg{number}",
            SOPInstanceUID=f"1.60.{number}",
            SeriesInstanceUID=f"1.61.{number}",
            StudyInstanceUID="1.62.7" if number == 7 else "1.1",
            FrameOfReferenceUID=f"1.78.{number}",
            references=[reference],
        )
        for number, (reference, _) in enumerate(cases)
    ]
    links, _ = linked(
        project,
        *pointing,
        instance("rad", "x", FrameOfReferenceUID="1.77"),
        instance("card", "y", StudyInstanceUID="1.7"),
    )
    assert [row["state"] for row in links] == [state for _, state in cases]


def test_both_ends_of_one_patient_by_id_or_person(project: Project) -> None:
    rows = (
        instance("rad", "sr", **SR, references=[to("1.51"), to("1.52"), to("1.53")]),
        instance("rad", "a", SOPInstanceUID="1.51"),
        instance("rad", "b", SOPInstanceUID="1.52", PatientID="P2"),
        # whether another issuer's P1 is the same patient is for matching to say
        instance("card", "c", SOPInstanceUID="1.53", StudyInstanceUID="1.7", AccessionNumber="A9"),
    )
    links, gaps = linked(project, *rows)
    assert [row["same_patient"] for row in links] == [True, False, None]
    assert {gap for gap in kinds(gaps) if gap[0] == "other-patient"} == {("other-patient", "rad", "1.52")}
    with Catalog(project).connect() as connection:
        records = connection.sql("SELECT record_id FROM patient_records").fetchall()
    write(project, "persons", [{"record_id": record, "person_id": "N1", "settled": True} for (record,) in records])
    links, gaps = linked(project, *rows)
    assert [row["same_patient"] for row in links] == [True, True, True]
    assert not [gap for gap in gaps if gap["kind"] == "other-patient"]


def test_a_report_counts_under_its_study_or_accession_in_any_archive(project: Project) -> None:
    _, gaps = linked(
        project,
        instance("rad", "a", StudyInstanceUID="1.1", AccessionNumber="A1"),
        instance("card", "sr", **SR, StudyInstanceUID="1.8", AccessionNumber=" A1 "),
        instance("rad", "b", StudyInstanceUID="1.2", AccessionNumber="A2"),
        instance("rad", "c", StudyInstanceUID="1.3", AccessionNumber=""),
        instance("rad", "pdf", **{**SR, "Modality": "DOC"}, StudyInstanceUID="1.3", AccessionNumber=""),
        instance("rad", "lonely", **SR, StudyInstanceUID="1.4", AccessionNumber=""),
        instance(
            "rad",
            "dose",
            **{**SR, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67", "Modality": "XX"},
            StudyInstanceUID="1.2",
            AccessionNumber="A2",
        ),
    )
    assert kinds(gaps) == {("images-without-report", "rad", "1.2"), ("report-without-images", "rad", "1.4")}


@pytest.mark.parametrize(("title", "expected"), [("113001", {("rejected-object", "rad", "1.51")}), ("113000", set())])
def test_a_rejection_note_takes_its_objects_back(
    project: Project, title: str, expected: set[tuple[str, str, str]]
) -> None:
    _, gaps = linked(
        project,
        instance("rad", "note", **KOS, DocumentTitleCode=title, references=[to("1.51"), to("1.51", "content")]),
        instance("rad", "sr", **SR, references=[to("1.52")]),
        instance("rad", "a", SOPInstanceUID="1.51"),
        instance("rad", "b", SOPInstanceUID="1.52"),
    )
    assert kinds(gaps) == expected


def test_a_rejection_note_is_no_report_and_a_missing_study_is_named(project: Project) -> None:
    _, gaps = linked(
        project,
        instance("rad", "note", **KOS, DocumentTitleCode="113037", references=[to("1.99", study_uid="1.98")]),
        instance("rad", "a"),
    )
    assert kinds(gaps) == {
        ("dangling-reference", "rad", "1.99"),
        ("referenced-study-missing", "rad", "1.98"),
        ("images-without-report", "rad", "1.1"),
    }


def test_a_second_run_is_unchanged(project: Project) -> None:
    linked(project, instance("rad", "sr", **SR, references=[to("1.51")]))
    assert link(project).status == "unchanged"
    assert link(project, force=True).counts["dangling"] == 1


def test_what_an_index_knows_and_no_file_holds_is_missing(project: Project) -> None:
    lost = {
        "source": "rad",
        "kind": "only-in-index",
        "level": "STUDY",
        "study_uid": "8.1",
        "attribute": "StudyInstanceUID",
    }
    write(project, "drift", [{**lost, "index_source": "db"}, {**lost, "index_source": "pacs"}])
    _, gaps = linked(project, instance("rad", "a"))
    (gap,) = [gap for gap in gaps if gap["kind"] == "missing-files"]
    assert (gap["source"], gap["study_uid"], gap["entity"]) == ("rad", "8.1", "8.1")
    assert gap["message"] == "the study is in db, pacs, but no file of rad belongs to it"
