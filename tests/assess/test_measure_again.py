from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fonds.assess import passes
from fonds.assess.definition import Check, load_with_files
from fonds.assess.keep import Kept, keep
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog.store import Catalog
from fonds.operations.runs import StageRun
from fonds.project.settings import Project, load

SETTINGS = """name: x
sources:
  rad: {path: rad, department: radiology, issuer: RAD, accession_issuer: RIS, institution: Klinikum Nord}
  card: {path: card, department: cardiology, issuer: RAD, accession_issuer: RIS}
  empty: {path: empty, department: surgery}
"""
FIND = ["check_id", "source", "entity", "study_uid", "attribute", "value", "severity", "pack"]
CT = "1.2.840.10008.5.1.4.1.1.2"
# pools small enough that rows meet each other, faults among them
POOLS: dict[str, list[str | None]] = {
    "SOPClassUID": [CT, CT, CT, "1.2.840.10008.5.1.4.1.1.4", None],
    "Modality": ["CT", "CT", "CT", "MR", "DS", None],
    "StudyDate": ["20240101", "20240102", "20240102", "2024.01.02", "18991230", None],
    "SeriesDate": ["20240101", "20240102", None],
    "AccessionNumber": ["A1", "A2", "A3", "A 4", None],
    "PatientID": ["P1", "P2", "P-2", "P3", "0000", "", None],
    "PatientName": ["ROE^JANE", "ROE^JANE", "JANE^ROE", "DOE^JOHN", "TEST^TEST", None],
    "PatientBirthDate": ["19700101", "19700102", "19000101", "1970", None],
    "PatientSex": ["F", "M", "X", None],
    "IssuerOfPatientID": ["RAD", None],
    "StudyDescription": ["CT THORAX", "MR KNIE", None],
    "BodyPartExamined": ["CHEST", "KNEE", "THORAX KOMPLETT", None],
    "InstanceNumber": ["1", "2", "3", "7", "x"],
    "ImagePositionPatient": ["0\\0\\1", "0\\0\\2", "0\\0\\9"],
    "transfer_syntax": ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1", "1.2.3"],
    "digest_header": ["h1", "h2"],
    "digest_pixels": ["p1", "p2", "p3"],
    "InstitutionName": ["Klinikum Nord", "Klinik"],
}


def _row(chance: random.Random, number: int) -> dict[str, Any]:
    study = chance.randrange(12)
    source = chance.choice(["rad", "rad", "card"])
    shared = study if chance.random() < 0.2 else f"{study}.{source == 'card':d}"
    row: dict[str, Any] = {name: chance.choice(pool) for name, pool in POOLS.items()}
    return {
        **row,
        "source": source,
        "location": f"{number:04}.dcm",
        "size": 1000,
        "mtime_ns": number,
        "read_status": "ok",
        "pixel_length": 8192,
        "SOPInstanceUID": f"1.9.{chance.randrange(150)}",
        "StudyInstanceUID": chance.choice([f"1.2.{shared}"] * 20 + ["", None, "1.2.x"]),
        "SeriesInstanceUID": chance.choice([f"1.3.{shared}.{chance.randrange(2)}"] * 20 + [" ", None]),
        "digest_object": f"o{chance.randrange(50)}",
    }


def _entries() -> pl.DataFrame:
    names = ["0001.dcm", "0002.DCM", "GONE", "0004.dcm"]
    return pl.DataFrame(
        [
            {"source": "rad", "location": "DICOMDIR", "record": place, "level": "INSTANCE", "referenced_file": name,
             "study_uid": "1.2.1.0", "sop_uid": "1.9.1"}
            for place, name in enumerate(names)
        ]
    )  # fmt: skip


def _drift(studies: list[str]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"source": "rad", "index_source": "db", "level": "STUDY", "study_uid": study, "attribute": "PatientName",
             "kind": "differs", "file_value": "A", "index_value": "B"}
            for study in studies
        ]
    )  # fmt: skip


