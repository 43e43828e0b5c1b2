"""All signals of one cell, and why its state changed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.analysis import changes
from lstm_widgets.colours import FADE, IS_NAN, RAMP, Colours, mix, one_colour, ramp
from lstm_widgets.figures.columns import (
    GUTTER,
    TICKS,
    bands_height,
    column_heads,
    column_numbers,
    head_height,
    squares,
)
from lstm_widgets.figures.sheet import DOTS, EDGE, LINES, STRIPES, rectangles
from lstm_widgets.tokens.wording import label, number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lstm_widgets.analysis.changes import Changes, Rule, Values
    from lstm_widgets.colours import Theme
    from lstm_widgets.figures.sheet import Floats, Sheet
    from lstm_widgets.views.snapshot import Snapshot

_SIGNED, _GATE, _WHY, _APART = 42, 32, 92, 8
_ROUND = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
#: The scales of the bands are those of all timesteps, unless there are more.
_MOST_MEASURED = 32_768


class Band(NamedTuple):
    """One band of the picture: where it stands, and the values at its bottom and top."""

    top: int
    height: int
    low: float
    high: float

    def y(self, values: Values) -> Floats:
        """Give the places of values, whole numbers."""
        share = (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low)
        return np.floor(self.top + (1 - share) * (self.height - 1) + 0.5)

    @property
    def zero(self) -> float:
        """The place of zero."""
        return float(self.y(np.zeros(1))[0])


def gates(sheet: Sheet, shown: Snapshot) -> None:
    """
    Draw all signals of the selected cell around the selected timestep, and what changed its state.

    Parameters
    ----------
    sheet : Sheet
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
        room=sheet.width - GUTTER - EDGE,
        most=_SIGNED,
    )
    columns = place.first, place.stop
    measured = (0, shown.levels.columns) if shown.levels.columns <= _MOST_MEASURED else columns
    rule = changes.RULES.get(shown.layer["kind"], changes.PLAIN_RULE)
    header = head_height(shown)
    x = GUTTER + np.array([place.start(column) for column in range(*columns)], np.float64)
    top = header + 2
    column_heads(sheet, shown, place)
    for signal in shown.layer["signals"]:
        gate = signal.endswith("_gate") and not shown.difference
        low, high = _range(shown.reach(signal, *measured), gate=gate)
        band = Band(top, _SIGNED if low < 0 else _GATE, low, high)
        top += band.height + _APART
        chosen = signal == shown.signal
        _band_head(sheet, signal.replace("_", " "), band, place.right, chosen=chosen)
        values = shown.series(signal, *columns)
        colours = _bar_colours(shown, signal, values, band, sheet.theme)
        _bars(sheet, band, x, place.width - 1, values=values, colours=colours)
    bottom = top
    if not shown.difference:  # of which no equation holds
        why = Band(top + _APART, _WHY, *_range(_reach(changes_at(shown, *measured)), gate=False))
        _band_head(sheet, f"Δ{rule.symbol}", why, place.right, chosen=False)
        happened = changes_at(shown, *columns)
        _changes(sheet, why, x, place.width - 1, happened)
        bottom = why.top + why.height + 8
    padded = shown.padded(*columns)
    if padded.any():
        boxes = rectangles(x[padded], header + 2, place.width - 1, bottom - header - 6)
        sheet.pattern(DOTS, boxes, sheet.theme.muted)
    at = shown.column - place.first
    head = 19 + bands_height(shown) if shown.layer["tokens"] else 0
    sheet.outline((x[at] - 1, header - head, x[at] + place.width, bottom - 2))
    column_numbers(sheet, shown, place, bottom + 4)
    if shown.difference:
        sheet.end(bottom + TICKS + 6)
        return
    down = _legend(sheet, bottom + TICKS + 8, rule, [float(part[at]) for part in happened])
    sheet.end(bottom + TICKS + 22 + down)


def _token_width(shown: Snapshot) -> int:
    """As wide as most of the tokens about the selected one; narrow where times are known instead."""
    if shown.times is not None and not shown.layer["tokens"]:
        return 6
    first = max(0, shown.column - 32)
    columns = range(first, min(shown.levels.columns, first + 64))
    lengths = sorted(len(label(shown.token(column) or "", shown.spelling)) for column in columns)
    return max(18, min(64, 8 * lengths[int(len(lengths) * 0.8)] + 6))


def changes_at(shown: Snapshot, first: int, stop: int) -> Changes:
    """Give why the state changed at some columns."""
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


def _bar_colours(
    shown: Snapshot, signal: str, values: Values, band: Band, theme: Theme
) -> NDArray[np.uint8]:
    """Give the shown signal the colours of the legend, others those of their own scale."""
    if signal == shown.signal:
        return shown.coloured(theme).pixels(values, shown.levels.statistics.largest[shown.cell])
    if band.low >= 0:
        colours = np.broadcast_to(np.array(theme.bar, np.uint8), (len(values), 3))
    else:
        place = (np.clip(values, band.low, band.high) - band.low) / (band.high - band.low)
        name = Colours(shown.colour_name(signal), band.high, shown.palette, theme=theme).name
        steps = np.floor(np.nan_to_num(place, nan=0.5) * (RAMP - 1) + 0.5).astype(int)
        colours = ramp(name)[steps]
    faded = (np.abs(values) < shown.threshold)[:, None]
    return np.where(faded, mix(colours, theme.background, FADE), colours).astype(np.uint8)


