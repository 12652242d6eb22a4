"""Agreement of `fonds conform` with dciodvfy on real files: pydicom's test files and the sample hospitals.

Run: .venv/bin/python benchmarks/conformance.py [--json FILE]. Needs dciodvfy (apt install dicom3tools). What it
compares and why they differ stands in docs/conformance.md.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pydicom
from pydicom.datadict import DicomDictionary, keyword_for_tag

from fonds.dicom.iod import Judged, judge
from fonds.errors import UnreadableHeader

ROOT = Path(__file__).parents[1]
KINDS = ("missing", "empty", "vr", "multiplicity", "value")
_NAMES = {entry[2]: entry[4] for entry in DicomDictionary.values()}
_MISSING = re.compile(r"Missing attribute Type (\w+) (?:Required|Conditional) Element=<(\w+)> Module=<(\w+)>")
_EMPTY = re.compile(r"Empty attribute \(no value\) Type (\w+).* Element=<(\w+)> Module=<(\w+)>")
_VR = re.compile(r"Value invalid for this VR - \((0x\w{4}),(0x\w{4})\)")
_VM = re.compile(r"Bad attribute Value Multiplicity .*Element=<(\w+)> Module")
_OTHER_VR = re.compile(r"Invalid Value Representation .*Element=<(\w+)> Module")
_VALUE = re.compile(r"Unrecognized enumerated value <.*> for value \d+ of attribute <([^>]+)>")
# dciodvfy stops at these: what it says of such a file is no judgement of the whole object
_GAVE_UP = ("read failed", "Information Object Not found", "Tags out of order", "Seek failed")

Claim = tuple[str, str]
"""problem and keyword"""


def corpus() -> list[Path]:
    """Files that are there: no download."""
    folder = Path(pydicom.__file__).parent / "data"
    samples = ROOT / "data_samples/small"
    found = [*folder.rglob("*"), *(path for path in samples.rglob("*") if "truth" not in path.parts)]
    return sorted(path for path in found if path.is_file() and path.suffix not in {".py", ".csv", ".json", ".txt"})


def theirs(path: Path) -> set[Claim] | None:
    """What dciodvfy says in kinds both know; None when it gave the object up."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, check=False, timeout=60)
    lines = done.stderr.decode("latin-1").splitlines()
    if not any(re.fullmatch(r"[A-Za-z0-9]+", line) for line in lines):  # it names the IOD it goes by
        return None
    if any(line.startswith("Error") and reason in line for line in lines for reason in _GAVE_UP):
        return None
    return {claim for line in lines if line.startswith("Error") for claim in _claims(line)}


def _claims(line: str) -> Iterator[Claim]:
    if found := _MISSING.search(line):
        yield "missing", found[2]
    elif found := _EMPTY.search(line):
        yield "empty", found[2]
    elif found := _VR.search(line):
        tag = int(found[1], 16) << 16 | int(found[2], 16)
        if tag >> 16 != 2:  # the file meta is no part of an IOD
            yield "vr", keyword_for_tag(tag) or f"{tag:08X}"
    elif found := _OTHER_VR.search(line):
        yield "vr", found[1]
    elif found := _VM.search(line):
        yield "multiplicity", found[1]
    elif found := _VALUE.search(line):
        yield "value", _NAMES.get(found[1], found[1])


def ours(judged: Judged) -> set[Claim]:
    """What we say is an error."""
    return {(p.problem, p.keyword or p.path[-10:].strip("()").replace(",", "")) for p in judged.problems if p.error}


