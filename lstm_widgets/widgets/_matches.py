"""Spans of tokens, and what the page is told of those that the same cells mark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from lstm_widgets.analysis.matching import match
from lstm_widgets.widgets._base import RecordingWidget
from lstm_widgets.widgets._protocol import sendable

if TYPE_CHECKING:
    from lstm_widgets.recording import Recording

#: From which size of activation on a cell counts as on, while the widget's threshold fades nothing.
THRESHOLD = 0.3
#: So many matches are listed, with so many tokens around each, and no more of its own.
_LISTED, _AROUND, _LONGEST = 50, 10, 60


class MatchingWidget(RecordingWidget):
    """A widget over a recording in which a span of tokens can be chosen, to find its like."""

    span = traitlets.Tuple(
        traitlets.Int(),
        traitlets.Int(),
        default_value=None,
        allow_none=True,
        help="The chosen span of tokens: its first and last timestep, of the example that was "
        "selected when it was chosen. Below stand the cells that mark it, and other spans that they "
        "mark.",
    ).tag(sync=True)
    _span_example = traitlets.Int(0, help="The example of the span.").tag(sync=True)

    @traitlets.validate("span")
    def _check_span(self, proposal: dict[str, Any]) -> tuple[int, int]:
        first, last = proposal["value"]
        if self.layer in self._names:
            timesteps = self._sizes(self.layer)["timestep"]
            if not 0 <= first <= last < timesteps:
                raise traitlets.TraitError(
                    f"span: expected (first, last) with 0 <= first <= last <= {timesteps - 1} "
                    f"(layer {self.layer!r}), got {(first, last)}"
                )
        return first, last

    @traitlets.observe("span")
    def _on_span(self, _change: dict[str, Any]) -> None:
        self._span_example = self.example

    @traitlets.observe("layer")
    def _keep_span(self, _change: dict[str, Any]) -> None:
        if self.span is None or self.layer not in self._names:
            return
        sizes = self._sizes(self.layer)
        if self.span[1] >= sizes["timestep"] or self._span_example >= sizes["example"]:
            self.set_trait("span", None)

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        if "span" not in content:
            return super()._answer(content)
        found = matches_of(
            self.recording,
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
        Its first and last timestep.
    layer, signal, example
        Of what.
    threshold : float
        From which size of activation on a cell counts as on; 0 stands for ``THRESHOLD``.

    Returns
    -------
    dict
        ``threshold``; the ``cells`` and their ``signs``; ``matches``, a dict each: ``example``,
        ``start``, ``stop``, ``overlap``, ``shared``, ``label``, and the ``tokens`` around it, which
        begin at timestep ``from``.
    """
    first, last = span
    threshold = threshold or THRESHOLD
    table = match(
        recording,
        (first, last + 1),
        layer=layer,
        signal=signal,
        example=example,
        threshold=threshold,
        limit=_LISTED,
    )
    dataset = recording[recording.bidirectional.get(layer, (layer,))[0]]
    tokens = dataset["token"] if "token" in dataset.coords else None
    matches = []
    for row in table.itertuples():
        begin = max(0, row.start - _AROUND)
        end = min(dataset.sizes["timestep"], row.start + _LONGEST, row.stop + _AROUND)
        around = [] if tokens is None else tokens[row.example, begin:end].values.tolist()
        matches.append(
            {
                **{
                    name: int(getattr(row, name)) for name in ("example", "start", "stop", "shared")
                },
                "overlap": float(row.overlap),
                "label": None if row.label is None else sendable(row.label),
                "from": begin,
                "tokens": [sendable(token) for token in around],
            }
        )
    chosen = {name: [int(value) for value in table.attrs[name]] for name in ("cells", "signs")}
    return {"threshold": threshold, **chosen, "matches": matches}
