"""Finding a text among the tokens, from the keyboard: in a notebook and in a saved page."""

from __future__ import annotations

import numpy as np
import pytest
import recordings
from lab import eventually
from playwright.sync_api import expect

import lstm_widgets as lw

TEXT = "the cat sat on a mat and ate all of it, then it ran off. "


@pytest.fixture(params=["lab", "notebook", "saved"])
def root(request, show, open_page):
    """Show a grid over a long text: what is searched for comes from the kernel, or from the page."""
    if request.param == "saved":
        return open_page(lw.CellGrid(recordings.long_text(), timestep=100)).output(0).locator(".lw")
    notebook = show("grid = lw.CellGrid(long_text(), timestep=100)\ngrid", app=request.param)
    request.node.kernel = notebook.kernel
    return notebook.output(1).locator(".lw")


def test_a_text_is_found_from_the_keyboard(root, request):
    whole = (TEXT * 1000)[:40_000]
    places = [k for k in range(len(whole)) if whole.startswith("sat on", k)]
    keyboard = root.page.keyboard
    grid, box = root.locator(".lw-grid"), root.locator("[data-control='find tokens']")
    told, status = root.locator(".lw-drawer[role='search'] span"), root.locator(".lw-status")
    expect(box).to_be_hidden()
    grid.focus()
    keyboard.press("Control+f")
    expect(box).to_be_focused()
    keyboard.type("SAT on")
    # The first one from where the search began.
    first = next(i for i, place in enumerate(places) if place >= 100)
    expect(told).to_have_text(f"{first + 1} of {len(places)}")
    expect(status).to_contain_text(f"t={places[first]} 's'")
    expect(status).to_contain_text("“SAT on”: yes")
    keyboard.press("Enter")
    expect(told).to_have_text(f"{first + 2} of {len(places)}")
    expect(status).to_contain_text(f"t={places[first + 1]} 's'")
    for _ in range(first + 2):
        keyboard.press("Shift+Enter")
    expect(told).to_have_text(f"{len(places)} of {len(places)}")
    kernel = getattr(request.node, "kernel", None)
    if kernel:
        eventually(lambda: kernel.value("grid.timestep"), places[-1])
    box.fill("no such thing")
    expect(told).to_have_text("no match")
    keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(grid).to_be_focused()
    expect(status).not_to_contain_text("“")
    keyboard.press("/")
    expect(box).to_be_focused()


def test_nothing_to_find_without_tokens(open_page):
    layer = recordings.layer("lstm", {"hidden_state": np.full((1, 4, 2), 0.5)})
    root = open_page(lw.CellGrid(lw.Recording.from_layers([layer]))).output(0).locator(".lw")
    expect(root.locator("[data-control='find tokens']")).to_be_hidden()
    expect(root.get_by_role("button", name="find a text")).to_be_hidden()
    root.locator(".lw-grid").press("/")
    expect(root.locator("[data-control='find tokens']")).to_be_hidden()
