"""Hand-made catalogs for the tests of stages: a project folder, and rows of `instances` with plain defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.project.settings import Project, load


def make_project(folder: Path, *sources: str) -> Project:
    """A project with folder sources of these names (folders exist)."""
    lines = ["name: handmade", "sources:" if sources else "sources: {}"]
    for name in sources:
        (folder / name).mkdir(parents=True)
        lines.append(f"  {name}: {{path: {name}, issuer: {name.upper()}}}")
    (folder / "fonds.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load(folder)


def instance(source: str, location: str, **values: Any) -> dict[str, Any]:
    """One row of `instances`: a small CT slice of study 1.1, series 1.2, with digests that follow from its location."""
    row = {
        "source": source,
        "location": location,
        "size": 1000,
        "mtime_ns": 0,
        "read_status": "ok",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "digest_object": f"object {source} {location}",
        "digest_header": f"header {source} {location}",
        "digest_pixels": f"pixels {source} {location}",
        "pixel_length": 512,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "SOPInstanceUID": f"1.3.{sum(location.encode())}",
        "StudyInstanceUID": "1.1",
        "SeriesInstanceUID": "1.2",
        "Modality": "CT",
        "PatientID": "P1",
        "PatientName": "Doe^Ann",
        "PatientBirthDate": "19700101",
        "PatientSex": "F",
        "StudyDate": "20210304",
        "AccessionNumber": "A1",
    }
    return {**row, **values}


def write(project: Project, name: str, rows: list[dict[str, Any]]) -> None:
    """Put rows in place of a table; columns not given are NULL."""
    wanted = schema.table(project, name).schema
    given = {column: kind for column, kind in wanted.items() if any(column in row for row in rows)}
    frame = pl.DataFrame([{column: row.get(column) for column in given} for row in rows], schema=given)
    Catalog(project).replace(name, frame)


def settle(project: Project) -> None:
    """Give every patient record a settled person of its own, where `persons` has none for it."""
    with Catalog(project).connect() as connection:
        rows = connection.sql(
            "SELECT record_id, 'P' || record_id AS person_id, 1 AS cluster_size, true AS settled FROM patient_records"
        ).pl()
    Catalog(project).replace("persons", rows)
