# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""What a model's outputs say about what comes next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recording import RecordedPredictions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from lstm_widgets.models.outputs import Output
    from lstm_widgets.running.reading import Reading
    from lstm_widgets.tokens.vocabulary import Vocabulary

__all__ = ["Guesses", "are_logits", "expect_symbols", "placed"]

# Outputs that sum to 1 as closely as this are probabilities, not logits.
NEARLY_ONE = 1e-3
NEARLY_ONE_BFLOAT16 = 2e-2  # which has 8 significant bits
# So many largest values, and more, are found faster by sorting all.
_SORTED_FROM = 12


class _Room:
    """The arrays that fill up."""

    def __init__(self, axes: tuple[int, int], top_k: int) -> None:
        self.ids = np.full((*axes, top_k), -1, np.int32)
        self.probabilities = np.full((*axes, top_k), np.nan, np.float32)
        self.targets = np.full(axes, np.nan, np.float32)
        self.next_ids = np.full(axes, -1, np.int64)

    def grow(self, timesteps: int) -> None:
        """Make room for more timesteps, if there are."""
        more = timesteps - self.targets.shape[1]
        if more <= 0:
            return
        for name, values in vars(self).items():
            nothing = np.nan if values.dtype.kind == "f" else -1
            behind = [(0, 0), (0, more), *[(0, 0)] * (values.ndim - 2)]
            setattr(self, name, np.pad(values, behind, constant_values=nothing))


class Guesses:
    """The most probable next tokens at each timestep, kept while a model runs.

    Parameters
    ----------
    top_k : int
        How many to keep.
    output : Output
        Which of the model's outputs they are.
    activation : callable
        Tells its last activation; asked only where numbers alone don't tell.
    reading : Reading
        How the outputs of each call stand in the recording.
    ids : int64 array (example, timestep), optional
        int64 ``(example, timestep)``: the tokens that were read, -1 where unknown; or None.
    vocabulary : Vocabulary, optional
        What the symbols that are read stand for, or None.
    symbols : int, optional
        How many symbols are read, if known. A model with another number of them in its outputs
        predicts something else: no tokens, and not what is read next.
    text : bool
        Whether it is a text that is read.
    """

    def __init__(
        self,
        top_k: int,
        reading: Reading,
        ids: npt.NDArray[np.int64] | None,
        vocabulary: Vocabulary | None,
        *,
        output: Output,
        activation: Callable[[], str],
        symbols: int | None,
        text: bool,
    ) -> None:
        self._top_k = top_k
        self._output = output
        self._activation = activation
        self._reading = reading
        self._read = ids
        self._vocabulary = vocabulary
        self._symbols = symbols
        self._text = text
        #: Whether outputs are logits; None until that is known.
        self.logits: bool | None = None
        self._mask: npt.NDArray[np.bool_] | None = None
        #: Whether what is predicted are the symbols that are read; None until that is known.
        self.same: bool | None = None
        self._room: _Room | None = None
        self._following: npt.NDArray[np.int64] | None = None

    def turn(
        self,
        reading: Reading,
        ids: npt.NDArray[np.int64] | None,
        following: npt.NDArray[np.int64] | None = None,
    ) -> None:
        """Turn to the next part of what is read.

        ``ids`` are of its tokens, ``following`` is what comes after each example, ``(example,)``, -1 where
        nothing is known to; None: nowhere.
        """
        self._reading, self._read, self._following = reading, ids, following
        self._room = self._mask = None

    def take(
        self,
        outputs: Mapping[str, npt.NDArray[Any]],
        start: int,
        stop: int,
        mask: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float32]:
        """Keep the guesses of one call; return its probabilities as a float32 array.

        ``mask`` is that of the last recurrent layer ``(example, timestep)``, of the whole recording
        and filled in so far. A model that has one output for each example has it at the last
        timestep that isn't padding.
        """
        output = self._output.of(outputs)
        _expect_predictions(tuple(output.shape), self._top_k)
        if self._text and self._reading.mode != "windows" and len(output.shape) == 2:
            raise ValueError(
                "top_k: expected a model with an output for every timestep; this one has one for "
                f"all that it reads, of shape {tuple(output.shape)}. Give window=W for what it says "
                "after each W timesteps, or a batch of one, inputs[None], for what it says after all"
            )
        output, place, timesteps = placed(output, self._reading, (start, stop), mask)
        values = self._probabilities(output)
        best = _largest(values, self._top_k)
        single = self._reading.mode == "examples" and values.ndim == 2
        self._mask = mask
        if self.same is None:
            self.same = self._predicts_what_it_reads(values.shape[-1])
        room = self._made_room(self._timesteps(timesteps, start, stop))
        # Where there are NaN, none is the largest.
        whole = np.asarray(np.isfinite(values).all(axis=-1, keepdims=True))
        room.ids[place] = np.where(whole, best, -1)
        best_values = np.take_along_axis(values, best, -1)
        room.probabilities[place] = np.where(whole, best_values, np.nan)
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
        vocabulary = self._vocabulary if self.same else None
        known = self.same and not np.isnan(targets).all()
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

    def _timesteps(self, timesteps: int, start: int, stop: int) -> int:
        """Tell how many timesteps there are, given those of one call's output."""
        reading, mask = self._reading, self._mask
        if reading.mode != "examples" or mask is None:
            return timesteps
        if reading.lengths is not None and timesteps == reading.lengths[start]:
            return int(reading.lengths.max())
        # An output may end where padding begins in all of the examples.
        return timesteps if mask[start:stop, timesteps:].any() else max(timesteps, mask.shape[1])

    def _made_room(self, timesteps: int) -> _Room:
        axes = self._reading.shape(timesteps)
        if self._room is None:
            self._room = _Room(axes, self._top_k)
        elif self._room.targets.shape[1] >= timesteps:
            return self._room
        self._room.grow(timesteps)
        if self._read is not None and self._read.shape == axes:
            self._room.next_ids[:, :-1] = self._read[:, 1:]
            if self._following is not None:
                self._room.next_ids[:, -1] = self._following
        return self._room

    def _probabilities(self, outputs: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Take outputs that are a distribution as they are, and logits through a softmax."""
        values: npt.NDArray[np.float32] = outputs.astype(np.float32)
        if values.shape[-1] == 1:
            if self.logits is None:
                self.logits = expect_probability("top_k", self._output, self._activation())
            yes, no = (_sigmoid(values), _sigmoid(-values)) if self.logits else (values, 1 - values)
            return np.concatenate([no, yes], axis=-1)
        if self.logits is None:
            self.logits = are_logits(values, half=outputs.dtype.name == "bfloat16")
            if self.logits and bool(((values >= 0) & (values <= 1)).all()):
                # Each may have a probability of its own.
                self.logits = self._activation() != "sigmoid"
        return _softmax(values) if self.logits else values


def expect_probability(argument: str, output: Output, activation: str) -> bool:
    """Refuse a single output that isn't known to be the probability of class 1, or its logit.

    Returns whether it is the logit.
    """
    if activation == "sigmoid":
        return False
    if output.logits:
        return True
    what = {
        "linear": "linear: a number, or a logit",
        "unknown": "made by what may hide an activation",
    }
    raise ValueError(
        f"{argument}: expected probabilities; the model's single output is "
        f"{what.get(activation, 'no probability by its last activation')}{output.advice}"
    )


def placed(
    output: Any, reading: Reading, part: tuple[int, int], mask: npt.NDArray[np.bool_]
) -> tuple[Any, tuple[Any, ...], int]:
    """Tell where the output of one call stands in the recording.

    Parameters
    ----------
    output : object
        ``(example, timestep, symbol)`` or ``(example, symbol)``, of windows and of examples; the
        latter has its place at the example's last timestep that isn't padding.
    reading : Reading
        How the calls stand in the recording.
    part : tuple of int
        From where to where this call has read.
    mask : bool array (example, timestep)
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


def _sigmoid(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-values))).astype(np.float32)


