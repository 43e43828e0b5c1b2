"""RelevanceHeatmap in a real JupyterLab: colours, numbers, filters, the Explorer, 25 000 sentences."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import relevances
from expected import SPREAD, frames, palette, picture, wrong
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

import lstm_widgets as lw

#: A cell that makes what the test makes, too.
MADE = f"{Path(relevances.__file__).read_text()}\nimport lstm_widgets as lw\n"
NAMES = ["lrp", "sensitivity", "gradient × input"]
CLASSES = ["negative", "positive"]
#: Lengths in the page, in pixels.
BAND, GAP, PAD, MARGIN, APART = 20, 3, 8, 6, 9


class Words(Widget):
    """Examples as rows of words."""

    scrolling = ".lw-rows"

    def __init__(self, notebook, index, relevance, *, true=None):
        super().__init__(notebook, index, name="heat")
        self.status = self.root.locator(":scope > .lw-foot .lw-status")
        self.about = self.root.locator(":scope > .lw-foot .lw-about")
        self.relevance = relevance
        self.values = relevance["relevance"].values
        self.tokens = relevance["token"].values
        self.mask = np.ones(self.tokens.shape, bool)
        if "mask" in relevance:
            self.mask = relevance["mask"].values
        self.true = true
        self.bands = [0, 1, 2]
        self.lines = 1
        self.widths = {}

    @property
    def left(self):
        """Where words begin: under their head."""
        head = self.root.locator(".lw-rows-head span").nth(3)
        return round(head.bounding_box()["x"] - self.frame.bounding_box()["x"])

    @property
    def high(self):
        return BAND * len(self.bands) - 1

    @property
    def pitch(self):
        apart = APART if len(self.bands) > 1 else 4
        return max(34, self.lines * (self.high + apart) - apart) + 2 * MARGIN + 1

    def measure(self, tokens):
        """How wide the words of these tokens are; all that aren't known yet are asked for at once."""
        missing = sorted({*tokens} - {*self.widths})
        if missing:
            measured = self.canvas.evaluate(
                """(canvas, tokens) => {
                  const context = document.createElement("canvas").getContext("2d");
                  const root = canvas.closest(".lw");
                  const mono = getComputedStyle(root).getPropertyValue("--lw-mono").trim();
                  context.font = `13px ${mono}`;
                  return tokens.map((token) => context.measureText(token).width);
                }""",
                missing,
            )
            for token, width in zip(missing, measured, strict=True):
                self.widths[token] = max(18, int(np.ceil(width)) + PAD)
        return [self.widths[token] for token in tokens]

    def places(self, rank, example):
        """Where the words of an example stand that fit its first line: timestep, left, width; top."""
        x = self.left
        room = self.size[0] - x - 12
        found, at = [], 0
        words = [t for t in range(self.tokens.shape[1]) if self.mask[example, t]]
        for t, width in zip(words, self.measure(self.tokens[example, words]), strict=True):
            # At the end there may be a note of what is cut.
            if at + width > room - 80:
                break
            found.append((t, x + at, width))
            at += width + GAP
        return found, rank * self.pitch + MARGIN - self.scrolled[1]

    def expected(self, method, example, timesteps, *, scale="example", name=None):
        """Lowest and highest allowed colours."""
        values = self.values[method, example].astype(float)
        signed = NAMES[method] != "sensitivity"
        finite = np.abs(values[np.isfinite(values)])
        largest = finite.max(initial=0)
        if scale == "all":
            every = np.abs(self.values[method].astype(float))
            largest = every[np.isfinite(every)].max()
        low, high = (-largest, largest) if signed else (0, largest)
        if isinstance(scale, tuple):
            low, high = scale if signed else (0, scale[1])
        position = (values[timesteps] - low) / (high - low)
        name = name or ("RdBu_r" if signed else "Purples")
        # A ramp of 1024 colours rounds the position.
        around = np.clip(np.stack([position + step / 1023 for step in (-1, 0, 1)]), 0, 1)
        found = palette(name, around)
        return found.min(axis=0) - SPREAD[name], found.max(axis=0) + SPREAD[name]

    def check(self, ranks, *, look=None, **scale):
        """Compare the words in view with what their values are drawn like; tell how many there were."""
        checked, height = 0, self.size[1]
        for rank, example in ranks:
            places, top = self.places(rank, example)
            if top < 0 or top + self.high > height:
                continue
            for k, method in enumerate(self.bands):
                steps = [t for t, *_ in places if np.isfinite(self.values[method, example, t])]
                x = np.array([x + 2 for t, x, _ in places if t in steps])
                low, high = self.expected(
                    method, example, steps, name=(look or {}).get(NAMES[method]), **scale
                )
                self.paints(self.canvas, x, np.full(len(x), top + k * BAND + 2), low, high)
                checked += len(steps)
        assert checked > 20
        return checked

    def row(self, example):
        """What the status line says of an example, before its words."""
        names = ("score", "confidence", "predicted", "target")
        at = {name: self.relevance[name].values[example] for name in names}
        parts = [
            f"example {example}",
            f"predicted {CLASSES[at['predicted']]} {number(float(at['confidence']))}",
        ]
        if self.true is not None:
            right = "right" if self.true[example] == at["predicted"] else "wrong"
            parts.append(f"true {CLASSES[self.true[example]]} ({right})")
        parts.append(f"score of {CLASSES[at['target']]} {number(float(at['score']))}")
        return " · ".join(parts)

    def says(self, example, timestep, *, more=""):
        numbers = [
            f"{name} {number(float(self.values[m, example, timestep]))}"
            for m, name in enumerate(NAMES)
        ]
        token = self.tokens[example, timestep]
        expect(self.status).to_have_text(
            " · ".join([self.row(example), f"t={timestep} '{token}'", *numbers]) + more
        )

    def place(self, rank, example, timestep, band=0):
        """The middle of a word in a band."""
        places, top = self.places(rank, example)
        (found,) = [
            (x + width / 2, top + band * BAND + 9) for t, x, width in places if t == timestep
        ]
        return found

    def hover(self, rank, example, timestep, band=0):
        x, y = self.place(rank, example, timestep, band)
        self.frame.hover(position={"x": x, "y": y})

    def away(self):
        self.notebook.page.mouse.move(3, 3)


