"""`fonds run` and `fonds demo`: the whole journey as Prefect flows, in this process, with no server left behind."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fonds.cli.stages import JsonOption, ProjectOption, exit_code

if TYPE_CHECKING:
    from fonds.operations.runs import Progress, StageResult
    from fonds.project.settings import Project


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("demo")(demo)


def run(project: ProjectOption = Path(), json: JsonOption = False) -> None:
    """Walk the journey: crawl to report, each stage a Prefect flow. Safe to stop and run again.

    Example: fonds run
    """
    from fonds.project.settings import load

    _walk(load(project), json)


def demo(
    folder: Annotated[Path, typer.Argument(help="Where the demo project is made.")] = Path("demo"),
    json: JsonOption = False,
) -> None:
    """Make a project on the sample hospitals and walk the journey through it. No server is needed.

    Example: fonds demo
    """
    from fonds.cli import show
    from fonds.project.scaffold import demo_project
    from fonds.project.settings import load

    made = demo_project(folder)
    if made:
        show.talk.print(f"Made the project {folder.resolve()} on the sample hospitals.")
    _walk(load(folder), json)


def _walk(project: Project, json: bool) -> None:
    from fonds.cli import show

    with show.progress() as listener:
        results = journey(project, listener)
    if json:
        show.as_json([asdict(result) for result in results])
    else:
        show.results(results)
        _closing(project)
    raise typer.Exit(exit_code(results))


def _closing(project: Project) -> None:
    from fonds.catalog.store import Catalog
    from fonds.cli import show

    with Catalog(project).connect() as connection:
        states = connection.sql(
            "SELECT source, count(*) FILTER (state = 'verified') AS verified, "
            "count(*) FILTER (state = 'held') AS held, "
            "count(*) FILTER (state = 'excluded') AS excluded, count(*) FILTER (state = 'failed') AS failed, "
            "count(*) AS total FROM reconciliation GROUP BY ROLLUP (source) ORDER BY source NULLS LAST"
        ).pl()
    show.frame(states.with_columns(source=states["source"].fill_null("all")), "Every file found, by its final state")
    where = os.path.relpath(project.root)
    report = project.reports_dir / "report.html"
    show.data.print(f"Report: {report}", soft_wrap=True)
    show.data.print(
        f'Next: fonds desk -p {where} · fonds sql -p {where} "select * from findings limit 9"', soft_wrap=True
    )


def journey(project: Project, listener: Progress) -> list[StageResult]:
    """Run the project's flows/journey.py here; raises what a stage raised."""
    # The settings must stand before Prefect is imported; its database lies in the project, so an empty HOME will do.
    os.environ.setdefault("PREFECT_HOME", str(project.root / ".prefect"))
    # what a stage raises is told once, by the command line; Prefect would print it with its traceback too
    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_LOGGING_SERVER_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_LOGGING_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
    listener_of_flows(project).append(listener)
    # Prefect's in-process server logs its own cancelled background services as errors when it is told to stop
    logging.getLogger("prefect.server").setLevel(logging.CRITICAL)
    flows = import_module("flows.journey")
    results: list[StageResult] = flows.results(flows.journey(str(project.root)))
    return results


def listener_of_flows(project: Project) -> list[Progress]:
    """Put the project's flows folder (else the shipped one) first on the import path; returns its listeners."""
    home = project.find("flows/journey.py").parents[1]
    if str(home) not in sys.path:
        sys.path.insert(0, str(home))
    listeners: list[Progress] = import_module("flows.observed").listeners
    return listeners
