"""C-FIND SCPs that behave as archives in the field do, made of a list of studies."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, build_context, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind as MODEL
from pynetdicom.sop_class import Verification

from fonds.archives.dimse import associate
from fonds.project.settings import DimseSourceSettings
from tests.archives.nodes import free_port

Row = dict[str, str]
Answers = Iterator[tuple[int, Any]]


def stored(row: Row) -> bytes:
    """A small object of a study."""
    data = Dataset()
    data.SOPClassUID = SecondaryCaptureImageStorage
    data.SOPInstanceUID, data.SeriesInstanceUID = row["StudyInstanceUID"] + ".1.1", row["StudyInstanceUID"] + ".1"
    for word in ("StudyInstanceUID", "StudyDate", "StudyTime", "PatientID", "PatientName"):
        setattr(data, word, row[word])
    data.Modality, data.SeriesNumber, data.InstanceNumber = row["ModalitiesInStudy"], "1", "1"
    data.AccessionNumber = data.StudyID = ""
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.file_meta.MediaStorageSOPClassUID, data.file_meta.MediaStorageSOPInstanceUID = (
        data.SOPClassUID,
        data.SOPInstanceUID,
    )
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@dataclass
class Pacs:
    """Studies with a series of two instances each, and what is wrong with the archive.

    `cap` cuts answers silently, or with the status `ends`; `ignores` are keys it doesn't match; `breaks` is the number
    of questions after which it aborts an association; `silent` never answers. `counts` tells counts of series and
    instances; `shells` have nothing below them.
    """

    rows: Sequence[Row]
    cap: int | None = None
    ends: int = 0x0000
    ignores: Collection[str] = ()
    breaks: int | None = None
    silent: bool = False
    counts: bool = True
    shells: Collection[str] = ()
    relational: bool = False
    spoil: Callable[[Dataset], Dataset | None] = lambda ds: ds
    asked: list[tuple[str, Dataset]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    opened: int = 0

    def answer(self, event: Any) -> Answers:
        """What C-FIND answers."""
        query = event.identifier
        level = str(query.QueryRetrieveLevel)
        self.asked.append((level, query))
        if self.silent:
            time.sleep(2)
            return
        if self.breaks is not None and len(self.asked) % self.breaks == 0:
            event.assoc.abort()
            return
        found = self._studies(query) if level == "STUDY" else self._below(level, query)
        for number, ds in enumerate(found):
            if event.is_cancelled:
                yield 0xFE00, None
                return
            if self.cap is not None and number == self.cap:
                if self.ends:
                    yield self.ends, None
                return
            yield 0xFF00, self.spoil(ds)

    def _studies(self, query: Dataset) -> Iterator[Dataset]:
        for row in self.rows:
            if all(self._matches(row, word, str(query.get(word) or "")) for word in row):
                ds = Dataset()
                ds.QueryRetrieveLevel = "STUDY"
                for word, value in row.items():
                    if word in query:
                        setattr(ds, word, value)
                if self.counts:
                    empty = row["StudyInstanceUID"] in self.shells
                    ds.NumberOfStudyRelatedSeries, ds.NumberOfStudyRelatedInstances = (0, 0) if empty else (1, 2)
                yield ds

    def _matches(self, row: Row, word: str, wanted: str) -> bool:
        value = row[word]
        if not wanted or word in self.ignores:
            return True
        if word == "ModalitiesInStudy":
            return wanted in value.split("\\")
        if word in ("StudyDate", "StudyTime") and "-" in wanted:
            low, high = wanted.split("-")
            return value != "" and low <= value <= (high or "99999999")
        if wanted.startswith("*"):
            return wanted.strip("*") in value
        return value.startswith(wanted[:-1]) if wanted.endswith("*") else value == wanted

    def _below(self, level: str, query: Dataset) -> Iterator[Dataset]:
        studies = query.StudyInstanceUID
        for study in [studies] if isinstance(studies, str) else studies:
            if study not in {row["StudyInstanceUID"] for row in self.rows} or study in self.shells:
                continue
            for number in range(1 if level == "SERIES" else 2):
                ds = Dataset()
                ds.QueryRetrieveLevel, ds.StudyInstanceUID, ds.SeriesInstanceUID = level, study, f"{study}.1"
                if level == "SERIES":
                    ds.Modality = "CT"
                else:
                    ds.SOPInstanceUID = f"{study}.1.{number}"
                yield ds


@dataclass
class Capped:
    """Another archive's answers, no more than `cap` to a question, without a word."""

    behind: DimseSourceSettings
    cap: int
    relational: bool = False
    asked: list[Dataset] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    opened: int = 0
    association: Any = None

    def answer(self, event: Any) -> Answers:
        """What the other archive answers."""
        self.asked.append(event.identifier)
        if self.association is None:
            self.association = associate(self.behind, [build_context(MODEL)])
        answers = [ds for _, ds in self.association.send_c_find(event.identifier, MODEL) if ds is not None]
        for ds in answers[: self.cap]:
            yield 0xFF00, ds


@contextmanager
def serving(pacs: Any) -> Iterator[int]:
    """A C-FIND SCP; gives its port."""
    entity = AE(ae_title="PACS")
    entity.supported_contexts = [build_context(MODEL), build_context(Verification)]

    def opened(event: Any) -> None:
        pacs.opened += 1

    def agreed(event: Any) -> dict[str, bytes]:
        return dict(event.app_info) if pacs.relational else {}

    handlers = [
        (evt.EVT_C_FIND, pacs.answer),
        (evt.EVT_ESTABLISHED, opened),
        (evt.EVT_SOP_EXTENDED, agreed),
        (evt.EVT_RELEASED, lambda event: pacs.ended.append("released")),
        (evt.EVT_ABORTED, lambda event: pacs.ended.append("aborted")),
    ]
    port = free_port()
    server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
    try:
        yield port
    finally:
        server.shutdown()
