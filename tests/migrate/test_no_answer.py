"""An object the target never answered for: the next run asks what the target holds, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from fonds.migrate import migrate
from tests.archives.nodes import free_port, target_yaml
from tests.migrate.moving import ledger, project


class Target:
    """Takes everything, answers C-FIND by what it took, and breaks the association at `deadly` objects."""

    def __init__(self) -> None:
        self.held, self.deadly, self.seen = set[str](), {"1.2.3.1.1.2"}, list[str]()

    def store(self, event: Any) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        self.seen.append(uid)
        if uid in self.deadly:
            event.assoc.abort()
        else:
            self.held.add(uid)
        return 0x0000

    def find(self, event: Any) -> Iterator[tuple[int, Dataset]]:
        wanted = event.identifier
        uids = sorted(uid for uid in self.held if uid.startswith(f"{wanted.StudyInstanceUID}."))
        series = sorted({uid.rpartition(".")[0] for uid in uids})
        image = wanted.QueryRetrieveLevel == "IMAGE"
        for uid in uids if image else series:
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.StudyInstanceUID = wanted.QueryRetrieveLevel, wanted.StudyInstanceUID
            answer.SeriesInstanceUID = uid.rpartition(".")[0] if image else uid
            if image:
                answer.SOPInstanceUID = uid
            yield 0xFF00, answer

    @contextmanager
    def serving(self, port: int) -> Iterator[None]:
        from pynetdicom import AE, AllStoragePresentationContexts, evt
        from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind, Verification

        entity = AE(ae_title="TARGET")
        entity.supported_contexts = AllStoragePresentationContexts[:120]
        entity.add_supported_context(Verification)
        entity.add_supported_context(StudyRootQueryRetrieveInformationModelFind)
        handlers = [(evt.EVT_C_STORE, self.store), (evt.EVT_C_FIND, self.find)]
        server = entity.start_server(("127.0.0.1", port), block=False, evt_handlers=handlers)
        try:
            yield
        finally:
            server.shutdown()


def _given_up(folder: Path) -> tuple[Any, Target, int]:
    port = free_port()
    made = project(folder, target=target_yaml(port, "TARGET", timeout=5), studies=1)
    target = Target()
    with target.serving(port):
        assert migrate(made, workers=1).status == "partial"
    return made, target, port


def test_what_the_target_took_without_answering_is_found_there_and_not_sent_again(tmp_path: Path) -> None:
    made, target, port = _given_up(tmp_path)
    assert ledger(made)["s1/i2.dcm"] == ("failed", "no-answer")
    target.held.add("1.2.3.1.1.2")
    sent = len(target.seen)
    with target.serving(port):
        assert migrate(made, workers=1).status == "done"
    assert ledger(made)["s1/i2.dcm"] == ("sent", "found-at-target")
    assert len(target.seen) == sent


def test_what_the_target_does_not_hold_is_sent_by_the_next_run_and_once_a_run(tmp_path: Path) -> None:
    made, target, port = _given_up(tmp_path)
    before = target.seen.count("1.2.3.1.1.2")
    with target.serving(port):
        again = migrate(made, workers=1)
    assert (again.status, again.counts["failed"]) == ("partial", 1)
    assert target.seen.count("1.2.3.1.1.2") == before + 1
    target.deadly.clear()
    with target.serving(port):
        assert migrate(made, workers=1).status == "done"
    assert {state for state, _ in ledger(made).values()} == {"sent"}
