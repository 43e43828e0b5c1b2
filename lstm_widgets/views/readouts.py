"""What a probe reads of concepts, and its scores in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.views.lines import Readout

if TYPE_CHECKING:
    from lstm_widgets.analysis.probes.result import Probe

#: What a score has to be held against, and how that is called beside it.
_BESIDE = {"best cell": "best cell", "calendar": "calendar alone", "null": "null"}


def readouts(probe: Probe) -> dict[str, Readout]:
    """
    Give what a probe reads of each concept from the whole state, of what was held out.

    Parameters
    ----------
    probe : Probe

    Returns
    -------
    dict of Readout
        By the names of the concepts.
    """
    return {
        str(name): Readout(
            values.transpose("example", "timestep"),
            _told(probe, str(name)),
        )
        for name, values in probe.prediction.data_vars.items()
    }


def _told(probe: Probe, name: str) -> str:
    """Tell the score of the whole state, and what it has to be held against."""
    table = probe.table
    rows = table[table["concept"] == name].set_index("protocol")
    measure = "AUROC" if (rows["kind"] == "yes_no").any() else "R²"
    score = _digits(float(rows["score"]["whole state"]))
    parts = [f"read from {table.attrs['cells']} cells, held out: {measure} {score}"]
    for protocol, words in _BESIDE.items():
        value = float(rows["score"].get(protocol, np.nan))
        if np.isfinite(value):
            parts.append(f"{words} {_digits(value)}")
    return " · ".join(parts)


def _digits(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
