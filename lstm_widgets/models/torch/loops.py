# PyTorch's tensors and functions have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""Our loop in the place of PyTorch's.

PyTorch's recurrent modules check and arrange what they get, and call a function of ``torch._VF`` for the
loop itself. For as long as a model runs, these functions are ours: so packing, sorting, default states and
everything else around the loop stays the module's own.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules import rnn as torch_rnn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from lstm_widgets.models.torch.cells import Weights, as_array, as_tensor, listed, read_cell
from lstm_widgets.models.torch.layers import CELLS, LAYERS, Found
from lstm_widgets.models.torch.own_cells import stepping_own_cells
from lstm_widgets.models.torch.threads import of_little_work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from lstm_widgets.models.adapter import Result
    from lstm_widgets.rnn.cells import Cell

__all__ = ["LayerCall", "Loops"]

_OWN = torch_rnn._VF  # noqa: SLF001  (PyTorch's own functions)
_OVER_TIME = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_STEPS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")


@dataclass(frozen=True)
class LayerCall:
    """One call of one direction of a layer; see :class:`lstm_widgets.models.adapter.Call`."""

    layer: Found
    number: int
    x: npt.NDArray[Any]
    states: list[npt.NDArray[Any]]
    mask: npt.NDArray[np.bool_] | None
    read: Callable[[], Cell]
    function: str
    weights: tuple[Weights, ...]  # of both directions, if there are two

    over_time = True

    @functools.cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The layer's only cell, read when it is asked for."""
        return (self.read(),)

    def own(
        self,
        x: npt.NDArray[Any],
        states: Sequence[npt.NDArray[Any]],
        mask: npt.NDArray[np.bool_] | None,
        *,
        compiled: bool = False,
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        """Let PyTorch's own loop read this; return its output at every timestep, and last states.

        Both directions run, packed where there is padding, so that what PyTorch reads first is shown
        and not supposed.
        """
        if self.layer.stepped:
            return self._stepped(x, states)
        with contextlib.nullcontext() if compiled else of_little_work(), _without_warning():
            return self._over_time(x, states, mask)

    def _over_time(
        self,
        x: npt.NDArray[Any],
        states: Sequence[npt.NDArray[Any]],
        mask: npt.NDArray[np.bool_] | None,
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        like, direction = self.weights[0].input, self.layer.direction
        rows, lengths = np.arange(len(x)), None
        if mask is not None:
            lengths = mask.sum(axis=1)
            rows = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
        outputs = np.zeros((*x.shape[:2], states[0].shape[1]), states[0].dtype)
        ended = [np.array(state) for state in states]
        if not len(rows):
            return outputs, ended
        given = as_tensor(np.ascontiguousarray(x[rows]), like)
        start: Any = [
            torch.stack([as_tensor(state[rows], like)] * len(self.weights)) for state in states
        ]
        start = tuple(start) if self.layer.lstm else start[0]
        flat = [one for weights in self.weights for one in weights.listed]
        settings = (flat, self.layer.module.bias, 1, 0.0, False, len(self.weights) > 1)
        run = getattr(_OWN, self.function)
        if lengths is None:
            made, *last = run(given, start, *settings, True)
        else:
            packed = pack_padded_sequence(given, torch.from_numpy(lengths[rows]), batch_first=True)
            data, *last = run(packed.data, packed.batch_sizes, start, *settings)
            made, _ = pad_packed_sequence(PackedSequence(data, packed.batch_sizes), True)
        size = outputs.shape[2]
        half = as_array(made)[..., direction * size : (direction + 1) * size]
        outputs[rows, : half.shape[1]] = half
        for state, value in zip(ended, last, strict=True):
            state[rows] = as_array(value[direction])
        return outputs, ended

    def _stepped(
        self, x: npt.NDArray[Any], states: Sequence[npt.NDArray[Any]]
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        after = self.step(0, x[:, 0], states)
        return after[0][:, None], after

    def step(
        self, cell: int, x: npt.NDArray[Any], states: Sequence[npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        """Let PyTorch's own cell take a single step; return its states."""
        del cell
        with of_little_work():
            return self._step(x, states)

    def _step(
        self, x: npt.NDArray[Any], states: Sequence[npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        weights = self.weights[self.layer.direction if len(self.weights) > 1 else 0]
        given = as_tensor(np.ascontiguousarray(x), weights.input)
        before: Any = [as_tensor(np.ascontiguousarray(state), weights.input) for state in states]
        if self.layer.projected:  # of which PyTorch has no cell
            settings = (weights.listed, self.layer.module.bias, 1, 0.0, False, False, True)
            start = tuple(state[None] for state in before)
            with _without_warning():
                _, *ended = _OWN.lstm(given[:, None], start, *settings)
            return [as_array(state[0]) for state in ended]
        before = tuple(before) if self.layer.lstm else before[0]
        name = self.function if self.layer.stepped else f"{self.function}_cell"
        after = getattr(_OWN, name)(
            *(given, before, weights.input, weights.hidden),
            *(weights.input_bias, weights.hidden_bias),
        )
        return [as_array(one) for one in (after if isinstance(after, tuple) else (after,))]

    def returned(
        self,
        hidden: npt.NDArray[Any],
        mask: npt.NDArray[np.bool_] | None,
        *,
        begun: bool = False,
    ) -> npt.NDArray[Any]:
        """Make of hidden states what the layer returns: zeros at padding, as unpacked."""
        del begun
        return hidden if mask is None else np.where(mask[..., None], hidden, 0)


@contextlib.contextmanager
def _without_warning() -> Iterator[None]:
    """Don't let PyTorch warn that it is slow with projections: the user hasn't asked for its loop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "LSTM with projections")
        yield


@dataclass
class Loops:
    """What runs in the place of PyTorch's loops.

    Attributes
    ----------
    found : dict of int to list of Found
        What is recorded of each module, by its ``id``.
    run : callable
        Runs a call of a layer, see :meth:`lstm_widgets.models.adapter.Loop.run`.
    starts : callable
        From which states it starts.
    wants : callable
        Whether the calls of a layer matter.
    timesteps : callable
        How many timesteps packed sequences had, of their lengths.
    active : bool
        Whether our loop runs now.
    times : dict of int to int
        How often each module was called so far.
    states : list of torch.Tensor
        The last states that layers returned so far.
    stepped : dict of int to tensor or tuple of tensor
        Those that cells returned, which the model steps itself.
    """

    found: dict[int, list[Found]]
    run: Callable[[Any], Result]
    starts: Callable[[Found, int, list[Any]], list[Any]]
    wants: Callable[[Found], bool]
    timesteps: Callable[[npt.NDArray[np.intp]], int]
    active: bool = True
    times: dict[int, int] = field(default_factory=dict)
    states: list[Any] = field(default_factory=list)
    stepped: dict[int, Any] = field(default_factory=dict)
    _calls: list[tuple[Any, Any]] = field(default_factory=list)  # modules under way, what they got
    _cells: dict[str, tuple[list[Any], Cell]] = field(default_factory=dict)  # weights, and the cell
    _thread: int = field(default_factory=threading.get_ident)

    def restart(self) -> None:
        """Forget the calls so far: the model is called anew."""
        self.times, self.states, self.stepped = {}, [], {}

    @contextlib.contextmanager
    def replaced(self) -> Iterator[None]:
        """Let PyTorch's modules run our loop, for as long as the context lasts."""
        classes = (*LAYERS, *CELLS)
        own = {one: one.__dict__["forward"] for one in classes}
        functions = _Functions(self)
        try:
            for one in classes:
                one.forward = self._noting(own[one])  # type: ignore[attr-defined]
            torch_rnn._VF = functions  # noqa: SLF001
            with stepping_own_cells(self):
                yield
        finally:
            torch_rnn._VF = _OWN  # noqa: SLF001
            for one, forward in own.items():
                one.forward = forward  # type: ignore[attr-defined]

    def _noting(self, forward: Callable[..., Any]) -> Callable[..., Any]:
        """Make of a module's forward one that says whose it is, and what it got."""

        def noting(module: nn.Module, *arguments: Any, **named: Any) -> Any:
            if threading.get_ident() != self._thread:
                return forward(module, *arguments, **named)
            self._calls.append((module, arguments[0] if arguments else named.get("input")))
            found = self.found.get(id(module))
            if found and not found[0].stepped:
                _expect_states(found[0], arguments[1] if arguments[1:] else named.get("hx"))
            try:
                returned = forward(module, *arguments, **named)
            finally:
                self._calls.pop()
            if isinstance(module, tuple(LAYERS)):
                last = returned[1]
                self.states += last if isinstance(last, tuple) else [last]
            elif isinstance(module, tuple(CELLS)):
                self.stepped[id(module)] = returned
            return returned

        return noting

    def under_way(self) -> list[Found] | None:
        """Tell what is to be recorded of the module that calls just now, if anything is."""
        found = self.found.get(id(self._calls[-1][0])) if self._calls else None
        return found if found and any(map(self.concerns, found)) else None

    def concerns(self, one: Found) -> bool:
        """Whether a call that is made now of something recurrent is one of the run's, and matters."""
        return threading.get_ident() == self._thread and self.wants(one)

    def count(self, one: Found) -> int:
        """Count a call of a module, and tell its number."""
        self.times[id(one.module)] = number = self.times.get(id(one.module), 0) + 1
        return number

    def over_time(self, function: str, found: list[Found], arguments: tuple[Any, ...]) -> Any:
        """Run all layers and directions of a module that runs over time."""
        module, given = self._calls[-1]
        packed = isinstance(given, PackedSequence)
        if not self.active:
            arguments = arguments if packed else self._started(found, arguments)
            return getattr(_OWN, function)(*arguments)
        x, start, flat, mask, lengths, order = (
            self._unpacked(given, arguments) if packed else _as_it_is(module, arguments)
        )
        states = [
            as_array(one)[:, order] for one in (start if isinstance(start, tuple) else [start])
        ]
        number = self.count(found[0])
        ended: list[list[npt.NDArray[Any]]] = []
        for layer in range(module.num_layers):
            both = [one for one in found if one.number_of_layer == layer]
            weights = tuple(listed(one, flat) for one in both)
            hidden = []
            for one in both:
                read = functools.partial(self._cell, one, weights[one.direction])
                before = self.starts(one, number, [state[len(ended)] for state in states])
                result = self.run(LayerCall(one, number, x, before, mask, read, function, weights))
                hidden.append(np.asarray(result.hidden))
                ended.append(result.states)
            x = hidden[0] if len(hidden) == 1 else np.concatenate(hidden, axis=-1)
        last = [np.stack(some) for some in zip(*ended, strict=True)]
        like = arguments[0]
        if packed:
            back = _order(given.sorted_indices, len(x))
            made = pack_padded_sequence(as_tensor(x[back], like), lengths, batch_first=True).data
            last = [one[:, back] for one in last]
        else:
            made = as_tensor(x, like)
            made = made if module.batch_first else made.transpose(0, 1)
        return (made, *(as_tensor(one, like) for one in last))

    def _unpacked(self, given: PackedSequence, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Read what a module hands on of packed sequences, in the order that they had before they were."""
        _, batch_sizes, start, flat, *_ = arguments
        sizes = batch_sizes.numpy()
        order = _order(given.unsorted_indices, int(sizes[0]))
        packed = (np.arange(sizes[0])[:, None] < sizes).sum(axis=1)  # lengths as they are sorted
        padded, lengths = pad_packed_sequence(
            given, batch_first=True, total_length=self.timesteps(packed[order])
        )
        real = np.arange(padded.shape[1]) < lengths.numpy()[:, None]
        x = as_array(padded)
        return x, start, flat, None if real.all() else real, torch.from_numpy(packed), order

    def step(self, function: str, found: list[Found], arguments: tuple[Any, ...]) -> Any:
        """Run one step of a cell that the model steps itself."""
        (one,), (data, before, *rest) = found, arguments
        weights = Weights(*rest)
        if data.dtype != weights.input.dtype:
            raise ValueError(
                f"layer {one.name!r}: expected the dtype of its weights, {weights.input.dtype}, got an "
                f"input of {data.dtype}"
            )
        number = self.count(one)
        given = _states_of(one, data, before, weights)
        states = self.starts(one, number, given)
        if not self.active:
            if states is given:
                return getattr(_OWN, function)(*arguments)
            own = tuple(as_tensor(state, data) for state in states)
            return getattr(_OWN, function)(data, own if len(own) > 1 else own[0], *rest)
        read = functools.partial(self._cell, one, weights)
        x = as_array(data)[:, None]
        result = self.run(LayerCall(one, number, x, states, None, read, function, (weights,)))
        made = tuple(as_tensor(state, data) for state in result.states)
        return made if one.lstm else made[0]

    def _started(self, found: list[Found], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """Let PyTorch's own loop start from where ours would."""
        data, start, *rest = arguments
        before = [as_array(one) for one in (start if isinstance(start, tuple) else [start])]
        number = self.count(found[0])
        given = [[state[k] for state in before] for k in range(len(found))]
        each = [self.starts(one, number, own) for one, own in zip(found, given, strict=True)]
        if all(a is b for a, b in zip(each, given, strict=True)):
            return arguments
        own = tuple(as_tensor(np.stack(some), data) for some in zip(*each, strict=True))
        return (data, own if len(own) > 1 else own[0], *rest)

    def _cell(self, one: Found, weights: Weights) -> Cell:
        """Read a cell, once for the same weights."""
        known = self._cells.get(one.name)
        same = known is not None and all(
            a is b for a, b in zip(known[0], weights.listed, strict=True)
        )
        if known is None or not same:
            self._cells[one.name] = known = (weights.listed, read_cell(one, weights))
        return known[1]


def _expect_states(one: Found, given: Any) -> None:
    """Refuse to hand to a module that runs over time what are no states; PyTorch checks their shapes."""
    count = 1 + one.lstm
    several = isinstance(given, (tuple, list))
    states = given if several else [given]
    fits = several == one.lstm and len(states) == count
    if given is not None and not (fits and all(isinstance(s, torch.Tensor) for s in states)):
        got = type(given).__name__
        if several:
            got += f" of {', '.join(type(state).__name__ for state in states)}"
        raise ValueError(
            f"layer {one.name!r}: expected states as {'a tuple (h_0, c_0)' if one.lstm else 'a tensor h_0'}"
            f", as torch.nn.{type(one.module).__name__} takes them; got a {got}"
        )


def _states_of(
    one: Found, data: Any, before: Any, weights: Weights
) -> list[npt.NDArray[np.floating[Any]]]:
    """Read the states that a model hands to a cell that it steps."""
    states = before if isinstance(before, tuple) else (before,)
    count, (examples, features) = 1 + one.lstm, data.shape
    cells, reads = weights.hidden.shape[1], weights.input.shape[1]
    if features != reads:
        raise ValueError(
            f"layer {one.name!r}: expected an input ({examples}, {reads}), because it reads {reads} "
            f"numbers at each timestep; got one of shape {tuple(data.shape)}"
        )
    shapes = [tuple(state.shape) for state in states]
    if shapes != [(examples, cells)] * count:
        expected = "a state" if count == 1 else "a tuple (h, c) of two states"
        raise ValueError(
            f"layer {one.name!r}: expected {expected} ({examples}, {cells}), (example, cell), got "
            f"{' and '.join(map(str, shapes))}"
        )
    return [as_array(state) for state in states]


def _as_it_is(module: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Read what a module hands on: sequences ``(example, timestep, features)``, states and weights."""
    data, start, flat, *_ = arguments
    x = as_array(data if module.batch_first else data.transpose(0, 1))
    return x, start, flat, None, None, np.arange(len(x))


class _Functions:
    """PyTorch's functions, those of recurrent modules ours."""

    def __init__(self, loops: Loops) -> None:
        self._loops = loops

    def __getattr__(self, name: str) -> Any:
        own = getattr(_OWN, name)
        if name not in (*_OVER_TIME, *_STEPS):
            return own

        def ours(*arguments: Any) -> Any:
            found = self._loops.under_way()
            if found is None:
                return own(*arguments)
            run = self._loops.step if name in _STEPS else self._loops.over_time
            # PyTorch takes a list of states, too.
            return run(
                name, found, tuple(tuple(a) if isinstance(a, list) else a for a in arguments)
            )

        return ours


def _order(indices: Any, count: int) -> npt.NDArray[np.intp]:
    return np.arange(count) if indices is None else indices.cpu().numpy()
