"""What cells do, without any concept: which are switches, which remember, which are dead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis import blocks
from lstm_widgets.recording.masks import mask_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

    from lstm_widgets.recording import Recording

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["screen_cells"]

#: The gates, which are between 0 and 1.
GATES = ("input_gate", "forget_gate", "output_gate", "update_gate", "reset_gate")
#: Those that tell how much of its state a cell keeps: f of an LSTM, z of a GRU.
KEEPING = ("forget_gate", "update_gate")
#: A cell whose largest and smallest value are closer than this is dead.
STILL = 0.01
# The excess kurtosis of a sample divides by the number of its values less this.
_LEAST = 3


def screen_cells(
    recording: Recording,
    *,
    signal: str = "hidden_state",
    layers: str | Sequence[str] | None = None,
    threshold: float = 0.3,
    saturation: float = 0.1,
) -> pd.DataFrame:
    r"""Measure what each cell does, without any concept.

    Parameters
    ----------
    recording : Recording
        If opened from a file, it is read block by block.
    signal : str, default "hidden_state"
        The signal that is measured, beside the gates.
    layers : str or sequence of str, optional
        One layer or several. Default: all that have the signal.
    threshold : float, default 0.3
        The magnitude of activation from which a cell counts as on.
    saturation : float, default 0.1
        How near to 0 or 1 a gate has to be to count as saturated.

    Returns
    -------
    pandas.DataFrame
        One row for each cell; NaN if the cell has values that aren't finite.

        - ``layer, cell``
        - ``forget_gate_left, forget_gate_right`` and so on, for each gate that was recorded: the
          share of timesteps at which it is saturated, below ``saturation`` or above
          1 - ``saturation``. (As in Karpathy, Johnson & Fei-Fei 2015, arXiv:1506.02078.)
        - ``time_constant``: :math:`1 / (1 - \bar f)`, about how many timesteps a cell remembers, of
          the mean forget gate :math:`\bar f` (of a GRU, the mean update gate).
        - ``bimodality``: Sarle's coefficient, :math:`(g^2 + 1) / (k + 3 (n-1)^2 / ((n-2)(n-3)))` of
          sample skewness g and sample excess kurtosis k, both bias-corrected; above 5/9, that of
          a uniform distribution, the cell may be a switch.
        - ``persistence``: the autocorrelation of its values at a lag of one timestep.
        - ``median_run``: the median length of the runs in which it is on, in timesteps; NaN if it
          never is.
        - ``on``: the share of timesteps at which it is on.
        - ``dead``: whether all its values (two or more) are within 0.01 of each other.
        - ``reason``: why a value is NaN, such as ``"never on: no median_run"``; else "".

        `saturation_figure` draws how often gates are saturated. ``attrs["saturation"]`` is the argument.

    Raises
    ------
    ValueError
        If a layer hasn't the signal, or an argument doesn't fit.

    Examples
    --------
    >>> lw.screen_cells(recording).query("bimodality > 5 / 9")["cell"].tolist()
    [1]
    """
    import pandas as pd  # noqa: PLC0415
    from tqdm.auto import tqdm  # noqa: PLC0415

    if not 0 < saturation < 0.5:
        raise ValueError(f"saturation: expected a number between 0 and 0.5, got {saturation!r}")
    if not threshold > 0:
        raise ValueError(f"threshold: expected a number greater than 0, got {threshold!r}")
    if layers is None:
        layers = tuple(name for name in recording.layers if signal in recording.signals(name))
    else:
        layers = (layers,) if isinstance(layers, str) else tuple(layers)
        if not layers:
            raise ValueError("layers: expected one or more, or None for all; got none")
    for name in layers:
        if signal not in (has := recording.signals(name)):
            raise ValueError(
                f"signal: expected one of {', '.join(map(repr, has))} of layer {name!r}, "
                f"got {signal!r}"
            )
    if not layers:
        known = dict.fromkeys(each for name in recording.layers for each in recording.signals(name))
        raise ValueError(f"signal: expected one of {', '.join(map(repr, known))}, got {signal!r}")
    masks = {name: mask_of(recording[name]) for name in layers}
    work = [
        (name, cells)
        for name in layers
        for cells in blocks.blocks_of(recording[name].sizes["cell"], int(masks[name].sum()))
    ]
    tables = []
    for name, cells in tqdm(work, desc="screening", unit="block", leave=False):
        columns: dict[str, Any] = {"layer": name, "cell": np.array(cells)}
        has = recording.signals(name)
        for gate in GATES:
            if gate in has:
                values = blocks.read(recording[name][gate], masks[name], cells)
                columns |= _saturation(values, gate, saturation)
        values = blocks.read(recording[name][signal], masks[name], cells)
        columns |= _values(values, _first(masks[name]), threshold)
        tables.append(pd.DataFrame(columns))
    table = pd.concat(tables, ignore_index=True)
    table.attrs["saturation"] = saturation
    return table


def _first(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Tell which of the timesteps that aren't padding are the first of their example."""
    first = np.zeros(mask.shape, bool)
    rows = np.flatnonzero(mask.any(axis=1))
    if len(rows):
        first[rows, np.argmax(mask[rows], axis=1)] = True
    return np.asarray(first[mask])


