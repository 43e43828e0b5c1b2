# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""A Keras model opened for explanation: its scores, and the way back from them to the tokens.

The model is called as it is. For the time of a call, a few methods of its layers are replaced:

- the last activation is left out, so that the model returns logits;
- the layer at which tokens are told apart (an Embedding, say) shows its output, or takes another
  in its place;
- recurrent layers run our loop, and for relevance propagation each layer gets its rule, by
  :mod:`lstm_widgets.models.keras.propagation`.

So masks, initial states, merging of directions and everything else stay the model's own.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.errors import SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.inputs import (
    DEFAULT_BATCH_SIZE,
    count_examples,
    expect_positive,
    leaves,
    mapped,
    standard_batch_size,
)
from lstm_widgets.models.keras import propagation
from lstm_widgets.models.keras.affine import is_affine
from lstm_widgets.models.keras.cells import mask_array
from lstm_widgets.models.keras.layers import Found, call_orders, find_layers, load_keras, numbered
from lstm_widgets.models.keras.outputs import declared, leading, named
from lstm_widgets.models.keras.own_loop import OwnLoop
from lstm_widgets.models.keras.patches import Patch, is_stock, replaced
from lstm_widgets.models.keras.places import Call, find_place
from lstm_widgets.models.keras.run import (
    build_model,
    call_model,
    prescribed_batch_size,
    states_as_found,
)
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording.calls import all_named, split_call
from lstm_widgets.rnn.cells import SIGNALS, STATES
from lstm_widgets.rnn.comparison import (
    CHECKED_TIMESTEPS,
    TOLERANCES,
    Check,
    difference,
    expect_check,
    windows_to_check,
)

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.models.explaining import CellState
    from lstm_widgets.rnn.relevance_rules import Rule

__all__ = ["Explained"]

# Examples whose outputs are compared with those of the model itself.
CHECKED_EXAMPLES = 4
# Values of the source that run at a time even if that is more examples than usual.
_SOURCE_VALUES = 1 << 22
# Layers whose `activation` the logits go into.
_ACTIVATED = ("Dense", "EinsumDense", "Conv1D", "Activation")
# Layers behind which the logits are still what went into the last activation before them.
_PASSED = (
    *("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization"),
    *("Identity", "Flatten", "Reshape", "Permute"),
)


@dataclass(frozen=True)
class Batch:
    """What the model is called with, as tensors, for some rows.

    Attributes
    ----------
    tensors
        One for each input of the model.
    rows
        Index of the example that each row is of.
    """

    tensors: tuple[Any, ...]
    rows: npt.NDArray[np.intp]


@dataclass(frozen=True)
class Source:
    """Where tokens are told apart: an Embedding, in some of its calls, or an input of vectors.

    Calls that read the same input of the model make the same tokens. What several inputs have stands
    one after the other on the source's time axis, in the order in which they are read first.

    Attributes
    ----------
    name
        The name of the layer (``"embedding:2"``: of its second call) or of the input.
    layer
        The Embedding, or another layer with an output ``(example, timestep, features)``; None if it
        is an input.
    calls
        Of a layer: the number of each call that is meant, from 1 on, and which of ``leaves`` has its
        ids.
    leaves
        Which of the model's inputs it is, or which have the Embedding's ids; None: none.
    size
        How many values it has for each example.
    timesteps
        How many timesteps each of its parts has.
    shape
        Timesteps and features of each example in an input that doesn't have these two axes.
    """

    name: str
    layer: Any
    calls: dict[int, int]
    leaves: tuple[int | None, ...]
    size: int
    timesteps: tuple[int, ...] = ()
    shape: tuple[int, int] | None = None


