"""Which files a feed's path means."""

from __future__ import annotations

from pathlib import Path

from fonds.errors import ArchiveUnreachable
from fonds.project.settings import Project

SUFFIXES = {
    "csv": (".csv", ".tsv", ".txt"),
    "parquet": (".parquet",),
    "fhir": (".ndjson", ".jsonl", ".json"),
}
"""What files of a folder are called, or these with .gz behind."""


def feed_files(project: Project, feed: str, path: str, formats: tuple[str, ...]) -> list[Path]:
    """A file, the files of these formats in a folder, or what a pattern such as ``feeds/*.ndjson.gz`` finds; by name.

    Raises ArchiveUnreachable when there is none: a share that isn't mounted must not empty the feed.
    """
    whole = project.root / path
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        suffixes = tuple(end for name in formats for suffix in SUFFIXES[name] for end in (suffix, f"{suffix}.gz"))
        found = [one for one in whole.iterdir() if one.is_file() and one.name.lower().endswith(suffixes)]
    else:
        pattern = Path(path)
        base = Path(pattern.anchor) if pattern.is_absolute() else project.root
        found = [one for one in base.glob(str(pattern.relative_to(pattern.anchor))) if one.is_file()]
    if not found:
        raise ArchiveUnreachable(f"feed {feed}: there is no file at {path}; look at `feeds` in fonds.yaml", feed=feed)
    return sorted(found)


def files_of(project: Project, feed: str) -> dict[str, list[Path]]:
    """The files of the tables a feed has: patients, merges, orders, reports; raises ArchiveUnreachable."""
    settings = project.settings.feeds[feed]
    found = {}
    for kind, path in (("patients", settings.path), ("orders", settings.orders), ("reports", settings.reports)):
        if path is not None:
            found[kind] = feed_files(project, feed, path, (settings.format,))
    if settings.merges is not None:
        found["merges"] = feed_files(project, feed, settings.merges, ("csv", "parquet"))
    return found


def fingerprint(project: Project) -> str:
    """Names, sizes and times of all files of all feeds: while they stay, so does what the feeds say."""
    lines = []
    for feed in project.settings.feeds:
        try:
            found = files_of(project, feed)
        except ArchiveUnreachable:
            lines.append(f"{feed}: none")
            continue
        for kind, files in found.items():
            for file in files:
                stat = file.stat()
                lines.append(f"{feed}|{kind}|{file}|{stat.st_size}|{stat.st_mtime_ns}")
    return "\n".join(lines)
