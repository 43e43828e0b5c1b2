"""CellGrid in a real JupyterLab: what it paints, what it says, and what it does when it is touched."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import recordings
from expected import Look, frames, picture, wrong
from lab import eventually
from playwright.sync_api import expect

SETUP = f"{Path(recordings.__file__).read_text()}\nimport lstm_widgets as lw\nimport ipywidgets\n"
SUMS = "recording = sums()\ngrid = lw.CellGrid(recording, cell=22, example=3, timestep=1)\ngrid"
LARGE = "large = long_text()\nbig = lw.CellGrid(large, cell=7, timestep=120)\nbig"

#: Lengths in the page, in pixels.
GUTTER, TOKENS, LABELS, SQUARE = 84, 20, 18, 15
GAP = 6


@pytest.fixture
def show(open_notebook):
    """Open a notebook of the given cells, after one with the recordings, and run it."""
    opened = []

    def show(*cells):
        notebook = open_notebook([SETUP, *cells])
        opened.append(notebook)
        notebook.run_all()
        return notebook

    yield show
    for notebook in opened:
        assert notebook.errors == []
        assert notebook.outside == []


class Grid:
    """One grid in the page."""

    def __init__(self, notebook, index, *, name="grid", nth=0):
        self.notebook = notebook
        self.name = name
        self.index = index
        self.root = notebook.output(index).locator(".lw").nth(nth)
        self.frame = self.root.locator(".lw-grid")
        self.canvas = self.frame.locator("canvas")
        self.status = self.root.locator(".lw-status")
        self.notice = self.root.locator(".lw-notice")
        expect(self.root).to_have_attribute("data-paints", re.compile(r"\d"))

    def get(self, trait):
        return self.notebook.kernel.value(f"{self.name}.{trait}")

    def set(self, **traits):
        self.notebook.kernel.run(
            "\n".join(f"{self.name}.{trait} = {value!r}" for trait, value in traits.items())
        )

    def becomes(self, **traits):
        """Wait until Python has these values."""
        eventually(lambda: {trait: self.get(trait) for trait in traits}, traits)

    def control(self, name):
        return self.root.locator(f"[data-control='{name}']")

    def scroll(self, left=None, top=None):
        self.frame.evaluate(
            "(e, [x, y]) => { if (x !== null) e.scrollLeft = x; if (y !== null) e.scrollTop = y; }",
            [left, top],
        )
        frames(self.frame)

    @property
    def scrolled(self):
        return tuple(self.frame.evaluate("e => [e.scrollLeft, e.scrollTop]"))

    @property
    def size(self):
        """Width and height that can be seen."""
        return tuple(self.frame.evaluate("e => [e.clientWidth, e.clientHeight]"))

    @property
    def extent(self):
        """Width and height of all that can be scrolled to."""
        return tuple(
            self.frame.locator(".lw-spacer").evaluate("e => [e.offsetWidth, e.offsetHeight]")
        )

    def click(self, x, y):
        self.frame.click(position={"x": x, "y": y})

    def paints(self, canvas, x, y, low, high, *, timeout=10):
        eventually(lambda: wrong(canvas, x, y, low, high), [], timeout=timeout)


class Sums(Grid):
    """The grid of ``sums()``: which squares are in view, and what they must look like."""

    examples = 24
    header = TOKENS + LABELS

    def __init__(self, notebook, index, recording, **more):
        super().__init__(notebook, index, **more)
        self.recording = recording

    def start(self, column, timesteps=5):
        example, timestep = np.divmod(column, timesteps)
        return GUTTER + example * (timesteps * SQUARE + GAP) + timestep * SQUARE

    def in_view(self, timesteps=5, cells=40):
        """Columns and rows whose squares are in view as a whole, and where they start."""
        (left, top), (width, height) = self.scrolled, self.size
        columns, rows = np.arange(24 * timesteps), np.arange(cells)
        x = self.start(columns, timesteps) - left
        y = self.header + rows * SQUARE - top
        seen = (x >= GUTTER) & (x + SQUARE <= width)
        down = (y >= self.header) & (y + SQUARE <= height)
        return columns[seen], rows[down], x[seen].astype(int), y[down].astype(int)

    def check(self, look, *, signal="hidden_state", order=None):
        """Compare squares in view with what the values are drawn like."""
        dataset = self.recording["lstm"]
        values = dataset[signal].values.reshape(-1, 40).T
        order = np.arange(40) if order is None else np.asarray(order)
        real = dataset["mask"].values.reshape(-1)
        columns, rows, x, y = self.in_view(cells=len(order))
        assert len(columns) >= 40
        assert len(rows) >= 10
        keep = real[columns]
        columns, x = columns[keep], x[keep]
        cells = order[rows]
        drawn = values[np.ix_(cells, columns)].astype(float)
        largest = np.abs(values).max(axis=1).astype(float)
        if look.threshold:
            # What the page has may lie on the other side of the threshold by half a step.
            drawn[np.abs(np.abs(drawn) - look.threshold) < largest[cells, None] / 252] = np.nan
        low, high = look.colours(drawn, largest[cells, None], float(largest.max()))
        known = ~np.isnan(drawn)
        left, middle = np.broadcast_arrays(x[None, :] + 2, y[:, None] + 7)
        self.paints(self.canvas, left[known], middle[known], low[known], high[known])


def paper(grid):
    """What the page says its background is."""
    return tuple(
        grid.root.evaluate(
            """() => {
              const context = document.createElement("canvas").getContext("2d");
              context.fillStyle =
                getComputedStyle(document.body).getPropertyValue("--jp-layout-color0").trim();
              context.fillRect(0, 0, 1, 1);
              return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
            }"""
        )
    )


def test_whole_recording_is_painted(show):
    grid = Sums(show(SUMS), 1, recordings.sums())
    assert paper(grid) == (255, 255, 255)
    grid.check(Look())
    # The last columns and rows, then the middle, a few pixels off the squares' own places.
    grid.scroll(5000, 5000)
    width, height = grid.size
    assert grid.extent == (GUTTER + 24 * 5 * SQUARE + 23 * GAP, grid.header + 40 * SQUARE)
    assert grid.scrolled == (grid.extent[0] - width, grid.extent[1] - height)
    grid.check(Look())
    grid.scroll(307, 101)
    grid.check(Look())

    # Between two examples is nothing but the page.
    columns, _, x, y = grid.in_view()
    gap = x[columns % 5 == 4][:-1] + SQUARE + 2
    image = picture(grid.canvas)
    assert (image[y[0] : y[9], gap] == 255).all()

    for look in (
        Look(scale="cell"),
        Look(scale="sigmoid"),
        Look(scale="squared"),
        Look(scale=(-0.25, 0.5)),
        Look(palette="blue_white_red_20", scale="sigmoid"),
        Look(palette="blue_white_red_20"),
        Look(palette="berlin", threshold=0.4),
        Look(palette="cividis", scale="squared"),
    ):
        grid.set(palette=look.palette, scale=look.scale, threshold=look.threshold)
        grid.check(look)
    grid.set(palette="auto", scale="layer", threshold=0.0)
    for signal, look in (
        ("forget_gate", Look(palette="cividis", gate=True)),
        ("cell_state", Look()),
    ):
        grid.set(signal=signal)
        grid.check(look, signal=signal)
    grid.set(signal="forget_gate", scale="cell")
    grid.check(Look(palette="cividis", gate=True, scale="cell"), signal="forget_gate")
    grid.set(scale="squared")
    grid.check(Look(palette="cividis", gate=True, scale="squared"), signal="forget_gate")


def test_clipped_values_and_padding_have_a_pattern(show):
    grid = Sums(show(SUMS), 1, recordings.sums())
    grid.set(scale=(-0.25, 0.5), example=10)
    grid.check(Look(scale=(-0.25, 0.5)))
    dataset = grid.recording["lstm"]
    values = dataset["hidden_state"].values.reshape(-1, 40).T
    columns, rows, x, y = grid.in_view()
    image = picture(grid.canvas)
    seen = {True: 0, False: 0}
    for row, top in zip(rows, y, strict=True):
        for column, left in zip(columns, x, strict=True):
            value = values[row, column]
            inside = -0.25 < value < 0.5
            near = min(abs(value + 0.25), abs(value - 0.5)) < np.abs(values[row]).max() / 252
            if near or not dataset["mask"].values.reshape(-1)[column]:
                continue
            # Left of the token: one colour, or lines over it where the range cuts the value off.
            strip = image[top + 3 : top + 12, left + 2]
            assert (len(np.unique(strip, axis=0)) == 1) == inside, (row, column, value)
            seen[inside] += 1
    assert min(seen.values()) > 100

    # Padding is faint and dotted, whatever stands under it.
    padded = [left for column, left in zip(columns, x, strict=True) if column in (8, 9)]
    assert len(padded) == 2
    grid.set(scale="layer")
    grid.check(Look())
    image = picture(grid.canvas)
    for column, left in zip((8, 9), padded, strict=True):
        for row, top in zip(rows, y, strict=True):
            low, high = Look().colours(
                values[[row], column].astype(float), np.abs(values[row]).max(), np.abs(values).max()
            )
            square = image[top + 2 : top + 13, left + 2 : left + 13].reshape(-1, 3)
            faint = (square >= 191 + low / 4 - 1) & (square <= 192 + high / 4 + 1)
            dots = ~faint.all(axis=1)
            assert 4 <= dots.sum() <= 9, (row, column)
            assert square[dots].max() < 200


def test_large_recording_is_painted_from_tiles(show):
    notebook = show(LARGE)
    grid = Grid(notebook, 1, name="big")
    values = recordings.long_text()["lstm"]["hidden_state"].values[0].T.astype(float)
    largest = np.abs(values).max(axis=1)
    cells, count = values.shape
    width, height = grid.size
    assert grid.extent == (GUTTER + count * SQUARE, TOKENS + cells * SQUARE)

    def check_squares():
        left, top = grid.scrolled
        columns = np.arange(-(-left // SQUARE), (left + width - GUTTER) // SQUARE).astype(int)
        rows = np.arange(-(-top // SQUARE), (top + height - TOKENS) // SQUARE).astype(int)
        assert len(columns) > 60
        assert len(rows) > 20
        low, high = Look().colours(
            values[np.ix_(rows, columns)], largest[rows, None], largest.max()
        )
        x = (GUTTER + columns * SQUARE - left + 2).astype(int)[None, :]
        y = (TOKENS + rows * SQUARE - top + 7).astype(int)[:, None]
        grid.paints(grid.canvas, x, y, low, high)

    def says(cell, timestep):
        value = values[cell, timestep]
        token = notebook.kernel.value(
            f"str(large['lstm'].token.values[0, {timestep}])"
        )
        text = f"lstm · cell {cell} · t={timestep} '{token}' · hidden_state {value:.4f}"
        expect(grid.status).to_have_text(text.replace("-", "−"))

    check_squares()
    says(7, 120)
    grid.scroll(300_000, 200)
    check_squares()
    grid.scroll(1_000_000, 0)
    # A jump to the spike brings it to the middle.
    grid.set(cell=recordings.SPIKE_CELL, timestep=recordings.SPIKE_TIMESTEP)
    says(recordings.SPIKE_CELL, recordings.SPIKE_TIMESTEP)
    check_squares()
    (left, top) = grid.scrolled
    assert left < recordings.SPIKE_TIMESTEP * SQUARE < left + width - GUTTER

    def check_pooled(row_height):
        """Each pixel shows the value of the largest magnitude under it, one that is really there."""
        (left, _) = grid.scrolled
        column_width = (grid.extent[0] - GUTTER) / count
        image = picture(grid.canvas)
        bad = []
        step = 2 ** int(np.floor(np.log2(1 / column_width)))
        for cell in (3, recordings.SPIKE_CELL, 63):
            y = int(TOKENS + (cell + 0.5) * row_height)
            for x in range(GUTTER + 3, image.shape[1] - 3, 7):
                first = int((left + x - GUTTER) / column_width)
                last = int((left + x - GUTTER + 1) / column_width)
                # The bins of a level need not end where pixels do.
                near = range(step + 2)
                spans = {
                    (max(0, first - a), last + b) for a in near for b in near
                } if step < 8 else {
                    (max(0, first // step * step + a * step), (last // step + 1 + b) * step)
                    for a in (-1, 0, 1) for b in (-1, 0, 1)
                }
                spans = [(a, b) for a, b in spans if b > a]
                parts = (values[cell, a:b] for a, b in spans)
                shown = np.unique([part[np.abs(part).argmax()] for part in parts if len(part)])
                low, high = Look().colours(shown, largest[cell], largest.max())
                found = image[y, x]
                if not ((found >= low) & (found <= high)).all(axis=-1).any():
                    bad.append((cell, x, found.tolist(), shown.tolist()))
        return bad[:4]

    def spike(row_height):
        (left, _) = grid.scrolled
        column_width = (grid.extent[0] - GUTTER) / count
        x = int(GUTTER + (recordings.SPIKE_TIMESTEP + 0.5) * column_width - left)
        y = int(TOKENS + (recordings.SPIKE_CELL + 0.5) * row_height)
        return picture(grid.canvas)[y, x - 1 : x + 2].tolist()

    # Everything at once: the selection is elsewhere, for its outline covers what is thin.
    grid.set(cell=3, timestep=0)
    grid.root.get_by_role("button", name="show everything").click()
    frames(grid.frame)
    row_height = (height - TOKENS) // cells
    assert abs(grid.extent[0] - width) <= 1
    low, high = Look().colours(np.array([recordings.SPIKE]), np.array([3.0]), 3.0)
    within = lambda: any(  # noqa: E731 - read again and again
        (low[0] <= np.array(found)).all() and (np.array(found) <= high[0]).all()
        for found in spike(row_height)
    )
    eventually(within, True)
    grid.set(cell=10)
    eventually(lambda: check_pooled(row_height), [], timeout=30)
    # Nearer, levels that only the kernel has.
    for _ in range(3):
        grid.root.get_by_role("button", name="zoom in").click()
    frames(grid.frame)
    share = (recordings.SPIKE_TIMESTEP + 0.5) / count
    grid.scroll(share * (grid.extent[0] - GUTTER) - (width - GUTTER) / 2)
    eventually(within, True)
    eventually(lambda: check_pooled(row_height), [], timeout=30)
