"""Points of state space as the page gets them: all at once if they are few, else what it asks for.

The page's side is js/src/data/points.js. A question has ``space``, one of these:

===========  ==================  =================================================================
wanted       question            answer
===========  ==================  =================================================================
component    its number          a buffer: uint16, from the lowest place to the highest
columns      ``True``            a buffer: uint32, the column that each point is
tokens       ``True``            the commonest, and a buffer: uint8, which of them each point has
labels       ``True``            the same of labels
values       the cell            a buffer: uint8 codes of its values, as of tiles
series       kind and number     the lowest and the highest, and a buffer: uint8, from one to the
                                 other, 255 for none
place        a column            a buffer: exact float32, one a component
===========  ==================  =================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.tokens.wording import sendable
from lstm_widgets.views.lines import Key
from lstm_widgets.views.space import OTHER, series_at
from lstm_widgets.widgets.page.tiles import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.recording.levels import Levels
    from lstm_widgets.views.lines import Lines
    from lstm_widgets.views.space import Classes, Space

#: Points whose places take at most so many bytes travel at once, and need no kernel.
WHOLE_BYTES = 2 * 1024 * 1024
_STEPS = 65_535


def described(space: Space, layer: str, signal: str, series: Sequence[Key]) -> dict[str, Any]:
    """Tell the page which points there are, and along what."""
    ranges = space.ranges.tolist()
    return {
        "layer": layer,
        "signal": signal,
        "points": len(space),
        "total": space.total,
        "components": [
            {"name": sendable(name), "share": share, "low": low, "high": high}
            for name, share, (low, high) in zip(space.names, space.shares, ranges, strict=True)
        ],
        "series": [[key.kind, key.number] for key in series],
        "held": [],
    }


def held(
    space: Space, lines: Lines, series: Sequence[Key], *, exact: bool
) -> tuple[list[list[Any]], list[bytes]]:
    """
    Give all at once but the values of cells.

    Parameters
    ----------
    space : Space
    lines : Lines
    series : list of Key
        Those that have a value at each timestep.
    exact : bool
        Whether as float32; else as uint16, as they are asked for.

    Returns
    -------
    tuple of (list, list of bytes)
        What each part is, with how it is told; and the parts.
    """
    parts: list[tuple[list[Any], bytes]] = [
        (["columns", True, {}], space.columns.astype(np.uint32).tobytes())
    ]
    for which in range(space.components):
        places = space.component(which)
        values = places.tobytes() if exact else _quantised(space, which).tobytes()
        parts.append((["component", which, {"exact": exact}], values))
    for kind, classes in (("tokens", space.tokens), ("labels", space.labels)):
        if classes is not None:
            parts.append(([kind, True, _told(classes)], classes.codes.tobytes()))
    for key in series:
        told, (codes,) = _series(space, lines, key)
        parts.append((["series", [key.kind, key.number], told], codes))
    return [[*what, len(values)] for what, values in parts], [values for _, values in parts]


def size_of(space: Space) -> int:
    """How many bytes the exact places of all points take."""
    return 4 * len(space) * (space.components + 1)


def answer_space(
    space: Space, levels: Levels, lines: Lines, wanted: Sequence[Any]
) -> tuple[dict[str, Any], list[bytes]]:
    """Answer one question: what is told, and the buffers."""
    kind, which = wanted[0], wanted[1]
    if kind == "component":
        return {"exact": False}, [_quantised(space, which).tobytes()]
    if kind == "columns":
        return {}, [space.columns.astype(np.uint32).tobytes()]
    if kind == "place":
        return {}, [space.at(which).tobytes()]
    if kind in ("tokens", "labels"):
        classes = space.tokens if kind == "tokens" else space.labels
        if classes is None:
            raise ValueError(f"space: there are no {kind}")
        return _told(classes), [classes.codes.tobytes()]
    if kind == "values":
        values = space.taken(lambda start, stop: levels.read(start, stop, which))
        return {}, [encode(values, levels.statistics.largest[which]).tobytes()]
    if kind == "series":
        return _series(space, lines, Key(*which))
    raise ValueError(f"space: unknown question {kind!r}")


def _quantised(space: Space, which: int) -> NDArray[np.uint16]:
    low, high = space.ranges[which]
    share = (space.component(which) - low) / (high - low) if high > low else 0.0
    codes: NDArray[np.uint16] = np.rint(
        np.broadcast_to(np.clip(share, 0, 1) * _STEPS, len(space))
    ).astype(np.uint16)
    return codes


def _told(classes: Classes) -> dict[str, Any]:
    return {"names": classes.names, "counts": classes.counts}


def _series(space: Space, lines: Lines, key: Key) -> tuple[dict[str, Any], list[bytes]]:
    values = series_at(space, lines, key)
    known = np.isfinite(values)
    low, high = (float(f(values[known])) if known.any() else 0.0 for f in (np.min, np.max))
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    codes = np.where(known, np.rint(np.nan_to_num(share) * (OTHER - 1)), OTHER)
    return {"low": low, "high": high}, [codes.astype(np.uint8).tobytes()]
