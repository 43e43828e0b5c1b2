"""The activations that cells can have by name: what they compute, and their derivatives.

The names are Keras's. Each stands here once as a function on arrays; :mod:`lstm_widgets.rnn.compiled`
has the same on single numbers, and is held against these. Functions that mix the cells of a layer
(softmax) aren't elementwise, and have no name here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["ACTIVATIONS", "Activation", "slope_of"]


@dataclass(frozen=True)
class Activation:
    """An elementwise function on arrays of float32 or float64.

    Attributes
    ----------
    function : callable
        From what goes in to what comes out, in the dtype of what goes in.
    slope : callable, optional
        From what came out to the derivative there; None where what came out doesn't tell it.
    """

    function: Callable[[Any], Any]
    slope: Callable[[Any], Any] | None = None


def _sigmoid(x: Floats) -> Floats:
    # One over one plus a number that is at most 1: nothing overflows, and what is close to 0 has
    # all its digits.
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def _clipped(x: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.minimum(np.maximum(x, low), high))


def _hard_sigmoid(x: Floats) -> Floats:
    # And not x / 6 + 0.5, which has few digits left where it is close to 0.
    return _clipped(x + 3, 0, 6) / 6


def _hard_sigmoid_keras2(x: Floats) -> Floats:
    return _clipped(x + 2.5, 0, 5) / 5


def _elu(x: Floats) -> Floats:
    return np.asarray(np.where(x > 0, x, np.expm1(np.minimum(x, 0))))


# Klambauer et al. 2017, arXiv:1706.02515
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(x: Floats) -> Floats:
    scale, low = x.dtype.type(_SELU_SCALE), x.dtype.type(_SELU_SCALE * _SELU_ALPHA)
    return np.asarray(np.where(x > 0, scale * x, low * np.expm1(np.minimum(x, 0))))


def _softplus(x: Floats) -> Floats:
    return np.asarray(np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))))


def _gelu(x: Floats) -> Floats:
    # It takes long to import.
    from scipy.special import erfc  # noqa: PLC0415

    return np.asarray(x * 0.5 * erfc(x * x.dtype.type(-(0.5**0.5))))


def _between(y: Floats, low: float, high: float) -> Floats:
    return np.asarray((y > low) & (y < high), y.dtype)


ACTIVATIONS: dict[str | None, Activation] = {
    "tanh": Activation(np.tanh, lambda y: 1 - y * y),
    "sigmoid": Activation(_sigmoid, lambda y: y - y * y),
    "linear": Activation(lambda x: x, np.ones_like),
    "relu": Activation(lambda x: np.maximum(x, 0), lambda y: (y > 0).astype(y.dtype)),
    "hard_sigmoid": Activation(_hard_sigmoid, lambda y: _between(y, 0, 1) / y.dtype.type(6)),
    # What Keras 2 called hard_sigmoid, which is another function in Keras 3.
    "hard_sigmoid_keras2": Activation(
        _hard_sigmoid_keras2, lambda y: _between(y, 0, 1) * y.dtype.type(0.2)
    ),
    "hard_tanh": Activation(lambda x: _clipped(x, -1, 1), lambda y: _between(y, -1, 1)),
    "relu6": Activation(lambda x: _clipped(x, 0, 6), lambda y: _between(y, 0, 6)),
    "leaky_relu": Activation(
        lambda x: np.where(x > 0, x, x * x.dtype.type(0.2)),
        lambda y: np.where(y > 0, 1, 0.2).astype(y.dtype),
    ),
    "elu": Activation(_elu, lambda y: np.where(y > 0, 1, y + 1).astype(y.dtype)),
    "selu": Activation(
        _selu,
        lambda y: np.where(y > 0, _SELU_SCALE, y + _SELU_SCALE * _SELU_ALPHA).astype(y.dtype),
    ),
    "softplus": Activation(_softplus, lambda y: -np.expm1(-y)),
    "softsign": Activation(lambda x: x / (1 + np.abs(x)), lambda y: np.square(1 - np.abs(y))),
    "exponential": Activation(np.exp, lambda y: y),
    "silu": Activation(lambda x: x * _sigmoid(x)),
    "gelu": Activation(_gelu),
    "mish": Activation(lambda x: x * np.tanh(_softplus(x))),
    "hard_silu": Activation(lambda x: x * _hard_sigmoid(x)),
    "log_sigmoid": Activation(lambda x: -_softplus(-x), lambda y: -np.expm1(y)),
}
"""The activations, by name."""


def slope_of(name: str | None) -> Callable[[Any], Any]:
    """Return the derivative of an activation, from what came out of it.

    Raises
    ------
    ValueError
        If it isn't known, or what came out doesn't tell it.
    """
    known = ACTIVATIONS.get(name)
    if known is None or known.slope is None:
        raise ValueError(f"activation: expected one whose output tells its slope, got {name!r}")
    return known.slope
