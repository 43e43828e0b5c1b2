"""What a newcomer is told, in a real JupyterLab: what keys and controls do, and that nothing hops meanwhile."""

from __future__ import annotations

import re

import pytest
from expected import frames
from lab import eventually
from playwright.sync_api import expect
from test_boxes import MADE, NAMES

#: Controls that are seen, and have no sentence of their own, nor of what they are in.
UNTOLD = """e => [...e.querySelectorAll("select, input, textarea, button")]
  .filter(c => c.checkVisibility() && !c.closest("[title]")?.title)
  .map(c => c.dataset.control ?? c.textContent)"""


def test_every_control_is_told_of_in_a_sentence(show):
    notebook = show(MADE, *(f"widget({name!r})" for name in NAMES))
    for i, name in enumerate(NAMES):
        root = notebook.output(2 + i).locator(".lw").first
        expect(root).to_have_attribute("data-paints", re.compile(r"\d"))
        assert root.evaluate(UNTOLD) == [], name
        controls = root.locator(
            "[data-control]:is(select, input[type=range], input[type=checkbox])"
        )
        sentences = [control.get_attribute("aria-description") for control in controls.all()]
        assert all(re.fullmatch(r"[A-Z].+\.", sentence or "") for sentence in sentences), name
        # Who has no pointer finds them in the panel, beside the keys.
        root.get_by_role("button", name="keys and controls (?)").first.click()
        panel = root.get_by_role("dialog", name="Keys and controls").first
        expect(panel).to_be_visible()
        seen = [
            s for control, s in zip(controls.all(), sentences, strict=True) if control.is_visible()
        ]
        text = panel.inner_text()
        assert [sentence for sentence in seen if sentence not in text] == []
        assert panel.locator("kbd").count() > 5
        panel.get_by_role("button", name="close").click()
        expect(panel).to_be_hidden()


def test_a_question_mark_shows_the_keys_and_escape_returns(show):
    notebook = show("grid = lw.CellGrid(sums())\ngrid")
    root = notebook.output(1).locator(".lw")
    grid, panel = root.locator(".lw-grid"), root.get_by_role("dialog")
    cells = notebook.count()
    grid.press("?")
    expect(panel).to_be_visible()
    assert notebook.page.evaluate("document.activeElement.closest('dialog') !== null")
    for key in ("b", "x", "d", "d"):
        notebook.page.keyboard.press(key)
    notebook.page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    expect(grid).to_be_focused()
    assert notebook.count() == cells
    # A click beside it closes it, too; where a text is written, it is a letter.
    grid.press("?")
    notebook.page.mouse.click(5, 300)
    expect(panel).to_be_hidden()


def test_nothing_hops_under_the_pointer(show):
    notebook = show(
        "recording = guessed()\n"
        "names = {'a concept with a name that is longer than there is room for': '[aeiou]', 'b': 'b'}\n"
        "lw.TextHeatmap(recording, timestep=3, tracks=names)"
    )
    root = notebook.output(1).locator(".lw")
    text, status = root.locator(".lw-text"), root.locator(".lw-status")
    parts = (
        """e => [e.offsetHeight, e.scrollHeight, ...[...e.children].map(part => part.offsetTop)]"""
    )
    before = root.evaluate(parts)
    seen = set()
    for x in range(20, 600, 45):
        text.hover(position={"x": x, "y": 14})
        frames(text)
        seen.add(status.inner_text())
        assert root.evaluate(parts) == before
    for _ in range(12):
        text.press("ArrowRight")
        frames(text)
        assert root.evaluate(parts) == before
    assert len(seen) > 8
    # A long name is cut, and there to be read.
    label = root.locator(".lw-tracks label").first
    assert label.bounding_box()["width"] <= 260
    assert "longer than there is room for" in label.get_attribute("title")


@pytest.mark.parametrize("sort", ["variance", "mean_magnitude"])
def test_what_is_sorted_opens_at_the_top(show, sort):
    notebook = show(
        f"one = lw.CellGrid(written_signals(200), sort={sort!r})\none",
        "other = lw.CellGrid(written_signals(200), cell=133)\nother",
    )
    top = "e => e.scrollTop"
    first, second = (notebook.output(i).locator(".lw-grid") for i in (1, 2))
    expect(notebook.output(1).locator(".lw")).to_have_attribute("data-paints", re.compile(r"\d"))
    frames(first)
    assert first.evaluate(top) == 0
    # A cell that was named is seen; once it is sorted, the first rows are.
    second = notebook.output(2).locator(".lw-grid")
    eventually(lambda: 0 < second.evaluate(top) <= 133 * 15, True)
    notebook.output(2).locator("[data-control='sort by']").select_option(sort)
    eventually(lambda: second.evaluate(top), 0)
