from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate
from fonds.errors import DefinitionInvalid
from fonds.link import link
from fonds.operations import decisions
from fonds.plan import plan
from fonds.plan.definition import load_all
from fonds.project.settings import Project
from tests.handmade import instance, make_project, settle, write

Planned = dict[tuple[str, str], tuple[str, str | None, str | None]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, "rad", "card")


def waves(project: Project, *lines: str) -> None:
    (project.root / "flows").mkdir(exist_ok=True)
    (project.root / "flows" / "waves.yaml").write_text("waves:\n" + "\n".join(lines) + "\n", encoding="utf-8")


def planned(project: Project, *rows: dict[str, Any]) -> Planned:
    """{(source, location): (state, wave, reason)} after settling every record."""
    write(project, "instances", list(rows))
    settle(project)
    return replanned(project)


def replanned(project: Project) -> Planned:
    plan(project)
    with Catalog(project).connect() as connection:
        same = "SELECT source, location FROM {} ORDER BY ALL"
        assert connection.sql(same.format("plan")).fetchall() == connection.sql(same.format("inventory")).fetchall()
        partly = "SELECT study_uid FROM plan GROUP BY 1 HAVING bool_or(state = 'held') AND bool_or(state = 'planned')"
        assert connection.sql(partly).fetchall() == []
        twice = "SELECT sop_uid FROM plan WHERE state = 'planned' GROUP BY 1 HAVING count(*) > 1"
        assert connection.sql(twice).fetchall() == []
        unsaid = (
            "SELECT * FROM plan WHERE (state = 'planned') <> (reason IS NULL) OR (wave IS NULL) = (state = 'planned')"
        )
        assert connection.sql(unsaid).fetchall() == []
    rows = Catalog(project).read("plan").to_dicts()
    return {(row["source"], row["location"]): (row["state"], row["wave"], row["reason"]) for row in rows}


def change(attribute: str, path: str, **values: str) -> dict[str, Any]:
    return {"change_id": "c", "source": "rad", "location": "a", "attribute": attribute, "path": path} | values


def finding(name: str, level: str, entity: str, **values: str) -> dict[str, Any]:
    return {
        "check_id": name,
        "name": name,
        "level": level,
        "entity": entity,
        "severity": "block",
        "source": "rad",
    } | values


def record_of(project: Project, source: str, location: str) -> str:
    with Catalog(project).connect() as connection:
        found = connection.sql("SELECT source, location, record_id FROM instance_records").fetchall()
    return {(row[0], row[1]): row[2] for row in found}[source, location]


STUDY_2 = {"StudyInstanceUID": "1.5", "SeriesInstanceUID": "1.6", "AccessionNumber": "A5"}


def test_every_file_has_one_row_and_counts_conserve(project: Project) -> None:
    write(project, "unreadable", [
        {"source": "rad", "location": "notes.txt", "size": 3, "reason": "not_dicom"},
        {"source": "rad", "location": "torn", "size": 3, "reason": "truncated_header"},
    ])  # fmt: skip
    write(project, "entries", [
        {"source": "rad", "location": "DICOMDIR", "record": 0, "level": "MEDIA", "size": 9},
        {"source": "rad", "location": "DICOMDIR", "record": 400, "level": "PATIENT", "size": 9},
    ])  # fmt: skip
    answer = planned(project, instance("rad", "a"), instance("rad", "b"))
    assert answer == {
        ("rad", "a"): ("planned", "recent", None),
        ("rad", "b"): ("planned", "recent", None),
        ("rad", "DICOMDIR"): ("excluded", None, "index-file"),
        ("rad", "notes.txt"): ("excluded", None, "not-dicom"),
        ("rad", "torn"): ("held", None, "unreadable"),
    }
    counts = plan(project, force=True).counts
    assert (counts["planned"], counts["held"], counts["excluded"], counts["wave_recent"]) == (2, 1, 2, 1)


