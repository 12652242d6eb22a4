"""A damaged store or a mistake of a library is one line that says what to do, without the values it may quote."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pydicom.data

from fonds import errors

FONDS = str(Path(sys.executable).with_name("fonds"))
MEDIA = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "77654033"


def fonds(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FONDS, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_damaged_stores_are_told_without_traceback_and_the_catalog_is_made_anew(tmp_path: Path) -> None:
    fonds(tmp_path, "init", "h", "-s", f"media={MEDIA}")
    home = tmp_path / "h"
    assert fonds(home, "crawl").returncode == 0
    for part in (home / "catalog" / "tables" / "instances").glob("*.parquet"):
        part.unlink()
    broken = fonds(home, "crawl")
    assert broken.returncode == 3
    assert "Traceback" not in broken.stderr
    assert "catalog can't be read" in broken.stderr
    shutil.rmtree(home / "catalog")
    assert fonds(home, "crawl").returncode == 0
    (home / "operations.db").write_text("no database, but long enough to be looked at as one")
    broken = fonds(home, "crawl")
    assert broken.returncode == 3
    assert "Traceback" not in broken.stderr
    assert "operations store" in broken.stderr


def test_the_text_of_a_foreign_error_stays_inside() -> None:
    told = errors.outward(ValueError("could not convert DOE^JANE"))
    assert isinstance(told, errors.Unexpected)
    assert "DOE" not in str(told)
    assert "ValueError" in str(told)
    assert isinstance(errors.outward(OSError(28, "No space left on device", "/pacs/DOE")), errors.StorageFailed)
    assert "DOE" not in str(errors.outward(OSError(28, "No space left on device", "/pacs/DOE")))
