# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""A Keras model opened for explanation: its scores, and the way back from them to the tokens.

The model is called as it is. For the time of a call, a few methods of its layers are replaced:

- the last activation is left out, so that the model returns logits;
- the layer at which tokens are told apart (an Embedding, say) shows its output, or takes another
  in its place;
- recurrent layers run our loop, and for relevance propagation each layer gets its rule, by
  :mod:`lstm_widgets.recorders.propagation`.

So masks, initial states, merging of directions and everything else stay the model's own.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.recorders import propagation
from lstm_widgets.recorders._check import (
    CHECKED_EXAMPLES,
    TOLERANCES,
    OwnLoop,
    RecordingError,
    difference,
)
from lstm_widgets.recorders._inputs import (
    count_examples,
    cut,
    expect_positive,
    leaves,
    standard_batch_size,
)
from lstm_widgets.recorders._layers import UnsupportedLayerError, find_layers, load_keras
from lstm_widgets.recorders._outputs import Output
from lstm_widgets.recorders._places import Call, find_place
from lstm_widgets.recorders._run import call_model, states_as_found
from lstm_widgets.recorders._session import mask_array
from lstm_widgets.recorders.keras import expect_model
from lstm_widgets.recurrence import SIGNALS, STATES

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstm_widgets.analysis.lrp import Rule

__all__ = ["Batch", "CellState", "Explained", "Pass", "Source"]

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
class CellState:
    """A cell's state, to be explained in place of the model's output.

    Attributes
    ----------
    layer
        The layer's name, as in a recording.
    cell
        The cell's index.
    signal
        ``"hidden_state"`` or ``"cell_state"``.
    """

    layer: str
    cell: int
    signal: str


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

    @classmethod
    def joined(cls, batches: Sequence[Batch]) -> Batch:
        """Put batches one after the other."""
        import tensorflow as tf  # noqa: PLC0415

        if len(batches) == 1:
            return batches[0]
        tensors = zip(*(batch.tensors for batch in batches), strict=True)
        rows = np.concatenate([batch.rows for batch in batches])
        return cls(tuple(tf.concat(parts, 0) for parts in tensors), rows)


@dataclass(frozen=True)
class Source:
    """Where tokens are told apart.

    Attributes
    ----------
    name
        The name of the layer or of the input.
    layer
        The Embedding, or another layer with an output ``(example, timestep, features)``; None if it
        is an input.
    leaf
        Which of the model's inputs it is, or which has the Embedding's ids; None: neither.
    size
        How many values it has for each example.
    shape
        Timesteps and features of each example in an input that doesn't have these two axes.
    """

    name: str
    layer: Any
    leaf: int | None
    size: int
    shape: tuple[int, int] | None = None


