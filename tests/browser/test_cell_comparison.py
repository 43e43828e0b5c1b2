"""Two grids beside each other: rows in the order of partners, and what is done in one is done in both."""

from __future__ import annotations

import numpy as np
import pytest
from expected import frames, resized
from lab import eventually, settled
from playwright.sync_api import expect
from test_cell_grid import Grid

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

CELLS = """
import numpy as np
import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording

def recording_of(values):
    tokens = np.array([[f"{k}.{t}" for t in range(30)] for k in range(2)], object)
    layer = RecordedLayer("lstm", "LSTM", {"hidden_state": values.astype("f4")}, None, tokens)
    return Recording.from_layers([layer])

rng = np.random.default_rng(0)
values = rng.normal(size=(2, 30, 6))
copy = -values[..., ::-1] + 0.2 * rng.normal(size=values.shape) * np.arange(6)[::-1]
a, b = recording_of(values), recording_of(copy)
shown = lw.CellComparison(lw.compare_cells(a, b, shifts=20), a, b, threshold=0.25)
"""


class Side(Grid):
    """One of the grids."""

    def __init__(self, notebook, index, which):
        super().__init__(notebook, index, name=f"shown.{'ab'[which]}", nth=1 + which)


def both(notebook, index=1):
    root = notebook.output(index).locator(".lw-cell-comparison")
    expect(root.locator(".lw-side")).to_have_count(2)
    return root, *(Side(notebook, index, which) for which in range(2))


def told(root):
    return root.locator("> .lw-foot .lw-status")


def test_rows_of_partners_stand_side_by_side_and_are_selected_together(open_notebook):
    notebook = open_notebook([CELLS, "shown"])
    notebook.run_all()
    root, one, other = both(notebook)
    boxes = [grid.frame.bounding_box() for grid in (one, other)]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 2
    assert abs(boxes[0]["width"] - boxes[1]["width"]) < 2
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    order = one.get("order")
    assert other.get("order") == [5 - cell for cell in order]
    one.frame.press("Control+Home")
    one.becomes(cell=order[0], example=0, timestep=0)
    # Down the rows of one grid, and the other follows.
    one.frame.press("ArrowDown")
    one.becomes(cell=order[1])
    other.becomes(cell=5 - order[1])
    expect(other.status).to_contain_text(f"cell {5 - order[1]}")
    expect(told(root)).to_contain_text(f"cell {order[1]} and cell {5 - order[1]} (−)")
    other.frame.press("ArrowDown")
    one.becomes(cell=order[2])
    # What both have in common stands once, above them.
    for name in ("example", "timestep", "threshold", "palette", "scale", "token"):
        expect(root.locator(f"[data-control='{name}']")).to_have_count(1)
    other.frame.press("ArrowRight")
    one.becomes(timestep=1)
    root.locator("[data-control=timestep]").press("End")
    other.becomes(timestep=29)
    # From Python, too, and to it.
    notebook.kernel.run(f"shown.cell = {order[3]}; shown.threshold = 0.5")
    expect(other.status).to_contain_text(f"cell {5 - order[3]}")
    expect(told(root)).to_contain_text(f"cell {order[3]} and")
    expect(root.locator("[data-control='threshold number']")).to_have_value("0.5")
    assert notebook.outside == []


@pytest.fixture
def saved(open_page):
    """Open a page of two networks of many cells, one of which is larger."""

    def open_comparison(cells=(40, 25), scheme="light", **options):
        rng = np.random.default_rng(3)
        values = rng.normal(size=(3, 90, max(cells))).astype("f4")
        digits = rng.integers(0, 10, (3, 90))

        def recording_of(chosen):
            tokens = digits.astype(str).astype(object)
            layer = RecordedLayer("lstm", "LSTM", {"hidden_state": chosen}, None, tokens)
            return Recording.from_layers([layer], labels=["x", "y", "z"])

        networks = [
            recording_of(values[..., ::step][..., :n])
            for n, step in zip(cells, (1, -1), strict=True)
        ]
        compared = lw.compare_cells(*networks, shifts=0)
        widget = lw.CellComparison(compared, *networks, **options)
        page = open_page(widget, scheme=scheme, exact=True)
        return widget, page, *both(page, 0)

    return open_comparison


def places(*grids):
    return [grid.scrolled for grid in grids]


