"""`fonds desk`: the stewards' pages, on this machine only unless told otherwise."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from fonds.cli.stages import ProjectOption


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("desk")(desk)


def desk(
    project: ProjectOption = Path(),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1.")] = 8484,
) -> None:
    """Open the review queue at http://127.0.0.1:8484: who is who, with reasons. Ctrl-C ends it.

    Example: fonds desk --port 8484
    """
    from fonds.project.settings import load

    # cli and desk are siblings that don't import each other (DESIGN section 2): the desk is started by its name
    import_module("fonds.desk.app").serve(load(project), port=port)
