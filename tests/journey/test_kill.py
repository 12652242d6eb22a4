"""`fonds run` killed with SIGKILL in stage after stage, then run to its end: the same as an undisturbed run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from fonds.catalog import schema
from fonds.catalog.store import Catalog
from fonds.cli.stages import STAGES
from fonds.project.settings import Project, load
from fonds.samples import SOURCES, generate

FONDS = str(Path(sys.executable).with_name("fonds"))
# Where to kill, by the progress line that is heard then; every run of the journey costs half a minute of Prefect.
# FONDS_KILL_ALL=1 kills in each of the ten stages.
KILLED = (
    dict.fromkeys(STAGES, "") if os.environ.get("FONDS_KILL_ALL") else {"crawl": "", "match": "", "migrate": "[1-9]"}
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    generate(folder, patients=12, instances_per_study=3, seed=11)
    return folder


def _project(folder: Path, samples: Path) -> Project:
    from ruamel.yaml import YAML

    folder.mkdir()
    sources = {name: {**settings, "path": str(samples / name)} for name, settings in SOURCES.items()}
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "kill", "sources": sources}, file)
    return load(folder)


def _run(project: Project, kill_in: str | None = None) -> int:
    """Run the journey; kill the whole process group when `kill_in` reports the progress to kill it at."""
    process = subprocess.Popen(
        [FONDS, "run"],
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "COLUMNS": "120", "SOURCE_DATE_EPOCH": "1790000000"},
    )
    assert process.stderr is not None
    heard = ""
    for line in process.stderr:
        heard += line
        if kill_in is not None and re.match(f"{kill_in}: {KILLED[kill_in]}", line):
            os.killpg(process.pid, signal.SIGKILL)
            break
    process.stderr.close()
    code = process.wait(120)
    if kill_in is not None:
        assert code == -signal.SIGKILL, f"{kill_in} was never seen:\n{heard}"
    return code


def _tables(project: Project) -> dict[str, pl.DataFrame]:
    return {name: Catalog(project).read(name) for name in schema.NAMES}


def _tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_killed_in_its_stages_and_run_again_ends_as_an_undisturbed_run(samples: Path, tmp_path: Path) -> None:
    calm = _project(tmp_path / "calm", samples)
    assert _run(calm) == 0
    killed = _project(tmp_path / "killed", samples)
    for stage in KILLED:
        _run(killed, kill_in=stage)
    assert _run(killed) == 0

    expected, found = _tables(calm), _tables(killed)
    for name, frame in expected.items():
        # an object that was on its way when the run was killed is sent in a second attempt, and a run that was killed
        # takes a number and time of the assessments' history
        ignored = [column for column in ("attempt", "run", "at") if column in frame.columns]
        assert found[name].drop(ignored).equals(frame.drop(ignored)), f"table {name} differs"
    assert _tree(killed.target_root()) == _tree(calm.target_root())
    assert _facts(killed) == _facts(calm)
    assert _timeless(killed) == _timeless(calm)


def _facts(project: Project) -> str:
    """The certificate's digest over everything that is so, run numbers and times left out."""
    certificate = json.loads((project.reports_dir / "certificate.json").read_text(encoding="utf-8"))
    return str(certificate["facts_sha256"])


def _timeless(project: Project) -> str:
    """The report without what a clock, a run number or a table version wrote, and without the project's own path."""
    text = (project.reports_dir / "report.html").read_text(encoding="utf-8").replace(str(project.root), "")
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|\+00:00| UTC)?", "<time>", text)
    text = re.sub(r"[0-9a-f]{64}", "<digest>", text)
    stages = "|".join((*STAGES, "feed", "gates"))
    runs = rf'<tr><th scope="row">({stages})</th><td class="right">\d+</td>.*'
    runs += r'|Quality over the runs;|headers="quality-\d+-run"'
    return "\n".join(line for line in text.splitlines() if not re.search(runs, line))
