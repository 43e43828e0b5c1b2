"""The compiled ways back are those that stand in NumPy, over random configurations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_widgets.rnn import compiled_back, gradients, relevance_rules, scan
from lstm_widgets.rnn.activations import ACTIVATIONS
from lstm_widgets.rnn.cells import KINDS, Cell
from lstm_widgets.rnn.relevance_rules import Rule
from lstm_widgets.rnn.sequences import Sequences

NAMES = ["tanh", "sigmoid", "linear", "relu", "hard_sigmoid"]
GATES = ["tanh", "sigmoid", "hard_sigmoid"]  # bounded, else states grow out of bounds


@st.composite
def layers(draw):
    """A layer and what it did on some sequences, by the plain loop; and what arrives at it."""
    kind = draw(st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
    examples, timesteps, features, units = (draw(st.integers(1, n)) for n in (5, 6, 4, 9))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    dtype = draw(st.sampled_from(["float32", "float64"]))
    width, states = KINDS[kind].gates * units, KINDS[kind].states
    reset_after = kind == "GRU" and draw(st.booleans())

    def random(*shape):
        return (rng.normal(size=shape) * 0.7).astype(dtype)

    bias = None
    if draw(st.booleans()):
        bias = random(2, width) if reset_after else random(width)
    names = draw(st.sampled_from(NAMES)), draw(st.sampled_from(GATES))
    cell = Cell(
        kind=kind,
        kernel=random(features, width),
        recurrent_kernel=random(units, width),
        bias=bias,
        activation=ACTIVATIONS[names[0]].function,
        recurrent_activation=ACTIVATIONS[names[1]].function,
        activation_names=names,
        reset_after=reset_after,
    )
    mask = rng.random((examples, timesteps)) < 0.7 if draw(st.booleans()) else None
    reverse = draw(st.booleans())
    x, initial = random(examples, timesteps, features), [random(examples, units)] * states
    signals = {name: np.empty((examples, timesteps, units), dtype) for name in KINDS[kind].signals}
    scan.numpy_loop.scan(cell, x, initial, mask, signals, reverse=reverse)
    layer = Sequences(cell, x, initial, signals, mask=mask, reverse=reverse)
    arrived = random(examples, timesteps, units) if draw(st.booleans()) else None
    return layer, arrived, [random(examples, units) for _ in range(states)]


def by_numpy(function, *arguments, **options):
    with pytest.MonkeyPatch.context() as patch:
        for module in (gradients, relevance_rules):
            patch.setattr(module, "compiled_module", lambda _: None)
        return function(*arguments, **options)


def expect_same(found, expected):
    digits = 1e-12 if expected[0].dtype == np.float64 else 2e-5
    for ours, theirs in zip([found[0], *found[1]], [expected[0], *expected[1]], strict=True):
        assert ours.dtype == theirs.dtype
        scale = max(1.0, float(np.abs(theirs).max(initial=0)))
        np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=digits)


@settings(max_examples=60)
@given(layers(), st.sampled_from([0.0, 0.4, 1.0]), st.booleans())
def test_relevance_is_that_of_numpy(layer, bias_factor, summed):
    assert compiled_back.serves(layer[0].cell, gradients=False)
    arguments = (*layer, Rule(0.1, bias_factor))
    found = relevance_rules.recurrent(*arguments, summed=summed)
    expect_same(found, by_numpy(relevance_rules.recurrent, *arguments, summed=summed))


@settings(max_examples=60)
@given(layers())
def test_gradients_are_those_of_numpy(layer):
    assert compiled_back.serves(layer[0].cell, gradients=True)
    expect_same(gradients.recurrent(*layer), by_numpy(gradients.recurrent, *layer))


@settings(max_examples=20)
@given(layers(), st.sampled_from([np.nan, np.inf, 1e-42]))
def test_what_is_no_number_stays_none(layer, value):
    (sequences, arrived, last), rule = layer, Rule(0.1, 1.0)
    last[0][0, 0] = value
    with np.errstate(all="ignore"):
        for function, more in ((relevance_rules.recurrent, [rule]), (gradients.recurrent, [])):
            found = function(sequences, arrived, last, *more)
            expected = by_numpy(function, sequences, arrived, last, *more)
            for ours, theirs in zip(
                [found[0], *found[1]], [expected[0], *expected[1]], strict=True
            ):
                np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))


def test_many_examples_are_shared_out():
    rng, units = np.random.default_rng(0), 16
    weights = [rng.normal(size=(n, 4 * units)).astype("f") * 0.3 for n in (8, units)]
    cell = Cell(
        kind="LSTM",
        kernel=weights[0],
        recurrent_kernel=weights[1],
        bias=np.zeros(4 * units, "f"),
        activation=np.tanh,
        recurrent_activation=ACTIVATIONS["sigmoid"].function,
        activation_names=("tanh", "sigmoid"),
    )
    x, initial = rng.normal(size=(3000, 4, 8)).astype("f"), [np.zeros((3000, units), "f")] * 2
    signals = {name: np.empty((3000, 4, units), "f") for name in KINDS["LSTM"].signals}
    scan.scan(cell, x, initial, None, signals)
    layer = Sequences(cell, x, initial, signals)
    last = [rng.normal(size=(3000, units)).astype("f"), np.zeros((3000, units), "f")]
    rule = Rule(0.1, 0.5)
    expect_same(
        relevance_rules.recurrent(layer, None, last, rule),
        by_numpy(relevance_rules.recurrent, layer, None, last, rule),
    )
