"""What the forward pass keeps for the ways back, and vectors that are looked up in a table."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers as L

import lstm_widgets as lw
from lstm_widgets.models.keras import propagation
from lstm_widgets.rnn import compiled, numpy_loop, relevance_rules
from lstm_widgets.rnn.activations import ACTIVATIONS
from lstm_widgets.rnn.cells import KINDS, Cell, Lookup
from lstm_widgets.rnn.relevance_rules import Rule
from lstm_widgets.rnn.sequences import Sequences


@st.composite
def runs(draw):
    """A cell, a table of vectors, and which of them each example reads."""
    kind, reset_after = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"])), draw(st.booleans())
    examples, timesteps, features, units = (draw(st.integers(1, n)) for n in (7, 9, 4, 6))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    width, states = KINDS[kind].gates * units, KINDS[kind].states

    def random(*shape):
        return rng.normal(size=shape).astype(dtype)

    two = kind == "GRU" and reset_after
    cell = Cell(
        kind=kind,
        kernel=random(features, width),
        recurrent_kernel=random(units, width),
        bias=(random(2, width) if two else random(width)) if draw(st.booleans()) else None,
        activation=ACTIVATIONS["tanh"].function,
        recurrent_activation=ACTIVATIONS["sigmoid"].function,
        activation_names=("tanh", "sigmoid"),
        reset_after=two,
    )
    table = random(draw(st.integers(1, 30)), features)
    rows = rng.integers(0, len(table), (examples, timesteps))
    mask = rng.random((examples, timesteps)) < 0.7 if draw(st.booleans()) else None
    return cell, Lookup(table, rows), [random(examples, units) for _ in range(states)], mask


@settings(max_examples=60, deadline=None)
@given(runs(), st.booleans(), st.sampled_from([1, 1 << 17]))
def test_looked_up_or_not_all_is_the_same(case, reverse, ahead):
    cell, lookup, initial, mask = case
    x = lookup.table[lookup.rows]
    shape = (*lookup.rows.shape, cell.units)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "_AHEAD", ahead)
        for loop, known in ((compiled, lookup), (compiled, None), (numpy_loop, None)):
            out = {name: np.empty(shape, x.dtype) for name in KINDS[cell.kind].signals}
            of_inputs = np.empty(shape, x.dtype)
            options = {"reverse": reverse, "of_inputs": of_inputs, "lookup": known}
            last = loop.scan(cell, x, initial, mask, out, **options)
            found.append([*out.values(), *last, of_inputs])
    close = 1e-12 if x.dtype == np.float64 else 2e-5
    for one, *others in zip(*found, strict=True):
        for other in others:
            np.testing.assert_allclose(other, one, rtol=0, atol=close)
    first = 0 if cell.kind == "SimpleRNN" else 2 * cell.units
    weights = cell.kernel[:, first : first + cell.units].astype(np.float64)
    np.testing.assert_allclose(found[0][-1], x @ weights, rtol=0, atol=close)


@settings(max_examples=20, deadline=None)
@given(runs(), st.booleans())
def test_relevance_is_the_same_with_what_was_kept(case, summed):
    cell, lookup, initial, mask = case
    x = lookup.table[lookup.rows]
    shape = (*lookup.rows.shape, cell.units)
    out = {name: np.empty(shape, x.dtype) for name in KINDS[cell.kind].signals}
    of_inputs = np.empty(shape, x.dtype)
    last = compiled.scan(cell, x, initial, mask, out, of_inputs=of_inputs)
    kept = of_inputs.copy()
    with_, without = (
        relevance_rules.recurrent(
            Sequences(cell, x, initial, out, mask=mask, of_inputs=each),
            *(None, last, Rule(0.1, 0.5)),
            summed=summed,
        )
        for each in (of_inputs, None)
    )
    scale = np.abs(without[0]).max() + 1
    np.testing.assert_allclose(with_[0] / scale, without[0] / scale, atol=2e-5)
    np.testing.assert_array_equal(of_inputs, kept)  # there may be another way back


def test_rows_that_stand_nowhere_are_not_multiplied():
    table, rows = np.arange(10.0)[:, None], np.array([[7, 2, 7], [2, 2, 9]])
    used = Lookup(table, rows).used()
    assert used.table.ravel().tolist() == [2, 7, 9]
    np.testing.assert_array_equal(used.table[used.rows], table[rows])


@pytest.mark.parametrize("odd", ["", "negative", "scaled"])
def test_only_what_an_embedding_does_is_looked_up(monkeypatch, odd):
    seen, original = [], propagation.scan

    def noted(*arguments, lookup=None, **options):
        seen.append(lookup)
        return original(*arguments, lookup=lookup, **options)

    class Scaled(L.Embedding):
        def call(self, inputs):
            return 2 * super().call(inputs)

    kind = Scaled if odd == "scaled" else L.Embedding
    model = keras.Sequential([keras.Input((6,), dtype="int32"), kind(5, 3), L.GRU(4), L.Dense(2)])
    ids = np.random.default_rng(0).integers(0, 5, (8, 6))
    if odd == "negative":
        ids[:4] -= 5
    monkeypatch.setattr(propagation, "scan", noted)
    found = lw.relevance(model, ids, methods="gradient_x_input")
    assert any(each is not None for each in seen) == (odd == "")

    def without(*arguments, lookup=None, **options):
        del lookup
        return original(*arguments, **options)

    monkeypatch.setattr(propagation, "scan", without)
    plain = lw.relevance(model, ids, methods="gradient_x_input")
    np.testing.assert_allclose(found.relevance, plain.relevance, atol=1e-6)