SHOWN = (
    MADE
    + """relevance = sentences()
relevance.relevance.values[0, 1, 0] = np.nan
relevance.relevance.values[2, 1, 1] = np.inf
heat = lw.RelevanceHeatmap(relevance, targets=truth(relevance), class_names=["negative", "positive"],
                           recording=recorded(relevance), example=3, timestep=2)
heat"""
)


def shown_here(notebook):
    relevance = relevances.sentences()
    relevance.relevance.values[0, 1, 0] = np.nan
    relevance.relevance.values[2, 1, 1] = np.inf
    return Words(notebook, 1, relevance, true=relevances.truth(relevance))


def test_words_are_painted_in_the_colours_of_their_relevance(show):
    notebook = show(SHOWN)
    heat = shown_here(notebook)
    every = [(k, k) for k in range(8)]
    assert heat.check(every) > 100
    heat.says(3, 2)
    # NaN is crossed, and neither that nor what is cut off has a colour alone; padding has dots.
    image = picture(heat.canvas)

    def colours(rank, timestep, band):
        (place,) = [each for each in heat.places(rank, rank)[0] if each[0] == timestep]
        top = heat.places(rank, rank)[1] + band * BAND
        return image[top : top + 19, place[1] : place[1] + place[2]].reshape(-1, 3)

    dark = np.array([31, 35, 40])
    assert (np.abs(colours(1, 0, 0).astype(int) - dark).max(axis=1) < 30).mean() > 0.12
    assert (np.abs(colours(1, 2, 0).astype(int) - dark).max(axis=1) < 30).mean() < 0.12
    assert len(np.unique(colours(1, 1, 2), axis=0)) > len(np.unique(colours(1, 3, 1), axis=0))
    places, top = heat.places(0, 0)
    after = places[-1][1] + places[-1][2] + GAP
    dots = image[top + 20 : top + 39, after : after + 60].reshape(-1, 3)
    assert {tuple(c) for c in dots} == {(255, 255, 255), (143, 145, 148)} or len(
        np.unique(dots, axis=0)
    ) == 2

    # Over all examples, in a fixed range, in another palette; one method alone.
    heat.control("scale").select_option("all")
    heat.becomes(scale="all")
    heat.check(every, scale="all")
    heat.set(scale=(-0.5, 1.0))
    heat.check(every, scale=(-0.5, 1.0))
    expect(heat.root.locator(".lw-legend").first).to_contain_text("lrp≤ −0.5")
    expect(heat.root.locator(".lw-legend").nth(1)).to_contain_text("sensitivity0")
    heat.hover(0, 0, 0)
    cut = number(float(heat.values[0, 0, 0]))
    assert abs(heat.values[0, 0, 0]) > 0.5
    expect(heat.status).to_contain_text(f"lrp {cut} (clipped)")
    heat.away()
    heat.set(scale="example", palette="cividis")
    heat.check(every, look=dict.fromkeys(NAMES, "cividis"))
    heat.set(palette="auto", all_methods=False, method="gradient_x_input")
    expect(heat.control("method")).to_have_value("gradient_x_input")
    heat.bands = [2]
    heat.check([(k, k) for k in range(9)])
    largest = np.abs(heat.values[2, 3]).max()
    expect(heat.root.locator(".lw-legend").first).to_contain_text(
        f"gradient × input in example 3−{float(f'{largest:.3g}'):g}"
    )
    expect(heat.root.locator(".lw-legend").nth(1)).to_be_hidden()
    heat.set(all_methods=True)
    heat.bands = [0, 1, 2]

    notebook.theme("dark")
    expect(heat.root).to_have_attribute("data-theme", "dark")
    heat.bands = [0]
    heat.set(all_methods=False, method="lrp")
    heat.check([(k, k) for k in range(8)], look={"lrp": "berlin"})
    assert tuple(picture(heat.canvas)[2, heat.left - 20]) == heat.paper


