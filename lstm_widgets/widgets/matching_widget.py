"""Spans of tokens, and what the page is told of those that the same cells mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from lstm_widgets.analysis.matching import match
from lstm_widgets.tokens.wording import in_line, sendable
from lstm_widgets.views.times import shown_times
from lstm_widgets.widgets.recording_widget import RecordingWidget

if TYPE_CHECKING:
    import xarray as xr

    from lstm_widgets.recording import Recording

#: From which size of activation on a cell counts as on, while the widget's threshold fades nothing.
THRESHOLD = 0.3
#: So many matches are listed, with so many tokens around each, and no more of its own.
_LISTED, _AROUND, _LONGEST = 50, 16, 60


class MatchingWidget(RecordingWidget):
    """A widget over a recording in which a span of tokens can be chosen, to find its like."""

    span = traitlets.Tuple(
        traitlets.Int(),
        traitlets.Int(),
        default_value=None,
        allow_none=True,
        help="The chosen span of tokens, (start, stop), stop excluded, of the example that was "
        "selected when it was chosen. Below stand the cells that mark it, and other spans that they "
        "mark.",
    ).tag(sync=True)
    _span_example = traitlets.Int(0, help="The example of the span.").tag(sync=True)

    @traitlets.validate("span")
    def _check_span(self, proposal: dict[str, Any]) -> tuple[int, int]:
        start, stop = proposal["value"]
        if self.layer in self._names:
            timesteps = self._sizes(self.layer)["timestep"]
            if not 0 <= start < stop <= timesteps:
                raise traitlets.TraitError(
                    f"span: expected (start, stop) with 0 <= start < stop <= {timesteps}, the "
                    f"timesteps of layer {self.layer!r}, got {(start, stop)}"
                )
        return start, stop

    @traitlets.observe("span")
    def _on_span(self, _change: dict[str, Any]) -> None:
        self._span_example = self.example

    @traitlets.observe("layer")
    def _keep_span(self, _change: dict[str, Any]) -> None:
        if self.span is None or self.layer not in self._names:
            return
        sizes = self._sizes(self.layer)
        if self.span[1] > sizes["timestep"] or self._span_example >= sizes["example"]:
            self.set_trait("span", None)

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if "span" not in content:
            return super()._answer(content)
        found = matches_of(
            self._one(*self._asked(content)),
            content["span"],
            layer=content["layer"],
            signal=content["signal"],
            example=content["example"],
            threshold=content["threshold"],
        )
        return {"id": content["id"], **found}, []


def matches_of(
    recording: Recording,
    span: tuple[int, int],
    *,
    layer: str,
    signal: str,
    example: int,
    threshold: float,
) -> dict[str, Any]:
    """
    Find the cells of a span and its matches, as the page lists them.

    Parameters
    ----------
    recording : Recording
    span : tuple of int
        ``(start, stop)``: its timesteps from ``start`` up to, without, ``stop``.
    layer, signal, example : str, str, int
        Of what.
    threshold : float
        From which size of activation on a cell counts as on; 0 stands for ``THRESHOLD``.

    Returns
    -------
    dict
        What is ``told`` of the cells, and their ``count`` of matches, in words; the ``cells`` and their
        ``signs``; ``matches``, a dict each: ``words`` on the match, its ``overlap`` and how many cells
        are ``shared``, its first ``column`` (``example * timesteps + timestep``) and its ``length``, and
        the ``tokens`` around it, which begin at column ``from``; and, where they are known, the ``times`` of
        its first and of its last timestep.
    """
    threshold = threshold or THRESHOLD
    table = match(
        recording,
        span,
        layer=layer,
        signal=signal,
        example=example,
        threshold=threshold,
        relax=True,
        limit=_LISTED,
    )
    dataset = recording[recording.directions(layer)[0]]
    cells, signs = ([int(each) for each in table.attrs[name]] for name in ("cells", "signs"))
    on = f"|value| ≥ {threshold:g} all through the span and not just outside"
    told = f"Cells with {on}" if cells else f"There is no cell with {on}"
    if relaxed := table.attrs["relaxed"]:
        told = f"No cell has {on}. These mark it best: {relaxed}."
    elif not cells:
        told += ", nor one that comes near: try a lower threshold"
    others = f"{len(table) or 'no'} other span{'s' * (len(table) != 1)}"
    matches = [_listed(dataset, row, len(cells)) for row in table.itertuples()]
    return {
        "told": told,
        "count": others if cells else "",
        "cells": cells,
        "signs": signs,
        "matches": matches,
    }


def _listed(dataset: xr.Dataset, row: Any, cells: int) -> dict[str, Any]:  # noqa: ANN401 - a row of a table
    """Describe one match to the page."""
    timesteps = dataset.sizes["timestep"]
    begin = max(0, row.start - _AROUND)
    end = min(timesteps, row.start + _LONGEST, row.stop + _AROUND)
    around = []
    if "token" in dataset.coords:
        around = dataset["token"][row.example, begin:end].values.tolist()
    example = f"example {row.example}, " if dataset.sizes["example"] > 1 else ""
    if row.label is not None:
        example = f"example {row.example} {in_line(sendable(row.label))}, "
    when = f"t={row.start}" + (f" to {row.stop - 1}" if row.stop > row.start + 1 else "")
    times, ends = shown_times(dataset), None
    if times is not None:
        when = times.say_span(row.example, row.start, row.stop)
        ends = [times.plain(row.example, timestep) for timestep in (row.start, row.stop - 1)]
    return {
        "words": [
            f"overlap {row.overlap:.2f}",
            f"{row.shared} of {cells} cells",
            f"{example}{when}",
        ],
        "overlap": float(row.overlap),
        "shared": int(row.shared),
        "column": int(row.example * timesteps + row.start),
        "length": int(row.stop - row.start),
        "from": int(row.example * timesteps + begin),
        "tokens": [sendable(token) for token in around],
        "times": ends,
    }
