"""Explorer in a real JupyterLab: three pictures of one recording that move together."""

from __future__ import annotations

import numpy as np
import recordings
from expected import Look, resized
from lab import eventually, settled
from playwright.sync_api import expect
from test_cell_grid import GUTTER, LABELS, SQUARE, TOKENS
from test_text_heatmap import Text
from widget_page import number

HEADER = TOKENS + LABELS
#: Width of a bar among the gates.
BAR = 18
EXPLORER = """recording = written_signals()
grid = lw.Explorer(recording, cell=3, timestep=20)
grid"""


def test_a_click_in_one_picture_moves_all(show):
    notebook = show(EXPLORER)
    recording = recordings.written_signals()
    dataset = recording["lstm"]
    text = Text(notebook, 1, dataset)
    grid = text.root.locator(".lw-grid")
    gates = text.root.locator(".lw-gates")
    read = text.root.locator(".lw-gates-read")

    def stands_at(cell, timestep):
        text.becomes(cell=cell, timestep=timestep)
        values = {s: float(dataset[s].values[0, timestep, cell]) for s in recording.signals("lstm")}
        expect(text.status).to_contain_text(f"cell {cell} · example 0 · t={timestep} ")
        expect(text.status).to_contain_text(f"hidden_state {number(values['hidden_state'])}")
        expect(read).to_contain_text(f"t={timestep} ")
        for value in values.values():
            expect(read).to_contain_text(number(value))
        expect(text.root.locator(".lw-caption b")).to_have_text(f"cell {cell}")

    stands_at(3, 20)
    # A square: the third row in view, five columns into it.
    left = grid.evaluate("e => e.scrollLeft")
    column = int(np.ceil(left / SQUARE)) + 5
    grid.click(position={"x": GUTTER + column * SQUARE - left + 7, "y": HEADER + 2 * SQUARE + 7})
    stands_at(2, column)
    # A token.
    text.click_token(37)
    stands_at(2, 37)
    text.check(Look(), 2)
    # A bar: the one beside the selected one.
    box = gates.bounding_box()
    edge = gates.evaluate("e => e.scrollLeft")
    gates.click(position={"x": 84 + 36.5 * BAR - edge, "y": box["height"] / 3})
    stands_at(2, 36)
    # Keys in each, and the sliders.
    grid.press("ArrowDown")
    stands_at(3, 36)
    text.frame.press("ArrowRight")
    stands_at(3, 37)
    gates.press("ArrowLeft")
    stands_at(3, 36)
    text.control("timestep").fill("300")
    stands_at(3, 300)
    text.control("cell number").fill("9")
    stands_at(9, 300)

    # What hovers in one picture is told once, and moves nothing.
    grid.hover(position={"x": GUTTER + 30, "y": HEADER + 7})
    expect(text.root.locator(".lw-status.lw-hovered")).to_have_count(1)
    notebook.page.mouse.move(5, 5)
    stands_at(9, 300)


def test_styles_of_other_widgets_change_nothing(show, root):
    """They come into the page with the widgets, in whatever order these are shown."""
    notebook = show(EXPLORER)
    explorer = notebook.output(1).locator(".lw")
    resized(explorer, 1920, 1200)

    def layout():
        return explorer.evaluate(
            """e => [...e.querySelectorAll("*")].map(part => {
              const { x, y, width, height } = part.getBoundingClientRect();
              return [x, y, width, height].map(Math.round);
            })"""
        )

    eventually(lambda: explorer.evaluate("e => e.matches('.lw-split')"), True)
    settled(explorer)
    before = layout()
    for sheet in sorted((root / "lstm_widgets" / "static").glob("*.css")):
        if sheet.stem != "explorer":
            notebook.page.add_style_tag(content=sheet.read_text("utf-8"))
            assert layout() == before, sheet.stem


def test_it_needs_no_scrolling_sideways(show):
    notebook = show(EXPLORER)
    root = notebook.output(1).locator(".lw")
    for width in (1280, 1920, 1000):
        resized(root, width, 1200)
        beyond = root.evaluate(
            """e => [e, ...e.querySelectorAll(".lw-bar, .lw-sliders, .lw-panes, .lw-pane, .lw-foot")]
              .filter(part => part.scrollWidth > part.clientWidth + 1).map(part => part.className)"""
        )
        assert beyond == [], width
        assert root.bounding_box()["width"] <= width
    # Where there is room, the gates stand beside the text, and both end together.
    resized(root, 1920, 1200)
    _, text, gates, _ = (pane.bounding_box() for pane in root.locator(".lw-pane").all())
    assert text["y"] == gates["y"]
    assert text["height"] == gates["height"]
    assert text["x"] + text["width"] <= gates["x"] + 1
