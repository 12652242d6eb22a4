"""All checks and rules over many instance rows, and rivals on a sample of the same conditions over the same rows.

python benchmarks/quality.py --quick    10^5 rows
python benchmarks/quality.py            10^6 rows
python benchmarks/quality.py --scale    10^7 rows
Great Expectations evaluates one expectation a condition on a pandas frame that is there already; the Python loops go
over rows that are there already. Ours reads Parquet files, and writes findings and counts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
from quality_rows import change, multiply, sample
from rich.console import Console
from rich.table import Table

from fonds.assess.definition import Check, load_with_files
from fonds.assess.measure import measure_all
from fonds.assess.vocabulary import project_vocabularies
from fonds.catalog.store import Catalog, quote
from fonds.project.settings import Project

RIVAL_ROWS = 100_000
# checks the rivals evaluate too, each for the one attribute named
SAMPLE = {
    "IN-02": "read_status",
    "IN-03": "SOPInstanceUID",
    "IN-06": "SOPClassUID",
    "IN-08": "SOPInstanceUID",
    "IN-13": "OtherPatientIDs",
    "IN-14": "StudyDate",
    "IN-15": "StudyTime",
}
_TIME = r"([01][0-9]|2[0-3])([0-5][0-9](([0-5][0-9]|60)(\.[0-9]{1,6})?)?)?"
_UID, _ZERO, _DAY = re.compile(r"[0-9]+(\.[0-9]+)*"), re.compile(r"(^|\.)0[0-9]"), re.compile(r"[0-9]{8}")
_CLOCK = re.compile(_TIME)
# the same by hand: whether a text fails
BY_HAND: dict[str, Callable[[str], bool]] = {
    "IN-02": lambda text: text == "forced",
    "IN-03": lambda text: len(text) > 64 or not _UID.fullmatch(text),
    "IN-06": lambda text: not text.strip(" "),
    "IN-08": lambda text: bool(_ZERO.search(text)),
    "IN-13": lambda text: bool(text.strip(" ")),
    "IN-14": lambda text: bool(text.strip(" ")) and not _DAY.fullmatch(text),
    "IN-15": lambda text: bool(text.strip(" ")) and not _CLOCK.fullmatch(text),
}


def sampled(project: Project) -> list[Check]:
    """The checks of the sample, each for one attribute."""
    found = {check.id: check for _, check in load_with_files(project)}
    return [
        found[name] if name == "IN-02" else found[name].model_copy(update={"attributes": (word,)})
        for name, word in SAMPLE.items()
    ]


def ours(project: Project) -> tuple[dict[str, int], float]:
    """Failures by check, and seconds, of the sample alone."""
    checks, words = sampled(project), project_vocabularies(project)
    with Catalog(project).connect() as connection:
        start = time.monotonic()
        measured = measure_all(connection, checks, [""] * len(checks), words)
        seconds = time.monotonic() - start
    found = measured.counts.group_by("check_id").agg(pl.col("numerator").sum())
    return dict(found.rows()), seconds


def expectations(frame: pd.DataFrame) -> tuple[dict[str, int], float]:
    """The same of Great Expectations, one expectation after the other on one batch."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    wanted = {
        "IN-02": gxe.ExpectColumnValuesToNotBeInSet(column="read_status", value_set=["forced"]),
        "IN-03": gxe.ExpectColumnValuesToMatchRegex(column="SOPInstanceUID", regex=r"^(?=.{1,64}$)[0-9]+(\.[0-9]+)*$"),
        "IN-06": gxe.ExpectColumnValuesToMatchRegex(column="SOPClassUID", regex="[^ ]"),
        "IN-08": gxe.ExpectColumnValuesToNotMatchRegex(column="SOPInstanceUID", regex=r"(^|\.)0[0-9]"),
        "IN-13": gxe.ExpectColumnValuesToMatchRegex(column="OtherPatientIDs", regex="^ *$"),
        "IN-14": gxe.ExpectColumnValuesToMatchRegex(column="StudyDate", regex=r"^( *|[0-9]{8})$"),
        "IN-15": gxe.ExpectColumnValuesToMatchRegex(column="StudyTime", regex=rf"^( *|{_TIME})$"),
    }
    start = time.monotonic()
    found = {
        name: batch.validate(one, result_format="SUMMARY").result["unexpected_count"] for name, one in wanted.items()
    }
    return found, time.monotonic() - start


