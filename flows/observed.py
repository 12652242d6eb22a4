"""What every flow shares: a stage run as one task, its progress and its result as Prefect artifacts.

Artifacts, names and parameters hold counts and codes only, never a patient's data.
"""

from __future__ import annotations

from dataclasses import asdict
from importlib import import_module
from typing import Any

from prefect import task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE

from fonds.errors import Transient, outward
from fonds.operations.pace import Pace
from fonds.operations.runs import Event, Progress, StageResult
from fonds.project.settings import load

# Whoever started the process may listen too: `fonds run` draws its bars from here.
listeners: list[Progress] = []


def _again_later(_task: Any, _run: Any, state: Any) -> bool:
    # Only what may succeed later is tried again; a wrong setting stays wrong
    return isinstance(state.result(raise_on_failure=False), Transient)


@task(retries=3, retry_delay_seconds=[5, 30, 120], retry_condition_fn=_again_later, cache_policy=NO_CACHE)
def run_stage(stage: str, project: str, options: dict[str, Any]) -> StageResult:
    """Run one stage; the batch inside it is its own business, so a stage is one task."""
    shown = create_progress_artifact(progress=0.0, key=f"{stage}-progress", description=f"Progress of {stage}")
    last, pace = 0.0, Pace()

    def listen(event: Event) -> None:
        nonlocal last
        for listener in listeners:
            listener(event)
        speed = pace.hear(event)
        share = 100.0 * event.done / event.total if event.total else 0.0
        if share - last >= 10:  # each update is a call to the server
            last = share
            description = f"{stage}: {event.done:,} of {event.total:,} {event.unit} {speed}".rstrip()
            update_progress_artifact(artifact_id=shown, progress=min(share, 100.0), description=description)

    try:
        result: StageResult = getattr(import_module(f"fonds.{stage}"), stage)(load(project), progress=listen, **options)
    except Exception as error:  # noqa: BLE001 - Prefect keeps the text in its database, and a library's may quote a value
        raise outward(error) from None
    update_progress_artifact(artifact_id=shown, progress=100.0)
    create_table_artifact(
        key=f"{stage}-result",
        table=[{"figure": name, "value": value} for name, value in result.counts.items()],
        description=f"{stage}: {result.status} in {result.seconds:.1f} s. " + " ".join(result.left),
    )
    return result


def observed(stage: str, project: str, **options: Any) -> dict[str, Any]:
    """Run a stage as a task and return its result as plain data."""
    return asdict(run_stage.with_options(name=stage)(stage, project, options))
