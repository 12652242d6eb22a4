from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fonds.desk.app import create_app
from fonds.project.settings import Project, load
from tests.report.handmade import fill, make_project

HOME = "http://127.0.0.1"


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made catalog, made once; each test gets a copy."""
    return fill(make_project(tmp_path_factory.mktemp("filled"))).root


@pytest.fixture
def project(filled: Path, tmp_path: Path) -> Project:
    return load(shutil.copytree(filled, tmp_path / "hospital"))


@pytest.fixture
def visitor(project: Project) -> Iterator[TestClient]:
    """A browser in which nobody has given a name."""
    with TestClient(create_app(project), base_url=HOME) as client:
        yield client


@pytest.fixture
def steward(visitor: TestClient) -> TestClient:
    """A browser of Ann Steward."""
    answer = visitor.post("/sign-in", data={"token": token(visitor, "/sign-in"), "name": "Ann Steward"})
    assert answer.status_code == 200
    return visitor


def token(client: TestClient, path: str = "/") -> str:
    """The form token of a page."""
    found = re.search(r'name="token" value="([^"]+)"', client.get(path).text)
    assert found, f"{path} has no form"
    return found[1]
