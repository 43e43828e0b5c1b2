"""Sheets as Matplotlib draws them: pixels for the screen, boxes and real text for SVG and PDF.

Imports Matplotlib, without pyplot.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Affine2D, Bbox, IdentityTransform, TransformedPath

from lstm_widgets.figures import fonts, svg
from lstm_widgets.figures.sheet import FRONT, UNITS_PER_INCH, Pattern, Sheet, Stroke, Word
from lstm_widgets.tokens.wording import sendable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from matplotlib.backend_bases import RendererBase
    from numpy.typing import NDArray

    from lstm_widgets.colours import Colour, Theme

#: Text stays text, which can be searched and edited; files are the same each time.
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "svg.hashsalt": "lstm_widgets",
}
#: Of a length in inches, so that no pixel is lost where it is rounded down.
_WHOLE = 1e-9
#: Where nothing is rounded to pixels, neighbours overlap by so much: no paper shines through.
_OVERLAP = 0.25
#: To which digit of a point places are given in a file: a hundredth can't be seen, and ten digits take room.
_DIGITS = 2
#: How long a line is that is a dot.
_DOT = 0.1
#: How far apart two words may be that go on in one text.
_JOINED = 0.02


class Picture(Figure):
    """A figure of its own, which a notebook shows; its texts stay texts in SVG and PDF."""

    def __init__(self, size: tuple[float, float], theme: Theme) -> None:
        super().__init__(figsize=size, dpi=UNITS_PER_INCH, facecolor=shares(theme.background))
        FigureCanvasAgg(self)

    def savefig(self, fname: Any, **options: Any) -> None:  # noqa: ANN401 - as Matplotlib has it
        """Save it, with real text."""
        with mpl.rc_context(SETTINGS):
            super().savefig(fname, **options)

    def file(self, kind: str, *, dpi: float = UNITS_PER_INCH, title: str = "") -> bytes:
        """Give it as a file, ``"svg"``, ``"pdf"`` or ``"png"``, the same each time."""
        dated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind, {})
        file = io.BytesIO()
        metadata = {"Title": sendable(title).replace("\x00", "␀"), **dated}
        self.savefig(file, format=kind, dpi=dpi, metadata=metadata)
        if kind == "svg":
            return svg.small(file.getvalue().decode()).encode()
        return file.getvalue()

    def _repr_png_(self) -> bytes:
        """Show it in a notebook."""
        return self.file("png")


def picture(sheet: Sheet) -> Picture:
    """Make a figure of a sheet."""
    wide, high = sheet.width / UNITS_PER_INCH, sheet.height / UNITS_PER_INCH
    made = Picture((wide + _WHOLE, high + _WHOLE), sheet.theme)
    draw_on(made.add_axes((0, 0, 1, 1)), sheet)
    return made


def words(kind: str, size: float, colour: Colour | None) -> dict[str, Any]:
    """Give what makes a text of Matplotlib's own one of ours: no mathematics is read out of it."""
    look = {"color": shares(colour)} if colour else {}
    return {"fontproperties": fonts.properties(kind, size), "parse_math": False, **look}


def size_of(ax: Axes) -> tuple[float, float]:
    """Tell how wide and how high axes are."""
    if not isinstance(ax, Axes):
        raise TypeError(f"ax: expected axes of a Matplotlib figure, got {type(ax).__name__}")
    box = ax.get_window_extent().transformed(figure_of(ax).dpi_scale_trans.inverted())
    return float(box.width), float(box.height)


def figure_of(ax: Axes) -> Figure:
    """Give the figure that axes stand in, past a part of it."""
    figure: Any = ax.figure
    whole: Figure = figure if isinstance(figure, Figure) else figure.figure
    return whole


def draw_on(axes: Axes, sheet: Sheet) -> Figure:
    """Draw a sheet on axes, as large as there is room, from their upper left corner on."""
    axes.set_axis_off()
    axes.set_xlim(0, sheet.width)
    axes.set_ylim(sheet.height, 0)
    axes.set_aspect("equal", adjustable="box", anchor="NW")
    axes.add_artist(_Drawing(sheet))
    return figure_of(axes)


def pixels(sheet: Sheet) -> NDArray[np.uint8]:
    """Draw a sheet, a unit a pixel: uint8 (height, width, 3)."""
    canvas: Any = picture(sheet).canvas
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


