"""Relevance: examples as rows of words, a band a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.colours import PADDING, mix, one_colour
from lstm_widgets.figures import strips
from lstm_widgets.figures.legend import Legend, caption_of
from lstm_widgets.figures.sheet import EDGE, PAPER, Sheet, rectangles
from lstm_widgets.tokens.wording import in_line, label, number, quoted, sendable, short, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lstm_widgets.views.bands import Band
    from lstm_widgets.views.examples import Examples

_BAND, _SEAM, _APART, _FURTHER_APART, _MARGIN, _HEAD = 19, 1, 4, 9, 6, 17
#: The columns of numbers and of classes, on wide sheets and on others.
_COLUMNS, _NARROW, _WIDE = (48, 130), (28, 112), 640


class Box(NamedTuple):
    """Some timesteps of an example: whether they go on with a word, where they stand in their line."""

    start: int
    stop: int
    padding: bool
    text: str
    joined: bool
    x: int = 0
    width: int = 0


@dataclass(frozen=True)
class Page:
    """What is drawn, and where."""

    sheet: Sheet
    examples: Examples
    order: NDArray[np.uint32]
    example: int
    timestep: int
    method: str
    channel: int
    bands: Sequence[Band]
    lines: int

    @property
    def columns(self) -> tuple[int, int]:
        """Where the classes begin, and the room that they have."""
        numbers, classes = _COLUMNS if self.sheet.width >= _WIDE else _NARROW
        return EDGE + numbers + 10, classes

    @property
    def left(self) -> int:
        """Where words begin."""
        widths = [self.sheet.text_width(method_name(band.method), size=11) for band in self.bands]
        left = sum(self.columns) + (int(max(widths)) + 13 if len(self.bands) > 1 else 0)
        return left + (strips.names_width(self) if self.examples.channels else 0)

    @property
    def high(self) -> int:
        """The height of the bands of a line."""
        return len(self.bands) * (_BAND + _SEAM) - _SEAM

    @property
    def pitch(self) -> int:
        """From one line to the next."""
        return self.high + (_FURTHER_APART if len(self.bands) > 1 else _APART)

    def largest(self, method: str, example: int) -> float:
        """Give the largest finite magnitude of a method in an example; 0 if there is none."""
        values = self.values(method, example)
        return float(np.max(np.abs(values), initial=0, where=np.isfinite(values)))

    def values(self, method: str, example: int, channel: int | None = None) -> NDArray[np.float32]:
        """Give the relevance of a method, in a channel or all: an example that isn't there has none."""
        rows = self.examples.values[self.examples.methods.index(method)]
        some: NDArray[np.float32] = rows if channel is None else rows[channel : channel + 1]
        return some[:, example : example + 1].reshape(-1)

    def method_name(self, name: str) -> str:
        """Give a method's name as it is written."""
        return method_name(name)


def method_name(name: str) -> str:
    """Give a method's name as it is written."""
    return name.replace("_x_", " × ").replace("_", " ")


def relevance(
    sheet: Sheet,
    examples: Examples,
    order: NDArray[np.uint32],
    *,
    example: int,
    timestep: int,
    method: str,
    channel: int,
    bands: Sequence[Band],
    lines: int,
    most: int,
) -> None:
    """
    Draw the first examples, or those around the selected one, as far as there is room.

    Parameters
    ----------
    sheet : Sheet
    examples : Examples
    order : uint32 array (row,)
        The examples that are shown, in their order.
    example, timestep, method, channel : int or str
        What is selected.
    bands : list of Band
        The methods that are shown.
    lines : int
        How many lines an example has room for; 0: two.
    most : int
        How high the examples may be.
    """
    page = Page(sheet, examples, order, example, timestep, method, channel, bands, lines or 2)
    if len(order) == 0 or examples.timesteps == 0:
        sheet.nothing()
    else:
        _header(page)
        found = np.flatnonzero(order == example)
        rank = int(found[0]) if len(found) else 0
        shown = _fitting(page, 0, most)
        if rank >= len(shown):
            shown = _fitting(page, rank - 1, most)
        for each, lines_of_it, cut in shown:
            _example(page, each, lines_of_it, cut)
    _caption(page)


