"""The shipped deployments against a real Prefect server and worker on loopback: deployed, scheduled, read back."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from fonds.project import scaffold

PREFECT = [sys.executable, "-m", "prefect"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    import pydicom.data

    source = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests"
    scaffold.init(tmp_path / "hospital", sources={"media": source})
    return tmp_path / "hospital"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }
    log = (tmp_path / "server.log").open("wb")
    command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        _wait(
            lambda: httpx.get(f"{environment['PREFECT_API_URL']}/health").status_code == 200, 90, "the server to start"
        )
        yield environment
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)
        log.close()


def test_a_deployment_runs_by_its_schedule_and_leaves_artifacts(project: Path, server: dict[str, str]) -> None:
    api = server["PREFECT_API_URL"]
    _prefect(server, project, "work-pool", "create", "fonds", "--type", "process")
    _prefect(server, project, "--no-prompt", "deploy", "--all")
    deployments = {d["name"]: d for d in httpx.post(f"{api}/deployments/filter", json={}).raise_for_status().json()}
    stages = [
        "crawl",
        "feed",
        "assess",
        "normalize",
        "match",
        "deduplicate",
        "link",
        "plan",
        "migrate",
        "reconcile",
        "report",
        "journey",
    ]
    assert sorted(deployments) == sorted(stages)
    assert not any(s["active"] for d in deployments.values() for s in d["schedules"]), "schedules are shipped inactive"

    crawl = deployments["crawl"]["id"]
    every_second = {"schedule": {"interval": timedelta(seconds=5).total_seconds()}, "active": True}
    httpx.post(f"{api}/deployments/{crawl}/schedules", json=[every_second]).raise_for_status()
    log = (project / "worker.log").open("wb")
    worker = subprocess.Popen(
        [*PREFECT, "worker", "start", "--pool", "fonds", "--type", "process", "--limit", "1"],
        env=server,
        cwd=project,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait(lambda: "COMPLETED" in _run_states(api, crawl), 120, "a scheduled run to complete")
    finally:
        os.killpg(worker.pid, signal.SIGTERM)
        worker.wait(30)
        log.close()

    artifact = httpx.get(f"{api}/artifacts/crawl-result/latest").raise_for_status().json()
    assert '"instances"' in artifact["data"]
    assert (project / "catalog" / "catalog.duckdb").is_file()


def _run_states(api: str, deployment: str) -> list[str]:
    scheduled = {"deployments": {"id": {"any_": [deployment]}}}
    runs = httpx.post(f"{api}/flow_runs/filter", json=scheduled).raise_for_status().json()
    assert "FAILED" not in [run["state_type"] for run in runs], [run["state"]["message"] for run in runs]
    return [run["state_type"] for run in runs if run["auto_scheduled"]]


def _prefect(environment: dict[str, str], folder: Path, *words: str) -> None:
    done = subprocess.run([*PREFECT, *words], env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _wait(condition: object, seconds: float, what: str) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    pytest.fail(f"waited {seconds} s for {what}")
