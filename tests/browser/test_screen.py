"""How much of the screen a widget takes, in JupyterLab and Notebook 7: all of it is seen, by default and on demand."""

from __future__ import annotations

import pytest
from lab import eventually
from playwright.sync_api import expect
from test_boxes import MADE, NAMES

EXPLORER = """recording = written_signals(256)
tracks = [lw.concepts.inside_double_quotes, lw.concepts.position_in_line]
lw.Explorer(recording, cell=159, timestep=120, tracks=tracks)"""
#: What shows the notebook, and scrolls it.
PANEL = ".jp-WindowedPanel-outer"


def explorer(show, app="lab"):
    notebook = show(EXPLORER, app=app)
    root = notebook.output(1).locator(".lw")
    expect(root).to_have_class("lw lw-explorer lw-split lw-filling")
    return notebook, root


def boxes(root):
    """Upper edge and height of all that stands in it, in pixels."""
    return root.evaluate(
        """e => [...e.querySelectorAll(".lw-pane")].map(
          pane => [pane.offsetTop, pane.offsetWidth, pane.offsetHeight])"""
    )


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_all_of_an_explorer_is_seen_at_once(show, app):
    notebook, root = explorer(show, app)
    for width, height in ((1280, 800), (1920, 1080), (1280, 720)):
        notebook.page.set_viewport_size({"width": width, "height": height})

        def share():
            room = notebook.page.locator(PANEL).bounding_box()["height"]
            return root.bounding_box()["height"] / room

        def seen():
            # The notebook lays out anew what it shows, and may scroll meanwhile.
            root.evaluate("e => e.scrollIntoView({ block: 'center' })")
            room, box = notebook.page.locator(PANEL).bounding_box(), root.bounding_box()
            below = room["y"] + room["height"] - box["y"] - box["height"]
            return room["y"] <= box["y"] + 1 and below >= -1

        def cut():
            """Which parts aren't seen."""
            panel = notebook.page.locator(PANEL).bounding_box()
            end = panel["y"] + panel["height"] + 1
            found = []
            for part in (".lw-bar", ".lw-grid", ".lw-text", ".lw-gates", ".lw-foot"):
                box = root.locator(part).bounding_box()
                least = box["height"] if part == ".lw-foot" else min(box["height"], 40)
                if box["y"] < panel["y"] - 1 or box["y"] + least > end:
                    found.append(part)
            return found

        def row():
            """Whether the chosen row is whole: the head of the grid, two bands and all, takes 58 pixels."""
            top, seen = root.locator(".lw-grid").evaluate("e => [e.scrollTop, e.clientHeight]")
            return top <= 159 * 15 and top + seen - 58 >= 160 * 15

        eventually(lambda: 0.8 < share() < 1, True)
        eventually(lambda: seen() and cut(), [])
        eventually(row, True)


def test_lines_between_panes_move_by_keys_and_pointer(show):
    notebook, root = explorer(show)
    upright = root.get_by_role("separator", name="width of the left pane")
    level = root.get_by_role("separator", name="height of the upper pane")
    before = boxes(root)
    assert before[0][2] == pytest.approx(before[1][2], abs=2)
    whole = root.bounding_box()["height"]
    level.focus()
    for _ in range(5):
        level.press("ArrowDown")
    assert level.get_attribute("aria-valuenow") == "60"
    upper, lower = (boxes(root)[i][2] for i in (0, 1))
    assert upper / (upper + lower) == pytest.approx(0.6, abs=0.01)
    level.press("End")
    assert level.get_attribute("aria-valuenow") == level.get_attribute("aria-valuemax")
    level.press("Enter")
    eventually(lambda: boxes(root), before)

    box = upright.bounding_box()
    left = boxes(root)[1][1]
    x, y = box["x"] + box["width"] / 2, box["y"] + 20
    notebook.page.mouse.move(x, y)
    notebook.page.mouse.down()
    notebook.page.mouse.move(x - 100, y, steps=4)
    notebook.page.mouse.up()
    eventually(lambda: boxes(root)[1][1], pytest.approx(left - 100, abs=3))
    # Pictures are as large as their panes.
    canvas = root.locator(".lw-text canvas")
    eventually(
        lambda: (
            canvas.bounding_box()["width"]
            == root.locator(".lw-text").evaluate("e => e.clientWidth")
        ),
        True,
    )
    upright.dblclick()
    eventually(lambda: boxes(root), before)
    assert root.bounding_box()["height"] == whole


@pytest.mark.parametrize("allowed", [True, False])
def test_full_screen_is_all_of_it_and_keeps_the_keys(show, allowed):
    notebook, root = explorer(show)
    if not allowed:
        notebook.page.evaluate(
            "() => { Element.prototype.requestFullscreen = () => Promise.reject(new Error('no')); }"
        )
    before = root.bounding_box()
    cells = notebook.count()
    button = root.locator(".lw-ends button").first
    expect(button).to_have_attribute("aria-label", "full screen")
    button.click()
    expect(button).to_have_attribute("aria-label", "leave full screen (Esc)")
    size = {"x": 0, "y": 0, **notebook.page.viewport_size}
    eventually(root.bounding_box, size)
    eventually(lambda: notebook.page.evaluate("Boolean(document.fullscreenElement)"), allowed)
    # Nothing of the page lies above it, and what it shows is drawn as large.
    assert notebook.page.evaluate("document.elementFromPoint(5, 790).closest('.lw') !== null")
    root.locator(".lw-about").click()  # which takes no keys itself
    for key in ("b", "x", "d", "d", "a"):
        notebook.page.keyboard.press(key)
    root.locator(".lw-grid").press("b")
    assert notebook.count() == cells
    notebook.page.keyboard.press("Escape")
    eventually(root.bounding_box, before)
    assert notebook.count() == cells


def test_every_widget_fills_the_screen_if_asked(show):
    names = [name for name in NAMES if name != "Explorer"]
    notebook = show(MADE, *(f"widget({name!r})" for name in names))
    for index in range(2, 2 + len(names)):
        root = notebook.output(index).locator(".lw").first
        root.locator(".lw-ends button").first.click()
        size = {"x": 0, "y": 0, **notebook.page.viewport_size}
        eventually(root.bounding_box, size)
        foot = root.locator(".lw-foot").first
        end = pytest.approx(size["height"], abs=2)
        eventually(lambda foot=foot: sum(map(foot.bounding_box().get, ("y", "height"))), end)
        notebook.page.keyboard.press("Escape")
        expect(root).not_to_have_class("lw-full")