def test_pointer_and_keys(show):
    notebook = show(SHOWN)
    heat = shown_here(notebook)
    heat.says(3, 2)
    heat.hover(5, 5, 1, band=1)
    heat.says(5, 1)
    expect(heat.root.locator(":scope > .lw-foot .lw-hovered")).to_have_count(1)
    expect(heat.status).to_have_attribute("title", re.compile(r"lrp -?\d+\.\d{6,}"))
    # On the classes: the example alone.
    heat.frame.hover(position={"x": 80, "y": heat.places(5, 5)[1] + 8})
    expect(heat.status).to_have_text(heat.row(5))
    # On a run of padding: which timesteps it is.
    places, top = heat.places(0, 0)
    first = len(places)
    heat.frame.hover(position={"x": places[-1][1] + places[-1][2] + 20, "y": top + 9})
    expect(heat.status).to_contain_text(f"t={first} to 13 · padding · lrp 0.0000")
    heat.away()
    heat.says(3, 2)
    heat.becomes(example=3, timestep=2)

    cells = notebook.count()
    length = int(heat.mask[3].sum())
    for key, timestep in (
        ("ArrowRight", 3),
        ("ArrowLeft", 2),
        ("Home", 0),
        ("ArrowLeft", 0),
        ("b", 0),
        ("d", 0),
    ):
        heat.frame.press(key)
        heat.says(3, timestep)
        heat.becomes(example=3, timestep=timestep)
    heat.frame.press("End")  # its last box: a run of padding
    heat.becomes(example=3, timestep=length)
    expect(heat.status).to_contain_text("padding")
    heat.frame.press("Home")
    for key, example in (
        ("ArrowDown", 4),
        ("ArrowUp", 3),
        ("Control+Home", 0),
        ("ArrowUp", 0),
        ("Control+End", 59),
        ("ArrowDown", 59),
        ("PageUp", 53),
    ):
        heat.frame.press(key)
        heat.says(example, 0)
        heat.becomes(example=example, timestep=0)
    heat.frame.press("]")
    heat.becomes(method="sensitivity")
    heat.frame.press("]")
    heat.frame.press("]")
    heat.becomes(method="gradient_x_input")
    heat.frame.press("[")
    heat.becomes(method="sensitivity")
    assert notebook.count() == cells
    # From Python, too; and it comes into view.
    heat.set(example=30, timestep=1)
    heat.says(30, 1)
    eventually(lambda: 0 <= heat.places(30, 30)[1] < heat.size[1] - 50, True)
    heat.check([(k, k) for k in range(26, 34)])
    assert heat.root.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert heat.frame.get_attribute("aria-label")


