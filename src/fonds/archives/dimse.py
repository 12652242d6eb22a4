"""DIMSE by pynetdicom: C-ECHO, C-FIND at image level, C-GET; everything but the data path of sending."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY
from threading import Condition, get_ident
from typing import Any, BinaryIO

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import (
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from fonds.archives.base import Kind
from fonds.errors import ArchiveUnreachable
from fonds.project.settings import DicomTarget, DimseNode

_config.LOG_HANDLER_LEVEL = "none"  # its handlers write identifiers into logs
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False  # laid out as text before nobody reads them
_config.STORE_RECV_CHUNKED_DATASET = True  # into a file: in memory an object would be there two or three times
PENDING = frozenset((0xFF00, 0xFF01))
_RECEIVING = 5_000_000
"""Bytes a second at which an object comes at the slowest; pynetdicom's timeout is for a whole one."""
_PASS = 5.0
"""seconds in which the reactor surely comes round"""
EXPLICIT, IMPLICIT = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2"


def echo(node: DimseNode) -> None:
    """C-ECHO (PS3.7 9.1.5); raises ArchiveUnreachable."""
    association = associate(node, [build_context(Verification)])
    try:
        status = association.send_c_echo()
        if "Status" not in status or status.Status != 0:
            raise unreachable(node, "it didn't answer C-ECHO")
    finally:
        association.release()


def find_instances(target: DicomTarget, study_uid: str) -> set[str] | None:
    """SOP Instance UIDs the target lists for a study; None when it takes no query. Raises ArchiveUnreachable.

    A query that ends with anything but success was cut off and is no list (PS3.4 C.4.1).
    """
    model = StudyRootQueryRetrieveInformationModelFind
    association = associate(target, [build_context(model, [EXPLICIT, IMPLICIT]), build_context(Verification)])
    try:
        if not any(context.abstract_syntax == model for context in association.accepted_contexts):
            return None
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "IMAGE", study_uid
        query.SeriesInstanceUID, query.SOPInstanceUID = "", ""
        found: set[str] = set()
        for status, identifier in association.send_c_find(query, model):
            if "Status" not in status:
                raise unreachable(target, "it stopped answering a query")
            if status.Status in PENDING and identifier is not None:
                found.add(str(identifier.SOPInstanceUID))
            elif status.Status not in PENDING and status.Status != 0:
                raise unreachable(target, f"a query ended with status {status.Status:04X}")
        return found
    finally:
        association.release()


def get_instances(
    target: DicomTarget, study_uid: str, keys: Mapping[str, str], kinds: Collection[Kind], largest: int
) -> Iterator[tuple[str, BinaryIO]]:
    """Objects of a study by C-GET (PS3.4 C.4.3), as stored there; none when the target offers no C-GET.

    `largest` is the bytes of the largest of them: it takes its time until it is there. They come as files of a
    temporary folder, one open at a time. Raises ArchiveUnreachable.
    """
    folder = Path(tempfile.mkdtemp(prefix="fonds-"))
    try:
        names = _get(target, study_uid, keys, kinds, folder, patience=target.timeout + largest / _RECEIVING)
        for sop_uid, path in names.items():
            with path.open("rb") as stream:
                yield sop_uid, stream
            path.unlink()
    finally:
        shutil.rmtree(folder)


def _get(
    target: DicomTarget,
    study_uid: str,
    keys: Mapping[str, str],
    kinds: Collection[Kind],
    folder: Path,
    *,
    patience: float,
) -> dict[str, Path]:
    names: dict[str, Path] = {}

    def keep(event: Any) -> int:
        sop_uid = str(event.request.AffectedSOPInstanceUID)
        if sop_uid in keys:
            names[sop_uid] = folder / f"{len(names)}.dcm"
            shutil.move(event.dataset_path, names[sop_uid])
        _discard(event.request._dataset_file)
        return 0x0000

    model = StudyRootQueryRetrieveInformationModelGet
    ordered = sorted(kinds, key=repr)[:120]
    contexts = [build_context(model, [EXPLICIT, IMPLICIT])]
    contexts += [build_context(kind.sop_class_uid, kind.transfer_syntax) for kind in ordered]
    roles = [build_role(uid, scp_role=True) for uid in sorted({kind.sop_class_uid for kind in ordered})]
    association = associate(target, contexts, roles, [(evt.EVT_C_STORE, keep)])
    association.dimse_timeout = patience
    try:
        if not any(context.abstract_syntax == model for context in association.accepted_contexts):
            return {}
        query = Dataset()
        query.QueryRetrieveLevel, query.StudyInstanceUID = "STUDY", study_uid
        for status, _ in association.send_c_get(query, model):
            if "Status" not in status:
                raise unreachable(target, "it stopped answering C-GET")
    finally:
        association.release()
        if association.dimse.message is not None:  # an object that broke off
            _discard(association.dimse.message._data_set_file)
    return names


def _discard(received: Any) -> None:
    # pynetdicom leaves the temporary files of C-GET open and where they are
    if received is not None:
        received.close()
        Path(received.name).unlink(missing_ok=True)


def associate(
    node: DimseNode, contexts: list[Any], negotiated: list[Any] | None = None, handlers: list[Any] | None = None
) -> Any:
    """An association of pynetdicom's; `negotiated` are items beside the contexts. Raises ArchiveUnreachable."""
    entity = AE(ae_title=node.calling_ae)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = node.timeout
    entity.connection_timeout = node.timeout
    association = entity.associate(
        node.host,
        node.port,
        contexts=contexts,
        ae_title=node.called_ae,
        ext_neg=negotiated or [],
        evt_handlers=[(evt.EVT_CONN_OPEN, _opened), *(handlers or [])],
    )
    if not association.is_established:
        raise unreachable(node, "no association; check address, port and AE titles on both sides")
    return association


def _opened(event: Any) -> None:
    # a request is written in two pieces: with Nagle's algorithm the second waits for the peer's delayed ACK, 40 ms
    event.assoc.dul.socket.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    event.assoc._reactor_checkpoint = Gate()


class Gate:
    """Where pynetdicom's reactor thread pauses while answers are read; in place of its event.

    There the reactor can have passed the event when it is cleared, and be thought to be paused: it then takes away the
    next message, and an answer is missing without a word (2 in 1,000 questions to a busy Orthanc). Here clearing
    returns when the reactor stands still.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._open = True
        self._standing: int | None = None
        self._reactor: int | None = None

    def is_set(self) -> bool:
        """Whether the reactor may go on."""
        return self._open

    def set(self) -> None:
        """Let the reactor go on."""
        with self._changed:
            self._open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Stop the reactor, and return when it stands; a reactor that has ended, or asks itself, isn't waited for."""
        with self._changed:
            self._open = False
            if get_ident() != self._reactor:
                self._changed.wait_for(lambda: self._standing is not None, timeout=_PASS)

    def wait(self) -> bool:
        """Stand still until set; for the reactor."""
        with self._changed:
            self._reactor = self._standing = get_ident()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._open)
            self._standing = None
        return True


def unreachable(node: DimseNode, why: str) -> ArchiveUnreachable:
    """The error that names a node, never what it was asked about."""
    where = f"{node.called_ae} at {node.host}:{node.port}"
    side = "target" if isinstance(node, DicomTarget) else "source"
    return ArchiveUnreachable(f"{side} {where}: {why}", target=where)