def test_a_saved_page_selects_partners_without_a_kernel(saved):
    widget, page, root, one, other = saved()
    partners = {cell: widget._partner.get(cell) for cell in widget.a.order}
    one.frame.press("Control+Home")
    for cell in widget.a.order[:3]:
        expect(one.status).to_contain_text(f"cell {cell} ")
        expect(other.status).to_contain_text(f"cell {partners[cell]} ")
        expect(told(root)).to_contain_text(f"cell {cell} and cell {partners[cell]} (+)")
        one.frame.press("ArrowDown")
    one.frame.press("Control+End")
    lonely = widget.a.order[-1]
    assert partners[lonely] is None
    expect(told(root)).to_have_text(f"cell {lonely} has no pair: no partner left")
    expect(root.locator("[data-control=timestep]")).to_have_value("89")
    expect(page.page.locator(".lw-notice:not(:empty)")).to_have_count(0)


def test_grids_are_scrolled_and_zoomed_together(saved):
    _, page, _, one, other = saved()
    for here, there in ((one, other), (other, one)):
        here.scroll(700, 120)
        eventually(lambda here=here, there=there: there.scrolled == here.scrolled, True)
        assert here.scrolled == (700, 120)
    # As a wheel turns it, again and again: none holds the other back.
    box = one.frame.bounding_box()
    page.page.mouse.move(box["x"] + 200, box["y"] + 150)
    before = one.scrolled[1]
    for _ in range(6):
        page.page.mouse.wheel(0, 20)
    eventually(lambda: places(one, other), [(700, before + 120)] * 2)
    # All rows are seen, of both as high, though one has fewer.
    one.frame.press("0")
    frames(one.frame)
    eventually(
        lambda: len({grid.frame.evaluate("e => e.scrollHeight") for grid in (one, other)}), 1
    )
    other.frame.press("+")
    other.frame.press("+")
    eventually(lambda: len({grid.frame.evaluate("e => e.scrollWidth") for grid in (one, other)}), 1)


def test_the_square_beside_what_is_pointed_at_is_told(saved):
    widget, page, _, one, other = saved()
    row, column = 2, 4
    cell = widget.a.order[row]
    partner = widget._partner[cell]
    one.frame.press("Control+Home")
    one.frame.hover(position={"x": 84 + 15 * column + 7, "y": 38 + 15 * row + 7})
    for grid, name, recording in (
        (one, cell, widget.a.recording),
        (other, partner, widget.b.recording),
    ):
        value = recording["lstm"].hidden_state.values[0, column, name]
        expect(grid.status).to_contain_text(f"cell {name} ")
        expect(grid.status).to_contain_text(f"{value:.4f}".replace("-", "−"))
        expect(grid.status).to_have_class("lw-status lw-hovered")
    page.page.mouse.move(2, 2)
    for grid in (one, other):
        expect(grid.status).to_have_class("lw-status")


def test_a_span_and_a_search_are_in_both(saved):
    _, page, root, one, other = saved()
    one.frame.press("Control+Home")
    tall = other.frame.evaluate("e => e.scrollHeight")
    one.frame.press("Control+f")
    root.locator("[data-control='find tokens']:visible").fill("7")
    # A band below the tokens tells where it stands, in both: rows stay beside each other.
    for grid in (one, other):
        eventually(lambda grid=grid: grid.frame.evaluate("e => e.scrollHeight"), tall + 10)
    frames(one.frame)
    boxes = [grid.frame.bounding_box() for grid in (one, other)]
    assert boxes[0]["y"] == boxes[1]["y"]
    expect(page.page.locator(".lw-notice:not(:empty)")).to_have_count(0)


@pytest.mark.parametrize("width", [700, 1280])
def test_full_screen_has_both_grids(saved, width):
    _, _, root, one, other = saved()
    resized(root, width, 800)
    root.locator("> .lw-bar button[title='full screen']").click()
    expect(root).to_have_class("lw lw-cell-comparison lw-full lw-filling")
    settled(root)
    for grid in (one, other):
        box = grid.frame.bounding_box()
        assert box["height"] > 300
        assert box["y"] + box["height"] < 800
    expect(told(root)).to_be_in_viewport()


def test_a_dark_page_is_dark_within(saved):
    """Grids are drawn before the widget that they stand in knows what page it is on."""
    _, page, root, one, other = saved(scheme="dark")
    for part in (root, one.root, other.root):
        expect(part).to_have_attribute("data-theme", "dark")
    page.page.emulate_media(color_scheme="light")
    for part in (root, one.root, other.root):
        expect(part).to_have_attribute("data-theme", "light")


@pytest.mark.parametrize("width", [760, 1280])
def test_nothing_that_is_told_is_cut_off(saved, width):
    _, _, root, one, other = saved(threshold=0.25)
    resized(root, width, 800)
    for status in (told(root), one.status, other.status):
        expect(status).not_to_be_empty()
        assert status.evaluate("e => e.scrollHeight <= e.clientHeight")
    boxes = [grid.frame.bounding_box() for grid in (one, other)]
    assert boxes[0]["height"] == boxes[1]["height"]