def test_a_study_held_in_one_archive_is_held_in_all(project: Project) -> None:
    write(project, "findings", [finding("IN-07", "instance", "a")])
    answer = planned(project, instance("rad", "a"), instance("card", "b"), instance("rad", "c", **STUDY_2))
    assert answer == {
        ("rad", "a"): ("held", None, "critical-finding"),
        ("card", "b"): ("held", None, "critical-finding"),
        ("rad", "c"): ("planned", "recent", None),
    }


@pytest.mark.parametrize(
    ("name", "level", "entity", "reason"),
    [
        ("series-uid-invalid", "series", "1.2", "critical-finding"),
        ("accession-reused", "study", "1.1", "critical-finding"),
        ("study-on-two-patients", "study", "1.1", "study-on-two-patients"),
        ("overlay", "patient", "", "overlay"),
        ("patient-id-empty", "patient", "", "critical-finding"),
    ],
)
def test_blocking_findings_hold_the_studies_they_concern(
    project: Project, name: str, level: str, entity: str, reason: str
) -> None:
    rows = (instance("rad", "a"), instance("rad", "c", **STUDY_2, PatientID="P2"))
    write(project, "instances", list(rows))
    write(project, "findings", [finding(name, level, entity or record_of(project, "rad", "a"))])
    answer = planned(project, *rows)
    assert answer["rad", "a"] == ("held", None, reason)
    assert answer["rad", "c"][0] == "planned"


def test_findings_that_do_not_block_hold_nothing(project: Project) -> None:
    write(project, "findings", [finding("ST-04", "study", "1.1", severity="critical")])
    assert planned(project, instance("rad", "a"))["rad", "a"][0] == "planned"


def test_an_identity_question_holds_the_studies_of_its_record_only(project: Project) -> None:
    planned(project, instance("rad", "a"), instance("rad", "b", **STUDY_2, PatientName="Doe^Anne"))
    asked, other = record_of(project, "rad", "a"), record_of(project, "rad", "b")
    # all are one person's records, and the first and a feed's are in question
    write(project, "persons", [
        {"record_id": asked, "person_id": "N1", "settled": False},
        {"record_id": other, "person_id": "N1", "settled": True},
        {"record_id": "F0123456789abcdef", "person_id": "N1", "settled": False},
    ])  # fmt: skip
    answer = replanned(project)
    assert answer["rad", "a"] == ("held", None, "identity-question")
    assert answer["rad", "b"] == ("planned", "recent", None)
    detail = Catalog(project).read("plan").row(0, named=True)["detail"]
    assert asked in detail
    assert "Doe" not in detail


def test_records_that_matching_never_saw_are_a_question(project: Project) -> None:
    write(project, "instances", [instance("rad", "a")])
    assert replanned(project) == {("rad", "a"): ("held", None, "identity-question")}


def test_objects_without_uids_are_held_each_for_itself(project: Project) -> None:
    answer = planned(project, instance("rad", "a", StudyInstanceUID=""), instance("rad", "b", SOPInstanceUID=None))
    assert set(answer.values()) == {("held", None, "critical-finding")}


SAME = {"SOPInstanceUID": "1.9", "digest_object": "o", "digest_header": "h", "digest_pixels": "p"}


def test_copies_are_excluded_and_a_split_study_moves_in_one_wave(project: Project) -> None:
    rows = (
        instance("rad", "a", **SAME),
        instance("card", "a", **SAME),
        instance("card", "sr", Modality="SR", pixel_length=None, digest_pixels=None),
        instance("rad", "b"),
    )
    write(project, "instances", list(rows))
    deduplicate(project)
    assert planned(project, *rows) == {
        ("rad", "a"): ("planned", "reports", None),
        ("card", "a"): ("excluded", None, "duplicate-copy"),
        ("card", "sr"): ("planned", "reports", None),
        ("rad", "b"): ("planned", "reports", None),
    }


COLLISION = (
    instance("rad", "a", SOPInstanceUID="1.9"),
    instance("rad", "b", SOPInstanceUID="1.9"),
    instance("rad", "c"),
    instance("rad", "d", **STUDY_2),
)


def collided(project: Project) -> str:
    write(project, "instances", list(COLLISION))
    settle(project)
    deduplicate(project)
    return str(Catalog(project).read("duplicates").filter(member="a")["group_id"][0])


