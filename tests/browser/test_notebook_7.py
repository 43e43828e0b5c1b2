"""What is tested in JupyterLab or in a page of our own, in Notebook 7: colours, fingers, directions, numbers."""

from __future__ import annotations

import numpy as np
from expected import frames, picture
from lab import eventually
from playwright.sync_api import expect
from test_backdrop import CONTRAST
from test_touch import Hand, still, token

PLACES = """root => [...root.querySelectorAll("*")].filter((each) => each.checkVisibility()).map((each) => {
  const [a, b] = [each.getBoundingClientRect(), root.getBoundingClientRect()];
  return [a.left - b.left, a.top - b.top, a.width, a.height].map(Math.round).join();
})"""


def test_widgets_are_as_they_are_elsewhere(show):
    notebook = show(
        "text = lw.TextHeatmap(prose(repeats=60), timestep=3)\ntext",
        "grid = lw.CellGrid(long_text(), timestep=100)\ngrid",
        app="notebook",
    )
    page, kernel = notebook.page, notebook.kernel

    # A pan scrolls, a tap selects.
    root = notebook.output(1).locator(".lw")
    text, status = root.locator(".lw-text"), root.locator(".lw-status")
    expect(status).to_contain_text("t=3 ")
    hand = Hand(page)
    hand.pan(*token(text, 6, 20), -120)
    eventually(lambda: text.evaluate("e => e.scrollTop") > 60, True)
    expect(status).to_contain_text("t=3 ")
    still(text)
    text.evaluate("e => { e.scrollTop = 0; }")
    frames(text)
    hand.tap(*token(text, 0, 30))
    eventually(lambda: kernel.value("text.timestep"), 30)

    # A number is taken once it can be meant; what it says is in Python.
    root = notebook.output(2).locator(".lw")
    number = root.locator("[data-control='timestep number']")
    number.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("31110", delay=40)
    eventually(lambda: kernel.value("grid.timestep"), 31_110)
    expect(number).to_have_value("31110")

    # A page from right to left leaves it as it is.
    canvas = root.locator("canvas").first
    frames(root)
    places, seen = root.evaluate(PLACES), picture(canvas)
    page.evaluate("document.documentElement.dir = 'rtl'")
    eventually(lambda: root.evaluate(PLACES), places)
    eventually(lambda: np.array_equal(picture(canvas), seen), True)
    page.evaluate("document.documentElement.dir = 'ltr'")

    # Light and dark are readable.
    for theme in ("dark", "light"):
        notebook.theme(theme)
        for index in (1, 2):
            root = notebook.output(index).locator(".lw")
            expect(root).to_have_attribute("data-theme", theme)
            least, whose = root.evaluate(CONTRAST)
            assert least >= 4.5, whose
