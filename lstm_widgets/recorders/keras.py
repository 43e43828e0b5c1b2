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

import contextlib
import functools
import importlib.metadata
import json
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lstm_widgets.recording import RecordedLayer, Recording
from lstm_widgets.recurrence import SIGNALS, STATES, Cell, scan

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["RecordingError", "UnsupportedLayerError", "record"]

TOLERANCES = {"float64": 1e-5, "float32": 1e-5, "float16": 5e-3, "bfloat16": 4e-2}
"""Default tolerance of the self-check, by the dtype in which a layer computes."""

DEFAULT_BATCH_SIZE = 256
# What the self-check computes again, of every batch.
CHECKED_EXAMPLES = 4
CHECKED_TIMESTEPS = 16
# Tracing the layer's own loop costs more than running it a few times without.
UNTRACED_CHECKS = 2

Check = Literal["prefix", "full", False]


class RecordingError(RuntimeError):
    """The self-check failed: what was recorded is not what the layer computes."""


class UnsupportedLayerError(ValueError):
    """A recurrent layer of the model is none that can be recorded."""


def record(
    model: Any,
    inputs: Any,
    *,
    tokens: Sequence[Sequence[str]] | Mapping[str, Sequence[Sequence[str]]] | None = None,
    labels: Sequence[str] | None = None,
    layers: Sequence[str] | str | None = None,
    signals: Sequence[str] | str | None = None,
    batch_size: int | None = None,
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
    tokens
        What stands at each timestep: one sequence of str for each example (a str is a sequence of
        characters). It names the timesteps of every layer that has as many. Or a dict from layer
        name to such.
    labels
        One str for each example.
    layers
        Names of the layers to keep, ``"bidirectional"`` for both directions,
        ``"bidirectional/forward"`` for one. Default: all.
    signals
        Names of the signals to keep. Default: all. Layers that have none of them are left out.
    batch_size
        How many examples run at a time. Default: 256, or what the model prescribes.
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
        If the model has no recurrent layer, or inputs, tokens, labels, layers or signals don't fit.
    UnsupportedLayerError
        If a recurrent layer cannot be recorded (a custom cell, for example) and ``layers`` doesn't
        leave it out.
    RecordingError
        If the self-check finds a difference above the tolerance.

    Warns
    -----
    UserWarning
        If the recording was interrupted (it then has the examples that were done), or the model
        didn't call one of its recurrent layers.
    """
    keras = _keras()
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"model: expected a Keras 3 model (keras.Model), got {type(model).__module__}."
            f"{type(model).__name__}"
        )
    if check not in ("prefix", "full", False):
        raise ValueError(f"check: expected 'prefix', 'full' or False, got {check!r}")
    if tolerance is not None and not tolerance > 0:
        raise ValueError(f"tolerance: expected a positive number, got {tolerance!r}")
    inputs = _standard_inputs(model, inputs)
    count = _count_examples(inputs)
    tokens = _standard_tokens(tokens, count)
    _expect_labels(labels, count)

    if not model.built:
        model(_slice(inputs, 0, min(count, batch_size or DEFAULT_BATCH_SIZE)))
    selection = _Selection(_find_layers(model), layers, signals)
    size = _standard_batch_size(model, selection, count, batch_size)
    session = _Session(selection, count, check, tolerance)

    done = _run(model, inputs, size, session, tokens)
    return session.recording(model, done, tokens, labels)


# Which layers there are ---------------------------------------------------------------------------


@dataclass(frozen=True)
class _Found:
    """A recurrent layer of the model, or something recurrent that cannot be recorded."""

    name: str
    layer: Any
    kinds: tuple[str, ...] = ()  # one a cell, in the order in which they are stacked
    problem: str = ""

    @property
    def units(self) -> tuple[str, ...]:
        """The names under which its cells are recorded."""
        if len(self.kinds) < 2:
            return (self.name,)
        return tuple(f"{self.name}/cell_{k}" for k in range(len(self.kinds)))


def _keras() -> Any:
    import keras  # noqa: PLC0415  (`import lstm_widgets` must not need it)

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            f"model: expected Keras to run on TensorFlow, got the backend "
            f"{keras.backend.backend()!r} (set KERAS_BACKEND=tensorflow before importing keras)"
        )
    return keras


def _find_layers(model: Any) -> list[_Found]:
    """List everything recurrent in a model, in its order, each layer once."""
    keras = _keras()
    found: list[_Found] = []
    names: set[str] = set()
    seen: set[int] = set()

    def add(name: str, layer: Any) -> None:
        unique, k = name, 2
        while unique in names:
            unique, k = f"{name}_{k}", k + 1
        names.add(unique)
        kinds, problem = _kinds(layer)
        found.append(_Found(unique, layer, kinds, problem))

    def walk(parent: Any, path: str) -> None:
        children = (
            parent.layers
            if isinstance(parent, keras.Model)
            else parent._flatten_layers(include_self=False, recursive=False)  # noqa: SLF001
        )
        for layer in children:
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            name = path + layer.name
            if isinstance(layer, keras.layers.RNN) or _is_cell(layer):
                add(name, layer)
            elif isinstance(layer, keras.layers.Bidirectional):
                add(f"{name}/forward", layer.forward_layer)
                add(f"{name}/backward", layer.backward_layer)
            else:
                walk(layer, f"{name}/")

    walk(model, "")
    return found


def _is_cell(layer: Any) -> bool:
    layers = _keras().layers
    return isinstance(
        layer, (layers.LSTMCell, layers.GRUCell, layers.SimpleRNNCell, layers.StackedRNNCells)
    )


def _kinds(layer: Any) -> tuple[tuple[str, ...], str]:
    """Tell the kinds of a layer's cells, or why it cannot be recorded."""
    layers = _keras().layers
    if _is_cell(layer):
        return (), "a cell that the model steps itself, outside of an RNN layer"
    if not isinstance(layer, layers.RNN):
        return (), f"a {type(layer).__name__}, which is no keras.layers.RNN"
    own = (layers.RNN.inner_loop, layers.LSTM.inner_loop, layers.GRU.inner_loop)
    if type(layer).inner_loop not in own:
        return (), f"a {type(layer).__name__}, which has a loop of its own"
    stacked = isinstance(layer.cell, layers.StackedRNNCells)
    kinds = []
    for cell in layer.cell.cells if stacked else [layer.cell]:
        for kind in SIGNALS:
            base = getattr(layers, f"{kind}Cell")
            if isinstance(cell, base) and type(cell).call is base.call:
                kinds.append(kind)
                break
        else:
            return (), f"a {type(layer).__name__} around the custom cell {type(cell).__name__}"
    return tuple(kinds), ""


class _Selection:
    """Which layers and which of their signals are to be kept."""

    def __init__(
        self,
        found: Sequence[_Found],
        layers: Sequence[str] | str | None,
        signals: Sequence[str] | str | None,
    ) -> None:
        if not found:
            raise ValueError(
                "model: expected at least one recurrent layer (LSTM, GRU, SimpleRNN, RNN), "
                "got a model with none"
            )
        self._layers = _names("layers", layers)
        self._signals = _names("signals", signals)
        units = [unit for one in found for unit in one.units]
        for name in self._layers or ():
            base = _without_call(name)
            if not any(unit == base or unit.startswith(f"{base}/") for unit in units):
                raise ValueError(
                    f"layers: expected names among {', '.join(map(repr, units))}; got {name!r}"
                )
        for one in found:
            if one.problem and self.keeps(one.name):
                raise UnsupportedLayerError(
                    f"model: layer {one.name!r} cannot be recorded: it is {one.problem}. "
                    f"To record the others, name them in layers="
                )
        self.found = [one for one in found if not one.problem]
        known = dict.fromkeys(name for one in self.found for k in one.kinds for name in SIGNALS[k])
        for name in self._signals or ():
            if name not in known:
                raise ValueError(
                    f"signals: expected names among {', '.join(map(repr, known))}; got {name!r}"
                )

    def keeps(self, unit: str) -> bool:
        """Whether a layer, or cell of a stack, of this name is to be kept."""
        if self._layers is None:
            return True
        base = _without_call(unit)
        return any(
            name in (unit, base) or unit.startswith(f"{name}/") or base.startswith(f"{name}/")
            for name in self._layers
        )

    def signals(self, unit: str, kind: str) -> tuple[str, ...]:
        """Which signals are to be kept of it, in the order of :data:`SIGNALS`."""
        if not self.keeps(unit):
            return ()
        return tuple(n for n in SIGNALS[kind] if self._signals is None or n in self._signals)


def _without_call(name: str) -> str:
    """``"lstm:2"`` → ``"lstm"``, ``"rnn:2/cell_0"`` → ``"rnn/cell_0"``."""
    head, colon, tail = name.rpartition(":")
    call, slash, rest = tail.partition("/")
    return head + slash + rest if colon and call.isdigit() else name


def _names(argument: str, names: Sequence[str] | str | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{argument}: expected one or more names, or None for all; got {names!r}")
    return names


# What goes in -------------------------------------------------------------------------------------


def _standard_inputs(model: Any, inputs: Any) -> Any:
    """Turn inputs into arrays and tensors with a first axis, in the structure the model takes."""
    keras = _keras()
    expected = getattr(model, "inputs", None) or []
    arrays = (np.ndarray, keras.KerasTensor)

    def is_array(value: Any) -> bool:
        return isinstance(value, arrays) or keras.ops.is_tensor(value)

    several = isinstance(inputs, Mapping) or (
        isinstance(inputs, (list, tuple))
        and (len(expected) > 1 or (len(inputs) > 0 and all(map(is_array, inputs))))
    )
    if several and len(expected) == 1 and not isinstance(inputs, Mapping) and len(inputs) != 1:
        several = False  # examples in a list, for a model with one input
    if isinstance(inputs, Mapping):
        inputs = {key: _standard_inputs_leaf(f"inputs[{key!r}]", v) for key, v in inputs.items()}
    elif several:
        inputs = [_standard_inputs_leaf(f"inputs[{k}]", v) for k, v in enumerate(inputs)]
        if len(expected) == len(inputs) == 1:
            inputs = inputs[0]
    else:
        inputs = _standard_inputs_leaf("inputs", inputs)
    if expected and not isinstance(inputs, Mapping):
        given = inputs if isinstance(inputs, list) else [inputs]
        if len(given) != len(expected):
            raise ValueError(
                f"inputs: expected {len(expected)} arrays (one for each input of the model), "
                f"got {len(given)}"
            )
        for k, (value, tensor) in enumerate(zip(given, expected, strict=True)):
            where = "inputs" if len(given) == 1 else f"inputs[{k}]"
            if not _fits(tuple(value.shape), tuple(tensor.shape)):
                raise ValueError(
                    f"{where}: expected shape {tuple(tensor.shape)} (None: any length), "
                    f"got {tuple(value.shape)}"
                )
    return inputs


def _standard_inputs_leaf(where: str, value: Any) -> Any:
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        try:
            value = np.asarray(value)
        except ValueError as error:
            raise ValueError(f"{where}: expected sequences of one length, got {error}") from error
    if value.dtype == object:
        raise TypeError(f"{where}: expected numbers, got an array of objects")
    if len(value.shape) < 1:
        raise ValueError(f"{where}: expected an array of examples, got the scalar {value!r}")
    return value


def _fits(shape: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    # Like Keras, don't insist on a last axis of length 1.
    if len(shape) == len(expected) + 1 and shape[-1] == 1:
        shape = shape[:-1]
    if len(expected) == len(shape) + 1 and expected[-1] == 1:
        expected = expected[:-1]
    return len(shape) == len(expected) and all(
        e is None or n == e for n, e in zip(shape[1:], expected[1:], strict=True)
    )


def _leaves(inputs: Any) -> list[Any]:
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return inputs if isinstance(inputs, list) else [inputs]


def _slice(inputs: Any, start: int, stop: int) -> Any:
    if isinstance(inputs, Mapping):
        return {key: value[start:stop] for key, value in inputs.items()}
    if isinstance(inputs, list):
        return [value[start:stop] for value in inputs]
    return inputs[start:stop]


def _count_examples(inputs: Any) -> int:
    counts = {int(value.shape[0]) for value in _leaves(inputs)}
    if len(counts) != 1:
        raise ValueError(
            f"inputs: expected the same number of examples in each array, got {sorted(counts)}"
        )
    return counts.pop()


def _standard_batch_size(
    model: Any, selection: _Selection, count: int, batch_size: int | None
) -> int:
    if batch_size is not None and (
        isinstance(batch_size, bool)
        or not isinstance(batch_size, (int, np.integer))
        or batch_size < 1
    ):
        raise ValueError(f"batch_size: expected a positive whole number, got {batch_size!r}")
    fixed = [
        one.layer._expected_batch_size  # noqa: SLF001
        for one in selection.found
        if one.layer.stateful and one.layer._expected_batch_size  # noqa: SLF001
    ] + [t.shape[0] for t in getattr(model, "inputs", None) or [] if t.shape[0]]
    if not fixed:
        return int(batch_size or DEFAULT_BATCH_SIZE)
    if batch_size not in (None, fixed[0]):
        raise ValueError(f"batch_size: the model prescribes {fixed[0]}, got {batch_size}")
    if count % fixed[0]:
        raise ValueError(
            f"inputs: the model takes batches of exactly {fixed[0]} examples, got {count} examples"
        )
    return int(fixed[0])


def _standard_tokens(tokens: Any, count: int) -> Any:
    """Check everything about tokens that doesn't depend on a layer's number of timesteps."""
    if tokens is None:
        return None
    if isinstance(tokens, Mapping):
        return {
            name: _token_rows(f"tokens[{name!r}]", rows, count) for name, rows in tokens.items()
        }
    return _token_rows("tokens", tokens, count)


def _token_rows(where: str, rows: Any, count: int) -> list[list[str]]:
    if isinstance(rows, str):
        raise TypeError(
            f"{where}: expected one sequence of str for each example, got the str {rows[:20]!r} "
            f"(for a single example, put it into a list)"
        )
    if len(rows) != count:
        raise ValueError(
            f"{where}: expected one sequence for each of {count} examples, got {len(rows)}"
        )
    result = [[str(t) if isinstance(t, str) else t for t in row] for row in rows]
    for k, row in enumerate(result):
        for token in row:
            if not isinstance(token, str):
                raise TypeError(f"{where}[{k}]: expected str, got {token!r}")
    return result


def _expect_labels(labels: Any, count: int) -> None:
    if labels is None:
        return
    if isinstance(labels, str) or len(labels) != count:
        raise ValueError(
            f"labels: expected one str for each of {count} examples, got {len(labels)} for "
            f"{labels!r:.80}"
        )
    for label in labels:
        if not isinstance(label, str):
            raise TypeError(f"labels: expected str, got {label!r}")


# The run ------------------------------------------------------------------------------------------


class _SymbolicCallError(Exception):
    """A layer was called inside a tf.function, where there are no values yet."""


def _run(model: Any, inputs: Any, size: int, session: _Session, tokens: Any) -> int:
    """Call the model on all batches; return how many examples are done."""
    count = session.count
    starts = range(0, max(count, 1), size)
    progress: Any = starts
    if len(starts) > 1:
        from tqdm.auto import tqdm  # noqa: PLC0415

        progress = tqdm(starts, desc="recording", unit="batch", leave=False)
    done = 0
    with _states_as_found(model, session.selection.found), _replaced_loops(session):
        try:
            for start in progress:
                stop = min(start + size, count)
                _run_batch(model, _slice(inputs, start, stop), start, stop, session)
                if start == 0:
                    session.expect_tokens(tokens)
                done = stop
        except KeyboardInterrupt:
            if not done:
                raise
            warnings.warn(
                f"interrupted: the recording has the first {done} of {count} examples",
                stacklevel=4,
            )
        finally:
            if progress is not starts:
                progress.close()
    return done


def _run_batch(model: Any, batch: Any, start: int, stop: int, session: _Session) -> None:
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
    if session.check == "full":
        _assign(before)
        with session.paused():
            batch = _keras().tree.map_structure(tf.convert_to_tensor, batch)
            function = tf.function(lambda x: _call(model, x), autograph=False)
            # Called as a concrete function, it doesn't warn that each batch traces another one.
            expected = function.get_concrete_function(batch)(*_keras().tree.flatten(batch))
        session.compare_outputs(outputs, expected)


def _call_recorded(model: Any, batch: Any, start: int, stop: int, session: _Session) -> Any:
    session.begin(start, stop)
    try:
        return _call(model, batch)
    except Exception as error:
        if session.symbolic:
            return None
        shapes = ", ".join(str(tuple(value.shape)) for value in _leaves(batch))
        error.add_note(f"This happened while recording, on inputs of shape {shapes}.")
        raise


def _call(model: Any, batch: Any) -> Any:
    training = {"training": False} if model._call_has_training_arg else {}  # noqa: SLF001
    return model(batch, **training)


def _states(model: Any, found: Sequence[_Found]) -> list[tuple[Any, Any]]:
    """Read every variable that a call in inference mode may change."""
    tree = _keras().tree
    states = [v for one in found for v in tree.flatten(one.layer.states)]
    trained = {id(v) for v in model.trainable_variables}
    others = [v for v in model.variables if id(v) not in trained]
    return [(v, v.numpy()) for v in (*states, *others) if v is not None]


def _assign(states: Sequence[tuple[Any, Any]]) -> None:
    for variable, value in states:
        variable.assign(value)


@contextlib.contextmanager
def _states_as_found(model: Any, found: Sequence[_Found]) -> Iterator[None]:
    states = _states(model, found)
    try:
        yield
    finally:
        _assign(states)


@contextlib.contextmanager
def _replaced_loops(session: _Session) -> Iterator[None]:
    """Let the recurrent layers run our loop, for as long as the context lasts."""
    try:
        for one in session.selection.found:
            # Past Keras's __setattr__, which has nothing to track here.
            one.layer.__dict__["inner_loop"] = session.loop(one)
        yield
    finally:
        for one in session.selection.found:
            one.layer.__dict__.pop("inner_loop", None)


@dataclass
class _Unit:
    """What is kept of one call of one cell."""

    name: str
    kind: str
    layer: Any
    signals: dict[str, npt.NDArray[np.float32]]
    mask: npt.NDArray[np.bool_]
    tolerance: float
    difference: float = 0.0
    checked_examples: int = 0
    checked_timesteps: int = 0
    reached: int = 0  # first example of the last batch in which the model called it

    @property
    def timesteps(self) -> int:
        return int(self.mask.shape[1])


class _Session:
    """One run of :func:`record`: what has been kept so far."""

    def __init__(
        self, selection: _Selection, count: int, check: Check, tolerance: float | None
    ) -> None:
        self.selection = selection
        self.check = check
        self.tolerance = tolerance
        self.count = count
        self.units: dict[str, _Unit] = {}
        self.symbolic = ""  # a layer that was called in a graph, where there are no values yet
        self.untraced = False  # whether the model's own tf.functions have to run as Python
        self._outputs_difference = 0.0
        self._active = True
        self._start = self._stop = 0
        self._calls: dict[str, int] = {}

    def begin(self, start: int, stop: int) -> None:
        """Announce the examples that the next call of the model is about."""
        self._start, self._stop = start, stop
        self._calls = {}
        self.symbolic = ""

    def missed(self) -> list[str]:
        """Name the layers to keep that the last call of the model didn't reach, or not by value."""
        return [
            one.name
            for one in self.selection.found
            if one.name not in self._calls and any(map(self.selection.keeps, one.units))
        ]

    def end(self) -> None:
        """Check that the call of the model reached the same layers as the calls before it."""
        for unit in self.units.values():
            if unit.reached != self._start:
                raise UnsupportedLayerError(
                    f"model: layer {unit.name!r} is called for some examples only "
                    f"(not for {self._start} to {self._stop - 1})"
                )

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let the layers run their own loops."""
        self._active = False
        try:
            yield
        finally:
            self._active = True

    def loop(self, one: _Found) -> Any:
        """Make the loop that stands in for the layer's own."""

        def inner_loop(
            sequences: Any,
            initial_state: Any,
            mask: Any,
            training: bool = False,  # noqa: ARG001  (inference only)
        ) -> tuple[Any, Any, Any]:
            if not self._active:
                return type(one.layer).inner_loop(  # type: ignore[no-any-return]
                    one.layer, sequences, initial_state, mask, training=False
                )
            return self._record(one, sequences, initial_state, mask)

        return inner_loop

    def _record(
        self, one: _Found, sequences: Any, initial_state: Any, mask: Any
    ) -> tuple[Any, Any, Any]:
        import tensorflow as tf  # noqa: PLC0415

        tree = _keras().tree
        if not tf.executing_eagerly():
            self.symbolic = one.name
            raise _SymbolicCallError
        layer = one.layer
        examples, timesteps = int(sequences.shape[0]), int(sequences.shape[1])
        if examples != self._stop - self._start:
            raise UnsupportedLayerError(
                f"model: layer {one.name!r} cannot be recorded: its first axis is no longer the "
                f"examples (expected {self._stop - self._start}, got {examples})"
            )
        real = None if mask is None else _mask_array(tree.flatten(mask)[0])
        call = self._calls[one.name] = self._calls.get(one.name, 0) + 1
        cells = layer.cell.cells if len(one.kinds) > 1 or _is_stack(layer) else [layer.cell]
        states = tree.flatten(initial_state)
        position = 0
        x = sequences
        hidden: Any = None
        new_states: list[Any] = []
        kept: list[tuple[_Unit, int, dict[str, Any]]] = []
        for cell, kind, unit_name in zip(cells, one.kinds, one.units, strict=True):
            name = unit_name
            if call > 1:
                name = f"{one.name}:{call}{unit_name[len(one.name) :]}"
            unit = self._unit(name, kind, layer, cell, (timesteps, int(cell.units)))
            unit.reached = self._start
            x = tf.cast(x, cell.compute_dtype)
            state = [tf.cast(s, cell.compute_dtype) for s in states[position:][: STATES[kind]]]
            out: dict[str, Any] = {
                n: array[self._start : self._stop] for n, array in unit.signals.items()
            }
            double = cell.compute_dtype == "float64"
            if double or "hidden_state" not in out:
                # The model goes on with it, in full precision, even if it isn't kept.
                shape = (examples, timesteps, int(cell.units))
                out["hidden_state"] = np.empty(shape, np.float64 if double else np.float32)
            last = scan(_cell(kind, cell), x, state, real, out, reverse=bool(layer.go_backwards))
            hidden = out["hidden_state"]
            if double and "hidden_state" in unit.signals:
                unit.signals["hidden_state"][self._start : self._stop] = hidden
            if real is not None:
                unit.mask[self._start : self._stop] = real
            kept.append((unit, position, out))
            new_states += last
            position += STATES[kind]
            if cell is not cells[-1]:
                x = tf.convert_to_tensor(hidden)
        if self.check:
            self._compare_layer(layer, sequences, initial_state, real, kept)

        dtype = cells[-1].compute_dtype
        packed = tree.pack_sequence_as(initial_state, new_states)
        if layer.return_sequences:
            outputs = tf.cast(_as_returned(hidden, real, layer), dtype)
            return outputs[:, -1], outputs, packed
        final = tf.cast(_last_as_returned(hidden, real, layer), dtype)
        return final, final[:, None], packed

    def _unit(self, name: str, kind: str, layer: Any, cell: Any, shape: tuple[int, int]) -> _Unit:
        """Find what is kept under a name; in the first batch, make room for it."""
        unit = self.units.get(name)
        if unit is None:
            if self._start:
                raise UnsupportedLayerError(
                    f"model: layer {name!r} is called for some examples only "
                    f"(not for 0 to {self._start - 1})"
                )
            tolerance = self.tolerance
            if tolerance is None:
                tolerance = TOLERANCES.get(cell.compute_dtype, TOLERANCES["float32"])
            names = self.selection.signals(name, kind)
            # In one piece, which the system can back with large pages: many small ones cost as
            # much as the computation.
            values = np.empty((len(names), self.count, *shape), np.float32)
            signals = dict(zip(names, values, strict=True))
            mask = np.ones((self.count, shape[0]), np.bool_)
            unit = self.units[name] = _Unit(name, kind, layer, signals, mask, tolerance)
        elif unit.timesteps != shape[0]:
            raise UnsupportedLayerError(
                f"model: layer {name!r} has {unit.timesteps} timesteps for the first examples and "
                f"{shape[0]} for others; record them separately"
            )
        return unit

    # The self-check -------------------------------------------------------------------------------

    def _compare_layer(
        self,
        layer: Any,
        sequences: Any,
        initial_state: Any,
        real: npt.NDArray[np.bool_] | None,
        kept: Sequence[tuple[_Unit, int, dict[str, Any]]],
    ) -> None:
        """Hold what our loop gave against the layer's own loop."""
        import tensorflow as tf  # noqa: PLC0415

        tree = _keras().tree
        examples, timesteps = int(sequences.shape[0]), int(sequences.shape[1])
        if not examples or not timesteps:
            return
        if self.check == "full":
            rows, length = np.arange(examples), timesteps
            starts = np.zeros(examples, int)
        else:
            length = min(timesteps, CHECKED_TIMESTEPS)
            rows, starts = _windows(real, examples, timesteps, length, layer.go_backwards)
        # Positions in the order in which the layer reads, then as indices into its input.
        positions = starts[:, None] + np.arange(length)
        if layer.go_backwards:
            positions = timesteps - 1 - positions
        order = np.sort(positions, axis=1)
        ends = positions[:, -1]
        whole = len(rows) == examples and length == timesteps
        x = sequences if whole else tf.gather(tf.gather(sequences, rows), order, batch_dims=1)
        state = tree.map_structure(lambda s: s if whole else tf.gather(s, rows), initial_state)
        window = None if real is None else real[rows[:, None], order]
        outputs, states = _OwnLoop.of(layer)(x, state, window, traced=self.check == "full")

        last_unit, _, last_out = kept[-1]
        hidden = last_out["hidden_state"][rows[:, None], order]
        self._note(last_unit, _as_returned(hidden, window, layer), outputs, rows, length)
        for unit, position, out in kept:
            for k in range(STATES[unit.kind]):
                signal = SIGNALS[unit.kind][k]
                if signal in out:
                    ours = out[signal][rows, ends]
                    self._note(unit, ours, states[position + k], rows, length)
            unit.checked_examples += len(rows)
            unit.checked_timesteps = length

    def _note(self, unit: _Unit, ours: Any, theirs: Any, rows: Any, length: int) -> None:
        difference = _difference(ours, theirs)
        unit.difference = max(unit.difference, difference)
        if difference > unit.tolerance:
            raise RecordingError(
                f"layer {unit.name!r}: the recording differs by {difference:.3g} from what the "
                f"layer itself computes, more than the tolerance of {unit.tolerance:.3g} "
                f"(compared: {len(rows)} examples, {length} timesteps)"
            )

    def compare_outputs(self, ours: Any, theirs: Any) -> None:
        """Hold the model's outputs with our loops against those without."""
        tree = _keras().tree
        tolerance = max(unit.tolerance for unit in self.units.values()) if self.units else 0.0
        pairs = zip(tree.flatten(ours), tree.flatten(theirs), strict=True)
        for k, (a, b) in enumerate(pairs):
            difference = _difference(a, b)
            self._outputs_difference = max(self._outputs_difference, difference)
            if difference > tolerance:
                raise RecordingError(
                    f"the model's output {k} differs by {difference:.3g} from that of the model "
                    f"itself, more than the tolerance of {tolerance:.3g}"
                )

    # What comes out -------------------------------------------------------------------------------

    def expect_tokens(self, tokens: Any) -> None:
        """Check that tokens fit the layers' numbers of timesteps, as soon as these are known."""
        if tokens is None:
            return
        lengths = {name: unit.timesteps for name, unit in self.units.items() if unit.signals}
        if isinstance(tokens, Mapping):
            for name, rows in tokens.items():
                if name not in lengths:
                    raise ValueError(
                        f"tokens: expected names among {', '.join(map(repr, lengths))}; "
                        f"got {name!r}"
                    )
                given = {len(row) for row in rows}
                if given - {lengths[name]}:
                    raise ValueError(
                        f"tokens[{name!r}]: expected {lengths[name]} tokens for each example, "
                        f"got {_counts(given)}"
                    )
            return
        given = {len(row) for row in tokens}
        if given and (len(given) > 1 or not given & set(lengths.values())):
            known = ", ".join(f"{name!r} has {n}" for name, n in lengths.items())
            raise ValueError(
                f"tokens: expected as many for each example as a layer has timesteps ({known}); "
                f"got {_counts(given)}"
            )

    def recording(self, model: Any, done: int, tokens: Any, labels: Any) -> Recording:
        """Hand over what was kept of the first ``done`` examples."""
        missed = self.missed()
        if missed:
            warnings.warn(
                f"not recorded, because the model didn't call them: {', '.join(missed)}",
                stacklevel=3,
            )
        layers = [self._recorded(unit, done, tokens) for unit in self._ordered() if unit.signals]
        if not layers:
            raise ValueError("layers, signals: no layer that was called has any of these signals")
        return Recording.from_layers(
            layers,
            labels=None if labels is None else [str(label) for label in labels[:done]],
            attrs=self._attrs(model),
        )

    def _ordered(self) -> list[_Unit]:
        """Sort the units as the model has them, repeated calls behind the first."""
        order = [unit for one in self.selection.found for unit in one.units]
        return sorted(self.units.values(), key=lambda unit: order.index(_without_call(unit.name)))

    def _recorded(self, unit: _Unit, done: int, tokens: Any) -> RecordedLayer:
        rows = tokens.get(unit.name) if isinstance(tokens, Mapping) else tokens
        array = None
        if rows is not None and all(len(row) == unit.timesteps for row in rows[:done]):
            array = np.empty((done, unit.timesteps), object)
            for k, row in enumerate(rows[:done]):
                array[k] = row
        padded = not unit.mask[:done].all()
        return RecordedLayer(
            name=unit.name,
            kind=unit.kind,
            signals={name: values[:done] for name, values in unit.signals.items()},
            mask=unit.mask[:done] if padded else None,
            tokens=array,
            check={
                "difference": unit.difference,
                "tolerance": unit.tolerance,
                "mode": self.check or "none",
                "examples": unit.checked_examples,
                "timesteps": unit.checked_timesteps,
            },
            config=_plain_config(unit.layer),
            go_backwards=bool(unit.layer.go_backwards),
        )

    def _attrs(self, model: Any) -> dict[str, Any]:
        attrs = {"model": model.name, "model_config": _plain_config(model), "versions": _versions()}
        if self.check == "full":
            attrs["outputs_difference"] = self._outputs_difference
        return attrs


def _is_stack(layer: Any) -> bool:
    return isinstance(layer.cell, _keras().layers.StackedRNNCells)


def _cell(kind: str, cell: Any) -> Cell:
    """Read a Keras cell, in the dtype in which it computes."""
    import tensorflow as tf  # noqa: PLC0415

    activations = _keras().activations

    def tensor(variable: Any) -> Any:
        return None if variable is None else tf.cast(variable.value, cell.compute_dtype)

    def name(function: Any) -> str | None:
        given = getattr(function, "__name__", "")
        return given if getattr(activations, given, None) is function else None

    recurrent_activation = getattr(cell, "recurrent_activation", cell.activation)
    return Cell(
        kind=kind,
        kernel=tensor(cell.kernel),
        recurrent_kernel=tensor(cell.recurrent_kernel),
        bias=tensor(cell.bias),
        activation=cell.activation,
        recurrent_activation=recurrent_activation,
        activation_names=(name(cell.activation), name(recurrent_activation)),
        reset_after=bool(getattr(cell, "reset_after", False)),
    )


def _mask_array(mask: Any) -> npt.NDArray[np.bool_]:
    array = np.asarray(mask).astype(np.bool_)
    return array[..., 0] if array.ndim == 3 else array


def _as_returned(hidden: Any, real: Any, layer: Any) -> Any:
    """Make of hidden states what the layer returns: its reading order, its values at padding.

    Two habits of Keras are kept, for the rest of the model to get what it always gets: before the
    first real timestep there are zeros, even if the state started elsewhere; and an unrolled layer
    that reads backwards takes its zeros for padding from the mask in its original order.
    """
    if layer.go_backwards:
        hidden = hidden[:, ::-1]
    if real is None:
        return np.ascontiguousarray(hidden)
    read = real[:, ::-1] if layer.go_backwards else real
    shown = np.logical_or.accumulate(read, axis=1)
    if layer.zero_output_for_mask:
        shown = shown & (real if layer.unroll else read)
    return np.where(shown[..., None], hidden, np.zeros((), hidden.dtype))


def _last_as_returned(hidden: Any, real: Any, layer: Any) -> Any:
    """Make of hidden states what the layer returns as its last output."""
    end = 0 if layer.go_backwards else -1
    last = hidden[:, end]
    if real is None:
        return np.ascontiguousarray(last)
    shown = real[:, end] if layer.zero_output_for_mask else real.any(axis=1)
    return np.where(shown[:, None], last, np.zeros((), last.dtype))


def _windows(
    real: npt.NDArray[np.bool_] | None,
    examples: int,
    timesteps: int,
    length: int,
    backwards: bool,
) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Choose examples, and where in reading order the comparison of each starts.

    Padding before an example's first real timestep leaves the initial state as it is, so that a
    window may start right there: a little earlier, to see that it does.
    """
    rows = np.unique(np.linspace(0, examples - 1, CHECKED_EXAMPLES).astype(int))
    if real is None:
        return rows, np.zeros(len(rows), int)
    rows = np.unique([*rows, int(real.sum(axis=1).argmin())])
    read = real[rows, ::-1] if backwards else real[rows]
    first = np.where(read.any(axis=1), read.argmax(axis=1), 0)
    return rows, np.clip(first - 2, 0, timesteps - length)


class _OwnLoop:
    """A layer's own loop, made to return the output of every timestep."""

    _all: ClassVar[weakref.WeakKeyDictionary[Any, _OwnLoop]] = weakref.WeakKeyDictionary()

    def __init__(self, layer: Any) -> None:
        self._layer = weakref.ref(layer)
        self._uses = 0
        self._traced: dict[Any, Any] = {}

    @classmethod
    def of(cls, layer: Any) -> _OwnLoop:
        """Give each layer the one that it had before, with what has been traced."""
        if layer not in cls._all:
            cls._all[layer] = cls(layer)
        return cls._all[layer]

    def __call__(
        self, x: Any, state: Any, real: npt.NDArray[np.bool_] | None, *, traced: bool
    ) -> tuple[Any, list[Any]]:
        """Return outputs ``(example, timestep, cell)`` in the layer's order, and last states."""
        import tensorflow as tf  # noqa: PLC0415

        tree = _keras().tree
        self._uses += 1
        mask = None if real is None else tf.constant(real)
        if not traced and self._uses <= UNTRACED_CHECKS:
            _, outputs, states = self._run(x, state, mask)
            return outputs, tree.flatten(states)
        arguments = [x, *tree.flatten(state), *([] if mask is None else [mask])]
        count = len(tree.flatten(state))
        key = (mask is None, *((tuple(a.shape), a.dtype) for a in arguments))
        if key not in self._traced:

            def run(x: Any, *flat: Any) -> Any:
                given = None if mask is None else flat[-1]
                return self._run(x, tree.pack_sequence_as(state, flat[:count]), given)

            function = tf.function(run, autograph=False)
            self._traced[key] = function.get_concrete_function(*arguments)
        _, outputs, states = self._traced[key](*arguments)
        return outputs, tree.flatten(states)

    def _run(self, x: Any, state: Any, mask: Any) -> Any:
        layer: Any = self._layer()
        own = layer.__dict__["return_sequences"]
        layer.__dict__["return_sequences"] = True
        try:
            return type(layer).inner_loop(layer, x, state, mask, training=False)
        finally:
            layer.__dict__["return_sequences"] = own


def _difference(ours: Any, theirs: Any) -> float:
    a = np.asarray(ours).astype(np.float64)
    b = np.asarray(theirs).astype(np.float64)
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    with np.errstate(invalid="ignore"):
        difference = np.abs(a - b) / np.maximum(1.0, np.abs(b))
    difference[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
    return float("inf") if np.isnan(difference).any() else float(difference.max())


def _counts(lengths: set[int]) -> str:
    return " and ".join(map(str, sorted(lengths)[:4])) + (" and others" if len(lengths) > 4 else "")


def _plain_config(thing: Any) -> dict[str, Any]:
    try:
        config = thing.get_config()
        plain: dict[str, Any] = json.loads(json.dumps(config, default=str))
    except (NotImplementedError, TypeError, ValueError):
        return {}  # a subclassed model need not have one
    return plain


@functools.cache
def _versions() -> dict[str, str]:
    versions = {}
    for name in ("lstm-widgets", "keras", "tensorflow", "numpy"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
