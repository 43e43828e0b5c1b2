# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Call the model batch after batch, its recurrent layers running our loop."""

from __future__ import annotations

import contextlib
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.inputs import leaves
from lstm_widgets.models.keras.layers import Found, find_layers, load_keras

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lstm_widgets.running.session import Session

# TensorFlow's words for an id that an Embedding doesn't have.
_OUTSIDE = re.compile(r"indices\[([\d,]*)\] = (-?\d+) is not in \[0, (\d+)\)")


# While a model runs, its layers' loops are ours: another thread that ran it meanwhile (a widget's
# request, in hosts that answer them in a thread of their own) would be recorded along with it.
_RUNNING = threading.RLock()


def run(
    model: Any,
    batch: Callable[[int, int], Any],
    size: int,
    session: Session,
    seen: Callable[[Any, int, int], None],
) -> None:
    """Let the model read everything, and the session know how much of it is done.

    ``batch(start, stop)`` is what the model is called with, ``seen(outputs, start, stop)`` is told
    what comes out.
    """
    parts = session.reading.parts(size)
    progress: Any = parts
    if len(parts) > 1:
        from tqdm.auto import tqdm  # noqa: PLC0415

        progress = tqdm(parts, desc="recording", unit="batch", leave=False)
    with prepared(model, session):
        try:
            for start, stop in progress:
                seen(read(model, batch(start, stop), start, stop, session), start, stop)
                session.done = stop
        except KeyboardInterrupt:
            if not session.done:
                raise
            warnings.warn(
                f"interrupted: the recording has the first {session.reading.describe(session.done)}",
                stacklevel=4,
            )
        finally:
            if progress is not parts:
                progress.close()


def read(model: Any, batch: Any, start: int, stop: int, session: Session) -> Any:
    """Call a prepared model once; return its outputs."""
    import tensorflow as tf  # noqa: PLC0415

    found = session.selection.found
    before = _states(model, found)
    outputs = None
    if not session.untraced:
        outputs = _call_recorded(model, batch, start, stop, session)
        # Maybe the model has a tf.function of its own, traced long ago: let its Python run.
        session.untraced = bool(session.missed()) and not tf.config.functions_run_eagerly()
        if session.untraced:
            _assign(before)
    if session.untraced:
        tf.config.run_functions_eagerly(True)
        try:
            outputs = _call_recorded(model, batch, start, stop, session)
        finally:
            tf.config.run_functions_eagerly(False)
    if session.symbolic:
        raise UnsupportedLayerError(
            f"model: layer {session.symbolic!r} cannot be recorded: the model calls it where there "
            f"are no values yet (inside of tf.vectorized_map or the like)"
        )
    session.end()
    if session.check == "full" and not session.began_in_padding and not session.holding.layers:
        _assign(before)
        with session.paused():
            batch = load_keras().tree.map_structure(tf.convert_to_tensor, batch)
            function = tf.function(lambda x: call_model(model, x), autograph=False)
            # Called as a concrete function, it doesn't warn that each batch traces another one.
            expected = function.get_concrete_function(batch)(*load_keras().tree.flatten(batch))
        session.compare_outputs(outputs, expected)
    session.go_on()
    if session.reading.mode == "windows" and any(one.stateful for one in found):
        _assign(before)  # every window starts from the states that the model was found with
    return outputs


def _call_recorded(model: Any, batch: Any, start: int, stop: int, session: Session) -> Any:
    session.begin(start, stop)
    try:
        return call_model(model, batch)
    except Exception as error:
        if session.symbolic:
            return None
        if session.failure is not None:
            # Bare, and not as Keras wraps what is raised within its layers.
            raise session.failure from None
        outside = _OUTSIDE.search(str(error))
        if outside:
            at, number, count = outside.groups()
            raise ValueError(
                f"inputs: the model looks up ids from 0 to {int(count) - 1}, got {number} (at "
                f"[{at}] of what is looked up)"
            ) from error
        shapes = ", ".join(str(tuple(value.shape)) for value in leaves(batch))
        error.add_note(f"This happened while recording, on inputs of shape {shapes}.")
        raise


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
    with _noted_when_built() as noted, states_as_found(model, find_layers(model)):
        try:
            call_model(model, first)
        finally:
            _assign(list(noted.values()))


@contextlib.contextmanager
def _noted_when_built() -> Iterator[dict[int, tuple[Any, Any]]]:
    """Read each variable that a call may change as soon as the layer that has it is built."""
    import tensorflow as tf  # noqa: PLC0415

    keras = load_keras()
    noted: dict[int, tuple[Any, Any]] = {}
    locked, initialised = keras.Layer._lock_state, keras.Variable._deferred_initialize  # noqa: SLF001

    def note(variable: Any) -> None:
        if not variable.trainable and variable._value is not None:  # noqa: SLF001
            with tf.init_scope():  # a layer may be built inside of a tf.function
                noted.setdefault(id(variable), (variable, variable.numpy()))

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
    return model(batch, **training)


def _states(model: Any, found: Sequence[Found]) -> list[tuple[Any, Any]]:
    """Read every variable that a call in inference mode may change."""
    states = [v for one in found for v in one.states]
    trained = {id(v) for v in model.trainable_variables}
    others = [v for v in model.variables if id(v) not in trained]
    return [(v, v.numpy()) for v in (*states, *others)]


def _assign(states: Sequence[tuple[Any, Any]]) -> None:
    for variable, value in states:
        if variable.numpy().tobytes() != value.tobytes():
            variable.assign(value)


@contextlib.contextmanager
def prepared(model: Any, session: Session) -> Iterator[None]:
    """Make a model ready for :func:`read`, and leave it as it was found."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(states_as_found(model, session.selection.found))
        stack.enter_context(_replaced_loops(session))
        if session.reading.mode == "pieces":
            stack.enter_context(_any_length(model))
        if session.every_output:
            stack.enter_context(_all_sequences(model, session.selection.found))
        yield


@contextlib.contextmanager
def _any_length(model: Any) -> Iterator[None]:
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
def _all_sequences(model: Any, found: Sequence[Found]) -> Iterator[None]:
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


@contextlib.contextmanager
def states_as_found(model: Any, found: Sequence[Found]) -> Iterator[None]:
    """Have a model for oneself, and leave it as it was found."""
    with _RUNNING:
        states = _states(model, found)
        try:
            yield
        finally:
            _assign(states)


@contextlib.contextmanager
def _replaced_loops(session: Session) -> Iterator[None]:
    """Let the recurrent layers run our loop, for as long as the context lasts."""
    try:
        for one in session.selection.found:
            # Past Keras's __setattr__, which has nothing to track here.
            name, ours = ("call", session.step) if one.stepped else ("inner_loop", session.loop)
            one.layer.__dict__[name] = ours(one)
        yield
    finally:
        for one in session.selection.found:
            one.layer.__dict__.pop("call" if one.stepped else "inner_loop", None)
