"""Projects that are ready to migrate: objects written by hand, crawled, planned, with approved changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from fonds.catalog.store import Catalog
from fonds.crawl import crawl
from fonds.dicom.tags import tag_path
from fonds.project.settings import Project, load

CT = "1.2.840.10008.5.1.4.1.1.2"


def ct(number: int, study: int = 1, **values: Any) -> Dataset:
    """A small CT image."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SOPClassUID, ds.SOPInstanceUID = CT, f"1.2.3.{study}.1.{number}"
    ds.StudyDate, ds.StudyTime, ds.Modality = "20210304", "101112", "CT"
    ds.AccessionNumber, ds.Manufacturer, ds.InstitutionName = "A1", "ACME", "Klinikum Nord"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate, ds.PatientSex = "Müller^Änne", "P1 ", "19700101", "F"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.3.{study}", f"1.2.3.{study}.1"
    ds.StudyID, ds.SeriesNumber, ds.InstanceNumber = "1", "1", str(number)
    ds.Rows, ds.Columns, ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 16, 16, 15
    ds.SamplesPerPixel, ds.PixelRepresentation, ds.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    ds.PixelData = bytes((number * 7 + i) % 251 for i in range(128))
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def save(ds: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write as a Part 10 file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    ds.save_as(path, enforce_file_format=True)
    return path


def project(
    folder: Path, *, target: str = "", studies: int = 3, images: int = 5, patient: str = "Müller^Änne"
) -> Project:
    """A crawled project whose source holds `studies` of `images`, all planned; `target` is YAML of a target."""
    for study in range(1, studies + 1):
        for number in range(1, images + 1):
            save(ct(number, study, PatientName=patient), folder / "pacs" / f"s{study}" / f"i{number}.dcm")
    text = f"name: moving\nsources:\n  pacs: {{path: pacs, department: radiology, issuer: NORD}}\n{target}\n"
    (folder / "fonds.yaml").write_text(text, encoding="utf-8")
    made = load(folder)
    crawl(made)
    plan_all(made)
    return made


def plan_all(made: Project) -> None:
    """Plan every instance in the last shipped wave."""
    with Catalog(made).connect() as connection:
        rows = connection.sql(
            "SELECT source, location, SOPInstanceUID AS sop_uid, StudyInstanceUID AS study_uid, 'rest' AS wave, "
            "dense_rank() OVER (ORDER BY StudyInstanceUID) AS sequence, 'planned' AS state FROM instances"
        ).pl()
    Catalog(made).replace("plan", rows)


def approve(made: Project, *changes: tuple[str, str | None, str | None, str]) -> None:
    """Approve (attribute, before, after, reason) for every instance."""
    instances = Catalog(made).read("instances")
    rows = [
        {
            "change_id": f"C{number}-{place[1]}",
            "source": place[0],
            "location": place[1],
            "attribute": attribute,
            "path": tag_path(attribute),
            "before": before,
            "after": after,
            "rule": "test",
            "reason": reason,
            "state": "approved",
        }
        for place in instances.select("source", "location").iter_rows()
        for number, (attribute, before, after, reason) in enumerate(changes)
    ]
    Catalog(made).replace("changes", pl.DataFrame(rows))


def collide(made: Project) -> None:
    """Another image of s1/i1.dcm's UID in a series of its own, key objects that name both, and new UIDs for it."""
    uid, folder = "1.2.3.1.1.1", made.root / "pacs" / "s1"
    save(ct(99, SOPInstanceUID=uid, SeriesInstanceUID="1.2.3.1.2"), folder / "other.dcm")
    key = ct(100, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.59", SOPInstanceUID="1.2.3.1.3.1", Modality="KO")
    key.SeriesInstanceUID = "1.2.3.1.3"
    del key.PixelData
    key.CurrentRequestedProcedureEvidenceSequence = [
        _item(
            StudyInstanceUID="1.2.3.1", ReferencedSeriesSequence=[_listed("1.2.3.1.1", uid), _listed("1.2.3.1.2", uid)]
        )
    ]
    save(key, folder / "key.dcm")
    crawl(made)
    plan_all(made)
    place = {"source": "pacs", "location": "s1/other.dcm", "state": "planned", "cause": "D1", "class": "d"}
    remaps = [
        place | {"attribute": word, "path": tag_path(word), "before": before, "after": after}
        for word, before, after in (
            ("SOPInstanceUID", uid, "2.25.7"), ("SeriesInstanceUID", "1.2.3.1.2", "2.25.8"),
            ("StudyInstanceUID", "1.2.3.1", "2.25.9"),
        )
    ]  # fmt: skip
    Catalog(made).replace("remaps", pl.DataFrame(remaps))
    told = {"to_study_uid": "1.2.3.1", "to_series_uid": "1.2.3.1.2", "to_sop_uid": uid}
    new = {"new_study_uid": "2.25.9", "new_series_uid": "2.25.8", "new_sop_uid": "2.25.7"}
    rewrite = {"source": "pacs", "location": "s1/key.dcm", "cause": "D1", "state": "planned"}
    Catalog(made).replace("rewrites", pl.DataFrame([rewrite | told | new]))


def _item(**values: Any) -> Dataset:
    ds = Dataset()
    for name, value in values.items():
        setattr(ds, name, value)
    return ds


def _listed(series: str, uid: str) -> Dataset:
    sop = _item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid)
    return _item(SeriesInstanceUID=series, ReferencedSOPSequence=[sop])


def ledger(made: Project) -> dict[str, tuple[str, str | None]]:
    """State and reason by location."""
    rows = Catalog(made).read("ledger").select("location", "state", "reason").iter_rows()
    return {location: (state, reason) for location, state, reason in rows}


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@contextmanager
def scp(handler: Any, port: int) -> Iterator[None]:
    """A pynetdicom SCP that answers C-STORE by `handler` (and nothing else but C-ECHO)."""
    from pynetdicom import AE, AllStoragePresentationContexts, evt
    from pynetdicom.sop_class import Verification

    entity = AE(ae_title="TARGET")
    entity.supported_contexts = AllStoragePresentationContexts[:120]
    entity.add_supported_context(Verification)
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, handler)])
    try:
        yield
    finally:
        server.shutdown()
