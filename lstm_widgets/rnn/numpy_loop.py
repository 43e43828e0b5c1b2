"""The plain loop: the equations as they stand, step by step on arrays.

It serves where the compiled loop doesn't: for activations that have no name there, for half
precision, and where Numba can't be had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.cells import KINDS, step
from lstm_widgets.rnn.parallel import in_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell, Holds, Lookup

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["scan", "take_step"]


def _as_is(_name: str, values: Floats) -> Floats:
    return values


def take_step(
    cell: Cell,
    inputs: Floats,
    state: Sequence[Floats],
    nudge: float = 0.0,
    hold: Callable[[str, Floats], Floats] = _as_is,
) -> tuple[Floats, ...]:
    """Compute all signals of one timestep.

    Parameters
    ----------
    cell : Cell
        The cell.
    inputs : float array (example, features)
        ``(example, features)``.
    state : sequence of float array (example, units)
        Hidden, and for LSTM cell state, before the step: ``(example, units)``.
    nudge : float, default 0.0
        How far what goes into the activations is moved, as a multiple of the sizes of all that is
        summed up there: with the rounding unit of a dtype, about as far as rounding moves it.
    hold : callable, optional
        From a signal's name and its values to those that the cell goes on with.

    Returns
    -------
    tuple
        The signals in the order of :data:`lstm_widgets.rnn.cells.KINDS`, ``(example, units)``.
    """
    cell = cell.in_numpy()
    with np.errstate(all="ignore"):  # NaN and infinite weights are shown, not reported
        z = cell.taken(inputs)
        if nudge:
            sizes = np.abs(inputs) @ np.abs(cell.kernel)
            sizes += np.abs(state[0]) @ np.abs(cell.recurrent_kernel)
            if cell.bias is not None:
                sizes += np.abs(cell.bias).reshape(-1, sizes.shape[1]).sum(axis=0)
            z = z + nudge * sizes
        signals = _signals(cell, z, state, hold)
        if nudge and cell.projection is not None:  # whose sums are rounded, too
            let_through = np.abs(signals[-1] * cell.activation(signals[1]))
            signals = (signals[0] + nudge * let_through @ np.abs(cell.projection), *signals[1:])
        return signals


def _signals(
    cell: Cell,
    from_inputs: Floats,
    state: Sequence[Floats],
    hold: Callable[[str, Floats], Floats],
) -> tuple[Floats, ...]:
    """Take the step, given the products of the inputs."""
    z = from_inputs if cell.input_bias is None else from_inputs + cell.input_bias
    if cell.kind in ("LSTM", "ProjectedLSTM", "SimpleRNN"):
        z = z + state[0] @ cell.recurrent_kernel
    return step(cell, z, state, hold=hold)


def scan(
    cell: Cell,
    sequences: Floats,
    initial_state: Sequence[Floats],
    mask: npt.NDArray[np.bool_] | None,
    out: Mapping[str, Floats],
    *,
    reverse: bool = False,
    held: Holds | None = None,
    of_inputs: Floats | None = None,
    lookup: Lookup | None = None,
) -> list[Floats]:
    """Run a cell over whole sequences, see :func:`lstm_widgets.rnn.scan.scan`."""
    del lookup
    half = cell.dtype if cell.dtype.itemsize < 4 else None
    cell = cell.in_numpy()
    dtype = cell.dtype
    examples, timesteps, _ = sequences.shape
    state = [np.array(s, dtype) for s in initial_state]

    def run(some: slice) -> None:
        def hold(name: str, values: Floats) -> Floats:
            if held and name in held:
                which, to = held[name]
                values = np.where(which[some], to[some].astype(dtype), values)
            # A layer in half precision rounds each signal to it.
            return values if half is None else values.astype(half).astype(dtype)

        with np.errstate(all="ignore"):
            for t in reversed(range(timesteps)) if reverse else range(timesteps):
                before = [s[some] for s in state]
                products = cell.taken(sequences[some, t].astype(dtype, copy=False))
                if of_inputs is not None:
                    of_inputs[some, t] = products[:, cell.candidate]
                values = _signals(cell, products, before, hold)
                if mask is not None:
                    real = mask[some, t, None]
                    count = KINDS[cell.kind].states
                    carried = (np.where(real, n, b) for n, b in zip(values, before, strict=False))
                    values = (*carried, *values[count:])
                for s, value in zip(state, values, strict=False):
                    s[some] = value
                for name, value in zip(KINDS[cell.kind].signals, values, strict=True):
                    if name in out:
                        out[name][some, t] = value

    in_blocks(run, examples, cell.widest)
    return state
