"""Every error Fonds raises on purpose.

FondsError
├── Terminal                  trying again can't help: a person or a file must change first
│   ├── DefinitionInvalid     a YAML definition (settings, pack, model, wave) has mistakes; all of them are listed
│   ├── ProjectNotFound       no fonds.yaml here or above
│   ├── ContentNotFound       a pack, model or report that neither the project nor the package holds
│   ├── CatalogInvalid        a frame doesn't fit the catalog schema
│   ├── UnreadableHeader      one object can't be catalogued; becomes a row of `unreadable`
│   ├── CoercionRefused       one object can't be changed safely; becomes a failed row of the ledger
│   ├── GateClosed            a quality gate or stop condition holds the journey
│   ├── DecisionRefused       a decision that contradicts the record (unknown subject, undone twice, …)
│   ├── QueryRefused          `fonds sql` was given something that isn't a query
│   ├── StorageFailed         storage of this machine refuses (full, read-only), or a store of ours is damaged
│   └── Unexpected            a mistake in Fonds: named by its kind and place, because its text may quote a value
└── Transient                 the same call may succeed later: retried with backoff
    └── ArchiveUnreachable    a source or target doesn't answer

Errors carry attributes, not only text; survive pickling (they cross process borders and Prefect); and never hold
the value of a patient attribute.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

CATALOG_REMEDY = (
    "Move the project's catalog folder away and run again: it is made anew from the sources; decisions and receipts "
    "lie elsewhere"
)


class FondsError(Exception):
    """Base of all. Keyword attributes are kept, so that a finding or a log line can be built from them."""

    def __init__(self, message: str, **attributes: Any) -> None:
        super().__init__(message)
        self.message = message
        self.attributes = attributes

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[FondsError], args: tuple[Any, ...], state: dict[str, Any]) -> FondsError:
    error = kind.__new__(kind)
    Exception.__init__(error, *args)
    error.__dict__.update(state)
    return error


class Terminal(FondsError):
    """Trying again can't help."""


class Transient(FondsError):
    """Trying again may help."""


class DefinitionInvalid(Terminal):
    """A YAML definition has mistakes; `.mistakes` lists all of them as (line, text)."""

    def __init__(self, path: str, mistakes: list[tuple[int | None, str]]) -> None:
        lines = [f"  line {line}: {text}" if line else f"  {text}" for line, text in mistakes]
        super().__init__(f"{path} has {len(mistakes)} mistake(s):\n" + "\n".join(lines), path=path)
        self.path = path
        self.mistakes = mistakes


class ProjectNotFound(Terminal):
    """No fonds.yaml in the folder or above."""


class ContentNotFound(Terminal):
    """A definition that neither the project nor the installed package holds."""


class CatalogInvalid(Terminal):
    """A frame doesn't fit the table's schema."""


class UnreadableHeader(Terminal):
    """One stored object can't be catalogued: reason code, byte offset where reading ended, what was seen there."""

    def __init__(self, reason: str, byte_offset: int | None, message: str) -> None:
        super().__init__(message, reason=reason, byte_offset=byte_offset)
        self.reason = reason
        self.byte_offset = byte_offset


class CoercionRefused(Terminal):
    """One object can't be changed safely; nothing of it is sent."""


class GateClosed(Terminal):
    """A quality gate or stop condition holds the journey."""


class DecisionRefused(Terminal):
    """A decision that contradicts the record."""


class QueryRefused(Terminal):
    """Not a query, or one that would write."""


class StorageFailed(Terminal):
    """Storage of this machine refuses, or the catalog or the operations store is damaged."""


class Unexpected(Terminal):
    """A mistake in Fonds or a library; holds the kind of the error and its place, never its text."""


class ArchiveUnreachable(Transient):
    """A source or target doesn't answer; names the node, never what was asked about."""


def outward(error: BaseException) -> FondsError:  # noqa: PLR0911
    """What may leave the process (terminal, Prefect's database) of an error of Python or a library: no value in it."""
    if isinstance(error, FondsError):
        return error
    kind, library = type(error).__name__, type(error).__module__.partition(".")[0]
    text = str(error)
    if isinstance(error, OSError) and error.strerror and kind != "FileNotFoundError":
        # no path: folders of an archive may be named after patients
        return StorageFailed(
            f"{error.strerror}; `fonds doctor` helps to find where. Mend that, then run again to go on"
        )
    if "No space left on device" in text or "database or disk is full" in text:
        return StorageFailed("No space left on device; make room and run the same command again to go on")
    if "readonly database" in text or "Read-only file system" in text or "Permission denied" in text:
        return StorageFailed("the project can't be written; give this user the right to write there, then run again")
    if library == "sqlalchemy" and kind in {"DatabaseError", "OperationalError"}:
        if "database is locked" in text:
            return StorageFailed("the operations store is locked by another process; run again when that has ended")
        return StorageFailed(
            "the operations store can't be opened or written, or is damaged: see that the disk isn't full and may be "
            "written, and check `operations` in fonds.yaml; a damaged database must come back from its backup"
        )
    damaged = {"IOException", "InvalidInputException", "ComputeError", "FileNotFoundError", "PanicException"}
    if library in {"deltalake", "_internal"} or (
        library in {"duckdb", "_duckdb", "polars", "pyo3_runtime", "builtins"} and kind in damaged
    ):
        return StorageFailed(
            f"the catalog can't be read ({kind}): a file in it is missing or damaged; `fonds doctor` says which. "
            f"{CATALOG_REMEDY}"
        )
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "fonds" in Path(f.filename).parts]
    place = f" at {'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}" if frames else ""
    return Unexpected(f"unexpected {kind}{place}; run again, and report this line if it comes back")
