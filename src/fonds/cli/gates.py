"""`fonds gates`: which suites passed, which expectation failed, and for how many rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonds.cli.exits import Exit
from fonds.cli.stages import JsonOption, ProjectOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gates")(gates)


def gates(
    project: ProjectOption = Path(),
    every: Annotated[bool, typer.Option("--all", help="Also expectations whose failure stops nothing.")] = False,
    json: JsonOption = False,
) -> None:
    """Which gates are open, and what keeps the others shut? Exits 1 while one holds a source's studies.

    Example: fonds gates
    """
    from fonds.catalog.store import Catalog
    from fonds.cli import show
    from fonds.project.settings import load

    folder = Path(__file__).parent / "sql"
    with Catalog(load(project)).connect() as connection:
        suites, failed = (
            connection.sql((folder / f"{name}.sql").read_text(encoding="utf-8")).pl()
            for name in ("gate_suites", "gate_failures")
        )
    if json:
        show.as_json({"suites": suites.to_dicts(), "failed": failed.to_dicts()})
    elif not suites.height:
        show.data.print("No suite has run yet: `fonds assess` runs those of rules/gates.")
    else:
        show.frame(suites, "Suites")
        stopping = failed.filter(stops="wave").height
        if told := failed.height if every else stopping:
            show.frame(failed.head(told).drop("stops"), "Expectations that failed")
        if failed.height > told:
            show.data.print(f"{failed.height - told} more failed and stop nothing: fonds gates --all", highlight=False)
    raise typer.Exit(Exit.GATE if "closed" in suites["state"].to_list() else Exit.DONE)
