from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from fonds.catalog.store import Catalog
from fonds.cli.app import app
from fonds.errors import QueryRefused
from fonds.link.history import history
from fonds.project.settings import Project
from tests.handmade import write
from tests.link.around import REPORT, SEGMENTATION, linked, make, order, report, study

runner = CliRunner()


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Anna (A) with three studies, one in two archives; B has her accession number; C is not settled."""
    project = make(tmp_path_factory.mktemp("timeline") / "p")
    ct = {
        "StudyDate": "20210304",
        "StudyTime": "101530.5",
        "StudyDescription": "CT [b]Thorax[/b]",
        "BodyPartExamined": "CHEST",
    }
    studies = [
        study("rad", "1.1", "A", "A-007", **ct),
        {**study("rad", "1.1", "A", "A-007", **ct), "location": "second", "SOPInstanceUID": "1.1.2.2"},
        study("old", "1.1", "A", "A7", **ct),
        study("rad", "1.1", "A", "A-007", **SEGMENTATION, SeriesDescription="Lungs", StudyDate="20210304"),
        study("rad", "1.2", "A", None, StudyDate="20220101", BodyPartExamined="chest", Modality="MR"),
        study("rad", "1.2", "A", None, **REPORT, SOPInstanceUID="1.2.9", StudyDate="20220101",
              ContentDate="20220103", ContentTime="0800",
              DocumentTitleCode="18748-4", CompletionFlag="COMPLETE", VerificationFlag="VERIFIED"),
        study("card", "1.3", "A", None, StudyDate="unknown", Modality="XA"),
        study("card", "2.1", "B", "A0007", StudyDate="20210304"),
        study("card", "3.1", "C", None, StudyDate="20200304"),
        study("rad", "4.1", "APART", None), study("card", "4.2", "APART", None),
    ]  # fmt: skip
    orders = [
        order(
            "o1", "A", accession="A007", scheduled="2021-03-04T09:00:00+01:00", status="performed", description="Lung"
        ),
        order("o2", "A", accession="31337", scheduled="2023-05-01", status="performed", modality="us"),
    ]
    reports = [
        report("r1", None, study_uid="1.1", issued="2021-03-05T11:00:00", description="Findings"),
        report("r2", "C"),
    ]
    linked(project, studies, orders, reports, unsettled=("C",), apart=("APART",))
    return project


def rows(project: Project, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True) as connection:
        return connection.sql(query).fetchall()


def test_the_view_holds_each_item_once_in_time(told: Project) -> None:
    found = rows(told, "SELECT t.at, kind, what, sources, study_uid, objects, reports, priors, missing FROM timeline t "
                 "WHERE person_id = 'NA' ORDER BY t.at NULLS LAST, kind = 'study' DESC, kind")  # fmt: skip
    assert found == [
        ("2021-03-04", "annotation", "segmentation: Lungs", ["rad"], "1.1", 1, None, None, []),
        ("2021-03-04T09:00:00", "order", "Lung", ["ris"], "1.1", None, None, None, []),
        ("2021-03-04T10:15:30", "study", "CT [b]Thorax[/b]", ["old", "rad"], "1.1", 3, 1, 0, []),
        ("2021-03-05T11:00:00", "report", "Findings", ["ris"], "1.1", None, None, None, []),
        ("2022-01-01", "study", "MR", ["rad"], "1.2", 2, 1, 1, ["study-without-order"]),
        ("2022-01-03T08:00:00", "report", "Diagnostic imaging report", ["rad"], "1.2", 1, None, None, []),
        ("2023-05-01", "order", "us", ["ris"], None, None, None, None, ["order-without-study"]),
        (None, "study", "XA", ["card"], "1.3", 1, 0, None, ["images-without-report"]),
    ]


def test_priors_share_modality_or_region(told: Project) -> None:
    found = rows(
        told,
        "SELECT study_uid, prior_study_uid, days, same_modality, same_body_part FROM priors WHERE person_id = 'NA'",
    )
    assert found == [("1.2", "1.1", 303, False, True)]


def test_a_history_is_what_the_view_holds(told: Project) -> None:
    with Catalog(told).connect() as connection:
        view = connection.sql("SELECT kind, item, missing, priors FROM timeline WHERE person_id = 'NA'").fetchall()
    items = history(told, "NA").items
    assert sorted((item["kind"], item["item"], item["missing"]) for item in items) == sorted(row[:3] for row in view)
    assert {item["item"]: item.get("priors") for item in items if item["kind"] == "study"} == {
        item: priors for kind, item, _, priors in view if kind == "study"
    }


@pytest.mark.parametrize("name", ["NA", " A ", "RAD|A", "rad | a", "1.1", "ris-o", "31337"])
def test_a_person_is_found_by_what_belongs_to_them(told: Project, name: str) -> None:
    if name in ("ris-o", "31337"):
        # an order's number belongs to no study
        with pytest.raises(QueryRefused, match="nobody is found"):
            history(told, name)
    else:
        assert history(told, name).person_id == "NA"


def test_a_record_names_its_person(told: Project) -> None:
    record = Catalog(told).read("persons").filter(person_id="NB")["record_id"][0]
    assert history(told, record).person_id == "NB"


def test_who_may_be_meant_is_listed(told: Project) -> None:
    with pytest.raises(QueryRefused, match=r"NA \(accession number in old, rad\); NB \(accession number in card\)"):
        history(told, "a 07")
    with pytest.raises(QueryRefused, match=r"NAPARTCARD \(identifier of CARD in card\); NAPARTRAD"):
        history(told, "APART")
    assert history(told, "card|APART").person_id == "NAPARTCARD"
    with pytest.raises(QueryRefused, match="identifiers of: CARD, RAD"):
        history(told, "MPI|A")


@pytest.mark.parametrize(
    "name", ["", "'; DROP VIEW timeline; --", "\x00", "9.9.9", "R0123456789abcdef", "|", "x" * 5000, "%"]
)
def test_nobody_is_an_answer(told: Project, name: str) -> None:
    with pytest.raises(QueryRefused) as raised:
        history(told, name)
    assert len(str(raised.value)) < 400


def test_the_command_tells_it_for_people(told: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fonds.cli.show.data.width", 100, raising=False)
    done = runner.invoke(app, ["timeline", "NA", "--project", str(told.root)])
    assert done.exit_code == 0, done.output
    text = re.sub(r" +", " ", done.stdout)
    assert "Doe^A · 19700101 · F" in text
    assert "3 studies, 2 reports, 1 annotation, 2 orders in 3 archives; something is missing at 3 items" in text
    years = re.findall(r"^(\d{4}|Without a date)$", done.stdout, re.MULTILINE)
    assert years == ["2021", "2022", "2023", "Without a date"]
    assert "CT [b]Thorax[/b]" in text
    assert "old, rad · 2 series · 3 objects · accession A" in text
    assert "└ order Lung · ris · performed" in text
    assert "2021-03-05 └ report Findings · ris · final" in text
    assert "complete, verified" in text
    assert "✗ no archive holds a study of it" in text
    assert "✗ no report" in text
    waiting = runner.invoke(app, ["timeline", "NC", "--project", str(told.root)]).stdout
    assert "waits for an answer" in waiting


def test_json_is_the_whole(told: Project) -> None:
    done = runner.invoke(app, ["timeline", "NA", "--json", "--project", str(told.root)])
    said = json.loads(done.stdout)
    assert (said["person_id"], len(said["records"]), len(said["items"])) == ("NA", 3, 8)


def test_before_matching_and_linking_a_record_stands_for_itself(tmp_path: Path) -> None:
    project = make(tmp_path / "p")
    with pytest.raises(QueryRefused):
        history(project, "A")
    write(project, "instances", [study("rad", "1.1", "A", "7")])
    told = history(project, "RAD|A")
    assert (told.matched, [item["kind"] for item in told.items]) == (False, ["study"])
    assert history(project, told.person_id).items == told.items
    shown = runner.invoke(app, ["timeline", "A", "--project", str(project.root)]).stdout
    assert "matching hasn't run" in shown
