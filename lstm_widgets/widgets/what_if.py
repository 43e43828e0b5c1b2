"""Another text, another value of one cell: what the model makes of it at once."""

from __future__ import annotations

import re
import threading
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from lstm_widgets.models.adapter import adapter_of, standard_vocabulary
from lstm_widgets.rnn.cells import SIGNALS
from lstm_widgets.running.given import Given
from lstm_widgets.running.held import Held
from lstm_widgets.running.record import record
from lstm_widgets.tokens.wording import sendable
from lstm_widgets.widgets.base import STATIC
from lstm_widgets.widgets.page.state import state_of
from lstm_widgets.widgets.text_heatmap import TextHeatmap

if TYPE_CHECKING:
    from typing import Unpack

    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.recording import Recording
    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.widgets.keywords import TextHeatmapKeywords


class WhatIf(TextHeatmap):
    """
    A text to edit, and a cell to hold at a value: the model runs again, and its guesses change.

    The text is coloured by the values of one cell, as in `TextHeatmap`. Below the field in which it can
    be edited, a slider holds the selected cell at a value at every timestep. Beside it is the loss
    before and after, and under the text are the predictions for the selected token, with and without
    the cell held. It needs a kernel; a saved page shows what was computed last.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        A model that predicts the next token, as for ``record()``.
    text : str
        The text at first.
    vocabulary : object
        What the model's symbols stand for, as for ``record()``.
    layer, signal : str, optional
        What is shown and held; default: the first recurrent layer and its hidden state.
    unknown : int or str, optional
        The id or token that stands for what isn't in the vocabulary, as for ``record()``.
    window : int, optional
        How many tokens the model reads for each prediction, as for ``record()``.
    pad : optional
        What the text is padded with at its beginning, as for ``record()``.
    state : str, optional
        The argument by which a PyTorch module takes its states, as for ``record()``.
    top_k : int, optional
        How many predictions to show. Default: 5, or all that the vocabulary has.
    batch_size, check, tolerance : optional
        As for ``record()``.
    output : str or int, optional
        Which output has the predictions, of a model with several: its name or its index.
    value : float, optional
        The value at which the selected cell is held at first. Default: none, it isn't held.
    **traits : optional
        Every trait of `TextHeatmap`.

    Attributes
    ----------
    text, value : str, float
        Setting them runs the model.
    recording : Recording
        The last recording, with the cell held.
    loss, loss_held : float
        The mean cross-entropy of the next token, of the unchanged model and with the cell held.

    Examples
    --------
    >>> tried = lw.WhatIf(model, "abcab", vocabulary="abc", cell=1)
    >>> tried.value = 0.0
    >>> tried.loss_held != tried.loss
    True
    """

    _esm = STATIC / "what_if.js"
    _css = STATIC / "what_if.css"

    text = traitlets.Unicode(help="The text that the model has read.").tag(sync=True)
    value = traitlets.Float(None, allow_none=True, help="What the selected cell is held at.").tag(
        sync=True
    )
    _recorded = traitlets.Int(help="Goes up with every run of the model.").tag(sync=True)
    _result = traitlets.Dict(help="What came of the last run, and of what that was.").tag(sync=True)

    def __init__(
        self,
        model: Any,  # noqa: ANN401 - models are of many types
        text: str,
        *,
        vocabulary: Any,  # noqa: ANN401
        layer: str | None = None,
        signal: str = "hidden_state",
        unknown: int | str | None = None,
        window: int | None = None,
        pad: Any = None,  # noqa: ANN401
        state: str | None = None,
        top_k: int | None = None,
        output: str | int | None = None,
        batch_size: int | None = None,
        check: Check = "prefix",
        tolerance: float | None = None,
        value: float | None = None,
        **traits: Unpack[TextHeatmapKeywords],
    ) -> None:
        if not isinstance(text, str):
            raise TypeError(
                f"text: expected a str, which can be edited, got {type(text).__name__}; of a series, "
                f"lstm_widgets.record(model, series, held=...) reads what a cell held at a value changes"
            )
        self._expect_known(traits)  # before anything runs
        # Wishes come from a person's cell and, in hosts that answer in another thread, from the page
        # at the same time.
        self._lock = threading.RLock()
        self._running = True
        self._from_page = False
        self._model = model
        names = standard_vocabulary(vocabulary)
        if names is None:
            raise TypeError("vocabulary: expected the tokens of the model, got None")
        top_k = min(5, names.size) if top_k is None else top_k
        self._options = {"vocabulary": vocabulary, "window": window, "top_k": top_k}
        self._options |= {"unknown": unknown, "pad": pad, "state": state}
        self._options |= {"output": output, "batch_size": batch_size, "tolerance": tolerance}
        self._check = check
        self._options |= {"signals": [signal]}
        if layer is None:
            reading = {"vocabulary": vocabulary, "unknown": unknown, "window": window, "pad": pad}
            adapter = adapter_of(model, state=state)
            layer = _first_layer(adapter, text, signal, reading)
        self._options["layers"] = [layer]
        recording = self._read(text)
        self._as_it_is = (text, recording)
        super().__init__(recording, layer=layer, signal=signal, **traits)
        self._running = False
        self._run(text, self.cell, value)

    @property
    def loss(self) -> float:
        """The mean cross-entropy of the next token, of the model as it is."""
        return _finite_or_not(self._result["loss"])

    @property
    def loss_held(self) -> float:
        """The same with the cell held."""
        return _finite_or_not(self._result["loss_held"])

    def _read(self, text: str, held: Held | None = None) -> Recording:
        # The layers are checked when nothing is held.
        check: Check = self._check if held is None else False
        recording = record(self._model, text, held=held, check=check, **self._options)
        known = () if recording.predictions is None else recording.predictions.data_vars
        if not {"predicted_token", "target_probability"} <= set(known):
            raise ValueError(
                "model: expected one that predicts the next token of the vocabulary, and a text of at "
                "least two tokens (with window=, of more than the window)"
            )
        return recording

    def _run(self, text: str, cell: int, value: float | None) -> None:
        """Let the model read the text, and show what comes of it."""
        if value is not None and not np.isfinite(value):
            raise ValueError(f"value: expected a finite number or None, got {value!r}")
        read, as_it_is = self._as_it_is
        if read != text:
            as_it_is = self._read(text)
        recording = as_it_is
        if value is not None:
            recording = self._read(text, Held(cell, value, self.layer, self.signal))
        result = _compared(as_it_is, recording) | {"text": text, "cell": cell, "value": value}
        self._as_it_is = (text, as_it_is)
        self._running = True
        try:
            # In one message, so that the page never shows a part of it.
            with self.hold_sync():
                if recording is not self._recording:
                    self._replace(recording)
                self.set_trait("cell", cell)
                self.timestep = min(self.timestep, self._sizes(self.layer)["timestep"] - 1)
                state = {"_whole": b"", "_text": {}} | state_of(recording)
                # The page then knows each layer for another one, and what came with it.
                run = {"run": self._recorded + 1}
                for each in (*state["_layers"], *state["_text"].values()):
                    each.update(run)
                for name, one in {**state, "text": text, "value": value}.items():
                    setattr(self, name, one)
                self._summarise()
                whole = {"stamp": zlib.crc32(self._whole)} if self._whole else self._summary
                self._summary = whole | run
                self._result = result
                self._recorded += 1
        finally:
            self._running = False

    @traitlets.observe("text", "value", "cell")
    def _on_wish(self, change: dict[str, Any]) -> None:
        with self._lock:
            if self._running or self._from_page:
                return  # the page asks for what it wants itself, the newest only
            if change["name"] == "cell" and self.value is None:
                return
            try:
                self._run(self.text, self.cell, self.value)
            except Exception:
                self._running = True
                setattr(self, change["name"], change["old"])
                self._running = False
                raise

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take a change from the page."""
        with self._lock:
            self._from_page = True
            try:
                super().set_state(sync_data)
            finally:
                self._from_page = False

    def _answer(self, content: dict[str, Any]) -> tuple[dict[str, Any], list[bytes]]:
        with self._lock:
            if content.get("kind") != "run":
                return super()._answer(content)
            value = content["value"]
            wish = {
                "text": content["text"],
                "cell": int(content["cell"]),
                "value": None if value is None else float(value),
            }
            if wish != {name: self._result[name] for name in wish}:  # else it was asked twice
                self._run(**wish)
            return {"id": content["id"]}, []


def _first_layer(adapter: Adapter, text: str, signal: str, reading: dict[str, Any]) -> str:
    """Name the first layer that has a signal; of one with two directions, both."""
    given = Given(adapter, text, needs_ids=True, **reading)
    adapter.build(given.first(1))
    names = [
        unit
        for one in adapter.layers
        for unit, kind in zip(one.units, one.kinds, strict=False)  # what can't be recorded has none
        if signal in SIGNALS[kind]
    ]
    if not names:
        known = ", ".join(
            map(repr, dict.fromkeys(name for kind in SIGNALS.values() for name in kind))
        )
        raise ValueError(f"signal: expected one of {known}, got {signal!r}")
    both = re.fullmatch(r"(.+)/forward(/.+)?", names[0])
    other = both and f"{both[1]}/backward{both[2] or ''}"
    return both[1] + (both[2] or "") if both and other in names else names[0]


def _finite_or_not(loss: float | None) -> float:
    return float("inf") if loss is None else loss


def _compared(as_it_is: Recording, held: Recording) -> dict[str, Any]:
    """Tell both losses, how many top guesses differ, and the guesses of the model as it is."""
    one, other = as_it_is.predictions, held.predictions
    assert one is not None  # noqa: S101  (both have them)
    assert other is not None  # noqa: S101
    known = ~np.isnan(one["target_probability"].values[0])
    with np.errstate(divide="ignore"):
        losses = [
            float(-np.log(each["target_probability"].values[0, known].astype(np.float64)).mean())
            for each in (one, other)
        ]
    best, best_held = one["predicted_id"].values[0, :, 0], other["predicted_id"].values[0, :, 0]
    result: dict[str, Any] = {
        # JSON has no infinity.
        "loss": losses[0] if np.isfinite(losses[0]) else None,
        "loss_held": losses[1] if np.isfinite(losses[1]) else None,
        "known": int(known.sum()),
        "changed": int((best != best_held)[known].sum()),
        "before": [],
    }
    if held is not as_it_is:
        tokens, probabilities = one["predicted_token"].values[0], one["probability"].values[0]
        result["before"] = [
            [[sendable(str(token)), float(p)] for token, p in zip(*pair, strict=True)]
            if known_here
            else []
            for known_here, *pair in zip(best >= 0, tokens, probabilities, strict=True)
        ]
    return result