class _Drawing(Artist):
    """What stands on a sheet."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__()
        self._sheet = sheet
        layers = np.repeat(
            [each[0] for each in sheet.fills], [len(each[1]) for each in sheet.fills]
        )
        boxes = np.concatenate([each[1] for each in sheet.fills])
        colours = np.concatenate([each[2] for each in sheet.fills])
        order = np.argsort(layers, kind="stable")
        front = int((layers < FRONT).sum())
        self._behind, self._front = (
            (boxes[part], colours[part]) for part in (order[:front], order[front:])
        )

    def get_window_extent(self, renderer: RendererBase | None = None) -> Bbox:  # noqa: ARG002
        """Give its place on the canvas."""
        size = (self._sheet.width, self._sheet.height)
        return Bbox([[0, 0], size]).transformed(self.get_transform())

    def draw(self, renderer: RendererBase) -> None:
        """Draw it: one thing after the other where there are pixels, else a path a colour."""
        transform = Affine2D(self.get_transform().get_matrix())
        raster = isinstance(renderer, RendererAgg)
        renderer.open_group("lstm_widgets")
        self._draw_boxes(renderer, self._behind, transform, 0 if raster else _OVERLAP)
        for (pattern, colour), placed in self._sheet.patterns.items():
            self._draw_pattern(renderer, pattern, colour, np.concatenate(placed), transform)
        for stroke in self._sheet.strokes:
            self._draw_stroke(renderer, stroke, transform)
        if raster:
            self._draw_letters(renderer, transform)
        else:
            self._draw_texts(renderer, transform)
        self._draw_boxes(renderer, self._front, transform, 0)
        renderer.close_group("lstm_widgets")

    def _draw_boxes(
        self,
        renderer: RendererBase,
        drawn: tuple[NDArray[np.float64], NDArray[np.uint8]],
        transform: Affine2D,
        overlap: float,
    ) -> None:
        boxes, colours = drawn
        if isinstance(renderer, RendererAgg):
            corners: Any = _corners(boxes)
            every = PolyCollection(corners, facecolors=colours / 255, linewidths=0)
            figure: Any = self.figure
            every.set_figure(figure)
            every.set_transform(transform)
            every.set_snap(True)
            every.set_antialiased(False)
            every.draw(renderer)
            return
        # A box is a line as thick as it is high, which takes half the room of four corners.
        points = self._points(transform)
        gc = renderer.new_gc()
        gc.set_capstyle("butt")
        for colour, thick, some in _alike(boxes, colours):
            gc.set_foreground(colour)
            gc.set_linewidth(round((thick + overlap) * points, 3))
            renderer.draw_path(gc, _thick_lines(some, overlap, transform), IdentityTransform())
        gc.restore()

    def _draw_letters(self, renderer: RendererBase, transform: Affine2D) -> None:
        """Draw outlines of letters, at whole pixels."""
        scale = float(transform.get_matrix()[0, 0])
        words = self._sheet.words
        places = np.rint(transform.transform([word[:2] for word in words] or np.zeros((0, 2))))
        inks: dict[Colour, list[fonts.Outline]] = {}
        for word, place in zip(words, places, strict=True):
            vertices, codes = fonts.outline(word.text, word.kind, word.size * scale)
            inks.setdefault(word.colour, []).append((vertices + place, codes))
        gc = renderer.new_gc()
        gc.set_linewidth(0)
        for colour, parts in inks.items():
            vertices, codes = map(np.concatenate, zip(*parts, strict=True))
            path = Path(vertices, codes)
            renderer.draw_path(gc, path, IdentityTransform(), shares(colour))
        gc.restore()

    def _points(self, transform: Affine2D) -> float:
        """Give how many points a unit is."""
        figure: Any = self.get_figure()
        return float(transform.get_matrix()[0, 0]) * 72 / float(figure.dpi)

    def _draw_pattern(
        self,
        renderer: RendererBase,
        pattern: Pattern,
        colour: Colour,
        boxes: NDArray[np.float64],
        transform: Affine2D,
    ) -> None:
        """Draw lines across all boxes, clipped to them."""
        points = self._points(transform)
        gc = renderer.new_gc()
        gc.set_clip_path(TransformedPath(_boxes_path(boxes), transform))
        gc.set_foreground((*shares(colour), pattern.alpha))
        gc.set_linewidth(pattern.thick * points)
        gc.set_capstyle("butt")
        if pattern.rise == 0:
            gc.set_dashes(0, [points, (pattern.period - 1) * points])
        renderer.draw_path(gc, _lines_path(pattern, boxes), transform)
        gc.restore()

    def _draw_stroke(self, renderer: RendererBase, stroke: Stroke, transform: Affine2D) -> None:
        """Draw a line from point to point."""
        gc = renderer.new_gc()
        gc.set_foreground((*shares(stroke.colour), stroke.alpha))
        gc.set_linewidth(stroke.thick * self._points(transform))
        gc.set_snap(False)  # which would make a dot a line of no length
        gc.set_joinstyle("round")
        gc.set_capstyle("round")
        there: NDArray[np.bool_] = np.isfinite(stroke.points.sum(axis=1))
        begins = there & ~np.append([False], there[:-1])
        ends = there & ~np.append(there[1:], [False])
        # A point alone between two gaps is a line to next to itself: a dot. One of no length isn't drawn.
        twice = np.where(begins & ends, 2, 1)[there]
        points = np.repeat(stroke.points[there], twice, axis=0)
        codes = np.full(len(points), Path.LINETO, Path.code_type)
        codes[(np.cumsum(twice) - twice)[begins[there]]] = Path.MOVETO
        vertices = transform.transform(points)
        vertices[(np.cumsum(twice) - 1)[twice == 2], 0] += _DOT
        path = Path(vertices.round(_DIGITS), codes)
        renderer.draw_path(gc, path, IdentityTransform())
        gc.restore()

    def _draw_texts(self, renderer: RendererBase, transform: Affine2D) -> None:
        """Draw texts as texts."""
        points = self._points(transform)
        _, height = renderer.get_canvas_width_height()
        gc = renderer.new_gc()
        for x, y, text, kind, size, colour in _joined(self._sheet.words):
            gc.set_foreground(shares(colour))
            at, down = transform.transform((x, y)).round(_DIGITS).tolist()
            if renderer.flipy():
                down = height - down
            font = fonts.properties(kind, round(size * points, 3))
            # Who looks at an SVG has more fonts; a PDF has those of this machine.
            viewed = renderer.flipy()
            shown = fonts.in_one_line(text) if viewed else fonts.drawable(text, kind)
            renderer.draw_text(gc, at, down, shown, font, 0)
        gc.restore()


def shares(colour: Iterable[int]) -> tuple[float, float, float]:
    """Give a colour in Matplotlib's way."""
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def _alike(
    boxes: NDArray[np.float64], colours: NDArray[np.uint8]
) -> Iterator[tuple[tuple[float, float, float], float, NDArray[np.float64]]]:
    """Give boxes of the same colour and height together, in the order of what is first drawn in each."""
    heights = (boxes[:, 3] - boxes[:, 1]).round(_DIGITS)
    there = heights > 0
    boxes, colours, heights = boxes[there], colours[there], heights[there]
    steps = (heights * 10**_DIGITS).round().astype(np.int64)
    looks = steps << 24 | colours.astype(np.int64) @ (1 << 16, 1 << 8, 1)
    _, first, which = np.unique(looks, return_index=True, return_inverse=True)
    order = np.argsort(first[which], kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(first[which][order])) + 1):
        if len(part):
            red, green, blue = (round(share, 3) for share in shares(colours[part[0]].tolist()))
            yield (red, green, blue), float(heights[part[0]]), boxes[part]


