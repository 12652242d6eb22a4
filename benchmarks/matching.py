"""Our matching beside Splink (DuckDB) and recordlinkage: same machine, same run, same prepared records, same rules.

python benchmarks/matching.py --quick             FEBRL 3 and a generated hospital of 10^4 records, in 45 s
python benchmarks/matching.py                     FEBRL 3 and 4 and generated hospitals of 10^5 records
python benchmarks/matching.py --scale             generated hospitals of 10^6 records
python benchmarks/matching.py --sets 'mild all'   only the sets named
--picture also draws docs/images/matching-calibration.svg.

Every tool runs on every set in a process of its own, which measures wall time, CPU seconds (threads and children
included) and peak memory (of the process and its children) of training, pairs, prediction and clusters; preparing
records is no tool's. `fonds` uses the plain equality rules that all tools are given, `fonds own rules` is what users
get. F1 counts all true pairs of records, those that no rule finds included.

On FEBRL Splink is measured with two settings (`splink+dates`: term frequencies on birth dates too), and the better of
the two is compared with, figure by figure.

The keys of `ratios`, over the rows `fonds` and `splink` of each set:
  splink_time, splink_cpu   the largest quotient ours / theirs
  splink_memory        the same over the sets of 10^5 records and more (of all, where there are none such: below that
                       the memory is that of the libraries)
  splink_f1_gain       the smallest difference of F1 at the default threshold (0.95), over the unsaturated sets: those
                       where Splink's best F1 is below 0.99
  splink_f1_best_gain  the same at the best threshold of each
  recall_at_999        our smallest recall at a precision of at least 0.999 over the unsaturated sets;
  splink_recall_at_999 Splink's on that same set
  recordlinkage_f1_gain, recordlinkage_f1_best_gain   as above, over the unsaturated FEBRL sets, against recordlinkage
  merged_precision     the smallest precision of what our whole policy merges without a person, over all sets
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import psutil
from matching_measure import DEFAULT, Figures, merged, scored
from matching_sets import DataSet, data_sets, prepared
from rich.console import Console
from rich.table import Table

QUICK = ("febrl3 dicom", "mild dicom")
SATURATED = 0.99
COMPARED = ("best", f"f1_{DEFAULT}", "recall_at_999")
LARGE = 100_000
Results = dict[str, dict[str, Figures]]


def run(tool: str, chosen: DataSet, source: Path, folder: Path) -> Figures:
    """Costs of the tool on the set, measured by a fresh process; its pairs and clusters are in `folder` then."""
    folder.mkdir(parents=True)
    script = Path(__file__).with_name("matching_tools.py")
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, str(script), tool, str(source), str(folder), chosen.model, json.dumps(chosen.blocks)],
            stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        peak = _Peak(process.pid)
        out, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{tool} on {chosen.name} failed:\n{(folder / 'said').read_text(encoding='utf-8')[-3000:]}")
    figures: Figures = json.loads(out.splitlines()[-1])
    return figures | {"rss": max(figures["rss"], peak.stop())}


class _Peak:
    """The largest sum of resident memory of a process and its children, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak, self.ended = pid, 0, threading.Event()
        self.watch = threading.Thread(target=self._look, daemon=True)
        self.watch.start()

    def _look(self) -> None:
        while not self.ended.wait(0.05):
            try:
                first = psutil.Process(self.pid)
                self.peak = max(self.peak, sum(_resident(one) for one in (first, *first.children(recursive=True))))
            except psutil.NoSuchProcess:
                return

    def stop(self) -> float:
        """GiB."""
        self.ended.set()
        self.watch.join()
        return self.peak / 2**30


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # a child that ended between the two looks
        return 0


def measure(chosen: DataSet, folder: Path, tools: list[str]) -> dict[str, Figures]:
    """Costs and worth of every tool on one set; pairs stay in `folder`/tool for the picture."""
    source = folder / "prepared.parquet"
    folder.mkdir(parents=True)
    records = prepared(chosen)
    persons = records["person"]
    records.drop("person").write_parquet(source)
    del records
    found = {}
    for tool in tools:
        figures = run(tool, chosen, source, folder / tool)
        pairs = pl.read_parquet(folder / tool / "pairs.parquet")
        figures |= (
            {"records": len(persons)}
            | scored(pairs, persons)
            | merged(pl.read_parquet(folder / tool / "labels.parquet"), persons)
        )
        if "band" in pairs.columns:
            waiting = pairs.filter(pl.col("band") == "review")
            true = persons.gather(waiting["na"]) == persons.gather(waiting["nb"])
            figures |= {"review": waiting.height, "review_true": int(true.sum())}
        found[tool] = figures
    persons.to_frame().write_parquet(folder / "persons.parquet")
    return found


def _best(row: dict[str, Figures]) -> Figures:
    """Splink's figures: of two settings the better one of each."""
    rows = [figures for tool, figures in row.items() if tool.startswith("splink")]
    lower = ("wall", "cpu", "rss")
    return {key: (min if key in lower else max)(one[key] for one in rows) for key in (*lower, *COMPARED)}


