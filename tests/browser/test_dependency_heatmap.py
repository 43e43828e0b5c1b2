"""DependencyHeatmap in a real JupyterLab, and saved as a page: its colours, its numbers, its keys."""

from __future__ import annotations

import re
from pathlib import Path

import dependencies
import matplotlib as mpl
import numpy as np
import pytest
from expected import drawn, frames, picture, resized, wrong
from lab import eventually
from playwright.sync_api import expect
from test_text_heatmap import wrapped
from widget_page import Saved, Widget, number

import lstm_widgets as lw
from lstm_widgets.colours import TABLE

SETUP = f"{Path(dependencies.__file__).read_text()}\nimport lstm_widgets as lw\n"
#: Lengths in the page, in pixels.
EDGE, TOP, ROW, PITCH, CHARACTER = 12, 6, 19, 24, 8
#: The dark palette, which is none of Matplotlib's.
DARK = mpl.colors.LinearSegmentedColormap.from_list(
    "Purples_dark", [f"#{stop}" for stop in TABLE["Purples_dark"]["colours"].split()], 1024
)
PAPER = {"light": (255, 255, 255), "dark": (17, 20, 23)}


class Texts(Widget):
    """The widget; `of` is one of its models, `array` what it shows."""

    scrolling = ".lw-text"

    def __init__(self, notebook, index, models, *, name="heat"):
        super().__init__(notebook, index, name=name)
        self.models = models if isinstance(models, dict) else {"": models}
        self.tokens = next(iter(self.models.values())).token.values
        self.panes = [self.root.locator(".lw-pane").nth(k) for k in range(len(self.models))]

    def text(self, k):
        return self.panes[k].locator(".lw-text")

    def caption(self, k):
        return self.panes[k].locator(".lw-caption").first

    def row(self, k, timestep, example=0):
        """The values of a prediction; None if it was not computed."""
        array = list(self.models.values())[k]
        if timestep not in array.timestep.values:
            return None
        return array.sel(timestep=timestep).values[example].astype(float)

    def places(self, k, *, example=0):
        width = self.text(k).evaluate("e => e.clientWidth")
        line, place = wrapped("".join(self.tokens[example]), width - 2 * EDGE).T
        top = self.text(k).evaluate("e => e.scrollTop")
        return EDGE + place * CHARACTER, TOP + line * PITCH - top

    def check(self, timestep, *, palette="Purples", shift=0, largest=None, log=False, example=0):
        """Compare all boxes of all models with what their values are drawn like."""
        self.notebook.page.mouse.move(3, 3)
        for k in range(len(self.models)):
            x, y = self.places(k, example=example)
            height = self.text(k).evaluate("e => e.clientHeight")
            row = self.row(k, timestep, example)
            values = np.full(len(x), np.nan) if row is None else row
            read = ~np.isnan(values) & (np.arange(len(x)) <= timestep)
            share = values / (largest or np.nanmax(values, initial=0))
            if log:
                with np.errstate(divide="ignore"):
                    share = np.clip(1 + np.log10(share) / 3, 0, 1)
            # The two frames cover a pixel of what stands beside them.
            near = np.abs(np.arange(len(x)) - timestep - shift) <= 1
            seen = (y >= 0) & (y + ROW <= height) & ~near & (np.array(self.tokens[example]) != "\n")
            assert (seen & read).sum() > 20 or row is None or timestep < 20
            colours = DARK if palette == DARK.name else mpl.colormaps[palette]
            ramp = 255 * colours(np.nan_to_num(share))[..., :3]
            future = seen & (np.arange(len(x)) > timestep)
            for chosen, low, high in (
                (seen & read, ramp - 7, ramp + 7),
                (future, *[np.broadcast_to(self.paper, ramp.shape)] * 2),
            ):
                # In the upper left corner of a box there is no letter.
                at = (x[chosen] + 1, y[chosen] + 1, low[chosen], high[chosen])
                eventually(lambda k=k, at=at: wrong(self.text(k).locator("canvas"), *at), [])

    def says(self, timestep, *, example=0, back=None):
        """The status line, with the exact numbers of all models."""
        text = self.tokens[example]
        quoted = lambda token: f"'{'⏎' if token == chr(10) else token}'"
        parts = []
        for k, name in enumerate(self.models):
            row = self.row(k, timestep, example)
            if row is None:
                said = "not computed"
            elif back is None:
                at = int(np.nanargmax(row))
                far = "just read" if at == timestep else f"{timestep - at} back"
                said = f"{number(row[at])} on {quoted(text[at])} {far}"
            elif back < 0 or np.isnan(row[timestep - back]):
                said = "not read"
            else:
                said = number(row[timestep - back])
            parts.append(f"{name} {said}".strip())
        where = "strongest"
        if back is not None:
            far = "just read" if back == 0 else f"{abs(back)} {'back' if back > 0 else 'ahead'}"
            where = f"on t={timestep - back} {quoted(text[timestep - back])} ({far})"
        start = f"example {example} · " if len(self.tokens) > 1 else ""
        following = f", next {quoted(text[timestep + 1])}" if timestep + 1 < len(text) else ""
        expect(self.status).to_have_text(
            f"{start}t={timestep} {quoted(text[timestep])}{following} · {where}: {' · '.join(parts)}"
        )

    def point(self, k, timestep, **options):
        x, y = self.places(k)
        place = {"x": float(x[timestep]) + 4, "y": float(y[timestep]) + 9}
        self.text(k).hover(position=place, **options)


