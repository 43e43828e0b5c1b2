"""SeriesPlot in a real JupyterLab, and saved as a page: what is seen from afar, what is read, its keys."""

from __future__ import annotations

import re

import numpy as np
import pytest
from expected import frames
from lab import eventually
from playwright.sync_api import expect
from recordings import FLOOD_DAY, RAINED, UNMEASURED, WARMED, rivers, why_it_flows
from widget_page import Widget, number

import lstm_widgets as lw
from lstm_widgets.widgets.page import export

#: Lengths in the page, in pixels: the dates, the gutters, what is free at the ends of time.
HEAD, LEFT, RIGHT, INSET = 26, 150, 92, 8
#: Of a canvas: in each column of some rows, the first row that has a colour of its own, or -1.
FIRST_ROWS = """(canvas, [top, bottom, ground]) => {
  const ratio = canvas.width / canvas.clientWidth;
  const context = canvas.getContext("2d");
  const [y0, y1] = [top, bottom].map((y) => Math.round(y * ratio));
  const { data } = context.getImageData(0, y0, canvas.width, y1 - y0);
  return Array.from({ length: canvas.width }, (_, x) => {
    for (let y = 0; y < y1 - y0; y++) {
      const at = 4 * (y * canvas.width + x);
      const [r, g, b] = data.slice(at, at + 3);
      if (Math.max(r, g, b) - Math.min(r, g, b) > 60) return y / ratio;
    }
    return -1;
  });
}"""


class Lines(Widget):
    scrolling = ".lw-series"

    @property
    def room(self):
        return self.size[0] - LEFT - RIGHT - 2 * INSET

    def x(self, day, days=1500):
        """Where a day stands while everything is seen."""
        return LEFT + INSET + day / (days - 1) * self.room

    def first_rows(self, top, bottom):
        return self.canvas.evaluate(FIRST_ROWS, [top, bottom, 0])

    def press(self, *keys):
        self.frame.evaluate("e => e.focus()")
        for key in keys:
            self.notebook.page.keyboard.press(key)
        frames(self.frame)


def rows_of_band(lines, nth):
    """Give the top and the bottom of the first or the second band, both of channels."""
    height = lines.size[1]
    count = 4  # rain, temperature, flow, a cell
    natural = [46, 46, 68, 68]
    share = (height - HEAD - 2 - 20 - 14 * (count - 1)) / sum(natural)
    heights = [int(h * min(2.4, max(0.65, share))) for h in natural]
    top = HEAD + 10 + sum(heights[:nth]) + 14 * nth
    return top, top + heights[nth]


def test_a_spike_is_seen_from_afar_a_gap_is_a_gap_and_numbers_are_exact(show):
    notebook = show(
        "plot = lw.SeriesPlot(rivers(), signal='cell_state', cell=1, timestep=900)\nplot"
    )
    lines = Lines(notebook, 1, name="plot")
    recording = rivers()
    # The highest of the rain is one day of 1500, in about 700 pixels.
    rain = lines.first_rows(*rows_of_band(lines, 0))
    top = [x for x, y in enumerate(rain) if 0 <= y <= 3 and LEFT < x < lines.size[0] - RIGHT]
    assert top
    assert all(abs(x - lines.x(FLOOD_DAY)) <= 2 for x in top)
    # For 60 days, nobody measured how warm it was.
    warm = lines.first_rows(*rows_of_band(lines, 1))
    expected = [lines.x(day) for day in UNMEASURED]
    around = range(int(expected[0]) - 20, int(expected[1]) + 20)
    gap = [x for x in around if warm[x] < 0]
    assert abs(gap[0] - expected[0]) <= 3
    assert abs(gap[-1] - expected[1]) <= 3
    assert len(gap) == gap[-1] - gap[0] + 1
    # The status line says all values at the selected day.
    day = 900
    state = float(recording["lstm"].cell_state[0, day, 1])
    said, wanted = float(recording.outputs[0, day, 0]), float(recording.targets[0, day, 0])
    read = [float(value) for value in recording.inputs[0, day]]
    expect(lines.status).to_have_text(
        f'lstm · cell 1 · example 0 "Inn" · 2003-06-20 · cell_state {number(state)} · '
        f"rain {number(read[0])} mm · temperature {number(read[1])} °C · "
        f"flow {number(said)} (target {number(wanted)}) mm"
    )
    # Pointing at another one reads that one out, and leaves the selection.
    lines.frame.hover(position={"x": lines.x(FLOOD_DAY), "y": 60})
    expect(lines.status).to_contain_text("2003-02-")
    assert lines.get("timestep") == day