def _saturation(values: Floats, gate: str, saturation: float) -> dict[str, Floats]:
    unknown = ~np.all(np.isfinite(values), axis=1, keepdims=True)
    if not values.shape[1]:
        unknown[:] = True
        values = np.full((len(values), 1), np.nan)
    columns = {
        f"{gate}_left": (values < saturation).mean(axis=1),
        f"{gate}_right": (values > 1 - saturation).mean(axis=1),
    }
    if gate in KEEPING:
        with np.errstate(divide="ignore", invalid="ignore"):
            columns["time_constant"] = 1 / (1 - values.mean(axis=1, dtype=np.float64))
    return {name: np.where(unknown[:, 0], np.nan, column) for name, column in columns.items()}


def _values(values: Floats, first: npt.NDArray[np.bool_], threshold: float) -> dict[str, Any]:
    n = values.shape[1]
    if not n:
        nothing = np.full(len(values), np.nan)
        names = ("bimodality", "persistence", "median_run", "on")
        dead = np.zeros(len(values), bool)
        reason = np.full(len(values), "no timestep", object)
        return dict.fromkeys(names, nothing) | {"dead": dead, "reason": reason}
    known = np.all(np.isfinite(values), axis=1)
    values = np.where(known[:, None], values, 0)
    away = values - values.mean(axis=1, keepdims=True, dtype=np.float64)
    on = np.abs(values) >= threshold
    columns = {
        "bimodality": _bimodality(away),
        "persistence": _persistence(away, ~first[1:]),
        "median_run": np.array([_median_run(row, first) for row in on]),
        "on": on.mean(axis=1),
    }
    flat = (away**2).mean(axis=1) == 0
    steps = (~first[1:]).any()
    why = {
        "bimodality": np.where(flat & (n > _LEAST), "never changes", f"{_count(n)} only"),
        "persistence": np.where(flat & steps, "never changes", "1 timestep an example"),
        "median_run": np.full(len(values), "never on"),
    }
    found = {name: np.where(known, column, np.nan) for name, column in columns.items()}
    return found | {
        "dead": (np.ptp(values, axis=1) < STILL) & known & (n > 1),
        "reason": np.array([_reason(row, known, found, why) for row in range(len(values))], object),
    }


def _bimodality(values: npt.NDArray[np.float64]) -> Floats:
    """Sarle's coefficient of rows; NaN of less than four values, or equal ones."""
    # Imported here: only who screens pays for it.
    from scipy import stats  # noqa: PLC0415

    n = values.shape[1]
    changing = np.ptp(values, axis=1) > 0
    coefficient = np.full(len(values), np.nan)
    if n > _LEAST and changing.any():
        rows = values[changing]
        skewness = stats.skew(rows, axis=1, bias=False)
        kurtosis = stats.kurtosis(rows, axis=1, bias=False)
        even = 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
        coefficient[changing] = (skewness**2 + 1) / (kurtosis + even)
    return coefficient


def _persistence(away: npt.NDArray[np.float64], later: npt.NDArray[np.bool_]) -> Floats:
    """Correlate rows with what follows one timestep later, where ``later`` says that it does."""
    one, next_one = away[:, :-1][:, later], away[:, 1:][:, later]
    lengths = (one**2).sum(axis=1) * (next_one**2).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((one * next_one).sum(axis=1) / np.sqrt(lengths))


def _count(timesteps: int) -> str:
    return f"{timesteps} timestep{'s' * (timesteps != 1)}"


def _reason(
    row: int,
    known: npt.NDArray[np.bool_],
    found: dict[str, Floats],
    why: dict[str, npt.NDArray[Any]],
) -> str:
    """Say in words what could not be told of a cell, and why."""
    if not known[row]:
        return "values that aren't finite"
    missing: dict[str, list[str]] = {}
    for name, reasons in why.items():
        if np.isnan(found[name][row]):
            missing.setdefault(str(reasons[row]), []).append(name)
    return "; ".join(f"{reason}: no {' and '.join(names)}" for reason, names in missing.items())


def _median_run(on: npt.NDArray[np.bool_], first: npt.NDArray[np.bool_]) -> float:
    """How long the cell is on when it is on: the median of runs, which end with their example."""
    if not on.any():
        return float("nan")
    before = np.append(False, on[:-1]) & ~first
    after = np.append(on[1:] & ~first[1:], False)
    return float(np.median(np.flatnonzero(on & ~after) - np.flatnonzero(on & ~before) + 1))
