"""The migrate stage: intents to the journal, batches through a few threads, receipts to the journal, the ledger."""

from __future__ import annotations

import fcntl
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import polars as pl

from fonds.archives.base import Kind
from fonds.archives.folder_target import FolderTarget
from fonds.archives.opening import open_sources, open_target
from fonds.errors import ArchiveUnreachable, DefinitionInvalid, GateClosed
from fonds.migrate.send import Receipt, Sender
from fonds.migrate.work import Item, batches, work
from fonds.operations.journal import Journal
from fonds.operations.ledger import ledger
from fonds.operations.runs import Progress, StageResult, StageRun, runs, stage_run
from fonds.project.definitions import read_yaml
from fonds.project.settings import Project

WORKERS = 4  # associations a common archive serves at once; more were measured to bring nothing
ROUNDS = 2  # what was sent without an answer is asked for and sent again once


def migrate(
    project: Project,
    *,
    waves: Sequence[str] | None = None,
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> StageResult:
    """Send every planned object of the waves (all by default) that isn't at the target yet; write `ledger`.

    Each object goes as stored, or with its approved changes and their Original Attributes (PS3.3 C.12.1.1.9). It may
    be killed at any point and run again: intents are on disk before an object is sent, receipts after. One object's
    failure doesn't stop the others; the run is then `partial`. Counts are objects and bytes sent, failed, unknown,
    and gates_closed (sources with studies that a gate holds).
    Raises DefinitionInvalid for an unknown wave, GateClosed when another migrate runs in the project, and
    ArchiveUnreachable when the target answers to nothing.
    """
    chosen = _waves(project, waves)
    with (
        stage_run(project, "migrate", inputs=None, outputs=("ledger",), progress=progress) as run,
        _alone(project),
    ):
        try:
            counts = _Transfer(project, run, chosen, workers).go()
        finally:
            written = _write_ledger(project, run)
        for name in ("sent", "failed", "unknown", "bytes", "gates_closed"):
            run.count(name, counts[name])
        if counts["failed"] + counts["unknown"] + counts["stuck"] + counts["stopped"]:
            run.status = "partial"
        elif not written and not counts["sent"]:
            run.status = "unchanged"
    return run.result()


class _Transfer:
    """One run's sending."""

    def __init__(self, project: Project, run: StageRun, waves: tuple[str, ...] | None, workers: int) -> None:
        self.project, self.run, self.waves, self.workers = project, run, waves, workers
        self.journal, self.target = Journal(project), open_target(project)
        self.counts: Counter[str] = Counter()
        self.total = 0

    def go(self) -> Counter[str]:
        """Send what there is to send; answers the counts."""
        if isinstance(self.target, FolderTarget):
            self.target.tidy()
        for _ in range(ROUNDS):
            found = work(self.project, self.waves)
            # a second round only asks after what stayed without an answer
            items = found.items if not self.counts["rounds"] else [item for item in found.items if item.open]
            if not self.counts["rounds"]:
                self.counts["stuck"] = found.failed
                self._tell(found.outdated)
                self.total = len(items)
                self.run.progress(0, self.total, "objects")
            if not items:
                break
            self.counts["rounds"] += 1
            self.counts["unknown"] = 0
            try:
                self._send(items)
            except ArchiveUnreachable as error:
                if not self.counts["sent"] + self.counts["failed"]:
                    raise
                self.counts["stopped"] = 1
                self.run.left.append(f"{error.message}; what wasn't sent goes with the next run")
                break
        if isinstance(self.target, FolderTarget):
            self.target.tidy()
        if self.counts["unknown"]:
            self.run.left.append(f"{self.counts['unknown']} object(s) were sent without an answer; run migrate again")
        if self.counts["failed"] or self.counts["stuck"]:
            self.run.left.append(
                f"{self.counts['failed'] + self.counts['stuck']} object(s) failed; "
                "see: fonds sql \"select reason, count(*) from ledger where state = 'failed' group by 1\""
            )
        return self.counts

    def _tell(self, outdated: int) -> None:
        if outdated:
            self.run.left.append(f"{outdated} object(s) were sent before their file or an approved change changed")
        held = self.run.catalog.read("ledger").filter(pl.col("state").is_in(["sent", "verified"]))
        plan = self.run.catalog.read("plan").filter(pl.col("state") != "planned")
        shut = plan.filter(pl.col("reason") == "gate")
        self.counts["gates_closed"] = shut["source"].n_unique()
        if shut.height:
            self.run.left.append(f"studies a closed gate holds: {shut['study_uid'].n_unique()}; see `fonds gates`")
        later = held.join(plan, on=["source", "location"], how="semi").height
        if later:
            self.run.left.append(f"{later} object(s) were sent before and are held or excluded now: left at the target")

    def _send(self, items: list[Item]) -> None:
        kinds = {item.kind for item in items}
        refused = kinds - self.target.accepts(kinds)
        sender = Sender(
            self.target,
            open_sources(self.project),
            self.project.settings.system_name,
            coercion_time(self.project),
            frozenset[Kind](refused),
        )
        waiting: deque[tuple[list[Item], Future[list[Receipt]]]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="migrate") as pool:
            try:
                for batch in batches(items):
                    # few intents are open at any time, so few answers can be unknown after a kill
                    if len(waiting) > self.workers:
                        self._receive(*waiting.popleft())
                    self.journal.append(sender.intents(batch))
                    waiting.append((batch, pool.submit(sender.send, batch)))
                while waiting:
                    self._receive(*waiting.popleft())
            except ArchiveUnreachable:
                for batch, future in waiting:
                    if not future.cancel() and future.exception() is None:
                        self._receive(batch, future)
                raise

    def _receive(self, batch: list[Item], future: Future[list[Receipt]]) -> None:
        receipts = future.result()
        self.journal.append(receipts)
        for receipt in receipts:
            self.counts[receipt["state"]] += 1
            self.counts["bytes"] += receipt.get("bytes") or 0
        self.counts["unknown"] += len(batch) - len(receipts)
        done = self.counts["sent"] + self.counts["failed"]
        self.run.progress(min(done, self.total), self.total, "objects")


def coercion_time(project: Project) -> str:
    """The time changed objects state, as DICOM DT in UTC: when the plan was made, so that a resend is byte-identical.

    SOURCE_DATE_EPOCH (seconds since 1970), where set, takes its place, so that two runs apart can be compared.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        at = datetime.fromtimestamp(int(epoch), UTC)
    else:
        plans = runs(project).filter((pl.col("stage") == "plan") & (pl.col("status") != "failed"))
        at = datetime.fromisoformat(plans["started"][-1]) if plans.height else datetime.now(UTC)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at.strftime("%Y%m%d%H%M%S.%f+0000")


def _write_ledger(project: Project, run: StageRun) -> bool:
    frame = ledger(project)
    if frame.equals(run.catalog.read("ledger")):
        return False
    run.replace("ledger", frame)
    return True


def _waves(project: Project, waves: Sequence[str] | None) -> tuple[str, ...] | None:
    if waves is None:
        return None
    known = [str(wave["name"]) for wave in read_yaml(project.find(project.settings.waves))["waves"]]
    unknown = sorted(set(waves) - set(known))
    if unknown:
        raise DefinitionInvalid(
            project.settings.waves, [(None, f"has no wave {', '.join(unknown)}; it has: {', '.join(known)}")]
        )
    return tuple(waves)


@contextmanager
def _alone(project: Project) -> Iterator[None]:
    """Two migrations of one project at once would each take the other's open intents for lost answers."""
    folder = project.root / "journal"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise GateClosed("another migrate is running in this project; wait for it, or stop it") from None
        yield
