"""All cells of a layer over all timesteps."""

from __future__ import annotations

from typing import ClassVar

import traitlets

from lstm_widgets.widgets._base import STATIC, RecordingWidget

SORTS = ("index", "mean_magnitude", "variance", "similarity")


class CellGrid(RecordingWidget):
    r"""
    All cells of one layer over all timesteps of one signal, as a grid to scroll and zoom.

    Examples stand end to end, tokens along the top. Zoomed in, each square bears its token; zoomed
    out, each pixel shows the value of largest magnitude under it, with its sign.

    Parameters
    ----------
    recording : Recording
        What ``record()`` or ``open_recording()`` gave.
    layer, signal : str, optional
        What is shown at first; default: the first layer and its hidden state.
    cell, example, timestep : int, optional
        What is selected at first.
    threshold : float, optional
        Values of smaller magnitude are faded.
    palette : str, optional
        ``"auto"`` (RdBu_r, on a dark page berlin; cividis for gates), or one by its name: RdBu_r,
        PuOr_r, vik, berlin, managua_r, red_cyan, cividis, viridis, blue_white_red_20.
    scale : str or tuple of float, optional
        What the outermost colours stand for: ``"layer"``, ``"cell"``, ``"sigmoid"``, ``"squared"`` or
        (lowest, highest).
    sort : str, optional
        The order of the rows: ``"index"``, ``"mean_magnitude"``, ``"variance"`` (both falling) or
        ``"similarity"`` (Pearson's correlation with the selected cell, falling).
    hide_quiet_cells : bool, optional
        Leave out the cells whose mean \\|value\\| is below the threshold.

    Examples
    --------
    >>> grid = lw.CellGrid(recording, layer="lstm_2", cell=22)  # doctest: +SKIP
    >>> grid.threshold = 0.5  # doctest: +SKIP
    """

    _esm = STATIC / "cell_grid.js"
    _css = STATIC / "cell_grid.css"
    _own_traits: ClassVar = ("sort", "hide_quiet_cells")

    sort = traitlets.Enum(SORTS, "index", help="The order of the rows.").tag(sync=True)
    hide_quiet_cells = traitlets.Bool(
        default_value=False, help="Leave out cells whose mean |value| is below the threshold."
    ).tag(sync=True)
