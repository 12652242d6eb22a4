"""Questions by C-FIND (PS3.4 C.4.1) over one association that is kept, and what was answered as raw text."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import stamina
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pynetdicom.pdu_primitives import SOPClassExtendedNegotiation
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as MODEL
from pynetdicom.sop_class import Verification

from fonds.archives.dimse import EXPLICIT, IMPLICIT, PENDING, associate, echo, unreachable
from fonds.archives.throttle import Throttle
from fonds.dicom.charset import DEFAULT, codec, repair
from fonds.dicom.values import as_text, uid_text
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import DimseSourceSettings

stamina.instrumentation.set_on_retry_hooks([])  # each retry would be a line on the terminal; who gives up is told
Level = Literal["STUDY", "SERIES", "IMAGE"]
TRIES = 3
SILENT = 3
"""questions in a row without an answer, to an archive that answers C-ECHO, after which it counts as unreachable"""
_CANCEL = 0xFE00
_LEVEL, _CHARSET = 0x00080052, 0x00080005


@dataclass(frozen=True, slots=True)
class Told:
    """One answer as raw text by keyword (absent is no key, empty is ''), and what is unusual about it."""

    attributes: dict[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answers to one question; `cut` says why they may not be all, `broken` counts those that can't be read."""

    told: list[Told]
    cut: str | None
    broken: int


class Questions:
    """Asks one archive, one question after the other, over an association that is opened again when it is gone."""

    def __init__(self, node: DimseSourceSettings, throttle: Throttle) -> None:
        self.node, self.throttle = node, throttle
        self.asked = 0
        self._association: Any = None
        self._silent = 0

    @property
    def relational(self) -> bool:
        """Whether both sides agreed to relational queries (PS3.4 C.5.1.1); opens the association."""
        if not self.node.relational:
            return False
        accepted = self._open().acceptor.sop_class_extended.get(MODEL, b"")
        return bool(accepted) and accepted[0] == 1

    def ask(self, level: Level, keys: Mapping[str, str], returned: Sequence[str], most: int | None = None) -> Reply:
        """What matches `keys`, with the attributes `returned`; cancelled after `most` answers.

        An association that breaks is opened again. A question that stays without a final answer though the archive
        answers others is told as `cut`. Raises ArchiveUnreachable.
        """
        query = Dataset()
        query.QueryRetrieveLevel = level
        for keyword in returned:
            setattr(query, keyword, None)
        for keyword, value in keys.items():
            setattr(query, keyword, value)
        try:
            for attempt in stamina.retry_context(on=ArchiveUnreachable, attempts=TRIES):
                self.throttle.wait()
                with attempt:
                    self.asked += 1
                    reply = self._once(level, query, most)
        except ArchiveUnreachable as error:
            if "resume_at" in error.attributes:
                raise
            self._silent += 1
            if self._association is None or self._silent >= SILENT:
                raise
            echo(self.node)  # it is there: this one question is too much for it
            return Reply([], "no answer", 0)
        self._silent = 0
        return reply

    def close(self) -> None:
        """Release the association: archives may take an abort for a transfer that failed."""
        if self._association is not None and self._association.is_established:
            self._association.release()
        self._association = None

    def _open(self) -> Any:
        if self._association is None or not self._association.is_established:
            self._association = None
            contexts = [build_context(MODEL, [EXPLICIT, IMPLICIT]), build_context(Verification)]
            agreed = []
            if self.node.relational:
                item = SOPClassExtendedNegotiation()
                item.sop_class_uid, item.service_class_application_information = MODEL, b"\x01"
                agreed.append(item)
            association = associate(self.node, contexts, agreed)
            if not any(context.abstract_syntax == MODEL for context in association.accepted_contexts):
                association.release()
                raise unreachable(self.node, "it takes no C-FIND of the study root model")
            self._association = association
        return self._association

    def _once(self, level: Level, query: Dataset, most: int | None) -> Reply:
        association = self._open()
        number = self.asked % 0xFFFF + 1
        told: list[Told] = []
        unread = 0
        cancelled = False
        for status, identifier in association.send_c_find(query, MODEL, msg_id=number):
            if "Status" not in status:
                raise unreachable(self.node, f"it stopped answering a question of level {level}")
            if status.Status not in PENDING:
                return Reply(told, _cut(status.Status), (unread + 1) // 2)
            if identifier is None:
                unread += 1  # pynetdicom hands out what it can't decode twice
            else:
                told.append(read_identifier(identifier, self.node.charset))
            if most is not None and len(told) >= most and not cancelled:
                association.send_c_cancel(number, query_model=MODEL)
                cancelled = True
        raise unreachable(self.node, f"it stopped answering a question of level {level}")


def _cut(status: int) -> str | None:
    if status == 0:
        return None
    return "a cancelled answer" if status == _CANCEL else f"status {status:04X}"


def read_identifier(identifier: Dataset, default_charset: str | None) -> Told:
    """Raw text of an answer's attributes, in its own Specific Character Set or, where it has none, the given one."""
    elements = {int(tag): identifier.get_item(tag) for tag in identifier.keys()}  # noqa: SIM118  values() decodes
    declared = elements.get(_CHARSET)
    term = uid_text(_bytes(declared)) if declared is not None else ""
    text = codec(repair(term) or default_charset or DEFAULT)
    attributes: dict[str, str] = {}
    notes: list[str] = []
    # an answer has some twenty elements of its own: there is nothing to do for all answers at once
    for tag, element in elements.items():
        keyword = keyword_for_tag(tag)
        if not keyword or tag == _LEVEL or not tag & 0xFFFF:
            continue
        vr = element.VR or dictionary_VR(tag)
        try:
            value, doubtful = as_text(vr, _bytes(element), True, text)
        except (struct.error, UnicodeError, ValueError):
            value, doubtful = None, True
        if value is not None:
            attributes[keyword] = value
        if doubtful:
            notes.append(f"doubtful {keyword}")
    return Told(attributes, tuple(notes))


def _bytes(element: Any) -> bytes:
    if isinstance(element, RawDataElement):
        return element.value or b""
    return b""  # a sequence: those have no raw text
