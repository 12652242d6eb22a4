"""What the hospitals' order systems know: orders and reports of radiology, pathology, surgery and cardiology.

The RIS exports tables, the cardiology FHIR resources, one a line. Both know the true patient and number of each
examination, whatever its files say; what is missing or wrong in them is chosen here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from fonds.samples.inject import UNTOUCHED_CASES, Block
from fonds.samples.objects import Exam
from fonds.samples.people import Record, record, seeded
from fonds.samples.sources import SOURCES

RIS, CVIS = "ris", "cvis"
ORDERS = ("MSH-7", "ORC-1", "ORC-2", "ORC-5", "PID-3", "OBR-4", "OBR-18", "OBR-24", "OBR-36", "ZDS-1")
REPORTS = (
    *("report_id", "accession", "accession_issuer", "patient_id", "issuer", "study_uid"),
    *("modality", "description", "issued", "status", "form"),
)
SETTINGS: dict[str, dict[str, str]] = {
    RIS: {
        "format": "csv",
        "orders": "feeds/ris-orders.csv",
        "reports": "feeds/ris-reports.csv",
        "issuer": "RAD-NORD",
        "accession_issuer": "RIS-NORD",
    },
    CVIS: {
        "format": "fhir",
        "orders": "feeds/cvis.ndjson",
        "reports": "feeds/cvis.ndjson",
        "issuer": "CARD-HEART",
        "accession_issuer": "CVIS-HEART",
    },
}
SERVED = {"radiology": RIS, "pathology": RIS, "surgery": RIS, "cardiology": CVIS}
"""Which feed tells the orders of a department; the oncology's system tells nobody."""
FUTURE = date(2099, 5, 4)
_MODALITIES = {
    **{"ct": "CT", "mr": "MR", "cr": "CR", "slide": "SM", "endoscopy": "ES", "capture": "OT"},
    **{"echo": "US", "xa": "XA", "ecg": "ECG"},
}
_FILED = ("echo", "endoscopy", "capture")
"""Examinations whose reports lie in the archives."""

CASES = (
    *(("radiology", case) for case in ("no order", "no report", "preliminary", "other patient", "padded", "cancelled")),
    ("surgery", "no order"),
    ("pathology", "no report"),
    *(("cardiology", case) for case in ("no order", "preliminary")),
)
"""What is chosen for one untouched examination of a department in each whole block."""
FIRST, LAST = date(2004, 11, 2), date(2025, 12, 1)
"""Days of the orders, cancelled ones, with which each department's begin and end: before and after all examinations."""
IDLE = (
    *(("radiology", case) for case in ("withdrawn", "no show", "future", "lost", "lost and reported")),
    *(("cardiology", case) for case in ("withdrawn", "no show", "lost and reported")),
    *((source, case) for source in SERVED for case in ("first", "last")),
)
"""Orders without images, of some person of the department in each whole block."""
_STATUS = {**dict.fromkeys(("withdrawn", "first", "last"), "cancelled"), **dict.fromkeys(("no show", "future"), "open")}


@dataclass(frozen=True, slots=True)
class Told:
    """An order or report of a feed, under the id the catalog gives it.

    `exam` is the examination it is truly about, None where there was none; `status` is open, performed, cancelled,
    preliminary or final; `day` when it was to be done or was issued.
    """

    kind: str
    id: str
    exam: Exam
    left_images: bool
    accession: str
    noted: Record
    day: date
    status: str
    study_uid: str = ""

    @property
    def feed(self) -> str:
        """The feed that tells it."""
        return SERVED[self.exam.source]


def told(block: Block, *, faults: bool) -> list[Told]:
    """Orders and reports of a block's examinations; with `faults`, what CASES and IDLE name is wrong with some."""
    exams = [exam for exam in [*block.exams, *block.further] if exam.source in SERVED and not _phantom(exam)]
    cases = _chosen(block, exams) if faults else {}
    found: list[Told] = []
    numbers: set[str] = set()
    for exam in exams:
        case, noted, accession = cases.get(exam.name, ""), _noted(exam), str(exam.accession)
        if accession not in numbers and case != "no order":  # two procedures under one number are one order
            spelled = _spelled(exam, padded=case == "padded")
            # one order system in three passes the Study Instance UID on
            study_uid = exam.study_uid if (exam.person.index + exam.number) % 3 == 0 else ""
            status = "cancelled" if case == "cancelled" else "performed"
            found.append(Told("order", _id(exam, spelled), exam, True, spelled, noted, exam.day, status, study_uid))
        numbers.add(accession)
        if case == "no report" or exam.kind in _FILED:
            continue
        if case == "other patient":
            noted = _noted(next(other for other in exams if _elsewhere(other, exam)))
        status = "preliminary" if case == "preliminary" else "final"
        report = Told("report", f"B-{exam.name}", exam, True, _spelled(exam), noted, exam.day, status)
        found.append(report)
    if faults:
        found += _idle(block, exams)
    return found


def _id(exam: Exam, spelled: str) -> str:
    """What the catalog calls an order: by its accession number; of FHIR, the id of the resource."""
    return f"O-{exam.name}" if SERVED[exam.source] == CVIS else spelled


def _phantom(exam: Exam) -> bool:
    return any(planned.person.startswith("phantom") for planned in exam.objects)


def _elsewhere(other: Exam, exam: Exam) -> bool:
    # a person whose identifier is nobody else's
    return other.source == exam.source and other.person.index != exam.person.index and not other.person.case


