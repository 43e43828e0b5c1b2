"""The notebook on dialogue as a reader runs it: the cell is found, and its views move together."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from lab import eventually
from playwright.sync_api import expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "02_language_model.ipynb"


@pytest.fixture
def models(server):
    """The shipped models, beside the copy of the notebook."""
    return shutil.copytree(NOTEBOOK.parent / "models", server.root / "models", dirs_exist_ok=True)


@pytest.mark.usefixtures("models")
def test_the_notebook_finds_its_cell_and_the_views_move_together(open_notebook):
    notebook = open_notebook(NOTEBOOK)
    notebook.run_all(timeout=300)
    kernel = notebook.kernel

    # What the notebook says of its cell: it follows quotes on a text that wasn't searched.
    assert abs(kernel.value("float(new_score)") - 0.5) > 0.4
    assert kernel.value("float(chance)") < 0.2

    widgets = [
        index
        for index in range(notebook.count())
        if any(
            {"application/vnd.jupyter.widget-view+json", "image/png"} <= set(output.get("data", {}))
            for output in notebook.outputs(index)
        )
    ]
    # One cell over the text, all cells, the cell that was found, and everything at once.
    assert len(widgets) == 4

    def said(timestep):
        token = kernel.value(f"searched_text[{timestep}]")
        value = kernel.value(f"float(recording[layer][signal][0, {timestep}, cell])")
        return re.compile(
            re.escape(f"{kernel.value('layer')} · cell {kernel.value('int(cell)')} · ")
            + f".*t={timestep} '{re.escape(token)}' · .* "
            + re.escape(f"{value:.4f}".replace("-", "−"))
        )

    found = notebook.output(widgets[2]).locator(".lw")
    expect(found).to_have_attribute("data-paints", re.compile(r"\d"))
    mark = kernel.value("first_mark")
    assert kernel.value("searched_text[first_mark]") in '"“'
    expect(found.locator(".lw-status")).to_have_text(said(mark))

    explorer = notebook.output(widgets[3]).locator(".lw")
    expect(explorer).to_have_attribute("data-paints", re.compile(r"\d"))
    expect(explorer.locator(".lw-status")).to_have_text(said(mark))
    explorer.locator("[data-control='timestep number']").fill(str(mark + 3))
    explorer.locator("[data-control='timestep number']").press("Enter")
    expect(explorer.locator(".lw-status")).to_have_text(said(mark + 3))
    eventually(lambda: kernel.value("explorer.timestep"), mark + 3)
    # The heatmap above is linked with it, in the page.
    expect(notebook.output(widgets[2]).locator(".lw-status")).to_have_text(said(mark + 3))

    assert notebook.errors == []
    assert notebook.outside == []
