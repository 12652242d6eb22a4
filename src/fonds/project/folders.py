"""Finds a project's content: its own copy first, then the copy that ships with Fonds."""

from __future__ import annotations

from pathlib import Path

from fonds.errors import ContentNotFound, ProjectNotFound

MARKER = "fonds.yaml"


def shipped() -> Path:
    """The content that came with this installation: inside the wheel, or the checkout itself."""
    packed = Path(__file__).resolve().parents[1] / "_project"
    return packed if packed.is_dir() else Path(__file__).resolve().parents[3]


def project_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds fonds.yaml; raises ProjectNotFound."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / MARKER).is_file():
            return folder
    raise ProjectNotFound(
        f"no {MARKER} in {start} or above; make a project with `fonds init DIR` or name one with --project"
    )


def find(root: Path, name: str) -> Path:
    """The file or folder `name` (such as ``rules/base/names.yaml``): the project's copy, else the shipped one."""
    for folder in (root, shipped()):
        if (folder / name).exists():
            return folder / name
    raise ContentNotFound(f"{name} is neither in the project {root} nor shipped with Fonds", name=name)


def list_content(root: Path, folder: str, pattern: str = "*.yaml") -> list[Path]:
    """The definitions in a content folder, by name; a project file hides the shipped file of the same name."""
    found: dict[str, Path] = {}
    for base in (shipped(), root):
        for path in sorted((base / folder).glob(pattern)):
            found[path.name] = path
    return [found[name] for name in sorted(found)]
