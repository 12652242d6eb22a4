"""The real files pydicom ships, how the tests read them, and data sets as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from ruamel.yaml import YAML

from fonds.dicom.headers import Header, read_header
from fonds.project.folders import shipped

WHEEL = Path(pydicom.__file__).parent / "data"
WORDS = tuple(YAML(typ="safe").load((shipped() / "rules/base/attributes.yaml").read_text())["attributes"])


def wheel_files() -> Iterator[Path]:
    """Every file of pydicom's data folder, DICOM or not."""
    for path in sorted(WHEEL.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def wheel_file(name: str) -> Path:
    """One of them by its name."""
    return next(path for path in wheel_files() if path.name == name)


def read(data: bytes | Path, words: tuple[str, ...] = WORDS, **options: object) -> Header:
    """The header of a file or of bytes."""
    content = data.read_bytes() if isinstance(data, Path) else data
    return read_header(BytesIO(content), words, **options)  # type: ignore[arg-type]


def encoded(ds: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    """A data set as a file's bytes."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    out = BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()
