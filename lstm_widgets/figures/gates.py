"""The still picture of all signals of one cell, and of why its state changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.analysis import changes
from lstm_widgets.colours import BACKGROUND, FOREGROUND, RAMP, Colours, mix, ramp
from lstm_widgets.figures.columns import GUTTER, bands_height, column_heads, head_height, squares
from lstm_widgets.figures.paper import BAR, LINE, MUTED, outline, sheet, text_width, write
from lstm_widgets.tokens.wording import label, number

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image, ImageDraw

    from lstm_widgets.analysis.changes import Changes, Rule, Values
    from lstm_widgets.colours import Colour
    from lstm_widgets.figures.snapshot import Snapshot

_SIGNED, _GATE, _WHY, _APART = 42, 32, 92, 8
_KEEP, _WRITE = (106, 61, 154), (194, 106, 0)
_ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
#: The scales of the bands are those of all timesteps, unless there are more.
_MOST_MEASURED = 32_768


class Band(NamedTuple):
    """One band of the picture: where it stands, and the values at its bottom and top."""

    top: int
    height: int
    low: float
    high: float

    def y(self, value: float) -> int:
        """Give the place of a value."""
        share = (max(self.low, min(self.high, value)) - self.low) / (self.high - self.low)
        return math.floor(self.top + (1 - share) * (self.height - 1) + 0.5)


def gates(shown: Snapshot) -> Image.Image:
    """
    Draw all signals of the selected cell around the selected timestep, and what changed its state.

    Parameters
    ----------
    shown : Snapshot
        With something recorded.
    """
    place = squares(
        shown.examples,
        shown.timesteps,
        1,
        square=_token_width(shown),
        column=shown.column,
        row=0,
        most=_SIGNED,
    )
    columns = place.first, place.stop
    measured = (0, shown.levels.columns) if shown.levels.columns <= _MOST_MEASURED else columns
    signals: list[str] = shown.layer["signals"]
    rule = changes.RULES.get(shown.layer["kind"], changes.PLAIN_RULE)
    header = head_height(shown)

    bands: dict[str, Band] = {}
    top = header + 2
    for signal in signals:
        low, high = _range(shown.series(signal, *measured), gate=signal.endswith("_gate"))
        bands[signal] = Band(top, _SIGNED if low < 0 else _GATE, low, high)
        top += bands[signal].height + _APART
    everywhere = _changes_at(shown, *measured)
    why = Band(top + _APART, _WHY, *_range(_reach(everywhere), gate=False))

    height = why.top + why.height + 8
    image, draw = sheet(height + 24)
    starts = [GUTTER + place.start(column) for column in range(*columns)]
    column_heads(draw, shown, place)
    for signal, band in bands.items():
        chosen = signal == shown.signal
        _band_head(draw, signal.replace("_", " "), band, starts[-1] + place.width, chosen=chosen)
        values = shown.series(signal, *columns)
        colours = _bar_colours(shown, signal, values, band)
        for x, value, colour in zip(starts, values, colours, strict=True):
            fill = int(colour[0]), int(colour[1]), int(colour[2])
            _bar(draw, band, (x, x + place.width - 2), float(value), fill)
    _band_head(draw, f"Δ{rule.symbol}", why, starts[-1] + place.width, chosen=False)
    happened = _changes_at(shown, *columns)
    for i, x in enumerate(starts):
        _change(draw, why, x, place.width - 1, Changed(*(float(part[i]) for part in happened)))
    for start, padded in zip(starts, shown.padded(*columns), strict=True):
        dots = range(start + 1, start + place.width - 1, 4) if padded else range(0)
        for y in range(header + 2, height - 4, 4):
            draw.point([(dot, y) for dot in dots], MUTED)
    at = shown.column - place.first
    head = 19 + bands_height(shown) if shown.layer["tokens"] else 0
    outline(draw, starts[at] - 1, header - head, starts[at] + place.width - 1, height - 3)
    _legend(draw, height + 10, rule, Changed(*(float(part[at]) for part in happened)))
    return image


class Changed(NamedTuple):
    """What happened at one timestep."""

    keep: float
    write: float
    change: float


def _token_width(shown: Snapshot) -> int:
    """As wide as most of the tokens about the selected one."""
    first = max(0, shown.column - 32)
    columns = range(first, min(shown.levels.columns, first + 64))
    lengths = sorted(len(label(shown.token(column) or "", shown.spelling)) for column in columns)
    return max(18, min(64, 8 * lengths[int(len(lengths) * 0.8)] + 6))


def _changes_at(shown: Snapshot, first: int, stop: int) -> Changes:
    kind = shown.layer["kind"]
    state = changes.RULES.get(kind, changes.PLAIN_RULE).state
    known = state in shown.layer["signals"]
    beside = shown.beside(state, first, stop) if known else np.full(stop - first, np.nan)
    return changes.changes(
        kind,
        {signal: shown.series(signal, first, stop) for signal in shown.layer["signals"]},
        beside,
        shown.padded(first, stop),
        float(shown.layer["check"].get("tolerance", 0.0)),
    )


def _reach(happened: Changes) -> Values:
    """Give how far stacked bars reach, up and down."""
    keep, write = np.nan_to_num(happened.keep), np.nan_to_num(happened.write)
    up = np.maximum(keep, 0) + np.maximum(write, 0)
    down = np.minimum(keep, 0) + np.minimum(write, 0)
    return np.concatenate([up, down, happened.change])


def _range(values: Values, *, gate: bool) -> tuple[float, float]:
    """Give the ends of a band: a round number that holds all values; 0 and 1 for a gate."""
    finite = values[np.isfinite(values)]
    if gate and finite.min(initial=0) >= 0 and finite.max(initial=0) <= 1:
        return 0.0, 1.0
    largest = float(np.abs(finite).max(initial=0))
    if largest == 0:
        return -1.0, 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    step = next((step for step in _ROUND if step * power >= largest * (1 - 1e-6)), 10)
    bound = float(f"{step * power:.2g}")
    return -bound, bound


def _bar_colours(shown: Snapshot, signal: str, values: Values, band: Band) -> NDArray[np.uint8]:
    """Give the shown signal the colours of the legend, others those of their own scale."""
    if signal == shown.signal:
        return shown.colours.pixels(values, shown.levels.statistics.largest[shown.cell])
    if band.low >= 0:
        colours = np.broadcast_to(np.array(BAR, np.uint8), (len(values), 3))
    else:
        place = (np.clip(values, band.low, band.high) - band.low) / (band.high - band.low)
        name = Colours(signal, band.high, shown.palette).name
        steps = np.floor(np.nan_to_num(place, nan=0.5) * (RAMP - 1) + 0.5).astype(int)
        colours = ramp(name)[steps]
    faded = (np.abs(values) < shown.threshold)[:, None]
    return np.where(faded, mix(colours, BACKGROUND, 0.86), colours).astype(np.uint8)


def _band_head(
    draw: ImageDraw.ImageDraw, name: str, band: Band, right: int, *, chosen: bool
) -> None:
    pale = (234, 236, 240)
    draw.line((GUTTER, band.top, right - 2, band.top), pale)
    draw.line((GUTTER, band.top + band.height - 1, right - 2, band.top + band.height - 1), pale)
    draw.line((GUTTER, band.y(0), right - 2, band.y(0)), LINE)
    if chosen:
        draw.rectangle((GUTTER - 4, band.top, GUTTER - 3, band.top + band.height - 1), FOREGROUND)
    colour = FOREGROUND if chosen or name.startswith("Δ") else MUTED
    where = (GUTTER - 8, band.top + band.height / 2)
    write(draw, where, name, size=11, colour=colour, anchor="rm", room=GUTTER - 12)
    ends = ((band.high, band.top + 4), (band.low, band.top + band.height - 4))
    for value, y in ends:
        sign = "+" if value > 0 > band.low else ""
        text = f"{sign}{value:g}".replace("-", "−")
        write(draw, (GUTTER - 8, y), text, size=9, colour=MUTED, anchor="rm")


def _bar(
    draw: ImageDraw.ImageDraw, band: Band, ends: tuple[int, int], value: float, fill: Colour
) -> None:
    x, right = ends
    if math.isnan(value):
        low, high = band.top + band.height * 3 // 4, band.top + band.height // 4
        draw.line((x + 1, low, right - 1, high), MUTED, 2)
        return
    zero, end = band.y(0), band.y(value)
    if end == zero:
        return
    draw.rectangle((x, min(zero + 1, end), right, max(zero - 1, end)), fill)
    if band.low < 0:  # colours near zero are those of the paper
        draw.line((x, end, right, end), BAR)


def _change(draw: ImageDraw.ImageDraw, band: Band, x: int, width: int, what: Changed) -> None:
    right, zero = x + width - 1, band.y(0)
    if math.isnan(what.keep) and math.isnan(what.write):
        if math.isnan(what.change):
            write(draw, (x + width / 2, band.top + 8), "?", size=11, colour=MUTED, anchor="mm")
        elif band.y(what.change) != zero:
            ends = sorted((band.y(what.change), zero))
            draw.rectangle((x, ends[0], right, ends[1]), _WRITE)
        return
    if math.isnan(what.change):
        write(draw, (x + width / 2, band.top + 8), "?", size=11, colour=MUTED, anchor="mm")
    keep = 0.0 if math.isnan(what.keep) else what.keep
    if band.y(keep) != zero:
        _striped(draw, x, right, *sorted((band.y(keep), zero)))
    if not math.isnan(what.write):
        start = keep if keep * what.write > 0 else 0.0
        ends = sorted((band.y(start), band.y(start + what.write)))
        if ends[0] != ends[1]:
            draw.rectangle((x, ends[0], right, ends[1]), _WRITE)
    seen = any(abs(band.y(size) - zero) > 1 for size in what[:2] if not math.isnan(size))
    if seen and not math.isnan(what.change):
        y = band.y(what.change)
        draw.rectangle((x, y - 1, right, y), FOREGROUND)


def _striped(draw: ImageDraw.ImageDraw, left: int, right: int, top: int, bottom: int) -> None:
    pale, full = (218, 207, 230), _KEEP
    draw.rectangle((left, top, right, bottom), pale)
    stripes = [
        (x, y) for y in range(top, bottom + 1) for x in range(left, right + 1) if (x + y) % 4 == 3
    ]
    draw.point(stripes, full)
    draw.rectangle((left, top, right, bottom), outline=full)


def _legend(draw: ImageDraw.ImageDraw, y: int, rule: Rule, what: Changed) -> None:
    """Tell what the bars of the change are, and what they are at the selected timestep."""
    x = float(GUTTER)

    def entry(text: str, value: float, kind: str) -> None:
        nonlocal x
        left = int(x)
        if kind == "keep":
            _striped(draw, left, left + 11, y - 5, y + 5)
        elif kind == "write":
            draw.rectangle((left, y - 5, left + 11, y + 5), _WRITE)
        else:
            draw.rectangle((left, y - 1, left + 11, y), FOREGROUND)
        known = "unknown" if math.isnan(value) else number(value)
        text = f"{text} = {known}"
        write(draw, (left + 17, y), text, size=11)
        x = left + 17 + text_width(text, "sans", 11) + 22

    if rule.gate is None:
        entry(f"Δ{rule.symbol} = {rule.symbol} − {rule.symbol}₋₁", what.change, "write")
        return
    entry(f"forget {rule.kept}", what.keep, "keep")
    entry(f"write {rule.written}", what.write, "write")
    entry(f"sum Δ{rule.symbol}", what.change, "sum")
