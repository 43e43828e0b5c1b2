"""One small sample of each public widget, without a framework, for any host: a kernel imports this file.

Beside those, what hosts treat differently: widgets in boxes, and values that the page has to ask for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import dependencies
import ipywidgets
import numpy as np
import recordings
import relevances
import tiny

import lstm_widgets as lw

if TYPE_CHECKING:
    from collections.abc import Callable


class Sample(NamedTuple):
    """A widget, and what is shown: itself, or that it stands in."""

    widget: Any
    shown: Any


def _finder() -> lw.CellFinder:
    recording, said = recordings.prose(), [lw.concepts.vowel]
    ranking = lw.rank_cells(recording, said, shifts=20, seed=3)
    return lw.CellFinder(recording, said, ranking=ranking)


def _relevances() -> lw.RelevanceHeatmap:
    relevance = relevances.sentences()
    return lw.RelevanceHeatmap(
        relevance,
        targets=relevances.truth(relevance),
        class_names=["negative", "positive"],
        recording=relevances.recorded(relevance),
    )


def _what_if() -> lw.WhatIf:
    symbols = "abcde"
    text = "".join(np.random.default_rng(1).choice([*symbols], 120))
    return lw.WhatIf(tiny.Tiny(stepped=False), text, vocabulary=symbols, cell=1)


def _comparison() -> lw.CellComparison:
    one, other = recordings.prose(cells=8), recordings.prose()
    return lw.CellComparison(lw.compare_cells(one, other, shifts=0), one, other)


#: By the name of a widget that is public.
WIDGETS: dict[str, Callable[[], Any]] = {
    "CellComparison": _comparison,
    "CellFinder": _finder,
    "CellGrid": lambda: lw.CellGrid(recordings.prose(), tracks=[lw.concepts.vowel]),
    "DependencyHeatmap": lambda: lw.DependencyHeatmap(dependencies.two()),
    "ExampleGrid": lambda: lw.ExampleGrid(recordings.sums(), cell=3),
    "Explorer": lambda: lw.Explorer(recordings.written_signals(), cell=5),
    "GateInspector": lambda: lw.GateInspector(recordings.gates("LSTM"), cell=3),
    "RelevanceHeatmap": _relevances,
    "SeriesPlot": lambda: lw.SeriesPlot(recordings.rivers(), cell=1, timestep=700),
    "StateSpace": lambda: lw.StateSpace(recordings.prose(), tracks=[lw.concepts.vowel]),
    "TextHeatmap": lambda: lw.TextHeatmap(recordings.guessed(), cell=5, guesses=True),
    "WhatIf": _what_if,
}
#: Values that don't travel whole: the page asks the kernel for what is in view.
LARGE = "values on demand"
BOXED = "in boxes"


def _boxed() -> Sample:
    one, other = (lw.CellGrid(recordings.prose(), cell=cell) for cell in (3, 4))
    inner = ipywidgets.Tab([ipywidgets.VBox([one])])
    return Sample(one, ipywidgets.HBox([inner, other]))


SAMPLES: dict[str, Callable[[], Sample]] = {
    **{name: lambda make=make: Sample(*[make()] * 2) for name, make in WIDGETS.items()},
    LARGE: lambda: Sample(*[lw.CellGrid(recordings.long_text(), timestep=3)] * 2),
    BOXED: _boxed,
}


def make() -> dict[str, Sample]:
    """Make all of them, by name."""
    return {name: sample() for name, sample in SAMPLES.items()}
