"""Expected responses: words against cells, in their groups."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import xarray as xr

from lstm_widgets.colours import RAMP, marks_of, ramp
from lstm_widgets.figures.legend import Legend, caption_of
from lstm_widgets.figures.sheet import (
    EDGE,
    LEAST_WIDTH,
    LINES,
    UNITS_PER_INCH,
    Sheet,
    inches_of,
    rectangles,
    theme_of,
)
from lstm_widgets.tokens.wording import in_line, label, many, sendable, short
from lstm_widgets.tokens.words import Spelling

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lstm_widgets.colours import Theme

    Floats = NDArray[np.float64]
    Places = NDArray[np.intp]

__all__ = ["response_figure"]

#: A word's row, and the letters of words and of numbers of cells.
_ROW, _WORD, _NUMBER = 13, 11, 10
#: Room for words at the left at most, for counts, and between these and the squares.
_GUTTER, _COUNTS, _GAP = 88, 40, 8
#: Between two groups; how wide a column is at least and at most.
_APART, _NARROWEST, _WIDEST = 4, 2, 22
_HEAD = 26
#: Beyond so large a share of all magnitudes, the scale ends: a few would leave the rest pale.
_SCALED = 0.99
#: In how many rows the numbers of cells stand at most.
_LEVELS = 3
_LEAST_WORDS = 3


def response_figure(
    responses: xr.Dataset,
    *,
    variant: str | None = None,
    width: str | float = "page",
    theme: str = "light",
    ax: Axes | None = None,
) -> Figure:
    """
    Draw what each word does to each cell: words × cells, in the groups that were found.

    A row a word, a column a cell, each group framed where its words meet its cells. Within a group, what
    moves its cells up is first, and what moves them down is last. At the right stands how often the word
    was read.

    Parameters
    ----------
    responses : xarray.Dataset
        What `expected_responses` gave, or some words and cells of it.
    variant : str, optional
        Which one is drawn, of responses of several variants. Words, cells, their order and the scale are the
        same for each.
    width : {"column", "page"} or float, default "page"
        How wide the figure is: 3.5 or 7.2 inches, or so many inches. Of more cells than there is room for,
        those are drawn that move most.
    theme : {"light", "dark"}, default "light"
        The colour of the paper.
    ax : matplotlib.axes.Axes, optional
        Draw into these axes of your own figure, in place of a new one. Of more words than there is room
        for, those are drawn that move cells most.

    Returns
    -------
    matplotlib.figure.Figure
        A new one, which a notebook shows, or that of ``ax``. Its ``savefig`` writes SVG and PDF files in
        which text stays text.

    Raises
    ------
    TypeError
        If ``ax`` is none, or the responses are no Dataset.
    ValueError
        If there are no responses, it isn't told of which variant, or there is no such variant, width or
        theme.

    Examples
    --------
    >>> responses = lw.expected_responses(recording, limit=12, clusters=2)
    >>> figure = lw.response_figure(responses, width="column")
    >>> print(f"{figure.get_figwidth():g} inches")
    3.5 inches
    """
    if not isinstance(responses, xr.Dataset):
        raise TypeError(
            f"responses: expected what expected_responses() gave, got {type(responses).__name__}"
        )
    if "response" not in responses or not {"word", "cell"} <= {*responses["response"].dims}:
        raise ValueError(
            "responses: expected what expected_responses() gave, with words and cells; got a dataset of "
            + (", ".join(map(repr, responses.data_vars)) or "nothing")
        )
    if 0 in responses["response"].shape:
        raise ValueError("responses: expected at least one word and one cell, got none")
    which = _which(responses, variant)
    from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

    colours = theme_of(theme)
    if ax is None:
        return artist.picture(_drawn(responses, inches_of(width), colours, variant=which))
    wide, high = artist.size_of(ax)
    inches = max(wide, LEAST_WIDTH)
    sheet = _drawn(responses, inches, colours, variant=which)
    spare = sheet.height - high / wide * sheet.width
    if spare > 0:
        most = responses.sizes["word"] - math.ceil(spare / _ROW)
        kept = _strongest(_values(responses), "word", max(_LEAST_WORDS, most))
        sheet = _drawn(
            *(responses.isel(word=kept), inches, colours),
            words=responses.sizes["word"],
            variant=which,
        )
    return artist.draw_on(ax, sheet)


def _which(responses: xr.Dataset, variant: str | None) -> int:
    """Give the place of the variant that is drawn; 0 where there is one recording only."""
    if "variant" not in responses["response"].dims:
        if variant is not None:
            raise ValueError(
                f"variant: expected None, because these are the responses of one recording; got {variant!r}"
            )
        return 0
    names = responses["variant"].to_numpy().tolist()
    if variant not in names:
        known = ", ".join(map(repr, names))
        raise ValueError(f"variant: expected one of {known}, which is drawn; got {variant!r:.80}")
    return int(names.index(variant))


class _Axis(NamedTuple):
    """Words or cells in order: which, their groups, and where they stand from the first on."""

    order: Places
    groups: Places
    at: Floats
    pitch: int

    @property
    def length(self) -> float:
        return float(self.at[-1]) + self.pitch

    def parts(self) -> list[tuple[int, float, float, int]]:
        """Give each group, where it begins and ends, and how many it has."""
        edges = [0, *(np.flatnonzero(np.diff(self.groups)) + 1).tolist(), len(self.order)]
        return [
            (int(self.groups[a]), float(self.at[a]), float(self.at[b - 1]) + self.pitch, b - a)
            for a, b in pairwise(edges)
        ]

    @classmethod
    def of(cls, order: Places, groups: Places, pitch: int) -> _Axis:
        gaps = np.cumsum(np.append(0, np.diff(groups[order]) != 0)) * _APART
        return cls(order, groups[order], np.arange(len(order)) * float(pitch) + gaps, pitch)


def _values(responses: xr.Dataset) -> Floats:
    """Give the responses of every variant, (variant, word, cell); of one recording the only ones."""
    values = responses["response"]
    if "variant" not in values.dims:
        values = values.expand_dims("variant")
    return np.asarray(values.transpose("variant", "word", "cell"), np.float64)


def _strongest(values: Floats, axis: Literal["word", "cell"], count: int) -> Places:
    """Give the words or cells of the largest magnitude in all variants, in their order."""
    sizes = np.abs(np.nan_to_num(values)).sum(axis=(0, 2 if axis == "word" else 1))
    return np.sort(np.argsort(-sizes, kind="stable")[:count])


def _groups(responses: xr.Dataset, axis: str) -> Places:
    name = f"{axis}_group"
    if name not in responses.coords:
        return np.zeros(responses.sizes[axis], np.intp)
    return np.asarray(responses[name], np.intp)


def _ordered(values: Floats, rows: Places, columns: Places) -> tuple[Places, Places]:
    """Order words and cells by their groups, and within a group from what moves up to what moves down."""
    found: tuple[list[Places], list[Places]] = ([], [])
    # What is in no group is last.
    for group in sorted({*rows.tolist(), *columns.tolist()}, key=lambda k: (k < 0, k)):
        own = np.flatnonzero(rows == group), np.flatnonzero(columns == group)
        if len(own[0]) and len(own[1]):
            left, _, right = np.linalg.svd(values[np.ix_(*own)], full_matrices=False)
            ups = left[:, 0], right[0]
            sign = np.sign(ups[0].sum()) or 1.0
            own = (
                own[0][np.argsort(-sign * ups[0], kind="stable")],
                own[1][np.argsort(-sign * ups[1], kind="stable")],
            )
        for all_of_them, some in zip(found, own, strict=True):
            all_of_them.append(some)
    return np.concatenate(found[0]), np.concatenate(found[1])


@dataclass(frozen=True)
class _Plan:
    """What is drawn, in which order, and where it stands."""

    sheet: Sheet
    shown: xr.Dataset
    every: Floats
    values: Floats
    words: tuple[str, ...]
    one: str
    down: _Axis
    across: _Axis
    left: float
    top: float

    @classmethod
    def of(cls, sheet: Sheet, responses: xr.Dataset, variant: int = 0) -> _Plan:
        """Choose as many cells as there is room for, and put all in order."""
        tokens = [str(token) for token in responses["word"].to_numpy().tolist()]
        kind = responses.attrs.get("spelling")
        spelling = Spelling.of(tokens) if kind is None else Spelling(kind)
        room = _GUTTER - EDGE - _GAP
        words = tuple(
            sheet.shortened(in_line(sendable(label(token, spelling))), room, "mono", _WORD)
            for token in tokens
        )
        widest = max(sheet.text_width(word, "mono", _WORD) for word in words)
        left = EDGE + _GAP + math.ceil(max(widest, sheet.text_width("cell", size=_NUMBER) + 6))
        beside = 0 if "word_group" not in responses.coords else 26 if _is_narrow(sheet) else 74
        gaps = len({*_groups(responses, "cell").tolist()}) * _APART
        room = sheet.width - left - _GAP - _COUNTS - beside - EDGE - gaps
        shown = responses
        if responses.sizes["cell"] * _NARROWEST > room:
            kept = _strongest(_values(responses), "cell", max(1, room // _NARROWEST))
            shown = responses.isel(cell=kept)
        every = _values(shown)
        rows, columns = _groups(shown, "word"), _groups(shown, "cell")
        order = np.arange(len(rows)), np.arange(len(columns))
        if {"word_group", "cell_group"} & {*shown.coords}:
            mean = np.nan_to_num(every, posinf=0, neginf=0).mean(axis=0)
            order = _ordered(mean, rows, columns)
        pitch = max(_NARROWEST, min(_WIDEST, room // len(columns)))
        return cls(
            sheet,
            shown,
            every,
            every[variant][np.ix_(*order)],
            words,
            "character" if spelling.kind == "characters" else "word",
            _Axis.of(order[0], rows, _ROW),
            _Axis.of(order[1], columns, pitch),
            left,
            _HEAD if "cell_group" in shown.coords else 6,
        )

    def draw_values(self) -> Legend:
        """Draw the squares; give their legend."""
        theme, values = self.sheet.theme, self.values
        magnitudes = np.abs(self.every[np.isfinite(self.every)])
        largest = float(magnitudes.max(initial=0)) or 1.0
        scale = (float(np.quantile(magnitudes, _SCALED)) if len(magnitudes) else 0) or largest
        colours = ramp(theme.palette("auto", signed=True))
        place = (values / scale + 1) / 2
        steps = np.floor(np.clip(np.nan_to_num(place), 0, 1) * (RAMP - 1) + 0.5).astype(int)
        pixels = colours[steps]
        pixels[np.isnan(values)] = theme.unknown
        across, down = self.across, self.down
        line = int(across.pitch >= 6)
        boxes = rectangles(
            *(self.left + across.at, self.top + down.at[:, None]),
            *(across.pitch - line, down.pitch - 1),
        )
        self.sheet.values(boxes, pixels.reshape(-1, 3), marks_of(values, place).reshape(-1))
        less, more = ("≤ ", "≥ ") if scale < largest else ("", "")
        low, high = less + short(-scale), more + short(scale, signed=True)
        return Legend(colours, low, "0", high, "mean change")

    def draw_words(self) -> None:
        """Write the words at the left, and at the right how often they were read."""
        counts = self.shown["count"].to_numpy().tolist() if "count" in self.shown else None
        right = self.left + self.across.length + _GAP
        for row, top in zip(self.down.order.tolist(), self.down.at.tolist(), strict=True):
            middle = self.top + top + (_ROW - 1) / 2
            word = self.words[row]
            self.sheet.write(
                *(self.left - _GAP, middle, word), kind="mono", size=_WORD, align="right"
            )
            if counts is not None:
                times = self.sheet.shortened(f"×{counts[row]}", _COUNTS - 2, size=_NUMBER)
                self.sheet.muted(right, middle, times, size=_NUMBER)

    def draw_cells(self) -> float:
        """Write the numbers of cells below them, in as many rows as they need; give the height."""
        sheet, across = self.sheet, self.across
        numbers = [str(each) for each in self.shown["cell"].to_numpy()[across.order].tolist()]
        wide = max(sheet.text_width(number, size=_NUMBER) for number in numbers) + 4
        every = max(1, math.ceil(wide / across.pitch / _LEVELS))
        levels = min(_LEVELS, math.ceil(wide / (across.pitch * every)))
        top = self.top + self.down.length
        sheet.muted(self.left - _GAP - 6, top + 8, "cell", size=_NUMBER, align="right")
        for k in range(0, len(numbers), every):
            level = k // every % levels
            x = self.left + float(across.at[k]) + (across.pitch - 1) / 2
            y = top + 8 + level * (_NUMBER + 2)
            if level:
                sheet.box((x, top + 1, x + 1, y - _NUMBER / 2), sheet.theme.line, LINES)
            sheet.muted(x, y, numbers[k], size=_NUMBER, align="middle")
        return levels * (_NUMBER + 2) + 8

    def draw_groups(self) -> None:
        """Frame each group where its words meet its cells, and name it above and at the right."""
        sheet, narrow = self.sheet, _is_narrow(self.sheet)
        columns = {group: (left, right) for group, left, right, _ in self.across.parts()}
        far = self.left + self.across.length + _GAP + _COUNTS
        for group, top, bottom, count in self.down.parts():
            middle = self.top + top + (_ROW - 1) / 2
            sheet.write(far, middle, _name(group, short=narrow), size=_WORD, kind="bold")
            if not narrow and count > 1:
                sheet.muted(far, middle + _ROW, many(count, self.one), size=_NUMBER)
            if group in columns and group >= 0:
                left, right = columns[group]
                box = (left - 2, top - 2, right + 1, bottom + 1)
                x, y = self.left, self.top
                sheet.frame(
                    (x + box[0], y + box[1], x + box[2], y + box[3]), sheet.theme.foreground
                )
        self._draw_heads()

    def _draw_heads(self) -> None:
        """Name the groups of cells, all as fully as there is room for each."""
        parts, sheet = self.across.parts(), self.sheet
        told = [
            [f"{_name(group)} · {many(count, 'cell')}" for group, _, _, count in parts],
            [_name(group) for group, *_ in parts],
            [_name(group, short=True) for group, *_ in parts],
        ]

        def fits(names: list[str]) -> bool:
            wide = [sheet.text_width(name, "bold", _WORD) for name in names]
            return all(
                w <= right - left for w, (_, left, right, _) in zip(wide, parts, strict=True)
            )

        names = next(filter(fits, told), told[-1])
        for (_, left, right, _), name in zip(parts, names, strict=True):
            middle = self.left + (left + right - 1) / 2
            sheet.write(middle, self.top - 13, name, size=_WORD, kind="bold", align="middle")


def _is_narrow(sheet: Sheet) -> bool:
    return sheet.width < 640


def _name(group: int, *, short: bool = False) -> str:
    if group < 0:
        return "–" if short else "none"
    return str(group) if short else f"group {group}"


def _drawn(
    responses: xr.Dataset,
    inches: float,
    theme: Theme,
    *,
    words: int | None = None,
    variant: int = 0,
) -> Sheet:
    """Draw those of a variant on a sheet; there may be more words than are drawn."""
    sheet = Sheet(round(inches * UNITS_PER_INCH), theme)
    plan = _Plan.of(sheet, responses, variant)
    legend = plan.draw_values()
    plan.draw_words()
    below = plan.draw_cells()
    if "cell_group" in responses.coords:
        plan.draw_groups()
    sheet.end(plan.top + plan.down.length + below)
    layer = in_line(sendable(str(responses.attrs.get("layer", ""))))
    signal = str(responses.attrs.get("signal", "state")).replace("_", " ")
    status = f"mean change of the {signal} where a {plan.one} is read"
    cells = _of(plan.shown.sizes["cell"], responses.sizes["cell"], "cell")
    if plan.shown.sizes["cell"] < responses.sizes["cell"]:
        cells += ", those that move most"
    there = max(responses.attrs.get("different", 0), words or 0)
    counts = [
        _of(responses.sizes["word"], there, plan.one),
        cells,
        "×: times read" if "count" in responses else "",
        "frames: words and cells of a group" if "cell_group" in responses.coords else "",
    ]
    told = f"{layer}: {status}" if layer else status
    if "variant" in responses["response"].dims:
        name = in_line(sendable(str(responses["variant"].to_numpy()[variant])))
        told = f"{name} · {told}"
        counts.append(f"order and scale: of all {many(responses.sizes['variant'], 'variant')}")
    caption_of(sheet, told, counts, legend)
    return sheet


def _of(count: int, there: int, one: str) -> str:
    return many(count, one) if count >= there else f"{count} of {many(there, one)}"
