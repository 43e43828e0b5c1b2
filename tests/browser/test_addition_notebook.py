"""The first notebook as a reader runs it: in JupyterLab, from top to bottom, then with the mouse."""

from __future__ import annotations

import re
from pathlib import Path

from lab import eventually
from playwright.sync_api import expect

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_addition.ipynb"


def test_the_notebook_runs_and_its_grids_show_what_was_recorded(open_notebook):
    notebook = open_notebook(NOTEBOOK)
    notebook.run_all(timeout=300)
    kernel = notebook.kernel
    assert kernel.value("float(exact)") >= 0.99
    widgets = [
        index
        for index in range(notebook.count())
        if any(
            "application/vnd.jupyter.widget-view+json" in output.get("data", {})
            for output in notebook.outputs(index)
        )
    ]
    # The grid of the encoder, of the decoder, one cell over all sums, and two that are linked.
    assert len(widgets) == 4

    encoder = notebook.output(widgets[0]).locator(".lw")
    expect(encoder).to_have_attribute("data-paints", re.compile(r"\d"))
    value = kernel.value('float(recording["encoder"].hidden_state[example, 4, encoder_cell])')
    expect(encoder.locator(".lw-status")).to_have_text(
        f"encoder · cell {kernel.value('encoder_cell')} · example 75 \"8+6=14\" · t=4 ' ' · "
        f"hidden_state {value:.4f}".replace("-", "−")
    )
    expect(encoder.locator(".lw-about")).to_contain_text("✓ equals the layer to")

    examples = notebook.output(widgets[2]).locator(".lw")
    expect(examples.locator("[data-control='threshold number']")).to_have_value(
        str(kernel.value("round(threshold, 2)"))
    )

    linked = notebook.output(widgets[3]).locator(".lw")
    expect(linked).to_have_count(2)
    first, second = linked.nth(0), linked.nth(1)
    first.locator("[data-control='cell']").fill("7")
    expect(second.locator("[data-control='cell number']")).to_have_value("7")
    eventually(lambda: kernel.value("[by_sigmoid.cell, by_layer.cell]"), [7, 7])
    assert notebook.errors == []
    assert notebook.outside == []
