"""What `fonds doctor` looks at: each look answers (fine?, what was seen, what to do)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
from deltalake.exceptions import DeltaError
from polars.exceptions import PolarsError
from sqlalchemy.exc import SQLAlchemyError

from fonds.archives.opening import open_index, open_source
from fonds.catalog.damage import damaged
from fonds.catalog.publish import newest_run
from fonds.cli.reading import PUBLISHED_REMEDY
from fonds.cli.stages import STAGES
from fonds.errors import CATALOG_REMEDY, FondsError
from fonds.feeds.definition import load_feed
from fonds.feeds.files import files_of
from fonds.feeds.reading import check
from fonds.project.settings import DicomTarget, ObjectsKind, Project, load

Look = tuple[bool, str, str]
SPARE_BYTES = 1_000_000_000


def examine(start: Path) -> list[Look]:
    """All looks at the project at or above `start`; an unreadable configuration ends them."""
    try:
        project = load(start)
    except FondsError as error:
        return [(False, "configuration can't be read", str(error))]
    looks = [(True, f"{project.root / 'fonds.yaml'} is valid", "")]
    for part in (_catalog, _definitions, _sources, _feeds, _target, _store, _disk):
        looks += part(project)
    return looks


def _catalog(project: Project) -> Iterator[Look]:
    wrong = list(damaged(project))
    for name, what in wrong:
        yield False, f"catalog table {name}: {what}", CATALOG_REMEDY
    if (project.catalog_dir / "catalog.duckdb").exists() and newest_run(project) is None and not wrong:
        yield False, "the published catalog can't be read", PUBLISHED_REMEDY


def _definitions(project: Project) -> Iterator[Look]:
    from importlib import import_module

    # Each rule-driven stage names its loader in its definition module, so the doctor needs no list of file formats
    for stage in STAGES:
        try:
            check = getattr(import_module(f"fonds.{stage}.definition"), "load_all", None)
            if check is not None:
                check(project)
                yield True, f"definitions of {stage} are valid", ""
        except ModuleNotFoundError as error:
            if error.name != f"fonds.{stage}.definition":
                raise
        except FondsError as error:
            yield False, f"definitions of {stage} have mistakes", str(error)
        except (duckdb.Error, DeltaError, PolarsError, OSError) as error:
            # some are tried on the catalog's own views, which a damaged table takes with it
            what = f"definitions of {stage} can't be tried ({type(error).__name__})"
            yield False, what, "mend the catalog first, as said above"


def _sources(project: Project) -> Iterator[Look]:
    if not project.sources:
        yield False, "no source is configured", "add an archive below `sources:` in fonds.yaml"
    for name, settings in project.sources.items():
        try:
            (open_source if isinstance(settings, ObjectsKind) else open_index)(project, name).check()
        except FondsError as error:
            yield False, f"source {name} can't be read", str(error)
        else:
            yield True, f"source {name} can be read", ""


def _feeds(project: Project) -> Iterator[Look]:
    for name in project.settings.feeds:
        try:
            doubtful = check(load_feed(project, name), files_of(project, name))
        except FondsError as error:
            yield False, f"feed {name} can't be read", str(error)
        else:
            what = "has columns that may be called wrongly" if doubtful else "can be read"
            yield not doubtful, f"feed {name} {what}", "; ".join(doubtful)


def _target(project: Project) -> Iterator[Look]:
    target = project.settings.target
    if isinstance(target, DicomTarget):
        from fonds.archives.storescu import echo

        where = f"target {target.called_ae} at {target.host}:{target.port}"
        try:
            echo(target)
        except FondsError as error:
            yield False, f"{where} doesn't answer", str(error)
        else:
            yield True, f"{where} answers a C-ECHO", ""
        return
    yield _writable("target", project.target_root())


def _store(project: Project) -> Iterator[Look]:
    from fonds.operations import audit

    yield _writable("catalog", project.catalog_dir)
    try:
        problems = audit.verify(project)
    except SQLAlchemyError as error:
        yield False, "the operations store can't be opened", f"{type(error).__name__}: check `operations` in fonds.yaml"
        return
    yield not problems, "the audit trail is whole" if not problems else "the audit trail is broken", "; ".join(problems)


def _disk(project: Project) -> Iterator[Look]:
    free = shutil.disk_usage(project.root).free
    yield (
        free > SPARE_BYTES,
        f"{free / 1e9:.1f} GB free for the project",
        "make room: the catalog needs about 1 kB an object, a folder target as much as the sources",
    )


def _writable(what: str, folder: Path) -> Look:
    """Whether the folder, or the nearest one above that exists, takes a file."""
    nearest = next(path for path in (folder, *folder.parents) if path.is_dir())
    try:
        with tempfile.NamedTemporaryFile(dir=nearest):
            return True, f"{what}: {folder} can be written", ""
    except OSError as error:
        return False, f"{what}: {folder} can't be written ({error.strerror})", "give this user the right to write there"
