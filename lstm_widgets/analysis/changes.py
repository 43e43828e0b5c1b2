"""Why a cell's state changed: js/src/data/changes.js in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from lstm_widgets.recording.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lstm_widgets.recording import Recording

    Values = NDArray[np.float64]

#: What layers started from, kept for as long as their recording.
_initial: WeakKeyDictionary[Recording, dict[str, NDArray[np.float32] | None]] = WeakKeyDictionary()
#: Below this share, a state before is not worked out from the one after.
_LEAST_SHARE = 0.01
#: How far the two sides of an equation of float32 values may be apart.
_ROUNDING = 2.0**-20


class Rule(NamedTuple):
    """How a kind of cell changes its state."""

    state: str
    symbol: str
    gate: str | None
    kept: str
    written: str


RULES = {
    "LSTM": Rule("cell_state", "c", "forget_gate", "(f − 1)·c₋₁", "i·g"),
    "GRU": Rule("hidden_state", "h", "update_gate", "(z − 1)·h₋₁", "(1 − z)·h̃"),
}
PLAIN_RULE = Rule("hidden_state", "h", None, "", "")


def initial_of(recording: Recording, layer: str) -> NDArray[np.float32] | None:
    """
    Give the states that each call of a layer started from: float32 (example, call, cell).

    None where they aren't known, and of a recording window by window, where what came before a
    timestep is the state within its own window.
    """
    if recording.tree.attrs.get("window"):
        return None
    kept = _initial.setdefault(recording, {})
    if layer not in kept:
        dataset = recording[layer]
        state = RULES.get(dataset.attrs.get("kind", ""), PLAIN_RULE).state
        states: NDArray[np.float32] | None
        given = dataset.coords.get(f"initial_{state}")
        if given is not None and "calls" not in dataset.attrs and _all_zero(Rows(given, axes=1)):
            # As most are, which takes no room.
            states = np.broadcast_to(np.float32(0), (given.shape[0], 1, *given.shape[1:]))
        else:
            states = recording.initial_states(layer, state)
            if states is not None and not states.any():
                states = np.broadcast_to(np.float32(0), states.shape)
        kept[layer] = states
    return kept[layer]


def _all_zero(rows: Rows) -> bool:
    """Tell whether there is nothing but zeros, a block at a time."""
    step = rows.block
    return not any(rows[start : start + step].any() for start in range(0, len(rows), step))


def started(
    initial: NDArray[np.float32],
    columns: NDArray[np.int_],
    calls: Sequence[int],
    *,
    backwards: bool,
) -> Values:
    """
    Give the states of one cell before some columns, if a call starts there, else NaN: float64.

    Parameters
    ----------
    initial : float32 array (example, call)
        The states that calls start from.
    columns : int array
        ``example * timesteps + timestep``.
    calls : sequence of int
        The numbers of timesteps of the calls.
    backwards : bool
        Whether each of them reads from its end.
    """
    ends = np.cumsum(calls)
    examples, timesteps = np.divmod(columns, max(1, ends[-1]))
    first = ends - 1 if backwards else ends - calls
    call = np.searchsorted(first, timesteps)
    call = np.minimum(call, len(first) - 1)
    inside = (first[call] == timesteps) & (examples >= 0) & (examples < len(initial))
    values = np.full(columns.shape, np.nan)
    values[inside] = initial[examples[inside], call[inside]]
    return values


class Changes(NamedTuple):
    """What happened to the state at each timestep; NaN where it can't be known."""

    keep: Values
    write: Values
    change: Values


def changes(
    kind: str,
    signals: Mapping[str, Values],
    beside: Values,
    padded: NDArray[np.bool_],
    tolerance: float,
) -> Changes:
    """
    Split the change of a state into what was lost of it and what was written.

    Parameters
    ----------
    kind : str
        ``"LSTM"``, ``"GRU"`` or another, of which nothing is kept.
    signals : dict of float64 array (column,)
        The recorded signals of one cell.
    beside : float64 array (column,)
        The state at the timestep read before; NaN where there is none.
    padded : bool array (column,)
        Which columns are padding: nothing changes there.
    tolerance : float
        By which the recording may differ from the model.
    """
    rule = RULES.get(kind, PLAIN_RULE)
    unknown = np.full(beside.shape, np.nan)

    def of(signal: str) -> Values:
        return signals.get(signal, unknown)

    state = of(rule.state)
    if rule.gate is None:
        change = np.where(padded, 0, state - beside)
        return Changes(np.where(padded, 0, unknown), np.where(padded, 0, unknown), change)
    share = of(rule.gate)
    write = (of("input_gate") if kind == "LSTM" else 1 - share) * of("candidate")
    with np.errstate(invalid="ignore", divide="ignore"):
        size = np.abs(state) + np.abs(write)
        near = max(_ROUNDING, tolerance) * np.fmax(size, np.abs(beside))
        unchecked = np.isnan(state) | np.isnan(share) | np.isnan(write)
        leads = ~np.isnan(beside) & (unchecked | (np.abs(share * beside + write - state) <= near))
        left = state - write
        solved = np.where(np.abs(left) <= _ROUNDING * size, 0, left / share)
        solved[unchecked | (np.abs(share) < _LEAST_SHARE)] = np.nan
        before = np.where(leads, beside, solved)
        parts = ((share - 1) * before, write, state - before)
    return Changes(*(np.where(padded, 0, part) for part in parts))
