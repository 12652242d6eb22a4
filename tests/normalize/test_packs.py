from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fonds.catalog.store import Catalog
from fonds.errors import ContentNotFound, DefinitionInvalid
from fonds.normalize import normalize
from fonds.normalize.definition import load, load_all, settings_file
from fonds.normalize.examples import check
from fonds.normalize.order import pipelines
from fonds.project.folders import shipped
from fonds.project.scaffold import init
from fonds.project.settings import Project
from fonds.project.settings import load as load_project
from tests.normalize.packs import a_map, configured, site_pack

RULE = """\
rules:
  - id: site.one
    title: One
    attributes: [StationName]
    action: regex
    replacements:
      - {pattern: '^a$', replace: 'b'}
    examples:
      - {name: a, before: a, after: b}
"""


def test_every_shipped_rule_does_what_its_examples_say(make: Any) -> None:
    packs = load_all(make())
    assert {"base", "radiology", "cardiology", "oncology", "pathology", "surgery", "sites"} <= set(packs)
    assert all(placed.rule.examples and placed.line for pack in packs.values() for placed in pack.rules)


def test_a_scaffolded_project_loads_and_its_site_pack_acts_last(tmp_path: Path) -> None:
    init(tmp_path / "p", sources={"rad": tmp_path})
    settings = tmp_path / "p" / "fonds.yaml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace("    path:", "    packs: [base@1, site@1]\n    path:", 1),
        encoding="utf-8",
    )
    assert load_all(load_project(tmp_path / "p"))["site"].rules == ()
    site_pack(tmp_path / "p", "site", a_map("Modality", "XX", "scan"), extends="[base@1]")
    acting = [placed.rule for placed in pipelines(load_project(tmp_path / "p")).rules["rad"]]
    assert [rule.id for rule in acting if not rule.late][-1] == "site.one"
    assert all(rule.late for rule in acting[[rule.id for rule in acting].index("site.one") + 1 :])


def test_an_example_that_does_not_hold_is_a_mistake_with_its_line(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "site", RULE.replace("after: b", "after: c"))
    project = make([{"StationName": "a"}], radiology=configured({"packs": ["base@1", "site@1"]}))
    for run in (load_all, normalize):
        with pytest.raises(DefinitionInvalid) as caught:
            run(project)
        assert caught.value.mistakes == [(2, "rule site.one: the example 'a' gives 'b', not 'c'")]


def test_a_pack_that_is_not_there_is_named_with_those_that_are(make: Any) -> None:
    with pytest.raises(ContentNotFound, match=r"'radiologie@1'.*base, cardiology.*radiology, sites"):
        normalize(make(radiology=configured({"packs": ["radiologie@1"]})))
    with pytest.raises(ContentNotFound, match=r"there is base 1\.0\.0"):
        normalize(make(radiology=configured({"packs": ["base@2"]})))
    with pytest.raises(ContentNotFound, match="name@major"):
        normalize(make(radiology=configured({"packs": ["base"]})))


def test_a_rule_may_not_change_a_private_attribute(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "site", a_map("GantryPeriod", "one", "two"))
    project = make(radiology=configured({"packs": ["base@1", "site@1"]}))
    shipped = project.find("rules/base/attributes.yaml").read_text(encoding="utf-8")
    (tmp_path / "rules" / "base").mkdir(parents=True)
    (tmp_path / "rules" / "base" / "attributes.yaml").write_text(
        shipped + '  - {name: GantryPeriod, tag: "(0019,xx27)", creator: GEMS_ACQU_01, vr: DS}\n', encoding="utf-8"
    )
    with pytest.raises(DefinitionInvalid) as caught:
        load_all(project)
    told = [text for _, text in caught.value.mistakes]
    assert "rule site.one: GantryPeriod is a private attribute: rules may read it, not change it" in told


def test_a_projects_copy_hides_the_shipped_pack(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "radiology", a_map("Modality", "DX", "mri"), extends="[base@1]")
    project = make([{"Modality": "MRI"}])
    normalize(project)
    assert Catalog(project).read("changes").filter(attribute="Modality")["after"].to_list() == ["DX"]


HOSTILE = [
    ("action: regex", "action: python", 2, "action"),
    ("action: regex", "action: regex\n    exec: rm", 6, "exec"),
    ("pattern: '^a$'", "pattern: '(?<=x)a'", 7, "RE2"),
    ("pattern: '^a$'", "pattern: '" + "a" * 401 + "'", 7, "400"),
    ("pattern: '^a$'", "pattern: '((a{1000}){1000}){1000}'", 7, "RE2"),
    ("replace: 'b'", r"replace: 'b\n'", 7, "backslash"),
    ("attributes: [StationName]", "attributes: [Statio]", 2, "Statio"),
    ("attributes: [StationName]", "attributes: ['a; DROP TABLE instances']", 4, "pattern"),
    ("id: site.one", "id: 'x'' OR 1=1'", 2, "id"),
    ("title: One", "title: One\n    scope: {condition: read_text('/etc/passwd') = 'x'}", 2, "read_text"),
    ("title: One", "title: One\n    scope: {condition: StationName = (SELECT 1)}", 2, "not allowed"),
    ("title: One", "title: One\n    scope: {condition: '1=1; DROP TABLE instances'}", 2, "not allowed"),
    ("title: One", "title: One\n    scope: {condition: PatientNam = 'x'}", 2, "PatientName"),
    ("title: One", "title: One\n    scope: {condition: \"regexp_matches(StationName, '(?<=x)')\"}", 2, "be computed"),
]


