# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Run a Keras model, its recurrent layers running our loop."""

from __future__ import annotations

import contextlib
import functools
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.errors import SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.inputs import leaves
from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.cells import as_array, as_tensor, mask_array, read_cell
from lstm_widgets.models.keras.gather import array
from lstm_widgets.models.keras.layers import Found, find_layers, load_keras
from lstm_widgets.models.keras.outputs import named
from lstm_widgets.models.keras.own_loop import OwnLoop, call_cell
from lstm_widgets.models.keras.patches import is_stock, replaced
from lstm_widgets.models.keras.returned import as_returned, last_as_returned
from lstm_widgets.rnn.cells import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Loop
    from lstm_widgets.models.keras.patches import Patch
    from lstm_widgets.models.outputs import Output
    from lstm_widgets.rnn.cells import Cell


# While a model runs, its layers' loops are ours: another thread that ran it meanwhile (a widget's
# request, in hosts that answer them in a thread of their own) would be recorded along with it.
RUNNING = threading.RLock()


class SymbolicCallError(Exception):
    """A layer was called inside a function that is being traced, where there are no values yet."""


@dataclass(frozen=True)
class LayerCall:
    """One call of a recurrent layer; see :class:`lstm_widgets.models.adapter.Call`."""

    layer: Found
    number: int
    x: npt.NDArray[Any]
    states: list[npt.NDArray[Any]]
    mask: npt.NDArray[np.bool_] | None
    tensors: tuple[Any, Any]  # what it reads, and the states, as Keras has them
    paused: Callable[[], contextlib.AbstractContextManager[None]]

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The layer's cells, with arrays of the dtype in which they compute."""
        return tuple(map(read_cell, self.layer.kinds, self.layer.cells))

    @property
    def over_time(self) -> bool:
        """Whether the hidden state of every timestep goes on, and not the last one only."""
        return not self.layer.stepped and bool(self.layer.layer.return_sequences)

    def own(
        self,
        x: npt.NDArray[Any],
        states: Sequence[npt.NDArray[Any]],
        mask: npt.NDArray[np.bool_] | None,
        *,
        compiled: bool = False,
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        """Let the layer's own loop read this; return its output at every timestep, and last states."""
        sequences, initial_state = self.tensors
        given = [as_tensor(state, str(state.dtype)) for state in states]
        state = load_keras().tree.pack_sequence_as(initial_state, given)
        dtype = load_keras().backend.standardize_dtype(sequences.dtype)
        with self.paused():
            outputs, ended = OwnLoop.of(self.layer.layer)(
                as_tensor(x, dtype), state, mask, traced=compiled
            )
        return as_array(outputs), [as_array(each) for each in ended]

    def step(
        self, cell: int, x: npt.NDArray[Any], states: Sequence[npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """Let one of the layer's own cells, by its index, take a single step; return its states."""
        own = self.layer.cells[cell]
        before = [as_tensor(state, own.compute_dtype) for state in states]
        given = as_tensor(x[:, None], str(x.dtype))
        with self.paused():
            _, after = OwnLoop.of(own)(given, before, None, traced=False)
        return [as_array(each) for each in after]

    def returned(
        self,
        hidden: npt.NDArray[Any],
        mask: npt.NDArray[np.bool_] | None,
        *,
        begun: bool = False,
    ) -> npt.NDArray[Any]:
        """Make of hidden states what the layer returns: its reading order, its values at padding."""
        made: npt.NDArray[Any] = as_returned(hidden, mask, self.layer.layer, begun=begun)
        return made


@contextlib.contextmanager
def running(
    model: Any,
    found: Sequence[Found],
    loop: Loop,
    *,
    pieces: bool,
    every_output: bool,
    fresh: bool,
) -> Iterator[KerasRun]:
    """Make a model ready to run, as :meth:`Adapter.running` does, and leave it as it was found."""
    with contextlib.ExitStack() as stack:
        states = stack.enter_context(states_as_found(model, found))
        stack.enter_context(backend().inference(model))
        run = KerasRun(model, found, loop, states, fresh=fresh)
        stack.enter_context(run.replaced_loops())
        if pieces:
            stack.enter_context(any_length(model))
        if every_output:
            stack.enter_context(all_sequences(model, found))
        yield run


class KerasRun:
    """A model that is ready to run; see :class:`lstm_widgets.models.adapter.Run`."""

    def __init__(
        self,
        model: Any,
        found: Sequence[Found],
        loop: Loop,
        states: Sequence[tuple[Any, Any]],
        *,
        fresh: bool,
    ) -> None:
        self._model = model
        self._found = found
        self._loop = loop
        self._fresh = fresh
        self._active = True
        self._untraced = False  # whether functions that the model has traced have to run as Python
        self._failure: Exception | None = None
        self._symbolic = ""  # a layer that was called in a graph, where there are no values yet
        self._times: dict[str, int] = {}  # how often each layer was called so far
        self._called_before = False
        self._found_in = states  # the model's states before the first call
        self._before = states  # and before the last one

    def __call__(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call the model, its layers running the loop; return its outputs by name."""
        if self._called_before:
            self._before = [(variable, _value(variable)) for variable, _ in self._before]
        self._called_before = True
        outputs = None
        if not self._untraced:
            outputs = self._called(batch)
            # Maybe the model has a function of its own, traced long ago: let its Python run.
            missed = bool(self._symbolic) or self._missed()
            self._untraced = missed and not backend().untraced
            if self._untraced:
                _assign(self._before)
                self._loop.restart()
        if self._untraced:
            with backend().untracing():
                outputs = self._called(batch)
        if self._symbolic:
            raise UnsupportedLayerError(
                f"model: layer {self._symbolic!r} cannot be recorded: the model calls it where there "
                f"are no values yet (inside of tf.vectorized_map, vmap or the like)"
            )
        if self._fresh and any(one.stateful for one in self._found):
            _assign(self._before)
        return self._named(outputs)

    def alone(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call the model with its layers' own loops, from where the last call started."""
        _assign(self._before)
        with self.paused():
            outputs = backend().called(lambda x: call_model(self._model, x), batch)
        if self._fresh:
            _assign(self._before)
        return self._named(outputs)

    def activation(self, output: Output, batch: Any) -> str:
        """Tell the last activation of an output, by one more call of which nothing is recorded."""
        from lstm_widgets.models.keras.head import activation_when_called  # noqa: PLC0415

        def called() -> Any:
            return output.of(named(self._model, call_model(self._model, batch)))

        with self.paused(), states_as_found(self._model, self._found):
            return activation_when_called(self._model, called)

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Give the variables that calls have changed since the model was found."""
        now = ((k, _value(variable), found) for k, (variable, found) in enumerate(self._found_in))
        return {str(k): value for k, value, found in now if value.tobytes() != found.tobytes()}

    def resume(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from what :meth:`state` has given."""
        _assign([(self._found_in[int(k)][0], value) for k, value in state.items()])
        self._called_before = True

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the layers run their own loops."""
        self._active = False
        times, self._times = self._times, {}
        try:
            yield
        finally:
            self._active = True
            self._times = times

    @contextlib.contextmanager
    def replaced_loops(self) -> Iterator[None]:
        """Let the recurrent layers run the loop, for as long as the context lasts."""
        try:
            for one in self._found:
                # Past Keras's __setattr__, which has nothing to track here.
                name, ours = (
                    ("call", self._step) if one.stepped else ("inner_loop", self._inner_loop)
                )
                one.layer.__dict__[name] = ours(one)
            with replaced(self._watched()):
                yield
        finally:
            for one in self._found:
                one.layer.__dict__.pop("call" if one.stepped else "inner_loop", None)

    def _watched(self) -> Iterator[Patch]:
        """Have other layers do what they may be asked for in words, or by what we replace."""
        layers = load_keras().layers
        for layer in self._model._flatten_layers():  # noqa: SLF001
            if is_stock(layer, ("Embedding",)):
                yield layer, "call", self._looked_up(layer)
            elif isinstance(layer, layers.Bidirectional):
                # On a GPU, both directions may run as one, without their layers.
                for name in ("_can_attempt_fused_lstm", "_can_attempt_fused_gru"):
                    yield layer, name, lambda *_, **__: False

    def _looked_up(self, layer: Any) -> Callable[[Any], Any]:
        """Make of the call of an Embedding one that is told of ids it doesn't have.

        What it does then is up to the backend, the device and the sign: it may count from the end, or
        give zeros or NaN.
        """
        own, count = type(layer).call, int(layer.input_dim)

        def call(inputs: Any) -> Any:
            if load_keras().ops.is_tensor(inputs) and not backend().symbolic(inputs):
                ids = as_array(inputs)
                outside = (ids < 0) | (ids >= count)
                if outside.any():
                    at = tuple(int(places[0]) for places in np.nonzero(outside))
                    self._failure = ValueError(
                        f"inputs: the model looks up ids from 0 to {count - 1}, got {ids[at]:g} (at "
                        f"[{','.join(map(str, at))}] of what layer {layer.name!r} looks up)"
                    )
                    raise self._failure
            return own(layer, inputs)

        return call

    def _named(self, outputs: Any) -> dict[str, npt.NDArray[Any]]:
        return {name: array(value) for name, value in named(self._model, outputs).items()}

    def _missed(self) -> bool:
        """Whether the last call didn't reach a layer that matters."""
        return any(
            one.name not in self._times and not one.optional and self._loop.wants(one)
            for one in self._found
        )

    def _called(self, batch: Any) -> Any:
        self._times, self._symbolic = {}, ""
        try:
            return call_model(self._model, batch)
        except Exception as error:
            if self._symbolic:
                return None
            if self._failure is not None:
                raise self._failure from None
            shapes = ", ".join(str(tuple(value.shape)) for value in leaves(batch))
            error.add_note(f"This happened while recording, on inputs of shape {shapes}.")
            raise

    def _inner_loop(self, one: Found) -> Callable[..., tuple[Any, Any, Any]]:
        """Make the loop that stands in for the layer's own."""
        tree = load_keras().tree

        def inner_loop(
            sequences: Any,
            initial_state: Any,
            mask: Any,
            training: bool = False,  # noqa: ARG001  (inference only)
        ) -> tuple[Any, Any, Any]:
            call = self._number(one)
            starts = self._loop.starts(one, call, tree.flatten(initial_state))
            if not self._active:
                own, tensor = type(one.layer).inner_loop, load_keras().ops.convert_to_tensor
                initial_state = tree.pack_sequence_as(initial_state, list(map(tensor, starts)))
                return own(one.layer, sequences, initial_state, mask, training=False)  # type: ignore[no-any-return]
            initial_state = tree.pack_sequence_as(initial_state, starts)
            return self._run(one, call, sequences, initial_state, mask)

        return inner_loop

    def _step(self, one: Found) -> Callable[..., tuple[Any, Any]]:
        """Make what stands in for the call of a cell that the model steps itself."""
        tree = load_keras().tree

        def call(inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:  # noqa: ARG001
            if not self._active or not self._loop.wants(one):
                return call_cell(one.layer, inputs, states)  # type: ignore[no-any-return]
            number = self._number(one)
            flat = self._loop.starts(one, number, tree.flatten(states))
            hidden, _, new = self._run(one, number, inputs[:, None], flat, None)
            return hidden, new if tree.is_nested(states) else new[0]

        return call

    def _number(self, one: Found) -> int:
        """Count a call of a layer, and tell its number."""
        self._times[one.name] = time = self._times.get(one.name, 0) + 1
        return one.number(time)

    def _run(
        self, one: Found, call: int, sequences: Any, initial_state: Any, mask: Any
    ) -> tuple[Any, Any, Any]:
        flat = load_keras().tree.flatten(initial_state)
        if any(map(backend().symbolic, (sequences, *flat))):
            self._symbolic = one.name
            raise SymbolicCallError
        tree, dtype = load_keras().tree, one.cells[-1].compute_dtype
        made = LayerCall(
            one,
            call,
            as_array(sequences),
            [as_array(state) for state in flat],
            None if mask is None else mask_array(tree.flatten(mask)[0]),
            (sequences, initial_state),
            self.paused,
        )
        try:
            result = self._loop.run(made)
        except SelfCheckError as error:
            self._failure = error  # Keras rewrites what is raised within its layers
            raise
        states = [as_tensor(state, dtype) for state in result.states]
        packed = tree.pack_sequence_as(initial_state, states)
        kind = KINDS[one.kinds[-1]]
        position = kind.signals.index("hidden_state") - kind.states
        if result.hidden is not None:
            outputs = as_tensor(made.returned(result.hidden, made.mask, begun=result.begun), dtype)
            # Keras doesn't look at the last output of a layer that returns all.
            return states[position], outputs, packed
        end = last_as_returned(result.states[position], made.mask, one.layer, begun=result.begun)
        final = as_tensor(end, dtype)
        return final, final[:, None], packed


def build_model(model: Any, first: Any) -> None:
    """Build a model that isn't yet, from the first that it is to read.

    To call it is the only way that works for all. What the call moves (the states of stateful
    layers) is put back to what it was when its layer was built.
    """
    if model.built:
        return
    if isinstance(model, load_keras().Sequential) and hasattr(first, "shape"):
        # Calling it would prescribe batches of as many examples as these.
        model.build((None, *first.shape[1:]))
        return
    with (
        _noted_when_built() as noted,
        states_as_found(model, find_layers(model)),
        backend().inference(model),
    ):
        try:
            call_model(model, first)
        finally:
            _assign(list(noted.values()))


@contextlib.contextmanager
def _noted_when_built() -> Iterator[dict[int, tuple[Any, Any]]]:
    """Read each variable that a call may change as soon as the layer that has it is built."""
    keras = load_keras()
    noted: dict[int, tuple[Any, Any]] = {}
    locked, initialised = keras.Layer._lock_state, keras.Variable._deferred_initialize  # noqa: SLF001

    def note(variable: Any) -> None:
        if not variable.trainable and variable._value is not None:  # noqa: SLF001
            with backend().eagerly():  # a layer may be built inside of a function that is traced
                noted.setdefault(id(variable), (variable, _value(variable)))

    def lock(layer: Any) -> None:
        locked(layer)
        states = keras.tree.flatten(getattr(layer, "states", None))
        for variable in (*layer.non_trainable_variables, *states):
            if isinstance(variable, keras.Variable):
                note(variable)

    def initialise(variable: Any) -> None:
        initialised(variable)
        note(variable)

    keras.Layer._lock_state, keras.Variable._deferred_initialize = lock, initialise  # noqa: SLF001
    try:
        yield noted
    finally:
        keras.Layer._lock_state = locked  # noqa: SLF001
        keras.Variable._deferred_initialize = initialised  # noqa: SLF001


def call_model(model: Any, batch: Any) -> Any:
    """Call a model in inference mode."""
    training = {"training": False} if model._call_has_training_arg else {}  # noqa: SLF001
    return model(load_keras().tree.map_structure(backend().taken, batch), **training)


def prescribed_batch_size(model: Any, found: Sequence[Found]) -> int | None:
    """Tell the number of examples that a model takes, if it takes no other."""
    fixed = [
        one.layer.states[0].shape[0]
        for one in found
        if not one.problem and one.stateful and one.layer.states
    ] + [t.shape[0] for t in getattr(model, "inputs", None) or [] if t.shape[0]]
    return int(fixed[0]) if fixed else None


def read_states(model: Any, found: Sequence[Found]) -> list[tuple[Any, Any]]:
    """Read every variable that a call in inference mode may change."""
    states = [v for one in found for v in one.states]
    trained = {id(v) for v in model.trainable_variables}
    others = [v for v in model.variables if id(v) not in trained]
    return [(v, _value(v)) for v in (*states, *others)]


def _value(variable: Any) -> npt.NDArray[Any]:
    """Read a variable, as it is now."""
    return np.array(as_array(load_keras().ops.convert_to_tensor(variable.value)))


def _assign(states: Sequence[tuple[Any, Any]]) -> None:
    for variable, value in states:
        if _value(variable).tobytes() != value.tobytes():
            variable.assign(value)


@contextlib.contextmanager
def any_length(model: Any) -> Iterator[None]:
    """Let a model take pieces of a text that are longer or shorter than its inputs are declared."""
    graphs = [
        layer
        for layer in model._flatten_layers()  # noqa: SLF001
        if hasattr(layer, "_adjust_input_rank")
    ]
    found = [graph.__dict__.get("_manual_input_spec", graph) for graph in graphs]
    try:
        for graph in graphs:
            graph.__dict__["_manual_input_spec"] = None
        yield
    finally:
        for graph, spec in zip(graphs, found, strict=True):
            if spec is graph:
                del graph.__dict__["_manual_input_spec"]
            else:
                graph.__dict__["_manual_input_spec"] = spec


@contextlib.contextmanager
def all_sequences(model: Any, found: Sequence[Found]) -> Iterator[None]:
    """Let layers that return their last output return that of every timestep."""
    changed = [one.layer for one in found if not one.stepped and not one.layer.return_sequences]
    # What comes after them then gets one more axis than it was built for.
    specs = {
        layer: layer.__dict__["_input_spec"]
        for layer in model._flatten_layers()  # noqa: SLF001
        if changed and "_input_spec" in layer.__dict__
    }
    try:
        for layer in changed:
            layer.__dict__["return_sequences"] = True
        for layer in specs:
            layer.__dict__["_input_spec"] = None
        yield
    finally:
        for layer in changed:
            layer.__dict__["return_sequences"] = False
        for layer, spec in specs.items():
            layer.__dict__["_input_spec"] = spec


def weights(model: Any, found: Sequence[Found]) -> Iterator[npt.NDArray[Any]]:
    """Give a model's weights, and the states of its layers."""
    for variable in (*model.weights, *(state for one in found for state in one.states)):
        yield _value(variable)


@contextlib.contextmanager
def states_as_found(model: Any, found: Sequence[Found]) -> Iterator[list[tuple[Any, Any]]]:
    """Have a model for oneself, and leave it as it was found: give the states that it was found in."""
    with RUNNING:
        states = read_states(model, found)
        try:
            yield states
        finally:
            _assign(states)
