"""Spans chosen by mouse and keys in a real JupyterLab: the cells that mark them, and their matches."""

from __future__ import annotations

import re

import numpy as np
import pytest
import recordings
from expected import frames, picture
from lab import eventually
from playwright.sync_api import expect
from test_cell_grid import GUTTER, LABELS, SQUARE, TOKENS
from test_text_heatmap import CHARACTER, EDGE, ROW, TOP, Text

import lstm_widgets as lw

#: In a text of two examples, where two cells are on together, and at which threshold.
PLANTED = """
import numpy as np
def planted():
    text = "the cat sat on the mat and the dog ran off to the sea. " * 4
    rng = np.random.default_rng(4)
    values = rng.uniform(-0.2, 0.2, (2, len(text), 6))
    for example, start, stop in ((0, 8, 11), (0, 100, 103), (1, 31, 34), (1, 150, 152)):
        values[example, start:stop, 2] = 0.8
        values[example, start:stop, 4] = -0.7
    values[1, 31:34, 5] = 0.9
    return Recording.from_layers(
        [layer("lstm", {"hidden_state": values}, tokens=[text, text[::-1]])], labels=["on", "back"]
    )
"""
SHOWN = """
vowels = {"vowels": "[aeiou]"}
recording = planted()
grid = lw.Explorer(recording, cell=1, timestep=3, tracks=vowels)
grid"""


def planted():
    """Make the recording that the notebook has."""
    names = {**vars(recordings)}
    exec(PLANTED, names)
    return names["planted"]()


class Matching(Text):
    """An Explorer with its panel of matches."""

    def __init__(self, notebook, index, dataset, **more):
        super().__init__(notebook, index, dataset, **more)
        self.grid = self.root.locator(".lw-grid")
        self.panel = self.root.locator(".lw-matches")
        self.list = self.panel.locator("[role=listbox]")
        self.options = self.panel.locator("[role=option]")

    def drag_text(self, start, stop):
        """From one token of the first line to another."""
        y = TOP + ROW / 2
        box = self.frame.bounding_box()
        mouse = self.notebook.page.mouse
        mouse.move(box["x"] + EDGE + start * CHARACTER + 4, box["y"] + y)
        mouse.down()
        mouse.move(box["x"] + EDGE + stop * CHARACTER + 4, box["y"] + y, steps=4)
        mouse.up()

    def drag_head(self, start, stop):
        """The same in the tokens above the grid, as far as it is scrolled."""
        box = self.grid.bounding_box()
        left = self.grid.evaluate("e => e.scrollLeft")
        mouse = self.notebook.page.mouse
        y = box["y"] + LABELS + TOKENS / 2
        mouse.move(box["x"] + GUTTER + start * SQUARE - left + 7, y)
        mouse.down()
        mouse.move(box["x"] + GUTTER + stop * SQUARE - left + 7, y, steps=4)
        mouse.up()


@pytest.fixture
def matching(show):
    notebook = show(PLANTED + "None", SHOWN)
    notebook.page.set_viewport_size({"width": 1280, "height": 1500})
    return Matching(notebook, 2, planted()["lstm"])


def expected(recording, span, threshold=0.3, example=0):
    return lw.match(recording, span, signal="hidden_state", example=example, threshold=threshold)


