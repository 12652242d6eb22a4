"""Speed of the crawl against pydicom, GDCM, dicomsdl and plain reading, on the same generated files, in one run.

python benchmarks/crawl.py [--quick] [--files 4000] [--scale]

Headers of about 265 elements (CT and MR, private blocks of three makers, five character sets, nested sequences, a fifth
implicit VR); the attributes of rules/base/attributes.yaml as text. CPU time (user and system) a file, best of three
rounds, one core, warm cache. Fonds reads them the way a shard does: heads of a batch into one buffer, the kernel,
a frame of all columns of `instances`. Readers that are slow read every nth of the same files. A ratio says how many
times longer the other one takes; `raw_read` how many times longer Fonds takes than opening a file and reading 16 KiB.

`end_to_end` is wall time: listing, reading and committing hard links of the files with two workers, against two
processes that read with pydicom and write the same columns to Parquet; those read a sample, their time is scaled to
as many files, start-up not counted. `--scale` crawls 10^4, 10^5 and 10^6 links and prints time and memory.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import polars as pl
import pydicom
from crawl_files import elements, write_files
from crawl_scale import crawl_links, fallbacks, listing
from rich.console import Console
from rich.table import Table

from fonds.archives.folder import FolderSource
from fonds.catalog.schema import attributes
from fonds.crawl.reading import Reader as ShardReader
from fonds.project.settings import load

ROUNDS = 3
Reader = Callable[[Sequence[Path]], Any]
"""reads all of the files"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer files, ends within 45 s on two cores")
    parser.add_argument("--files", type=int, help="how many files (4000, with --quick 2000)")
    parser.add_argument("--scale", action="store_true", help="time and memory of 10,000 to 1,000,000 files as well")
    options = parser.parse_args()
    count, sample = options.files or (2000 if options.quick else 4000), 100 if options.quick else 400
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        files = write_files(root / "archive", count)
        (root / "fonds.yaml").write_text("name: b\nsources:\n  archive:\n    path: archive\n", encoding="utf-8")
        words = attributes(load(root))
        cpu = measure(root / "archive", files, files[:: max(1, count // sample)], words)
        sizes = [50_000 if options.quick else 100_000]
        if options.scale:
            sizes = [10_000, 100_000, 1_000_000]
        crawls = [crawl_links(root / f"links-{size}", files, size) for size in sizes]
        looped = _pydicom_loop(root, files[:: max(1, count // (3 * sample))], words)
        end = crawls[-1] if not options.scale else crawls[1]
        facts: dict[str, Any] = {
            "elements": elements(files[0]),
            "attributes": len(words),
            "fallback_share": fallbacks(words),
            "crawls": crawls,
            "peak_rss_mib": max(crawl["peak_mib"] for crawl in crawls),
            "pydicom_loop_seconds": round(looped * end["files"], 1),
            "pydicom_loop_files": len(files[:: max(1, count // (3 * sample))]),
        }
    ours = cpu["fonds"]
    ratios = {name: value and round(value / ours, 2) for name, value in cpu.items() if name != "fonds"}
    ratios["raw_read"] = round(ours / cpu["raw_read"], 2)
    ratios["end_to_end"] = round(facts["pydicom_loop_seconds"] / end["seconds"], 2)
    _show(cpu, ratios, count, facts)
    rounded = {name: value and round(value * 1e6, 1) for name, value in cpu.items()}
    print(json.dumps({"benchmark": "crawl", "cpu_us": rounded, "ratios": ratios, **facts}))


def measure(folder: Path, files: list[Path], sample: list[Path], words: tuple[str, ...]) -> dict[str, Any]:
    """Seconds of CPU a file by reader; None for libraries that aren't installed."""
    gdcm, dicomsdl = _library("gdcm"), _library("dicomsdl")
    readers: list[tuple[str, Reader | None, list[Path]]] = [
        ("fonds", _fonds(folder, words), files),
        ("raw_read", _raw, files),
        ("dicomsdl", dicomsdl and _dicomsdl(dicomsdl, words), sample),
        ("gdcm", gdcm and _gdcm_scanner(gdcm, words), sample),
        ("gdcm_values", gdcm and _gdcm_values(gdcm, words), sample),
        ("pydicom_stop", lambda paths: [_pydicom(path, words, specific=False) for path in paths], sample),
        ("pydicom_specific", lambda paths: [_pydicom(path, words, specific=True) for path in paths], sample),
    ]
    return {name: reader and _cpu(reader, paths) for name, reader, paths in readers}


def _cpu(reader: Reader, files: list[Path]) -> float:
    """Seconds of CPU a file, the best round; before the first one, one that warms up (and compiles)."""
    reader(files[:50])
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        reader(files)
        best = min(best, (time.process_time() - start) / len(files))
    return best


def _fonds(folder: Path, words: tuple[str, ...]) -> Reader:
    reader = ShardReader("archive", FolderSource("archive", folder), words, False, None)
    listed: dict[int, pl.DataFrame] = {}

    def read(paths: Sequence[Path]) -> int:
        if len(paths) not in listed:
            listed[len(paths)] = listing([(str(path.relative_to(folder)), path.stat()) for path in paths])
        rows = sum(instances.height for _, _, instances in reader.batches(listed[len(paths)], columnar=True))
        assert rows == len(paths)
        return rows

    return read


def _raw(paths: Sequence[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.pread(descriptor, 16 * 1024, 0)
        os.close(descriptor)


def _pydicom(path: Path, words: tuple[str, ...], *, specific: bool) -> dict[str, str | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tags: Any = list(words) if specific else None
        ds = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)
        row: dict[str, str | None] = {}
        for word in words:
            value = ds.get(word, ds.file_meta.get(word))
            multiple = isinstance(value, pydicom.multival.MultiValue)
            row[word] = None if value is None else "\\".join(map(str, value)) if multiple else str(value)
    return row


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        return None


def _dicomsdl(library: Any, words: tuple[str, ...]) -> Reader:
    def read(path: Path) -> dict[str, str | None]:
        ds = library.open_file(str(path), load_until=0x7FE00000)
        return {word: None if (value := getattr(ds, word)) is None else str(value) for word in words}

    return lambda paths: [read(path) for path in paths]


def _gdcm_tags(library: Any, words: tuple[str, ...]) -> dict[str, Any]:
    numbers = [pydicom.datadict.tag_for_keyword(word) or 0 for word in words]
    return {word: library.Tag(number >> 16, number & 0xFFFF) for word, number in zip(words, numbers, strict=True)}


def _gdcm_scanner(library: Any, words: tuple[str, ...]) -> Reader:
    """GDCM's scanner: values stay in its own tables."""

    def read(paths: Sequence[Path]) -> None:
        scanner = library.Scanner()
        for tag in _gdcm_tags(library, words).values():
            scanner.AddTag(tag)
        if not scanner.Scan([str(path) for path in paths]):
            raise ValueError("GDCM's scanner refused the files")

    return read


def _gdcm_values(library: Any, words: tuple[str, ...]) -> Reader:
    tags = _gdcm_tags(library, words)
    wanted = library.TagSetType()
    for tag in tags.values():
        wanted.insert(tag)

    def read(path: Path) -> dict[str, str | None]:
        reader = library.Reader()
        reader.SetFileName(str(path))
        if not reader.ReadSelectedTags(wanted):
            raise ValueError(path.name)
        text = library.StringFilter()
        text.SetFile(reader.GetFile())
        found = reader.GetFile().GetDataSet()
        return {word: text.ToString(tag) if found.FindDataElement(tag) else None for word, tag in tags.items()}

    return lambda paths: [read(path) for path in paths]


def _pydicom_loop(root: Path, files: list[Path], words: tuple[str, ...]) -> float:
    """Seconds a file of two processes that read with pydicom and write Parquet, start-up not counted."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = [(files[part::2], words, root / f"pydicom-{part}.parquet") for part in range(2)]
        list(pool.map(pydicom_shard, [(files[:5], words, root / f"warm-{part}") for part in range(4)]))
        start = time.monotonic()
        assert sum(pool.map(pydicom_shard, parts)) == len(files)
        return (time.monotonic() - start) / len(files)


def pydicom_shard(job: tuple[list[Path], tuple[str, ...], Path]) -> int:
    """One part of the rival's work."""
    files, words, target = job
    rows = [_pydicom(path, words, specific=False) for path in files]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(words, pl.String()))
    frame.with_columns(location=pl.Series([path.name for path in files])).write_parquet(target)
    return len(files)


def _show(cpu: dict[str, Any], ratios: dict[str, Any], count: int, facts: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"{count:,} headers of {facts['elements']} elements, {facts['attributes']} attributes as text")
    for column in ("reader", "µs CPU a file", "files per CPU second", "times Fonds"):
        table.add_column(column, justify="left" if column == "reader" else "right")
    for name, value in cpu.items():
        if value is None:
            table.add_row(name, "not installed", "", "")
        else:
            table.add_row(name, f"{value * 1e6:,.1f}", f"{1 / value:,.0f}", f"{value / cpu['fonds']:.2f}")
    console.print(table)
    table = Table(title="Crawl with two workers: listing, reading, Parquet committed")
    for column in ("files", "seconds", "files/s", "peak MiB, all processes", "peak MiB, largest process"):
        table.add_column(column, justify="right")
    for one in facts["crawls"]:
        speed = one["files"] / one["seconds"]
        numbers = (one["files"], one["seconds"], round(speed), one["peak_all_mib"], one["peak_mib"])
        table.add_row(*(f"{number:,}" for number in numbers))
    console.print(table)
    console.print(
        f"pydicom, two processes: {facts['pydicom_loop_seconds']:,} s (from {facts['pydicom_loop_files']} files), "
        f"{ratios['end_to_end']} times as long; read by pydicom instead of the kernel: {facts['fallback_share']}"
    )


if __name__ == "__main__":
    main()
