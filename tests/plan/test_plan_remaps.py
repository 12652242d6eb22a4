"""What moves under new UIDs, what is there twice, and what rejection notes take back: held, planned or left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.plan import plan
from fonds.project.settings import Project
from tests.handmade import instance, make_project, settle, write

Planned = dict[str, tuple[str, str | None]]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, "rad", "card")


def planned(project: Project, *rows: dict[str, Any], wave: str = "{name: all}") -> Planned:
    """State and reason by location."""
    (project.root / "flows").mkdir(exist_ok=True)
    (project.root / "flows" / "waves.yaml").write_text(f"waves:\n  - {wave}\n", encoding="utf-8")
    if rows:
        write(project, "instances", list(rows))
        settle(project)
    plan(project)
    return {row["location"]: (row["state"], row["reason"]) for row in Catalog(project).read("plan").to_dicts()}


def study(number: int) -> dict[str, str]:
    return {"StudyInstanceUID": f"1.{number}", "SeriesInstanceUID": f"1.{number}.2", "AccessionNumber": f"A{number}"}


def remap(location: str, attribute: str, before: str, after: str, **values: str) -> dict[str, Any]:
    row = {"source": "rad", "location": location, "attribute": attribute, "path": "(0008,0018)", "before": before}
    return row | {"after": after, "cause": "D1", "class": "d", "state": "planned"} | values


def member(
    group: str, kind: str, name: str, disposition: str, *, level: str = "instance", **values: str
) -> dict[str, Any]:
    row = {"group_id": group, "class": kind, "level": level, "source": "rad", "member": name}
    return row | {"disposition": disposition} | values


GOES, PLANNED = ("planned", None), "planned"


def test_objects_of_one_uid_both_go_when_one_gets_another(project: Project) -> None:
    rows = (instance("rad", "a", SOPInstanceUID="1.9"), instance("rad", "b", SOPInstanceUID="1.9"))
    assert planned(project, *rows) == {"a": ("held", "collision"), "b": ("held", "collision")}
    write(project, "remaps", [remap("b", "SOPInstanceUID", "1.9", "2.25.1")])
    assert planned(project) == {"a": GOES, "b": GOES}
    # and never where the new UID is another object's
    write(
        project,
        "remaps",
        [remap("b", "SOPInstanceUID", "1.9", "2.25.1"), remap("c", "SOPInstanceUID", "1.7", "2.25.1")],
    )
    answer = planned(project, *rows, instance("rad", "c", SOPInstanceUID="1.7", **study(5)))
    assert answer == {"a": ("held", "collision"), "b": ("held", "collision"), "c": ("held", "collision")}
    assert [row["sop_uid"] for row in Catalog(project).read("plan").to_dicts()] == ["1.9", "1.9", "1.7"]


def test_a_refused_remap_holds_its_objects_and_what_points_to_them(project: Project) -> None:
    rows = [instance("rad", name, **study(number)) for number, name in enumerate("abcd")]
    refused = {"state": "refused", "reason": "dangling"}
    write(project, "remaps", [remap("a", "SOPInstanceUID", "1", "2.25.1", **refused)])
    pointing = {"source": "rad", "location": "b", "to_sop_uid": "1", "new_sop_uid": "2.25.1", "cause": "D1"}
    write(project, "rewrites", [pointing | refused, pointing | {"location": "d", "state": "planned"}])
    answer = planned(project, *rows, wave="{name: all, holds: {collision: false, study-twice: false}}")
    assert answer == {"a": ("held", "remap-refused"), "b": ("held", "remap-refused"), "c": GOES, "d": GOES}
    detail = Catalog(project).read("plan").row(0, named=True)["detail"]
    assert "D1 (dangling)" in detail


def test_an_approved_uid_the_link_stage_has_not_planned_waits(project: Project) -> None:
    change = {
        "change_id": "c",
        "source": "rad",
        "location": "a",
        "attribute": "StudyInstanceUID",
        "path": "(0020,000D)",
    }
    write(project, "changes", [change | {"after": "1.8", "state": "approved", "rule": "uid.long"}])
    rows = (instance("rad", "a"), instance("rad", "b", **study(5)))
    assert planned(project, *rows) == {"a": ("held", "remap-refused"), "b": GOES}
    write(project, "remaps", [remap("a", "StudyInstanceUID", "1.1", "1.8", cause="uid.long")])
    assert planned(project) == {"a": GOES, "b": GOES}


def test_studies_that_may_be_one_wait_and_go_where_a_wave_says_so(project: Project) -> None:
    rows = [instance("rad", name, **study(number)) for number, name in enumerate("abc")]
    write(project, "duplicates", [member("D2", "h", f"1.{n}", "hold", level="study") for n in (0, 1)])
    assert planned(project, *rows) == {"a": ("held", "study-twice"), "b": ("held", "study-twice"), "c": GOES}
    assert set(planned(project, wave="{name: all, holds: {study-twice: false}}").values()) == {GOES}


def test_united_studies_go_together(project: Project) -> None:
    rows = [instance("rad", name, **study(number)) for number, name in enumerate("abc")]
    write(
        project,
        "duplicates",
        [member("D2", "h", f"1.{n}", "unite", level="study", kept_location="1.0") for n in (0, 1)],
    )
    # decided, but nobody has planned the new UIDs yet
    assert planned(project, *rows)["b"] == ("held", "remap-refused")
    write(project, "remaps", [remap("b", "StudyInstanceUID", "1.1", "1.0", cause="D2")])
    assert set(planned(project).values()) == {GOES}
    sequence = {row["location"]: row["sequence"] for row in Catalog(project).read("plan").to_dicts()}
    assert sequence["a"] == sequence["b"] != sequence["c"]
    # what holds one part holds the other, and the wave of one is the other's
    block = {"check_id": "X", "name": "x", "level": "instance", "severity": "block", "source": "rad"}
    write(project, "findings", [block | {"entity": "b"}])
    assert planned(project) == {"a": ("held", "critical-finding"), "b": ("held", "critical-finding"), "c": GOES}


def test_a_united_study_whose_objects_are_all_there_already_goes_without_new_uids(project: Project) -> None:
    rows = [instance("rad", name, **study(number)) for number, name in enumerate("ab")]
    both = [member("D2", "h", f"1.{n}", "unite", level="study", kept_location="1.0") for n in (0, 1)]
    write(project, "duplicates", [*both, member("D2", "h", "b", "drop-copy", kept_source="rad", kept_location="a")])
    assert planned(project, *rows) == {"a": GOES, "b": ("excluded", "duplicate-copy")}


def test_a_study_of_two_patients_goes_when_one_of_them_gets_another(project: Project) -> None:
    rows = (instance("rad", "a"), instance("rad", "b", PatientID="P2"))
    group = member("D3", "g", "1.1", "hold", level="study")
    finding = {"check_id": "ST-02", "name": "study-on-two-patients", "level": "study", "entity": "1.1"}
    write(project, "findings", [finding | {"severity": "block", "source": "rad"}])
    write(project, "duplicates", [group])
    assert set(planned(project, *rows).values()) == {("held", "study-on-two-patients")}
    write(project, "duplicates", [group | {"disposition": "remap"}])
    assert set(planned(project).values()) == {("held", "remap-refused")}
    write(project, "remaps", [remap("b", "StudyInstanceUID", "1.1", "2.25.3", cause="D3")])
    assert set(planned(project).values()) == {GOES}
    sequence = [row["sequence"] for row in Catalog(project).read("plan").to_dicts()]
    assert len(set(sequence)) == 2


def test_copies_of_every_class_stay_behind_and_doubts_are_named(project: Project) -> None:
    rows = [instance("rad", name, **study(number)) for number, name in enumerate("abcdef")]
    rows[4]["PatientID"] = "P9"
    write(
        project,
        "duplicates",
        [
            member("D4", "e", "a", "drop-copy", kept_source="rad", kept_location="f"),
            member("D5", "j", "b", "drop-copy", kept_source="rad", kept_location="f"),
            *(member("D6", "e", name, "hold") for name in "cde"),
        ],
    )
    answer = planned(project, *rows)
    assert answer["a"] == answer["b"] == ("excluded", "duplicate-copy")
    assert answer["c"] == answer["d"] == ("held", "study-twice")
    detail = Catalog(project).read("plan").filter(location="c")["detail"][0]
    assert "the same pixels under two patients" in detail
    assert answer["f"] == GOES


def test_a_rejection_note_stays_behind_with_all_it_takes_back(project: Project) -> None:
    names = ("note", "a", "b", "other", "c", "kept")
    rows = [instance("rad", name, SOPInstanceUID=f"1.9.{number}") for number, name in enumerate(names)]
    taken = {"kind": "rejected-object", "source": "rad", "study_uid": "1.1", "message": "taken back"}
    # an object by its UID, and one by its place
    write(project, "gaps", [taken | {"entity": "1.9.1"}, taken | {"entity": "b"}, taken | {"entity": "c"}])
    points = {"source": "rad", "relation": "evidence", "state": "resolved-here", "rejects": True}
    pairs = (("note", 1), ("note", 2), ("other", 4), ("other", 5))
    write(project, "links", [points | {"location": name, "to_sop_uid": f"1.9.{number}"} for name, number in pairs])
    answer = planned(project, *rows)
    assert {name: answer[name] for name in "abc"} == dict.fromkeys("abc", ("excluded", "rejected-object"))
    assert answer["note"] == ("excluded", "rejection-note")
    # this one also takes back what goes
    assert answer["other"] == answer["kept"] == GOES
    assert set(planned(project, wave="{name: all, rejected_objects: true}").values()) == {GOES}
