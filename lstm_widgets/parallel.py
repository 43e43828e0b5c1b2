"""Examples in blocks: as many as stay close to a processor, one block a thread."""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Result = TypeVar("Result")

__all__ = ["cpus", "in_blocks", "product", "threads"]

# Multiply-adds of one product. OpenBLAS shares larger ones out to threads of its own, which spin
# while they wait for the next: where many short products come one after the other, that costs more
# than it saves, and much more when other processes run.
_PRODUCT = 1 << 18
# With fewer rows at a time it would be one of vectors, with fewer columns mostly overhead.
_LEAST_ROWS, _LEAST_COLUMNS = 8, 16
# Values of the widest array of a block, of which a handful fit into a processor's own cache; and
# those that are worth a thread of their own.
_BLOCK_VALUES = 1 << 16
_THREAD_VALUES = 1 << 13


def product(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Multiply ``(rows, n)`` and ``(n, m)``, in the thread that asks for it."""
    if a.size * b.shape[1] <= _PRODUCT or len(a) == 1:
        plain: npt.NDArray[Any] = a @ b
        return plain
    result = np.empty((len(a), b.shape[1]), np.result_type(a, b))
    columns = max(_LEAST_COLUMNS, _PRODUCT // (_LEAST_ROWS * max(1, len(b))))
    for k in range(0, b.shape[1], columns):
        _multiply(a, b[:, k : k + columns], result[:, k : k + columns])
    return result


def _multiply(a: npt.NDArray[Any], b: npt.NDArray[Any], out: npt.NDArray[Any]) -> None:
    """Hand the rows to BLAS a few at a time, without a loop in Python."""
    rows = max(1, _PRODUCT // max(1, b.size))
    whole = len(a) // rows * rows
    of_a, of_out = a[:whole], out[:whole]
    np.matmul(of_a.reshape(-1, rows, a.shape[1]), b, out=of_out.reshape(-1, rows, b.shape[1]))
    np.matmul(a[whole:], b, out=out[whole:])


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
    parts = 1
    if examples * width >= 2 * _THREAD_VALUES:
        most = max(1, _BLOCK_VALUES // width)
        parts = -(-examples // (most * cpus())) * cpus()
    size = max(1, -(-examples // parts))
    blocks = [slice(k, min(k + size, examples)) for k in range(0, examples, size)]
    if len(blocks) < 2:
        return [function(slice(0, examples))]
    return list(threads().map(function, blocks))


@functools.cache
def cpus() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def threads() -> ThreadPoolExecutor:
    """Return as many threads as there are processors, the same each time."""
    return ThreadPoolExecutor(cpus(), "lstm-widgets")
