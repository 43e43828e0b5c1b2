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
import weakref
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lstm_widgets.errors import SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.adapter import adapter_of
from lstm_widgets.models.batches import Batch
from lstm_widgets.models.cell_state import ExplainedState
from lstm_widgets.models.inputs import (
    DEFAULT_BATCH_SIZE,
    expect_positive,
    standard_batch_size,
)
from lstm_widgets.models.keras import propagation
from lstm_widgets.models.keras.batches import KerasBatches
from lstm_widgets.models.keras.cell_state import counted_loops, state_patch
from lstm_widgets.models.keras.head import Head, find_head
from lstm_widgets.models.keras.layers import call_orders, find_layers, load_keras, with_way_back
from lstm_widgets.models.keras.outputs import declared, leading, named
from lstm_widgets.models.keras.passes import Pass
from lstm_widgets.models.keras.patches import replaced
from lstm_widgets.models.keras.places import find_place
from lstm_widgets.models.keras.run import (
    build_model,
    call_model,
    prescribed_batch_size,
    states_as_found,
)
from lstm_widgets.models.keras.shown import Shown
from lstm_widgets.models.keras.sources import find_source
from lstm_widgets.models.keras.trace import Trace
from lstm_widgets.models.loop_check import LoopCheck
from lstm_widgets.models.opened import Opened
from lstm_widgets.models.outputs import Output
from lstm_widgets.models.passes import ReachedError
from lstm_widgets.models.sources import Source
from lstm_widgets.rnn.comparison import TOLERANCES, Check, difference, expect_check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.explaining import CellState
    from lstm_widgets.models.keras.patches import Patch
    from lstm_widgets.models.keras.places import Call

__all__ = ["Explained"]

# Examples whose outputs are compared with those of the model itself.
CHECKED_EXAMPLES = 4
# Values of the source, or of states, that run at a time even if that is more examples than usual.
_SOURCE_VALUES = 1 << 22


