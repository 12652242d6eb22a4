"""ServiceRequests and DiagnosticReports: whose they are, what they point to, and what isn't taken of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fonds.feeds.definition import load_feed
from fonds.feeds.files import files_of
from fonds.feeds.notes import Notes
from fonds.feeds.reading import read
from tests.feeds.telling import SECRET, ndjson, project

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
Resource = dict[str, Any]
Tables = dict[str, dict[str, Resource]]


def typed(code: str, value: str, system: str = "urn:oid:1.9") -> Resource:
    return {"type": {"coding": [{"system": V2, "code": code}]}, "system": system, "value": value}


def patient(identifier: str, **more: Any) -> Resource:
    return {"resourceType": "Patient", "identifier": [typed("MR", identifier, "MPI")], **more}


def request(**more: Any) -> Resource:
    return {"resourceType": "ServiceRequest", "intent": "order", "status": "active", **more}


def report(**more: Any) -> Resource:
    return {"resourceType": "DiagnosticReport", "status": "final", **more}


def study(uid: str, **more: Any) -> Resource:
    return {
        "resourceType": "ImagingStudy",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}],
        **more,
    }


def to(reference: str) -> Resource:
    return {"reference": reference}


WHOLE = request(
    id="s1",
    meta={"lastUpdated": "2024-05-01T10:00:00Z"},
    identifier=[typed("ACSN", "A1"), typed("FILL", "F1"), {"value": "other"}],
    requisition=typed("PLAC", "P1"),
    status="completed",
    category=[{"coding": [{"system": "http://snomed.info/sct", "code": "363679005"}]}],
    code={"coding": [{"system": "urn:x", "code": "CTT", "display": "CT Thorax"}]},
    orderDetail=[{"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]}],
    subject=to("Patient/p1"),
    occurrencePeriod={"start": "2024-05-02T00:30:00+02:00"},
    authoredOn="2024-05-01",
)
ORDERS = [
    {**WHOLE, "meta": {"lastUpdated": "2024-04-30T10:00:00Z"}, "status": "active"},
    request(id="plan", intent="plan"),
    request(id="lab", category=[{"coding": [{"code": "108252007"}]}]),
    request(id="odd", status=["x"], category="x", code="y", identifier="z", subject="Patient/p1", contained=1, meta=3),
    request(),
    {"resourceType": "Bundle", "entry": [
        {"fullUrl": "urn:uuid:0a", "resource": patient("E9")},
        {"fullUrl": "urn:uuid:0b", "resource": request(status="revoked", subject=to("urn:uuid:0a"),
                                                       identifier=[typed("ACSN", "A9", "urn:oid:1.2")])},
        {"fullUrl": "urn:uuid:0c", "resource": study("1.2.9", basedOn=[to("urn:uuid:0b")])},
    ]},
]  # fmt: skip
REPORTS = [
    report(id="d1", status="amended", basedOn=[to("https://x/fhir/ServiceRequest/s1/_history/2")],
           imagingStudy=[to("ImagingStudy/gone"), to("ImagingStudy/i1")], conclusion=SECRET,
           issued="2024-05-02T12:00:00.5Z", presentedForm=[{"contentType": "application/pdf", "data": SECRET}]),
    study("1.2.3.4", id="i1", modality=[{"code": "MR"}]),
    report(id="d2", status="registered"),
    report(identifier=[{"system": "r", "value": "R7"}], subject=to("#c"), basedOn=[to("#o")], study=[to("#i")],
           effectiveDateTime="2024-05-03", presentedForm=[{"url": "https://x"}], contained=[
               {**patient("E7"), "id": "c"}, {**request(identifier=[typed("ACSN", "A7")]), "id": "o"},
               {**study("1.2.7"), "id": "i"}]),
    report(id="d3", status="entered-in-error", conclusion=SECRET,
           subject={"identifier": {"system": "RAD", "value": "4711"}}, basedOn=[{"identifier": typed("ACSN", "A8")}]),
]  # fmt: skip


def loaded(folder: Path, settings: dict[str, str], files: dict[str, str]) -> tuple[Tables, Notes]:
    given = {"format": "fhir", "issuer": "MPI", "accession_issuer": "RIS", "mapping": "m.yaml", **settings}
    opened = project(folder, {"ris": given}, {**files, "m.yaml": "issuers: {'urn:oid:1.9': RIS}\n"})
    with tempfile.TemporaryDirectory() as out:
        done = read(load_feed(opened, "ris"), files_of(opened, "ris"), Path(out))
        frames = {table: pl.read_parquet(file).drop("feed") for table, file in done.files.items()}
    tables = {}
    for name, frame in frames.items():
        rows = [{key: value for key, value in row.items() if value} for row in frame.to_dicts()]
        key = frame.columns[0] if name in {"feed_orders", "feed_reports"} else "patient_id"
        tables[name] = {row[key]: row for row in rows}
    return tables, done.notes


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tables, Notes]:
    settings = {"path": "Patient.ndjson", "orders": "*.ndjson", "reports": "reports.ndjson"}
    files = {
        "Patient.ndjson": ndjson(patient("E1", id="p1")),
        "orders.ndjson": ndjson(*ORDERS, WHOLE) + SECRET,
        "reports.ndjson": ndjson(*REPORTS, {"resourceType": "Encounter"}),
    }
    return loaded(tmp_path_factory.mktemp("fhir"), settings, files)


def test_orders_of_service_requests(feed: tuple[Tables, Notes]) -> None:
    orders = feed[0]["feed_orders"]
    assert set(orders) == {"s1", "A9", "odd"}
    assert orders["s1"] == {
        **{"order_id": "s1", "issuer": "MPI", "patient_id": "E1", "accession": "A1", "accession_issuer": "RIS"},
        **{"placer_order": "P1", "filler_order": "F1", "code": "CTT", "description": "CT Thorax", "modality": "CT"},
        **{"ordered": "2024-05-01", "scheduled": "2024-05-02T00:30:00+02:00", "status": "performed"},
        "changed": "2024-05-01T10:00:00Z",
    }
    bundled = {"patient_id": "E9", "accession_issuer": "urn:oid:1.2", "study_uid": "1.2.9", "status": "cancelled"}
    assert bundled.items() <= orders["A9"].items()
    assert orders["odd"] == {"order_id": "odd", "status": "unknown"}


def test_reports_follow_what_they_point_to(feed: tuple[Tables, Notes]) -> None:
    reports = feed[0]["feed_reports"]
    assert set(reports) == {"d1", "R7", "d3"}
    assert reports["d1"] == {
        **{"report_id": "d1", "issuer": "MPI", "patient_id": "E1", "accession": "A1", "accession_issuer": "RIS"},
        **{"placer_order": "P1", "filler_order": "F1", "study_uid": "1.2.3.4", "modality": "MR"},
        **{"issued": "2024-05-02T12:00:00Z", "status": "amended", "form": "pdf"},
    }
    contained = {"patient_id": "E7", "accession": "A7", "study_uid": "1.2.7", "issued": "2024-05-03", "form": "link"}
    assert contained.items() <= reports["R7"].items()
    logical = {"issuer": "RAD", "patient_id": "4711", "accession": "A8", "status": "cancelled", "form": "text"}
    assert logical.items() <= reports["d3"].items()


def test_what_is_left_out_is_told_without_a_word_of_it(feed: tuple[Tables, Notes]) -> None:
    tables, notes = feed
    # Patients of other files say whose an order is; patients are those of `path`
    assert set(tables["feed_patients"]) == {"E1"}
    assert notes.unreadable == 2
    assert notes.broken == [
        "orders.ndjson: 1 line(s) are no JSON in UTF-8 and are left out (line 8)",
        "1 ServiceRequest(s) have neither an id nor a number and are left out",
    ]
    assert notes.doubtful == [
        "1 resource(s) are none of Patient, ServiceRequest, DiagnosticReport, ImagingStudy and are not read",
        "1 report(s) are announced only and are no reports yet",
        "1 ServiceRequest(s) are proposals or plans and no orders",
        "1 ServiceRequest(s) are of a laboratory and are not read",
        "1 order(s) name no Patient that the feed has",
    ]
    assert SECRET not in str(feed)


def test_a_feed_of_reports_alone(tmp_path: Path) -> None:
    tables, notes = loaded(
        tmp_path, {"reports": "r.ndjson"}, {"r.ndjson": ndjson(WHOLE, REPORTS[0], patient("E1", id="p1"))}
    )
    assert set(tables) == {"feed_reports"}
    assert (tables["feed_reports"]["d1"]["accession"], tables["feed_reports"]["d1"]["patient_id"]) == ("A1", "E1")
    assert (notes.rows, notes.broken, notes.doubtful) == (1, [], [])
