"""Hosts that echo, hand over bytes in other forms, draw in a shadow root, or bring one trait after the other."""

from __future__ import annotations

import base64
import re

import dependencies
import numpy as np
import pytest
import recordings
import relevances
import xarray as xr
from ipywidgets.embed import embed_data
from lab import eventually
from playwright.sync_api import expect

import lstm_widgets as lw


def late():
    """Few predictions, far into a long text."""
    read = np.arange(1200, 123_456)
    values = np.ones((1, 3, len(read)), np.float32)
    coords = {"example": [0], "timestep": [1200, 3050, 123_455], "input_timestep": read}
    return xr.DataArray(
        values, coords, dims=("example", "timestep", "input_timestep"), attrs={"of": "logit"}
    )


MAKE = {
    "CellGrid": lambda: lw.CellGrid(recordings.prose(), tracks=[lw.concepts.vowel]),
    "TextHeatmap": lambda: lw.TextHeatmap(recordings.guessed(), guesses=True),
    "ExampleGrid": lambda: lw.ExampleGrid(recordings.sums()),
    "GateInspector": lambda: lw.GateInspector(recordings.gates("LSTM")),
    "SeriesPlot": lambda: lw.SeriesPlot(recordings.rivers()),
    "StateSpace": lambda: lw.StateSpace(recordings.sums()),
    "Explorer": lambda: lw.Explorer(recordings.prose()),
    "RelevanceHeatmap": lambda: lw.RelevanceHeatmap(relevances.sentences()),
    "DependencyHeatmap": lambda: lw.DependencyHeatmap(dependencies.two()),
}
MAKE["LateDependency"] = lambda: lw.DependencyHeatmap(late())
#: A picture of every canvas, to compare.
PIXELS = """root => [...root.querySelectorAll("canvas")].map((canvas) => {
  if (!canvas.width || !canvas.height) return "";
  return canvas.toDataURL();
})"""


@pytest.mark.parametrize("name", [name for name in MAKE if name != "LateDependency"])
def test_a_widget_is_the_same_in_any_host(open_host, name):
    widget = MAKE[name]()
    host = open_host()
    plain = host.mount(widget, echo=False).shown()
    pictures = []
    for form, shadow in [("base64", True), ("array", False), ("buffer", True)]:
        other = host.mount(widget, form=form, shadow=shadow).shown()
        other.root.locator("[role=application]").first.focus()
        before = other.get("timestep")
        key, after = ("ArrowRight", before + 1) if before == 0 else ("ArrowLeft", before - 1)
        host.page.keyboard.press(key)
        eventually(lambda other=other: other.get("timestep"), after)
        plain.set(timestep=after)
        assert other.evaluate("return model.most;") <= 4
        assert other.paints
        assert plain.paints
        pictures.append(other.root.evaluate(PIXELS) == plain.root.evaluate(PIXELS))
        plain.set(timestep=before)
        # What is said of a change that is none is no change.
        paints = other.paints
        other.set(timestep=after, palette="auto")
        assert other.paints == paints
        other.evaluate("one.cleanup(); one.stop();")
        assert other.evaluate("return model.listeners();") == 0
    assert pictures == [True] * 3


def test_what_is_written_stays_as_it_is_written_in_a_shadow_root(open_host):
    one = open_host().mount(MAKE["CellGrid"](), shadow=True).shown()
    box = one.control("timestep number")
    box.focus()
    box.fill("")
    one.set(cell=3)
    frames = one.paints
    assert frames
    expect(box).to_have_value("")
    box.press_sequentially("41")
    eventually(lambda: one.get("timestep"), 41)


def test_a_number_is_what_is_typed_not_what_its_beginning_is(open_host):
    one = open_host().mount(MAKE["LateDependency"]()).shown()
    box = one.control("timestep number")
    low, high = int(box.get_attribute("min")), int(box.get_attribute("max"))
    assert (low, high) == (1200, 123_455)
    box.focus()
    for typed, then in [("3050", 3050), ("123455", 123_455), ("1300", 1300)]:
        box.fill("")
        for i, digit in enumerate(typed, 1):
            before = one.get("timestep")
            box.press_sequentially(digit)
            assert one.paints
            expect(box).to_have_value(typed[:i])
            outside = not low <= int(typed[:i]) <= high
            eventually(lambda: one.get("timestep"), before if outside else int(typed[:i]))
        eventually(lambda: one.get("timestep"), then)
        # All of it is seen: what the box has to scroll is what it has room for.
        assert box.evaluate("e => e.scrollWidth <= e.clientWidth")
    # What can't be meant becomes the nearest that can, once it is written.
    box.fill("7")
    assert one.paints
    assert one.get("timestep") == 1300
    box.press("Enter")
    eventually(lambda: one.get("timestep"), low)
    expect(box).to_have_value(str(low))
    box.fill("")
    box.blur()
    expect(box).to_have_value(str(low))
    # What comes from elsewhere is shown, whatever was begun.
    box.fill("1")
    one.set(timestep=1400)
    expect(box).to_have_value("1400")


