# Keras and TensorFlow have no types, so what comes from them is Any.
# ruff: noqa: ANN401
"""Where timesteps are told apart in models whose input doesn't have them along its second axis.

Images that become columns, videos, series that a layer cuts into timesteps or adds an axis to: what
such a model's recurrent layers read has timesteps, its input may have them or not. That is found out
by looking: at what the layers are given, and whether these are the input's own values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.keras.layers import load_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["Call", "Place", "find_place"]

# They move values from one axis to another.
_MOVING = ("Permute", "Reshape", "Flatten", "Transpose", "Moveaxis", "Swapaxes")


@dataclass(frozen=True)
class Call:
    """One call of one layer: its first argument and what it returned."""

    layer: Any
    argument: Any
    output: Any


@dataclass(frozen=True)
class Place:
    """Where timesteps are told apart.

    Attributes
    ----------
    name : str
        The name of the layer or of the input.
    layer : keras.layers.Layer
        The layer whose output ``(example, timestep, features)`` it is; None: an input.
    leaf : int, optional
        Which input it is, or None.
    shape : tuple of int
        Timesteps and features of an example.
    """

    name: str
    layer: Any
    leaf: int | None
    shape: tuple[int, int]


class Probe(Protocol):
    """Calls the model with other values of its inputs."""

    def __call__(
        self, change: tuple[int, int] | None = None, /
    ) -> tuple[Sequence[Any], Sequence[Call]]:
        """Give tensors and calls; ``change`` is ``(leaf, timestep)``."""


class _Look:
    """What was seen while a model was called."""

    def __init__(self, tensors: Sequence[Any], calls: Sequence[Call]) -> None:
        layers = load_keras().layers
        self.tensors = tensors
        wrapped = {
            id(inner)
            for call in calls
            if isinstance(call.layer, layers.TimeDistributed)
            for inner in call.layer._flatten_layers(include_self=False)  # noqa: SLF001
        }
        self.calls = [call for call in calls if id(call.layer) not in wrapped]
        recurrent = (layers.RNN, layers.Bidirectional)
        self._first = next(
            (k for k, call in enumerate(self.calls) if isinstance(call.layer, recurrent)), None
        )
        self.before = self.calls[: self._first]
        made = {id(call.output): k for k, call in enumerate(self.before)}
        made |= {id(tensor): -1 for tensor in tensors}
        # What recurrent layers are given that no recurrent layer has made.
        self.entries = [
            _first_of(call.argument)
            for call in self.calls
            if isinstance(call.layer, recurrent)
            and (call is self.calls[self._first or 0] or id(_first_of(call.argument)) in made)
        ]
        # What the first recurrent layer is given call by call, if a loop calls it several times.
        loop = [
            _first_of(call.argument)
            for call in self.calls[self._first :]
            if self._first is not None and call.layer is self.calls[self._first].layer
        ]
        self.loop = loop if len(loop) > 1 and all(map(_is_sequence, loop)) else []

    def producer(self, tensor: Any) -> Call | None:
        """Find the innermost layer that returned a tensor."""
        return next((call for call in self.calls if call.output is tensor), None)


def find_place(
    tensors: Sequence[Any],
    calls: Sequence[Call],
    names: Sequence[str],
    wanted: str | None,
    *,
    probe: Probe,
    operations: Sequence[Any],
) -> Place | None:
    """Find where timesteps are told apart; None if that is an Embedding or an input of vectors.

    Parameters
    ----------
    tensors, calls : sequence
        What the model was called with, and the calls of layers that this consists of.
    names : sequence of str
        Those of the inputs.
    wanted : str, optional
        The name that was asked for, if any.
    probe : Probe
        Gives tensors and calls for other values of the inputs, no two alike: the same ones each time,
        but for one timestep of an input ``(leaf, timestep)`` if that is given.
    operations : sequence of object
        What a functional model has between its layers.

    Raises
    ------
    ValueError
        If there is no such place, or there are several and none was asked for.
    UnsupportedLayerError
        If the layer that was asked for is called several times.
    """
    embedding = load_keras().layers.Embedding
    look = _Look(tensors, calls)
    embeddings = {call.layer.name for call in calls if isinstance(call.layer, embedding)}
    vectors = {
        name: k
        for k, (name, tensor) in enumerate(zip(names, tensors, strict=True))
        if len(tensor.shape) == 3 and tensor.dtype.is_floating
    }
    layers = {
        call.layer.name: call
        for call in look.calls
        if _is_sequence(call.output) and call.layer.name not in embeddings
    }
    if wanted is not None:
        if wanted.partition(":")[0] in embeddings or wanted in vectors:
            return None
        if wanted in layers and wanted not in names:
            return _of_layer(look, layers[wanted])
        reshaped = _reshaped(look, names, probe)
        if wanted in reshaped:
            return reshaped[wanted]
        known = sorted({*embeddings, *vectors, *reshaped, *layers})
        raise ValueError(
            f"source: expected one of {', '.join(map(repr, known)) or 'none'}; got {wanted!r}"
        )
    if any(isinstance(call.layer, embedding) and _is_sequence(call.output) for call in calls):
        return None
    if any(_trusted(look, tensors[k], operations) for k in vectors.values()):
        return None
    usual = _reshaped(look, names, probe) or _in_turn(look, names, probe)
    if not usual:
        producers = [look.producer(entry) for entry in look.entries]
        usual = {
            call.layer.name: _of_layer(look, call)
            for call in producers
            if call is not None and call.layer.name in layers
        }
    if len(usual) == 1:
        return next(iter(usual.values()))
    if usual or (layers and look.entries):
        raise ValueError(
            "source: expected the name of the layer (or input) whose timesteps are meant, because "
            "the model's inputs don't tell; one of "
            f"{', '.join(map(repr, sorted({*usual, *vectors, *layers})))}; got None"
        )
    return None


def _is_sequence(output: Any) -> bool:
    shape = getattr(output, "shape", None)
    return shape is not None and len(shape) == 3 and bool(output.dtype.is_floating)


def _first_of(argument: Any) -> Any:
    return argument[0] if isinstance(argument, (list, tuple)) else argument


def _trusted(look: _Look, tensor: Any, operations: Sequence[Any]) -> bool:
    """Whether an input's second axis are the timesteps: nothing moves it elsewhere."""
    if not look.entries or any(entry is tensor for entry in look.entries):
        return True
    moved = any(type(call.layer).__name__ in _MOVING for call in look.before)
    moved = moved or any(type(operation).__name__ in _MOVING for operation in operations)
    time_distributed = load_keras().layers.TimeDistributed
    wide = any(
        len(getattr(call.output, "shape", ())) > 3
        for call in look.before
        if not isinstance(call.layer, time_distributed)
    )
    return not moved and not wide


