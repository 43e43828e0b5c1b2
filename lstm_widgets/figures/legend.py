"""What stands below a figure: what is selected and what there is, in words, and what colours mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import CLIPPED, RAMP, track_colours
from lstm_widgets.figures.sheet import EDGE, MEANINGS, PAPER, rectangles
from lstm_widgets.tokens.wording import many, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.colours import Colours
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.snapshot import Snapshot

_RAMP, _STEP = 140, 2
#: Below this width, the legend stands under the words.
_NARROW = 640
_SWATCH = 18


@dataclass(frozen=True)
class Legend:
    """
    A palette from end to end, and what its ends and its middle stand for.

    Parameters
    ----------
    ramp : uint8 array (colour, 3)
    low, middle, high : str
    unit : str
        What the numbers are of.
    about : str
        What stands beside what there is.
    """

    ramp: NDArray[np.uint8]
    low: str
    middle: str
    high: str
    unit: str
    about: str = ""


def caption(
    sheet: Sheet,
    shown: Snapshot,
    note: str = "",
    *,
    coloured: bool = True,
    legend: Legend | None = None,
) -> None:
    """Draw what is selected in a recording and what there is; if coloured, a legend, and what tracks say."""
    counts = (
        many(shown.layer["cells"], "cell"),
        many(shown.examples, "example") if shown.examples != 1 else "",
        many(shown.timesteps, "timestep"),
        note,
        "" if legend is None else legend.about,
        shown.checked,
    )
    if not coloured:
        caption_of(sheet, shown.status, counts, legend)
        return
    tracks = []
    for text, (index, track) in zip(shown.said, shown.tracks, strict=True):
        ends = track_colours(
            index, np.array([0.0, 1.0]), yes_no=track.yes_no, theme=sheet.theme
        ).astype(float)
        share = np.ones(_SWATCH) if track.yes_no else np.linspace(0, 1, _SWATCH)
        steps = ends[0] + (ends[1] - ends[0]) * share[:, None]
        tracks.append((text, steps.round().astype(np.uint8)))
    own = _legend_of(shown.coloured(sheet.theme), shown.shown_signal)
    caption_of(sheet, shown.status, counts, own, tracks)


def caption_of(
    sheet: Sheet,
    status: str,
    counts: Sequence[str],
    legend: Legend | None,
    tracks: Sequence[tuple[str, NDArray[np.uint8]]] = (),
) -> None:
    """
    Draw what stands below any figure.

    Parameters
    ----------
    sheet : Sheet
    status : str
        A sentence on what is selected.
    counts : list of str
        What there is; empty ones are left out.
    legend : Legend or None
    tracks : list of tuple of (str, uint8 array (step, 3)), optional
        What concept tracks say, and their colours.
    """
    narrow = sheet.width < _NARROW
    right = float(sheet.width - EDGE)
    if legend is not None and not narrow:
        right = _draw_legend(sheet, legend, 10) - EDGE
    about = " · ".join(filter(None, (*counts, "still picture" if sheet.framed else "")))
    height = 33 + sheet.paragraph(EDGE, 15, status, right, size=13, most=3)
    height += 13 + sheet.paragraph(EDGE, height, about, right, size=11, colour=sheet.theme.muted)
    if legend is not None and narrow:
        _draw_legend(sheet, legend, height)
        height += 34
    height += _entries(sheet, height, tracks)
    if sheet.framed:
        sheet.box((0, 0, sheet.width, height), sheet.theme.chrome, PAPER)
    sheet.end(height)


def _entries(sheet: Sheet, y: float, tracks: Sequence[tuple[str, NDArray[np.uint8]]]) -> int:
    """Draw what tracks and marks mean, line by line; give the height."""
    x, lines = float(EDGE), 0
    marks = [(MEANINGS[mark], np.array([mark], np.uint8)) for mark in sorted(sheet.seen)]
    for text, look in (*tracks, *marks):
        width = _SWATCH + 5 + sheet.text_width(text, size=11)
        if not lines or x + width > sheet.width - EDGE:
            x, lines = float(EDGE), lines + 1
        top = y + 16 * (lines - 1)
        if look.ndim == 1:
            on = sheet.theme.bar if look[0] == CLIPPED else sheet.theme.unknown
            sheet.values(rectangles(x, top - 3, _SWATCH, 11), np.array([on], np.uint8), look)
        else:
            sheet.boxes(rectangles(x + np.arange(_SWATCH), top, 1, 7), look)
        room = sheet.width - EDGE - x - _SWATCH - 5
        sheet.write(x + _SWATCH + 5, top + 3, text, size=11, room=room)
        x += width + 18
    return 16 * lines


def _legend_of(colours: Colours, signal: str) -> Legend:
    low, high = colours.range
    fixed = isinstance(colours.scale, tuple)
    unit = {
        "cell": f"{signal} ÷ largest of the cell",
        "sigmoid": f"sigmoid({signal})",
        "squared": f"{signal}² ÷ largest of the cell²",
    }.get(str(colours.scale), signal)
    start = RAMP // 2 if colours.scale == "squared" and colours.diverging else 0
    return Legend(
        colours.ramp[start:],
        ("≤ " if fixed else "") + short(low),
        short((low + high) / 2),
        ("≥ " if fixed else "") + short(high, signed=low < 0),
        unit,
    )


def _draw_legend(sheet: Sheet, legend: Legend, y: float) -> float:
    """Draw the legend at the right; return where it starts."""
    texts = (legend.low, legend.high, legend.unit)
    taken = sum(sheet.text_width(text, size=11) for text in texts) + 4 * EDGE
    steps = max(20, min(_RAMP, int(sheet.width - taken)) // _STEP)
    right = sheet.width - EDGE - np.ceil(sheet.text_width(legend.high, size=11)) - 6
    left = right - steps * _STEP
    sheet.write(right + 6, y + 6, legend.high, size=11)
    colours = legend.ramp[np.linspace(0, len(legend.ramp) - 1, steps).round().astype(int)]
    sheet.boxes(rectangles(left + _STEP * np.arange(steps), y, _STEP, 11), colours)
    sheet.frame((left - 1, y - 1, right + 1, y + 12), sheet.theme.line)
    sheet.write((left + right) / 2, y + 20, legend.middle, size=11, align="middle")
    left -= 6 + sheet.write(left - 6, y + 6, legend.low, size=11, align="right") + 8
    left -= sheet.muted(left, y + 6, legend.unit, align="right") + 8
    return float(left)
