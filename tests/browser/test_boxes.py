"""Widgets in the boxes of ipywidgets, in a real JupyterLab: seen, and each with its share of the room."""

from __future__ import annotations

from pathlib import Path

import dependencies
import pytest
import relevances
from expected import picture
from lab import eventually, settled
from playwright.sync_api import expect

MADE = "\n".join(
    (
        *(Path(module.__file__).read_text() for module in (relevances, dependencies)),
        "few = sums()",
        """def widget(name):
    if name == "RelevanceHeatmap":
        return lw.RelevanceHeatmap(sentences())
    if name == "DependencyHeatmap":
        return lw.DependencyHeatmap(dependency())
    if name == "CellFinder":
        said = [lw.concepts.vowel]
        return lw.CellFinder(few, said, ranking=lw.rank_cells(few, said, shifts=20, seed=3))
    return getattr(lw, name)(rivers() if name == "SeriesPlot" else few)""",
    )
)
NAMES = (
    *("CellGrid", "TextHeatmap", "ExampleGrid", "GateInspector", "Explorer"),
    *("RelevanceHeatmap", "DependencyHeatmap", "CellFinder", "SeriesPlot"),
    "StateSpace",
)
#: By the name of a box: the box, and how many stand beside each other.
BOXES = {
    "HBox": ("ipywidgets.HBox([one, other])", 2),
    "VBox": ("ipywidgets.VBox([one, other])", 1),
    "GridBox": (
        "ipywidgets.GridBox([one, other], layout={'grid_template_columns': 'auto auto'})",
        2,
    ),
    "Tab": ("ipywidgets.Tab([ipywidgets.VBox([one]), other], selected_index=1)", 1),
}


def painted(canvas):
    """How many different colours there are."""
    return len({tuple(colour) for row in picture(canvas)[::3, ::3] for colour in row})


@pytest.mark.parametrize(("box", "app"), [*((box, "lab") for box in BOXES), ("HBox", "notebook")])
def test_two_in_a_box_share_its_room(show, box, app):
    source, beside = BOXES[box]
    notebook = show(
        f"one, other = lw.CellGrid(sums()), lw.CellGrid(sums(), cell=3)\n{source}",
        "ipywidgets.HBox([ipywidgets.IntSlider(), lw.CellGrid(sums())])" if beside > 1 else "",
        app=app,
    )
    output = notebook.output(1)
    room = output.bounding_box()["width"]
    grids = output.locator(".lw:visible")
    expect(grids).to_have_count(1 if box == "Tab" else 2)
    settled(output)
    widths = [grid.bounding_box()["width"] for grid in grids.all()]
    assert max(widths) - min(widths) < 2
    assert 0.85 * room < beside * widths[0] <= room
    for grid in grids.all():
        eventually(lambda grid=grid: painted(grid.locator("canvas").first) > 50, True)
    if beside > 1:
        # What is narrow by nature stays so; the rest is for the grid.
        output = notebook.output(2)
        expect(output.locator(".lw")).to_have_count(1)
        settled(output)
        slider = output.locator(".widget-slider").bounding_box()
        grid = output.locator(".lw").bounding_box()
        assert slider["x"] + slider["width"] <= grid["x"] + 1
        assert slider["width"] + grid["width"] > 0.85 * room


def test_every_widget_can_stand_beside_another(show):
    cells = [f"ipywidgets.HBox([widget({name!r}), widget({name!r})])" for name in NAMES]
    notebook = show(MADE, *cells)
    for i, name in enumerate(NAMES):
        output = notebook.output(2 + i)
        room = output.bounding_box()["width"]
        roots = output.locator(".lw")
        expect(roots).to_have_count(2)
        settled(output)
        widths = [root.bounding_box()["width"] for root in roots.all()]
        assert max(widths) - min(widths) < 2, name
        assert 0.85 * room < sum(widths) <= room, name
        canvas = roots.nth(1).locator("canvas:visible").first
        eventually(lambda canvas=canvas: painted(canvas) > 5, True)


def test_a_layout_of_ones_own_counts(show):
    notebook = show(
        "ipywidgets.HBox([lw.CellGrid(sums(), layout={'width': '30%'}), lw.CellGrid(sums())])"
    )
    output = notebook.output(1)
    expect(output.locator(".lw")).to_have_count(2)
    settled(output)
    room = output.bounding_box()["width"]
    first, second = (root.bounding_box()["width"] for root in output.locator(".lw").all())
    assert abs(first - 0.3 * room) < 0.03 * room
    assert second > 0.6 * room
