"""Transfer: our migrate path against dcmtk's storescu, a plain pynetdicom loop (both to storescp), and cp -r (folder).

Needs dcmtk (apt install dcmtk). `--quick` ends within 45 s. The last line is one JSON object; a ratio above 1 means
that ours moved more objects a second. Ours journals, hashes every byte and writes the ledger besides; the senders it
is compared with do none of that, and start-up of Python and catalog is in ours as it is in theirs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pynetdicom import AE
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from fonds.migrate import migrate
from fonds.project.settings import load
from tests.migrate.moving import ct, plan_all, save


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer objects")
    objects = 160 if parser.parse_args().quick else 800
    with tempfile.TemporaryDirectory(prefix="fonds-bench-") as name:
        folder = Path(name)
        size = _objects(folder / "pacs", objects)
        _project(folder)
        seconds: dict[str, float] = {}
        for label, run in (("ours", _ours), ("storescu", _storescu), ("pynetdicom", _pynetdicom)):
            seconds[label] = _to_storescp(folder, label, run, objects)
        seconds["ours_folder"] = _ours(folder, None)
        seconds["copy"] = _timed(["cp", "-r", str(folder / "pacs"), str(folder / "copy")])
        _show(seconds, objects, size)


def _objects(folder: Path, objects: int) -> int:
    pixels = np.random.default_rng(7).integers(0, 4096, 512 * 512, dtype="<u2").tobytes()
    total = 0
    for number in range(objects):
        ds = ct(number % 40 + 1, number // 40 + 1)
        ds.Rows = ds.Columns = 512
        ds.PixelData = pixels
        total += save(ds, folder / f"{number}.dcm").stat().st_size
    return total


def _project(folder: Path) -> None:
    from fonds.crawl import crawl

    (folder / "fonds.yaml").write_text("name: bench\nsources:\n  pacs: {path: pacs}\n", encoding="utf-8")
    made = load(folder)
    crawl(made)
    plan_all(made)


def _to_storescp(folder: Path, label: str, run: Callable[[Path, int | None], float], objects: int) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    received = folder / f"received-{label}"
    received.mkdir()
    environment = {**os.environ, "TCP_NODELAY": "1"}
    process = subprocess.Popen(
        ["storescp", "-od", str(received), str(port)], env=environment, stderr=subprocess.DEVNULL
    )
    try:
        time.sleep(0.5)
        took = run(folder, port)
    finally:
        process.kill()
        process.wait()
    arrived = len(list(received.iterdir()))
    if arrived != objects:
        raise SystemExit(f"{label}: {arrived} of {objects} objects arrived")
    shutil.rmtree(received)
    return took


def _ours(folder: Path, port: int | None) -> float:
    target = f"target: {{kind: dicom, host: 127.0.0.1, port: {port}, called_ae: ANY}}\n" if port else ""
    settings = f"name: bench\nsources:\n  pacs: {{path: pacs}}\n{target}"
    (folder / "fonds.yaml").write_text(settings, encoding="utf-8")
    shutil.rmtree(folder / "journal", ignore_errors=True)
    # storescp serves one association at a time
    start = time.perf_counter()
    migrate(load(folder), workers=1 if port else 4)
    return time.perf_counter() - start


def _storescu(folder: Path, port: int | None) -> float:
    command = ["storescu", "+sd", "127.0.0.1", str(port), str(folder / "pacs")]
    return _timed(command, {**os.environ, "TCP_NODELAY": "1"})


def _pynetdicom(folder: Path, port: int | None) -> float:
    entity = AE()
    entity.add_requested_context("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
    start = time.perf_counter()
    association = entity.associate("127.0.0.1", port or 0)
    for path in sorted((folder / "pacs").iterdir()):
        association.send_c_store(pydicom.dcmread(path))
    association.release()
    return time.perf_counter() - start


def _timed(command: list[str], environment: dict[str, str] | None = None) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def _show(seconds: dict[str, float], objects: int, size: int) -> None:
    shown = Table(
        "way", "s", "objects/s", "MB/s", title=f"{objects} objects, {size / 1e6:.0f} MB", title_justify="left"
    )
    for label, took in seconds.items():
        shown.add_row(label, f"{took:.2f}", f"{objects / took:.0f}", f"{size / took / 1e6:.0f}")
    Console().print(shown)
    ratios = {label: round(seconds[label] / seconds["ours"], 2) for label in ("storescu", "pynetdicom")}
    ratios["copy"] = round(seconds["copy"] / seconds["ours_folder"], 3)
    figures = {f"{label}_objects_per_s": round(objects / took, 1) for label, took in seconds.items()}
    print(json.dumps({"benchmark": "transfer", "ratios": ratios, **figures}))


if __name__ == "__main__":
    main()