def _fitting(page: Page, first: int, most: int) -> list[tuple[int, list[list[Box]], int]]:
    """Lay out as many examples as there is room for, from one on; at the end, some before it."""
    parts: list[tuple[int, list[list[Box]], int]] = []
    for rank in (*range(first, len(page.order)), *range(first - 1, -1, -1)):
        example = int(page.order[rank])
        lines, cut = ([], 0) if page.examples.channels else _laid_out(page, example)
        most -= _height(page, len(lines))
        if parts and most < 0:
            break
        parts.insert(0 if rank < first else len(parts), (example, lines, cut))
    return parts


def _height(page: Page, lines: int) -> int:
    if page.examples.channels:
        return max(3 * _HEAD, strips.high(page)) + 2 * _MARGIN
    rows = lines * page.pitch - (page.pitch - page.high)
    return max(2 * _HEAD, rows) + 2 * _MARGIN


def _header(page: Page) -> None:
    sheet, examples = page.sheet, page.examples
    classes = examples.predicted_name + (", true" if examples.knows_outcome else "")
    head = classes if examples.knows_predicted else examples.score_name
    begin, room = page.columns
    words = "words" if examples.spelling.kind == "words" else "tokens"
    wide = sheet.width >= _WIDE
    sheet.muted(begin - 10, 10, "example" if wide else "no.", align="right")
    sheet.muted(begin, 10, sheet.shortened(head, room - 6, size=11))
    if examples.channels:
        sheet.muted(page.left - 8, 10, "channel", align="right")
        strips.axis(page, 10)
    else:
        sheet.muted(page.left, 10, words if examples.tokens is not None else "timesteps")
    sheet.end(20)


def _boxes(examples: Examples, example: int) -> list[Box]:
    steps, tokens, spelling = examples.timesteps, examples.tokens, examples.spelling
    mask = np.ones(steps, bool) if examples.mask is None else examples.mask[example]
    boxes = []
    t = 0
    while t < steps:
        stop = t + 1
        while not mask[t] and stop < steps and not mask[stop]:
            stop += 1
        if stop - t < (2 if spelling.kind == "words" else 4):
            stop = t + 1
        own = str(t) if tokens is None else label(sendable(tokens[example, t])[:256], spelling)
        joined = False
        if tokens is not None and mask[t] and t > 0:
            joined = not spelling.parted(*tokens[example, t - 1 : t + 1])
        text = own if stop == t + 1 else f"{stop - t} × padding"
        boxes.append(Box(t, stop, not mask[t], text, joined))
        t = stop
    return boxes


def _laid_out(page: Page, example: int) -> tuple[list[list[Box]], int]:
    """Wrap the words of an example into lines; tell how many timesteps there is no room for."""
    kind = page.examples.spelling.kind
    pad = {"characters": 3, "words": 8}.get(kind, 4)
    room = page.sheet.width - page.left - EDGE
    rows: list[list[Box]] = [[]]
    x, boxes = 0, _boxes(page.examples, example)
    for box in boxes:
        width = max(_BAND - 1, round(page.sheet.text_width(box.text, "mono", 13) + 0.49) + pad)
        width = min(room, width)
        x += 0 if x == 0 else _SEAM if box.joined or kind == "characters" else 3
        if x > 0 and x + width > room:
            rows.append([])
            x = 0
        rows[-1].append(box._replace(x=x, width=width))
        x += width
    shown = rows[: page.lines]
    if len(rows) <= page.lines:
        return shown, 0
    last = shown[-1]
    while len(last) > 1 and last[-1].x + last[-1].width + 70 > room:
        last.pop()
    return shown, boxes[-1].stop - last[-1].stop


def _strongest(values: NDArray[np.float32], box: Box) -> float:
    some = values[box.start : box.stop]
    if np.isnan(some).any():
        return float("nan")
    return float(some[np.abs(some).argmax()])


def _example(page: Page, example: int, lines: list[list[Box]], cut: int) -> None:
    sheet, theme = page.sheet, page.sheet.theme
    chosen, height = example == page.example, _height(page, len(lines))
    if chosen:
        tint = one_colour(mix(theme.background, theme.foreground, 0.05))
        sheet.box((0, 0, sheet.width, height), tint, PAPER)
        sheet.box((0, 0, 3, height), theme.accent)
    _classes(page, example, chosen=chosen)
    if page.examples.channels:
        strips.draw(page, example, _MARGIN, chosen=chosen)
    for i, line in enumerate(lines):
        top = _MARGIN + i * page.pitch
        for k, band in enumerate(page.bands):
            _band(page, line, band=band, example=example, y=top + k * (_BAND + _SEAM))
        for box in line:
            if chosen and box.start <= page.timestep < box.stop:
                x = page.left + box.x
                sheet.outline((x - 1, top - 1, x + box.width + 1, top + page.high + 1))
    if cut:
        x = page.left + lines[-1][-1].x + lines[-1][-1].width + 6
        sheet.muted(x, _MARGIN + (len(lines) - 1) * page.pitch + _BAND / 2, f"… {cut} more")
    sheet.end(height)


