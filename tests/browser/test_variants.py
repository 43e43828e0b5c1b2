"""Variants in a real JupyterLab, and in saved pages: a slider that plays, one scale, differences."""

from __future__ import annotations

import re

import numpy as np
import pytest
import recordings
from expected import Look, wrong
from lab import eventually
from playwright.sync_api import expect
from test_cell_grid import Sums
from widget_page import Widget, number

import lstm_widgets as lw

NAMES = tuple(f"epoch {i}" for i in range(4))
GRID = "several = epochs()\ngrid = lw.CellGrid(several, cell=22, example=3, timestep=1)\ngrid"
LONG = """several = epochs(long_text())
grid = lw.CellGrid(several, cell=7, timestep=120)
asked = []
grid.on_msg(lambda _widget, content, _buffers: asked.append(content))
grid"""


def values_of(variants, less=None, *, signal="hidden_state", layer="lstm"):
    """(variant, cell, column): what is shown of each, in float32."""
    every = np.stack([one[layer][signal].values for one in variants.values()])
    every = every.reshape(len(every), -1, every.shape[-1]).swapaxes(1, 2)
    return every if less is None else every - every[NAMES.index(less)]


class Examples(Widget):
    """Another widget beside it."""

    scrolling = ".lw-examples"


class Epochs(Sums):
    """The grid of ``epochs()``: of each variant on the scale of all of them."""

    def __init__(self, notebook, index, variants, **more):
        super().__init__(notebook, index, next(iter(variants.values())), **more)
        self.variants = variants

    def mistakes(self, look, *, variant, less=None, order=None):
        every = values_of(self.variants, less)
        values = every[NAMES.index(variant)]
        order = np.arange(40) if order is None else np.asarray(order)
        columns, rows, x, y = self.in_view(cells=len(order))
        assert len(columns) >= 10
        assert len(rows) >= 10
        keep = self.recording["lstm"]["mask"].values.reshape(-1)[columns]
        columns, x, cells = columns[keep], x[keep], order[rows]
        drawn = values[np.ix_(cells, columns)].astype(float)
        largest = np.abs(every).max(axis=(0, 2)).astype(float)
        low, high = look.colours(drawn, largest[cells, None], float(largest.max()))
        left, middle = np.broadcast_arrays(x[None, :] + 2, y[:, None] + 7)
        shape = (-1, 3)
        return wrong(
            self.canvas, left.ravel(), middle.ravel(), low.reshape(shape), high.reshape(shape)
        )

    def says(self, variant, value, *, less=None):
        who = f"{variant} minus {less}" if less else variant
        what = "hidden_state difference" if less else "hidden_state"
        expect(self.status).to_have_text(
            re.compile(rf"^{who} · lstm · cell \d+ · .* · {what} {re.escape(number(value))}$")
        )

    def value(self, variant, less=None):
        values = values_of(self.variants, less)[NAMES.index(variant)]
        return float(values[22, 3 * 5 + 1])


def test_the_slider_goes_through_variants_on_one_scale(show):
    variants = recordings.epochs()
    grid = Epochs(show(GRID), 1, variants)
    slider = grid.control("variant")
    expect(slider).to_have_attribute("aria-valuetext", "epoch 0")
    grid.check(Look(), variant="epoch 0")
    legend = grid.root.locator(".lw-legend").get_attribute("aria-label")
    for key, variant in (
        ("ArrowRight", "epoch 1"),
        ("End", "epoch 3"),
        ("ArrowLeft", "epoch 2"),
        ("Home", "epoch 0"),
    ):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", variant)
        expect(grid.control("variant name")).to_have_value(variant)
        grid.says(variant, grid.value(variant))
        grid.check(Look(), variant=variant)
        grid.becomes(variant=variant, cell=22, example=3, timestep=1)
    # Not the range of what is shown, but of all that can be.
    assert grid.root.locator(".lw-legend").get_attribute("aria-label") == legend
    largest = np.abs(values_of(variants)).max()
    assert f"{largest:.3g}" in legend
    grid.set(scale="cell")
    grid.check(Look(scale="cell"), variant="epoch 0")
    grid.control("variant name").select_option("epoch 1")
    grid.becomes(variant="epoch 1")
    grid.check(Look(scale="cell"), variant="epoch 1")
    grid.set(variant="epoch 3")
    grid.check(Look(scale="cell"), variant="epoch 3")
    expect(grid.root.locator(".lw-check")).to_have_text("✓ equals the layer to 4e-7")


