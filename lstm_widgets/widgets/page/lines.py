"""What the page is told of lines over time, and its questions: js/src/data/lines.js is the page's side.

=============  =======================================  ==========================================
wanted         request                                  answer
=============  =======================================  ==========================================
lines          ``[[key, example, level, block]]``       a buffer each: float32 values of level 0, else
                                                        float32 (2, run), the lowest and the highest
largest        ``[layer, signal]``                      the largest magnitude of a signal, a number
=============  =======================================  ==========================================

A key is ``[kind, index, layer, signal]``, see `lstm_widgets.views.lines.Key`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.recording.masks import padding_of
from lstm_widgets.recording.rows import Rows
from lstm_widgets.views.lines import Key, Lines, counted
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import xarray as xr


#: The most stretches of padding that the page is told of.
_MOST_STRETCHES = 20_000


def answer_lines(lines: Lines, request: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
    """
    Answer a request of the page for lines.

    Parameters
    ----------
    lines : Lines
    request : dict
        See the table above.

    Returns
    -------
    tuple of (dict, list of bytes)
    """
    reply: dict[str, Any] = {"id": request["id"], "lines": request["lines"]}
    buffers = []
    for key, example, level, block in request["lines"]:
        line = lines.line(Key(*key), int(example))
        buffers.append(line.tile(int(level), int(block)).tobytes())
    return reply, buffers


def tops_of(lines: Lines, keys: Iterable[Key], example: int) -> tuple[list[Any], bytes]:
    """Give the coarsest level of some lines, as answers to requests, one behind the other."""
    asked, parts = [], []
    for key in keys:
        line = lines.line(key, example)
        asked.append([list(key), example, line.top, 0])
        parts.append(line.tile(line.top, 0).tobytes())
    return asked, b"".join(parts)


def rows_of(
    lines: Lines, keys: Sequence[Key], examples: tuple[int, int]
) -> tuple[dict[str, Any], bytes]:
    """
    Give all values of some lines.

    Parameters
    ----------
    lines : Lines
    keys : sequence of Key
    examples : tuple of int
        The first, and that after the last.

    Returns
    -------
    tuple of (dict, bytes)
        What is there: ``keys`` and ``examples``; and float32 (key, example, timestep).
    """
    parts = [lines.values(key, example).tobytes() for key in keys for example in range(*examples)]
    return {"keys": [list(key) for key in keys], "examples": list(examples)}, b"".join(parts)


def size_of(lines: Lines, keys: Iterable[Key], examples: int) -> int:
    """Give how many bytes all values of some lines take."""
    counts = (lines.layer(k.layer).sizes["timestep"] if k.layer else lines.timesteps for k in keys)
    return 4 * examples * sum(counts)


def axes_of(lines: Lines, layers: Iterable[str]) -> tuple[dict[str, Any], bytes]:
    """
    Tell where timesteps stand: those of the series, by the name "", and those of each layer.

    Returns
    -------
    tuple of (dict, bytes)
        Of each what `ShownTimes.described` tells, its ``count`` of timesteps, and of those that are only
        counted ``counted``, the first and the step; where times don't follow few steps, ``at``: where they
        stand among the bytes, for all examples or for each. Of a layer also its ``padding``: stretches
        ``[start, stop]`` of each example.
    """
    held = bytearray()
    axes: dict[str, Any] = {}
    if lines.series is not None:
        axes[""] = _axis(lines.series, held)
    for name in layers:
        dataset = lines.layer(name)
        axes[name] = _axis(dataset, held) | {"padding": _padding(dataset)}
    return axes, bytes(held)


def _axis(array: xr.DataArray | xr.Dataset, held: bytearray) -> dict[str, Any]:
    count = array.sizes["timestep"]
    times = shown_times(array)
    if times is None:
        return {"kind": "timestep", "count": count, "counted": counted(array)}
    told = times.described() | {"count": count}
    if "runs" in told:
        return told
    stretches = []
    for example in range(len(times.values)):
        start = len(held)
        held.extend(times.packed(example))
        stretches.append([start, len(held)])
    return told | {"at": stretches}


def _padding(dataset: xr.Dataset) -> list[list[list[int]]]:
    """Give the stretches of padding of each example; none at all if there are too many."""
    if "mask" not in dataset:
        return []
    found: list[list[list[int]]] = []
    mask, left = Rows(dataset["mask"]), _MOST_STRETCHES
    for example in range(dataset.sizes["example"]):
        padding = padding_of(mask, dataset.sizes["timestep"], example)
        left -= len(padding)
        if left < 0:
            return []
        found.append(padding.tolist())
    return found