def _classes(page: Page, example: int, *, chosen: bool) -> None:
    sheet, examples = page.sheet, page.examples
    (x, classes), y = page.columns, _MARGIN + _HEAD / 2
    muted, warn = sheet.theme.muted, sheet.theme.warn
    sheet.write(x - 10, y, str(example), colour=None if chosen else muted, align="right")
    name = None if examples.labels is None else in_line(sendable(examples.labels[example]))
    if examples.times is not None:
        # Of a series, the line below its label tells when it ends.
        below = 1 + (name is not None or examples.true[example] >= 0)
        ends = examples.times.label(example, examples.last(example))
        sheet.write(x, y + below * _HEAD, ends, colour=muted, room=classes - 10)
    if not examples.knows_predicted:
        sheet.write(x, y, examples.said(example), kind="bold", room=classes - 10)
        if name is not None:
            sheet.write(x, y + _HEAD, name, colour=muted, room=classes - 10)
        return
    sure = float(examples.confidence[example])
    predicted = visible(examples.class_name(examples.predicted[example]))
    sheet.write(x, y, predicted, kind="bold", room=classes - (10 if np.isnan(sure) else 52))
    if not np.isnan(sure):
        text = "> .999" if 0.9995 <= sure < 1 else f"{sure:.3f}"
        sheet.write(x + classes - 10, y, text, colour=muted, align="right")
    if examples.true[example] >= 0:
        right = bool(examples.right[example])
        colour = muted if right else warn
        sheet.write(x, y + _HEAD, "✓" if right else "✗", colour=colour)
        true = visible(examples.class_name(examples.true[example]))
        sheet.write(x + 15, y + _HEAD, true, colour=colour, room=classes - 25)
    elif name is not None:
        sheet.write(x, y + _HEAD, name, colour=muted, room=classes - 10)


def _band(page: Page, line: list[Box], *, band: Band, example: int, y: int) -> None:
    sheet, values = page.sheet, page.values(band.method, example)
    if len(page.bands) > 1:
        kind = "bold" if band.method == page.method else "sans"
        sheet.muted(
            page.left - 8, y + _BAND / 2, method_name(band.method), kind=kind, align="right"
        )
    largest = page.largest(band.method, example)
    colours, marks = band.look([_strongest(values, box) for box in line], largest)
    marks[[box.padding for box in line]] = PADDING
    x = page.left + np.array([box.x for box in line])
    boxes = rectangles(x, y, [box.width for box in line], _BAND)
    # That it is padding is written once.
    first = band is page.bands[0]
    texts = ["" if box.padding and not first else box.text for box in line]
    sheet.tokens(boxes, texts, colours, marks)


def _caption(page: Page) -> None:
    """Draw what is selected, and the legend of the selected method."""
    examples, example = page.examples, page.example
    (band,) = [b for b in page.bands if b.method == page.method] or page.bands[:1]
    low, high = band.range(page.largest(page.method, example))
    fixed = isinstance(band.scale, tuple)
    legend = Legend(
        band.ramp,
        ("≤ " if fixed and (band.signed or low > 0) else "") + short(low),
        short((low + high) / 2),
        ("≥ " if fixed else "") + short(high, signed=low < 0),
        method_name(band.method),
    )
    counts = (f"{len(page.order)} of {examples.count} examples", f"for {examples.explained}")
    parts = ["nothing to show"]
    if examples.count * examples.timesteps:
        parts = [f"example {example}", examples.when(example, page.timestep)]
        if examples.channels:
            parts.append(examples.channel(page.channel))
        if examples.tokens is not None:
            parts[1] += f" {quoted(sendable(examples.tokens[example, page.timestep]))}"
        for k, name in enumerate(examples.methods):
            value = float(examples.values[k, page.channel, example, page.timestep])
            parts.append(f"{method_name(name)} {number(value)}")
    caption_of(page.sheet, " · ".join(parts), counts, legend)
