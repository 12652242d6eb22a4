"""SQL views made once a process and copied into each connection: to bind them anew costs ten times as much.

DuckDB binds a view when it is made, and with it all it stands on; copying a database takes views over as they are.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import duckdb

_MAKING = threading.Lock()


def copy_into(
    connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...], statements: Callable[[], Sequence[str]]
) -> None:
    """Put into an empty database what the statements make: views and macros, no rows.

    They are asked for only where this process has none yet for the same `columns`, on which alone they depend.
    """
    made = _made(columns, statements)
    (name,) = connection.execute("SELECT current_database()").fetchall()[0]
    place, goal = str(made).replace("'", "''"), name.replace('"', '""')
    connection.execute(f"ATTACH '{place}' AS fonds_layers (READ_ONLY)")
    connection.execute(f'COPY FROM DATABASE fonds_layers TO "{goal}"')
    connection.execute("DETACH fonds_layers")


def _made(columns: tuple[str, ...], statements: Callable[[], Sequence[str]]) -> Path:
    """The database file the statements make; made where it isn't there, or was cleared away."""
    digest = hashlib.sha256("\0".join(columns).encode()).hexdigest()[:16]
    with _MAKING:
        target = Path(_folder().name) / f"{digest}.duckdb"
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            aside = target.with_suffix(f".{os.getpid()}")  # a forked process has the same folder
            aside.unlink(missing_ok=True)
            with duckdb.connect(str(aside)) as connection:
                for statement in statements():
                    connection.execute(statement)
            aside.rename(target)
    return target


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Goes with the process."""
    return tempfile.TemporaryDirectory(prefix="fonds-layers-")
