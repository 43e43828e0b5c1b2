"""ExampleGrid in a real JupyterLab: one cell over all examples, painted and touched."""

from __future__ import annotations

import math
import re

import numpy as np
import recordings
from expected import Look, frames, picture, resized
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

EXAMPLES = (
    "recording = sums()\n"
    "grid = lw.ExampleGrid(recording, layer='lstm_1', cell=4, example=2, timestep=1)\n"
    "grid"
)

#: Lengths in the page, in pixels.
EDGE, TOP, ROW, SQUARE, APART = 12, 8, 26, 18, 22
#: A character of the font that labels are written in, and what stands after a label.
CHARACTER, AFTER = 7.83, 4


class Examples(Widget):
    """The grid of the second layer of ``sums()``: two tokens an example, labels before them."""

    scrolling = ".lw-examples"

    def __init__(self, notebook, index):
        super().__init__(notebook, index)
        self.dataset = recordings.sums()["lstm_1"]
        self.labels = [str(label) for label in self.dataset["label"].values]
        self.tokens = self.dataset["token"].values
        # The tokens stand in the label's place: what is before them is as wide as the widest.
        self.leads = [label[:-2] for label in self.labels]
        self.lead = math.ceil(max(map(len, self.leads)) * CHARACTER) + AFTER

    def across(self, width):
        """How many examples stand in a row, and how far apart."""
        room = width - 2 * EDGE + APART
        item = self.lead + 2 * SQUARE + APART
        across = max(1, min(24, room // item))
        return across, max(item, math.floor(min(room / across, item * 1.25)))

    def places(self, ranks):
        """Upper left corners of all tokens' squares: arrays of (rank, timestep)."""
        across, pitch = self.across(self.size[0])
        row, column = np.divmod(np.asarray(ranks)[:, None], across)
        x = EDGE + column * pitch + self.lead + np.arange(2) * SQUARE
        return x, TOP + row * ROW + 3 - self.scrolled[1] + 0 * x

    def place(self, rank, timestep):
        """Upper left corner of a token's square."""
        x, y = self.places([rank])
        return int(x[0, timestep]), int(y[0, timestep])

    def check(self, look, cell, *, signal="hidden_state", order=None):
        """Compare each token in view with what its value is drawn like."""
        values = self.dataset[signal].values.astype(float)
        shown = np.arange(24) if order is None else order
        x, y = self.places(range(24))
        drawn = values[shown, :, cell]
        largest = np.abs(values).max(axis=(0, 1))
        low, high = look.colours(drawn, largest[cell], largest.max())
        assert (y + 3 < self.size[1]).all()
        self.paints(self.canvas, x + 2, y + 3, low, high)

    def says(self, cell, example, timestep, *, signal="hidden_state"):
        value = float(self.dataset[signal].values[example, timestep, cell])
        expect(self.status).to_have_text(
            f'lstm_1 · cell {cell} · example {example} "{self.labels[example]}" · '
            f"t={timestep} '{self.tokens[example, timestep]}' · {signal} {number(value)}"
        )

    def click_token(self, rank, timestep):
        x, y = self.place(rank, timestep)
        self.click(x + 8, y + 8)


def test_tokens_are_painted_in_the_colours_of_their_values(show):
    notebook = show(EXAMPLES)
    grid = Examples(notebook, 1)
    across, _ = grid.across(grid.size[0])
    assert 2 <= across < 24
    grid.check(Look(), 4)
    grid.says(4, 2, 1)

    # Labels and tokens are there: ink on each square but an empty token's, and before them.
    image = picture(grid.canvas)
    for example in range(24):
        x, y = grid.place(example, 0)
        before = image[y : y + 20, x - grid.lead : x - 4].reshape(-1, 3)
        assert len(np.unique(before, axis=0)) > 4, example
        for timestep in range(2):
            inside = image[y + 3 : y + 17, x + 3 + timestep * SQUARE :][:, :11].reshape(-1, 3)
            assert len(np.unique(inside, axis=0)) > 2, (example, timestep)

    for cell in (9, 0):
        grid.control("cell").fill(str(cell))
        grid.becomes(cell=cell)
        grid.check(Look(), cell)
        grid.says(cell, 2, 1)
    grid.set(cell=6, palette="blue_white_red_20", scale="sigmoid")
    grid.check(Look(palette="blue_white_red_20", scale="sigmoid"), 6)
    grid.set(palette="auto", scale="layer", signal="forget_gate")
    grid.check(Look(palette="cividis", gate=True), 6, signal="forget_gate")
    grid.says(6, 2, 1, signal="forget_gate")
    grid.set(scale="cell", signal="cell_state")
    grid.check(Look(scale="cell"), 6, signal="cell_state")
    grid.set(scale="layer", signal="hidden_state", threshold=0.3, cell=4)
    near = np.abs(np.abs(grid.dataset["hidden_state"].values[..., 4]) - 0.3).min()
    assert near > 0  # exact values are in the page, so that none is on the wrong side
    grid.check(Look(threshold=0.3), 4)
    grid.set(threshold=0.0)

    notebook.theme("dark")
    expect(grid.root).to_have_attribute("data-theme", "dark")
    grid.check(Look(palette="berlin"), 4)
    assert tuple(picture(grid.canvas)[2, 2]) == grid.paper


def test_click_keys_and_hover(show):
    notebook = show(EXAMPLES)
    grid = Examples(notebook, 1)
    across, _ = grid.across(grid.size[0])
    rows = math.ceil(24 / across)

    x, y = grid.place(7, 0)
    grid.frame.hover(position={"x": x + 8, "y": y + 8})
    grid.says(4, 7, 0)
    notebook.page.mouse.move(5, 5)
    grid.says(4, 2, 1)
    grid.becomes(example=2, timestep=1)

    grid.click_token(7, 0)
    grid.becomes(cell=4, example=7, timestep=0)
    # On its label, an example is selected at the timestep of before.
    x, y = grid.place(9, 0)
    grid.click(x - 20, y + 8)
    grid.becomes(example=9, timestep=0)
    grid.click_token(9, 1)
    grid.becomes(example=9, timestep=1)
    # Between two examples is nothing to select.
    x, y = grid.place(8, 1)
    grid.click(x + SQUARE + 6, y + 8)
    notebook.page.mouse.move(5, 5)

    before = notebook.count()
    last = 9 % across + (rows - 1) * across
    if last > 23:
        last -= across
    for key, example, timestep in (
        ("ArrowLeft", 9, 0),
        ("ArrowLeft", 8, 1),
        ("ArrowRight", 9, 0),
        ("ArrowRight", 9, 1),
        ("ArrowRight", 10, 0),
        ("ArrowUp", 10 - across, 0),
        ("ArrowDown", 10, 0),
        ("Home", 0, 0),
        ("ArrowLeft", 0, 0),
        ("ArrowUp", 0, 0),
        ("PageUp", 0, 0),
        ("ArrowRight", 0, 1),
        ("End", 23, 1),
        ("ArrowRight", 23, 1),
        ("ArrowDown", 23, 1),
        ("PageDown", 23, 1),
        ("b", 23, 1),
        ("a", 23, 1),
        ("d", 23, 1),
        ("d", 23, 1),
    ):
        grid.frame.press(key)
        grid.says(4, example, timestep)
        grid.becomes(example=example, timestep=timestep)
    assert notebook.count() == before

    grid.control("example number").fill("3")
    grid.becomes(example=3)
    grid.says(4, 3, 1)
    grid.set(example=11, timestep=0)
    grid.says(4, 11, 0)
    expect(grid.control("timestep")).to_have_attribute(
        "aria-valuetext", f"timestep 0, token '{grid.tokens[11, 0]}'"
    )


def test_sorted_by_value(show):
    notebook = show(EXAMPLES)
    grid = Examples(notebook, 1)
    values = grid.dataset["hidden_state"].values

    def order(cell, timestep):
        return np.argsort(-values[:, timestep, cell], kind="stable")

    grid.control("sort by").select_option("value")
    grid.becomes(sort="value")
    grid.check(Look(), 4, order=order(4, 1))
    grid.click_token(0, 1)
    grid.becomes(example=order(4, 1)[0], timestep=1)
    grid.frame.press("ArrowRight")
    # Another timestep is another order; the selected example moves with it.
    grid.becomes(example=order(4, 1)[1], timestep=0)
    notebook.page.mouse.move(5, 5)
    grid.check(Look(), 4, order=order(4, 0))
    grid.set(cell=7)
    grid.check(Look(), 7, order=order(7, 0))
    grid.set(sort="index")
    expect(grid.control("sort by")).to_have_value("index")
    grid.check(Look(), 7)


def test_hostile_text_stays_text(show):
    notebook = show("grid = lw.ExampleGrid(hostile(), cell=1, example=1, timestep=1)\ngrid")
    grid = Examples(notebook, 1)
    for name in recordings.HOSTILE:
        grid.set(layer=name)
        expect(grid.status).to_have_text(re.compile(re.escape(f"{name} · cell 1 · example 1 ")))
        expect(grid.status).to_have_text(re.compile(re.escape(f"'{recordings.HOSTILE[1]}'")))
    frames(grid.frame)
    assert grid.root.evaluate("root => root.querySelectorAll('img, script, b').length") == 0
    assert notebook.page.evaluate("window.hacked") is None


def test_odd_values_many_examples_and_widths(show):
    notebook = show(
        "grid = lw.ExampleGrid(odd(), cell=1, timestep=1)\ngrid",
        "grid = lw.ExampleGrid(of_shape(300, 1, 1), example=299)\ngrid",
    )
    odd = Examples(notebook, 1)
    expect(odd.status).to_have_text("odd · cell 1 · t=1 · hidden_state NaN")
    odd.frame.press("ArrowRight")
    expect(odd.status).to_have_text(re.compile(r"^odd · cell 1 · t=2 · hidden_state −?0\.\d{4}$"))

    many = Examples(notebook, 2)
    expect(many.status).to_have_text(
        re.compile(r"^lstm · cell 0 · example 299 \"number 299\" · t=0")
    )
    # The selected example is in view.
    eventually(lambda: many.scrolled[1] > 100, True)
    many.frame.press("Home")
    many.becomes(example=0)
    eventually(lambda: many.scrolled[1] < 30, True)
    inside = """root => {
      const box = root.getBoundingClientRect();
      return [root.scrollWidth <= root.clientWidth,
        [...root.querySelectorAll("select, input, .lw-status, .lw-legend, canvas")]
          .map((e) => [e, e.getBoundingClientRect()])
          .filter(([, b]) => b.width > 0 && (b.left < box.left - 0.5 || b.right > box.right + 0.5))
          .map(([e]) => e.dataset.control ?? e.className)];
    }"""
    for width in (800, 1800):
        resized(many.root, width)
        eventually(lambda: many.root.evaluate(inside), [True, []])
        eventually(lambda: picture(many.canvas).shape[1::-1] == many.size, True)


def test_a_large_recording_is_painted_and_then_rests(show):
    notebook = show(
        "recording = many_examples()\n"
        "grid = lw.ExampleGrid(recording, cell=3)\n"
        "asked = []\n"
        "grid.on_msg(lambda _widget, content, _buffers: asked.append(content))\n"
        "grid"
    )
    grid = Examples(notebook, 1)
    expect(grid.status).to_contain_text("cell 3")

    def rests():
        before = notebook.kernel.value("len(asked)")
        notebook.page.wait_for_timeout(800)
        return notebook.kernel.value("len(asked)") == before > 0

    eventually(rests, True, timeout=20)
    grid.frame.press("End")
    grid.becomes(example=2499)
    eventually(rests, True, timeout=20)
    value = recordings.many_examples()["lstm"]["hidden_state"].values[2499, 0, 3]
    expect(grid.status).to_contain_text(f"hidden_state {number(value)}")


class Wide(Widget):
    """Examples of ``wide()``: one a row, wider than the page."""

    scrolling = ".lw-examples"

    def __init__(self, notebook, index):
        super().__init__(notebook, index)
        self.dataset = recordings.wide()["lstm"]
        # The longest label has room for so many characters and no more.
        room = min(28 * CHARACTER, self.size[0] / 3)
        self.first = EDGE + math.ceil(room) + AFTER

    def places(self, example, timestep):
        """Upper left corners of squares."""
        x, y = self.scrolled
        left = self.first + np.asarray(timestep) * SQUARE - x
        return left, TOP + np.asarray(example) * ROW + 3 - y

    def place(self, example, timestep):
        """Upper left corner of a square."""
        x, y = self.places(example, timestep)
        return float(x), float(y)

    def seen(self):
        """The timesteps of which all is right of the labels and left of the edge."""
        left, _ = self.places(0, np.arange(180))
        return np.flatnonzero((self.first <= left) & (left + SQUARE <= self.size[0])).tolist()

    def shown(self, timestep):
        """Whether all of a timestep can be seen."""
        return timestep in self.seen()

    def check(self):
        """Compare the squares in view with what their values are drawn like."""
        values = self.dataset["hidden_state"].values.astype(float)
        seen = self.seen()
        x, y = np.broadcast_arrays(*self.places(np.arange(3)[:, None], np.array(seen)))
        largest = np.abs(values).max(axis=(0, 1))
        low, high = Look().colours(values[:, seen, 1], largest[1], largest.max())
        assert len(seen) > 20
        self.paints(self.canvas, x + 2, y + 3, low, high)
        return seen

    def ink(self, example, timestep):
        """How many pixels of a square are written on."""
        x, y = (round(at) for at in self.place(example, timestep))
        inside = picture(self.canvas)[y + 1 : y + 18, x + 2 : x + 15].reshape(-1, 3)
        colours, counts = np.unique(inside, axis=0, return_counts=True)
        return len(inside) - counts.max() if len(colours) > 1 else 0


def test_examples_wider_than_the_page_scroll_sideways(show):
    notebook = show("grid = lw.ExampleGrid(wide(), cell=1, example=1, timestep=170)\ngrid")
    grid = Wide(notebook, 1)
    # The selected timestep is in view, the page itself does not scroll, and no row hides below.
    eventually(lambda: grid.shown(170), True)
    assert 170 in grid.check()
    assert grid.root.evaluate("root => root.scrollWidth <= root.clientWidth")
    assert grid.frame.evaluate("e => e.scrollHeight <= e.clientHeight")
    assert grid.first <= grid.size[0] * 0.4

    # The pointer finds what is drawn, where it is drawn.
    x, y = grid.place(2, 165)
    grid.frame.hover(position={"x": x + 8, "y": y + 8})
    expect(grid.status).to_contain_text("example 2")
    expect(grid.status).to_contain_text("t=165 'f'")
    grid.click(x + 8, y + 8)
    grid.becomes(example=2, timestep=165)
    # Labels stay where they are: on one, the example at the timestep of before.
    image = picture(grid.canvas)
    for example in range(3):
        label = image[TOP + example * ROW : TOP + (example + 1) * ROW - 2, EDGE : grid.first - 6]
        assert len(np.unique(label.reshape(-1, 3), axis=0)) > 4, example
    grid.click(grid.first - 20, y + 8 - ROW)
    grid.becomes(example=1, timestep=165)

    grid.frame.press("ArrowRight")
    grid.becomes(timestep=166)
    grid.control("timestep").fill("0")
    eventually(lambda: grid.scrolled[0], 0)
    assert grid.check()[0] == 0
    # From the start of one example to the end of the one before, and back.
    for key, example, timestep in (("ArrowLeft", 0, 179), ("ArrowRight", 1, 0)):
        grid.frame.press(key)
        grid.becomes(example=example, timestep=timestep)
        eventually(lambda timestep=timestep: grid.shown(timestep), True)
    grid.set(timestep=100)
    eventually(lambda: grid.shown(100), True)
    grid.check()
    # Scrolled by hand it stays there.
    grid.scroll(left=50)
    assert grid.scrolled[0] == 50
    grid.check()


def test_the_last_token_is_unknown_and_an_accent_is_seen(show):
    notebook = show(
        "grid = lw.ExampleGrid(wide(), cell=1, timestep=179, align='predict')\ngrid",
        "few = lw.ExampleGrid(of_shape(3, 4, 2))\nfew",
    )
    grid = Wide(notebook, 1)
    eventually(lambda: grid.shown(179), True)
    # What follows at t=178 is an accent alone, which is seen with what carries it.
    expect(grid.status).to_have_text(re.compile(r"· t=179 · hidden_state"))
    unknown = grid.ink(0, 179)
    assert unknown > 0
    grid.set(timestep=178)
    expect(grid.status).to_contain_text("→ '◌\u0301'")
    assert grid.ink(0, 178) > 0
    # Where all is in view, nothing scrolls.
    few = notebook.output(2).locator(".lw-examples")
    assert few.evaluate("e => { e.scrollLeft = 100; return e.scrollLeft; }") == 0
