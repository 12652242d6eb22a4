from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.match.people import matched, person


def test_the_notebook_runs_headless_on_a_small_project(tmp_path: Path) -> None:
    project, _ = matched(tmp_path, [person("onk", "O1", "Lehmann^Otto", "19410823")])
    notebook = Path(__file__).parents[2] / "notebooks" / "tune_matcher.py"
    done = subprocess.run(
        [sys.executable, str(notebook)],
        env={**os.environ, "FONDS_PROJECT": str(project.root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
