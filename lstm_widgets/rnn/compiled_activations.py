# What Numba compiles has no types: each function is compiled for those that it is called with.
# mypy: disable-error-code="untyped-decorator, no-untyped-def, no-untyped-call"
# ruff: noqa: ANN001, ANN201, ANN202, ANN401
"""The activations of :mod:`lstm_widgets.rnn.activations` on single numbers, for the compiled loop.

In float32 tanh is a quotient of polynomials and the exponential function a polynomial, whose
coefficients come from :mod:`lstm_widgets.rnn.fit_activations`: LLVM makes vector code of them. In
float64 they are the C library's. NaN and infinities go through as IEEE 754 has them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from lstm_widgets.rnn.compiling import FLAGS, jit

__all__ = ["CODES", "activate", "sigmoid", "tanh"]

# From fit_activations.py.
TANH_BOUND = np.float32(9.02)
TANH_ABOVE = tuple(
    map(
        np.float32,
        (1.0, 0.12921265, 0.002922801, 9.283227e-06, -1.2817631e-08, 1.8325582e-11),
    )
)
TANH_BELOW = tuple(map(np.float32, (1.0, 0.46254563, 0.023771914, 0.0002283629)))
EXP = tuple(map(np.float32, (1.0, 0.9999997, 0.4999915, 0.16667636, 0.04189793, 0.008290315)))

_A0, _A1, _A2, _A3, _A4, _A5 = TANH_ABOVE
_B0, _B1, _B2, _B3 = TANH_BELOW
_E0, _E1, _E2, _E3, _E4, _E5 = EXP
# Klambauer et al. 2017, arXiv:1706.02515
_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
_ZERO, _ONE, _HALF = np.float32(0), np.float32(1), np.float32(0.5)
_PER_LN_2 = np.float32(1 / math.log(2))
# ln(2) in two parts, the first with so few digits that a whole number times it is exact.
_LN_2_HIGH = np.float32(0.693359375)
_LN_2_LOW = np.float32(math.log(2) - 0.693359375)
# Up to here exp(x) and exp(-x) are no denormals.
_EXP_BOUND = np.float32(87)
# Here exp(x) as it is computed is infinite.
_EXP_INFINITE = np.float32(88.8)

# What needs approximations ------------------------------------------------------


def tanh(x: Any) -> Any:
    """Compute the hyperbolic tangent of a float, in compiled code."""
    raise NotImplementedError


def _exp(x: Any) -> Any:
    raise NotImplementedError


def sigmoid(x: Any) -> Any:
    """Compute 1 / (1 + exp(-x)) of a float, in compiled code."""
    raise NotImplementedError


@jit
def _small_exp(x):
    """Compute exp of a float32 from -_EXP_BOUND to _EXP_INFINITE."""
    power = np.rint(x * _PER_LN_2)
    left = x - power * _LN_2_HIGH - power * _LN_2_LOW
    value = _E5
    value = value * left + _E4
    value = value * left + _E3
    value = value * left + _E2
    value = value * left + _E1
    value = value * left + _E0
    # Two to the power, by its bits.
    return value * np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)


def _tanh32(x):
    at = min(max(x, -TANH_BOUND), TANH_BOUND)
    square = at * at
    above = _A5
    above = above * square + _A4
    above = above * square + _A3
    above = above * square + _A2
    above = above * square + _A1
    above = above * square + _A0
    below = _B3
    below = below * square + _B2
    below = below * square + _B1
    below = below * square + _B0
    value = min(max(at * above / below, -_ONE), _ONE)
    return value if x == x else x  # noqa: PLR0124  (NaN)


def _sigmoid32(x):
    at = min(max(x, -_EXP_INFINITE), _EXP_BOUND)
    value = _ONE / (_ONE + _small_exp(-at))
    return value if x == x else x  # noqa: PLR0124  (NaN)


def _exp32(x):
    # The square of that of half of it, so that all there is from 0 to infinity can come out.
    root = _small_exp(min(max(x * _HALF, -_EXP_BOUND), _EXP_BOUND))
    return root * root if x == x else x  # noqa: PLR0124  (NaN)


def _is_single(x: Any) -> bool:
    return isinstance(x, types.Float) and x.bitwidth == 32


_OPTIONS: Any = {"fastmath": FLAGS, "error_model": "numpy"}


@overload(tanh, jit_options=_OPTIONS)
def _overloaded_tanh(x):
    return _tanh32 if _is_single(x) else lambda x: math.tanh(x)  # noqa: PLW0108


@overload(_exp, jit_options=_OPTIONS)
def _overloaded_exp(x):
    return _exp32 if _is_single(x) else lambda x: math.exp(x)  # noqa: PLW0108


@overload(sigmoid, jit_options=_OPTIONS)
def _overloaded_sigmoid(x):
    return _sigmoid32 if _is_single(x) else lambda x: 1 / (1 + math.exp(-x))


# The activations, by number -----------------------------------------------------------------------


_NAMES = (
    *("tanh", "sigmoid", "linear", "relu", "hard_sigmoid", "hard_sigmoid_keras2", "hard_tanh"),
    *("relu6", "leaky_relu", "elu", "selu", "softplus", "softsign", "exponential", "silu", "gelu"),
    *("mish", "hard_silu", "log_sigmoid"),
)
CODES: dict[str | None, int] = {name: code for code, name in enumerate(_NAMES)}
"""The number of each activation that is compiled, by its name."""


@jit
def _softplus(x):
    return (x if x > 0 else type(x)(0)) + math.log1p(math.exp(-abs(x)))


@jit
def _clipped(x, low, high):
    # In this order NaN stays.
    return low if x < low else high if x > high else x  # noqa: FURB136


@jit
def _other(code, x):
    """Compute an activation but for the first two, which have loops of their own."""
    real = type(x)
    zero, half, one, three = real(0), real(0.5), real(1), real(3)
    five, six = real(5), real(6)
    if code == 3:  # relu
        return zero if x < zero else x  # noqa: FURB136
    if code == 4:  # hard_sigmoid
        return _clipped(x + three, zero, six) / six
    if code == 5:  # hard_sigmoid_keras2
        return _clipped(x + real(2.5), zero, five) / five
    if code == 6:  # hard_tanh
        return _clipped(x, -one, one)
    if code == 7:  # relu6
        return _clipped(x, zero, six)
    if code == 8:  # leaky_relu
        return x if x > zero else x * real(0.2)
    if code == 9:  # elu
        return x if x > zero else math.expm1(x)
    if code == 10:  # selu
        scale, low = real(_SELU_SCALE), real(_SELU_SCALE * _SELU_ALPHA)
        return scale * x if x > zero else low * math.expm1(x)
    if code == 11:  # softplus
        return _softplus(x)
    if code == 12:  # softsign
        return x / (one + abs(x))
    if code == 13:  # exponential
        return math.exp(x)
    if code == 14:  # silu
        return x * sigmoid(x)
    if code == 15:  # gelu
        return x * half * math.erfc(x * real(-math.sqrt(0.5)))
    if code == 16:  # mish
        return x * tanh(_softplus(x))
    if code == 17:  # hard_silu
        return x * (_clipped(x + three, zero, six) / six)
    if code == 18:  # log_sigmoid
        return -_softplus(-x)
    return x


@jit
def activate(code, kept, s, b, t):
    """Apply an activation to a row of a signal, in place."""
    units = np.uintp(kept.shape[3])
    if code == 0:
        for k in range(units):
            kept[s, b, t, k] = tanh(kept[s, b, t, k])
    elif code == 1:
        for k in range(units):
            kept[s, b, t, k] = sigmoid(kept[s, b, t, k])
    elif code != 2:
        for k in range(units):
            kept[s, b, t, k] = _other(code, kept[s, b, t, k])
