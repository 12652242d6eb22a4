"""What a stage's answer depends on: table versions, definitions, settings, decisions and the version of Fonds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import fonds
from fonds.project.definitions import content_hash
from fonds.project.settings import Project


def definition_hashes(project: Project, paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of every definition file used, by its path below the project or the shipped content."""
    named = {}
    for path in sorted(paths):
        short = path.relative_to(project.root) if path.is_relative_to(project.root) else Path(*path.parts[-3:])
        named[short.as_posix()] = content_hash(path)
    return named


def fingerprint(
    project: Project, stage: str, versions: Mapping[str, int], definitions: Mapping[str, str], extra: str = ""
) -> str:
    """SHA-256 that changes when anything the stage reads has changed."""
    settings = project.settings.model_dump(mode="json")
    material = [fonds.__version__, stage, dict(versions), dict(definitions), settings, extra]
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()