def test_keys_move_through_time_zoom_and_choose_a_span(show):
    notebook = show("plot = lw.SeriesPlot(rivers(), timestep=900)\nplot", "plot")
    lines, other = (Lines(notebook, index, name="plot") for index in (1, 2))
    lines.press("ArrowRight", "ArrowRight", "ArrowDown", "]")
    lines.becomes(timestep=902, cell=1, example=1)
    expect(lines.status).to_contain_text('example 1 "Elbe" · 2003-06-22')
    expect(other.status).to_contain_text('example 1 "Elbe" · 2003-06-22')
    lines.press("Shift+ArrowRight", "Shift+ArrowRight")
    lines.becomes(span=[902, 905], timestep=904)
    width = "e => e.scrollWidth - e.clientWidth"
    assert lines.frame.evaluate(width) == 0
    lines.press("z")
    eventually(lambda: lines.frame.evaluate(width) > 10_000, True)
    assert other.frame.evaluate(width) == 0
    # So near, days have dates.
    lines.press("End")
    lines.becomes(timestep=1499)
    eventually(
        lambda: lines.frame.evaluate("e => e.scrollLeft / (e.scrollWidth - e.clientWidth)") > 0.9,
        True,
    )
    lines.press("0")
    eventually(lambda: lines.frame.evaluate(width), 0)


def test_the_pointer_selects_drags_and_brushes(show):
    notebook = show("plot = lw.SeriesPlot(rivers(), cells=(4,))\nplot")
    lines = Lines(notebook, 1, name="plot")
    lines.click(lines.x(700), 60)
    eventually(lambda: abs(lines.get("timestep") - 700) <= 2, True)
    mouse, box = notebook.page.mouse, lines.frame.bounding_box()
    mouse.move(box["x"] + lines.x(800), box["y"] + 8)
    mouse.down()
    mouse.move(box["x"] + lines.x(900), box["y"] + 8, steps=4)
    mouse.up()
    eventually(lambda: np.abs(np.subtract(lines.get("span"), (800, 900))).max() <= 3, True)
    lines.press("+", "+", "+", "+")
    before, span = lines.scrolled[0], lines.get("span")
    mouse.move(box["x"] + 500, box["y"] + 90)
    mouse.down()
    mouse.move(box["x"] + 400, box["y"] + 90, steps=4)
    mouse.up()
    eventually(lambda: round(lines.scrolled[0] - before), 100)
    assert lines.get("span") == span


def test_lines_are_hidden_and_laid_over_one_another(show):
    notebook = show("plot = lw.SeriesPlot(rivers(), tracks={'flood': flooded()})\nplot")
    lines = Lines(notebook, 1, name="plot")
    lines.root.get_by_label("temperature").uncheck()
    lines.becomes(channels=["rain"])
    expect(lines.status).not_to_contain_text("temperature")
    lines.root.get_by_label("flood").uncheck()
    lines.becomes(hidden_tracks=["flood"])
    lines.control("lines").select_option("examples")
    lines.becomes(arrange="examples")
    lines.control("line").select_option("rain")
    lines.becomes(subject="rain")
    lines.control("lines").select_option("overlaid")
    lines.becomes(arrange="overlaid")
    lines.set(channels=None)
    expect(lines.root.get_by_label("temperature")).to_be_checked()


