"""Hosts that echo, hand over bytes in other forms, draw in a shadow root, or bring one trait after the other."""

from __future__ import annotations

import dependencies
import pytest
import recordings
import relevances
from lab import eventually
from playwright.sync_api import expect

import lstm_widgets as lw

MAKE = {
    "CellGrid": lambda: lw.CellGrid(recordings.prose(), tracks=[lw.concepts.vowel]),
    "TextHeatmap": lambda: lw.TextHeatmap(recordings.guessed(), guesses=True),
    "ExampleGrid": lambda: lw.ExampleGrid(recordings.sums()),
    "GateInspector": lambda: lw.GateInspector(recordings.gates("LSTM")),
    "Explorer": lambda: lw.Explorer(recordings.prose()),
    "RelevanceHeatmap": lambda: lw.RelevanceHeatmap(relevances.sentences()),
    "DependencyHeatmap": lambda: lw.DependencyHeatmap(dependencies.two()),
}
#: A picture of every canvas, to compare.
PIXELS = """root => [...root.querySelectorAll("canvas")].map((canvas) => {
  if (!canvas.width || !canvas.height) return "";
  return canvas.toDataURL();
})"""


@pytest.mark.parametrize("name", MAKE)
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
