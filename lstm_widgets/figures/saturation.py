"""How often gates are saturated, a point a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.analysis.screening import GATES
from lstm_widgets.figures.sheet import inches_of, theme_of
from lstm_widgets.tokens.wording import in_line, sendable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lstm_widgets.colours import Theme

__all__ = ["saturation_figure"]

#: Between the edges of the figure and the panels, in inches: left, right, above, below; and between two.
_LEFT, _RIGHT, _ABOVE, _BELOW, _APART = 0.46, 0.1, 0.24, 0.82, 0.14
_LARGEST = 2.2
_MARKERS = "os^Dv"


def saturation_figure(
    screened: pd.DataFrame,
    *,
    gates: str | Sequence[str] | None = None,
    width: str | float = "page",
    theme: str = "light",
    ax: Axes | None = None,
) -> Figure:
    """
    Draw how often each cell's gates are saturated, as Karpathy, Johnson & Fei-Fei (2015) do.

    One panel a gate, one point a cell: to the right the share of timesteps at which the gate is
    left-saturated (nearly closed), upwards that at which it is right-saturated (nearly open). Cells in the
    lower right corner of the forget gate's panel forget at once, those in the upper left remember.
    (arXiv:1506.02078, figure 3.)

    Parameters
    ----------
    screened : pandas.DataFrame
        What `screen_cells` gave, or some rows of it.
    gates : str or sequence of str, optional
        Which of the gates. Default: all in the table.
    width : {"column", "page"} or float, default "page"
        How wide the figure is: 3.5 or 7.2 inches, or so many inches.
    theme : {"light", "dark"}, default "light"
        The colour of the paper.
    ax : matplotlib.axes.Axes, optional
        Draw one gate into these axes of your own figure, in place of a new one.

    Returns
    -------
    matplotlib.figure.Figure
        A new one, which a notebook shows, or that of ``ax``. Its ``savefig`` writes SVG and PDF files in
        which text stays text.

    Raises
    ------
    ValueError
        If the table has no such gates, ``ax`` is for one of several, or there is no such width or theme.

    Examples
    --------
    >>> import numpy as np
    >>> gates = {"forget_gate": np.random.default_rng(0).random((1, 90, 4)).astype("float32")}
    >>> hidden = {"hidden_state": np.zeros((1, 90, 4), "float32")}
    >>> from lstm_widgets.recording import RecordedLayer, Recording
    >>> recording = Recording.from_layers([RecordedLayer("lstm", "LSTM", hidden | gates)])
    >>> figure = lw.saturation_figure(lw.screen_cells(recording), width="column")
    >>> [panel.get_title() for panel in figure.axes]
    ['forget gate']
    """
    there = [gate for gate in GATES if f"{gate}_left" in screened]
    wanted = there if gates is None else [gates] if isinstance(gates, str) else list(gates)
    if not wanted or not set(wanted) <= set(there):
        known = ", ".join(map(repr, there)) or "a table from screen_cells() of a layer with gates"
        raise ValueError(f"gates: expected some of {known}; got {gates!r}")
    if ax is not None and len(wanted) > 1:
        raise ValueError(
            f"ax: expected with one gate, gates={wanted[0]!r}; got {', '.join(wanted)}"
        )
    from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

    colours = theme_of(theme)
    if ax is not None:
        artist.size_of(ax)  # which refuses what is none
        _panel(ax, screened, wanted[0], colours)
        _legend(ax, ax, screened, loc="upper right")
        return artist.figure_of(ax)
    wide = inches_of(width)
    side = (wide - _LEFT - _RIGHT + _APART) / len(wanted) - _APART
    side = min(side, _LARGEST)
    high = side + _ABOVE + _BELOW
    figure = artist.Picture((wide, high), colours)
    for k, gate in enumerate(wanted):
        place = (_LEFT + k * (side + _APART)) / wide, _BELOW / high, side / wide, side / high
        panel = figure.add_axes(place, facecolor=artist.shares(colours.background))
        _panel(panel, screened, gate, colours)
        if k:
            panel.set_ylabel("")
            panel.set_yticklabels([])
    corner = (0.06 / wide, 0.26 / high)
    _legend(figure, figure.axes[0], screened, loc=corner, ncols=4, columnspacing=1)
    near = screened.attrs.get("saturation", 0.1)
    text = (
        f"each point a cell; left-saturated: the gate is below {near:g},\n"
        f"right-saturated: above {1 - near:g}; share of timesteps"
    )
    figure.text(0.1 / wide, 0.06 / high, text, **artist.words("sans", 6.6, colours.muted))
    return figure


def _panel(ax: Axes, screened: pd.DataFrame, gate: str, theme: Theme) -> None:
    from lstm_widgets.figures import artist  # noqa: PLC0415

    ax.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    ax.plot([0, 1], [1, 0], color=artist.shares(theme.line), linewidth=0.6, zorder=0)
    hues = (theme.accent, *theme.tracks, theme.write)
    for k, (layer, rows) in enumerate(screened.groupby("layer", sort=False)):
        ax.scatter(
            rows[f"{gate}_left"],
            rows[f"{gate}_right"],
            s=9,
            marker=_MARKERS[k % len(_MARKERS)],
            facecolor=(*artist.shares(hues[k % len(hues)]), 0.55),
            edgecolor=artist.shares(hues[k % len(hues)]),
            linewidth=0.4,
            label=in_line(sendable(str(layer))),
        )
    texts: list[Any] = [
        ax.set_title(gate.replace("_", " "), pad=4),
        ax.set_xlabel("left-saturated", labelpad=2),
        ax.set_ylabel("right-saturated", labelpad=2),
    ]
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"])
        axis.set_tick_params(length=2, width=0.5, color=artist.shares(theme.muted), pad=2)
        texts += axis.get_ticklabels()
    for text in texts:
        text.set(**artist.words("sans", 6.6, theme.foreground))
    ax.set_facecolor(artist.shares(theme.background))
    for side, spine in ax.spines.items():
        spine.set(visible=side in ("left", "bottom"), linewidth=0.5)
        spine.set_edgecolor(artist.shares(theme.muted))


def _legend(of: Axes | Figure, panel: Axes, screened: pd.DataFrame, **options: Any) -> None:  # noqa: ANN401
    """Name the layers, if there are several."""
    from lstm_widgets.figures import artist  # noqa: PLC0415

    if screened["layer"].nunique() < 2:
        return
    handles, names = panel.get_legend_handles_labels()
    options |= {"frameon": False, "handletextpad": 0.1, "borderaxespad": 0, "borderpad": 0}
    legend = of.legend(
        handles, names, prop=artist.words("sans", 6.6, None)["fontproperties"], **options
    )
    for text in legend.get_texts():
        text.set(parse_math=False, color=panel.title.get_color())
