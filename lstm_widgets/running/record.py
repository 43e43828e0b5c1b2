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

from lstm_widgets.checks import expect_path
from lstm_widgets.errors import SelfCheckError
from lstm_widgets.models.adapter import adapter_of, standard_vocabulary
from lstm_widgets.models.inputs import DEFAULT_BATCH_SIZE, expect_positive
from lstm_widgets.models.outputs import Output
from lstm_widgets.rnn.comparison import Check, expect_check
from lstm_widgets.running.held import Held, standard_held
from lstm_widgets.running.parts import Parts, Told, Whole, parts_of
from lstm_widgets.running.predictions import expect_symbols
from lstm_widgets.running.reading import Reading
from lstm_widgets.running.recorder import Beside, Recorder, read_all
from lstm_widgets.running.run import expect_alone, prepared, record_run
from lstm_widgets.running.selection import Selection
from lstm_widgets.running.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike
    from pathlib import Path

    from lstm_widgets.models.adapter import Adapter
    from lstm_widgets.recording import Recording

__all__ = ["record"]

# What signals may be on the disk.
DTYPES = ("float32", "float16")


def record(
    model: Any,
    inputs: Any = None,
    *,
    run: Callable[[Any], Any] | None = None,
    window: int | None = None,
    step: int | None = None,
    pad: Any = None,
    state: str | None = None,
    times: Any = None,
    channels: Sequence[str] | None = None,
    units: Mapping[str, str] | Sequence[str] | None = None,
    scaling: Any = None,
    targets: Any = None,
    target_scaling: Any = None,
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
    to: str | PathLike[str] | None = None,
    dtype: str = "float32",
    overwrite: bool = False,
    warm_up: int | None = None,
) -> Recording:
    """Run a Keras model or a PyTorch module and keep every signal of every recurrent layer.

    The model is called in inference mode (dropout off). Afterwards its weights, its mode, and the states
    that it keeps are as they were found; a stateful model starts from the states it has.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        A Keras 3 model (TensorFlow, JAX or PyTorch backend), unchanged: Sequential, functional,
        subclassed or nested, with ``LSTM``, ``GRU``, ``SimpleRNN``, or ``RNN`` around their cells,
        also stacked, also in ``Bidirectional``, or with such cells that the model steps itself.

        Or a PyTorch module, unchanged, with ``nn.LSTM``, ``nn.GRU``, ``nn.RNN``, or with ``nn.LSTMCell``,
        ``nn.GRUCell``, ``nn.RNNCell`` that it steps itself. Layers are called as in
        ``model.named_modules()``; one of several layers or directions of a module ``"rnn/0"``,
        ``"rnn/forward"``, ``"rnn/0/forward"``; a module that is itself the model ``"lstm"``, ``"gru"`` or
        ``"rnn"``. With ``proj_size``, ``"rnn"`` has the cells and ``"rnn/projected"`` the hidden state,
        which is narrower. What ``torch.compile`` or ``DataParallel`` made of a module stands for it.
    inputs : array, tensor, table, str, dataset, or a list, tuple or dict of these
        What the model is called with: an array, tensor or pandas table with examples along its
        first axis, a list of examples, or a list, tuple or dict of such for a model with several
        inputs. Or a dataset (``tf.data.Dataset``, as from ``timeseries_dataset_from_array``, or
        ``PyDataset``) of batches or of single examples, ``x``, ``(x, y)`` or ``(x, y,
        sample_weight)``, or such a tuple: x is read, in the dataset's order. For a model that takes
        strings: one str or several, in any of these; tokens are then what its own
        ``TextVectorization`` or ``StringLookup`` makes of them.

        Examples of several lengths (a list, a ``RaggedTensor``, an object array) are padded at the
        end with the value that the model's Masking or Embedding layer masks. If the model isn't
        known to mask padding, they are read without any, all of one length at a time, and are NaN
        and masked behind their ends. A warning says which. With ``window`` each has its own windows,
        and nothing reads what is behind its end.

        Or a text: an array with one axis less, its timesteps along its first axis (ids ``(n,)``,
        one-hot ``(n, symbols)``, scaled ids ``(n,)`` or ``(n, 1)``), or, with ``vocabulary``, a str
        or a list of tokens. It becomes one example of n timesteps.

        Or a series of numbers ``(n, channel)``: an array, a pandas table (its index has the times, its
        columns are the channels), an xarray DataArray ``(time, channel)``, or a Dataset with a
        variable for each channel. It is read as a text is. Several, ``(example, n, channel)`` or a list
        of arrays or tables, are examples, with ``window`` too. Numbers that are read are
        kept in :attr:`Recording.inputs`, what the model says in :attr:`Recording.outputs`.
        For a PyTorch module: a tensor or array, or a PackedSequence, is its only argument; a tuple has
        one argument each, also with nested states and constants; a dict has arguments by their names; a
        list has examples; a ``DataLoader`` is read batch by batch, each as it is: of several tensors as many
        as the module's ``forward`` needs, of a dict those that it has arguments for. Arrays and lists are
        brought to the dtype and device of the weights. Time may come first, as the module takes it; what
        is recorded is always ``(example, timestep, cell)``. Packed sequences are masked behind their ends,
        and in the order that they had before they were sorted.

        With ``to``, inputs need not fit into memory: an array on disk (``np.memmap``, or one of Zarr or HDF5)
        is read a part at a time, a dataset or loader batch by batch, and so is any iterator of batches, each
        as the model takes it, or of single examples. What comes batch by batch
        has examples no longer than the first ones.

        A ``pathlib.Path`` is the file of a text in UTF-8, which ``vocabulary`` cuts into tokens; with ``to``
        it is read a part at a time, too.
    run : callable, optional
        For a model that isn't called with ``model(inputs)``, instead of ``inputs``: a function of the model
        that does what is to be recorded, as ``lambda model: agent.predict(observation)``. All that
        happens meanwhile counts as one call of the model: each call of a layer is the next one on its
        time axis. There are as many examples as the largest call has; where others have fewer, values
        are NaN and masked.
    window : int, optional
        How a text or a series is read. None: continuously, with the states carried on, also by a model whose
        input has a fixed length. W: in windows; the value at timestep t is the one after the model
        has read the W tokens up to t from its initial states, in layers that read backwards too. The
        first W - 1 timesteps have no window and are masked (values NaN), unless there is a ``pad``.
        With examples that are longer than W, each is a text, or a series, of its own.
    step : int, optional
        How many timesteps the windows are apart; default 1. From 2 on, layers have those timesteps
        only at which a window ends; their coordinate ``position`` tells which these are. The first
        window is the first W timesteps.
    pad : int, str, float or array, optional
        What a text that is read in windows is padded with at its beginning, so that its first
        W - 1 timesteps have a window, too, and it may be shorter than one: an id, a token of the
        vocabulary, ``"zero"`` for a vector of zeros, or a number or an array for the channels of a
        series. ``recording.tree.attrs`` has the W - 1 timesteps of padding as ``"padding"``, and what
        was given as ``"pad"``.
    state : str, optional
        The argument by which a PyTorch module takes the states from which it starts, if it takes them so
        and returns them beside its outputs, as word language models do: ``forward(x, hidden)`` gives
        ``(scores, hidden)`` with ``state="hidden"``. It starts from its own ``init_hidden(batch_size)``,
        or, without one, from None; of a text it is handed what it returned for the piece before.
    times : sequence, optional
        When each timestep of a series is: dates (``datetime64``, ``datetime``, ISO 8601 str, a pandas
        index, with a time zone or without) or numbers, increasing, ``(n,)`` or ``(example, n)``.
        Default: the index of a table; of shorter tables, times go on behind the end by their last step.
        They are the coordinate ``time`` of every layer that has as
        many timesteps, always in UTC, and select: ``recording["lstm"].sel(time="2001-05")``.
    channels : sequence of str, optional
        What the numbers at each timestep are, one name each. Default: the columns of a table.
    units : sequence of str, or dict of str to str, optional
        The units of the channels, in order or by name; a dict may have those of the targets, too.
    scaling : tuple, dict or scaler, optional
        How the inputs were scaled, so that :attr:`Recording.inputs` has physical units: ``(mean,
        scale)`` with ``scaled = (value - mean) / scale``, each a number or one a channel; a dict of
        such pairs by channel; or what has ``inverse_transform``, as scikit-learn's scalers.
    targets : array, table, or dict of arrays, optional
        What the model should say after each timestep of a series, for :attr:`Recording.targets`:
        ``(n,)``, ``(n, output)``, or these with an axis of examples in front, or in a list, one for each
        series. Where it says something
        at the end of a window, or of an example, only: one for each of these will do. A table's
        columns, or a dict's keys, name the outputs.
    target_scaling : tuple, dict or scaler, optional
        How targets and outputs were scaled, as ``scaling``.
    top_k : int, optional
        How many of the most probable next tokens to keep at each timestep, in
        :attr:`Recording.predictions`; the model's outputs are ``(..., symbols)``. Outputs that are
        probabilities (none negative, sum 1 within 1e-3) are taken as they are, others as logits,
        through a softmax. A single sigmoid ``(..., 1)`` is the probability of class 1 of two, and so
        is the sigmoid of a single linear output, if the model was compiled with a loss that takes it
        for a logit. Several sigmoids are taken as they are, each as the probability of its own class.
        With a text that isn't read in windows, layers that return their last output only are made to
        return all, so that there is a prediction at every timestep. There is none where the model
        gives NaN, and none at padding; a model with one output for each example has its prediction
        at the last timestep that isn't padding.
    output : str or int, optional
        Which output has the predictions, of a model with several: its name (the key in a dict of
        outputs, else the name of the layer that it comes from) or its index.
    vocabulary : sequence of str, mapping of str to int, or keras layer, optional
        What ids stand for: tokens by id in a list or tuple, a dict from token to id, or a
        ``TextVectorization`` or ``StringLookup`` layer. Tokens are then read off the inputs (ids,
        one-hot, ids scaled to ``id / len(vocabulary)``) unless they are given, and predictions are
        named. If the model has another number of output symbols than the vocabulary has tokens (its
        highest id + 1; of a layer, ``len(get_vocabulary())``), as a classifier of texts has, its
        outputs aren't tokens: then there are neither ``predicted_token`` nor ``target_probability``.
    unknown : int or str, optional
        The id or token that stands for what isn't in the vocabulary, in a text given as str or
        tokens. A ``TextVectorization`` or ``StringLookup`` has its own.
    tokens : sequence of str, sequence of sequences of str, or mapping of str to these, optional
        What stands at each timestep: one sequence of str for each example (a str is a sequence of
        characters), for a text just one. It names the timesteps of every layer that has as many, in
        all its calls together or in each of them. Or a dict from names of layers to these; the name
        of a Bidirectional, or of a model inside the model, means all layers in it.
    labels : sequence of str, optional
        One str for each example.
    layers : str or sequence of str, optional
        Names of the layers to keep, ``"bidirectional"`` for both directions,
        ``"bidirectional/forward"`` for one, ``"lstm:2"`` for a layer's second call. Default: all.
    signals : str or sequence of str, optional
        Names of the signals to keep. Default: all. Layers that have none of them are left out.
    batch_size : int, optional
        How many examples (of a text: timesteps, or windows) run at a time. Default: 256 examples,
        4096 timesteps, as many windows as fit into 64 MiB or so, or what the model prescribes.
    held : Held or sequence of Held, optional
        Cells to hold at a value while the model runs, see :class:`lstm_widgets.Held`. Layers with
        held cells aren't checked.
    check : {"prefix", "full", False}, default "prefix"
        The self-check. ``"prefix"``: of every batch, the first timesteps of a few examples are
        computed again by each layer's own loop, and single steps, spread over all of it, by the
        layer's own cell from recorded states. ``"full"``: all of them, and the model's outputs too.
        False: none.
    tolerance : float, optional
        The largest accepted difference, ``|recorded - layer's own| / max(1, |layer's own|)``.
        Default: 1e-5 for layers that compute in float32 or float64, 5e-3 for float16, 4e-2 for
        bfloat16. NaN equals NaN. What rounding explains is accepted, too: a single step may differ
        by what rounding its sums can change, a sequence, in which rounding errors may grow, by a few
        times what the layer's own loop differs from float64.
    to : str or path-like, optional
        The folder of a file of a recording, written while the model runs, so that no more than a batch of it
        is in memory. None: it is kept in memory. However that ends (an interrupt, a killed process, a full
        disk), what is complete can be opened, and the same call goes on from there, to the same file:
        weights, settings and what was read so far have to be the same, and an iterator has to begin anew. A
        first interrupt waits for the batch under way. Where there is a client of a Dask cluster, its workers
        record the batches of examples, or of windows, to the same file; a continuous text is read here, one
        piece going on from the other. Whether examples overlap isn't found out if they have
        more than two million timesteps together.
    dtype : {"float32", "float16"}, default "float32"
        What signals are in that file. ``"float16"`` takes half the room; a value is then off by up to
        ``2**-11`` of itself (or ``2**-25``), and they are read as float32. States up to which is read are
        carried on exactly.
    overwrite : bool, default False
        Whether another recording that stands there may be replaced.
    warm_up : int, optional
        With ``to``, of a text that is read continuously: don't carry the states all through it, but read it
        in stretches, each from the model's initial states after so many timesteps before it, which are
        replayed and not recorded; so that the workers of a Dask cluster can share them. That isn't exact:
        ``recording.tree.attrs["warm_up"]["differences"]`` tells of each layer by how much the states after
        a warm-up differ from those in which the stretch before ended, at most.

    Returns
    -------
    Recording
        With ``to`` it is opened from there, and its arrays are read when they are needed.
        Signals are float32 ``(example, timestep, cell)``. Index t is the input's timestep t, also for
        layers that read backwards. At masked timesteps, hidden and cell state are those that the
        layer carries on; gates are as computed (and without effect). A layer that the model calls
        several times has all its calls one after the other on the time axis, ``recording["lstm"]``;
        ``recording["lstm:2"]`` is its second call. A cell that the model steps itself is a layer of
        one-step calls. Initial states are kept, too, see :class:`lstm_widgets.Recording`.
        Attributes tell which examples are overlapping windows of one series, for
        :func:`lstm_widgets.rank_cells`.

    Raises
    ------
    TypeError
        If ``model`` is neither a Keras model nor a PyTorch module, or an argument is of the wrong type, or
        a tensor of another dtype than the model's weights.
    ValueError
        If the model has no recurrent layer, or reaches none; if tensors are on another device than the
        weights; if inputs, tokens, labels, layers or signals don't fit;
        if a text is empty, shorter than its window without ``pad``, or has tokens that aren't in the
        vocabulary without ``unknown``; if the model can't read a text piece by piece; if its outputs
        aren't the predictions that ``top_k`` asks for; if what is read can't be written a part at a time, as
        of a layer that is called several times for each piece of a text; if an unfinished recording was begun
        with other inputs.
    FileExistsError
        If something stands at ``to``: a recording, an unfinished one of another model or with other settings
        (which ones is named), or one that is being written.
    OSError
        If the disk is full, for example; what was complete stays.
    UnsupportedLayerError
        If a recurrent layer cannot be recorded (a custom cell, for example) and ``layers`` doesn't
        leave it out.
    SelfCheckError
        If the self-check finds a difference above the tolerance that rounding doesn't explain. Its
        ``kept`` is a recording of the batches before.

    Warns
    -----
    UserWarning
        If the recording was interrupted (it then has the examples, or the beginning of the text,
        that were done; so has the file), if examples have several lengths, or if the model didn't call
        one of its recurrent layers.

    Examples
    --------
    >>> recording = lw.record(model, "abcab", vocabulary="abc")
    >>> recording["lstm"]["forget_gate"].shape
    (1, 5, 4)

    Into a file:

    >>> lw.record(model, "abcab", vocabulary="abc", to="abc.zarr")["lstm"]["forget_gate"].shape
    (1, 5, 4)
    """
    adapter = adapter_of(model, state=state)
    expect_check(check, tolerance)
    path = _standard_path(to, dtype, overwrite=overwrite)
    whole = {"batch_size": batch_size, "window": window, "step": step, "top_k": top_k}
    whole |= {"warm_up": warm_up}
    for argument, number in whole.items():
        expect_positive(argument, number)
    if run is not None:
        others = whole | {"inputs": inputs, "pad": pad, "channels": channels, "units": units}
        others |= {"scaling": scaling, "targets": targets, "target_scaling": target_scaling}
        others |= {"output": output, "vocabulary": vocabulary, "unknown": unknown, "to": to}
        expect_alone(run, others)
        selection = Selection(adapter.layers, layers, signals)
        session = Session(
            selection, Reading("examples", 0), check, tolerance, held=(standard_held(held),)
        )
        return record_run(
            *(adapter, lambda: run(model), session), tokens=tokens, labels=labels, times=times
        )
    if inputs is None:
        raise TypeError(
            "inputs: expected what the model is called with, or run= for a model that isn't called "
            "with model(inputs); got neither"
        )
    if top_k is None and output is not None:
        raise ValueError(
            f"output: expected None without top_k=, which records the predictions of an output; "
            f"got {output!r}"
        )
    chosen = None if top_k is None else Output(adapter, output)
    if top_k is not None and chosen is not None:
        expect_symbols(chosen, top_k)
    names = standard_vocabulary(vocabulary, unknown)
    told = Told(
        window=window,
        step=step,
        pad=pad,
        vocabulary=names,
        tokens=tokens,
        labels=labels,
        times=times,
        channels=channels,
        units=units,
        targets=targets,
        needs_ids=top_k is not None,
        warm_up=warm_up,
    )
    parts: Parts = (
        Whole(adapter, told, batch_size, inputs)
        if path is None
        else parts_of(adapter, inputs, told, batch_size)
    )
    of_series = {"targets": targets, "scaling": scaling, "target_scaling": target_scaling}
    for argument, value in of_series.items():
        if value is not None and parts.head.series is None:
            raise ValueError(
                f"{argument}: expected None, because inputs aren't one series of numbers "
                "(example, timestep, channel)"
            )
    adapter.build(parts.head.first(batch_size or DEFAULT_BATCH_SIZE))
    selection = Selection(adapter.layers, layers, signals)
    parts.plan()
    if warm_up is not None and (path is None or parts.reading.mode != "pieces"):
        raise ValueError(
            f"warm_up: expected None but for a text that is read continuously, with to=; got {warm_up}"
        )
    session = Session(
        selection,
        parts.reading,
        check,
        tolerance,
        every_output=parts.reading.mode == "pieces"
        and (top_k is not None or parts.head.series is not None),
        held=(standard_held(held),),
    )
    session.overlap = parts.overlap
    beside = Beside(top_k, chosen, scaling, target_scaling, named=tokens is not None)
    if path is None:
        return record_whole(adapter, parts, session, beside)
    # Zarr is needed for it only.
    from lstm_widgets.running.shards import Made  # noqa: PLC0415
    from lstm_widgets.running.streamed import record_to  # noqa: PLC0415

    settings = {
        "window": window,
        "step": step,
        "pad": pad,
        "warm_up": warm_up,
        "state": state,
        "batch_size": batch_size,
        "layers": layers,
        "signals": signals,
        "held": session.holding.described,
        "check": check,
        "tolerance": tolerance,
        "top_k": top_k,
        "output": output,
        "vocabulary": vocabulary,
        "unknown": unknown,
        "channels": channels,
        "units": units,
        "scaling": scaling,
        "target_scaling": target_scaling,
    }
    made = Made(model, state, layers, signals, (standard_held(held),))
    return record_to(
        *(path, parts, session, beside),
        adapter=adapter,
        made=made,
        dtype=dtype,
        overwrite=overwrite,
        settings=settings,
    )


def record_whole(adapter: Adapter, parts: Parts, session: Session, beside: Beside) -> Recording:
    """Run a model on all that there is, and keep what its layers do in memory."""
    with prepared(adapter, session) as ready:
        recorder = Recorder(session, ready, beside)
        for stretch in parts:
            recorder.turn(stretch.part)
            try:
                read_all(recorder, stretch.part.reading.parts(stretch.part.size), session)
            except SelfCheckError as error:
                if session.done:
                    error.keep(recorder.recording(adapter))
                raise
    return recorder.recording(adapter)


def _standard_path(to: Any, dtype: str, *, overwrite: bool) -> Path | None:
    """Check where, and how, a recording is to be written; None: nowhere."""
    if dtype not in DTYPES:
        raise ValueError(f"dtype: expected one of {', '.join(map(repr, DTYPES))}, got {dtype!r}")
    if to is not None:
        return expect_path("to", to)
    for argument, value, usual in (("dtype", dtype, "float32"), ("overwrite", overwrite, False)):
        if value != usual:
            raise ValueError(
                f"{argument}: expected {usual!r} without to=, which writes a file; got {value!r}"
            )
    return None
