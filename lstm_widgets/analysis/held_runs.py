# Models, and what they read and return, are of many types: Any.
"""A model that reads the same inputs again and again, each time with other cells held."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.models.inputs import DEFAULT_BATCH_SIZE, mapped
from lstm_widgets.running.held import Holding, parts_of
from lstm_widgets.running.run import prepared, read
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lstm_widgets.analysis.losses import Losses, Outcome
    from lstm_widgets.models.adapter import Adapter, Run
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.recording import Recording
    from lstm_widgets.rnn.comparison import Check
    from lstm_widgets.running.given import Given
    from lstm_widgets.running.held import Held

# Values of a layer or of outputs, and losses, that are in memory at a time.
_VALUES = 1 << 24
# Cells that are held one after the other run at once up to so many, so that progress is seen.
_MOST_COPIES = 32


class HeldRuns:
    """A model that reads the same inputs again and again, each time with other cells held."""

    def __init__(
        self, model: Adapter, given: Given, layer: str | None, signal: str, batch_size: int | None
    ) -> None:
        model.build(given.first(batch_size or DEFAULT_BATCH_SIZE))
        self._model = model
        self._given = given
        self._found = model.layers
        runnable = [one for one in self._found if not one.problem]
        if layer is None and runnable:
            layer = runnable[0].units[0]
        self._selection = Selection(self._found, layer, signal)
        parts = parts_of(runnable, layer)
        self.layer = layer or parts[0].name
        self.units = sum(part.units for part in parts)
        self.reading = given.reading(batch_size)
        self._batch, self._size = given.batches(self.reading, batch_size)
        self._prescribed = model.batch_size
        self._copy_values = 0  # what one copy of the inputs needs at a time
        self._running: Run | None = None

    def last_activation(self, output: Output) -> str:
        """Tell the last activation of an output, while the model is prepared to run."""
        assert self._running is not None  # noqa: S101  (asked by what it gives)
        return self._running.activation(output, self._batch(0, self._prescribed or 1))

    def expect(self, held: Held) -> None:
        """Refuse to hold what the model doesn't have."""
        Holding(self._selection.found, [[held]])

    def as_it_is(
        self, losses: Losses, named: bool, check: Check, tolerance: float | None
    ) -> tuple[Outcome, Recording]:
        """Run the model with nothing held, checked, and record the layer.

        ``named`` tells whether the tokens were given, and so have to fit.
        """
        session = Session(
            *(self._selection, self.reading, check, tolerance), every_output=self._pieces
        )
        outcome = self._run(session, losses, "running the model")
        if named:
            session.expect_tokens(self._given.tokens)
        total = self.reading.total
        rows = min(self._size, total)
        if self.reading.mode != "pieces":
            rows *= session.timesteps
            rows = min(rows, self._size * self.reading.window) if self.reading.window > 1 else rows
        widest = max(part.units for part in parts_of(self._selection.found, self.layer))
        self._copy_values = max(rows * max(widest, losses.symbols), outcome.loss.size)
        recording = session.recording(
            *(self._model, total, self._given.tokens),
            predictions=outcome.predictions,
            series=self._given.series,
            beside=self._given.read(session, total),
        )
        return outcome, recording

    def together(self, held: Held, losses: Losses) -> Outcome:
        """Run it with some cells held."""
        return self._run(self._holding([[held]]), losses, "holding cells")

    def one_by_one(self, several: Sequence[Held], losses: Losses) -> Iterator[tuple[Outcome, int]]:
        """Run it with one after the other held, as many at a time as there is room for.

        Tells what came of them and how many they are. An interruption ends it early.
        """
        from tqdm.auto import tqdm  # noqa: PLC0415

        copies = self._copies(len(several))
        progress = tqdm(total=len(several), desc="holding cells", unit="cell", leave=False)
        with progress:
            for first in range(0, len(several), copies):
                some = several[first : first + copies]
                # As many every time, so that nothing is compiled for the last few.
                filled = [*some, *([some[-1]] * (copies - len(some)))]
                try:
                    outcome = self._run(self._holding([[held] for held in filled]), losses, "")
                except KeyboardInterrupt:
                    warnings.warn(
                        f"interrupted: {first} of {len(several)} cells are done", stacklevel=3
                    )
                    return
                yield outcome, len(some)
                progress.update(len(some))

    @property
    def _pieces(self) -> bool:
        return self.reading.mode == "pieces"

    def _holding(self, copies: Sequence[Sequence[Held]]) -> Session:
        # The layers were checked when nothing was held.
        selection = Selection(self._found, self.layer, None, keep=False)
        return Session(selection, self.reading, False, None, every_output=self._pieces, held=copies)

    def _copies(self, wanted: int) -> int:
        """Tell how many copies of the inputs run at once."""
        if self._prescribed:
            return 1
        return max(1, min(wanted, _MOST_COPIES, _VALUES // max(1, self._copy_values)))

    def _run(self, session: Session, losses: Losses, doing: str) -> Outcome:
        from tqdm.auto import tqdm  # noqa: PLC0415

        copies = session.holding.copies
        total = self.reading.total
        parts: Any = self.reading.parts(self._size)
        if doing and len(parts) > 1:
            parts = tqdm(parts, desc=doing, unit="batch", leave=False)
        outcome: Outcome | None = None
        with prepared(self._model, session) as self._running:
            for start, stop in parts:
                batch = self._batch(start, stop)
                if copies > 1:
                    batch = mapped(lambda v: np.concatenate([v] * copies), batch)
                outputs = read(self._running, batch, start, stop, session)
                outcome = losses.take(outcome, outputs, (start, stop), session.last_mask, copies)
        assert outcome is not None  # noqa: S101  (there is at least one call)
        return losses.end(outcome, session.last_mask, total)
