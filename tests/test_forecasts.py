"""A forecast has no classes: no word says so, neither in numbers' names nor in widgets."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.views.dependencies import Dependency

BATCH = np.random.default_rng(5).normal(size=(3, 6, 2)).astype(np.float32)


def forecaster(outputs, loss=None, *, sequences=False, activation=None):
    keras.utils.set_random_seed(6)
    model = keras.Sequential(
        [
            keras.Input((6, 2)),
            L.LSTM(4, return_sequences=sequences, name="lstm"),
            L.Dense(outputs, activation=activation),
        ]
    )
    if loss is not None:
        model.compile(loss=loss)
    return model


def written(widget):
    """All words that stand in a widget's figure."""
    return " ".join(word.text for word in widget._sheet(7.5, "light").words)


@pytest.mark.parametrize("loss", [None, "mse", keras.losses.Huber()], ids=["no", "name", "object"])
def test_a_single_number_is_a_forecast(loss):
    model = forecaster(1, loss)
    relevance = lw.relevance(model, BATCH, methods=("sensitivity", "gradient_x_input"))
    assert relevance.attrs["meaning"] == "values"
    assert relevance.attrs["outputs"] == 1
    assert not {"predicted", "confidence"} & set(relevance)
    np.testing.assert_allclose(relevance["score"], model.predict(BATCH, verbose=0)[:, 0], atol=1e-6)
    assert (relevance["target"] == 0).all()
    widget = lw.RelevanceHeatmap(relevance)
    summary = widget._summary
    assert summary["called"]["score"] == "forecast"
    assert (summary["explained"], summary["predicted"]) == ("the forecast", False)
    assert summary["classes"] == []
    words = written(widget)
    assert "forecast" in words
    assert not {"class", "predicted", "score"} & set(words.replace("(", " ").split())
    with pytest.raises(
        ValueError, match=r"targets: expected None, .* forecast, which has no classes"
    ):
        lw.RelevanceHeatmap(relevance, targets=[0, 1, 0])
    with pytest.raises(Exception, match="predicted"):
        lw.RelevanceHeatmap(relevance, predicted=1)
    curve = lw.deletion_curve(model, BATCH, relevance, limit=2)
    np.testing.assert_allclose(curve[0, :, 0], relevance["score"], atol=1e-5)


def test_several_numbers_are_outputs():
    known, unknown = forecaster(3, "mae"), forecaster(3)
    for model in (known, unknown):
        for target in (None, 2):
            relevance = lw.relevance(model, BATCH, methods="sensitivity", target=target)
            assert ("predicted" in relevance) == (model is unknown)
            summary = lw.RelevanceHeatmap(relevance)._summary
            names = {name for _, name, _ in summary["classes"]}
            assert names <= {"output 0", "output 1", "output 2"}
            assert "class" not in summary["explained"]
            if target == 2:
                assert summary["explained"] == "output 2"
            elif model is unknown:
                assert summary["explained"] == "the highest output"
            called = {"score": "forecast", "predicted": "predicted"}
            if model is unknown:
                called = {"score": "score", "predicted": "highest"}
            assert summary["called"] == called
    days = lw.RelevanceHeatmap(
        lw.relevance(known, BATCH, methods="sensitivity", target=1),
        class_names=["Mon", "Tue", "Wed"],
    )
    assert days._summary["explained"] == "Tue"


def test_classes_are_classes():
    for model in (
        forecaster(3, activation="softmax"),
        forecaster(3, keras.losses.SparseCategoricalCrossentropy(from_logits=True)),
        forecaster(1, keras.losses.BinaryCrossentropy(from_logits=True)),
        forecaster(1, activation="sigmoid"),
    ):
        relevance = lw.relevance(model, BATCH, methods="sensitivity")
        assert relevance.attrs["meaning"] == "classes"
        summary = lw.RelevanceHeatmap(relevance, targets=relevance["predicted"].values)._summary
        assert "class" in summary["explained"]
        assert summary["called"] == {"score": "score", "predicted": "predicted"}
        assert summary["right"] == 3


@pytest.mark.parametrize("sequences", [False, True])
def test_dependency_of_a_forecast(sequences):
    one = lw.dependency(forecaster(1, "mse", sequences=sequences), BATCH)
    assert (one["target"] == 0).all()
    words = written(lw.DependencyHeatmap(one))
    assert "forecast" in words
    assert "class" not in words
    assert "logit" not in words
    several = lw.dependency(forecaster(3, "mse", sequences=sequences), BATCH, target=2)
    words = written(lw.DependencyHeatmap(several))
    assert "value of output 2" in words
    assert "class" not in words


def test_tokens_of_a_language_model_are_named_as_before():
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            L.Embedding(3, 2),
            L.LSTM(3, return_sequences=True),
            L.Dense(3),
        ]
    )
    dependency = lw.dependency(model, "abcab", vocabulary="abc", target="next")
    shown = Dependency.of_array("", "dependency", dependency)
    assert shown.of == "logit"
    assert shown.targets_of(0) == ["=b", "=c", "=a", "=b", ""]
