"""The wheel holds the content folders, and works from an empty folder with nothing of the checkout in reach."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [str(ROOT / ".tools/bin/uv"), "build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(folder.glob("fonds-*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_ships_every_content_folder(unpacked: Path) -> None:
    packed = unpacked / "fonds" / "_project"
    for name in (
        "flows/journey.py",
        "flows/waves.yaml",
        "rules/base/pack.yaml",
        "rules/base/attributes.yaml",
        "matchers/patient.yaml",
        "reports/evidence.yaml",
        "notebooks/catalog_tour.py",
        "data_samples/demo.yaml",
        "prefect.yaml",
        "prefect.toml",
    ):
        assert (packed / name).is_file(), name
    assert list((packed / "data_samples" / "small").rglob("*.dcm"))


def test_a_project_made_from_the_wheel_reads_the_shipped_content(unpacked: Path, tmp_path: Path) -> None:
    import pydicom.data

    media = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}

    def fonds(*words: str) -> str:
        code = "from fonds.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    fonds("init", "hospital", "--source", f"media={media}")
    fonds("doctor", "-p", "hospital")
    fonds("crawl", "-p", "hospital")
    assert '"instances": 81' in fonds("crawl", "-p", "hospital", "--json")
    assert (tmp_path / "hospital" / "flows" / "journey.py").is_file()
    where = "import fonds.project.folders as f; print(f.shipped())"
    done = subprocess.run([sys.executable, "-c", where], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(unpacked / "fonds" / "_project")