def compare(paths: Iterable[Path]) -> tuple[dict[str, Counter[str]], dict[str, list[str]], Counter[str]]:
    """By kind how many claims both, only we, only dciodvfy make; where they differ; and what wasn't compared."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    differ: dict[str, list[str]] = defaultdict(list)
    left: Counter[str] = Counter()
    for path in paths:
        try:
            judged = judge(path)
        except UnreadableHeader:
            left["we can't read"] += 1
            continue
        if judged.iod is None:
            left["SOP class without IOD"] += 1
            continue
        other = theirs(path)
        if other is None:
            left["dciodvfy gave up"] += 1
            continue
        left["compared"] += 1
        mine = ours(judged)
        for side, claims in (("both", mine & other), ("ours", mine - other), ("dciodvfy", other - mine)):
            for problem, keyword in claims:
                counts[problem][side] += 1
                if side != "both":
                    differ[f"{side} {problem} {keyword}"].append(path.name)
    return counts, differ, left


def injected(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """One real object of each IOD, and copies of it with one top-level attribute removed, emptied or doubled."""
    seen: set[str] = set()
    for path in corpus():
        try:
            judged = judge(path)
            ds = pydicom.dcmread(path)
        except (UnreadableHeader, pydicom.errors.InvalidDicomError):
            continue
        if judged.iod is None or judged.iod in seen or path.stat().st_size > 2_000_000 or theirs(path) is None:
            continue
        seen.add(judged.iod)
        base, made = folder / f"{judged.iod}.dcm", []
        ds.save_as(base)
        for element in [one for one in ds if one.tag.group not in (0x0002, 0x7FE0) and one.keyword]:
            changes = {"removed": None, "emptied": ""} if element.VR != "SQ" else {"removed": None}
            if element.VR in ("CS", "DS", "IS", "LO", "SH", "UI", "DA", "TM") and element.VM == 1 and element.value:
                changes["doubled"] = [element.value, element.value]
            for name, value in changes.items():
                copy = pydicom.Dataset()
                copy.update(ds)
                copy.file_meta = ds.file_meta
                if value is None:
                    del copy[element.tag]
                else:
                    copy[element.tag] = pydicom.DataElement(element.tag, element.VR, value)
                made.append(folder / f"{judged.iod}-{element.keyword}-{name}.dcm")
                copy.save_as(made[-1])
        yield base, made


def compare_injected() -> tuple[dict[str, Counter[str]], dict[str, list[str]], Counter[str]]:
    """Like `compare`, of what one injected fault adds to what was said of the object before."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    differ: dict[str, list[str]] = defaultdict(list)
    left: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for base, made in injected(Path(folder)):
            left["objects"] += 1
            ours_before, theirs_before = ours(judge(base)), theirs(base) or set()
            for path in made:
                other = theirs(path)
                if other is None:
                    left["dciodvfy gave up"] += 1
                    continue
                left["compared"] += 1
                mine, other = ours(judge(path)) - ours_before, other - theirs_before
                for side, claims in (("both", mine & other), ("ours", mine - other), ("dciodvfy", other - mine)):
                    for problem, keyword in claims:
                        counts[problem][side] += 1
                        if side != "both":
                            differ[f"{side} {problem} {keyword}"].append(path.stem)
                path.unlink()
    return counts, differ, left


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--injected", action="store_true", help="faults put into one real object of each IOD")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    counts, differ, left = compare_injected() if chosen.injected else compare(corpus())
    total: Counter[str] = Counter()
    print(", ".join(f"{number} {what}" for what, number in left.items()))
    print(f"{'problem':14}{'both':>6}{'only ours':>11}{'only dciodvfy':>15}{'found':>8}{'confirmed':>11}")
    rows = {kind: counts[kind] for kind in KINDS}
    for one in rows.values():
        total += one
    for kind, one in {**rows, "all": total}.items():
        both, mine, other = one["both"], one["ours"], one["dciodvfy"]
        found = f"{both / (both + other):.1%}" if both + other else ""
        confirmed = f"{both / (both + mine):.1%}" if both + mine else ""
        print(f"{kind:14}{both:6}{mine:11}{other:15}{found:>8}{confirmed:>11}")
    for what, names in sorted(differ.items(), key=lambda pair: -len(pair[1])):
        print(f"{len(names):4} {what}: {', '.join(sorted(set(names))[:4])}")
    if chosen.json:
        chosen.json.write_text(json.dumps({"counts": rows, "left": left, "differ": differ}, indent=1))


if __name__ == "__main__":
    sys.exit(main())
