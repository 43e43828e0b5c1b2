# Models and what they read may be of many types: Any.
# ruff: noqa: ANN401
"""The same inputs recorded again and again, while the weights of a model change."""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import DEFAULT_BATCH_SIZE
from lstm_widgets.recording.recorded import plain
from lstm_widgets.rnn.comparison import difference
from lstm_widgets.running.parts import Told, Whole
from lstm_widgets.running.recorder import Beside, Recorder
from lstm_widgets.running.run import prepared
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from lstm_widgets.models.adapter import Adapter, Call, Compiled, Layer, ReturnedCall, Run
    from lstm_widgets.models.self_check import CellRun
    from lstm_widgets.recording import Recording
    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.running.unit import Unit

    Kind = TypeVar("Kind", bound=Session)

__all__ = ["Repeated"]

#: Layers whose outputs are hidden states; the first of their states is, too.
_RETURNED = (("LSTM",), ("GRU",), ("SimpleRNN",))


class Repeated:
    """A model, and what it is to read again and again; what can be done once is done once.

    Parameters
    ----------
    model, inputs : object
        As for :func:`lstm_widgets.record`.
    told : Told
        What is said of the inputs.
    layers, signals : str or sequence of str, optional
        What is kept.
    check, tolerance : object
        How the first recording is checked.
    batch_size : int, optional
    state : str, optional
    scaling : object
        As for :func:`lstm_widgets.record`.
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        told: Told,
        *,
        layers: Sequence[str] | str | None,
        signals: Sequence[str] | str | None,
        check: Check,
        tolerance: float | None,
        batch_size: int | None,
        state: str | None,
        scaling: Any,
    ) -> None:
        self._adapter = adapter_of(model, state=state)
        self._check, self._tolerance = check, tolerance
        with _randomness_as_found(self._adapter):
            parts = self._parts = Whole(self._adapter, told, batch_size, inputs)
            if not parts.head.examples:
                raise ValueError("inputs: expected at least one example, got none")
            if scaling is not None and parts.head.series is None:
                raise ValueError(
                    "scaling: expected None, because inputs aren't one series of numbers "
                    "(example, timestep, channel)"
                )
            self._adapter.build(parts.head.first(batch_size or DEFAULT_BATCH_SIZE))
            self._selection = Selection(self._adapter.layers, layers, signals)
            parts.plan()
        self._beside = Beside(scaling=scaling, named=told.tokens is not None)
        self._part = parts.part
        self._calls = parts.part.reading.parts(parts.part.size)  # of the model, from where to where
        self._every_output = parts.reading.mode == "pieces" and parts.head.series is not None
        self._known: Any = _Known(
            self._adapter.name,
            self._adapter.packages,
            plain(self._adapter.config()),
        )
        self._compiled: Compiled | None = None
        self._tokens: dict[str, Any] = {}
        self._count = 0

    def record(self) -> Recording:
        """Record what the model does now."""
        self._adapter.settle()
        with _randomness_as_found(self._adapter):
            if not self._count:
                made = self._stepped(self._check)
                self._compiled = self._compile()
                self._beside = replace(self._beside, named=False)  # tokens fit, as was seen
            elif self._compiled is None:
                made = self._stepped(self._check and "prefix")
            else:
                made = self._followed(self._compiled)
        self._count += 1
        return made

    def _compile(self) -> Compiled | None:
        """Compile the model, if it reads all in one call."""
        if len(self._calls) != 1:
            return None
        return self._adapter.compiled(
            self._selection.found,
            self._part.batch(*self._calls[0]),
            self._session(_Following, self._check),
            pieces=self._parts.reading.mode == "pieces",
            every_output=self._every_output,
            outputs=self._part.given.series is not None,
        )

    def _stepped(self, check: Check) -> Recording:
        """Record as `record` does: each layer waits for our loop, and is checked by samples."""
        session = self._session(Session, check)
        return self._recording(session, prepared(self._adapter, session))

    def _followed(self, compiled: Compiled) -> Recording:
        """Record after a compiled run, in which layers ran their own loops, with which all is compared."""
        session = self._session(_Following, self._check and "full")
        session.known_tokens = self._tokens
        try:
            return self._recording(session, compiled.running(session))
        except _ApartError:
            # By rounding, or by mistake: that is what a check by samples finds out.
            return self._stepped("prefix")

    def _session(self, kind: type[Kind], check: Check) -> Kind:
        session = kind(
            *(self._selection, self._parts.reading, check, self._tolerance),
            every_output=self._every_output,
        )
        session.overlap = self._parts.overlap
        return session

    def _recording(self, session: Session, running: AbstractContextManager[Run]) -> Recording:
        with running as ready:
            recorder = Recorder(session, ready, self._beside)
            recorder.turn(self._part)
            # An interrupt is the training's: there is no recording of half the inputs.
            for start, stop in self._calls:
                recorder.read(start, stop)
        return recorder.recording(self._known)


@dataclass(frozen=True)
class _Known:
    """What a recording says of the model, of which only the weights change."""

    name: str
    packages: tuple[str, ...]
    settings: Any

    def config(self) -> Any:
        """Tell its settings, as JSON can hold them."""
        return self.settings


class _ApartError(Exception):
    """What our loop did and what a layer did differ by more than the tolerance."""


class _Following(Session):
    """A session in which all of a layer's outputs are there to be compared with.

    Where hidden states are all that is kept, and outputs are nothing else, they are taken as they are.
    """

    #: The tokens of each layer, which are the same each time.
    known_tokens: dict[str, Any]

    def takes_returned(self, layer: Layer, call: int) -> bool:
        """Whether a layer's outputs are all that is kept of a call without padding."""
        return bool(
            self.reading.mode != "windows"
            and layer.kinds in _RETURNED
            and layer.dtypes == ("float32",)
            and self.selection.signals(layer.units[0], call, layer.kinds[0]) == ("hidden_state",)
        )

    def take(self, call: ReturnedCall) -> None:
        """Keep what a call has returned."""
        layer, hidden = call.layer, call.outputs
        self._reached.add(layer.name)
        self._expect_shape(layer.name, *hidden.shape[:2])
        unit = self._unit(layer, call.number, 0, hidden.shape[1])
        place = self.reading.place(self._start, self._stop, hidden.shape[1])
        unit.signals["hidden_state"][place] = hidden[:, ::-1] if layer.go_backwards else hidden
        self._keep_initial(unit, {"hidden_state": call.start})
        unit.own = True
        self._open = []

    def _tokens(self, name: str, *given: Any) -> Any:
        if name not in self.known_tokens:
            found = self.known_tokens[name] = super()._tokens(name, *given)
            if found is not None:
                found.flags.writeable = False  # all recordings have them
        return self.known_tokens[name]

    def _compare(self, call: Call, kept: Sequence[tuple[Sequence[Unit], CellRun]]) -> None:
        followed: Any = call
        states = [state for _, run in kept for state in run.state]
        pairs = list(zip(states, followed.own_states, strict=True))
        hidden = kept[-1][1].hidden
        if hidden is not None:
            pairs.append((call.returned(hidden, call.mask), followed.own_outputs))
        least = min(unit.tolerance for units, _ in kept for unit in units)
        found = max(apart(ours, theirs, least) for ours, theirs in pairs)
        for units, _ in kept:
            for unit in units:
                if not found <= unit.tolerance:
                    raise _ApartError
                unit.difference = found
                self._note_checked(unit, *call.x.shape[:2])


def apart(ours: NDArray[Any], theirs: NDArray[Any], tolerance: float) -> float:
    """Tell how far arrays are apart: at most so far if that is within the tolerance.

    Examples
    --------
    >>> apart(np.array([2.0]), np.array([2.5]), 1.0), apart(np.array([2.0]), np.array([2.5]), 0.1)
    (0.5, 0.2)
    """
    if ours.shape == theirs.shape and ours.size:
        most = float(np.abs(ours - theirs).max())
        if most <= tolerance:
            return most
    return difference(ours, theirs)


@contextlib.contextmanager
def _randomness_as_found(adapter: Adapter) -> Iterator[None]:
    """Leave all that random numbers are drawn from as it was found."""
    python = random.getstate()
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002 - that of the process
    try:
        with adapter.randomness_as_found():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
