"""A function over many items on several processes, results in the order of the items.

Workers are started afresh ("spawn"): a fork would copy open database connections and locks held by other threads. So
the function must be one of a module, and items and results must be what pickle can carry.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from ledger.errors import StoreError, problem

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 3
"""Items read ahead for each worker, so that none waits for the reader; more would only cost memory."""


def available_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(function: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[tuple[T, R]]:
    """Each item with function(item), in the order of the items; at most jobs * AHEAD items are held at a time.

    jobs: number of processes, at least 1; with 1 everything runs in this one.
    Raises: what the function raises; StoreError if a worker ended without an answer.
    """
    if jobs == 1:
        for item in items:
            yield item, function(item)
        return
    waiting: deque[tuple[T, Future[R]]] = deque()
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        for item in items:
            waiting.append((item, pool.submit(function, item)))
            if len(waiting) == jobs * AHEAD:
                first, result = waiting.popleft()
                yield first, result.result()
        while waiting:
            first, result = waiting.popleft()
            yield first, result.result()
    except BrokenProcessPool as error:
        next_step = "Look for what ended it, such as too little memory; or use one process: --jobs 1."
        raise StoreError(problem("/jobs", "a worker that ended before its work", "its results", next_step)) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