def test_differences_are_read_out_as_numpy_has_them(show):
    variants = recordings.epochs()
    grid = Epochs(show(GRID), 1, variants)
    grid.control("variant").press("End")
    grid.control("difference to").select_option("epoch 1")
    grid.becomes(variant="epoch 3", difference="epoch 1")
    for variant in ("epoch 3", "epoch 2"):
        grid.set(variant=variant)
        grid.says(variant, grid.value(variant, "epoch 1"), less="epoch 1")
        grid.check(Look(), variant=variant, less="epoch 1")
    expect(grid.root.locator(".lw-legend")).to_contain_text("difference to epoch 1")
    # All digits of the number that the array has.
    full = float(grid.status.get_attribute("title"))
    assert np.float32(full) == np.float32(grid.value("epoch 2", "epoch 1"))
    # Also of a gate, which has no sign itself.
    grid.set(signal="forget_gate")
    every = values_of(variants, "epoch 1", signal="forget_gate")
    expect(grid.root.locator(".lw-legend")).to_contain_text(f"{np.abs(every).max():.3g}")
    grid.control("difference to").select_option("none")
    grid.becomes(difference="")
    expect(grid.root.locator(".lw-legend")).not_to_contain_text("difference")


def test_rows_keep_their_order(show):
    variants = recordings.epochs()
    grid = Epochs(show(GRID), 1, variants)
    real = next(iter(variants.values()))["lstm"]["mask"].values.reshape(-1)
    every = np.abs(values_of(variants)[..., real].astype(float)).mean(axis=2)
    order = np.argsort(-every.mean(axis=0), kind="stable")
    grid.control("sort by").select_option("mean_magnitude")
    for variant in ("epoch 0", "epoch 2"):
        grid.set(variant=variant)
        grid.check(Look(), variant=variant, order=order)
    # Nor does the view move, which was scrolled away from the selection.
    grid.scroll(260, 90)
    scrolled = grid.scrolled
    grid.control("variant").press("Home")
    grid.check(Look(), variant="epoch 0", order=order)
    assert grid.scrolled == scrolled


def played(page):
    """Note which variants go by from now on."""
    page.evaluate(
        """() => {
          window.seen = [];
          const range = document.querySelector("[data-control=variant]");
          new MutationObserver(() => window.seen.push(range.getAttribute("aria-valuetext")))
            .observe(range, { attributes: true, attributeFilter: ["aria-valuetext"] });
        }"""
    )


def seen(page):
    told = page.evaluate("() => window.seen")
    return [name for i, name in enumerate(told) if i == 0 or told[i - 1] != name]


def test_play_goes_through_all_and_stops(show):
    notebook = show(GRID)
    grid = Epochs(notebook, 1, recordings.epochs())
    play = grid.control("play")
    expect(play).to_have_attribute("aria-label", re.compile("^play"))
    played(notebook.page)
    play.press("Enter")
    expect(play).to_have_attribute("aria-label", re.compile("^stop"))
    eventually(lambda: seen(notebook.page), ["epoch 1", "epoch 2", "epoch 3"])
    expect(play).to_have_attribute("aria-label", re.compile("^play"))
    grid.becomes(variant="epoch 3")
    grid.says("epoch 3", grid.value("epoch 3"))
    # From the last on it begins anew; a hand on the slider ends it.
    played(notebook.page)
    play.press("Space")
    eventually(lambda: seen(notebook.page)[:2], ["epoch 0", "epoch 1"])
    grid.control("variant").press("End")
    expect(play).to_have_attribute("aria-label", re.compile("^play"))
    grid.becomes(variant="epoch 3")


