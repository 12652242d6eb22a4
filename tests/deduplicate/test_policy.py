"""What becomes of duplicates: by the policy of the project, and by what stewards decide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate
from fonds.errors import DefinitionInvalid
from fonds.operations import decisions
from fonds.project.folders import shipped
from fonds.project.settings import Project
from tests.handmade import instance, make_project, write

SHIPPED = (shipped() / "rules/duplicates.yaml").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path, "rad", "card")


def policy(project: Project, **lines: str) -> None:
    """The project's own copy, with other lines for some classes (a to j) or keys."""
    text = SHIPPED
    for name, line in lines.items():
        old = next(one for one in text.splitlines() if one.strip().startswith(f"{name}:"))
        text = text.replace(old, f"{old[: len(old) - len(old.lstrip())]}{name}: {line}")
    (project.root / "rules").mkdir(exist_ok=True)
    (project.root / "rules/duplicates.yaml").write_text(text, encoding="utf-8")


def found(project: Project, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    write(project, "instances", list(rows))
    deduplicate(project)
    return Catalog(project).read("duplicates").to_dicts()


def told(rows: list[dict[str, Any]], kind: str) -> dict[str, tuple[str, str]]:
    """{member: (disposition, why)} of a class."""
    return {row["member"]: (row["disposition"], row["why"]) for row in rows if row["class"] == kind}


SAME = {"SOPInstanceUID": "1.9", "digest_pixels": "p"}


def test_the_shipped_policy_keeps_the_whole_copy_of_the_first_archive(project: Project) -> None:
    rows = found(
        project,
        instance("rad", "torn", **{**SAME, "digest_pixels": "q"}, read_status="partial"),
        instance("card", "a", **SAME),
        instance("card", "b", **SAME, digest_object="object card a"),
    )
    assert told(rows, "a") == {"a": ("keep", "location"), "b": ("drop-copy", "location")}
    assert told(rows, "d") == {"a": ("hold", "complete"), "torn": ("hold", "complete")}


@pytest.mark.parametrize(
    ("keep", "kept", "why"),
    [
        ("[newer, source-order]", "edited", "newer"),
        ("[larger]", "first", "larger"),
        ("[uncompressed, richer]", "edited", "richer"),
    ],
)
def test_a_site_chooses_which_of_two_versions_stays(project: Project, keep: str, kept: str, why: str) -> None:
    policy(project, c=f"{{disposition: drop-copy, keep: {keep}}}")
    rows = found(
        project,
        instance("rad", "first", **SAME, size=2000),
        instance("card", "edited", **SAME, HasOriginalAttributes=True, StudyDescription="CT"),
    )
    other = "edited" if kept == "first" else "first"
    assert told(rows, "c") == {kept: ("keep", why), other: ("drop-copy", why)}
    assert {row["kept_location"] for row in rows if row["class"] == "c"} == {kept}
    assert [row["differs"] for row in rows if row["member"] == other and row["class"] == "c"] == [
        ["HasOriginalAttributes", "StudyDescription"]
    ]


def test_the_evidence_tells_which_of_two_versions_is_newer_and_richer(project: Project) -> None:
    rows = found(
        project,
        instance("rad", "first", **SAME),
        instance("card", "edited", **SAME, HasOriginalAttributes=True, StudyDescription="CT"),
    )
    evidence = next(row["evidence"] for row in rows if row["member"] == "edited" and row["class"] == "c")
    assert evidence.endswith("newer by Original Attributes: this one; attributes with a value: 1 more here")


def test_of_two_archives_the_more_careful_one_decides(project: Project) -> None:
    policy(project, sources="{rad: {c: {disposition: drop-copy}}}")
    within = [instance("rad", "a", **SAME), instance("rad", "b", **SAME, StudyDescription="CT")]
    assert told(found(project, *within), "c")["b"][0] == "drop-copy"
    across = [within[0], instance("card", "b", **SAME, StudyDescription="CT")]
    assert told(found(project, *across), "c")["b"][0] == "hold"


def test_an_ignored_attribute_makes_no_other_object(project: Project) -> None:
    rows = [
        instance("rad", "a", **SAME, digest_header="h"),
        instance("rad", "b", **SAME, digest_header="h", StationName="X"),
    ]
    assert told(found(project, *rows), "c")
    policy(project, ignored="[StationName]")
    assert told(found(project, *rows), "b") == {"a": ("keep", "location"), "b": ("drop-copy", "location")}


def test_what_lies_in_another_series_is_never_dropped_by_the_policy_of_its_likeness(project: Project) -> None:
    policy(project, c="{disposition: drop-copy}")
    rows = found(project, instance("rad", "a", **SAME), instance("rad", "b", **SAME, SeriesInstanceUID="1.22"))
    assert {row["disposition"] for row in rows} == {"hold"}


@pytest.mark.parametrize("decided", [True, False])
def test_contents_that_are_told_apart_get_new_uids_once_each(project: Project, decided: bool) -> None:
    if not decided:
        policy(project, d="{disposition: remap, keep: [source-order]}")
    rows = [
        instance("rad", "a", SOPInstanceUID="1.9"),
        instance("rad", "a2", SOPInstanceUID="1.9", digest_object="object rad a", digest_pixels="pixels rad a"),
        instance("rad", "b", SOPInstanceUID="1.9"),
        instance("rad", "b2", SOPInstanceUID="1.9", digest_object="object rad b", digest_pixels="pixels rad b"),
        instance("rad", "c", SOPInstanceUID="1.9", SeriesInstanceUID="1.22"),
    ]
    first = found(project, *rows)
    if decided:
        decisions.record(project, "duplicate", first[0]["group_id"], "", verdict="remap", who="ann")
        first = found(project, *rows)
    by_member = {row["member"]: row for row in first if row["class"] in "ad" and row["member"] != row["kept_location"]}
    expected = {"a2": "drop-copy", "b": "remap", "b2": "drop-copy", "c": "remap"}
    if not decided:
        # another series is class f's to dispose
        expected["c"] = "hold"
    told_ = {row["member"]: row["disposition"] for row in first if row["class"] in ("a", "d")}
    assert {name: told_[name] for name in expected} == expected
    assert by_member["b2"]["kept_location"] == "b"
    assert {row["content"] for row in first if row["member"] in ("b", "b2")} == {2}


PAIR = {
    "1": {"StudyInstanceUID": "1.1", "digest_pixels": "p"},
    "2": {"StudyInstanceUID": "1.11", "SeriesInstanceUID": "1.12", "digest_pixels": "p"},
}


def pictures() -> list[dict[str, Any]]:
    """The same picture in two studies that hold another one each."""
    more = {"digest_pixels": "q", "AccessionNumber": "A2", "StudyDate": "20200101"}
    return [
        instance("rad", "a", **PAIR["1"]),
        instance("card", "b", **PAIR["2"], PatientID="P1", IssuerOfPatientID="RAD"),
        instance("rad", "c", StudyInstanceUID="1.1"),
        instance("card", "d", **{**PAIR["2"], **more}, IssuerOfPatientID="RAD"),
    ]


def test_a_person_decides_on_one_picture_under_two_uids(project: Project) -> None:
    rows = found(project, *pictures())
    group = next(row["group_id"] for row in rows if row["class"] == "e")
    assert {name: one for name, (one, _) in told(rows, "e").items()} == {"a": "inform", "b": "inform"}
    for verdict, subject, expected in (
        ("keep", "card|b", {"a": "drop-copy", "b": "keep"}),
        ("drop-copy", "rad|a", {"a": "drop-copy", "b": "inform"}),
        ("separate", "", {"a": "inform", "b": "inform"}),
    ):
        number = decisions.record(project, "duplicate", group, subject, verdict=verdict, who="ann")
        answer = [row for row in found(project, *pictures()) if row["class"] == "e"]
        assert {row["member"]: row["disposition"] for row in answer} == expected
        dropped = [row for row in answer if row["disposition"] == "drop-copy"]
        assert {(row["kept_location"], row["why"]) for row in dropped} <= {("b", f"decided: {verdict}")}
        decisions.undo(project, number, "ann")


def test_the_mistakes_of_a_policy_are_told_with_what_is_allowed(project: Project) -> None:
    policy(project, a="{disposition: remap, keep: [source-order]}")
    with pytest.raises(DefinitionInvalid, match="class a can't be remap; it can be hold, drop-copy"):
        deduplicate(project)
    policy(project, a="{disposition: hold}", sources="{cardio: {a: {disposition: hold}}}")
    with pytest.raises(DefinitionInvalid, match=r"sources.cardio: fonds.yaml has no archive"):
        deduplicate(project)


def test_of_two_studies_that_are_one_examination_what_the_kept_one_has_stays_behind(project: Project) -> None:
    rows = [
        instance("rad", "a", digest_pixels="p"),
        instance("rad", "c"),
        instance("rad", "e"),
        instance("rad", "b", **PAIR["2"]),
        instance("rad", "d", StudyInstanceUID="1.11", SeriesInstanceUID="1.12"),
    ]
    first = found(project, *rows)
    [group] = {row["group_id"] for row in first if row["class"] == "h"}
    assert told(first, "h") == {"1.1": ("hold", "policy"), "1.11": ("hold", "policy")}
    assert {one for one, _ in told(first, "e").values()} == {"inform"}
    number = decisions.record(project, "duplicate", group, "", verdict="unite", who="ann")
    united = found(project, *rows)
    assert told(united, "h") == {"1.1": ("unite", "decided: unite"), "1.11": ("unite", "decided: unite")}
    assert {row["kept_location"] for row in united if row["class"] == "h"} == {"1.1"}
    assert told(united, "e") == {"a": ("keep", "location"), "b": ("drop-copy", "decided: unite")}
    decisions.undo(project, number, "ann")
    decisions.record(project, "duplicate", group, "rad|1.11", verdict="unite", who="ann")
    other = found(project, *rows)
    assert {row["kept_location"] for row in other if row["class"] == "h"} == {"1.11"}
    assert {name: one for name, (one, _) in told(other, "e").items()} == {"a": "drop-copy", "b": "keep"}
    assert next(row["kept_location"] for row in other if row["member"] == "a" and row["class"] == "e") == "b"
