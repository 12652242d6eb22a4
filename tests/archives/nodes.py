"""Real archives of other makes, started on free ports of this machine."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.parts import require


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def target_yaml(port: int, called: str, query: str = "get", timeout: float = 10) -> str:
    """A DICOM target for fonds.yaml."""
    where = f"kind: dicom, host: 127.0.0.1, port: {port}, called_ae: {called}"
    return f"target: {{{where}, query: {query}, timeout: {timeout}}}"


@contextmanager
def orthanc(folder: Path, options: Mapping[str, object] | None = None) -> Iterator[tuple[int, int]]:
    """A running Orthanc; gives its DICOM and HTTP ports. `options` go into its settings."""
    program = require("Orthanc", "orthanc")
    port, http = free_port(), free_port()
    folder.mkdir(parents=True)
    settings = {
        "Name": "test",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "DicomPort": port,
        "HttpPort": http,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomAlwaysAllowGet": True,
        "DicomAlwaysAllowFind": True,
        "DicomAlwaysAllowStore": True,
        "DicomCheckCalledAet": False,
        "Plugins": [],
        **(options or {}),
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    environment = {**os.environ, "TCP_NODELAY": "1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log, env=environment)
    try:
        _ready(http)
        yield port, http
    finally:
        process.kill()
        process.wait()


@contextmanager
def storescp(folder: Path) -> Iterator[int]:
    """dcmtk's storescp, which answers no query; writes what it gets into `folder`."""
    program = require("storescp", "dcmtk")
    port = free_port()
    folder.mkdir(parents=True)
    process = subprocess.Popen(
        [program, "+xa", "-aet", "STORESCP", "-od", str(folder), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TCP_NODELAY": "1"},
    )
    try:
        _listening(port)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def dcmqrscp(folder: Path, objects: Iterable[bytes] = ()) -> Iterator[int]:
    """dcmtk's dcmqrscp, called LEGACY, that holds `objects`: an archive without counts."""
    program, indexer = require("dcmqrscp", "dcmtk"), require("dcmqridx", "dcmtk")
    port = free_port()
    area = folder / "LEGACY"
    area.mkdir(parents=True)
    paths = []
    for number, content in enumerate(objects):
        paths.append(area / f"{number}.dcm")
        paths[-1].write_bytes(content)
    if paths:
        subprocess.run([indexer, str(area), *map(str, paths)], check=True, capture_output=True)
    tables = f"HostTable BEGIN\nHostTable END\nVendorTable BEGIN\nVendorTable END\nAETable BEGIN\nLEGACY {area} "
    settings = f"NetworkTCPPort = {port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n{tables}RW (500, 1024mb) ANY\n"
    (folder / "dcmqrscp.cfg").write_text(f"{settings}AETable END\n")
    process = subprocess.Popen(
        [program, "-c", str(folder / "dcmqrscp.cfg")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TCP_NODELAY": "1"},
        start_new_session=True,
    )
    try:
        _listening(port)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # a process an association
        process.wait()


def rest(http: int, path: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """What Orthanc's REST interface answers."""
    request = urllib.request.Request(f"http://127.0.0.1:{http}{path}", body, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def _ready(http: int) -> None:
    for _ in range(200):
        try:
            rest(http, "/system")
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("Orthanc didn't start")


def _listening(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("the SCP didn't start")
