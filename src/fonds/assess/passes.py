"""The passes over the catalog: all checks of a level at once, their outcomes kept in Parquet until they are counted.

Conditions on series, studies and patients seldom look at what differs from object to object: they run over the distinct
rows of the other columns, a few hundredths of the table. No row passes through Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import polars as pl
from sqlglot import exp

from fonds.assess.compile import WORD, Vocabularies, judged, marked
from fonds.assess.definition import Check
from fonds.assess.vocabulary import LEVELS
from fonds.catalog.schema import TABLES
from fonds.catalog.store import bounded, literal, quote
from fonds.project.expressions import expand, parse

MEMORY_GB = 4
STRATA = ("check_id", "source", "modality", "study_year")
_COUNTS = {name: TABLES["measures"].schema[name] for name in (*STRATA, "numerator", "denominator")}
# what differs from object to object of a series: a check that looks at it runs over all rows
OF_AN_OBJECT = frozenset(
    {"location", "size", "mtime_ns", "header_length", "read_note", "digest_object", "digest_header", "digest_pixels"}
    | {"pixel_length", "SOPInstanceUID", "MediaStorageSOPInstanceUID", "InstanceNumber", "AcquisitionNumber"}
    | {"AcquisitionTime", "AcquisitionDateTime", "ContentTime", "ImagePositionPatient", "SliceLocation", "WindowWidth"}
    | {"WindowCenter", "NumberOfFrames", "LossyImageCompressionRatio", "references"}
)
_FAULTS_OF_THE_MACHINE = (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException)


@dataclass(frozen=True, slots=True)
class Part:
    """The outcomes of some checks of one level: a Parquet file of what `marked` selects."""

    level: str
    checks: tuple[Check, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the passes found; `broken` are ids of checks whose SQL failed on these rows."""

    parts: tuple[Part, ...]
    broken: tuple[str, ...]
    folded: frozenset[str] = frozenset()
    """columns of `folded.instances`, where groups were judged by distinct rows"""