class Explained(Opened):
    """A Keras model opened for explanation, see :class:`lstm_widgets.models.explaining.Explained`.

    Parameters
    ----------
    model : keras.Model
        A Keras 3 model.
    inputs : array, list or dict
        What it is called with, as ``Given.whole`` gives it.
    source : str, optional
        The name of the layer ``(example, timestep, features)``, or of the model's input, at which
        tokens are told apart; None: the only Embedding or input of vectors, or else what the
        recurrent layers read.
    cell : CellState, optional
        Explain this cell's state instead of the model's output.
    output : str or int, optional
        Which output, of a model with several.
    batch_size : int, optional
        How many examples run at a time; None: 256, more if they are short, or what the model
        prescribes.
    check, tolerance : as for record
        How our loops are held against the layers' own in each batch, as in
        :func:`lstm_widgets.record`.

    Attributes
    ----------
    cell : CellState, optional
        The same.
    batch_size : int
        How many examples run at a time.
    count : int
        The number of examples.
    fixed : bool
        Whether the model prescribes how many examples run at a time.
    source : Source
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
        self._inputs = KerasBatches(model, inputs)
        self.count = self._inputs.count
        first = self._inputs.batch(0, min(self.count, batch_size or DEFAULT_BATCH_SIZE))
        build_model(model, self._inputs.structured(first))
        self._found = with_way_back(find_layers(model))
        self.fixed = any(one.stateful for one in self._found if not one.problem) or any(
            t.shape[0] for t in getattr(model, "inputs", None) or []
        )
        self.batch_size = standard_batch_size(
            prescribed_batch_size(model, self._found), self.count, batch_size
        )
        self.cell = cell
        self._state = None if cell is None else ExplainedState(cell, self._found)
        calls: dict[str, list[int]] = {}
        rows = self.batch_size if self.fixed else min(self.batch_size, CHECKED_EXAMPLES)
        few = self._inputs.batch(0, rows)
        trace = self._traced(few, calls)
        if self._state is not None:
            self._state.among(calls)
        layers = {id(call.layer): call.layer for call in trace.calls}.values()
        embeddings = [x for x in layers if isinstance(x, keras.layers.Embedding)]
        operations: list[Any] = []  # those that a functional model has between its layers
        with contextlib.suppress(UnsupportedLayerError):
            every = propagation.operations_of(model)
            operations = [x for x in every if not isinstance(x, keras.Layer)]
        orders = call_orders(model)
        place = self._other_place(trace, source, rows, operations)
        self.source = place or find_source(trace, self._inputs.names, source, orders)
        self._inside = self.source.layer is not None and self.source.layer not in embeddings
        self._shown = Shown(
            self.source,
            [*embeddings, self.source.layer] if self._inside else embeddings,
            masking=[x for x in layers if isinstance(x, keras.layers.Masking)],
            operations=operations,
            orders=orders,
            inside=self._inside,
        )
        if batch_size is None and not self.fixed:
            # Of a series with few channels, states are what takes memory.
            timesteps = 0 if self.tokens is None else int(self.tokens.shape[1])
            values = max(self.source.size, timesteps * self.states)
            self.batch_size = max(self.batch_size, _SOURCE_VALUES // values)
        self._head = Head("linear", ()) if cell else find_head(trace)
        # What the first call is held against: some rows, and what the model makes of them.
        self._expected: tuple[Batch, Any] | None = None if cell else (few, trace.output)
        self._states = [(v, v.numpy()) for one in self._found if one.stateful for v in one.states]

    def _traced(self, batch: Batch, calls: dict[str, list[int]]) -> Trace:
        """Call the model and look on."""
        patches = counted_loops(self._found, Pass(), calls)
        with self.states_as_found(), replaced(patches):
            return Trace.of(self._model, batch.tensors, lambda: self._call(batch))

    def _other_place(
        self, trace: Trace, wanted: str | None, rows: int, operations: Sequence[Any]
    ) -> Source | None:
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
            self._inputs.names,
            wanted,
            probe=probe,
            operations=operations,
        )
        if place is None:
            return None
        size = int(np.prod(place.shape))
        shape = place.shape if place.layer is None else None
        calls = {} if place.layer is None else {1: 0}
        return Source(place.name, place.layer, calls, (place.leaf,), size, (place.shape[0],), shape)

    # What goes in ---------------------------------------------------------------------------------

    @property
    def activation(self) -> str:
        """What makes outputs of logits: ``softmax``, ``sigmoid``, ``linear`` or ``other``."""
        return self._head.activation

    @contextlib.contextmanager
    def states_as_found(self) -> Iterator[None]:
        """Leave the states of stateful layers, and everything else, as they were."""
        with states_as_found(self._model, self._found):
            yield

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
            done = Pass(tape=tape, relevance=relevance, inside=self._inside)
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
            if self._check and values is None:
                full = self._check == "full"
                done.check = LoopCheck(seen, full=full, tolerance=self._tolerance)
            with replaced(self._patches(seen, values, kept, at, relevance)):
                try:
                    done.logits = self._call(Batch(tuple(tensors), batch.rows))
                except Exception:
                    if done.problem is None:
                        raise
                    if not isinstance(done.problem, ReachedError):
                        raise done.problem from None
        if self._state is not None and not isinstance(done.problem, ReachedError):
            raise self._state.unreached()
        if not done.sources:
            raise UnsupportedLayerError(
                f"model: layer {self.source.name!r} isn't called by value (it is called inside of a "
                f"tf.function), so that nothing can be traced back to it"
            )
        if self._expected is not None and values is None:
            self._compare(done)
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
        yield from self._shown.source_patches(done, values)
        yield from self._shown.mask_patches(done, kept)
        yield from propagation.loops(self._found, done)
        if relevance:
            symbolic = None
            if self._output is not None and (known := declared(self._model)) is not None:
                symbolic = self._output.of(known)
            yield from propagation.rules(self._model, self._found, done, leading(symbolic))
        yield from self._head.patches
        if self._state is not None:
            yield state_patch(self._state, done, at)

    def _call(self, batch: Batch) -> Any:
        outputs = call_model(self._model, self._inputs.structured(batch))
        made = named(self._model, outputs)
        if self._output is None:
            return next(iter(made.values()))
        if len(made) > 1:
            self.output = self._output.name(made)
        return self._output.of(made)

    def _compare(self, done: Pass) -> None:
        """Hold the logits of the first examples against what the model itself returned for them."""
        assert self._expected is not None  # noqa: S101
        (few, expected), self._expected = self._expected, None
        tolerance = self._tolerance or TOLERANCES[expected.dtype.name]
        found = difference(self._head.outputs(done.logits[: len(expected)]), expected)
        if found > tolerance and (done.check is None or done.check.drifted):
            # Among other rows, rounding is another, and may have grown. Among the same it is the same.
            patches = [*counted_loops(self._found, Pass(), {}), *self._head.patches]
            with self.states_as_found(), replaced(patches):
                found = difference(self._head.outputs(self._call(few)), expected)
        if found > tolerance:
            raise SelfCheckError(
                f"the model's outputs differ by {found:.3g} from what its logits give, more than "
                f"the tolerance of {tolerance:.3g}"
            )

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
