# Keras has no types, so what comes from it is Any.
# ruff: noqa: ANN401
"""Run a Keras model again and again on the same batch, compiled, and tell what its layers received.

In :mod:`lstm_widgets.models.keras.run` the model's Python runs, because each layer waits for our loop. Here
layers run their own loops, within a function that is compiled once, which also returns what each of them
received and what it made of that. Our loop runs afterwards, and is held against the layer's own; where all
that is wanted is what layers return, nothing else is.
"""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_widgets.models.adapter import ReturnedCall
from lstm_widgets.models.keras.backend import backend
from lstm_widgets.models.keras.cells import as_array, mask_array, read_cell, variables
from lstm_widgets.models.keras.gather import array
from lstm_widgets.models.keras.layers import Found, load_keras
from lstm_widgets.models.keras.outputs import named
from lstm_widgets.models.keras.own_loop import call_cell
from lstm_widgets.models.keras.patches import replaced
from lstm_widgets.models.keras.run import (
    RUNNING,
    KerasRun,
    LayerCall,
    all_sequences,
    any_length,
    call_model,
    read_states,
    states_as_found,
)
from lstm_widgets.recording.recorded import plain
from lstm_widgets.rnn.parallel import alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Follower
    from lstm_widgets.models.keras.patches import Patch
    from lstm_widgets.rnn.cells import Cell

__all__ = ["CompiledModel", "compiled"]

#: Up to so many timesteps a loop is written out: the loops of TensorFlow take longer than such steps.
UNROLLED = 16


@dataclass(frozen=True)
class FollowedCall(LayerCall):
    """One call of a recurrent layer, which has run its own loop; see :class:`.adapter.FollowedCall`."""

    own_outputs: npt.NDArray[Any]
    own_states: list[npt.NDArray[Any]]
    weights: Mapping[int, Any]  # by the ids of variables

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The layer's cells, with arrays of the dtype in which they compute."""
        layer = self.layer
        return tuple(
            read_cell(*each, self.weights) for each in zip(layer.kinds, layer.cells, strict=True)
        )

    @property
    def over_time(self) -> bool:
        """Whether the hidden state of every timestep goes on: all are compared."""
        return True


@dataclass(frozen=True)
class _Noted:
    """A call of a layer, and how many tensors it has of each kind among those that are returned."""

    layer: Found
    number: int
    states: int
    masked: bool
    returned: bool  # whether there are its outputs and its first state alone

    @property
    def count(self) -> int:
        """How many tensors it has."""
        return 2 if self.returned else 2 + 2 * self.states + self.masked


