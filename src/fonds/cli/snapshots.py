"""`fonds diff`: what two crawls found differently."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonds.cli.stages import JsonOption, ProjectOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("diff")(diff)


def diff(
    runs: Annotated[
        list[int] | None, typer.Argument(metavar="[RUN_A RUN_B]", help="Two runs; else the last two that differ.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source.")] = None,
    project: ProjectOption = Path(),
    json: JsonOption = False,
) -> None:
    """What was added, removed and changed from one run to another: each crawl leaves a snapshot.

    Example: fonds diff; fonds diff 1 12 --source radiology
    """
    import polars as pl

    from fonds.catalog.difference import differences
    from fonds.catalog.store import Catalog
    from fonds.cli import show
    from fonds.errors import QueryRefused
    from fonds.operations.snapshots import last_crawls, versions_after
    from fonds.project.settings import load

    if runs and len(runs) != 2:
        raise QueryRefused("`fonds diff` takes two runs, or none for the last two crawls that differ")
    opened = load(project)
    first, second = (runs[0], runs[1]) if runs else last_crawls(opened)
    before = versions_after(opened, first) if first is not None else {}
    rows = differences(Catalog(opened), before, versions_after(opened, second), source)
    counts = rows.group_by("source", "change").len("objects").sort("source", "change")
    if json:
        show.as_json({"runs": [first, second], "counts": counts.to_dicts(), "rows": rows.to_dicts()})
        return
    since = f"run {first}" if first is not None else "nothing"
    show.frame(counts, f"From {since} to run {second}")
    shown = rows.with_columns(pl.col("attributes").list.join(", "))
    show.frame(shown.drop("record") if not rows["record"].sum() else shown)
