"""Keys that a notebook would take: with a widget focused, they leave the notebook as it was."""

from __future__ import annotations

import re
from pathlib import Path

import dependencies
import pytest
import relevances
from lab import eventually
from playwright.sync_api import expect

MODULES = "\n".join(Path(module.__file__).read_text() for module in (relevances, dependencies))
#: All widgets; those over a model are made like a `TextHeatmap`.
WIDGETS = {
    "CellGrid": "recording = planted()\nlw.CellGrid(recording, span=(2, 6))",
    "TextHeatmap": "lw.TextHeatmap(recording, span=(2, 6))",
    "ExampleGrid": "lw.ExampleGrid(sums())",
    "GateInspector": "lw.GateInspector(gates('LSTM'))",
    "SeriesPlot": "lw.SeriesPlot(rivers())",
    "StateSpace": "lw.StateSpace(recording)",
    "CellComparison": "one = prose(1)\n"
    "lw.CellComparison(lw.compare_cells(one, one, shifts=0), one, one)",
    "Explorer": "lw.Explorer(recording)",
    "CellFinder": "said = [lw.concepts.vowel]\n"
    "lw.CellFinder(recording, said, ranking=lw.rank_cells(recording, said, shifts=20))",
    "RelevanceHeatmap": "lw.RelevanceHeatmap(sentences())",
    "DependencyHeatmap": "lw.DependencyHeatmap(two())",
    "WhatIf": """import keras
model = keras.Sequential([keras.Input((None,), dtype="int32"), keras.layers.Embedding(5, 3),
    keras.layers.LSTM(4, return_sequences=True), keras.layers.Dense(5)])
lw.WhatIf(model, "abba cab", vocabulary="abc <")""",
}
#: Of the notebook: insert and delete cells, edit, run, select, change the kind of a cell, scroll.
PRESSED = [*"baxddm00y", "Enter", "Shift+Enter", "Alt+Enter", "ArrowDown", "ArrowUp", "Space"]
#: Those that can have the focus, and don't keep the host from their keys.
UNMARKED = """root => [...root.querySelectorAll("*")]
  .filter((e) => e.tabIndex >= 0 && !e.hasAttribute("data-lm-suppress-shortcuts"))
  .map((e) => e.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_keys_leave_the_notebook_as_it_was(show, app):
    notebook = show(MODULES, *WIDGETS.values(), app=app)
    keyboard = notebook.page.keyboard
    for index, name in enumerate(WIDGETS, 2):
        root = notebook.output(index).locator(".lw").first
        expect(root).to_have_attribute("data-paints", re.compile(r"\d"))
        assert root.evaluate(UNMARKED) == [], name
        panes = root.locator("[tabindex='0']:visible").all()
        assert panes, name
        for pane in panes:
            pane.evaluate("e => e.focus()")
            before = notebook.state()
            for key in PRESSED:
                keyboard.press(key)
            assert notebook.state() == before, (name, pane.get_attribute("class"))
    # A click makes the cell the selected one; then, as well, keys are the widget's.
    grid = notebook.output(2).locator(".lw-grid")
    grid.click(position={"x": 90, "y": 60})
    before = notebook.state()
    for key in PRESSED:
        keyboard.press(key)
    assert notebook.state() == before


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_keys_with_control_are_the_notebooks(show, app):
    notebook = show(WIDGETS["CellGrid"], app=app)
    root = notebook.output(1).locator(".lw").first
    keyboard = notebook.page.keyboard
    notebook.add("")
    eventually(lambda: notebook.state()["dirty"], True)
    for place in (".lw-grid", "[data-control='cell number']"):
        notebook.add("")
        eventually(lambda: notebook.state()["dirty"], True)
        root.locator(place).focus()
        keyboard.press("Control+s")
        eventually(lambda: notebook.state()["dirty"], False)
        # and it remains ours afterwards
        before = notebook.state()
        for key in ("b", "x", "Control", "d", "d", "Control+Home", "Control+End"):
            keyboard.press(key)
        assert notebook.state() == before