@dataclass(frozen=True)
class _Described(Found):
    """A layer whose settings are known: they don't change while it stays compiled."""

    @functools.cached_property
    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = plain(super().config())
        return settings

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many units each of its cells has."""
        return super().sizes

    @functools.cached_property
    def dtypes(self) -> tuple[str, ...]:
        """The dtype in which each of its cells computes."""
        return super().dtypes

    def config(self) -> dict[str, Any]:
        """Tell its settings, as JSON can hold them."""
        return self._settings


class CompiledModel:
    """A model that is compiled for one batch; see :class:`lstm_widgets.models.adapter.Compiled`."""

    def __init__(
        self,
        model: Any,
        found: Sequence[Found],
        batch: Any,
        loop: Follower,
        *,
        pieces: bool,
        every_output: bool,
        outputs: bool,
    ) -> None:
        keras = load_keras()
        self._model = model
        self._found = [_Described(**vars(one)) for one in found]
        self._loop = loop
        self._pieces, self._every_output, self._with_outputs = pieces, every_output, outputs
        self._states = list({id(v): v for v, _ in read_states(model, self._found)}.values())
        self._weights: list[Any] = []
        self._noted: list[_Noted] = []
        self._names: list[str] = []
        taken = keras.tree.map_structure(backend().taken, batch)
        self._batch = keras.tree.map_structure(keras.ops.convert_to_tensor, taken)
        self._tensors = keras.tree.flatten(self._batch)
        with states_as_found(model, found), backend().inference(model):
            self._function = backend().compiled(self._run, self._tensors, model)
            self._function(*self._tensors)  # JAX traces only now

    @property
    def reaches_all(self) -> bool:
        """Whether it tells of each layer that the model has to call, and that matters."""
        called = {note.layer.name for note in self._noted}
        return all(
            one.optional or one.name in called for one in self._found if self._loop.wants(one)
        )

    def _run(self, *tensors: Any) -> list[Any]:
        """Call the model; return its outputs, and what was noted of each call of a layer."""
        noted: list[tuple[_Noted, list[Any]]] = []
        before = [load_keras().ops.copy(state.value) for state in self._states]
        with contextlib.ExitStack() as stack:
            if self._pieces:
                stack.enter_context(any_length(self._model))
            if self._every_output:
                stack.enter_context(all_sequences(self._model, self._found))
            stack.enter_context(replaced(self._watched(noted)))
            batch = load_keras().tree.pack_sequence_as(self._batch, tensors)
            outputs = named(self._model, call_model(self._model, batch))
        outputs = outputs if self._with_outputs else {}
        self._noted, self._names = [note for note, _ in noted], list(outputs)
        # Read along with all else: each on its own takes as long as a layer.
        scanned = {note.layer.name: note.layer for note in self._noted if not note.returned}
        self._weights = [v for one in scanned.values() for c in one.cells for v in variables(c)]
        # States as they are now tell whether the call has changed them.
        read = [
            load_keras().ops.copy(variable.value) for variable in (*self._states, *self._weights)
        ]
        return [
            *before,
            *read,
            *outputs.values(),
            *(tensor for _, every in noted for tensor in every),
        ]

    def _watched(self, noted: list[tuple[_Noted, list[Any]]]) -> Iterator[Patch]:
        times: dict[str, int] = {}

        def note(
            one: Found,
            *both: Any,
            before: Sequence[Any],
            after: Sequence[Any],
            masks: Sequence[Any] = (),
        ) -> None:
            if not self._loop.wants(one):
                return
            times[one.name] = times.get(one.name, 0) + 1
            call = one.number(times[one.name])
            returned = not masks and self._loop.takes_returned(one, call)
            kept = [both[1], before[0]] if returned else [*both, *before, *after, *masks]
            noted.append((_Noted(one, call, len(before), bool(masks), returned), kept))

        for one in self._found:
            watched = _stepped if one.stepped else _looped
            yield one.layer, "call" if one.stepped else "inner_loop", watched(one, note)
        for layer in self._model._flatten_layers():  # noqa: SLF001
            if isinstance(layer, load_keras().layers.Bidirectional):
                for name in ("_can_attempt_fused_lstm", "_can_attempt_fused_gru"):
                    yield layer, name, lambda *_, **__: False

    def call(self) -> tuple[dict[int, Any], dict[str, Any], list[tuple[_Noted, list[Any]]]]:
        """Call the model, and leave it as it was found.

        Give its weights, its outputs by name, and the tensors of each call of a layer.
        """
        count = len(self._states)
        before, after, tensors = _split(self._function(*self._tensors), count, count)
        for variable, *values in zip(self._states, before, after, strict=True):
            was, now = map(as_array, values)
            # On JAX, what a function does to variables stays in it.
            if was.tobytes() != now.tobytes():
                variable.assign(was)
        weights = {id(variable): next(tensors) for variable in self._weights}
        outputs = {name: next(tensors) for name in self._names}
        noted = [(note, [next(tensors) for _ in range(note.count)]) for note in self._noted]
        return weights, outputs, noted

    @contextlib.contextmanager
    def running(self, loop: Follower) -> Iterator[CompiledRun]:
        """Make the model ready to run, as :meth:`Adapter.running` does, and leave it as it was found."""
        with RUNNING, backend().inference(self._model):
            yield CompiledRun(self, self._model, self._found, loop, [])


class CompiledRun(KerasRun):
    """A compiled model that is ready to run; see :class:`lstm_widgets.models.adapter.Run`."""

    def __init__(
        self,
        compiled_model: CompiledModel,
        model: Any,
        found: Sequence[Found],
        loop: Follower,
        states: Sequence[tuple[Any, Any]],
    ) -> None:
        super().__init__(model, found, loop, states, fresh=False)
        self._compiled, self._follower = compiled_model, loop
        self._outputs: dict[str, npt.NDArray[Any]] = {}

    def __call__(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Call the model, and run our loop on what its layers received; return its outputs by name."""
        del batch  # that for which it is compiled
        weights, outputs, noted = self._compiled.call()
        with contextlib.ExitStack() as stack:
            for note, tensors in noted:
                if note.returned:
                    returned = ReturnedCall(note.layer, note.number, *map(as_array, tensors))
                    self._follower.take(returned)
                else:
                    stack.enter_context(alone())  # till the end, and not for each layer
                    self._follower.run(self._followed(note, tensors, weights))
        self._outputs = {name: array(value) for name, value in outputs.items()}
        return self._outputs

    def alone(self, batch: Any) -> dict[str, npt.NDArray[Any]]:
        """Give its outputs, which are those of the layers' own loops anyway."""
        del batch
        return self._outputs

    def _followed(
        self, note: _Noted, tensors: Sequence[Any], weights: Mapping[int, Any]
    ) -> FollowedCall:
        sequences, outputs, *rest = tensors
        states, ended = rest[: note.states], rest[note.states : 2 * note.states]
        return FollowedCall(
            note.layer,
            note.number,
            as_array(sequences),
            [as_array(state) for state in states],
            mask_array(rest[-1]) if note.masked else None,
            (sequences, states),
            self.paused,
            as_array(outputs),
            [as_array(state) for state in ended],
            weights,
        )


