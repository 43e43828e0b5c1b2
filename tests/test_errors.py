"""Errors of the package: one base class, and still the built-in errors that they are."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest

import lstm_widgets as lw


def test_every_error_has_the_one_base_and_a_built_in_one() -> None:
    for name in lw.errors.__all__:
        error = getattr(lw.errors, name)
        assert getattr(lw, name) is error
        assert issubclass(error, lw.errors.LstmWidgetsError)
        if error is not lw.errors.LstmWidgetsError:
            assert issubclass(error, ValueError | KeyError | RuntimeError)


def test_all_of_them_are_public() -> None:
    members = inspect.getmembers(lw.errors, inspect.isclass)
    classes = {name for name, one in members if one.__module__ == lw.errors.__name__}
    assert classes == set(lw.errors.__all__)


def test_a_layer_that_there_is_not_is_one_error_wherever_a_name_is_said() -> None:
    model = keras.Sequential(
        [keras.Input((None, 1)), keras.layers.LSTM(2, name="lstm"), keras.layers.Dense(2)]
    )
    inputs = np.zeros((1, 3, 1), "float32")
    recording = lw.record(model, inputs)
    held = lw.Held(0, layer="x")
    for ask in (
        lambda: lw.record(model, inputs, layers="x"),
        lambda: lw.record(model, inputs, held=held),
        lambda: lw.record(model, inputs, layers="lstm:2"),
        lambda: lw.ablate(model, inputs, 0, layer="x", targets=[0]),
        lambda: lw.relevance(model, inputs, layer="x", cell=0, methods="sensitivity"),
        lambda: lw.fixed_points(model, "x", inputs=[0.0], starts=recording),
        lambda: lw.TrainingRecorder(inputs, layers="x").record(model, "begun"),
        lambda: lw.project(recording, "x"),
        lambda: recording["x"],
        lambda: recording.notes["x", 0],
    ):
        with pytest.raises(lw.LayerNotFoundError, match=r"'lstm'.* got 'x'|'lstm:2'") as caught:
            ask()
        assert isinstance(caught.value, KeyError)
        assert isinstance(caught.value, ValueError)


def test_a_missing_layer_shows_its_message_and_not_the_repr_of_it() -> None:
    with pytest.raises(KeyError) as caught:
        raise lw.LayerNotFoundError("layer: expected 'lstm', got 'x'")
    assert str(caught.value) == "layer: expected 'lstm', got 'x'"
