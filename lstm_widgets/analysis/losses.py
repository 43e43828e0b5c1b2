# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""What a model's outputs cost: the loss of each timestep, and the most probable symbols.

Of several copies of the same inputs, each run with other cells held.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.running.predictions import Guesses, are_logits, expect_probability, placed

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from lstm_widgets.models.outputs import Output
    from lstm_widgets.recording import RecordedPredictions
    from lstm_widgets.running.given import Given
    from lstm_widgets.running.reading import Reading

    Floats = npt.NDArray[np.float32]
    Ids = npt.NDArray[np.int64]
    Loss = Callable[[Any, Any], Any]

# A sigmoid in float32 tells no smaller probability of the other class; Keras clips there too.
_SMALLEST = 1e-7


@dataclass
class Outcome:
    """What has come out of copies of the inputs, each with other cells held.

    Attributes
    ----------
    loss : float32 array (copy, example, timestep)
        ``(copy, example, timestep)``, NaN where nothing is known.
    best : int32 array (copy, example, timestep), optional
        The most probable symbols, likewise, -1 where there is none; None if the model predicts
        none.
    known : bool array (example, timestep)
        Where there is a target and no padding, ``(example, timestep)``.
    guesses : Guesses, optional
        The most probable symbols and their probabilities, if there is a single copy.
    predictions : RecordedPredictions, optional
        What is recorded of them in the end.
    """

    loss: Floats
    best: npt.NDArray[np.int32] | None
    known: npt.NDArray[np.bool_]
    guesses: Guesses | None = None
    predictions: RecordedPredictions | None = None


