"""Lines over a common time axis: what js/src/panes/series draws, on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.colours import mix, one_colour, ramp
from lstm_widgets.figures.sheet import DOTS, EDGE, LINES, rectangles
from lstm_widgets.figures.time_ticks import number_ticks, time_ticks
from lstm_widgets.recording.levels import BASE_LEVEL
from lstm_widgets.recording.masks import padding_of
from lstm_widgets.recording.rows import Rows
from lstm_widgets.tokens.wording import in_line, number, short_range
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lstm_widgets.colours import Colour
    from lstm_widgets.figures.behind import Behind
    from lstm_widgets.figures.sheet import Floats, Sheet
    from lstm_widgets.views.line import Line
    from lstm_widgets.views.lines import Key, Lines, Subject
    from lstm_widgets.views.long_lines import LongLine
    from lstm_widgets.views.places import Places
    from lstm_widgets.views.snapshot import Snapshot

_HEIGHTS = {"channel": 46, "output": 68, "cell": 68, "track": 40}
_OVERLAID = 260
_APART, _HEAD, _NARROW = 14, 24, 640
#: No lower than this share of their height; what then has no room is left out.
_LEAST = 0.6
#: Of lines over one another: from one name to the next.
_PITCH = 26
_TARGET, _LINE, _HALO = 3.5, 1.1, 2.0
#: Where on a palette the colours are of what is below zero and above it, and how much of them is seen:
#: where a line is alone, and where others lie on it.
_SIDES, _AREA, _GROUND = (0.16, 0.84), 0.5, 0.22
_DAY = 86_400_000
#: Where a unit ends, to so small a part of it.
_UNSEEN = 0.125


class Row(NamedTuple):
    """
    A band: what it is called, of which example it is, and which lines are in it.

    Parameters
    ----------
    title : str
    example : int
    subjects : list of Subject
    """

    title: str
    example: int
    subjects: list[Subject]

    @property
    def alone(self) -> bool:
        """Whether there is one line, or one over the other."""
        return len(self.subjects) == 1

    @property
    def height(self) -> int:
        """How high it is where there is room."""
        return _HEIGHTS[self.subjects[0].kind] if self.alone else _OVERLAID


def series(
    sheet: Sheet,
    shown: Snapshot,
    lines: Lines,
    rows: Sequence[Row],
    *,
    span: tuple[int, int] | None,
    most: int,
    behind: Behind | None = None,
) -> None:
    """
    Draw lines, as many as there is room for.

    Parameters
    ----------
    sheet : Sheet
    shown : Snapshot
        With something recorded.
    lines : Lines
    rows : sequence of Row
    span : tuple of int or None
        The timesteps of the layer that are drawn; all of them, if it is None.
    most : int
        How high all bands may be.
    behind : Behind, optional
        Relevance behind the lines of channels.
    """
    if not rows:
        sheet.nothing()
        return
    around = _APART * len(rows)
    share = max(_LEAST, min(1.0, most / (sum(row.height for row in rows) + around)))
    heights = [round(share * row.height) for row in rows]
    while len(heights) > 1 and sum(heights) + _APART * len(heights) > 1.5 * most:
        heights.pop()
    drawing = _Drawing(sheet, shown, lines, _extent(shown, lines, rows, span), behind)
    bottom = _HEAD + 8 + sum(heights) + _APART * len(heights)
    drawing.ticks(bottom - 6)
    top = _HEAD + 8
    for row, height in zip(rows, heights, strict=False):
        drawing.band(row, top, height)
        top += height + _APART
    drawing.selected(bottom - 6)
    if len(heights) < len(rows):
        left_out = f"{len(rows) - len(heights)} more lines are not drawn here"
        sheet.muted(drawing.left, bottom + 4, left_out, size=10)
        bottom += 14
    sheet.end(bottom)


def _extent(
    shown: Snapshot, lines: Lines, rows: Sequence[Row], span: tuple[int, int] | None
) -> tuple[float, float]:
    """Give the first and the last time that are drawn."""
    name = shown.layer["name"]
    if span is not None:
        places = lines.places(name, shown.example)
        start, end = places[span[0]], places[min(span[1], len(places)) - 1]
    else:
        layer = "" if lines.series is not None else name
        every = [lines.places(layer, example) for example in {row.example for row in rows}]
        start = min(places[0] for places in every)
        end = max(places[-1] for places in every)
    if start < end:
        return start, end
    half = _DAY / 2 if shown_times(lines.layer(name)) is not None else 0.5
    return start - half, end + half


class _Band(NamedTuple):
    """Where values stand in a band."""

    top: int
    height: int
    low: float
    high: float

    def y(self, values: Floats) -> Floats:
        """Give the heights of values; NaN of NaN."""
        share = (self.high - np.clip(values, self.low, self.high)) / (self.high - self.low)
        return np.asarray(self.top + 1 + share * (self.height - 2), np.float64)

    @property
    def zero(self) -> float:
        """The height of zero, or of what is nearest to it."""
        return float(self.y(np.zeros(1))[0])


class _Drawing:
    """One picture: its sheet, and what time is drawn from where to where."""

    def __init__(
        self,
        sheet: Sheet,
        shown: Snapshot,
        lines: Lines,
        extent: tuple[float, float],
        behind: Behind | None = None,
    ) -> None:
        self.sheet, self.shown, self.lines, self.behind = sheet, shown, lines, behind
        # What bands reach to is that of all variants.
        self.every = [lines] if shown.every_line is None else shown.every_line()
        self.start, self.end = extent
        narrow = sheet.width < _NARROW
        self.name, self.left = (70, 112) if narrow else (104, 150)
        self.right = sheet.width - EDGE - (70 if narrow else 84)
        self.layer = shown.layer["name"]
        self.at = lines.places(self.layer, shown.example)[shown.timestep]

    def x(self, places: Floats) -> Floats:
        """Give where times stand."""
        share = (places - self.start) / (self.end - self.start)
        return np.asarray(self.left + share * (self.right - self.left), np.float64)

    def ticks(self, bottom: int) -> None:
        """Draw the dates, or numbers, and a line at each."""
        sheet, theme = self.sheet, self.sheet.theme
        pale = one_colour(mix(theme.background, theme.line, 0.6))
        free = self.left - 20.0
        for place, text in self._times_shown(max(2, int((self.right - self.left) / 84))):
            x = float(self.x(np.array([place]))[0])
            sheet.box((round(x), _HEAD - 5, round(x) + 1, bottom), pale, LINES)
            half = sheet.text_width(text, size=10) / 2
            if free <= x - half and x + half <= sheet.width:
                sheet.muted(x, 10, text, size=10, align="middle")
                free = x + half + 6

    def _times_shown(self, count: int) -> list[tuple[float, str]]:
        """Give about so many places on the time axis, and what stands there."""
        layer = self.layer if self.lines.series is None else ""
        places = self.lines.places(layer, self.shown.example)
        times = shown_times(self.lines.layer(layer) if layer else self.lines.series)
        if times is not None:
            ticks = time_ticks(times, self.shown.example, *self._drawn(places), count)
            return [(places[tick.timestep], tick.text) for tick in ticks]
        found = number_ticks(self.start, self.end, count, whole=True)
        return [(tick, f"{tick:.0f}") for tick in found]

    def selected(self, bottom: int) -> None:
        """Draw the line of the selected time, and what marks the one that is explained."""
        self._explained(bottom)
        if self.start <= self.at <= self.end:
            x = round(float(self.x(np.array([self.at]))[0]))
            self.sheet.box((x, _HEAD - 4, x + 1, bottom), self.sheet.theme.foreground)

    def _explained(self, bottom: int) -> None:
        """Mark the timestep that is explained, and what was read for it."""
        reach = None if self.behind is None else self.behind.reach(self.lines, self.shown.example)
        if reach is None:
            return
        sheet, theme = self.sheet, self.sheet.theme
        first, last, at = self.x(np.array(reach)).tolist()
        first, last = max(first, self.left), min(last, self.right)
        if first < last:
            pale = one_colour(mix(theme.background, theme.foreground, 0.55))
            sheet.box((first, _HEAD - 4, last, _HEAD - 2), pale, LINES)
        if self.left - 1 <= at <= self.right + 1:
            x = round(at)
            steps = np.arange(5)
            sheet.boxes(
                np.stack([x - 4 + steps, _HEAD + steps, x + 5 - steps, _HEAD + 1 + steps], 1),
                theme.foreground,
            )
            tops = np.arange(_HEAD + 6, bottom, 5)
            sheet.boxes(rectangles(x, tops, 1, 2), theme.foreground)

    def colour(self, subject: Subject) -> Colour:
        """Give the colour of a line."""
        theme = self.sheet.theme
        hues = {"channel": theme.lines, "track": theme.tracks}.get(subject.kind)
        return hues[subject.hue % len(hues)] if hues else theme.foreground

    # -- bands -----------------------------------------------------------------------------------

    def band(self, row: Row, top: int, height: int) -> None:
        """Draw a band from its ground to the numbers beside it."""
        sheet, theme = self.sheet, self.sheet.theme
        bottom = top + height + 3
        sheet.box((self.left, bottom, self.right, bottom + 1), theme.line, LINES)
        if self._coloured(row) and self.behind is not None:
            (key, *_), box = (
                row.subjects[0].keys,
                (self.left, top - 3, self.right, top + height + 3),
            )
            channel = key.number if row.alone and key.kind == "channel" else None
            self.behind.draw(sheet, self.lines, row.example, channel, box=box, x=self.x)
        self._padding(row, top, height)
        # What is yes or no lies behind the others.
        places = [self._range(one, row.example) for one in row.subjects]
        for i in sorted(range(len(places)), key=lambda i: not row.subjects[i].yes_no):
            ends, subject = places[i], row.subjects[i]
            if ends is not None:
                self._lines(row, subject, _Band(top, height, *ends))
        if row.alone:
            self._name(row, top, height, places[0])
        pitch = min(_PITCH, height / len(row.subjects))
        for i, subject in enumerate(row.subjects):
            middle = top + (height / 2 if row.alone else pitch * (i + 0.5))
            if not row.alone:
                colour, room = self.colour(subject), self.left - 20
                sheet.write(
                    *(self.left - 12, middle, in_line(subject.name)),
                    size=11,
                    kind="bold",
                    align="right",
                    colour=colour,
                    room=room,
                )
            self._values(row, subject, middle)

    def _coloured(self, row: Row) -> bool:
        """Whether relevance stands behind a band."""
        if self.behind is None or self.behind.row(row.example) is None:
            return False
        return self.behind.adds_up or (row.alone and row.subjects[0].kind == "channel")

    def _range(self, subject: Subject, example: int) -> tuple[float, float] | None:
        """Give what a band reaches from and to, as js/src/panes/series/bands.js does; None if none."""
        if subject.yes_no:
            return 0.0, 1.0
        known = []
        for key in subject.keys:
            first, stop = self._drawn(self.lines.places(key.layer, example))
            for lines in self.every:
                extent = lines.line(key, example).extent(first, stop)
                known += [extent] if extent is not None else []
        if not known:
            return None
        low, high = min(low for low, _ in known), max(high for _, high in known)
        if subject.kind == "cell":
            return _range_of_cell(self.shown, low, high)
        # What is never far from zero is seen from there.
        low = 0.0 if 0 < low < 0.4 * high else low
        high = 0.0 if 0.4 * low < high < 0 else high
        if low == high:
            return (-1.0, 1.0) if low == 0 else (low - abs(low), low + abs(low))
        return low, high

    def _drawn(self, places: Places) -> tuple[int, int]:
        """Give the first of timesteps that is drawn, and that after the last."""
        return places.find(self.start), places.find(self.end, "right")

    def _padding(self, row: Row, top: int, height: int) -> None:
        dataset = self.lines.layer(self.layer)
        channels = all(one.kind == "channel" for one in row.subjects)
        if "mask" not in dataset or (channels and self.shown.layer.get("windowed")):
            return
        places = self.lines.places(self.layer, row.example)
        begin, end = self.x(np.array([places[0], places[-1]])).tolist()
        half = (end - begin) / max(1, len(places) - 1) / 2
        edges = padding_of(Rows(dataset["mask"]), len(places), row.example)
        lefts, rights = self.x(places[edges[:, 0]]), self.x(places[edges[:, 1] - 1])
        for left, right in zip(lefts.tolist(), rights.tolist(), strict=True):
            a, b = max(self.left, left - half), min(self.right, right + half)
            if b > a:
                boxes = rectangles(a, top - 3, b - a, height + 6)
                self.sheet.pattern(DOTS, boxes, self.sheet.theme.muted)

    def _lines(self, row: Row, subject: Subject, band: _Band) -> None:
        sheet, theme = self.sheet, self.sheet.theme
        threshold = self.shown.threshold
        if row.alone and subject.kind == "cell" and threshold > 0:
            grey = one_colour(mix(theme.background, theme.foreground, 0.09))
            above, below = band.y(np.array([threshold, -threshold])).tolist()
            sheet.box((self.left, above, self.right, below), grey, LINES)
        if row.alone and band.low < 0 < band.high:
            zero = round(band.zero)
            sheet.box((self.left, zero, self.right, zero + 1), theme.line, LINES)
        for key in subject.keys:
            # What is so lies behind what is read of it.
            behind = key.kind == "track" and len(subject.keys) > 1
            steps = subject.yes_no and key.kind == "track"
            filled = steps or behind or (row.alone and subject.kind == "cell")
            line = self.lines.line(key, row.example)
            points, spans = self._points(line, key, row.example, band, steps=steps)
            if filled:
                share = _AREA if row.alone and not behind else _GROUND
                self._area(subject, spans, band.zero, share)
            if not (steps or behind):
                target = key.kind == "target"
                colour = theme.target if target else self.colour(subject)
                thick = _TARGET if target else _LINE
                # Clear of the colours behind it, but not so often that it hides them.
                if self._coloured(row) and len(points) <= self.right - self.left:
                    sheet.stroke(points, thick + _HALO, theme.background)
                sheet.stroke(points, thick, colour)

    def _points(
        self, line: Line | LongLine, key: Key, example: int, band: _Band, *, steps: bool
    ) -> tuple[Floats, Floats]:
        """
        Give the points of a line, and what it spans: left, right, the heights of its lowest and highest.

        Where several timesteps share a unit, its line goes from the lowest to the highest of them.
        """
        places = self.lines.places(key.layer, example)
        first, stop = self._drawn(places)
        if first >= stop:
            return np.zeros((0, 2)), np.zeros((0, 4))
        # A line breaks where timesteps are missing.
        broken = places.gaps(slice(first, stop))
        before, after = (self.x(places[first + at]) for at in (broken - 1, broken))
        if stop - first <= self.right - self.left:
            x = self.x(places[first:stop])
            y = band.y(line.read(first, stop).astype(np.float64))
            points = np.insert(np.stack([x, y], axis=1), broken, np.nan, axis=0)
            if not steps:
                units = np.arange(np.ceil(x[0]), x[-1])
                level = np.interp(units + 0.5, x, y)
                behind = np.searchsorted(after, units)
                level[behind < np.searchsorted(before, units, "right")] = np.nan
                return points, np.stack([units, units + 1, level, level], axis=1)
            between = (x[1:] + x[:-1]) / 2
            sides = np.clip([*x[:1], *between, *x[-1:]], self.left, self.right)
            left, right = sides[:-1].copy(), sides[1:].copy()
            left[broken], right[broken - 1] = after, before
            return points, np.stack([left, right, y, y], axis=1)
        units = np.arange(self.left, self.right + 1)
        edges = places.search(np.append(units, units[-1] + 1), slice(first, stop), self.x)
        # Of very many timesteps, units end with a run of those that are summed up: nobody sees by how few.
        run = 1 << max(0, int(np.log2(_UNSEEN * (stop - first) / len(units))))
        if run >= 1 << BASE_LEVEL:
            edges = np.clip(-(-edges // run) * run, first, stop)
        low, high = band.y(line.columns(edges).astype(np.float64))
        there = (
            np.diff(edges) > 0
        )  # a unit without a timestep is no gap: the line goes on across it
        units, low, high = units[there], low[there], high[there]
        points = np.stack([np.repeat(units + 0.5, 2), np.stack([low, high], 1).reshape(-1)], 1)
        ends, begins = (np.searchsorted(units, at, "right") - 1 for at in (before, after))
        points = np.insert(points, 2 * begins[begins > ends], np.nan, axis=0)
        return points, np.stack([units, units + 1, low, high], axis=1)

    def _area(self, subject: Subject, spans: Floats, zero: float, share: float) -> None:
        """Fill what lies between a line and zero."""
        colours = [self.colour(subject)] * 2
        if subject.kind == "cell":
            palette = ramp(self.shown.coloured(self.sheet.theme).name)
            colours = [one_colour(palette[round(at * (len(palette) - 1))]) for at in _SIDES]
        left, right, low, high = spans[np.isfinite(spans).all(axis=1)].T
        paper = self.sheet.theme.background
        for colour, top, bottom in (
            (colours[0], np.full_like(low, zero), low),
            (colours[1], high, np.full_like(low, zero)),
        ):
            some = bottom > top
            boxes = np.stack([left, top, right, bottom], axis=1)[some]
            self.sheet.boxes(boxes, mix(paper, colour, share), LINES)

    def _name(self, row: Row, top: int, height: int, ends: tuple[float, float] | None) -> None:
        """Write the name of a band, its unit, and what it reaches from and to."""
        (subject,) = row.subjects
        sheet, shown = self.sheet, self.shown
        unit = in_line(subject.unit)
        if subject.kind == "cell":
            # There is room for one of both, and the caption tells the signal.
            less = f"less {in_line(shown.difference)}" if shown.difference else ""
            unit = less or shown.shown_signal
        room = self.name - 10
        texts = self._wrapped(in_line(row.title), room)
        y = top + (height - 14 * (len(texts) + bool(unit) - 1)) / 2
        colour, right = self.colour(subject), self.name - 4
        for text in texts:
            sheet.write(
                right, y, text, size=12, kind="bold", colour=colour, align="right", room=room
            )
            y += 14
        if unit:
            sheet.muted(right, y, unit, size=10, align="right", room=room)
        if subject.kind == "cell" and subject.keys[0].number == shown.cell:
            sheet.box((4, top - 2, 7, top + height + 2), sheet.theme.foreground)
        if subject.told:
            y, room = top - 5, self.right - self.left
            told = sheet.shortened(subject.told, room, size=10)
            sheet.write(self.right, y, told, size=10, align="right", colour=colour)
        if ends is not None:
            below, above = short_range(*ends, signed=ends[0] < 0)
            for text, at in ((above, top + 4), (below, top + height - 3)):
                sheet.muted(self.left - 5, at, text, size=10, align="right")

    def _wrapped(self, text: str, room: float) -> list[str]:
        """Part a name that has no room in one line between two words."""
        words = text.split(" ")
        for count in range(len(words), 0, -1):
            first = " ".join(words[:count])
            if self.sheet.text_width(first, "bold", 12) <= room:
                return [first, *([" ".join(words[count:])] if count < len(words) else [])]
        return [text]

    def _values(self, row: Row, subject: Subject, middle: float) -> None:
        """Write what each line is at the selected time."""
        keys = subject.keys if row.alone else subject.keys[-1:]
        for i, key in enumerate(keys):
            places = self.lines.places(key.layer, row.example)
            before = places.find(self.at, "right") - 1
            if before < 0:
                continue
            value = float(self.lines.line(key, row.example).read(before, before + 1)[0])
            target = key.kind == "target" or i < len(keys) - 1
            colour = self.sheet.theme.muted if target else self.colour(subject)
            y = middle + (i - (len(keys) - 1) / 2) * 14
            kind = "sans" if target else "bold"
            text = number(value)
            if subject.yes_no and key.kind == "track" and not np.isnan(value):
                text = "yes" if value else "no"
            self.sheet.write(self.right + 8, y, text, size=11, kind=kind, colour=colour)


def _range_of_cell(shown: Snapshot, low: float, high: float) -> tuple[float, float]:
    if isinstance(shown.scale, tuple):
        return shown.scale
    if shown.signal.endswith("_gate") and not shown.difference and low >= 0 and high <= 1:
        return 0.0, 1.0
    if shown.scale == "layer":
        largest = float(shown.levels.statistics.largest.max(initial=0))
        if largest > 0:
            return -largest, largest
    low, high = min(0.0, low), max(0.0, high)
    return (low, high) if low < high else (-1.0, 1.0)
