r"""How alike two representations are, from sums of products of centred cells alone.

With centred X (timestep, cell of the one) and Y (timestep, cell of the other) these are X'X, X'Y and Y'Y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Doubles = npt.NDArray[np.float64]
    Places = npt.NDArray[np.intp]

__all__ = ["KEPT", "at_partners", "directions", "linear_cka", "matched", "svcca"]

#: The share of the variance that the directions have that SVCCA keeps.
KEPT = 0.99


def linear_cka(within: Doubles, between: Doubles, within_other: Doubles) -> float:
    r"""Compute linear centered kernel alignment.

    .. math:: \frac{\lVert Y^T X \rVert_F^2}{\lVert X^T X \rVert_F \lVert Y^T Y \rVert_F}

    Parameters
    ----------
    within, between, within_other : float64 array
        X'X (cell, cell), X'Y (cell, other cell) and Y'Y (other cell, other cell), of centred columns.

    Returns
    -------
    float
        From 0 to 1; NaN if a network never changes. Rotating cells or scaling all of them alike makes no
        difference.

    References
    ----------
    Kornblith, Norouzi, Lee & Hinton 2019, arXiv:1905.00414, the linear kernel in section 3.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[1.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    >>> round(linear_cka(x.T @ x, x.T @ -x, x.T @ x), 6)
    1.0
    """
    scale = np.linalg.norm(within) * np.linalg.norm(within_other)
    return float((between**2).sum() / scale) if scale > 0 else float("nan")


def directions(within: Doubles) -> Doubles:
    """Find the fewest principal directions with 99 % of the variance, scaled so that scores have length 1.

    Parameters
    ----------
    within : float64 array (cell, cell)
        X'X of centred columns.

    Returns
    -------
    float64 array (cell, direction)
        V / s of the singular value decomposition X = U s V', so that X @ (V / s) is U.
    """
    squares, vectors = np.linalg.eigh(within)
    squares, vectors = squares[::-1].clip(0), vectors[:, ::-1]
    if not squares.sum() > 0:
        return vectors[:, :0]
    kept = int(np.searchsorted(np.cumsum(squares) / squares.sum(), KEPT * (1 - 1e-12))) + 1
    return np.asarray(vectors[:, :kept] / np.sqrt(squares[:kept]))


def svcca(between: Doubles, one: Doubles, other: Doubles) -> float:
    """Compute the mean canonical correlation between the principal directions of two networks.

    Parameters
    ----------
    between : float64 array (cell, other cell)
        X'Y of centred columns.
    one, other : float64 array (cell, direction)
        Their `directions`.

    Returns
    -------
    float
        From 0 to 1: the mean over as many as the network with fewer directions has; NaN if there is none.

    References
    ----------
    Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017, arXiv:1706.05806, section 2.
    """
    if not one.shape[1] or not other.shape[1]:
        return float("nan")
    # Scores along principal directions are orthonormal, so their products are all that CCA needs.
    return float(np.linalg.svd(one.T @ between @ other, compute_uv=False).clip(0, 1).mean())


def matched(correlation: Doubles) -> Places:
    """Find the one-to-one matching with the largest sum of magnitudes.

    Parameters
    ----------
    correlation : float array (cell, other cell)
        NaN counts as 0.

    Returns
    -------
    int array (cell,)
        Of each cell its partner; -1 where there is none, or only such as NaN.

    Notes
    -----
    By SciPy's ``linear_sum_assignment``, of Crouse 2016, IEEE Transactions on Aerospace and Electronic
    Systems 52(4), 1679-1696: the problem of Kuhn's Hungarian method (1955).

    Examples
    --------
    >>> import numpy as np
    >>> matched(np.array([[0.1, -0.9], [0.8, 0.85], [0.0, np.nan]])).tolist()
    [1, 0, -1]
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    rows, columns = linear_sum_assignment(np.abs(np.nan_to_num(correlation)), maximize=True)
    partner = np.full(len(correlation), -1, np.intp)
    there = ~np.isnan(correlation[rows, columns])
    partner[rows[there]] = columns[there]
    return partner


def at_partners(correlation: Doubles, partner: Places) -> Doubles:
    """Take each cell's correlation with its partner; NaN without one."""
    if not correlation.shape[1]:
        return np.full(len(correlation), np.nan)
    values = np.take_along_axis(correlation, partner.clip(0)[:, None], axis=1)[:, 0]
    return np.where(partner < 0, np.nan, values)
