"""The Python side of WhatIf: it runs the model, and shows what `record` and `ablate` find."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw

VOCABULARY = "abcde "


def language(activation: str | None = None) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(6, 3),
            L.LSTM(4, return_sequences=True, name="lower"),
            L.GRU(5, return_sequences=True, name="upper"),
            L.Dense(6, activation=activation),
        ]
    )
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(size=w.shape, scale=0.7) for w in model.get_weights()])
    return model


def ask(widget: lw.WhatIf, **request: object) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []
    widget.send = lambda content, _buffers=None: sent.append(content)
    widget._on_message(widget, {"id": "7", "kind": "run", **request}, [])
    (answer,) = sent
    return answer


def shows(widget: lw.WhatIf, model: keras.Model) -> None:
    """Everything shown is what the functions find for the same wish."""
    options = {"layer": widget.layer, "signal": widget.signal, "vocabulary": VOCABULARY}
    found = lw.ablate(model, widget.text, widget.cell, value=widget.value or 0.0, **options)
    row, ending = found.table.iloc[0], "" if widget.value is None else "_held"
    np.testing.assert_allclose(widget.loss, row["loss"], atol=1e-5)
    np.testing.assert_allclose(widget.loss_held, row[f"loss{ending}"], atol=1e-5)
    known = len(widget.text) - 1
    assert widget._result["known"] == known
    changed = 0 if widget.value is None else row["changed_guesses"]
    assert widget._result["changed"] == round(changed * known)
    steps, predictions = found.timesteps, widget.recording.predictions
    np.testing.assert_array_equal(predictions["predicted_id"], steps[f"predicted_id{ending}"])
    before = widget._result["before"]
    assert bool(before) == (widget.value is not None)
    for t, guesses in enumerate(before):
        assert [token for token, _ in guesses] == steps["predicted_token"][0, t].values.tolist()
    assert "".join(widget.recording[widget.layer]["token"].values[0]) == widget.text
    (layer,) = (each for each in widget._layers if each["name"] == widget.layer)
    assert layer["timesteps"] == len(widget.text)


@pytest.mark.parametrize("activation", [None, "softmax"])
def test_what_the_page_wishes_is_what_ablate_finds(activation: str | None) -> None:
    model = language(activation)
    widget = lw.WhatIf(
        model, "abba cab", vocabulary=VOCABULARY, layer="upper", signal="update_gate", timestep=7
    )
    shows(widget, model)
    runs = widget._recorded
    for text, cell, held in (
        ("abba cab", 0, 0.3),
        ("abba cab", 4, -0.2),
        ("dad bead a cabbage"[:13], 4, 1),
        ("a cab", 4, 1.0),
        ("a cab", 2, None),
    ):
        answer = ask(widget, text=text, cell=cell, value=held)
        assert answer == {"id": "7"}
        assert (widget.text, widget.cell, widget.value) == (text, cell, held)
        shows(widget, model)
        assert widget._recorded == (runs := runs + 1)
    assert widget.timestep == 4  # the text has become shorter


def test_what_python_wishes_is_done_too() -> None:
    model = language()
    widget = lw.WhatIf(model, "abba", vocabulary=VOCABULARY, value=-1.5, cell=3)
    assert (widget.layer, widget.signal) == ("lower", "hidden_state")
    shows(widget, model)
    widget.text = "a bad cab"
    shows(widget, model)
    assert widget._drawn.recording is widget.recording
    widget.cell = 1
    shows(widget, model)
    assert (widget.recording["lower"].hidden_state[..., 1] == -1.5).all()
    widget.value = None
    shows(widget, model)
    # The page's own changes of the cell are followed by its request.
    runs = widget._recorded
    widget.value = 0.5
    widget.set_state({"cell": 2})
    assert (widget.cell, widget._recorded) == (2, runs + 1)
    with pytest.raises(ValueError, match="'x' at position 1 is not in the vocabulary"):
        widget.text = "ax"
    with pytest.raises(ValueError, match="value: expected a finite number or None, got nan"):
        widget.value = float("nan")
    assert (widget.text, widget.value) == ("a bad cab", 0.5)


def test_a_wish_that_fails_is_answered_and_changes_nothing() -> None:
    widget = lw.WhatIf(language(), "abba", vocabulary=VOCABULARY)
    before = (widget.text, widget._recorded, widget._result)
    for text, error in (("abx", "'x' at position 2"), ("", "inputs"), ("a", "two tokens")):
        answer = ask(widget, text=text, cell=0, value=None)
        assert answer["id"] == "7"
        assert error in answer["error"]
        assert (widget.text, widget._recorded, widget._result) == before
    assert "cells: expected" in ask(widget, text="abba", cell=9, value=0.0)["error"]
    assert (widget.text, widget._recorded, widget._result) == before


def test_what_does_not_fit_is_refused() -> None:
    model = language()
    with pytest.raises(TypeError, match="text: expected a str"):
        lw.WhatIf(model, [1, 2], vocabulary=VOCABULARY)
    series = np.zeros((50, 2), np.float32)
    with pytest.raises(TypeError, match=r"got ndarray; of a series, .*record\(.*held="):
        lw.WhatIf(model, series, vocabulary=VOCABULARY)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        lw.WhatIf(model, "abba", vocabulary=VOCABULARY, colour=1)
    with pytest.raises(ValueError, match="layers: expected names among"):
        lw.WhatIf(model, "abba", vocabulary=VOCABULARY, layer="top")
    classes = keras.Sequential([*model.layers[:-1], L.Dense(2)])
    with pytest.raises(ValueError, match="model: expected one that predicts the next token"):
        lw.WhatIf(classes, "abba", vocabulary=VOCABULARY, top_k=1)
