"""Networks that guess the next character: built as said, trained the same twice, and better for it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from lstm_widgets.datasets import characters

TEXT = "abcabd" * 60
IDS = characters.encode(TEXT, "abcd")


def test_encoding_is_the_place_among_the_symbols():
    ids = characters.encode("cab", "abc")
    assert ids.dtype == np.int32
    assert ids.tolist() == [2, 0, 1]
    assert characters.encode("", "abc").shape == (0,)
    with pytest.raises(ValueError, match="text: expected only characters of symbols, got 'x'"):
        characters.encode("axz", "abc")


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_the_network_is_what_was_asked_for(kind):
    model = characters.build_model(7, kind=kind, cells=(5, 3), embedding=4, dropout=0.5, l1=0.1)
    stack = [[f"{kind.lower()}_{k}", f"l1_{k}", f"dropout_{k}"] for k in (1, 2)]
    names = ["symbols", *stack[0], *stack[1], "next_symbol"]
    assert [layer.name for layer in model.layers] == names
    assert [model.layers[k].units for k in (1, 4)] == [5, 3]
    given = model(np.array([[0, 1, 2, 3, 6]]))
    assert given.shape == (1, 5, 7)
    np.testing.assert_allclose(np.sum(given, axis=-1), 1, atol=1e-5)
    # l1 times the sum over the cells and timesteps of a window.
    model(np.array([[0, 1, 2, 3, 6]]))
    first = keras.Sequential(model.layers[:2])(np.array([[0, 1, 2, 3, 6]]))
    np.testing.assert_allclose(model.losses[0], 0.1 * np.abs(first).sum(), rtol=1e-5)


@pytest.mark.parametrize("streams", [None, 3])
def test_training_learns_and_is_the_same_twice(streams):
    def trained():
        model = characters.build_model(4, cells=(8,), embedding=4, seed=1)
        before = characters.loss(model, IDS)
        losses = characters.train(
            model, IDS, epochs=12, window=10, streams=streams, learning_rate=0.03, seed=1
        )
        return model, before, losses

    (model, before, losses), (again, _, same) = trained(), trained()
    assert losses == same
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert losses[-1] < 0.5 * losses[0]
    assert characters.loss(model, IDS) < 0.5 * before
    assert not model.compiled  # a saved model carries no optimizer


def test_streams_carry_the_state_from_step_to_step():
    pieces = characters._side_by_side(np.arange(100, dtype=np.int32), 8, 3)
    assert pieces.shape == (12, 9)
    for stream in range(3):
        read = pieces[stream::3]
        assert read[:, :-1].ravel().tolist() == list(range(stream * 32, stream * 32 + 32))
        assert (read[:, 1:] == read[:, :-1] + 1).all()


def test_loss_is_that_of_keras():
    model = characters.build_model(4, cells=(8,), embedding=4)
    expected = keras.losses.sparse_categorical_crossentropy(IDS[1:], model(IDS[None, :-1])[0])
    np.testing.assert_allclose(characters.loss(model, IDS), np.mean(expected), rtol=1e-5)


@pytest.mark.parametrize(("streams", "least"), [(None, 64), (8, 512)])
def test_a_text_that_is_too_short_is_refused(streams, least):
    model = characters.build_model(4, cells=(8,), embedding=4)
    with pytest.raises(ValueError, match=f"expected more than {least} characters, got {least}"):
        characters.train(model, np.zeros(least, np.int32), epochs=1, streams=streams)