@dataclass
class Pass:
    """One call of the model, open for the way back.

    Attributes
    ----------
    tape
        The TensorFlow tape that recorded it; persistent.
    rule
        On the way back: the rule of relevance; None: what goes back are gradients.
    summed
        On the way back of relevance: whether only each token's sum is asked for.
    inside
        Whether the source is a layer inside of the model that nothing goes back beyond.
    source
        What the tokens became: tensor ``(row, timestep, dimension)``.
    logits
        What the model returned without its last activation. If a cell's state is explained, the
        states of its layer ``(row, units)``.
    mask
        Of the source: bool ``(row, timestep)``, False at padding; None: nothing is padding.
    kept
        By name of a layer or operation: what it decided by looking at values, bool ``(row, ...)``.
    others
        What else a score may draw on: the embeddings of other inputs, initial states.
    """

    tape: Any
    rule: Rule | None = None
    summed: bool = False
    inside: bool = False
    source: Any = None
    logits: Any = None
    mask: npt.NDArray[np.bool_] | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)
    problem: Exception | None = None
    _arrived: list[npt.NDArray[Any]] = field(default_factory=list)

    def arrives(self, tensor: Any, values: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
        """Take what arrives at a tensor if it is the source, past TensorFlow, which would copy it."""
        if tensor is not self.source:
            return values
        self._arrived.append(values)
        return None

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
        arrived, *rest = self.tape.gradient(
            score, [self.source, *self.others], output_gradients=None if rule is None else score
        )
        parts, self._arrived = self._arrived, []
        if arrived is not None:
            parts.append(np.asarray(tf.convert_to_tensor(arrived)))
        rows = int(self.source.shape[0])
        other = np.zeros(rows, self.source.dtype.as_numpy_dtype)
        for part in rest:
            if part is not None:
                other += np.asarray(tf.convert_to_tensor(part)).reshape(rows, -1).sum(axis=1)
        parts = parts or [np.zeros(self.source.shape, other.dtype)]
        if summed:
            parts = [part.sum(axis=-1, keepdims=True) for part in parts]
        return functools.reduce(np.add, parts), other


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
    """A model whose scores can be traced back to what stands at each timestep.

    Parameters
    ----------
    model
        A Keras 3 model.
    inputs
        What it is called with, as :attr:`lstm_widgets.recorders.keras.Given.whole` gives it.
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
    ) -> None:
        keras = load_keras()
        expect_model(model)
        expect_positive("batch_size", batch_size)
        self._model = model
        self._output = None if cell else Output(model, output)
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
        if not model.built:
            model(self._structured(self.batch(0, 1)))
        self._found = find_layers(model)
        self.fixed = any(one.layer.stateful for one in self._found if not one.problem) or any(
            t.shape[0] for t in getattr(model, "inputs", None) or []
        )
        self.batch_size = standard_batch_size(
            model,
            SimpleNamespace(found=[one for one in self._found if not one.problem]),  # type: ignore[arg-type]
            self.count,
            batch_size,
        )
        self.cell = cell
        self._cell_layer: Any = None
        self._state = 0
        if cell is not None:
            self._cell_layer, self._state = self._find_state(cell)
        rows = self.batch_size if self.fixed else min(self.batch_size, CHECKED_EXAMPLES)
        with self.states_as_found(), propagation.replaced(_own_loops(self._found)):
            trace = _Trace.of(model, self.batch(0, rows), self._call)
        layers = {id(call.layer): call.layer for call in trace.calls}.values()
        self._embeddings = [x for x in layers if isinstance(x, keras.layers.Embedding)]
        self._masking = [x for x in layers if isinstance(x, keras.layers.Masking)]
        self._operations: list[Any] = []  # those that a functional model has between its layers
        with contextlib.suppress(UnsupportedLayerError):
            operations = propagation.operations_of(model)
            self._operations = [x for x in operations if not isinstance(x, keras.Layer)]
        place = self._other_place(trace, source, rows)
        self.source = place or _find_source(trace, self._names(), source)
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
        stateful = [one.layer for one in self._found if not one.problem and one.layer.stateful]
        self._states = [
            (v, v.numpy()) for layer in stateful for v in keras.tree.flatten(layer.states)
        ]

    def _other_place(self, trace: _Trace, wanted: str | None, rows: int) -> Source | None:
        """Find where timesteps are told apart if that is no Embedding and no input of vectors."""

        def probe() -> tuple[Sequence[Any], Sequence[Call]]:
            import tensorflow as tf  # noqa: PLC0415

            rng = np.random.default_rng(0)
            tensors = tuple(
                tf.cast(rng.normal(size=t.shape), t.dtype) if t.dtype.is_floating else t
                for t in trace.tensors
            )
            with self.states_as_found(), propagation.replaced(_own_loops(self._found)):
                other = _Trace.of(self._model, Batch(tensors, np.arange(rows)), self._call)
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
        return Source(place.name, place.layer, place.leaf, size, shape)

    # What goes in ---------------------------------------------------------------------------------

    def batches(self, what: str) -> Iterator[Batch]:
        """Cut the examples into batches, and show how far it is with ``what``."""
        starts: Any = range(0, self.count, self.batch_size)
        if len(starts) > 1:
            from tqdm.auto import tqdm  # noqa: PLC0415

            starts = tqdm(starts, desc=what, unit="batch", leave=False)
        for start in starts:
            yield self.batch(start, min(start + self.batch_size, self.count))

    @property
    def tokens(self) -> Any:
        """The ids or vectors that the source gets, of all examples, as they were given."""
        leaf, shape = self.source.leaf, self.source.shape
        if leaf is None:
            return None
        tokens = leaves(self._inputs)[leaf]
        return tokens if shape is None else np.asarray(tokens).reshape(-1, *shape)

    def tokens_of(self, batch: Batch) -> Any:
        """Return the ids or vectors that the source gets, if they are an input of the model."""
        return None if self.source.leaf is None else batch.tensors[self.source.leaf]

    def with_tokens(self, batch: Batch, tokens: npt.NDArray[Any]) -> Batch:
        """Put other ids or vectors into their place."""
        import tensorflow as tf  # noqa: PLC0415

        tensors = list(batch.tensors)
        leaf: Any = self.source.leaf
        tensors[leaf] = tf.constant(tokens, tensors[leaf].dtype)
        return Batch(tuple(tensors), batch.rows)

    def batch(self, start: int, stop: int) -> Batch:
        """Take out the examples from ``start`` to before ``stop``."""
        arrays = leaves(cut(self._inputs, start, stop))
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
        sizes = [one.layer.cell.state_size for one in self._found if one.kinds]
        return sum(int(size) for size in load_keras().tree.flatten(sizes))

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

    def _find_state(self, cell: CellState) -> tuple[Any, int]:
        """Find a layer, and the place of a cell's state among its states."""
        units = [unit for one in self._found for unit in one.units]
        for one in self._found:
            if cell.layer not in one.units:
                continue
            if one.problem:
                raise UnsupportedLayerError(
                    f"layer: {cell.layer!r} cannot be explained: it is {one.problem}"
                )
            k = one.units.index(cell.layer)
            states = SIGNALS[one.kinds[k]][: STATES[one.kinds[k]]]
            if cell.signal not in states:
                raise ValueError(
                    f"signal: expected one of {', '.join(map(repr, states))} for {cell.layer!r}, "
                    f"got {cell.signal!r}"
                )
            stacked = len(one.kinds) > 1
            count = int((one.layer.cell.cells[k] if stacked else one.layer.cell).units)
            if not 0 <= cell.cell < count:
                raise ValueError(
                    f"cell: expected 0 to {count - 1} for layer {cell.layer!r}, got {cell.cell}"
                )
            before = sum(STATES[kind] for kind in one.kinds[:k])
            return one.layer, before + states.index(cell.signal)
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
        timestep: npt.NDArray[np.intp] | None = None,
        relevance: bool = False,
    ) -> Pass:
        """Call the model, ready to go back from what it returns.

        Parameters
        ----------
        batch
            What it is called with.
        values
            What the source is to be instead, ``(row, timestep, dimension)``.
        kept
            For ``values``: what of :attr:`Pass.kept` is not to depend on them.
        timestep
            If a cell's state is explained: the timestep after which, ``(row,)``; None: the last one
            that its layer reads.
        relevance
            Whether the way back is to be open for relevance, too, which not every layer has a rule
            for.

        Returns
        -------
        Pass

        Raises
        ------
        UnsupportedLayerError
            If a layer on the way has no rule.
        RecordingError
            If the model's outputs aren't what it returns without these replacements.
        """
        import tensorflow as tf  # noqa: PLC0415

        for variable, value in self._states:
            variable.assign(value)
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            done = Pass(tape, inside=self._inside)
            tensors = list(batch.tensors)
            if self.source.layer is None:
                leaf: Any = self.source.leaf
                given, shape = tensors[leaf] if values is None else values, tensors[leaf].shape
                if self.source.shape is not None:
                    given = tf.reshape(given, (-1, *self.source.shape))
                done.source = tf.cast(tf.identity(given), tensors[leaf].dtype)
                tape.watch(done.source)
                tensors[leaf] = done.source
                if self.source.shape is not None:
                    tensors[leaf] = tf.reshape(done.source, shape)
            for k, tensor in enumerate(tensors):
                if tensor.dtype.is_floating and (self.source.layer or k != self.source.leaf):
                    tape.watch(tensor)
                    done.others.append(tensor)
            # The tape has the ways back. If these had the pass, which has the tape, none of it
            # would ever be freed: Python doesn't see what a tape refers to.
            seen = weakref.proxy(done)
            with propagation.replaced(self._patches(seen, values, kept, timestep, relevance)):
                try:
                    done.logits = self._call(Batch(tuple(tensors), batch.rows))
                except Exception:
                    if done.problem is None:
                        raise
                    if not isinstance(done.problem, _ReachedError):
                        raise done.problem from None
        if done.source is None:
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
        timestep: npt.NDArray[np.intp] | None,
        relevance: bool,
    ) -> Iterator[propagation.Patch]:
        """List what is replaced; later ones build on what earlier ones have put in place."""
        yield from self._source_patches(done, values)
        yield from self._mask_patches(done, kept)
        yield from propagation.loops(self._found, done)
        if relevance:
            yield from propagation.rules(self._model, self._found, done, self._output)
        yield from self._head.patches
        if self.cell is not None:
            yield self._state_patch(done, timestep)

    def _call(self, batch: Batch) -> Any:
        outputs = call_model(self._model, self._structured(batch))
        flat = load_keras().tree.flatten(outputs)
        if self._output is None:
            return flat[0]
        if len(flat) > 1:
            self.output = self._output.name(outputs)
        return self._output.of(outputs)

    def _compare(self, logits: Any) -> None:
        """Hold the logits of the first examples against what the model itself returned for them."""
        expected, self._expected = self._expected, None
        tolerance = TOLERANCES[expected.dtype.name]
        found = difference(self._head.outputs(logits[: len(expected)]), expected)
        if found > tolerance:
            raise RecordingError(
                f"the model's outputs differ by {found:.3g} from what its logits give, more than "
                f"the tolerance of {tolerance:.3g}"
            )

    def _source_patches(self, done: Pass, values: Any) -> list[Any]:
        """Let embeddings show their output, and the source take another in its place."""
        import tensorflow as tf  # noqa: PLC0415

        def shown(layer: Any) -> Callable[..., Any]:
            call = layer.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                output = call(*args, **kwargs)
                is_source = layer is self.source.layer
                if is_source and values is not None:
                    output = tf.cast(values, output.dtype)
                elif is_source and self._inside:
                    output = tf.stop_gradient(output)  # nothing goes back beyond it
                if not tf.executing_eagerly():
                    return output
                done.tape.watch(output)
                if is_source:
                    done.source = output
                else:
                    done.others.append(output)
                return output

            return patched

        return [(layer, "call", shown(layer)) for layer in self._shown]

    def _mask_patches(self, done: Pass, kept: Mapping[str, Any] | None) -> list[Any]:
        """Let what makes masks of values show them, or make those that were kept."""
        import tensorflow as tf  # noqa: PLC0415

        kept = kept or {}

        def computing(layer: Any) -> Callable[..., Any]:
            compute_mask = layer.compute_mask

            def patched(*args: Any, **kwargs: Any) -> Any:
                mask = compute_mask(*args, **kwargs)
                mask = tf.constant(kept[layer.name]) if layer.name in kept else mask
                if mask is not None and layer in (self.source.layer, *self._masking):
                    done.mask = mask.numpy()
                return mask

            return patched

        def masking(layer: Any, compute_mask: Callable[..., Any]) -> Callable[..., Any]:
            # As Masking does, but by the mask of the patched method.
            def patched(inputs: Any) -> Any:
                real = compute_mask(inputs)
                done.kept[layer.name] = real.numpy()
                return inputs * tf.cast(real[..., None], inputs.dtype)

            return patched

        def deciding(operation: Any) -> Callable[..., Any]:
            call = operation.call

            def patched(*args: Any, **kwargs: Any) -> Any:
                if operation.name in kept:
                    return tf.constant(kept[operation.name])
                output = call(*args, **kwargs)
                if tf.is_tensor(output) and output.dtype == tf.bool:
                    done.kept[operation.name] = output.numpy()
                return output

            return patched

        patches = [(one, "call", deciding(one)) for one in self._operations]
        for layer in (*self._shown, *self._masking):
            compute_mask = computing(layer)
            patches.append((layer, "compute_mask", compute_mask))
            if layer in self._masking:
                patches.append((layer, "call", masking(layer, compute_mask)))
        return patches

    def _state_patch(self, done: Pass, timestep: npt.NDArray[np.intp] | None) -> propagation.Patch:
        """End the call where the layer of the explained cell has its state."""
        import tensorflow as tf  # noqa: PLC0415

        tree = load_keras().tree
        layer = self._cell_layer
        loop = layer.inner_loop

        def inner_loop(
            sequences: Any,
            initial_state: Any,
            mask: Any,
            training: bool = False,  # noqa: ARG001  (inference only)
        ) -> Any:
            if timestep is not None:
                # Padding passes the state through: behind the timestep, all is taken for padding.
                count = int(sequences.shape[1])
                if ((timestep < -count) | (timestep >= count)).any():
                    done.fail(
                        ValueError(
                            f"timestep: expected -{count} to {count - 1}, because layer "
                            f"{layer.name!r} reads {count} timesteps; got {timestep}"
                        )
                    )
                t, at = np.arange(count), (timestep % count)[:, None]
                read = t >= at if layer.go_backwards else t <= at
                real = None if mask is None else mask_array(tree.flatten(mask)[0])
                mask = tf.constant(read if real is None else read & real)
            _, _, states = loop(sequences, initial_state, mask, training=False)
            done.logits = tree.flatten(states)[self._state]
            done.fail(_ReachedError())

        return layer, "inner_loop", inner_loop

    # The scores -----------------------------------------------------------------------------------

    def score(
        self,
        done: Pass,
        target: npt.NDArray[np.intp],
        timestep: npt.NDArray[np.intp] | None,
        of: Literal["logit", "probability", "loss"] = "logit",
    ) -> Any:
        """Pick one score a row: the target's logit, for outputs over time that at a timestep.

        Or, of a softmax or sigmoid, its probability, or the loss if it is the true class. A single
        logit has one probability, and its target tells for the loss whether the truth is 1 or 0.
        """
        import tensorflow as tf  # noqa: PLC0415

        with done.tape:
            # Of a cell there are no timesteps any more.
            logits = self.at(done, None if self.cell else timestep)
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

    def at(self, done: Pass, timestep: npt.NDArray[np.intp] | None) -> Any:
        """Return the logits ``(row, class)``, for outputs over time those at a timestep."""
        import tensorflow as tf  # noqa: PLC0415

        if timestep is None:
            return done.logits
        return tf.gather_nd(done.logits, np.stack([np.arange(len(timestep)), timestep], axis=1))

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

        with propagation.replaced([(one, "call", noted(one)) for one in _layers(model)]):
            output = run(batch)
        return cls(batch.tensors, calls, output)

    def producer(self, tensor: Any) -> Call | None:
        """Find the innermost layer that returned a tensor."""
        return next((call for call in self.calls if call.output is tensor), None)


