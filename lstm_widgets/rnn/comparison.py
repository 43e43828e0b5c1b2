# Arrays and tensors are compared: Any.
# ruff: noqa: ANN401
"""How arrays that should be equal are held against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "CHECKED_EXAMPLES",
    "CHECKED_TIMESTEPS",
    "TOLERANCES",
    "Check",
    "difference",
    "expect_check",
    "windows_to_check",
]

TOLERANCES = {"float64": 1e-5, "float32": 1e-5, "float16": 5e-3, "bfloat16": 4e-2}
"""Default tolerance of the self-check, by the dtype in which a layer computes."""

# What is computed again, of every batch.
CHECKED_EXAMPLES = 4
CHECKED_TIMESTEPS = 8


Check = Literal["prefix", "full", False]


def expect_check(check: Check, tolerance: float | None) -> None:
    """Refuse what says neither how to check nor how large differences may be."""
    if check not in ("prefix", "full", False):
        raise ValueError(f"check: expected 'prefix', 'full' or False, got {check!r}")
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive number, got {tolerance!r}")


def windows_to_check(
    real: npt.NDArray[np.bool_] | None,
    examples: int,
    timesteps: int,
    length: int,
    backwards: bool,
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Choose examples, and where in reading order the comparison of each starts.

    Padding before an example's first real timestep leaves the initial state as it is, so that a
    window may start right there: a little earlier, to see that it does.
    """
    rows = np.unique(np.linspace(0, examples - 1, CHECKED_EXAMPLES).astype(int))
    if real is None:
        return rows, np.zeros(len(rows), int)
    rows = np.unique([*rows, int(real.sum(axis=1).argmin())])
    read = real[rows, ::-1] if backwards else real[rows]
    first = np.where(read.any(axis=1), read.argmax(axis=1), 0)
    return rows, np.clip(first - 2, 0, timesteps - length)


def difference(ours: Any, theirs: Any, explained: Any = None) -> float:
    """Tell the largest difference, as a part of ``max(1, |theirs|)``; NaN equals NaN.

    Parameters
    ----------
    ours, theirs : array-like
        Arrays or tensors; of different shapes they differ without bound.
    explained : float or array, optional
        How much of each difference doesn't count.
    """
    a = np.asarray(ours).astype(np.float64)
    b = np.asarray(theirs).astype(np.float64)
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b)
        if explained is not None:
            apart = np.maximum(apart - np.nan_to_num(explained, nan=0.0, posinf=0.0), 0.0)
        found = apart / np.maximum(1.0, np.abs(b))
    worst = float(found.max())
    if np.isfinite(worst):
        return worst
    found[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    return float("inf") if np.isnan(found).any() else float(found.max())
