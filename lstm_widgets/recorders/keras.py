# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Record what the recurrent layers of a Keras model do.

While the model is called, the inner loop of each of its recurrent layers is replaced by
:func:`lstm_widgets.recurrence.scan`, which computes the same with every signal as an output, and
whose result goes on through the model. Everything around that loop (masks, initial states, merging
of directions, what a layer returns) stays the model's own. Then a part of it is computed again by
the layer's own loop, and compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.recorders import text as texts
from lstm_widgets.recorders._check import Check, RecordingError
from lstm_widgets.recorders._inputs import (
    DEFAULT_BATCH_SIZE,
    count_examples,
    cut,
    expect_fit,
    expect_labels,
    expect_positive,
    prescribed_batch_size,
    standard_batch_size,
    standard_inputs,
    standard_tokens,
)
from lstm_widgets.recorders._layers import (
    Selection,
    UnsupportedLayerError,
    find_layers,
    load_keras,
)
from lstm_widgets.recorders._run import build_model, run
from lstm_widgets.recorders._session import Reading, Session
from lstm_widgets.recorders.held import Held, standard_held
from lstm_widgets.recorders.predictions import Guesses, expect_symbols
from lstm_widgets.recorders.vocabulary import Encoding, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.recording import Recording

__all__ = ["RecordingError", "UnsupportedLayerError", "record"]