def test_a_pane_that_fails_leaves_the_others_and_is_told(open_host):
    host = open_host()
    one = host.mount(MAKE["Explorer"]()).shown()
    assert one.root.locator(".lw-notice").text_content() == ""
    host.page.evaluate(
        """() => {
          const { getContext } = HTMLCanvasElement.prototype;
          HTMLCanvasElement.prototype.getContext = function (...all) {
            if (globalThis.broken && this.closest(".lw-text")) throw new Error("no ink");
            return getContext.apply(this, all);
          };
          globalThis.broken = true;
        }"""
    )
    one.set(timestep=5)
    expect(one.root.locator(".lw-notice")).to_contain_text("no ink")
    expect(one.root.locator(".lw-status")).to_contain_text("t=5")
    grid = one.root.locator(".lw-grid")
    grid.focus()
    host.page.keyboard.press("ArrowRight")
    eventually(lambda: one.get("timestep"), 6)
    expect(one.root.locator(".lw-status")).to_contain_text("t=6")
    assert host.errors
    assert all("no ink" in error for error in host.errors)
    host.errors.clear()
    host.page.evaluate("globalThis.broken = false")
    one.set(timestep=7)
    expect(one.root.locator(".lw-notice")).to_have_text("")


def test_a_widget_within_another_comes_from_the_host(open_host):
    sentences = relevances.sentences()
    widget = lw.RelevanceHeatmap(
        sentences, recording=relevances.recorded(sentences), exploring=True
    )
    host = open_host("<body style='background: #111'></body>")
    host.mount(widget.explorer, into=None)
    one = host.mount(widget, shadow=True).shown()
    explorer = one.root.locator(".lw-inner .lw-explorer")
    expect(explorer).to_have_attribute("data-paints", re.compile(r"\d"))
    expect(explorer).to_have_attribute("data-theme", "dark")
    # Its style sheet has come with it.
    assert (
        explorer.locator(".lw-pinned").first.evaluate("e => getComputedStyle(e).position")
        == "sticky"
    )
    one.evaluate("one.cleanup()")
    expect(explorer).to_have_count(0)


@pytest.mark.parametrize("name", ["Explorer", "RelevanceHeatmap", "TextHeatmap"])
def test_another_size_is_drawn_without_a_loop(open_host, name):
    """An observer of sizes that changes one is an error of the page, which `OddHost` keeps."""
    host = open_host()
    one = host.mount(MAKE[name](), shadow=True).shown()
    for width in (700, 1280, 420, 900):
        host.page.set_viewport_size({"width": width, "height": 800})
        canvas = one.root.locator("[role=application] canvas").first
        eventually(lambda: canvas.evaluate("e => e.clientWidth > innerWidth"), False)  # noqa: B023
        assert one.paints
    assert host.errors == []


def test_another_ratio_of_pixels_paints_anew(open_host):
    host = open_host("<body><div id=here style='width: 900px'></div></body>")
    one = host.mount(MAKE["Explorer"](), into="#here").shown()
    canvas = one.root.locator(".lw-grid canvas").first
    width = canvas.evaluate("e => e.width")
    browser = host.page.context.new_cdp_session(host.page)
    for ratio in (2, 1):
        # The page's size has to change as well, or Chromium tells nobody; not that of the widget.
        metrics = {"width": 1280 + ratio, "height": 900, "deviceScaleFactor": ratio}
        metrics["mobile"] = False
        browser.send("Emulation.setDeviceMetricsOverride", metrics)
        eventually(lambda: host.page.evaluate("devicePixelRatio"), ratio)
        eventually(lambda: canvas.evaluate("e => e.width"), ratio * width)
        drawn = (
            "root => [...root.querySelectorAll('canvas')].filter((e) => e.clientWidth > 0)"
            ".map((e) => Math.round(10 * e.width / e.clientWidth) / 10)"
        )
        eventually(lambda: set(one.root.evaluate(drawn)), {float(ratio)})  # noqa: B023


def test_a_span_that_is_dragged_leaves_no_listener(open_host):
    host = open_host()
    host.page.evaluate(
        """() => {
          globalThis.listening = new Map();
          const { addEventListener, removeEventListener } = EventTarget.prototype;
          EventTarget.prototype.addEventListener = function (type, call, options) {
            const change = (step) => listening.set(type, (listening.get(type) ?? 0) + step);
            change(1);
            options?.signal?.addEventListener?.("abort", () => change(-1));
            return addEventListener.call(this, type, call, options);
          };
        }"""
    )
    one = host.mount(MAKE["CellGrid"]()).shown()
    count = (
        "() => [...listening].filter(([type, count]) => count && type.startsWith('pointer')).sort()"
    )
    box = one.root.locator(".lw-grid").bounding_box()

    def drag():
        host.page.mouse.move(box["x"] + 150, box["y"] + 30)
        host.page.mouse.down()
        host.page.mouse.move(box["x"] + 220, box["y"] + 30, steps=3)
        host.page.mouse.up()
        return host.page.evaluate(count)

    after = drag()
    eventually(lambda: one.get("span") is not None, True)
    assert [drag(), drag()] == [after, after]


@pytest.mark.parametrize("name", ["CellGrid", "RelevanceHeatmap", "DependencyHeatmap"])
def test_what_ipywidgets_embeds_is_enough(open_host, name):
    widget = MAKE[name]()
    held = embed_data([widget])["manager_state"]["state"][widget.model_id]
    buffers = {entry["path"][0]: base64.b64decode(entry["data"]) for entry in held["buffers"]}
    one = open_host().mount(widget, state={**held["state"], **buffers}).shown()
    one.root.locator("[role=application]").first.focus()
    before = one.get("timestep")
    one.page.keyboard.press("ArrowLeft" if before else "ArrowRight")
    eventually(lambda: one.get("timestep"), before - 1 if before else 1)
    expect(one.root.locator(".lw-notice")).to_have_text("")
