"""Relevance behind the lines of a series: js/src/panes/series/ground.js on paper."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.colours import mix
from lstm_widgets.figures.legend import Legend
from lstm_widgets.figures.relevance import method_name
from lstm_widgets.tokens.wording import in_line, short
from lstm_widgets.views.bands import Band
from lstm_widgets.views.line import Line
from lstm_widgets.views.series_relevance import Of
from lstm_widgets.views.times import shown_times

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lstm_widgets.colours import Theme
    from lstm_widgets.figures.sheet import Floats, Sheet
    from lstm_widgets.views.lines import Lines
    from lstm_widgets.views.series_relevance import SeriesRelevance

#: How much of their colour values have, on a light page and on a dark one: lines lie on it.
_SHARES = (0.66, 0.85)


@dataclass(frozen=True)
class Behind:
    """
    The relevance that is shown.

    Parameters
    ----------
    relevance : SeriesRelevance
    method : int
    palette : str
    scale : str or tuple of float
        As the trait ``relevance_scale``.
    row : function
        Gives the explanation of an example that is shown, None if there is none.
    adds_up : bool
        Whether colours are of all channels, added up, where a band isn't a channel's.
    """

    relevance: SeriesRelevance
    method: int
    palette: str
    scale: str | tuple[float, float]
    row: Callable[[int], int | None] = field(repr=False)
    adds_up: bool = False

    def _band(self, theme: Theme, *, added: bool) -> Band:
        found = self.relevance
        largest = float(found.largest[int(added), self.method].max(initial=0))
        return Band(found.methods[self.method], largest, self.palette, self.scale, theme)

    def _largest(self, row: int, *, added: bool) -> float:
        return float(self.relevance.largest[int(added), self.method, row])

    def draw(
        self,
        sheet: Sheet,
        lines: Lines,
        example: int,
        channel: int | None,
        *,
        box: tuple[float, float, float, float],
        x: Callable[[Floats], Floats],
    ) -> None:
        """
        Draw it behind one band.

        Parameters
        ----------
        sheet : Sheet
        lines : Lines
        example : int
        channel : int or None
            None: all of them, added up.
        box : tuple of float
            Left, top, right and bottom of the band.
        x : function
            Gives where times stand.
        """
        row = self.row(example)
        if row is None:
            return
        left, top, right, bottom = box
        of = Of(self.method, channel)
        values = self.relevance.along(of, row, lines.timesteps)
        begins, ends = _sides(x(lines.places("", example)[:]))
        # A unit has all timesteps of which some lies in it.
        units = np.arange(int(left), int(right) + 1)
        narrow = (ends - begins) < 1
        if narrow.all():
            middle = (begins + ends) / 2
            edges = np.searchsorted(middle, np.append(units, units[-1] + 1))
            shown = Line(values).strongest(edges)
            boxes = np.stack([units, units + 1], axis=1).astype(np.float64)
        else:
            shown = values
            boxes = np.round(np.stack([begins, ends], axis=1)).astype(np.float64)
            boxes[:, 1] = np.maximum(boxes[:, 1], boxes[:, 0] + 1)
            boxes = np.clip(boxes, left, right)
        some = np.isfinite(shown) | np.isinf(shown)
        some &= boxes[:, 1] > boxes[:, 0]
        shown, boxes = shown[some], boxes[some]
        band = self._band(sheet.theme, added=channel is None)
        colours, marks = band.look(shown, self._largest(row, added=channel is None))
        colours = mix(sheet.theme.background, colours, self._share(sheet.theme))
        # Neighbours of one colour are one box.
        same = np.zeros(len(shown), bool)
        same[1:] = (
            (boxes[1:, 0] == boxes[:-1, 1])
            & (colours[1:] == colours[:-1]).all(axis=1)
            & (marks[1:] == marks[:-1])
        )
        firsts = np.flatnonzero(~same)
        lasts = np.append(firsts[1:], len(shown)) - 1
        full = np.empty((len(firsts), 4))
        full[:, 0], full[:, 2] = boxes[firsts, 0], boxes[lasts, 1]
        full[:, 1], full[:, 3] = top, bottom
        sheet.values(full, colours[firsts], marks[firsts])

    @staticmethod
    def _share(theme: Theme) -> float:
        return _SHARES[int(theme.dark)]

    def reach(self, lines: Lines, example: int) -> tuple[float, float, float] | None:
        """Give where what was read begins and ends on the time axis, and what is explained."""
        row = self.row(example)
        if row is None:
            return None
        places = lines.places("", example)
        start = int(self.relevance.starts[row])
        at = (start, start + self.relevance.timesteps - 1, int(self.relevance.explained[row]))
        first, last, explained = (float(places[min(max(t, 0), len(places) - 1)]) for t in at)
        return first, last, explained

    def legend(self, lines: Lines, example: int, theme: Theme) -> Legend | None:
        """Tell what the colours stand for, in the selected example."""
        row = self.row(example)
        if row is None:
            return None
        found = self.relevance
        band = self._band(theme, added=self.adds_up)
        low, high = band.range(self._largest(row, added=self.adds_up))
        fixed = isinstance(self.scale, tuple)
        times = shown_times(lines.series)
        explained = int(found.explained[row])
        when = f"timestep {explained}" if times is None else times.say(example, explained)
        doubt = " (doubtful: does not add up)" * bool(found.doubtful[self.method, row])
        name = f"relevance by {in_line(method_name(band.method))}"
        added = f", {found.channels} channels added up" * self.adds_up
        unit = f", {in_line(found.unit)}" * bool(found.unit and band.signed)
        return Legend(
            mix(theme.background, band.ramp, self._share(theme)),
            ("≤ " if fixed and (band.signed or low > 0) else "") + short(low),
            short((low + high) / 2),
            ("≥ " if fixed else "") + short(high, signed=low < 0),
            f"{name}{added}{unit}",
            f"{name} for {in_line(found.told)} at {when}{doubt}",
        )


def _sides(x: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give where timesteps begin and end: half way to their neighbours, or where a gap begins."""
    half = (x[-1] - x[0]) / max(1, len(x) - 1) / 2 or 0.5
    between = (x[1:] + x[:-1]) / 2
    return (
        np.maximum(x - half, np.append(-np.inf, between)),
        np.minimum(x + half, np.append(between, np.inf)),
    )
