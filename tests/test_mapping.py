"""A recording is a mapping from layer to Dataset, and what is empty or misspelt is an error."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((None, 2)),
            L.Bidirectional(L.LSTM(3, return_sequences=True), name="both"),
            L.GRU(4, return_sequences=True, name="gru"),
            L.Dense(3, activation="softmax"),
        ]
    )


@pytest.fixture(scope="module")
def inputs():
    return np.random.default_rng(3).normal(size=(2, 5, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def recording(model, inputs):
    return lw.record(model, inputs)


def test_a_recording_is_a_mapping_of_its_layers(recording):
    names = ["both/forward", "both/backward", "gru"]
    assert isinstance(recording, Mapping)
    assert list(recording) == list(recording.keys()) == names
    assert len(recording) == 3
    assert "gru" in recording
    assert "both" in recording  # which recording["both"] has, too
    assert recording["both"].sizes["cell"] == 6
    for missing in ("lstm", "", 3, None):
        assert missing not in recording
    assert recording.get("lstm") is None
    for name, dataset in recording.items():
        again = recording[name]  # noqa: PLR1733
        assert dataset.identical(again)
    assert [dataset.sizes["cell"] for dataset in recording.values()] == [3, 3, 4]
    with pytest.raises(KeyError, match="layer: expected one of 'both/forward'"):
        recording["lstm"]
    with pytest.raises(TypeError, match="layer: expected a name, got 0"):
        recording[0]


def test_recordings_are_told_apart_as_things(recording, model, inputs):
    other = lw.record(model, inputs)
    assert recording == recording  # noqa: PLR0124
    assert recording != other
    assert {recording: "this", other: "other"}[recording] == "this"


def test_nothing_is_not_taken_for_all_or_for_none(recording, model, inputs):
    targets = np.zeros((2, 5), int)
    for call, text in (
        (lambda: lw.record(model, inputs, layers=[]), "layers: expected one or more names"),
        (lambda: lw.record(model, inputs, signals=[]), "signals: expected one or more names"),
        (
            lambda: lw.rank_cells(recording, {"a": targets == 0}, signals=[]),
            "signals: expected one",
        ),
        (lambda: lw.rank_cells(recording, {"a": targets == 0}, layers=[]), "layers: expected one"),
        (lambda: lw.screen_cells(recording, layers=[]), "layers: expected one"),
        (lambda: lw.match(recording, (1, 2), signal=[]), "signal: expected one of"),
        (lambda: lw.match(recording, (1, 2), layer=[]), "layer: expected"),
        (lambda: lw.ablate(model, inputs, [], targets=targets), "cells: expected at least one"),
        (
            lambda: lw.ablate(model, inputs, [], each=True, targets=targets),
            "cells: expected at least one",
        ),
        (lambda: lw.ablate(model, inputs, 0, signal=[], targets=targets), "signals: expected one"),
        (lambda: lw.ablate(model, inputs, 0, layer=[], targets=targets), "layer.: expected"),
        (lambda: lw.Held([]), "cells: expected at least one, got none"),
        (lambda: lw.Held(0, []), "value: expected one number, or one for each of 1 cells, got 0"),
        (lambda: lw.Held(0, signal=[]), "signal: expected a name"),
        (lambda: lw.Held(0, layer=[]), "layer: expected a name or None"),
        (lambda: lw.relevance(model, inputs, methods=[]), "methods: expected"),
    ):
        with pytest.raises((TypeError, ValueError), match=text.replace(".:", ".?:")):
            call()


@pytest.mark.parametrize(
    "value",
    [
        np.array(0.25),
        np.float32(0.25),
        np.array([0.25, 0.25]),
        keras.ops.convert_to_tensor(0.25),
        (np.float64(0.25), 0.25),
    ],
    ids=lambda value: type(value).__name__,
)
def test_cells_are_held_at_what_arrays_say(value, model, inputs):
    targets = np.ones((2, 5), int)
    cells = np.array([1, 3])
    found = lw.ablate(model, inputs, cells, value=value, layer="gru", targets=targets)
    wanted = lw.ablate(model, inputs, (1, 3), value=0.25, layer="gru", targets=targets)
    assert found.table["value"][0] == (0.25, 0.25)
    assert found.table.equals(wanted.table)
    assert lw.Held(np.array(2), value=np.array([0.5])).value == (0.5,)


def test_arrays_that_are_no_values_are_refused(model, inputs):
    for value, text in (
        (np.zeros((2, 2)), r"value: expected one, or a sequence of them, got .* shape \(2, 2\)"),
        (np.zeros(3), "value: expected one number, or one for each of 2 cells, got 3"),
        (np.array(np.nan), "value: expected finite numbers, got .*nan"),
        (np.array(True), "value: expected finite numbers, got .*True"),
        ("median", "value: expected 'zero', 'mean', a number"),
    ):
        with pytest.raises(ValueError, match=text):
            lw.ablate(model, inputs, (0, 1), value=value, layer="gru", targets=np.ones((2, 5), int))
