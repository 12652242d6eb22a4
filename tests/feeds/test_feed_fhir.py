"""FHIR Patients: what is taken of a resource, which version counts, which links are merges."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from tests.feeds.telling import ndjson, pairs, project, read_feed, told

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
FHIR = {"format": "fhir", "path": "p.ndjson"}


def mr(value: str, system: str = "urn:mpi", code: str = "MR", **more: str) -> dict[str, Any]:
    return {"system": system, "value": value, "type": {"coding": [{"system": V2, "code": code}]}, **more}


def written(code: str, **name: Any) -> dict[str, Any]:
    return {**name, "extension": [{"url": REPRESENTATION, "valueCode": code}]}


def test_a_whole_patient(tmp_path: Path) -> None:
    patient = {
        "id": "a",
        "meta": {"lastUpdated": "2024-05-01T10:00:00.123+02:00"},
        "identifier": [
            mr("R1", "urn:rad", use="old"),
            *(mr("S1", "http://hl7.org/fhir/sid/us-ssn", "SS"), mr("E1", "urn:mpi", "PI")),
            {"system": "urn:card", "value": 17},
            {"system": "urn:empty"},
        ],
        "name": [
            {"use": "old", "family": "Ältere"},
            {"use": "maiden", "family": "Geburt", "given": ["Eva"]},
            {"use": "usual", "family": "Nachher", "given": ["Evi"]},
            {"use": "official", "family": "van der Berg", "given": ["Eva", "Maria", "Luise"],
             "prefix": ["Prof.", "Dr."], "suffix": ["Jr."]},
            {"use": "anonymous", "text": "X"},
        ],
        "telecom": [
            {"system": "email", "value": "a@b"},
            {"system": "phone", "value": "1", "use": "old"},
            {"system": "phone", "value": "2", "use": "work"},
            {"system": "phone", "value": "3", "use": "home"},
        ],
        "address": [
            {"use": "old", "city": "Alt"},
            {"use": "work", "city": "Werk"},
            {"use": "home", "line": ["Weg 1", "Hinterhaus"], "city": "Kiel", "postalCode": "24103"},
        ],
        **{"gender": "female", "birthDate": "1970-02-03", "deceasedDateTime": "2024-01-02T03:04:05Z"},
        **{"multipleBirthInteger": 2, "active": True},
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "Mutter"}
        ],
    }  # fmt: skip
    patients, merges, notes = told(tmp_path, ndjson(patient), **FHIR, issuer="urn:mpi")
    assert (merges, notes.broken, notes.doubtful) == ([], [], [])
    assert patients == {
        "E1": {
            **{"feed": "mpi", "issuer": "urn:mpi", "patient_id": "E1", "PatientBirthName": "Geburt^Eva"},
            "PatientName": "van der Berg^Eva^Maria Luise^Prof. Dr.^Jr.",
            **{"PatientBirthDate": "19700203", "PatientSex": "F", "phone": "3", "street": "Weg 1 Hinterhaus"},
            **{"postcode": "24103", "city": "Kiel", "mother": "Mutter", "national_id": "S1"},
            "other_ids": [
                {"id": "R1", "issuer": "urn:rad", "type": "MR"},
                {"id": "17", "issuer": "urn:card", "type": None},
            ],
            **{"deceased": "2024-01-02", "multiple_birth": True, "status": "active", "changed": "2024-05-01T08:00:00Z"},
        }
    }


NAMES: list[tuple[list[dict[str, Any]], str | None]] = [
    (
        [
            written("SYL", use="official", family="やまだ", given=["たろう"]),
            written("IDE", use="official", family="山田", given=["太郎"]),
            written("ABC", use="official", family="Yamada", given=["Tarou"]),
        ],
        "Yamada^Tarou=山田^太郎=やまだ^たろう",
    ),
    ([{"family": "山田", "given": ["太郎"]}, {"family": "やまだ"}], "=山田^太郎=やまだ"),
    ([{"family": "Παπαδοπούλου"}], "Παπαδοπούλου"),
    ([{"text": "Eva  Meier"}], "Eva Meier"),
    ([{"given": ["Eva"]}], "^Eva"),
    ([{"family": "A^B=C", "given": ["D\\E"]}], "A B C^D E"),
    ([{"use": "nickname", "family": "N"}, {"family": "M"}], "M"),
    ([{"use": "old", "family": "N"}], None),
    ([], None),
]


def test_names_by_representation_and_use(tmp_path: Path) -> None:
    people = [{"identifier": [mr(str(number))], "name": names} for number, (names, _) in enumerate(NAMES)]
    patients, _, _ = told(tmp_path, ndjson(*people), **FHIR)
    assert {number: row["PatientName"] for number, row in patients.items()} == {
        str(number): value for number, (_, value) in enumerate(NAMES)
    }


def test_the_newest_version_counts_and_one_identifier_is_one_row(tmp_path: Path) -> None:
    def version(name: str, when: str, key: str, resource: str = "a", **more: Any) -> dict[str, Any]:
        return {
            "id": resource,
            "meta": {"lastUpdated": when},
            "identifier": [mr(key)],
            "name": [{"text": name}],
            **more,
        }

    given = {"format": "fhir", "path": "feeds"}
    opened = project(
        tmp_path,
        {"mpi": given},
        {
            "feeds/1.ndjson": ndjson(version("New", "2024-02-01T00:00:00Z", "1")),
            "feeds/2.ndjson.gz": gzip.compress(
                ndjson(
                    version("Old", "2024-01-31T23:59:59-00:30", "1"),
                    version("Gone", "2024-03-01T00:00:00Z", "2", "b", active=False),
                    version("There", "2024-01-01T00:00:00Z", "2", "c"),
                ).encode()
            ),
            "feeds/README.md": "no resource",
        },
    )
    patients, _, notes = read_feed(opened)
    # half past midnight in UTC is later than midnight
    assert {key: row["PatientName"] for key, row in patients.items()} == {"1": "Old", "2": "There"}
    assert notes.broken == []


def test_links_that_are_merges_and_links_that_are_not(tmp_path: Path) -> None:
    def linked(key: str, *links: tuple[str, Any], **more: Any) -> dict[str, Any]:
        found = [{"type": kind, "other": other} for kind, other in links]
        return {"id": f"p-{key}", "identifier": [mr(key)], "link": found, **more}

    patients, merges, notes = told(
        tmp_path,
        ndjson(
            linked("1", ("replaced-by", {"reference": "Patient/p-2"}), active=False),
            linked("2", ("replaces", {"reference": "https://fhir.example/r4/Patient/p-1/_history/3"})),
            linked("3", ("seealso", {"reference": "Patient/p-1"}), ("refer", {"reference": "Patient/p-1"})),
            linked("4", ("replaces", {"identifier": {"system": "urn:rad", "value": "9"}})),
            linked("5", ("replaced-by", {"reference": "Patient/nobody"})),
            linked("6", ("replaced-by", {"reference": "Patient/p-6"})),
        ),
        **FHIR,
    )
    assert pairs(merges) == [("1", "2"), ("9", "4")]
    assert [row["retired_issuer"] for row in merges] == ["urn:mpi", "urn:rad"]
    assert {key: row["status"] for key, row in patients.items()} == {"1": "merged", **dict.fromkeys("23456", "active")}
    assert notes.doubtful == ["1 link(s) name a Patient that the feed doesn't have, or that has no identifier"]


def test_bundles_other_resources_and_patients_without_an_identifier(tmp_path: Path) -> None:
    one, two = ({"resourceType": "Patient", "identifier": [mr(key)]} for key in "12")
    entries = [{"resource": one}, {"resource": {"resourceType": "Observation"}}, {"fullUrl": "x"}, {"resource": two}]
    lines = [{"resourceType": "Bundle", "entry": entries}, {"resourceType": "Bundle"}, {"resourceType": "Patient"}]
    content = "".join(json.dumps(line) + "\r\n" for line in [*lines, {"resourceType": "Encounter"}])
    patients, _, notes = told(tmp_path, content, **FHIR)
    assert set(patients) == {"1", "2"}
    assert (notes.rows, notes.unreadable) == (3, 1)
    assert notes.broken == ["1 Patient(s) have no identifier and are left out"]
    assert notes.doubtful == ["2 resource(s) are no Patient and are not read"]


def test_whatever_has_the_wrong_type_says_nothing(tmp_path: Path) -> None:
    odd = {
        **{"identifier": [mr("1")], "name": "Eva", "telecom": {"value": 1}, "address": [7], "birthDate": ["1970"]},
        **{"gender": {"code": "female"}, "link": "x", "active": "maybe", "meta": [], "multipleBirthInteger": "two"},
    }
    patients, merges, _ = told(tmp_path, ndjson(odd, {"identifier": {"value": "2"}}), **FHIR)
    assert set(patients) == {"1"}
    assert patients["1"]["PatientName"] is None
    assert merges == []
