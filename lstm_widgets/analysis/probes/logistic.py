"""Logistic regression, by scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

__all__ = ["fit", "need"]

# Weights aren't followed further than the eighth digit.
_STEPS = 1000


def need() -> None:
    """Raise an error that tells what to install, if scikit-learn isn't there."""
    try:
        import sklearn.linear_model  # noqa: F401, PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "sklearn":
            raise
        raise ModuleNotFoundError(
            "probes of yes/no concepts need scikit-learn, which isn't installed: "
            'pip install "lstm-widgets[analysis]"',
            name="sklearn",
        ) from None


def fit(
    x: Floats, yes: npt.NDArray[np.bool_], penalty: float, whole: float
) -> tuple[Floats, float]:
    r"""Fit a logistic regression.

    Parameters
    ----------
    x : float64 array (n, cell)
        States; they are standardised here.
    yes : bool array (n,)
        What is predicted.
    penalty : float
        The penalty α of a ridge regression on ±1 that it corresponds to: of weights that say little,
        the loss is that of the ridge regression with half the weights, so that the inverse penalty
        of the logistic regression is :math:`C = 4 / \alpha`.
    whole : float
        Of how many timesteps x is a sample; α is meant for all.

    Returns
    -------
    float64 array (cell,), float
        Weights of states as they are, and the intercept.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    share = float(yes.mean()) if len(yes) else 0.5
    if not 0 < share < 1:  # one class only: all that is known is its share, less than certain
        least = 0.5 / max(len(yes), 1)
        share = min(max(share, least), 1 - least)
        return np.zeros(x.shape[1]), float(np.log(share / (1 - share)))
    mean = x.mean(axis=0)
    scale = x.std(axis=0)
    scale = np.where(scale > 1e-10 * np.abs(mean), scale, 1.0)
    scale[scale == 0] = 1.0
    model = LogisticRegression(C=4 / (penalty * len(x) / whole), max_iter=_STEPS, tol=1e-6)
    model.fit((x - mean) / scale, yes)
    weights = model.coef_[0] / scale
    return np.asarray(weights), float(model.intercept_[0] - mean @ weights)
