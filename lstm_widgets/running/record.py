# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Record what the recurrent layers of a Keras model do.

While the model is called, the inner loop of each of its recurrent layers is replaced by
:func:`lstm_widgets.rnn.cells.scan`, which computes the same with every signal as an output, and
whose result goes on through the model. Everything around that loop (masks, initial states, merging
of directions, what a layer returns) stays the model's own. Then a part of it is computed again by
the layer's own loop, and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.keras.inputs import (
    DEFAULT_BATCH_SIZE,
    count_examples,
    cut,
    expect_fit,
    expect_labels,
    expect_positive,
    find_lookup,
    leaves,
    prescribed_batch_size,
    reads_strings,
    standard_batch_size,
    standard_inputs,
    standard_tokens,
    taken,
)
from lstm_widgets.models.keras.layers import Selection, find_layers, load_keras
from lstm_widgets.models.keras.outputs import Output
from lstm_widgets.models.keras.run import build_model, run
from lstm_widgets.recording import overlap
from lstm_widgets.running import texts
from lstm_widgets.running.held import Held, standard_held
from lstm_widgets.running.predictions import Guesses, expect_symbols, last_activation
from lstm_widgets.running.self_check import expect_check
from lstm_widgets.running.session import Reading, Session
from lstm_widgets.tokens.vocabulary import (
    Encoding,
    Vocabulary,
    ids_of_lookup,
    standard_vocabulary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from lstm_widgets.recording import Recording
    from lstm_widgets.running.self_check import Check

__all__ = ["record"]


def record(
    model: Any,
    inputs: Any,
    *,
    window: int | None = None,
    pad: Any = None,
    top_k: int | None = None,
    output: str | int | None = None,
    vocabulary: Any = None,
    unknown: int | str | None = None,
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
        also in ``Bidirectional``, or with such cells that the model steps itself.
    inputs
        What the model is called with: an array, tensor or pandas table with examples along its
        first axis, a list of examples, or a list, tuple or dict of such for a model with several
        inputs. Or a dataset (``tf.data.Dataset``, as from ``timeseries_dataset_from_array``, or
        ``PyDataset``) of batches or of single examples, ``x``, ``(x, y)`` or ``(x, y,
        sample_weight)``, or such a tuple: x is read, in the dataset's order. For a model that takes
        strings: one str or several, in any of these; tokens are then what its own
        ``TextVectorization`` or ``StringLookup`` makes of them.

        Examples of several lengths (a list, a ``RaggedTensor``, an object array) are filled up
        behind with what the model's Masking or Embedding layer masks. If the model isn't known to
        mask padding, each is read without any, those of one length at a time, and NaN and masked
        behind its end. A warning says which.

        Or a text: an array with one axis less, its timesteps along its first axis (ids ``(n,)``,
        one-hot ``(n, symbols)``, scaled ids ``(n,)`` or ``(n, 1)``), or, with ``vocabulary``, a str
        or a list of tokens. It becomes one example of n timesteps.
    window
        How a text is read. None: from its beginning, the states carried on, also by a model whose
        input has a fixed length. W: the value at timestep t is that after the model, from its
        initial states, has read the W tokens up to t, in layers that read backwards too; the first
        W - 1 timesteps have no window and are masked (values NaN), unless there is a ``pad``.
    pad
        What stands in front of a text that is read in windows, so that its first W - 1 timesteps
        have a window, too, and it may be shorter than one: an id, a token of the vocabulary,
        ``"zero"`` for a vector of zeros, or a number or an array for the channels of a series. The
        window of timestep t then begins with W - 1 - t of it; ``recording.tree.attrs`` has this
        W - 1 as ``"padding"``, and as ``"pad"`` what was given.
    top_k
        How many of the most probable next tokens to keep at each timestep, in
        :attr:`Recording.predictions`; the model's outputs are ``(..., symbols)``. Outputs that are
        a distribution already (none negative, sum 1 within 1e-3) are taken as they are, others as
        logits, through a softmax. With a text that isn't read in windows, layers that return their
        last output only are made to return all, so that there is a prediction at every timestep.
        There is none where the model gives NaN, and none at padding; a model that has one output
        for each example has it at the example's last timestep that is no padding.
        A single sigmoid ``(..., 1)`` is the probability of class 1 of two; a single linear output
        is, if the model was compiled with a loss that takes it for a logit. Several sigmoids are
        taken as they are, each the probability of its own.
    output
        Which output has the predictions, of a model with several: its name (the key in a dict of
        outputs, else the name of the layer that it comes from) or its index.
    vocabulary
        What ids stand for: tokens by id in a list or tuple, a dict from token to id, or a
        ``TextVectorization`` or ``StringLookup`` layer. Tokens are then read off the inputs (ids,
        one-hot, ids scaled to ``id / len(vocabulary)``) unless they are given, and predictions
        have theirs. If the model's outputs are of another number of symbols than the vocabulary has
        (its highest id + 1; of a layer, ``len(get_vocabulary())``), as those of a model that reads
        words and tells their classes, they are no tokens of it: then there are neither
        ``predicted_token`` nor ``target_probability``.
    unknown
        The id, or the token, as which what isn't in the vocabulary is read in a written text. A
        ``TextVectorization`` or ``StringLookup`` has one of its own.
    tokens
        What stands at each timestep: one sequence of str for each example (a str is a sequence of
        characters), for a text just one. It names the timesteps of every layer that has as many, in
        all its calls together or in each of them. Or a dict from the name of a layer to such, also
        of one that isn't kept; that of a Bidirectional, or of a model inside of the model, means all
        layers in it.
    labels
        One str for each example.
    layers
        Names of the layers to keep, ``"bidirectional"`` for both directions,
        ``"bidirectional/forward"`` for one, ``"lstm:2"`` for a layer's second call. Default: all.
    signals
        Names of the signals to keep. Default: all. Layers that have none of them are left out.
    batch_size
        How many examples (of a text: timesteps, or windows) run at a time. Default: 256 examples,
        4096 timesteps, as many windows as fit into some memory, or what the model prescribes.
    held
        Cells that are held at a value meanwhile, see :class:`lstm_widgets.Held`. The layers that
        have them aren't checked.
    check
        ``"prefix"``: of every batch, the first timesteps of a few examples are computed again by
        each layer's own loop, and single steps, spread over all of it, by its own cell from recorded
        states. ``"full"``: all of them, and the model's outputs too. False: nothing.
    tolerance
        The largest accepted difference, ``|recorded - layer's own| / max(1, |layer's own|)``.
        Default: 1e-5 for layers that compute in float32 or float64, 5e-3 for float16, 4e-2 for
        bfloat16. NaN equals NaN. What rounding explains is accepted too: a single step by as much
        as the last digits of its sums move it, a sequence, in which rounding may grow, by some times
        what the layer's own loop is off from float64.

    Returns
    -------
    Recording
        Signals float32 ``(example, timestep, cell)``. Index t is the input's timestep t, also for
        layers that read backwards. At masked timesteps hidden and cell state are those that the
        layer carries on, gates are as computed (and without effect). Of a layer that the model calls
        several times, ``recording["lstm"]`` has all calls, one after the other on the time axis, and
        ``recording["lstm:2"]`` the second one. A cell that the model steps itself is a layer of
        one-step calls. The states that layers start from are there, too, see
        :class:`lstm_widgets.Recording`.
        Examples that are windows of one series and overlap are noted in its attributes, for
        :func:`lstm_widgets.rank_cells` to know.

    Raises
    ------
    TypeError
        If ``model`` is no Keras model, or an argument is of the wrong type.
    ValueError
        If the model has no recurrent layer; if inputs, tokens, labels, layers or signals don't fit;
        if a text is empty, shorter than its window without ``pad``, or not in the vocabulary
        without ``unknown``, or the model can't read it piece by piece; if the model doesn't make
        the predictions that are asked for.
    UnsupportedLayerError
        If a recurrent layer cannot be recorded (a custom cell, for example) and ``layers`` doesn't
        leave it out.
    SelfCheckError
        If the self-check finds a difference above the tolerance that rounding doesn't explain. It
        keeps the batches before.

    Warns
    -----
    UserWarning
        If the recording was interrupted (it then has the examples, or the beginning of the text,
        that were done), if examples were of several lengths, or if the model didn't call one of its
        recurrent layers.
    """
    expect_model(model)
    expect_check(check, tolerance)
    for argument, number in (("batch_size", batch_size), ("window", window), ("top_k", top_k)):
        expect_positive(argument, number)
    if top_k is None and output is not None:
        raise ValueError(
            f"output: expected None, because it tells where predictions are, which top_k= records; "
            f"got {output!r}"
        )
    chosen = None if top_k is None else Output(model, output)
    if top_k is not None and chosen is not None:
        expect_symbols(chosen, top_k)
    given = Given(
        model,
        inputs,
        window=window,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        tokens=tokens,
        needs_ids=top_k is not None,
    )
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
    if not given.text and given.examples > 1:
        session.overlap = overlap.described(leaves(given.inputs))
    guesses = None
    if top_k is not None and chosen is not None:
        guesses = Guesses(
            top_k,
            reading,
            given.ids,
            given.names,
            output=chosen,
            activation=lambda: last_activation(
                model, chosen, session, batch(0, prescribed_batch_size(model, selection) or 1)
            ),
            symbols=given.symbols,
            text=given.text,
        )

    def seen(outputs: Any, start: int, stop: int) -> None:
        if start == 0 and tokens is not None:
            session.expect_tokens(given.tokens)
        if guesses is not None:
            guesses.take(outputs, start, stop, session.last_mask)

    def recording() -> Recording:
        predictions = None if guesses is None else guesses.recorded(session.done)
        named = given.tokens, given.in_order(labels)
        return session.recording(model, session.done, *named, predictions)

    try:
        run(model, batch, size, session, seen)
    except SelfCheckError as error:
        if session.done:
            error.keep(recording())
        raise
    return recording()


def expect_model(model: Any) -> None:
    """Refuse what is no Keras model."""
    if not isinstance(model, load_keras().Model):
        raise TypeError(
            f"model: expected a Keras 3 model (keras.Model), got {type(model).__module__}."
            f"{type(model).__name__}"
        )


class Given:
    """What a function was given to read: examples, or a text.

    All functions that run a model read by this, so that the same inputs and options mean the same
    everywhere.

    Attributes
    ----------
    inputs
        What the model takes; for a text without the axis of the examples. Examples that the model
        reads length by length stand here the longest first, as do `ids` and `tokens`.
    text
        Whether it is a text.
    examples
        The number of examples.
    names
        The vocabulary, or None.
    ids, tokens
        What stands at each timestep, as int64 and as str ``(example, timestep)``, if known.
    symbols
        How many symbols may stand there, if known.
    lengths
        How long the examples are, if they were given with several lengths.
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        *,
        window: int | None = None,
        pad: Any = None,
        vocabulary: Any = None,
        unknown: int | str | None = None,
        tokens: Any = None,
        needs_ids: bool = False,
    ) -> None:
        names = self.names = standard_vocabulary(vocabulary, unknown)
        self._window = window
        self._lookup = find_lookup(model) if reads_strings(model) else None
        self.symbols = None if names is None else len(names.tokens)
        shape = texts.input_shape(model)
        encoding = Encoding.of(shape, None if names is None else names.size)
        if self.symbols is None and encoding is not None and encoding.size:
            self.symbols = encoding.size
        whole = self._lookup is not None and texts.takes_whole_texts(shape, self._lookup)
        read = None
        if texts.is_written(inputs) and not whole:
            if self._lookup is not None:
                inputs = texts.split(inputs, names or Vocabulary(self._lookup))
            elif not reads_strings(model):
                read, inputs = texts.encode(model, inputs, names, encoding)
        inputs, self.lengths = standard_inputs(model, inputs)
        self.text = not whole and texts.is_text(inputs, shape, window)
        if self.text:
            padded = pad is not None
            self.inputs = texts.standard_text(inputs, shape, window, padded=padded)
            self.examples = 1
        elif window is not None and whole:
            raise ValueError(
                f"window: expected None, because the model makes tokens of each str itself, and "
                f"reads them at once; got {window}"
            )
        elif window is not None:
            raise ValueError(
                "window: expected inputs to be a text (one axis less than a batch), got a batch "
                + ("of several inputs" if shape is None else f"of shape {tuple(inputs.shape)}")
            )
        else:
            expect_fit(model, inputs)
            self.inputs = inputs
            self.examples = count_examples(inputs)
        if pad is not None and window is None:
            raise ValueError(
                f"pad: expected None, because without window= nothing is padded; got {pad!r:.80}"
            )
        self._pad, self._told_pad = None, pad
        if pad is not None:
            self._pad = texts.standard_pad(pad, self.inputs, encoding, names)
        self._order: npt.NDArray[np.intp] | None = None
        if self.lengths is not None and not self.lengths.masked:
            self._order = np.argsort(-self.lengths.values, kind="stable")
            self.inputs = taken(self.inputs, self._order)
        self.ids = self._read_ids(encoding) if names is not None or needs_ids else None
        if self._lookup is not None:
            read = self._look_up(whole=whole)
        elif read is not None:
            read = read[None]
        self.tokens = self._tokens(tokens, read)
        if vocabulary is not None and self.tokens is None and not needs_ids:
            raise ValueError(
                "vocabulary: expected inputs that are ids, one-hot or ids / "
                f"{self.names.size}, to read tokens off them; got others, so tokens= is needed"  # type: ignore[union-attr]
            )

    def _read_ids(self, encoding: Encoding | None) -> npt.NDArray[np.int64] | None:
        if encoding is None or self._lookup is not None or not hasattr(self.inputs, "shape"):
            return None
        values = np.asarray(self.inputs)[None] if self.text else np.asarray(self.inputs)
        if values.dtype.kind in "OSU":  # for a model that reads text itself
            return None
        if encoding.kind == "scaled" and values.ndim == 2:
            values = values[..., None]
        ids = encoding.read(values) if values.ndim == 2 + (encoding.kind != "ids") else None
        if ids is not None and self._order is not None:
            ids[~self._real()] = -1
        return ids

    def _look_up(self, *, whole: bool) -> npt.NDArray[np.object_] | None:
        """Let the model's own layer make ids of strings, and tell the tokens that these stand for.

        ``whole`` tells that each string is a text of several tokens.
        """
        if not hasattr(self.inputs, "shape"):
            return None  # several inputs
        ids = ids_of_lookup(self._lookup, self.inputs)
        ids = ids[None] if ids is not None and self.text else ids
        if ids is None or ids.ndim != 2:
            return None
        own = Vocabulary(self._lookup)
        tokens = own.decode(ids)
        if not whole:
            values = np.asarray(self.whole)
            tokens = np.array([texts.as_str(v) for v in values.flat], object).reshape(values.shape)
        if self.names is None:
            # Whether the outputs are tokens of it, too, only vocabulary= tells.
            self.symbols, self.ids = len(own.tokens), ids
        else:
            flat: list[str] = tokens.ravel().tolist()
            known = [self.names.id_of(t) if self.names.has(t) else -1 for t in flat]
            self.ids = np.array(known, np.int64).reshape(tokens.shape)
        return tokens

    def _real(self) -> npt.NDArray[np.bool_]:
        """Tell what is no padding, in the order of `inputs`."""
        assert self.lengths is not None  # noqa: S101
        real = self.lengths.real()
        return real if self._order is None else real[self._order]

    def _tokens(self, tokens: Any, read: Any) -> Any:
        if tokens is not None and not self.text:
            rows = standard_tokens(tokens, self.examples, self.lengths)
            if isinstance(rows, Mapping):
                return {name: self.in_order(each) for name, each in rows.items()}
            return self.in_order(rows)
        if isinstance(tokens, Mapping):
            return {name: [texts.standard_text_tokens(row)] for name, row in tokens.items()}
        if tokens is not None:
            return [texts.standard_text_tokens(tokens, len(self.inputs))]
        if read is not None:
            return read
        if self.ids is None or self.names is None:
            return None
        outside = np.argwhere(self.ids >= len(self.names.tokens))
        if len(outside):
            example, timestep = outside[0]
            raise ValueError(
                f"inputs: id {self.ids[example, timestep]} at position {timestep} is not in the "
                f"vocabulary of {len(self.names.tokens)} tokens"
            )
        return self.names.decode(self.ids)

    def in_order(self, rows: Any) -> Any:
        """Bring what was given one for each example into the order in which they are read."""
        if self._order is None or rows is None:
            return rows
        return rows[self._order] if isinstance(rows, np.ndarray) else [rows[k] for k in self._order]

    def groups(self) -> list[tuple[npt.NDArray[np.intp], Any]]:
        """List what the model takes at once: which examples, and these.

        That is all, or, of examples that are read length by length, those of one length each.
        """
        if self.lengths is None or self._order is None:
            return [(np.arange(self.examples), self.whole)]
        lengths = self.lengths.values[self._order]
        parts = Reading("examples", self.examples, lengths=lengths).parts(self.examples)
        return [(self._order[a:b], self.of_length(a, b, int(lengths[a]))) for a, b in parts]

    def first(self, size: int) -> Any:
        """Take as much as a model needs to build itself."""
        if self.text:
            return self._padded[None, : self._window]
        return cut(self.inputs, 0, min(self.examples, size))

    @property
    def whole(self) -> Any:
        """What the model takes at once: the examples, or the text as the only one."""
        return self.inputs[None] if self.text else self.inputs

    @property
    def _padded(self) -> npt.NDArray[Any]:
        """The text behind the padding of its first windows."""
        if self._pad is None or self._window is None:
            return self.inputs
        return texts.behind(self._pad, self._window - 1, self.inputs)

    def reading(self, model: Any) -> Reading:
        """Choose how the model reads it."""
        if self._order is not None and self.lengths is not None:
            lengths = self.lengths.values[self._order]
            return Reading("examples", self.examples, lengths=lengths, order=self._order)
        if not self.text:
            return Reading("examples", self.examples)
        count = len(self.inputs)
        if self._window is not None:
            padding = 0 if self._pad is None else int(self._window) - 1
            return Reading("windows", count, int(self._window), padding, pad=self._told_pad)
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
            inputs = self.whole
            size = standard_batch_size(model, selection, self.examples, batch_size)
            if reading.lengths is None:
                return lambda start, stop: cut(inputs, start, stop), size
            lengths = reading.lengths
            if prescribed_batch_size(model, selection) not in (None, 1):
                raise ValueError(
                    f"inputs: expected sequences of one length, because the model takes batches of "
                    f"exactly {size} examples; got some of {lengths[-1]} to {lengths[0]} timesteps"
                )
            return lambda start, stop: self.of_length(start, stop, int(lengths[start])), size
        prescribed = prescribed_batch_size(model, selection)
        size = texts.standard_size(reading, selection, prescribed, batch_size)
        return texts.batches(self._padded, reading, prescribed), size

    def of_length(self, start: int, stop: int, length: int) -> Any:
        """Take some of the examples that are read length by length, without what fills them up."""
        assert self.lengths is not None  # noqa: S101
        some = cut(self.inputs, start, stop)
        parts = leaves(some)
        for k in self.lengths.leaves:
            parts = [part[:, :length] if n == k else part for n, part in enumerate(parts)]
        if isinstance(some, Mapping):
            return dict(zip(some, parts, strict=True))
        return parts if isinstance(some, list) else parts[0]