def test_filters_search_and_order(show):
    notebook = show(SHOWN)
    heat = shown_here(notebook)
    predicted = heat.relevance["predicted"].values
    confidence = heat.relevance["confidence"].values
    texts = [" ".join(heat.tokens[k][heat.mask[k]]) for k in range(60)]

    def shows(wanted):
        eventually(lambda: heat.get("shown"), [int(k) for k in wanted])
        expect(heat.about).to_contain_text(
            f"{len(wanted)} of 60 examples" if len(wanted) < 60 else "60 examples"
        )
        heat.scroll(top=0)
        heat.check(list(enumerate(wanted))[:7])

    every = np.arange(60)
    wrong_ones = every[heat.true != predicted]
    heat.control("outcome").select_option("wrong")
    shows(wrong_ones)
    heat.control("predicted").select_option("1")
    shows([k for k in wrong_ones if predicted[k] == 1])
    expect(heat.control("predicted")).to_contain_text(f"positive ({(predicted == 1).sum()})")
    heat.set(outcome="all")
    eventually(lambda: len(heat.get("shown")), int((predicted == 1).sum()))
    heat.scroll(top=700)
    assert heat.scrolled[1] == 700
    heat.control("sort by").select_option("least_confident")
    # An order is chosen to see what comes first.
    eventually(lambda: heat.scrolled[1], 0)
    positive = every[predicted == 1]
    shows(positive[np.argsort(confidence[positive], kind="stable")])
    heat.set(predicted=None, sort="index")
    shows(every)

    box = heat.control("search")
    box.press_sequentially("NOT ")
    found = [k for k in every if "not " in texts[k]]
    assert 5 < len(found) < 55
    shows(found)
    # What is searched for is underlined.
    places, top = heat.places(0, found[0])
    image = picture(heat.canvas).astype(int)
    accent = np.array([11, 98, 214])
    for t, x, width in places:
        under = image[top + heat.high + 1 : top + heat.high + 3, x + 2 : x + width - 2]
        lined = (np.abs(under - accent) < 20).all()
        assert lined == (heat.tokens[found[0], t] == "not"), t
    if 3 not in found:
        expect(heat.status).to_contain_text("not among the examples shown")
    heat.frame.press("ArrowDown")
    heat.becomes(example=found[0])
    heat.frame.press("ArrowDown")
    heat.becomes(example=found[1])
    heat.control("sort by").select_option("most_confident")
    shows(sorted(found, key=lambda k: -confidence[k]))
    box.fill("no such words")
    expect(heat.root.locator(".lw-empty")).to_contain_text("No example passes the filters")
    box.fill("")
    heat.control("sort by").select_option("index")
    shows(every)


