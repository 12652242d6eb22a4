from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate
from fonds.operations import decisions
from fonds.project.settings import Project
from tests.handmade import instance, make_project, write


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, "rad", "card")


def found(project: Project, *rows: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """The stage's answer as {(class, source, member): row}."""
    write(project, "instances", list(rows))
    deduplicate(project)
    answer = Catalog(project).read("duplicates").to_dicts()
    return {(row["class"], row["source"], row["member"]): row for row in answer}


def dispositions(answer: dict[tuple[str, str, str], dict[str, Any]]) -> dict[tuple[str, str, str], str]:
    """All but class i, which two sources always add here."""
    return {key: row["disposition"] for key, row in answer.items() if key[0] != "i"}


def test_same_bytes_are_a_and_the_first_source_in_fonds_yaml_keeps(project: Project) -> None:
    same = {"SOPInstanceUID": "1.9", "digest_object": "o", "digest_header": "h", "digest_pixels": "p"}
    answer = found(project, instance("card", "a", **same), instance("rad", "z", **same), instance("rad", "x"))
    assert dispositions(answer) == {("a", "rad", "z"): "keep", ("a", "card", "a"): "drop-copy"}
    assert (answer["a", "card", "a"]["kept_source"], answer["a", "card", "a"]["kept_location"]) == ("rad", "z")
    assert answer["a", "card", "a"]["evidence"] == "same bytes"
    assert answer["a", "card", "a"]["group_id"] == answer["a", "rad", "z"]["group_id"]


def test_another_file_meta_is_b(project: Project) -> None:
    same = {"SOPInstanceUID": "1.9", "digest_header": "h", "digest_pixels": "p"}
    answer = found(
        project,
        instance("rad", "a", **same, ImplementationVersionName="X"),
        instance("rad", "b", **same, ImplementationVersionName="Y"),
    )
    assert dispositions(answer) == {("b", "rad", "a"): "keep", ("b", "rad", "b"): "drop-copy"}


def test_other_attributes_are_c_and_named(project: Project) -> None:
    same = {"SOPInstanceUID": "1.9", "digest_pixels": "p"}
    answer = found(
        project,
        instance("rad", "a", **same),
        instance("card", "b", **same, PatientName="Doe^Anne", StudyDescription=""),
    )
    assert dispositions(answer) == {("c", "rad", "a"): "hold", ("c", "card", "b"): "hold"}
    assert answer["c", "card", "b"]["evidence"] == "same pixels; differs: PatientName, StudyDescription"


def test_other_pixels_are_d(project: Project) -> None:
    answer = found(
        project, instance("rad", "a", SOPInstanceUID="1.9"), instance("rad", "b", SOPInstanceUID="1.9", Rows="5")
    )
    assert dispositions(answer) == {("d", "rad", "a"): "hold", ("d", "rad", "b"): "hold"}
    assert answer["d", "rad", "b"]["evidence"] == "other pixels; differs: Rows"


def test_documents_that_differ_in_attributes_are_c(project: Project) -> None:
    report = "1.2.840.10008.5.1.4.1.1.88.22"
    none = {"SOPInstanceUID": "1.9", "digest_pixels": None, "pixel_length": None, "SOPClassUID": report}
    answer = found(project, instance("rad", "a", **none), instance("rad", "b", **none, DocumentTitleCode="113000"))
    assert answer["c", "rad", "b"]["evidence"] == "no pixels; differs: DocumentTitleCode"


def test_one_group_may_hold_several_classes(project: Project) -> None:
    kept = {"SOPInstanceUID": "1.9", "digest_object": "o", "digest_header": "h", "digest_pixels": "p"}
    answer = found(
        project,
        instance("rad", "a", **kept),
        instance("rad", "b", **kept),
        instance("rad", "c", SOPInstanceUID="1.9"),
    )
    assert dispositions(answer) == {
        ("a", "rad", "a"): "keep",
        ("a", "rad", "b"): "drop-copy",
        ("d", "rad", "a"): "hold",
        ("d", "rad", "c"): "hold",
    }


def test_one_sop_uid_in_two_series_is_f_too(project: Project) -> None:
    same = {"SOPInstanceUID": "1.9", "digest_pixels": "p"}
    answer = found(project, instance("rad", "a", **same), instance("rad", "b", **same, SeriesInstanceUID="1.22"))
    assert sorted(answer) == [("c", "rad", "a"), ("c", "rad", "b"), ("f", "rad", "a"), ("f", "rad", "b")]
    assert set(dispositions(answer).values()) == {"hold"}
    assert answer["f", "rad", "b"]["evidence"] == "one SOP Instance UID in 2 series of 1 study"


def test_other_uids_with_same_pixels_are_e_unless_tiny(project: Project) -> None:
    answer = found(
        project,
        instance("rad", "a", digest_pixels="p"),
        instance("rad", "b", digest_pixels="p"),
        instance("rad", "c", digest_pixels="q", pixel_length=63),
        instance("rad", "d", digest_pixels="q", pixel_length=63),
        instance("rad", "e", SOPInstanceUID="", digest_pixels="p"),
    )
    assert dispositions(answer) == {("e", "rad", "a"): "inform", ("e", "rad", "b"): "inform"}


def test_a_study_that_equals_another_one_to_one_is_j_and_not_e_or_h(project: Project) -> None:
    copy = {"StudyInstanceUID": "1.11", "SeriesInstanceUID": "1.12"}
    answer = found(
        project,
        instance("rad", "a", digest_pixels="p"),
        instance("rad", "b", digest_pixels="q"),
        instance("rad", "c", digest_pixels="p", **copy),
        instance("rad", "d", digest_pixels="q", **copy),
        # a third study holds one of the pictures only
        instance("rad", "e", digest_pixels="p", StudyInstanceUID="1.21", AccessionNumber="A2"),
        instance("rad", "f", StudyInstanceUID="1.21", AccessionNumber="A2"),
    )
    assert {key: value for key, value in dispositions(answer).items() if key[0] == "j"} == {
        ("j", "rad", name): "inform" for name in "abcd"
    }
    assert [key for key in answer if key[0] != "j"] == [("e", "rad", "e")]


def test_one_study_on_two_patient_ids_is_g(project: Project) -> None:
    answer = found(
        project, instance("rad", "a"), instance("rad", "b", PatientID="P2"), instance("card", "c", PatientID=" P1 ")
    )
    assert dispositions(answer)["g", "rad", "1.1"] == "hold"
    assert dispositions(answer)["g", "card", "1.1"] == "hold"


def test_persons_that_differ_across_sources_are_g_unless_that_is_still_a_question(project: Project) -> None:
    write(project, "instances", [instance("rad", "a"), instance("card", "b", PatientID="X")])
    with Catalog(project).connect() as connection:
        records = dict(connection.sql("SELECT source, record_id FROM patient_records").fetchall())
    persons = [{"record_id": record, "person_id": source, "settled": True} for source, record in records.items()]
    write(project, "persons", persons)
    deduplicate(project)
    classes = Catalog(project).read("duplicates").select("class", "source").rows()
    assert [row for row in classes if row[0] == "g"] == [("g", "card"), ("g", "rad")]
    a, b = sorted(records.values())
    write(project, "pairs", [{"record_a": a, "record_b": b, "band": "review"}])
    deduplicate(project)
    assert "g" not in Catalog(project).read("duplicates")["class"].to_list()


@pytest.mark.parametrize(
    ("asked", "question"),
    [
        ([("Fr", "card")], True),  # a feed's record that is the person of rad, and may be that of card
        ([("Fx", "card"), ("Fx", "rad")], True),  # a person of its own that either may be
        ([("Fx", "card"), ("Fy", "rad")], False),
        ([("Fx", "card"), ("third", "rad"), ("third", "card")], False),
    ],
)
def test_a_question_through_a_feeds_record_is_a_question_of_both(
    project: Project, asked: list[tuple[str, str]], question: bool
) -> None:
    other = instance("lab", "c", StudyInstanceUID="1.7", PatientID="Z")
    write(project, "instances", [instance("rad", "a"), instance("card", "b", PatientID="X"), other])
    with Catalog(project).connect() as connection:
        records = dict(connection.sql("SELECT source, record_id FROM patient_records").fetchall())
    records["third"] = records.pop("lab")
    feed = {"Fr": "rad", "Fx": "x", "Fy": "y"}
    people = {**{record: source for source, record in records.items()}, **feed}
    persons = [{"record_id": record, "person_id": person, "settled": True} for record, person in people.items()]
    write(project, "persons", persons)
    pairs = [sorted((records.get(a, a), records[b])) for a, b in asked]
    write(project, "pairs", [{"record_a": a, "record_b": b, "band": "review"} for a, b in pairs])
    deduplicate(project)
    assert ("g" not in Catalog(project).read("duplicates")["class"].to_list()) == question


def test_one_accession_and_day_under_two_study_uids_is_h(project: Project) -> None:
    answer = found(
        project,
        instance("rad", "a"),
        instance("rad", "b", StudyInstanceUID="1.11", AccessionNumber=" A1"),
        instance("rad", "c", StudyInstanceUID="1.12", StudyDate="20210305"),
        instance("rad", "d", StudyInstanceUID="1.13", PatientID="P2"),
        instance("card", "e", StudyInstanceUID="1.14"),
        instance("rad", "f", StudyInstanceUID="1.15", AccessionNumber="", PatientID="P3"),
        instance("rad", "g", StudyInstanceUID="1.16", AccessionNumber="", PatientID="P3"),
    )
    assert dispositions(answer) == {("h", "rad", "1.1"): "hold", ("h", "rad", "1.11"): "hold"}


def test_a_study_split_over_archives_is_i(project: Project) -> None:
    both = {"SOPInstanceUID": "1.9", "digest_object": "o"}
    answer = found(
        project,
        instance("rad", "a", **both),
        instance("rad", "b"),
        instance("card", "c", **both),
        # the same whole study in two archives is no split
        instance("rad", "d", SOPInstanceUID="1.8", digest_object="x", StudyInstanceUID="1.11"),
        instance("card", "e", SOPInstanceUID="1.8", digest_object="x", StudyInstanceUID="1.11"),
    )
    assert {key: row["disposition"] for key, row in answer.items() if key[0] == "i"} == {
        ("i", "rad", "1.1"): "unite",
        ("i", "card", "1.1"): "unite",
    }
    assert answer["i", "card", "1.1"]["evidence"] == "one study in 2 sources; 1 of its 2 objects here"


COLLISION = (
    instance("rad", "a", SOPInstanceUID="1.9"),
    instance("rad", "b", SOPInstanceUID="1.9"),
    instance("card", "c", SOPInstanceUID="1.9"),
)


def test_a_kept_copy_is_chosen_by_decision_and_undone(project: Project) -> None:
    group = found(project, *COLLISION)["d", "rad", "a"]["group_id"]
    number = decisions.record(project, "duplicate", group, "card|c", verdict="keep", who="ann")
    answer = found(project, *COLLISION)
    assert dispositions(answer) == {
        ("d", "rad", "a"): "drop-copy",
        ("d", "rad", "b"): "drop-copy",
        ("d", "card", "c"): "keep",
    }
    assert answer["d", "rad", "a"]["kept_location"] == "c"
    assert answer["d", "rad", "a"]["evidence"].endswith("; decided: keep")
    decisions.undo(project, number, "ann")
    assert set(dispositions(found(project, *COLLISION)).values()) == {"hold"}


@pytest.mark.parametrize(
    ("verdict", "subjects", "expected"),
    [
        ("drop-copy", [""], ["keep", "drop-copy", "drop-copy"]),
        ("drop-copy", ["rad|b"], ["hold", "drop-copy", "hold"]),
        ("drop-copy", ["rad|a", "rad|b"], ["drop-copy", "drop-copy", "keep"]),
        ("drop-copy", ["rad|a", "rad|b", "card|c"], ["hold", "hold", "hold"]),
        ("keep", ["rad|elsewhere"], ["hold", "hold", "hold"]),
        ("separate", [""], ["keep", "keep", "keep"]),
    ],
)
def test_decisions_dispose(project: Project, verdict: str, subjects: list[str], expected: list[str]) -> None:
    group = found(project, *COLLISION)["d", "rad", "a"]["group_id"]
    for subject in subjects:
        decisions.record(project, "duplicate", group, subject, verdict=verdict, who="ann")
    answer = dispositions(found(project, *COLLISION))
    assert [answer["d", "rad", "a"], answer["d", "rad", "b"], answer["d", "card", "c"]] == expected


def test_a_decision_does_not_cover_a_copy_of_other_content_that_came_later(project: Project) -> None:
    group = found(project, *COLLISION)["d", "rad", "a"]["group_id"]
    decisions.record(project, "duplicate", group, "rad|a", verdict="keep", who="ann")
    later = found(project, *COLLISION, instance("card", "new", SOPInstanceUID="1.9"))
    assert set(dispositions(later).values()) == {"hold"}
    copied = instance("card", "again", SOPInstanceUID="1.9", digest_object="object rad b")
    assert dispositions(found(project, *COLLISION, copied))["d", "card", "again"] == "drop-copy"


def test_a_study_on_two_patient_ids_is_released_by_decision(project: Project) -> None:
    rows = (instance("rad", "a"), instance("rad", "b", PatientID="P2"))
    group = found(project, *rows)["g", "rad", "1.1"]["group_id"]
    decisions.record(project, "duplicate", group, "", verdict="separate", who="ann")
    assert dispositions(found(project, *rows)) == {("g", "rad", "1.1"): "inform"}


def test_a_second_run_is_unchanged_and_the_answer_does_not_depend_on_row_order(project: Project) -> None:
    rows = [*COLLISION, instance("rad", "e", digest_pixels="p"), instance("card", "f", digest_pixels="p")]
    first = found(project, *rows)
    assert deduplicate(project).status == "unchanged"
    assert found(project, *reversed(rows)) == first
