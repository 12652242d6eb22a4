"""Private attributes: all are kept; a site may name creators whose attributes a person should look at."""

from __future__ import annotations

import duckdb
from pydantic import Field

from fonds.catalog import schema
from fonds.catalog.store import quote
from fonds.dicom.private import PrivateAttribute
from fonds.normalize.basis import Value
from fonds.project.definitions import Definition, load_yaml
from fonds.project.settings import Project

FILE = "rules/base/private.yaml"


class Flagged(Definition):
    """A private creator that a person should look at."""

    creator: Value = Field(min_length=1, description="the text that reserves the block (PS3.5 7.8.1)")
    why: str = Field(min_length=1, max_length=200, description="one line for the steward")


class PrivateFile(Definition):
    """rules/base/private.yaml: what happens to private elements. There is no key that removes one."""

    keep: tuple[Value, ...] = Field(default=(), description="creators known to be needed, such as those of a viewer")
    flag: tuple[Flagged, ...] = Field(default=(), description="creators whose attributes a person should look at")


def load(project: Project) -> PrivateFile:
    """The project's list, or the shipped one; raises DefinitionInvalid."""
    return load_yaml(project.find(FILE), PrivateFile)


def flagged(project: Project, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """One line for each flagged creator that objects have catalogued attributes of, with how many objects these are."""
    words = [word for word in schema.attributes(project) if isinstance(word, PrivateAttribute)]
    lines = []
    for one in load(project).flag:
        columns = [quote(str(word)) for word in words if word.creator.strip() == one.creator.strip()]
        if columns:
            found = " OR ".join(f"{column} IS NOT NULL" for column in columns)
            (count,) = connection.sql(f"SELECT count(*) FROM instances WHERE {found}").fetchall()[0]
            lines += [f"objects with private attributes of {one.creator}, kept: {count} ({one.why})"] if count else []
    return lines
