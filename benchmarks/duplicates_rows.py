"""Catalogs of any size with duplicates of every class, and the truth about them; and pairs of files in other encodings.

The catalog: persons with three studies each, two series of ten images a study, three archives. Studies are dealt into
kinds by their number; nine in ten are nobody's duplicate. No files belong to it: whatever could only be told by opening
a file isn't in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog, literal, quote
from fonds.project.settings import Project, load

OBJECTS = 20
EXTRA = 1.1
"""Rows for each object, duplicates included."""
SOURCES = ("radiology", "cardiology", "archive")

# Of a thousand studies those from one number to another; what is there a second time, and how.
KINDS = {
    "a": (0, 15),  # the study again in another archive, byte for byte
    "b": (15, 25),  # the same with another file meta
    "c": (25, 35),  # the same with another Series Description and Patient Weight
    "d": (35, 40),  # the same with other pixels under the same UIDs
    "e": (40, 45),  # three of its images once more in a series of their own
    "f": (45, 50),  # three of its objects in another series as well, under their UIDs
    "g": (50, 55),  # its second series under another Patient ID
    "h": (55, 65),  # keyed again: other UIDs, coded with loss
    "i": (65, 75),  # its second series in another archive
    "j": (75, 85),  # retrieved under new UIDs
    "near": (85, 100),  # no duplicate: the person's next examination of the same kind on that day
}
# a to d: the study under its own UIDs; e, f: a part of it; h, j, near: under others
_AGAIN = ("a", "b", "c", "d", "h", "j", "near")
_LOSSY = "1.2.840.10008.1.2.4.50"
_COLUMNS = {
    "source": "CASE WHEN elsewhere THEN {sources}[1 + (p + 1) % 3] ELSE {sources}[1 + p % 3] END",
    "location": "printf('%07d/%d%s/%d/%02d.dcm', p, s, other, number, o)",
    "size": "525000 + s % 977",
    "mtime_ns": "1600000000000000000 + s * 1000000 + o",
    "header_length": "1724",
    "read_status": "'ok'",
    "transfer_syntax": "CASE variant WHEN 'h' THEN {lossy} ELSE '1.2.840.10008.1.2.1' END",
    "charset_used": "'ISO_IR 100'",
    "doubtful": "[]::VARCHAR[]",
    "doubtful_bytes": "[]::VARCHAR[]",
    "digest_object": "sha256(concat_ws('|', 'o', sop, if(variant IN ('', 'a'), NULL, variant), number))",
    "digest_header": "sha256(concat_ws('|', 'h', sop, if(variant IN ('', 'a', 'b'), NULL, variant), number))",
    "digest_pixels": "sha256(concat_ws('|', 'p', s, r, o, CASE WHEN variant IN ('d', 'h', 'near') THEN variant END))",
    "pixel_length": "524288",
    "SpecificCharacterSet": "'ISO_IR 100'",
    "ImageType": r"'ORIGINAL\PRIMARY\AXIAL'",
    "SOPClassUID": "'1.2.840.10008.5.1.4.1.1.2'",
    "SOPInstanceUID": "sop",
    "StudyDate": "day",
    "SeriesDate": "day",
    "AcquisitionDate": "day",
    "ContentDate": "day",
    "StudyTime": "{clock}(began)",
    "SeriesTime": "{clock}(began + r * 300)",
    "AcquisitionTime": "{clock}(began + r * 300 + o * pace)",
    "ContentTime": "{clock}(began + r * 300 + o * pace + number)",
    "AccessionNumber": "printf('A%08d', CASE variant WHEN 'near' THEN s + 50000000 ELSE s END)",
    "Modality": "['CT', 'MR', 'PT', 'CT'][1 + p % 4]",
    "Manufacturer": "'MAKER'",
    "InstitutionName": "'GENERAL HOSPITAL'",
    "StationName": "'STATION' || p % 9",
    "DeviceSerialNumber": "'4711' || p % 9",
    "StudyDescription": "['CT THORAX', 'MR HEAD', 'PET WHOLE BODY', 'CT ABDOMEN', 'MR KNEE LEFT'][1 + s % 5]",
    "SeriesDescription": "['SCOUT', 'AXIAL 5 MM', 'COPIES', 'AGAIN'][number] || if(variant = 'c', ' (CHANGED)', '')",
    "PatientName": "printf('FAMILY%07d^GIVEN', p)",
    "PatientID": "printf('P%07d%s', p, if(variant = '' AND kind = 'g' AND r = 2, 'X', ''))",
    "IssuerOfPatientID": "'HOSPITAL'",
    "PatientBirthDate": "strftime(DATE '1930-01-01' + CAST(p % 25000 AS INTEGER), '%Y%m%d')",
    "PatientSex": "['F', 'M'][1 + p % 2]",
    "PatientWeight": "if(variant = 'c', '71', '70')",
    "BodyPartExamined": "['CHEST', 'HEAD', 'WHOLEBODY', 'ABDOMEN', 'KNEE'][1 + s % 5]",
    "SliceThickness": "'5'",
    "StudyInstanceUID": "study",
    "SeriesInstanceUID": "study || '.' || number",
    "StudyID": "CAST(if(variant = 'near', s + 50000000, s) AS VARCHAR)",
    "SeriesNumber": "CAST(number AS VARCHAR)",
    "InstanceNumber": "CAST(o AS VARCHAR)",
    "ImagePositionPatient": r"printf('0\\0\\%d', o * 5)",
    "ImageOrientationPatient": r"'1\0\0\0\1\0'",
    "FrameOfReferenceUID": "study || '.99'",
    "SamplesPerPixel": "'1'",
    "PhotometricInterpretation": "'MONOCHROME2'",
    "Rows": "'512'",
    "Columns": "'512'",
    "BitsAllocated": "'16'",
    "BitsStored": "'12'",
    "HighBit": "'11'",
    "PixelRepresentation": "'0'",
    "LossyImageCompression": "if(variant = 'h', '01', NULL)",
    "MediaStorageSOPClassUID": "'1.2.840.10008.5.1.4.1.1.2'",
    "MediaStorageSOPInstanceUID": "sop",
    "ImplementationVersionName": "if(variant = 'b', 'OTHER', 'FIRST')",
    "RequestAccessionNumbers": "[]::VARCHAR[]",
    "HasOriginalAttributes": "false",
}


def catalog(folder: Path, rows: int) -> Project:
    """A project whose `instances` have about `rows` rows, with `persons`; the truth lies in truth.parquet beside it."""
    folder.mkdir(parents=True)
    sources = {name: {"path": str(folder / name)} for name in SOURCES}
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "duplicates", "sources": sources}, file)
    project = load(folder)
    parts, connection = folder / "parts", duckdb.connect()
    connection.execute(
        f"SET memory_limit = '10GB'; SET temp_directory = {literal(str(folder / 'spill'))}; "
        "SET preserve_insertion_order = false"
    )
    connection.execute(
        "CREATE MACRO clock(second) AS "
        "printf('%02d%02d%02d', (second // 3600)::BIGINT, (second // 60 % 60)::BIGINT, (second % 60)::BIGINT)"
    )
    connection.execute(f"CREATE VIEW made AS {_objects(max(1, round(rows / OBJECTS / EXTRA)))}")
    names = f"[{', '.join(map(literal, SOURCES))}]"
    told = {name: sql.format(sources=names, lossy=literal(_LOSSY), clock="clock") for name, sql in _COLUMNS.items()}
    kinds = {name: str(column) for name, column in _types(project).items()}
    columns = ", ".join(f"CAST({told.get(name, 'NULL')} AS {kind}) AS {quote(name)}" for name, kind in kinds.items())
    connection.execute(
        f"COPY (SELECT {columns} FROM made ORDER BY source, location) TO {literal(str(parts))} (FORMAT parquet, "
        "COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 16384, ROW_GROUPS_PER_FILE 4, FILE_EXTENSION 'parquet')"
    )
    member = f"{told['source']} AS source, {told['location']} AS location, study, kind, variant, r, o"
    connection.execute(f"COPY ({_truth(member)}) TO {literal(str(folder / 'truth.parquet'))} (FORMAT parquet)")
    store = Catalog(project)
    store.commit("instances", add=[path for path in sorted(parts.glob("*.parquet")) if path.stat().st_size], remove=())
    shutil.rmtree(parts)
    with store.connect() as known:
        words = "source, IssuerOfPatientID, PatientID, PatientName, PatientBirthDate, PatientSex"
        known.execute(
            f"CREATE TEMP TABLE who AS SELECT record_id({words}) AS record_id, 'N' || PatientID AS person_id, "
            f"1 AS cluster_size, true AS settled, 'benchmark' AS reason FROM (SELECT DISTINCT {words} FROM instances)"
        )
        store.replace_by("persons", known, "who")
    return project


def _types(project: Project) -> dict[str, str]:
    with Catalog(project).connect() as connection:
        return {name: kind for name, kind, *_ in connection.execute("DESCRIBE FROM instances").fetchall()}


def _objects(studies: int) -> str:
    """Relation of all objects: study s, person p, series r, object o, the study's kind, and how it is there again."""
    dealt = " ".join(f"WHEN s % 1000 < {end} THEN {literal(kind)}" for kind, (_, end) in KINDS.items())
    again = ", ".join(map(literal, _AGAIN))
    return f"""
        WITH base AS (
            SELECT s, s // 3 AS p, r, o, CASE {dealt} ELSE '' END AS kind
            FROM range({studies}) a(s), range(1, 3) b(r), range(1, 11) c(o)
        ), objects AS (
            SELECT *, '' AS variant, r AS number FROM base
            UNION ALL SELECT *, kind, r FROM base WHERE kind IN ({again})
            UNION ALL SELECT *, kind, CASE kind WHEN 'e' THEN 3 ELSE 4 END FROM base
                WHERE kind IN ('e', 'f') AND r = 1 AND o <= 3
        ), told AS (
            SELECT *, CASE variant WHEN 'near' THEN 'n' ELSE variant END AS other,
                (variant IN ({again}) AND variant <> 'near') OR (kind = 'i' AND r = 2) AS elsewhere,
                '1.2.826.0.1.3680043.9.' || s
                    || CASE variant WHEN 'h' THEN '.8' WHEN 'j' THEN '.9' WHEN 'near' THEN '.7' ELSE '' END AS study,
                strftime(DATE '2010-01-01' + CAST((s * 11) % 4000 AS INTEGER), '%Y%m%d') AS day,
                25200 + (s * 37) % 36000 + if(variant = 'near', 9683, 0) AS began,
                if(variant = 'near', 8, 7) AS pace
            FROM objects
        )
        SELECT *, concat_ws('.', study, CASE variant WHEN 'e' THEN '3' ELSE CAST(r AS VARCHAR) END, o) AS sop FROM told
    """


