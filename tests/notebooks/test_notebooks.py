"""Every notebook runs from top to bottom; the tour shows what the catalog holds."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import polars as pl
import pytest

from fonds.project.settings import Project
from tests.report.handmade import fill, make_project

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.py"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return fill(make_project(tmp_path_factory.mktemp("toured")))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_as_a_script(path: Path, project: Project) -> None:
    environment = os.environ | {"FONDS_PROJECT": str(project.root)}
    done = _run([str(path)], environment)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_one_marimo_can_open(path: Path) -> None:
    done = _run(["-m", "marimo", "check", str(path)], dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tour_shows_the_catalog(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDS_PROJECT", str(project.root))
    _, shown = _loaded("catalog_tour").app.run()
    rows = dict(shown["tables"].rows())
    assert rows["instances"] == 98
    assert rows["runs"] == 0
    assert shown["records"]["records"].sum() == 13
    assert shown["modalities"]["objects"].sum() == 98
    assert shown["findings"]["findings"].sum() == 6
    assert shown["duplicates"].rows()[0][:4] == ("a", "drop-copy", 1, 1)
    assert shown["persons"].height == 3
    assert shown["checks"]["passed"].to_list() == [True] * 6
    assert shown["states"]["files"].sum() == 101
    shown["catalog"].close()


def test_the_tour_tells_raw_from_effective(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDS_PROJECT", str(project.root))
    _, shown = _loaded("catalog_tour").app.run()
    values = shown["values"]
    approved = values.filter(pl.col("rule") == "names.comma").row(0, named=True)
    assert (approved["raw"], approved["effective"]) == ("Jansen-Wolf, Britta", "Jansen-Wolf^Britta")
    proposed = values.filter(pl.col("state") == "proposed").row(0, named=True)
    assert proposed["effective"] == proposed["raw"]
    shown["catalog"].close()


def test_the_quality_notebook_shows_what_the_views_say(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FONDS_PROJECT", str(project.root))
    _, shown = _loaded("quality").app.run()
    assert shown["index"].filter(scope="source").height == 4
    assert shown["cells"].filter(modality="MR")["quality"].to_list() == [pytest.approx(0.4)]
    assert shown["trend"].filter(run=9, source="radiology")["change"].to_list() == [pytest.approx(0.375)]
    assert shown["gates"]["stops"].to_list()[0] == "wave"
    assert "names.comma" in shown["effect"]["rule"].to_list()
    assert set(shown["offenders"]["kind"]) >= {"check", "cell"}
    shown["catalog"].close()


def test_the_published_file_is_opened_by_plain_duckdb(project: Project) -> None:
    with duckdb.connect(str(project.catalog_dir / "catalog.duckdb"), read_only=True) as catalog:
        assert catalog.sql("SELECT count(*) FROM reconciliation").fetchall() == [(101,)]


def _run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, timeout=300)


def _loaded(name: str) -> ModuleType:
    path = next(path for path in NOTEBOOKS if path.stem == name)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
