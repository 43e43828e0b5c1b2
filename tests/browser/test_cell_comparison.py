"""Two grids beside each other: rows in the order of partners, and a click that selects both."""

from __future__ import annotations

from playwright.sync_api import expect
from test_cell_grid import Grid

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


def test_rows_of_partners_stand_side_by_side_and_are_selected_together(open_notebook):
    notebook = open_notebook([CELLS, "shown"])
    notebook.run_all()
    one, other = (Grid(notebook, 1, name=f"shown.{name}", nth=k) for k, name in enumerate("ab"))
    boxes = [grid.root.bounding_box() for grid in (one, other)]
    assert abs(boxes[0]["y"] - boxes[1]["y"]) < 2
    assert abs(boxes[0]["width"] - boxes[1]["width"]) < 2
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    order = one.get("order")
    for grid, cells in ((one, order), (other, [5 - cell for cell in order])):
        expect(grid.control("sort by")).to_have_value("order")
        assert grid.get("order") == cells
    one.frame.press("Control+Home")
    one.becomes(cell=order[0], example=0, timestep=0)
    # Down the rows of one grid, and the other follows.
    one.frame.press("ArrowDown")
    one.becomes(cell=order[1])
    other.becomes(cell=5 - order[1])
    expect(other.status).to_contain_text(f"cell {5 - order[1]}")
    told = notebook.output(1).locator(".widget-html").first
    expect(told).to_contain_text(f"cell {order[1]} and cell {5 - order[1]} (−)")
    other.frame.press("ArrowDown")
    one.becomes(cell=order[2])
    # What is the same of both goes without the kernel.
    other.frame.press("ArrowRight")
    one.becomes(timestep=1)
    one.control("sort by").select_option("index")
    one.becomes(sort="index")
    assert notebook.outside == []
