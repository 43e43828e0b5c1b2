"""Examples in blocks: as many as stay close to a processor, one block a thread."""

from __future__ import annotations

import functools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable

    Result = TypeVar("Result")

__all__ = ["cpus", "in_blocks", "threads"]

# Values of the widest array of a block, of which a handful fit into a processor's own cache; and
# those that are worth a thread of their own: with fewer, threads wait for each other's Python.
_BLOCK_VALUES = 1 << 17
_THREAD_VALUES = 1 << 15


def in_blocks(function: Callable[[slice], Result], examples: int, width: int) -> list[Result]:
    """Call a function with every block of examples.

    Parameters
    ----------
    function
        Takes a slice of the examples. It may run in another thread.
    examples
        How many there are.
    width
        How many values an example has in the widest array that the function needs at once.

    Returns
    -------
    list
        What it returned, in the order of the examples.
    """
    workers = max(1, min(cpus(), examples * width // _THREAD_VALUES))
    most = max(1, _BLOCK_VALUES // width)
    parts = max(1, -(-examples // (most * workers))) * workers
    size = max(1, -(-examples // parts))
    blocks = [slice(k, min(k + size, examples)) for k in range(0, examples, size)]
    with _limited, _blas().limit(limits=1):
        if len(blocks) < 2:
            return [function(slice(0, examples))]
        return list(threads().map(function, blocks))


# BLAS would share products out to threads of its own, which spin while they wait for the next:
# where many short products come one after the other, that costs more than it saves. How many it may
# use is a setting of the whole process, so that only one at a time may change it.
_limited = threading.Lock()


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


@functools.cache
def cpus() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def threads() -> ThreadPoolExecutor:
    """Return as many threads as there are processors, the same each time."""
    return ThreadPoolExecutor(cpus(), "lstm-widgets")
