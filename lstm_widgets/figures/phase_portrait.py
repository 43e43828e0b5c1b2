# ruff: noqa: ANN401 - models, and what they read, are of many types
"""How the state of one to four cells changes: a curve, or arrows, for each input and each network."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.analysis.phase_portraits import Portrait, portrait_of
from lstm_widgets.figures.sheet import inches_of, theme_of
from lstm_widgets.tokens.wording import in_line, sendable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

    from lstm_widgets.colours import Colour, Theme

    Floats = NDArray[np.float64]
    Points = tuple[Floats, NDArray[np.bool_]]

__all__ = ["phase_portrait"]

#: Between the edges of the figure and the panels, in inches: left, right, above, below; and between two.
_LEFT, _RIGHT, _ABOVE, _BELOW = 0.52, 0.1, 0.3, 0.72
_ACROSS, _DOWN = 0.16, 0.42
_LARGEST, _SMALLEST = 2.2, 0.9
#: How wide the planes of several networks are at least that stand in one row.
_ROOMY = 1.5
#: How many arrows stand along an axis, and points from which lines and curves are drawn.
_ARROWS, _FINE, _CURVE = 13, 121, 601
#: Points that lie off the plane that is shown by more than this part of its width are faint.
_NEAR = 0.05
_LETTERS = 6.6


def phase_portrait(
    models: Any,
    layer: str | None = None,
    *,
    inputs: Any,
    vocabulary: Any = None,
    rest: ArrayLike = 0.0,
    limits: tuple[float, float] | None = None,
    width: str | float = "page",
    theme: str = "light",
) -> Figure:
    """
    Draw how the state of one to four cells changes in a timestep, over the states that they may have.

    Of one cell the change is a curve over the state, which crosses 0 where the state stays. Of two cells
    arrows show where a state goes; along the two lines one of the cells doesn't change, so that they cross
    at fixed points. Three and four cells are shown in pairs, the others at ``rest``. Fixed points are
    filled where they are stable and open where they aren't; pale ones lie off the plane that is shown.

    Parameters
    ----------
    models : model or dict of str to model
        One model as for :func:`lstm_widgets.fixed_points`, or several by name: networks, or subjects.
    layer : str, optional
        The layer, by its name in a recording. Default: the first.
    inputs : dict of str to constant, or one constant
        What the models read at each timestep, as for :func:`lstm_widgets.fixed_points`; for each symbol, by
        its name, one.
    vocabulary : optional
        What ids stand for, as for :func:`lstm_widgets.record`.
    rest : float or array (cell,), default 0.0
        Where those of three or four cells are held that a panel doesn't show.
    limits : (float, float), optional
        From which state to which. Default: -1.1 to 1.1; farther where there are fixed points beyond, of cell
        states and of activations without bounds.
    width : {"column", "page"} or float, default "page"
        How wide the figure is: 3.5 or 7.2 inches, or so many inches.
    theme : {"light", "dark"}, default "light"
        The colour of the paper.

    Returns
    -------
    matplotlib.figure.Figure
        Which a notebook shows. Its ``savefig`` writes SVG and PDF files in which text stays text.

    Raises
    ------
    TypeError, ValueError
        If the layer has more than four cells, models differ in how many they have, or an argument doesn't
        fit; and as :func:`lstm_widgets.fixed_points`.

    See Also
    --------
    fixed_points : the fixed points of layers of any size, with their eigenvalues.

    Notes
    -----
    Of an LSTM, cell states are shown, with the hidden state that the output gate lets through of them. Arrows
    are as long as the change where that is small, and no longer than the space between two.

    Examples
    --------
    >>> import keras, numpy as np, lstm_widgets as lw
    >>> model = keras.Sequential(
    ...     [keras.Input((None, 1)), keras.layers.SimpleRNN(1, return_sequences=True)]
    ... )
    >>> model.set_weights([np.ones((1, 1)), np.array([[2.0]]), np.zeros(1)])
    >>> figure = lw.phase_portrait(model, inputs={"nothing": [0.0], "a pulse": [1.0]})
    >>> len(figure.axes)
    1
    """
    colours, wide = theme_of(theme), inches_of(width)
    named = dict(models) if isinstance(models, Mapping) else {"": models}
    symbols = dict(inputs) if isinstance(inputs, Mapping) else {"": inputs}
    for argument, given in (("models", named), ("inputs", symbols)):
        if not given:
            raise ValueError(f"{argument}: expected at least one, got an empty dict")
    portraits = {
        (name, symbol): portrait_of(model, layer, constant, vocabulary)
        for name, model in named.items()
        for symbol, constant in symbols.items()
    }
    counts = {portrait.cells for portrait in portraits.values()}
    signals = {portrait.signal for portrait in portraits.values()}
    if len(counts) > 1 or len(signals) > 1:
        raise ValueError(
            f"models: expected networks with as many cells and the same states, got some of "
            f"{' and '.join(map(str, sorted(counts)))} cells with {' and '.join(sorted(signals))}"
        )
    cells = counts.pop()
    held = np.array(rest, np.float64)
    if held.shape not in {(), (cells,)} or not np.isfinite(held).all():
        raise ValueError(
            f"rest: expected a number, or one for each of {cells} cells, got {rest!r:.80}"
        )
    reach = _standard_limits(limits)
    if reach is None and all(portrait.bounded for portrait in portraits.values()):
        reach = (-1.1, 1.1)
    points = {key: portrait.points(*(reach or (-1.5, 1.5))) for key, portrait in portraits.items()}
    if reach is None:
        far = max(float(np.abs(at).max(initial=0)) for at, _ in points.values())
        reach = (-max(1.1, 1.15 * far), max(1.1, 1.15 * far))
        points = {key: portrait.points(*reach) for key, portrait in portraits.items()}
    drawing = _Drawing(portraits, points, reach, np.broadcast_to(held, cells), colours)
    return (
        drawing.curves(named, symbols, wide) if cells == 1 else drawing.planes(named, symbols, wide)
    )


def _standard_limits(limits: Any) -> tuple[float, float] | None:
    if limits is None:
        return None
    try:
        low, high = (float(one) for one in limits)
    except (TypeError, ValueError):
        low, high = np.nan, np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"limits: expected two numbers, the lower one first, got {limits!r:.80}")
    return low, high


class _Drawing:
    """What all panels have in common."""

    def __init__(
        self,
        portraits: dict[tuple[str, str], Portrait],
        points: dict[tuple[str, str], Points],
        reach: tuple[float, float],
        rest: Floats,
        theme: Theme,
    ) -> None:
        self.portraits, self.points = portraits, points
        self.reach, self.rest, self.theme = reach, rest, theme
        first = next(iter(portraits.values()))
        self.state = first.signal.replace("_", " ")

    # One cell ---------------------------------------------------------------------------------------

    def curves(self, models: dict[str, Any], symbols: dict[str, Any], wide: float) -> Figure:
        """Draw one panel a network, one curve a symbol."""
        columns = min(len(models), max(1, int((wide - _LEFT) // (_SMALLEST + _ACROSS + 0.35))))
        rows = -(-len(models) // columns)
        legend = len(symbols) > 1 or "" not in symbols
        figure, panels = self._panels(rows, columns, wide, len(models), legend=legend)
        state = np.linspace(*self.reach, _CURVE)
        change = {key: each.change(state[:, None])[:, 0] for key, each in self.portraits.items()}
        largest = max(float(np.abs(each).max()) for each in change.values()) or 1.0
        for k, (name, panel) in enumerate(zip(models, panels, strict=True)):
            panel.axhline(0, color=self._share(self.theme.muted), linewidth=0.6, zorder=0)
            for n, symbol in enumerate(symbols):
                colour = self._hue(n)
                label = in_line(sendable(symbol))
                panel.plot(
                    state, change[name, symbol], color=self._share(colour), linewidth=1, label=label
                )
                at, stable = self.points[name, symbol]
                seen = (at[:, 0] >= self.reach[0]) & (at[:, 0] <= self.reach[1])
                self._mark(panel, at[seen, 0], np.zeros(seen.sum()), stable[seen], colour)
            panel.set(xlim=self.reach, ylim=(-1.08 * largest, 1.08 * largest))
            self._finish(panel, name, (self.state, "change"), left=k % columns == 0)
            if k + columns < len(models):
                panel.set_xlabel("")
        if legend:
            self._legend(figure, panels[0], "what is read:")
        self._caption(figure, "filled: stable, open: unstable fixed points")
        return figure

    # Two to four ------------------------------------------------------------------------------------

    def planes(self, models: dict[str, Any], symbols: dict[str, Any], wide: float) -> Figure:
        """Draw one panel a network, a symbol and a pair of cells."""
        pairs = list(itertools.combinations(range(len(self.rest)), 2))
        every = [(m, s, pair) for m in models for s in symbols for pair in pairs]
        across = 3 if len(pairs) > 1 else len(symbols)
        most = max(1, int((wide - _LEFT) // (_SMALLEST + _ACROSS)))
        if len(pairs) == 1 and across > 1:
            fit = int((wide - _LEFT - _RIGHT + _ACROSS) // (across * (_ROOMY + _ACROSS)))
            across *= max(1, min(len(models), fit))
        columns = min(most, across if across > 1 else len(every))
        rows = -(-len(every) // columns)
        figure, panels = self._panels(rows, columns, wide, len(every))
        for k, ((name, symbol, pair), panel) in enumerate(zip(every, panels, strict=True)):
            self._plane(panel, (name, symbol), pair)
            title = " · ".join(each for each in (name, symbol) if each)
            labels = f"cell {pair[0]}", f"cell {pair[1]}"
            self._finish(panel, title, labels, left=k % columns == 0 or len(pairs) > 1)
            panel.set_aspect("equal")
            if len(pairs) == 1 and k + columns < len(every):
                panel.set_xlabel("")
        at = ", ".join(f"{value:g}" for value in dict.fromkeys(self.rest.tolist()))
        held = f"; the other cells at {at}, pale: points elsewhere" if len(pairs) > 1 else ""
        self._caption(
            figure,
            f"{self.state}; lines: where one cell doesn't change\n"
            f"filled: stable, open: unstable fixed points{held}",
        )
        return figure

    def _plane(self, panel: Axes, key: tuple[str, str], pair: tuple[int, int]) -> None:
        first, second = pair
        fine, there = self._changes(key, pair, _FINE)
        for n, cell in enumerate(pair):
            if not there[..., cell].min() < 0 < there[..., cell].max():
                continue  # it changes everywhere
            panel.contour(
                fine,
                fine,
                there[..., cell],
                levels=[0],
                linewidths=0.9,
                colors=[self._share(self._hue(n))],
            )
        low, high = self.reach
        space = (high - low) / _ARROWS
        axis: Floats = np.linspace(low + space / 2, high - space / 2, _ARROWS)
        change = self._changes(key, pair, axis)[1][..., [first, second]]
        length = np.linalg.norm(change, axis=-1, keepdims=True)
        most = 0.85 * space
        with np.errstate(invalid="ignore", divide="ignore"):
            change = np.where(length > most, change * most / length, change)
        panel.quiver(
            *(axis, axis, change[..., 0], change[..., 1]),
            angles="xy",
            scale_units="xy",
            scale=1,
            width=0.007,
            headwidth=4,
            headlength=4,
            headaxislength=3.5,
            color=self._share(self.theme.bar),
            zorder=2,
        )
        at, stable = self.points[key]
        seen = ((at >= low) & (at <= high)).all(axis=1)
        at, stable = at[seen], stable[seen]
        others = [cell for cell in range(len(self.rest)) if cell not in pair]
        off = np.abs(at[:, others] - self.rest[others]).max(axis=1, initial=0)
        here = off <= _NEAR * (high - low)
        accent = self.theme.foreground
        self._mark(panel, at[~here, first], at[~here, second], stable[~here], accent, pale=True)
        self._mark(panel, at[here, first], at[here, second], stable[here], accent)
        panel.set(xlim=self.reach, ylim=self.reach)

    def _changes(
        self, key: tuple[str, str], pair: tuple[int, int], axis: int | Floats
    ) -> tuple[Floats, Floats]:
        """Tell how states on a plane change: ``(second cell, first cell, cell)``."""
        along = np.linspace(*self.reach, axis) if isinstance(axis, int) else axis
        states = np.tile(self.rest, (len(along), len(along), 1))
        states[..., pair[0]], states[..., pair[1]] = along[None, :], along[:, None]
        change = self.portraits[key].change(states.reshape(-1, len(self.rest)))
        return along, change.reshape(states.shape)

    # What all panels have ---------------------------------------------------------------------------

    def _panels(
        self, rows: int, columns: int, wide: float, count: int, *, legend: bool = False
    ) -> tuple[Figure, list[Axes]]:
        from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

        below = _BELOW + 0.2 * legend
        across = _ACROSS + (0.35 if len(self.rest) != 2 else 0)  # room for numbers, or for names
        room = (wide - _LEFT - _RIGHT + across) / columns - across
        side = min(_LARGEST, room)
        # A plane is as wide as it is high; curves take the room that there is.
        width = room if len(self.rest) == 1 else side
        down = _DOWN + (0.18 if len(self.rest) > 2 else 0)
        high = _ABOVE + below + rows * side + (rows - 1) * down
        figure = artist.Picture((wide, high), self.theme)
        panels = []
        for k in range(count):
            row, column = divmod(k, columns)
            left = _LEFT + column * (width + across)
            bottom = high - _ABOVE - side - row * (side + down)
            place = (left / wide, bottom / high, width / wide, side / high)
            panels.append(figure.add_axes(place, facecolor=artist.shares(self.theme.background)))
        return figure, panels

    def _mark(
        self,
        panel: Axes,
        x: Floats,
        y: Floats,
        stable: NDArray[np.bool_],
        colour: Colour,
        *,
        pale: bool = False,
    ) -> None:
        """Mark fixed points: filled where they are stable."""
        edge = (*self._share(colour), 0.6 if pale else 1.0)
        paper = self._share(self.theme.background)
        panel.scatter(
            *(x, y),
            s=12 if pale else 18,
            facecolor=[edge if one else (*paper, 1.0) for one in stable],
            edgecolor=[edge],
            linewidth=0.9,
            zorder=3,
            clip_on=False,
        )

    def _finish(self, panel: Axes, title: str, labels: tuple[str, str], *, left: bool) -> None:
        from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

        from lstm_widgets.figures import artist  # noqa: PLC0415

        theme = self.theme
        texts: list[Any] = [
            panel.set_title(in_line(sendable(title)), pad=4),
            panel.set_xlabel(labels[0], labelpad=2),
            panel.set_ylabel(labels[1] if left else "", labelpad=2),
        ]
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
            axis.set_tick_params(length=2, width=0.5, color=artist.shares(theme.muted), pad=2)
            texts += axis.get_ticklabels()
        if len(self.rest) == 2 and not left:
            panel.tick_params(labelleft=False)
        for text in texts:
            text.set(**artist.words("sans", _LETTERS, theme.foreground))
        for side, spine in panel.spines.items():
            spine.set(visible=side in ("left", "bottom"), linewidth=0.5)
            spine.set_edgecolor(artist.shares(theme.muted))

    def _legend(self, figure: Figure, panel: Axes, title: str) -> None:
        from lstm_widgets.figures import artist  # noqa: PLC0415

        handles, names = panel.get_legend_handles_labels()
        high = float(figure.get_figheight())
        legend = figure.legend(
            handles,
            names,
            title=title,
            loc=(0.1 / float(figure.get_figwidth()), 0.24 / high),
            ncols=6,
            frameon=False,
            columnspacing=1,
            handlelength=1.2,
            handletextpad=0.4,
            borderaxespad=0,
            borderpad=0,
            alignment="left",
            prop=artist.words("sans", _LETTERS, None)["fontproperties"],
        )
        for text in (*legend.get_texts(), legend.get_title()):
            text.set(**artist.words("sans", _LETTERS, self.theme.foreground))

    def _caption(self, figure: Figure, text: str) -> None:
        from lstm_widgets.figures import artist  # noqa: PLC0415

        wide, high = figure.get_size_inches()
        words = artist.words("sans", _LETTERS, self.theme.muted)
        figure.text(0.1 / wide, 0.06 / high, text, **words)

    def _hue(self, number: int) -> Colour:
        return self.theme.lines[number % len(self.theme.lines)]

    @staticmethod
    def _share(colour: Colour) -> tuple[float, float, float]:
        from lstm_widgets.figures import artist  # noqa: PLC0415

        return artist.shares(colour)
