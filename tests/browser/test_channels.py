"""RelevanceHeatmap and DependencyHeatmap over series in a real JupyterLab: the end, dates, channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import series_explained
from expected import SPREAD, palette
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

#: A cell that makes what the test makes, too.
MADE = f"{Path(series_explained.__file__).read_text()}\nimport lstm_widgets as lw\n"
#: Lengths in the page, in pixels.
STRIP, APART, MARGIN, STEP = 15, 8, 6, 2


class Strips(Widget):
    """Channels as strips of colours."""

    scrolling = ".lw-rows"


class Boxes(Widget):
    """Timesteps as boxes, of the first channel."""

    scrolling = ".lw-text >> nth=0"


def day(timestep):
    return str(series_explained.DAYS[timestep].astype("M8[D]"))


def test_a_forecast_is_shown_from_its_end_channel_by_channel(show):
    notebook = show(f"{MADE}heat = lw.RelevanceHeatmap(relevance_of_a_series())\nheat")
    heat = Strips(notebook, 1, name="heat")
    values = series_explained.relevance_of_a_series()["relevance"].to_numpy()

    def says(example, timestep, channel, name):
        score = ["1.5000", "2.2500", "0.1250"][example]
        integrated, sensitivity = map(number, values[:, example, timestep, channel].tolist())
        expect(heat.status).to_have_text(
            f"example {example} · forecast {score} mm/d · {day(timestep)} · {name} · "
            f"integrated gradients {integrated} · sensitivity {sensitivity}"
        )

    says(0, 899, 0, "rain (mm)")
    # Of 900 timesteps those before the forecast are in view.
    most = heat.frame.evaluate("e => e.scrollWidth - e.clientWidth")
    assert most > 100
    eventually(lambda: abs(most - heat.scrolled[0]) <= 1, True)
    ticks = heat.root.locator(".lw-rows-head .lw-date")
    eventually(lambda: "2005" in " ".join(ticks.all_text_contents()), True)
    # The timesteps have the colours of their numbers.
    head = heat.root.locator(".lw-rows-head > span").nth(4)
    begin = round(head.bounding_box()["x"] - heat.frame.bounding_box()["x"])
    room = heat.size[0] - begin - 12
    steps = np.arange(899 - room // STEP + 3, 895, 7)
    for method, name in ((0, "RdBu_r"), (1, "Purples")):
        for channel in range(2):
            some = values[method, 0].astype(float)
            place = some[steps, channel] / np.abs(some).max()
            place = place / 2 + 0.5 if name == "RdBu_r" else place
            # A ramp of 1024 colours rounds the position.
            around = np.clip(np.stack([place + step / 1023 for step in (-1, 0, 1)]), 0, 1)
            found = palette(name, around)
            top = MARGIN + method * (2 * STRIP - 1 + APART) + channel * STRIP
            heat.paints(
                heat.canvas,
                begin + STEP * steps - heat.scrolled[0],
                np.full(len(steps), top + STRIP // 2),
                found.min(axis=0) - SPREAD[name],
                found.max(axis=0) + SPREAD[name],
            )
    heat.frame.focus()
    notebook.page.keyboard.press("c")
    heat.becomes(channel=1, timestep=899)
    says(0, 899, 1, "cold")
    notebook.page.keyboard.press("ArrowLeft")
    notebook.page.keyboard.press("ArrowDown")
    heat.becomes(example=1, timestep=898)
    says(1, 898, 1, "cold")
    notebook.page.keyboard.press("Home")
    heat.becomes(timestep=0)
    eventually(lambda: heat.scrolled[0], 0)
    heat.click(begin + STEP * 40 + 1, MARGIN + 7)
    heat.becomes(example=0, timestep=40, channel=0)
    says(0, 40, 0, "rain (mm)")


def test_dependency_of_a_series_tells_channels_dates_and_lags(show):
    notebook = show(f"{MADE}boxes = lw.DependencyHeatmap(dependency_of_a_series())\nboxes")
    boxes = Boxes(notebook, 1, name="boxes")
    values = series_explained.dependency_of_a_series()[0].to_numpy()

    def strongest(row, channel):
        lag = int(values[row, :, channel].argmax())
        at = 19 + row - lag
        when = day(at) if at >= 19 else f"t={at}"
        back = f"{lag} back" if lag else "just read"
        return f"{number(float(values[row, lag, channel]))} mm/d on {when} {back}"

    def says(row):
        expect(boxes.status).to_have_text(
            f"{day(19 + row)} · strongest: rain (mm) {strongest(row, 0)} · cold {strongest(row, 1)}"
        )

    says(29)
    captions = " ".join(boxes.root.locator(".lw-caption").all_text_contents())
    assert "from the timestep just read" in captions
    assert "token" not in captions
    boxes.set(timestep=30)
    says(11)
    boxes.frame.focus()
    notebook.page.keyboard.press("ArrowLeft")
    boxes.becomes(timestep=29, same_scale=True)
    says(10)
