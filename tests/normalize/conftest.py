from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog
from fonds.project.settings import Project, load
from tests.normalize.packs import RADIOLOGY

Make = Callable[..., Project]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def project(rows: list[dict[str, Any]] | None = None, **sources: dict[str, Any]) -> Project:
        with (tmp_path / "fonds.yaml").open("w", encoding="utf-8") as file:
            YAML().dump({"name": "test", "sources": sources or {"radiology": RADIOLOGY}}, file)
        opened = load(tmp_path)
        if rows is not None:
            names = list(dict.fromkeys(name for row in rows for name in row))
            plain = [
                {"source": "radiology", "location": f"o{number}", **dict.fromkeys(names), **row}
                for number, row in enumerate(rows)
            ]
            schema = {name: pl.String() for name in ["source", "location", *names]}
            Catalog(opened).replace("instances", pl.DataFrame(plain, schema=schema))
        return opened

    return project
