"""Jacobians of one step: against finite differences, and against the frameworks' own."""

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lstm_widgets.models.keras.cells import read_cell
from lstm_widgets.rnn.activations import ACTIVATIONS
from lstm_widgets.rnn.cells import KINDS, Cell
from lstm_widgets.rnn.jacobians import StateMap
from lstm_widgets.rnn.numpy_loop import take_step

WITH_SLOPE = sorted(str(name) for name, one in ACTIVATIONS.items() if one.slope)
GATES = {"LSTM": 4, "ProjectedLSTM": 4, "GRU": 3, "SimpleRNN": 1}


def random_cell(
    kind, features, units, rng, *, names=("tanh", "sigmoid"), bias=True, after=True, projected=2
):
    columns = GATES[kind] * units
    width = projected if kind == "ProjectedLSTM" else units
    of_bias = (2, columns) if kind == "GRU" and after else columns
    return Cell(
        kind,
        rng.normal(size=(features, columns)) / features**0.5,
        rng.normal(size=(width, columns)) / width**0.5,
        rng.normal(size=of_bias) / 2 if bias else None,
        activation_names=names,
        reset_after=after,
        projection=rng.normal(size=(units, width)) / units**0.5 if width < units else None,
    )


def stepped(cell, inputs, joint):
    """Take the step by the plain loop's equations; join the states."""
    widths = [cell.width(name) for name in KINDS[cell.kind].signals[: KINDS[cell.kind].states]]
    states = np.split(joint, np.cumsum(widths)[:-1], axis=1)
    inputs = np.broadcast_to(inputs, (len(joint), inputs.shape[-1]))
    return np.hstack(take_step(cell, inputs, states)[: len(widths)])


def differences(cell, inputs, joint, reach=1e-6):
    columns = []
    for k in range(joint.shape[1]):
        step = np.zeros(joint.shape[1])
        step[k] = reach
        above, below = joint + step, joint - step
        change = stepped(cell, inputs, above) - stepped(cell, inputs, below)
        columns.append(change / (above - below)[:, [k]])
    return np.stack(columns, axis=2)


@settings(max_examples=60)
@given(
    kind=st.sampled_from(sorted(GATES)),
    units=st.integers(3, 7),
    features=st.integers(1, 4),
    names=st.tuples(st.sampled_from(WITH_SLOPE), st.sampled_from(WITH_SLOPE)),
    which=st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1)),
)
def test_they_are_the_slopes_of_the_step(kind, units, features, names, which):
    bias, after, each, seed = which
    rng = np.random.default_rng(seed)
    cell = random_cell(kind, features, units, rng, names=names, bias=bias, after=after)
    inputs = rng.normal(size=(5, features) if each else features)
    ours = StateMap(cell, inputs)
    joint = rng.normal(size=(5, ours.size))
    after_step, jacobian = ours.jacobian(joint)
    assume(np.abs(after_step).max() < 1e100)  # an exponential of an exponential soon overflows
    assert ours.analytic
    assert jacobian.dtype == np.float64
    np.testing.assert_allclose(after_step, stepped(cell, inputs, joint), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(ours(joint), after_step)
    size = max(1.0, np.abs(jacobian).max(), np.abs(after_step).max())
    np.testing.assert_allclose(jacobian / size, differences(cell, inputs, joint) / size, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 700])