def test_of_what_is_large_the_page_asks_for_what_is_seen(show):
    notebook = show(
        "from lstm_widgets.widgets import recording_widget\n"
        "from lstm_widgets.widgets.page import state\n"
        "recording_widget.WHOLE_BYTES = state.WHOLE_BYTES = 1000\n"
        "large = rivers(days=60_000)\nplot = lw.SeriesPlot(large, cell=2, timestep=50_000)\n"
        "asked = []\nanswered = plot._answer\n"
        "def answer(content):\n    asked.append(len(content.get('lines', [])))\n    return answered(content)\n"
        "plot._answer = answer\nplot"
    )
    lines = Lines(notebook, 1, name="plot")
    value = notebook.kernel.value("float(large['lstm'].hidden_state[0, 50_000, 2])")
    expect(lines.status).to_contain_text(f"2137-11-24 · hidden_state {number(value)}")

    def flood():
        """Whether the highest of the rain is where it was, and nowhere else."""
        rain = lines.first_rows(*rows_of_band(lines, 0))
        top = [x for x, y in enumerate(rain) if 0 <= y <= 3 and LEFT < x < lines.size[0] - RIGHT]
        return bool(top) and all(abs(x - lines.x(FLOOD_DAY, 60_000)) <= 2 for x in top)

    eventually(flood, True)
    lines.press(*["+"] * 12)
    expect(lines.notice).to_be_empty()
    eventually(lambda: sum(notebook.kernel.value("asked")) < 400, True)
    # After the kernel is gone, what is here is still read.
    notebook.restart()
    lines.press("ArrowRight")
    expect(lines.status).to_contain_text("2137-11-25 · hidden_state")
    notebook.errors.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page_has_all_of_it(open_page, scheme):
    recording = rivers()
    widget = lw.SeriesPlot(recording, signal="cell_state", cell=1, timestep=777, threshold=0.4)
    saved = open_page(widget, scheme=scheme)
    root = saved.page.locator(".lw")
    expect(root).to_have_attribute("data-paints", re.compile(r"\d"))
    expect(root).to_have_attribute("data-theme", scheme)
    status = root.locator(".lw-status")
    expect(status).to_contain_text("2003-02-17")
    expect(status).to_contain_text(f"rain {number(500)} mm")
    root.locator(".lw-series").focus()
    saved.page.keyboard.press("ArrowDown")
    value = float(recording["lstm"].cell_state[0, 777, 2])
    expect(status).to_contain_text(f"cell_state {number(value)}")
    expect(root.locator(".lw-notice")).to_be_empty()


def test_a_saved_page_of_some_lines_tells_which_it_goes_without(open_page, monkeypatch):
    recording = rivers()
    # Too little for a signal of all cells, enough for five lines of two rivers; then of one.
    monkeypatch.setattr(export, "FILE_BYTES", 66_000)
    saved = open_page(lw.SeriesPlot(recording, cell=1, timestep=777, scale="layer"))
    root = saved.page.locator(".lw")
    status, notice = root.locator(".lw-status"), root.locator(".lw-notice")
    value = float(recording["lstm"].hidden_state[0, 777, 1])
    expect(status).to_contain_text(f"hidden_state {number(value)}")
    expect(notice).to_be_empty()
    root.locator(".lw-series").focus()
    saved.page.keyboard.press("ArrowDown")
    expect(status).to_contain_text("2003-02-17 · hidden_state not in this page · rain")
    expect(notice).to_have_text(re.compile(r"cell 2 is not among them. Show it \(cells=\) in the"))
    saved.page.keyboard.press("]")
    saved.page.keyboard.press("ArrowUp")
    value = float(recording["lstm"].hidden_state[1, 777, 1])
    expect(status).to_contain_text(f"hidden_state {number(value)}")
    expect(notice).to_be_empty()
    monkeypatch.setattr(export, "FILE_BYTES", 40_000)
    alone = open_page(lw.SeriesPlot(recording, cell=1, example=1, timestep=777))
    root = alone.page.locator(".lw")
    expect(root.locator(".lw-notice")).to_be_empty()
    root.locator(".lw-series").focus()
    alone.page.keyboard.press("[")
    expect(root.locator(".lw-notice")).to_contain_text("example 0 is not among them. Choose it")


#: Of a canvas: how far each pixel of a row is from grey, and whether it is rather red.
TINTS = """(canvas, y) => {
  const ratio = canvas.width / canvas.clientWidth;
  const context = canvas.getContext("2d");
  const { data } = context.getImageData(0, Math.round(y * ratio), canvas.width, 1);
  return Array.from({ length: canvas.width }, (_, x) => {
    const [r, g, b] = data.slice(4 * x, 4 * x + 3);
    const off = Math.max(r, g, b) - Math.min(r, g, b);
    return r > b ? off : -off;
  });
}"""


