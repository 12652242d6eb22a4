"""Reads all feeds of the project into their tables: patients, merges, orders, reports; each replaced in one commit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fonds.catalog import schema
from fonds.catalog.store import literal, quote
from fonds.errors import ArchiveUnreachable
from fonds.feeds.definition import Feed, load_feed
from fonds.feeds.files import files_of, fingerprint
from fonds.feeds.merges import merges
from fonds.feeds.reading import Loaded, check, read
from fonds.operations.runs import Progress, StageResult, StageRun, runs, stage_run
from fonds.project.settings import Project

OUTPUTS = ("feed_patients", "feed_merges", "feed_orders", "feed_reports")


def feed(project: Project, *, progress: Progress | None = None, force: bool = False) -> StageResult:
    """Read every feed of fonds.yaml, and take what feeds that are gone said out of the catalog.

    Counts are feeds, rows (read), patients, merges, orders, reports, chains (identifiers merged into one that was
    merged itself), cycles (merges that lead back) and unreadable (rows left out). A feed whose files aren't there keeps
    its rows, and the run is partial, as it is when rows were left out. Raises DefinitionInvalid before anything is
    written when a mapping has mistakes or columns aren't there.
    """
    feeds = [load_feed(project, name) for name in project.settings.feeds]
    with stage_run(
        project,
        "feed",
        inputs=(),
        outputs=OUTPUTS,
        definitions=[one.file for one in feeds if one.file is not None],
        outside=fingerprint(project),
        progress=progress,
        # what was left out is told again until it is mended
        force=force or _last_was_partial(project),
    ) as run:
        if run.unchanged:
            return run.result()
        with tempfile.TemporaryDirectory(prefix="fonds-feeds-") as scratch:
            loaded, kept = _read(run, feeds, Path(scratch))
            _write(run, loaded, kept, Path(scratch))
        run.count("feeds", len(feeds))
        run.count("rows", sum(one.notes.rows for one in loaded))
        run.count("unreadable", sum(one.notes.unreadable for one in loaded))
        _tell_merges(run)
    return run.result()


def _last_was_partial(project: Project) -> bool:
    ended = runs(project).filter(stage="feed").drop_nulls("ended")
    return bool(ended.height and ended["status"][-1] == "partial")


def _read(run: StageRun, feeds: list[Feed], scratch: Path) -> tuple[list[Loaded], list[str]]:
    """The feeds as read, and the names of those whose rows stay as they are."""
    found, kept = {}, []
    for one in feeds:
        try:
            found[one.name] = files_of(run.project, one.name)
            check(one, found[one.name])
        except ArchiveUnreachable as error:
            kept.append(_keep(run, one.name, error))
    loaded = []
    for number, one in enumerate(feeds):
        run.progress(number, len(feeds), "feeds", one.name)
        if one.name in kept:
            continue
        out = scratch / one.name
        out.mkdir()
        try:
            done = read(one, found[one.name], out)
        except ArchiveUnreachable as error:
            kept.append(_keep(run, one.name, error))
            continue
        loaded.append(done)
        run.left += [f"{one.name}: {text}" for text in (*done.notes.broken, *done.notes.doubtful)]
        if done.notes.broken:
            run.status = "partial"
    run.progress(len(feeds), len(feeds), "feeds")
    return loaded, kept


def _keep(run: StageRun, name: str, error: ArchiveUnreachable) -> str:
    run.left.append(f"{error.message}; what the feed said before stays (take it out of fonds.yaml to forget it)")
    run.status = "partial"
    return name


def _write(run: StageRun, loaded: list[Loaded], kept: list[str], scratch: Path) -> None:
    """Put the rows in place of each table, in one commit, unless they are the same."""
    catalog, versions = run.catalog, run.catalog.versions()
    names = ", ".join(map(literal, kept)) or "NULL"
    with catalog.connect() as connection:
        for table in OUTPUTS:
            columns = ", ".join(quote(name) for name in schema.table(run.project, table).schema)
            parts = [
                f"FROM {table} WHERE feed IN ({names})",
                *(f"FROM read_parquet({literal(str(one.files[table]))})" for one in loaded if table in one.files),
            ]
            fresh = " UNION ALL ".join(f"SELECT {columns} {part}" for part in parts)
            # rows have keys, so a sum over their hashes tells whether one of them is another
            prints = [
                connection.execute(f"SELECT count(*), sum(hash({columns})::HUGEINT) FROM ({rows})").fetchall()
                for rows in (f"FROM {table}", fresh)
            ]
            if prints[0] == prints[1] and table in versions:
                continue
            whole = literal(str(scratch / f"{table}.parquet"))
            connection.execute(f"COPY ({fresh} ORDER BY ALL) TO {whole} (FORMAT parquet, COMPRESSION zstd)")
            catalog.commit(table, add=[scratch / f"{table}.parquet"], remove=catalog.files(table))
            run.tables.append(table)


def _tell_merges(run: StageRun) -> None:
    with run.catalog.connect() as connection:
        for table in OUTPUTS:
            run.count(table.removeprefix("feed_"), connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
        resolved = merges(connection)
    chains, cycles = resolved.filter("chained").height, resolved["cycle"].drop_nulls().n_unique()
    run.count("chains", chains)
    run.count("cycles", cycles)
    if cycles:
        run.left.append(
            f"merges lead back to where they began in {cycles} case(s): the newest merge of each counts, "
            "and all are one person"
        )
