"""An archive that takes C-STORE as a target: one association a session, one status an object."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO

from fonds.archives import dimse
from fonds.archives.base import Answer, Kind, Outgoing
from fonds.archives.dimse import echo
from fonds.archives.upper_layer import CONTEXTS, Association
from fonds.project.settings import DicomTarget

__all__ = ["StoreTarget", "echo"]
# PS3.4 B.2.3: coercion of data elements, elements discarded, data set does not match SOP class: stored all the same
WARNINGS = frozenset((0xB000, 0xB006, 0xB007))


class StoreTarget:
    """A C-STORE SCP, queried by C-FIND and C-GET where it offers them."""

    harmless = False

    def __init__(self, settings: DicomTarget) -> None:
        self.settings = settings

    def key(self, study_uid: str, series_uid: str, sop_uid: str) -> str:
        """Its SOP Instance UID."""
        return sop_uid

    def accepts(self, kinds: Collection[Kind]) -> set[Kind]:
        """Negotiate all kinds, at most 128 at once, and release."""
        found: set[Kind] = set()
        ordered = sorted(kinds, key=repr)
        for start in range(0, len(ordered), CONTEXTS):
            association = self._associate(ordered[start : start + CONTEXTS])
            found |= association.contexts.keys()
            association.release()
        return found

    @contextmanager
    def session(self, kinds: Collection[Kind]) -> Iterator[StoreSession]:
        """One association for objects of these kinds."""
        session = StoreSession(self, kinds)
        try:
            yield session
        finally:
            session.close()

    def held(self, study_uid: str, keys: Mapping[str, str]) -> set[str] | None:
        """By C-FIND at image level; None when the target doesn't take queries."""
        return dimse.find_instances(self.settings, study_uid)

    def retrieve(
        self, study_uid: str, keys: Mapping[str, str], kinds: Collection[Kind], largest: int
    ) -> Iterator[tuple[str, BinaryIO]]:
        """By C-GET of the study, through files in a temporary folder."""
        return dimse.get_instances(self.settings, study_uid, keys, kinds, largest)

    def _associate(self, kinds: Collection[Kind]) -> Association:
        return Association(self.settings, kinds)


class StoreSession:
    """Sends over one association and opens another when that has died."""

    def __init__(self, target: StoreTarget, kinds: Collection[Kind]) -> None:
        self.target, self.kinds = target, kinds
        self.association: Association | None = target._associate(kinds)

    def store(self, outgoing: Outgoing) -> Answer:
        """Send one object; `unknown` when the association died before an answer came."""
        if self.association is None:
            self.association = self.target._associate(self.kinds)
        association = self.association
        if outgoing.kind not in association.contexts:
            return Answer("refused", reason="not-accepted")
        if outgoing.prepared.length % 2:
            # PS3.8 9.3.5.1 allows no odd fragment: targets abort, and wait half a minute before they do
            return Answer("refused", reason="odd-length")
        digest = hashlib.sha256(outgoing.prepared.prefix)
        try:
            status = association.store(
                outgoing.kind, outgoing.sop_uid, outgoing.prepared.length, _heard(outgoing, digest)
            )
        except OSError:
            association.abort()
            self.association = None
            return Answer("unknown")
        except BaseException:
            # the source failed in the middle of a message: the rest of it can't be sent
            association.abort()
            self.association = None
            raise
        code = f"{status:04X}"
        if status == 0 or status in WARNINGS:
            return Answer("stored", outgoing.sop_uid, code, None, outgoing.prepared.length, digest.hexdigest())
        if status >> 8 == 0xA7:
            return Answer("again", None, code, "target-busy")
        return Answer("refused", None, code, "target-refused")

    def settle(self) -> None:
        """Nothing: a status is the target's word that it has the object."""

    def close(self) -> None:
        """Release the association, if there is one."""
        if self.association is not None:
            self.association.release()
            self.association = None


def _heard(outgoing: Outgoing, digest: hashlib._Hash) -> Iterator[bytes]:
    for block in outgoing.prepared.data_set(outgoing.stream):
        digest.update(block)
        yield block
