"""Runs shards where `runner` of fonds.yaml says: in processes of this machine or on a Dask cluster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from fonds.crawl.shard import ShardDone, ShardJob, leave_interrupts_to_parent, read_shard
from fonds.errors import Transient
from fonds.operations.pool import ADDRESS, on_dask


def run_shards(runner: str, jobs: Sequence[ShardJob], workers: int) -> Iterator[ShardDone]:
    """What each shard was, as it is finished; raises Transient when workers die, and then finished shards are kept."""
    if runner.startswith(ADDRESS):
        yield from on_dask(runner, read_shard, jobs, _died(jobs[0].source_name if jobs else ""))
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
