"""The crawl stage: each source is listed or asked, and its rows in the catalog become what it says now."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fonds.archives.opening import open_index, open_source
from fonds.catalog.schema import attributes
from fonds.catalog.store import literal
from fonds.crawl import drift
from fonds.crawl.index import IndexCrawl
from fonds.crawl.objects import DEFINITION, ObjectsCrawl
from fonds.crawl.replacing import Replacement, workspace
from fonds.crawl.shard import KINDS
from fonds.dicom.headers import wanted
from fonds.errors import ArchiveUnreachable, ContentNotFound, DefinitionInvalid
from fonds.operations.runs import Progress, StageResult, StageRun, stage_run
from fonds.project.settings import IndexSettings, Project

COUNTED = ("files", "read", "resumed", "unchanged", "vanished", *reversed(KINDS), "bytes")


def crawl(
    project: Project,
    *,
    sources: Sequence[str] | None = None,
    digest: bool | None = None,
    progress: Progress | None = None,
    force: bool = False,
    shard_files: int | None = None,
    workers: int | None = None,
) -> StageResult:
    """Catalogue what the named sources hold (all by default) in `instances`, `unreadable` and `entries`.

    Files whose location, size and modification time are known are not opened again unless `force` is set, what is to
    be read of them has changed, or they have no digests and should (`digest`, else the source's own setting). An index
    is asked for all it holds. A source that isn't there is left as it was catalogued, and the run is `partial`. Counts
    are files, bytes, and how many were read, resumed (read by a crawl that was interrupted), unchanged, vanished. Rows
    of sources that fonds.yaml no longer has go. Raises DefinitionInvalid for a source fonds.yaml doesn't have and for
    attributes that can't be catalogued, Transient when workers die or a Dask cluster doesn't answer.
    """
    names = _chosen(project, sources)
    wanted(attributes(project))  # a mistake in the definition is told before anything is read
    definition = project.find(DEFINITION)
    totals: Counter[str] = Counter()
    with stage_run(
        project, "crawl", inputs=None, outputs=(*KINDS, "drift"), definitions=[definition], progress=progress,
        force=force,
    ) as run:  # fmt: skip
        for name in names:
            try:
                if isinstance(project.sources[name], IndexSettings):
                    totals.update(IndexCrawl(run, name, open_index(project, name), force=force).go())
                else:
                    one = ObjectsCrawl(
                        run, name, open_source(project, name), digest=digest, force=force, shard_files=shard_files,
                        workers=workers,
                    )  # fmt: skip
                    totals.update(one.go())
            except (ArchiveUnreachable, ContentNotFound) as error:
                run.status = "partial"
                run.left.append(f"{error.message}; what was catalogued of {name} before is kept")
        if sources is None:
            _drop_forgotten(project, run)
        drift.write(run, project)
        for key in COUNTED:
            run.count(key, totals[key])
        if not run.tables and run.status == "done":
            run.status = "unchanged"
    return run.result()


def _drop_forgotten(project: Project, run: StageRun) -> None:
    configured = ", ".join(literal(name) for name in project.sources) or "''"
    work = staging_dir(project) / ".forgotten"
    with workspace(work) as connection:
        for kind in KINDS:
            rows = run.catalog.scan(kind, files=run.catalog.files(kind))
            forgotten = f"SELECT filename, file_row_number FROM ({rows}) WHERE source NOT IN ({configured})"
            nothing = f"SELECT * FROM ({rows}) WHERE false"
            replacement = Replacement(run.catalog, connection, kind, work)
            if replacement.go(gone=forgotten, fresh=nothing) and kind not in run.tables:
                run.tables.append(kind)
    shutil.rmtree(work)


def _chosen(project: Project, sources: Sequence[str] | None) -> list[str]:
    unknown = sorted(set(sources or ()) - set(project.sources))
    if unknown:
        there = ", ".join(project.sources) or "none"
        raise DefinitionInvalid("fonds.yaml", [(None, f"has no source {', '.join(unknown)}; it has: {there}")])
    return [name for name in project.sources if sources is None or name in sources]


def staging_dir(project: Project) -> Path:
    """Where interrupted crawls leave their finished shards."""
    return project.catalog_dir / "staging" / "crawl"
