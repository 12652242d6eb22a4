"""The SQL that names the attributes in which two catalogued files differ."""

from __future__ import annotations

from pathlib import Path

from fonds.catalog.schema import attributes, table
from fonds.catalog.store import literal, quote
from fonds.project.settings import Project

# Group 2 describes the file, not the object (PS3.10 section 7.1): another writer's copy differs in it by right.
FILE_META = frozenset(
    {
        "FileMetaInformationVersion",
        "ImplementationClassUID",
        "ImplementationVersionName",
        "MediaStorageSOPClassUID",
        "MediaStorageSOPInstanceUID",
        "PrivateInformationCreatorUID",
        "ReceivingApplicationEntityTitle",
        "SendingApplicationEntityTitle",
        "SourceApplicationEntityTitle",
        "TransferSyntaxUID",
    }
)


def text(name: str) -> str:
    """One of this stage's SQL files."""
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def compared(project: Project) -> list[str]:
    """The columns of `instances` that say what the object says: catalogued keywords but group 2, and nested ones."""
    columns = list(table(project, "instances").columns)
    keywords = attributes(project)
    nested = columns[columns.index(keywords[-1]) + 1 :]
    return [*(word for word in keywords if word not in FILE_META), *nested]


def differing(project: Project) -> str:
    """Table `differing` (source, location, differing): for pairs that aren't the same bytes, keywords that differ."""
    tests = ", ".join(
        f"CASE WHEN a.{quote(name)} IS DISTINCT FROM b.{quote(name)} THEN {literal(name)} END"
        for name in compared(project)
    )
    return f"""
        CREATE TEMP TABLE differing AS
        SELECT p.source, p.location, list_sort(list_distinct([{tests}])) AS differing
        FROM copy_pairs p JOIN instances a ON a.source = p.source AND a.location = p.location
            JOIN instances b ON b.source = p.kept_source AND b.location = p.kept_location
        WHERE NOT p.same_object
    """
