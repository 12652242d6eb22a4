"""`fonds feed`: what registration systems, patient indexes and RIS tell is read into the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonds.cli.stages import JsonOption, ProjectOption, run_stage


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("feed")(feed)


def feed(
    project: ProjectOption = Path(),
    force: Annotated[bool, typer.Option("--force", help="Read again although no file has changed.")] = False,
    json: JsonOption = False,
) -> None:
    """Whom does the hospital know, what was ordered and reported? Read what other systems tell (`feeds` in fonds.yaml).

    Example: fonds feed
    """
    run_stage("feed", project, json, force=force)