def test_enter_and_a_click_open_the_explorer(show):
    notebook = show(
        SHOWN,
        "bare = lw.RelevanceHeatmap(relevance)\nbare",
    )
    heat = shown_here(notebook)
    notebook.page.set_viewport_size({"width": 1280, "height": 1700})
    assert heat.get("_explorer is None") is True
    heat.frame.press("Enter")
    heat.becomes(exploring=True)
    explorer = heat.root.locator(".lw-explorer")
    expect(explorer.locator(".lw-status")).to_contain_text("example 3 · t=2 ")
    # A click selects, in both; and so do keys, either way.
    x, y = heat.place(4, 4, 1)
    heat.click(x, y)
    heat.becomes(example=4, timestep=1)
    expect(explorer.locator(".lw-status")).to_contain_text("example 4 · t=1 ")
    heat.frame.press("ArrowRight")
    expect(explorer.locator(".lw-status")).to_contain_text("example 4 · t=2 ")
    explorer.locator(".lw-text").press("ArrowRight")
    heat.becomes(timestep=3)
    heat.away()
    heat.says(4, 3)
    expect(heat.control("Explorer").first).to_be_checked()
    heat.control("Explorer").first.uncheck()
    expect(explorer).to_be_hidden()
    heat.click(x, y)
    expect(explorer).to_be_visible()
    heat.becomes(exploring=True, example=4, timestep=1)

    bare = notebook.output(2).locator(".lw").first
    bare.locator(".lw-rows").press("Enter")
    expect(bare.locator(".lw-inner")).to_contain_text("There is no recording to explore")
    expect(bare.locator(".lw-inner")).to_contain_text("recording=lw.record(")


def test_many_words_are_cut_and_unfold(show):
    notebook = show(
        MADE + "relevance = sentences(40, 60, seed=6, padded=False)\n"
        "heat = lw.RelevanceHeatmap(relevance, all_methods=False, lines=1, example=1)\nheat"
    )
    heat = Words(notebook, 1, relevances.sentences(40, 60, seed=6, padded=False))
    heat.bands = [0]
    heat.check([(k, k) for k in range(8)])
    before = heat.frame.evaluate("e => e.scrollHeight")
    assert before == 40 * heat.pitch
    heat.frame.press(" ")
    heat.becomes(unfolded=True)
    eventually(lambda: heat.frame.evaluate("e => e.scrollHeight") > before + 40, True)
    heat.frame.press(" ")
    eventually(lambda: heat.frame.evaluate("e => e.scrollHeight"), before)
    # A word that would not be seen unfolds its example by itself.
    heat.frame.press("End")
    heat.becomes(timestep=59, unfolded=False)
    eventually(lambda: heat.frame.evaluate("e => e.scrollHeight") > before + 40, True)
    heat.frame.press("Home")
    eventually(lambda: heat.frame.evaluate("e => e.scrollHeight"), before)
    # And so does a click on the note of how many there are more.
    places, top = heat.places(5, 5)
    image = picture(heat.canvas).astype(int)
    line = image[top + 9, places[-1][1] + places[-1][2] :]
    accent = np.flatnonzero(np.abs(line - [11, 98, 214]).max(axis=1) < 60)
    heat.click(places[-1][1] + places[-1][2] + int(accent[-1]) - 4, top + 9)
    heat.becomes(example=5, unfolded=True, exploring=False)
    heat.set(lines=3, unfolded=False)
    heat.lines = 3
    eventually(lambda: heat.frame.evaluate("e => e.scrollHeight"), 40 * heat.pitch)


def test_25000_sentences(show):
    notebook = show(
        MADE + "relevance = sentences(25_000, 20, seed=7)\n"
        "heat = lw.RelevanceHeatmap(relevance, targets=truth(relevance), class_names=['negative', 'positive'])\n"
        "asked = []\n"
        "heat.on_msg(lambda _widget, content, _buffers: asked.append(content))\n"
        "heat"
    )
    relevance = relevances.sentences(25_000, 20, seed=7)
    heat = Words(notebook, 1, relevance, true=relevances.truth(relevance))
    heat.lines = 1 if heat.frame.evaluate("e => e.scrollHeight") == 25_000 * heat.pitch else 2
    assert heat.frame.evaluate("e => e.scrollHeight") == 25_000 * heat.pitch
    heat.check([(k, k) for k in range(4)])
    # Far down, anywhere, the right words have the right colours.
    for top in (1_234_567, 777_777, 25_000 * heat.pitch):
        heat.scroll(top=top)
        first = int(np.ceil((heat.scrolled[1] - MARGIN) / heat.pitch))
        heat.check([(k, k) for k in range(first, min(first + 3, 25_000))])
        heat.hover(first, first, 1)
        heat.says(first, 1)
        heat.away()
    heat.frame.press("Control+End")
    heat.says(24_999, 0)
    # The kernel sorts, filters and searches.
    heat.control("search").fill("not really good")
    heat.control("sort by").select_option("most_confident")
    texts = [" ".join(t[m]) for t, m in zip(heat.tokens, heat.mask, strict=True)]
    found = np.array([k for k, text in enumerate(texts) if "not really good" in text])
    confidence = relevance["confidence"].values
    found = found[np.argsort(-confidence[found], kind="stable")]
    assert len(found) > 10
    expect(heat.about).to_contain_text(f"{len(found)} of 25\u202f000 examples")
    heat.scroll(top=0)
    heat.check(list(enumerate(found))[:3])
    heat.frame.press("Control+Home")
    heat.becomes(example=int(found[0]))

    # What is in view is asked for, once, and then the page rests.
    def rows():
        return notebook.kernel.value("sum(len(each['rows']) for each in asked)")

    def rests():
        before = rows()
        notebook.page.wait_for_timeout(600)
        return rows() == before

    eventually(rests, True)
    assert rows() < 400