def test_where_motion_is_to_be_little_play_is_a_step(show):
    notebook = show(GRID)
    grid = Epochs(notebook, 1, recordings.epochs())
    notebook.page.emulate_media(reduced_motion="reduce")
    play = grid.control("play")
    expect(play).to_have_attribute("aria-label", re.compile("^show the next variant"))
    for variant in ("epoch 1", "epoch 2", "epoch 3", "epoch 0"):
        play.click()
        expect(grid.control("variant")).to_have_attribute("aria-valuetext", variant)
        notebook.page.wait_for_timeout(300)
        expect(grid.control("variant")).to_have_attribute("aria-valuetext", variant)
    notebook.page.emulate_media(reduced_motion="no-preference")
    expect(play).to_have_attribute("aria-label", re.compile("^play"))


def test_the_row_is_reached_by_keys_and_speaks(show):
    notebook = show(GRID)
    grid = Epochs(notebook, 1, recordings.epochs())
    row = grid.root.get_by_role("group", name="variants", exact=True)
    expect(row).to_be_visible()
    keyboard = notebook.page.keyboard
    controls = (
        row.get_by_role("button", name="play: one variant after the other"),
        row.get_by_role("slider", name="variant", exact=True),
        row.get_by_role("combobox", name="variant, by its name"),
        row.get_by_role("combobox", name="difference to", exact=True),
    )
    controls[0].focus()
    for k, control in enumerate(controls):
        if k:
            keyboard.press("Tab")
        expect(control).to_be_focused()
        # Of the notebook: insert, delete and run cells, change what they are.
        before = notebook.state()
        for key in (*"bxddm0", "Shift+Enter", "Alt+Enter"):
            keyboard.press(key)
        assert notebook.state() == before, k
    grid.set(variant="epoch 0", difference="")
    controls[1].press("End")
    expect(grid.root.locator(".lw-spoken")).to_have_text(re.compile("^epoch 3 · "))
    expect(controls[1]).to_have_attribute("aria-valuetext", "epoch 3")
    controls[2].select_option("epoch 1")
    expect(grid.root.locator(".lw-spoken")).to_have_text(re.compile("^epoch 1 · "))
    controls[3].select_option("epoch 0")
    expect(grid.root.locator(".lw-spoken")).to_have_text(re.compile("^epoch 1 minus epoch 0 · "))


def test_of_a_long_text_tiles_come_for_each_variant(show):
    variants = recordings.epochs(recordings.long_text())
    notebook = show(LONG)
    grid = Epochs(notebook, 1, variants)
    for less in (None, "epoch 0"):
        every = values_of(variants, less)
        grid.set(difference=less or "")
        for variant in (*NAMES, "epoch 1"):
            grid.control("variant name").select_option(variant)
            grid.says(variant, float(every[NAMES.index(variant), 7, 120]), less=less)
            expect(grid.root).to_have_attribute("aria-busy", "false")
        expect(grid.root.locator(".lw-legend")).to_contain_text(f"{np.abs(every).max():.3g}")
    # What was shown is kept: it is there without an answer of the kernel's.
    asked = notebook.kernel.value("len(asked)")
    grid.control("variant name").select_option("epoch 2")
    grid.says("epoch 2", float(values_of(variants, "epoch 0")[2, 7, 120]), less="epoch 0")
    grid.becomes(variant="epoch 2")
    assert notebook.kernel.value("len(asked)") == asked
    expect(grid.notice).to_be_empty()


def test_two_widgets_are_linked_by_traits(show):
    notebook = show(
        "several = epochs()\ngrid = lw.CellGrid(several)\nother = lw.ExampleGrid(several)\n"
        "links = [ipywidgets.jslink((grid, t), (other, t)) for t in ('variant', 'difference')]\n"
        "ipywidgets.VBox([grid, other])"
    )
    grid = Epochs(notebook, 1, recordings.epochs())
    other = Examples(notebook, 1, name="other", nth=1)
    grid.control("variant").press("ArrowRight")
    expect(other.control("variant")).to_have_attribute("aria-valuetext", "epoch 1")
    other.control("difference to").select_option("epoch 3")
    expect(grid.control("difference to")).to_have_value("epoch 3")
    other.control("play").click()
    expect(grid.control("variant")).to_have_attribute("aria-valuetext", "epoch 3")
    grid.becomes(variant="epoch 3", difference="epoch 3")
    other.becomes(variant="epoch 3", difference="epoch 3")