def _band_head(sheet: Sheet, name: str, band: Band, right: int, *, chosen: bool) -> None:
    theme = sheet.theme
    pale = one_colour(mix(theme.background, theme.line, 0.5))
    for y, colour in (
        (band.top, pale),
        (band.top + band.height - 1, pale),
        (band.zero, theme.line),
    ):
        sheet.box((GUTTER, y, right - 1, y + 1), colour, LINES)
    if chosen:
        sheet.box((GUTTER - 4, band.top, GUTTER - 2, band.top + band.height), theme.foreground)
    colour = theme.foreground if chosen or name.startswith("Δ") else theme.muted
    middle = band.top + band.height / 2
    name = sheet.shortened(name, GUTTER - 12, size=11)
    sheet.write(GUTTER - 8, middle, name, size=11, colour=colour, align="right")
    for value, y in ((band.high, band.top + 4), (band.low, band.top + band.height - 4)):
        text = f"{'+' if value > 0 > band.low else ''}{value:g}".replace("-", "−")
        sheet.muted(GUTTER - 8, y, text, size=10, align="right")


def _bars(
    sheet: Sheet, band: Band, x: Floats, width: int, *, values: Values, colours: NDArray[np.uint8]
) -> None:
    """Draw a bar from zero a value, and what is not a number as that."""
    unknown = np.isnan(values)
    boxes = rectangles(x[unknown], band.top + band.height // 4, width, band.height // 2)
    marks = np.full(len(boxes), IS_NAN, np.uint8)
    sheet.values(boxes, np.tile(np.array(sheet.theme.unknown, np.uint8), (len(boxes), 1)), marks)
    end = band.y(np.nan_to_num(values))
    there = ~unknown & (end != band.zero)
    low = np.minimum(end, band.zero)[there]
    # Without the line that they start from.
    boxes = rectangles(
        x[there], low + (end > band.zero)[there], width, np.abs(end - band.zero)[there]
    )
    sheet.boxes(boxes, colours[there])
    if band.low < 0:  # colours near zero are those of the paper
        sheet.boxes(rectangles(x[there], end[there], width, 1), sheet.theme.bar)


def _stretches(band: Band, x: Floats, width: int, start: Values, end: Values) -> Floats:
    """Give the boxes from one value to another, where they are apart."""
    low, high = np.sort([band.y(start), band.y(end)], axis=0)
    boxes: Floats = rectangles(x, low, width, high - low + 1)[high > low]
    return boxes


def _changes(sheet: Sheet, band: Band, x: Floats, width: int, happened: Changes) -> None:
    theme = sheet.theme
    keep, write, change = happened
    parts = ~(np.isnan(keep) & np.isnan(write))
    for left in x[np.isnan(change)].tolist():
        where = (left + width / 2, band.top + 8)
        sheet.muted(*where, "?", align="middle")
    kept, written = np.nan_to_num(keep), np.nan_to_num(write)
    start = np.where(kept * written > 0, kept, 0)
    whole = ~parts & ~np.isnan(change)  # which says nothing of its parts
    ends = np.where(whole, np.nan_to_num(change), start + written)
    _striped(sheet, _stretches(band, x, width, np.zeros(len(x)), np.where(parts, kept, 0)))
    sheet.boxes(_stretches(band, x, width, start, ends), theme.write)
    seen = parts & ~np.isnan(change)
    seen &= (np.abs(band.y(np.stack([kept, written])) - band.zero) > 1).any(axis=0)
    sheet.boxes(rectangles(x[seen], band.y(change[seen]) - 1, width, 2), theme.foreground)


def _legend(sheet: Sheet, y: int, rule: Rule, values: list[float]) -> int:
    """Tell what the bars of the change are, and what they are at the selected timestep; more height."""
    symbol, theme = rule.symbol, sheet.theme
    texts = {f"Δ{symbol} = {symbol} − {symbol}₋₁": (2, theme.write)}
    if rule.gate is not None:
        texts = {
            f"forget {rule.kept}": (0, theme.keep),
            f"write {rule.written}": (1, theme.write),
            f"sum Δ{symbol}": (2, theme.foreground),
        }
    x, down = float(GUTTER), 0
    for what, (part, colour) in texts.items():
        text = f"{what} = {'unknown' if math.isnan(values[part]) else number(values[part])}"
        width = 17 + sheet.text_width(text, size=11)
        if x > GUTTER and x + width > sheet.width - EDGE:
            x, down = float(GUTTER), down + 16
        top = y + down
        if part == 0:
            _striped(sheet, np.array([(x, top - 5, x + 12, top + 6)]))
        else:
            half = 1 if colour == theme.foreground else 5
            sheet.box((x, top - half, x + 12, top + half), colour)
        sheet.write(x + 17, top, text, size=11, room=sheet.width - x - 17)
        x += width + 22
    return down


def _striped(sheet: Sheet, boxes: Floats) -> None:
    theme = sheet.theme
    sheet.boxes(boxes, mix(theme.background, theme.keep, 0.25))
    sheet.pattern(STRIPES, boxes, theme.keep)
    for box in boxes.tolist():
        sheet.frame(box, theme.keep, 1)
