"""The hand-made catalog after matching with a feed: records of a patient index, patterns, a cluster, a drawn sample."""

from __future__ import annotations

from typing import Any

import polars as pl

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.operations.runs import mirrored
from fonds.project.settings import Project
from tests.report.handmade import PEOPLE, evidence, pairs, record_of

EVIL = "<script>alert('feed')</script>"
ANNA, EVE, TWIN = "F00000000000000a1", "F00000000000000e2", "F00000000000000f3"
LINK = (record_of(6, "radiology"), record_of(6, "surgery"))
NOTE = f"cluster doesn't hold together; weakest link {min(LINK)} - {max(LINK)} (3.1)"


def feed_records() -> list[dict[str, Any]]:
    """Three patients of the index: one in full, one whose every value is a script, one hardly known."""
    return [
        {
            "record_id": ANNA, "issuer": "MPI", "PatientID": "900", "PatientName": "Müller^Anna Maria^^Dr.",
            "PatientBirthName": "Huber", "PatientBirthDate": "19570310", "PatientSex": "F", "phone": "0431 123",
            "street": "Hafenweg 3", "postcode": "24103", "city": "Kiel", "mother": "Petersen", "national_id": "N-77",
            "other_ids": [{"id": "4711", "issuer": "ISS-RADI", "type": None}, {"id": "x", "issuer": "", "type": None}],
        },
        {
            "record_id": EVE, "issuer": EVIL, "PatientID": EVIL, "PatientName": f"{EVIL}^Eve", "PatientBirthName": EVIL,
            "PatientBirthDate": "19710101", "PatientSex": "F", "phone": EVIL, "street": EVIL, "postcode": EVIL,
            "city": EVIL, "mother": EVIL, "national_id": EVIL,
            "other_ids": [{"id": EVIL, "issuer": EVIL, "type": EVIL}], "missing": [f"birth_date: {EVIL}"],
        },
        {
            "record_id": TWIN, "issuer": "MPI", "PatientID": "902", "PatientName": "Nowak^Baby",
            "PatientBirthDate": "19000101",
            "missing": ["birth_date: default", "given name: newborn", "sex: absent", "name: perhaps trauma"],
        },
    ]  # fmt: skip


def with_feed(project: Project) -> Project:
    """Add the feed's records, their pairs and persons, patterns, a torn cluster and a sample of four pairs."""
    catalog = Catalog(project)
    archive = [
        {
            "record_id": record_of(number, source), "origin": "archive", "source": source, "issuer": source,
            "PatientName": name, "PatientID": patient_id, "PatientBirthDate": born, "PatientSex": sex, "studies": 2,
            "missing": ["birth_date: derived from age"] if born == "19710101" else [],
        }
        for number, (born, sex, places) in enumerate(PEOPLE)
        for source, (name, patient_id) in places.items()
    ]  # fmt: skip
    feed = [{"origin": "feed", "source": "mpi", "studies": 0} | row for row in feed_records()]
    catalog.replace("match_records", pl.DataFrame(archive + feed, infer_schema_length=None))
    rows = pairs()
    for row in rows:
        if {row["record_a"], row["record_b"]} == set(LINK):
            row |= {"band": "review", "note": NOTE, "weight": 3.1, "pattern": 7, "teaches": 40.0}
        elif row["band"] == "reject":
            row["evidence"] = None
    script = evidence(("family members", EVIL, EVIL, EVIL, -2.0), ("prior", "two records at random", "", "", -8.0))
    rows += [
        _pair(ANNA, record_of(0, "radiology"), 15.0, "link", pattern=1),
        _pair(ANNA, record_of(0, "cardiology"), 2.0, "review", pattern=7, teaches=40.0),
        _pair(EVE, record_of(2, "cardiology"), 1.0, "review", pattern=7, teaches=40.0, evidence=script),
        _pair(TWIN, record_of(6, "surgery"), 4.0, "review", pattern=8, note=NOTE),
        _pair(TWIN, record_of(6, "radiology"), -9.0, "reject", note="twins"),
    ]
    catalog.replace("pairs", pl.DataFrame(rows, infer_schema_length=None))
    known = catalog.read("persons").to_dicts()
    person = {row["record_id"]: row["person_id"] for row in known}
    new = [(ANNA, person[record_of(0, "radiology")]), (EVE, "P-eve"), (TWIN, "P-twin")]
    known += [{"record_id": record, "person_id": one, "cluster_size": 1, "settled": True} for record, one in new]
    catalog.replace("persons", pl.DataFrame(known, infer_schema_length=None))
    drawn = [
        {**{key: row[key] for key in ("record_a", "record_b", "probability", "band")}, "stratum": row["band"],
         "rests_on": "threshold", "pairs": 40, "drawn": 2, "run": 1}
        for row in (rows[3], rows[0], rows[8], rows[6])
    ]  # fmt: skip
    catalog.replace("match_sample", pl.DataFrame(drawn))
    publish(catalog, mirrored(project))
    return project


def _pair(first: str, second: str, weight: float, band: str, **more: Any) -> dict[str, Any]:
    a, b = sorted((first, second))
    known = {
        "evidence": evidence(("prior", "two records at random", "", "", -8.0), ("sex", "equal", "F", "F", weight + 8))
    }
    row = {
        "record_a": a,
        "record_b": b,
        "weight": weight,
        "probability": 1 / (1 + 2**-weight),
        "band": band,
        "studies": 2,
    }
    return row | known | more