def test_one_recording_has_no_slider(show):
    notebook = show("grid = lw.CellGrid(sums())\ngrid")
    grid = Sums(notebook, 1, recordings.sums())
    expect(grid.root.locator(".lw-variants")).to_be_hidden()
    expect(grid.status).to_have_text(re.compile("^lstm · cell 0"))


@pytest.mark.parametrize("exact", [True, False])
def test_a_saved_page_has_all_variants(open_page, exact):
    variants = recordings.epochs()
    widget = lw.CellGrid(variants, cell=22, example=3, timestep=1, variant="epoch 1")
    saved = open_page(widget, exact=exact)
    grid = Epochs(saved, 0, variants)
    near = "" if exact else "≈ "

    def says(variant, less=None):
        value = grid.value(variant, less)
        who = f"{variant} minus {less}" if less else variant
        expect(grid.status).to_have_text(
            re.compile(rf"^{who} · lstm · cell 22 · .* {near}[−\d.]+$")
        )
        read = float(grid.status.inner_text().rsplit(" ", 1)[1].replace("−", "-"))
        largest = np.abs(values_of(variants)[:, 22]).max()
        off = 5e-5 if exact else 2 * largest / 252 + 5e-5
        assert abs(read - value) <= off

    says("epoch 1")
    for key, variant in (("End", "epoch 3"), ("Home", "epoch 0"), ("ArrowRight", "epoch 1")):
        grid.control("variant").press(key)
        says(variant)
    grid.control("difference to").select_option("epoch 0")
    says("epoch 1", "epoch 0")
    grid.control("variant").press("End")
    says("epoch 3", "epoch 0")
    if exact:
        grid.check(Look(), variant="epoch 3", less="epoch 0")
    played(saved.page)
    grid.control("play").click()
    eventually(lambda: seen(saved.page), list(NAMES))
    expect(grid.notice).to_be_empty()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("Explorer", {"timestep": 20}),
        ("TextHeatmap", {"cells": (1, 2)}),
        ("GateInspector", {"timestep": 20}),
        ("ExampleGrid", {"sort": "value"}),
        ("CellGrid", {"sort": "similarity"}),
    ],
)
def test_every_widget_has_the_slider(open_page, kind, options):
    recording = recordings.written_signals()
    variants = recordings.epochs(recording)
    widget = getattr(lw, kind)(variants, cell=3, **options)
    saved = open_page(widget, exact=True)
    root = saved.page.locator(".lw").first
    at = options.get("timestep", 0)
    for less in ("", "epoch 2"):
        root.locator("[data-control='difference to']").select_option(less)
        for variant in NAMES:
            root.locator("[data-control='variant name']").select_option(variant)
            value = float(values_of(variants, less or None)[NAMES.index(variant), 3, at])
            expect(root.locator(".lw-status")).to_have_text(
                re.compile(rf"{re.escape(number(value))}$")
            )
            expect(root.locator(".lw-status")).to_have_text(re.compile(rf"^{variant}"))
    expect(root.locator(".lw-notice")).to_be_empty()
    if kind in ("Explorer", "GateInspector"):
        read = root.locator(".lw-gates-read")
        for signal in recording.signals("lstm"):
            value = float(values_of(variants, "epoch 2", signal=signal)[3, 3, at])
            expect(read).to_contain_text(number(value))
        expect(root.locator("div.lw-gates-sum")).to_be_empty()
        root.locator("[data-control='difference to']").select_option("")
        expect(root.locator("div.lw-gates-sum")).to_contain_text("Δc = ")


