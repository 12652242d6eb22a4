"""DICOM Inventories (PS3.3 C.38) as an index: a tree of SOP Instances in files, the latest record of each study."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydicom.valuerep import DT

from fonds.archives.base import Batch, Memory
from fonds.archives.inventory_file import Inventory, Place, is_inventory, open_inventory, quiet
from fonds.archives.inventory_items import FEWER, base_uri, references, rows_of, texts
from fonds.catalog.schema import TABLES
from fonds.errors import ArchiveUnreachable, UnreadableHeader

_SCHEMA = {name: kind for name, kind in TABLES["entries"].schema.items() if name != "source"}
BATCH_BYTES = 4 * 1024 * 1024
"""of study items in a batch: a study is 1 kB and each of its objects 100 to 300 bytes"""


@dataclass(slots=True)
class _File:
    path: Path
    location: str
    size: int
    mtime_ns: int
    problem: str | None = None
    said: str = "{}"


class InventoryIndex:
    """Inventory SOP Instances in one file with those it incorporates beside it, or all below a folder."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path

    def check(self) -> None:
        """At least one Inventory there; raises ArchiveUnreachable."""
        if next(self._candidates(), None) is None:
            raise ArchiveUnreachable(f"source {self.name}: there is no Inventory SOP Instance at its path")

    def batches(self, memory: Memory) -> Iterator[Batch]:
        """Studies in batches of some megabytes, then a row for each file; raises ArchiveUnreachable.

        A study that stands in several places of the tree is taken from its latest record, by Item Inventory DateTime
        (PS3.17 YYYY.3.3.2.2). What is removed from operational use says so in its note.
        """
        self.check()
        files, places, problems = self._survey()
        for number, file in enumerate(files):
            own = places.filter(pl.col("file") == number)
            if not own.height:
                continue
            mark = hashlib.sha256(f"{file.location} {file.size} {file.mtime_ns}".encode()).hexdigest()[:16]
            with closing(_Reader(file)) as reader:
                for part in own.partition_by("batch", maintain_order=True):
                    key = f"{mark} {part['batch'][0]}"
                    done = memory.finished(key)
                    yield Batch(key, done) if done is not None else reader.read(key, part)
        rows = [
            {
                "location": file.location,
                "record": 0,
                "origin": "inventory",
                "level": "MEDIA",
                "attributes": file.said,
                "note": file.problem,
                "size": file.size,
                "mtime_ns": file.mtime_ns,
            }
            for file in files
        ]
        told = "; ".join(dict.fromkeys(problems)) or None
        yield Batch("inventories", pl.DataFrame(rows, schema=_SCHEMA), told)

    def _candidates(self) -> Iterator[Path]:
        try:
            if self.path.is_file():
                beside = sorted(one for one in self.path.parent.iterdir() if one.is_file() and one != self.path)
                paths: Iterator[Path] = iter([self.path, *beside])
            elif self.path.is_dir():
                paths = (one for one in sorted(self.path.rglob("*")) if one.is_file())
            else:
                raise ArchiveUnreachable(f"source {self.name}: its path isn't there")
            for path in paths:
                if is_inventory(path):
                    yield path
                elif path == self.path:
                    return  # what lies beside something else isn't its business
        except OSError as error:
            raise ArchiveUnreachable(f"source {self.name}: {error.strerror}") from None

    def _survey(self) -> tuple[list[_File], pl.DataFrame, list[str]]:
        """Walk all files once: which record of each study counts, and where it stands."""
        files: list[_File] = []
        problems: list[str] = []
        tables: list[pl.DataFrame] = []
        tree = _Tree()
        for path in self._candidates():
            state = path.stat()
            location = str(path.relative_to(self.path if self.path.is_dir() else path.parent))
            file = _File(path, location, state.st_size, state.st_mtime_ns)
            try:
                opened = open_inventory(path)
            except UnreadableHeader as error:
                file.problem = f"unreadable ({error.message})"
                problems.append("an Inventory can't be read; its row says why")
                files.append(file)
                continue
            with closing(opened.stream), quiet():
                if path != self.path and self.path.is_file() and not tree.wants(opened):
                    continue
                file.problem = _incomplete(opened)
                if file.problem:
                    problems.append("an Inventory isn't complete; its row says why")
                tree.add(opened)
                tables.append(_placed(opened, len(files)))
                files.append(file)
                said = texts(opened.head)
                if opened.head.get("ScopeOfInventorySequence"):
                    # it says of which studies the Inventory tells: the others may be there and aren't listed
                    said["ScopeOfInventorySequence"] = str(opened.head.ScopeOfInventorySequence[0].to_json())
                file.said = json.dumps(said, ensure_ascii=False, sort_keys=True)
        if tree.absent:
            problems.append(f"{tree.absent} Inventory instance(s) that are incorporated by reference aren't there")
        places = pl.concat([_PLACES, *tables])
        unnamed = places.filter(pl.col("study_uid") == "").height
        if unnamed:
            problems.append(f"{unnamed} study record(s) without a Study Instance UID are left out")
        latest = (
            places.filter(pl.col("study_uid") != "")
            .sort("taken", "written", "file", "start", descending=[True, True, False, False], nulls_last=True)
            .unique("study_uid", keep="first", maintain_order=True)
            .sort("file", "start")
            .with_columns((pl.col("start") // BATCH_BYTES).alias("batch"))
        )
        return files, latest, problems


_PLACES = pl.DataFrame(
    schema={
        "study_uid": pl.String(),
        "taken": pl.Float64(),
        "start": pl.Int64(),
        "length": pl.Int64(),
        "written": pl.Float64(),
        "file": pl.Int64(),
    }
)


def _placed(opened: Inventory, number: int) -> pl.DataFrame:
    zone = str(opened.head.get("TimezoneOffsetFromUTC") or "+0000")
    written = _moment(f"{opened.head.get('ContentDate') or ''}{opened.head.get('ContentTime') or ''}", zone)
    moments = {taken: _moment(taken, zone) for taken in {place.taken for place in opened.places}}
    return pl.DataFrame(
        {
            "study_uid": [place.study_uid for place in opened.places],
            "taken": [moments[place.taken] for place in opened.places],
            "start": [place.start for place in opened.places],
            "length": [place.length for place in opened.places],
        },
        schema={name: _PLACES.schema[name] for name in ("study_uid", "taken", "start", "length")},
    ).with_columns(written=pl.lit(written, pl.Float64()), file=pl.lit(number, pl.Int64()))


def _moment(text: str, zone: str) -> float | None:
    """Seconds since 1970 of a DT (PS3.5 6.2); None when it is none."""
    plain = text.strip()
    if plain and plain[-5:-4] not in ("+", "-"):
        plain += zone
    try:
        moment = DT(plain)
    except (ValueError, TypeError):
        return None
    return (moment if moment.tzinfo else datetime.replace(moment, tzinfo=UTC)).timestamp() if moment else None


def _incomplete(opened: Inventory) -> str | None:
    """Why an Inventory may not hold all it is about."""
    if opened.problem:
        return opened.problem
    status = str(opened.head.get("InventoryCompletionStatus") or "")
    if status != "COMPLETE":
        return f"Inventory Completion Status is {status if status.isalpha() else 'missing'}"
    declared = opened.head.get("NumberOfStudyRecordsInInstance")
    if declared is not None and declared != len(opened.places):
        return f"{declared} study records declared, {len(opened.places)} there"
    return None


class _Tree:
    """Which Inventories incorporate which."""

    def __init__(self) -> None:
        self._there: set[str] = set()
        self._named: set[str] = set()

    def add(self, opened: Inventory) -> None:
        """Remember one."""
        self._there.add(str(opened.head.get("SOPInstanceUID") or ""))
        self._named |= set(references(opened.head))

    def wants(self, opened: Inventory) -> bool:
        """Whether it belongs to the tree: the root names all that are below it (PS3.3 C.38.2.3)."""
        return str(opened.head.get("SOPInstanceUID") or "") in self._named

    @property
    def absent(self) -> int:
        """Named ones that weren't found."""
        return len(self._named - self._there)


class _Reader:
    """Reads the studies of one file again, and notes what can't be parsed."""

    def __init__(self, file: _File) -> None:
        self._file = file
        self._opened: Inventory | None = None
        self._bad: list[int] = []

    def read(self, key: str, part: pl.DataFrame) -> Batch:
        """Rows of the studies at these places."""
        if self._opened is None:
            self._opened = open_inventory(self._file.path)
        rows: list[dict[str, str | int | None]] = []
        before = len(self._bad)
        with quiet():
            base = base_uri(self._opened.head, "StudyAccessEndPointsSequence", "")
        # a study's item is a tree of its own, which pydicom reads
        for start, length, uid in part.select("start", "length", "study_uid").iter_rows():
            try:
                with quiet():
                    rows += rows_of(self._opened.study(Place(start, length, uid, "")), self._opened.head, base)
            except UnreadableHeader as error:
                self._bad.append(start)
                self._file.problem = f"{len(self._bad)} study record(s) can't be parsed, the first at byte " + (
                    f"{self._bad[0]} ({error.message})"
                )
        frame = pl.DataFrame(rows, schema=_SCHEMA)
        # one thing told twice in a study is two answers
        frame = frame.with_columns(record=pl.int_range(pl.len()).over("location"))
        problems = []
        if len(self._bad) > before:
            problems.append("an Inventory holds study records that can't be parsed; its row says where")
        if frame["note"].str.contains(FEWER).any():
            problems.append(
                f"study records list fewer objects than they count, or some without a UID; their rows say {FEWER}"
            )
        return Batch(key, frame, "; ".join(problems) or None)

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.stream.close()
