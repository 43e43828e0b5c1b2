"""PyTorch's threads, which wait for their next work busily.

OpenMP's threads spin for some milliseconds after they have done their part: while ours work, they would
take half of a processor's time each (measured on two: 17 ms for a loop that takes 10 without them).
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

import torch
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["of_little_work", "rest"]

# OpenMP 5.0, section 3.2.44: what was set stays set; threads are there again when they are needed.
_SOFT = 1


def rest() -> None:
    """Let go of the threads that this thread gave work to."""
    for pause in _pauses():
        pause(_SOFT)


@contextlib.contextmanager
def of_little_work() -> Iterator[None]:
    """Let PyTorch work in this thread alone meanwhile.

    To wake others, or to start those again that were let go, takes longer than a few steps of a few examples
    do; where other processes have the processors, milliseconds.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def _pauses() -> list[Callable[[int], int]]:
    libraries = ThreadpoolController().select(user_api="openmp").lib_controllers
    found = (getattr(one.dynlib, "omp_pause_resource_all", None) for one in libraries)
    return [pause for pause in found if pause is not None]
