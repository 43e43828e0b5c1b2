"""CellGrid in a real JupyterLab: what it paints, what it says, and what it does when it is touched."""

from __future__ import annotations

import re

import numpy as np
import recordings
from expected import Look, frames, picture, resized, wrong
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

SUMS = "recording = sums()\ngrid = lw.CellGrid(recording, cell=22, example=3, timestep=1)\ngrid"
LARGE = "large = long_text()\nbig = lw.CellGrid(large, cell=7, timestep=120)\nbig"

#: Lengths in the page, in pixels.
GUTTER, TOKENS, LABELS, SQUARE = 84, 20, 18, 15
GAP = 6
#: A square's side and the gap between examples where there is room for more than all.
LARGEST, LARGEST_GAP = 22, 8


class Grid(Widget):
    """One cell grid in the page."""

    scrolling = ".lw-grid"

    @property
    def extent(self):
        """Width and height of all that can be scrolled to."""
        return tuple(
            self.frame.locator(".lw-spacer").evaluate("e => [e.offsetWidth, e.offsetHeight]")
        )


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

    def check(self, look, **shown):
        """Compare squares in view with what the values are drawn like, as soon as they are."""
        eventually(lambda: self.mistakes(look, **shown), [])

    def mistakes(self, look, *, signal="hidden_state", order=None):
        """Tell which squares in view aren't drawn like their values."""
        dataset = self.recording["lstm"]
        values = dataset[signal].values.reshape(-1, 40).T
        order = np.arange(40) if order is None else np.asarray(order)
        real = dataset["mask"].values.reshape(-1)
        columns, rows, x, y = self.in_view(cells=len(order))
        assert len(columns) >= 10
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
        return wrong(self.canvas, left[known], middle[known], low[known], high[known])


def test_whole_recording_is_painted(show):
    grid = Sums(show(SUMS), 1, recordings.sums())
    assert grid.paper == (255, 255, 255)
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


def test_both_directions_are_in_one_grid_and_tokens_can_be_those_predicted(show):
    notebook = show("both = both_directions()\ngrid = lw.CellGrid(both, cell=9, timestep=2)\ngrid")
    grid = Grid(notebook, 1)
    recording = recordings.both_directions()
    parts = [recording[name]["hidden_state"].values[0].T for name in recording.layers]
    values = np.concatenate(parts).astype(float)
    columns, rows = np.arange(12), np.arange(16)
    x = GUTTER + columns * LARGEST + 2
    y = TOKENS + rows * SQUARE + 2
    low, high = Look().colours(values, np.abs(values).max(axis=1)[:, None], np.abs(values).max())
    grid.paints(grid.canvas, x[None, :], y[:, None], low, high)
    said = f"cell 9 (backward 1) · t=2 'c' · hidden_state {number(values[9, 2])}"
    expect(grid.status).to_have_text(f"both · {said}")

    grid.control("token").select_option("predict")
    grid.becomes(align="predict")
    expect(grid.status).to_have_text(f"both · {said}".replace("'c'", "→ 'd'"))
    expect(grid.control("timestep")).to_have_attribute("aria-valuetext", "timestep 2, token → 'd'")
    grid.paints(grid.canvas, x[None, :], y[:, None], low, high)
    grid.set(timestep=11)
    expect(grid.status).to_have_text(
        f"both · cell 9 (backward 1) · t=11 · hidden_state {number(values[9, 11])}"
    )
    grid.control("layer").select_option("both/backward")
    grid.becomes(cell=7)


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
        assert len(columns) > 40
        assert len(rows) > 20
        low, high = Look().colours(
            values[np.ix_(rows, columns)], largest[rows, None], largest.max()
        )
        x = (GUTTER + columns * SQUARE - left + 2).astype(int)[None, :]
        y = (TOKENS + rows * SQUARE - top + 7).astype(int)[:, None]
        grid.paints(grid.canvas, x, y, low, high)

    def says(cell, timestep):
        value = values[cell, timestep]
        token = notebook.kernel.value(f"str(large['lstm'].token.values[0, {timestep}])")
        expect(grid.status).to_have_text(
            f"lstm · cell {cell} · t={timestep} '{token}' · hidden_state {number(value)}"
        )

    check_squares()
    grid.set(timestep=122)
    says(7, 122)
    grid.scroll(300_000, 200)
    check_squares()
    grid.scroll(1_000_000, 0)
    # A jump to the spike brings it to the middle.
    grid.set(cell=recordings.SPIKE_CELL, timestep=recordings.SPIKE_TIMESTEP)
    says(recordings.SPIKE_CELL, recordings.SPIKE_TIMESTEP)
    check_squares()
    left = grid.scrolled[0]
    assert left < recordings.SPIKE_TIMESTEP * SQUARE < left + width - GUTTER

    def check_pooled(row_height):
        """Each pixel shows the value of the largest magnitude under it, one that is really there."""
        left = grid.scrolled[0]
        column_width = (grid.extent[0] - GUTTER) / count
        # A level's bins need not end where pixels do.
        beside = 2 ** int(np.floor(np.log2(1 / column_width)))
        image = picture(grid.canvas)
        bad = []
        for cell in (3, recordings.SPIKE_CELL, 63):
            y = int(TOKENS + (cell + 0.5) * row_height)
            for x in range(GUTTER + 3, image.shape[1] - 3, 7):
                first = int((left + x - GUTTER) / column_width)
                last = int((left + x - GUTTER + 1) / column_width)
                under = np.abs(values[cell, first + 1 : last])
                around = values[cell, max(0, first - beside) : last + beside + 1]
                # Two that are less than a step apart are the same in the page.
                strong = around[np.abs(around) >= under.max() - largest[cell] / 126]
                low, high = Look().colours(strong, largest[cell], largest.max())
                found = image[y, x]
                if not ((found >= low) & (found <= high)).all(axis=-1).any():
                    bad.append((cell, x, found.tolist(), strong.tolist()))
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

    def within():
        found = np.array(spike(row_height))
        return bool(((found >= low) & (found <= high)).all(axis=1).any())

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


