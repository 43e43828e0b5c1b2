"""Saved pages in a Chromium without a network: they look and act as the widget does in a notebook."""

from __future__ import annotations

import re

import numpy as np
import pytest
import recordings
from expected import Look, frames, picture
from lab import eventually
from playwright.sync_api import expect
from test_cell_grid import Sums
from test_example_grid import Examples
from test_gate_inspector import Gates
from test_text_heatmap import Text
from widget_page import number

import lstm_widgets as lw
from lstm_widgets.recording import RecordedPredictions
from lstm_widgets.widgets.page import export

PAPER = {"light": (255, 255, 255), "dark": (17, 20, 23)}


class SavedSums(Sums):
    paper = PAPER["light"]

    def says(self, cell, example, timestep, *, layer="lstm", signal="hidden_state"):
        dataset = self.recording[layer]
        value = float(dataset[signal].values[example, timestep, cell])
        token = dataset["token"].values[example, timestep]
        expect(self.status).to_have_text(
            re.compile(
                rf"^{layer} · cell {cell} · example {example} .* · t={timestep} '{re.escape(token)}' · "
                rf"{signal} {value:.4f}".replace("-", "−")
            )
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cell_grid(open_page, scheme):
    recording = recordings.sums()
    saved = open_page(lw.CellGrid(recording, cell=22, example=3, timestep=1), scheme=scheme)
    grid = SavedSums(saved, 0, recording)
    expect(grid.root).to_have_attribute("data-theme", scheme)
    palette = {"light": "RdBu_r", "dark": "berlin"}[scheme]
    assert tuple(picture(grid.canvas)[2, 2]) == PAPER[scheme]
    grid.check(Look(palette=palette))
    grid.says(22, 3, 1)

    # Sliders, keys and the pointer.
    grid.control("cell").press("ArrowRight")
    grid.says(23, 3, 1)
    grid.control("timestep number").fill("0")
    grid.says(23, 3, 0)
    for key, cell, example, timestep in (
        ("ArrowDown", 24, 3, 0),
        ("ArrowLeft", 24, 2, 4),
        ("End", 24, 2, 4),
        ("Control+Home", 0, 0, 0),
        ("ArrowRight", 0, 0, 1),
    ):
        grid.frame.press(key)
        grid.says(cell, example, timestep)
    columns, rows, x, y = grid.in_view()
    grid.click(int(x[12]) + 7, int(y[5]) + 7)
    grid.says(rows[5], *divmod(columns[12], 5))
    saved.page.mouse.move(2, 2)

    # What the page shows is computed in it.
    grid.control("threshold number").fill("0.4")
    grid.check(Look(palette=palette, threshold=0.4, background=PAPER[scheme]))
    grid.control("threshold number").fill("0")
    grid.control("palette").select_option("blue_white_red_20")
    grid.control("scale").select_option("sigmoid")
    grid.check(Look(palette="blue_white_red_20", scale="sigmoid"))
    grid.control("scale").select_option("layer")
    grid.control("palette").select_option("auto")
    grid.control("signal").select_option("forget_gate")
    grid.check(Look(palette="cividis", gate=True), signal="forget_gate")
    grid.control("sort by").select_option("mean_magnitude")
    values, mask = (recording["lstm"][name].values for name in ("forget_gate", "mask"))
    order = np.argsort(-np.abs(values[mask]).mean(axis=0), kind="stable")
    grid.check(Look(palette="cividis", gate=True), signal="forget_gate", order=order)
    grid.control("layer").select_option("lstm_1")
    expect(grid.status).to_have_text(re.compile(r"^lstm_1 · cell 5 · .* · forget_gate 0\.\d{4}$"))
    expect(grid.notice).to_be_empty()

    assert saved.page.locator("h1").inner_text() == "Cell grid: lstm"
    wide = "() => [document.documentElement.scrollWidth, innerWidth]"
    scrolled, width = saved.page.evaluate(wide)
    assert scrolled <= width


def test_the_scheme_may_change(open_page):
    recording = recordings.sums()
    grid = SavedSums(open_page(lw.CellGrid(recording)), 0, recording)
    grid.check(Look())
    for scheme, palette in (("dark", "berlin"), ("light", "RdBu_r")):
        grid.notebook.page.emulate_media(color_scheme=scheme)
        expect(grid.root).to_have_attribute("data-theme", scheme)
        grid.check(Look(palette=palette))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_example_grid(open_page, scheme):
    widget = lw.ExampleGrid(recordings.sums(), layer="lstm_1", cell=4, example=2, timestep=1)
    saved = open_page(widget, scheme=scheme, title="Eight sums")
    grid = Examples(saved, 0)
    palette = {"light": "RdBu_r", "dark": "berlin"}[scheme]
    grid.check(Look(palette=palette), 4)
    grid.says(4, 2, 1)
    grid.frame.press("ArrowRight")
    grid.says(4, 3, 0)
    grid.click_token(7, 0)
    grid.says(4, 7, 0)
    grid.control("cell number").fill("9")
    grid.says(9, 7, 0)
    grid.control("sort by").select_option("value")
    saved.page.mouse.move(2, 2)
    values = grid.dataset["hidden_state"].values[:, 0, 9]
    grid.check(Look(palette=palette), 9, order=np.argsort(-values, kind="stable"))
    assert saved.page.title() == "Eight sums"


class SavedText(Text):
    def get(self, trait):
        assert trait == "timestep"
        return int(self.control("timestep number").input_value())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_heatmap(open_page, scheme):
    recording = recordings.prose()
    widget = lw.TextHeatmap(recording, cell=3, timestep=20, cells=(7,))
    saved = open_page(widget, scheme=scheme)
    text = SavedText(saved, 0, recording["lstm"])
    palette = {"light": "RdBu_r", "dark": "berlin"}[scheme]
    text.check(Look(palette=palette), 3, 7)
    text.says(3, 20)
    text.frame.press("ArrowRight")
    text.says(3, 21)
    text.frame.press("]")
    text.says(4, 21)
    text.check(Look(palette=palette), 4, 7)
    text.control("cell number").fill("7")
    text.says(7, 21)
    text.check(Look(palette=palette), 7)
    text.click_token(40)
    text.says(7, 40)
    saved.page.mouse.move(2, 2)
    text.control("marks").check()
    text.control("example").press("ArrowRight")
    text.says(7, 40, example=1)
    text.control("token").select_option("predict")
    text.check(Look(palette=palette), 7, example=1, shift=1)


def test_guesses_are_in_the_page(open_page):
    text = "ab" * 30
    rng = np.random.default_rng(1)
    layer = recordings.layer(
        "lstm", {"hidden_state": rng.uniform(-1, 1, (1, 60, 4))}, tokens=[text]
    )
    tokens = np.array([["a", "b"]] * 60, object)[None]
    guessed = RecordedPredictions(
        ids=np.tile(np.arange(2, dtype=np.int32), (1, 60, 1)),
        probabilities=np.tile(np.array([0.75, 0.25], np.float32), (1, 60, 1)),
        targets=None,
        tokens=tokens,
    )
    widget = lw.TextHeatmap(lw.Recording.from_layers([layer], predictions=guessed), guesses=True)
    saved = open_page(widget)
    items = saved.output(0).locator(".lw-guesses li")
    expect(items).to_have_text(["a 0.7500", "b 0.2500 ✓"])
    saved.output(0).locator(".lw-text").press("ArrowRight")
    expect(items).to_have_text(["a 0.7500 ✓", "b 0.2500"])


def test_a_part_of_a_large_recording(open_page, monkeypatch):
    recording = recordings.sums()
    size = 4 * 24 * 5 * 40
    for signals, limit in ((3, 3 * size), (1, size)):
        monkeypatch.setattr(export, "FILE_BYTES", limit)
        saved = open_page(lw.CellGrid(recording, signal="cell_state", cell=22, example=3))
        grid = SavedSums(saved, 0, recording)
        grid.check(Look(), signal="cell_state")
        layers = grid.control("layer").locator("option")
        assert layers.evaluate_all("all => all.map((o) => [o.value, o.disabled])") == [
            ["lstm", False],
            ["lstm_1", True],
        ]
        off = grid.control("signal").locator("option:disabled")
        assert off.all_inner_texts() == ([] if signals == 3 else ["hidden state", "forget gate"])
        about = saved.page.locator("#about")
        expect(about).to_contain_text("in the notebook: ")
        expect(about).to_contain_text("lstm_1 (hidden_state, cell_state, forget_gate)")


def test_a_recording_that_travels_in_tiles_is_whole_in_a_page(open_page):
    recording = recordings.long_text()
    saved = open_page(
        lw.CellGrid(recording, cell=recordings.SPIKE_CELL, timestep=31_110), exact=True
    )
    grid = SavedSums(saved, 0, recording)
    grid.frame.press("ArrowRight")
    expect(grid.status).to_have_text(
        re.compile(rf"^lstm · cell 40 · t={recordings.SPIKE_TIMESTEP} '.' · hidden_state −3\.0000$")
    )


def test_hostile_text_stays_text(open_page):
    for widget in (lw.CellGrid, lw.ExampleGrid):
        hostile = widget(recordings.hostile(), cell=1, example=1, timestep=1)
        saved = open_page(hostile, title="</title></h1><script>window.hacked = 1</script>")
        root = saved.output(0).locator(".lw")
        for name in recordings.HOSTILE:
            root.locator("[data-control='layer']").select_option(name)
            expect(root.locator(".lw-status")).to_have_text(re.compile(re.escape(f"{name} · cell")))
            frames(root)
        assert saved.page.evaluate("window.hacked") is None
        assert saved.page.locator("body").locator("img, b, iframe").count() == 0
        expect(saved.page.locator("h1")).to_contain_text("<script>window.hacked = 1</script>")


def test_what_cannot_be_opened_says_so(open_page):
    saved = open_page(lw.CellGrid(recordings.sums()), before="delete window.DecompressionStream")
    expect(saved.output(0)).to_have_text(
        re.compile("could not be opened: this browser is too old to unpack")
    )
    assert len(saved.errors) == 1
    saved.errors.clear()


def test_without_scripts_a_still_picture_is_shown(open_page):
    saved = open_page(lw.CellGrid(recordings.sums()), scripts=False)
    image = saved.page.locator("noscript img")
    expect(image).to_be_visible()
    eventually(lambda: image.bounding_box()["width"], 900)
    eventually(lambda: image.bounding_box()["height"] > 400, True)


def test_on_paper_the_picture_stands_without_its_controls(open_page):
    saved = open_page(lw.CellGrid(recordings.sums()))
    root = saved.output(0).locator(".lw")
    expect(root.locator(".lw-sliders")).to_be_visible()
    saved.page.emulate_media(media="print")
    expect(root.locator(".lw-sliders")).to_be_hidden()
    expect(root.locator("canvas").first).to_be_visible()
    expect(root.locator(".lw-status")).to_be_visible()


class SavedGates(Gates):
    paper = PAPER["light"]
    timestep = 9

    def get(self, trait):
        return {"signal": "hidden_state", "example": 0, "timestep": self.timestep}[trait]


def test_a_page_says_why_a_state_changed(open_page):
    recording = recordings.gates("LSTM")
    page = open_page(lw.GateInspector(recording, cell=3, timestep=9))
    gates = SavedGates(page, 1, recording)
    gates.paints_bars(3)
    gates.says(3, 0, 9)
    gates.frame.press("ArrowRight")
    gates.frame.press("ArrowDown")
    gates.timestep = 10
    gates.says(4, 0, 10)
    gates.paints_bars(4)


def test_a_page_of_one_signal_says_which_are_not_in_it(open_page, monkeypatch):
    recording = recordings.gates("LSTM")
    monkeypatch.setattr(export, "FILE_BYTES", 4 * 120 * 6)
    page = open_page(lw.GateInspector(recording, signal="cell_state", cell=3, timestep=9))
    state = recording["layer"].cell_state.values[0, :, 3]
    root = page.output(1).locator(".lw")
    expect(root.locator(".lw-gates-legend")).to_contain_text(
        "Not in this page: forget gate, input gate, candidate"
    )
    change = number(float(state[9]) - float(state[8]))
    expect(root.locator(".lw-gates-read .lw-gates-sum")).to_contain_text(change)


def test_rounded_numbers_are_marked(open_page):
    recording = recordings.gates("LSTM")
    saved = open_page(lw.Explorer(recording, cell=3, timestep=9), exact=False)
    root = saved.output(0).locator(".lw")
    at = recording["layer"].isel(example=0)
    shown = {"hidden_state": ".lw-status", "cell_state": ".lw-gates-values"}
    for signal, where in shown.items():
        row = at[signal].values[:, 3]
        said = root.locator(where)
        expect(said).to_contain_text("≈ ")
        words = signal if where == ".lw-status" else signal.replace("_", " ") + " c"
        (text,) = re.findall(rf"{words} ≈ (−?[\d.]+)", said.inner_text().replace("\n", " "))
        assert abs(float(text.replace("−", "-")) - row[9]) <= np.abs(row).max() / 252 + 1e-4
    # The change is that of the rounded states, and says so.
    expect(root.locator("div.lw-gates-sum")).to_contain_text(
        re.compile(r"i·g ≈ \(.* ≈ [+−]0\.\d{4}$")
    )
    expect(saved.page.locator("#about")).to_contain_text("Values marked ≈ are rounded")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_explorer(open_page, scheme):
    recording = recordings.gates("LSTM")
    saved = open_page(lw.Explorer(recording, cell=3, timestep=9), scheme=scheme)
    root = saved.output(0).locator(".lw")
    expect(root).to_have_attribute("data-theme", scheme)
    values = recording["layer"].isel(example=0)

    def says(cell, timestep):
        for signal, where in (("hidden_state", ".lw-status"), ("cell_state", ".lw-gates-values")):
            value = number(float(values[signal][timestep, cell]))
            expect(root.locator(where)).to_contain_text(value)
        expect(root.locator(".lw-status")).to_contain_text(f"cell {cell}")

    says(3, 9)
    root.locator(".lw-text").press("ArrowRight")
    says(3, 10)
    root.locator(".lw-grid").press("ArrowDown")
    says(4, 10)
    root.locator(".lw-gates").press("ArrowRight")
    says(4, 11)
    root.locator("[data-control='cell']").press("ArrowRight")
    says(5, 11)
    assert saved.page.locator("h1").inner_text() == "Explorer: layer"
    scrolled, width = saved.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert scrolled <= width
