"""The Python side of TextHeatmap: pinned cells, and what the page asks for beside values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, Recording


def layer_of(name: str, shape: tuple[int, int, int], tokens: list[str]) -> RecordedLayer:
    rng = np.random.default_rng(5)
    words = np.empty(shape[:2], dtype=object)
    words.reshape(-1)[:] = [tokens[i % len(tokens)] for i in range(shape[0] * shape[1])]
    values = rng.normal(size=shape).astype(np.float32)
    return RecordedLayer(name, "LSTM", {"hidden_state": values}, tokens=words)


def two_layers() -> Recording:
    return Recording.from_layers(
        [layer_of("wide", (2, 9, 8), list("abc ")), layer_of("narrow", (2, 9, 3), list("xyz"))]
    )


def ask(widget: lw.TextHeatmap, **request: object) -> tuple[dict[str, Any], list[bytes]]:
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers or []))
    names = {"layer": widget.layer, "signal": widget.signal}
    widget._on_message(widget, {"id": "1", **names, **request}, [])
    assert len(sent) == 1
    return sent[0]


def test_what_is_set_is_kept() -> None:
    shown = lw.TextHeatmap(two_layers())
    assert (shown.cells, shown.marks, shown.guesses) == ((), False, False)
    shown = lw.TextHeatmap(two_layers(), cells=[3, np.int64(0)], marks=True, guesses=True)
    assert (shown.cells, shown.marks, shown.guesses) == ((3, 0), True, True)
    assert [type(cell) for cell in shown.cells] == [int, int]


@pytest.mark.parametrize("cells", [(8,), (-1,), (1, 1), (1.5,), ("1",), "12", 3, None])
def test_cells_that_are_none_are_refused_by_name(cells: object) -> None:
    with pytest.raises(TraitError, match="cells"):
        lw.TextHeatmap(two_layers(), cells=cells)
    shown = lw.TextHeatmap(two_layers(), cells=(2,))
    with pytest.raises(TraitError, match="cells"):
        shown.cells = cells
    assert shown.cells == (2,)


def test_a_layer_that_is_none_is_told_as_such() -> None:
    with pytest.raises(TraitError, match="layer"):
        lw.TextHeatmap(two_layers(), layer="other", cells=(1,))


def test_another_layer_keeps_the_cells_that_it_has() -> None:
    shown = lw.TextHeatmap(two_layers(), cells=(7, 2, 0))
    shown.layer = "narrow"
    assert shown.cells == (2, 0)
    shown.set_state({"layer": "wide", "cells": [5]})
    assert (shown.layer, shown.cells) == ("wide", (5,))
    shown.set_state({"layer": "narrow"})
    assert shown.cells == ()


def test_a_text_is_answered_in_pieces() -> None:
    tokens = ["a", " ", "<b>", "\n", "", "é", "\x00", "\ud800", "👩‍🔬"]
    recording = Recording.from_layers([layer_of("lstm", (2, 700, 3), tokens)])
    shown = lw.TextHeatmap(recording)
    row = [tokens[(700 + i) % len(tokens)] for i in range(700)]
    for start, stop in ((0, 512), (512, 700)):
        reply, buffers = ask(shown, text=[1, start, stop])
        text = reply["text"]
        assert (text["example"], text["start"]) == (1, start)
        assert len(set(text["table"])) == len(text["table"]) == len(tokens)
        codes = np.frombuffer(buffers[0], "<u4")
        # Half a surrogate pair cannot travel.
        expected = [token.replace("\ud800", "\ufffd") for token in row[start:stop]]
        assert [text["table"][code] for code in codes] == expected
    assert ask(shown)[0]["text"] is None
