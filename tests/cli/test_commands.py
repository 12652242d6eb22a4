"""The command line as a user meets it: exit codes, data on stdout, messages that say what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pydicom.data
import pytest

FONDS = str(Path(sys.executable).with_name("fonds"))
UIDS = "select StudyInstanceUID as uid from instances order by source, location limit 1"
MEDIA = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"


def fonds(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FONDS, *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("cli")
    assert fonds(home, "init", "hospital", "-s", f"media={MEDIA}").returncode == 0
    assert fonds(home / "hospital", "crawl").returncode == 0
    return home / "hospital"


def test_outside_a_project_the_message_says_what_to_do(tmp_path: Path) -> None:
    done = fonds(tmp_path, "status")
    assert done.returncode == 2
    assert "fonds init" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_the_settings_names_line_and_key(tmp_path: Path) -> None:
    fonds(tmp_path, "init", "h")
    path = tmp_path / "h" / "fonds.yaml"
    path.write_text("name: h\nsources: {}\ntargt: {kind: folder}\n")
    done = fonds(tmp_path / "h", "crawl")
    assert done.returncode == 2
    assert "line 3" in done.stderr
    assert "target" in done.stderr


def test_init_refuses_a_folder_that_is_a_project(hospital: Path) -> None:
    done = fonds(hospital.parent, "init", "hospital")
    assert done.returncode == 2
    assert "already" in done.stderr


def test_data_goes_to_stdout_and_progress_to_stderr(hospital: Path) -> None:
    done = fonds(hospital, "crawl", "--json")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["status"] == "unchanged"
    assert result["counts"]["instances"] == 81
    assert result["counts"]["read"] == 0


def test_sql_reads_and_only_reads(hospital: Path) -> None:
    done = fonds(hospital, "sql", "select count(distinct StudyInstanceUID) as studies from instances", "--json")
    assert json.loads(done.stdout) == [{"studies": 7}]
    for statement in (
        "drop view instances",
        "create table t as select 1",
        "copy (select 1) to 'x.csv'",
        "select 1; select 2",
        "select * from read_text('/etc/hostname')",
        "nonsense",
    ):
        refused = fonds(hospital, "sql", statement)
        assert refused.returncode == 2, statement
        assert "Traceback" not in refused.stderr
    assert not (hospital / "x.csv").exists()
    assert fonds(hospital, "sql", "select count(*) from instances").returncode == 0


def test_a_table_too_wide_for_the_terminal_is_shown_line_by_line(hospital: Path) -> None:
    """Columns of two letters each can't be read."""
    done = fonds(hospital, "sql", "select * exclude (mtime_ns) from instances order by all limit 2")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["source", "media"] in lines
    assert ["StudyInstanceUID", json.loads(fonds(hospital, "sql", "--json", UIDS).stdout)[0]["uid"]] in lines
    narrow = fonds(hospital, "sql", "select source, count(*) as objects from instances group by 1")
    assert next(line.split() for line in narrow.stdout.splitlines()) == ["source", "objects"]


def test_explaining_what_is_not_there_says_where_to_look(hospital: Path) -> None:
    for words in (("study", "1.2.3"), ("pair", "R1", "R2")):
        done = fonds(hospital, "explain", *words)
        assert done.returncode == 2
        assert "fonds sql" in done.stderr


def test_a_source_that_is_gone_keeps_what_was_catalogued_and_says_so(tmp_path: Path) -> None:
    fonds(tmp_path, "init", "h", "-s", f"media={MEDIA}", "-s", f"gone={tmp_path / 'nowhere'}")
    done = fonds(tmp_path / "h", "crawl")
    assert done.returncode == 4
    assert "gone" in done.stdout
    doctor = fonds(tmp_path / "h", "doctor")
    assert doctor.returncode == 2
    assert "mount it" in doctor.stdout


def test_doctor_is_content_with_a_good_project(hospital: Path) -> None:
    done = fonds(hospital, "doctor", "--json")
    assert done.returncode == 0, done.stdout
    assert all(look["ok"] for look in json.loads(done.stdout))


def test_help_comes_without_heavy_imports(tmp_path: Path) -> None:
    heavy = ("prefect", "polars", "duckdb", "pydicom", "great_expectations")
    code = f"import sys, fonds.cli.app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