@pytest.fixture
def shown(show):
    """Show a widget of some dependencies, made in the notebook by an expression."""

    def shown(models, options="", *, function):
        source = f"heat = lw.DependencyHeatmap({function}(){options})\nheat"
        return Texts(show(SETUP, source), 2, models)

    return shown


def test_slider_hover_and_keys_move_the_explained_prediction_of_both_models(shown):
    texts = shown(dependencies.two(), ", timestep=80", function="two")
    page = texts.notebook.page
    texts.check(80)
    texts.says(80)
    for k, name in enumerate(("LSTM", "SimpleRNN")):
        row = texts.row(k, 80)
        half = int(np.argmax(np.cumsum(row[80::-1]) >= row.sum() / 2)) + 1
        expect(texts.caption(k)).to_have_text(
            re.compile(
                rf"^{name} logit · strongest {re.escape(number(row.max()))} on .* · half of the "
                rf"sum within the last {'token' if half == 1 else f'{half} tokens'}$"
            )
        )

    texts.control("timestep").press("ArrowRight")
    texts.becomes(timestep=81)
    texts.says(81)
    texts.check(81)
    texts.control("timestep number").fill("120")
    texts.becomes(timestep=120)
    texts.check(120)

    # Pointing at a token explains the prediction there, for as long as one does.
    texts.point(1, 90)
    texts.says(90)
    expect(texts.status).to_have_class(re.compile("lw-hovered"))
    expect(texts.caption(0)).to_contain_text(number(texts.row(0, 90).max()))
    page.mouse.move(3, 3)
    texts.says(120)
    texts.becomes(timestep=120)

    last = len(dependencies.STORY) - 1
    x, y = texts.places(0)
    above = np.flatnonzero(y == y[-1] - PITCH)
    above = int(above[np.argmin(np.abs(x[above] - x[-1]))])
    for k, key, timestep in (
        (0, "ArrowLeft", 119),
        (1, "ArrowRight", 120),
        (1, "Control+Home", 0),
        (0, "Control+End", last),
        (0, "ArrowRight", last),
        (0, "ArrowUp", above),
    ):
        texts.text(k).press(key)
        texts.becomes(timestep=timestep)
        texts.says(timestep)
    # A click, and a drag.
    x, y = texts.places(0)
    texts.text(0).click(position={"x": float(x[40]) + 4, "y": float(y[40]) + 9})
    texts.becomes(timestep=40)
    box = texts.text(1).bounding_box()
    page.mouse.move(box["x"] + float(x[50]) + 4, box["y"] + float(y[50]) + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + float(x[64]) + 4, box["y"] + float(y[64]) + 9, steps=4)
    page.mouse.up()
    texts.becomes(timestep=64)
    texts.check(64)

    # A token whose number is read out.
    strongest = int(np.argmax(texts.row(0, 64)))
    texts.text(0).press("[")
    texts.becomes(input_timestep=strongest - 1)
    page.mouse.move(3, 3)
    texts.says(64, back=64 - strongest + 1)
    texts.text(0).press("]")
    texts.becomes(input_timestep=strongest)
    texts.text(0).press("Escape")
    texts.becomes(input_timestep=None)
    texts.set(hover="read")
    texts.point(0, 55)
    texts.says(64, back=9)
    texts.point(1, 70)
    texts.says(64, back=-6)
    page.mouse.move(3, 3)
    x, y = texts.places(0)
    place = {"x": float(x[30]) + 4, "y": float(y[30]) + 9}
    texts.text(0).click(position=place, modifiers=["Shift"])
    texts.becomes(input_timestep=30, timestep=64)
    page.mouse.move(3, 3)
    texts.says(64, back=34)


