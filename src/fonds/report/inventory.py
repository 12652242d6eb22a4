"""The catalog as a DICOM Inventory (PS3.3 C.38): what each study, series and object of the sources is, and where."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from fonds.archives.inventory_write import (
    INSTANCE_WORDS,
    SERIES_WORDS,
    STUDY_WORDS,
    About,
    Instance,
    InventoryWriter,
    Level,
    Series,
    StoredFile,
    Study,
)
from fonds.archives.naming import split, unescape
from fonds.catalog.schema import attributes
from fonds.catalog.store import Catalog, literal
from fonds.catalog.store import quote as quoted
from fonds.errors import ContentNotFound, QueryRefused
from fonds.operations.runs import runs
from fonds.project.settings import ObjectsKind, ObjectStoreSettings, Project

LARGEST = 50_000
"""objects in one SOP Instance, whole studies; what is more is split off"""
_CONTAINERS = {".zip": "ZIP", ".tar": "TAR"}
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the root's file, all files, study records, and objects that can't be inventoried."""

    root: Path
    files: tuple[Path, ...]
    studies: int
    left_out: int


def export_inventory(
    project: Project, out: Path, *, source: str | None = None, level: Level = "instance", largest: int = LARGEST
) -> Exported:
    """Write the catalogued objects of a source, or of all, as Inventory SOP Instances.

    `out` is the root's file, or a folder that gets ``inventory.dcm``; more than `largest` objects are split over
    instances that the root incorporates. Values are as the sources said; one that isn't valid for its attribute is
    left out. For the same catalog it writes the same bytes: dates are those of the last crawl. Raises ContentNotFound
    for an unknown source, QueryRefused before the first crawl.
    """
    names = [name for name, settings in project.sources.items() if isinstance(settings, ObjectsKind)]
    if source is not None and source not in names:
        raise ContentNotFound(f"{source} is no source with objects; there is: {', '.join(names)}", name=source)
    chosen = names if source is None else [source]
    moment = _crawled(project)
    root = out if out.suffix.lower() == ".dcm" and not out.is_dir() else out / "inventory.dcm"
    root.parent.mkdir(parents=True, exist_ok=True)
    writer = InventoryWriter(root, About(f"Fonds catalog of {', '.join(chosen)}"[:10240], level, moment))
    bases = {name: _base(project, name) for name in chosen}
    with Catalog(project).connect() as connection:
        connection.execute(_CHOSEN.format(sources=", ".join(map(literal, chosen))))
        ranges = _ranges(connection, largest)
        whole = _query(project)
        for first, last in ranges[1:]:
            writer.part(_studies(connection, whole, first, last, bases))
        # the root holds studies itself: one instance is enough where nothing has to be split off
        total = writer.finish(_studies(connection, whole, *ranges[0], bases) if ranges else ())
        left_out = connection.sql("SELECT count(*) FROM chosen WHERE NOT named").fetchall()[0][0]
    return Exported(root, tuple(sorted(writer.written)), total, left_out)


def _crawled(project: Project) -> str:
    """When the last crawl began, UTC: the catalog is what was there then (PS3.3 C.38.1.1.1)."""
    started = runs(project).filter(stage="crawl")["started"]
    if not started.len():
        raise QueryRefused("there is no catalog yet; run `fonds crawl` first")
    return "".join(character for character in str(started[-1]) if character.isdigit())[:14]


_CHOSEN = f"""
CREATE TEMP VIEW chosen AS
SELECT *, {" AND ".join(f"coalesce(regexp_full_match({uid}, '[0-9.]{{{{1,64}}}}'), false)" for uid in _UIDS)} AS named
FROM instances WHERE source IN ({{sources}})
"""


def _ranges(connection: duckdb.DuckDBPyConnection, largest: int) -> list[tuple[str, str]]:
    """First and last study UID of each instance: at most `largest` objects, or one study."""
    counted = connection.sql(
        "SELECT StudyInstanceUID AS uid, count(*) AS objects FROM chosen WHERE named GROUP BY uid ORDER BY uid"
    ).pl()
    # how much fits depends on what went before: a running sum with resets, a step a study
    parts: list[tuple[str, str]] = []
    held = 0
    for uid, objects in counted.iter_rows():
        if not parts or held + objects > largest:
            parts.append((uid, uid))
            held = 0
        parts[-1] = (parts[-1][0], uid)
        held += objects
    return parts


