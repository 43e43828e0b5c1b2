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

__all__ = ["Guesses", "are_logits", "expect_symbols", "placed"]

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
        What the symbols that are read stand for, or None.
    symbols
        How many symbols are read, if known. A model with another number of them in its outputs
        predicts something else: no tokens, and not what is read next.
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
        symbols: int | None,
        text: bool,
    ) -> None:
        self._top_k = top_k
        self._reading = reading
        self._read = ids
        self._vocabulary = vocabulary
        self._symbols = symbols
        self._text = text
        self._logits: bool | None = None
        self._mask: npt.NDArray[np.bool_] | None = None
        self._same = True  # whether what is predicted are the symbols that are read
        self._room: _Room | None = None

    def take(self, outputs: Any, start: int, stop: int, mask: npt.NDArray[np.bool_]) -> Any:
        """Keep the guesses of one call; return its probabilities as a float32 array.

        ``mask`` is that of the last recurrent layer ``(example, timestep)``, of the whole recording
        and filled in so far. A model that has one output for each example has it at the last
        timestep that is no padding.
        """
        import tensorflow as tf  # noqa: PLC0415

        output = _only(load_keras().tree.flatten(outputs), self._top_k)
        if self._text and self._reading.mode != "windows" and len(output.shape) == 2:
            raise ValueError(
                "top_k: expected a model with an output for every timestep, or a window=; got one "
                f"with outputs of shape {tuple(output.shape)}"
            )
        output, place, timesteps = placed(output, self._reading, (start, stop), mask)
        probabilities = self._probabilities(tf.convert_to_tensor(output))
        best = tf.math.top_k(probabilities, self._top_k)
        values = probabilities.numpy()
        single = self._reading.mode == "examples" and values.ndim == 2
        self._mask = mask
        if self._room is None:
            self._same = self._predicts_what_it_reads(values.shape[-1])
        room = self._made_room(timesteps)
        # Where there are NaN, none is the largest.
        whole = np.isfinite(values).all(axis=-1, keepdims=True)
        room.ids[place] = np.where(whole, best.indices.numpy(), -1)
        room.probabilities[place] = np.where(whole, best.values.numpy(), np.nan)
        if not single:
            targets = _of_ids(values, room.next_ids[place])
            room.targets[place] = np.where(whole[..., 0], targets, np.nan)
        return values

    def hit(self, timestep: int, probability: float) -> None:
        """Note the probability of what has come after a timestep of a text."""
        self._made_room(0).targets[0, timestep] = probability

    def recorded(self, done: int) -> RecordedPredictions:
        """Hand over what was kept of the first ``done`` of the reading's total."""
        room, kept = self._made_room(0), self._reading.done(done)
        ids, probabilities, targets = room.ids[kept], room.probabilities[kept], room.targets[kept]
        if self._mask is not None and self._mask.shape == room.targets.shape:
            padding = ~self._mask[kept]
            ids[padding], probabilities[padding], targets[padding] = -1, np.nan, np.nan
            targets[:, :-1][padding[:, 1:]] = np.nan  # nor is padding what comes next
        vocabulary = self._vocabulary if self._same else None
        known = self._same and not np.isnan(targets).all()
        return RecordedPredictions(
            ids=ids,
            probabilities=probabilities,
            targets=targets if known else None,
            tokens=None if vocabulary is None else vocabulary.decode(ids),
        )

    def _predicts_what_it_reads(self, symbols: int) -> bool:
        if self._symbols is not None:
            return self._symbols == symbols
        return self._read is None or bool((self._read < symbols).all())

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
            self._logits = are_logits(values.numpy(), half=outputs.dtype == tf.bfloat16)
        return tf.nn.softmax(values) if self._logits else values


def placed(
    output: Any, reading: Reading, part: tuple[int, int], mask: npt.NDArray[np.bool_]
) -> tuple[Any, tuple[Any, ...], int]:
    """Tell where the output of one call stands in the recording.

    Parameters
    ----------
    output
        ``(example, timestep, symbol)`` or ``(example, symbol)``, of windows and of examples; the
        latter has its place at the example's last timestep that is no padding.
    reading
        How the calls stand in the recording.
    part
        From where to where this call has read.
    mask
        That of the last recurrent layer ``(example, timestep)``, of the whole recording and filled
        in so far.

    Returns
    -------
    tuple
        What of the output is in the recording, its place there, and the number of timesteps of each
        example (of a text that is read in parts, those of this part).
    """
    start, stop = part
    if reading.mode == "windows":
        output = (output if len(output.shape) == 2 else output[:, -1])[: stop - start]
    if reading.mode == "examples" and len(output.shape) == 2:
        last = mask.shape[1] - 1 - mask[start:stop, ::-1].argmax(axis=1)
        return output, (np.arange(start, stop), last), int(mask.shape[1])
    timesteps = int(output.shape[-2])
    return output, reading.place(start, stop, timesteps), timesteps


def are_logits(values: npt.NDArray[Any], *, half: bool = False) -> bool | None:
    """Tell whether outputs are logits and not a distribution already; None if all are NaN.

    ``half`` is for values that were bfloat16.
    """
    rows = values.reshape(-1, values.shape[-1])
    rows = rows[(rows < np.inf).all(axis=1)]  # logits may be -inf
    if not len(rows):
        return None
    tolerance = NEARLY_ONE_BFLOAT16 if half else NEARLY_ONE
    return not ((rows >= 0).all() and (np.abs(rows.sum(axis=1) - 1) <= tolerance).all())


def _of_ids(values: Any, ids: Any) -> Any:
    """Pick the probability of each id, NaN where there is none."""
    known = (ids >= 0) & (ids < values.shape[-1])
    picked = np.take_along_axis(values, np.where(known, ids, 0)[..., None], -1)[..., 0]
    return np.where(known, picked, np.nan)


def expect_symbols(model: Any, top_k: int) -> int | None:
    """Refuse what the shapes of the model's outputs already tell to be no predictions.

    Returns the number of symbols, if the model tells it.
    """
    outputs = getattr(model, "outputs", None)
    return _only(outputs, top_k).shape[-1] if outputs else None


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
