"""What a recurrent layer did on some sequences, and the way back through it, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.parallel import in_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["Block", "Sequences", "Steps", "walk_back"]


@dataclass(frozen=True)
class Sequences:
    """What a recurrent layer did: all that it takes to find the way back through it.

    Attributes
    ----------
    cell : Cell
        The cell, in NumPy.
    x : float array (example, timestep, features)
        What the layer received, ``(example, timestep, features)``.
    initial_state : sequence of float array (example, units)
        Hidden state, and for LSTM cell state, before the first timestep: ``(example, units)``.
    signals : mapping of str to float array (example, timestep, units)
        Those of :data:`lstm_widgets.rnn.cells.SIGNALS`, ``(example, timestep, units)``, index t
        for the input's timestep t; hidden and cell state as carried on at padding.
    mask : bool array (example, timestep), optional
        Bool ``(example, timestep)``, False at padding; None: no padding.
    reverse : bool, default False
        Whether the layer read from the end.
    of_inputs : float array (example, timestep, units), optional
        What the inputs alone give to the candidate (of a SimpleRNN: to the hidden state), without biases;
        None: that wasn't kept.
    """

    cell: Cell
    x: Floats
    initial_state: Sequence[Floats]
    signals: Mapping[str, Floats]
    mask: npt.NDArray[np.bool_] | None = None
    reverse: bool = False
    of_inputs: Floats | None = None


@dataclass(frozen=True)
class Block:
    """Some examples of a layer on the way back.

    Attributes
    ----------
    cell, x, initial_state, signals, mask, reverse, of_inputs : as in Sequences
        As :class:`Sequences` has them, of these examples.
    given : float array (example, timestep, units), optional
        What arrives at the hidden state of each timestep, ``(example, timestep, units)``; None:
        nothing.
    last : sequence of float array
        What arrives at the states after the last step, in the order of ``initial_state``.
    of_x : float array
        Room for what arrives at ``x``; of length 1 along the last axis for sums.
    """

    cell: Cell
    x: Floats
    initial_state: Sequence[Floats]
    signals: Mapping[str, Floats]
    mask: npt.NDArray[np.bool_] | None
    reverse: bool
    of_inputs: Floats | None
    given: Floats | None
    last: Sequence[Floats]
    of_x: Floats


def walk_back(
    layer: Sequences,
    walk: Callable[[Block], list[Floats]],
    given: Floats | None,
    last: Sequence[Floats],
    *,
    summed: bool = False,
    at_once: int | None = None,
) -> tuple[Floats, list[Floats]]:
    """Go from a layer's outputs back to its inputs, in blocks of examples.

    Parameters
    ----------
    layer : Sequences
        What it did.
    walk : callable
        Goes back through some examples, fills :attr:`Block.of_x`, and returns what arrives at each
        initial state.
    given : float array (example, timestep, units), optional
        What arrives at the hidden state of each timestep, ``(example, timestep, units)``; None:
        nothing.
    last : sequence of float array
        What arrives at the state that the layer ended with, in the order of ``initial_state``.
    summed : bool, default False
        Whether the walk sums up what arrives at each timestep.
    at_once : int, optional
        How many examples the walk takes at a time; None: so few that all their steps stay close.

    Returns
    -------
    tuple
        What arrives at ``x``, its last axis of length 1 if summed; and at each initial state.
    """
    of_x = np.empty((*layer.x.shape[:2], 1 if summed else layer.x.shape[2]), layer.x.dtype)
    width = 4 * layer.x.shape[1] * layer.cell.units

    def block(some: slice) -> Block:
        return Block(
            layer.cell,
            layer.x[some],
            [state[some] for state in layer.initial_state],
            {name: values[some] for name, values in layer.signals.items()},
            None if layer.mask is None else layer.mask[some],
            layer.reverse,
            None if layer.of_inputs is None else layer.of_inputs[some],
            None if given is None else given[some],
            [arrived[some] for arrived in last],
            of_x[some],
        )

    arrived = in_blocks(lambda some: walk(block(some)), len(of_x), width, at_once)
    return of_x, [np.concatenate(parts) for parts in zip(*arrived, strict=True)]


class Steps:
    """Some examples of a layer, with time as the first axis, in the order of reading.

    What needs nothing of the steps after it is done for all steps at once: products then are large,
    and little is left to do one by one.

    Attributes
    ----------
    x, of_x : float array (timestep, example, features)
        What was received, and room for what arrives there; of length 1 along the last axis for
        sums.
    of_inputs : float array (timestep, example, units), optional
        As :class:`Sequences` has it.
    signals : list of float array (timestep, example, units)
        In the order of :data:`lstm_widgets.rnn.cells.SIGNALS`.
    before : list of float array (timestep, example, units)
        The states before each step, in the order of ``initial_state``.
    last : list of float array (example, units)
        What arrives at the states after the last step.
    """

    def __init__(self, block: Block) -> None:
        def in_order(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return array.swapaxes(0, 1)[:: -1 if block.reverse else 1]

        self.x, self.of_x = in_order(block.x), in_order(block.of_x)
        self.of_inputs = None if block.of_inputs is None else in_order(block.of_inputs)
        self.signals = [in_order(values) for values in block.signals.values()]
        self.before = [
            np.concatenate([state[None], values[:-1]])
            for state, values in zip(block.initial_state, self.signals, strict=False)
        ]
        self.last = block.last
        self._given = None if block.given is None else in_order(block.given)
        self._real = None if block.mask is None else in_order(block.mask)[..., None]

    def backwards(self) -> range:
        """Return the steps, the last one first."""
        return range(len(self.x))[::-1]

    def with_given(self, t: int, arrived: Floats) -> Floats:
        """Add what arrives at the hidden state from later layers to what comes from later steps."""
        return arrived if self._given is None else arrived + self._given[t]

    def real(self, t: int, values: Floats) -> Floats:
        """Put zeros where a step is padding, in place."""
        if self._real is not None:
            np.copyto(values, 0, where=~self._real[t])
        return values

    def carried(self, t: int, new: Floats, old: Floats) -> Floats:
        """Choose between what a step hands on and, at padding, what passes through."""
        return new if self._real is None else np.where(self._real[t], new, old)