def _softmax(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with np.errstate(invalid="ignore"):  # infinite logits have no softmax: NaN
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _largest(values: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.intp]:
    """Index the largest values along the last axis, the first of equal ones first."""
    if count > _SORTED_FROM:
        return np.argsort(-values, axis=-1, kind="stable")[..., :count]
    left, found = values.copy(), np.empty((*values.shape[:-1], count), np.intp)
    for k in range(count):
        best = left.argmax(axis=-1)
        found[..., k] = best
        np.put_along_axis(left, best[..., None], -np.inf, -1)
    return found


def _of_ids(values: Any, ids: Any) -> Any:
    """Pick the probability of each id, NaN where there is none."""
    known = (ids >= 0) & (ids < values.shape[-1])
    picked = np.take_along_axis(values, np.where(known, ids, 0)[..., None], -1)[..., 0]
    return np.where(known, picked, np.nan)


def expect_symbols(output: Output, top_k: int) -> int | None:
    """Refuse what the shape of the model's output already tells to be no predictions.

    Returns the number of symbols, if the model tells it: two of a single probability.
    """
    if output.shape is None:
        return None
    _expect_predictions(output.shape, top_k)
    symbols = output.shape[-1]
    return 2 if symbols == 1 else symbols


def _expect_predictions(shape: tuple[int | None, ...], top_k: int) -> None:
    if len(shape) not in (2, 3):
        raise ValueError(
            "top_k: expected outputs (example, timestep, symbol) or (example, symbol), or one "
            f"probability in place of the symbols; got shape {shape}"
        )
    symbols = 2 if shape[-1] == 1 else shape[-1]
    if symbols is not None and top_k > symbols:
        raise ValueError(f"top_k: expected at most the model's {symbols} symbols, got {top_k}")