def test_large_recording_of_many_examples(show):
    notebook = show(
        "recording = many_examples()\n"
        "grid = lw.CellGrid(recording, cell=3, example=1200, timestep=4)\n"
        "grid"
    )
    grid = Grid(notebook, 1)
    grid.recording = recordings.many_examples()
    dataset = grid.recording["lstm"]
    values = dataset["hidden_state"].values.reshape(-1, 16).astype(float)
    real = dataset["mask"].values.reshape(-1)
    largest = np.abs(values).max(axis=0)
    header, pitch = TOKENS + LABELS, 20 * SQUARE + GAP
    assert grid.extent == (GUTTER + 2500 * pitch - GAP, header + 16 * SQUARE)

    def check(order):
        """Compare the squares of two whole examples, padding included."""
        left = grid.scrolled[0]
        example = int(-(-left // pitch))
        columns = np.arange(example * 20, example * 20 + 40)
        x = (GUTTER + columns // 20 * pitch + columns % 20 * SQUARE - left).astype(int)
        y = header + np.arange(len(order)) * SQUARE
        low, high = Look().colours(
            values[np.ix_(columns, order)].T, largest[order][:, None], largest.max()
        )
        padding = ~real[columns]
        # Padding is faint: a quarter of its colour is left.
        low[:, padding] = 191 + low[:, padding] / 4 - 1
        high[:, padding] = 192 + high[:, padding] / 4 + 1
        # Beside the dots, which are four pixels apart from where the squares begin.
        x = x + 2 + ((x + 2 - GUTTER) % 4 == 0)
        grid.paints(grid.canvas, x[None, :], y[:, None] + 7, low, high)

    says(grid, 3, 1200, 4)
    check(np.arange(16))
    grid.set(timestep=17)
    says(grid, 3, 1200, 17, also=" · padding")
    grid.scroll(1_000_000)
    grid.scroll(grid.scrolled[0] - 200)
    check(np.arange(16))
    # Over the end of a block of what travels at once.
    grid.scroll(25 * pitch - 100)
    check(np.arange(16))
    expect(grid.control("example")).to_have_attribute("aria-valuetext", "example 1200, number 1200")

    alike = np.corrcoef(values[real].T)[3]
    order = np.argsort(-alike, kind="stable")
    grid.control("sort by").select_option("similarity")
    grid.becomes(sort="similarity")
    grid.scroll(25 * pitch)
    check(order)
    grid.click(30, header + 5 * SQUARE + 7)
    grid.becomes(cell=order[5])
    grid.frame.press("Control+End")
    grid.becomes(cell=order[15], example=2499, timestep=19)
    notebook.page.mouse.move(5, 5)
    says(grid, order[15], 2499, 19, also=" · padding")
    grid.frame.press("Home")
    says(grid, order[15], 2499, 0)
    loud = np.flatnonzero(np.abs(values[real]).mean(axis=0) >= 0.3)
    assert 3 < len(loud) < 16
    grid.set(sort="index", threshold=0.3, hide_quiet_cells=True)
    expect(grid.control("hide quiet cells")).to_be_checked()
    grid.frame.press("Control+Home")
    grid.becomes(cell=loud[0], example=0, timestep=0)
    grid.frame.press("ArrowDown")
    grid.becomes(cell=loud[1])


def says(grid, cell, example, timestep, *, signal="hidden_state", also=""):
    """Wait until the status line tells this square, with the number that is in the array."""
    dataset = grid.recording["lstm"]
    label = str(dataset["label"].values[example])
    token = str(dataset["token"].values[example, timestep])
    value = float(dataset[signal].values[example, timestep, cell])
    where = f"""lstm · cell {cell} · example {example} "{label}" · t={timestep} '{token}'"""
    expect(grid.status).to_have_text(f"{where} · {signal} {number(value)}{also}")
    assert grid.status.get_attribute("title") == str(value)


def test_status_hover_click_and_keys(show):
    notebook = show(SUMS)
    grid = Sums(notebook, 1, recordings.sums())
    grid.set(cell=2, example=3, timestep=1)
    says(grid, 2, 3, 1)
    notebook.kernel.run(
        "seen = []\n"
        "grid.observe(lambda c: seen.append([c.name, c.new]), ['cell', 'example', 'timestep'])"
    )

    def middle(cell, column):
        (left, top) = grid.scrolled
        x = grid.start(np.array(column)) - left + 7
        return {"x": int(x), "y": int(grid.header + cell * SQUARE - top + 7)}

    # Hovering says what is under the pointer and selects nothing.
    grid.frame.hover(position=middle(9, 2 * 5 + 3))
    says(grid, 9, 2, 3)
    expect(grid.status).to_have_class(re.compile("lw-hovered"))
    grid.frame.hover(position=middle(0, 1 * 5 + 4))
    says(grid, 0, 1, 4, also=" · padding")
    notebook.page.mouse.move(5, 5)
    says(grid, 2, 3, 1)
    expect(grid.status).not_to_have_class(re.compile("lw-hovered"))
    assert notebook.kernel.value("seen") == []

    grid.frame.click(position=middle(9, 2 * 5 + 3))
    grid.becomes(cell=9, example=2, timestep=3)
    assert sorted(notebook.kernel.value("seen")) == [["cell", 9], ["example", 2], ["timestep", 3]]
    says(grid, 9, 2, 3)
    # A click on a cell's number leaves the timestep.
    grid.click(30, grid.header + 4 * SQUARE + 7)
    grid.becomes(cell=4, example=2, timestep=3)
    # In a gap and above the squares there is nothing to select.
    grid.click(int(grid.start(np.array(10))) - GAP // 2, grid.header + 7)
    grid.click(GUTTER + 20, 5)
    frames(grid.frame)
    grid.becomes(cell=4, example=2, timestep=3)
    grid.scroll(600, 90)
    grid.frame.click(position=middle(20, 12 * 5))
    grid.becomes(cell=20, example=12, timestep=0)

    before = notebook.count()
    steps = [
        ("ArrowRight", (20, 12, 1)),
        ("ArrowDown", (21, 12, 1)),
        ("ArrowUp", (20, 12, 1)),
        ("ArrowLeft", (20, 12, 0)),
        ("ArrowLeft", (20, 11, 4)),
        ("ArrowRight", (20, 12, 0)),
        ("End", (20, 12, 4)),
        ("Home", (20, 12, 0)),
        ("PageUp", (10, 12, 0)),
        ("PageDown", (20, 12, 0)),
        ("Control+End", (39, 23, 4)),
        ("ArrowRight", (39, 23, 4)),
        ("ArrowDown", (39, 23, 4)),
        ("PageDown", (39, 23, 4)),
        ("PageUp", (29, 23, 4)),
        ("Control+Home", (0, 0, 0)),
        ("ArrowLeft", (0, 0, 0)),
        ("ArrowUp", (0, 0, 0)),
        ("PageUp", (0, 0, 0)),
    ]
    notebook.page.mouse.move(5, 5)
    for key, (cell, example, timestep) in steps:
        grid.frame.press(key)
        says(grid, cell, example, timestep)
        grid.becomes(cell=cell, example=example, timestep=timestep)
        # Wherever the selection goes, it is in view.
        frames(grid.frame)
        (left, top), (width, height) = grid.scrolled, grid.size
        x = int(grid.start(np.array(example * 5 + timestep))) - left
        y = grid.header + cell * SQUARE - top
        assert GUTTER <= x <= width - SQUARE, key
        assert grid.header <= y <= height - SQUARE, key

    whole = grid.extent
    grid.frame.press("+")
    frames(grid.frame)
    assert grid.extent == (GUTTER + 120 * 18 + 23 * 7, grid.header + 40 * 18)
    grid.frame.press("-")
    frames(grid.frame)
    assert grid.extent == whole
    grid.frame.press("0")
    frames(grid.frame)
    assert grid.extent[0] <= grid.size[0]
    assert grid.extent[1] <= grid.size[1]

    # What a notebook would do on these keys, it doesn't while the grid has them.
    for control in (grid.frame, grid.control("cell"), grid.control("sort by")):
        for key in ("b", "a", "d", "d", "x", "m", "c", "v", "j", "k"):
            control.press(key)
    assert notebook.count() == before
    assert notebook._in_panel("return panel.content.widgets.map((w) => w.model.type);") == [
        "code",
        "code",
    ]
    grid.becomes(cell=0, example=0, timestep=0)


def test_controls_and_python_follow_each_other(show):
    notebook = show(SUMS)
    grid = Sums(notebook, 1, recordings.sums())
    label = str(grid.recording["lstm"]["label"].values[7])

    for name, first, second, third, largest, spoken in (
        ("cell", 5, 17, 30, 39, "cell 30"),
        ("timestep", 4, 2, 1, 4, "timestep 1, token '+'"),
        ("example", 20, 2, 7, 23, f"example 7, {label}"),
    ):
        slider, box = grid.control(name), grid.control(f"{name} number")
        slider.fill(str(first))
        grid.becomes(**{name: first})
        expect(box).to_have_value(str(first))
        box.fill(str(second))
        grid.becomes(**{name: second})
        expect(slider).to_have_value(str(second))
        slider.press("ArrowLeft")
        grid.becomes(**{name: second - 1})
        # Past the end is the end; an emptied box changes nothing, and is filled again.
        box.fill("999")
        grid.becomes(**{name: largest})
        box.fill("")
        box.blur()
        expect(box).to_have_value(str(largest))
        grid.becomes(**{name: largest})
        grid.set(**{name: third})
        expect(slider).to_have_value(str(third))
        expect(box).to_have_value(str(third))
        expect(slider).to_have_attribute("aria-valuetext", spoken)
        expect(slider).to_have_attribute("max", str(largest))
    says(grid, 30, 7, 1)

    slider, box = grid.control("threshold"), grid.control("threshold number")
    slider.fill("0.37")
    grid.becomes(threshold=0.37)
    expect(box).to_have_value("0.37")
    grid.check(Look(threshold=0.37))
    box.fill("0.6")
    grid.becomes(threshold=0.6)
    expect(slider).to_have_value("0.6")
    grid.set(threshold=0.123)
    expect(box).to_have_value("0.123")
    value = abs(float(grid.recording["lstm"]["hidden_state"].values[7, 1, 30]))
    says(grid, 30, 7, 1, also=" · on" if value >= 0.123 else " · below the threshold")
    grid.check(Look(threshold=0.123))
    grid.set(threshold=0.0)

    for name, trait, chosen, fromPython in (
        ("signal", "signal", "cell_state", "hidden_state"),
        ("sort by", "sort", "variance", "index"),
        ("palette", "palette", "cividis", "auto"),
        ("scale", "scale", "sigmoid", "layer"),
    ):
        menu = grid.control(name)
        menu.select_option(chosen)
        grid.becomes(**{trait: chosen})
        grid.set(**{trait: fromPython})
        expect(menu).to_have_value(fromPython)
    grid.control("scale").select_option("fixed")
    grid.becomes(scale=[-1, 1])
    grid.set(scale=(-0.5, 2.0))
    expect(grid.control("scale").locator("option:checked")).to_have_text(re.compile("0.5 to 2"))
    grid.set(scale="layer")

    # Another layer has fewer cells and timesteps: the selection stays inside it.
    grid.set(cell=39, timestep=4)
    grid.control("layer").select_option("lstm_1")
    grid.becomes(layer="lstm_1", cell=11, timestep=1, example=7)
    expect(grid.status).to_have_text(re.compile(r"lstm_1 · cell 11 · example 7 .* · t=1 "))
    expect(grid.control("cell")).to_have_attribute("max", "11")
    grid.set(layer="lstm")
    expect(grid.control("layer")).to_have_value("lstm")
    expect(grid.control("cell")).to_have_attribute("max", "39")
    says(grid, 11, 7, 1)


def test_sorting_and_quiet_cells(show):
    notebook = show(SUMS)
    grid = Sums(notebook, 1, recordings.sums())
    dataset = grid.recording["lstm"]
    real = dataset["mask"].values.reshape(-1)
    values = dataset["hidden_state"].values.reshape(-1, 40)[real].astype(float)
    strength, spread = np.abs(values).mean(axis=0), values.var(axis=0)
    alike = np.corrcoef(values.T)

    def click_row(row, cell):
        grid.scroll(top=0)
        grid.click(30, grid.header + row * SQUARE + 7)
        grid.becomes(cell=cell)

    for sort, key in (
        ("mean_magnitude", strength),
        ("variance", spread),
        ("similarity", alike[22]),
        ("index", -np.arange(40)),
    ):
        order = np.argsort(-key, kind="stable")
        grid.set(cell=22, example=0, timestep=0)
        grid.control("sort by").select_option(sort)
        grid.becomes(sort=sort)
        grid.scroll(0, 0)
        grid.check(Look(), order=order)
        # Steps through the rows leave the rows where they are.
        click_row(0, order[0])
        click_row(3, order[3])
        grid.frame.press("ArrowDown")
        grid.becomes(cell=order[4])
        grid.check(Look(), order=order)
    # Similarity to another cell, chosen elsewhere, is another order.
    grid.set(sort="similarity", cell=5)
    grid.scroll(0, 0)
    grid.check(Look(), order=np.argsort(-alike[5], kind="stable"))
    grid.set(sort="index")

    ranked = np.sort(strength)
    threshold = float((ranked[9] + ranked[10]) / 2)
    loud = np.flatnonzero(strength >= threshold)
    grid.set(threshold=threshold, cell=int(loud[3]))
    grid.control("hide quiet cells").check()
    grid.becomes(hide_quiet_cells=True)
    grid.scroll(0, 0)
    grid.check(Look(threshold=threshold), order=loud)
    assert grid.extent[1] == grid.header + len(loud) * SQUARE
    grid.frame.press("Control+End")
    grid.becomes(cell=loud[-1], example=23, timestep=4)
    grid.set(threshold=2.0)
    told = grid.root.locator(".lw-empty")
    expect(grid.root.locator(".lw-bar")).to_contain_text("mean |value| < 2")
    expect(told).to_contain_text("The mean |value| of all 40 cells is below 2.")
    # What is offered in its place is two digits that half of them are below.
    told.get_by_role("button").click()
    eventually(lambda: grid.get("threshold") < 2, True)
    kept = np.flatnonzero(strength >= grid.get("threshold"))
    assert 19 <= len(kept) <= 24
    expect(told).to_be_hidden()
    grid.frame.press("Control+Home")
    grid.becomes(cell=kept[0])
    grid.frame.press("Control+End")
    grid.becomes(cell=kept[-1])
    grid.set(hide_quiet_cells=False, threshold=0.0)
    expect(grid.control("hide quiet cells")).not_to_be_checked()
    grid.scroll(0, 0)
    grid.check(Look())


def test_linked_grids_and_two_views(show):
    notebook = show(
        "recording = sums()\n"
        "one = lw.CellGrid(recording)\n"
        "other = lw.CellGrid(recording, signal='cell_state')\n"
        "links = [ipywidgets.jslink((one, name), (other, name))"
        " for name in ('cell', 'example', 'palette')]\n"
        "one",
        "other",
        "one",
    )
    recording = recordings.sums()

    def grid(index):
        return Sums(notebook, index, recording, name="other" if index == 2 else "one")

    first = grid(1)
    first.scroll(400, 90)
    place = first.scrolled
    assert place == (400, 90)
    column = 6 * 5 + 2
    x = int(first.start(np.array(column))) - 400 + 7
    first.click(x, first.header + 12 * SQUARE - 90 + 7)
    first.becomes(cell=12, example=6, timestep=2)
    assert first.scrolled == place
    says(first, 12, 6, 2)

    linked = grid(2)
    linked.becomes(cell=12, example=6, timestep=0)
    says(linked, 12, 6, 0, signal="cell_state")
    linked.control("cell number").fill("31")
    first.becomes(cell=31)
    linked.control("palette").select_option("berlin")
    first.becomes(palette="berlin")

    # The second view of the first grid: the same selection and look, a place of its own.
    second = grid(3)
    says(second, 31, 6, 2)
    second.check(Look(palette="berlin"))
    second.root.get_by_role("button", name="zoom in").click()
    second.scroll(0, 0)
    second.click(GUTTER + 4 * 18 + 9, second.header + 3 * 18 + 9)
    second.becomes(cell=3, example=0, timestep=4)
    view = second.scrolled
    first = grid(1)
    says(first, 3, 0, 4)
    place = first.scrolled
    assert first.extent[0] == GUTTER + 120 * SQUARE + 23 * GAP
    first.scroll(200, 60)
    first.click(GUTTER + 8, first.header + 20 * SQUARE - 60 + 7)
    first.becomes(cell=20)
    second = grid(3)
    assert second.scrolled == view
    expect(second.status).to_have_text(first.status.inner_text())
    # Python moves them all.
    first.set(cell=39, example=23, timestep=4)
    says(second, 39, 23, 4)
    frames(second.frame)
    assert second.scrolled[0] > 500
    says(grid(2), 39, 23, 0, signal="cell_state")


def test_theme_changes_under_the_grid(show):
    notebook = show(SUMS)
    grid = Sums(notebook, 1, recordings.sums())
    expect(grid.root).to_have_attribute("data-theme", "light")
    grid.check(Look())
    notebook.theme("dark")
    expect(grid.root).to_have_attribute("data-theme", "dark")
    dark = grid.paper
    assert max(dark) < 64

    def gap():
        image = picture(grid.canvas)
        return tuple(image[grid.header + 7, GUTTER + 5 * SQUARE + 2].tolist())

    eventually(gap, dark)
    grid.check(Look(palette="berlin"))
    grid.set(threshold=0.4)
    grid.check(Look(palette="berlin", threshold=0.4, background=dark))
    grid.set(threshold=0.0, palette="RdBu_r")
    grid.check(Look())
    grid.set(palette="auto")
    notebook.theme("light")
    expect(grid.root).to_have_attribute("data-theme", "light")
    eventually(gap, (255, 255, 255))
    grid.check(Look())


def test_kernel_restart(show):
    notebook = show(SUMS, LARGE)
    grid = Sums(notebook, 1, recordings.sums())
    grid.check(Look())
    large = Grid(notebook, 2, name="big")
    expect(large.status).to_have_text(re.compile(r"^lstm · cell 7 · t=120 '.' · hidden_state [^≈]"))
    notebook.restart()

    # All of a small recording is in the page.
    grid = Sums(notebook, 1, recordings.sums())
    grid.control("cell number").fill("11")
    grid.control("timestep").fill("3")
    says(grid, 11, 3, 3)
    grid.control("palette").select_option("berlin")
    grid.control("signal").select_option("cell_state")
    grid.check(Look(palette="berlin"), signal="cell_state")
    expect(grid.notice).to_have_text("")

    large = Grid(notebook, 2, name="big")
    large.scroll(400_000, 0)
    expect(large.notice).to_have_text(re.compile("does not answer"), timeout=30_000)
    large.control("cell").fill("40")
    expect(large.status).to_have_text(re.compile(r"^lstm · cell 40 · t=120 "))
    large.root.get_by_role("button", name="show everything").click()
    large.control("palette").select_option("berlin")
    frames(large.frame)
    width, height = large.size
    row = (height - TOKENS) // 64
    x = GUTTER + (recordings.SPIKE_TIMESTEP + 0.5) / 40_000 * (width - GUTTER)
    low, high = Look(palette="berlin").colours(np.array([recordings.SPIKE]), np.array([3.0]), 3.0)
    image = picture(large.canvas)[TOKENS + 40 * row + row // 2, int(x) - 2 : int(x) + 3]
    assert ((image >= low) & (image <= high)).all(axis=1).any()

    # The same cells, run again, are a grid that answers.
    notebook.run_all()
    large = Grid(notebook, 2, name="big")
    large.control("cell").fill("9")
    large.becomes(cell=9)
    expect(large.status).to_have_text(re.compile(r"^lstm · cell 9 · t=120 '.' · hidden_state [^≈]"))
    expect(large.notice).to_have_text("")


def test_reload_of_the_page(show):
    notebook = show(SUMS)
    recording = recordings.sums()
    grid = Sums(notebook, 1, recording)
    grid.control("cell number").fill("13")
    grid.control("sort by").select_option("variance")
    grid.becomes(cell=13, sort="variance")
    notebook.reload()
    grid = Sums(notebook, 1, recording)
    says(grid, 13, 3, 1)
    expect(grid.control("sort by")).to_have_value("variance")
    grid.control("sort by").select_option("index")
    grid.becomes(sort="index")
    grid.check(Look())

    # With the widgets' state saved, the notebook needs no kernel that knows them.
    notebook._in_panel(
        'await app.commands.execute("@jupyter-widgets/jupyterlab-manager:saveWidgetState");'
    )
    notebook.save()
    notebook.restart()
    notebook.reloaded = True
    notebook.page.reload()
    notebook.wait_until_ready()
    grid = Sums(notebook, 1, recording)
    says(grid, 13, 3, 1)
    grid.control("cell number").fill("2")
    says(grid, 2, 3, 1)
    grid.check(Look())


def test_hostile_text_stays_text(show):
    notebook = show("grid = lw.CellGrid(hostile(), cell=1, example=1, timestep=1)\ngrid")
    grid = Grid(notebook, 1)
    harmless = """root => [window.hacked, root.querySelectorAll("img, script, b").length,
      [...root.querySelectorAll("*")].some((e) => [...e.attributes].some((a) => /^on/.test(a.name)))]"""
    for name in recordings.HOSTILE:
        grid.control("layer").select_option(name)
        grid.becomes(layer=name)
        expect(grid.control("layer").locator("option:checked")).to_have_text(name)
        for timestep, token in enumerate(recordings.HOSTILE):
            grid.set(timestep=timestep)
            expect(grid.status).to_have_text(
                re.compile(
                    re.escape(
                        f"""{name} · cell 1 · example 1 "{recordings.HOSTILE[1]}" """
                        f"· t={timestep} '{token}' · "
                    )
                )
            )
            spoken = f"timestep {timestep}, token '{token}'"
            expect(grid.control("timestep")).to_have_attribute("aria-valuetext", spoken)
        expect(grid.control("example")).to_have_attribute(
            "aria-valuetext", f"example 1, {recordings.HOSTILE[1]}"
        )
        grid.frame.hover(position={"x": GUTTER + 9, "y": TOKENS + LABELS + 9})
        frames(grid.frame)
        assert grid.root.evaluate(harmless) == [None, 0, False]
        notebook.page.mouse.move(5, 5)
    expect(grid.root.locator(".lw-spoken")).to_have_text(re.compile("bold"))
    assert grid.root.evaluate(harmless) == [None, 0, False]


def test_values_that_are_no_plain_numbers(show):
    grid = Grid(show("grid = lw.CellGrid(odd())\ngrid"), 1)
    for cell, timestep, text in ((1, 1, "NaN"), (2, 2, "∞"), (3, 3, "−∞"), (4, 0, "0.0000")):
        grid.set(cell=cell, timestep=timestep)
        expect(grid.status).to_have_text(f"odd · cell {cell} · t={timestep} · hidden_state {text}")
    grid.set(cell=0, timestep=5)
    expect(grid.control("cell")).to_have_value("0")
    frames(grid.frame)
    image = picture(grid.canvas)
    # Nothing has to be scrolled here, so that squares are as large as the room allows.
    wide, header = LARGEST, TOKENS
    tall = min(LARGEST, (grid.size[1] - header) // 6)
    values = recordings.odd()["odd"]["hidden_state"].values[0]
    finite = np.where(np.isfinite(values), values, 0)
    layer = np.abs(finite).max()

    def square(cell, timestep):
        y, x = header + cell * tall, GUTTER + timestep * wide
        return image[y + 2 : y + tall - 2, x + 3 : x + wide - 3].reshape(-1, 3)

    for cell in range(6):
        for timestep in range(6):
            value = values[timestep, cell]
            kinds, count = np.unique(square(cell, timestep), axis=0, return_counts=True)
            if np.isfinite(value):
                assert len(kinds) == 1, (cell, timestep)
                low, high = Look().colours(
                    np.array([value], dtype=float), np.abs(finite[:, cell]).max() or 1e-9, layer
                )
                assert ((kinds >= low) & (kinds <= high)).all(), (cell, timestep)
            elif np.isnan(value):
                # Grey, and broad lines over it.
                assert len(kinds) == 2
                assert np.ptp(kinds, axis=1).max() < 30
                assert 0.25 < count.min() / count.sum() < 0.42
            else:
                # The outermost colour, and thin lines over it.
                assert len(kinds) == 2
                low, high = Look().colours(np.array([np.sign(value)]), np.array([1.0]), 1.0)
                assert (kinds[count.argmax()] >= low).all()
                assert (kinds[count.argmax()] <= high).all()
                assert 0.1 < count.min() / count.sum() < 0.25
        for timestep in (6, 7):
            kinds, count = np.unique(square(cell, timestep), axis=0, return_counts=True)
            dots = count[kinds.max(axis=1) < 190].sum()
            assert 1 / 24 < dots / count.sum() < 1 / 10
            assert kinds[count.argmax()].min() > 190


def test_very_small_numbers_keep_their_digits(show):
    notebook = show(
        "values = np.array([[[-1.25e-5], [1.25e-5], [2.5e6]]], dtype=np.float32)\n"
        "grid = lw.CellGrid(Recording.from_layers([layer('lstm', {'hidden_state': values})]))\n"
        "grid"
    )
    grid = Grid(notebook, 1)
    for timestep, text in enumerate(("−1.250e−5", "1.250e−5", "2.500e+6")):
        grid.set(timestep=timestep)
        expect(grid.status).to_have_text(f"lstm · cell 0 · t={timestep} · hidden_state {text}")


def test_empty_recordings_say_so(show):
    notebook = show(
        "none = lw.CellGrid(of_shape(0, 5, 3))\nnone",
        "empty = lw.CellGrid(of_shape(2, 0, 3))\nempty",
    )
    for index, name in ((1, "none"), (2, "empty")):
        nothing = Grid(notebook, index, name=name)
        expect(nothing.root.locator(".lw-empty")).to_have_text(
            "Nothing to show: no timestep was recorded."
        )
        expect(nothing.status).to_have_text("lstm · nothing recorded")
        for key in ("ArrowRight", "ArrowDown", "Control+End", "PageUp", "+", "-", "0"):
            nothing.frame.press(key)
        for control in ("palette", "sort by"):
            nothing.control(control).select_option(index=2)
        frames(nothing.frame)
        expect(nothing.status).to_have_text("lstm · nothing recorded")
        assert (nothing.get("timestep"), nothing.get("example")) == (0, 0)


def test_one_timestep_and_one_cell(show):
    notebook = show(
        "short = lw.CellGrid(of_shape(3, 1, 4))\nshort",
        "thin = lw.CellGrid(of_shape(2, 6, 1))\nthin",
    )
    short = Grid(notebook, 1, name="short")
    tall = min(LARGEST, (short.size[1] - TOKENS - LABELS) // 4)
    short.click(GUTTER + 2 * (LARGEST + LARGEST_GAP) + 9, TOKENS + LABELS + 3 * tall + 9)
    short.becomes(cell=3, example=2, timestep=0)
    expect(short.control("timestep")).to_be_disabled()
    expect(short.status).to_have_text(re.compile(r"cell 3 · example 2 \"number 2\" · t=0 'a'"))
    thin = Grid(notebook, 2, name="thin")
    thin.click(GUTTER + LARGEST_GAP + 10 * LARGEST + 9, TOKENS + LABELS + 9)
    thin.becomes(cell=0, example=1, timestep=4)
    expect(thin.control("cell")).to_be_disabled()
    thin.control("sort by").select_option("similarity")
    thin.becomes(sort="similarity")
    for small in (short, thin):
        expect(small.root.locator(".lw-empty")).to_have_text("")


def test_fits_narrow_and_wide_pages(show):
    notebook = show(SUMS)
    grid = Sums(notebook, 1, recordings.sums())
    cut_off = """root => {
      const box = root.getBoundingClientRect();
      const cut = [...root.querySelectorAll("select, input, button, .lw-status, .lw-legend, canvas")]
        .filter((e) => e.getClientRects().length > 0)
        .filter((e) => {
          const b = e.getBoundingClientRect();
          return b.left < box.left - 0.5 || b.right > box.right + 0.5
            || b.top < box.top - 0.5 || b.bottom > box.bottom + 0.5 || b.width < 10;
        })
        .map((e) => e.dataset.control ?? e.className);
      const parent = root.parentElement.getBoundingClientRect();
      return [cut, root.scrollWidth > root.clientWidth, box.right > parent.right + 0.5];
    }"""
    widths = set()
    for width in (800, 1100, 1800):
        resized(grid.root, width)
        eventually(lambda: grid.root.evaluate(cut_off), [[], False, False])
        # The canvas follows the frame.
        eventually(lambda: picture(grid.canvas).shape[1::-1] == grid.size, True)
        grid.check(Look())
        widths.add(grid.size[0])
    assert len(widths) == 3


def test_zoom(show):
    notebook = show(SUMS)
    grid = Sums(notebook, 1, recordings.sums())
    page = notebook.page

    def extent(square, gap):
        size = (GUTTER + 120 * square + 23 * gap, grid.header + 40 * min(square, 32))
        eventually(lambda: grid.extent, size)

    zoom_in = grid.root.get_by_role("button", name="zoom in")
    zoom_out = grid.root.get_by_role("button", name="zoom out")
    extent(15, 6)
    zoom_in.click()
    extent(18, 7)
    zoom_in.click()
    extent(22, 8)
    zoom_out.click()
    extent(18, 7)
    grid.scroll(300, 50)
    grid.frame.hover(position={"x": GUTTER + 400, "y": grid.header + 200})
    frames(grid.frame)
    under = grid.status.inner_text()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    extent(22, 8)
    # What was under the pointer still is.
    page.keyboard.up("Control")
    page.mouse.move(5, 5)
    grid.frame.hover(position={"x": GUTTER + 400, "y": grid.header + 200})
    expect(grid.status).to_have_text(under)
    page.keyboard.down("Control")
    page.mouse.wheel(0, 100)
    page.keyboard.up("Control")
    extent(18, 7)
    # Without the key, the wheel scrolls.
    at = grid.scrolled
    page.mouse.wheel(0, 60)
    eventually(lambda: grid.scrolled[1] > at[1], True)
    page.mouse.wheel(90, 0)
    eventually(lambda: grid.scrolled[0] > at[0], True)
    extent(18, 7)
    grid.root.get_by_role("button", name="show everything").click()
    eventually(lambda: grid.extent[0] <= grid.size[0] and grid.extent[1] <= grid.size[1], True)
    # From there on, nothing gets smaller; and back in, step by step.
    smallest = grid.extent
    zoom_out.click()
    frames(grid.frame)
    assert grid.extent == smallest
    for _ in range(12):
        zoom_in.click()
    frames(grid.frame)
    assert grid.extent[0] > 3 * smallest[0]