def lean(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Bound a connection's memory (GB) and let it spill below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    bounded(connection, folder / "spill", MEMORY_GB)


@contextmanager
def world(connection: duckdb.DuckDBPyConnection, *names: str) -> Iterator[None]:
    """Let tables be those of the first of these schemas that has them."""
    connection.execute(f"SET search_path = '{','.join(dict.fromkeys((*names, 'main')))}'")
    try:
        yield
    finally:
        connection.execute("RESET search_path")


def run(
    connection: duckdb.DuckDBPyConnection,
    checks: Sequence[Check],
    vocabularies: Vocabularies,
    folder: Path,
    *,
    schema: str = "main",
    only: str = "",
    done: Callable[[int], None] = lambda number: None,
) -> Outcome:
    """Judge every entity once, its outcomes written below `folder`; `done` hears of finished checks.

    The tables are those of `schema`; `only` is a condition on the rows of each level.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Part] = []
    broken: list[str] = []
    folds = [check for check in checks if _folds(check, vocabularies)]
    columns = columns_of(connection, folds, vocabularies) if folds else {}
    if folds:
        with world(connection, schema):
            _fold(connection, columns, folder / "folded.parquet")
    finished = 0
    for level in LEVELS:
        ours = [check for check in checks if check.level == level]
        query = partial(marked, level, vocabularies=vocabularies, only=only)
        ways = ((schema,), [c for c in ours if c not in folds]), (("folded", schema), [c for c in ours if c in folds])
        for names, some in ways:
            if some:
                path = folder / f"{level}-{names[0]}.parquet"
                with world(connection, *names):
                    sound = _pass(connection, some, query, path)
                broken += [check.id for check in some if check not in sound]
                parts += [Part(level, tuple(sound), path)] if sound else []
        finished += len(ours)
        done(finished)
    return Outcome(tuple(parts), tuple(broken), frozenset(columns))


def count(connection: duckdb.DuckDBPyConnection, parts: Sequence[Part]) -> pl.DataFrame:
    """The table `measures` of some parts: one row for each check, source, modality and year it applies to."""
    frames = [pl.DataFrame(schema=_COUNTS), *(_counted(connection, part) for part in parts)]
    return pl.concat(frames).filter(pl.col("denominator") > 0)


def columns_of(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], vocabularies: Vocabularies, text: str = ""
) -> dict[str, str]:
    """The columns of `instances` that some checks, the relations of their levels and `text` name, with DuckDB types."""
    words = set(re.findall(r"\w+", text))
    for level in {check.level for check in checks}:
        ours = [check for check in checks if check.level == level]
        words |= set(re.findall(r"\w+", judged(level, ours, vocabularies)))
    described = connection.execute("DESCRIBE instances").fetchall()
    return {name: kind for name, kind, *_ in described if name in words}


def _folds(check: Check, vocabularies: Vocabularies) -> bool:
    """Whether a check finds the same in the distinct rows: it looks at no single object and counts none."""
    level = LEVELS[check.level]
    if level.table != "instances" or not level.keys:
        return False
    if OF_AN_OBJECT & set(re.findall(r"\w+", judged(check.level, [check], vocabularies))):
        return False
    texts = [
        (check.applies, None),
        *((text, word) for t in check.tests for word in t.attributes for text in (t.when, t.value)),
    ]
    trees = [expand(parse(text, vocabularies[check.level], it=word), vocabularies[check.level].templates)
             for text, word in texts if text is not None]  # fmt: skip
    counts = (node for tree in trees for node in tree.find_all(exp.Count))
    return all(isinstance(node.this, exp.Distinct) for node in counts)


def _fold(connection: duckdb.DuckDBPyConnection, columns: Mapping[str, str], path: Path) -> None:
    """A schema `folded` whose `instances` are the distinct rows of these columns, all others NULL."""
    names = ", ".join(map(quote, columns))
    connection.execute(f"COPY (SELECT DISTINCT {names} FROM instances) TO {literal(str(path))} (FORMAT parquet)")
    described = connection.execute("DESCRIBE instances").fetchall()
    picked = ", ".join(
        quote(name) if name in columns else f"NULL::{kind} AS {quote(name)}" for name, kind, *_ in described
    )
    connection.execute("CREATE SCHEMA IF NOT EXISTS folded")
    connection.execute(
        f"CREATE OR REPLACE VIEW folded.instances AS SELECT {picked} FROM read_parquet({literal(str(path))})"
    )


def _pass(
    connection: duckdb.DuckDBPyConnection, checks: Sequence[Check], query: Callable[..., str], path: Path
) -> list[Check]:
    """Write the outcomes of the checks that run on these rows; returns these checks."""

    def write(some: Sequence[Check]) -> None:
        connection.execute(f"COPY ({query(checks=some)}) TO {literal(str(path))} (FORMAT parquet)")

    def sound(some: Sequence[Check]) -> list[Check]:
        # a condition passed the parser but not the data or the types: find which, so that it costs only itself
        try:
            write(some)
        except _FAULTS_OF_THE_MACHINE:
            raise
        except duckdb.Error:
            middle = len(some) // 2
            return [*sound(some[:middle]), *sound(some[middle:])] if middle else []
        return list(some)

    found = sound(checks)
    if found and len(found) < len(checks):
        write(found)
    return found


def _counted(connection: duckdb.DuckDBPyConnection, part: Part) -> pl.DataFrame:
    bits = [(number // WORD, 1 << number % WORD) for number in range(len(part.checks))]
    lists = ", ".join(
        "["
        + ", ".join(f"coalesce(sum(entities) FILTER (({kind}_{word} & {bit}) <> 0), 0)" for word, bit in bits)
        + f"] AS {kind}"
        for kind in ("asked", "failed")
    )
    masks = ", ".join(f"{kind}_{word}" for kind in ("asked", "failed") for word in range(1 + bits[-1][0]))
    alike = (
        f"SELECT source, modality, study_year, {masks}, count(*) AS entities "
        f"FROM read_parquet({literal(str(part.path))}) GROUP BY ALL"
    )
    ids = ", ".join(literal(check.id) for check in part.checks)
    counted = connection.sql(
        f"SELECT unnest([{ids}]) AS check_id, source, modality, study_year, unnest(failed) AS numerator, "
        "unnest(asked) AS denominator "
        f"FROM (SELECT source, modality, study_year, {lists} FROM ({alike}) GROUP BY ALL)"
    ).pl()
    return counted.select(pl.col(name).cast(kind) for name, kind in _COUNTS.items())
