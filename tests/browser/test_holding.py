"""WhatIf in a real JupyterLab: text that is edited and a cell that is held, as `ablate` has them."""

from __future__ import annotations

import re

import pytest
from lab import eventually
from playwright.sync_api import expect
from widget_page import Widget, number

MODEL = """import keras
import numpy as np
from keras import layers as L

model = keras.Sequential([
    keras.Input((None,), dtype="int32"),
    L.Embedding(7, 3),
    L.LSTM(4, return_sequences=True, name="lower"),
    L.GRU(12, return_sequences=True, name="upper"),
    L.Dense(7),
])
rng = np.random.default_rng(1)
model.set_weights([rng.normal(size=w.shape, scale=0.8) for w in model.get_weights()])

def found(text, cell, held):
    options = {"vocabulary": "abcde <", "layer": "upper"}
    cells, value = ([cell], 0.0 if held is None else held)
    result = lw.ablate(model, text, cells, value=value, **options)
    row, steps = result.table.iloc[0], result.timesteps
    def guesses(kind, t):
        names = f"predicted_token{kind}", f"probability{kind}"
        tokens, shares = (steps[name][0, t].values.tolist() for name in names)
        return list(zip(tokens, shares))
    changed = int(round(row["changed_guesses"] * (len(text) - 1)))
    return {"loss": row["loss"], "held": row["loss_held"], "change": row["change"],
            "changed": changed, "before": guesses("", 2), "after": guesses("_held", 2)}
"""
SHOWN = """grid = lw.WhatIf(
    model, "abba <b< cab", vocabulary="abcde <", layer="upper", cell=3, timestep=2)
grid"""
LINKED = """other = lw.TextHeatmap(grid.recording, layer="upper", cell=3)
ipywidgets.jslink((other, "cell"), (grid, "cell"))
other"""


class Wish(Widget):
    """What is wished, and what is said to have come of it."""

    scrolling = ".lw-text"

    def __init__(self, notebook, index, **more):
        super().__init__(notebook, index, **more)
        self.area = self.control("text")
        self.value = self.control("held at number")
        self.loss = self.root.locator(".lw-loss")
        self.told = self.root.locator(".lw-told")

    def listed(self, nth):
        """The guesses in a list, as text and number."""
        items = self.root.locator(".lw-both .lw-guesses").nth(nth).locator("li").all_inner_texts()
        return [item.replace("✓", "").split() for item in items]

    def says(self, text, cell, held):
        """Everything in the page is what `ablate` finds."""
        self.becomes(text=text, cell=cell, value=held)
        found = self.notebook.kernel.value(f"found({text!r}, {cell}, {held})", timeout=60)
        known = len(text) - 1
        if held is None:
            expect(self.loss).to_have_text(f"loss {number(found['loss'])} over {known} tokens")
            return
        sign = "+" if found["change"] >= 0 else ""
        expect(self.loss).to_have_text(
            f"loss {number(found['loss'])} → {number(found['held'])} "
            f"({sign}{number(found['change'])}) with cell {cell} held at {number(held)}; "
            f"{found['changed']} of {known} top guesses change"
        )
        for nth, kind in enumerate(("before", "after")):
            wanted = [[t.replace(" ", "·"), number(p)] for t, p in found[kind]]
            # The token that really follows stands behind the guesses, if it is none of them.
            eventually(lambda nth=nth: self.listed(nth)[: len(wanted)], wanted)  # noqa: B023
        expect(self.root.locator(".lw-status")).to_contain_text(f"t=2 '{text[2]}'")


@pytest.fixture
def wish(show):
    return Wish(show(MODEL, SHOWN, LINKED), 2)


def test_a_text_is_edited_and_a_cell_held(wish, browser, tmp_path):
    wish.says("abba <b< cab", 3, None)
    # Another text, by typing. A token that looks like a tag is but text.
    wish.area.fill("dad <b< bad")
    wish.says("dad <b< bad", 3, None)
    wish.area.press("End")
    wish.area.press_sequentially(" cab")
    wish.says("dad <b< bad cab", 3, None)
    # Held: by the tick, by keys, by a number.
    wish.control("hold").check()
    wish.says("dad <b< bad cab", 3, 0.0)
    wish.control("held at").press("ArrowRight")
    wish.says("dad <b< bad cab", 3, 0.01)
    wish.value.fill("-0.9")
    wish.says("dad <b< bad cab", 3, -0.9)
    # With another cell selected, that one is held: by keys in the text, by a linked widget.
    wish.frame.press("]")
    wish.says("dad <b< bad cab", 4, -0.9)
    linked = wish.notebook.output(3).locator("[data-control='cell number']")
    linked.fill("11")
    wish.says("dad <b< bad cab", 11, -0.9)

    # While one run is under way only the newest wish waits.
    runs = wish.get("_recorded")
    wish.root.evaluate(
        """e => {
          const slider = e.querySelector("[data-control='held at']");
          for (let k = 0; k <= 60; k++) {
            slider.value = String(-0.6 + k / 100);
            slider.dispatchEvent(new Event("input", { bubbles: true }));
          }
        }"""
    )
    wish.says("dad <b< bad cab", 11, 0.0)
    assert wish.get("_recorded") <= runs + 3

    # What the model can't read is said, and what stands there stays that of the text before.
    wish.area.fill("dad z")
    expect(wish.told).to_have_text(
        re.compile(r"^ValueError: .*'z' at position 4.*\. Shown is the previous result\.$")
    )
    assert wish.get("text") == "dad <b< bad cab"
    wish.area.fill("dad a")
    expect(wish.told).to_be_empty()
    wish.says("dad a", 11, 0.0)
    wish.control("hold").uncheck()
    wish.says("dad a", 11, None)

    # Python wishes, too.
    wish.set(value=0.75, text="add a bee")
    wish.says("add a bee", 11, 0.75)
    expect(wish.area).to_have_value("add a bee")
    expect(wish.control("hold")).to_be_checked()
    expect(wish.value).to_have_value("0.75")

    # A saved page shows what was computed last, and says that there is no kernel for more.
    path = tmp_path / "page.html"
    wish.notebook.kernel.run(f"grid.save_html({str(path)!r})")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_offline(True)
    page = context.new_page()
    page.goto(path.as_uri())
    expect(page.locator(".lw-loss")).to_have_text(wish.loss.inner_text())
    page.locator("[data-control='held at number']").fill("0.5")
    expect(page.locator(".lw-told")).to_contain_text("without a kernel")
    expect(page.locator(".lw-loss")).to_have_text(wish.loss.inner_text())
    context.close()

    # Nor is there one after a restart.
    wish.notebook.restart()
    wish.area.fill("a cab")
    expect(wish.told).to_contain_text("The kernel does not answer")
