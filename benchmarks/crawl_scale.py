"""Crawls of hard links in a process of their own, watched for time and memory; and what the kernel doesn't take."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pydicom
from crawl_files import link_copies

from fonds.archives.dicomdir import is_dicomdir
from fonds.dicom.columnar import STRIDES, read_columns
from fonds.dicom.headers import read_header
from fonds.errors import UnreadableHeader
from fonds.project.folders import shipped

_PROGRAM = """
import json, sys, time
from pathlib import Path
from fonds.crawl import crawl
from fonds.project.settings import load
start = time.monotonic()
result = crawl(load(Path(sys.argv[1])), workers=2)
print(json.dumps({"seconds": time.monotonic() - start, "status": result.status, **result.counts}))
"""
_SETTINGS = "name: b\nsources:\n  archive:\n    path: archive\n    digest: false\n"


def crawl_links(root: Path, files: list[Path], count: int) -> dict[str, float]:
    """Crawl `count` hard links of the files in a fresh project: seconds, and the most memory (MiB) it took."""
    link_copies(files, root / "archive", count)
    (root / "fonds.yaml").write_text(_SETTINGS, encoding="utf-8")
    with subprocess.Popen([sys.executable, "-c", _PROGRAM, root], stdout=subprocess.PIPE, text=True) as process:
        peaks = {"all": 0, "one": 0}
        watch = threading.Thread(target=_watch, args=(process.pid, peaks), daemon=True)
        watch.start()
        out, _ = process.communicate()
    watch.join()
    told = json.loads(out.splitlines()[-1])
    assert (told["status"], told["instances"]) == ("done", count), told
    shutil.rmtree(root)
    return {
        "files": count,
        "seconds": round(told["seconds"], 2),
        "peak_mib": peaks["one"] // 1024,
        "peak_all_mib": peaks["all"] // 1024,
    }


def _watch(top: int, peaks: dict[str, int]) -> None:
    """Four times a second: proportional memory (KiB) of a process and all below it, shared pages counted once."""
    while Path(f"/proc/{top}/smaps_rollup").exists():
        sizes = [size for pid in _family(top) if (size := _proportional(pid))]
        if not sizes:
            return
        peaks["all"], peaks["one"] = max(peaks["all"], sum(sizes)), max(peaks["one"], *sizes)
        time.sleep(0.25)


def _family(top: int) -> list[int]:
    found = [top]
    for pid in found:
        with suppress(OSError):  # it has ended meanwhile
            for task in Path(f"/proc/{pid}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def listing(found: Iterable[tuple[str, os.stat_result]]) -> pl.DataFrame:
    """Files as the crawl lists them: location, size, mtime_ns, problem, message."""
    rows = [(location, about.st_size, about.st_mtime_ns, None, "") for location, about in found]
    schema = {"location": pl.String(), "size": pl.Int64(), "mtime_ns": pl.Int64(), "problem": pl.String(),
              "message": pl.String()}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def fallbacks(words: tuple[str, ...]) -> dict[str, float]:
    """Share of DICOM objects that pydicom reads instead of the kernel, among those anything can read.

    `samples` are the sample hospitals, faults included; `pydicom_tests` the files of pydicom's wheel, made to be odd.
    """
    folders = {
        "samples": Path(shipped()) / "data_samples" / "small",
        "pydicom_tests": Path(pydicom.__file__).parent / "data",
    }
    return {name: _fallback(folder, words) for name, folder in folders.items()}


def _fallback(folder: Path, words: tuple[str, ...]) -> float:
    contents = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()]
    contents = [content for content in contents if _readable(content)]
    taken, left = 0, contents
    for stride in STRIDES:
        heads = np.zeros((len(left), stride), dtype=np.uint8)
        for row, content in enumerate(left):
            heads[row, : len(content[:stride])] = np.frombuffer(content[:stride], dtype=np.uint8)
        sizes = np.array([len(content) for content in left], dtype=np.int64)
        columns = read_columns(heads, np.minimum(sizes, stride), sizes, words)
        taken, left = taken + len(columns.taken), [left[row] for row in columns.short]
    return round(1 - taken / len(contents), 4)


def _readable(content: bytes) -> bool:
    stream = BytesIO(content)
    try:
        read_header(stream, (), digest=False)
    except UnreadableHeader:
        return False
    return not is_dicomdir(stream)
