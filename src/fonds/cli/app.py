"""The command tree."""

from __future__ import annotations

import typer

from fonds import __version__
from fonds.cli import (
    conform,
    desk,
    dictionary,
    explain,
    export,
    feed,
    gates,
    matching,
    projects,
    reading,
    run,
    snapshots,
    stages,
    timeline,
)

app = typer.Typer(
    name="fonds",
    help="Get a hospital's imaging history out of its legacy archives: clean, matched, without duplicates, proven.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fonds {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    pass


for module in (
    *(projects, run, reading, explain, snapshots, stages, feed),
    *(matching, conform, gates, desk, dictionary, export, timeline),
):
    module.register(app)
