"""The still picture of relevance: examples as rows of words, on light paper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from lstm_widgets.analysis.relevance_methods import UNSIGNED
from lstm_widgets.colours import (
    BACKGROUND,
    CLIPPED,
    FOREGROUND,
    IS_NAN,
    PADDING,
    PLAIN,
    RAMP,
    TABLE,
    Colour,
    ink,
    mix,
    patterned,
    ramp,
)
from lstm_widgets.figures.foot import Legend, foot_of, short
from lstm_widgets.figures.paper import (
    EDGE,
    MUTED,
    WIDTH,
    nothing,
    outline,
    sheet,
    stack,
    text_width,
    write,
)
from lstm_widgets.tokens.wording import in_line, label, number, quoted, sendable, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray
    from PIL import ImageDraw

    from lstm_widgets.figures.examples import Examples

_BAND, _SEAM, _APART, _FURTHER_APART, _MARGIN, _HEAD = 19, 1, 4, 9, 6, 17
_NUMBER, _CLASSES, _MOST = 48, 130, 420
WARN = (138, 75, 0)


@dataclass(frozen=True)
class Band:
    """
    How the relevance of one method becomes colours: js/src/colour/band.js on a light page.

    Parameters
    ----------
    method : str
        Its name.
    largest : float
        Its largest magnitude in all examples.
    palette : str
        A name of the table, or ``"auto"``.
    scale : str or tuple of float
        As the trait of the widget.
    """

    method: str
    largest: float
    palette: str = "auto"
    scale: str | tuple[float, float] = "example"

    @property
    def signed(self) -> bool:
        """Whether there are values on both sides of zero."""
        return self.method not in UNSIGNED

    @property
    def ramp(self) -> NDArray[np.uint8]:
        """Its colours from end to end: uint8 (step, 3)."""
        name = self.palette
        if name == "auto":
            name = "RdBu_r" if self.signed else "Purples"
        half = not self.signed and TABLE[name]["kind"] == "diverging"
        return ramp(name)[RAMP // 2 :] if half else ramp(name)

    def range(self, largest: float) -> tuple[float, float]:
        """Give the values of the outermost colours, from the largest magnitude in the example."""
        if isinstance(self.scale, tuple):
            low, high = self.scale
            return (low if self.signed or high <= 0 else max(0.0, low)), high
        high = self.largest if self.scale == "all" else largest
        return (-high if self.signed else 0.0), high

    def look(
        self, values: ArrayLike, largest: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """
        Give values of one example their colours and marks.

        Parameters
        ----------
        values : float array (box,)
        largest : float
            The largest magnitude in the example.

        Returns
        -------
        tuple of uint8 array (box, 3) and uint8 array (box,)
        """
        value = np.asarray(values, np.float64)
        low, high = self.range(largest)
        place = np.full(value.shape, 0.5 if self.signed else 0.0)
        if high > low:
            place = (value - low) / (high - low)
        last = len(self.ramp) - 1
        step = np.floor(np.nan_to_num(place, nan=0, posinf=1, neginf=0) * last + 0.5)
        colours = self.ramp[np.clip(step, 0, last).astype(int)]
        clipped = (place < -1e-6) | (place > 1 + 1e-6) | np.isinf(value)
        marks = np.where(np.isnan(value), IS_NAN, np.where(clipped, CLIPPED, PLAIN))
        unknown = mix(BACKGROUND, FOREGROUND, 0.3)
        colours = np.where(np.isnan(value)[:, None], unknown, colours).astype(np.uint8)
        return colours, marks.astype(np.uint8)


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
class _Page:
    examples: Examples
    order: NDArray[np.uint32]
    example: int
    timestep: int
    method: str
    bands: Sequence[Band]
    lines: int

    @property
    def left(self) -> int:
        """Where words begin."""
        named = max(text_width(method_name(band.method), "sans", 11) for band in self.bands)
        return EDGE + _NUMBER + 10 + _CLASSES + (named + 12 if len(self.bands) > 1 else 0)

    @property
    def high(self) -> int:
        """The height of the bands of a line."""
        return len(self.bands) * (_BAND + _SEAM) - _SEAM

    @property
    def apart(self) -> int:
        """Between two lines."""
        return _FURTHER_APART if len(self.bands) > 1 else _APART

    def height(self, lines: int) -> int:
        """Give the height of an example of so many lines."""
        return max(2 * _HEAD, lines * (self.high + self.apart) - self.apart) + 2 * _MARGIN + 1


def method_name(name: str) -> str:
    """Give a method's name as it is written."""
    return name.replace("_x_", " × ").replace("_", " ")


