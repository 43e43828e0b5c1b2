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

__all__ = ["alone", "cpus", "in_blocks", "mapped", "one_thread", "resting", "threads_here"]

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
    if _here.alone:
        yield
        return
    with _limited, _blas().limit(limits=1):
        _here.alone = True
        try:
            yield
        finally:
            _here.alone = False


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let what runs here meanwhile have this thread only, beside others of a process that is a worker.

    From the first time on, BLAS doesn't share out products anywhere in this process: how many threads it
    may use is a setting that only one thread can change, and change back.
    """
    _blas_of_worker()
    with _share(alone=True):
        yield


class _Here(threading.local):
    """What is true of this thread."""

    shared = False  # whether it has a share of something, which is not to be shared out again
    alone = False  # whether :func:`alone` holds, here or for whoever shared it out


_here = _Here()


@contextlib.contextmanager
def _share(*, alone: bool) -> Iterator[None]:
    before = _here.shared, _here.alone
    _here.shared, _here.alone = True, alone
    try:
        yield
    finally:
        _here.shared, _here.alone = before


def mapped(function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Call a function with each item, in this thread and as many others as there are processors.

    What one of several calls shares out itself, it has only its own thread for.

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
    count = min(threads_here(), len(items)) - 1
    if count < 1:
        return [function(item) for item in items]
    todo = deque(range(len(items)))
    results: dict[int, Result] = {}
    by_one = _here.alone

    def work() -> None:
        with _share(alone=by_one):
            while True:
                try:
                    k = todo.popleft()
                except IndexError:
                    return
                results[k] = function(items[k])

    for rest in _spinning:
        rest()
    others = [_threads().submit(work) for _ in range(count)]
    try:
        work()
    finally:
        todo.clear()
        # One that hasn't begun has nothing left to do, and might stand behind the work of others.
        begun = [other for other in others if not other.cancel()]
        wait(begun)
    for other in begun:
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
def _blas_of_worker() -> None:
    """Set the number of BLAS's threads in this process for good, unless it is one anyway."""
    if any(library.num_threads != 1 for library in _blas().lib_controllers):
        _blas().limit(limits=1)


@functools.cache
def cpus() -> int:
    """Count the processors that this process may use: one where there are no threads, in Pyodide."""
    if sys.platform == "emscripten":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_here() -> int:
    """Count the threads that :func:`mapped` shares work out to, here and now."""
    return 1 if _here.shared else cpus()


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cpus(), "lstm-widgets")