HOSTILE = ["<img src=x onerror='window.hacked=1'>", "</script><script>window.hacked=1</script>"]


def test_hostile_text_stays_text(show):
    notebook = show(
        MADE + f"hostile = {HOSTILE!r}\n"
        "relevance = sentences(4, 5, padded=False)\n"
        "relevance = relevance.assign_coords(label=('example', [*hostile, '\\u202e', '\\x00']))\n"
        "heat = lw.RelevanceHeatmap(relevance, tokens=[[*hostile, '\\ud800', '', ' ']] * 4, class_names=hostile,\n"
        "                           targets=[0, 0, 1, 1], timestep=1)\nheat"
    )
    root = notebook.output(1).locator(".lw").first
    expect(root.locator(".lw-status")).to_contain_text(f"'{HOSTILE[1]}'")
    expect(root.locator(".lw-status")).to_contain_text(f'example 0 "{HOSTILE[0]}"')
    expect(root.locator("[data-control='predicted']")).to_contain_text("<img src=x")
    frames(root)
    assert root.evaluate("root => root.querySelectorAll('img, script, b').length") == 0
    assert notebook.page.evaluate("window.hacked") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_saved_page(open_page, scheme):
    relevance = relevances.sentences(300)
    true = relevances.truth(relevance)
    heat = lw.RelevanceHeatmap(
        relevance,
        targets=true,
        class_names=CLASSES,
        all_methods=False,
        recording=relevances.recorded(relevance),
    )
    saved = open_page(heat, scheme=scheme, title="Which words count")
    page = Words(saved, 0, relevance, true=true)
    page.bands = [0]
    look = {"lrp": {"light": "RdBu_r", "dark": "berlin"}[scheme]}
    expect(page.root).to_have_attribute("data-theme", scheme)
    expect(saved.page.locator("h1")).to_have_text("Which words count")
    page.check([(k, k) for k in range(8)], look=look)
    page.hover(4, 4, 1)
    page.says(4, 1)
    page.away()
    # Filters, search and order work in the page.
    predicted, confidence = (relevance[name].values for name in ("predicted", "confidence"))
    page.control("outcome").select_option("wrong")
    page.control("sort by").select_option("most_confident")
    found = np.flatnonzero(predicted != true)
    found = found[np.argsort(-confidence[found], kind="stable")]
    expect(page.about).to_contain_text(f"{len(found)} of 300 examples")
    page.check(list(enumerate(found))[:8], look=look)
    page.control("search").fill("not")
    texts = [" ".join(t[m]) for t, m in zip(page.tokens, page.mask, strict=True)]
    found = [k for k in found if "not" in texts[k]]
    expect(page.about).to_contain_text(f"{len(found)} of 300 examples")
    page.check(list(enumerate(found))[:8], look=look)
    page.frame.press("Control+End")
    page.says(found[-1], 0)
    page.frame.press("Enter")
    expect(page.root.locator(".lw-inner")).to_contain_text("the Explorer needs the notebook")
    assert wrong(page.canvas, np.array([2]), np.array([1]), *[np.zeros((1, 3))] * 2) != []
