"""Whether a model reads a text piece by piece as it reads it at once: found out by computing both."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.rnn.comparison import TOLERANCES, difference
from lstm_widgets.running.reading import Reading
from lstm_widgets.running.run import prepared, read
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter

__all__ = ["PROBED", "in_pieces"]

# Where the pieces begin and end: some of one timestep among them, as when a text is written.
_CUTS = (0, 31, 32, 33, 62, 63, 64)
#: How many timesteps are read.
PROBED = _CUTS[-1]


def in_pieces(model: Adapter, batch: Callable[[int, int], Any]) -> str:
    """Say how what a model makes of pieces differs from what it makes of all; ``""`` if it doesn't.

    Parameters
    ----------
    model : Adapter
        The model, built.
    batch : callable
        What it is called with for the timesteps from ``start`` to before ``stop``, up to
        :data:`PROBED`.
    """
    try:
        whole, (expected,) = _read(model, batch, (0, PROBED))
        session, outputs = _read(model, batch, _CUTS)
    except Exception as error:  # noqa: BLE001  (the model's own code may raise anything)
        words = re.sub(r"(\x1b\[\d+m|\s)+", " ", str(error))
        return f"in pieces it raises {type(error).__name__}: {words:.200}"
    if whole.units.keys() != session.units.keys():
        return "in pieces it calls other layers than at once"
    for key, unit in whole.units.items():
        for signal, values in unit.signals.items():
            how = _differ(session.units[key].signals[signal], values, unit.tolerance)
            if how:
                return f"in pieces the values of layer {unit.name!r} {how}"
    lengths = [stop - start for start, stop in itertools.pairwise(_CUTS)]
    for parts, at_once in zip(zip(*outputs, strict=True), expected, strict=True):
        over_time = all(
            part.ndim > 1 and part.shape[1] == length
            for part, length in zip(parts, lengths, strict=True)
        )
        ours = np.concatenate(parts, axis=1) if over_time else parts[-1]
        how = _differ(ours, at_once, TOLERANCES.get(at_once.dtype.name, TOLERANCES["float32"]))
        if how:
            return f"in pieces its outputs {how}"
    return ""


def _differ(ours: npt.NDArray[Any], at_once: npt.NDArray[Any], tolerance: float) -> str:
    """Say how arrays differ by more than rounding, measured by the largest value that there is."""
    if ours.shape != at_once.shape:
        return f"have shape {ours.shape}, at once {at_once.shape}"
    values = at_once.astype(np.float64)
    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0
    found = difference(ours / size, values / size)
    return "" if found <= tolerance else f"differ by {found * size:.3g} from those at once"


def _read(
    model: Adapter, batch: Callable[[int, int], Any], cuts: Sequence[int]
) -> tuple[Session, list[list[Any]]]:
    """Read some pieces; return what was recorded, and the outputs of each."""
    session = Session(
        Selection(model.layers, None, None),
        Reading("pieces", cuts[-1]),
        check=False,
        tolerance=None,
        every_output=True,
    )
    outputs = []
    with prepared(model, session) as run:
        for start, stop in itertools.pairwise(cuts):
            made = read(run, batch(start, stop), start, stop, session)
            outputs.append(list(made.values()))
    return session, outputs
