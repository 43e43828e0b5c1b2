"""The Python side of TextHeatmap: pinned cells, and what the page asks for beside values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from traitlets import TraitError

import lstm_widgets as lw
from lstm_widgets.recording import RecordedLayer, RecordedPredictions, Recording
from lstm_widgets.widgets.page.tiles import BLOCK


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


def predicted(
    examples: int, timesteps: int, *, tokens: bool = True, targets: bool = True
) -> RecordedPredictions:
    rng = np.random.default_rng(6)
    ids = rng.integers(0, 40, (examples, timesteps, 3)).astype(np.int32)
    ids[:, 0] = -1
    words = np.array([f"w{i}" for i in range(40)] + [""], dtype=object)[ids]
    return RecordedPredictions(
        ids=ids,
        probabilities=rng.random(ids.shape, np.float32),
        targets=rng.random(ids.shape[:2], np.float32) if targets else None,
        tokens=words if tokens else None,
    )


@pytest.mark.parametrize("tokens", [True, False])
@pytest.mark.parametrize("targets", [True, False])
def test_guesses_are_answered_block_by_block(tokens: bool, targets: bool) -> None:
    given = predicted(3, 400, tokens=tokens, targets=targets)
    recording = Recording.from_layers([layer_of("lstm", (3, 400, 2), ["a"])], predictions=given)
    shown = lw.TextHeatmap(recording)
    assert shown._layers[0]["predictions"] == 3
    reply, buffers = ask(shown, predictions=[2, 0])
    assert [answer["block"] for answer in reply["predictions"]] == [2, 0]
    for answer, start in zip(reply["predictions"], (2 * BLOCK, 0), strict=True):
        stop = min(start + BLOCK, 1200)
        ids, probabilities, wanted = buffers[:3]
        del buffers[:3]
        found = np.frombuffer(ids, "<i4").reshape(-1, 3)
        expected = given.ids.reshape(-1, 3)[start:stop]
        assert (found[expected < 0] == -1).all()
        if given.tokens is None:
            assert answer["table"] is None
            np.testing.assert_array_equal(found, expected)
        else:
            words = given.tokens.reshape(-1, 3)[start:stop]
            named = np.array([*answer["table"], ""], dtype=object)[found]
            assert (named == words).all()
        assert probabilities == given.probabilities.reshape(-1, 3)[start:stop].tobytes()
        numbers = np.frombuffer(wanted, "<f4")
        if given.targets is None:
            assert np.isnan(numbers).all()
        else:
            np.testing.assert_array_equal(numbers, given.targets.reshape(-1)[start:stop])
    assert buffers == []


def test_guesses_stand_at_the_end_of_what_travels_whole() -> None:
    given = predicted(2, 9)
    layers = [layer_of("wide", (2, 9, 8), list("ab")), layer_of("other", (2, 4, 3), list("xy"))]
    shown = lw.TextHeatmap(Recording.from_layers(layers, predictions=given))
    # They are shown in layers of the same timesteps only.
    assert [layer.get("predictions") for layer in shown._layers] == [3, None]
    last = shown._whole[-4 * (18 * 3 + 18 * 3 + 18) :]
    ids = np.frombuffer(last[: 4 * 54], "<i4").reshape(2, 9, 3)
    assert given.tokens is not None
    words = np.array([*shown._text["wide"]["guessed"], ""], dtype=object)[ids]
    assert (words == given.tokens).all()
    assert last[4 * 54 : 4 * 108] == given.probabilities.tobytes()
    assert given.targets is not None
    assert last[4 * 108 :] == given.targets.tobytes()
    assert len(shown._whole) == 4 * (2 * 9 * 8 + 2 * 4 * 3) + len(last)


def test_without_predictions_nothing_of_them_travels() -> None:
    shown = lw.TextHeatmap(two_layers())
    assert [layer.get("predictions") for layer in shown._layers] == [None, None]
    assert len(shown._whole) == 4 * 2 * 9 * (8 + 3)
    reply, _ = ask(shown, predictions=[0])
    assert "predictions" in reply["error"]
