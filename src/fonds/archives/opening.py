"""Opens the archives a project names: its sources, their indexes and its target."""

from __future__ import annotations

from fonds.archives.base import Index, Source, Target
from fonds.archives.folder import FolderSource
from fonds.archives.folder_target import FolderTarget
from fonds.errors import ContentNotFound
from fonds.project.settings import (
    DicomTarget,
    DicomwebSourceSettings,
    DimseSourceSettings,
    ExportSourceSettings,
    FolderSourceSettings,
    InventorySourceSettings,
    ObjectsKind,
    ObjectStoreSettings,
    Project,
)


def open_source(project: Project, name: str) -> Source:
    """A source that hands out objects; nothing is touched yet."""
    settings = project.sources[name]
    if isinstance(settings, ObjectStoreSettings):
        from fonds.archives.objectstore import ObjectStoreSource

        return ObjectStoreSource(name, settings.url, dict(settings.options))
    if isinstance(settings, FolderSourceSettings):
        # files of an installed package come without the interpreter's own caches
        skip = frozenset({"__pycache__"}) if settings.path.startswith("python:") else frozenset[str]()
        return FolderSource(name, project.source_root(name), skip)
    raise ContentNotFound(f"source {name} tells what it holds, but hands out no objects", name=name)


def open_sources(project: Project) -> dict[str, Source]:
    """Every source that hands out objects, by name; nothing is touched yet."""
    return {
        name: open_source(project, name)
        for name, settings in project.sources.items()
        if isinstance(settings, ObjectsKind)
    }


def open_index(project: Project, name: str) -> Index:
    """A source that tells what it holds; nothing is asked yet. Raises DefinitionInvalid for its mapping's mistakes."""
    settings = project.sources[name]
    if isinstance(settings, DimseSourceSettings):
        from fonds.archives.findscu import FindIndex

        return FindIndex(name, settings)
    if isinstance(settings, DicomwebSourceSettings):
        from fonds.archives.dicomweb import QidoIndex

        return QidoIndex(name, settings)
    if isinstance(settings, ExportSourceSettings):
        from fonds.archives.export import ExportIndex, load_mapping

        return ExportIndex(name, project.source_root(name), load_mapping(project, settings.mapping))
    if isinstance(settings, InventorySourceSettings):
        from fonds.archives.inventory import InventoryIndex

        return InventoryIndex(name, project.source_root(name))
    raise ContentNotFound(f"source {name} hands out objects and is no index", name=name)


def open_target(project: Project) -> Target:
    """The target of fonds.yaml; nothing is touched yet."""
    settings = project.settings.target
    if isinstance(settings, DicomTarget):
        from fonds.archives.storescu import StoreTarget

        return StoreTarget(settings)
    return FolderTarget(project.target_root())
