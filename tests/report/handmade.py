"""A small catalog made by hand, every table filled: what the tests of report, desk and notebooks look at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.operations.runs import mirrored
from fonds.project.settings import Project, load

XSS = "<script>alert(1)</script>^Eve"
SETTINGS = """\
name: Hand-made hospital
sources:
  radiology: {path: r, department: radiology, issuer: RAD-NORD, institution: Klinikum Nord}
  cardiology: {path: c, department: cardiology, issuer: CARD-HEART, date_order: us}
  oncology: {path: o, department: oncology, issuer: ONK}
  surgery: {path: s, department: surgery, issuer: SURG}
"""
# name, sex, birth date, and by source: (spelling, patient id)
PEOPLE: list[tuple[str, str, dict[str, tuple[str, str]]]] = [
    ("19570310", "F", {"radiology": ("Müller^Anna Maria", "4711"), "cardiology": ("Mueller^Anna", "C-220")}),
    ("19620814", "M", {"radiology": ("O'Neill^Sean", "4712"), "oncology": ("ONeill^Sean", "K19")}),
    ("19710101", "F", {"cardiology": (XSS, "C-221"), "surgery": ("Script^Eve", "S-9")}),
    ("19480229", "M", {"radiology": ("Schmidt^Peter^^Dr.", "4713"), "oncology": ("Schmitt^Peter", "K20")}),
    ("19830507", "F", {"radiology": ("Jansen-Wolf, Britta", "4714")}),
    ("19900912", "M", {"surgery": ("Yamada^Tarou=山田^太郎=やまだ^たろう", "S-10")}),
    ("19351224", "F", {"radiology": ("Nowak^Zofia", "4715"), "surgery": ("Nowak^Zofia", "S-11")}),
    ("19350224", "F", {"oncology": ("Nowak^Sofia", "K21")}),
]
HABITS = {
    "radiology": (("CT", "1.2.840.10008.5.1.4.1.1.2"), ("MR", "1.2.840.10008.5.1.4.1.1.4")),
    "cardiology": (("US", "1.2.840.10008.5.1.4.1.1.3.1"), ("XA", "1.2.840.10008.5.1.4.1.1.12.1")),
    "oncology": (("CT", "1.2.840.10008.5.1.4.1.1.2"), ("PT", "1.2.840.10008.5.1.4.1.1.128")),
    "surgery": (("ES", "1.2.840.10008.5.1.4.1.1.77.1.1"), ("<b>OT", "1.2.840.10008.5.1.4.1.1.7")),
}


def fingerprint(text: str) -> str:
    """A digest for a made-up value."""
    return hashlib.sha256(text.encode()).hexdigest()


def record_id(*values: str) -> str:
    """The macro `record_id` of views.sql: source, issuer, patient ID, name, birth date, sex."""
    return "R" + fingerprint("|".join(values))[:16]


def record_of(person: int, source: str) -> str:
    """Record id of one of PEOPLE in one source."""
    born, sex, places = PEOPLE[person]
    name, patient_id = places[source]
    return record_id(source, f"ISS-{source.upper()[:4]}", patient_id, name, born, sex)


def objects() -> Iterator[dict[str, Any]]:
    """Two studies of three objects for each person in each source."""
    for number, (born, sex, places) in enumerate(PEOPLE):
        for source, (name, patient_id) in places.items():
            for study in range(2):
                modality, sop_class = HABITS[source][study]
                study_uid = f"1.2.3.{number}.{list(HABITS).index(source)}.{study}"
                day = f"{2009 + number + 3 * study}{1 + number:02d}{10 + study:02d}"
                for item in range(3 + number % 3):
                    yield {
                        "source": source,
                        "location": f"{modality.strip('<>b')}/{number}/{study}/{item}.dcm",
                        "size": 52_000 + 1000 * item,
                        "mtime_ns": 1,
                        "read_status": "ok",
                        "transfer_syntax": "1.2.840.10008.1.2.1",
                        "charset_used": "ISO_IR 192",
                        "digest_object": fingerprint(f"o{study_uid}{item}"),
                        "digest_pixels": fingerprint(f"p{study_uid}{item}"),
                        "pixel_length": 51_200,
                        "SOPClassUID": sop_class,
                        "SOPInstanceUID": f"{study_uid}.1.{item}",
                        "StudyInstanceUID": study_uid,
                        "SeriesInstanceUID": f"{study_uid}.1",
                        "PatientName": name,
                        "PatientID": patient_id,
                        "IssuerOfPatientID": f"ISS-{source.upper()[:4]}",
                        "PatientBirthDate": born,
                        "PatientSex": sex,
                        "Modality": modality,
                        "StudyDate": day,
                        "StudyTime": "093000",
                        "StudyDescription": f"{modality} examination",
                        "AccessionNumber": "" if number == 2 else f"A{number}{study}",
                        "BodyPartExamined": "CHEST",
                        "InstitutionName": "Klinikum Nord",
                    }


def evidence(*rows: tuple[str, str, str, str, float]) -> str:
    """The evidence of a pair: comparison, label, value a, value b, weight."""
    return json.dumps([dict(zip(("comparison", "label", "a", "b", "weight"), row, strict=True)) for row in rows])


def pairs() -> list[dict[str, Any]]:
    """Two certain pairs, three for the desk, some that are none."""
    given = [
        (0, "radiology", 0, "cardiology", 6.4, "review", 4),
        (1, "radiology", 1, "oncology", 9.8, "link", 4),
        (2, "cardiology", 2, "surgery", 4.9, "review", 4),
        (3, "radiology", 3, "oncology", 11.2, "link", 4),
        (6, "radiology", 7, "oncology", 1.4, "review", 4),
        (6, "radiology", 6, "surgery", 16.3, "link", 4),
        (4, "radiology", 0, "cardiology", -7.5, "reject", 0),
        (5, "surgery", 1, "oncology", -12.1, "reject", 0),
        (5, "surgery", 7, "oncology", -9.4, "reject", 0),
    ]
    rows = []
    for person_a, source_a, person_b, source_b, weight, band, studies in given:
        first, second = record_of(person_a, source_a), record_of(person_b, source_b)
        name_a, name_b = PEOPLE[person_a][2][source_a][0], PEOPLE[person_b][2][source_b][0]
        born_a, born_b = PEOPLE[person_a][0], PEOPLE[person_b][0]
        if first > second:
            first, second, name_a, name_b, born_a, born_b = second, first, name_b, name_a, born_b, born_a
        same = born_a == born_b
        rows.append(
            {
                "record_a": first,
                "record_b": second,
                "weight": weight,
                "probability": 1 / (1 + 2**-weight),
                "band": band,
                "evidence": evidence(
                    ("prior", "before anything is compared", "", "", -8.0),
                    ("family name", "similar" if weight > 0 else "different", name_a, name_b, (weight + 8) / 2),
                    ("birth date", "same" if same else "different", born_a, born_b, 7.0 if same else -5.0),
                    ("sex", "same", "F", "F", (weight + 8) / 2 - (7.0 if same else -5.0)),
                ),
                "blocked_by": ["birth date and sex"],
                "studies": studies,
            }
        )
    return rows


def make_project(root: Path) -> Project:
    """A project folder with an empty catalog."""
    (root / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
    return load(root)


def fill(project: Project) -> Project:
    """Every table of the catalog, and the published file."""
    catalog = Catalog(project)
    rows = list(objects())
    instances = pl.DataFrame(rows)
    catalog.replace("instances", instances)
    broken = [
        {"source": "surgery", "location": f"broken/{n}.dcm", "size": 10, "mtime_ns": 1, "reason": reason}
        for n, reason in enumerate(("truncated_header", "not_dicom", "empty"))
    ]
    catalog.replace("unreadable", pl.DataFrame(broken))
    catalog.replace("findings", pl.DataFrame(list(_findings(rows))))
    catalog.replace("scorecard", _scorecard())
    catalog.replace("checks", pl.DataFrame(CHECKS, schema=list(CHECK_COLUMNS), orient="row"))
    catalog.replace("measures", pl.DataFrame(list(_measures())))
    catalog.replace("assessments", pl.DataFrame(list(_assessments())))
    catalog.replace("gates", pl.DataFrame(list(_gates())))
    catalog.replace("conformance", pl.DataFrame(list(_conformance(rows))))
    catalog.replace("drift", pl.DataFrame(list(_drift(rows))))
    catalog.replace("changes", pl.DataFrame(list(_changes(rows))))
    catalog.replace("pairs", pl.DataFrame(pairs()))
    catalog.replace("persons", pl.DataFrame(list(_persons())))
    catalog.replace("duplicates", pl.DataFrame(_duplicates(rows)))
    catalog.replace("links", pl.DataFrame(list(_links(rows))))
    catalog.replace("gaps", pl.DataFrame(_gaps(rows)))
    plan = [_planned(number, row) for number, row in enumerate(rows)] + [
        {**{k: one[k] for k in ("source", "location")}, "state": "held" if one["reason"] != "not_dicom" else "excluded",
         "reason": "unreadable" if one["reason"] != "not_dicom" else "not-dicom"}
        for one in broken
    ]  # fmt: skip
    catalog.replace("plan", pl.DataFrame(plan, infer_schema_length=None))
    ledger = [
        {
            **{key: row[key] for key in ("source", "location", "sop_uid", "study_uid", "wave")},
            "state": "failed" if number == 5 else "verified",
            "bytes": 52_000,
            "digest_pixels_before": fingerprint(str(number)),
            "digest_pixels_after": fingerprint(str(number)),
        }
        for number, row in enumerate(plan)
        if row["state"] == "planned"
    ]
    catalog.replace("ledger", pl.DataFrame(ledger))
    moved = {(row["source"], row["location"]): row["state"] for row in ledger}
    final = [
        {
            "source": row["source"],
            "location": row["location"],
            "sop_uid": row.get("sop_uid"),
            "study_uid": row.get("study_uid"),
            "department": row["source"],
            "wave": row.get("wave"),
            "state": moved.get((row["source"], row["location"]), row["state"]),
            "reason": "refused: A700" if moved.get((row["source"], row["location"])) == "failed" else row.get("reason"),
            "evidence": "digest",
        }
        for row in plan
    ]
    catalog.replace("reconciliation", pl.DataFrame(final, infer_schema_length=None))
    publish(catalog, mirrored(project))
    return project


def _findings(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    told = [
        ("PT-09", "name-unstructured", "patient", "conformance", "major", "radiology", "PatientName", "Jansen, Br"),
        ("ST-04", "accession-empty", "study", "completeness", "critical", "cardiology", "AccessionNumber", ""),
        ("ST-04", "accession-empty", "study", "completeness", "critical", "surgery", "AccessionNumber", ""),
        ("IN-01", "object-unreadable", "instance", "conformance", "block", "surgery", None, None),
        ("SE-02", "modality-not-defined", "series", "conformance", "major", "surgery", "Modality", "<b>OT"),
        ("PT-10", "name-alias", "patient", "plausibility", "major", "radiology", "PatientName", "Schmidt^Peter^^Dr."),
    ]  # fmt: skip
    for number, (check, name, level, kahn, severity, source, attribute, value) in enumerate(told):
        yield {
            "check_id": check, "name": name, "level": level, "kahn": kahn, "severity": severity, "source": source,
            "department": source, "entity": f"E{number}", "attribute": attribute, "value": value,
            "study_uid": rows[number]["StudyInstanceUID"], "message": "look", "check_version": "1", "pack": "base.yaml",
        }  # fmt: skip


CHECK_COLUMNS = ("check_id", "name", "check_version", "level", "severity", "fix")
CHECKS = [
    ("PT-09", "name-unstructured", "1.0.0", "patient", "major", "names.comma"),
    ("PT-10", "name-alias", "1.0.0", "patient", "major", None),
    ("ST-04", "accession-empty", "1.1.0", "study", "critical", None),
    ("IN-01", "object-unreadable", "1.0.0", "instance", "block", None),
    ("SE-02", "modality-not-defined", "1.0.0", "series", "major", "modality.terms"),
    ("AR-01", "file-missing", "1.0.0", "archive", "critical", None),
]


def _measures() -> Iterator[dict[str, Any]]:
    """Cells whose numbers follow from their place; MR of 2012 is the worst of radiology, ES has no year."""
    cells = [
        ("radiology", "CT", "2009", 1, 40), ("radiology", "CT", "2010", 0, 30), ("radiology", "MR", "2012", 9, 12),
        ("cardiology", "US", "2009", 1, 25), ("oncology", "CT", "2010", 0, 18), ("surgery", "ES", "", 2, 20),
    ]  # fmt: skip
    for source, modality, year, failing, applicable in cells:
        for check in ("ST-04", "SE-02"):
            yield {
                "check_id": check, "source": source, "modality": modality, "study_year": year,
                "numerator": failing if check == "ST-04" else 0, "denominator": applicable,
            }  # fmt: skip


def _assessments() -> Iterator[dict[str, Any]]:
    """Two runs: accession numbers got better, and the check on them another version; another check stayed as it was."""
    for run, day, version, missing, unstructured in ((3, "01", "1.0.0", 6, 4), (9, "08", "1.1.0", 2, 1)):
        for source in HABITS:
            for check, of, failing, its in (("ST-04", 12, missing, version), ("PT-09", 8, unstructured, "1.0.0")):
                yield {
                    "run": run, "at": f"2026-11-{day}T08:00:00", "check_id": check, "check_version": its,
                    "source": source, "numerator": failing, "denominator": of,
                }  # fmt: skip


def _gates() -> Iterator[dict[str, Any]]:
    for stage, suite, stops, check, source, failing, of, mostly in (
        ("assess", "as-found", "nothing", "PT-09", "radiology", 1, 8, 0.99),
        ("normalize", "after-rules", "nothing", "PT-09", "radiology", 0, 8, 0.99),
        ("normalize", "after-rules", "nothing", "ST-04", "surgery", 2, 12, 0.99),
        ("normalize", "fit-to-move", "wave", "IN-01", "surgery", 30, 40, 0.5),
        ("normalize", "fit-to-move", "wave", "IN-01", "radiology", 0, 40, 0.5),
    ):
        name, severity = next((one[1], one[4]) for one in CHECKS if one[0] == check)
        yield {
            "stage": stage, "suite": suite, "source": source, "check_id": check, "name": name, "severity": severity,
            "expectation": "expect_column_sum_to_be_between", "mostly": mostly, "evaluated": of, "unexpected": failing,
            "stops": stops, "success": failing <= of * (1 - mostly),
        }  # fmt: skip


def _conformance(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows[:3]:
        yield {
            **{key: row[key] for key in ("source", "location")}, "study_uid": row["StudyInstanceUID"],
            "sop_class_uid": row["SOPClassUID"], "path": "(0020,0052)", "keyword": "FrameOfReferenceUID",
            "problem": "missing", "type": "1", "module": "Frame of Reference", "expected": "present with a value",
        }  # fmt: skip


def _drift(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows[:2]:
        yield {
            "source": row["source"], "index_source": "cardiology", "level": "STUDY", "sop_uid": row["SOPInstanceUID"],
            "study_uid": row["StudyInstanceUID"], "attribute": "AccessionNumber", "kind": "differs", "instances": 3,
            "file_value": "A00", "index_value": "A99", "winner": "index", "needs": "steward", "reason": "CORRECT",
            "rule": "drift.accession",
        }  # fmt: skip


def _scorecard() -> pl.DataFrame:
    counts = [(1, 8), (1, 8), (2, 12), (1, 40), (3, 12), (0, 0)]
    checks = [(one[0], one[3], one[4], *count) for one, count in zip(CHECKS, counts, strict=True)]
    rows = [
        {
            "check_id": check, "source": source, "department": source, "level": level, "kahn": "conformance",
            "severity": severity, "numerator": (failing * (1 + place)) % (applicable or 1) if place else 0,
            "denominator": applicable, "threshold": 0.01,
            "status": "not applicable" if not applicable else "failed" if place else "passed",
        }
        for place, source in enumerate(HABITS)
        for check, level, severity, failing, applicable in checks
    ]  # fmt: skip
    return pl.DataFrame(rows)


def _changes(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        base = {
            **{key: row[key] for key in ("source", "location")}, "study_uid": row["StudyInstanceUID"], "pack": "base",
            "pack_version": "1.0.0", "pack_hash": fingerprint("base"), "confidence": 1.0, "needs": "none",
            "state": "approved", "reason": "CORRECT",
        }  # fmt: skip
        if "," in row["PatientName"]:
            yield {**base, "change_id": f"C-{row['PatientID']}-n", "attribute": "PatientName", "path": "(0010,0010)",
                   "before": row["PatientName"], "after": "Jansen-Wolf^Britta", "rule": "names.comma"}  # fmt: skip
        if "script" in row["PatientName"]:
            yield {**base, "change_id": f"C-{row['PatientID']}-s", "attribute": "PatientName", "path": "(0010,0010)",
                   "before": row["PatientName"], "after": "Script^Eve", "rule": "names.trim > names.two-words",
                   "needs": "steward", "state": "proposed"}  # fmt: skip
        if row["source"] == "radiology":
            yield {**base, "change_id": f"C-{row['PatientID']}-i", "attribute": "InstitutionName",
                   "path": "(0008,0080)", "before": None, "after": "Klinikum Nord", "rule": "institution.site",
                   "reason": "COERCE"}  # fmt: skip


def _persons() -> Iterator[dict[str, Any]]:
    for number, (_, _, places) in enumerate(PEOPLE):
        linked = number in {1, 3, 6}
        for source in places:
            yield {
                "record_id": record_of(number, source),
                "person_id": f"P{number}" if linked else f"P{number}{source[0]}",
                "cluster_size": len(places) if linked else 1,
                "settled": number not in {0, 2, 7},
            }


def _duplicates(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    one, two, three, four = rows[0], rows[1], rows[10], rows[11]
    groups = [("a", "G1", (one, two), ("keep", "drop-copy")), ("d", "G2", (three, four), ("hold", "hold"))]
    return [
        {
            "group_id": group, "class": letter, "level": "instance", "source": row["source"], "member": row["location"],
            "sop_uid": members[0]["SOPInstanceUID"], "study_uid": row["StudyInstanceUID"],
            "evidence": "same object" if letter == "a" else "pixel data differs", "disposition": what,
            "kept_source": members[0]["source"], "kept_location": members[0]["location"],
        }
        for letter, group, members, whats in groups
        for row, what in zip(members, whats, strict=True)
    ]  # fmt: skip


def _links(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    states = ("resolved-here", "resolved-here", "resolved-other-archive", "dangling")
    for number, row in enumerate(rows[:20]):
        yield {
            **{key: row[key] for key in ("source", "location")}, "from_sop_uid": row["SOPInstanceUID"],
            "study_uid": row["StudyInstanceUID"], "carrier": "ReferencedSeriesSequence",
            "relation": ("evidence", "presentation", "contour-image")[number % 3], "to_study_uid": "1.9",
            "to_series_uid": "1.9.1", "to_sop_uid": f"1.9.1.{number}", "to_frame_of_reference_uid": "",
            "state": states[number % 4], "same_patient": True,
        }  # fmt: skip


def _gaps(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "source": row["source"], "study_uid": row["StudyInstanceUID"], "entity": f"1.9.1.{n}",
         "message": "missing"}
        for n, (kind, row) in enumerate(zip(("dangling-reference", "images-without-report"), rows, strict=False))
    ]  # fmt: skip


def _planned(number: int, row: dict[str, Any]) -> dict[str, Any]:
    held = {"1.2.3.0.0.0": "identity-question", "1.2.3.2.1.0": "collision"}.get(row["StudyInstanceUID"])
    copy = number == 20
    return {
        **{key: row[key] for key in ("source", "location")}, "sop_uid": row["SOPInstanceUID"],
        "study_uid": row["StudyInstanceUID"], "person_id": "P", "sequence": number,
        "wave": None if held or copy else "recent" if row["StudyDate"] > "2013" else "older",
        "state": "held" if held else "excluded" if copy else "planned",
        "reason": held or ("duplicate-copy" if copy else None), "detail": None,
    }  # fmt: skip