def test_lines_of_a_series_keep_their_heights(open_page):
    variants = recordings.epochs(recordings.rivers())
    saved = open_page(lw.SeriesPlot(variants, cell=1, timestep=800), exact=True)
    root = saved.page.locator(".lw").first
    states = [one["lstm"]["hidden_state"].values[0, 800, 1] for one in variants.values()]
    flows = [one.outputs.values[0, 800, 0] for one in variants.values()]
    for i, name in enumerate(NAMES):
        root.locator("[data-control='variant name']").select_option(name)
        status = root.locator(".lw-status")
        expect(status).to_contain_text(f"{name} · lstm · cell 1")
        expect(status).to_contain_text(f"hidden_state {number(float(states[i]))}")
        expect(status).to_contain_text(f"flow {number(float(flows[i]))}")
    root.locator("[data-control='difference to']").select_option("epoch 0")
    less = float(states[3] - states[0])
    expect(root.locator(".lw-status")).to_contain_text(f"hidden_state difference {number(less)}")
    expect(root.locator(".lw-status")).to_contain_text(f"flow {number(float(flows[3]))}")


#: Keeps what is written and filled on canvases, with its place.
DRAWN = """
window.drawn = [];
for (const name of ["fillText", "fillRect"]) {
  const draws = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...of) {
    window.drawn.push([name, ...of]);
    return draws.apply(this, of);
  };
}
"""


def test_what_stands_beside_lines_is_read_as_it_is_meant(open_page):
    """To what a difference is has room, and no line beside a number is read as its minus."""
    variants = recordings.epochs(recordings.rivers())
    widget = lw.SeriesPlot(variants, cell=1, timestep=800, variant="epoch 3", difference="epoch 0")
    saved = open_page(widget, before=DRAWN, exact=True)
    expect(saved.page.locator(".lw-status")).to_contain_text("epoch 3 minus epoch 0")
    drawn = saved.page.evaluate("window.drawn")
    assert "less epoch 0" in [call[1] for call in drawn if call[0] == "fillText"]
    said, should = (
        getattr(variants["epoch 3"], name).values[0, 800, 0] for name in ("outputs", "targets")
    )
    for value in (said, should):
        _, _, x, y, *_ = next(call for call in drawn if call[1] == number(float(value)))
        beside = [
            (width, height)
            for name, left, top, width, height in (c for c in drawn if len(c) == 5)
            if name == "fillRect" and x - 8 < left < x and top < y < top + height
        ]
        assert beside
        assert all(height > 2 * width for width, height in beside)


def test_on_a_small_screen_all_of_an_explorer_is_seen(open_page):
    """With the heading of its page, and the row that chooses among variants."""
    variants = recordings.epochs(recordings.written_signals())
    saved = open_page(lw.Explorer(variants, cell=3))
    saved.page.set_viewport_size({"width": 1280, "height": 800})
    root = saved.page.locator(".lw").first
    expect(root.locator(".lw-variants")).to_be_visible()
    expect(saved.page.locator("h1")).to_be_in_viewport(ratio=1)
    eventually(lambda: root.evaluate("e => e.getBoundingClientRect().bottom <= innerHeight"), True)
    eventually(lambda: root.evaluate("e => e.getBoundingClientRect().height") > 700, True)


def test_what_a_probe_reads_and_what_counted_are_the_variants_own(open_page):
    rivers = recordings.rivers()
    variants = recordings.epochs(rivers)
    shares = dict(zip(variants, (0.25, 0.5, 0.75, 1.0), strict=True))
    why = recordings.why_it_flows(rivers)
    every = {
        name: why.assign(relevance=why["relevance"] * np.float32(s)) for name, s in shares.items()
    }
    rain = {"rained": rivers.inputs.to_numpy()[..., 0]}
    probe = lw.probe(variants, rain, signal="hidden_state", shifts=0, folds=3)
    at = 800 - recordings.RAINED
    widget = lw.SeriesPlot(
        variants, relevance=every, tracks=rain, probe=probe, explained=800, timestep=at
    )
    root = open_page(widget, exact=True).page.locator(".lw").first
    legends = set()
    for name, share in shares.items():
        root.locator("[data-control='variant name']").select_option(name)
        status = root.locator(".lw-status")
        expect(status).to_contain_text(f"(relevance {number(3 * share)} mm)")
        read = float(np.float32(probe.prediction["rained"].sel(variant=name)[0, at]))
        expect(status).to_contain_text(f"read as {number(read)}")
        legends.add(root.locator(".lw-legend:visible").first.inner_text())
    (legend,) = legends
    assert "+3" in legend
