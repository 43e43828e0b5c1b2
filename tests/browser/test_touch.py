"""Fingers and hands on saved pages: what scrolls, what selects, what chooses a span, what zooms."""

from __future__ import annotations

import re

import numpy as np
import pytest
import recordings
from expected import frames, picture
from lab import eventually
from playwright.sync_api import expect
from test_cell_grid import GUTTER, LABELS, SQUARE, TOKENS
from test_series_plot import INSET, LEFT, RIGHT
from test_text_heatmap import CHARACTER, EDGE, ROW, TOP

import lstm_widgets as lw

HEADER = TOKENS + LABELS


class Hand:
    """Fingers on a page, as a browser is told of them."""

    def __init__(self, page):
        self.page = page
        self.session = page.context.new_cdp_session(page)
        self.session.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def touch(self, kind, *places):
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def tap(self, x, y):
        self.touch("touchStart", (x, y))
        self.touch("touchEnd")

    def pan(self, x, y, down):
        for step in range(9):
            self.touch("touchMove" if step else "touchStart", (x, y + down * step / 8))
        self.touch("touchEnd")

    def pinch(self, x, y, start, end, *, turn=(1, 0)):
        """From so many pixels apart to so many; ``turn`` is how the fingers lie."""
        for step in range(9):
            half = (start + (end - start) * step / 8) / 2
            across, up = half * turn[0], half * turn[1]
            self.touch(
                "touchMove" if step else "touchStart",
                (x - across, y - up),
                (x + across, y + up),
            )
        self.touch("touchEnd")


def rested(page):
    """Wait until a finger has rested for long enough, by the clock that the page itself goes by."""
    page.evaluate("() => new Promise((done) => setTimeout(done, 600))")


def still(scroller):
    """Wait until what goes on scrolling by itself, as fingers let go of it, has come to rest."""
    scroller.evaluate("""async (e) => {
      for (let last; last !== e.scrollTop; await new Promise((r) => setTimeout(r, 150)))
        last = e.scrollTop;
    }""")


def token(text, line, character):
    """Where a character of the text is, on the page."""
    box = text.bounding_box()
    return (
        box["x"] + EDGE + character * CHARACTER + 4,
        box["y"] + TOP + line * (ROW + 2) + ROW / 2,
    )


def test_a_pan_scrolls_and_a_tap_selects(open_page):
    page = open_page(lw.TextHeatmap(recordings.prose(repeats=60), timestep=3))
    root = page.page.locator(".lw")
    text, status = root.locator(".lw-text"), root.locator(".lw-status")
    expect(status).to_contain_text("t=3 ")
    hand = Hand(page.page)
    hand.pan(*token(text, 9, 20), -160)
    eventually(lambda: text.evaluate("e => e.scrollTop") > 100, True)
    still(text)
    expect(status).to_contain_text("t=3 ")
    text.evaluate("e => { e.scrollTop = 0; }")
    frames(text)
    hand.tap(*token(text, 0, 30))
    expect(status).to_contain_text("t=30 ")
    expect(root.locator(".lw-matches")).to_be_hidden()


def test_a_finger_that_rests_first_chooses_a_span(open_page):
    page = open_page(lw.TextHeatmap(recordings.prose(repeats=60), timestep=3))
    root = page.page.locator(".lw")
    text = root.locator(".lw-text")
    hand = Hand(page.page)
    start = token(text, 0, 10)
    hand.touch("touchStart", start)
    rested(page.page)
    for step in range(1, 6):
        hand.touch("touchMove", token(text, 0, 10 + step))
    hand.touch("touchEnd")
    expect(root.locator(".lw-matches")).to_be_visible()
    expect(root.locator(".lw-status")).to_contain_text("t=15 ")
    assert text.evaluate("e => e.scrollTop") == 0


def test_a_mouse_that_trembles_drags_nothing(open_page):
    page = open_page(lw.Explorer(recordings.prose(), timestep=3))
    root = page.page.locator(".lw")
    text, grid, matches = (root.locator(part) for part in (".lw-text", ".lw-grid", ".lw-matches"))
    status, mouse = root.locator(".lw-status"), page.page.mouse
    x, y = token(text, 0, 20)
    edge = x - 4 + CHARACTER  # of the token
    mouse.move(edge - 1, y)
    mouse.down()
    mouse.move(edge + 0.5, y)
    mouse.up()
    expect(status).to_contain_text(re.compile("t=2[01] "))
    expect(matches).to_be_hidden()
    frames(grid)
    box = grid.bounding_box()
    left = grid.evaluate("e => e.scrollLeft")
    edge = box["x"] + GUTTER + 5 * SQUARE - left % SQUARE
    mouse.move(edge - 1, box["y"] + LABELS + 10)
    mouse.down()
    mouse.move(edge + 0.5, box["y"] + LABELS + 10)
    mouse.up()
    expect(matches).to_be_hidden()
    mouse.down()
    mouse.move(edge + 3 * SQUARE, box["y"] + LABELS + 10, steps=3)
    mouse.up()
    expect(matches).to_be_visible()


