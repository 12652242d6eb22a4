"""Every notebook runs from top to bottom; the tour shows what the catalog holds."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import polars as pl
import pytest

from fonds.catalog.store import Catalog
from fonds.operations import decisions
from fonds.project.settings import Project, load
from tests.report.handmade import fill, make_project
from tests.report.matched import with_feed

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


def test_the_matchers_notebook_shows_classes_and_what_labels_say(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = with_feed(load(shutil.copytree(project.root, tmp_path / "copy")))
    level = {"level": "equal", "m": 0.9, "u": 0.01, "along": 0.2, "weight": 6.5, "family members": 0.8}
    kept = {"share": 1e-4, "relatives": {"family members": 2e-4}, "comparisons": {"family": [level]}}
    (copy.catalog_dir / "match").mkdir(exist_ok=True)
    (copy.catalog_dir / "match" / "fitted.json").write_text(json.dumps(kept), encoding="utf-8")
    for row in Catalog(copy).read("match_sample").to_dicts():
        verdict = "not_same" if row["band"] == "reject" else "link"
        decisions.record(copy, "pair", row["record_a"], row["record_b"], verdict=verdict, who="Ann")
    monkeypatch.setenv("FONDS_PROJECT", str(copy.root))
    _, shown = _loaded("tune_matcher").app.run()
    assert shown["weights"]["weight"].to_list() == [6.5]
    assert dict(shown["shares"].select("class", "share").rows()) == {
        "one person": 0.9, "family members": 0.8, "at random": 0.01,
    }  # fmt: skip
    assert shown["calibration"]["labelled"].sum() == 4
    assert shown["calibration"].filter(low=0.999)["share"].to_list() == [1.0]


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