def tints(lines, band):
    """Give how red, or blue below 0, each pixel above the lines of a band is."""
    top, _ = rows_of_band(lines, band)
    found = lines.canvas.evaluate(TINTS, top - 2)
    return [0 if x < LEFT or x > lines.size[0] - RIGHT else tint for x, tint in enumerate(found)]


def test_relevance_stands_behind_the_channels_where_it_is_and_nowhere_else(show):
    notebook = show(
        "plot = lw.SeriesPlot(rivers(), relevance=why_it_flows(rivers()), timestep=805)\nplot"
    )
    lines = Lines(notebook, 1, name="plot")
    expect(lines.status).to_contain_text(
        "relevance by integrated gradients for the forecast at 2003-03-12"
    )
    # Of 90 days in 42 pixels, one counts: rain for the forecast, warmth against it.
    for band, lag, sign in ((0, RAINED, 1), (1, WARMED, -1)):
        found = tints(lines, band)
        strong = [x for x, tint in enumerate(found) if sign * tint > 40]
        assert strong
        assert all(abs(x - lines.x(800 - lag)) <= 2 for x in strong)
        assert all(abs(found[int(lines.x(day))]) < 12 for day in (100, 400, 600, 820, 1200))
    assert max(map(abs, tints(lines, 2))) < 12
    # It follows the selection, unless it is held.
    lines.set(timestep=410)
    expect(lines.status).to_contain_text("for the forecast at 2002-02-05")
    lines.press("e")
    lines.becomes(explained=400)
    lines.set(timestep=800 - RAINED)
    lines.set(timestep=400 - RAINED)
    expect(lines.status).to_contain_text("mm (relevance 2.0000 mm)")
    expect(lines.status).to_contain_text("for the forecast at 2002-02-05")
    lines.root.get_by_label("hold relevance").uncheck()
    lines.becomes(explained=None)
    # By another method, within a range that it leaves.
    lines.control("relevance").select_option("sensitivity")
    lines.becomes(method="sensitivity")
    lines.set(relevance_scale=(0.0, 0.5))
    expect(lines.status).to_contain_text("(relevance 4.0000 (clipped))")
    legend = lines.root.locator(".lw-series-head .lw-legend")
    expect(legend).to_have_attribute(
        "aria-label", "Colours from 0 to ≥ 0.5 relevance by sensitivity"
    )
    lines.control("lines").select_option("overlaid")
    expect(legend).to_contain_text("2 channels added up")
    expect(lines.status).to_contain_text("relevance of all channels 4.0000")
    lines.set(example=1)
    expect(legend).to_be_hidden()
    expect(lines.status).not_to_contain_text("relevance")


def test_a_saved_page_has_relevance_too(open_page):
    recording = rivers()
    widget = lw.SeriesPlot(
        recording, relevance=why_it_flows(recording), timestep=800 - RAINED, explained=800
    )
    saved = open_page(widget, scheme="dark")
    status = saved.page.locator(".lw-status")
    expect(status).to_contain_text("(relevance 3.0000 mm)")
    expect(status).to_contain_text(
        "relevance by integrated gradients for the forecast at 2003-03-12"
    )
    saved.page.locator("[data-control='relevance']").select_option("sensitivity")
    expect(status).to_contain_text("(relevance 9.0000)")


def test_two_views_of_one_plot_show_the_same_relevance(show):
    notebook = show(
        "plot = lw.SeriesPlot(rivers(), relevance=why_it_flows(rivers()), timestep=805)\n"
        "display(plot, plot)"
    )
    views = notebook.page.locator(".lw")
    expect(views).to_have_count(2)
    first, second = views.nth(0), views.nth(1)
    first.get_by_label("hold relevance").check()
    expect(second.get_by_label("hold relevance")).to_be_checked()
    second.locator('[data-control="relevance"]').select_option("sensitivity")
    for view in (first, second):
        expect(view.locator(".lw-status")).to_contain_text("relevance by sensitivity for the")
        expect(view.locator(".lw-series-head .lw-legend")).to_have_attribute(
            "aria-label", re.compile("relevance by sensitivity$")
        )
    second.locator(".lw-series").press("e")
    expect(first.get_by_label("hold relevance")).not_to_be_checked()
