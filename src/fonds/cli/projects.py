"""`fonds init` makes a project; `fonds doctor` says what is wrong with it and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fonds.cli.exits import Exit
from fonds.cli.stages import JsonOption, ProjectOption


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(init)
    app.command("doctor")(doctor)


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", "-s", metavar="NAME=PATH", help="A legacy archive; may be repeated.")
    ] = None,
) -> None:
    """Scaffold a project from the shipped content.

    Example: fonds init hospital --source radiology=/mnt/pacs
    """
    from fonds.cli import show
    from fonds.errors import DefinitionInvalid
    from fonds.project import scaffold
    from fonds.project.settings import load

    named = {}
    for item in source or []:
        name, equals, path = item.partition("=")
        if not equals or not name or not path:
            raise DefinitionInvalid("--source", [(None, f"write NAME=PATH, not '{item}'")])
        named[name] = Path(path)
    scaffold.init(folder, sources=named)
    load(folder)
    show.data.print(f"Made {folder.resolve()}.", soft_wrap=True)
    show.data.print("Next: name your archives in fonds.yaml, then `fonds doctor`, then `fonds run`.", soft_wrap=True)


def doctor(project: ProjectOption = Path(), json: JsonOption = False) -> None:
    """Check configuration, rights, disk and reachability, and say what to fix.

    Example: fonds doctor
    """
    from fonds.cli import show
    from fonds.cli.examine import examine

    found = examine(project)
    if json:
        show.as_json([{"ok": ok, "what": what, "fix": fix} for ok, what, fix in found])
    else:
        for ok, what, fix in found:
            mark = "[green]ok[/]  " if ok else "[red]fix[/] "
            show.data.print(mark, end="")
            show.data.print(what if ok else f"{what}\n    → {fix}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(Exit.DONE if all(ok for ok, _, _ in found) else Exit.USAGE)
