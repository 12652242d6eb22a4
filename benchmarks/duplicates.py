"""Duplicates by class: how many are found, how fast, and what plainer ways find of the same.

python benchmarks/duplicates.py --quick    10^5 rows
python benchmarks/duplicates.py            10^6 rows
python benchmarks/duplicates.py --scale    10^7 rows

Recall and precision of each class are counted on rows (class, source, member) of three sets: the committed sample
hospitals with the truth they were made by, a catalog made here with all ten classes in known places, and pydicom's own
test files, whose duplicates pydicom alone tells (duplicates_real.py). The least of them all are the figures.

`rows_per_s` is the stage over the catalog of so many rows, Parquet to Parquet, with the studies scored; no files belong
to it. `linear_growth` is time a row, `memory_growth` peak memory, over those of a tenth of the rows. `mb_per_s` is how
fast pairs of one content in different encodings are compared the way the stage does (one process; it has as many as
there are processors): both files read, their pixels decoded, their attributes held against each other;
`compare_to_read` is that over reading the same files. The rivals: GROUP BY SOPInstanceUID in DuckDB and in pandas,
digests of whole files as fdupes makes them, and pydicom's pixel_array and data sets compared in a loop, which is what a
script would do.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pydicom
from duplicates_real import copied, truth
from duplicates_rows import catalog, pairs
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML

from fonds.catalog.store import Catalog, literal
from fonds.crawl import crawl
from fonds.deduplicate import deduplicate
from fonds.dicom.decoded import decoded_digest
from fonds.dicom.differences import differing_attributes
from fonds.project.folders import shipped
from fonds.project.settings import Project, load
from fonds.samples import SOURCES

STAGES = ("crawl", "normalize", "match", "deduplicate")
PANDAS_ROWS = 1_000_000
"""Ten million take it more memory than the stage."""
Row = tuple[str, str, str]
"""Class, source, and member: a file's location, or a Study Instance UID for g, h and i."""
Measured = dict[str, tuple[int, int, int]]
"""By class: rows expected, found, and found rightly."""


def main() -> None:
    """Measure, print a table for people and one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10^5 rows, ends within 45 s on two cores")
    parser.add_argument("--scale", action="store_true", help="10^7 rows")
    options = parser.parse_args()
    rows = 100_000 if options.quick else 10_000_000 if options.scale else 1_000_000
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        small, large = catalog(root / "small", rows // 10), catalog(root / "large", rows)
        few, many = run(small), run(large)
        known = duckdb.sql(f"FROM {literal(str(root / 'large' / 'truth.parquet'))}").fetchall()
        sets = {"catalog": counted(found(large), set(known))}
        sets["real"] = real(root / "real")
        sets["samples"] = samples(root / "samples")
        figures = {
            "rows": rows,
            "stage": many,
            "tenth": few,
            "rivals_rows_per_s": grouping(large),
            "compare": comparing(root / "pairs", 60 if options.quick else 400),
            "classes": {name: {key: shares(*value) for key, value in one.items()} for name, one in sets.items()},
        }
    report(figures, sets)


def run(project: Project) -> dict[str, float]:
    """Seconds and peak memory (MiB) of the stage in a process of its own."""
    program = Path(__file__).with_name("duplicates_run.py")
    out = subprocess.run([sys.executable, program, project.root], check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return told


def found(project: Project) -> set[Row]:
    """What the stage found."""
    with Catalog(project).connect() as connection:
        return set(connection.sql("SELECT DISTINCT class, source, member FROM duplicates").fetchall())


def counted(have: set[Row], want: set[Row]) -> Measured:
    """Rows by class."""
    return {
        name: tuple(sum(row[0] == name for row in rows) for rows in (want, have, want & have))  # type: ignore[misc]
        for name in sorted({row[0] for row in want | have})
    }


def shares(expected: int, found: int, hit: int) -> dict[str, float | None]:
    """Recall and precision; None where there is nothing to find, or nothing found."""
    return {"recall": hit / expected if expected else None, "precision": hit / found if found else None}


def samples(folder: Path) -> Measured:
    """The committed sample hospitals against their truth."""
    folder.mkdir()
    home = shipped() / "data_samples" / "small"
    sources = {name: {**one, "path": str((home / name).resolve())} for name, one in SOURCES.items()}
    project = _project(folder, sources)
    for stage in STAGES:
        getattr(import_module(f"fonds.{stage}"), stage)(project)
    known = literal(str(home / "truth" / "duplicates.csv"))
    want = duckdb.sql(f"SELECT DISTINCT class, source, member FROM read_csv({known}, all_varchar = true)").fetchall()
    return counted(found(project), set(want))


def real(folder: Path) -> Measured:
    """pydicom's files against pydicom, which tells no copies made at retrieval (j): they count as e."""
    copied(folder / "real")
    project = _project(folder, {"real": {"path": str(folder / "real")}})
    crawl(project)
    deduplicate(project)
    with Catalog(project).connect() as connection:
        files = connection.sql("SELECT location FROM instances").fetchall()
        kept = connection.sql(
            "SELECT DISTINCT i.SOPInstanceUID, kept_location FROM duplicates d JOIN instances i ON i.source = d.source "
            "AND i.location = d.member WHERE class IN ('a', 'b', 'c', 'd')"
        ).fetchall()
    base = folder / "real"
    want = truth([base / place for (place,) in files], {uid: base / place for uid, place in kept})
    have = {("e" if name == "j" else name, source, member) for name, source, member in found(project)}
    return counted(
        {row for row in have if row[0] in "abcdef"},
        {(name, "real", path.relative_to(base).as_posix()) for name, path in want},
    )


