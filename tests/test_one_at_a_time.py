"""Whoever runs a model has it for itself, from whichever thread; and nothing runs twice."""

from __future__ import annotations

import threading

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.models.keras import run
from lstm_widgets.widgets import what_if

SYMBOLS = "abcde "


@pytest.fixture
def model():
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(6, 3),
            L.Bidirectional(L.SimpleRNN(3, return_sequences=True), name="both"),
            L.LSTM(4, return_sequences=True, name="lstm"),
            L.Dense(6, activation="softmax"),
        ]
    )


def in_threads(*tasks):
    """Run tasks at the same time; return what they gave, or raise what they raised."""
    start, results = threading.Barrier(len(tasks)), [None] * len(tasks)

    def one(k):
        start.wait()
        try:
            results[k] = tasks[k]()
        except BaseException as error:  # noqa: BLE001 - raised below
            results[k] = error

    threads = [threading.Thread(target=one, args=(k,)) for k in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def test_one_model_in_several_threads_is_recorded_rightly(model):
    inputs = [np.random.default_rng(k).integers(0, 6, (2, 30)) for k in range(4)]
    held = [None, lw.Held(1, 0.5, "lstm"), None, lw.Held(2, -0.5, "lstm")]
    wanted = [lw.record(model, x, held=h, top_k=2) for x, h in zip(inputs, held, strict=True)]
    relevance = lw.relevance(model, inputs[0], methods="sensitivity", at=3)
    found = in_threads(
        *(
            lambda x=x, h=h: [lw.record(model, x, held=h, top_k=2) for _ in range(4)]
            for x, h in zip(inputs, held, strict=True)
        ),
        lambda: [lw.relevance(model, inputs[0], methods="sensitivity", at=3)] * 2,
    )
    for one, several in zip([*wanted, relevance], found, strict=True):
        for other in several:
            if isinstance(one, lw.Recording):
                for layer in one:
                    assert one[layer].drop_attrs().equals(other[layer].drop_attrs())
                assert one.predictions.equals(other.predictions)
            else:
                np.testing.assert_allclose(one["relevance"], other["relevance"], rtol=1e-6)


def test_wishes_from_the_page_and_from_a_cell_are_done_one_after_the_other(model, monkeypatch):
    widget = lw.WhatIf(model, "abba cab", vocabulary=SYMBOLS, layer="lstm", cell=1)
    at_once, most = 0, 0
    record = what_if.record

    def counted(*args, **options):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        result = record(*args, **options)
        at_once -= 1
        return result

    monkeypatch.setattr(what_if, "record", counted)
    sent = []
    widget.send = lambda content, _buffers=None: sent.append(content)

    def from_the_page(held):
        request = {"id": str(held), "kind": "run", "text": "a cab", "cell": 2, "value": held}
        widget._on_message(widget, request, [])

    def from_a_cell():
        widget.text = "bead"

    in_threads(from_a_cell, *(lambda held=held: from_the_page(held) for held in (0.5, -0.5, 0.25)))
    assert most == 1
    assert sorted(message["id"] for message in sent) == ["-0.5", "0.25", "0.5"]
    assert not any("error" in message for message in sent)
    # Whichever was last: what is shown is of one wish.
    assert widget._result["text"] == widget.text
    assert widget._result["value"] == widget.value
    shown = widget.recording["lstm"]
    assert "".join(shown["token"].values[0]) == widget.text
    held = None if widget.value is None else lw.Held(widget.cell, widget.value, "lstm")
    wanted = lw.record(model, widget.text, vocabulary=SYMBOLS, held=held, check=False)
    np.testing.assert_array_equal(shown["hidden_state"], wanted["lstm"]["hidden_state"])


def test_what_is_there_is_not_computed_again(model, monkeypatch):
    calls = []
    record = what_if.record
    monkeypatch.setattr(
        what_if, "record", lambda *args, **options: calls.append(1) or record(*args, **options)
    )
    widget = lw.WhatIf(model, "abba cab", vocabulary=SYMBOLS, window=4)
    assert (widget.layer, len(calls)) == ("both", 1)
    sent = []
    widget.send = lambda content, _buffers=None: sent.append(content)
    wish = {"kind": "run", "text": "abba cab", "cell": 0, "value": 0.5}
    for name in ("1", "2"):
        widget._on_message(widget, wish | {"id": name}, [])
    assert [message["id"] for message in sent] == ["1", "2"]
    assert len(calls) == 2


def test_the_first_layer_that_has_the_signal_is_shown(model):
    options = {"vocabulary": SYMBOLS, "window": 4}
    assert lw.WhatIf(model, "abba cab", **options).layer == "both"
    assert lw.WhatIf(model, "abba cab", signal="forget_gate", **options).layer == "lstm"
    with pytest.raises(ValueError, match="signal: expected one of "):
        lw.WhatIf(model, "abba cab", signal="update_gate", **options)


def test_a_cell_that_was_held_is_not_held_again(model, monkeypatch):
    recording = lw.record(model, "abba cab a bead", vocabulary=SYMBOLS)
    finder = lw.CellFinder(
        recording,
        {"a": "a"},
        ranking=lw.rank_cells(recording, {"a": "a"}, shifts=5),
        model=model,
        inputs="abba cab a bead",
        vocabulary=SYMBOLS,
        window=4,
    )
    runs = []
    ablate = finder._ablate[""]
    monkeypatch.setitem(
        finder._ablate, "", lambda **options: runs.append(options["cells"]) or ablate(**options)
    )
    sent = []
    finder.send = lambda content, _buffers=None: sent.append(content)
    in_threads(
        *(
            lambda name=name: finder._on_message(finder, {"id": name, "ablate": 0}, [])
            for name in "123"
        )
    )
    assert len(runs) == 1
    assert len({message["ablation"]["held"] for message in sent}) == 1


def test_only_one_lock_stands_before_models():
    with run.states_as_found(keras.Sequential([L.Dense(1)]), []):
        assert not in_threads(lambda: run.RUNNING.acquire(blocking=False))[0]