def _reshaped(
    look: _Look,
    names: Sequence[str],
    probe: Probe,
) -> dict[str, Place]:
    """Find the inputs whose values, in their order, are what a recurrent layer reads."""
    places: dict[str, Place] = {}
    time_distributed = load_keras().layers.TimeDistributed
    for name, leaf, tensor in zip(names, range(len(names)), look.tensors, strict=True):
        shape = tuple(map(int, tensor.shape))
        if len(shape) > 3 and any(
            isinstance(call.layer, time_distributed) and _first_of(call.argument) is tensor
            for call in look.calls
        ):
            places[name] = Place(name, None, leaf, (shape[1], int(np.prod(shape[2:]))))
    if not look.entries:
        return places
    tensors, calls = probe()
    other = _Look(tensors, calls)
    entries = [np.asarray(entry) for entry in other.entries if _is_sequence(entry)]
    if other.loop:
        entries.append(np.concatenate(other.loop, axis=1))
    for name, leaf, tensor in zip(names, range(len(names)), tensors, strict=True):
        if not tensor.dtype.is_floating or name in places:
            continue
        values = np.asarray(tensor).reshape(len(tensor), -1)
        for entry in entries:
            if len(entry) == len(values) and entry[0].size == values[0].size:
                flat = entry.reshape(len(entry), -1).astype(values.dtype)
                if np.array_equal(flat, values):
                    places[name] = Place(name, None, leaf, (entry.shape[1], entry.shape[2]))
    return places


def _in_turn(look: _Look, names: Sequence[str], probe: Probe) -> dict[str, Place]:
    """Find the inputs whose timesteps a loop reads one after the other, through whatever layers.

    Of such an input, not the same calls come to read something else when its first timestep is another
    and when its last one is.
    """
    places: dict[str, Place] = {}

    def read(change: tuple[int, int] | None = None) -> list[npt.NDArray[Any]]:
        return [np.asarray(argument) for argument in _Look(*probe(change)).loop]

    for name, leaf, tensor in zip(names, range(len(names)), look.tensors, strict=True):
        shape = tuple(map(int, tensor.shape))
        if not look.loop or len(shape) < 3 or not tensor.dtype.is_floating or shape[1] < 2:
            continue
        before = read()
        first, last = (
            [not np.array_equal(a, b) for a, b in zip(before, read((leaf, t)), strict=True)]
            for t in (0, -1)
        )
        if any(first) and any(last) and first[0] != last[0]:
            places[name] = Place(name, None, leaf, (shape[1], int(np.prod(shape[2:]))))
    return places


def _of_layer(look: _Look, call: Call) -> Place:
    name = call.layer.name
    times = sum(other.layer is call.layer for other in look.calls)
    if times > 1:
        raise UnsupportedLayerError(
            f"model: layer {name!r} is called {times} times, so that its output doesn't tell which "
            "timesteps are meant"
        )
    _, timesteps, features = map(int, call.output.shape)
    return Place(name, call.layer, None, (timesteps, features))
