"""The scores of cells while a network learns, and its loss below."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from lstm_widgets.colours import mix, one_colour
from lstm_widgets.figures.png import png
from lstm_widgets.figures.sheet import inches_of, theme_of
from lstm_widgets.tokens.wording import many
from lstm_widgets.views.learning import curves_of, losses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from lstm_widgets.colours import Theme
    from lstm_widgets.views.learning import Axis

__all__ = ["LearningCurve"]

#: Between the edges of the figure and the panels, in inches.
_LEFT, _ABOVE, _BELOW, _APART = 0.6, 0.26, 0.52, 0.14
_SCORES, _LOSS = 1.9, 0.85
_MARKERS = "os^Dvp"
_SIZE = 6.6
#: What numbers along an axis go up by, in any power of ten.
_STEPS = (1, 2, 5, 10)
#: From one name at the end of a line to the next, in inches.
_NAME = 0.115


class LearningCurve:
    """When cells come to follow a concept: their scores by variant, beside the loss.

    One line a cell, of the best in the last variant, with its name at its end; all others are thin lines
    behind them. A filled mark tells that the score is sure (``q_value`` < 0.05), a hollow one that it may be
    chance. Up to the edge of the grey band reach 19 of 20 concepts that are shifted in time, of the named
    cell for which they reach highest. The loss has a panel of its own, over the same axis.

    Parameters
    ----------
    scores : pandas.DataFrame
        What ``rank_cells(variants, ...)`` gave. If all variants are called by numbers, such as
        ``"epoch 3"``, they stand where these are.
    loss : keras.callbacks.History, pandas.DataFrame, mapping or sequence, optional
        What ``fit`` returned, ``TrainingRecorder.losses``, a dict of lists (names with ``loss`` in them
        are drawn), or a list: one value after each epoch, or, if variants aren't called by epochs, one a
        variant.
    concept : str, optional
        Which one. Default: the one with the highest score.
    cells : sequence of int, optional
        The cells that are told apart. Default: the five with the highest score in the last variant.
    layer, signal : str, optional
        Default: all that are in the table.

    Attributes
    ----------
    alt : str
        What the picture shows, in words, for those who don't see it.

    Raises
    ------
    ValueError
        If the table is none of variants, hasn't what was asked for, or the loss doesn't fit it.

    Examples
    --------
    >>> variants = lw.Variants({"epoch 0": recording, "epoch 1": recording})
    >>> scores = lw.rank_cells(variants, lw.concepts.inside_double_quotes, shifts=20)
    >>> curve = lw.LearningCurve(scores, loss=[0.7], cells=[1])
    >>> curve
    <LearningCurve: scores of 1 cell for inside_double_quotes, epoch 0 to epoch 1, with the loss>
    >>> curve.figure(width="column").savefig("curve.svg")
    """

    def __init__(
        self,
        scores: pd.DataFrame,
        loss: Any = None,  # noqa: ANN401 - of many types
        *,
        concept: str | None = None,
        cells: Sequence[int] | None = None,
        layer: str | None = None,
        signal: str | None = None,
    ) -> None:
        self._curves = curves_of(scores, concept, cells, layer=layer, signal=signal)
        self._losses = losses_of(loss, self._curves.axis)

    @property
    def alt(self) -> str:
        """What the picture shows, in words."""
        shown, axis = self._curves, self._curves.axis
        ends = f"from {axis.names[0]} to {axis.names[-1]}"
        parts = [f"Held-out scores ({shown.measure}) for {shown.concept} by variant, {ends}."]
        for curve in shown.curves:
            first = next(
                (name for name, sure in zip(axis.names, curve.sure, strict=True) if sure), ""
            )
            sure = f", first sure at {first}" if first else ", never sure"
            ends = " to ".join(map(_digits, curve.score[[0, -1]].tolist()))
            parts.append(f"{curve.name}: {ends}{sure}.")
        level = shown.level[np.isfinite(shown.level)]
        if len(level):
            ends = " to ".join(dict.fromkeys(map(_digits, (level.min(), level.max()))))
            parts.append(f"19 of 20 shifted concepts stay below {ends}, a grey band.")
        if len(shown.others):
            parts.append(f"{many(len(shown.others), 'further cell')} as thin lines.")
        for name, _, values in self._losses:
            parts.append(f"{name.capitalize()} loss: {values[0]:.3g} to {values[-1]:.3g}.")
        return " ".join(parts)

    def __repr__(self) -> str:
        shown = self._curves
        loss = ", with the loss" if self._losses else ""
        return (
            f"<LearningCurve: scores of {many(len(shown.curves), 'cell')} for {shown.concept}, "
            f"{shown.axis.names[0]} to {shown.axis.names[-1]}{loss}>"
        )

    def _repr_mimebundle_(self, **_options: Any) -> Any:  # noqa: ANN401 - as IPython has it
        figure: Any = self.figure()
        with Image.open(BytesIO(figure.file("png", dpi=240))) as drawn:
            image = b64encode(png(np.asarray(drawn.convert("RGB")))).decode()
        look = {"width": round(figure.get_figwidth() * 96), "alt": self.alt}
        return {"image/png": image, "text/plain": repr(self)}, {"image/png": look}

    def figure(self, *, width: str | float = "page", theme: str = "light") -> Figure:
        """
        Draw it.

        Parameters
        ----------
        width : {"column", "page"} or float, default "page"
            How wide it is: 3.5 or 7.2 inches, or so many inches.
        theme : {"light", "dark"}, default "light"
            The colour of the paper.

        Returns
        -------
        matplotlib.figure.Figure
            A new one, which a notebook shows. Its ``savefig`` writes SVG and PDF files in which text stays
            text.

        Raises
        ------
        ValueError
            For a width or a theme that there isn't.
        """
        from lstm_widgets.figures import artist  # noqa: PLC0415 - imports Matplotlib

        colours, wide = theme_of(theme), inches_of(width)
        notes = self._notes(wide)
        beneath = _BELOW + (len(notes) - 1) * _NAME
        below = _LOSS + _APART if self._losses else 0.0
        high = _ABOVE + _SCORES + below + beneath
        figure = artist.Picture((wide, high), colours)
        right = self._room(self._curves.curves, self._losses)

        def panel(bottom: float, height: float) -> Axes:
            place = (_LEFT / wide, bottom / high, (wide - _LEFT - right) / wide, height / high)
            axes = figure.add_axes(place, facecolor=artist.shares(colours.background))
            axes.set_xlim(*_limits(self._x))
            return axes

        scores = panel(beneath + below, _SCORES)
        self._draw_scores(scores, colours)
        lowest = scores
        if self._losses:
            lowest = panel(beneath, _LOSS)
            self._draw_losses(lowest, colours)
            scores.set_xticks([])
        _along(lowest, self._curves.axis, colours)
        for axes in figure.axes:
            _look(axes, colours)
        lines = "\n".join(notes)
        figure.text(0.1 / wide, 0.07 / high, lines, **artist.words("sans", _SIZE, colours.muted))
        return figure

    def _notes(self, wide: float) -> list[str]:
        """Say what marks, the band and thin lines are, in lines of so many inches at most."""
        from lstm_widgets.figures import fonts  # noqa: PLC0415

        parts = ["filled: sure (q < 0.05), hollow: may be chance"]
        if np.isfinite(self._curves.level).any():
            parts.append("grey: 19 of 20 shifted concepts")
        if len(self._curves.others):
            parts.append("thin: all other cells")
        lines = parts[:1]
        for part in parts[1:]:
            longer = f"{lines[-1]}; {part}"
            fits = fonts.text_width(longer, "sans") * _SIZE / 72 <= wide - 0.2
            lines[-1:] = [longer] if fits else [f"{lines[-1]};", part]
        return lines

    @property
    def _x(self) -> NDArray[np.float64]:
        """All places along the axis."""
        return np.concatenate([self._curves.axis.places, *(x for _, x, _ in self._losses)])

    @staticmethod
    def _room(curves: Sequence[Any], losses: Sequence[Any]) -> float:
        """Tell how much room the names at the ends of lines need, in inches."""
        from lstm_widgets.figures import fonts  # noqa: PLC0415

        names = [each[0] for each in (*curves, *losses)]
        widest = max(fonts.text_width(name, "sans") for name in names)
        return 0.16 + widest * _SIZE / 72

    def _draw_scores(self, axes: Axes, theme: Theme) -> None:
        from lstm_widgets.figures import artist  # noqa: PLC0415

        shown, at = self._curves, self._curves.axis.places
        every = np.concatenate([shown.others, [curve.score for curve in shown.curves]])
        every = np.concatenate([every, shown.level[None]])
        low, high = np.nanmin(every, initial=-0.05), np.nanmax(every, initial=0.1)
        axes.set_ylim(low - 0.05 * (high - low), high + 0.08 * (high - low))
        self._draw_band(axes, theme)
        axes.axhline(0, color=artist.shares(theme.muted), linewidth=0.5, zorder=1)
        for score in shown.others:
            axes.plot(at, score, color=artist.shares(theme.line), linewidth=0.5, zorder=2)
        ends = []
        for k, curve in enumerate(shown.curves):
            colour = artist.shares(theme.lines[k % len(theme.lines)])
            axes.plot(at, curve.score, color=colour, linewidth=1.1, zorder=4)
            for sure, face in ((True, colour), (False, artist.shares(theme.background))):
                here = curve.sure == sure
                axes.scatter(
                    at[here],
                    curve.score[here],
                    s=14,
                    marker=_MARKERS[k % len(_MARKERS)],
                    facecolor=[face],
                    edgecolor=[colour],
                    linewidth=0.8,
                    zorder=5,
                )
            ends.append((curve.name, at, curve.score, theme.lines[k % len(theme.lines)]))
        _name_ends(axes, ends, _SCORES)
        title = axes.set_title(shown.concept, loc="left", pad=4)
        title.set(**artist.words("sans", _SIZE, theme.foreground))
        axes.set_ylabel(f"held-out score\n{shown.measure}", labelpad=2)

    def _draw_band(self, axes: Axes, theme: Theme) -> None:
        """Draw where scores may be chance, to the edges of the panel."""
        from lstm_widgets.figures import artist  # noqa: PLC0415

        level, at = self._curves.level, self._curves.axis.places
        if not np.isfinite(level).any():
            return
        ends = axes.get_xlim()
        axes.fill_between(
            [ends[0], *at, ends[1]],
            [level[0], *level, level[-1]],
            axes.get_ylim()[0],
            color=artist.shares(one_colour(mix(theme.background, theme.foreground, 0.07))),
            linewidth=0,
            zorder=0,
        )

    def _draw_losses(self, axes: Axes, theme: Theme) -> None:
        from lstm_widgets.figures import artist  # noqa: PLC0415

        ends = []
        for k, (name, x, values) in enumerate(self._losses):
            ink = (theme.foreground, theme.muted, *theme.tracks)[k % (2 + len(theme.tracks))]
            style = ("-", "--", ":", "-.")[k % 4]
            axes.plot(x, values, color=artist.shares(ink), linewidth=1.1, linestyle=style)
            ends.append((name, x, values, ink))
        known = np.concatenate([values for _, _, values in self._losses])
        known = known[np.isfinite(known)]
        # What matters of a loss is how it goes; from 0 on, many would look flat.
        low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
        room = 0.08 * (high - low) or 0.5
        axes.set_ylim(low - room, high + room)
        _name_ends(axes, ends, _LOSS)
        axes.set_ylabel("loss", labelpad=2)


def _digits(score: float) -> str:
    return "no score" if np.isnan(score) else f"{score:.2f}".replace("-", "−")


def _limits(x: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(x.min()), float(x.max())
    room = 0.03 * (high - low) or 0.5
    return low - room, high + room


def _name_ends(axes: Axes, ends: Sequence[tuple[Any, ...]], height: float) -> None:
    """Write names at the ends of lines, none over another."""
    from lstm_widgets.figures import artist  # noqa: PLC0415

    low, high = axes.get_ylim()
    known = [(name, values[np.isfinite(values)], colour) for name, _, values, colour in ends]
    at = np.array([values[-1] if len(values) else low for _, values, _ in known])
    inches = (at - low) / (high - low) * height
    order = np.argsort(inches, kind="stable")
    placed = inches[order].copy()
    # Those that are too near to each other move apart about their middle.
    for _ in range(50):
        gaps = np.diff(placed)
        near = np.flatnonzero(gaps < _NAME - 1e-6)
        if not len(near):
            break
        for k in near.tolist():
            push = (_NAME - (placed[k + 1] - placed[k])) / 2
            placed[k] -= max(push, 0)
            placed[k + 1] += max(push, 0)
    right = axes.get_xlim()[1]
    for place, k in zip(placed.tolist(), order.tolist(), strict=True):
        name, _, colour = known[k]
        axes.annotate(
            name,
            (right, low + place / height * (high - low)),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
            **artist.words("sans", _SIZE, colour),
        )


def _along(axes: Axes, axis: Axis, theme: Theme) -> None:
    """Write what stands along the axis."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    from lstm_widgets.figures import artist, fonts  # noqa: PLC0415

    if axis.unit:
        low, high = axes.get_xlim()
        ticks = [
            x
            for x in MaxNLocator(8, integer=True, steps=_STEPS).tick_values(low, high)
            if low <= x <= high
        ]
        axes.set_xticks(ticks, labels=[f"{x:g}" for x in ticks])
        axes.set_xlabel(axis.unit, labelpad=2)
    else:
        widest = max(fonts.text_width(name, "sans") for name in axis.names) * _SIZE / 72 + 0.08
        room = artist.size_of(axes)[0]
        every = max(1, int(np.ceil(widest * len(axis.names) / room)))
        axes.set_xticks(axis.places[::every], labels=axis.names[::every])
    axes.xaxis.label.set(**artist.words("sans", _SIZE, theme.foreground))


def _look(axes: Axes, theme: Theme) -> None:
    """Give axes the look of the other figures."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    from lstm_widgets.figures import artist  # noqa: PLC0415

    low, high = axes.get_ylim()
    ticks = [y for y in MaxNLocator(4, steps=_STEPS).tick_values(low, high) if low <= y <= high]
    axes.set_yticks(ticks, labels=[f"{round(y, 6) + 0:g}".replace("-", "−") for y in ticks])
    texts: list[Any] = [axes.yaxis.label]
    for one in (axes.xaxis, axes.yaxis):
        one.set_tick_params(length=2, width=0.5, color=artist.shares(theme.muted), pad=2)
        texts += one.get_ticklabels()
    for text in texts:
        text.set(**artist.words("sans", _SIZE, theme.foreground))
    for side, spine in axes.spines.items():
        spine.set(visible=side in ("left", "bottom"), linewidth=0.5)
        spine.set_edgecolor(artist.shares(theme.muted))