def _truth(member: str) -> str:
    """Relation class, source, member: what the stage should find."""
    return f"""
        WITH rows AS (SELECT {member} FROM made WHERE kind NOT IN ('', 'near')),
        files AS (SELECT kind AS class, source, location AS member FROM rows WHERE kind IN ('a', 'b', 'c', 'd', 'j')
            UNION ALL SELECT kind, source, location FROM rows WHERE kind IN ('e', 'f') AND r = 1 AND o <= 3
            -- the series is an attribute that differs
            UNION ALL SELECT 'c', source, location FROM rows WHERE kind = 'f' AND r = 1 AND o <= 3)
        SELECT DISTINCT class, source, member FROM (
            FROM files UNION ALL SELECT kind, source, study FROM rows WHERE kind IN ('g', 'h', 'i'))
    """


# ways one content is written, against the plain one
ENCODINGS = (ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless, DeflatedExplicitVRLittleEndian, JPEGLSLossless)


def pairs(folder: Path, count: int) -> Project:
    """Two archives with the same `count` images of 512 by 512 pixels, each in another encoding in the second one.

    Every tenth says something else in the second (class c), every tenth shows something else (class d).
    """
    dice = np.random.default_rng(6)
    ramp = np.add.outer(np.arange(512), np.arange(512)).astype(np.uint16)
    for number in range(count):
        picture = ramp + dice.integers(0, 64, (512, 512), dtype=np.uint16)
        written(folder / "first" / f"{number:05d}.dcm", image(number, picture), ExplicitVRLittleEndian)
        other = picture.copy()
        other[0, 0] += number % 10 == 1
        second = image(number, other)
        second.SeriesDescription = "CHANGED" if number % 10 == 0 else "AXIAL"
        written(folder / "second" / f"{number:05d}.dcm", second, ENCODINGS[number % len(ENCODINGS)])
    settings = {name: {"path": str(folder / name)} for name in ("first", "second")}
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "pairs", "sources": settings}, file)
    return load(folder)


def image(number: int, picture: np.ndarray) -> Dataset:
    """One CT slice."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", f"1.2.826.0.1.3680043.9.1.{number}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.3680043.9", "1.2.826.0.1.3680043.9.1"
    ds.PatientName, ds.PatientID, ds.Modality, ds.SeriesDescription = "FAMILY^GIVEN", "P1", "CT", "AXIAL"
    clock = f"10{number // 60 % 60:02d}{number % 60:02d}"
    ds.StudyDate, ds.AcquisitionTime, ds.InstanceNumber = "20210304", clock, number
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 512, 512
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = picture.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def written(path: Path, ds: Dataset, syntax: str) -> None:
    """Write a data set in a transfer syntax."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax in (RLELossless, JPEGLSLossless):
        ds.compress(syntax, generate_instance_uid=False)
    elif syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = syntax
    implicit = syntax == ImplicitVRLittleEndian
    pydicom.dcmwrite(
        path, ds, enforce_file_format=True, implicit_vr=implicit, little_endian=syntax != ExplicitVRBigEndian
    )