class Losses:
    """What is made of the model's outputs: losses, and the most probable symbols."""

    def __init__(
        self,
        given: Given,
        reading: Reading,
        targets: Any,
        loss: Loss | None,
        *,
        output: Output,
        activation: Callable[[Output], str],
        top_k: int,
    ) -> None:
        self._given = given
        self._reading = reading
        self._loss = loss
        self._output = output
        self._activation = functools.cache(lambda: activation(output))
        self._top_k = top_k
        self.symbols = 1  # values of each output, known after the first call
        self._logits: bool | None = None
        self._targets: Any = None
        self._next_tokens = targets is None
        if targets is None and loss is not None:
            raise ValueError("targets: expected what the loss takes, got None")
        if targets is not None:
            self._targets = self._standard(np.asarray(targets))

    def _standard(self, targets: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Check targets, and give those of a text the axis of the examples."""
        if self._loss is None and targets.dtype.kind not in "biu":
            raise TypeError(
                f"targets: expected classes (whole numbers), got dtype {targets.dtype}; other "
                "targets need a loss"
            )
        length = self._reading.count
        if self._given.text and targets.shape[:1] == (length,) and targets.shape[:2] != (1, length):
            targets = targets[None]
        if not targets.ndim or len(targets) != self._given.examples:
            raise ValueError(
                f"targets: expected one for each of {self._given.examples} examples, or for each "
                f"of its timesteps; got shape {targets.shape}"
            )
        return np.asarray(self._given.in_order(targets))

    def take(
        self,
        outcome: Outcome | None,
        outputs: Any,
        part: tuple[int, int],
        mask: npt.NDArray[np.bool_],
        copies: int,
    ) -> Outcome:
        """Add what came out of one call of the model."""
        chosen = self._output.of(outputs)
        if len(chosen.shape) not in (2, 3):
            raise ValueError(
                "model: expected an output (example, timestep, symbol) or (example, symbol), got "
                f"shape {tuple(chosen.shape)}"
            )
        if self._given.text and self._reading.mode != "windows" and len(chosen.shape) == 2:
            raise ValueError(
                "inputs: expected a batch, or a window=, because the model has one output for each "
                "example; got a text"
            )
        half = chosen.dtype.name == "bfloat16"
        values = chosen.astype(np.float32)
        for copy, rows in enumerate(np.split(values, copies)):
            output, place, timesteps = placed(rows, self._reading, part, mask)
            if outcome is None:
                outcome = self._room(output, copies, timesteps)
            if self._logits is None and self._loss is None:
                if output.shape[-1] > 1:
                    self._logits = are_logits(output, half=half)
                else:
                    self._logits = expect_probability("loss", self._output, self._activation())
            known, losses = self._losses(output, place, part, outcome.loss.shape[1:])
            outcome.known[place] = known
            outcome.loss[copy][place] = np.where(known, losses, np.nan)
            if outcome.best is not None:
                outcome.best[copy][place] = output.argmax(axis=-1)
        assert outcome is not None  # noqa: S101  (there is at least one copy)
        if outcome.guesses is not None:
            outcome.guesses.take(outputs, *part, mask)
        return outcome

    def end(self, outcome: Outcome, mask: npt.NDArray[np.bool_], done: int) -> Outcome:
        """Leave out padding, and what comes next where that is padding."""
        if mask.shape == outcome.known.shape:
            outcome.known &= mask
            if self._next_tokens:
                outcome.known[:, :-1] &= mask[:, 1:]
        if not outcome.known.any():
            raise ValueError(
                "targets: expected at least one where the model has an output, got none"
            )
        outcome.loss[:, ~outcome.known] = np.nan
        kept = self._reading.done(done)
        outcome.loss, outcome.known = outcome.loss[:, *kept], outcome.known[kept]
        if outcome.best is not None:
            outcome.best = outcome.best[:, *kept]
        if outcome.guesses is not None:
            outcome.predictions = outcome.guesses.recorded(done)
        return outcome

    def _room(self, output: Floats, copies: int, timesteps: int) -> Outcome:
        axes = self._reading.shape(timesteps)
        room = Outcome(
            loss=np.full((copies, *axes), np.nan, np.float32),
            best=None,
            known=np.zeros(axes, np.bool_),
        )
        self.symbols = symbols = int(output.shape[-1])
        if self._loss is None and symbols > 1:
            room.best = np.full((copies, *axes), -1, np.int32)
            if copies == 1:
                room.guesses = Guesses(
                    min(self._top_k, symbols),
                    self._reading,
                    self._given.ids,
                    self._given.names,
                    output=self._output,
                    activation=self._activation,
                    symbols=self._given.symbols,
                    text=self._given.text,
                )
        return room

    def _losses(
        self,
        output: Floats,
        place: tuple[Any, ...],
        part: tuple[int, int],
        axes: tuple[int, ...],
    ) -> tuple[Any, Any]:
        """Compute the losses of one copy, and tell where they are known."""
        single = self._reading.mode == "examples" and output.ndim == 2
        if self._loss is not None:
            targets = self._targets[slice(*part)] if single else self._targets[place]
            losses = np.asarray(self._loss(targets, output), np.float32)
            if losses.shape != output.shape[:-1]:
                raise ValueError(
                    f"loss: expected one number for each output, shape {output.shape[:-1]}; got "
                    f"shape {losses.shape}"
                )
            known = np.ones(losses.shape, np.bool_)
            if targets.dtype.kind == "f" and targets.shape[: losses.ndim] == losses.shape:
                known = ~np.isnan(targets).any(axis=tuple(range(losses.ndim, targets.ndim)))
            return known, losses
        if self._targets is None:
            self._targets = self._next(output, single, axes)
        targets = self._targets
        if targets.ndim == 1:
            targets = np.broadcast_to(targets[:, None], axes)
        if targets.shape != axes:
            raise ValueError(
                f"targets: expected shape {axes} (example, timestep) or {axes[:1]}, got "
                f"{targets.shape}"
            )
        ids = targets[place]
        classes = max(2, output.shape[-1])
        if (ids >= classes).any():
            raise ValueError(f"targets: expected classes below {classes}, got {ids.max()}")
        known = ids >= 0
        return known, self._cross_entropy(output, np.where(known, ids, 0))

    def _next(self, output: Floats, single: bool, axes: tuple[int, ...]) -> Ids:
        """Tell the next token at each timestep, -1 where there is none."""
        ids = self._given.ids
        symbols = self._given.symbols
        if single or ids is None or ids.shape != axes or symbols not in (None, output.shape[-1]):
            raise ValueError(
                "targets: expected what the model should give, because its outputs "
                f"(of shape {output.shape}) aren't predictions of the next token; got None"
            )
        return np.concatenate([ids[:, 1:], np.full((len(ids), 1), -1)], axis=1)

    def _cross_entropy(self, output: Floats, ids: Any) -> Any:
        if output.shape[-1] == 1:
            probability = output[..., 0]
            if self._logits:
                with np.errstate(over="ignore"):
                    return np.log1p(np.exp(np.where(ids == 1, -probability, probability)))
            of_target = np.where(ids == 1, probability, 1 - probability)
            return -np.log(np.maximum(of_target, _SMALLEST))
        of_target = np.take_along_axis(output, ids[..., None].astype(np.intp), -1)[..., 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            if not self._logits:
                return -np.log(of_target)
            highest = output.max(axis=-1)
            total = np.exp(output - highest[..., None]).sum(axis=-1)
            return np.log(total) + highest - of_target