def relevance_picture(
    examples: Examples,
    order: NDArray[np.uint32],
    *,
    example: int,
    timestep: int,
    method: str,
    methods: Sequence[str],
    palette: str,
    scale: str | tuple[float, float],
    lines: int,
) -> Image.Image:
    """
    Draw the first examples, or those around the selected one, as far as there is room.

    Parameters
    ----------
    examples : Examples
    order : uint32 array (row,)
        The examples that are shown, in their order.
    methods : list of str
        Those that have a band.
    example, timestep, method, palette, scale, lines : int or str
        As the widget's traits.
    """
    largest = dict(zip(examples.methods, examples.largest.tolist(), strict=True))
    bands = [Band(name, largest[name], palette, scale) for name in methods]
    page = _Page(examples, order, example, timestep, method, bands, lines or 2)
    if len(order) == 0 or examples.timesteps == 0:
        return stack([nothing(), _foot(page)])
    found = np.flatnonzero(order == example)
    rank = int(found[0]) if len(found) else 0
    parts = _fitting(page, order, 0)
    if rank >= len(parts):
        parts = _fitting(page, order, rank - 1)
    return stack([_header(page), *parts, _foot(page)])


def _fitting(page: _Page, order: NDArray[np.uint32], first: int) -> list[Image.Image]:
    """Draw as many examples as there is room for, from one on; at the end, some before it."""
    parts: list[Image.Image] = []
    room = _MOST
    ranks = [*range(first, len(order)), *range(first - 1, -1, -1)]
    for rank in ranks:
        part = _example(page, int(order[rank]))
        room -= part.height
        if parts and room < 0:
            break
        parts.insert(0 if rank < first else len(parts), part)
    return parts


def _header(page: _Page) -> Image.Image:
    image, draw = sheet(20)
    examples = page.examples
    classes = examples.predicted_name + (", true" if examples.knows_outcome else "")
    texts = [("example", EDGE + _NUMBER, "rm")]
    head = classes if examples.knows_predicted else examples.score_name
    texts.append((head, EDGE + _NUMBER + 10, "lm"))
    words = "words" if examples.spelling.kind == "words" else "tokens"
    texts.append((words if page.examples.tokens is not None else "timesteps", page.left, "lm"))
    for text, x, anchor in texts:
        write(draw, (x, 10), text, size=11, colour=MUTED, anchor=anchor)
    return image


def _boxes(examples: Examples, example: int) -> list[Box]:
    steps = examples.timesteps
    mask = np.ones(steps, bool) if examples.mask is None else examples.mask[example]
    tokens = examples.tokens
    spelling = examples.spelling
    boxes = []
    t = 0
    while t < steps:
        stop = t + 1
        while not mask[t] and stop < steps and not mask[stop]:
            stop += 1
        if stop - t < (2 if examples.spelling.kind == "words" else 4):
            stop = t + 1
        own = str(t) if tokens is None else label(sendable(tokens[example, t])[:256], spelling)
        joined = False
        if tokens is not None and mask[t] and t > 0:
            joined = not spelling.parted(*tokens[example, t - 1 : t + 1])
        text = own if stop == t + 1 else f"{stop - t} × padding"
        boxes.append(Box(t, stop, not mask[t], text, joined))
        t = stop
    return boxes


def _laid_out(page: _Page, example: int) -> tuple[list[list[Box]], int]:
    """Wrap the words of an example into lines; tell how many timesteps there is no room for."""
    kind = page.examples.spelling.kind
    pad = {"characters": 3, "words": 8}.get(kind, 4)
    room = WIDTH - page.left - EDGE
    rows: list[list[Box]] = [[]]
    x, boxes = 0, _boxes(page.examples, example)
    for box in boxes:
        width = max(_BAND - 1, text_width(box.text, "mono", 13) + pad)
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


def _largest(page: _Page, method: str, example: int | None = None) -> float:
    """Give the largest finite magnitude of a method in an example, by default the selected one."""
    example = page.example if example is None else example
    values = page.examples.values[page.examples.methods.index(method)][example : example + 1]
    return float(np.max(np.abs(values), initial=0, where=np.isfinite(values)))


