"""Which loop runs a recurrent cell over sequences: the compiled one, or else the plain one."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn import numpy_loop

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    import numpy.typing as npt

    from lstm_widgets.rnn.cells import Cell, Holds, Lookup

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["compiled_module", "scan", "scan_last"]


@functools.cache
def compiled_module(name: str) -> ModuleType | None:
    """Load a module of compiled loops, and Numba with it; None where Numba can't be had."""
    if importlib.util.find_spec("numba") is None:
        return None
    return importlib.import_module(f"lstm_widgets.rnn.{name}")


def _compiled() -> ModuleType | None:
    return compiled_module("compiled")


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
    """Run a cell over whole sequences and write its signals into ``out``.

    Parameters
    ----------
    cell : Cell
        The cell.
    sequences : float array (example, timestep, features)
        ``(example, timestep, features)``, of the cell's dtype.
    initial_state : sequence of float array (example, units)
        Hidden, and for LSTM cell state, ``(example, units)``.
    mask : bool array (example, timestep), optional
        Bool ``(example, timestep)``, False where a timestep is padding: the state then passes
        through unchanged. None: no padding.
    out : mapping of str to float array (example, timestep, units)
        Signal name → array ``(example, timestep, units)`` to fill; names that are missing are not
        kept. Index t is the input's timestep t, also with ``reverse``. Hidden and cell state are
        those carried on, at padding that of the step before; gates are as computed.
    reverse : bool, default False
        Read the sequences from their end.
    held : Holds, optional
        What is held, see :data:`lstm_widgets.rnn.cells.Holds`. None: nothing.
    of_inputs : float array (example, timestep, units), optional
        Array ``(example, timestep, units)`` to fill with what the inputs alone give to the candidate (of
        a SimpleRNN: to the hidden state), without biases. None: it isn't kept.
    lookup : Lookup, optional
        The table that the vectors of ``sequences`` are rows of, if that is known: products with each are
        then made once.

    Returns
    -------
    list
        The state after the last step, like ``initial_state``; half precision is promoted to
        float32.
    """
    compiled = _compiled()
    run = compiled.scan if compiled is not None and compiled.serves(cell) else numpy_loop.scan
    return run(
        cell,
        sequences,
        initial_state,
        mask,
        out,
        reverse=reverse,
        held=held,
        of_inputs=of_inputs,
        lookup=lookup,
    )


def scan_last(
    cell: Cell,
    sequences: Floats,
    initial_state: Sequence[Floats],
    mask: npt.NDArray[np.bool_] | None,
    *,
    names: Sequence[str],
    hidden: Floats | None = None,
    reverse: bool = False,
    held: Holds | None = None,
) -> tuple[dict[str, Floats], list[Floats], list[Floats]]:
    """Run a cell over whole sequences, but keep its signals of the last step only.

    Parameters
    ----------
    cell, sequences, initial_state, mask, reverse, held : as for scan
        As for :func:`scan`.
    names : sequence of str
        The signals to keep.
    hidden : float array (example, timestep, units), optional
        Array ``(example, timestep, units)`` to fill with the hidden states of every step, or None.

    Returns
    -------
    dict, list, list
        Signal name → array ``(example, units)`` (float64 if the cell computes in it, else float32)
        at the last timestep read; the state before that step; and the state after it.
    """
    examples, timesteps, _ = sequences.shape
    if reverse:
        most, last = slice(1, None), slice(0, 1)
    else:
        most, last = slice(0, timesteps - 1), slice(timesteps - 1, None)

    def run(part: slice, state: Sequence[Floats], out: dict[str, Floats]) -> list[Floats]:
        if hidden is not None:
            out["hidden_state"] = hidden[:, part]
        real = None if mask is None else mask[:, part]
        return scan(cell, sequences[:, part], state, real, out, reverse=reverse, held=held)

    before = run(most, initial_state, {})
    dtype = np.float64 if cell.dtype == np.float64 else np.float32
    out = {n: np.empty((examples, min(timesteps, 1), cell.width(n)), dtype) for n in names}
    after = run(last, before, out)
    return {name: out[name][:, 0] for name in names}, before, after
