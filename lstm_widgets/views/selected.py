"""Timesteps that were chosen together, wherever they stand: spans of them."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Spans = tuple[tuple[int, int, int], ...]


def spans_of(given: Any, sizes: Mapping[str, int]) -> Spans:  # noqa: ANN401 - what a person has set
    """
    Check spans of timesteps, and put them in order.

    Parameters
    ----------
    given : sequence of (int, int, int)
        Example, first timestep, and the one behind the last.
    sizes : dict
        How many of ``"example"`` and ``"timestep"`` there are; what isn't told isn't checked.

    Returns
    -------
    tuple of (int, int, int)
        Rising; what touches or overlaps is one.

    Raises
    ------
    traitlets.TraitError
        If one is none, or out of what there is.

    Examples
    --------
    >>> spans_of([(1, 0, 2), (0, 3, 5), (0, 4, 9)], {})
    ((0, 3, 9), (1, 0, 2))
    """
    most = (sizes.get("example", 2**53), sizes.get("timestep", 2**53))
    found = []
    for span in given:
        try:
            example, start, stop = map(index, span)
        except (TypeError, ValueError) as error:
            raise _wrong(span, sizes) from error
        if not (0 <= example < most[0] and 0 <= start < stop <= most[1]):
            raise _wrong(span, sizes)
        found.append((example, start, stop))
    merged: list[tuple[int, int, int]] = []
    for example, start, stop in sorted(found):
        if merged and merged[-1][0] == example and start <= merged[-1][2]:
            merged[-1] = (example, merged[-1][1], max(stop, merged[-1][2]))
        else:
            merged.append((example, start, stop))
    return tuple(merged)


def marked(spans: Spans, examples: int, timesteps: int) -> NDArray[np.bool_]:
    """
    Tell of each column whether it is in a span.

    Examples
    --------
    >>> marked(((0, 1, 3),), 1, 4).tolist()
    [False, True, True, False]
    """
    found = np.zeros((examples, timesteps), bool)
    for example, start, stop in spans:
        found[example, start:stop] = True
    return found.reshape(-1)


def _wrong(span: object, sizes: Mapping[str, int]) -> traitlets.TraitError:
    there = ""
    if sizes:
        there = f" of {sizes['example']} examples with {sizes['timestep']} timesteps"
    return traitlets.TraitError(
        f"selected_timesteps: expected spans (example, start, stop) with start < stop{there}, "
        f"got {span!r:.80}"
    )
