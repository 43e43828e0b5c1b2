"""The foot of a still picture: what is selected in words, what there is, and the legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lstm_widgets.colours import RAMP, Colours, track_colours
from lstm_widgets.figures.paper import CHROME, EDGE, LINE, MUTED, WIDTH, sheet, text_width, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import ImageDraw

    from lstm_widgets.figures.snapshot import Snapshot
    from lstm_widgets.figures.tracks import Track


def short(value: float, *, signed: bool = False) -> str:
    """Give a number of the legend, in three digits."""
    text = f"{value:.1e}" if abs(value) >= 1e4 else f"{float(f'{value:.3g}'):g}"
    return ("+" if signed and value > 0 else "") + text.replace("-", "−")


@dataclass(frozen=True)
class Legend:
    """
    A palette from end to end, and what its ends and its middle stand for.

    Parameters
    ----------
    ramp : uint8 array (colour, 3)
    low, middle, high : str
    unit : str
        What the numbers are of, where they are not the values themselves.
    """

    ramp: NDArray[np.uint8]
    low: str
    middle: str
    high: str
    unit: str = ""


def foot(shown: Snapshot) -> Image.Image:
    """Draw what is selected and what there is, at the left, and the legend at the right."""
    counts = (
        f"{shown.layer['cells']} cells",
        f"{shown.examples} examples" if shown.examples != 1 else "",
        f"{shown.timesteps} timesteps",
    )
    image = foot_of(shown.status, counts, _legend_of(shown.colours))
    lines = _track_lines(shown)
    if not lines:
        return image
    whole, draw = sheet(image.height + 16 * len(lines))
    draw.rectangle((0, 0, WIDTH, whole.height), fill=CHROME)
    whole.paste(image, (0, 0))
    for i, line in enumerate(lines):
        x, y = EDGE, 49 + 16 * i
        for text, index, track in line:
            ends = track_colours(index, np.array([0.0, 1.0]), yes_no=track.yes_no)
            ends = ends[[1, 1]] if track.yes_no else ends
            steps = ends[0] + (ends[1] - ends[0].astype(float)) * np.linspace(0, 1, 18)[:, None]
            swatch = np.repeat(steps.round().astype(np.uint8)[None], 7, 0)
            whole.paste(Image.fromarray(swatch), (x, y - 3))
            write(draw, (x + 23, y), text, size=11, room=WIDTH - x - 23 - EDGE)
            x += _entry_width(text)
    return whole


def _entry_width(text: str) -> int:
    return 23 + text_width(text, "sans", 11) + 18


def _track_lines(shown: Snapshot) -> list[list[tuple[str, int, Track]]]:
    """Wrap what the concept tracks say of the selected token into lines."""
    lines: list[list[tuple[str, int, Track]]] = []
    room = 0
    for text, (index, track) in zip(shown.said, shown.tracks, strict=True):
        room -= _entry_width(text)
        if room < 0 or not lines:
            lines.append([])
            room = WIDTH - 2 * EDGE - _entry_width(text)
        lines[-1].append((text, index, track))
    return lines


def foot_of(status: str, counts: Sequence[str], legend: Legend) -> Image.Image:
    """Draw the foot of any picture: a sentence, what there is, and the legend."""
    image, draw = sheet(46)
    draw.rectangle((0, 0, WIDTH, 46), fill=CHROME)
    room = _legend(image, draw, legend) - 2 * EDGE
    about = " · ".join(filter(None, (*counts, "still picture")))
    write(draw, (EDGE, 15), status, size=13, room=room)
    write(draw, (EDGE, 33), about, size=11, colour=MUTED, room=room)
    return image


def _legend_of(colours: Colours) -> Legend:
    low, high = colours.range
    fixed = isinstance(colours.scale, tuple)
    unit = {
        "cell": "÷ largest of the cell",
        "sigmoid": "sigmoid(value)",
        "squared": "value² ÷ largest of the cell²",
    }.get(str(colours.scale), "")
    start = RAMP // 2 if colours.scale == "squared" and colours.diverging else 0
    return Legend(
        colours.ramp[start:],
        ("≤ " if fixed else "") + short(low),
        short((low + high) / 2),
        ("≥ " if fixed else "") + short(high, signed=low < 0),
        unit,
    )


def _legend(image: Image.Image, draw: ImageDraw.ImageDraw, legend: Legend) -> float:
    """Draw the legend at the right; return where it starts."""
    width, y = 140, 10
    right = WIDTH - EDGE - text_width(legend.high, "sans", 11) - 6
    write(draw, (right + 6, y + 6), legend.high, size=11)
    steps = np.linspace(0, len(legend.ramp) - 1, width).round().astype(int)
    image.paste(Image.fromarray(np.repeat(legend.ramp[steps][None], 11, 0)), (right - width, y))
    draw.rectangle((right - width - 1, y - 1, right, y + 11), outline=LINE)
    write(draw, (right - width / 2, y + 20), legend.middle, size=11, anchor="mm")
    left = right - width - 6
    write(draw, (left, y + 6), legend.low, size=11, anchor="rm")
    left -= text_width(legend.low, "sans", 11) + 8
    if legend.unit:
        write(draw, (left, y + 6), legend.unit, size=11, colour=MUTED, anchor="rm")
        left -= text_width(legend.unit, "sans", 11) + 8
    return left