def _example(page: _Page, example: int) -> Image.Image:
    lines, cut = _laid_out(page, example)
    chosen = example == page.example
    image, draw = sheet(page.height(len(lines)) - 1)
    if chosen:
        tint = tuple(mix(BACKGROUND, FOREGROUND, 0.05).tolist())
        draw.rectangle((0, 0, WIDTH, image.height), fill=tint)
        draw.rectangle((0, 0, 2, image.height), fill=(11, 98, 214))
    _classes(draw, page, example, chosen=chosen)
    for i, line in enumerate(lines):
        top = _MARGIN + i * (page.high + page.apart)
        for k, band in enumerate(page.bands):
            _band(image, draw, page, line, band=band, example=example, y=top + k * (_BAND + _SEAM))
        for box in line:
            if chosen and box.start <= page.timestep < box.stop:
                x = page.left + box.x
                outline(draw, x - 1, top - 1, x + box.width, top + page.high)
    if cut:
        top = _MARGIN + (len(lines) - 1) * (page.high + page.apart)
        x = page.left + lines[-1][-1].x + lines[-1][-1].width + 6
        write(draw, (x, top + _BAND / 2), f"… {cut} more", size=11, colour=MUTED)
    return image


def _classes(draw: ImageDraw.ImageDraw, page: _Page, example: int, *, chosen: bool) -> None:
    examples = page.examples
    x, y = EDGE + _NUMBER + 10, _MARGIN + _HEAD / 2
    colour = FOREGROUND if chosen else MUTED
    write(draw, (EDGE + _NUMBER, y), str(example), colour=colour, anchor="rm")
    label = None if examples.labels is None else in_line(sendable(examples.labels[example]))
    if not examples.knows_predicted:
        write(draw, (x, y), number(float(examples.score[example])), kind="bold")
        if label is not None:
            write(draw, (x, y + _HEAD), label, colour=MUTED, room=_CLASSES - 10)
        return
    name = visible(examples.class_name(examples.predicted[example]))
    sure = float(examples.confidence[example])
    write(draw, (x, y), name, kind="bold", room=_CLASSES - 56)
    if not np.isnan(sure):
        text = "> .999" if 0.9995 <= sure < 1 else f"{sure:.3f}"
        write(draw, (x + _CLASSES - 10, y), text, colour=MUTED, anchor="rm")
    if examples.true[example] >= 0:
        right = bool(examples.right[example])
        colour = MUTED if right else WARN
        write(draw, (x, y + _HEAD), "✓" if right else "✗", colour=colour)
        true = visible(examples.class_name(examples.true[example]))
        write(draw, (x + 15, y + _HEAD), true, colour=colour, room=_CLASSES - 25)
    elif label is not None:
        write(draw, (x, y + _HEAD), label, colour=MUTED, room=_CLASSES - 10)


def _band(
    image: Image.Image,
    draw: ImageDraw.ImageDraw,
    page: _Page,
    line: list[Box],
    *,
    band: Band,
    example: int,
    y: int,
) -> None:
    values = page.examples.values[page.examples.methods.index(band.method), example]
    if len(page.bands) > 1:
        kind = "bold" if band.method == page.method else "sans"
        where = (page.left - 8, y + _BAND / 2)
        text = method_name(band.method)
        write(draw, where, text, size=11, kind=kind, colour=MUTED, anchor="rm")
    largest = _largest(page, band.method, example)
    colours, marks = band.look([_strongest(values, box) for box in line], largest)
    for box, colour, mark in zip(line, colours, marks, strict=True):
        drawn = PADDING if box.padding else int(mark)
        square = np.broadcast_to(colour, (_BAND, box.width, 3))
        square = patterned(square, np.full((_BAND, box.width), drawn))
        image.paste(Image.fromarray(square), (page.left + box.x, y))
        on = square[1, 1] if box.padding else colour
        red, green, blue = ink(on).tolist()
        paint: Colour = (red, green, blue)
        middle = (page.left + box.x + box.width / 2, y + _BAND / 2)
        if box.padding and band is not page.bands[0]:
            continue  # that it is padding is written once
        if text_width(box.text, "mono", 13) <= box.width:
            write(draw, middle, box.text, size=13, kind="mono", colour=paint, anchor="mm")
        else:
            place = (page.left + box.x + 2, middle[1])
            write(draw, place, box.text, size=13, kind="mono", colour=paint, room=box.width - 4)


def _foot(page: _Page) -> Image.Image:
    """Draw what is selected at the left, and the legend of the selected method at the right."""
    examples, example = page.examples, page.example
    (band,) = [b for b in page.bands if b.method == page.method] or page.bands[:1]
    low, high = band.range(_largest(page, band.method))
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
        parts = [f"example {example}", f"t={page.timestep}"]
        if examples.tokens is not None:
            parts[1] += f" {quoted(sendable(examples.tokens[example, page.timestep]))}"
        for k, name in enumerate(examples.methods):
            value = float(examples.values[k, example, page.timestep])
            parts.append(f"{method_name(name)} {number(value)}")
    return foot_of(" · ".join(parts), counts, legend)
