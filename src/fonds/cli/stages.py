"""The ten stages as verbs: each runs its stage directly, without Prefect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fonds.cli.exits import Exit

if TYPE_CHECKING:  # the catalog's libraries take a second to import; a verb that needs them waits for it
    from fonds.operations.runs import StageResult

STAGES = {
    "crawl": "What is there? Read the headers of every source into the catalog.",
    "assess": "How good is it? Judge the metadata by checks; write findings and Data Docs.",
    "normalize": "What should it say, and why? Propose changes by rule packs; no file is touched.",
    "match": "Who is who? Compare patient records, link the certain, queue the doubtful.",
    "deduplicate": "What is there twice, and what collides?",
    "link": "Which report, annotation or plan belongs to which images, and what is missing?",
    "plan": "What may move, in which wave, and what is held and why?",
    "migrate": "Send it, once, with the approved changes and nothing else.",
    "reconcile": "Prove that all of it arrived.",
    "report": "Show it: one HTML file.",
}
EXAMPLES = {"normalize": "normalize; fonds normalize --dry-run --rule names.comma"}
ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="Project folder, or a folder inside it.", envvar="FONDS_PROJECT")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Stage = Callable[..., "StageResult"]


def stage_function(name: str) -> Stage:
    """The stage's public function: folder, verb and function have one name."""
    function: Stage = getattr(import_module(f"fonds.{name}"), name)
    return function


def exit_code(results: list[StageResult]) -> Exit:
    """The most serious outcome of the stages run."""
    statuses = {result.status for result in results}
    if "stopped" in statuses or any(result.counts.get("gates_closed") for result in results):
        return Exit.GATE
    return Exit.PARTIAL if "partial" in statuses else Exit.DONE


def register(app: typer.Typer) -> None:
    """Add one command for each stage; `match` has commands of its own and is added with them (matching.py)."""
    for name, question in STAGES.items():
        if name == "match":
            continue
        app.command(name, help=f"{question}\n\nExample: fonds {EXAMPLES.get(name, name)}")(_command(name))


def _command(name: str) -> Callable[..., None]:
    if name == "crawl":

        def crawl(
            project: ProjectOption = Path(),
            source: Annotated[list[str] | None, typer.Option("--source", "-s", help="Only this source.")] = None,
            digest: Annotated[
                bool | None,
                typer.Option("--digest/--no-digest", help="Read objects to their end for SHA-256, or headers only."),
            ] = None,
            json: JsonOption = False,
        ) -> None:
            run_stage(name, project, json, sources=source or None, digest=digest)

        return crawl
    if name == "assess":

        def assess(
            project: ProjectOption = Path(),
            force: Annotated[bool, typer.Option("--force", help="Compute again although nothing changed.")] = False,
            effective: Annotated[
                bool, typer.Option("--effective", help="Only the gates over values with approved changes applied.")
            ] = False,
            judge: Annotated[
                bool, typer.Option("--judge", help="Judge the last counts by rules/thresholds.yaml; measure nothing.")
            ] = False,
            json: JsonOption = False,
        ) -> None:
            run_stage(name, project, json, force=force, effective=effective, judge_only=judge)

        return assess
    if name == "normalize":

        def normalize(
            project: ProjectOption = Path(),
            *,
            force: Annotated[bool, typer.Option("--force", help="Compute again although nothing changed.")] = False,
            dry_run: Annotated[
                bool, typer.Option("--dry-run", help="Show what the rules would change; write nothing.")
            ] = False,
            rule: Annotated[
                str | None, typer.Option("--rule", metavar="ID", help="With --dry-run: only this rule.")
            ] = None,
            source: Annotated[
                list[str] | None, typer.Option("--source", "-s", help="With --dry-run: only this source.")
            ] = None,
            json: JsonOption = False,
        ) -> None:
            if dry_run:
                from fonds.cli.simulation import show_simulation

                show_simulation(project, rule, source or [], json)
            elif rule is not None or source:
                raise typer.BadParameter("--rule and --source belong to --dry-run: a run takes all rules")
            else:
                run_stage(name, project, json, force=force)

        return normalize
    if name == "migrate":

        def migrate(
            project: ProjectOption = Path(),
            wave: Annotated[list[str] | None, typer.Option("--wave", "-w", help="Only this wave.")] = None,
            json: JsonOption = False,
        ) -> None:
            run_stage(name, project, json, waves=wave or None)

        return migrate

    def stage(
        project: ProjectOption = Path(),
        force: Annotated[bool, typer.Option("--force", help="Compute again although nothing changed.")] = False,
        json: JsonOption = False,
    ) -> None:
        run_stage(name, project, json, force=force)

    return stage


def run_stage(name: str, project: Path, json: bool, **options: object) -> None:
    """Run a stage, show what it did and leave with its exit code."""
    from fonds.cli import show
    from fonds.project.settings import load

    opened = load(project)
    with show.progress() as listener:
        result = stage_function(name)(opened, progress=listener, **options)
    if json:
        show.as_json(asdict(result))
    else:
        show.results([result])
    raise typer.Exit(exit_code([result]))
