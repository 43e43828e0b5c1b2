# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""What a model's outputs say about what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recorders._layers import load_keras
from lstm_widgets.recording import RecordedPredictions

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.recorders._session import Reading
    from lstm_widgets.recorders.vocabulary import Vocabulary

__all__ = ["Guesses", "expect_symbols"]

# Outputs that sum to 1 as closely as this are probabilities, not logits.
NEARLY_ONE = 1e-3
NEARLY_ONE_BFLOAT16 = 2e-2  # which has 8 significant bits


class _Room:
    """The arrays that fill up."""

    def __init__(self, axes: tuple[int, int], top_k: int) -> None:
        self.ids = np.full((*axes, top_k), -1, np.int32)
        self.probabilities = np.full((*axes, top_k), np.nan, np.float32)
        self.targets = np.full(axes, np.nan, np.float32)
        self.next_ids = np.full(axes, -1, np.int64)


class Guesses:
    """The most probable next tokens at each timestep, kept while a model runs.

    Parameters
    ----------
    top_k
        How many to keep.
    reading
        How the outputs of each call stand in the recording.
    ids
        int64 ``(example, timestep)``: the tokens that were read, -1 where unknown; or None.
    vocabulary
        What the symbols stand for, or None.
    text
        Whether it is a text that is read.
    """

    def __init__(
        self,
        top_k: int,
        reading: Reading,
        ids: npt.NDArray[np.int64] | None,
        vocabulary: Vocabulary | None,
        *,
        text: bool,
    ) -> None:
        self._top_k = top_k
        self._reading = reading
        self._read = ids
        self._vocabulary = vocabulary
        self._text = text
        self._logits: bool | None = None
        self._room: _Room | None = None

    def take(self, outputs: Any, start: int, stop: int, timesteps: int) -> Any:
        """Keep the guesses of one call; return its probabilities as a float32 array.

        ``timesteps`` are those of the last recurrent layer, for which a model that has one output
        for each example has it at the last one.
        """
        import tensorflow as tf  # noqa: PLC0415

        output = _only(load_keras().tree.flatten(outputs), self._top_k)
        if self._reading.mode == "windows":
            output = (output if len(output.shape) == 2 else output[:, -1])[: stop - start]
        elif self._text and len(output.shape) == 2:
            raise ValueError(
                "top_k: expected a model with an output for every timestep, or a window=; got one "
                f"with outputs of shape {tuple(output.shape)}"
            )
        probabilities = self._probabilities(tf.convert_to_tensor(output))
        best = tf.math.top_k(probabilities, self._top_k)
        values = probabilities.numpy()
        single = self._reading.mode == "examples" and values.ndim == 2
        room = self._made_room(timesteps if single else values.shape[-2])
        place = self._reading.place(start, stop)
        if single:
            place = (*place, -1)
        room.ids[place] = best.indices.numpy()
        room.probabilities[place] = best.values.numpy()
        if not single:
            room.targets[place] = _of_ids(values, room.next_ids[place])
        return values

    def hit(self, timestep: int, probability: float) -> None:
        """Note the probability of what has come after a timestep of a text."""
        self._made_room(0).targets[0, timestep] = probability

    def recorded(self, done: int) -> RecordedPredictions:
        """Hand over what was kept of the first ``done`` of the reading's total."""
        room, kept = self._made_room(0), self._reading.done(done)
        ids, targets = room.ids[kept], room.targets[kept]
        return RecordedPredictions(
            ids=ids,
            probabilities=room.probabilities[kept],
            targets=None if np.isnan(targets).all() else targets,
            tokens=None if self._vocabulary is None else self._vocabulary.decode(ids),
        )

    def _made_room(self, timesteps: int) -> _Room:
        if self._room is None:
            axes = self._reading.shape(timesteps)
            self._room = _Room(axes, self._top_k)
            if self._read is not None and self._read.shape == axes:
                self._room.next_ids[:, :-1] = self._read[:, 1:]
        return self._room

    def _probabilities(self, outputs: Any) -> Any:
        """Take outputs that are a distribution as they are, and logits through a softmax."""
        import tensorflow as tf  # noqa: PLC0415

        values = tf.cast(outputs, tf.float32)
        if self._logits is None:
            rows = values.numpy().reshape(-1, values.shape[-1])
            rows = rows[np.isfinite(rows).all(axis=1)]
            tolerance = NEARLY_ONE_BFLOAT16 if outputs.dtype == tf.bfloat16 else NEARLY_ONE
            self._logits = not (
                (rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) <= tolerance).all()
            )
        return tf.nn.softmax(values) if self._logits else values


def _of_ids(values: Any, ids: Any) -> Any:
    """Pick the probability of each id, NaN where there is none."""
    known = (ids >= 0) & (ids < values.shape[-1])
    picked = np.take_along_axis(values, np.where(known, ids, 0)[..., None], -1)[..., 0]
    return np.where(known, picked, np.nan)


def expect_symbols(model: Any, top_k: int) -> None:
    """Refuse what the shapes of the model's outputs already tell to be no predictions."""
    outputs = getattr(model, "outputs", None)
    if outputs:
        _only(outputs, top_k)


def _only(outputs: list[Any], top_k: int) -> Any:
    shapes = [tuple(output.shape) for output in outputs]
    if len(shapes) != 1 or len(shapes[0]) not in (2, 3) or (shapes[0][-1] or 2) < 2:
        raise ValueError(
            "top_k: expected a model with one output (example, timestep, symbol) or (example, "
            f"symbol), with at least 2 symbols; got {', '.join(map(str, shapes))}"
        )
    symbols = shapes[0][-1]
    if symbols is not None and top_k > symbols:
        raise ValueError(f"top_k: expected at most the model's {symbols} symbols, got {top_k}")
    return outputs[0]
