from __future__ import annotations

import pytest

from fonds.operations.runs import StageResult
from fonds.project.scaffold import demo_project
from fonds.project.settings import Project, load
from tests.journey.walking import walk


@pytest.fixture(scope="session")
def walked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, dict[str, StageResult]]:
    """The demo project, walked once."""
    folder = tmp_path_factory.mktemp("journey") / "demo"
    assert demo_project(folder)
    project = load(folder)
    return project, walk(project)
