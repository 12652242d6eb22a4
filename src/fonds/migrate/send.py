"""Sends one batch over one session and answers with one receipt an object."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import stamina

from fonds.archives.base import Answer, Kind, Outgoing, Session, Source, Target
from fonds.dicom.write import Author, prepare
from fonds.errors import CoercionRefused, Transient, UnreadableHeader
from fonds.migrate.work import Item

Receipt = dict[str, Any]


class _NotNow(Transient):
    """The target refused an object for now."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("the target refused an object for now")
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Sender:
    """What every batch needs; shared by the threads that send."""

    target: Target
    sources: Mapping[str, Source]
    system: str
    when: str
    refused: frozenset[Kind]
    """kinds the target doesn't take"""

    def intents(self, batch: list[Item]) -> list[Receipt]:
        """The rows that say what is about to be sent, written before anything of it is."""
        return [
            {**_base(item), "state": "sending", "coerced_at": self.time(item)}
            for item in batch
            if item.kind not in self.refused
        ]

    def time(self, item: Item) -> str | None:
        """When the object is said to have been changed; an object sent again keeps the first answer."""
        return (item.coerced_at or self.when) if item.changes else None

    def send(self, batch: list[Item]) -> list[Receipt]:
        """Send all of a batch; objects whose answer stays unknown get no receipt. Raises ArchiveUnreachable."""
        receipts = [_failed(item, "not-accepted") for item in batch if item.kind in self.refused]
        items = [item for item in batch if item.kind not in self.refused]
        asked = [item for item in items if item.unknown and not self.target.harmless]
        if asked:
            keys = {item.sop_uid: self.target.key(item.study_uid, item.series_uid, item.sop_uid) for item in asked}
            there = self.target.held(asked[0].study_uid, keys) or set()
            found = [item for item in asked if item.sop_uid in there]
            receipts += [
                self._sent(item, Answer("stored", keys[item.sop_uid], reason="found-at-target")) for item in found
            ]
            items = [item for item in items if item not in found]
        if items:
            with self.target.session({item.kind for item in items}) as session:
                for item in items:
                    receipts += self._one(session, item)
                session.settle()
        return receipts

    def _one(self, session: Session, item: Item) -> list[Receipt]:
        answer = self._answer(session, item)
        if answer.outcome == "unknown":
            # no answer a second time, from a target that takes associations: the object, not the target, is the cause
            return [_failed(item, "no-answer")] if item.unknown else []
        if answer.outcome == "stored":
            return [self._sent(item, answer)]
        return [_failed(item, answer.reason or "refused", answer)]

    def _answer(self, session: Session, item: Item) -> Answer:
        if item.taken:
            return Answer("refused", reason="uid-taken")
        try:
            with self.sources[item.source].open(item.location) as stream:
                if _changed(stream, item):
                    return Answer("refused", reason="source-changed")
                return self._stored(session, item, stream)
        except CoercionRefused as error:
            reason = f"coercion-refused: {error.attributes.get('reason', 'unknown')}"
        except UnreadableHeader as error:
            reason = "source-changed" if error.reason == "changed" else "source-unreadable"
        except FileNotFoundError:
            reason = "source-changed"
        except OSError:
            reason = "source-unreadable"
        return Answer("refused", reason=reason)

    def _stored(self, session: Session, item: Item, stream: BinaryIO) -> Answer:
        when = self.time(item)
        author = Author(self.system, item.source, when) if when is not None else None
        prepared = prepare(stream, item.identity, item.changes, author)
        outgoing = Outgoing(
            item.kind,
            item.sop_uid,
            item.study_uid,
            item.series_uid,
            prepared,
            stream,
            item.digest_object if prepared.verbatim else None,
        )
        try:
            for attempt in stamina.retry_context(on=_NotNow, attempts=3, wait_initial=0.2, wait_max=2.0):
                with attempt:
                    answer = session.store(outgoing)
                    if answer.outcome == "again":
                        raise _NotNow(answer)
        except _NotNow as error:
            return error.answer
        return answer

    def _sent(self, item: Item, answer: Answer) -> Receipt:
        return {
            **_base(item),
            "state": "sent",
            "reason": answer.reason,
            "target_key": answer.key,
            "status_code": answer.status_code,
            "bytes": answer.bytes,
            "digest_object_sent": answer.digest,
            "coerced_at": self.time(item),
        }


def _base(item: Item) -> Receipt:
    return {
        "source": item.source,
        "location": item.location,
        "sop_uid": item.sop_uid,
        "study_uid": item.study_uid,
        "wave": item.wave,
        "digest_pixels_before": item.digest_pixels,
        "attempt": item.attempt,
        "basis": item.basis,
        "uids": item.uids,
    }


def _failed(item: Item, reason: str, answer: Answer | None = None) -> Receipt:
    code = answer.status_code if answer is not None else None
    return {**_base(item), "state": "failed", "reason": reason, "status_code": code, "coerced_at": item.coerced_at}


def _changed(stream: BinaryIO, item: Item) -> bool:
    """Whether the file isn't the one that was catalogued; members of containers are known by their digest alone."""
    try:
        about = os.fstat(stream.fileno())
    except io.UnsupportedOperation:
        return False
    return (about.st_size, about.st_mtime_ns) != (item.size, item.mtime_ns)