def test_a_collision_holds_its_study_until_it_is_decided(project: Project) -> None:
    group = collided(project)
    answer = replanned(project)
    assert {answer["rad", name] for name in "abc"} == {("held", None, "collision")}
    assert answer["rad", "d"][0] == "planned"
    decisions.record(project, "duplicate", group, "rad|b", verdict="keep", who="ann")
    deduplicate(project)
    answer = replanned(project)
    assert answer["rad", "a"] == ("excluded", None, "duplicate-copy")
    assert answer["rad", "b"] == answer["rad", "c"] == ("planned", "recent", None)


def test_two_objects_of_one_uid_never_go_both(project: Project) -> None:
    group = collided(project)
    decisions.record(project, "duplicate", group, "", verdict="separate", who="ann")
    deduplicate(project)
    assert replanned(project)["rad", "a"] == ("held", None, "collision")


def test_a_wave_may_let_collisions_go_with_the_kept_copy(project: Project) -> None:
    waves(project, "  - {name: all, holds: {collision: false}}")
    collided(project)
    answer = replanned(project)
    assert answer["rad", "a"] == ("planned", "all", None)
    assert answer["rad", "b"] == ("excluded", None, "duplicate-copy")


def test_a_study_on_two_patients_goes_when_decided_separate(project: Project) -> None:
    rows = (instance("rad", "a"), instance("rad", "b", PatientID="P2"))
    write(project, "instances", list(rows))
    write(project, "findings", [finding("study-on-two-patients", "study", "1.1")])
    deduplicate(project)
    assert set(planned(project, *rows).values()) == {("held", None, "study-on-two-patients")}
    group = Catalog(project).read("duplicates")["group_id"][0]
    decisions.record(project, "duplicate", group, "", verdict="separate", who="ann")
    deduplicate(project)
    assert {row[0] for row in replanned(project).values()} == {"planned"}


def test_rejected_objects_stay_behind(project: Project) -> None:
    reference = {"carrier": "C", "relation": "evidence", "sop_uid": "1.9"}
    note = instance("rad", "note", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59", Modality="KO", pixel_length=None,
                    digest_pixels=None, DocumentTitleCode="113038", references=[reference])  # fmt: skip
    rows = (note, instance("rad", "a", SOPInstanceUID="1.9"), instance("rad", "b"))
    write(project, "instances", list(rows))
    link(project)
    answer = planned(project, *rows)
    assert answer["rad", "a"] == ("excluded", None, "rejected-object")
    assert answer["rad", "b"][0] == "planned"


def test_open_changes_and_dangling_references_hold_only_where_a_wave_says_so(project: Project) -> None:
    rows = (instance("rad", "a"), instance("rad", "b", **STUDY_2))
    write(project, "changes", [change("PatientName", "(0010,0010)", state="proposed", rule="names.two-words")])
    dangling = {"source": "rad", "location": "b", "relation": "content", "to_sop_uid": "1.7", "state": "dangling"}
    write(project, "links", [dangling])
    assert {row[0] for row in planned(project, *rows).values()} == {"planned"}
    waves(project, "  - {name: strict, holds: {open-change: true, dangling-reference: true}}")
    assert replanned(project) == {
        ("rad", "a"): ("held", None, "open-change"),
        ("rad", "b"): ("held", None, "dangling-reference"),
    }


def test_the_first_wave_takes_a_study_and_orders_it(project: Project) -> None:
    waves(
        project,
        "  - {name: hearts, select: \"source = 'card'\", order_by: study_uid}",
        "  - {name: new, select: \"StudyDate >= '20210101'\", order_by: StudyDate DESC}",
    )
    answer = planned(
        project,
        instance("rad", "a", StudyInstanceUID="1.1", StudyDate="20210101"),
        instance("rad", "b", StudyInstanceUID="1.2", StudyDate="20220101"),
        instance("rad", "c", StudyInstanceUID="1.3", StudyDate="2000"),
        instance("rad", "d", StudyInstanceUID="1.4", StudyDate="20230101"),
        instance("card", "e", StudyInstanceUID="1.4", StudyDate="20230101"),
    )
    assert {key[1]: row[1] for key, row in answer.items()} == {
        "a": "new",
        "b": "new",
        "c": None,
        "d": "hearts",
        "e": "hearts",
    }
    assert answer["rad", "c"] == ("held", None, "no-wave")
    order = Catalog(project).read("plan").filter(state="planned").select("location", "sequence").rows()
    assert sorted(order) == [("a", 2), ("b", 1), ("d", 1), ("e", 1)]


