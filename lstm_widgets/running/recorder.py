# What a model should say, and how it was scaled, may be given in many ways: Any.
"""A run of a model: what it reads, part by part, and what is recorded of each part."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.inputs import warn_outside
from lstm_widgets.recording import Recording
from lstm_widgets.running import run
from lstm_widgets.running.layer_tokens import picked
from lstm_widgets.running.predictions import Guesses
from lstm_widgets.running.said import Said, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    import numpy.typing as npt

    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.recording import RecordedLayer, RecordedPredictions, RecordedSeries
    from lstm_widgets.running.given import Given
    from lstm_widgets.running.reading import Reading
    from lstm_widgets.running.run import Outputs
    from lstm_widgets.running.session import Session

    States = dict[str, list[npt.NDArray[np.float32]]]

__all__ = ["Beside", "Part", "Recorded", "Recorder", "read_all"]


@dataclass(frozen=True)
class Beside:
    """What is recorded beside the layers, and how that was given.

    Attributes
    ----------
    top_k : int, optional
        How many predictions at each timestep; None: none.
    output : Output, optional
        Whose they are.
    scaling, target_scaling : object
        How what the model reads, and says, was scaled, as for :func:`lstm_widgets.record`.
    named : bool
        Whether tokens were given, and so have to fit.
    """

    top_k: int | None = None
    output: Output | None = None
    scaling: Any = None
    target_scaling: Any = None
    named: bool = False


@dataclass(frozen=True)
class Part:
    """A part of what a model is to read: all of it, or as much as there is room for.

    Attributes
    ----------
    given : Given
        What it is.
    reading : Reading
        How the model reads it.
    batch : callable
        What the model is called with for ``start`` to ``stop`` of the reading's total.
    size : int
        How much of that at a time.
    labels : sequence of str, optional
        One for each example.
    targets : object
        What the model should say, as for :func:`lstm_widgets.record`.
    following : numpy.ndarray, optional
        The id of the token that comes next, of each example.
    """

    given: Given
    reading: Reading
    batch: Callable[[int, int], Any]
    size: int
    labels: Sequence[str] | None = None
    targets: Any = None
    following: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Recorded:
    """What was recorded of a part.

    Attributes
    ----------
    layers : list of RecordedLayer
        The layers, in the model's order.
    labels : list of str, optional
        What its examples are called.
    predictions : RecordedPredictions, optional
        The most probable next tokens.
    beside : dict
        What was read, said and should have been said of a series, by these names of a recording's.
    """

    layers: list[RecordedLayer]
    labels: list[str] | None = None
    predictions: RecordedPredictions | None = None
    beside: dict[str, RecordedSeries | None] = field(default_factory=dict)


class Recorder:
    """What a model does while it reads part after part.

    Parameters
    ----------
    session : Session
        What keeps what its layers do.
    ready : Run
        The model, ready to run.
    beside : Beside
        What is recorded beside the layers.
    """

    def __init__(self, session: Session, ready: Run, beside: Beside) -> None:
        self._session, self._run, self._beside = session, ready, beside
        self._part: Part | None = None
        self.guesses: Guesses | None = None
        self.said: Said | None = None
        self._wanted: Targets | None = None
        self._learned: dict[str, Any] = {}

    def state(self) -> dict[str, Any]:
        """Give what the first parts have told of the outputs, as JSON can hold it, for :meth:`resume`."""
        told = dict(self._learned)
        if self.guesses is not None:
            told |= {"logits": self.guesses.logits, "same": self.guesses.same}
        if self.said is not None:
            told |= {"only_states": self.said.only_states, "over_time": self.said.over_time}
        return told

    def resume(self, state: dict[str, Any]) -> None:
        """Go on with what :meth:`state` has given."""
        self._learned = state

    def turn(self, part: Part) -> None:
        """Turn to the next part; what was recorded of the one before is let go."""
        session, given, reading = self._session, part.given, part.reading
        session.turn(reading)
        self._part = part
        if self._beside.top_k is not None and self._beside.output is not None:
            if self.guesses is None:
                self.guesses = Guesses(
                    self._beside.top_k,
                    reading,
                    given.ids,
                    given.names,
                    output=self._beside.output,
                    activation=self._activation,
                    symbols=given.symbols,
                    text=given.text,
                )
                self.guesses.logits = self._learned.get("logits")
                self.guesses.same = self._learned.get("same")
            self.guesses.turn(reading, given.ids, part.following)
        if given.series is not None:
            if self.said is None:
                self.said = Said(reading, given.series)
                self.said.only_states = self._learned.get("only_states")
                self.said.over_time = self._learned.get("over_time", True)
            self.said.turn(reading, given.series)
            if part.targets is not None:
                self._wanted = Targets(part.targets, reading, given.series)

    def _activation(self) -> str:
        part, output = self._part, self._beside.output
        assert part is not None and output is not None  # noqa: S101, PT018  (asked while it runs)
        return self._run.activation(output, part.batch(0, part.given.adapter.batch_size or 1))

    def read(self, start: int, stop: int) -> None:
        """Let the model read from ``start`` to ``stop`` of the part's total."""
        part = self._part
        assert part is not None  # noqa: S101
        self._seen(
            run.read(self._run, part.batch(start, stop), start, stop, self._session), start, stop
        )
        self._session.done = stop

    def read_all(self, part: Part) -> None:
        """Let the model read all of the next part."""
        self.turn(part)
        for start, stop in part.reading.parts(part.size):
            self.read(start, stop)

    def replay(self, part: Part, kept: Mapping[str, npt.NDArray[Any]]) -> States:
        """Let the model read a part from its initial states; give the states that layers end in.

        ``kept`` is what :meth:`Run.state` told before it read anything.
        """
        self._session.begin_anew()
        self._run.resume(kept)
        now = self._run.state()
        if now.keys() != kept.keys() or any(now[k].tobytes() != kept[k].tobytes() for k in kept):
            raise ValueError(
                "warm_up: expected None, because the model keeps states of its own from one call to the "
                "next, which can't be begun anew"
            )
        self.read_all(part)
        return self._session.carried

    def _seen(self, outputs: Outputs, start: int, stop: int) -> None:
        session, part = self._session, self._part
        if start == 0 and self._beside.named and part is not None:
            session.expect_tokens(part.given.tokens)
        if self.said is not None:
            self.said.take(outputs, start, stop, session.last_mask, session.hidden_states)
            if self._wanted is not None and start == 0:
                self._wanted.standing(self.said)  # which names what doesn't fit
        if self.guesses is not None:
            self.guesses.take(outputs, start, stop, session.last_mask)

    def recorded(self) -> Recorded:
        """Hand over what was recorded of the part, as far as it was read."""
        session, part, beside = self._session, self._part, self._beside
        assert part is not None  # noqa: S101
        given, done = part.given, session.done
        kept = part.reading.reached(done)
        told = given.read(session, done, beside.scaling)
        if self.said is not None:
            should = None
            if self._wanted is not None:
                should = self._wanted.recorded(kept, beside.target_scaling, self.said)
            outputs = self.said.recorded(kept, beside.target_scaling, should)
            told |= {"targets": should, "outputs": outputs}
        labels = given.in_order(part.labels)
        if labels is not None:
            labels = [str(label) for label in picked(labels, part.reading.done(done)[0])]
        return Recorded(
            session.recorded(done, given.tokens, series=given.series),
            labels,
            None if self.guesses is None else self.guesses.recorded(done),
            told,
        )

    def recording(self, adapter: Adapter) -> Recording:
        """Make a recording of the part, which is all that there is to be read."""
        self._session.warn_of_missed()
        found = self.recorded()
        return Recording.from_layers(
            found.layers,
            labels=found.labels,
            attrs=self._session.attrs(adapter),
            predictions=found.predictions,
            **found.beside,
        )


def read_all(recorder: Recorder, parts: Sequence[tuple[int, int]], session: Session) -> None:
    """Let the model read batch after batch, and an interruption end it early."""
    progress: Any = parts
    if len(parts) > 1:
        from tqdm.auto import tqdm  # noqa: PLC0415

        progress = tqdm(parts, desc="recording", unit="batch", leave=False)
    try:
        for start, stop in progress:
            recorder.read(start, stop)
    except KeyboardInterrupt:
        if not session.done:
            raise
        warn_outside(
            f"interrupted: the recording has the first {session.reading.describe(session.done)}"
        )
    finally:
        if progress is not parts:
            progress.close()
