"""All cells of a layer over all timesteps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import traitlets

from lstm_widgets.figures.cell_grid import cell_grid
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.matching_widget import MatchingWidget

if TYPE_CHECKING:
    from typing import Unpack

    from numpy.typing import NDArray

    from lstm_widgets.figures.sheet import Sheet
    from lstm_widgets.recording import Recording, Variants
    from lstm_widgets.views.snapshot import Snapshot
    from lstm_widgets.widgets.keywords import CellGridKeywords

SORTS = ("index", "mean_magnitude", "variance", "similarity", "order")


class CellGrid(MatchingWidget):
    r"""
    All cells of one layer over all timesteps of one signal, as a grid to scroll and zoom.

    Examples are laid end to end, with tokens along the top; of a series its times, or where none are known
    its timesteps, and its channels as small lines. Two strokes there tell that timesteps are missing
    between two columns. Zoomed in, each square shows its token;
    zoomed out, each pixel shows the value of largest magnitude under it, with its sign.

    Parameters
    ----------
    recording : Recording or Variants
        What ``record()`` or ``open_recording()`` gave, or several of the same inputs.
    layer, signal : str, optional
        What is shown at first; default: the first layer and its hidden state.
    cell, example, timestep : int, optional
        What is selected at first.
    threshold : float, optional
        Values of smaller magnitude are faded.
    palette : str, optional
        ``"auto"`` (RdBu_r, on a dark page berlin; cividis for gates), or the name of one: RdBu_r,
        PuOr_r, vik, berlin, managua_r, red_cyan, cividis, viridis, Purples, Purples_dark,
        blue_white_red_20.
    scale : str or tuple of float, optional
        What the outermost colours stand for: ``"layer"``, ``"cell"``, ``"sigmoid"``, ``"squared"`` or
        (lowest, highest).
    sort : str, optional
        The order of the rows: ``"index"``, ``"mean_magnitude"``, ``"variance"``, ``"similarity"``
        (Pearson's correlation with the selected cell, of a layer of more than 32 million values over
        stretches spread evenly), these three in descending order; or ``"order"``, as given.
    order : tuple of int, optional
        The cells from the top with ``sort="order"``; those that aren't in it follow.
    tracks : Concept, sequence of Concept, or mapping, optional
        Concepts, shown as bands under the tokens, each with its name: one, several, or a mapping from
        names to concepts, functions from the tokens of an example to an array, regular expressions,
        or arrays ``(example, timestep)``, of bool (yes or no) or of numbers (NaN where unknown).
    hidden_tracks : tuple of str, optional
        The names of tracks that are not shown.
    span : tuple of int, optional
        The selected span of tokens, ``(start, stop)``, timesteps of the selected example, ``stop``
        excluded. Below the grid are the cells that mark it and the other spans that they mark, as
        `match` finds them with the widget's threshold (0.3 while that is 0). Drag over tokens, or
        press Shift with the left or right arrow key.
    hide_quiet_cells : bool, optional
        Leave out the cells whose mean absolute value is below the threshold.

    Examples
    --------
    >>> grid = lw.CellGrid(recording, layer="lstm", cell=1)
    >>> grid.threshold = 0.5
    >>> grid
    <CellGrid layer='lstm', signal='hidden_state', cell=1, example=0, timestep=0>
    """

    _esm = STATIC / "cell_grid.js"
    _css = STATIC / "cell_grid.css"
    _note: ClassVar[str] = "bars: mean |value| of a cell"

    sort = traitlets.Enum(SORTS, "index", help="The order of the rows.").tag(sync=True)
    order = traitlets.Tuple(help="The cells from the top, if they are sorted by 'order'.").tag(
        sync=True
    )
    hide_quiet_cells = traitlets.Bool(
        default_value=False, help="Leave out cells whose mean |value| is below the threshold."
    ).tag(sync=True)

    def __init__(
        self,
        recording: Recording | Variants,
        *,
        layer: str | None = None,
        signal: str | None = None,
        **traits: Unpack[CellGridKeywords],
    ) -> None:
        super().__init__(recording, layer=layer, signal=signal, **traits)

    @traitlets.validate("order")
    def _check_order(self, proposal: dict[str, Any]) -> tuple[int, ...]:
        return self._checked_cells(proposal)

    def _parts(self, sheet: Sheet, shown: Snapshot, most: int) -> None:
        cell_grid(sheet, shown, self._order(shown), most=most)
        super()._parts(sheet, shown, most)

    def _order(self, shown: Snapshot) -> NDArray[np.intp]:
        """Give the cells in the order of the rows, as js/src/data/order.js does."""
        tiles = self._tiles(self.layer, self.signal)
        key = None
        if self.sort == "mean_magnitude":
            key = tiles.compared.mean_magnitude
        elif self.sort == "variance":
            key = tiles.compared.variance
        elif self.sort == "similarity":
            key = tiles.similarity(self.cell)
        order = np.arange(shown.levels.cells)
        if self.sort == "order":
            given = np.array([cell for cell in self.order if cell < len(order)], np.intp)
            order = np.append(given, np.setdiff1d(order, given))
        if key is not None:
            order = np.argsort(-np.nan_to_num(key, nan=-np.inf), kind="stable")
        if self.hide_quiet_cells:
            order = order[~(tiles.loudest[order] < self.threshold)]
        return order