def test_waves_see_what_approved_changes_say(project: Project) -> None:
    written = change("StudyDate", "(0008,0020)", before="2021.03.04", after="20210304", state="approved")
    write(project, "changes", [written])
    waves(project, "  - {name: march, select: \"StudyDate = '20210304'\"}")
    assert planned(project, instance("rad", "a", StudyDate="2021.03.04"))["rad", "a"] == ("planned", "march", None)


def test_the_most_particular_reason_shows_and_the_others_are_told(project: Project) -> None:
    group = collided(project)
    write(project, "findings", [finding("IN-07", "instance", "c"), finding("study-on-two-patients", "study", "1.1")])
    assert replanned(project)["rad", "a"][2] == "study-on-two-patients"
    detail = Catalog(project).read("plan").filter(location="a")["detail"][0]
    assert group in detail
    assert "IN-07" in detail


def test_a_second_run_is_unchanged_and_row_order_does_not_matter(project: Project) -> None:
    planned(project, *COLLISION)
    first = Catalog(project).read("plan")
    assert plan(project).status == "unchanged"
    planned(project, *reversed(COLLISION))
    assert Catalog(project).read("plan").equals(first)
    waves(project, "  - {name: everything}")
    assert plan(project).status == "done"


@pytest.mark.parametrize(
    "line",
    [
        "  - {name: w, select: \"read_text('/etc/passwd') = ''\"}",
        "  - {name: w, select: 'PatientName = 1'}",
        "  - {name: w, order_by: '1 LIMIT 1'}",
        "  - {name: w}\n  - {name: w}",
        "  - {name: w, hold: {}}",
    ],
)
def test_mistakes_in_waves_are_told(project: Project, line: str) -> None:
    waves(project, line)
    with pytest.raises(DefinitionInvalid):
        load_all(project)


def test_a_comparison_that_cannot_be_made_is_a_mistake_of_the_wave(project: Project) -> None:
    waves(project, "  - {name: w, select: 'instances > StudyDescription'}")
    write(project, "instances", [instance("rad", "a", StudyDescription="Secret")])
    with pytest.raises(DefinitionInvalid) as caught:
        plan(project)
    assert "Secret" not in str(caught.value)


def test_the_shipped_waves_are_valid(project: Project) -> None:
    assert [wave.name for wave in load_all(project).waves] == ["reports", "recent", "rest"]


def test_what_the_archives_database_does_not_know_or_says_otherwise_stays_back(project: Project) -> None:
    rows = (
        instance("rad", "a"),
        instance("rad", "b", **STUDY_2),
        instance("rad", "c", **STUDY_2 | {"StudyInstanceUID": "1.7"}),
    )
    orphan = {"source": "rad", "index_source": "db", "kind": "only-in-files", "level": "SERIES", "study_uid": "1.1"}
    write(project, "drift", [{**orphan, "series_uid": "1.2", "attribute": "SeriesInstanceUID", "file_value": "1.2"}])
    corrected = change(
        "PatientName", "(0010,0010)", location="b", state="proposed", rule="drift.PatientName > names.trim"
    )
    write(project, "changes", [corrected])
    answer = planned(project, *rows)
    assert answer["rad", "a"] == ("held", None, "orphan")
    assert answer["rad", "b"] == ("held", None, "drift")
    assert answer["rad", "c"][0] == "planned"
    assert "series 1.2 isn't in db" in Catalog(project).read("plan").row(0, named=True)["detail"]
    waves(project, "  - {name: all, holds: {orphan: false, drift: false}}")
    assert {row[0] for row in replanned(project).values()} == {"planned"}
