"""Series with times: dates on the ruler, in the status line and in the slider, with a kernel and without."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recordings
import series_recordings
from expected import frames, picture
from lab import eventually
from playwright.sync_api import expect
from series_recordings import series
from widget_page import Widget, number

import lstm_widgets as lw

SETUP = f"{Path(series_recordings.__file__).read_text()}\nimport lstm_widgets as lw\n"
#: What is drawn into canvases as text, from the last time that one was cleared.
WRITTEN = """
{
  const { fillText } = CanvasRenderingContext2D.prototype;
  globalThis.written = [];
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
    if (this.canvas.isConnected) written.push([text, x, y, this.canvas.parentElement.className]);
    return fillText.call(this, text, x, y, ...more);
  };
}
"""


class Timed(Widget):
    """A widget over a series; `within` is the class of what is scrolled."""

    def __init__(self, notebook, index, recording, *, within="lw-grid", name="grid"):
        self.scrolling = f".{within}"
        self.recording = recording
        super().__init__(notebook, index, name=name)

    def says(self, cell, timestep, when, *, example=None, signal="cell_state"):
        """Check the status line: when it is, and the number that is in the array."""
        at = {"example": example or 0, "timestep": timestep, "cell": cell}
        value = self.recording["lstm"][signal].isel(at).item()
        of = "" if example is None else f'example {example} "basin {example}" · '
        text = f"lstm · cell {cell} · {of}{when} · {signal} {number(value)}"
        expect(self.status).to_have_text(re.compile(f"^{re.escape(text)}"))

    def ruler(self):
        """What stands above the columns now, from the left."""
        self.notebook.page.evaluate("written.length = 0")
        self.frame.evaluate("e => e.dispatchEvent(new Event('scroll'))")
        frames(self.frame)
        texts = self.notebook.page.evaluate("written")
        above = [(x, text) for text, x, y, _ in texts if y < 16]
        return [text for _, text in sorted(above)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dates_of_a_saved_grid(open_page, scheme):
    recording = series()
    widget = lw.CellGrid(recording, signal="cell_state", cell=2, timestep=100)
    saved = open_page(widget, scheme=scheme, before=WRITTEN)
    grid = Timed(saved, 0, recording)
    grid.says(2, 100, "2016-01-09")
    ruler = grid.ruler()
    assert ruler[0] == "2015"
    months = iter(f"{day:%b}" for day in pd.date_range("2015-10-01", "2016-11-01", freq="MS"))
    # In this order; January has its year, or gave way to the day that is selected beside it.
    others = [text for text in ruler[1:] if text not in ("2016-01-09", "2016")]
    assert all(text in months for text in others), ruler
    assert "2016-01-09" in ruler
    assert len(others) >= 11

    # The slider speaks dates, and takes them.
    slider, box = grid.control("timestep"), grid.control("timestep number")
    expect(slider).to_have_attribute("aria-valuetext", "2016-01-09")
    expect(box).to_have_value("2016-01-09")
    slider.press("ArrowRight")
    grid.says(2, 101, "2016-01-10")
    for typed, timestep, when in (
        ("2016-04-12", 194, "2016-04-12"),
        ("2016-5", 213, "2016-05-01"),
        ("1990", 0, "2015-10-01"),
        ("2099-01-01", 399, "2016-11-03"),
    ):
        box.fill(typed)
        expect(box).to_have_value(typed)
        box.press("Enter")
        grid.says(2, timestep, when)
        expect(slider).to_have_attribute("aria-valuetext", when)
        expect(box).to_have_value(when)
    box.fill("soon")
    box.press("Enter")
    expect(box).to_have_value("2016-11-03")
    box.press("ArrowDown")
    grid.says(2, 398, "2016-11-02")
    grid.frame.press("ArrowLeft")
    grid.says(2, 397, "2016-11-01")
    # Close to, days stand there.
    for _ in range(8):
        grid.frame.press("+")
    grid.frame.press("ArrowLeft")
    assert "2016-10-31" in grid.ruler()
    assert any(re.fullmatch(r"\d+ (Oct|Nov)", text) for text in grid.ruler())
    expect(grid.root.locator(".lw-overview span")).to_have_text("2015–2016")


#: The colours of the first two channels, and of paper.
CHANNELS = {
    "light": ((11, 98, 196), (180, 73, 15), (255, 255, 255)),
    "dark": ((108, 176, 255), (255, 157, 102), (17, 20, 23)),
}
RULER, PITCH, EDGE, GUTTER = 20, 26, 3, 84


def found(image, x, y, colour):
    """Tell whether a line of a colour passes within a pixel of a place."""
    part = image[max(0, y - 1) : y + 2, x - 1 : x + 2, :3].astype(int)
    return bool((np.abs(part - colour).max(axis=-1) < 90).any())


@pytest.mark.parametrize("make", [lw.CellGrid, lw.GateInspector])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_channels_are_lines_above_the_columns(open_page, scheme, make):
    recording = series()
    saved = open_page(make(recording, signal="cell_state", cell=2, timestep=3), scheme=scheme)
    within = "lw-grid" if make is lw.CellGrid else "lw-gates"
    grid = Timed(saved, 0, recording, within=within)
    read = recording.inputs[0].to_numpy()
    values = [
        f"rain {number(float(read[3, 0]))} mm/day",
        f"temperature {number(float(read[3, 1]))} °C",
    ]
    grid.says(2, 3, "2015-10-04")
    expect(grid.status).to_contain_text(" · ".join(values))
    saved.page.mouse.move(2, 2)
    image = picture(grid.canvas)
    *hues, paper = CHANNELS[scheme]
    width = 2.0 if make is lw.CellGrid else 6.0
    if make is lw.CellGrid:
        width = max(width, (grid.frame.evaluate("e => e.scrollWidth") - GUTTER) / 400)
    for channel, hue in enumerate(hues):
        line = read[:, channel]
        low, high = np.nanmin(line), np.nanmax(line)
        floor = RULER + (channel + 1) * PITCH - EDGE - 0.5
        for timestep in (10, 25, 60, 100, 150):
            value = line[timestep]
            y = floor - (value - low) / (high - low) * (PITCH - 2 * EDGE - 1)
            x = GUTTER + (timestep + 0.5) * width
            assert found(image, int(x), int(y), hue), (channel, timestep)
    # What is missing is a gap, from the 30th to the 39th.
    gap = image[RULER + 1 : RULER + PITCH - 2, int(GUTTER + 31 * width) : int(GUTTER + 38 * width)]
    assert (np.abs(gap[..., :3].astype(int) - paper).max(axis=-1) < 30).all()


def test_a_span_of_days_is_chosen_on_the_ruler(open_page):
    recording = series()
    saved = open_page(lw.CellGrid(recording, signal="cell_state", cell=1))
    grid = Timed(saved, 0, recording)
    box = grid.frame.bounding_box()
    width = grid.frame.evaluate("e => e.scrollWidth - 84") / 400
    timesteps = [34, 82]
    at = [box["x"] + 84 + width * (column + 0.5) for column in timesteps]
    mouse = saved.page.mouse
    mouse.move(at[0], box["y"] + 8)
    mouse.down()
    mouse.move(at[1], box["y"] + 8, steps=4)
    mouse.up()
    day = pd.Timestamp("2015-10-01") + pd.Timedelta(days=timesteps[1])
    grid.says(1, timesteps[1], f"{day:%Y-%m-%d}")


def test_numbers_and_zones(open_page):
    hours = pd.date_range("2023-10-28 20:00", periods=60, freq="h", tz="Europe/Berlin")
    recording = series(hours, timesteps=60)
    saved = open_page(lw.CellGrid(recording, signal="cell_state", timestep=30))
    grid = Timed(saved, 0, recording)
    grid.says(0, 30, "2023-10-30 01:00 +01:00")
    expect(grid.root.locator(".lw-about")).to_contain_text("Europe/Berlin")
    grid.control("timestep number").fill("2023-10-29 01:00")
    grid.control("timestep number").press("Enter")
    grid.says(0, 5, "2023-10-29 01:00 +02:00")

    recording = series(np.arange(60) / 4, timesteps=60)
    saved = open_page(lw.CellGrid(recording, signal="cell_state", timestep=30))
    grid = Timed(saved, 0, recording)
    grid.says(0, 30, "time 7.50")
    grid.control("timestep number").fill("3.2")
    grid.control("timestep number").press("Enter")
    grid.says(0, 13, "time 3.25")


def test_a_long_series_without_order_asks_for_its_times(open_notebook):
    make = (
        "rng = np.random.default_rng(1)\n"
        "days = np.datetime64('2001-01-01', 's') + np.cumsum(rng.integers(3600, 90000, 30_000))\n"
        "recording = series(days, timesteps=30_000, cells=24)\n"
        "grid = lw.CellGrid(recording, signal='cell_state', timestep=20_000)\ngrid"
    )
    notebook = open_notebook([SETUP, make])
    notebook.run_all()
    rng = np.random.default_rng(1)
    days = np.datetime64("2001-01-01", "s") + np.cumsum(rng.integers(3600, 90000, 30_000))
    grid = Timed(notebook, 1, series(days, timesteps=30_000, cells=24))
    assert notebook.kernel.value("len(grid._whole)") == 0
    grid.says(0, 20_000, str(days[20_000]).replace("T", " "))
    box = grid.control("timestep number")
    box.fill("2015-06-01")
    box.press("Enter")
    nearest = int(np.abs(days - np.datetime64("2015-06-01")).argmin())
    eventually(lambda: grid.get("timestep"), nearest)
    grid.says(0, nearest, str(days[nearest]).replace("T", " "))
    assert notebook.errors == []
    assert notebook.outside == []


def test_a_numeric_concept_is_a_scatter(open_page):
    recording = series(timesteps=1500)
    warm = recording.inputs.sel(channel="temperature").to_numpy()
    finder = lw.CellFinder(recording, {"temperature": warm}, signal="cell_state", row=0)
    points = finder.evidence(0).scatter
    saved = open_page(finder)
    card = saved.page.locator(".lw-card")
    picture = card.locator(".lw-scatter svg")
    expect(picture).to_have_attribute(
        "aria-label", re.compile(rf"over temperature from .* at {points.counts.sum()} timesteps$")
    )
    squares = picture.evaluate(
        "e => [...e.querySelectorAll('.lw-point')].flatMap(p => p.getAttribute('d').match(/M/g) ?? [])"
    )
    assert len(squares) == np.count_nonzero(points.counts)
    expect(card.locator("path.lw-with")).to_have_count(0)
    # Where to look, and when that was.
    times = recording["lstm"].time.to_numpy()
    peaks = [str(times[passage.peak])[:10] for passage in finder.evidence(0).passages]
    expect(card.locator(".lw-when")).to_have_text(peaks)


def test_explorer_has_lines_in_the_place_of_the_text(open_page):
    recording = series()
    warm = recording.inputs.sel(channel="temperature").to_numpy()
    widget = lw.Explorer(
        recording, signal="cell_state", cell=2, timestep=100, tracks={"warm": warm}
    )
    saved = open_page(widget)
    grid = Timed(saved, 0, recording)
    expect(grid.root.locator(".lw-text")).to_have_count(0)
    lines = grid.root.locator(".lw-series")
    grid.says(2, 100, "2016-01-09")
    # The channels stand above the grid, not once more in the other panes.
    boxes = grid.root.locator(".lw-series-lines label")
    expect(boxes).to_have_text(["rain", "temperature", "warm"])
    assert [box.locator("input").is_checked() for box in boxes.all()] == [False, False, True]
    lines.press("ArrowRight")
    grid.says(2, 101, "2016-01-10")
    lines.press("ArrowDown")
    grid.says(3, 101, "2016-01-10")
    # What the pointer rests on is read out, of the cell that is selected.
    lines.hover(position={"x": 300, "y": 60})
    expect(grid.status).to_have_class(re.compile("lw-hovered"))
    expect(grid.status).not_to_contain_text("2016-01-10")
    expect(grid.status).to_contain_text(re.compile(r"cell 3 · \d{4}-\d\d-\d\d · cell_state"))
    # The date that is selected is in view in the gates, too.
    box = grid.root.locator(".lw-gates")

    def in_view():
        left, width = box.evaluate("e => [e.scrollLeft, e.clientWidth]")
        return left <= 101 * 6 <= left + width - GUTTER - 6

    eventually(in_view, True)


def test_explorer_of_a_text_has_its_text(open_page):
    saved = open_page(lw.Explorer(recordings.sums()))
    root = saved.page.locator(".lw")
    expect(root.locator(".lw-text")).to_have_count(1)
    expect(root.locator(".lw-series")).to_have_count(0)