def _own_loops(found: Sequence[Any]) -> Iterator[propagation.Patch]:
    """Let recurrent layers run their own loops, but keep these for the next time."""
    tree = load_keras().tree

    def kept(layer: Any) -> Callable[..., Any]:
        def inner_loop(
            sequences: Any,
            initial_state: Any,
            mask: Any,
            training: bool = False,  # noqa: ARG001  (inference only)
        ) -> tuple[Any, Any, Any]:
            import tensorflow as tf  # noqa: PLC0415

            if not tf.executing_eagerly():
                own = type(layer).inner_loop
                return own(layer, sequences, initial_state, mask)  # type: ignore[no-any-return]
            real = None if mask is None else mask_array(tree.flatten(mask)[0])
            outputs, states = OwnLoop.of(layer)(sequences, initial_state, real, traced=False)
            return outputs[:, -1], outputs, tree.pack_sequence_as(initial_state, states)

        return inner_loop

    for one in found:
        if not one.problem:
            yield one.layer, "inner_loop", kept(one.layer)


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


def _find_source(trace: _Trace, names: Sequence[str], wanted: str | None) -> Source:
    keras = load_keras()
    leaves = {id(tensor): k for k, tensor in enumerate(trace.tensors)}
    embeddings: dict[str, Source] = {}
    times: dict[str, int] = {}
    for call in trace.calls:
        if isinstance(call.layer, keras.layers.Embedding) and len(call.output.shape) == 3:
            name = call.layer.name
            size = int(np.prod(call.output.shape[1:]))
            embeddings[name] = Source(name, call.layer, leaves.get(id(call.argument)), size)
            times[name] = times.get(name, 0) + 1
    vectors = {
        name: Source(name, None, k, int(np.prod(tensor.shape[1:])))
        for k, (name, tensor) in enumerate(zip(names, trace.tensors, strict=True))
        if len(tensor.shape) == 3 and tensor.dtype.is_floating
    }
    known = {**embeddings, **vectors}
    if not known:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in trace.tensors)
        raise ValueError(
            f"model: expected an Embedding layer, or an input (example, timestep, features) of "
            f"floating point numbers, to tell tokens apart; got inputs of shape {shapes}"
        )
    if wanted is not None and wanted not in known:
        raise ValueError(f"source: expected one of {', '.join(map(repr, known))}; got {wanted!r}")
    usual = embeddings or vectors
    if wanted is None and len(usual) > 1:
        raise ValueError(
            f"source: the model has several, name one of {', '.join(map(repr, sorted(known)))}"
        )
    source = known[next(iter(usual)) if wanted is None else wanted]
    if times.get(source.name, 0) > 1:
        raise UnsupportedLayerError(
            f"model: layer {source.name!r} is called {times[source.name]} times, so that its output "
            f"doesn't tell which tokens are meant"
        )
    return source


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
    patches: tuple[propagation.Patch, ...]
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
    last = trace.producer(tensor)
    while last is not None and propagation.is_stock(last.layer, _PASSED):
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
    if propagation.is_stock(layer, ("Softmax",)):
        call = layer.call
        return _Head("softmax", ((layer, "call", lambda inputs, mask=None: inputs),), call)  # noqa: ARG005
    if propagation.is_stock(layer, _ACTIVATED):
        activation = layer.activation or keras.activations.linear
        kinds = {
            keras.activations.softmax: "softmax",
            keras.activations.log_softmax: "softmax",
            keras.activations.sigmoid: "sigmoid",
            keras.activations.linear: "linear",
        }
        kind = kinds.get(activation, "other")
        return _Head(kind, ((layer, "activation", keras.activations.linear),), activation)
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
