from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from fonds.cli.app import app


@pytest.mark.filterwarnings("ignore")
def test_files_and_folders_are_judged_without_a_project_and_without_patient_data(tmp_path: Path) -> None:
    shutil.copy(str(get_testdata_file("CT_small.dcm")), tmp_path / "sound.dcm")
    (tmp_path / "readme.txt").write_text("no DICOM")
    sound = CliRunner().invoke(app, ["conform", str(tmp_path), "--json"])
    assert (sound.exit_code, json.loads(sound.stdout)) == (0, {"files": 2, "errors": 0, "problems": []})

    ds = dcmread(tmp_path / "sound.dcm")
    ds.PatientSex = "SMITHERS"
    ds.save_as(tmp_path / "faulty.dcm")
    faulty = CliRunner().invoke(app, ["conform", str(tmp_path), "--json"])
    (problem,) = json.loads(faulty.stdout)["problems"]
    assert faulty.exit_code == 1
    assert (Path(problem["file"]).name, problem["path"], problem["problem"]) == ("faulty.dcm", "(0010,0040)", "value")
    assert "SMITHERS" not in faulty.output
    assert "PatientSex" in CliRunner().invoke(app, ["conform", str(tmp_path / "faulty.dcm")]).output


def test_a_named_file_that_is_no_dicom_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no DICOM")
    answer = CliRunner().invoke(app, ["conform", str(tmp_path / "readme.txt"), "--json"])
    assert answer.exit_code == 1
    assert json.loads(answer.stdout)["problems"][0]["problem"] == "unreadable"
