"""What marks that stand in pairs have in common: where they find their partners, and how deep they lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from lstm_widgets.concepts.concept import Concept, Kind, Scope, described, of_tokens
from lstm_widgets.concepts.example import Pair, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lstm_widgets.concepts.example import Track

#: From a text, and where a part of it begins and ends, to the pairs of marks in it.
Finding: TypeAlias = "Callable[[str, int, int], Iterable[Pair]]"

# An empty line ends a paragraph.
EMPTY_LINE = re.compile(r"\n[ \t\r\f\v]*\n|\r[ \t]*\r|\u2029")
_BREAKS = {"line": re.compile(r"[\n\r\u2028\u2029]"), "paragraph": EMPTY_LINE}


def paired(
    kind: Kind, scope: Scope
) -> Callable[[Callable[[Iterator[Stretch], Scope], Iterator[Track]]], Concept]:
    """Make a concept of marks that stand in pairs; the scope is where the partner is looked for.

    The function gives an array for each stretch, of its characters.
    """

    def concept(function: Callable[[Iterator[Stretch], Scope], Iterator[Track]]) -> Concept:
        def scoped(stretches: Iterator[Stretch], within: Scope) -> Iterator[Track]:
            return of_tokens(stretches, lambda ours: function(ours, within), Stretch.at_last)

        return Concept(
            function.__name__,
            kind,
            lambda stretches: scoped(stretches, scope),
            described(function),
            scoped,
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


def depths(
    stretches: Iterator[Stretch], within: Scope, find: Finding
) -> Iterator[npt.NDArray[np.intp]]:
    """Count the pairs that are open at each character: from the opening mark to before the closing.

    What a mark comes to is known at the end of its part only. Until then it is a byte a character.

    Parameters
    ----------
    stretches : iterator of Stretch
        All of an example.
    within : {"line", "paragraph", "document"}
        In which parts marks have to find their partners.
    find : callable
        From the text, and where a part begins and ends, to its pairs, in any order. No two have a
        mark in common.
    """
    todo: Iterator[Pair] | None = None
    steps = np.zeros(0, np.int8)
    found, level = 0, 0
    for stretch in stretches:
        begin, end = stretch.span
        text = stretch.example.text
        if todo is None:
            todo = iter(parts(text, within))
        while found < end:
            part = next(todo)
            found = part[1]
            if found - begin > len(steps):
                more = max(found, end) - begin - len(steps)
                steps = np.concatenate([steps, np.zeros(more, np.int8)])
            for start, stop in find(text, *part):
                steps[start - begin] += 1
                steps[stop - begin] -= 1
        depth = level + np.cumsum(steps[: end - begin], dtype=np.intp)
        yield depth
        level = int(depth[-1]) if len(depth) else level
        steps = steps[end - begin :]