class Archive:
    """A project whose rows change, and its assessment by what changed beside one of everything."""

    def __init__(self, folder: Path, rows: int = 150, seed: int = 1) -> None:
        (folder / "fonds.yaml").write_text(SETTINGS, encoding="utf-8")
        self.project: Project = load(folder)
        self.catalog = Catalog(self.project)
        self.loaded = load_with_files(self.project)
        self.chance = random.Random(seed)
        self.rows = {n: _row(self.chance, n) for n in range(rows)}
        self.unreadable = ["broken.dcm"]
        self.studies = ["1.2.1.0"]
        self.catalog.replace("entries", _entries())
        self.store()

    @property
    def checks(self) -> list[Check]:
        return [check for _, check in self.loaded]

    def store(self) -> None:
        self.catalog.replace("instances", pl.DataFrame(list(self.rows.values()), infer_schema_length=None))
        broken = [{"source": "rad", "location": name, "reason": "truncated_header"} for name in self.unreadable]
        self.catalog.replace("unreadable", pl.DataFrame(broken))
        self.catalog.replace("drift", _drift(self.studies))

    def change(self) -> None:
        """Some rows go, some come, some say something else."""
        for _ in range(self.chance.randint(1, 4)):
            number = self.chance.choice(list(self.rows))
            act = self.chance.randrange(4)
            if act == 0:
                del self.rows[number]
            elif act == 1:
                fresh = 1000 + self.chance.randrange(9000)
                self.rows[fresh] = _row(self.chance, fresh)
            else:
                word = self.chance.choice(list(POOLS))
                self.rows[number] = {**self.rows[number], word: self.chance.choice(POOLS[word]), "mtime_ns": 7}

    def assess(self, *, force: bool = False) -> Kept:
        run = StageRun(self.project, "assess", self.catalog, unchanged=False, listener=None, started=0.0)
        words, read = project_vocabularies(self.project), self.catalog.versions()
        with self.catalog.connect(read) as connection:
            return keep(run, connection, self.checks, self._packs(), words, read=read, force=force)

    def differences(self) -> dict[str, list[tuple[Any, ...]]]:
        """What the tables hold otherwise than an assessment of everything finds."""
        with self.catalog.connect() as connection:
            whole = measure_all(connection, self.checks, self._packs(), project_vocabularies(self.project))
        pairs = {
            "findings": (self.catalog.read("findings").select(FIND), whole.findings.select(FIND)),
            "measures": (self.catalog.read("measures"), whole.measures),
        }
        return {
            name: sorted(set(one.rows()) ^ set(other.select(one.columns).rows()), key=str)
            for name, (one, other) in pairs.items()
        }

    def _packs(self) -> list[str]:
        return [path.name for path, _ in self.loaded]


NOTHING: dict[str, list[tuple[Any, ...]]] = {"findings": [], "measures": []}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    made = Archive(tmp_path_factory.mktemp("again"))
    assert made.assess().rows is None
    return made


def test_levels_of_every_kind_are_found_wrong_in_the_rows(archive: Archive) -> None:
    found = set(archive.catalog.read("findings")["level"])
    assert found >= {"instance", "series", "study", "patient", "across", "archive"}
    assert archive.differences() == NOTHING


def test_distinct_rows_are_judged_as_all_rows_are(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "_folds", lambda check, vocabularies: False)
    assert archive.differences() == NOTHING


@pytest.mark.parametrize("seed", range(4))
def test_after_any_change_a_re_run_holds_what_a_full_run_finds(archive: Archive, seed: int) -> None:
    archive.chance.seed(seed)
    archive.change()
    if seed == 1:
        archive.unreadable = ["worse.dcm"]
    if seed == 2:
        archive.studies = ["1.2.1.0", "1.2.3.0"]
    archive.store()
    kept = archive.assess()
    assert kept.rows is not None
    assert archive.differences() == NOTHING