def _split(every: Sequence[Any], *counts: int) -> tuple[Any, ...]:
    """Take so many each from the front; last comes an iterator of the rest."""
    left = iter(every)
    return *([next(left) for _ in range(count)] for count in counts), left


def _looped(one: Found, note: Callable[..., None]) -> Callable[..., tuple[Any, Any, Any]]:
    """Make what stands for a layer's loop: its own, of which all outputs are noted."""

    def inner_loop(
        sequences: Any,
        initial_state: Any,
        mask: Any,
        training: bool = False,  # noqa: ARG001  (inference only)
    ) -> tuple[Any, Any, Any]:
        flat = load_keras().tree.flatten
        # A stateful layer starts from variables, which have other values in the end.
        before = [load_keras().ops.copy(state) for state in flat(initial_state)]
        settings: list[Patch] = [(one.layer, "return_sequences", True)]
        if mask is None and (sequences.shape[1] or UNROLLED + 1) <= UNROLLED:
            settings.append((one.layer, "unroll", True))
        with replaced(settings):
            last, outputs, states = type(one.layer).inner_loop(
                one.layer, sequences, initial_state, mask, training=False
            )
        masks = [] if mask is None else flat(mask)[:1]
        note(one, sequences, outputs, before=before, after=flat(states), masks=masks)
        return last, outputs, states

    return inner_loop


def _stepped(one: Found, note: Callable[..., None]) -> Callable[..., tuple[Any, Any]]:
    """Make what stands for the call of a cell that the model steps itself: its own, noted."""

    def call(inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:  # noqa: ARG001
        output, new = call_cell(one.layer, inputs, states)
        flat = load_keras().tree.flatten
        note(one, inputs[:, None], output[:, None], before=flat(states), after=flat(new))
        return output, new

    return call


def compiled(
    model: Any, found: Sequence[Found], batch: Any, loop: Follower, **how: bool
) -> CompiledModel | None:
    """Compile a model for one batch; None if it can't be, or then doesn't tell of all layers."""
    with contextlib.suppress(Exception):  # whatever keeps its Python from being traced
        made = CompiledModel(model, found, batch, loop, **how)
        if made.reaches_all:
            return made
    return None
