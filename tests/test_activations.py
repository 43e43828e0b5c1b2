"""The activations that have names: Keras's own, and their derivatives finite differences."""

import keras
import numpy as np
import pytest

from lstm_widgets.rnn.activations import ACTIVATIONS, slope_of

NAMES = sorted(map(str, ACTIVATIONS))
OF_KERAS = [name for name in NAMES if name != "hard_sigmoid_keras2"]
POINTS = np.concatenate([np.linspace(-12, 12, 4001), [0.0, -0.0, 1e-5, -1e-5, 30, -30]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OF_KERAS)
def test_they_are_those_of_keras(name, dtype):
    x = POINTS.astype(dtype)
    found = ACTIVATIONS[name].function(x)
    assert found.dtype == dtype
    expected = np.asarray(keras.activations.get(name)(keras.ops.convert_to_tensor(x)))
    # TensorFlow rounds the constants of these two to float32.
    exact = dtype == "float64" and name not in ("gelu", "leaky_relu")
    tolerance = 1e-14 if exact else 2e-6
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_the_hard_sigmoid_of_keras_2():
    found = ACTIVATIONS["hard_sigmoid_keras2"].function(POINTS)
    np.testing.assert_allclose(found, np.clip(0.2 * POINTS + 0.5, 0, 1), atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_a_derivative_is_told_by_what_came_out(name):
    if ACTIVATIONS[name].slope is None:
        with pytest.raises(ValueError, match=f"expected one whose output tells .* got '{name}'"):
            slope_of(name)
        return
    function = ACTIVATIONS[name].function
    kinks = np.array([-3, -2.5, -1, 0, 1, 2.5, 3, 6])
    x = POINTS[np.abs(POINTS[:, None] - kinks).min(axis=1) > 1e-3]
    expected = (function(x + 1e-6) - function(x - 1e-6)) / 2e-6
    # Far out tanh and the like are so close to their bounds that only so many digits are left.
    near = np.abs(x) < 8
    np.testing.assert_allclose(
        slope_of(name)(function(x))[near], expected[near], atol=1e-6, rtol=1e-6
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "elu", "selu", "log_sigmoid"])
def test_nothing_overflows(name):
    found = ACTIVATIONS[name].function(np.array([-1e30, 1e30, np.nan], np.float32))
    assert np.isnan(found[2])
    assert not np.isnan(found[:2]).any()
