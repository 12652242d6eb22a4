"""The operations store: tables and the one way to open it (SQLite with WAL by default, PostgreSQL when shared)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import DateTime, Engine, Integer, String, Text, UniqueConstraint, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import NullPool

from fonds.project.settings import Project


class Base(DeclarativeBase):
    """Base of the tables."""


class Decision(Base):
    """What a person decided; never changed, only followed by another row that undoes it."""

    __tablename__ = "decisions"
    decision_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject_a: Mapped[str] = mapped_column(String(200), index=True)
    subject_b: Mapped[str] = mapped_column(Text, default="")
    verdict: Mapped[str] = mapped_column(String(20))
    who: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    comment: Mapped[str] = mapped_column(Text, default="")
    undoes: Mapped[int | None] = mapped_column(Integer, nullable=True, unique=True)


class PersonNumber(Base):
    """A person identifier, allocated once; a record keeps it from run to run."""

    __tablename__ = "person_numbers"
    record_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person_id: Mapped[str] = mapped_column(String(40), index=True)


class Run(Base):
    """One run of a stage with all that its answer depends on."""

    __tablename__ = "runs"
    run: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    stage: Mapped[str] = mapped_column(String(20), index=True)
    status: Mapped[str] = mapped_column(String(20))
    started: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    ended: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), nullable=True)
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    counts: Mapped[str] = mapped_column(Text, default="{}")
    versions: Mapped[str] = mapped_column(Text, default="{}")
    definitions: Mapped[str] = mapped_column(Text, default="{}")


class Audit(Base):
    """One act of a person or of the system, chained to the one before it by its digest."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[str] = mapped_column(String(40))
    who: Mapped[str] = mapped_column(String(100))
    act: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(400))
    detail: Mapped[str] = mapped_column(Text, default="")
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("previous"),)


def now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


@lru_cache(maxsize=8)
def _engine(url: str) -> Engine:
    # NullPool: forked workers and the desk's threads each open their own connection
    if (reading := _unwritable(url)) is not None:
        return create_engine(reading, poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA busy_timeout=20000")

    Base.metadata.create_all(engine)
    return engine


def _unwritable(url: str) -> str | None:
    """The URL that only reads a SQLite file which can't be written here; None where it can be, or isn't SQLite."""
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path.is_file():
        return None
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return None
    # Without a log beside it nobody writes the file; SQLite would still want to make one in the folder
    settled = "" if path.with_name(f"{path.name}-wal").exists() else "&immutable=1"
    return f"sqlite:///file:{quote(str(path))}?mode=ro{settled}&uri=true"


@contextmanager
def session(project: Project) -> Iterator[Session]:
    """A transaction: committed at the end of the block, rolled back on an error."""
    with Session(_engine(project.operations_url)) as opened, opened.begin():
        yield opened
