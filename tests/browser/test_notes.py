"""Cells that a person has named: from Python and in the page, in every view, kept with the recording."""

from __future__ import annotations

import pytest
import recordings
from lab import eventually
from playwright.sync_api import expect

import lstm_widgets as lw


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_a_name_is_shown_everywhere_and_written_from_the_keyboard(show, app):
    notebook = show(
        "recording = planted()\nrecording.notes['upper', 4] = 'quotes\\nfalls in them'\n"
        "grid = lw.CellGrid(recording, cell=4)\ngrid",
        "explorer = lw.Explorer(recording, cell=2)\nexplorer",
        app=app,
    )
    kernel = notebook.kernel
    grid, explorer = (notebook.output(k).locator(".lw") for k in (1, 2))
    expect(grid.locator(".lw-status")).to_contain_text("upper · cell 4 “quotes” · ")
    # What is written in one widget is in the recording, and in the other.
    explorer.locator(".lw-text").press("n")
    note = explorer.locator("[data-control='note']")
    expect(note).to_be_focused()
    expect(note).to_have_value("")
    notebook.page.keyboard.type("line <b>length</b>\nsince epoch 3")
    eventually(
        lambda: kernel.value("recording.notes.plain"),
        {"upper": {"2": "line <b>length</b>\nsince epoch 3", "4": "quotes\nfalls in them"}},
    )
    expect(explorer.locator(".lw-status")).to_contain_text("cell 2 “line <b>length</b>” · ")
    expect(explorer).to_contain_text("cell 2 “line <b>length</b>” over the text")
    notebook.page.keyboard.press("Escape")
    expect(explorer.locator(".lw-text")).to_be_focused()
    grid.locator("[data-control='cell number']").fill("2")
    expect(grid.locator(".lw-status")).to_contain_text("cell 2 “line <b>length</b>” · ")
    kernel.run("recording.notes['upper', 2] = ''")
    expect(grid.locator(".lw-status")).to_contain_text("cell 2 · ")
    expect(explorer.locator(".lw-status")).to_contain_text("cell 2 · ")


def test_the_evidence_of_a_ranking_has_the_name(open_page):
    recording = recordings.planted()
    said = [lw.concepts.inside_double_quotes]
    recording.notes["upper", 4] = "quotes"
    finder = lw.CellFinder(recording, said, ranking=lw.rank_cells(recording, said, shifts=20))
    root = open_page(finder).output(0).locator(".lw")
    expect(root.locator(".lw-card-head")).to_contain_text("cell 4 “quotes” of upper")


def test_a_saved_page_has_the_names(open_page):
    recording = recordings.planted()
    recording.notes["upper", 4] = "quotes"
    root = open_page(lw.TextHeatmap(recording, cell=4)).output(0).locator(".lw")
    expect(root.locator(".lw-status")).to_contain_text("cell 4 “quotes”")
    expect(root).to_contain_text("cell 4 “quotes” over the text")
