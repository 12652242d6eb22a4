from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from fonds.catalog.store import Catalog
from fonds.deduplicate import deduplicate
from fonds.match import match, prepare
from fonds.plan import plan
from fonds.project.settings import Project
from tests.handmade import make_project, write
from tests.match.people import crowd, person

URSULA = person("rad", "A1", "Weidinger^Ursula", "19610409")
MARGIT = person("rad", "A2", "Weidinger^Margit", "19580712")


def change(row: dict[str, Any], attribute: str, after: str | None, state: str = "approved") -> dict[str, Any]:
    """What normalisation says of one attribute of an object."""
    place = {"source": row["source"], "location": row["location"], "path": attribute, "attribute": attribute}
    number = f"{row['source']} {row['location']} {attribute}"
    return {**place, "change_id": number, "before": row.get(attribute), "after": after, "state": state}


def moved(row: dict[str, Any], to: dict[str, Any]) -> list[dict[str, Any]]:
    """The changes that put an object to another patient."""
    words = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex")
    return [change(row, word, to[word]) for word in words if row[word] != to[word]]


def held(project: Project, sql: str) -> list[tuple[Any, ...]]:
    with Catalog(project).connect() as connection:
        return connection.sql(sql).fetchall()


def persons(project: Project) -> dict[str, str]:
    """Person by Study UID."""
    return dict(
        held(project, "SELECT DISTINCT study_uid, person_id FROM instance_records JOIN persons USING (record_id)")
    )


def archive(folder: Path, *more: dict[str, Any]) -> tuple[Project, dict[str, Any]]:
    """Two patients, and a second study of the first one that the database knows as the other's."""
    project = make_project(folder, "rad", "card", "onk")
    astray = {**URSULA, "location": "astray.dcm", "StudyInstanceUID": "1.777", "SOPInstanceUID": "1.777.1"}
    write(project, "instances", [URSULA, MARGIT, astray, *more])
    return project, astray


def test_a_study_moved_to_another_patient_goes_with_that_patient_and_back(tmp_path: Path) -> None:
    project, astray = archive(tmp_path, *crowd())
    match(project)
    before = persons(project)
    assert before["1.777"] == before[URSULA["StudyInstanceUID"]] != before[MARGIT["StudyInstanceUID"]]
    write(project, "changes", moved(astray, MARGIT))
    match(project)
    after = persons(project)
    assert after["1.777"] == after[MARGIT["StudyInstanceUID"]] == before[MARGIT["StudyInstanceUID"]]
    assert {k: v for k, v in after.items() if k != "1.777"} == {k: v for k, v in before.items() if k != "1.777"}
    deduplicate(project)
    plan(project)
    planned = "SELECT DISTINCT person_id FROM plan WHERE study_uid = '1.777'"
    assert held(project, planned) == [(before[MARGIT["StudyInstanceUID"]],)]
    write(project, "changes", [])
    match(project)
    assert persons(project) == before


def test_only_another_identifier_or_issuer_makes_a_record_of_its_own(tmp_path: Path) -> None:
    glued = person("rad", "RAD^0047", "Kern^Ada", "19400101")
    zeros = person("rad", "00815", "Kern^Ida", "19410101")
    issued = person("rad", "17", "Kern^Uta", "19420101")
    spelled = person("rad", "18", "Kern^Eva", "19430101") | {"IssuerOfPatientID": "klinik nord"}
    western = person("rad", "19", "Kern^Lea", "19440101") | {"IssuerOfPatientID": "NORD"}
    doubted = person("rad", "20", "Kern^Mia", "19450101")
    project, astray = archive(tmp_path, glued, zeros, issued, spelled, western, doubted)
    changes = [
        change(glued, "PatientID", "0047"),
        change(glued, "IssuerOfPatientID", "RAD"),
        change(zeros, "PatientID", "815"),
        change(issued, "IssuerOfPatientID", "RAD"),
        change(issued, "PatientName", "KERN^UTA"),
        change(spelled, "IssuerOfPatientID", "Klinik-Nord"),
        change(western, "IssuerOfPatientID", "WEST"),
        change(doubted, "PatientID", "4711", state="proposed"),
    ]
    before = held(project, "SELECT location, record_id FROM instance_records ORDER BY ALL")
    write(project, "changes", [*changes, *moved(astray, MARGIT)])
    catalog = Catalog(project)
    with catalog.connect() as raw, catalog.connect_effective() as effective:
        for query in ("FROM instance_records ORDER BY ALL", "FROM patient_records ORDER BY ALL"):
            assert raw.sql(query).fetchall() == effective.sql(query).fetchall()
        ids = raw.sql("SELECT location, record_id, raw_record_id FROM instance_records ORDER BY ALL").fetchall()
        told = raw.sql("SELECT PatientName, studies FROM patient_records WHERE PatientID = 'A1'").fetchall()
        found = prepare.records(raw)
    assert [(location, record) for location, _, record in ids] == before
    assert {location for location, record, old in ids if record != old} == {"astray.dcm", western["location"]}
    assert told == [("Weidinger^Ursula", 1), ("Weidinger^Ursula", 1)]
    assert found.filter(pl.col("PatientID") == "19")["issuer"].to_list() == ["WEST"]
    assert found.filter(pl.col("PatientID") == "A2")["PatientName"].to_list() == ["Weidinger^Margit"] * 2


def test_a_feed_is_a_population_of_its_own(tmp_path: Path) -> None:
    others = [{"id": "A1", "issuer": "RAD", "type": "TEXT"}]
    project, _ = archive(tmp_path)
    told = {"feed": "mpi", "issuer": "MPI", "patient_id": "900", "PatientName": "Weidinger^Ursula", "status": "active"}
    write(project, "feed_patients", [{**told, "phone": "089 1234", "other_ids": others}])
    with Catalog(project).connect() as connection:
        found = prepare.records(connection)
    (mine,) = found.filter(pl.col("origin") == "feed").to_dicts()
    assert mine["record_id"].startswith("F")
    assert (mine["source"], mine["issuer"], mine["PatientID"]) == ("mpi", "MPI", "900")
    assert (mine["phone"], mine["other_ids"], mine["studies"]) == ("089 1234", others, [])
    assert found["origin"].value_counts(sort=True).row(0) == ("archive", found.height - 1)
