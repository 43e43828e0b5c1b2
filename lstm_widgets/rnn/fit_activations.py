"""Fit the coefficients of :mod:`lstm_widgets.rnn.compiled`'s tanh and exponential function.

Run: ``python -m lstm_widgets.rnn.fit_activations``. It prints them, and the largest errors that
they leave, as float32 arithmetic has them. Nothing else needs this module.

Both are fits of least *relative* error at its worst place (Chebyshev), found by Lawson's algorithm
(1961): weighted least squares, again and again, with more weight where the error is large. For a
quotient the error is multiplied by the denominator of the round before, which makes it linear.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

# From here on tanh is 1 in float32.
TANH_BOUND = 9.02
# Beyond half of it, exp(x) is 2**n times the exponential of what is left.
LN_2 = float(np.log(2))
_ROUNDS = 400


def _nodes(low: float, high: float) -> Floats:
    """Chebyshev's points, which are dense where a polynomial's error is largest."""
    angles = np.pi * (np.arange(2000) + 0.5) / 2000
    return np.asarray((low + high) / 2 - (high - low) / 2 * np.cos(angles))


def _lawson(
    first: Floats, numerator: Floats, denominator: Floats, wanted: Floats
) -> tuple[Floats, Floats]:
    """Fit ``(first + numerator @ p) / (1 + denominator @ q)`` to what is wanted, by relative error."""
    weights = np.full(len(wanted), 1 / len(wanted))
    below = np.ones(len(wanted))
    best = (np.inf, np.zeros(numerator.shape[1]), np.zeros(denominator.shape[1]))
    for _ in range(_ROUNDS):
        scale = np.sqrt(weights) / (below * wanted)
        matrix = np.concatenate([numerator, -wanted[:, None] * denominator], axis=1)
        sizes = np.abs(matrix).max(axis=0)
        left = (wanted - first) * scale
        found = np.linalg.lstsq(matrix / sizes * scale[:, None], left, rcond=None)[0]
        p, q = np.split(found / sizes, [numerator.shape[1]])
        below = 1 + denominator @ q
        errors = np.abs((first + numerator @ p) / below / wanted - 1)
        if errors.max() < best[0]:
            best = errors.max(), p, q
        weights *= errors
        weights /= weights.sum()
    return best[1], best[2]


def tanh_coefficients(above: int = 5, below: int = 3) -> tuple[Floats, Floats]:
    """Fit ``x p(x²) / q(x²)`` to tanh, with so many powers of x² above and below the line."""
    x = _nodes(1e-3, TANH_BOUND)
    square = x * x
    p, q = _lawson(
        x,
        x[:, None] * square[:, None] ** np.arange(1, above + 1),
        square[:, None] ** np.arange(1, below + 1),
        np.tanh(x),
    )
    return np.append(1.0, p), np.append(1.0, q)


def exp_coefficients(degree: int = 5) -> Floats:
    """Fit a polynomial to exp between -ln(2) / 2 and ln(2) / 2."""
    x = _nodes(-LN_2 / 2, LN_2 / 2)
    powers = x[:, None] ** np.arange(1, degree + 1)
    p, _ = _lawson(np.ones_like(x), powers, np.zeros((len(x), 0)), np.exp(x))
    return np.append(1.0, p)


def polynomial(coefficients: Any, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:  # noqa: ANN401
    """Compute a polynomial in float32, as Horner does."""
    result = np.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = result * x + np.float32(coefficient)
    return result


def main() -> None:
    """Print the coefficients and what error they leave."""
    p, q = tanh_coefficients()
    x = np.linspace(1e-4, 12, 4_000_001).astype(np.float32)
    at = np.minimum(x, np.float32(TANH_BOUND))
    found = at * polynomial(p, at * at) / polynomial(q, at * at)
    error = np.abs(found / np.tanh(x.astype(np.float64)) - 1).max()
    for name, values in (("TANH_ABOVE", p), ("TANH_BELOW", q), ("EXP", exp_coefficients())):
        print(f"{name} = (")  # noqa: T201
        for value in values:
            print(f"    {np.float32(value)!s},")  # noqa: T201
        print(")")  # noqa: T201
    print(f"tanh: relative error at most {error:.2e}")  # noqa: T201
    x = np.linspace(-LN_2 / 2, LN_2 / 2, 1_000_001).astype(np.float32)
    error = np.abs(polynomial(exp_coefficients(), x) / np.exp(x.astype(np.float64)) - 1).max()
    print(f"exp: relative error at most {error:.2e}")  # noqa: T201


if __name__ == "__main__":
    main()