def _chosen(block: Block, exams: Iterable[Exam]) -> dict[str, str]:
    found: dict[str, str] = {}
    rng = seeded(block.seed, "orders", block.number)
    free = [
        exam
        for exam in exams
        if not (exam.touched or exam.person.case in UNTOUCHED_CASES or exam.kind == "echo") and exam.person.index > 0
    ]
    for source, case in CASES:
        fitting = [exam for exam in free if exam.source == source and exam.name not in found]
        if fitting:
            found[rng.choice(fitting).name] = case
    return found


def _noted(exam: Exam) -> Record:
    noted = record(exam.seed, exam.person, exam.source)
    return replace(noted, issuer=str(SOURCES[exam.source]["issuer"]))


def _spelled(exam: Exam, *, padded: bool = False) -> str:
    """The accession number as the order system writes it: each department's has its habit."""
    number = str(exam.accession)
    if padded:
        return f"{number[0]}{number[1:].lstrip('0')}"
    match exam.source:
        case "pathology":
            return f"{number[0]}-{number[1:]}"
        case "surgery" if len(number[1:].lstrip("0")) > 2:  # without its letter a short number is anybody's
            return number[1:]
    return number


def _idle(block: Block, exams: list[Exam]) -> list[Told]:
    """Orders of examinations that left no images."""
    found = []
    rng = seeded(block.seed, "idle orders", block.number)
    for place, (source, case) in enumerate(IDLE):
        fitting = [exam for exam in exams if exam.source == source and not exam.touched and not exam.person.case]
        if not fitting:
            continue
        near = rng.choice(fitting)
        # half a year from anything of the person, so that no other examination can be meant
        day = {"future": FUTURE, "first": FIRST, "last": LAST}.get(case, near.day + timedelta(days=183))
        number = f"{source[0].upper()}7{block.number % 10_000:04d}{place:04d}"
        exam = replace(near, number=near.number + 20 + place, accession=number, day=day, objects=[], study_uid="")
        status = _STATUS.get(case, "performed")
        found.append(Told("order", _id(exam, number), exam, False, number, _noted(exam), day, status))
        if case == "lost and reported":
            found.append(Told("report", f"B-{exam.name}", exam, False, number, _noted(exam), day, "final"))
    return found


def order_rows(all_told: Iterable[Told]) -> list[tuple[str, ...]]:
    """Rows (ORDERS) of the RIS's orders."""
    controls = {"performed": ("SC", "CM"), "open": ("NW", "SC"), "cancelled": ("CA", "CA")}
    return sorted(
        (
            f"{one.day:%Y%m%d}120000" if one.day != FUTURE else f"{date(2025, 1, 6):%Y%m%d}080000",
            controls[one.status][0],
            f"P{one.accession}",
            controls[one.status][1],
            f"{one.noted.patient_id}^^^{one.noted.issuer}^MR",
            f"{one.exam.kind.upper()}^{one.exam.description}^L",
            f"{one.accession}^{SOURCES[one.exam.source]['accession_issuer']}",
            _MODALITIES[one.exam.kind],
            f"{one.day:%Y%m%d}{one.exam.time[:4]}",
            f"{one.study_uid}^^Application^DICOM" if one.study_uid else "",
        )
        for one in all_told
        if one.feed == RIS and one.kind == "order"
    )


def report_rows(all_told: Iterable[Told]) -> list[tuple[str, ...]]:
    """Rows (REPORTS) of the RIS's reports."""
    return sorted(
        (
            one.id,
            one.accession,
            str(SOURCES[one.exam.source]["accession_issuer"]),
            one.noted.patient_id,
            str(one.noted.issuer),
            one.study_uid,
            _MODALITIES[one.exam.kind],
            str(one.exam.description),
            f"{one.day:%Y-%m-%d}T16:30",
            one.status,
            "text",
        )
        for one in all_told
        if one.feed == RIS and one.kind == "report"
    )


def resources(all_told: Iterable[Told]) -> list[str]:
    """Lines of the cardiology's bulk export: ServiceRequest, DiagnosticReport, ImagingStudy and Patient."""
    found: set[str] = set()
    for one in all_told:
        if one.feed != CVIS:
            continue
        whose = one.noted.patient_id
        patient: dict[str, Any] = {"resourceType": "Patient", "id": whose}
        patient["identifier"] = [{"type": _coding("MR"), "value": whose}]
        said: dict[str, Any] = {
            "identifier": [{"type": _coding("ACSN"), "value": one.accession}],
            "subject": {"reference": f"Patient/{whose}"},
            "code": {"text": one.exam.description},
            "category": [{"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM"}]}],
        }
        said["category"][0]["coding"][0]["code"] = _MODALITIES[one.exam.kind]
        if one.kind == "order":
            status = {"performed": "completed", "open": "active", "cancelled": "revoked"}[one.status]
            said |= {"resourceType": "ServiceRequest", "id": one.id, "intent": "order", "status": status}
            said |= {"occurrenceDateTime": f"{one.day:%Y-%m-%d}", "authoredOn": f"{one.day:%Y-%m-%d}"}
        else:
            said |= {"resourceType": "DiagnosticReport", "id": one.id, "status": one.status, "conclusion": "Siehe Text"}
            said |= {"issued": f"{one.day:%Y-%m-%d}T17:00:00+01:00"}
        found |= {_line(patient), _line(said)}
        if one.study_uid:
            study: dict[str, Any] = {"resourceType": "ImagingStudy", "id": f"I-{one.id}", "status": "available"}
            study["identifier"] = [{"system": "urn:dicom:uid", "value": f"urn:oid:{one.study_uid}"}]
            study |= {"basedOn": [{"reference": f"ServiceRequest/{one.id}"}], "subject": said["subject"]}
            found.add(_line(study))
    return sorted(found)


def _coding(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": code}]}


def _line(resource: dict[str, Any]) -> str:
    return json.dumps(resource, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