def record(
    model: Any,
    inputs: Any,
    *,
    window: int | None = None,
    top_k: int | None = None,
    vocabulary: Any = None,
    tokens: Sequence[str] | Sequence[Sequence[str]] | Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
    layers: Sequence[str] | str | None = None,
    signals: Sequence[str] | str | None = None,
    batch_size: int | None = None,
    held: Held | Sequence[Held] | None = None,
    check: Check = "prefix",
    tolerance: float | None = None,
) -> Recording:
    """Run a Keras model and keep every signal of every recurrent layer.

    The model is called in inference mode (dropout off). Afterwards its weights and the states of
    its stateful layers are as they were found; a stateful model starts from the states it has.

    Parameters
    ----------
    model
        A Keras 3 model (TensorFlow backend), unchanged: Sequential, functional, subclassed or
        nested, with ``LSTM``, ``GRU``, ``SimpleRNN``, or ``RNN`` around their cells, also stacked,
        also in ``Bidirectional``.
    inputs
        What the model is called with: an array or tensor with examples along its first axis, or a
        list, tuple or dict of such for a model with several inputs.

        Or a text: an array with one axis less, its timesteps along its first axis (ids ``(n,)``,
        one-hot ``(n, symbols)``, scaled ids ``(n,)`` or ``(n, 1)``), or, with ``vocabulary``, a str
        or a list of tokens. It becomes one example of n timesteps.
    window
        How a text is read. None: from its beginning, the states carried on, also by a model whose
        input has a fixed length. W: the value at timestep t is that after the model, from its
        initial states, has read the W tokens up to t, in layers that read backwards too; the first
        W - 1 timesteps have no window and are masked (values NaN).
    top_k
        How many of the most probable next tokens to keep at each timestep, in
        :attr:`Recording.predictions`; the model's outputs are ``(..., symbols)``. Outputs that are
        a distribution already (none negative, sum 1 within 1e-3) are taken as they are, others as
        logits, through a softmax. With a text that isn't read in windows, layers that return their
        last output only are made to return all, so that there is a prediction at every timestep.
        There is none where the model gives NaN, and none at padding; a model that has one output
        for each example has it at the example's last timestep that is no padding.
    vocabulary
        What ids stand for: tokens by id in a list or tuple, a dict from token to id, or a
        ``TextVectorization`` or ``StringLookup`` layer. Tokens are then read off the inputs (ids,
        one-hot, ids scaled to ``id / len(vocabulary)``) unless they are given, and predictions
        have theirs. If the model's outputs are of another number of symbols than the vocabulary has
        (its highest id + 1; of a layer, ``len(get_vocabulary())``), as those of a model that reads
        words and tells their classes, they are no tokens of it: then there are neither
        ``predicted_token`` nor ``target_probability``.
    tokens
        What stands at each timestep: one sequence of str for each example (a str is a sequence of
        characters), for a text just one. It names the timesteps of every layer that has as many.
        Or a dict from layer name to such.
    labels
        One str for each example.
    layers
        Names of the layers to keep, ``"bidirectional"`` for both directions,
        ``"bidirectional/forward"`` for one. Default: all.
    signals
        Names of the signals to keep. Default: all. Layers that have none of them are left out.
    batch_size
        How many examples (of a text: timesteps, or windows) run at a time. Default: 256 examples,
        4096 timesteps, as many windows as fit into some memory, or what the model prescribes.
    held
        Cells that are held at a value meanwhile, see :class:`lstm_widgets.Held`. The layers that
        have them aren't checked.
    check
        ``"prefix"``: the first timesteps of a few examples of every batch are computed again by
        each layer's own loop. ``"full"``: all of them, and the model's outputs too. False: nothing.
    tolerance
        The largest accepted difference, ``|recorded - layer's own| / max(1, |layer's own|)``.
        Default: 1e-5 for layers that compute in float32 or float64, 5e-3 for float16, 4e-2 for
        bfloat16. NaN equals NaN.

    Returns
    -------
    Recording
        Signals float32 ``(example, timestep, cell)``. Index t is the input's timestep t, also for
        layers that read backwards. At masked timesteps hidden and cell state are those that the
        layer carries on, gates are as computed (and without effect). A layer that the model calls
        several times is there several times: ``"lstm"``, ``"lstm:2"``, ...

    Raises
    ------
    TypeError
        If ``model`` is no Keras model, or an argument is of the wrong type.
    ValueError
        If the model has no recurrent layer; if inputs, tokens, labels, layers or signals don't fit;
        if a text is empty, shorter than its window or not in the vocabulary, or the model can't
        read it piece by piece; if the model doesn't make the predictions that are asked for.
    UnsupportedLayerError
        If a recurrent layer cannot be recorded (a custom cell, for example) and ``layers`` doesn't
        leave it out.
    RecordingError
        If the self-check finds a difference above the tolerance.

    Warns
    -----
    UserWarning
        If the recording was interrupted (it then has the examples, or the beginning of the text,
        that were done), or the model didn't call one of its recurrent layers.
    """
    expect_model(model)
    if check not in ("prefix", "full", False):
        raise ValueError(f"check: expected 'prefix', 'full' or False, got {check!r}")
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive number, got {tolerance!r}")
    for argument, number in (("batch_size", batch_size), ("window", window), ("top_k", top_k)):
        expect_positive(argument, number)
    if top_k is not None:
        expect_symbols(model, top_k)
    names = None if vocabulary is None else Vocabulary(vocabulary)
    given = Given(model, inputs, window, names, tokens, needs_ids=top_k is not None)
    expect_labels(labels, given.examples)

    build_model(model, given.first(batch_size or DEFAULT_BATCH_SIZE))
    selection = Selection(find_layers(model), layers, signals)
    reading = given.reading(model)
    batch, size = given.batches(model, reading, selection, batch_size)
    every_output = top_k is not None and reading.mode == "pieces"
    session = Session(
        selection,
        reading,
        check,
        tolerance,
        every_output=every_output,
        held=(standard_held(held),),
    )
    guesses = None
    if top_k is not None:
        guesses = Guesses(top_k, reading, given.ids, names, symbols=given.symbols, text=given.text)

    def seen(outputs: Any, start: int, stop: int) -> None:
        if start == 0 and tokens is not None:
            session.expect_tokens(given.tokens)
        if guesses is not None:
            guesses.take(outputs, start, stop, session.last_mask)

    done = run(model, batch, size, session, seen)
    predictions = None if guesses is None else guesses.recorded(done)
    return session.recording(model, done, given.tokens, labels, predictions)


def expect_model(model: Any) -> None:
    """Refuse what is no Keras model."""
    if not isinstance(model, load_keras().Model):
        raise TypeError(
            f"model: expected a Keras 3 model (keras.Model), got {type(model).__module__}."
            f"{type(model).__name__}"
        )


