from __future__ import annotations

from pathlib import Path

import pytest

from fonds.assess.definition import Checks, load_all, load_with_files
from fonds.assess.examples import wrong_examples
from fonds.assess.vocabulary import project_vocabularies
from fonds.errors import DefinitionInvalid
from fonds.project.definitions import load_yaml
from fonds.project.settings import Project, load

ROOT = Path(__file__).parents[2]
# What the sample hospitals' truth counts on: id, level, severity
TABLE = """
IN-01 instance block, IN-02 instance major, IN-03 instance block, IN-04 instance major, IN-05 instance block,
IN-06 instance block, IN-07 instance block, IN-08 instance minor, IN-09 instance major, IN-10 instance critical,
IN-11 instance minor, IN-12 instance minor, IN-13 instance minor, IN-14 instance major, IN-15 instance minor,
ST-01 study block, ST-02 study block, ST-04 study critical, ST-05 study major, ST-06 study block, ST-09 study critical,
ST-10 study critical, ST-11 study major, ST-14 study major, ST-19 study major, PT-20 study critical,
SE-01 series block, SE-02 series major, SE-03 series critical, SE-04 series critical, SE-06 series major,
SE-08 series critical, SE-10 series minor, SE-18 series major,
PT-01 patient block, PT-02 patient block, PT-05 patient critical, PT-06 patient block, PT-08 patient critical,
PT-09 patient major, PT-10 patient major, PT-13 patient major, PT-14 patient critical, PT-15 patient major,
PT-16 patient major, PT-17 patient minor, PT-21 patient major, PT-23 patient major, PT-27 patient minor,
AR-01 archive critical
"""
CHECK = """theme: x
checks:
  - id: ZZ-01
    name: zz
    level: {level}
    kahn: conformance
    severity: minor
    message: m
    attributes: [PatientID]
    fails: {fails}
    examples:
      passes: [{{name: a, rows: [{{PatientID: A, SeriesInstanceUID: "1"}}]}}]
      fails: [{{name: b, rows: [{{PatientID: B, SeriesInstanceUID: "1"}}], attribute: PatientID, value: B}}]
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "fonds.yaml").write_text("name: x\nsources: {}\n", encoding="utf-8")
    return load(tmp_path)


def _own(project: Project, fails: str, level: str = "instance") -> Path:
    path = project.root / "rules" / "checks" / "own.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CHECK.format(fails=fails, level=level), encoding="utf-8")
    return path


def test_every_example_is_judged_as_it_says(project: Project) -> None:
    checks = [check for _, check in load_with_files(project)]
    assert wrong_examples(project, checks) == []


def test_every_agreed_check_is_there_with_its_level_and_severity(project: Project) -> None:
    wanted = {tuple(entry.split()) for entry in TABLE.replace("\n", " ").split(",")}
    assert {(check.id, check.level, check.severity) for _, check in load_with_files(project)} >= wanted


@pytest.mark.parametrize(
    ("fails", "reason"),
    [
        ("read_text('/etc/passwd') = 'x'", "read_text is not allowed"),
        ("PatientID IN (SELECT subject_a FROM decisions)", "not allowed in a condition"),
        ("(SELECT 1) = 1", "'subquery' is not allowed"),
        ("EXISTS (FROM findings)", "is not allowed"),
        ("\"true; COPY (SELECT 1) TO '/tmp/x'\"", "not allowed"),
        ("findings.entity = 'x'", "is no column of an instance"),
        ("getenv('HOME') = 'x'", "getenv is not allowed"),
        ("PatientId = 'x'", "did you mean PatientID"),
        ("bool_or(PatientID = 'x')", "an aggregate is not allowed here"),
        ("row_number() OVER () = 1", "is not allowed"),
        ("CAST(PatientID AS INTEGER) = 1", "cast is not allowed"),
        ("part = 'x'", "is no column"),
        ("empty(PatientID, 1)", "takes 1 value"),
        ("'" + "(" * 400 + "1" + ")" * 400 + "'", "SQL expression"),
        ("PatientID =", "is not an SQL expression"),
    ],
)
def test_a_hostile_or_wrong_condition_is_refused_with_line_and_reason(
    project: Project, fails: str, reason: str
) -> None:
    path = _own(project, fails)
    with pytest.raises(DefinitionInvalid) as caught:
        load_yaml(path, Checks, project_vocabularies(project))
    lines = dict(caught.value.mistakes)
    assert reason in lines[10]


def test_above_the_instance_a_bare_column_is_refused(project: Project) -> None:
    path = _own(project, "PatientID = 'B'", level="series")
    with pytest.raises(DefinitionInvalid, match=r"may differ inside a series.*bool_or"):
        load_yaml(path, Checks, project_vocabularies(project))


def test_an_example_that_is_judged_otherwise_is_a_mistake_for_the_doctor(project: Project) -> None:
    _own(project, "PatientID = 'B'")
    assert "ZZ-01" in {check.id for check in load_all(project)}
    _own(project, "PatientID = 'A'")
    with pytest.raises(DefinitionInvalid, match="ZZ-01, example 'a'"):
        load_all(project)


def test_one_id_twice_is_a_mistake(project: Project) -> None:
    path = _own(project, "PatientID = 'B'")
    path.write_text(path.read_text().replace("ZZ-01", "IN-01"))
    with pytest.raises(DefinitionInvalid, match="IN-01 is used twice"):
        load_with_files(project)