def _query(project: Project) -> str:
    """One row a study between two UIDs, with what is below it nested; of several values of one thing the least."""
    known = set(attributes(project))

    def least(words: Mapping[str, int]) -> str:
        return ", ".join(f"{quoted(word)} := min({quoted(word)})" for word in words if word in known)

    return f"""
WITH kept AS (SELECT * FROM chosen WHERE named AND StudyInstanceUID BETWEEN ? AND ?),
objects AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, SOPInstanceUID, min(SOPClassUID) AS sop_class,
        struct_pack({least(INSTANCE_WORDS)}) AS said,
        list(struct_pack(source := source, location := location, syntax := transfer_syntax)
            ORDER BY source, location) AS files
    FROM kept GROUP BY ALL
),
listed AS (
    SELECT StudyInstanceUID, SeriesInstanceUID,
        list(struct_pack(uid := SOPInstanceUID, sop_class := sop_class, said := said, files := files)
            ORDER BY SOPInstanceUID) AS instances
    FROM objects GROUP BY ALL
),
gathered AS (
    SELECT StudyInstanceUID, SeriesInstanceUID, coalesce(min(Modality), '') AS modality,
        struct_pack({least(SERIES_WORDS)}) AS said
    FROM kept GROUP BY ALL
),
series_of AS (
    SELECT StudyInstanceUID, sum(len(instances)) AS objects,
        list(struct_pack(uid := SeriesInstanceUID, modality := modality, said := said, instances := instances)
            ORDER BY SeriesInstanceUID) AS series
    FROM gathered JOIN listed USING (StudyInstanceUID, SeriesInstanceUID) GROUP BY ALL
),
studies_of AS (
    SELECT StudyInstanceUID, list_sort(list(DISTINCT source)) AS sources, struct_pack({least(STUDY_WORDS)},
        ModalitiesInStudy := string_agg(DISTINCT Modality, '\\' ORDER BY Modality)) AS said
    FROM kept GROUP BY ALL
)
SELECT StudyInstanceUID, sources, said, series, objects::BIGINT
FROM studies_of JOIN series_of USING (StudyInstanceUID) ORDER BY StudyInstanceUID
"""


def _studies(
    connection: duckdb.DuckDBPyConnection, query: str, first: str, last: str, bases: Mapping[str, str]
) -> Iterator[Study]:
    answer = connection.execute(query, [first, last])
    # each row becomes one record, which pydicom encodes
    while row := answer.fetchone():
        uid, sources, said, series, objects = row
        said |= {"NumberOfStudyRelatedSeries": str(len(series)), "NumberOfStudyRelatedInstances": str(objects)}
        base = bases[sources[0]] if len(sources) == 1 else None
        yield Study(uid, said, [_series(one, bases, base) for one in series], base)


def _series(one: dict[str, Any], bases: Mapping[str, str], base: str | None) -> Series:
    instances = [
        Instance(
            object_["uid"],
            object_["sop_class"] or "",
            object_["said"],
            [file for copy in object_["files"] if (file := _stored(copy, bases, base)) is not None],
        )
        for object_ in one["instances"]
    ]
    return Series(one["uid"], one["modality"], one["said"], instances)


def _stored(copy: dict[str, Any], bases: Mapping[str, str], base: str | None) -> StoredFile | None:
    """Where a copy lies; None for members of containers the standard has no term for."""
    outer, inner = split(copy["location"])
    path = quote(os.fsencode(unescape(outer)))
    address = f"./{path}" if base is not None else bases[copy["source"]] + path
    if not inner:
        return StoredFile(address, copy["syntax"])
    container = _CONTAINERS.get(Path(outer).suffix.lower())
    if container is None or len(inner) > 1:
        return None
    return StoredFile(address, copy["syntax"], container, quote(os.fsencode(unescape(inner[0]))))


def _base(project: Project, name: str) -> str:
    """Address below which a source's locations are, with its slash."""
    settings = project.sources[name]
    if isinstance(settings, ObjectStoreSettings):
        return settings.url.rstrip("/") + "/"
    return project.source_root(name).as_uri() + "/"