def python_loop(frame: pd.DataFrame) -> tuple[dict[str, int], float]:
    """The same in one loop over rows that are dictionaries."""
    rows: list[dict[Any, Any]] = frame.to_dict("records")
    found = dict.fromkeys(SAMPLE, 0)
    checks = [(name, word, BY_HAND[name]) for name, word in SAMPLE.items()]
    start = time.monotonic()
    for row in rows:
        for name, word, fails in checks:
            if fails(row[word]):
                found[name] += 1
    return found, time.monotonic() - start


def pandas_loop(frame: pd.DataFrame) -> tuple[dict[str, int], float]:
    """The same over the frame row by row, one check after the other."""
    found = {}
    start = time.monotonic()
    for name, word in SAMPLE.items():
        fails = BY_HAND[name]
        found[name] = sum(1 for _, row in frame.iterrows() if fails(row[word]))
    return found, time.monotonic() - start


def step(project: Project, name: str) -> dict[str, float]:
    """One step in a process of its own: its seconds and the most memory it took."""
    program = Path(__file__).with_name("quality_run.py")
    out = subprocess.run([sys.executable, program, project.root, name], check=True, capture_output=True, text=True)
    told: dict[str, float] = json.loads(out.stdout.splitlines()[-1])
    return told


def main() -> None:
    """Make the rows, run ours and the rivals, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10^5 rows")
    parser.add_argument("--scale", action="store_true", help="10^7 rows")
    options = parser.parse_args()
    count = 100_000 if options.quick else 10_000_000 if options.scale else 1_000_000
    with tempfile.TemporaryDirectory() as scratch:
        base = sample(Path(scratch) / "sample")
        small = multiply(base, Path(scratch) / "small", RIVAL_ROWS)
        project = small if options.quick else multiply(base, Path(scratch) / "large", count)
        figures: dict[str, Any] = {"full": step(project, "full"), "normalize": step(project, "normalize")}
        figures["rivals"] = rivals(small)
        change(project, scattered=False)
        figures["again"] = step(project, "again")
    report(figures)


def rivals(project: Project) -> dict[str, float]:
    """Seconds per row and check of ours and the rivals on the sample; their answers are asserted to be the same."""
    columns = ", ".join(f"coalesce({quote(word)}, '') AS {quote(word)}" for word in dict.fromkeys(SAMPLE.values()))
    with Catalog(project).connect() as connection:
        frame = connection.sql(f"SELECT {columns} FROM instances").df()
    answers = {"ours": ours(project)}
    for name, run, rows in (
        ("gx_one_by_one", expectations, frame),
        ("python_loop", python_loop, frame),
        ("pandas_loop", pandas_loop, frame.head(20_000)),
    ):
        found, seconds = run(rows)
        if len(rows) == len(frame):
            assert found == answers["ours"][0], (name, found, answers["ours"][0])
        answers[name] = found, seconds * len(frame) / len(rows)
    return {name: seconds / len(frame) / len(SAMPLE) for name, (_, seconds) in answers.items()}


def report(figures: dict[str, Any]) -> None:
    """The table for people, and one JSON object."""
    full, again, each = figures["full"], figures["again"], figures["rivals"]
    cost = full["seconds"] / full["rows"] / full["checks"]
    ratios = {name: round(each[name] / cost, 1) for name in ("gx_one_by_one", "python_loop", "pandas_loop")}
    ratios["rerun_share"] = round(again["seconds"] / full["seconds"], 4)
    table = Table("what", "seconds", "rows/s", "peak MiB")
    for name in ("full", "normalize", "again"):
        one = figures[name]
        table.add_row(name, f"{one['seconds']:.1f}", f"{full['rows'] / one['seconds']:,.0f}", f"{one['peak_mib']:,.0f}")
    console = Console()
    console.print(f"{full['rows']:,.0f} rows, {full['checks']:.0f} checks: {cost * 1e9:.0f} ns a row and check")
    console.print(table)
    console.print(*(f"{name}: {seconds * 1e9:,.0f} ns a row and check" for name, seconds in each.items()), sep="\n")
    print(json.dumps({"benchmark": "quality", "ratios": ratios, **figures}))


if __name__ == "__main__":
    main()