def _project(folder: Path, sources: dict[str, Any]) -> Project:
    with (folder / "fonds.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"name": "duplicates", "sources": sources}, file)
    return load(folder)


def grouping(project: Project) -> dict[str, float]:
    """Rows a second of GROUP BY SOPInstanceUID: that something is there twice, and not what it is."""
    with Catalog(project).connect() as connection:
        rows = connection.sql("SELECT count(*) FROM instances").fetchall()[0][0]
        start = time.monotonic()
        by_duckdb = connection.sql(
            "SELECT count(*) FROM (SELECT SOPInstanceUID FROM instances GROUP BY 1 HAVING count(*) > 1)"
        ).fetchall()[0][0]
        duckdb_seconds = time.monotonic() - start
        start = time.monotonic()
        some = f"SELECT source, location, SOPInstanceUID, digest_object FROM instances LIMIT {PANDAS_ROWS}"
        frame = connection.sql(some).df()
        sizes = frame.groupby("SOPInstanceUID").agg({"location": "count", "digest_object": "nunique"})
        by_pandas = int((sizes["location"] > 1).sum())
        pandas_seconds = time.monotonic() - start
    assert by_duckdb == by_pandas or rows > PANDAS_ROWS
    return {"duckdb_group_by": rows / duckdb_seconds, "pandas_group_by": len(frame) / pandas_seconds}


def comparing(folder: Path, count: int) -> dict[str, float]:
    """MB a second over pairs of files with one content in different encodings."""
    project = pairs(folder, count)
    files = [(folder / "first" / f"{n:05d}.dcm", folder / "second" / f"{n:05d}.dcm") for n in range(count)]
    megabytes = sum(path.stat().st_size for pair in files for path in pair) / 1e6
    ways: dict[str, Callable[[list[tuple[Path, Path]]], None]] = {
        "read": read,
        "ours": encoded,
        "sha256_of_files": whole,
        "pydicom_loop": looped,
    }
    told = {name: megabytes / timed(lambda work=work: work(files)) for name, work in ways.items()}  # type: ignore[misc]
    crawl(project)
    deduplicate(project)
    have = {(name, member) for name, source, member in found(project) if source == "second"}
    assert have == {({0: "c", 1: "d"}.get(n % 10, "b"), f"{n:05d}.dcm") for n in range(count)}
    return {"pairs": count, "megabytes": megabytes, **told}


def timed(work: Callable[[], None]) -> float:
    """Seconds it takes."""
    start = time.monotonic()
    work()
    return time.monotonic() - start


def read(files: list[tuple[Path, Path]]) -> None:
    """Nothing but reading."""
    for pair in files:
        for path in pair:
            path.read_bytes()


def encoded(files: list[tuple[Path, Path]]) -> None:
    """As the stage does: what both show, and where that is the same, which attributes differ."""
    for number, pair in enumerate(files):
        with pair[0].open("rb") as one, pair[1].open("rb") as other:
            same = decoded_digest(one) == decoded_digest(other)
            words = differing_attributes(one, other, same_content=True) if same else []
        assert (same, words) == (number % 10 != 1, ["SeriesDescription"] if number % 10 == 0 else [])


def whole(files: list[tuple[Path, Path]]) -> None:
    """As fdupes does: files are duplicates when all their bytes are the same. It finds none of these."""
    for pair in files:
        assert len({hashlib.sha256(path.read_bytes()).digest() for path in pair}) == 2


def looped(files: list[tuple[Path, Path]]) -> None:
    """As a script does: pixel_array of both, then the data sets element by element."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, pair in enumerate(files):
            one, other = (pydicom.dcmread(path) for path in pair)
            same = np.array_equal(one.pixel_array, other.pixel_array)
            del one.PixelData, other.PixelData
            assert (same, one == other) == (number % 10 != 1, number % 10 != 0)


def report(figures: dict[str, Any], sets: dict[str, Measured]) -> None:
    """The tables for people, and one JSON object."""
    console, table = Console(), Table("class", "set", "expected", "found", "right", "recall", "precision")
    recalls, precisions = [], []
    for name, one in sets.items():
        for key, (expected, told, hit) in one.items():
            recall, precision = shares(expected, told, hit).values()
            recalls += [recall] if recall is not None else []
            precisions += [precision] if precision is not None else []
            table.add_row(key, name, *(f"{n:,}" for n in (expected, told, hit)), _share(recall), _share(precision))
    console.print(table)
    stage, tenth, compare, rows = figures["stage"], figures["tenth"], figures["compare"], figures["rows"]
    ratios = {
        "class_recall_min": min(recalls),
        "class_precision_min": min(precisions),
        "rows_per_s": round(rows / stage["seconds"]),
        "mb_per_s": round(compare["ours"], 1),
        "compare_to_read": round(compare["ours"] / compare["read"], 4),
        "compare_to_pydicom": round(compare["ours"] / compare["pydicom_loop"], 2),
        "memory_growth": round(stage["peak_mib"] / tenth["peak_mib"], 2),
        "linear_growth": round(stage["seconds"] / tenth["seconds"] / 10, 2),
    }
    speed = Table("what", "figure")
    speed.add_row(f"the stage over {rows:,} rows", f"{stage['seconds']:.1f} s, {stage['peak_mib']:,} MiB")
    speed.add_row(f"over {rows // 10:,} rows", f"{tenth['seconds']:.1f} s, {tenth['peak_mib']:,} MiB")
    for name, value in figures["rivals_rows_per_s"].items():
        speed.add_row(name, f"{value:,.0f} rows/s, only that a UID is there twice")
    for name in ("ours", "read", "sha256_of_files", "pydicom_loop"):
        speed.add_row(f"compare {compare['megabytes']:.0f} MB: {name}", f"{compare[name]:,.1f} MB/s")
    console.print(speed)
    print(json.dumps({"benchmark": "duplicates", "ratios": ratios, **figures}))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


if __name__ == "__main__":
    main()
