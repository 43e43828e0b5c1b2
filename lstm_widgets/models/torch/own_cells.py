# PyTorch's modules and tensors have types that say nothing of shapes: Any.
# ruff: noqa: ANN401
"""Cells of registered classes, which a model steps itself: how they take and return their states."""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lstm_widgets.errors import UnsupportedLayerError
from lstm_widgets.models.own_cells import read_own_cell
from lstm_widgets.models.torch.cells import as_array, as_tensor
from lstm_widgets.models.torch.structure import opened
from lstm_widgets.rnn.cells import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy.typing as npt
    from torch import nn

    from lstm_widgets.models.torch.layers import Found
    from lstm_widgets.models.torch.loops import Loops
    from lstm_widgets.rnn.cells import Cell

    Arrays = Sequence[npt.NDArray[Any]]

__all__ = ["stepping_own_cells"]


@contextlib.contextmanager
def stepping_own_cells(loops: Loops) -> Iterator[None]:
    """Let the cells of registered classes run our steps, for as long as the context lasts."""
    cells = [_Stepped(found[0], loops) for found in loops.found.values() if found[0].own]
    try:
        for cell in cells:
            cell.module.__dict__["forward"] = cell
        yield
    finally:
        for cell in cells:
            cell.restore()


@dataclass(frozen=True)
class OwnCall:
    """One call of a cell, which takes one timestep; see :class:`lstm_widgets.models.adapter.Call`."""

    layer: Found
    number: int
    x: npt.NDArray[Any]
    states: list[npt.NDArray[Any]]
    cells: tuple[Cell, ...]
    called: Callable[[Any, Arrays], tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]]

    mask = None
    over_time = True

    def own(
        self,
        x: npt.NDArray[Any],
        states: Arrays,
        mask: npt.NDArray[np.bool_] | None,
        *,
        compiled: bool = False,
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        """Let the cell itself take the step; return its output, and its states."""
        del mask, compiled
        output, after = self.called(x[:, 0], states)
        return output[:, None], after

    def step(self, cell: int, x: npt.NDArray[Any], states: Arrays) -> list[npt.NDArray[Any]]:
        """Let the cell itself take a single step; return its states."""
        del cell
        return self.called(x, states)[1]

    def returned(
        self,
        hidden: npt.NDArray[Any],
        mask: npt.NDArray[np.bool_] | None,
        *,
        begun: bool = False,
    ) -> npt.NDArray[Any]:
        """Make of hidden states what the cell returns: the same."""
        del mask, begun
        return hidden


@dataclass
class _Given:
    """What a call handed to a cell: the input, the states, and the arguments around these."""

    x: Any
    states: list[Any]
    build: Callable[[Any, Sequence[Any]], Mapping[str, Any]]


@dataclass
class _Stepped:
    """What stands in for ``forward`` of one cell.

    The first call shows how the cell takes its states and how it returns them: in any nesting of tuples,
    alone or with its output before them.
    """

    found: Found
    loops: Loops
    _own: Any = field(init=False)  # its own forward
    _before: dict[str, Any] = field(init=False)
    _given: _Given | None = None  # how it was called with states
    _returns: Callable[[Sequence[Any]], Any] | None = None  # makes what it returns of its states
    _cell: Cell | None = None

    def __post_init__(self) -> None:
        self._own = self.module.forward
        self._before = {
            name: value for name, value in vars(self.module).items() if name == "forward"
        }

    @property
    def module(self) -> nn.Module:
        """The cell."""
        module: nn.Module = self.found.module
        return module

    @property
    def states(self) -> tuple[str, ...]:
        """The names of its states."""
        kind = KINDS[self.found.kind]
        return kind.signals[: kind.states]

    def restore(self) -> None:
        """Give the cell its own ``forward`` back."""
        self.module.__dict__.pop("forward", None)
        self.module.__dict__.update(self._before)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Take one step."""
        if not self.loops.concerns(self.found):
            return self._own(*arguments, **named)
        given = self._opened(arguments, named)
        x, size = given.x, self.found.sizes[0]
        if given.states:
            self._given = given
        elif self._given is None:
            self._given = self._with_states(x)
        shape = (len(x), size)
        states = given.states or [torch.zeros(shape, dtype=x.dtype, device=x.device)] * len(
            self.states
        )
        for name, state in zip(self.states, states, strict=True):
            if tuple(state.shape) != shape:
                raise self._unsupported(
                    f"expected a {name} {shape} to be handed to it, which is (example, cell), got "
                    f"{tuple(state.shape)}"
                )
        number = self.loops.count(self.found)
        before = [as_array(state) for state in states]
        starts = self.loops.starts(self.found, number, before)
        if not self.loops.active:
            if starts is before:
                return self._own(*arguments, **named)
            return self._called(x, [as_tensor(state, x) for state in starts])
        if not given.states:
            self._expect_zeros(arguments, named, x, states)
        if self._returns is None:
            self._returns = self._seen(self._called(x, states), shape)
        dtype = as_array(x[:0]).dtype
        if self._cell is None:
            self._cell = read_own_cell(self.module, dtype, _array)
        array = as_array(x)[:, None]
        call = OwnCall(self.found, number, array, starts, (self._cell,), self._arrays)
        result = self.loops.run(call)
        return self._returns([as_tensor(state, x) for state in result.states])

    def _arrays(
        self, x: npt.NDArray[Any], states: Arrays
    ) -> tuple[npt.NDArray[Any], list[npt.NDArray[Any]]]:
        """Let the cell itself take a step of arrays; return its output, and its states."""
        assert self._given is not None  # noqa: S101  (it was called)
        like = self._given.x
        tensors = [as_tensor(np.ascontiguousarray(one), like) for one in (x, *states)]
        leaves = self._leaves(self._called(tensors[0], tensors[1:]))
        after = [as_array(one) for one in leaves[-len(self.states) :]]
        return after[self.states.index("hidden_state")], after

    def _called(self, x: Any, states: Sequence[Any]) -> Any:
        assert self._given is not None  # noqa: S101  (it was called)
        return self._own(**self._given.build(x, states))

    def _opened(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> _Given:
        """Find the input and the states in what a call hands to the cell."""
        bound = inspect.signature(self._own).bind(*arguments, **named)
        values = dict(bound.arguments)
        if not values or any(isinstance(one, dict) and not one for one in values.values()):
            raise self._unsupported("expected an input to be handed to it")
        first = next(iter(values))
        x = values.pop(first)
        if not isinstance(x, torch.Tensor) or x.ndim != 2:
            got = f"a tensor {tuple(x.shape)}" if isinstance(x, torch.Tensor) else repr(x)[:80]
            raise self._unsupported(
                f"expected it to be called with one timestep (example, features), got {got}: "
                "register_cell takes the class of the cell that is stepped, not of the layer around it"
            )
        leaves: list[tuple[str, Any]] = []
        builds = {name: opened(value, name, leaves) for name, value in values.items()}
        states = [value for _, value in leaves]
        if states and len(states) != len(self.states):
            raise self._unsupported(
                f"expected its {len(self.states)} states ({', '.join(self.states)}) to be handed to it "
                f"beside its input, or none; got {len(states)} tensors"
            )

        def build(x: Any, states: Sequence[Any]) -> Mapping[str, Any]:
            return {first: x} | {name: made(list(states)) for name, made in builds.items()}

        return _Given(x, states, build)

    def _with_states(self, x: Any) -> _Given:
        """Tell how a cell is to be called with states that was called without: as it is declared."""
        first, *others = inspect.signature(self._own).parameters.values()
        places = [
            one.name for one in others if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
        ]
        count = len(self.states)
        if not places:
            raise self._unsupported("expected its forward to take a state beside its input")

        def build(x: Any, states: Sequence[Any]) -> Mapping[str, Any]:
            if 1 < count <= len(places):
                return {first.name: x, **dict(zip(places, states, strict=False))}
            return {first.name: x, places[0]: states[0] if count == 1 else tuple(states)}

        return _Given(x, [], build)

    def _expect_zeros(
        self, arguments: tuple[Any, ...], named: Mapping[str, Any], x: Any, states: Sequence[Any]
    ) -> None:
        """See to it that a cell that is handed no states starts from zeros."""
        ours, own = self._called(x, states), self._own(*arguments, **named)
        pairs = zip(self._leaves(ours), self._leaves(own), strict=True)
        if not all(torch.equal(a, b) or bool(torch.isnan(b).any()) for a, b in pairs):
            raise self._unsupported(
                "it is handed no states, and then starts from others than zeros, which can't be seen: "
                "hand them to it"
            )

    def _leaves(self, returned: Any) -> list[Any]:
        leaves: list[tuple[str, Any]] = []
        opened(returned, "", leaves)
        return [value for _, value in leaves]

    def _seen(self, returned: Any, shape: tuple[int, int]) -> Callable[[Sequence[Any]], Any]:
        """Tell how a cell's states, and its output, stand in what it returns."""
        leaves: list[tuple[str, Any]] = []
        build, count = opened(returned, "", leaves), len(self.states)
        values, hidden = [value for _, value in leaves], self.states.index("hidden_state")
        if len(values) not in (count, count + 1):
            raise self._unsupported(
                f"expected its {count} states ({', '.join(self.states)}) to be returned, or its output "
                f"and them; got {len(values)} tensors"
            )
        for value in values:
            if tuple(value.shape) != shape:
                raise self._unsupported(
                    f"expected tensors {shape}, which is (example, cell), to be returned, got "
                    f"{tuple(value.shape)}"
                )
        if len(values) == count:
            return build
        if not torch.allclose(values[0], values[1 + hidden], equal_nan=True):
            raise self._unsupported(
                "the output that it returns isn't its hidden_state: compute what is made of that "
                "outside of the cell"
            )
        return lambda states: build([states[hidden], *states])

    def _unsupported(self, why: str) -> UnsupportedLayerError:
        return UnsupportedLayerError(
            f"model: layer {self.found.name!r}, of the registered class "
            f"{type(self.module).__name__}, cannot be recorded: {why}"
        )


def _array(value: Any) -> Any:
    return as_array(value) if isinstance(value, torch.Tensor) else value
