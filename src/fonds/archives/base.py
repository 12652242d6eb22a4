"""The contracts: a source archive is only read; a target gives one answer for every object it is sent."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

if TYPE_CHECKING:
    import polars as pl

    from fonds.dicom.write import Prepared


@dataclass(frozen=True, slots=True)
class FoundFile:
    """One object a source lists, or a place it couldn't look into (`problem` says why, such as ``permission``)."""

    location: str
    size: int
    mtime_ns: int
    problem: str | None = None
    message: str = ""


class Source(Protocol):
    """A legacy archive that hands out its objects. It can be pickled: worker processes open objects themselves."""

    def check(self) -> None:
        """Look whether the archive is there, at the least cost; raises ArchiveUnreachable."""
        ...

    def list(self) -> Iterator[FoundFile]:
        """Everything there, in a stable order; raises ArchiveUnreachable when the archive itself isn't there."""
        ...

    def open(self, location: str) -> BinaryIO:
        """One object as a seekable stream of bytes; raises OSError, as a file does."""
        ...

    def heads(self, locations: Sequence[str], into: memoryview) -> Sequence[int | OSError]:
        """The first bytes of objects, side by side in `into` (objects by stride), and how many came, or why none."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """What an index answered to one question: rows of `entries` without `source`.

    `key` names the question, the same in every crawl. `problem` says, without values, why the answer isn't complete.
    """

    key: str
    rows: pl.DataFrame
    problem: str | None = None


class Memory(Protocol):
    """What a crawl of an index knows already."""

    @property
    def known(self) -> pl.DataFrame:
        """The rows of `entries` the last finished crawl left for this source, without `source`."""
        ...

    def finished(self, key: str) -> pl.DataFrame | None:
        """The rows of a batch that was finished before this crawl was interrupted: it need not be asked again."""
        ...


class Index(Protocol):
    """A legacy archive that tells what it holds: a PACS, a DICOMweb server, a database export, an Inventory."""

    def check(self) -> None:
        """Look whether the archive answers, at the least cost; raises ArchiveUnreachable."""
        ...

    def batches(self, memory: Memory) -> Iterator[Batch]:
        """All it holds, level by level; raises ArchiveUnreachable when it doesn't answer (finished batches are kept).

        Rows: `location` is STUDY, STUDY/SERIES or STUDY/SERIES/SOP by UID, `record` counts answers of one location.
        """
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """What a target must be asked about before it is sent: a SOP class in a transfer syntax."""

    sop_class_uid: str
    transfer_syntax: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One object to store: its identifiers, its bytes, and the open source those come from.

    `digest` is the SHA-256 the whole object must have when it is sent as it was found; None when it is changed.
    """

    kind: Kind
    sop_uid: str
    study_uid: str
    series_uid: str
    prepared: Prepared
    stream: BinaryIO
    digest: str | None = None


Outcome = Literal["stored", "refused", "again", "unknown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one object.

    stored; refused (`reason` is a code, sending it again as it is won't help); again (refused for now, such as a full
    disk); unknown (sent, but no answer came: the target must be asked what it holds).
    """

    outcome: Outcome
    key: str | None = None
    status_code: str | None = None
    reason: str | None = None
    bytes: int | None = None
    digest: str | None = None
    """SHA-256 of the object as sent, preamble and file meta included where the target keeps them"""


class Session(Protocol):
    """One line to a target, used by one thread."""

    def store(self, outgoing: Outgoing) -> Answer:
        """Store one object; storing the same bytes again is harmless. Raises ArchiveUnreachable before sending."""
        ...

    def settle(self) -> None:
        """Return when everything answered `stored` survives a power cut, as far as the target's own side goes."""
        ...


class Target(Protocol):
    """An archive that is written to. Implementations may be shared by threads; each thread opens its own session."""

    harmless: bool
    """Storing an object again is compared with what is there and changes nothing, so an unknown answer is asked so"""

    def key(self, study_uid: str, series_uid: str, sop_uid: str) -> str:
        """The name under which the target keeps an object."""
        ...

    def accepts(self, kinds: Collection[Kind]) -> set[Kind]:
        """Which of these it takes; raises ArchiveUnreachable."""
        ...

    def session(self, kinds: Collection[Kind]) -> AbstractContextManager[Session]:
        """A session for objects of these kinds; raises ArchiveUnreachable."""
        ...

    def held(self, study_uid: str, keys: Mapping[str, str]) -> set[str] | None:
        """SOP Instance UIDs the target holds of a study; None when it can't be asked. `keys` are those it gave."""
        ...

    def retrieve(
        self, study_uid: str, keys: Mapping[str, str], kinds: Collection[Kind], largest: int
    ) -> Iterator[tuple[str, BinaryIO]]:
        """Read objects back, as (SOP Instance UID, stream of a Part 10 file); those that aren't there don't come.

        `largest` is the bytes of the largest of them.
        """
        ...
