"""How the cells of two networks vary together: means and products of all pairs, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_widgets.analysis.blocks import ROW_VALUES
from lstm_widgets.recording.blockwise import blocks_of, blockwise

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray as xr

    from lstm_widgets.recording.blockwise import Block

    Doubles = npt.NDArray[np.float64]
    Flags = npt.NDArray[np.bool_]

__all__ = ["CoMoments", "beside", "co_moments", "least_square", "row_blocks", "rows"]

# What rounding in float64 leaves of a cell whose values are all the same, relative to its mean.
_ROUNDING = 1e-14


@dataclass(frozen=True)
class CoMoments:
    """What is known of two signals over the same timesteps, once all of them were read.

    Attributes
    ----------
    n : int
        How many timesteps there are.
    first : int
        How many of the cells are those of the first network; they stand before those of the second.
    mean : float64 array (cell,)
        Of each cell of both.
    products : float64 array (cell, cell)
        Sums over timesteps of the products of what two cells are away from their means.
    """

    n: int
    first: int
    mean: Doubles
    products: Doubles

    def and_then(self, other: CoMoments) -> CoMoments:
        """Add those of further timesteps.

        Chan, Golub & LeVeque 1983, The American Statistician 37(3), 242-247.
        """
        n = self.n + other.n
        apart = other.mean - self.mean
        between = np.outer(apart, apart) * (self.n * other.n / n)
        mean = self.mean + apart * (other.n / n)
        return CoMoments(n, self.first, mean, self.products + other.products + between)

    @property
    def finite(self) -> Flags:
        """Which cells have finite values only."""
        return np.isfinite(np.diagonal(self.products))

    @property
    def changing(self) -> Flags:
        """Which cells have finite values that aren't all the same."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.asarray(
                self.finite & (np.diagonal(self.products) > least_square(self.n, self.mean))
            )

    def correlation(self) -> Doubles:
        """Pearson's correlation of all pairs; NaN for a cell that isn't `changing`."""
        square = np.where(self.changing, np.diagonal(self.products), np.nan)
        scale = np.sqrt(square)
        return np.asarray((self.products / scale / scale[:, None]).clip(-1, 1))

    def parts(self) -> tuple[Doubles, Doubles, Doubles]:
        """Products within the first network, between both, within the second, of `finite` cells."""
        here, there = self.finite[: self.first], self.finite[self.first :]
        p = self.first
        return (
            self.products[:p, :p][np.ix_(here, here)],
            self.products[:p, p:][np.ix_(here, there)],
            self.products[p:, p:][np.ix_(there, there)],
        )


def least_square(n: int, mean: Doubles) -> Doubles:
    """Tell from which sum of squares on a cell of this mean changes: what is less is rounding."""
    return np.asarray(n * (_ROUNDING * mean) ** 2)


def beside(one: xr.Dataset, other: xr.Dataset, signals: tuple[str, str]) -> xr.Dataset:
    """Put two signals of the same timesteps into one dataset, as ``a`` and ``b``, read when asked for.

    Parameters
    ----------
    one, other : xarray.Dataset
        Layers with as many examples and timesteps.
    signals : tuple of str
        The signal of each.

    Returns
    -------
    xarray.Dataset
        ``a`` (example, timestep, cell), ``b`` (example, timestep, cell_b), and the mask if there is one.
    """
    kept = [signals[0], *(["mask"] if "mask" in one else [])]
    # Neither names nor times: what is compared are arrays.
    first, second = (each.drop_vars(list(each.coords)) for each in (one[kept], other[[signals[1]]]))
    second = second.rename({signals[1]: "b", "cell": "cell_b"})
    return first.rename({signals[0]: "a"}).assign(b=second["b"])


def row_blocks(both: xr.Dataset) -> list[Block]:
    """Cut what `beside` gave into blocks, small enough for the values of all cells in float64."""
    width = both.sizes["cell"] + both.sizes["cell_b"]
    return blocks_of(both, max(1, ROW_VALUES // max(1, width)) * max(1, both.sizes["cell"]))


def rows(block: Block, there: Flags) -> Doubles:
    """Read both signals where a mask is True: ``(n, cells of both)``."""
    each = (block.read(name)[there] for name in ("a", "b"))
    return np.concatenate([values.astype(np.float64) for values in each], axis=1)


def co_moments(both: xr.Dataset, desc: str) -> CoMoments | None:
    """Read all timesteps that aren't padding once; None if there is none."""
    found: CoMoments | None = None
    for one in blockwise(_of_block, row_blocks(both), desc=desc):
        if one is not None:
            found = one if found is None else found.and_then(one)
    return found


def _of_block(block: Block) -> CoMoments | None:
    there = block.mask()
    values = rows(block, there)
    if not len(values):
        return None
    with np.errstate(
        invalid="ignore", over="ignore"
    ):  # what isn't finite stays so, in its cell alone
        mean = values.mean(axis=0)
        away = values - mean
        products = away.T @ away
    return CoMoments(len(values), block.layer.sizes["cell"], mean, products)