@pytest.mark.parametrize(("old", "new", "line", "says"), HOSTILE)
def test_a_hostile_rule_is_a_listed_mistake(
    make: Any, tmp_path: Path, old: str, new: str, line: int, says: str
) -> None:
    site_pack(tmp_path, "site", RULE.replace(old, new))
    with pytest.raises(DefinitionInvalid) as caught:
        _site(make())
    assert any(found == line and says in text for found, text in caught.value.mistakes), caught.value.mistakes


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "..\\x.yaml", "tables/../../x.yaml", "a.sql"])
def test_a_pack_reads_no_file_outside_its_folder(make: Any, tmp_path: Path, name: str) -> None:
    theme = a_map("StationName", "A", "b").replace("table: {A: [b]}", f"table: '{name}'")
    site_pack(tmp_path, "site", theme)
    with pytest.raises(DefinitionInvalid):
        _site(make())
    site_pack(tmp_path, "site", RULE, files=f"['{name}']")
    with pytest.raises(DefinitionInvalid):
        _site(make())


def test_a_link_out_of_the_pack_is_refused(make: Any, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("terms: {A: [b]}\n", encoding="utf-8")
    folder = site_pack(tmp_path, "site", a_map("StationName", "A", "b").replace("{A: [b]}", "stations.yaml"))
    with pytest.raises(DefinitionInvalid, match="no file stations"):
        _site(make())
    (folder / "stations.yaml").symlink_to(tmp_path / "outside.yaml")
    with pytest.raises(DefinitionInvalid, match="outside the pack"):
        _site(make())


def test_sql_in_a_value_stays_text(make: Any, tmp_path: Path) -> None:
    text = "x'); DROP TABLE instances; --"
    site_pack(tmp_path, "site", a_map("StationName", f'"{text}"', "evil"))
    project = make([{"StationName": "EVIL"}], radiology=configured({"packs": ["base@1", "site@1"]}))
    normalize(project)
    assert Catalog(project).read("changes").filter(attribute="StationName")["after"].to_list() == [text]


def test_a_spelling_that_leads_to_two_terms_is_refused(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "site", a_map("StationName", "A", "b").replace("{A: [b]}", "{A: [x], B: [' X']}"))
    with pytest.raises(DefinitionInvalid, match="leads to both"):
        _site(make())


def test_packs_that_no_list_orders_may_not_change_one_attribute(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "one", a_map("StationName", "A", "b", "one.station"))
    site_pack(tmp_path, "two", a_map("StationName", "C", "d", "two.station"))
    site_pack(tmp_path, "three", a_map("StudyID", "C", "d", "three.id"), extends="[one@1]")
    site_pack(tmp_path, "four", a_map("StudyID", "E", "f", "four.id"), extends="[two@1]")
    with pytest.raises(DefinitionInvalid, match=r"one\.station of one and two\.station of two"):
        pipelines(make(radiology=configured({"packs": ["three@1", "four@1"]})))
    ordered = make(radiology=configured({"packs": ["one@1", "two@1"]}))
    assert [placed.rule.id for placed in pipelines(ordered).rules["radiology"]] == ["one.station", "two.station"]


def test_a_rule_stands_after_those_that_change_what_it_looks_at(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "site", a_map("StationName", "A", "b", scope="{modality: [MR]}"))
    with pytest.raises(DefinitionInvalid, match=r"site\.one looks at Modality, which the later rule modality\.terms"):
        normalize(make(radiology=configured({"packs": ["site@1", "base@1"]})))
    project = make(
        [{"StationName": "b", "Modality": "mr"}, {"StationName": "b", "Modality": "CT"}],
        radiology=configured({"packs": ["base@1", "site@1"]}),
    )
    normalize(project)
    assert Catalog(project).read("changes").filter(attribute="StationName")["location"].to_list() == ["o0"]


def test_a_rule_that_would_change_its_own_answer_again_is_refused(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "one", a_map("StationName", "A", "B", "one.station"))
    site_pack(tmp_path, "two", a_map("StationName", "B", "C", "two.station"))
    with pytest.raises(DefinitionInvalid, match=r"one\.station changes what two\.station made in StationName"):
        normalize(make(radiology=configured({"packs": ["one@1", "two@1"]})))


def test_a_site_may_correct_an_identifier_whose_issuer_was_filled_before(make: Any, tmp_path: Path) -> None:
    theme = RULE.replace("StationName", "AccessionNumber")
    site_pack(tmp_path, "site", theme)
    project = make([{"AccessionNumber": "a"}], radiology=configured({"packs": ["base@1", "site@1"]}))
    normalize(project)
    changed = Catalog(project).read("changes")
    assert dict(changed.select("attribute", "after").iter_rows())["AccessionNumber"] == "b"
    site_pack(tmp_path, "site", theme.replace("replace: 'b'", "replace: ''").replace("after: b", "after: ''"))
    with pytest.raises(DefinitionInvalid, match=r"accession\.issuer looks at AccessionNumber"):
        normalize(project)


def test_packs_that_extend_each_other_are_refused(make: Any, tmp_path: Path) -> None:
    site_pack(tmp_path, "one", a_map("StationName", "A", "b", "one.station"), extends="[two@1]")
    site_pack(tmp_path, "two", a_map("StudyID", "A", "b", "two.id"), extends="[one@1]")
    with pytest.raises(DefinitionInvalid, match="in a circle: one > two > one"):
        load_all(make())


def test_a_pack_in_a_folder_of_another_name_is_refused(make: Any, tmp_path: Path) -> None:
    shutil.copytree(shipped() / "rules" / "surgery", tmp_path / "rules" / "theatre")
    with pytest.raises(DefinitionInvalid, match="'surgery' but its folder is 'theatre'"):
        load_all(make())


def _site(project: Project) -> None:
    """Load the project's pack `site` alone and try its examples."""
    check(load(project, ("site@1",), settings_file(project))["site"].rules)