class Given:
    """What :func:`record` was given to read: examples, or a text.

    Attributes
    ----------
    inputs
        What the model takes; for a text without the axis of the examples.
    text
        Whether it is a text.
    examples
        The number of examples.
    ids, tokens
        What stands at each timestep, as int64 and as str ``(example, timestep)``, if known.
    symbols
        How many symbols may stand there, if known.
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        window: int | None,
        vocabulary: Vocabulary | None,
        tokens: Any,
        *,
        needs_ids: bool,
    ) -> None:
        self._window = window
        self.symbols = None if vocabulary is None else len(vocabulary.tokens)
        shape = texts.input_shape(model)
        encoding = Encoding.of(shape, None if vocabulary is None else vocabulary.size)
        if self.symbols is None and encoding is not None and encoding.size:
            self.symbols = encoding.size
        read = None
        if texts.is_written(inputs):
            read, inputs = texts.encode(model, inputs, vocabulary, encoding)
        inputs = standard_inputs(model, inputs)
        self.text = texts.is_text(inputs, shape, window)
        if self.text:
            self.inputs = texts.standard_text(inputs, shape, window)
            self.examples = 1
        elif window is not None:
            raise ValueError(
                "window: expected inputs to be a text (one axis less than a batch), got a batch "
                + ("of several inputs" if shape is None else f"of shape {tuple(inputs.shape)}")
            )
        else:
            expect_fit(model, inputs)
            self.inputs = inputs
            self.examples = count_examples(inputs)
        self.ids = self._read_ids(encoding) if vocabulary is not None or needs_ids else None
        self.tokens = self._tokens(tokens, read, vocabulary)
        if vocabulary is not None and self.tokens is None and not needs_ids:
            raise ValueError(
                "vocabulary: expected inputs that are ids, one-hot or ids / "
                f"{vocabulary.size}, to read tokens off them; got others, so tokens= is needed"
            )

    def _read_ids(self, encoding: Encoding | None) -> npt.NDArray[np.int64] | None:
        if encoding is None or not hasattr(self.inputs, "shape"):
            return None
        values = np.asarray(self.inputs)[None] if self.text else np.asarray(self.inputs)
        if values.dtype.kind in "OSU":  # for a model that reads text itself
            return None
        if encoding.kind == "scaled" and values.ndim == 2:
            values = values[..., None]
        return encoding.read(values) if values.ndim == 2 + (encoding.kind != "ids") else None

    def _tokens(self, tokens: Any, read: Any, vocabulary: Vocabulary | None) -> Any:
        if tokens is not None and not self.text:
            return standard_tokens(tokens, self.examples)
        if tokens is not None:
            return [texts.standard_text_tokens(tokens, len(self.inputs))]
        if read is not None:
            return read[None]
        if self.ids is None or vocabulary is None:
            return None
        outside = np.argwhere(self.ids >= len(vocabulary.tokens))
        if len(outside):
            example, timestep = outside[0]
            raise ValueError(
                f"inputs: id {self.ids[example, timestep]} at position {timestep} is not in the "
                f"vocabulary of {len(vocabulary.tokens)} tokens"
            )
        return vocabulary.decode(self.ids)

    def first(self, size: int) -> Any:
        """Take as much as a model needs to build itself."""
        if self.text:
            return self.inputs[None, : self._window]
        return cut(self.inputs, 0, min(self.examples, size))

    def reading(self, model: Any) -> Reading:
        """Choose how the model reads it."""
        if not self.text:
            return Reading("examples", self.examples)
        count = len(self.inputs)
        if self._window is not None:
            return Reading("windows", count, int(self._window))
        problem = texts.obstacle(model)
        if not problem:
            return Reading("pieces", count)
        shape = texts.input_shape(model)
        if shape is not None and shape[1] not in (None, count):
            raise ValueError(
                f"inputs: {problem} cannot read a text of {count} tokens piece by piece, and the "
                f"model takes {shape[1]} at once; window={shape[1]} records it window by window"
            )
        return Reading("examples", 1)

    def batches(
        self, model: Any, reading: Reading, selection: Selection, batch_size: int | None
    ) -> tuple[Callable[[int, int], Any], int]:
        """Make the function that gives what the model is called with, and tell how much at once."""
        if reading.mode == "examples":
            inputs = self.inputs[None] if self.text else self.inputs
            size = standard_batch_size(model, selection, self.examples, batch_size)
            return lambda start, stop: cut(inputs, start, stop), size
        prescribed = prescribed_batch_size(model, selection)
        size = texts.standard_size(reading, selection, prescribed, batch_size)
        return texts.batches(self.inputs, reading, prescribed), size
