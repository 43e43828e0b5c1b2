"""Why a cell's state changed: js/src/core/gates.js in NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Values = NDArray[np.float64]

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
