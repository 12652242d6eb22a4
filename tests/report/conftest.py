from __future__ import annotations

from pathlib import Path

import pytest

from fonds.project.settings import Project
from fonds.report import report
from tests.report.handmade import fill, make_project


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with the hand-made catalog and its report. Tests only read it."""
    project = fill(make_project(tmp_path_factory.mktemp("reported")))
    report(project)
    return project


@pytest.fixture(scope="session")
def page(reported: Project) -> str:
    return (reported.reports_dir / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def bare(tmp_path: Path) -> Project:
    """A project in which no stage has run."""
    return make_project(tmp_path)
