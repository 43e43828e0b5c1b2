# Models and what they read may be of many types: Any.
# ruff: noqa: ANN401
"""Record what the recurrent layers of a model do.

While the model is called, the inner loop of each of its recurrent layers is replaced by
:func:`lstm_widgets.rnn.scan.scan`, which computes the same with every signal as an output, and
whose result goes on through the model. Everything around that loop (masks, initial states, merging
of directions, what a layer returns) stays the model's own. Then a part of it is computed again by
the layer's own loop, and compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import (
    DEFAULT_BATCH_SIZE,
    expect_labels,
    expect_positive,
    leaves,
)
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording import overlap
from lstm_widgets.rnn.comparison import Check, expect_check
from lstm_widgets.running.given import Given
from lstm_widgets.running.held import Held, standard_held
from lstm_widgets.running.predictions import Guesses, expect_symbols
from lstm_widgets.running.run import prepared, read_all
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lstm_widgets.recording import Recording
    from lstm_widgets.running.run import Outputs

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
    adapter = adapter_of(model)
    expect_check(check, tolerance)
    for argument, number in (("batch_size", batch_size), ("window", window), ("top_k", top_k)):
        expect_positive(argument, number)
    if top_k is None and output is not None:
        raise ValueError(
            f"output: expected None, because it tells where predictions are, which top_k= records; "
            f"got {output!r}"
        )
    chosen = None if top_k is None else Output(adapter, output)
    if top_k is not None and chosen is not None:
        expect_symbols(chosen, top_k)
    given = Given(
        adapter,
        inputs,
        window=window,
        pad=pad,
        vocabulary=vocabulary,
        unknown=unknown,
        tokens=tokens,
        needs_ids=top_k is not None,
    )
    expect_labels(labels, given.examples)

    adapter.build(given.first(batch_size or DEFAULT_BATCH_SIZE))
    selection = Selection(adapter.layers, layers, signals)
    reading = given.reading()
    batch, size = given.batches(reading, batch_size)
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
    with prepared(adapter, session) as ready:
        guesses = None
        if top_k is not None and chosen is not None:
            guesses = Guesses(
                top_k,
                reading,
                given.ids,
                given.names,
                output=chosen,
                activation=lambda: ready.activation(chosen, batch(0, adapter.batch_size or 1)),
                symbols=given.symbols,
                text=given.text,
            )

        def seen(outputs: Outputs, start: int, stop: int) -> None:
            if start == 0 and tokens is not None:
                session.expect_tokens(given.tokens)
            if guesses is not None:
                guesses.take(outputs, start, stop, session.last_mask)

        def recording() -> Recording:
            predictions = None if guesses is None else guesses.recorded(session.done)
            named = given.tokens, given.in_order(labels)
            return session.recording(adapter, session.done, *named, predictions)

        try:
            read_all(ready, batch, size, session, seen)
        except SelfCheckError as error:
            if session.done:
                error.keep(recording())
            raise
    return recording()