@pytest.mark.parametrize("by", ["fingers", "trackpad"])
def test_a_pinch_zooms_both_axes_about_its_middle(open_page, by):
    values = np.random.default_rng(2).uniform(-1, 1, (1, 900, 300))
    recording = recordings.Recording.from_layers(
        [recordings.layer("lstm", {"hidden_state": values}, tokens=["ab" * 450])]
    )
    page = open_page(lw.CellGrid(recording, cell=150, timestep=450))
    grid = page.page.locator(".lw-grid")
    header = TOKENS
    box = grid.bounding_box()
    x, y = box["x"] + 500, box["y"] + 220

    def whole():
        frames(grid)
        wide, high = grid.evaluate("e => [e.scrollWidth, e.scrollHeight]")
        return (wide - GUTTER) / 900, (high - header) / 300

    def under():
        left, top = grid.evaluate("e => [e.scrollLeft, e.scrollTop]")
        square = whole()
        return (500 - GUTTER + left) / square[0], (220 - header + top) / square[1]

    assert whole() == (SQUARE, SQUARE)
    before = under()
    if by == "fingers":
        Hand(page.page).pinch(x, y, 100, 200, turn=(0.8, 0.6))
    else:
        page.page.mouse.move(x, y)
        page.page.keyboard.down("Control")
        for _ in range(10):
            page.page.mouse.wheel(0, -10 * np.log(2))
        page.page.keyboard.up("Control")
    twice = pytest.approx(2 * SQUARE, abs=1)
    eventually(whole, (twice, twice))
    wide, high = whole()
    assert wide == high
    assert under() == pytest.approx(before, abs=0.3)
    # The page itself is as large as before.
    assert page.page.evaluate("visualViewport.scale") == 1


#: How large the page is, and how far it is scrolled.
PAGE = "[visualViewport.scale, scrollY]"


@pytest.mark.parametrize("turn", [(1, 0), (0.3, 0.95)], ids=["across", "upright"])
def test_a_pinch_zooms_lines_about_its_middle(open_page, turn):
    page = open_page(lw.SeriesPlot(recordings.rivers(), timestep=900))
    lines = page.page.locator(".lw-series")
    page.page.add_style_tag(content="body { margin: 300px 0 2000px; }")
    page.page.evaluate("scrollTo(0, 250)")
    frames(lines)
    box = lines.bounding_box()
    x, y = box["x"] + 480, box["y"] + 150

    def under(place):
        """Give the day there, and how many pixels a day is wide."""
        frames(lines)
        wide, left = lines.evaluate("e => [e.scrollWidth, e.scrollLeft]")
        day = (wide - LEFT - RIGHT - 2 * INSET) / (recordings.rivers()["lstm"].timestep.size - 1)
        return (place - LEFT - INSET + left) / day, day

    middle, day = under(480)
    near = pytest.approx(middle, abs=1.5 / day)  # a browser scrolls by whole pixels
    hand = Hand(page.page)
    hand.pinch(x, y, 50, 200, turn=turn)
    eventually(lambda: under(480), (near, pytest.approx(4 * day, rel=0.01)))
    hand.pinch(x, y, 200, 100, turn=turn)
    eventually(lambda: under(480), (near, pytest.approx(2 * day, rel=0.01)))
    # What is between two fingers goes with them.
    for step in range(9):
        places = [(x + side - 10 * step, y) for side in (-40, 40)]
        hand.touch("touchMove" if step else "touchStart", *places)
    hand.touch("touchEnd")
    eventually(lambda: under(400), (near, pytest.approx(2 * day, rel=0.01)))
    assert page.page.evaluate(PAGE) == [1, 250]


def test_a_second_finger_while_one_scrolls_never_zooms_the_page(open_page):
    page = open_page(lw.SeriesPlot(recordings.rivers(), timestep=900))
    lines = page.page.locator(".lw-series")
    page.page.add_style_tag(content="body { margin-bottom: 2000px; }")
    frames(lines)
    box = lines.bounding_box()
    x, y = box["x"] + 480, box["y"] + 150
    hand = Hand(page.page)
    hand.touch("touchStart", (x, y))
    for step in range(5):
        hand.touch("touchMove", (x, y - 12 * step))
    hand.touch("touchStart", (x, y - 48), (x + 80, y - 48))
    for step in range(9):
        hand.touch("touchMove", (x - 4 * step, y - 48), (x + 80 + 4 * step, y - 48))
    hand.touch("touchEnd")
    eventually(lambda: lines.evaluate("e => e.scrollWidth > 1.5 * e.clientWidth"), True)
    assert page.page.evaluate("visualViewport.scale") == 1


def test_fingers_on_states(open_page):
    page = open_page(lw.StateSpace(recordings.sums(), axes=(0, 1, 2), trajectories="none"))
    space, status = page.page.locator(".lw-space"), page.page.locator(".lw-status")
    page.page.add_style_tag(content="body { margin-bottom: 2000px; }")
    frames(space)
    box = space.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = picture(space.locator("canvas"))
    hand = Hand(page.page)
    # Two fingers zoom the states, never the page.
    hand.pinch(x, y, 60, 150)
    canvas = space.locator("canvas")
    eventually(lambda: bool((picture(canvas) != before).any()), True)
    frames(space)
    zoomed = picture(canvas)
    assert page.page.evaluate(PAGE) == [1, 0]
    # A finger that rests turns them; one that moves at once scrolls the page.
    hand.touch("touchStart", (x, y))
    rested(page.page)
    for step in range(8):
        hand.touch("touchMove", (x + 8 * step, y))
    hand.touch("touchEnd")
    eventually(lambda: bool((picture(canvas) != zoomed).any()), True)
    assert page.page.evaluate(PAGE) == [1, 0]
    # A tap selects what is nearest.
    told = status.text_content()
    for offset in range(0, 120, 12):
        hand.tap(x + offset, y - offset / 2)
        if status.text_content() != told:
            break
    expect(status).not_to_have_text(told)
    hand.pan(x, y, -120)
    eventually(lambda: page.page.evaluate("scrollY") > 0, True)