def test_scales_palettes_and_themes(shown):
    models = dependencies.two()
    texts = shown(models, ", timestep=80", function="two")
    each = [float(array.max()) for array in models.values()]
    row = max(float(np.nanmax(texts.row(k, 80))) for k in range(2))
    texts.control("same scale").check()
    texts.becomes(same_scale=True)
    texts.check(80, largest=row)
    legend = texts.root.locator(".lw-legend")
    expect(legend).to_have_text(f"0{row / 2:.3g}{row:.3g}")
    texts.control("scale").select_option("all")
    texts.becomes(scale="all")
    texts.check(80, largest=max(each))
    texts.control("same scale").uncheck()
    expect(legend).to_contain_text("÷ largest of the model")
    texts.control("scale").select_option("prediction")
    texts.control("log").check()
    texts.becomes(log_scale=True)
    texts.check(80, log=True)
    texts.control("log").uncheck()
    texts.control("palette").select_option("viridis")
    texts.check(80, palette="viridis")
    texts.control("palette").select_option("auto")

    # At the token that is predicted: it is framed, and not yet read.
    texts.control("token").select_option("predict")
    texts.becomes(align="predict")
    texts.check(80, shift=1)
    texts.point(0, 100)
    texts.says(99)

    texts.notebook.theme("dark")
    expect(texts.root).to_have_attribute("data-theme", "dark")
    texts.check(80, palette="Purples_dark", shift=1)
    inside = "e => [e.scrollWidth <= e.clientWidth, e.getBoundingClientRect().width <= innerWidth]"
    for width in (900, 1280, 1920):
        resized(texts.root, width)
        eventually(lambda: texts.root.evaluate(inside), [True, True])
    texts.check(80, palette="Purples_dark", shift=1)


def test_what_was_not_computed_not_read_or_not_yet_read_is_seen_to_be(shown):
    texts = shown(dependencies.some(), ", timestep=65", function="some")
    canvas = texts.text(0).locator("canvas")
    texts.check(65)
    x, y = texts.places(0)
    frames(texts.text(0))
    image = picture(canvas).astype(int)
    # Before its window: dots. Those that were computed are underlined.
    before = image[y[10] : y[10] + ROW, x[10] : x[10] + CHARACTER * 10].reshape(-1, 3)
    assert len(np.unique(before, axis=0)) > 2
    under = image[y[:180] + ROW + 1, x[:180] + 3]
    at = np.flatnonzero((under != 255).any(axis=1))
    near = {64, 65, 66}
    assert set(at) - near == ({*range(60, 70), 150} - near)
    expect(texts.root.locator(".lw-about")).to_contain_text("11 predictions, underlined")

    # The slider and the keys go from one to the next that was computed.
    for control, key, timestep in (
        (texts.control("timestep"), "ArrowRight", 66),
        (texts.text(0), "Control+Home", 60),
        (texts.text(0), "ArrowLeft", 60),
        (texts.control("timestep"), "End", 150),
        (texts.text(1), "ArrowLeft", 69),
        (texts.control("timestep"), "ArrowRight", 150),
    ):
        control.press(key)
        texts.becomes(timestep=timestep)
    texts.check(150)
    # Who asks for another one is told.
    texts.control("timestep number").fill("100")
    texts.becomes(timestep=100)
    texts.says(100)
    expect(texts.caption(0)).to_have_text(
        "LSTM no dependency was computed for the prediction after t=100"
    )
    texts.check(100)
    # In the picture of all predictions, one below the other is further back.
    strip = texts.panes[0].locator(".lw-strip canvas")
    expect(texts.panes[0].locator(".lw-strip-ends")).to_have_text("just read39 back")
    strip.hover(position={"x": 10 * 14 + 7, "y": 2.5})
    texts.says(150, back=2)
    strip.click(position={"x": 3 * 14 + 7, "y": 5.5})
    texts.becomes(timestep=63)


