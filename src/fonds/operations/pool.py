"""Runs the jobs of a stage in processes of this machine or on a Dask cluster, as `runner` of fonds.yaml says."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType
from typing import TypeVar

from fonds.errors import DefinitionInvalid, Transient

Job = TypeVar("Job")
Done = TypeVar("Done")

PAYS_OFF = 10.0
"""Seconds of work that are left when worker processes are started."""
ADDRESS = "dask://"
PATIENCE = 30  # seconds a scheduler may take to answer


def in_processes(work: Callable[[Job], Done], jobs: Sequence[Job], died: Transient) -> Iterator[Done]:
    """What each job was, in their order: by this process, and by others where enough is left to do; raises `died`."""
    started = time.monotonic()
    # the first ones tell whether worker processes, which take a second or two to start, pay off
    for number, job in enumerate(jobs):
        spent = time.monotonic() - started
        if spent > 1 and spent / number * (len(jobs) - number) > PAYS_OFF and processors() > 1:
            yield from _spread(work, jobs[number:], died)
            return
        yield work(job)


def _spread(work: Callable[[Job], Done], jobs: Sequence[Job], died: Transient) -> Iterator[Done]:
    # not fork: a copy of a process with DuckDB's threads can hang
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([work.__module__])
    pool = ProcessPoolExecutor(min(processors(), len(jobs)), mp_context=context)
    try:
        yield from pool.map(work, jobs)
    except BrokenProcessPool:
        raise died from None
    finally:
        pool.shutdown(cancel_futures=True)


def on_dask(runner: str, work: Callable[[Job], Done], jobs: Sequence[Job], died: Transient) -> Iterator[Done]:
    """What each job was, as it is finished; `work` and jobs are pickled. Raises `died` when a job kills its workers,
    Transient when the scheduler doesn't answer, DefinitionInvalid when Dask isn't installed here."""
    address = runner.removeprefix(ADDRESS)
    with _dask(address) as distributed, distributed.Client(address, timeout=PATIENCE) as client:
        # a worker that dies is tried elsewhere; one job that kills three is told
        futures = client.map(work, jobs, pure=False)
        try:
            for _, done in distributed.as_completed(futures, with_results=True):
                yield done
        except distributed.KilledWorker:
            raise died from None
        finally:
            client.cancel(futures, force=True)


@contextmanager
def _dask(address: str) -> Iterator[ModuleType]:
    try:
        import distributed
    except ModuleNotFoundError:
        what = "`runner` names a Dask cluster, but Dask isn't installed here: pip install distributed"
        raise DefinitionInvalid("fonds.yaml", [(None, f"{what} (the version that the scheduler has)")]) from None
    try:
        yield distributed
    except (OSError, distributed.comm.core.CommClosedError) as error:
        raise Transient(
            f"the Dask scheduler at {address} doesn't answer ({type(error).__name__}); start it, or correct `runner` "
            f"in fonds.yaml, and run the stage again"
        ) from None


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))
