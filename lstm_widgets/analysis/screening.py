"""What cells do, without any concept: which are switches, which remember, which are dead."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.screened_blocks import Screened, screened
from lstm_widgets.recording.blockwise import blocks_of, blockwise
from lstm_widgets.recording.expecting import expect_recording

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
        Read block by block.
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

    if not 0 < saturation < 0.5:
        raise ValueError(f"saturation: expected a number between 0 and 0.5, got {saturation!r}")
    expect_recording("recording", recording)
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
    tables = []
    for name in layers:
        has = recording.signals(name)
        gates = [gate for gate in GATES if gate in has]
        layer = recording[name]
        layer = layer[[*dict.fromkeys([signal, *gates]), *(["mask"] if "mask" in layer else [])]]
        layer = layer.drop_vars(list(layer.coords))
        cuts = blocks_of(layer)
        function = partial(screened, signal, gates, threshold, saturation)
        summaries = blockwise(function, cuts, desc=f"screening {name}")
        begins = [block.timesteps.start == 0 for block in cuts]
        cells = int(layer.sizes["cell"])
        found = Screened.of(cells, zip(begins, summaries, strict=True))
        columns: dict[str, Any] = {"layer": name, "cell": np.arange(cells)}
        for gate in gates:
            columns |= _saturation(found, gate, cells)
        tables.append(pd.DataFrame(columns | _values(found, cells)))
    table = pd.concat(tables, ignore_index=True)
    table.attrs["saturation"] = saturation
    return table


def _saturation(found: Screened | None, gate: str, cells: int) -> dict[str, Floats]:
    nothing = np.full(cells, np.nan)
    names = [f"{gate}_left", f"{gate}_right"]
    if gate in KEEPING:
        names.append("time_constant")
    if found is None:
        return dict.fromkeys(names, nothing)
    unknown, left, right, mean = found.gates[gate]
    with np.errstate(divide="ignore"):
        columns = zip(names, (left, right, 1 / (1 - mean)), strict=False)
        return {name: np.where(unknown, np.nan, column) for name, column in columns}


def _values(screened: Screened | None, cells: int) -> dict[str, Any]:
    if screened is None:
        nothing = np.full(cells, np.nan)
        names = ("bimodality", "persistence", "median_run", "on")
        reason = np.full(cells, "no timestep", object)
        return dict.fromkeys(names, nothing) | {"dead": np.zeros(cells, bool), "reason": reason}
    n, known = screened.n, screened.known
    flat = screened.low == screened.high
    columns = {
        "bimodality": _bimodality(n, screened.moments, flat),
        "persistence": screened.persistence,
        "median_run": screened.median_run,
        "on": screened.on,
    }
    why = {
        "bimodality": np.where(flat & (n > _LEAST), "never changes", f"{_count(n)} only"),
        "persistence": np.where(
            flat & (screened.pairs > 0), "never changes", "1 timestep an example"
        ),
        "median_run": np.full(cells, "never on"),
    }
    found = {name: np.where(known, column, np.nan) for name, column in columns.items()}
    return found | {
        "dead": (screened.high - screened.low < STILL) & known & (n > 1),
        "reason": np.array([_reason(row, known, found, why) for row in range(cells)], object),
    }


def _bimodality(n: int, moments: Floats, flat: npt.NDArray[np.bool_]) -> Floats:
    """Sarle's coefficient of central moments; NaN of less than four values, or equal ones."""
    coefficient = np.full(len(flat), np.nan)
    if n <= _LEAST or flat.all():
        return coefficient
    second, third, fourth = moments[:, ~flat]
    skewness = np.sqrt(n * (n - 1)) / (n - 2) * third / second**1.5
    even = 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))
    kurtosis = (n**2 - 1) / ((n - 2) * (n - 3)) * fourth / second**2 - even
    coefficient[~flat] = (skewness**2 + 1) / (kurtosis + even)
    return coefficient


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
