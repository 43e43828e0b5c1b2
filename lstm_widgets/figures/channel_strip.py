"""The channels that were read, as small lines above columns: js/src/canvas/channel_strip.js in a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.figures.sheet import LINES
from lstm_widgets.tokens.wording import in_line, sendable, short_range
from lstm_widgets.views.lines import Key, Lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lstm_widgets.colours import Colour
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.snapshot import Snapshot

#: No more channels are drawn.
_MOST = 8
_EDGE = 3


def channels_of(shown: Snapshot) -> list[tuple[str, str]]:
    """Give the names and units of the channels above the columns of a layer; none above tokens."""
    lines = shown.lines
    if lines is None or lines.series is None or shown.layer["tokens"]:
        return []
    layer = lines.layer(shown.layer["name"])
    known = {"time", "position"} & set(map(str, layer.coords))
    if not known and layer.sizes["timestep"] != lines.timesteps:
        return []
    return lines.channels[:_MOST]


def strip_height(shown: Snapshot) -> int:
    """Give how high all of them are."""
    channels = channels_of(shown)
    return len(channels) * _pitch(len(channels))


def _pitch(count: int) -> int:
    return 26 if count <= 4 else 16


def draw_channels(
    sheet: Sheet,
    shown: Snapshot,
    examples: list[tuple[int, int, int]],
    x: Callable[[int], float],
    *,
    gutter: int,
    right: float,
    top: float,
) -> None:
    """
    Draw a line a channel.

    Parameters
    ----------
    sheet : Sheet
    shown : Snapshot
    examples : list of (int, int, int)
        Which examples are in the picture, and of each the first timestep and that after the last.
    x : callable
        Gives the place of the middle of a column.
    gutter : int
        Where columns begin; names stand before.
    right, top : float
        Where they end, and where the strip begins.
    """
    lines = shown.lines
    if lines is None:
        return
    channels = channels_of(shown)
    pitch = _pitch(len(channels))
    for number, (name, unit) in enumerate(channels):
        y = top + number * pitch
        key = Key("channel", number)
        every = [lines.line(key, example) for example, _, _ in examples]
        extents = [extent for line in every if (extent := line.extent()) is not None]
        low = min((extent[0] for extent in extents), default=np.nan)
        high = max((extent[1] for extent in extents), default=np.nan)
        theme = sheet.theme
        colour = theme.lines[number % len(theme.lines)]
        _names(sheet, (name, unit), (low, high), colour, right=gutter - 6, y=y, pitch=pitch)
        scale = (pitch - 2 * _EDGE - 1) / (high - low) if high > low else 0.0
        floor = y + pitch - _EDGE - 0.5 if scale else y + pitch / 2
        zero = floor + low * scale if low < 0 < high else y + pitch - 1
        sheet.box((gutter, round(zero), right, round(zero) + 1), theme.line, LINES)
        for line, (example, first, stop) in zip(every, examples, strict=True):
            at = _in_series(lines, shown.layer["name"], example, slice(first, stop))
            begin = int(at.min(initial=0))
            values = np.clip(line.read(begin, int(at.max(initial=0)) + 1)[at - begin], low, high)
            columns = range(first + example * shown.timesteps, stop + example * shown.timesteps)
            places = np.array([x(column) for column in columns])
            heights = floor - (values - low) * scale
            sheet.stroke(np.stack([places, heights], axis=1), 1.2, colour)


def _names(
    sheet: Sheet,
    named: tuple[str, str],
    ends: tuple[float, float],
    colour: Colour,
    *,
    right: float,
    y: float,
    pitch: int,
) -> None:
    """
    Write the name of a channel, and the ends of its range with the unit.

    Where that is too long, the unit stands behind the name. Numbers are never cut.
    """
    name, unit = (in_line(sendable(one)) for one in named)
    room = right - 4
    title = sheet.shortened(name, room, "bold", 10)
    below, behind, numbers = pitch > 20, "", ""
    if not np.isnan(ends[0]):
        numbers = " – ".join(dict.fromkeys(short_range(*ends)))
    told = f"{numbers} {unit}".strip() if below else ""
    if sheet.text_width(told, size=9) > room:
        if sheet.text_width(title, "bold", 10) + sheet.text_width(f" {unit}", size=9) <= room:
            behind, told = f" {unit}", numbers
        else:
            left = room - sheet.text_width(f"{numbers} ", size=9)
            told = f"{numbers} {sheet.shortened(unit, left, size=9)}"
    middle = y + pitch / 2
    above = middle - (5.5 if below else 0)
    taken = sheet.muted(right, above, behind, size=9, align="right")
    sheet.write(right - taken, above, title, size=10, kind="bold", colour=colour, align="right")
    sheet.muted(right, middle + 6.5, told, size=9, align="right")


def _in_series(lines: Lines, layer: str, example: int, some: slice) -> NDArray[np.intp]:
    """Tell which timestep of the series each of some timesteps of a layer is."""
    if lines.layer(layer).sizes["timestep"] == lines.timesteps:
        return np.arange(some.start, some.stop)
    series = lines.places("", example)
    found = series.search(lines.places(layer, example)[some], slice(0, len(series)))
    return np.minimum(found, len(series) - 1)