def _corners(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the corners of boxes: (box, 4, 2)."""
    x0, y0, x1, y1 = boxes.T
    return np.stack([x0, y0, x1, y0, x1, y1, x0, y1], axis=-1).reshape(-1, 4, 2)


def _boxes_path(boxes: NDArray[np.float64]) -> Path:
    corners = _corners(boxes)
    vertices = np.concatenate([corners, corners[:, :1]], axis=1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(boxes))
    return Path(vertices, codes)


def _thick_lines(boxes: NDArray[np.float64], overlap: float, transform: Affine2D) -> Path:
    """Give the middle of boxes of one height, from left to right."""
    x0, y0, x1, y1 = boxes.T
    middle = (y0 + y1 + overlap) / 2
    ends = np.stack([x0, middle, x1 + overlap, middle], axis=-1).reshape(-1, 2)
    vertices = transform.transform(ends).round(_DIGITS)
    return Path(vertices, np.tile([Path.MOVETO, Path.LINETO], len(boxes)))


def _lines_path(pattern: Pattern, boxes: NDArray[np.float64]) -> Path:
    """Give the lines of a pattern across what holds all boxes; they don't begin anew in each."""
    left, top = np.floor(boxes[:, :2].min(axis=0) / pattern.period) * pattern.period
    right, bottom = boxes[:, 2:].max(axis=0)
    if pattern.rise == 0:
        y = np.arange(top, bottom, pattern.period) + pattern.phase
        ends = np.stack([np.full_like(y, left), y, np.full_like(y, right), y], axis=-1)
    else:
        low, high = (top, bottom) if pattern.rise > 0 else (-bottom, -top)
        first = np.floor((left + low) / pattern.period) * pattern.period
        c = np.arange(first, right + high + pattern.period, pattern.period) + pattern.phase
        y0, y1 = np.full_like(c, top), np.full_like(c, bottom)
        ends = np.stack([c - pattern.rise * y0, y0, c - pattern.rise * y1, y1], axis=-1)
    return Path(ends.reshape(-1, 2), np.tile([Path.MOVETO, Path.LINETO], len(ends)))


def _joined(words: Iterable[Word]) -> Iterator[Word]:
    """Join what goes on in its line in the same colour, so that letters make words, as can be copied."""
    last: Word | None = None
    end = 0.0
    for word in words:
        gap = word.x - end
        space = fonts.text_width(" ", word.kind) * word.size
        if last is not None and last._replace(x=0, text="") == word._replace(x=0, text=""):
            spaces = round(gap / space)
            if -_JOINED < gap - spaces * space < _JOINED and 0 <= spaces <= 1:
                last = last._replace(text=f"{last.text}{' ' * spaces}{word.text}")
                end = word.x + fonts.text_width(word.text, word.kind) * word.size
                continue
        if last is not None:
            yield last
        last = word
        end = word.x + fonts.text_width(word.text, word.kind) * word.size
    if last is not None:
        yield last