@dataclass
class Pass:
    """One call of the model, open for the way back.

    Attributes
    ----------
    tape
        The TensorFlow tape that recorded it, persistent; None: there is no way back.
    rule
        On the way back: the rule of relevance; None: what goes back are gradients.
    summed
        On the way back of relevance: whether only each token's sum is asked for.
    inside
        Whether the source is a layer inside of the model that nothing goes back beyond.
    sources
        What the tokens became: tensors ``(row, timestep, dimension)``, and of which part of the
        source each is.
    logits
        What the model returned without its last activation. If a cell's state is explained, the
        states of its layer ``(row, units)``.
    mask
        Of the source: bool ``(row, timestep)``, False at padding; None: nothing is padding.
    kept
        By name of a layer or operation and number of its call: what it decided by looking at
        values, bool ``(row, ...)``.
    calls
        How often each layer or operation that is looked at was called so far.
    others
        What else a score may draw on: the embeddings of other inputs, initial states.
    """

    tape: Any
    rule: Rule | None = None
    summed: bool = False
    inside: bool = False
    sources: list[tuple[int, Any]] = field(default_factory=list)
    logits: Any = None
    mask: npt.NDArray[np.bool_] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)
    problem: Exception | None = None
    _masks: dict[int, npt.NDArray[np.bool_]] = field(default_factory=dict)
    _arrived: list[tuple[int, npt.NDArray[Any]]] = field(default_factory=list)

    @functools.cached_property
    def source(self) -> Any:
        """What the tokens became: one tensor ``(row, timestep, dimension)``."""
        import tensorflow as tf  # noqa: PLC0415

        parts = dict(self.sources)
        tensors = [parts[part] for part in sorted(parts)]
        return tensors[0] if len(tensors) == 1 else tf.concat(tensors, axis=1)

    def is_source(self, tensor: Any) -> bool:
        """Whether a tensor is what tokens became."""
        return any(tensor is source for _, source in self.sources)

    def leads_to(self, tensor: Any) -> bool:
        """Whether something would come back from a tensor to what tokens became."""
        with self.tape.stop_recording():
            sources = [source for _, source in self.sources]
            return any(g is not None for g in self.tape.gradient(tensor, sources))

    def arrives(self, tensor: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """Take what arrives at a tensor if it is the source, past TensorFlow, which would copy it."""
        for part, source in self.sources:
            if tensor is source:
                self._arrived.append((part, values))
                return None
        return values

    def masked(self, part: int, mask: npt.NDArray[np.bool_]) -> None:
        """Take the mask of a part of the source."""
        self._masks[part] = mask
        self.mask = np.concatenate([self._masks[part] for part in sorted(self._masks)], axis=1)

    def fail(self, problem: Exception) -> None:
        """Stop the call. Keras would rewrite the error on its way out, so it is kept here."""
        self.problem = problem
        raise problem

    def back(
        self, score: Any, rule: Rule | None = None, *, summed: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Go back from one score a row.

        Parameters
        ----------
        score
            Tensor ``(row,)``.
        rule
            Share the score out as relevance; None: take its gradient.
        summed
            Sum up what arrives at each token, which costs less than to tell its dimensions apart.

        Returns
        -------
        tuple
            What arrived at the source ``(row, timestep, dimension)``, summed ``(row, timestep, 1)``;
            and, summed up, at everything else that the score may draw on ``(row,)``.
        """
        import tensorflow as tf  # noqa: PLC0415

        self.rule, self.summed = rule, summed
        tensors = [tensor for _, tensor in self.sources]
        gradients = self.tape.gradient(
            score, [*tensors, *self.others], output_gradients=None if rule is None else score
        )
        parts, self._arrived = self._arrived, []
        for (part, _), arrived in zip(self.sources, gradients, strict=False):
            if arrived is not None:
                parts.append((part, np.asarray(tf.convert_to_tensor(arrived))))
        rows = int(self.source.shape[0])
        other = np.zeros(rows, self.source.dtype.as_numpy_dtype)
        for gradient in gradients[len(tensors) :]:
            if gradient is not None:
                other += np.asarray(tf.convert_to_tensor(gradient)).reshape(rows, -1).sum(axis=1)
        of_source = []
        shapes = {part: tensor.shape for part, tensor in self.sources}
        for part in sorted(shapes):
            here = [values for of, values in parts if of == part]
            here = here or [np.zeros(shapes[part], other.dtype)]
            if summed:
                here = [values.sum(axis=-1, keepdims=True) for values in here]
            of_source.append(functools.reduce(np.add, here))
        return of_source[0] if len(of_source) == 1 else np.concatenate(of_source, axis=1), other


def activation_when_called(model: Any, call: Callable[[], Any]) -> str:
    """Tell the last activation of what a call of a model returns, as :attr:`Explained.activation`.

    ``"unknown"`` if it comes from a layer that may hide one.
    """
    trace = _Trace.of(model, Batch((), np.zeros(0, np.intp)), lambda _: call())
    try:
        return _find_head(trace).activation
    except (UnsupportedLayerError, ValueError):
        return "unknown"


class _ReachedError(Exception):
    """The state that is explained is there; the rest of the model isn't needed."""


class Explained:
    """A Keras model opened for explanation, see :class:`lstm_widgets.models.explaining.Explained`.

    Parameters
    ----------
    model
        A Keras 3 model.
    inputs
        What it is called with, as :attr:`lstm_widgets.running.record.Given.whole` gives it.
    source
        The name of the layer ``(example, timestep, features)``, or of the model's input, at which
        tokens are told apart; None: the only Embedding or input of vectors, or else what the
        recurrent layers read.
    cell
        Explain this cell's state instead of the model's output.
    output
        Which output, of a model with several.
    batch_size
        How many examples run at a time; None: 256, more if they are short, or what the model
        prescribes.
    check, tolerance
        How our loops are held against the layers' own in each batch, as in
        :func:`lstm_widgets.record`.

    Attributes
    ----------
    cell
        The same.
    batch_size
        How many examples run at a time.
    count
        The number of examples.
    fixed
        Whether the model prescribes how many examples run at a time.
    source
        Where tokens are told apart.

    Raises
    ------
    TypeError, ValueError
        If the model is none, or inputs, source or cell don't fit it.
    UnsupportedLayerError
        If the logits are out of reach.
    """

    def __init__(
        self,
        model: Any,
        inputs: Any,
        *,
        source: str | None = None,
        cell: CellState | None = None,
        output: str | int | None = None,
        batch_size: int | None = None,
        check: Check = "prefix",
        tolerance: float | None = None,
    ) -> None:
        keras = load_keras()
        adapter = adapter_of(model)
        expect_positive("batch_size", batch_size)
        expect_check(check, tolerance)
        self._check, self._tolerance = check, tolerance
        self._model = model
        self._output = None if cell else Output(adapter, output)
        #: The name of the output that is explained, of a model with several.
        self.output: str | None = None
        if cell and output is not None:
            raise ValueError(f"output: expected None for the state of a cell, got {output!r}")
        self._inputs = inputs
        self.count = count_examples(self._inputs)
        if not self.count:
            raise ValueError("inputs: expected at least one example, got none")
        for value in leaves(self._inputs):
            if 0 in value.shape[1:]:
                raise ValueError(
                    f"inputs: expected at least one timestep, got shape {tuple(value.shape)}"
                )
        first = self.batch(0, min(self.count, batch_size or DEFAULT_BATCH_SIZE))
        build_model(model, self._structured(first))
        self._found = find_layers(model)
        self.fixed = any(one.stateful for one in self._found if not one.problem) or any(
            t.shape[0] for t in getattr(model, "inputs", None) or []
        )
        self.batch_size = standard_batch_size(
            prescribed_batch_size(model, self._found), self.count, batch_size
        )
        self.cell = cell
        self._cell_layer: Any = None
        self._state = 0
        # The calls of the cell's layer that are explained, in the order in which they are made, and
        # the first timestep of each and the one behind its last.
        self._spans: dict[int, tuple[int, int]] = {}
        if cell is not None:
            self._cell_layer, self._state = self._find_state(cell)
        calls: dict[str, list[int]] = {}
        rows = self.batch_size if self.fixed else min(self.batch_size, CHECKED_EXAMPLES)
        trace = self._traced(self.batch(0, rows), calls)
        if cell is not None:
            self._spans = _spans(cell.layer, self._cell_layer, calls)
        layers = {id(call.layer): call.layer for call in trace.calls}.values()
        self._embeddings = [x for x in layers if isinstance(x, keras.layers.Embedding)]
        self._masking = [x for x in layers if isinstance(x, keras.layers.Masking)]
        self._operations: list[Any] = []  # those that a functional model has between its layers
        with contextlib.suppress(UnsupportedLayerError):
            operations = propagation.operations_of(model)
            self._operations = [x for x in operations if not isinstance(x, keras.Layer)]
        self._orders = call_orders(model)
        place = self._other_place(trace, source, rows)
        self.source = place or _find_source(trace, self._names(), source, self._orders)
        # What shows its output: all embeddings, and whatever else the source is.
        self._shown = list(self._embeddings)
        self._inside = self.source.layer is not None and self.source.layer not in self._embeddings
        if self._inside:
            self._shown.append(self.source.layer)
        if batch_size is None and not self.fixed:
            self.batch_size = max(self.batch_size, _SOURCE_VALUES // self.source.size)
        self._head = _Head("linear", ()) if cell else _find_head(trace)
        # What the first call is held against.
        self._expected: Any = None if cell else trace.output
        self._states = [(v, v.numpy()) for one in self._found if one.stateful for v in one.states]

    def _traced(self, batch: Batch, calls: dict[str, list[int]]) -> _Trace:
        """Call the model and look on."""
        patches = _counted_loops(self._found, Pass(None), calls)
        with self.states_as_found(), replaced(patches):
            return _Trace.of(self._model, batch, self._call)

    def _other_place(self, trace: _Trace, wanted: str | None, rows: int) -> Source | None:
        """Find where timesteps are told apart if that is no Embedding and no input of vectors."""

        def probe(change: tuple[int, int] | None = None, /) -> tuple[Sequence[Any], Sequence[Call]]:
            import tensorflow as tf  # noqa: PLC0415

            rng = np.random.default_rng(0)
            values = [rng.normal(size=t.shape) for t in trace.tensors]
            if change is not None:
                leaf, timestep = change
                values[leaf][:, timestep] += 1
            tensors = tuple(
                tf.cast(v, t.dtype) if t.dtype.is_floating else t
                for v, t in zip(values, trace.tensors, strict=True)
            )
            other = self._traced(Batch(tensors, np.arange(rows)), {})
            return other.tensors, other.calls

        place = find_place(
            trace.tensors,
            trace.calls,
            self._names(),
            wanted,
            probe=probe,
            operations=self._operations,
        )
        if place is None:
            return None
        size = int(np.prod(place.shape))
        shape = place.shape if place.layer is None else None
        calls = {} if place.layer is None else {1: 0}
        return Source(place.name, place.layer, calls, (place.leaf,), size, (place.shape[0],), shape)

    # What goes in ---------------------------------------------------------------------------------

    def joined(self, batches: Sequence[Batch]) -> Batch:
        """Put batches one after the other."""
        import tensorflow as tf  # noqa: PLC0415

        if len(batches) == 1:
            return batches[0]
        tensors = zip(*(batch.tensors for batch in batches), strict=True)
        rows = np.concatenate([batch.rows for batch in batches])
        return Batch(tuple(tf.concat(parts, 0) for parts in tensors), rows)

    def batches(self, what: str) -> Iterator[Batch]:
        """Cut the examples into batches, and show how far it is with ``what``."""
        starts: Any = range(0, self.count, self.batch_size)
        if len(starts) > 1:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc=what, unit="batch", leave=False)
        for start in starts:
            yield self.batch(start, min(start + self.batch_size, self.count))

    @property
    def has_ids(self) -> bool:
        """Whether the source gets its ids or vectors from inputs of the model."""
        return None not in self.source.leaves

    @property
    def tokens(self) -> Any:
        """The ids or vectors that the source gets, of all examples, as they were given."""
        if not self.has_ids:
            return None
        every, shape = leaves(self._inputs), self.source.shape
        parts = [every[leaf] for leaf in self.source.leaves if leaf is not None]
        if shape is not None:
            return np.asarray(parts[0]).reshape(-1, *shape)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def tokens_of(self, batch: Batch) -> npt.NDArray[Any]:
        """Return the ids or vectors that the source gets, which are inputs of the model."""
        parts = [np.array(batch.tensors[leaf]) for leaf in self.source.leaves if leaf is not None]
        return np.concatenate(parts, axis=1)

    def with_tokens(self, batch: Batch, tokens: npt.NDArray[Any]) -> Batch:
        """Put other ids or vectors into their place."""
        import tensorflow as tf  # noqa: PLC0415

        tensors, start = list(batch.tensors), 0
        for leaf in self.source.leaves:
            if leaf is not None:
                stop = start + int(tensors[leaf].shape[1])
                tensors[leaf] = tf.constant(tokens[:, start:stop], tensors[leaf].dtype)
                start = stop
        return Batch(tuple(tensors), batch.rows)

    def batch(self, start: int, stop: int) -> Batch:
        """Take out the examples from ``start`` to before ``stop``."""
        arrays = leaves(mapped(lambda value: value[start:stop], self._inputs))
        expected = getattr(self._model, "inputs", None) or []
        if len(expected) != len(arrays) or isinstance(self._inputs, Mapping):
            expected = [None] * len(arrays)
        tensors = tuple(_tensor(v, e) for v, e in zip(arrays, expected, strict=True))
        return Batch(tensors, np.arange(start, stop))

    def _structured(self, batch: Batch) -> Any:
        if isinstance(self._inputs, Mapping):
            return dict(zip(self._inputs, batch.tensors, strict=True))
        return list(batch.tensors) if isinstance(self._inputs, list) else batch.tensors[0]

    @property
    def states(self) -> int:
        """How many values all recurrent layers carry from one timestep to the next."""
        return sum(
            int(cell.units) * STATES[kind]
            for one in self._found
            for cell, kind in zip(one.cells if one.kinds else (), one.kinds, strict=True)
        )

    @property
    def activation(self) -> str:
        """What makes outputs of logits: ``softmax``, ``sigmoid``, ``linear`` or ``other``."""
        return self._head.activation

    def meaning(self, size: int) -> str:
        """Tell whether an output's ``size`` numbers are of ``classes``, ``values`` or ``unknown``."""
        assert self._output is not None  # noqa: S101  (asked of outputs only)
        return self._output.meaning(self.activation, size)

    @contextlib.contextmanager
    def states_as_found(self) -> Iterator[None]:
        """Leave the states of stateful layers, and everything else, as they were."""
        with states_as_found(self._model, self._found):
            yield

    def _names(self) -> list[str]:
        """Name the inputs."""
        if isinstance(self._inputs, Mapping):
            return [str(key) for key in self._inputs]
        expected = getattr(self._model, "inputs", None) or []
        count = len(leaves(self._inputs))
        return [t.name for t in expected] if len(expected) == count else _numbered(count)

    def _find_state(self, cell: CellState) -> tuple[Found, int]:
        """Find a layer, and the place of a cell's state among its states."""
        units = [unit for one in self._found for unit in one.units]
        layer, _ = split_call(cell.layer)
        for one in self._found:
            if layer not in one.units:
                continue
            if one.problem:
                raise UnsupportedLayerError(
                    f"layer: {cell.layer!r} cannot be explained: it is {one.problem}"
                )
            k = one.units.index(layer)
            states = SIGNALS[one.kinds[k]][: STATES[one.kinds[k]]]
            if cell.signal not in states:
                raise ValueError(
                    f"signal: expected one of {', '.join(map(repr, states))} for {cell.layer!r}, "
                    f"got {cell.signal!r}"
                )
            count = int(one.cells[k].units)
            if not 0 <= cell.cell < count:
                raise ValueError(
                    f"cell: expected 0 to {count - 1} for layer {cell.layer!r}, got {cell.cell}"
                )
            before = sum(STATES[kind] for kind in one.kinds[:k])
            return one, before + states.index(cell.signal)
        raise ValueError(
            f"layer: expected one of {', '.join(map(repr, units)) or 'none'}, got {cell.layer!r}"
        )

    # The run --------------------------------------------------------------------------------------

    def run(
        self,
        batch: Batch,
        *,
        values: Any = None,
        kept: Mapping[str, Any] | None = None,
        at: npt.NDArray[np.intp] | None = None,
        relevance: bool = False,
    ) -> Pass:
        """Call the model, see :meth:`lstm_widgets.models.explaining.Explained.run`."""
        import tensorflow as tf  # noqa: PLC0415

        for variable, value in self._states:
            variable.assign(value)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            done = Pass(tape, inside=self._inside)
            tensors = list(batch.tensors)
            if self.source.layer is None:
                leaf: Any = self.source.leaves[0]
                given, shape = tensors[leaf] if values is None else values, tensors[leaf].shape
                if self.source.shape is not None:
                    given = tf.reshape(given, (-1, *self.source.shape))
                shown = tf.cast(tf.identity(given), tensors[leaf].dtype)
                tape.watch(shown)
                done.sources.append((0, shown))
                tensors[leaf] = shown if self.source.shape is None else tf.reshape(shown, shape)
            for k, tensor in enumerate(tensors):
                if tensor.dtype.is_floating and (self.source.layer or k != self.source.leaves[0]):
                    tape.watch(tensor)
                    done.others.append(tensor)
            # The tape has the ways back. If these had the pass, which has the tape, none of it
            # would ever be freed: Python doesn't see what a tape refers to.
            seen = weakref.proxy(done)
            with replaced(self._patches(seen, values, kept, at, relevance)):
                try:
                    done.logits = self._call(Batch(tuple(tensors), batch.rows))
                except Exception:
                    if done.problem is None:
                        raise
                    if not isinstance(done.problem, _ReachedError):
                        raise done.problem from None
        if self.cell is not None and not isinstance(done.problem, _ReachedError):
            raise UnsupportedLayerError(
                f"layer: the model calls {self.cell.layer!r} fewer times for some examples, or "
                f"inside of a tf.function, so that it cannot be explained"
            )
        if not done.sources:
            raise UnsupportedLayerError(
                f"model: layer {self.source.name!r} isn't called by value (it is called inside of a "
                f"tf.function), so that nothing can be traced back to it"
            )
        if self._expected is not None and values is None:
            self._compare(done.logits)
        return done

    def _patches(
        self,
        done: Pass,
        values: Any,
        kept: Mapping[str, Any] | None,
        at: npt.NDArray[np.intp] | None,
        relevance: bool,
    ) -> Iterator[Patch]:
        """List what is replaced; later ones build on what earlier ones have put in place."""
        yield from self._source_patches(done, values)
        yield from self._mask_patches(done, kept)
        yield from propagation.loops(self._found, done)
        if self._check and values is None:
            yield from _checks(self._found, done, self._check, self._tolerance)
        if relevance:
            symbolic = None
            if self._output is not None and (known := declared(self._model)) is not None:
                symbolic = self._output.of(known)
            yield from propagation.rules(self._model, self._found, done, leading(symbolic))
        yield from self._head.patches
        if self.cell is not None:
            yield self._state_patch(done, at)

    def _call(self, batch: Batch) -> Any:
        outputs = call_model(self._model, self._structured(batch))
        made = named(self._model, outputs)
        if self._output is None:
            return next(iter(made.values()))
        if len(made) > 1:
            self.output = self._output.name(made)
        return self._output.of(made)

    def _compare(self, logits: Any) -> None:
        """Hold the logits of the first examples against what the model itself returned for them."""
        expected, self._expected = self._expected, None
        tolerance = self._tolerance or TOLERANCES[expected.dtype.name]
        found = difference(self._head.outputs(logits[: len(expected)]), expected)
        if found > tolerance:
            raise SelfCheckError(
                f"the model's outputs differ by {found:.3g} from what its logits give, more than "
                f"the tolerance of {tolerance:.3g}"
            )

    def _source_patches(self, done: Pass, values: Any) -> list[Any]:
        """Let embeddings show their output, and the source take another in its place."""
        import tensorflow as tf  # noqa: PLC0415

        source = self.source

        def shown(layer: Any) -> Callable[..., Any]:
            call = layer.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                output = call(*args, **kwargs)
                done.calls[layer.name] = number = done.calls.get(layer.name, 0) + 1
                number = numbered(self._orders.get(id(layer), ()), number)
                part = source.calls.get(number) if layer is source.layer else None
                if part is not None and values is not None:
                    start = sum(source.timesteps[:part])
                    output = tf.cast(values[:, start : start + output.shape[1]], output.dtype)
                elif part is not None and self._inside:
                    output = tf.stop_gradient(output)  # nothing goes back beyond it
                if not tf.executing_eagerly():
                    return output
                done.tape.watch(output)
                if part is None:
                    done.others.append(output)
                else:
                    done.sources.append((part, output))
                return output

            return patched

        return [(layer, "call", shown(layer)) for layer in self._shown]

    def _mask_patches(self, done: Pass, kept: Mapping[str, Any] | None) -> list[Any]:
        """Let what makes masks of values show them, or make those that were kept."""
        import tensorflow as tf  # noqa: PLC0415

        kept = kept or {}
        source = self.source

        def key(layer: Any) -> str:
            # A layer may be called several times, and decides anew each time.
            return f"{layer.name}:{done.calls.get(layer.name, 0)}"

        def computing(layer: Any) -> Callable[..., Any]:
            compute_mask = layer.compute_mask

            def patched(*args: Any, **kwargs: Any) -> Any:
                mask = compute_mask(*args, **kwargs)
                mask = tf.constant(kept[key(layer)]) if key(layer) in kept else mask
                if mask is not None and layer in self._masking:
                    done.mask = mask.numpy()
                elif mask is not None and layer is source.layer:
                    time = done.calls.get(layer.name, 0)
                    part = source.calls.get(numbered(self._orders.get(id(layer), ()), time))
                    if part is not None:
                        done.masked(part, mask.numpy())
                return mask

            return patched

        def masking(layer: Any, compute_mask: Callable[..., Any]) -> Callable[..., Any]:
            # As Masking does, but by the mask of the patched method.
            def patched(inputs: Any) -> Any:
                done.calls[layer.name] = done.calls.get(layer.name, 0) + 1
                real = compute_mask(inputs)
                done.kept[key(layer)] = real.numpy()
                return inputs * tf.cast(real[..., None], inputs.dtype)

            return patched

        def deciding(operation: Any) -> Callable[..., Any]:
            call = operation.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                done.calls[operation.name] = done.calls.get(operation.name, 0) + 1
                if key(operation) in kept:
                    return tf.constant(kept[key(operation)])
                output = call(*args, **kwargs)
                if tf.is_tensor(output) and output.dtype == tf.bool:
                    done.kept[key(operation)] = output.numpy()
                return output

            return patched

        patches = [(one, "call", deciding(one)) for one in self._operations]
        for layer in (*self._shown, *self._masking):
            compute_mask = computing(layer)
            patches.append((layer, "compute_mask", compute_mask))
            if layer in self._masking:
                patches.append((layer, "call", masking(layer, compute_mask)))
        return patches

    def _state_patch(self, done: Pass, at: npt.NDArray[np.intp] | None) -> Patch:
        """End the call where the layer of the explained cell has its state."""
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        one, spans = self._cell_layer, self._spans
        total = max(stop for _, stop in spans.values())
        given, at = at, np.full(1, total - 1) if at is None else at
        if ((at < -total) | (at >= total)).any():
            assert self.cell is not None  # noqa: S101
            raise ValueError(
                f"at: expected -{total} to {total - 1}, because layer {self.cell.layer!r} "
                f"reads {total} timesteps; got {given}"
            )
        at = at % total
        needed = [k for k, (start, stop) in spans.items() if ((at >= start) & (at < stop)).any()]
        made = 0

        def around(read: Callable[[Any], list[Any]], length: int, mask: Any) -> None:
            nonlocal made
            made += 1
            here = np.ones((1, 1), np.bool_)  # the rows whose state is explained after this call
            if made in needed and given is not None:
                start, stop = spans[made]
                # Padding passes the state through: behind the timestep, all is taken for padding.
                here = ((at >= start) & (at < stop))[:, None]
                t, until = np.arange(length), at[:, None] - start
                seen = (t >= until if one.go_backwards else t <= until) | ~here
                if not seen.all():
                    real = None if mask is None else mask_array(tree.flatten(mask)[0])
                    mask = tf.constant(seen if real is None else seen & real)
            states = read(mask)
            if made not in needed:
                return
            state = states[self._state]
            before = tf.zeros_like(state) if done.logits is None else done.logits
            done.logits = state if here.all() else tf.where(here, state, before)
            if made == max(needed):
                done.fail(_ReachedError())

        return propagation.read_by(one, around)

    # The scores -----------------------------------------------------------------------------------

    def score(
        self,
        done: Pass,
        target: npt.NDArray[np.intp],
        at: npt.NDArray[np.intp] | None,
        of: Literal["logit", "probability", "loss"] = "logit",
    ) -> Any:
        """Pick one score a row: the target's logit, for outputs over time that at a timestep.

        Or, of a softmax or sigmoid, its probability, or the loss if it is the true class. A single
        logit has one probability, and its target tells for the loss whether the truth is 1 or 0.
        """
        import tensorflow as tf  # noqa: PLC0415

        with done.tape:
            # Of a cell there are no timesteps any more.
            logits = self.logits_at(done, None if self.cell else at)
            single, sigmoid = int(logits.shape[1]) == 1, self.activation == "sigmoid"
            index = np.zeros_like(target) if single else target
            chosen = tf.gather_nd(logits, np.stack([np.arange(len(index)), index], axis=1))
            if of == "logit":
                return chosen
            if of == "probability":
                return tf.sigmoid(chosen) if sigmoid else tf.exp(_log_softmax(logits, chosen))
            if sigmoid:
                truth = tf.cast(target if single else np.ones_like(target), chosen.dtype)
                return tf.nn.sigmoid_cross_entropy_with_logits(truth, chosen)
            return -_log_softmax(logits, chosen)

    def logits_at(self, done: Pass, at: npt.NDArray[np.intp] | None) -> Any:
        """Return the logits ``(row, class)``, for outputs over time those at a timestep."""
        import tensorflow as tf  # noqa: PLC0415

        if at is None:
            return done.logits
        return tf.gather_nd(done.logits, np.stack([np.arange(len(at)), at], axis=1))

    @property
    def embeddings(self) -> npt.NDArray[Any] | None:
        """The source's vectors by id, ``(symbols, dimension)``; None if it isn't an Embedding."""
        layer = self.source.layer
        return None if layer is None or self._inside else np.asarray(layer.embeddings)


def _log_softmax(logits: Any, chosen: Any) -> Any:
    import tensorflow as tf  # noqa: PLC0415

    return chosen - tf.reduce_logsumexp(logits, axis=1)


@dataclass(frozen=True)
class _Trace:
    """The calls that one call of the model consists of, in the order in which they ended."""

    tensors: tuple[Any, ...]
    calls: list[Call]
    output: Any

    @classmethod
    def of(cls, model: Any, batch: Batch, run: Callable[[Batch], Any]) -> _Trace:
        """Call the model and look on."""
        calls: list[Call] = []

        def noted(layer: Any) -> Callable[..., Any]:
            call = layer.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                output = call(*args, **kwargs)
                argument = next(iter([*args, *kwargs.values()]), None)
                calls.append(Call(layer, argument, output))
                return output

            return patched

        with replaced([(one, "call", noted(one)) for one in _layers(model)]):
            output = run(batch)
        return cls(batch.tensors, calls, output)

    def producer(self, tensor: Any) -> Call | None:
        """Find the innermost layer that returned a tensor."""
        return next((call for call in self.calls if call.output is tensor), None)

    def repeated(self, tensor: Any) -> Call | None:
        """Find the layer whose outputs, one a call, a model of its own code puts on a time axis."""
        layers: dict[int, list[Call]] = {}
        for call in self.calls:
            layers.setdefault(id(call.layer), []).append(call)
        for calls in layers.values():
            outputs = [call.output for call in calls]
            if not all(hasattr(output, "numpy") for output in outputs):
                continue
            shapes = {tuple(output.shape) for output in outputs}
            (shape, *others) = shapes
            put = np.stack if len(shape) == 2 else np.concatenate
            if not others and len(shape) in (2, 3) and len(shape) <= len(tensor.shape):
                together = put([output.numpy() for output in outputs], 1)
                if np.array_equal(together, tensor.numpy(), equal_nan=True):
                    return calls[-1]
        return None


def _counted_loops(
    found: Sequence[Found], done: Pass, calls: dict[str, list[int]]
) -> Iterator[Patch]:
    """Let recurrent layers run our loop.

    The number of timesteps of each call is added to those of its layer in ``calls``.
    """
    within: list[Found] = []  # the layer whose loop steps its cell

    def looped(one: Found) -> Callable[..., Any]:
        ours = one.layer.inner_loop

        def inner_loop(sequences: Any, *args: Any, **kwargs: Any) -> Any:
            calls.setdefault(one.name, []).append(int(sequences.shape[1]))
            within.append(one)
            try:
                return ours(sequences, *args, **kwargs)
            finally:
                within.pop()

        return inner_loop

    def counted(one: Found) -> Callable[..., Any]:
        ours = one.layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            if not within:
                calls.setdefault(one.name, []).append(1)
            return ours(*args, **kwargs)

        return call

    yield from propagation.loops(found, done)
    for one in found:
        if one.stepped and not one.problem:
            yield one.layer, "call", counted(one)
        elif not one.problem:
            yield one.layer, "inner_loop", looped(one)


def _checks(
    found: Sequence[Found], done: Pass, check: Check, tolerance: float | None
) -> Iterator[Patch]:
    """Hold our loops against the layers' own: beginnings of a few examples, or all of it."""
    tree = load_keras().tree

    def compare(one: Found, ours: Any, sequences: Any, initial_state: Any, mask: Any) -> None:
        import tensorflow as tf  # noqa: PLC0415

        examples, timesteps = int(sequences.shape[0]), int(sequences.shape[1])
        real = None if mask is None else mask_array(tree.flatten(mask)[0])
        backwards = one.layer.go_backwards
        length = timesteps if check == "full" else min(timesteps, CHECKED_TIMESTEPS)
        rows, starts = windows_to_check(real, examples, timesteps, length, backwards)
        if check == "full":
            rows, starts = np.arange(examples), np.zeros(examples, int)
        order = starts[:, None] + np.arange(length)
        order = timesteps - 1 - order[:, ::-1] if backwards else order
        x = tf.gather(tf.gather(sequences, rows), order, batch_dims=1)
        state = tree.map_structure(lambda s: tf.gather(s, rows), initial_state)
        window = None if real is None else real[rows[:, None], order]
        _, outputs, states = ours(x, state, None if window is None else tf.constant(window))
        # A cell that the model steps itself, too, may have another call just now.
        own = [(cell, "call", functools.partial(type(cell).call, cell)) for cell in one.cells]
        with replaced(own):
            expected, last = OwnLoop.of(one.layer)(x, state, window, traced=check == "full")
        pairs = [(outputs[:, -1], expected[:, -1]), *zip(tree.flatten(states), last, strict=True)]
        if one.layer.return_sequences:
            pairs.append((outputs, expected))
        allowed = tolerance or max(TOLERANCES[cell.compute_dtype] for cell in one.cells)
        farthest = max(difference(a, b) for a, b in pairs)
        if farthest > allowed:
            done.fail(
                SelfCheckError(
                    f"layer {one.name!r}: our loop differs by {farthest:.3g} from what the layer "
                    f"itself computes, more than the tolerance of {allowed:.3g} (compared: "
                    f"{len(rows)} examples, {length} timesteps). So it can't be relied on. "
                    "tolerance= accepts larger differences, check=False goes on without looking"
                )
            )

    def checked(one: Found) -> Callable[..., Any]:
        ours = one.layer.inner_loop

        def inner_loop(
            sequences: Any, initial_state: Any, mask: Any, training: bool = False
        ) -> Any:
            import tensorflow as tf  # noqa: PLC0415

            if tf.executing_eagerly() and sequences.shape[1]:
                state = tree.map_structure(tf.stop_gradient, initial_state)
                compare(one, ours, tf.stop_gradient(sequences), state, mask)
            return ours(sequences, initial_state, mask, training)

        return inner_loop

    for one in found:
        if not one.stepped and not one.problem:
            yield one.layer, "inner_loop", checked(one)


def _spans(
    layer: str, found: Found, calls: Mapping[str, Sequence[int]]
) -> dict[int, tuple[int, int]]:
    """Tell the first timestep, and the one behind the last, of each call that a name means.

    Parameters
    ----------
    layer
        The name.
    found
        The layer.
    calls
        By layer, the number of timesteps of each call, in the order in which they are made.
    """
    lengths = calls.get(found.name, ())
    base, call = split_call(layer)
    if not lengths:
        raise UnsupportedLayerError(f"layer: the model doesn't call {base!r}")
    times = {found.number(time): time for time in range(1, len(lengths) + 1)}
    if call is not None and call not in times:
        raise ValueError(f"layer: expected {all_named(base, sorted(times))}, got {layer!r}")
    spans, start = {}, 0
    for number in sorted(times) if call is None else [call]:
        stop = start + lengths[times[number] - 1]
        spans[times[number]] = (start, stop)
        start = stop
    return spans


def _layers(model: Any) -> list[Any]:
    """List all layers of a model, but for those inside of recurrent ones."""
    keras = load_keras()
    found: dict[int, Any] = {}

    def walk(parent: Any) -> None:
        for layer in parent._flatten_layers(include_self=False, recursive=False):  # noqa: SLF001
            if id(layer) not in found:
                found[id(layer)] = layer
                if not isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
                    walk(layer)

    walk(model)
    return list(found.values())


def _find_source(
    trace: _Trace,
    names: Sequence[str],
    wanted: str | None,
    orders: Mapping[int, tuple[int, ...]],
) -> Source:
    keras = load_keras()
    leaves = {id(tensor): k for k, tensor in enumerate(trace.tensors)}
    embeddings: dict[str, list[tuple[int, Call]]] = {}
    times: dict[str, int] = {}
    for call in trace.calls:
        if isinstance(call.layer, keras.layers.Embedding):
            name = call.layer.name
            times[name] = times.get(name, 0) + 1
            if len(call.output.shape) == 3:
                number = numbered(orders.get(id(call.layer), ()), times[name])
                embeddings.setdefault(name, []).append((number, call))
    vectors = {
        name: Source(name, None, {}, (k,), int(np.prod(tensor.shape[1:])))
        for k, (name, tensor) in enumerate(zip(names, trace.tensors, strict=True))
        if len(tensor.shape) == 3 and tensor.dtype.is_floating
    }
    known = {name: _embedded(name, calls, leaves) for name, calls in embeddings.items()}
    usual = list(known) or list(vectors)
    known |= vectors
    if not known:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in trace.tensors)
        raise ValueError(
            f"model: expected an Embedding layer, or an input (example, timestep, features) of "
            f"floating point numbers, to tell tokens apart; got inputs of shape {shapes}"
        )
    if wanted is None and len(usual) > 1:
        raise ValueError(
            f"source: the model has several, name one of {', '.join(map(repr, sorted(known)))}"
        )
    if wanted is None:
        return known[usual[0]]
    if wanted in known:
        return known[wanted]
    name, asked = split_call(wanted)
    one = [each for each in embeddings.get(name, []) if each[0] == asked]
    if not one:
        calls = {name: sorted(k for k, _ in calls) for name, calls in embeddings.items()}
        named = [all_named(name, calls.get(name, [1])) for name in known]
        raise ValueError(f"source: expected one of {', '.join(named)}; got {wanted!r}")
    return _embedded(wanted, one, leaves)


def _embedded(name: str, calls: Sequence[tuple[int, Call]], leaves: Mapping[int, int]) -> Source:
    """Make a source of some calls of an Embedding."""
    parts: dict[object, int] = {}  # by what is read, which part of the source it is
    numbers, read, timesteps, size = {}, [], [], 0
    for number, call in sorted(calls, key=lambda each: each[0]):
        leaf = leaves.get(id(call.argument))
        what = ("call", number) if leaf is None else leaf
        if what not in parts:
            parts[what] = len(parts)
            read.append(leaf)
            timesteps.append(int(call.output.shape[1]))
            size += int(np.prod(call.output.shape[1:]))
        numbers[number] = parts[what]
    layer = calls[0][1].layer
    return Source(name, layer, numbers, tuple(read), size, tuple(timesteps))


@dataclass(frozen=True)
class _Head:
    """What makes outputs of logits.

    Attributes
    ----------
    activation
        ``"softmax"``, ``"sigmoid"``, ``"linear"`` or ``"other"``.
    patches
        What to replace for the model to return logits.
    outputs
        From logits to what the model returns.
    """

    activation: str
    patches: tuple[Patch, ...]
    outputs: Callable[[Any], Any] = lambda logits: logits


def _find_head(trace: _Trace) -> _Head:
    """Find the last activation."""
    keras = load_keras()
    tensor = trace.output
    if len(tensor.shape) not in (2, 3):
        raise ValueError(
            f"model: expected outputs (example, class) or (example, timestep, class), got shape "
            f"{tuple(tensor.shape)}"
        )
    last = trace.producer(tensor) or trace.repeated(tensor)
    while last is not None and is_stock(last.layer, _PASSED):
        last = trace.producer(last.argument)
    advice = (
        "end it with Dense, Activation or Softmax from keras.layers, or explain a cell (layer=, "
        "cell=)"
    )
    if last is None:
        raise UnsupportedLayerError(
            f"model: its output is computed outside of its layers, so that its logits are out of "
            f"reach; {advice}"
        )
    layer = last.layer
    if isinstance(layer, keras.layers.TimeDistributed):
        layer = layer.layer
    if isinstance(layer, (keras.layers.RNN, keras.layers.Bidirectional)):
        return _Head("linear", ())
    if is_stock(layer, ("Softmax",)):
        call = layer.call
        return _Head("softmax", ((layer, "call", lambda inputs, mask=None: inputs),), call)  # noqa: ARG005
    if is_stock(layer, _ACTIVATED):
        activation = layer.activation or keras.activations.linear
        kinds = {
            keras.activations.softmax: "softmax",
            keras.activations.log_softmax: "softmax",
            keras.activations.sigmoid: "sigmoid",
            keras.activations.linear: "linear",
        }
        kind = kinds.get(activation, "other")
        return _Head(kind, ((layer, "activation", keras.activations.linear),), activation)
    # Whatever comes before it: scores of what is affine are the model's outputs themselves.
    argument = last.argument if layer is last.layer else last.argument[:, 0]
    if hasattr(argument, "dtype") and is_affine(
        functools.partial(type(layer).call, layer), argument
    ):
        return _Head("linear", ())
    raise UnsupportedLayerError(
        f"model: its output comes from layer {layer.name!r}, a {type(layer).__name__}, which may "
        f"hide an activation, so that its logits are out of reach; {advice}"
    )


def _numbered(count: int) -> list[str]:
    return ["inputs"] if count == 1 else [f"inputs[{k}]" for k in range(count)]


def _tensor(value: Any, expected: Any) -> Any:
    """Turn what is given for an input into what the model makes of it."""
    import tensorflow as tf  # noqa: PLC0415

    tensor = tf.convert_to_tensor(value)
    if expected is None:
        floatx = load_keras().config.floatx()
        return tf.cast(tensor, floatx) if tensor.dtype.is_floating else tensor
    tensor = tf.cast(tensor, expected.dtype)
    if len(tensor.shape) == len(expected.shape) + 1:
        return tf.squeeze(tensor, -1)
    if len(tensor.shape) == len(expected.shape) - 1:
        return tf.expand_dims(tensor, -1)
    return tensor
