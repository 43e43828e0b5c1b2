# Models, and what they read and return, are of many types: Any.
# ruff: noqa: ANN401
"""A model that reads the same at every timestep: what a recurrent layer of it gets then, and what follows.

Both are found out by running the model, as its author built it. The other recurrent layers give noise
meanwhile, or another noise: what changes with it depends on their states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_widgets.checks import expect_whole, is_whole
from lstm_widgets.errors import LayerNotFoundError, SelfCheckError, UnsupportedLayerError
from lstm_widgets.models.adapter import Result, adapter_of, standard_vocabulary
from lstm_widgets.models.inputs import leaves, mapped
from lstm_widgets.models.outputs import Output
from lstm_widgets.recording.calls import all_named, call_name, split_call
from lstm_widgets.rnn.cells import KINDS, SIGNALS, STATES
from lstm_widgets.rnn.comparison import TOLERANCES, difference
from lstm_widgets.rnn.jacobians import StateMap
from lstm_widgets.running.given import Given
from lstm_widgets.running.held import parts_of
from lstm_widgets.tokens.vocabulary import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Call, Layer
    from lstm_widgets.rnn.cells import Cell
    from lstm_widgets.rnn.comparison import Check

    Floats = npt.NDArray[np.floating[Any]]

__all__ = ["ConstantInput", "Readout", "numbers_of"]

# Timesteps that a model reads that prescribes none: more than the kernel of most convolutions has.
_TIMESTEPS = 32
# Examples that it reads at least, and states whose step is checked.
_EXAMPLES, _CHECKED = 2, 16
# Points whose readout is computed at once.
_AT_ONCE = 256
# How large a difference, as a part of the larger of 1 and the value, no rounding explains.
_SAME = 1e-4


@dataclass(frozen=True)
class Readout:
    """What a model says for states of a layer.

    Attributes
    ----------
    values : float array (point, class or channel)
        Its output.
    axis : str
        ``"class"``, or ``"channel"`` of numbers that aren't said to be those of classes.
    activation : str
        The last one, as :meth:`lstm_widgets.models.adapter.Run.activation` tells it.
    names : list of str, optional
        The tokens that the classes are, if they are those of the vocabulary.
    """

    values: Floats
    axis: str
    activation: str
    names: list[str] | None


class ConstantInput:
    """A recurrent layer of a model that reads the same at every timestep.

    Parameters
    ----------
    model : keras.Model or torch.nn.Module
        The model.
    layer : str, optional
        The layer, by its name in a recording; None: the first.
    inputs : optional
        What the model reads at each timestep: a vector (of channels), a number, or a token.
    layer_inputs : float array (features,), optional
        What the layer is to receive instead of what the model makes of ``inputs``.
    vocabulary, unknown : optional
        As for :func:`lstm_widgets.record`.
    output : str or int, optional
        Which output is meant by what the model says.

    Attributes
    ----------
    name : str
        The layer's.
    step : StateMap
        What one timestep makes of its state, in float64.
    received : float array (features,)
        What the layer receives at each timestep.
    recorded : dict of str to str
        Under which name of a layer each signal of its state is recorded.
    """

    def __init__(
        self,
        model: Any,
        layer: str | None = None,
        inputs: Any = None,
        *,
        layer_inputs: Any = None,
        vocabulary: Any = None,
        unknown: int | str | None = None,
        output: str | int | None = None,
    ) -> None:
        self._adapter = adapter = adapter_of(model)
        self._names = standard_vocabulary(vocabulary, unknown)
        if inputs is None and layer_inputs is None:
            raise TypeError(
                "inputs: expected what the model reads at each timestep (a vector of channels, a number, "
                "or a token with vocabulary=), or layer_inputs=, a vector that the layer receives; got None"
            )
        self._prescribed = adapter.batch_size
        given = Given(adapter, self._read(inputs))
        self._batch = given.whole
        adapter.build(given.first(_EXAMPLES))
        self._output = Output(adapter, output)
        self._choose(layer)
        seen = self._call(_Loop(self._layer))
        self._calls = self._own_calls(seen, layer)
        call = self._calls[-1]
        cell = call.cells[self._cell]
        told = layer_inputs is not None
        received = numbers_of("layer_inputs", layer_inputs) if told else self._received(seen)
        features = cell.kernel.shape[0] if cell.kernel is not None else call.x.shape[-1]
        if received.shape != (features,):
            raise ValueError(
                f"layer_inputs: expected the {features} numbers that layer {self.name!r} receives at a "
                f"timestep, got shape {received.shape}{_each_by_itself(received, features)}"
            )
        self.received: Floats = received
        self._own = cell.in_numpy()
        self.step = StateMap(self._own.astype(np.float64), received)

    # The layer ------------------------------------------------------------------------------------

    def _choose(self, name: str | None) -> None:
        """Find the layer, and which of its cells is meant."""
        found = self._adapter.layers
        can = [one for one in found if one.kinds and not one.problem]
        wrong = next((o for o in found if o.problem and (o.name == name or not can)), None)
        if wrong is not None:
            raise UnsupportedLayerError(
                f"model: layer {wrong.name!r} can't be run: it is {wrong.problem}"
            )
        if not can:
            raise ValueError("model: expected at least one recurrent layer, got a model with none")
        parts = parts_of(can, name)
        if len(parts) > 1:
            names = " or ".join(repr(part.name) for part in parts)
            raise ValueError(f"layer: expected one direction, {names}; got {name!r}")
        self.name = parts[0].name
        self._layer = next(one for one in can if self.name in one.units)
        self._number = parts[0].call
        place, self._cell = self._layer.units.index(self.name), 0
        # Cells that are recorded in parts have several names.
        first = 0
        for k, kinds in enumerate(_cells_of(self._layer)):
            if place < first + len(kinds):
                self._cell = k
                self.name = self._layer.units[first]
                units = self._layer.units[first : first + len(kinds)]
                self._kinds = dict(zip(units, kinds, strict=True))
                break
            first += len(kinds)

    @property
    def recorded(self) -> dict[str, str]:
        """Under which name of a layer each signal of its state is recorded."""
        call = "" if self._number is None else f":{self._number}"
        found: dict[str, str] = {}
        for name, kind in self._kinds.items():
            for signal in SIGNALS[kind]:
                if signal in self.step.places:
                    found.setdefault(signal, name + call)
        return found

    def _own_calls(self, seen: Sequence[Call], asked: str | None) -> list[Call]:
        """Find the calls of the layer that are meant: one; of a cell that the model steps, all."""
        own = [call for call in seen if call.layer.name == self._layer.name]
        if not own:
            raise ValueError(f"layer: the model doesn't call its layer {self.name!r}")
        if self._layer.stepped:
            return own
        numbers = [call.number for call in own]
        if len(own) > 1 and self._number is None:
            name, _ = split_call(asked or self.name)
            raise ValueError(
                f"layer: expected one of the calls of a layer, {all_named(name, numbers)}; got {asked!r}"
            )
        chosen = [call for call in own if self._number in (None, call.number)]
        if not chosen:
            raise LayerNotFoundError(
                f"layer: expected {all_named(self.name, numbers)}, got {asked!r}, which isn't called"
            )
        return chosen

    # What goes in ---------------------------------------------------------------------------------

    def _read(self, inputs: Any) -> Any:
        """Make a short sequence of what the model is to read."""
        adapter = self._adapter
        double = any(name == "float64" for one in adapter.layers for name in one.dtypes)
        dtype = np.float64 if double else np.float32
        known, count = adapter.inputs, self._prescribed or _EXAMPLES
        if isinstance(inputs, Mapping):
            shapes = {one.name: one.shape for one in known}
            return {
                k: _sequence(v, shapes.get(k), count, dtype, f"inputs[{k!r}]")
                for k, v in inputs.items()
            }
        if len(known) > 1:
            each = inputs if isinstance(inputs, (list, tuple)) else [inputs]
            if inputs is None:
                each = [None] * len(known)
            if len(each) != len(known):
                raise ValueError(
                    f"inputs: expected {len(known)} constants, one for each input of the model "
                    f"({', '.join(repr(one.name) for one in known)}); got {len(each)}"
                )
            return [
                _sequence(value, one.shape, count, dtype, f"inputs[{k}]")
                for k, (value, one) in enumerate(zip(each, known, strict=True))
            ]
        shape = adapter.input_shape
        if isinstance(inputs, str):
            return self._of_token(inputs, count, _timesteps(shape))
        if self._names is not None and is_whole(inputs):
            number = expect_whole("inputs", inputs, 0, len(self._names.tokens) - 1)
            if not adapter.reads_strings:
                return self._encoding(inputs).write(np.full((count, _timesteps(shape)), number))
            return self._of_token(str(self._names.tokens[number]), count, _timesteps(shape))
        return _sequence(inputs, shape, count, dtype, "inputs")

    def _of_token(self, token: str, count: int, timesteps: int) -> Any:
        adapter = self._adapter
        if adapter.reads_strings:
            return np.full((count, timesteps), token)
        if self._names is None:
            raise ValueError(
                f"vocabulary: expected one, to read the token {token!r} that inputs is, because the model "
                "takes numbers; got None"
            )
        encoding = self._encoding(token)
        problem: Exception | None = None
        try:
            _, ids = self._names.encode([token], "inputs")
        except ValueError as error:
            problem = error
        if problem is not None or len(ids) != 1:
            raise ValueError(
                f"inputs: expected one token of the vocabulary, got {token!r:.80} (unknown= sets what "
                "stands for others)"
            ) from problem
        return encoding.write(np.full((count, timesteps), ids[0]))

    def _encoding(self, given: Any) -> Encoding:
        """Tell how an id stands in the model's input."""
        size = self._names.size if self._names is not None else None
        encoding = Encoding.of(self._adapter.input_shape, size)
        if encoding is None:
            raise ValueError(
                f"inputs: expected a vector, because the model takes neither ids, nor one-hot vectors of "
                f"length {size}, nor scaled ids; got {given!r:.80}"
            )
        return encoding

    def _received(self, seen: Sequence[Call]) -> Floats:
        """Tell what the layer gets at each timestep, and refuse what isn't the same at all of them."""
        steps = np.concatenate([call.x[:1] for call in self._calls], axis=1)[0].astype(np.float64)
        masks = [call.mask for call in self._calls if call.mask is not None]
        if any(not mask[:1].any() for mask in masks):
            raise ValueError(
                f"inputs: layer {self.name!r} takes them for padding, and doesn't read them; expected "
                "something else"
            )
        other = self._own_calls(self._call(_Loop(self._layer, seed=1)), self.name)
        again = np.concatenate([call.x[:1] for call in other], axis=1)[0].astype(np.float64)
        if self._cell or difference(again, steps) > _SAME:
            below = ", ".join(map(repr, self._below(seen))) or "others"
            raise ValueError(
                f"inputs: what layer {self.name!r} receives isn't constant, because it depends on the state "
                f"of {below}; expected layer_inputs=, the vector that it is to receive at each timestep, "
                "such as the hidden state of a fixed point of the layer below if nothing is between the two"
            )
        # At the edges a convolution may see beyond the sequence.
        middle = steps[len(steps) // 2]
        near = steps[max(0, len(steps) // 2 - 1) : len(steps) // 2 + 2]
        if difference(near, np.broadcast_to(middle, near.shape)) > _SAME:
            raise ValueError(
                f"inputs: what layer {self.name!r} receives of a constant input differs from timestep to "
                "timestep (by the position, for instance); expected layer_inputs=, the vector that it is to "
                "receive at each"
            )
        return np.asarray(middle)

    def _below(self, seen: Sequence[Call]) -> list[str]:
        """Name what the model calls before the layer, or steps before its cell."""
        if self._cell:
            return [self._layer.units[self._cell - 1]]
        names: dict[str, None] = {}
        for call in seen:
            if call is self._calls[0]:
                break
            own = call.layer.name == self._layer.name
            names[call_name(self.name, call.number) if own else call.layer.name] = None
        return list(names)

    # The run --------------------------------------------------------------------------------------

    def _call(self, loop: _Loop, count: int | None = None) -> list[Call]:
        """Call the model on the constant; tell the calls of its recurrent layers."""
        with self._running(loop) as run:
            loop.outputs = run(self._some(count))
        return loop.calls

    def _running(self, loop: _Loop) -> Any:
        layers = [one for one in self._adapter.layers if not one.problem]
        return self._adapter.running(layers, loop, fresh=True)

    def _some(self, count: int | None) -> Any:
        size = count or len(leaves(self._batch)[0])
        return mapped(lambda value: np.repeat(value[:1], size, axis=0), self._batch)

    def check(self, states: Floats, how: Check) -> None:
        """Hold our step against that of the layer's own cell.

        Parameters
        ----------
        states : float array (state, size)
            Joint states to take it from.
        how : {"prefix", "full", False}
            From some of them, from all, or not at all.

        Raises
        ------
        SelfCheckError
            If they differ by more than rounding.
        """
        if how is False:
            return
        count = len(states) if how == "full" else _CHECKED
        rows = np.unique(np.linspace(0, len(states) - 1, count).astype(int))
        loop = _Loop(self._layer)
        loop.stepping = (self._number, self._cell, self.received, self.step.split(states[rows]))
        self._call(loop)
        ours = self.step(states[rows])
        theirs = np.concatenate([np.asarray(one, np.float64) for one in loop.stepped], axis=1)
        place = self._layer.units.index(self.name)
        tolerance = TOLERANCES.get(self._layer.dtypes[place], TOLERANCES["float32"])
        found = difference(ours, theirs)
        if found > tolerance:
            raise SelfCheckError(
                f"layer {self.name!r}: one step from the starts differs by {found:.3g} from that of the "
                f"layer's own cell, more than the tolerance of {tolerance:.3g}; check=False goes on without "
                "this check"
            )

    # What comes out -------------------------------------------------------------------------------

    def readout(self, states: Floats) -> Readout | str:
        """Tell what the model says for joint states, as if the layer gave their hidden states.

        Returns
        -------
        Readout or str
            Or why there is none.
        """
        problem = self._obstacle(states[: max(1, len(states))])
        if problem:
            return problem
        size = self._prescribed or _AT_ONCE
        parts = []
        for start in range(0, len(states), size):
            some = states[start : start + size]
            parts.append(self._said(some)[: len(some)])
        values = np.concatenate(parts)
        with self._running(_Loop(self._layer)) as run:
            activation = run.activation(self._output, self._some(None))
        classes = self._output.meaning(activation, values.shape[1]) == "classes"
        names = None
        if self._names is not None and len(self._names.tokens) == values.shape[1]:
            names, classes = [str(token) for token in self._names.tokens], True
        return Readout(values, "class" if classes else "channel", activation, names)

    def _obstacle(self, states: Floats) -> str:
        """Say why what the model says isn't a function of the layer's hidden state at one timestep."""
        others = [
            call for call in self._call(_Loop(self._layer)) if call.layer.name != self._layer.name
        ]
        named = ", ".join(repr(n) for n in dict.fromkeys(call.layer.name for call in others))
        if self._cell < len(self._calls[0].cells) - 1:
            return f"{self._layer.units[-1]!r} reads it within the same layer"
        some = states[np.arange(self._prescribed or _EXAMPLES) % len(states)]
        try:
            plain = self._said(some)
        except ValueError as error:
            return str(error)
        if others and difference(self._said(some, others=True), plain) > _SAME:
            return f"what the model says depends on the states of other recurrent layers, too ({named})"
        if difference(self._said(some, before=True), plain) > _SAME:
            return "what the model says depends on other timesteps, too"
        return ""

    def _said(self, states: Floats, *, others: bool = False, before: bool = False) -> Floats:
        """Let the layer give states, and tell what the model says at the last timestep."""
        count = self._prescribed or max(_EXAMPLES, len(states))
        put = states[np.minimum(np.arange(count), len(states) - 1)]
        loop = _Loop(self._layer, seed=2 if others else 0, quiet=not others)
        loop.put, loop.before = self.step.split(put), before
        loop.last = max(call.number for call in self._calls)
        self._call(loop, count)
        values = np.asarray(self._output.of(loop.outputs), np.float64)
        timesteps = leaves(self._batch)[0].shape[1:2]
        if values.ndim == 3:
            values = values[:, -1]
        elif values.ndim == 2 and values.shape[1:] == timesteps and self._adapter.outputs is None:
            values = values[:, -1:]
        if values.ndim == 1:
            values = values[:, None]
        if values.ndim != 2:
            raise ValueError(
                f"its output isn't (example, class) or (example, timestep, class), but of shape "
                f"{values.shape}"
            )
        return values


class _Loop:
    """What runs in the place of the layers' loops: none is run, each gives what it is to give."""

    def __init__(self, layer: Layer, *, seed: int = 0, quiet: bool = False) -> None:
        self._layer, self._seed, self._quiet = layer, seed, quiet
        self.put: list[Floats] | None = None
        self.before = False  # whether the layer gives noise at the timesteps before the last
        self.last = 0
        self.stepping: Any = None
        self.stepped: list[Floats] = []
        self.outputs: dict[str, npt.NDArray[Any]] = {}
        self.restart()

    def restart(self) -> None:
        """Forget the calls so far."""
        self.calls: list[Call] = []
        self._rng = np.random.default_rng(self._seed)

    def wants(self, layer: Layer) -> bool:
        """Whether the calls of a layer matter: all do."""
        del layer
        return True

    def starts(self, layer: Layer, call: int, states: list[Any]) -> list[Any]:
        """From which states a call starts: it doesn't matter."""
        del layer, call
        return states

    def run(self, call: Call) -> Result:
        """Note a call, and give what the layer is to give."""
        self.calls.append(call)
        own = call.layer.name == self._layer.name
        if own and self.stepping is not None:
            number, k, received, before = self.stepping
            if number in (None, call.number):
                self.stepping = None
                x = np.repeat(received[None].astype(call.x.dtype), len(before[0]), axis=0)
                dtype = call.cells[k].dtype
                self.stepped = call.step(k, x, [state.astype(dtype) for state in before])
        rows, timesteps = call.x.shape[:2]
        states: list[npt.NDArray[Any]] = []
        for cell in call.cells:
            names = KINDS[cell.kind].signals[: STATES[cell.kind]]
            widths = [cell.width(name) for name in names]
            states += [self._noise((rows, width), cell) for width in widths]
        last: Cell = call.cells[-1]
        hidden = self._noise((rows, timesteps, last.width("hidden_state")), last)
        if own and self.put is not None:
            now = call.number == self.last
            if now or not self.before:
                states[-len(self.put) :] = [each.astype(last.dtype) for each in self.put]
            if not self.before:
                hidden[:] = self.put[0][:, None]
            elif now:
                hidden[:, -1] = self.put[0]
        elif self._quiet and not own:
            hidden[:] = 0
            states = [state * 0 for state in states]
        return Result(hidden if call.over_time or call.layer.stepped else None, states)

    def _noise(self, shape: tuple[int, ...], cell: Cell) -> npt.NDArray[Any]:
        values = self._rng.uniform(-0.5, 0.5, shape)
        return values.astype(np.float64 if cell.dtype == np.float64 else np.float32)


def numbers_of(argument: str, given: Any) -> npt.NDArray[np.float64]:
    """Make an array of finite numbers of an argument."""
    try:
        numbers = np.array(given, np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{argument}: expected numbers, got {given!r:.80}") from error
    if not np.isfinite(numbers).all():
        raise ValueError(f"{argument}: expected finite numbers, got NaN or infinite ones")
    return numbers


def _each_by_itself(given: npt.NDArray[Any], *wanted: int | None) -> str:
    """Tell what to do with several of what is one constant."""
    several = given.ndim == len(wanted) + 1 and all(
        a in (None, b) for a, b in zip(wanted, given.shape[1:], strict=True)
    )
    if not several:
        return ""
    return (
        f", which is {len(given)} constants: give one at a time, in a call each (to phase_portrait by "
        "names, in a dict)"
    )


def _cells_of(layer: Layer) -> list[tuple[str, ...]]:
    """List the kinds of what is recorded of each of a layer's cells."""
    cells: list[tuple[str, ...]] = []
    kinds = list(layer.kinds)
    while kinds:
        parts = tuple(KINDS[kinds[0]].parts) if kinds[0] in KINDS else ()
        count = len(parts) or 1
        cells.append(tuple(kinds[:count]))
        kinds = kinds[count:]
    return cells


def _timesteps(shape: tuple[int | None, ...] | None) -> int:
    return (shape[1] if shape is not None and len(shape) > 1 else None) or _TIMESTEPS


def _sequence(
    value: Any, shape: tuple[int | None, ...] | None, count: int, dtype: Any, argument: str
) -> npt.NDArray[Any]:
    """Make examples of what stands at each timestep, or of what an input without timesteps is."""
    if value is None:  # whatever the model may read
        value = np.zeros([n or 1 for n in (shape or ())[2:]], dtype)
        value = value if value.ndim else np.int64(0)
    try:
        array = np.asarray(value)
    except ValueError:  # lists that are no array
        array = np.array(None)
    if array.dtype.kind not in "biuf" or not np.isfinite(array).all():
        tokens = _each_by_itself(array) if array.dtype.kind == "U" else ""
        raise TypeError(
            f"{argument}: expected finite numbers, what the model reads at one timestep; got "
            f"{value!r:.80}{tokens}"
        )
    if array.dtype.kind == "f" or array.ndim or (shape is not None and len(shape) > 2):
        array = array.astype(dtype)
    if shape is not None:
        if array.ndim == 0 and len(shape) == 3 and shape[2] == 1:
            array = array[None]
        wanted = shape[2:]
        if array.shape == shape[1:]:  # an input that isn't a sequence
            return np.repeat(array[None], count, axis=0)
        fits = len(wanted) == array.ndim and all(
            a in (None, b) for a, b in zip(wanted, array.shape, strict=True)
        )
        if not fits:
            raise ValueError(
                f"{argument}: expected what the model reads at one timestep, of shape {wanted}, got shape "
                f"{array.shape}{_each_by_itself(array, *wanted)}"
            )
    return np.broadcast_to(array, (count, _timesteps(shape), *array.shape)).copy()
