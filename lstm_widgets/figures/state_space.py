"""States as points, trajectories through them, and fixed points among them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lstm_widgets.colours import RAMP, mix, one_colour, ramp, track_colours
from lstm_widgets.figures.legend import Legend, caption_of
from lstm_widgets.figures.sheet import EDGE, LINES, rectangles
from lstm_widgets.tokens.wording import in_line, many, quoted, short
from lstm_widgets.views.selected import marked
from lstm_widgets.views.space import OTHER, series_at, tilted_size, turned
from lstm_widgets.views.tracks import NONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lstm_widgets.colours import Theme
    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.views.lines import Key
    from lstm_widgets.views.selected import Spans
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.views.space import Classes, FixedPoints, Space
    from lstm_widgets.views.tracks import Track

    Floats = NDArray[np.float64]
    Pixels = NDArray[np.uint8]

#: More points than this are drawn as how many there are, in squares of so many units.
_MOST, _SQUARE = 6000, 2
#: Of examples that are longer, a trajectory is drawn around the selected timestep only.
_WHOLE, _BEFORE, _AFTER = 400, 60, 20
#: So many lines are drawn of all trajectories, and from so many on they are paler.
_MOST_LINES, _MANY_LINES = 20_000, 4000
#: A trajectory gets stronger in so many pieces; one of more steps is thinner.
_PIECES, _SHORT = 24, 80
#: Around the picture: of two axes, numbers stand there; of three, names may.
_LEFT, _BELOW, _AROUND = 46, 34, 18
#: How much of the paper is mixed into points that aren't selected, while others are.
_FADE = 0.82


@dataclass(frozen=True)
class Look:
    """
    What of a space is drawn, and how: the traits of the widget.

    Parameters
    ----------
    axes : tuple of int
    angles : tuple of float
    coloured_by : str
    trajectories : str or tuple of int
    span : tuple of int or None
    selected : tuple of (int, int, int)
    tracks : tuple of Track
    series : dict of Key
        By what points may be coloured by.
    """

    axes: tuple[int, ...]
    angles: tuple[float, float]
    coloured_by: str
    trajectories: str | tuple[int, ...]
    span: tuple[int, int] | None
    selected: Spans
    tracks: Sequence[Track]
    series: Mapping[str, Key]


class _Coloured(NamedTuple):
    """Colours of points (point, 3), and what they stand for: a ramp, or names with a colour each."""

    pixels: Pixels
    legend: Legend | None
    entries: list[tuple[str, Pixels]]


def state_space(
    sheet: Sheet,
    shown: Snapshot,
    space: Space,
    fixed: FixedPoints | None,
    look: Look,
    *,
    most: int,
) -> None:
    """
    Draw states as points.

    Parameters
    ----------
    sheet : Sheet
    shown : Snapshot
        With something recorded.
    space : Space
    fixed : FixedPoints or None
    look : Look
    most : int
        How high the picture may be.
    """
    theme = sheet.theme
    coloured = _coloured(shown, space, look, theme)
    height = min(most, round(sheet.width * 0.62))
    solid = len(look.axes) == 3
    left, below = (_AROUND, _AROUND) if solid else (_LEFT, _BELOW)
    box = (left, _AROUND if solid else EDGE, sheet.width - EDGE, height - below)
    frame = _Frame(space, look, box)
    _axes(sheet, frame, space, look)
    places = frame.places(np.stack([space.component(axis) for axis in look.axes], axis=1))
    colours = coloured.pixels
    entries = coloured.entries
    if look.selected:
        chosen = marked(look.selected, shown.examples, shown.timesteps)[space.columns]
        faded = mix(colours, theme.background, _FADE)
        colours = np.where(chosen[:, None], colours, faded)
        entries = [*entries, (f"selected ({int(chosen.sum())})", _swatch(theme.foreground))]
    _every_trajectory(sheet, shown, space, look, places)
    _points(sheet, places, colours, box)
    _trajectories(sheet, shown, space, look, places)
    if fixed is not None:
        entries = [*entries, *_fixed(sheet, frame, fixed)]
    _selected(sheet, shown, space, places)
    sheet.end(height)
    names = " × ".join(in_line(space.names[axis]) for axis in look.axes)
    thinned = f"{len(space)} of {space.total} points, at random" if len(space) < space.total else ""
    counts = (many(space.total, "state"), names, thinned, shown.checked)
    caption_of(sheet, shown.status, counts, coloured.legend, entries)


class _Frame:
    """From places in the space to places on the sheet."""

    def __init__(self, space: Space, look: Look, box: tuple[float, float, float, float]) -> None:
        self.box = left, top, right, bottom = box
        self.axes, self.angles = look.axes, look.angles
        ranges = space.ranges[list(look.axes)]
        self.centre = ranges.mean(axis=1)
        size = np.maximum(np.ptp(ranges, axis=1), 1e-12)
        room = np.array([right - left, bottom - top], np.float64)
        if len(look.axes) == 3:
            self.scale = np.full(2, (room / tilted_size(size, self.angles)).min())
        else:
            each = room / (size * 1.08)
            # As large in one direction as in the other, unless that would leave it flat.
            self.scale = np.full(2, each.min()) if each.max() <= 4 * each.min() else each
        self.middle = np.array([(left + right) / 2, (top + bottom) / 2])

    def places(self, states: NDArray[np.floating]) -> Floats:
        """Place points (point, axis) on the sheet: float64 (point, 2)."""
        apart = np.asarray(states, np.float64) - self.centre
        if len(self.axes) == 3:
            apart = turned(apart, self.angles)[:, :2]
        placed: Floats = self.middle + apart * self.scale * (1, -1)
        return placed


def _swatch(colour: Sequence[int] | Pixels) -> Pixels:
    return np.broadcast_to(np.asarray(colour, np.uint8), (18, 3))


def _axes(sheet: Sheet, frame: _Frame, space: Space, look: Look) -> None:
    """Draw the axes with their names, and of two the numbers along them."""
    left, top, right, bottom = frame.box
    theme = sheet.theme

    def name(axis: int) -> str:
        share = space.shares[axis]
        return in_line(space.names[axis]) + ("" if share is None else f" ({100 * share:.0f} %)")

    if len(look.axes) == 3:
        half = np.ptp(space.ranges[list(look.axes)], axis=1) / 2
        corners = np.array([*product((-1, 1), repeat=3)])
        edges = [
            both for both in combinations(corners, 2) if np.count_nonzero(both[0] != both[1]) == 1
        ]
        for edge in edges:
            sheet.stroke(frame.places(frame.centre + edge * half), 1, theme.line)
        for i, axis in enumerate(look.axes):
            line = frame.places(frame.centre + np.outer((0, half[i]), np.eye(3)[i]))
            sheet.stroke(line, 1, theme.muted)
            # Beyond the end, so that it doesn't stand on the line; seen from its end, below it.
            length = np.hypot(*(line[1] - line[0]))
            along = (line[1] - line[0]) / length if length > 1 else np.array([0.0, 1.0])
            text = name(axis)
            wide = sheet.text_width(text, size=11) / 2
            x, y = line[1] + along * (wide + 8, 12)
            sheet.muted(np.clip(x, left + wide, right - wide), y, text, align="middle")
        return
    sheet.frame((left, top, right, bottom), theme.line, LINES)
    (x0, y0), (x1, y1) = frame.centre, frame.centre
    x0, x1 = (frame.centre[0] + (edge - frame.middle[0]) / frame.scale[0] for edge in (left, right))
    y0, y1 = (frame.centre[1] - (edge - frame.middle[1]) / frame.scale[1] for edge in (bottom, top))
    for tick in _ticks(x0, x1):
        x = frame.places(np.array([[tick, y0]]))[0, 0]
        sheet.box((round(x), top, round(x) + 1, bottom), theme.line, LINES)
        sheet.muted(x, bottom + 9, short(tick), align="middle", size=10)
    for tick in _ticks(y0, y1):
        y = frame.places(np.array([[x0, tick]]))[0, 1]
        sheet.box((left, round(y), right, round(y) + 1), theme.line, LINES)
        sheet.muted(left - 5, y, short(tick), align="right", size=10)
    sheet.muted((left + right) / 2, bottom + 23, name(look.axes[0]), align="middle")
    sheet.muted(left + 6, top + 10, name(look.axes[1]))


def _ticks(low: float, high: float) -> Floats:
    """Give about five round numbers between two."""
    step = (high - low) / 5
    power = 10.0 ** np.floor(np.log10(step))
    digit = min((1, 2, 5, 10), key=lambda each: abs(np.log(each * power / step)))
    first, last = low / (digit * power), high / (digit * power)
    ticks: Floats = np.arange(np.ceil(first), last) * digit * power
    return ticks


def _points(
    sheet: Sheet, places: Floats, colours: Pixels, box: tuple[float, float, float, float]
) -> None:
    """Draw points as dots, or how many there are."""
    theme = sheet.theme
    left, top, right, bottom = box
    there = (places >= (left, top)).all(axis=1) & (places < (right, bottom)).all(axis=1)
    places, colours = places[there], colours[there]
    if len(places) <= _MOST:
        thick = 5.0 if len(places) <= 600 else 3.5
        different, which = np.unique(colours, axis=0, return_inverse=True)
        for i, colour in enumerate(different):
            some = places[which.reshape(-1) == i]
            dots = np.full((2 * len(some), 2), np.nan)
            dots[::2] = some
            sheet.stroke(dots, thick, one_colour(colour))
        return
    squares = np.floor((places - (left, top)) / _SQUARE).astype(np.int64)
    across = int((right - left) // _SQUARE) + 1
    taken, which, counts = np.unique(
        squares[:, 1] * across + squares[:, 0], return_inverse=True, return_counts=True
    )
    sums = np.stack(
        [np.bincount(which.reshape(-1), weights=colours[:, i]) for i in range(3)], axis=1
    )
    share = 0.25 + 0.75 * np.log1p(counts) / np.log1p(counts.max())
    paper = np.asarray(theme.background, np.float64)
    drawn = paper + (sums / counts[:, None] - paper) * share[:, None]
    y, x = np.divmod(taken, across)
    boxes = rectangles(left + x * _SQUARE, top + y * _SQUARE, _SQUARE, _SQUARE)
    sheet.boxes(boxes, np.floor(drawn + 0.5).astype(np.uint8))


def _every_trajectory(
    sheet: Sheet, shown: Snapshot, space: Space, look: Look, places: Floats
) -> None:
    """Draw all lines from each timestep to the next, below points; the more, the paler."""
    if look.trajectories != "all":
        return
    starts = np.flatnonzero(np.diff(space.columns // shown.timesteps, prepend=-1))
    line = np.insert(places, starts, np.nan, axis=0)[:_MOST_LINES]
    sheet.stroke(line, 0.6, sheet.theme.muted, 0.18 if len(places) > _MANY_LINES else 0.35)


def _trajectories(sheet: Sheet, shown: Snapshot, space: Space, look: Look, places: Floats) -> None:
    """Draw the lines that are chosen, that of the selected example paler where it begins."""
    if look.trajectories == "none":
        return
    examples = space.columns // shown.timesteps
    wanted = look.trajectories if isinstance(look.trajectories, tuple) else ()
    for example in dict.fromkeys([*wanted, shown.example]):
        own = np.flatnonzero(examples == example)
        steps = space.columns[own] % shown.timesteps
        if example == shown.example and look.span is not None:
            own = own[(steps >= look.span[0]) & (steps < look.span[1])]
        elif len(own) > _WHOLE:
            near = (steps >= shown.timestep - _BEFORE) & (steps <= shown.timestep + _AFTER)
            own = own[near]
        if example != shown.example:
            sheet.stroke(places[own], 1, sheet.theme.muted)
            continue
        pieces = min(_PIECES, len(own) - 1)
        ends = [(len(own) - 1) * piece // pieces for piece in range(pieces + 1)] if pieces else []
        for piece, (start, stop) in enumerate(pairwise(ends), 1):
            line, strength = places[own[start : stop + 1]], 0.3 + 0.7 * piece / pieces
            thick = 0.9 if len(own) > _SHORT else 1.4
            sheet.stroke(line, thick, sheet.theme.foreground, 0.85 * strength)


def _fixed(sheet: Sheet, frame: _Frame, fixed: FixedPoints) -> list[tuple[str, Pixels]]:
    """Draw fixed points: stable ones filled, saddles open, slow ones as crosses; give what they mean."""
    theme = sheet.theme
    axes = list(frame.axes)
    places = frame.places(fixed.positions[:, axes])
    ends = frame.places(fixed.positions[:, axes] + fixed.directions[:, axes])
    kinds = fixed.kinds
    for place, end, kind in zip(places, ends, kinds, strict=True):
        if kind != "stable" and np.isfinite(end).all():
            both = np.stack([2 * place - end, end])
            sheet.stroke(both, 3.5, theme.background)
            sheet.stroke(both, 1.6, theme.accent)
        dot = place[None]
        if kind == "slow":
            for arm in ((4, 4), (4, -4)):
                cross = np.stack([place - arm, place + arm])
                sheet.stroke(cross, 4, theme.background)
                sheet.stroke(cross, 2, theme.accent)
        else:
            sheet.stroke(dot, 13, theme.background)
            sheet.stroke(dot, 11, theme.accent)
            if kind == "saddle":
                sheet.stroke(dot, 6.5, theme.background)
    told = {"stable": "stable, filled", "saddle": "saddle, open", "slow": "slow, crossed"}
    return [
        (f"{meaning} ({kinds.count(kind)})", _swatch(theme.accent))
        for kind, meaning in told.items()
        if kind in kinds
    ]


def _selected(sheet: Sheet, shown: Snapshot, space: Space, places: Floats) -> None:
    """Draw a ring around the selected timestep, and what is read there."""
    at = int(np.searchsorted(space.columns, shown.column))
    if at >= len(space) or space.columns[at] != shown.column:
        return
    x, y = places[at]
    angle = np.linspace(0, 2 * np.pi, 33)
    ring = np.stack([x + 7 * np.cos(angle), y + 7 * np.sin(angle)], axis=1)
    sheet.stroke(ring, 4, sheet.theme.background)
    sheet.stroke(ring, 1.8, sheet.theme.foreground)
    token = shown.token(shown.column)
    if token is not None:
        sheet.write(x + 11, y - 9, quoted(token), size=11)


# -- colours -------------------------------------------------------------------------------------


def _coloured(shown: Snapshot, space: Space, look: Look, theme: Theme) -> _Coloured:
    """Give each point its colour, and say what it stands for."""
    wanted = look.coloured_by
    tracks = {track.name: (i, track) for i, track in enumerate(look.tracks)}
    if wanted in tracks:
        return _by_track(space, *tracks[wanted], theme)
    if wanted in look.series and shown.lines is not None:
        return _by_number(series_at(space, shown.lines, look.series[wanted]), wanted, theme)
    if wanted == "token" and space.tokens is not None:
        return _by_class(space.tokens, [quoted(name) for name in space.tokens.names], theme)
    if wanted == "label" and space.labels is not None:
        return _by_class(space.labels, [in_line(name) for name in space.labels.names], theme)
    if wanted == "value":
        colours = shown.coloured(theme)
        values = space.taken(lambda start, stop: shown.levels.read(start, stop, shown.cell))
        largest = shown.levels.statistics.largest[shown.cell]
        low, high = colours.range
        name = f"{shown.signal.replace('_', ' ')} of cell {shown.cell}"
        middle = short((low + high) / 2)
        ends = short(low), short(high, signed=low < 0)
        legend = Legend(colours.ramp, ends[0], middle, ends[1], name)
        return _Coloured(colours.pixels(values, largest), legend, [])
    example, timestep = np.divmod(space.columns, shown.timesteps)
    if wanted == "example":
        return _by_number(example.astype(np.float32), "example", theme)
    return _by_number(timestep.astype(np.float32), "timestep", theme)


def _by_class(classes: Classes, names: list[str], theme: Theme) -> _Coloured:
    hues = np.array([*theme.lines[: len(names)], mix(theme.background, theme.muted, 0.5)], np.uint8)
    codes = np.where(classes.codes == OTHER, len(names), classes.codes)
    entries = [
        (f"{name} ({count})", _swatch(hue))
        for name, count, hue in zip(names, classes.counts, hues[:-1], strict=True)
    ]
    others = int((classes.codes == OTHER).sum())
    if others:
        entries.append((f"others ({others})", _swatch(hues[-1])))
    return _Coloured(hues[codes], None, entries)


def _by_track(space: Space, number: int, track: Track, theme: Theme) -> _Coloured:
    codes = track.codes_at(space.columns)
    table = track_colours(number, track.shares, yes_no=track.yes_no, theme=theme)
    none = np.asarray(theme.line, np.uint8)
    if track.yes_no:
        table = np.stack([mix(theme.background, theme.muted, 0.45), table[1]])
        entries = [
            (f"{in_line(track.name)}: {word} ({int((codes == code).sum())})", _swatch(table[code]))
            for word, code in (("yes", 1), ("no", 0))
        ]
        return _Coloured(table[codes], None, entries)
    values, _ = track.table
    known = codes != NONE
    pixels = np.where(known[:, None], table[np.where(known, codes, 0)], none)
    legend = None
    if len(values):
        low, high = float(values[0]), float(values[-1])
        legend = Legend(
            table, short(low), short((low + high) / 2), short(high), in_line(track.name)
        )
    return _Coloured(pixels.astype(np.uint8), legend, [])


def _by_number(values: NDArray[np.float32], name: str, theme: Theme) -> _Coloured:
    known = np.isfinite(values)
    low, high = (float(f(values[known])) if known.any() else 0.0 for f in (np.min, np.max))
    colours = ramp("cividis")
    share = (np.where(known, values, low) - low) / (high - low) if high > low else 0 * values
    at = np.nan_to_num(np.rint(share * (RAMP - 1))).astype(int)
    pixels = np.where(known[:, None], colours[at], np.asarray(theme.unknown, np.uint8))
    legend = Legend(colours, short(low), short((low + high) / 2), short(high), in_line(name))
    return _Coloured(pixels.astype(np.uint8), legend, [])
