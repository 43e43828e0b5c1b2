"""What marks that stand in pairs have in common: where they find their partners, and how deep they lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstm_widgets.concepts.concept import Concept, Kind, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lstm_widgets.concepts.example import Example, Pair

# An empty line ends a paragraph.
EMPTY_LINE = re.compile(r"\n[ \t\r\f\v]*\n|\r[ \t]*\r|\u2029")
_BREAKS = {"line": re.compile(r"[\n\r\u2028\u2029]"), "paragraph": EMPTY_LINE}


def paired(
    kind: Kind, scope: Scope
) -> Callable[[Callable[[Example, Scope], npt.ArrayLike]], Concept]:
    """Make a concept of marks that stand in pairs; the scope is where the partner is looked for."""

    def concept(function: Callable[[Example, Scope], npt.ArrayLike]) -> Concept:
        description = " ".join((function.__doc__ or "").split("\n\n")[0].split())
        return Concept(
            function.__name__, kind, lambda example: function(example, scope), description, function
        )

    return concept


def parts(text: str, within: Scope) -> Iterable[Pair]:
    """Cut a text into the stretches in which marks have to find their partners."""
    start = 0
    if within != "document":
        for match in _BREAKS[within].finditer(text):
            yield start, match.end()
            start = match.end()
    yield start, len(text)


def depth(text: str, pairs: Iterable[Pair]) -> npt.NDArray[np.float64]:
    """Count the pairs that are open at each character: from the opening mark to before the closing."""
    steps = np.zeros(len(text))
    for start, stop in pairs:
        steps[start] += 1
        steps[stop] -= 1
    return np.cumsum(steps)
