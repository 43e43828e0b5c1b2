# PyTorch's tensors have types that say nothing of their shapes: Any.
# ruff: noqa: ANN401
"""How the tensors that a module returns stand: which of their axes are examples and timesteps.

A module may return sequences with time first, whatever it takes, or all timesteps of all examples along
one axis, ``(example · timestep, symbol)``, as the loss wants them. A shape alone doesn't tell, least of all
that of a single timestep: so the module once reads a few examples of a few timesteps.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.models.inputs import leaves, mapped

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Kind = Literal["examples", "time", "examples in one", "time in one", "none"]

__all__ = ["Layout", "few"]

#: How many examples, and timesteps, are read to find out.
FEW = (3, 5)


class Layout:
    """How the tensors that a module returns stand, as far as it is known."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    @property
    def known(self) -> bool:
        """Whether it is."""
        return bool(self._kinds)

    def learn(self, read: Callable[[Any], Mapping[str, Any]], batch: Any, main: int) -> None:
        """Find it out.

        Parameters
        ----------
        read : callable
            Calls the module with its own loops, and returns its tensors by name.
        batch : array or list of array
            A few examples.
        main : int
            Which of the arrays is ``(example, timestep, ...)``.
        """
        shape = leaves(batch)[main].shape
        if len(shape) < 2:
            return

        @functools.cache
        def alone() -> Mapping[str, Any]:
            return read(mapped(lambda one: one[:1], batch)) if shape[0] > 1 else outputs

        try:
            outputs = read(batch)
            self._kinds = {
                name: _kind(value, shape[:2], lambda name=name: alone().get(name))  # type: ignore[misc]
                for name, value in outputs.items()
            }
        except Exception:  # noqa: BLE001  (the module takes no such sequences: shapes have to tell)
            return

    def examples_first(self, name: str, value: Any, examples: int) -> Any:
        """Bring a tensor into the order ``(example, ...)``; None of one that has no examples."""
        kind = self._kinds.get(name, "none")
        if kind == "none":
            return None
        if kind == "time":
            value = value.transpose(0, 1) if value.ndim > 1 else value
        elif kind in ("examples in one", "time in one"):
            if value.shape[0] % examples:
                return None
            timesteps = value.shape[0] // examples
            first = (examples, timesteps) if kind == "examples in one" else (timesteps, examples)
            value = value.reshape(*first, *value.shape[1:])
            value = value if kind == "examples in one" else value.transpose(0, 1)
        return value if value.shape[0] == examples else None


def few(first: Any, main: int = 0) -> Any:
    """Take a few examples of what a module is to read; of one array also a few timesteps.

    ``main`` tells which array has timesteps. If there are too few, some are taken over and over.
    """
    examples, timesteps = FEW
    shape = leaves(first)[main].shape
    if len(shape) < 2 or not shape[0] * shape[1]:
        return first
    if not hasattr(first, "shape"):
        rows = np.arange(examples - (shape[1] == examples))  # so that axes can be told apart
        return mapped(lambda one: one[rows % len(one)], first)
    row = first[0][np.arange(examples * timesteps) % first.shape[1]]
    return row.reshape(examples, timesteps, *first.shape[2:])


def _kind(value: Any, shape: tuple[int, ...], alone: Callable[[], Any]) -> Kind:
    """Tell how a tensor stands, of so many examples and timesteps; ``alone`` gives the first example's."""
    examples, timesteps = shape
    axes = tuple(value.shape)
    if axes[:1] == (examples,):
        return "examples"
    if axes[:2] == (timesteps, examples):
        return "time"
    if axes[:1] != (examples * timesteps,):
        return "none"
    own = alone()
    if own is None or own.shape[0] != timesteps:
        return "none"
    by_example, by_time = value[:timesteps], value[::examples]
    apart = [float((one - own).abs().amax()) for one in (by_example, by_time)]
    return "examples in one" if apart[0] <= apart[1] else "time in one"