def ratios(results: Results) -> dict[str, float | None]:
    """The figures that the module's text names; None where no such row was measured."""
    both = {name: (row["fonds"], _best(row)) for name, row in results.items() if {"fonds", "splink"} <= set(row)}
    open_sets = {name: row for name, row in both.items() if row[1]["best"] < SATURATED}
    febrl = [
        (row["fonds"], row["recordlinkage"])
        for name, row in results.items()
        if name.startswith("febrl") and "recordlinkage" in row and row["recordlinkage"]["best"] < SATURATED
    ]
    f1 = f"f1_{DEFAULT}"
    least = min(open_sets.values(), key=lambda row: row[0]["recall_at_999"], default=None)
    large = {name: row for name, row in both.items() if not name.startswith("febrl") and row[0]["records"] >= LARGE}
    found: dict[str, float | None] = {
        f"splink_{key}": max((ours[figure] / its[figure] for ours, its in rows.values()), default=None)
        for key, figure, rows in (("time", "wall", both), ("cpu", "cpu", both), ("memory", "rss", large or both))
    }
    found["splink_f1_gain"] = min((ours[f1] - its[f1] for ours, its in open_sets.values()), default=None)
    found["splink_f1_best_gain"] = min((ours["best"] - its["best"] for ours, its in open_sets.values()), default=None)
    found["recall_at_999"] = least[0]["recall_at_999"] if least else None
    found["splink_recall_at_999"] = least[1]["recall_at_999"] if least else None
    found["recordlinkage_f1_gain"] = min((ours[f1] - its[f1] for ours, its in febrl), default=None)
    found["recordlinkage_f1_best_gain"] = min((ours["best"] - its["best"] for ours, its in febrl), default=None)
    policy = [row[tool] for row in results.values() for tool in ("fonds", "fonds own rules") if tool in row]
    found["merged_precision"] = min((row["merged_precision"] for row in policy), default=None)
    return found


def show(results: Results) -> None:
    """Two tables: scores and costs of every tool, and what is merged without a person."""
    scores = Table("set", "tool", "F1 best", "at .5", f"at {DEFAULT}", "at .999", "recall at p>=.999", "true in .9-.99",
                   ".99-.999", ">=.999", "wall s", "CPU s", "GiB", title="Pairs and costs")  # fmt: skip
    policy = Table("set", "tool", "true pairs", "merged", "wrong", "precision", "recall", "F1", "review", "of it true",
                   title="Merged without a person (Splink: clusters at 0.95)")  # fmt: skip
    for name, row in results.items():
        for tool, f in row.items():
            keys = ("best", "f1_0.5", f"f1_{DEFAULT}", "f1_0.999", "recall_at_999", "stated_0.9", "stated_0.99",
                    "stated_0.999")  # fmt: skip
            told = ["-" if f[key] is None else f"{f[key]:.4f}" for key in keys]
            scores.add_row(name, tool, *told, f"{f['wall']:.1f}", f"{f['cpu']:.1f}", f"{f['rss']:.2f}")
            if "merged_right" in f:
                right, wrong = int(f["merged_right"]), int(f["merged_wrong"])
                waits = [f"{int(f[key])}" if key in f else "-" for key in ("review", "review_true")]
                policy.add_row(name, tool, f"{int(f['true_pairs'])}", f"{right + wrong}", f"{wrong}",
                               f"{f['merged_precision']:.5f}", f"{f['merged_recall']:.4f}", f"{f['merged_f1']:.4f}",
                               *waits)  # fmt: skip
    console = Console(width=200)
    console.print(scores)
    console.print(policy)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two sets, within 45 s")
    parser.add_argument("--scale", action="store_true", help="generated hospitals of 10^6 records, without FEBRL")
    parser.add_argument("--sets", help="comma-separated names of the sets to measure")
    parser.add_argument("--picture", action="store_true", help="draw docs/images/matching-calibration.svg")
    options = parser.parse_args()
    sets = data_sets(10_000 if options.quick else 1_000_000 if options.scale else 100_000)
    if options.sets:
        names = [name.strip() for name in options.sets.split(",")]
        if unknown := [name for name in names if name not in sets]:
            parser.error(f"there is no set {unknown[0]}; there are: {', '.join(sets)}")
    elif options.quick:
        names = list(QUICK)
    else:
        names = [name for name in sets if not (options.scale and name.startswith("febrl"))]
    rivals = ["splink"] if find_spec("splink") is not None else []
    if not rivals:
        print("Splink isn't installed (dependency group `bench`): it isn't measured.")
    results: Results = {}
    with tempfile.TemporaryDirectory(prefix="fonds-matching-") as folder:
        for name in names:
            chosen = sets[name]
            tools = ["fonds own rules"] if chosen.alone else ["fonds", *rivals]
            if rivals and not options.quick and name.startswith("febrl"):
                tools.append("splink+dates")
            if not chosen.alone and not options.quick:
                tools += ["fonds own rules", *(["recordlinkage"] if name.startswith("febrl") else [])]
            started = time.perf_counter()
            results[name] = measure(chosen, Path(folder) / name, tools)
            print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        if options.picture:
            from matching_picture import draw

            print(draw({name: Path(folder) / name for name in names if not sets[name].alone}))
    show(results)
    told: dict[str, Any] = {"benchmark": "matching", "ratios": ratios(results), "sets": results}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
