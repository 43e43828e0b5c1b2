"""What figures are drawn on: boxes, patterns, words and frames, collected from top to bottom.

Lengths are units of 1/120 inch: what is a pixel of a still picture. Letters of 11 are 6.6 points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.colours import (
    CLIPPED,
    INKS,
    IS_NAN,
    LIGHT,
    PADDING,
    PLAIN,
    THEMES,
    Colour,
    Theme,
    ink,
    mix,
    one_colour,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

UNITS_PER_INCH = 120
#: Widths of figures, in inches: those of a journal's column and of its page; and what there may be.
WIDTHS = {"column": 3.5, "page": 7.2}
LEAST_WIDTH, MOST_WIDTH = 2.5, 40.0
EDGE = 12
#: What boxes are, from behind to the front: paper, its lines, what has colours of values, and frames,
#: which stand in front of words.
PAPER, LINES, VALUES, FRONT = range(4)
#: From the middle of a line of letters down to what they stand on, in their size.
_BASELINE = 0.35


class Word(NamedTuple):
    """A text in one line: where it begins and what it stands on."""

    x: float
    y: float
    text: str
    kind: str
    size: float
    colour: Colour


class Stroke(NamedTuple):
    """A line: the points (point, 2) that it goes through, with a gap where they are NaN."""

    points: Floats
    thick: float
    colour: Colour
    alpha: float = 1


class Pattern(NamedTuple):
    """Lines over boxes: how they rise, how far apart they are, how thick, and where they begin."""

    rise: int
    period: int
    thick: float
    phase: float
    alpha: float = 1


_OBLIQUE = 0.5**0.5
NAN_LINES = Pattern(1, 6, 2 * _OBLIQUE, 1)
CLIPPED_LINES = Pattern(-1, 6, _OBLIQUE, 0.5, 0.65)
STRIPES = Pattern(1, 4, _OBLIQUE, 0.5)
DOTS = Pattern(0, 4, 1, 0.5)
#: What stands beside each mark in a legend.
MEANINGS = {IS_NAN: "not a number", CLIPPED: "beyond the scale", PADDING: "padding"}


def inches_of(width: str | float) -> float:
    """Give the width of a figure in inches."""
    inches = WIDTHS.get(width) if isinstance(width, str) else width
    if isinstance(inches, bool) or not isinstance(inches, int | float):
        inches = float("nan")
    if not LEAST_WIDTH <= inches <= MOST_WIDTH:
        raise ValueError(
            f"width: expected {', '.join(map(repr, WIDTHS))}, or {LEAST_WIDTH:g} to {MOST_WIDTH:g} "
            f"inches; got {width!r}"
        )
    return float(inches)


def theme_of(name: str) -> Theme:
    """Give the colours of a theme by its name."""
    if name not in THEMES:
        raise ValueError(f"theme: expected one of {', '.join(map(repr, THEMES))}, got {name!r}")
    return THEMES[name]


def rectangles(x: ArrayLike, y: ArrayLike, width: ArrayLike, height: ArrayLike) -> Floats:
    """Give boxes (box, 4), left, top, right, bottom, from places and sizes that broadcast."""
    x, y, width, height = np.broadcast_arrays(x, y, width, height)
    return np.stack([x, y, x + width, y + height], axis=-1).reshape(-1, 4).astype(np.float64)


class Sheet:
    """
    A sheet that grows downwards.

    Parameters
    ----------
    width : int
    theme : Theme, optional
    framed : bool, optional
        Whether it has the frame of a still picture, with lines between its parts.

    Attributes
    ----------
    height : int
        How far it is drawn on.
    seen : set of int
        The marks that are drawn.
    """

    def __init__(self, width: int, theme: Theme = LIGHT, *, framed: bool = False) -> None:
        self.width, self.theme, self.framed = width, theme, framed
        self.height = 1
        self.seen: set[int] = set()
        self.words: list[Word] = []
        self.fills: list[tuple[int, Floats, NDArray[np.uint8]]] = []
        self.strokes: list[Stroke] = []
        self.patterns: dict[tuple[Pattern, Colour], list[Floats]] = {}

    def end(self, height: float) -> None:
        """End a part of this height; the next begins below it."""
        if self.framed:
            self.box((0, height, self.width, height + 1), self.theme.line, LINES)
        self.height += int(height) + 1

    def beside(self, parts: Sequence[Sheet], pitch: int) -> None:
        """Put what was drawn on other sheets beside each other, so far from one to the next."""
        for k, part in enumerate(parts):
            x, y = k * pitch, self.height - 1
            moved = np.array((x, y, x, y), np.float64)
            self.seen |= part.seen
            self.words += [word._replace(x=word.x + x, y=word.y + y) for word in part.words]
            self.fills += [(on, boxes + moved, colours) for on, boxes, colours in part.fills]
            self.strokes += [one._replace(points=one.points + moved[:2]) for one in part.strokes]
            for look, boxes in part.patterns.items():
                self.patterns.setdefault(look, []).extend(each + moved for each in boxes)
        self.height += max(part.height for part in parts) - 1

    @property
    def _down(self) -> Floats:
        return np.array((0, self.height, 0, self.height), np.float64)

    # -- boxes -----------------------------------------------------------------------------------

    def boxes(self, boxes: Floats, colours: ArrayLike, layer: int = VALUES) -> None:
        """Draw boxes (box, 4) in their colours (box, 3), or all in one."""
        filled = np.broadcast_to(np.asarray(colours, np.uint8), (len(boxes), 3))
        self.fills.append((layer, boxes + self._down, filled))

    def box(self, box: Sequence[float], colour: Colour, layer: int = VALUES) -> None:
        """Draw one box: left, top, right, bottom."""
        self.boxes(np.array([box], np.float64), colour, layer)

    def outline(self, box: Sequence[float], *, thick: int = 1) -> None:
        """Draw the frame of what is selected, seen on every colour; a thick one grows outwards."""
        theme = self.theme
        for grown, colour in (
            *((-1, theme.background), (thick, theme.background)),
            *((k, theme.foreground) for k in range(thick)),
        ):
            self.frame((box[0] - grown, box[1] - grown, box[2] + grown, box[3] + grown), colour)

    def frame(self, box: Sequence[float], colour: Colour, layer: int = FRONT) -> None:
        """Draw the four sides of a box, within it."""
        x0, y0, x1, y1 = box
        sides = (
            *((x0, y0, x1, y0 + 1), (x0, y1 - 1, x1, y1)),
            *((x0, y0, x0 + 1, y1), (x1 - 1, y0, x1, y1)),
        )
        self.boxes(np.array(sides, np.float64), colour, layer)

    def stroke(self, points: Floats, thick: float, colour: Colour, alpha: float = 1) -> None:
        """Draw a line through points (point, 2); where they are NaN, there is a gap."""
        if len(points):
            self.strokes.append(Stroke(points + self._down[:2], thick, colour, alpha))

    def pattern(self, pattern: Pattern, boxes: Floats, colour: Colour) -> None:
        """Draw lines over boxes."""
        if len(boxes):
            self.patterns.setdefault((pattern, colour), []).append(boxes + self._down)

    def values(
        self, boxes: Floats, colours: NDArray[np.uint8], marks: NDArray[np.uint8]
    ) -> NDArray[np.uint8]:
        """
        Draw boxes in the colours of their values, with their marks.

        Parameters
        ----------
        boxes : float array (box, 4)
        colours : uint8 array (box, 3)
        marks : uint8 array (box,)

        Returns
        -------
        uint8 array (box, 3)
            The colours that letters stand on.
        """
        theme = self.theme
        self.seen |= set(marks.tolist()) - {PLAIN}
        padded = marks == PADDING
        drawn = colours.copy()
        drawn[padded] = mix(colours[padded], theme.background, 0.75)
        self.boxes(boxes, drawn)
        self.pattern(NAN_LINES, boxes[marks == IS_NAN], theme.foreground)
        dots = one_colour(mix(theme.background, theme.foreground, 0.5))
        self.pattern(DOTS, boxes[padded], dots)
        for colour in INKS:
            chosen = (marks == CLIPPED) & (ink(drawn) == colour).all(axis=1)
            self.pattern(CLIPPED_LINES, boxes[chosen], colour)
        return drawn

    def tokens(
        self,
        boxes: Floats,
        texts: Iterable[str],
        colours: NDArray[np.uint8],
        marks: NDArray[np.uint8],
        *,
        size: float = 13,
        inks: NDArray[np.uint8] | None = None,
    ) -> None:
        """Draw tokens in the middle of boxes that have the colours of their values."""
        on = self.values(boxes, colours, marks)
        found = (ink(on) if inks is None else inks).tolist()
        for (x0, y0, x1, y1), text, colour in zip(boxes.tolist(), texts, found, strict=True):
            self.centred(x0, x1, (y0 + y1) / 2, text, colour=tuple(colour), size=size)

    # -- words -----------------------------------------------------------------------------------

    def text_width(self, text: str, kind: str = "sans", size: float = 12) -> float:
        """Give the width of a line of text."""
        from lstm_widgets.figures import fonts  # noqa: PLC0415 - imports Matplotlib

        return fonts.text_width(text, kind) * size

    def shortened(self, text: str, room: float, kind: str = "sans", size: float = 12) -> str:
        """Give a text as far as there is room; what is cut ends in an ellipsis."""
        if self.text_width(text, kind, size) <= room:
            return text
        kept = text
        while len(kept) > 1 and self.text_width(f"{kept}…", kind, size) > room:
            kept = kept[:-1]
        return f"{kept.rstrip()}…" if len(text) > 2 else text[:1]

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 12,
        kind: str = "sans",
        colour: Colour | None = None,
        align: str = "left",
        room: float | None = None,
    ) -> float:
        """Write a line of text around a height, and give its width."""
        if room is not None:
            text = self.shortened(text, room, kind, size)
        width = self.text_width(text, kind, size)
        if text.strip():
            left = x - width * {"left": 0, "middle": 0.5, "right": 1}[align]
            baseline = round(self.height + y + _BASELINE * size)
            colour = self.theme.foreground if colour is None else colour
            self.words.append(Word(left, baseline, text, kind, size, colour))
        return width

    def muted(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 11,
        kind: str = "sans",
        align: str = "left",
        room: float | None = None,
    ) -> float:
        """Write what explains."""
        muted = self.theme.muted
        return self.write(x, y, text, size=size, kind=kind, colour=muted, align=align, room=room)

    def centred(
        self,
        x0: float,
        x1: float,
        y: float,
        text: str,
        *,
        colour: Colour | None = None,
        kind: str = "mono",
        size: float = 13,
    ) -> None:
        """Write into the middle of a stretch, or from its beginning what is wider."""
        if self.text_width(text, kind, size) <= x1 - x0 + 1:
            middle = (x0 + x1) / 2
            self.write(middle, y, text, size=size, kind=kind, colour=colour, align="middle")
        else:
            self.write(x0, y, text, size=size, kind=kind, colour=colour, room=x1 - x0)

    def paragraph(
        self,
        x: float,
        y: float,
        text: str,
        right: float,
        *,
        left: float = EDGE,
        size: float = 12,
        colour: Colour | None = None,
        most: int = 4,
    ) -> int:
        """Write a text from ``x`` on, further lines from ``left`` on; give how many more there are."""
        pitch, lines, words = size + 4, [""], text.split(" ")
        starts = [x]
        while words:
            longer = f"{lines[-1]} {words[0]}".lstrip()
            room = right - starts[-1]
            if self.text_width(longer, "sans", size) <= room or lines[-1:] == [""]:
                lines[-1] = longer
                del words[0]
            elif len(lines) == most:
                lines[-1] = f"{lines[-1]} {' '.join(words)}"
                break
            else:
                lines.append("")
                starts.append(left)
        for i, (start, line) in enumerate(zip(starts, lines, strict=True)):
            room = max(0, right - start)
            self.write(start, y + i * pitch, line, size=size, colour=colour, room=room)
        return (len(lines) - 1) * int(pitch)

    def nothing(self) -> None:
        """Say that there is nothing to be seen."""
        self.write(
            *(self.width / 2, 30, "Nothing to show."),
            size=13,
            colour=self.theme.muted,
            align="middle",
        )
        self.end(60)
