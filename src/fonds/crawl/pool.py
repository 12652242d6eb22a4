"""Runs shards where `runner` of fonds.yaml says: in processes of this machine or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import ModuleType

from fonds.crawl.shard import ShardDone, ShardJob, leave_interrupts_to_parent, read_shard
from fonds.errors import DefinitionInvalid, Transient

ADDRESS = "dask://"
PATIENCE = 30  # seconds a scheduler may take to answer


def run_shards(runner: str, jobs: Sequence[ShardJob], workers: int) -> Iterator[ShardDone]:
    """What each shard was, as it is finished; raises Transient when workers die, and then finished shards are kept."""
    if runner.startswith(ADDRESS):
        yield from _on_dask(runner.removeprefix(ADDRESS), jobs)
    elif workers == 1:
        yield from map(read_shard, jobs)
    else:
        yield from _in_processes(jobs, workers)


def _died(name: str) -> Transient:
    return Transient(
        f"source {name}: a worker process died while reading (out of memory?); run the crawl again, finished shards "
        f"are kept",
        source=name,
    )


def _in_processes(jobs: Sequence[ShardJob], workers: int) -> Iterator[ShardDone]:
    # Not fork: a copy of a process with Polars' and Delta's threads can hang. Not spawn: each worker would spend
    # seconds on imports, which the fork server does once and before any thread exists.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["fonds.crawl.shard"])
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=leave_interrupts_to_parent)
    done = False
    try:
        futures = [pool.submit(read_shard, job) for job in jobs]
        for future in as_completed(futures):
            yield future.result()
        done = True
    except BrokenProcessPool:
        raise _died(jobs[0].source_name) from None
    finally:
        if not done:  # whoever interrupts doesn't wait for shards that are half read: they leave nothing
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
        pool.shutdown(cancel_futures=True)


def _on_dask(address: str, jobs: Sequence[ShardJob]) -> Iterator[ShardDone]:
    with _dask(address) as distributed, distributed.Client(address, timeout=PATIENCE) as client:
        # a worker that dies is tried elsewhere; one shard that kills three is told
        futures = client.map(read_shard, jobs, pure=False)
        try:
            for _, done in distributed.as_completed(futures, with_results=True):
                yield done
        except distributed.KilledWorker:
            raise _died(jobs[0].source_name) from None
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
            f"in fonds.yaml; finished shards are kept"
        ) from None


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))