@pytest.mark.parametrize("kind", sorted(GATES))
def test_any_number_of_states_at_once(kind, count):
    rng = np.random.default_rng(1)
    cell = random_cell(kind, 3, 24, rng, projected=9)
    inputs = rng.normal(size=3)
    ours = StateMap(cell, inputs)
    joint = rng.normal(size=(count, ours.size))
    after, jacobian = ours.jacobian(joint)
    assert jacobian.shape == (count, ours.size, ours.size)
    for k in range(0, count, 97):
        one_after, one = ours.jacobian(joint[k : k + 1])
        np.testing.assert_allclose(after[k], one_after[0], atol=1e-13)
        np.testing.assert_allclose(jacobian[k], one[0], atol=1e-13)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("LSTM", {}), ("GRU", {}), ("GRU", {"reset_after": False}), ("SimpleRNN", {})],
)
def test_they_are_those_of_tensorflow(kind, options):
    cell = getattr(keras.layers, f"{kind}Cell")(6, dtype="float64", **options)
    cell.build((None, 3))
    rng = np.random.default_rng(2)
    cell.set_weights([rng.normal(size=w.shape) / 2 for w in cell.weights])
    inputs = rng.normal(size=3)
    ours = StateMap(read_cell(kind, cell), inputs)
    joint = rng.normal(size=(8, ours.size))
    given_inputs = tf.constant(np.broadcast_to(inputs, (8, 3)))
    x = tf.constant(joint)
    with tf.GradientTape() as tape:
        tape.watch(x)
        _, states = cell(given_inputs, tf.split(x, len(ours.places), axis=1))
        after = tf.concat(states, axis=1)
    np.testing.assert_allclose(ours.jacobian(joint)[0], after, atol=1e-12)
    np.testing.assert_allclose(ours.jacobian(joint)[1], tape.batch_jacobian(after, x), atol=1e-12)


@pytest.mark.parametrize("projected", [0, 3])
def test_they_are_those_of_pytorch(projected):
    torch.manual_seed(0)
    module = torch.nn.LSTM(3, 5, proj_size=projected, batch_first=True, dtype=torch.float64)
    kernel, recurrent, bias, more, *projection = (w.detach().numpy() for w in module.parameters())
    cell = Cell(
        "ProjectedLSTM" if projected else "LSTM",
        *(kernel.T, recurrent.T, bias + more),
        activation_names=("tanh", "sigmoid"),
        projection=projection[0].T if projected else None,
    )
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=3)
    width = projected or 5
    joint = rng.normal(size=(4, width + 5))

    def stepped_there(one):
        start = (one[None, None, :width], one[None, None, width:])
        _, states = module(torch.as_tensor(inputs)[None, None], start)
        return torch.cat([state[0, 0] for state in states])

    found = StateMap(cell, inputs).jacobian(joint)[1]
    each = [torch.autograd.functional.jacobian(stepped_there, one) for one in torch.tensor(joint)]
    np.testing.assert_allclose(found, torch.stack(each), atol=1e-12)
    plain = torch.nn.LSTMCell(3, 5, dtype=torch.float64)
    if not projected:
        plain.load_state_dict({k.removesuffix("_l0"): v for k, v in module.state_dict().items()})

        def by_cell(one):
            after = plain(torch.as_tensor(inputs)[None], (one[None, :5], one[None, 5:]))
            return torch.cat(after, dim=1)[0]

        same = torch.func.vmap(torch.func.jacrev(by_cell))(torch.tensor(joint))
        np.testing.assert_allclose(found, same.detach(), atol=1e-12)


@pytest.mark.parametrize("name", ["silu", "gelu", None])
def test_what_has_no_known_slope_is_told_by_differences(name):
    rng = np.random.default_rng(4)
    cell = random_cell("GRU", 2, 4, rng, names=(name, "sigmoid"))
    if name is None:  # one's own, which mixes the cells

        def softmax(z):
            e = np.exp(z - z.max(axis=1, keepdims=True))
            return e / e.sum(axis=1, keepdims=True)

        cell = replace(cell, activation=softmax)
    inputs = rng.normal(size=2)
    ours = StateMap(cell, inputs)
    joint = rng.normal(size=(3, 4))
    assert not ours.analytic
    np.testing.assert_allclose(
        ours.jacobian(joint)[1],
        differences(cell.in_numpy(), inputs, joint, reach=1e-5),
        atol=1e-7,
    )


def test_inputs_of_other_features_are_refused():
    cell = random_cell("GRU", 2, 4, np.random.default_rng(0))
    with pytest.raises(
        ValueError, match=r"inputs: expected .* with 2 features, got shape \(1, 3\)"
    ):
        StateMap(cell, np.zeros(3))
