"""Writes the sample hospitals block by block, in several processes, and the truth beside them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fonds.samples import database, feeds, orders
from fonds.samples.inject import Block, inject
from fonds.samples.makers import MAKERS
from fonds.samples.objects import Planned, encode
from fonds.samples.people import BLOCK, block_persons
from fonds.samples.recipe import load_recipe
from fonds.samples.seen import Seen, see, stored
from fonds.samples.sources import SOURCES
from fonds.samples.studies import block_exams
from fonds.samples.template import Template, repeatable, template_key
from fonds.samples.truth import COLUMNS, Truth, block_truth

TABLES = {
    **COLUMNS,
    **{"drift": database.DRIFT, "exported": database.COLUMNS},
    **{"registered": feeds.REGISTERED, "index": feeds.COLUMNS, "merged": feeds.MERGES},
    **{"orders": orders.ORDERS, "reports": orders.REPORTS, "resources": ()},
}
"""Columns of the tables: the truth's, the radiology's database export, the patient index, orders and reports; of the
cardiology's resources there are none."""
Templates = dict[tuple[str, str, tuple[int, ...]], Template | None]


@dataclass(frozen=True, slots=True)
class BlockJob:
    """One block of persons to be written; small, because it is pickled."""

    folder: Path
    seed: int
    block: int
    size: int
    per_study: int
    faults: bool


def generate(
    folder: Path, *, patients: int, instances_per_study: int = 3, seed: int = 1, faults: bool = True, workers: int = 1
) -> dict[str, int]:
    """Write `patients` persons' files below `folder`, an archive a department, and `truth/*.csv`.

    The same arguments give the same bytes, whatever `workers` is. What lay in the folder before is removed. Returns
    the number of files and of truth rows by table.
    """
    for name in (*SOURCES, database.INDEX, feeds.FOLDER, "truth"):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    jobs = [
        BlockJob(folder, seed, first // BLOCK, min(BLOCK, patients - first), instances_per_study, faults)
        for first in range(0, patients, BLOCK)
    ]
    counts = {"files": 0, **dict.fromkeys(TABLES, 0)}
    paths = {name: folder / "truth" / f"{name}.csv" for name in TABLES} | {
        "exported": folder / database.INDEX / "STUDY.csv",
        "index": folder / feeds.SETTINGS["path"],
        "merged": folder / feeds.SETTINGS["merges"],
        "orders": folder / orders.SETTINGS[orders.RIS]["orders"],
        "reports": folder / orders.SETTINGS[orders.RIS]["reports"],
        "resources": folder / orders.SETTINGS[orders.CVIS]["orders"],
    }
    files = {name: path.open("w", encoding="utf-8", newline="") for name, path in paths.items()}
    try:
        writers = {name: csv.writer(file, lineterminator="\n") for name, file in files.items() if TABLES[name]}
        for name, writer in writers.items():
            writer.writerow(TABLES[name])
        for written, truth in _blocks(jobs, workers):
            counts["files"] += written
            for name, rows in truth.items():
                if name in writers:
                    writers[name].writerows(rows)
                else:
                    files[name].writelines(f"{line}\n" for (line,) in rows)
                counts[name] += len(rows)
    finally:
        for file in files.values():
            file.close()
    return counts


def _blocks(jobs: list[BlockJob], workers: int) -> Iterator[tuple[int, Truth]]:
    if workers < 2 or len(jobs) < 2:
        yield from map(write_block, jobs)
        return
    with ProcessPoolExecutor(workers) as pool:
        # a window of jobs in flight keeps memory bounded however many blocks there are
        for first in range(0, len(jobs), workers * 4):
            yield from pool.map(write_block, jobs[first : first + workers * 4])


def write_block(job: BlockJob) -> tuple[int, Truth]:
    """Write one block's files; returns their number and the block's truth."""
    block = Block(job.seed, job.block, block_exams(job.seed, job.block, job.size, job.per_study))
    recipe = load_recipe()
    if job.faults and job.size == BLOCK:
        inject(block, recipe, MAKERS)
    found: list[Seen] = []
    # one object at a time: files are built, encoded and written singly
    for exam in block.exams:
        templates: Templates = {}
        for planned in exam.objects:
            data, seen = _make(planned, templates)
            found.append(seen)
            _write(job.folder, planned.source, planned.location, data)
    missing = []
    for extra in block.extras:
        data, offsets = extra.build()
        _write(job.folder, extra.source, extra.location, data)
        missing += [(extra.source, extra.location, offset) for offset in offsets]
    told = orders.told(block, faults=job.faults and job.size == BLOCK)
    truth = block_truth(found, missing, block.labels, recipe, told)
    truth["orders"], truth["reports"] = orders.order_rows(told), orders.report_rows(told)
    truth["resources"] = [(line,) for line in orders.resources(told)]
    readable = [seen for seen in found if seen.readable]
    truth["exported"], truth["drift"] = database.export(block, readable, faults=job.faults and job.size == BLOCK)
    people = block_persons(job.seed, job.block, job.size)
    truth["index"], truth["merged"], truth["registered"] = feeds.index(job.seed, people)
    return len(found) + len(block.extras), truth


def _make(planned: Planned, templates: Templates) -> tuple[bytes, Seen]:
    again, key = repeatable(planned), template_key(planned)
    template = templates.get(key) if again else None
    if template is not None:
        return template.make(planned)
    ds = planned.dataset()
    seen = see(planned, ds)
    data = encode(planned, ds)
    stored(seen, ds, data)
    if again:
        templates[key] = Template.of(ds, data, seen)
    return data, seen


def _write(folder: Path, source: str, location: str, data: bytes) -> None:
    path = folder / source / location
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
