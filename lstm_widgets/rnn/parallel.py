"""Examples in blocks: as many as stay close to a processor, one block a thread."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Item = TypeVar("Item")
    Result = TypeVar("Result")

__all__ = ["alone", "cpus", "in_blocks", "mapped", "resting"]

# Values of the widest array of a block, of which a handful fit into a processor's own cache; and
# those that are worth a thread of their own: with fewer, threads wait for each other's Python.
_BLOCK_VALUES = 1 << 17
_THREAD_VALUES = 1 << 15


def in_blocks(
    function: Callable[[slice], Result], examples: int, width: int, at_once: int | None = None
) -> list[Result]:
    """Call a function with every block of examples.

    Parameters
    ----------
    function : callable
        Takes a slice of the examples. It may run in another thread.
    examples : int
        How many there are.
    width : int
        How many values an example has in the widest array that the function needs at once.
    at_once : int, optional
        How many examples it takes at a time; None: as many as stay close by that width.

    Returns
    -------
    list
        What it returned, in the order of the examples.
    """
    workers = max(1, min(cpus(), examples * width // _THREAD_VALUES))
    most = at_once or max(1, _BLOCK_VALUES // width)
    parts = max(1, -(-examples // (most * workers))) * workers
    size = max(1, -(-examples // parts))
    blocks = [slice(k, min(k + size, examples)) for k in range(0, examples, size)]
    with alone():
        return mapped(function, blocks or [slice(0, 0)])


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let no other work that is shared out run meanwhile, and BLAS not share out its products."""
    with _limited, _blas().limit(limits=1):
        yield


def mapped(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function with each item, in this thread and as many others as there are processors.

    Parameters
    ----------
    function : callable
        What to call.
    items : sequence of Item
        With what.

    Returns
    -------
    list
        What it returned, in the order of the items.
    """
    todo = deque(range(len(items)))
    results: dict[int, Result] = {}

    def work() -> None:
        while True:
            try:
                k = todo.popleft()
            except IndexError:
                return
            results[k] = function(items[k])

    count = min(cpus(), len(items)) - 1
    if count > 0:
        for rest in _spinning:
            rest()
    others = [_threads().submit(work) for _ in range(count)]
    try:
        work()
    finally:
        todo.clear()
        wait(others)
    for other in others:
        other.result()
    return [results[k] for k in range(len(items))]


# What ends the threads of other libraries that would spin for some milliseconds longer, waiting for work
# of theirs, while ours want their processors.
_spinning: list[Callable[[], object]] = []


def resting(rest: Callable[[], object]) -> None:
    """Tell how threads of another library are sent to rest, in the thread that last gave them work.

    Parameters
    ----------
    rest : callable
        Called with nothing whenever work of ours is about to be shared out.
    """
    _spinning.append(rest)


# BLAS would share products out to threads of its own, which spin while they wait for the next:
# where many short products come one after the other, that costs more than it saves. How many it may
# use is a setting of the whole process, so that only one at a time may change it.
_limited = threading.Lock()


@functools.cache
def _blas() -> ThreadpoolController:
    # Compiled code uses SciPy's, which has to be there to be found.
    import scipy.linalg.cython_blas  # noqa: F401, PLC0415

    return ThreadpoolController().select(user_api="blas")


@functools.cache
def cpus() -> int:
    """Count the processors that this process may use: one where there are no threads, in Pyodide."""
    if sys.platform == "emscripten":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cpus(), "lstm-widgets")
