from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import write_deltalake

from fonds.catalog import layers
from fonds.catalog.publish import publish
from fonds.catalog.store import Catalog
from fonds.project.settings import Project, load
from tests.handmade import instance, write


def make(folder: Path, source: str) -> Project:
    folder.mkdir()
    (folder / source).mkdir()
    (folder / "fonds.yaml").write_text(
        f"name: p\nsources:\n  {source}: {{path: {source}, issuer: {source.upper()}}}\n", encoding="utf-8"
    )
    return load(folder)


def seen(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    return connection.sql(
        "SELECT s.source, s.issuer, t.instances FROM sources s JOIN studies t USING (source) ORDER BY ALL"
    ).fetchall()


def test_projects_share_the_views_but_neither_rows_nor_sources(tmp_path: Path) -> None:
    one, two = make(tmp_path / "it's one", "rad"), make(tmp_path / "two", "card")
    write(one, "instances", [instance("rad", "a")])
    write(two, "instances", [instance("card", "a"), instance("card", "b")])
    with Catalog(one).connect() as first, Catalog(two).connect() as second:
        assert seen(first) == [("rad", "RAD", 1)]
        assert seen(second) == [("card", "CARD", 2)]
    with duckdb.connect(str(publish(Catalog(two), {})), read_only=True) as published:
        assert seen(published) == [("card", "CARD", 2)]


def test_views_are_made_again_when_a_temporary_folder_was_cleared(tmp_path: Path) -> None:
    project = make(tmp_path / "p", "rad")
    write(project, "instances", [instance("rad", "a")])
    Catalog(project).connect().close()
    folder = Path(layers._folder().name)
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    with Catalog(project).connect() as connection:
        assert seen(connection) == [("rad", "RAD", 1)]


@pytest.mark.parametrize("size", [7, "7"])
def test_a_table_written_with_other_types_stands_below_the_same_views(tmp_path: Path, size: int | str) -> None:
    project = make(tmp_path / "p", "rad")
    row = {**instance("rad", "a"), "size": size}
    write_deltalake(Catalog(project).tables_dir / "instances", pl.DataFrame([row]).to_arrow())
    with Catalog(project).connect() as connection:
        assert connection.sql("SELECT bytes FROM studies").fetchall() == [(7,)]
        assert connection.sql("SELECT typeof(size) FROM instances").fetchall() == [("BIGINT",)]