def test_a_span_is_dragged_and_its_matches_are_gone_to(matching):
    recording = planted()
    text, page = matching, matching.notebook.page
    expect(text.panel).to_be_hidden()
    text.drag_text(8, 10)
    text.becomes(span=[8, 11], example=0, timestep=10)
    table = expected(recording, (8, 11))
    assert table.attrs["cells"] == [2, 4]
    expect(text.panel.locator(".lw-matches-cells button")).to_have_text(["+ 2", "− 4"])
    expect(text.options).to_have_count(len(table))
    for option, row in zip(text.options.all(), table.itertuples(), strict=True):
        expect(option).to_contain_text(f"overlap {row.overlap:.2f}")
        expect(option).to_contain_text(f"{row.shared} of 2 cells")
        expect(option).to_contain_text(f"example {row.example} {row.label}, t={row.start} to")
        inside = option.locator(".lw-in")
        tokens = recording["lstm"]["token"].values[row.example, row.start : row.stop]
        expect(inside).to_have_text([token.replace(" ", "·") for token in tokens])
        # The band of a vowel is in the colour of "yes".
        for place, token in zip(inside.all(), tokens, strict=True):
            style = place.evaluate("e => e.style.background")
            assert ("rgb(0, 143, 112)" in style) == (token in "aeiou")

    # What is chosen is marked where it stands, in both pictures.
    accent = tuple(int(v) for v in (11, 98, 214))
    page.mouse.move(5, 5)

    def marked():
        frames(text.frame)
        line, head = picture(text.canvas), picture(text.grid.locator("canvas"))
        text_row = [tuple(map(int, line[TOP - 2, EDGE + t * CHARACTER + 4])) for t in (7, 8, 9, 11)]
        head_row = [
            tuple(map(int, head[LABELS + TOKENS - 1, GUTTER + t * SQUARE + 7]))
            for t in (7, 8, 9, 11)
        ]
        return [[colour == accent for colour in row] for row in (text_row, head_row)]

    eventually(marked, [[False, True, True, False]] * 2)

    # A click on a cell chooses it; on a match goes there, and the list stays.
    text.panel.get_by_role("button", name="cell 4").click()
    text.becomes(cell=4)
    last = table.iloc[-1]
    text.options.last.click()
    text.becomes(example=int(last.example), timestep=int(last.start), span=[8, 11])
    expect(text.options).to_have_count(len(table))
    # By keys, too; the screen reader is told which one it is.
    text.list.focus()
    text.list.press("Home")
    first = text.options.first
    expect(first).to_have_attribute("aria-selected", "true")
    assert text.list.get_attribute("aria-activedescendant") == first.get_attribute("id")
    text.list.press("Enter")
    best = table.iloc[0]
    text.becomes(example=int(best.example), timestep=int(best.start))
    text.list.press("ArrowDown")
    text.list.press("Enter")
    second = table.iloc[1]
    text.becomes(example=int(second.example), timestep=int(second.start))

    # The threshold takes part, and what it leaves nothing of says so.
    text.set(threshold=0.75)
    table = expected(recording, (8, 11), 0.75)
    assert table.attrs["cells"] == [2]
    expect(text.panel.locator(".lw-matches-cells button")).to_have_text(["+ 2"])
    expect(text.options).to_have_count(len(table))
    text.set(threshold=0.95)
    expect(text.panel).to_contain_text("There is no cell with |value| ≥ 0.95")
    expect(text.options).to_have_count(0)
    text.panel.get_by_role("button", name="clear the span").click()
    text.becomes(span=None)
    expect(text.panel).to_be_hidden()


def test_a_span_is_dragged_over_the_head_of_the_grid_and_moved_by_keys(matching):
    text = matching
    text.drag_head(33, 31)
    text.becomes(span=[31, 34], timestep=31)
    # A click selects, and leaves the span alone.
    text.drag_head(12, 12)
    text.becomes(span=[31, 34], timestep=12, cell=1)
    text.grid.focus()
    text.grid.press("Shift+ArrowRight")
    text.becomes(span=[12, 14], timestep=13)
    text.grid.press("Shift+ArrowRight")
    text.becomes(span=[12, 15], timestep=14)
    text.grid.press("Shift+ArrowLeft")
    text.frame.press("Shift+ArrowLeft")
    text.frame.press("Shift+ArrowLeft")
    text.becomes(span=[11, 13], timestep=11)
    text.frame.press("ArrowRight")
    text.becomes(span=[11, 13], timestep=12)
    # The end of an example is the end of its spans.
    text.set(example=0, timestep=219)
    expect(text.status).to_contain_text("t=219 ")
    text.grid.press("Shift+ArrowRight")
    text.becomes(span=[219, 220], timestep=219, example=0)
    # From Python; what it says no to is said below.
    text.set(span=(100, 103))
    expect(text.panel.locator(".lw-matches-cells button")).to_have_text(["+ 2", "− 4"])
    text.notebook.kernel.run(
        "import lstm_widgets.widgets.matching_widget as answers\nmatch, answers.match = answers.match, None"
    )
    text.set(span=(8, 11))
    expect(text.panel).to_contain_text("The kernel could not answer: ")
    text.notebook.kernel.run("answers.match = match")
    text.set(span=(100, 103))
    expect(text.options).to_have_count(len(expected(planted(), (100, 103))))


def test_without_a_kernel_it_says_so(open_page):
    page = open_page(lw.TextHeatmap(planted(), cell=1))
    root = page.output(0).locator(".lw")
    root.locator(".lw-text").press("Shift+ArrowRight")
    expect(root.locator(".lw-matches")).to_contain_text(re.compile("without a kernel"))
    assert np.all(root.locator("[role=option]").count() == 0)
