"""Catalogs for the tests of context: studies of named patients in three archives, orders and reports of feeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonds.catalog.store import Catalog
from fonds.link import link
from fonds.operations.runs import StageResult
from fonds.project.settings import Project, load
from tests.handmade import instance, write

Row = dict[str, Any]
SETTINGS = """
name: around
sources:
  rad: {path: rad, issuer: RAD, accession_issuer: RIS, department: radiology}
  card: {path: card, issuer: CARD, accession_issuer: CVIS}
  old: {path: old, issuer: RAD}
feeds:
  ris: {format: csv, orders: o.csv, reports: r.csv, accession_issuer: RIS, issuer: RAD}
  web: {format: csv, orders: o.csv}
"""
REPORT = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11", "Modality": "SR", "pixel_length": None}
SEGMENTATION = {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4", "Modality": "SEG"}


def make(folder: Path, rules: str | None = None) -> Project:
    """A project of three archives and two feeds; `rules` is its rules/context.yaml."""
    for name in ("rad", "card", "old"):
        (folder / name).mkdir(parents=True)
    (folder / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    if rules is not None:
        (folder / "rules").mkdir()
        (folder / "rules" / "context.yaml").write_text(rules, encoding="utf-8")
    return load(folder)


def study(source: str, uid: str, patient: str, accession: str | None = None, **values: Any) -> Row:
    """One object of a study; its SOP Instance UID is the study's and the modality."""
    modality = values.get("Modality", "CT")
    return instance(
        source,
        f"{uid}-{modality}",
        **{
            "StudyInstanceUID": uid,
            "SeriesInstanceUID": f"{uid}.{len(modality)}",
            "SOPInstanceUID": f"{uid}.{len(modality)}.1",
            "PatientID": patient,
            "PatientName": f"Doe^{patient}",
            "AccessionNumber": accession,
            **values,
        },
    )


def order(id: str, patient: str | None = None, **values: Any) -> Row:
    """An order of the feed ris for a patient of the radiology."""
    return {"feed": "ris", "order_id": id, "issuer": "RAD", "patient_id": patient, "accession_issuer": "RIS"} | values


def report(id: str, patient: str | None = None, **values: Any) -> Row:
    """A final report of the feed ris."""
    told = {"feed": "ris", "report_id": id, "issuer": "RAD", "patient_id": patient, "accession_issuer": "RIS"}
    return {**told, "status": "final", **values}


def settle_by_id(
    project: Project,
    unsettled: tuple[str, ...] = (),
    apart: tuple[str, ...] = (),
    asked: tuple[tuple[str, str], ...] = (),
) -> None:
    """Say that a Patient ID is one person, in whatever archive, but those that are `apart` by issuer; the records of
    `unsettled` are in doubt by themselves, and of those `asked` it is open whether both are one."""
    with Catalog(project).connect() as connection:
        rows = connection.sql(
            "SELECT record_id, source, coalesce(nullif(r.issuer, ''), s.issuer) AS issuer, PatientID, "
            "PatientName, PatientBirthDate, PatientSex "
            "FROM patient_records r JOIN sources s USING (source)"
        ).pl()
    write(project, "match_records", [{**row, "origin": "archive", "studies": 1} for row in rows.to_dicts()])
    persons = [
        {
            "record_id": row["record_id"],
            "person_id": f"N{(row['PatientID'] or '').strip()}" + (row["issuer"] if row["PatientID"] in apart else ""),
            "settled": row["PatientID"] not in (*unsettled, *sum(asked, ())),
            "reason": "review" if row["PatientID"] in sum(asked, ()) else None,
        }
        for row in rows.to_dicts()
    ]
    write(project, "persons", persons)
    records = dict(zip(rows["PatientID"], rows["record_id"], strict=True))
    pairs = [sorted((records[one], records[other])) for one, other in asked]
    write(project, "pairs", [{"record_a": a, "record_b": b, "band": "review"} for a, b in pairs])


def linked(
    project: Project,
    studies: list[Row],
    orders: list[Row] | None = None,
    reports: list[Row] | None = None,
    *,
    unsettled: tuple[str, ...] = (),
    apart: tuple[str, ...] = (),
    asked: tuple[tuple[str, str], ...] = (),
) -> StageResult:
    """Write the tables and link."""
    write(project, "instances", studies)
    settle_by_id(project, unsettled, apart, asked)
    write(project, "feed_orders", orders or [])
    write(project, "feed_reports", reports or [])
    return link(project, force=True)


def gaps(project: Project, *kinds: str) -> set[tuple[str, str, str | None, str]]:
    """(kind, source, study, entity) of the gaps of these kinds."""
    rows = Catalog(project).read("gaps").to_dicts()
    return {(row["kind"], row["source"], row["study_uid"], row["entity"]) for row in rows if row["kind"] in kinds}


def numbers(project: Project) -> dict[tuple[str, str], tuple[str | None, str, str | None]]:
    """{(archive or feed, spelling): (key, how, problem)}."""
    rows = Catalog(project).read("accessions").to_dicts()
    return {(row["source"], row["accession"]): (row["accession_key"], row["how"], row["problem"]) for row in rows}


def ends(project: Project) -> dict[tuple[str, str], set[tuple[str | None, str | None, str, bool | None]]]:
    """{(kind, id): {(study, how, state, same patient)}}."""
    found: dict[tuple[str, str], set[tuple[str | None, str | None, str, bool | None]]] = {}
    for row in Catalog(project).read("feed_links").to_dicts():
        found.setdefault((row["kind"], row["id"]), set()).add(
            (row["study_uid"], row["how"], row["state"], row["same_patient"])
        )
    return found