def test_what_is_large_comes_when_one_looks(shown):
    array = dependencies.long()
    texts = shown(array, function="long")
    assert texts.notebook.kernel.value("len(heat._whole)") == 0
    eventually(lambda: texts.status.text_content().startswith("t=1998 "), True)
    texts.says(1998)
    texts.check(1998)
    texts.text(0).press("ArrowLeft")
    texts.says(1996)
    texts.check(1996)
    # Where lines are wrapped anew, what is explained stays in view.
    resized(texts.root, 900)
    texts.check(1996)
    texts.text(0).press("Control+Home")
    texts.becomes(timestep=200)
    texts.says(200)
    texts.check(200)
    strip = texts.root.locator(".lw-strip canvas")
    strip.hover(position={"x": 5, "y": 3.5})
    expect(texts.status).to_have_text(re.compile(r"\(3 back\): [\d.e−]+$"))
    expect(texts.notice).to_be_empty()


def test_tokens_are_text_and_nothing_is_something(show):
    notebook = show(
        SETUP,
        "hostile = dependency('x' * len(HOSTILE))\n"
        "hostile['token'].values[0] = HOSTILE\n"
        "heat = lw.DependencyHeatmap({HOSTILE[0]: hostile, HOSTILE[1]: hostile}, marks=True)\nheat",
        "lw.DependencyHeatmap(dependency('', at=[]))",
    )
    root = notebook.output(2).locator(".lw")
    for _ in dependencies.HOSTILE:
        root.locator(".lw-text").first.press("ArrowLeft")
    expect(root.locator(".lw-status")).to_contain_text("'<script>window.hacked=1</script>'")
    assert root.locator("script, img").count() == 0
    assert notebook.page.evaluate("window.hacked") is None
    empty = notebook.output(3).locator(".lw")
    expect(empty.locator(".lw-empty")).to_have_text("Nothing to show: there are no tokens.")


class SavedTexts(Texts):
    def becomes(self, **traits):
        box = self.control("timestep number")
        eventually(lambda: {"timestep": int(box.input_value())}, traits)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page(browser, tmp_path, scheme):
    models = dependencies.two()
    path = tmp_path / "page.html"
    lw.DependencyHeatmap(models, timestep=80).save_html(path)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    try:
        context.set_offline(True)
        saved = Saved(context.new_page())
        page = saved.page
        page.goto(path.as_uri())
        drawn(page)
        texts = SavedTexts(saved, 0, models)
        texts.__class__.paper = PAPER[scheme]
        palette = {"light": "Purples", "dark": "Purples_dark"}[scheme]
        texts.check(80, palette=palette)
        texts.says(80)
        texts.text(1).press("ArrowRight")
        texts.becomes(timestep=81)
        texts.check(81, palette=palette)
        texts.point(0, 60)
        texts.says(60)
        assert page.locator("h1").inner_text() == "Dependency heatmap: LSTM, SimpleRNN"
        assert saved.errors == []
        assert saved.asked[1:] == [url for url in saved.asked if url.startswith("data:")]
    finally:
        context.close()
