"""The CellFinder that an Explorer opens."""

from __future__ import annotations

import re

from lab import eventually
from playwright.sync_api import expect


def test_an_explorer_finds_cells(show):
    notebook = show(
        "lw.concepts.TEXT = (lw.concepts.inside_double_quotes, lw.concepts.vowel)\n"
        "explorer = lw.Explorer(planted())\nexplorer",
        "lw.Explorer(gates('LSTM'))",
    )
    output = notebook.output(1)
    root = output.locator(".lw-explorer").first
    expect(root).to_have_attribute("data-paints", re.compile(r"\d"))
    button = root.locator("[data-control='find cells']")
    button.check()
    finder = output.locator(".lw-inner .lw-cell-finder")
    expect(finder).to_have_attribute("data-paints", re.compile(r"\d"), timeout=30_000)
    expect(finder.locator("[role=row][data-row='0']")).to_contain_text("inside_double_quotes")
    # Choosing a row moves the Explorer.
    finder.locator(".lw-table").press("ArrowDown")
    finder.locator(".lw-table").press("Enter")
    eventually(lambda: notebook.kernel.value("explorer.finder.row"), 1)
    cell = notebook.kernel.value("int(explorer.finder.ranking.cell[1])")
    eventually(lambda: notebook.kernel.value("explorer.cell"), cell)
    expect(root.locator(".lw-status").first).to_contain_text(f"cell {cell} ")
    button.uncheck()
    expect(finder).to_be_hidden()
