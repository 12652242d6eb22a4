"""Hand-made patients for the tests of matching: a project whose archives hold one object a record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from fonds.catalog.store import Catalog
from fonds.match import match
from fonds.project.settings import Project
from tests.handmade import instance, make_project, write

CROWD = [
    ("Lehmann", "Otto", "19410823"), ("Feldberger", "Rosa", "19530611"), ("Nowak", "Irene", "19660130"),
    ("Hartmann", "Dieter", "19380917"), ("Lindqvist", "Axel", "19720405"), ("Brandauer", "Helga", "19490228"),
    ("Steinfeld", "Horst", "19580709"), ("Morgenroth", "Heike", "19810316"),
]  # fmt: skip


def person(
    source: str, number: str, name: str, birth: str | None, sex: str | None = "F", **more: Any
) -> dict[str, Any]:
    """One object of a patient; the issuer is the source's own."""
    values = {"PatientID": number, "PatientName": name, "PatientBirthDate": birth, "PatientSex": sex}
    study = f"1.{sum(f'{source}{number}{name}{birth}'.encode())}.{len(name)}"
    return instance(source, f"{number}-{name}-{birth}.dcm".replace("/", "_"), StudyInstanceUID=study, **values) | more


def crowd() -> list[dict[str, Any]]:
    """Ordinary people in two archives, so that the model has something to learn from."""
    rows = []
    for place, (family, given, birth) in enumerate(CROWD):
        rows += [
            person("rad", f"R{place}", f"{family}^{given}", birth),
            person("card", f"C{place}", f"{family.upper()}^{given.upper()}", birth),
        ]
    return rows


def matched(folder: Path, rows: list[dict[str, Any]]) -> tuple[Project, pl.DataFrame]:
    """Run the stage over a crowd and these rows; returns the project and its records with person and settledness."""
    project = make_project(folder, "rad", "card", "onk")
    write(project, "instances", crowd() + rows)
    match(project)
    return project, people(project)


def people(project: Project) -> pl.DataFrame:
    """Records with their identifier, person and whether a question is open."""
    with Catalog(project).connect() as connection:
        return connection.sql(
            "SELECT PatientID AS id, source, PatientName AS name, record_id, person_id, settled, reason "
            "FROM patient_records JOIN persons USING (record_id) ORDER BY ALL"
        ).pl()


def band(project: Project, a: str, b: str) -> tuple[str, str | None]:
    """Band and note of the pair of two records named by PatientID; 'never compared' when there is none."""
    with Catalog(project).connect() as connection:
        found = connection.sql(
            "SELECT band, note FROM pairs JOIN patient_records x ON x.record_id = record_a "
            "JOIN patient_records y ON y.record_id = record_b "
            f"WHERE (x.PatientID, y.PatientID) IN (('{a}', '{b}'), ('{b}', '{a}'))"
        ).fetchall()
    return found[0] if found else ("never compared", None)
